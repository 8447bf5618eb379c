//! Whole parts of numbers, without branches and without the slow instructions.

/// Sums with it have no bits below 1, and their lowest 32 bits are those of the whole number.
const MAGIC: f64 = 6_755_399_441_055_744.0;

/// A number from 0 to 2^32 cut to a whole one, and whether it is farther than the margin from any whole number; where
/// it is not, the first may be off by 1.
#[inline]
pub(crate) fn split(x: f64, margin: f64) -> (u32, bool) {
    // Rounded to the nearest, whence the half; where that is a tie, `x` is too near a whole number anyway.
    let shifted = (x - 0.5) + MAGIC;
    let part = x - (shifted - MAGIC);
    (shifted.to_bits() as u32, part > margin && part < 1.0 - margin)
}

/// A number from 0 to 2^32 rounded to a whole one, ties to even.
#[inline]
pub(crate) fn rounded(x: f64) -> u32 {
    (x + MAGIC).to_bits() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_parts() {
        assert_eq!([0.25, 0.999, 1.001, 4_294_967_294.5].map(|x| split(x, 1e-9).0), [0, 0, 1, 4_294_967_294]);
        assert_eq!([0.5, 1e-10, 7.0, 6.999_999_999_9].map(|x| split(x, 1e-9).1), [true, false, false, false]);
    }

    #[test]
    fn ties_go_to_even() {
        for x in
            [0.0, 0.5, 0.499_999_999_999_999_94, 1.5, 2.5, 2.500_000_000_000_000_4, 395_999.5, 3_599_000.5]
        {
            assert_eq!(f64::from(rounded(x)).to_bits(), x.round_ties_even().to_bits(), "{x}");
        }
    }
}
