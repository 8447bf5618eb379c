//! Colour images: the vectors of the workspace hold astropy's and legacypipe's; here what those leave out.

use coaddkit_photometry::{LegacyCurve, Rgb, RgbError};
use proptest::prelude::*;

/// `AsinhStretch(0.0004)(ManualInterval(-0.1, 250)(x))` of astropy 8.0.2.
#[test]
fn asinh_of_each_plane_is_astropys() {
    let way = Rgb::asinh(-0.1, 250.0, 0.0004).unwrap();
    let plane = [-1.0, -0.1, 0.0, 0.001, 0.05, 1.0, 17.3, 249.9, 250.0, 1e4];
    let expected = [
        0.0,
        0.0,
        0.10344849590654044,
        0.10427647009956245,
        0.14023757025799344,
        0.3631130390072364,
        0.6870585960218326,
        0.9999530455657804,
        1.0,
        1.0,
    ];
    for (value, expected) in plane.into_iter().zip(expected) {
        let [r, g, b] = way.pixel([value, 250.0, -7.0]);
        assert!((r - expected).abs() < 1e-12, "{value}: {r}");
        assert_eq!((g, b), (1.0, 0.0));
    }
    let bytes = way.render(&plane, &plane, &plane).unwrap();
    let one: Vec<u8> = bytes.chunks(3).map(|pixel| pixel[1]).collect();
    assert_eq!(one, [0, 0, 26, 26, 35, 92, 175, 254, 255, 255]);
}

/// A display of LSST's coadds; the values are astropy's.
#[test]
fn lupton_with_a_minimum() {
    let way = Rgb::lupton(1.0, 8.0).unwrap().with_minimum([-0.1; 3]).unwrap();
    let (r, g, b) = ([1.0_f32, 5.0, 50.0, 0.0], [0.7, 3.5, 35.0, 0.0], [0.4, 2.0, 20.0, 0.0]);
    let bytes = way.render(&r, &g, &b).unwrap();
    assert_eq!(bytes, [122, 88, 55, 199, 141, 82, 255, 178, 102, 25, 25, 25]);
}

#[test]
fn what_is_not_finite_is_black() {
    for way in [Rgb::default(), Rgb::asinh(-1.0, 1.0, 0.1).unwrap(), Rgb::legacy_surveys()] {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for planes in [[bad, 1.0, 2.0], [1.0, bad, 2.0], [1.0, 2.0, bad]] {
                assert_eq!(way.pixel(planes), [0.0; 3], "{way:?} {planes:?}");
                let [r, g, b] = planes.map(|value| [value]);
                assert_eq!(way.render(&r, &g, &b).unwrap(), [0; 3]);
            }
        }
        assert_ne!(way.pixel([1.0, 1.0, 2.0]), [0.0; 3]);
    }
}

#[test]
fn slices_must_go_together() {
    let way = Rgb::default();
    let length = |what, expected, found| Err(RgbError::Length { what, expected, found });
    assert_eq!(way.render(&[1.0; 2], &[1.0; 3], &[1.0; 2]), length("green", 2, 3));
    assert_eq!(way.render(&[1.0; 2], &[1.0; 2], &[1.0; 1]), length("blue", 2, 1));
    let short = way.render_into(&[1.0; 2], &[1.0; 2], &[1.0; 2], &mut [0; 5]);
    assert_eq!(short, Err(RgbError::Length { what: "out", expected: 6, found: 5 }));
    assert_eq!(way.render::<f32>(&[], &[], &[]), Ok(vec![]));
}

#[test]
fn parameters_without_a_meaning_are_refused() {
    for stretch in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(Rgb::lupton(stretch, 8.0), Err(RgbError::Parameter { parameter: "stretch", .. })));
    }
    assert!(Rgb::lupton(1.0, -1.0).is_err() && Rgb::lupton(1.0, f64::NAN).is_err());
    assert!(Rgb::default().with_minimum([0.0, f64::NAN, 0.0]).is_err());
    for (min, max, a) in [(1.0, 1.0, 0.1), (2.0, 1.0, 0.1), (0.0, 1.0, 0.0), (f64::NAN, 1.0, 0.1)] {
        assert!(Rgb::asinh(min, max, a).is_err(), "{min} {max} {a}");
    }
    for curve in [
        LegacyCurve::Asinh { q: 0.0 },
        LegacyCurve::Asinh { q: f64::NAN },
        LegacyCurve::Linear { min: 1.0, max: 1.0 },
        LegacyCurve::Linear { min: f64::NAN, max: 1.0 },
    ] {
        assert!(Rgb::legacy([1.0; 3], 0.0, curve).is_err(), "{curve:?}");
    }
    assert!(Rgb::legacy([1.0, f64::NAN, 1.0], 0.0, LegacyCurve::Intensity).is_err());
    assert!(Rgb::legacy([1.0; 3], f64::INFINITY, LegacyCurve::Intensity).is_err());
}

proptest! {
    /// Whatever the bits of the planes: colours are finite, and Lupton's and the asinh's within 0 and 1.
    #[test]
    fn colours_are_finite(
        bits in prop::array::uniform3(any::<u64>()),
        stretch in 1e-300..1e300,
        q in prop_oneof![Just(0.0), 0.0..1e-6, 0.0..100.0, 1e9..1e300],
        minimum in prop::array::uniform3(-1e3..1e3),
    ) {
        let planes = bits.map(f64::from_bits);
        let ways = [
            Rgb::lupton(stretch, q).unwrap().with_minimum(minimum).unwrap(),
            Rgb::asinh(-stretch, stretch, 0.1).unwrap(),
        ];
        for way in ways {
            prop_assert!(way.pixel(planes).iter().all(|value| (0.0..=1.0).contains(value)), "{way:?}");
        }
        prop_assert!(Rgb::legacy_surveys().pixel(planes).iter().all(|value| value.is_finite()));
    }
}

/// A picture holds the rendered pixels, the first row at the bottom.
#[cfg(feature = "image")]
#[test]
fn pictures_have_the_first_row_at_the_bottom() {
    let way = Rgb::legacy_surveys();
    for [rows, columns] in [[1, 1], [1, 7], [2, 3], [5, 4], [33, 65]] {
        let n = rows * columns;
        let plane = |step: f32| (0..n).map(|i| step * i as f32 / n as f32).collect::<Vec<f32>>();
        let (z, r, g) = (plane(0.3), plane(0.2), plane(0.1));
        let file = way.png([rows, columns], &z, &r, &g).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(&file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width as usize, info.height as usize), (columns, rows));
        assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
        let rendered = way.render(&z, &r, &g).unwrap();
        let turned: Vec<u8> = rendered.chunks(columns * 3).rev().flatten().copied().collect();
        assert_eq!(pixels, turned, "{rows} {columns}");
        assert_eq!(way.png([rows, columns], &z, &r, &g).unwrap(), file);
    }
}

#[cfg(feature = "image")]
#[test]
fn what_makes_no_picture_is_refused() {
    let way = Rgb::default();
    let plane = [0.5; 6];
    for shape in [[0, 6], [6, 0], [0, 0], [usize::MAX, 6]] {
        let [rows, columns] = shape;
        assert_eq!(way.png(shape, &plane, &plane, &plane), Err(RgbError::Shape { rows, columns }));
    }
    let length = |what, expected, found| Err(RgbError::Length { what, expected, found });
    assert_eq!(way.png([2, 4], &plane, &plane, &plane), length("red", 8, 6));
    assert_eq!(way.png([2, 3], &plane, &plane, &plane[1..]), length("blue", 6, 5));
    let huge = i32::MAX as usize;
    assert_eq!(way.png([huge, huge], &plane, &plane, &plane), length("red", huge.saturating_mul(huge), 6));
}
