//! Pixels of plain and tile-compressed images.

mod conformance;
mod damage;
mod real;
mod sections;
mod touched;

use coaddkit_fits::{Image, Pixels};
use sha2::{Digest, Sha256};

/// Big-endian bytes of all pixels and what sums them up.
struct Summary {
    dtype: &'static str,
    shape: Vec<u64>,
    /// First 16 digits of the SHA-256 of the big-endian bytes.
    sha256: String,
    nan: u64,
    min: f64,
    max: f64,
    sum: f64,
}

impl Summary {
    fn of(image: &Image) -> Self {
        let pixels = image.read_pixels().unwrap_or_else(|e| panic!("{e}"));
        let (bytes, values) = flat(&pixels);
        let digest = Sha256::digest(&bytes);
        let sha256 = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
        let real = || values.iter().filter(|v| !v.is_nan());
        Self {
            dtype: image.pixel_type().code(),
            shape: image.shape().to_vec(),
            sha256,
            nan: values.iter().filter(|v| v.is_nan()).count() as u64,
            min: real().copied().fold(f64::INFINITY, f64::min),
            max: real().copied().fold(f64::NEG_INFINITY, f64::max),
            sum: real().sum(),
        }
    }
}

pub fn flat(pixels: &Pixels) -> (Vec<u8>, Vec<f64>) {
    macro_rules! flat {
        ($($name:ident),*) => {
            match pixels {
                $(Pixels::$name(v) => {
                    (v.iter().flat_map(|v| v.to_be_bytes()).collect(), v.iter().map(|&v| v as f64).collect())
                })*
                _ => panic!("a new pixel type"),
            }
        };
    }
    flat!(I8, U8, I16, U16, I32, U32, I64, U64, F32, F64)
}
