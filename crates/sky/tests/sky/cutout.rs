//! Cutouts: the vectors of the workspace check their geometry; here what those leave out.

use coaddkit_sky::{Cutout, CutoutMode, Error};
use proptest::prelude::*;

#[test]
fn stamps_round_half_to_even_and_reach_half_their_size_back() {
    for (at, size, first) in [
        (31.5, 64, 0),
        (32.5, 64, 0),
        (33.5, 64, 2),
        (32.500_001, 64, 1),
        (32.0, 63, 1),
        (31.5, 63, 1),
        (-0.5, 1, 0),
        (-1.5, 1, -2),
    ] {
        let stamp = Cutout::stamp([200, 300], at, 100.0, size).unwrap();
        assert_eq!(stamp.origin()[0], first, "{at} {size}");
        assert_eq!(stamp.shape(), [size, size]);
        assert_eq!(stamp.is_complete(), first >= 0);
        // The same rule for rows.
        assert_eq!(Cutout::stamp([200, 300], 100.0, at, size).unwrap().origin()[1], first);
    }
}

/// The values are those of astropy's `Cutout2D`.
#[test]
fn windows_begin_at_the_first_pixel_not_before_half_their_size() {
    let first = |at: f64, side: usize| {
        let cutout = Cutout::around([50, 50], at, at, [side, side], CutoutMode::Partial).unwrap();
        assert_eq!(cutout.origin()[0], cutout.origin()[1]);
        cutout.origin()[0]
    };
    for (at, side, expected) in
        [(25.0, 8, 21), (25.0, 7, 22), (25.5, 8, 22), (24.5, 1, 24), (25.49, 8, 22), (0.0, 6, -3)]
    {
        assert_eq!(first(at, side), expected, "{at} {side}");
    }
}

#[test]
fn all_of_the_output_is_written() {
    let image: Vec<u8> = (0..9).collect();
    let cutout = Cutout::stamp([3, 3], 1.0, 1.0, 5).unwrap();
    let mut out = [99; 25];
    cutout.copy_into(&image, 77, &mut out).unwrap();
    let row = |a: u8| [77, a, a + 1, a + 2, 77];
    assert_eq!(out.as_chunks::<5>().0, [[77; 5], row(0), row(3), row(6), [77; 5]]);
}

#[test]
fn a_stamp_outside_of_its_image_is_all_fill() {
    for (x, y) in [(-40.0, 5.0), (1e300, 5.0), (5.0, -1e300), (5.0, 10.0), (5.0, 43.0)] {
        let stamp = Cutout::stamp([10, 12], x, y, 4).unwrap();
        let pixels = stamp.copy(&[7_u8; 120], 1).unwrap();
        if y == 10.0 {
            assert_eq!((stamp.x(), stamp.y(), stamp.fill_count()), (3..7, 8..10, 8));
        } else {
            assert!(pixels.iter().all(|pixel| *pixel == 1), "{x} {y}");
            assert_eq!((stamp.fill_count(), stamp.is_complete()), (16, false));
        }
    }
    let nothing = Cutout::stamp([0, 12], 5.0, 0.0, 4).unwrap();
    assert_eq!(nothing.copy(&[], 3).unwrap(), [3; 16]);
}

#[test]
fn what_is_no_cutout_is_refused() {
    let around = |x, y, shape| Cutout::around([10, 10], x, y, shape, CutoutMode::Partial);
    assert!(matches!(around(f64::NAN, 1.0, [2, 2]), Err(Error::NotFinite { what: "x", .. })));
    assert!(matches!(around(1.0, f64::INFINITY, [2, 2]), Err(Error::NotFinite { what: "y", .. })));
    for shape in [[0, 2], [2, 0], [1_000_001, 2], [2, usize::MAX]] {
        assert!(matches!(around(1.0, 1.0, shape), Err(Error::OutOfRange { .. })), "{shape:?}");
    }
    assert!(matches!(Cutout::stamp([10, 10], 1.0, 1.0, 0), Err(Error::OutOfRange { .. })));
    assert!(matches!(Cutout::stamp([10, 10], f64::NAN, 1.0, 4), Err(Error::NotFinite { .. })));
    assert_eq!(around(-3.0, 5.0, [4, 4]), Err(Error::NoOverlap { x: -3.0, y: 5.0 }));

    let cutout = around(5.0, 5.0, [4, 4]).unwrap();
    let short = |what, expected, found| Err(Error::SliceLength { what, expected, found });
    assert_eq!(cutout.copy(&[0; 99], 0).map(|_| ()), short("image", 100, 99));
    assert_eq!(cutout.copy_into(&[0; 100], 0, &mut [0; 15]), short("out", 16, 15));
    assert_eq!(cutout.place(&[0; 17], 0, &mut [0; 16]), short("section", 16, 17));
    let huge = Cutout::stamp([usize::MAX, usize::MAX], 1.0, 1.0, 4).unwrap();
    assert!(matches!(huge.copy(&[0; 4], 0), Err(Error::SliceLength { .. })));
}

proptest! {
    /// Each pixel of a cutout is the image's pixel at origin and place, or the fill.
    #[test]
    fn pixels_come_from_where_the_origin_says(
        rows in 0_usize..9,
        columns in 0_usize..9,
        x in -12.0..20.0,
        y in -12.0..20.0,
        shape in prop::array::uniform2(1_usize..12),
        mode in prop::sample::select(vec![CutoutMode::Trim, CutoutMode::Partial, CutoutMode::Strict]),
    ) {
        let image: Vec<i64> = (0..(rows * columns) as i64).collect();
        let cutouts = [
            Cutout::around([rows, columns], x, y, shape, mode).ok(),
            Cutout::stamp([rows, columns], x, y, shape[0]).ok(),
        ];
        for cutout in cutouts.into_iter().flatten() {
            let pixels = cutout.copy(&image, -1).unwrap();
            let [height, width] = cutout.shape();
            prop_assert_eq!(pixels.len(), height * width);
            let mut filled = 0;
            for (index, &pixel) in pixels.iter().enumerate() {
                let [left, top] = cutout.origin();
                let (column, row) = (left + (index % width) as i64, top + (index / width) as i64);
                let inside = (0..columns as i64).contains(&column) && (0..rows as i64).contains(&row);
                prop_assert_eq!(pixel, if inside { row * columns as i64 + column } else { -1 });
                filled += usize::from(!inside);
            }
            prop_assert_eq!(filled, cutout.fill_count());
            prop_assert_eq!(filled == 0, cutout.is_complete());
        }
    }
}
