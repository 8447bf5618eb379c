use crate::arrays::Arrays;
use crate::views::{Bits, Logicals, Text};
use std::ops::Range;

/// The values of one column in one block of rows, in native byte order and physical units.
///
/// # Shape
///
/// Slices have `rows × repeat` elements, row after row; for a plain column `repeat` is 1. Text, logicals and bits
/// are views of the rows; variable-length arrays come one row at a time.
///
/// # Scaling and nulls
///
/// The type follows the file: unsigned-integer conventions (FITS 4.0, table 19) give unsigned integers, any
/// other TSCAL/TZERO and any integer column with TNULL give `F64`, computed in f64, with NaN for null. A
/// 64-bit integer beyond 2⁵³ is rounded by that; without TSCAL, TZERO and TNULL it is exact. TZERO shifts the real
/// part of complex numbers. ASCII tables give `Text`, `I64` and `F64`; a field of blanks is zero, unless
/// TNULL says that it is null. The arrays of a variable-length column follow the same rules.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Values<'a> {
    /// Signed bytes: `B` with TZERO = −128.
    I8(&'a [i8]),
    /// Bytes.
    U8(&'a [u8]),
    /// 16-bit integers.
    I16(&'a [i16]),
    /// Unsigned 16-bit integers: `I` with TZERO = 32768.
    U16(&'a [u16]),
    /// 32-bit integers.
    I32(&'a [i32]),
    /// Unsigned 32-bit integers: `J` with TZERO = 2³¹.
    U32(&'a [u32]),
    /// 64-bit integers.
    I64(&'a [i64]),
    /// Unsigned 64-bit integers: `K` with TZERO = 2⁶³.
    U64(&'a [u64]),
    /// Single precision.
    F32(&'a [f32]),
    /// Double precision, and scaled or nullable integers.
    F64(&'a [f64]),
    /// Single-precision complex numbers: real and imaginary part.
    C32(&'a [[f32; 2]]),
    /// Double-precision complex numbers, and scaled ones.
    C64(&'a [[f64; 2]]),
    /// Text, as the bytes of the file.
    Text(Text<'a>),
    /// Logicals.
    Logical(Logicals<'a>),
    /// Bits.
    Bits(Bits<'a>),
    /// Variable-length arrays.
    Arrays(Arrays<'a>),
}

impl<'a> Values<'a> {
    /// A part of a slice of numbers; what is no slice stays as it is.
    pub(crate) fn slice(self, range: Range<usize>) -> Self {
        match self {
            Self::I8(v) => Self::I8(&v[range]),
            Self::U8(v) => Self::U8(&v[range]),
            Self::I16(v) => Self::I16(&v[range]),
            Self::U16(v) => Self::U16(&v[range]),
            Self::I32(v) => Self::I32(&v[range]),
            Self::U32(v) => Self::U32(&v[range]),
            Self::I64(v) => Self::I64(&v[range]),
            Self::U64(v) => Self::U64(&v[range]),
            Self::F32(v) => Self::F32(&v[range]),
            Self::F64(v) => Self::F64(&v[range]),
            Self::C32(v) => Self::C32(&v[range]),
            Self::C64(v) => Self::C64(&v[range]),
            Self::Text(_) | Self::Logical(_) | Self::Bits(_) | Self::Arrays(_) => self,
        }
    }
}
