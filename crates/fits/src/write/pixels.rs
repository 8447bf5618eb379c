//! Pixel values to stored numbers: the way back of [`Scaling`](crate::image::scaling).

use super::unwritable;
use crate::column::Column;
use crate::error::Error;
use crate::image::scaling::Stored;
use crate::sample::Sample;
use crate::structure::PixelType;

/// How numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Encoding {
    pub(super) stored: Stored,
    pub(super) scale: f64,
    pub(super) zero: f64,
    pub(super) blank: Option<i64>,
    way: Way,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// As they are, or with the other signedness.
    Same,
    /// To integers, the nearest or, with `exact`, equal ones.
    Integers { exact: bool },
    /// To floats; with `exact`, equal ones.
    Floats { exact: bool },
}

/// Integers that a type of BITPIX > 0 holds.
fn range(stored: Stored) -> (i64, i64) {
    match stored {
        Stored::U8 => (0, u8::MAX.into()),
        Stored::I16 => (i16::MIN.into(), i16::MAX.into()),
        Stored::I32 => (i32::MIN.into(), i32::MAX.into()),
        _ => (i64::MIN, i64::MAX),
    }
}

/// What numbers of a type are stored as by the conventions of the standard: the type and the zero point.
fn conventional(own: PixelType) -> (Stored, f64) {
    match own {
        PixelType::U8 => (Stored::U8, 0.0),
        PixelType::I8 => (Stored::U8, -128.0),
        PixelType::I16 => (Stored::I16, 0.0),
        PixelType::U16 => (Stored::I16, 32_768.0),
        PixelType::I32 => (Stored::I32, 0.0),
        PixelType::U32 => (Stored::I32, 2_147_483_648.0),
        PixelType::I64 => (Stored::I64, 0.0),
        PixelType::U64 => (Stored::I64, (1_u64 << 63) as f64),
        PixelType::F32 => (Stored::F32, 0.0),
        PixelType::F64 => (Stored::F64, 0.0),
    }
}

impl Encoding {
    /// Of an image. `scaling`: BITPIX, BSCALE and BZERO, where the caller wants them.
    pub(super) fn new<T: Sample>(
        scaling: Option<(i64, f64, f64)>,
        blank: Option<i64>,
    ) -> Result<Self, Error> {
        let (mut stored, mut zero) = conventional(T::TYPE);
        let (mut scale, mut way) = (1.0, Way::Same);
        if let Some((bitpix, by, from)) = scaling {
            stored = Stored::of(bitpix).filter(|s| !s.is_float()).ok_or_else(|| {
                unwritable("a scaled image", format!("BITPIX is {bitpix}, must be 8, 16, 32 or 64"))
            })?;
            if !by.is_finite() || by == 0.0 || !from.is_finite() {
                return Err(unwritable("a scaled image", format!("BSCALE is {by} and BZERO {from}")));
            }
            (scale, zero, way) = (by, from, Way::Integers { exact: false });
        }
        if let Some(blank) = blank {
            let (low, high) = range(stored);
            if stored.is_float() || blank < low || blank > high {
                let problem = format!("BLANK is {blank}, which no pixel as it is stored can be");
                return Err(unwritable("an image", problem));
            }
        }
        Ok(Self { stored, scale, zero, blank, way })
    }

    /// Of a column whose fields or arrays hold `stored`.
    pub(super) fn column<T: Sample>(column: &Column, stored: Stored) -> Self {
        let Column { scale, zero, null, .. } = *column;
        let identity = scale == 1.0 && zero == 0.0;
        let way = if scale == 1.0 && (stored, zero) == conventional(T::TYPE) {
            Way::Same
        } else if stored.is_float() {
            Way::Floats { exact: identity }
        } else {
            Way::Integers { exact: scale == 1.0 }
        };
        Self { stored, scale, zero, blank: null, way }
    }

    /// The stored integer of a number; the error is what is wrong with it.
    #[inline]
    pub(super) fn integer<T: Sample>(&self, value: T) -> Result<i64, String> {
        let Way::Integers { exact } = self.way else { return Ok(self.shifted(value)) };
        let (low, high) = range(self.stored);
        let beyond =
            || format!("{value:?} is beyond what the {} stored bits can hold", 8 * self.stored.bytes());
        let float = matches!(T::TYPE, PixelType::F32 | PixelType::F64);
        if !float && self.scale == 1.0 && self.zero.fract() == 0.0 && self.zero.abs() <= (1_u64 << 63) as f64
        {
            let bits = value.to_int();
            let own = if T::TYPE == PixelType::U64 { i128::from(bits as u64) } else { i128::from(bits) };
            let stored = own - self.zero as i128;
            return i64::try_from(stored).ok().filter(|s| (low..=high).contains(s)).ok_or_else(beyond);
        }
        let real = value.to_f64();
        if real.is_nan() {
            return self.blank.ok_or_else(|| "it is NaN, and there is no null value".to_owned());
        }
        let scaled = (real - self.zero) / self.scale;
        let stored = scaled.round();
        // 2⁶³ is a float, 2⁶³ − 1 is none.
        if !(stored >= low as f64 && stored <= high as f64) || stored >= (1_u64 << 63) as f64 {
            return Err(beyond());
        }
        if exact && stored != scaled {
            return Err(format!("{real} is no integer"));
        }
        let stored = stored as i64;
        if self.blank == Some(stored) {
            return Err(format!("{real} would be stored as the null value {stored}"));
        }
        Ok(stored)
    }

    /// The other signedness, where the type has no BITPIX of its own.
    #[inline(always)]
    fn shifted<T: Sample>(&self, value: T) -> i64 {
        let value = value.to_int();
        match T::TYPE {
            PixelType::I8 => value + 128,
            PixelType::U16 => value - 32_768,
            PixelType::U32 => value - 2_147_483_648,
            PixelType::U64 => value ^ i64::MIN,
            _ => value,
        }
    }

    fn float<T: Sample>(&self, value: T, exact: bool) -> Result<f64, String> {
        let real = value.to_f64();
        let stored = if exact { real } else { (real - self.zero) / self.scale };
        let lost = match T::TYPE {
            PixelType::I64 => stored as i64 != value.to_int() || stored >= (1_u64 << 63) as f64,
            PixelType::U64 => stored as u64 != value.to_int() as u64 || stored >= (1_u128 << 64) as f64,
            _ => false,
        };
        let narrow = self.stored == Stored::F32 && f64::from(stored as f32) != stored && !stored.is_nan();
        if exact && (lost || narrow) {
            return Err(format!("{value:?} is rounded by the column's type"));
        }
        Ok(stored)
    }

    /// Appends numbers as the file has them; fails with the place of one.
    pub(super) fn bytes<T: Sample>(&self, from: &[T], out: &mut Vec<u8>) -> Result<(), (usize, String)> {
        let start = out.len();
        let width = self.stored.bytes();
        out.resize(start + from.len() * width, 0);
        let room = &mut out[start..];
        let each = from.iter().zip(room.chunks_exact_mut(width)).enumerate();
        match self.way {
            Way::Same => {
                T::to_bytes(from, room);
                if matches!(T::TYPE, PixelType::I8 | PixelType::U16 | PixelType::U32 | PixelType::U64) {
                    room.iter_mut().step_by(width).for_each(|top| *top ^= 0x80);
                }
            }
            Way::Integers { .. } => {
                for (at, (&value, out)) in each {
                    let stored = self.integer(value).map_err(|e| (at, e))?.to_be_bytes();
                    out.copy_from_slice(&stored[8 - width..]);
                }
            }
            Way::Floats { exact } => {
                for (at, (&value, out)) in each {
                    let stored = self.float(value, exact).map_err(|e| (at, e))?;
                    match self.stored {
                        Stored::F32 => out.copy_from_slice(&(stored as f32).to_be_bytes()),
                        _ => out.copy_from_slice(&stored.to_be_bytes()),
                    }
                }
            }
        }
        Ok(())
    }
}
