use crate::structure::PixelType;
use std::fmt::Debug;

/// A type that pixels can be read as.
///
/// Pixels are read as their own type ([`Image::pixel_type`](crate::Image::pixel_type)) or as a wider one that
/// holds every value exactly; anything else is an error, never a rounded or cut value. The trait is sealed.
pub trait Sample: sealed::Convert + Copy + Default + PartialEq + Debug + Send + Sync + 'static {
    /// The pixel type of this type.
    const TYPE: PixelType;
}

pub(crate) mod sealed {
    /// Conversions that the caller has found to be exact.
    pub trait Convert: Sized {
        /// From an integer of the pixel type; for `u64` from its bits.
        fn from_int(value: i64) -> Self;
        fn from_f32(value: f32) -> Self;
        fn from_f64(value: f64) -> Self;
        /// An integer; of `u64` the bits.
        fn to_int(self) -> i64;
        fn to_f32(self) -> f32;
        fn to_f64(self) -> f64;
        /// Big-endian bytes; `out` has just the room.
        fn to_bytes(from: &[Self], out: &mut [u8]);
    }
}

macro_rules! sample {
    ($($type:ident $name:ident),*) => {$(
        impl Sample for $type {
            const TYPE: PixelType = PixelType::$name;
        }

        impl sealed::Convert for $type {
            #[inline(always)]
            fn from_int(value: i64) -> Self {
                value as $type
            }
            #[inline(always)]
            fn from_f32(value: f32) -> Self {
                value as $type
            }
            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as $type
            }
            #[inline(always)]
            fn to_int(self) -> i64 {
                self as i64
            }
            #[inline(always)]
            fn to_f32(self) -> f32 {
                self as f32
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
            fn to_bytes(from: &[Self], out: &mut [u8]) {
                for (out, value) in out.as_chunks_mut().0.iter_mut().zip(from) {
                    *out = value.to_be_bytes();
                }
            }
        }
    )*};
}

sample!(u8 U8, i8 I8, u16 U16, i16 I16, u32 U32, i32 I32, u64 U64, i64 I64, f32 F32, f64 F64);

/// True if every value of `own` is a value of `wanted`.
pub(crate) fn holds(wanted: PixelType, own: PixelType) -> bool {
    use PixelType::{F32, F64, I8, I16, I32, I64, U8, U16, U32, U64};
    wanted == own
        || match own {
            U8 => matches!(wanted, I16 | U16 | I32 | U32 | I64 | U64 | F32 | F64),
            I8 => matches!(wanted, I16 | I32 | I64 | F32 | F64),
            U16 => matches!(wanted, I32 | U32 | I64 | U64 | F32 | F64),
            I16 => matches!(wanted, I32 | I64 | F32 | F64),
            U32 => matches!(wanted, I64 | U64 | F64),
            I32 => matches!(wanted, I64 | F64),
            F32 => wanted == F64,
            U64 | I64 | F64 => false,
        }
}

/// All pixels of an image in its own type.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names are the types")]
pub enum Pixels {
    I8(Vec<i8>),
    U8(Vec<u8>),
    I16(Vec<i16>),
    U16(Vec<u16>),
    I32(Vec<i32>),
    U32(Vec<u32>),
    I64(Vec<i64>),
    U64(Vec<u64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
}

/// Runs an expression with `$type` standing for the Rust type of a [`PixelType`], and wraps its result in the
/// [`Pixels`] of that type.
macro_rules! with_pixels {
    ($pixel:expr, $type:ident => $body:expr) => {{
        macro_rules! arm {
            ($rust:ident, $name:ident) => {{
                type $type = $rust;
                $crate::sample::Pixels::$name($body)
            }};
        }
        match $pixel {
            $crate::structure::PixelType::I8 => arm!(i8, I8),
            $crate::structure::PixelType::U8 => arm!(u8, U8),
            $crate::structure::PixelType::I16 => arm!(i16, I16),
            $crate::structure::PixelType::U16 => arm!(u16, U16),
            $crate::structure::PixelType::I32 => arm!(i32, I32),
            $crate::structure::PixelType::U32 => arm!(u32, U32),
            $crate::structure::PixelType::I64 => arm!(i64, I64),
            $crate::structure::PixelType::U64 => arm!(u64, U64),
            $crate::structure::PixelType::F32 => arm!(f32, F32),
            $crate::structure::PixelType::F64 => arm!(f64, F64),
        }
    }};
}
pub(crate) use with_pixels;

impl Pixels {
    /// Number of pixels.
    pub fn len(&self) -> usize {
        match self {
            Self::I8(v) => v.len(),
            Self::U8(v) => v.len(),
            Self::I16(v) => v.len(),
            Self::U16(v) => v.len(),
            Self::I32(v) => v.len(),
            Self::U32(v) => v.len(),
            Self::I64(v) => v.len(),
            Self::U64(v) => v.len(),
            Self::F32(v) => v.len(),
            Self::F64(v) => v.len(),
        }
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies pixels from `start` on; `T` holds them exactly.
    pub(crate) fn copy<T: Sample>(&self, start: usize, out: &mut [T]) {
        fn each<S: Copy, T>(from: &[S], start: usize, out: &mut [T], convert: impl Fn(S) -> T) {
            for (out, &value) in out.iter_mut().zip(&from[start..]) {
                *out = convert(value);
            }
        }
        match self {
            Self::I8(v) => each(v, start, out, |v| T::from_int(v.into())),
            Self::U8(v) => each(v, start, out, |v| T::from_int(v.into())),
            Self::I16(v) => each(v, start, out, |v| T::from_int(v.into())),
            Self::U16(v) => each(v, start, out, |v| T::from_int(v.into())),
            Self::I32(v) => each(v, start, out, |v| T::from_int(v.into())),
            Self::U32(v) => each(v, start, out, |v| T::from_int(v.into())),
            Self::I64(v) => each(v, start, out, T::from_int),
            Self::U64(v) => each(v, start, out, |v| T::from_int(v as i64)),
            Self::F32(v) => each(v, start, out, T::from_f32),
            Self::F64(v) => each(v, start, out, T::from_f64),
        }
    }
}
