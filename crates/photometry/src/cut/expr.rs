//! The expression tree, and its canonical text.

use std::cmp::Ordering;
use std::fmt::{self, Write as _};

/// Index into the column list of the cut that owns the tree.
pub(crate) type Column = usize;

/// A number per row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Num {
    Int(i128),
    Float(f64),
    Column(Column),
    Mag(Box<Num>),
    /// `mag(flux / transmission)`, both columns.
    Demag {
        flux: Column,
        transmission: Column,
    },
    Abs(Box<Num>),
    Neg(Box<Num>),
    Binary(Arithmetic, Box<Num>, Box<Num>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
    Ne,
}

/// A truth per row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cond {
    Compare(Op, Num, Num),
    /// The text of a column equals (or not) a literal without trailing blanks.
    Text {
        column: Column,
        text: String,
        equal: bool,
    },
    /// `column & mask` equals (or not) a value.
    Bits {
        column: Column,
        mask: u64,
        value: u64,
        equal: bool,
    },
    IsNan(Num),
    All(Vec<Cond>),
    Any(Vec<Cond>),
    Not(Box<Cond>),
}

impl Num {
    /// Applies `f` to every column index, in order of appearance.
    pub(crate) fn for_columns(&mut self, f: &mut impl FnMut(&mut Column)) {
        match self {
            Num::Int(_) | Num::Float(_) => {}
            Num::Column(c) => f(c),
            Num::Demag { flux, transmission } => {
                f(flux);
                f(transmission);
            }
            Num::Mag(x) | Num::Abs(x) | Num::Neg(x) => x.for_columns(f),
            Num::Binary(_, a, b) => {
                a.for_columns(f);
                b.for_columns(f);
            }
        }
    }

    fn precedence(&self) -> u8 {
        match self {
            Num::Binary(Arithmetic::Add | Arithmetic::Sub, ..) => 1,
            Num::Binary(Arithmetic::Mul | Arithmetic::Div, ..) => 2,
            Num::Neg(_) => 3,
            _ => 4,
        }
    }

    fn write(&self, f: &mut String, names: &[String], outer: u8) -> fmt::Result {
        let paren = self.precedence() < outer;
        if paren {
            f.push('(');
        }
        match self {
            Num::Int(i) => write!(f, "{i}")?,
            Num::Float(x) => write!(f, "{x:?}")?,
            Num::Column(c) => f.push_str(&names[*c]),
            Num::Demag { flux, .. } => write!(f, "demag({})", names[*flux])?,
            Num::Mag(x) => call(f, "mag", x, names)?,
            Num::Abs(x) => call(f, "abs", x, names)?,
            Num::Neg(x) => {
                f.push('-');
                // Without parentheses `-1` would come back as one literal.
                let literal = matches!(**x, Num::Int(_) | Num::Float(_));
                x.write(f, names, if literal { 5 } else { 4 })?;
            }
            Num::Binary(op, a, b) => {
                let (sign, own) = match op {
                    Arithmetic::Add => (" + ", 1),
                    Arithmetic::Sub => (" - ", 1),
                    Arithmetic::Mul => (" * ", 2),
                    Arithmetic::Div => (" / ", 2),
                };
                a.write(f, names, own)?;
                f.push_str(sign);
                b.write(f, names, own + 1)?;
            }
        }
        if paren {
            f.push(')');
        }
        Ok(())
    }
}

fn call(f: &mut String, name: &str, argument: &Num, names: &[String]) -> fmt::Result {
    write!(f, "{name}(")?;
    argument.write(f, names, 0)?;
    f.push(')');
    Ok(())
}

impl Op {
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Op::Lt => "<",
            Op::Le => "<=",
            Op::Gt => ">",
            Op::Ge => ">=",
            Op::Eq => "==",
            Op::Ne => "!=",
        }
    }

    /// The same comparison with its sides exchanged.
    pub(crate) fn mirrored(self) -> Op {
        match self {
            Op::Lt => Op::Gt,
            Op::Le => Op::Ge,
            Op::Gt => Op::Lt,
            Op::Ge => Op::Le,
            Op::Eq | Op::Ne => self,
        }
    }

    /// The truth of `a op b`; a NaN fails every comparison, `!=` included.
    #[inline(always)]
    pub(crate) fn holds<T: PartialOrd>(self, a: T, b: T) -> bool {
        match self {
            Op::Lt => a < b,
            Op::Le => a <= b,
            Op::Gt => a > b,
            Op::Ge => a >= b,
            Op::Eq => a == b,
            Op::Ne => a.partial_cmp(&b).is_some_and(Ordering::is_ne),
        }
    }
}

impl Cond {
    pub(crate) fn for_columns(&mut self, f: &mut impl FnMut(&mut Column)) {
        match self {
            Cond::Compare(_, a, b) => {
                a.for_columns(f);
                b.for_columns(f);
            }
            Cond::Text { column, .. } | Cond::Bits { column, .. } => f(column),
            Cond::IsNan(x) => x.for_columns(f),
            Cond::All(list) | Cond::Any(list) => list.iter_mut().for_each(|c| c.for_columns(f)),
            Cond::Not(c) => c.for_columns(f),
        }
    }

    /// Canonical text; `names` are the columns of the owning cut.
    pub(crate) fn text(&self, names: &[String]) -> String {
        let mut out = String::new();
        // Writing into a String cannot fail.
        let _ = self.write(&mut out, names, 0);
        out
    }

    fn precedence(&self) -> u8 {
        match self {
            Cond::Any(_) => 1,
            Cond::All(_) => 2,
            Cond::Not(_) => 3,
            _ => 4,
        }
    }

    fn write(&self, f: &mut String, names: &[String], outer: u8) -> fmt::Result {
        let paren = self.precedence() < outer;
        if paren {
            f.push('(');
        }
        match self {
            Cond::Compare(op, a, b) => {
                a.write(f, names, 0)?;
                write!(f, " {} ", op.sign())?;
                b.write(f, names, 0)?;
            }
            Cond::Text { column, text, equal } => {
                let sign = if *equal { "==" } else { "!=" };
                write!(f, "{} {sign} '{}'", names[*column], text.replace('\'', "''"))?;
            }
            Cond::Bits { column, mask, value, equal } => {
                write!(f, "{} & {mask:#x}", names[*column])?;
                if *equal || *value != 0 {
                    write!(f, " {} {value:#x}", if *equal { "==" } else { "!=" })?;
                }
            }
            Cond::IsNan(x) => call(f, "is_nan", x, names)?,
            Cond::All(list) => join(f, names, list, (" and ", 3))?,
            Cond::Any(list) => join(f, names, list, (" or ", 2))?,
            Cond::Not(c) => {
                f.push_str("not ");
                c.write(f, names, 5)?;
            }
        }
        if paren {
            f.push(')');
        }
        Ok(())
    }
}

fn join(f: &mut String, names: &[String], list: &[Cond], (word, inner): (&str, u8)) -> fmt::Result {
    for (i, c) in list.iter().enumerate() {
        if i > 0 {
            f.push_str(word);
        }
        c.write(f, names, inner)?;
    }
    Ok(())
}
