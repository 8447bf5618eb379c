//! The block interpreter: any arithmetic in f64, a chunk of rows at a time.
//!
//! A value that no magnitude enters is exactly what the definition gives, operation by operation. One with a
//! magnitude in it carries a bound of its error per row, which grows through the operations; a comparison closer
//! than that is unsure.

use super::expr::{Arithmetic, Op};
use super::logmag::{MAG_ERROR, MAG_PER_LOG2};
use super::plan::Value;
use super::state::{Join, known, put, state};
use super::values::{Values, each};

/// A value per row; without `error` it is exact.
#[derive(Debug, Clone, Default)]
pub(crate) struct Register {
    pub(crate) value: Vec<f64>,
    error: Vec<f64>,
    exact: bool,
}

/// Rounding of one operation and of its error bound, relative to the result; four times what is needed.
const ROUNDING: f64 = 4.0 * f64::EPSILON;
/// The same for results so small that a relative bound means nothing.
const UNDERFLOW: f64 = f64::MIN_POSITIVE;

/// What the interpreter reads: the rows `start..start + rows` of the columns, and the magnitudes of that chunk.
pub(crate) struct Source<'a> {
    pub(crate) columns: &'a [Values<'a>],
    pub(crate) start: usize,
    pub(crate) rows: usize,
}

/// The logarithms of a magnitude, and its bad rows if it has any.
pub(crate) type Logs<'a> = (&'a [f32], Option<&'a [bool]>);

impl Register {
    fn fill(&mut self, rows: usize, value: f64) {
        self.value.clear();
        self.value.resize(rows, value);
        self.exact = true;
    }

    fn with_errors(&mut self) {
        if self.exact {
            self.error.clear();
            self.error.resize(self.value.len(), 0.0);
            self.exact = false;
        }
    }

    // One of the types is f64 itself.
    #[allow(clippy::unnecessary_cast)]
    fn load(&mut self, column: &Values<'_>, start: usize, rows: usize) {
        self.value.clear();
        each!(column, s => self.value.extend(s[start..start + rows].iter().map(|x| *x as f64)), _t => {
            // Binding has refused text here; NaN fails every comparison.
            self.value.resize(rows, f64::NAN);
        });
        self.exact = true;
    }

    fn magnitude(&mut self, (logs, bad): Logs<'_>) {
        self.value.clear();
        self.value.extend(logs.iter().map(|log| 22.5 - MAG_PER_LOG2 * f64::from(*log)));
        self.error.clear();
        self.error.resize(logs.len(), MAG_ERROR);
        self.exact = false;
        for (i, _) in bad.unwrap_or(&[]).iter().enumerate().filter(|(_, bad)| **bad) {
            (self.value[i], self.error[i]) = (0.0, f64::INFINITY);
        }
    }

    /// Replaces this value `a` by `a op b`.
    fn combine(&mut self, op: Arithmetic, b: &mut Register) {
        if self.exact && b.exact {
            for (a, b) in self.value.iter_mut().zip(&b.value) {
                *a = op.apply(*a, *b);
            }
            return;
        }
        self.with_errors();
        b.with_errors();
        let left = self.value.iter_mut().zip(&mut self.error);
        for ((a, ea), (b, eb)) in left.zip(b.value.iter().zip(&b.error)) {
            (*a, *ea) = with_error(op, (*a, *ea), (*b, *eb));
        }
    }

    fn combine_constant(&mut self, op: Arithmetic, b: f64) {
        self.value.iter_mut().for_each(|a| *a = op.apply(*a, b));
        if !self.exact {
            let scale = match op {
                Arithmetic::Add | Arithmetic::Sub => 1.0,
                Arithmetic::Mul => b.abs(),
                Arithmetic::Div => 1.0 / b.abs(),
            };
            for (e, v) in self.error.iter_mut().zip(&self.value) {
                // The NaN of a magnitude stays one whatever the constant, if that is no zero or infinity itself.
                let rounding = if v.is_nan() { 0.0 } else { v.abs() * ROUNDING + UNDERFLOW };
                *e = *e * (scale * (1.0 + ROUNDING)) + rounding;
            }
        }
    }

    fn constant_combine(&mut self, op: Arithmetic, a: f64, spare: &mut Register) {
        match op {
            Arithmetic::Add | Arithmetic::Mul => self.combine_constant(op, a),
            Arithmetic::Sub | Arithmetic::Div if self.exact => {
                self.value.iter_mut().for_each(|b| *b = op.apply(a, *b));
            }
            Arithmetic::Sub | Arithmetic::Div => {
                spare.fill(self.value.len(), a);
                spare.combine(op, self);
                std::mem::swap(self, spare);
            }
        }
    }
}

#[inline(always)]
fn with_error(op: Arithmetic, (a, ea): (f64, f64), (b, eb): (f64, f64)) -> (f64, f64) {
    let v = op.apply(a, b);
    let bound = match op {
        Arithmetic::Add | Arithmetic::Sub => ea + eb,
        Arithmetic::Mul => a.abs() * eb + b.abs() * ea + ea * eb,
        Arithmetic::Div => {
            let least = b.abs() - eb;
            if least > 0.0 { (ea + v.abs() * eb) / least } else { f64::INFINITY }
        }
    };
    let error = if a.is_nan() | b.is_nan() {
        // NaN by the definition, too, unless an operand is bad, which keeps its infinite error.
        ea + eb
    } else if v.is_nan() {
        f64::INFINITY
    } else {
        bound * (1.0 + ROUNDING) + (v.abs() * ROUNDING + UNDERFLOW)
    };
    (v, error)
}

/// Leaves the value in the first register; uses those behind it. `registers` grows as needed.
pub(crate) fn evaluate<'a>(
    value: &Value,
    source: &Source<'_>,
    logs: &impl Fn(usize) -> Logs<'a>,
    registers: &mut Vec<Register>,
    first: usize,
) {
    if registers.len() < first + 2 {
        registers.resize_with(first + 2, Register::default);
    }
    match value {
        Value::Constant(c) => registers[first].fill(source.rows, *c),
        Value::Column(c) => registers[first].load(&source.columns[*c], source.start, source.rows),
        Value::Mag(m) => registers[first].magnitude(logs(*m)),
        Value::Abs(x) => {
            evaluate(x, source, logs, registers, first);
            registers[first].value.iter_mut().for_each(|v| *v = v.abs());
        }
        Value::Neg(x) => {
            evaluate(x, source, logs, registers, first);
            registers[first].value.iter_mut().for_each(|v| *v = -*v);
        }
        // With a finite constant that is no zero the error bound is a multiple: no register for it.
        Value::Binary(op, a, b) => match (&**a, &**b) {
            (a, Value::Constant(c)) if c.is_normal() => {
                evaluate(a, source, logs, registers, first);
                registers[first].combine_constant(*op, *c);
            }
            (Value::Constant(c), b) if c.is_normal() => {
                evaluate(b, source, logs, registers, first);
                let (left, right) = registers.split_at_mut(first + 1);
                left[first].constant_combine(*op, *c, &mut right[0]);
            }
            (a, b) => {
                evaluate(a, source, logs, registers, first);
                evaluate(b, source, logs, registers, first + 1);
                let (left, right) = registers.split_at_mut(first + 1);
                left[first].combine(*op, &mut right[0]);
            }
        },
    }
}

/// Joins `a op b` of two registers.
pub(crate) fn compare<J: Join>(states: &mut [u32], op: Op, a: &mut Register, b: &mut Register) {
    // One loop per operator.
    match op {
        Op::Lt | Op::Gt => {
            let (a, b) = if op == Op::Gt { (a, b) } else { (b, a) };
            compare_by::<J>(states, a, b, |x, y| x > y, |d, e| d > e);
        }
        Op::Le | Op::Ge => {
            let (a, b) = if op == Op::Ge { (a, b) } else { (b, a) };
            compare_by::<J>(states, a, b, |x, y| x >= y, |d, e| d > e);
        }
        Op::Eq => compare_by::<J>(states, a, b, |x, y| x == y, |_, _| false),
        Op::Ne => compare_by::<J>(states, a, b, |x, y| (x < y) | (x > y), |d, e| d.abs() > e),
    }
}

/// `exactly` of the two values, or, of their difference and its error, whether it is `surely` so; outside of the
/// error it is as the values say.
#[inline(always)]
fn compare_by<J: Join>(
    states: &mut [u32],
    a: &mut Register,
    b: &mut Register,
    exactly: impl Fn(f64, f64) -> bool,
    surely: impl Fn(f64, f64) -> bool,
) {
    let n = states.len();
    if a.exact && b.exact {
        let (a, b) = (&a.value[..n], &b.value[..n]);
        return put::<J>(states, |i| known(exactly(a[i], b[i])));
    }
    a.with_errors();
    b.with_errors();
    let (a, ea, b, eb) = (&a.value[..n], &a.error[..n], &b.value[..n], &b.error[..n]);
    put::<J>(states, |i| {
        let difference = a[i] - b[i];
        let nan = a[i].is_nan() | b[i].is_nan();
        let bound = ea[i] + eb[i];
        let error = bound + ((a[i].abs() + b[i].abs()) * ROUNDING + UNDERFLOW);
        // An infinite or unknown bound says nothing; then a NaN need not be one either.
        let bounded = bound < f64::INFINITY;
        let near = !nan & (difference.abs() <= error);
        let sure = bounded & surely(difference, error);
        state(sure, !bounded | near | sure)
    });
}

/// Joins whether the value of a register is NaN.
pub(crate) fn is_nan<J: Join>(states: &mut [u32], a: &Register) {
    let n = states.len();
    let value = &a.value[..n];
    if a.exact {
        return put::<J>(states, |i| known(value[i].is_nan()));
    }
    let error = &a.error[..n];
    put::<J>(states, |i| {
        let bounded = error[i] < f64::INFINITY;
        state(bounded & value[i].is_nan(), !bounded | value[i].is_nan())
    });
}
