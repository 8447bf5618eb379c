//! Arbitrary bytes as a FITS file: every image of moderate size is decoded, and a part of it cut in several ways.

use super::reading::pixels;
use super::source::{open, open_stream};
use coaddkit_fits::{ErrorClass, Image};
use std::ops::Range;

pub fn run(bytes: &[u8]) {
    let Ok(fits) = open(bytes) else { return };
    let stream = open_stream(bytes).expect("the same bytes");
    for hdu in fits.hdus().map_while(Result::ok).take(8) {
        let Ok(image) = hdu.image() else { continue };
        if image.len() > 1 << 18 {
            continue;
        }
        // The last bytes decide where; they are padding, or pixels like any other.
        let seed =
            bytes.iter().rev().take(16).fold(1_u64, |sum, &b| sum.wrapping_mul(257).wrapping_add(b.into()));
        compare(&image, seed);
        // The walk over a stream may end early where padding is cut.
        let Ok(streamed) = stream.hdu(hdu.index()).and_then(|h| h.image()) else { continue };
        let all = everything(&image);
        match (pixels(&image, &all), pixels(&streamed, &all)) {
            (Ok(a), Ok(b)) => assert_eq!(a, b),
            (Err(_), Err(_)) => {}
            (_, Err(error)) => assert_eq!(error.class(), ErrorClass::Limit, "{error}"),
            (Err(error), Ok(_)) => panic!("{error}, but not from a stream"),
        }
    }
}

fn everything(image: &Image) -> Vec<Range<u64>> {
    image.shape().iter().map(|&n| 0..n).collect()
}

/// A part of the image is the same from the whole and on its own. A part may be sound where the whole is not.
fn compare(image: &Image, seed: u64) {
    let Ok(whole) = pixels(image, &everything(image)) else { return };
    assert_eq!(whole.len() as u64, image.len());
    let mut part = Vec::new();
    let mut draw = seed;
    for &n in image.shape() {
        let mut next = |below: u64| {
            draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (draw >> 33) % below.max(1)
        };
        let start = next(n + 1);
        part.push(start..start + next(n - start + 1));
    }
    let mut indices = vec![0_u64];
    for (range, &n) in part.iter().zip(image.shape()) {
        indices = indices.iter().flat_map(|&i| range.clone().map(move |j| i * n + j)).collect();
    }
    let wanted: Vec<u64> = indices.into_iter().map(|i| whole[i as usize]).collect();
    let found = pixels(image, &part).expect("a part of what can be read");
    assert_eq!(found, wanted, "{part:?} of {:?}", image.shape());
    let budget = (seed % 5000) as usize;
    let kept = image.sections(budget);
    for _ in 0..2 {
        use coaddkit_fits::PixelType::{I64, U64};
        if matches!(image.pixel_type(), I64 | U64) {
            break;
        }
        let again: Vec<f64> = kept.section(&part).expect("a part of what can be read");
        let again: Vec<u64> = again.iter().map(|v| if v.is_nan() { u64::MAX } else { v.to_bits() }).collect();
        assert_eq!(again, wanted, "{part:?} of {:?}, kept", image.shape());
        assert!(kept.kept_bytes() <= budget);
    }
}
