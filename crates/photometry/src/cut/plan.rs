//! A cut bound to the types of its columns, each comparison given the fastest way that is exact for it.

use super::Cut;
use super::error::CutError;
use super::exact::integer_range;
use super::expr::{Arithmetic, Column, Cond, Num, Op};
use super::logmag::{Line, LineTest, Ratio};
use super::values::Kind;

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) kinds: Vec<Kind>,
    pub(crate) clauses: Vec<Node>,
    /// Their canonical texts.
    pub(crate) texts: Vec<String>,
    pub(crate) mags: Vec<MagInput>,
}

/// The flux behind a magnitude that several comparisons may use.
#[derive(Debug, Clone)]
pub(crate) struct MagInput {
    key: Num,
    pub(crate) flux: Source,
    pub(crate) transmission: Option<Source>,
}

#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A column of f32, read in place.
    Column(Column),
    /// Anything else, computed in f64 and rounded to f32.
    Computed(Value),
}

/// A number per row for the block interpreter.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Constant(f64),
    Column(Column),
    Mag(usize),
    Abs(Box<Value>),
    Neg(Box<Value>),
    Binary(Arithmetic, Box<Value>, Box<Value>),
}

#[derive(Debug, Clone)]
pub(crate) enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Constant(bool),
    IntegerRange {
        column: Column,
        range: (i128, i128, bool),
    },
    AnyBit {
        column: Column,
        mask: u64,
        set: bool,
    },
    Ratio(Ratio),
    Line(Line),
    Compare(Op, Value, Value),
    IsNan(Value),
    /// Row by row by the definition: texts, pairs of integer columns, and what is too odd to deserve better.
    Scalar(Cond),
}

impl Plan {
    pub(crate) fn new(cut: &Cut, kinds: Vec<Kind>) -> Result<Self, CutError> {
        let mut binder = Binder { cut, clause: "", kinds: &kinds, mags: Vec::new() };
        let texts: Vec<String> = cut.clauses().collect();
        let mut clauses = Vec::with_capacity(texts.len());
        for (text, clause) in texts.iter().zip(&cut.inner.clauses) {
            binder.clause = text;
            clauses.push(binder.node(clause)?);
        }
        let mags = binder.mags;
        Ok(Self { kinds, clauses, texts, mags })
    }
}

struct Binder<'a> {
    cut: &'a Cut,
    clause: &'a str,
    kinds: &'a [Kind],
    mags: Vec<MagInput>,
}

impl Binder<'_> {
    fn wrong(&self, column: Column, needed: &'static str) -> CutError {
        CutError::Type {
            column: self.cut.columns()[column].clone(),
            found: self.kinds[column].describe(),
            needed,
            clause: self.clause.to_owned(),
        }
    }

    fn node(&mut self, c: &Cond) -> Result<Node, CutError> {
        Ok(match c {
            Cond::All(list) => Node::All(self.nodes(list)?),
            Cond::Any(list) => Node::Any(self.nodes(list)?),
            Cond::Not(c) => Node::Not(Box::new(self.node(c)?)),
            Cond::Text { column, .. } => {
                if self.kinds[*column] != Kind::Text {
                    return Err(self.wrong(*column, "text"));
                }
                Node::Scalar(c.clone())
            }
            Cond::Bits { column, mask, value, equal } => {
                if !self.kinds[*column].is_integer() {
                    return Err(self.wrong(*column, "integers"));
                }
                match *value {
                    0 => Node::AnyBit { column: *column, mask: *mask, set: !equal },
                    value if value & !mask != 0 => Node::Constant(!equal),
                    _ => Node::Scalar(c.clone()),
                }
            }
            Cond::IsNan(x) => {
                self.check(x)?;
                self.value(x).map_or_else(|| Node::Scalar(c.clone()), Node::IsNan)
            }
            Cond::Compare(op, a, b) => {
                self.check(a)?;
                self.check(b)?;
                self.compare(*op, a, b).unwrap_or_else(|| Node::Scalar(c.clone()))
            }
        })
    }

    fn nodes(&mut self, list: &[Cond]) -> Result<Vec<Node>, CutError> {
        list.iter().map(|c| self.node(c)).collect()
    }

    /// Every column of a number must hold numbers.
    fn check(&self, n: &Num) -> Result<(), CutError> {
        match n {
            Num::Int(_) | Num::Float(_) => Ok(()),
            Num::Column(c) => self.numeric(*c),
            Num::Demag { flux, transmission } => {
                self.numeric(*flux)?;
                self.numeric(*transmission)
            }
            Num::Mag(x) | Num::Abs(x) | Num::Neg(x) => self.check(x),
            Num::Binary(_, a, b) => {
                self.check(a)?;
                self.check(b)
            }
        }
    }

    fn numeric(&self, column: Column) -> Result<(), CutError> {
        if self.kinds[column] == Kind::Text { Err(self.wrong(column, "numbers")) } else { Ok(()) }
    }

    fn integer_column(&self, n: &Num) -> Option<Column> {
        match n {
            Num::Column(c) if self.kinds[*c].is_integer() => Some(*c),
            _ => None,
        }
    }

    /// `None` when only the definition will do.
    fn compare(&mut self, op: Op, a: &Num, b: &Num) -> Option<Node> {
        match (self.integer_column(a), self.integer_column(b), a, b) {
            (Some(_), Some(_), ..) => return None,
            (Some(column), _, _, Num::Int(i)) => {
                return Some(Node::IntegerRange { column, range: integer_range(op, *i) });
            }
            (_, Some(column), Num::Int(i), _) => {
                return Some(Node::IntegerRange { column, range: integer_range(op.mirrored(), *i) });
            }
            (_, _, Num::Int(i), Num::Int(j)) => return Some(Node::Constant(op.holds(i, j))),
            _ => {}
        }
        if let Some(node) = self.between(op, a, b).or_else(|| self.between(op.mirrored(), b, a)) {
            return Some(node);
        }
        let difference = Affine::of(a).zip(Affine::of(b)).and_then(|(a, b)| a.plus(&b, -1.0));
        if let Some(node) = difference.and_then(|sum| self.straight(op, &sum)) {
            return Some(node);
        }
        Some(Node::Compare(op, self.value(a)?, self.value(b)?))
    }

    /// `abs(sum of magnitudes)` against a limit, as two comparisons.
    fn between(&mut self, op: Op, a: &Num, limit: &Num) -> Option<Node> {
        let Num::Abs(x) = a else { return None };
        let sum = Affine::of(x)?;
        let limit = match limit {
            Num::Int(i) => *i as f64,
            Num::Float(x) => *x,
            _ => return None,
        };
        let mut side = |op: Op, limit: f64| {
            let difference = Affine::of(x)?.plus(&Affine::constant(limit), -1.0)?;
            self.straight(op, &difference)
        };
        match op {
            _ if sum.terms.is_empty() => None,
            Op::Lt | Op::Le => Some(Node::All(vec![side(op, limit)?, side(op.mirrored(), -limit)?])),
            Op::Gt | Op::Ge => Some(Node::Any(vec![side(op, limit)?, side(op.mirrored(), -limit)?])),
            Op::Eq | Op::Ne => None,
        }
    }

    /// A comparison of a sum of magnitudes with zero.
    fn straight(&mut self, op: Op, sum: &Affine<'_>) -> Option<Node> {
        if sum.terms.is_empty() {
            return None;
        }
        // Everything below asks "> 0": strict or not, a row that close to zero is judged by the definition.
        let (sign, test) = match op {
            Op::Gt | Op::Ge => (1.0, LineTest::Positive),
            Op::Lt | Op::Le => (-1.0, LineTest::Positive),
            Op::Eq => (1.0, LineTest::Zero),
            Op::Ne => (1.0, LineTest::NonZero),
        };
        let constant = sign * sum.constant;
        let terms: Vec<(usize, f64)> =
            sum.terms.iter().map(|(key, a)| Some((self.mag(key)?, sign * a))).collect::<Option<_>>()?;
        let ratio = match (terms.as_slice(), test) {
            (&[(x, a)], LineTest::Positive) => Ratio::limit(x, a, constant, sum.rounding),
            (&[(x, a), (y, b)], LineTest::Positive) => Ratio::colour((x, a), (y, b), constant, sum.rounding),
            _ => None,
        };
        match ratio {
            Some(ratio) => Some(Node::Ratio(ratio)),
            None => Line::new(&terms, constant, sum.rounding, test).map(Node::Line),
        }
    }

    /// The entry of a magnitude in the list of those computed per chunk.
    fn mag(&mut self, key: &Num) -> Option<usize> {
        if let Some(known) = self.mags.iter().position(|m| m.key == *key) {
            return Some(known);
        }
        let (flux, transmission) = match key {
            Num::Mag(x) => (self.source(x)?, None),
            Num::Demag { flux, transmission } => {
                (self.source(&Num::Column(*flux))?, Some(self.source(&Num::Column(*transmission))?))
            }
            _ => return None,
        };
        self.mags.push(MagInput { key: key.clone(), flux, transmission });
        Some(self.mags.len() - 1)
    }

    fn source(&mut self, n: &Num) -> Option<Source> {
        match n {
            Num::Column(c) if self.kinds[*c] == Kind::F32 => Some(Source::Column(*c)),
            // The error of an inner magnitude would be amplified by the outer one without bound.
            n if has_mag(n) => None,
            n => Some(Source::Computed(self.value(n)?)),
        }
    }

    fn value(&mut self, n: &Num) -> Option<Value> {
        Some(match n {
            Num::Int(i) => Value::Constant(*i as f64),
            Num::Float(x) => Value::Constant(*x),
            Num::Column(c) => Value::Column(*c),
            Num::Mag(_) | Num::Demag { .. } => Value::Mag(self.mag(n)?),
            Num::Abs(x) => Value::Abs(Box::new(self.value(x)?)),
            Num::Neg(x) => Value::Neg(Box::new(self.value(x)?)),
            Num::Binary(op, a, b) => Value::Binary(*op, Box::new(self.value(a)?), Box::new(self.value(b)?)),
        })
    }
}

fn has_mag(n: &Num) -> bool {
    match n {
        Num::Mag(_) | Num::Demag { .. } => true,
        Num::Abs(x) | Num::Neg(x) => has_mag(x),
        Num::Binary(_, a, b) => has_mag(a) || has_mag(b),
        Num::Int(_) | Num::Float(_) | Num::Column(_) => false,
    }
}

/// No magnitude of a flux in the range of the fast ways is larger.
const LARGEST_MAG: f64 = 100.0;

/// A sum of magnitudes with constant coefficients, and a constant.
struct Affine<'a> {
    terms: Vec<(&'a Num, f64)>,
    constant: f64,
    /// Bound of the rounding errors that the definition itself makes on the way to this value.
    rounding: f64,
}

impl<'a> Affine<'a> {
    fn constant(constant: f64) -> Self {
        Self { terms: Vec::new(), constant, rounding: 0.0 }
    }

    fn of(n: &'a Num) -> Option<Self> {
        Some(match n {
            Num::Int(i) => Self::constant(*i as f64),
            Num::Float(x) => Self::constant(*x),
            Num::Mag(_) | Num::Demag { .. } => {
                Self { terms: vec![(n, 1.0)], constant: 0.0, rounding: LARGEST_MAG * f64::EPSILON * 4.0 }
            }
            Num::Neg(x) => Self::of(x)?.times(-1.0)?,
            Num::Binary(op, a, b) => {
                let (a, b) = (Self::of(a)?, Self::of(b)?);
                match op {
                    Arithmetic::Add => a.plus(&b, 1.0)?,
                    Arithmetic::Sub => a.plus(&b, -1.0)?,
                    Arithmetic::Mul if a.terms.is_empty() => b.times(a.constant)?,
                    Arithmetic::Mul if b.terms.is_empty() => a.times(b.constant)?,
                    Arithmetic::Div if b.terms.is_empty() => a.divided(b.constant)?,
                    _ => return None,
                }
            }
            Num::Column(_) | Num::Abs(_) => return None,
        })
    }

    fn plus(mut self, other: &Self, sign: f64) -> Option<Self> {
        for (key, a) in &other.terms {
            match self.terms.iter_mut().find(|(k, _)| k == key) {
                Some((_, sum)) => *sum += sign * a,
                None => self.terms.push((key, sign * a)),
            }
        }
        self.constant += sign * other.constant;
        self.rounding += other.rounding;
        // Terms may cancel later, so both sides count, not only the sum.
        let size = self.size() + other.size();
        self.rounded(size)
    }

    fn times(mut self, factor: f64) -> Option<Self> {
        self.terms.iter_mut().for_each(|(_, a)| *a *= factor);
        self.constant *= factor;
        self.rounding *= factor.abs();
        let size = self.size();
        self.rounded(size)
    }

    fn divided(mut self, by: f64) -> Option<Self> {
        self.terms.iter_mut().for_each(|(_, a)| *a /= by);
        self.constant /= by;
        self.rounding /= by.abs();
        let size = self.size();
        self.rounded(size)
    }

    fn size(&self) -> f64 {
        self.terms.iter().map(|(_, a)| a.abs() * LARGEST_MAG).sum::<f64>() + self.constant.abs()
    }

    /// Adds the rounding of one operation, underflow included; a value that overflows is left to the definition.
    fn rounded(mut self, size: f64) -> Option<Self> {
        self.rounding += 4.0 * f64::EPSILON * size + f64::MIN_POSITIVE;
        self.rounding.is_finite().then_some(self)
    }
}
