//! The definition: one row at a time, everything in f64 from the stored values.
//!
//! Every faster way must give what this gives.

use super::expr::{Arithmetic, Cond, Num, Op};
use super::values::Values;

/// 22.5 - 2.5 log10(x); NaN for x <= 0 and NaN, -inf for +inf.
#[inline]
pub(crate) fn magnitude(x: f64) -> f64 {
    if x > 0.0 { 22.5 - 2.5 * libm::log10(x) } else { f64::NAN }
}

pub(crate) fn number(n: &Num, row: usize, columns: &[Values<'_>]) -> f64 {
    match n {
        // A literal beyond 2^53 is rounded here, as any value in arithmetic.
        Num::Int(i) => *i as f64,
        Num::Float(x) => *x,
        Num::Column(c) => columns[*c].number(row),
        Num::Mag(x) => magnitude(number(x, row, columns)),
        Num::Demag { flux, transmission } => {
            magnitude(columns[*flux].number(row) / columns[*transmission].number(row))
        }
        Num::Abs(x) => number(x, row, columns).abs(),
        Num::Neg(x) => -number(x, row, columns),
        Num::Binary(op, a, b) => op.apply(number(a, row, columns), number(b, row, columns)),
    }
}

impl Arithmetic {
    #[inline(always)]
    pub(crate) fn apply(self, a: f64, b: f64) -> f64 {
        match self {
            Arithmetic::Add => a + b,
            Arithmetic::Sub => a - b,
            Arithmetic::Mul => a * b,
            Arithmetic::Div => a / b,
        }
    }
}

pub(crate) fn truth(c: &Cond, row: usize, columns: &[Values<'_>]) -> bool {
    match c {
        Cond::Compare(op, a, b) => match (integer(a, row, columns), integer(b, row, columns)) {
            (Some(x), Some(y)) => op.holds(x, y),
            _ => op.holds(number(a, row, columns), number(b, row, columns)),
        },
        Cond::Text { column, text, equal } => match &columns[*column] {
            Values::Text(t) => t.get(row).is_some_and(|t| (t == text.as_bytes()) == *equal),
            _ => false,
        },
        Cond::Bits { column, mask, value, equal } => match columns[*column].integer(row) {
            // Wraps a negative value to its two's complement.
            Some(x) => (x as u64 & mask == *value) == *equal,
            None => false,
        },
        Cond::IsNan(x) => number(x, row, columns).is_nan(),
        Cond::All(list) => list.iter().all(|c| truth(c, row, columns)),
        Cond::Any(list) => list.iter().any(|c| truth(c, row, columns)),
        Cond::Not(c) => !truth(c, row, columns),
    }
}

/// An integer literal or the value of an integer column; nothing else compares as an integer.
fn integer(n: &Num, row: usize, columns: &[Values<'_>]) -> Option<i128> {
    match n {
        Num::Int(i) => Some(*i),
        Num::Column(c) => columns[*c].integer(row),
        _ => None,
    }
}

/// How `a op literal` reads for integers: the values between two bounds, or all others.
pub(crate) fn integer_range(op: Op, literal: i128) -> (i128, i128, bool) {
    const LOW: i128 = i64::MIN as i128;
    const HIGH: i128 = u64::MAX as i128;
    match op {
        Op::Lt => (LOW, literal - 1, true),
        Op::Le => (LOW, literal, true),
        Op::Gt => (literal + 1, HIGH, true),
        Op::Ge => (literal, HIGH, true),
        Op::Eq => (literal, literal, true),
        Op::Ne => (literal, literal, false),
    }
}
