//! Comparisons of magnitudes in f32, with bounds on their error.
//!
//! # Range
//!
//! A flux is judged here when it is NaN, zero, negative, or in 2^-60..=2^60, and its transmission is NaN or in
//! 2^-20..=2^20: then no product and no quotient below overflows. Other rows are *bad*: unsure at once. A chunk
//! without large values may keep tiny fluxes where products are compared: [`TINY`] covers their underflow.
//!
//! # Errors
//!
//! A product of two fluxes carries at most two input roundings (values that are no f32 columns) and one of its own,
//! a limit factor two more: less than 8 x 2^-24 between both sides. [`GUARD`] is four times that, and a limit whose
//! own rounding is not far below goes another way.
//!
//! The logarithm [`log2`] is within [`LOG2_ERROR`] of the true one over the whole range: |log2| <= 80 there, so
//! its last rounding is at most 2^-18 = 3.8e-6, and the series adds less than 3e-7 (a test runs through all
//! significands).

use super::state::{Join, known, put, state};

/// Least and largest flux judged in f32.
const FLUX: (f32, f32) = (f32::from_bits((127 - 60) << 23), f32::from_bits((127 + 60) << 23));
/// Least and largest transmission judged in f32.
const TRANSMISSION: (f32, f32) = (f32::from_bits((127 - 20) << 23), f32::from_bits((127 + 20) << 23));
/// Relative guard band of flux products.
const GUARD: f64 = 1.0 / (1 << 19) as f64;
/// More than the absolute error of a product that is no normal number, or of inputs that are none: 2^-149 times a
/// transmission up to 2^20 and a factor up to 2^30, several times.
const TINY: f32 = f32::from_bits((127 - 90) << 23);
/// Absolute error of [`log2`], conversions to f32 and the division by the transmission included.
const LOG2_ERROR: f64 = 6e-6;
/// Largest |log2| of a flux in range over a transmission in range.
const LOG2_RANGE: f64 = 80.0;
/// 2.5 log10(2): magnitudes per doubling.
pub(crate) const MAG_PER_LOG2: f64 = 0.752_574_989_159_953;
/// Absolute error of a magnitude from [`log2`].
pub(crate) const MAG_ERROR: f64 = LOG2_ERROR * MAG_PER_LOG2 + 1e-9;

const FLIP: u32 = 1 << 31;

/// True when a flux is too large, or a transmission out of its range; a NaN transmission may count, though it is
/// not bad.
pub(crate) fn may_be_large(flux: &[f32], transmission: Option<&[f32]>) -> bool {
    // Both ends of the range as one signed comparison of the bits.
    const WIDTH: i32 = (TRANSMISSION.1.to_bits() - TRANSMISSION.0.to_bits()).wrapping_add(FLIP) as i32;
    let outside =
        |t: f32| t.to_bits().wrapping_sub(TRANSMISSION.0.to_bits()).wrapping_add(FLIP) as i32 > WIDTH;
    any(flux, |f| f > FLUX.1) || any(transmission.unwrap_or(&[]), outside)
}

/// True when a flux is positive, but too small.
pub(crate) fn any_tiny(flux: &[f32]) -> bool {
    // 0 < x < least as one signed comparison: less one, zero and the negative numbers wrap to the top.
    const LIMIT: i32 = (FLUX.0.to_bits() - 1).wrapping_add(FLIP) as i32;
    any(flux, |f| (f.to_bits().wrapping_add(FLIP - 1) as i32) < LIMIT)
}

/// Without an early end, which would keep the loop from being one of vectors.
#[inline(always)]
fn any(x: &[f32], test: impl Fn(f32) -> bool) -> bool {
    x.iter().fold(0, |found, x| found | known(test(*x))) != 0
}

/// Marks the bad rows; true when there is one.
pub(crate) fn mark_bad(bad: &mut [bool], flux: &[f32], transmission: Option<&[f32]>) -> bool {
    for (bad, f) in bad.iter_mut().zip(flux) {
        *bad = *f > 0.0 && !(FLUX.0..=FLUX.1).contains(f);
    }
    for (bad, t) in bad.iter_mut().zip(transmission.unwrap_or(&[])) {
        *bad |= *t < TRANSMISSION.0 || *t > TRANSMISSION.1;
    }
    bad.contains(&true)
}

/// Rounds to f32, but keeps a positive value from becoming zero, which would have no magnitude.
#[inline(always)]
pub(crate) fn to_f32(x: f64) -> f32 {
    let y = x as f32;
    if x > 0.0 && y < f32::MIN_POSITIVE { y.max(f32::from_bits(1)) } else { y }
}

/// log2 of a positive number in range; garbage for others.
#[inline(always)]
fn log2(x: f32) -> f32 {
    // The significand in [sqrt(1/2), sqrt(2)), and the exponent that goes with it.
    const ROOT: u32 = 0x3f35_04f3;
    let exponent = (x.to_bits().wrapping_sub(ROOT) as i32) >> 23;
    let m = f32::from_bits(x.to_bits().wrapping_sub((exponent << 23) as u32));
    // log2(m) = 2 atanh(s) / ln 2, as an odd polynomial fitted for the least largest error, 3e-8.
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    exponent as f32 + s * (2.885_391_3 + z * (0.961_470_8 + z * 0.598_974_1))
}

/// log2 of the dereddened flux, NaN where that is not positive.
pub(crate) fn logarithms(out: &mut [f32], flux: &[f32], transmission: Option<&[f32]>) {
    let n = out.len();
    let flux = &flux[..n];
    match transmission {
        None => {
            for (out, f) in out.iter_mut().zip(flux) {
                let log = log2(*f);
                *out = if *f > 0.0 { log } else { f32::NAN };
            }
        }
        Some(transmission) => {
            for ((out, f), t) in out.iter_mut().zip(flux).zip(&transmission[..n]) {
                let q = f / t;
                let log = log2(q);
                *out = if q > 0.0 { log } else { f32::NAN };
            }
        }
    }
}

/// A comparison of one or two magnitudes as one of flux products, no logarithm.
///
/// Each has the form `a > factor * b`, with `b > 0`.
#[derive(Debug, Clone)]
pub(crate) struct Ratio {
    pub(crate) shape: RatioShape,
    /// Above `high * b`: surely true. Below `low * b`: surely false.
    high: f32,
    low: f32,
}

/// Indices into the list of magnitudes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RatioShape {
    /// flux > factor * transmission
    Brighter(usize),
    /// transmission > factor * flux
    Fainter(usize),
    /// flux 1 * transmission 2 > factor * flux 2 * transmission 1
    Colour(usize, usize),
}

/// A flux and its transmission.
pub(crate) type Dereddened<'a> = (&'a [f32], Option<&'a [f32]>);

impl Ratio {
    /// `a mag(x) + c > 0`.
    pub(crate) fn limit(x: usize, a: f64, c: f64, rounding: f64) -> Option<Self> {
        // In magnitudes above the zero point, of factor 1.
        let (shape, limit) =
            if a < 0.0 { (RatioShape::Brighter(x), c / -a) } else { (RatioShape::Fainter(x), -c / a) };
        let exponent = (limit - 22.5) / 2.5;
        let exponent = if a < 0.0 { -exponent } else { exponent };
        Self::new(shape, exponent, rounding / a.abs())
    }

    /// `a mag(x) + b mag(y) + c > 0` where a = -b.
    pub(crate) fn colour((x, a): (usize, f64), (y, b): (usize, f64), c: f64, rounding: f64) -> Option<Self> {
        if a != -b {
            return None;
        }
        let (faint, bright) = if a > 0.0 { (x, y) } else { (y, x) };
        Self::new(RatioShape::Colour(bright, faint), -c / a.abs() / 2.5, rounding / a.abs())
    }

    /// `factor` = 10^exponent; `rounding` in magnitudes.
    fn new(shape: RatioShape, exponent: f64, rounding: f64) -> Option<Self> {
        // NaN and a zero coefficient end here, too; 2^30 is 10^9.03.
        if !(exponent.abs() < 9.0 && rounding < GUARD / 16.0) {
            return None;
        }
        let factor = libm::pow(10.0, exponent);
        Some(Self { shape, high: (factor * (1.0 + GUARD)) as f32, low: (factor * (1.0 - GUARD)) as f32 })
    }

    /// `of` gives the fluxes of an entry of the list of magnitudes.
    pub(crate) fn judge<'a, J: Join>(&self, states: &mut [u32], of: impl Fn(usize) -> Dereddened<'a>) {
        let n = states.len();
        let (high, low) = (self.high, self.low);
        let test = |a: f32, b: f32| state(a > high * b, a >= low * b);
        // Two products may both be too small to keep their precision.
        let colour =
            |a: f32, b: f32, g: f32| state(a > high * b + TINY, a >= low * b - TINY) & known(g > 0.0);
        match self.shape {
            RatioShape::Brighter(x) => match of(x) {
                (f, None) => put::<J>(states, bounded(n, [f], |[f]| test(f, 1.0))),
                (f, Some(t)) => put::<J>(states, bounded(n, [f, t], |[f, t]| test(f, t))),
            },
            RatioShape::Fainter(x) => match of(x) {
                (f, None) => put::<J>(states, bounded(n, [f], |[f]| test(1.0, f) & known(f > 0.0))),
                (f, Some(t)) => put::<J>(states, bounded(n, [f, t], |[f, t]| test(t, f) & known(f > 0.0))),
            },
            RatioShape::Colour(x, y) => match (of(x), of(y)) {
                ((f, None), (g, None)) => put::<J>(states, bounded(n, [f, g], |[f, g]| colour(f, g, g))),
                ((f, Some(t)), (g, None)) => {
                    put::<J>(states, bounded(n, [f, t, g], |[f, t, g]| colour(f, g * t, g)));
                }
                ((f, None), (g, Some(u))) => {
                    put::<J>(states, bounded(n, [f, g, u], |[f, g, u]| colour(f * u, g, g)));
                }
                ((f, Some(t)), (g, Some(u))) => {
                    put::<J>(states, bounded(n, [f, t, g, u], |[f, t, g, u]| colour(f * u, g * t, g)));
                }
            },
        }
    }
}

/// Calls `f` with the values of a row; the slices are cut to `n` rows first, so that no index needs a check.
#[inline(always)]
fn bounded<const N: usize, R>(
    n: usize,
    slices: [&[f32]; N],
    f: impl Fn([f32; N]) -> R,
) -> impl Fn(usize) -> R {
    let slices = slices.map(|s| &s[..n]);
    move |i| f(slices.map(|s| s[i]))
}

/// A comparison with zero of a sum of up to four magnitudes with coefficients.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// Index into the list of magnitudes, and the coefficient of its log2.
    pub(crate) terms: Vec<(usize, f32)>,
    constant: f32,
    /// Sums this close to zero are unsure.
    error: f32,
    test: LineTest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineTest {
    Positive,
    Zero,
    NonZero,
}

impl Line {
    pub(crate) fn new(terms: &[(usize, f64)], c: f64, rounding: f64, test: LineTest) -> Option<Self> {
        if terms.len() > 4 {
            return None;
        }
        let weight: f64 = terms.iter().map(|(_, a)| (a * MAG_PER_LOG2).abs()).sum();
        let constant = terms.iter().map(|(_, a)| a * 22.5).sum::<f64>() + c;
        // Each coefficient, product and sum is rounded by at most 2^-24 of the largest partial sum.
        let size = weight * LOG2_RANGE + constant.abs();
        let steps = 4.0 * (terms.len() + 2) as f64;
        let error = weight * LOG2_ERROR + size * steps / (1 << 24) as f64 + rounding;
        // So wide a band would make every row unsure, and coefficients so small might be no normal f32.
        if error.is_nan() || error > 0.1 || weight < 1e-6 {
            return None;
        }
        let terms = terms.iter().map(|(x, a)| (*x, (-a * MAG_PER_LOG2) as f32)).collect();
        Some(Self { terms, constant: constant as f32, error: error as f32 * 1.001, test })
    }

    /// `of` gives the logarithms of an entry of the list of magnitudes.
    pub(crate) fn judge<'a, J: Join>(&self, states: &mut [u32], of: impl Fn(usize) -> &'a [f32]) {
        match *self.terms.as_slice() {
            [a] => self.sum::<J, 1>(states, [a], of),
            [a, b] => self.sum::<J, 2>(states, [a, b], of),
            [a, b, c] => self.sum::<J, 3>(states, [a, b, c], of),
            [a, b, c, d] => self.sum::<J, 4>(states, [a, b, c, d], of),
            // `new` admits no other length.
            _ => {}
        }
    }

    fn sum<'a, J: Join, const N: usize>(
        &self,
        states: &mut [u32],
        terms: [(usize, f32); N],
        of: impl Fn(usize) -> &'a [f32],
    ) {
        let (n, constant, error) = (states.len(), self.constant, self.error);
        let factors = terms.map(|(_, factor)| factor);
        let sums = bounded(n, terms.map(|(x, _)| of(x)), |logs| {
            let mut sum = constant;
            for k in 0..N {
                sum += factors[k] * logs[k];
            }
            sum
        });
        match self.test {
            LineTest::Positive => put::<J>(states, |i| {
                let sum = sums(i);
                state(sum > error, sum >= -error)
            }),
            LineTest::Zero => put::<J>(states, |i| state(false, sums(i).abs() <= error)),
            LineTest::NonZero => put::<J>(states, |i| {
                let sum = sums(i);
                state(sum.abs() > error, !sum.is_nan())
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_is_within_its_bound() {
        // All significands at several exponents, then coarse steps through the whole range of quotients.
        let mut worst = 0.0_f64;
        let mut look = |bits: u32| {
            let x = f32::from_bits(bits);
            worst = worst.max((f64::from(log2(x)) - libm::log2(f64::from(x))).abs());
        };
        for exponent in [127 - 80, 127 - 1, 127, 127 + 4, 127 + 79] {
            (0..1 << 23).step_by(3).for_each(|m| look(exponent << 23 | m));
        }
        ((127 - 80) << 23..(127 + 80) << 23).step_by(1009).for_each(&mut look);
        // The rest of the bound is for two inputs rounded to f32 and their quotient.
        let inputs = 3.0 * 2.0_f64.powi(-24) / std::f64::consts::LN_2;
        assert!(worst + inputs < LOG2_ERROR, "{worst}");
        assert!(worst > 1e-7, "{worst}: is the range covered?");
    }
}
