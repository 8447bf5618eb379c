//! Powers and logarithms from `+ - * /` alone. The standard library leaves theirs to the platform, whose last
//! bits differ; the hashes of the fixtures may not.

use std::f64::consts::{LN_2, LN_10, LOG2_10};

/// 10 to the power x, for |x| below 300.
pub(crate) fn pow10(x: f64) -> f64 {
    debug_assert!(x.abs() < 300.0);
    let scaled = x * LOG2_10;
    let whole = scaled.floor();
    // exp(r) for r in [0, ln 2): 20 terms reach the last bit.
    let r = (scaled - whole) * LN_2;
    let mut sum = 1.0;
    for k in (1..=20).rev() {
        sum = 1.0 + sum * r / f64::from(k);
    }
    sum * f64::from_bits(((whole as i64 + 1023) as u64) << 52)
}

/// The decimal logarithm of a positive normal number.
pub(crate) fn log10(x: f64) -> f64 {
    debug_assert!(x.is_normal() && x > 0.0);
    let bits = x.to_bits();
    let exponent = (bits >> 52) as i64 - 1023;
    let mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    // ln m = 2 atanh((m - 1) / (m + 1)), m in [1, 2).
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let s2 = s * s;
    let mut sum = 0.0;
    for k in (0..18).rev() {
        sum = sum * s2 + 1.0 / f64::from(2 * k + 1);
    }
    (2.0 * s * sum + exponent as f64 * LN_2) / LN_10
}

/// The cosine of an angle in degrees within 0..=90.
pub(crate) fn cos_deg(deg: f64) -> f64 {
    debug_assert!((0.0..=90.0).contains(&deg));
    let x2 = (deg * (std::f64::consts::PI / 180.0)) * (deg * (std::f64::consts::PI / 180.0));
    let mut sum = 1.0;
    for k in (1..=14).rev() {
        sum = 1.0 - sum * x2 / f64::from((2 * k - 1) * (2 * k));
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_the_platforms_functions() {
        for i in -2000..2000 {
            let x = f64::from(i) * 0.0137;
            let (ours, theirs) = (pow10(x), 10_f64.powf(x));
            assert!((ours / theirs - 1.0).abs() < 1e-13, "pow10({x}) {ours} {theirs}");
            assert!((log10(theirs) - x).abs() < 1e-12, "log10({theirs})");
        }
        for i in 0..=900 {
            let deg = f64::from(i) * 0.1;
            assert!((cos_deg(deg) - deg.to_radians().cos()).abs() < 1e-14, "cos({deg})");
        }
    }
}
