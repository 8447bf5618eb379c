//! Comparisons and bit tests of integer columns, in the width of the column.

use super::state::{Join, known, put};

/// The integer types a column can have.
pub(crate) trait Integer: Copy + Ord {
    const MIN: Self;
    const MAX: Self;
    fn wide(self) -> i128;
    /// The value, which is known to lie in the range of the type.
    fn narrow(v: i128) -> Self;
    /// The low bits of a mask; a mask bit above the width tests the sign bit, which fills all those.
    fn mask(mask: u64) -> Self;
    fn and(self, mask: Self) -> Self;
}

macro_rules! integer {
    ($($t:ty)*) => {$(
        impl Integer for $t {
            const MIN: Self = <$t>::MIN;
            const MAX: Self = <$t>::MAX;
            fn wide(self) -> i128 {
                self as i128
            }
            fn narrow(v: i128) -> Self {
                v as $t
            }
            fn mask(mask: u64) -> Self {
                let above = mask.checked_shr(<$t>::BITS).unwrap_or(0) != 0;
                mask as $t | if above && <$t>::MIN != 0 { <$t>::MIN } else { 0 }
            }
            #[inline(always)]
            fn and(self, mask: Self) -> Self {
                self & mask
            }
        }
    )*};
}
integer!(u8 i8 u16 i16 u32 i32 u64 i64);

/// `low <= x <= high`, or its opposite.
pub(crate) fn range<J: Join, T: Integer>(
    states: &mut [u32],
    x: &[T],
    (low, high, inside): (i128, i128, bool),
) {
    let x = &x[..states.len()];
    let (min, max) = (T::MIN.wide(), T::MAX.wide());
    if low > max || high < min || low > high {
        return put::<J>(states, |_| known(!inside));
    }
    let (low, high) = (T::narrow(low.max(min)), T::narrow(high.min(max)));
    put::<J>(states, |i| known(((x[i] >= low) & (x[i] <= high)) == inside));
}

/// Any bit of the mask is set, or none is.
pub(crate) fn any_bit<J: Join, T: Integer>(states: &mut [u32], x: &[T], mask: u64, set: bool) {
    let x = &x[..states.len()];
    let mask = T::mask(mask);
    let none = T::narrow(0);
    put::<J>(states, |i| known((x[i].and(mask) != none) == set));
}
