//! Tokens to the tree, by precedence climbing.

use std::ops::Range;

use super::error::CutError;
use super::expr::{Arithmetic, Column, Cond, Num, Op};
use super::lex::{Spanned, Token, syntax, tokens};

/// Longest text accepted.
const MAX_BYTES: usize = 16 * 1024;
/// Deepest nesting of parentheses, functions and signs, and longest chain of `+ - * /`: both become recursion.
const MAX_DEPTH: usize = 64;
const MAX_CHAIN: usize = 128;

pub(crate) struct Parsed {
    pub(crate) condition: Cond,
    pub(crate) columns: Vec<String>,
}

pub(crate) fn parse(text: &str) -> Result<Parsed, CutError> {
    if text.len() > MAX_BYTES {
        let what = format!("the expression has {} bytes, at most {MAX_BYTES} are accepted", text.len());
        return Err(syntax("", 0..0, what));
    }
    let mut parser = Parser { text, tokens: tokens(text)?, pos: 0, depth: 0, columns: Vec::new() };
    if parser.tokens.len() == 1 {
        return Err(syntax(text, 0..0, "the expression is empty"));
    }
    let (value, at) = parser.any()?;
    let condition = parser.condition(value, at)?;
    match &parser.peek().token {
        Token::End => Ok(Parsed { condition, columns: parser.columns }),
        Token::Sign(")") => Err(parser.fail_here("nothing is open that `)` could close")),
        _ => Err(parser.fail_here("expected `and`, `or` or the end of the expression")),
    }
}

/// What a part of the text turned out to be.
enum Value {
    Num(Num),
    Cond(Cond),
    Text(String),
    /// `column & mask`, which is a condition and may also be compared.
    Bits(Column, u64),
}

type Part = (Value, Range<usize>);

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Spanned>,
    pos: usize,
    depth: usize,
    columns: Vec<String>,
}

impl Parser<'_> {
    fn peek(&self) -> &Spanned {
        // The last token is `End`, and `bump` never passes it.
        &self.tokens[self.pos]
    }

    fn bump(&mut self) -> Spanned {
        let token = self.tokens[self.pos].clone();
        self.pos = (self.pos + 1).min(self.tokens.len() - 1);
        token
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(&self.peek().token, Token::Name(n) if n.eq_ignore_ascii_case(word))
    }

    fn is_sign(&self, signs: &[&str]) -> bool {
        matches!(&self.peek().token, Token::Sign(s) if signs.contains(s))
    }

    fn fail(&self, at: Range<usize>, what: impl Into<String>) -> CutError {
        syntax(self.text, at, what)
    }

    fn fail_here(&self, what: impl Into<String>) -> CutError {
        self.fail(self.peek().at.clone(), what)
    }

    /// Runs `f` one level deeper.
    fn deeper<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T, CutError>) -> Result<T, CutError> {
        if self.depth == MAX_DEPTH {
            return Err(self.fail_here(format!("nested more than {MAX_DEPTH} deep")));
        }
        self.depth += 1;
        let result = f(self);
        self.depth -= 1;
        result
    }

    fn any(&mut self) -> Result<Part, CutError> {
        self.chain(Self::all, |p| p.is_word("or") || p.is_sign(&["|", "||"]), Cond::Any)
    }

    fn all(&mut self) -> Result<Part, CutError> {
        self.chain(Self::not, |p| p.is_word("and") || p.is_sign(&["&", "&&"]), Cond::All)
    }

    /// One or more parts joined by a word; nested chains of the same word are flattened.
    fn chain(
        &mut self,
        part: fn(&mut Self) -> Result<Part, CutError>,
        joined: fn(&Self) -> bool,
        build: fn(Vec<Cond>) -> Cond,
    ) -> Result<Part, CutError> {
        let (first, mut at) = part(self)?;
        if !joined(self) {
            return Ok((first, at));
        }
        let is_all = matches!(build(Vec::new()), Cond::All(_));
        let mut list = Vec::new();
        let mut add = |c: Cond| match c {
            Cond::All(inner) if is_all => list.extend(inner),
            Cond::Any(inner) if !is_all => list.extend(inner),
            c => list.push(c),
        };
        add(self.condition(first, at.clone())?);
        while joined(self) {
            self.bump();
            let (next, next_at) = part(self)?;
            at.end = next_at.end;
            add(self.condition(next, next_at)?);
        }
        Ok((Value::Cond(build(list)), at))
    }

    fn not(&mut self) -> Result<Part, CutError> {
        if !(self.is_word("not") || self.is_sign(&["!"])) {
            return self.comparison();
        }
        let start = self.bump().at.start;
        let (value, at) = self.deeper(Self::not)?;
        let condition = self.condition(value, at.clone())?;
        Ok((Value::Cond(Cond::Not(Box::new(condition))), start..at.end))
    }

    fn op(&self) -> Option<Op> {
        match self.peek().token {
            Token::Sign("<") => Some(Op::Lt),
            Token::Sign("<=") => Some(Op::Le),
            Token::Sign(">") => Some(Op::Gt),
            Token::Sign(">=") => Some(Op::Ge),
            Token::Sign("==") => Some(Op::Eq),
            Token::Sign("!=") => Some(Op::Ne),
            _ => None,
        }
    }

    fn comparison(&mut self) -> Result<Part, CutError> {
        let (left, left_at) = self.sum()?;
        let Some(op) = self.op() else { return Ok((left, left_at)) };
        let op_at = self.bump().at;
        let (right, right_at) = self.sum()?;
        if self.op().is_some() {
            let middle = self.text[right_at.clone()].trim();
            let what = format!(
                "a comparison has two sides: join two with `and`, as in `a < {middle} and {middle} < b`"
            );
            return Err(self.fail_here(what));
        }
        let at = left_at.start..right_at.end;
        let condition = match (left, right) {
            (Value::Text(_), Value::Text(_)) => {
                return Err(self.fail(at, "two texts are compared, and no column"));
            }
            (Value::Text(text), other) => self.text_comparison(op, other, right_at, text, op_at)?,
            (other, Value::Text(text)) => self.text_comparison(op, other, left_at, text, op_at)?,
            (Value::Bits(column, mask), other) => {
                self.bits_comparison(op, (column, mask), (other, right_at), op_at)?
            }
            (other, Value::Bits(column, mask)) => {
                self.bits_comparison(op, (column, mask), (other, left_at), op_at)?
            }
            (left, right) => Cond::Compare(op, self.number(left, left_at)?, self.number(right, right_at)?),
        };
        Ok((Value::Cond(condition), at))
    }

    fn text_comparison(
        &self,
        op: Op,
        other: Value,
        other_at: Range<usize>,
        text: String,
        op_at: Range<usize>,
    ) -> Result<Cond, CutError> {
        let Value::Num(Num::Column(column)) = other else {
            return Err(self.fail(other_at, "only a column can be compared with a text"));
        };
        if !matches!(op, Op::Eq | Op::Ne) {
            return Err(self.fail(op_at, "a text can be compared by `==` and `!=` only"));
        }
        let text = text.trim_end_matches([' ', '\0']).to_owned();
        Ok(Cond::Text { column, text, equal: op == Op::Eq })
    }

    fn bits_comparison(
        &self,
        op: Op,
        (column, mask): (Column, u64),
        (other, other_at): Part,
        op_at: Range<usize>,
    ) -> Result<Cond, CutError> {
        let Value::Num(Num::Int(value)) = other else {
            return Err(self.fail(other_at, "a bit test can be compared with a whole number only"));
        };
        let Ok(value) = u64::try_from(value) else {
            return Err(self.fail(other_at, "a bit test can be compared with a number of at most 64 bits"));
        };
        if !matches!(op, Op::Eq | Op::Ne) {
            return Err(self.fail(op_at, "a bit test can be compared by `==` and `!=` only"));
        }
        Ok(Cond::Bits { column, mask, value, equal: op == Op::Eq })
    }

    fn sum(&mut self) -> Result<Part, CutError> {
        self.arithmetic(Self::product, |p| match p.peek().token {
            Token::Sign("+") => Some(Arithmetic::Add),
            Token::Sign("-") => Some(Arithmetic::Sub),
            _ => None,
        })
    }

    fn product(&mut self) -> Result<Part, CutError> {
        self.arithmetic(Self::unary, |p| match p.peek().token {
            Token::Sign("*") => Some(Arithmetic::Mul),
            Token::Sign("/") => Some(Arithmetic::Div),
            _ => None,
        })
    }

    fn arithmetic(
        &mut self,
        part: fn(&mut Self) -> Result<Part, CutError>,
        operator: fn(&Self) -> Option<Arithmetic>,
    ) -> Result<Part, CutError> {
        let (mut left, mut at) = part(self)?;
        let mut length = 0;
        while let Some(op) = operator(self) {
            length += 1;
            if length > MAX_CHAIN {
                return Err(self.fail_here(format!("more than {MAX_CHAIN} operators in a row")));
            }
            self.bump();
            let (right, right_at) = part(self)?;
            let a = self.number(left, at.clone())?;
            let b = self.number(right, right_at.clone())?;
            left = Value::Num(Num::Binary(op, Box::new(a), Box::new(b)));
            at.end = right_at.end;
        }
        Ok((left, at))
    }

    fn unary(&mut self) -> Result<Part, CutError> {
        if self.is_sign(&["+"]) {
            return Err(self.fail_here("a sign `+` before a value is not accepted"));
        }
        if !self.is_sign(&["-"]) {
            return self.primary();
        }
        let start = self.bump().at.start;
        let literal = matches!(self.peek().token, Token::Int(_) | Token::Float(_));
        let (value, at) = self.deeper(Self::unary)?;
        let at = start..at.end;
        let negative = match self.number(value, at.clone())? {
            Num::Int(i) if literal => Num::Int(-i),
            Num::Float(x) if literal => Num::Float(-x),
            x => Num::Neg(Box::new(x)),
        };
        Ok((Value::Num(negative), at))
    }

    fn primary(&mut self) -> Result<Part, CutError> {
        let Spanned { token, at } = self.bump();
        match token {
            Token::Int(i) => Ok((Value::Num(Num::Int(i128::from(i))), at)),
            Token::Float(x) => Ok((Value::Num(Num::Float(x)), at)),
            Token::Text(t) => Ok((Value::Text(t), at)),
            Token::Sign("(") => {
                let (value, _) = self.deeper(Self::any)?;
                let end = self.close()?;
                Ok(self.bit_tests(value, at.start..end))
            }
            Token::Name(name) if self.is_sign(&["("]) && !is_keyword(&name) => self.call(&name, at),
            Token::Name(name) if is_keyword(&name) => {
                Err(self.fail(at, format!("expected a value before `{}`", name.to_ascii_lowercase())))
            }
            Token::Name(name) if ["nan", "inf", "infinity"].contains(&name.to_ascii_lowercase().as_str()) => {
                Err(self.fail(at, "not a number that can be written here: ask with `is_nan(x)`, or compare with a large number"))
            }
            Token::Name(name) => {
                let column = self.column(&name);
                Ok(self.bit_tests(Value::Num(Num::Column(column)), at))
            }
            Token::Sign("!") => Err(self.fail(at, "`!` negates a whole comparison and stands before it")),
            Token::Sign(_) | Token::End => Err(self.fail(at, "expected a column, a number or a function")),
        }
    }

    /// `& number` directly after a column or a bit test is a bit test, and binds tightest.
    fn bit_tests(&mut self, mut value: Value, mut at: Range<usize>) -> Part {
        while self.is_sign(&["&"]) {
            let Some(Spanned { token: Token::Int(mask), at: mask_at }) = self.tokens.get(self.pos + 1) else {
                break;
            };
            let end = mask_at.end;
            value = match value {
                Value::Num(Num::Column(column)) => Value::Bits(column, *mask),
                Value::Bits(column, other) => Value::Bits(column, *mask & other),
                other => return (other, at),
            };
            at.end = end;
            self.bump();
            self.bump();
        }
        (value, at)
    }

    fn close(&mut self) -> Result<usize, CutError> {
        if self.is_sign(&[")"]) {
            return Ok(self.bump().at.end);
        }
        Err(self.fail_here("expected `)` to close the parenthesis"))
    }

    fn call(&mut self, name: &str, name_at: Range<usize>) -> Result<Part, CutError> {
        let function = name.to_ascii_lowercase();
        if !["mag", "demag", "abs", "is_nan"].contains(&function.as_str()) {
            let what = format!("no function `{name}`; there are mag, demag, abs, is_nan");
            return Err(self.fail(name_at, what));
        }
        self.bump();
        let first = self.tokens[self.pos].clone();
        let (value, at) = self.deeper(Self::any)?;
        let argument =
            if function == "demag" { self.demag(value, first, at)? } else { self.number(value, at)? };
        let end = self.close()?;
        let value = match function.as_str() {
            "mag" => Value::Num(Num::Mag(Box::new(argument))),
            "abs" => Value::Num(Num::Abs(Box::new(argument))),
            "is_nan" => Value::Cond(Cond::IsNan(argument)),
            _ => Value::Num(argument),
        };
        Ok((value, name_at.start..end))
    }

    /// `demag(flux_z)` divides by `mw_transmission_z`, `demag(fiberflux_g)` by `mw_transmission_g`.
    fn demag(&mut self, value: Value, first: Spanned, at: Range<usize>) -> Result<Num, CutError> {
        let (Value::Num(Num::Column(flux)), Token::Name(name)) = (value, first.token) else {
            return Err(self.fail(at, "demag takes a flux column, such as flux_z"));
        };
        let name = name.to_ascii_lowercase();
        match name.rsplit_once("flux_") {
            Some((_, band)) if !band.is_empty() && !band.contains('_') => {
                let transmission = self.column(&format!("mw_transmission_{band}"));
                Ok(Num::Demag { flux, transmission })
            }
            _ => {
                Err(self.fail(at, format!("demag takes a flux column named …flux_BAND, and {name} is none")))
            }
        }
    }

    fn column(&mut self, name: &str) -> Column {
        let name = name.to_ascii_lowercase();
        self.columns.iter().position(|c| *c == name).unwrap_or_else(|| {
            self.columns.push(name);
            self.columns.len() - 1
        })
    }

    fn number(&self, value: Value, at: Range<usize>) -> Result<Num, CutError> {
        match value {
            Value::Num(n) => Ok(n),
            Value::Text(_) => Err(self.fail(at, "a text stands where a number is needed")),
            Value::Bits(..) => Err(self.fail(at, "a bit test is no number; for `and`, use the word `and`")),
            Value::Cond(_) => Err(self.fail(at, "a condition stands where a number is needed")),
        }
    }

    fn condition(&self, value: Value, at: Range<usize>) -> Result<Cond, CutError> {
        match value {
            Value::Cond(c) => Ok(c),
            Value::Bits(column, mask) => Ok(Cond::Bits { column, mask, value: 0, equal: false }),
            Value::Num(_) => Err(self.fail(at, "a number is no condition: compare it, as in `x != 0`")),
            Value::Text(_) => Err(self.fail(at, "a text is no condition: compare a column with it")),
        }
    }
}

fn is_keyword(name: &str) -> bool {
    ["and", "or", "not"].iter().any(|k| name.eq_ignore_ascii_case(k))
}
