//! Arbitrary bytes as a FITS file: every image of moderate size is decoded, and a corner of it cut in two ways.
#![no_main]

use coaddkit_fits::{Fits, Image, PixelType, Sample};
use libfuzzer_sys::fuzz_target;

/// A part of the image is the same from the whole and on its own. A part may be sound where the whole is not.
fn compare<T: Sample>(image: &Image) {
    let Ok(whole) = image.read::<T>() else { return };
    let corner: Vec<_> = image.shape().iter().map(|&n| n.saturating_sub(5)..n).collect();
    let (once, kept) =
        (image.section::<T>(&corner).unwrap(), image.sections(4096).section::<T>(&corner).unwrap());
    // NaN is not equal to itself; its text is.
    assert_eq!(format!("{once:?}"), format!("{kept:?}"));
    if let (Some(a), Some(b)) = (whole.last(), once.last()) {
        assert_eq!(format!("{a:?}"), format!("{b:?}"));
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(fits) = Fits::from_source(bytes.to_vec()) else { return };
    for hdu in fits.hdus().map_while(Result::ok).take(8) {
        let Ok(image) = hdu.image() else { continue };
        let tile = hdu.compression().map_or(1, |c| c.tile.iter().fold(1_u64, |n, &t| n.saturating_mul(t)));
        if image.len() > 1 << 20 || tile > 1 << 24 {
            continue;
        }
        match image.pixel_type() {
            PixelType::I64 => compare::<i64>(&image),
            PixelType::U64 => compare::<u64>(&image),
            _ => compare::<f64>(&image),
        }
    }
});
