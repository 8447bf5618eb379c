//! Pixels.

use super::{files, name};
use crate::images::flat;
use coaddkit_fits::{Fits, HduKind, Image, PixelType, cfitsio};
use coaddkit_testkit::{Rng, shared};
use std::ops::Range;

/// Where CFITSIO is not to be followed, and why.
const EXCEPTIONS: [(&str, &str); 8] = [
    ("files/gzip_i8.fits.gz[1]", "it reads no 64-bit integers from tiles"),
    ("files/gzip_2_i8.fits.gz[1]", "it reads no 64-bit integers from tiles"),
    ("files/made_gzip_fallback_ints.fits.gz[1]", "it takes GZIP_COMPRESSED_DATA for floats only"),
    ("files/made_rice_i4_block7.fits.gz[1]", "it fails on blocks of 7 pixels"),
    ("files/made_scale_keywords.fits.gz[1]", "it reads ZSCALE wrongly where it is a keyword"),
    ("files/made_uncompressed_data.fits.gz[1]", "it reads ZSCALE wrongly where it is a keyword"),
    ("files/nocompress_f4.fits.gz[1]", "it knows no NOCOMPRESS"),
    ("files/nocompress_i2.fits.gz[1]", "it knows no NOCOMPRESS"),
];

/// The big-endian bytes of a box, in the type of the pixels, from both.
pub fn sections(ours: &Image, theirs: &cfitsio::Image, ranges: &[Range<u64>]) -> [Vec<u8>; 2] {
    macro_rules! both {
        ($($name:ident $type:ident),*) => {
            match ours.pixel_type() {
                $(PixelType::$name => {
                    let found = [ours.section::<$type>(ranges), theirs.section::<$type>(ranges)];
                    found.map(|v| v.unwrap_or_else(|e| panic!("{e}")).iter().flat_map(|v| v.to_be_bytes()).collect())
                })*
                other => panic!("{other:?}"),
            }
        };
    }
    both!(I8 i8, U8 u8, I16 i16, U16 u16, I32 i32, U32 u32, I64 i64, U64 u64, F32 f32, F64 f64)
}

/// Every image of 150 real files and of the conformance set, whole and in random boxes.
#[test]
fn images_are_those_of_cfitsio() {
    let mut random = Rng::new(41);
    let (mut images, mut compressed, mut boxes, mut refused) = (0, 0, 0, Vec::new());
    let (mut wrong, mut excused) = (Vec::new(), Vec::new());
    for path in files() {
        // What does not open is the matter of other tests.
        let Ok(fits) = Fits::open(&path) else { continue };
        let theirs = cfitsio::Fits::open(&path).unwrap_or_else(|e| panic!("{e}"));
        let hdus: Vec<_> = fits.hdus().collect::<Result<_, _>>().unwrap();
        for hdu in hdus.iter().filter(|hdu| hdu.kind() == HduKind::Image && !hdu.shape().is_empty()) {
            let label = format!("{}[{}]", name(&path), hdu.index());
            let image = hdu.image().unwrap_or_else(|e| panic!("{e}"));
            let other = match theirs.hdu(hdu.index()).and_then(|hdu| hdu.image()) {
                Ok(other) => other,
                Err(error) => {
                    refused.push(format!("{label}: {}", error.kind()));
                    continue;
                }
            };
            assert_eq!((image.shape(), image.pixel_type()), (other.shape(), other.pixel_type()), "{label}");
            let found = other.read_pixels().map(|pixels| flat(&pixels).0);
            let same = found.as_ref().is_ok_and(|found| *found == flat(&image.read_pixels().unwrap()).0);
            if !same {
                let why = found.err().map_or("other pixels".to_owned(), |error| error.to_string());
                if EXCEPTIONS.iter().any(|(file, _)| *file == label) {
                    excused.push(label)
                } else {
                    wrong.push(format!("{label}: {why}"))
                }
                continue;
            }
            images += 1;
            compressed += usize::from(hdu.compression().is_some());
            for _ in 0..if image.is_empty() { 0 } else { 4 } {
                let mut between = |n: u64| {
                    let n = u32::try_from(n).unwrap();
                    let (a, b) = (random.below(n), random.below(n));
                    u64::from(a.min(b))..u64::from(a.max(b)) + 1
                };
                let ranges: Vec<_> = image.shape().iter().map(|&n| between(n)).collect();
                let [ours, theirs] = sections(&image, &other, &ranges);
                boxes += 1;
                if ours != theirs {
                    wrong.push(format!("{label} {ranges:?}"));
                }
            }
        }
    }
    println!("{images} images, {compressed} compressed, {boxes} boxes; refused: {refused:#?}");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(excused.len(), EXCEPTIONS.len(), "{excused:?}");
    if shared("data").is_some() {
        assert!(images > 250 && compressed > 95 && boxes > 750, "{images} {compressed} {boxes}");
    }
    assert!(refused.iter().all(|why| why.contains("NULL_PIXEL_MASK")), "{refused:#?}");
}
