//! Stored numbers to physical values: BSCALE, BZERO, BLANK and the conventions for unsigned integers
//! (FITS 4.0, sections 4.4.2.5 and 5.2.5).

use crate::error::ErrorKind;
use crate::header::Header;
use crate::sample::Sample;
use crate::structure::PixelType;

/// How a number is stored, big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    U8,
    I16,
    I32,
    I64,
    F32,
    F64,
}

impl Stored {
    pub(crate) fn of(bitpix: i64) -> Option<Self> {
        Some(match bitpix {
            8 => Self::U8,
            16 => Self::I16,
            32 => Self::I32,
            64 => Self::I64,
            -32 => Self::F32,
            -64 => Self::F64,
            _ => return None,
        })
    }

    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::I16 => 2,
            Self::I32 | Self::F32 => 4,
            Self::I64 | Self::F64 => 8,
        }
    }

    pub(crate) fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }
}

/// The way from stored to physical values of one image.
#[derive(Clone, Debug)]
pub(crate) struct Scaling {
    pub(crate) stored: Stored,
    /// The type of the physical values.
    pub(crate) pixel: PixelType,
    pub(crate) scale: f64,
    pub(crate) zero: f64,
    /// The stored integer that means null.
    pub(crate) blank: Option<i64>,
    /// Integers that stay integers are only shifted.
    shift: i64,
}

impl Scaling {
    /// `nullable`: integer pixels may be null for another reason than `blank`.
    pub(crate) fn new(
        header: &Header,
        stored: Stored,
        blank: Option<i64>,
        nullable: bool,
    ) -> Result<Self, ErrorKind> {
        let number = |keyword: &str, default: f64| match header.get(keyword) {
            None => Ok(default),
            Some(value) => header.real(keyword).ok_or_else(|| ErrorKind::Header {
                keyword: keyword.to_owned(),
                problem: format!("is {value}, must be a number"),
            }),
        };
        let (scale, zero) = (number("BSCALE", 1.0)?, number("BZERO", 0.0)?);
        let blank = blank.filter(|_| !stored.is_float());
        // Pixels that are shifted by one certain number have the other signedness.
        let integer = |plain, shifted, offset: f64, by: i64| {
            if blank.is_some() || nullable || scale != 1.0 {
                None
            } else if zero == 0.0 {
                Some((plain, 0))
            } else {
                (zero == offset).then_some((shifted, by))
            }
        };
        let integer = match stored {
            Stored::U8 => integer(PixelType::U8, PixelType::I8, -128.0, -128),
            Stored::I16 => integer(PixelType::I16, PixelType::U16, 32_768.0, 32_768),
            Stored::I32 => integer(PixelType::I32, PixelType::U32, 2_147_483_648.0, 2_147_483_648),
            // 2⁶³ and −2⁶³ are the same shift of 64 bits.
            Stored::I64 => integer(PixelType::I64, PixelType::U64, (1_u64 << 63) as f64, i64::MIN),
            Stored::F32 | Stored::F64 => None,
        };
        let float = match stored {
            Stored::U8 | Stored::I16 | Stored::F32 => PixelType::F32,
            _ => PixelType::F64,
        };
        let (pixel, shift) = integer.unwrap_or((float, 0));
        Ok(Self { stored, pixel, scale, zero, blank, shift })
    }

    /// True if floats are what is stored.
    pub(crate) fn is_identity(&self) -> bool {
        self.scale == 1.0 && self.zero == 0.0
    }

    /// Physical values of big-endian numbers.
    pub(crate) fn bytes<T: Sample>(&self, bytes: &[u8], stored: Stored, out: &mut [T]) {
        match stored {
            Stored::U8 => self.integers(bytes, |v| v.into(), out),
            Stored::I16 => self.integers(bytes.as_chunks().0, |v| i16::from_be_bytes(v).into(), out),
            Stored::I32 => self.integers(bytes.as_chunks().0, |v| i32::from_be_bytes(v).into(), out),
            Stored::I64 => self.integers(bytes.as_chunks().0, i64::from_be_bytes, out),
            Stored::F32 if self.is_identity() => {
                each(bytes.as_chunks().0, out, |v| T::from_f32(f32::from_be_bytes(v)));
            }
            Stored::F32 => self.floats(bytes.as_chunks().0, |v| f32::from_be_bytes(v).into(), out),
            Stored::F64 if self.is_identity() && self.pixel == PixelType::F64 => {
                each(bytes.as_chunks().0, out, |v| T::from_f64(f64::from_be_bytes(v)));
            }
            Stored::F64 => self.floats(bytes.as_chunks().0, f64::from_be_bytes, out),
        }
    }

    /// Physical values of stored integers.
    #[inline]
    pub(crate) fn integers<S: Copy, T: Sample>(&self, from: &[S], int: impl Fn(S) -> i64, out: &mut [T]) {
        let Self { scale, zero, shift, .. } = *self;
        let null = |v: i64| self.blank == Some(v);
        match self.pixel {
            PixelType::F32 => each(from, out, |v| {
                let v = int(v);
                T::from_f32(if null(v) { f32::NAN } else { (v as f64 * scale + zero) as f32 })
            }),
            PixelType::F64 => each(from, out, |v| {
                let v = int(v);
                T::from_f64(if null(v) { f64::NAN } else { v as f64 * scale + zero })
            }),
            _ if shift == 0 => each(from, out, |v| T::from_int(int(v))),
            _ => each(from, out, |v| T::from_int(int(v).wrapping_add(shift))),
        }
    }

    fn floats<S: Copy, T: Sample>(&self, from: &[S], real: impl Fn(S) -> f64, out: &mut [T]) {
        let Self { scale, zero, .. } = *self;
        match self.pixel {
            PixelType::F32 => each(from, out, |v| T::from_f32((real(v) * scale + zero) as f32)),
            _ => each(from, out, |v| T::from_f64(real(v) * scale + zero)),
        }
    }
}

#[inline(always)]
fn each<S: Copy, T>(from: &[S], out: &mut [T], value: impl Fn(S) -> T) {
    for (out, &v) in out.iter_mut().zip(from) {
        *out = value(v);
    }
}
