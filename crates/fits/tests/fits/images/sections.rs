//! Parts of images, against the same parts of the whole; and the ways of asking for what is not there.

use super::conformance::files;
use coaddkit_fits::{Error, ErrorClass, ErrorKind, Fits, Image, Limits, PixelType, Pixels, Sample};
use proptest::prelude::*;
use std::ops::Range;

fn images() -> Vec<(String, Image)> {
    let open = |(name, bytes, hdu, _): (String, Vec<u8>, usize, _)| {
        (name, Fits::from_source(bytes).unwrap().hdu(hdu).unwrap().image().unwrap())
    };
    files().into_iter().map(open).collect()
}

fn image(name: &str) -> Image {
    images().into_iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("{name}")).1
}

/// The pixels of a box, one by one.
fn slice<T: Copy>(whole: &[T], shape: &[u64], ranges: &[Range<u64>]) -> Vec<T> {
    let mut indices = vec![0];
    for (range, &n) in ranges.iter().zip(shape) {
        indices = indices.iter().flat_map(|&i| range.clone().map(move |j| i * n + j)).collect();
    }
    indices.into_iter().map(|i| whole[i as usize]).collect()
}

fn bits(pixels: &[f64]) -> Vec<u64> {
    pixels.iter().map(|v| v.to_bits()).collect()
}

/// Ranges of an image, from any numbers.
fn ranges(shape: &[u64], numbers: &[(u64, u64)]) -> Vec<Range<u64>> {
    let range = |(&n, &(a, b)): (&u64, &(u64, u64))| {
        let (a, b) = (a % (n + 1), b % (n + 1));
        a.min(b)..a.max(b)
    };
    shape.iter().zip(numbers).map(range).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_section_is_a_slice_of_the_whole(numbers in prop::collection::vec((any::<u64>(), any::<u64>()), 4)) {
        for (name, image) in images() {
            let wide = matches!(image.pixel_type(), PixelType::I64 | PixelType::U64);
            let ranges = ranges(image.shape(), &numbers);
            if wide {
                continue; // No wider type holds them all.
            }
            let whole: Vec<f64> = image.read().unwrap();
            let want = bits(&slice(&whole, image.shape(), &ranges));
            prop_assert_eq!(bits(&image.section(&ranges).unwrap()), want.clone(), "{} {:?}", name, ranges);
            let sections = image.sections(20_000);
            for _ in 0..2 {
                prop_assert_eq!(bits(&sections.section(&ranges).unwrap()), want.clone(), "{} {:?}", name, ranges);
            }
            prop_assert!(sections.kept_bytes() <= 20_000);
        }
    }
}

#[test]
fn kept_tiles_are_decoded_once() {
    let image = image("rice_f4_d1.fits"); // 41 x 67 in tiles of 16 x 20, 4 x 320 bytes each
    let cut = |sections: &coaddkit_fits::Sections, y: u64, x: u64| {
        let _: Vec<f32> = sections.section(&[y..y + 6, x..x + 6]).unwrap();
        sections.tiles_decoded()
    };
    let sections = image.sections(1 << 20);
    assert_eq!(cut(&sections, 2, 3), 1);
    assert_eq!(cut(&sections, 12, 17), 4); // three neighbours more
    assert_eq!(cut(&sections, 13, 16), 4);
    assert_eq!(sections.kept_bytes(), 4 * 16 * 20 * 4);
    // Room for two tiles: the one used longest ago goes.
    let sections = image.sections(2 * 16 * 20 * 4);
    assert_eq!(cut(&sections, 0, 0), 1);
    assert_eq!(cut(&sections, 0, 20), 2);
    assert_eq!(cut(&sections, 0, 0), 2);
    assert_eq!(cut(&sections, 0, 40), 3);
    assert_eq!(cut(&sections, 0, 0), 3);
    assert_eq!(cut(&sections, 0, 20), 4);
    // Room for none.
    let sections = image.sections(100);
    assert_eq!((cut(&sections, 0, 0), cut(&sections, 0, 0), sections.kept_bytes()), (1, 2, 0));
}

#[test]
fn threads_share_sections() {
    let image = image("rice_f4_d2_nan.fits");
    let whole: Vec<f64> = image.read().unwrap();
    let sections = image.sections(3000);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (sections, whole, image) = (&sections, &whole, &image);
            scope.spawn(move || {
                for i in 0..50 {
                    let (y, x) = ((i * 7 + thread * 3) % 30, (i * 11 + thread * 5) % 50);
                    let ranges = [y..y + 11, x..x + 17];
                    let got = sections.section::<f64>(&ranges).unwrap();
                    assert_eq!(bits(&got), bits(&slice(whole, image.shape(), &ranges)));
                }
            });
        }
    });
}

#[test]
fn types_hold_all_values_or_none() {
    fn read<T: Sample>(image: &Image) -> Option<Vec<T>> {
        match image.read() {
            Ok(pixels) => Some(pixels),
            Err(error) => {
                assert_eq!(error.class(), ErrorClass::Caller);
                assert!(matches!(error.kind(), ErrorKind::PixelType { .. }), "{error}");
                None
            }
        }
    }
    let signed = image("plain_i2.fits");
    let Pixels::I16(own) = signed.read_pixels().unwrap() else { panic!() };
    assert_eq!(read::<i32>(&signed).unwrap(), own.iter().map(|&v| v.into()).collect::<Vec<i32>>());
    assert_eq!(read::<f32>(&signed).unwrap(), own.iter().map(|&v| v.into()).collect::<Vec<f32>>());
    assert_eq!((read::<u16>(&signed), read::<u32>(&signed), read::<i8>(&signed)), (None, None, None));
    let unsigned = image("plain_u4.fits");
    let Pixels::U32(own) = unsigned.read_pixels().unwrap() else { panic!() };
    assert_eq!(read::<i64>(&unsigned).unwrap(), own.iter().map(|&v| v.into()).collect::<Vec<i64>>());
    assert_eq!(read::<u64>(&unsigned).unwrap(), own.iter().map(|&v| v.into()).collect::<Vec<u64>>());
    assert_eq!((read::<f32>(&unsigned), read::<i32>(&unsigned)), (None, None));
    let single = image("rice_f4_d2.fits");
    let Pixels::F32(own) = single.read_pixels().unwrap() else { panic!() };
    assert_eq!(read::<f64>(&single).unwrap(), own.iter().map(|&v| v.into()).collect::<Vec<f64>>());
    assert_eq!((read::<i32>(&single), read::<i64>(&image("rice_f8_d2.fits"))), (None, None));
    // A null is no integer, so an image that may have one is none of integers.
    let nullable = image("plain_i4_blank.fits");
    assert_eq!(nullable.pixel_type(), PixelType::F64);
    assert_eq!(read::<i32>(&nullable), None);
}

#[test]
fn sections_outside_are_refused() {
    let image = image("rice_i2.fits");
    let refused = |ranges: &[Range<u64>]| match image.section::<i16>(ranges) {
        Err(error) if matches!(error.kind(), ErrorKind::Section { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(refused(std::slice::from_ref(&(0..41))).contains("it has 1 axes, the image 2"));
    assert!(refused(&[0..42, 0..1]).contains("axis 0, which has 41 pixels"));
    assert!(refused(&[0..1, 60..68]).contains("60..68 of axis 1"));
    #[expect(clippy::reversed_empty_ranges, reason = "that is the point")]
    let backwards = [5..4, 0..1];
    assert!(refused(&backwards).contains("5..4"));
    assert!(image.section::<i16>(&[3..3, 0..67]).unwrap().is_empty());
    let error = image.read_into(&mut [0_i16; 7]).unwrap_err();
    assert!(error.to_string().contains("2747 pixels, there is room for 7"), "{error}");
}

#[test]
fn tables_are_no_images() {
    let bytes = files().into_iter().find(|f| f.0 == "rice_i2.fits").unwrap().1;
    let error = Fits::from_source(bytes).unwrap().hdu(0).unwrap().image().unwrap_err();
    assert!(error.to_string().contains("an image without data, not an image with data"), "{error}");
    assert_eq!(error.class(), ErrorClass::Caller);
}

#[test]
fn limits_are_charged() {
    let (dir, image) = (tempfile::tempdir().unwrap(), "rice_i2.fits");
    let path = dir.path().join(image);
    std::fs::write(&path, files().into_iter().find(|f| f.0 == image).unwrap().1).unwrap();
    let open = |limits: Limits| Fits::open_with(&path, limits).and_then(|f| f.hdu(1)).and_then(|h| h.image());
    let limited = |error: Error, what: &str| {
        assert_eq!(error.class(), ErrorClass::Limit);
        assert!(error.to_string().contains(what), "{error}");
    };
    let mut limits = Limits::default();
    limits.tile_bytes = 16 * 20 * 4;
    let image = open(limits.clone()).unwrap();
    limits.tile_bytes -= 1;
    limited(open(limits).unwrap_err(), "the size of a tile is 1280, over the limit of 1279");
    assert_eq!(image.read::<i16>().unwrap().len(), 41 * 67);
    let mut limits = Limits::default();
    limits.image_bytes = 41 * 67 * 2;
    let image = open(limits).unwrap();
    assert!(image.read::<i16>().is_ok());
    limited(image.read::<i32>().unwrap_err(), "the size of the pixels is 10988");
    assert!(image.section::<i32>(&[0..20, 0..67]).is_ok());
}

#[cfg(feature = "ndarray")]
#[test]
fn arrays_have_the_shape_of_the_image() {
    let image = image("gzip_i4_four_axes.fits");
    let array = image.read_array::<i32>().unwrap();
    assert_eq!(array.shape(), [2, 3, 9, 11]);
    assert_eq!(array.iter().copied().collect::<Vec<_>>(), image.read::<i32>().unwrap());
    let part = image.section_array::<f64>(&[1..2, 0..3, 4..5, 2..9]).unwrap();
    assert_eq!((part.shape(), part[[0, 2, 0, 6]]), (&[1, 3, 1, 7][..], array[[1, 2, 4, 8]].into()));
}
