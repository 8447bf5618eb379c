//! Tile-compressed images.

use super::{refused, written};
use coaddkit_fits::{Compress, DitherMethod, Image, NewImage, Quantize, Sample, Writer};
use std::io::Cursor;

fn compressed<T: Sample>(shape: &[u64], how: Compress, pixels: &[T]) -> Image {
    let fits = written(|w| w.image(&NewImage::new(shape).compress(how), pixels));
    fits.hdu(1).unwrap().image().unwrap()
}

fn noise(count: usize, width: u32) -> impl Iterator<Item = u32> {
    (0..count as u32)
        .map(move |i| i.wrapping_mul(2_654_435_761).rotate_left(13).wrapping_mul(0x9e37_79b9) >> (32 - width))
}

#[test]
fn integers_survive_every_codec() {
    macro_rules! same {
        ($type:ty, $how:expr, $extreme:expr) => {{
            let mut pixels: Vec<$type> = noise(37 * 41, 6).map(|v| v as $type).collect();
            let extremes: &[$type] = &$extreme;
            pixels[500..500 + extremes.len()].copy_from_slice(extremes);
            pixels[600..700].fill(0 as $type);
            for tile in [&[1, 41][..], &[37, 41], &[11, 7], &[100, 100], &[5, 1]] {
                let image = compressed(&[37, 41], $how.tile(tile), &pixels);
                assert_eq!(image.pixel_type(), <$type>::TYPE);
                assert_eq!(image.read::<$type>().unwrap(), pixels, "{:?} {tile:?}", $how);
            }
        }};
    }
    for how in [
        Compress::rice(),
        Compress::rice().block_size(16),
        Compress::gzip_1(),
        Compress::gzip_2(),
        Compress::nothing(),
    ] {
        same!(u8, how.clone(), [0, 255, 0, 128]);
        same!(i8, how.clone(), [-128, 127, 0, -1]);
        same!(i16, how.clone(), [i16::MIN, i16::MAX, i16::MIN, 0]);
        same!(u16, how.clone(), [0, u16::MAX, 32767, 32768]);
        same!(i32, how.clone(), [i32::MIN, i32::MAX, i32::MIN, 0]);
        same!(u32, how.clone(), [0, u32::MAX, 1 << 31, 0]);
    }
    for how in [Compress::gzip_1(), Compress::gzip_2(), Compress::nothing()] {
        same!(i64, how.clone(), [i64::MIN, i64::MAX, 0]);
        same!(u64, how.clone(), [0, u64::MAX, 1 << 63]);
    }
    same!(u8, Compress::plio(), [255, 0, 1]);
    same!(i16, Compress::plio(), [i16::MAX, 0, 1]);
    same!(i32, Compress::plio(), [(1 << 24) - 1, 0, 1]);
}

#[test]
fn hcompress_without_loss() {
    macro_rules! same {
        ($type:ty, $extreme:expr) => {
            for (shape, tile) in
                [([37, 41], [37, 41]), ([37, 41], [11, 7]), ([64, 64], [16, 32]), ([30, 8], [10, 4])]
            {
                let mut pixels: Vec<$type> =
                    noise((shape[0] * shape[1]) as usize, 6).map(|v| v as $type).collect();
                pixels[100] = $extreme[0];
                pixels[101] = $extreme[1];
                let image = compressed(&shape, Compress::hcompress().tile(&tile), &pixels);
                assert_eq!(image.read::<$type>().unwrap(), pixels, "{shape:?} {tile:?}");
            }
        };
    }
    same!(u8, [0, 255]);
    same!(i8, [-128, 127]);
    same!(i16, [i16::MIN, i16::MAX]);
    same!(u16, [0, u16::MAX]);
    same!(i32, [i32::MIN, i32::MAX]);
    same!(u32, [0, u32::MAX]);
    let flat = compressed(&[20, 20], Compress::hcompress(), &[0_i16; 400]);
    assert_eq!(flat.read::<i16>().unwrap(), [0; 400]);
    // A cube has flat tiles.
    let cube: Vec<i32> = noise(3 * 20 * 20, 9).map(|v| v as i32).collect();
    assert_eq!(compressed(&[3, 20, 20], Compress::hcompress(), &cube).read::<i32>().unwrap(), cube);
}

#[test]
fn hcompress_loses_no_more_than_its_scale() {
    let pixels: Vec<i32> = noise(64 * 64, 10).map(|v| v as i32 + 1000).collect();
    for (how, most) in [
        (Compress::hcompress().scale(8.0), 16),
        (Compress::hcompress().scale(8.0).smooth(true), 24),
        (Compress::hcompress().noise_scale(0.1), 120),
    ] {
        let found = compressed(&[64, 64], how.tile(&[32, 64]), &pixels).read::<i32>().unwrap();
        let worst = found.iter().zip(&pixels).map(|(a, b)| (a - b).abs()).max().unwrap();
        assert!(worst > 0 && worst <= most, "{worst}");
    }
}

#[test]
fn nulls_survive_a_lossy_codec() {
    let mut pixels = sky(40 * 50);
    pixels[100..110].fill(f32::NAN);
    let how = Compress::hcompress().scale(3.0).tile(&[20, 50]).quantize(Quantize::step(0.01));
    let found = compressed(&[40, 50], how, &pixels).read::<f32>().unwrap();
    assert!(found.iter().zip(&pixels).all(|(a, b)| a.is_nan() == b.is_nan()));
}

#[test]
fn floats_without_loss() {
    let mut pixels: Vec<f64> = noise(30 * 30, 20).map(|v| f64::from(v) / 7.0).collect();
    (pixels[3], pixels[4], pixels[5]) = (f64::NAN, f64::INFINITY, -0.0);
    let single: Vec<f32> = pixels.iter().map(|&v| v as f32).collect();
    for how in [Compress::gzip_1(), Compress::gzip_2(), Compress::nothing(), Compress::gzip_2().level(0)] {
        let found = compressed(&[30, 30], how.clone().tile(&[7, 30]), &pixels).read::<f64>().unwrap();
        assert!(found.iter().zip(&pixels).all(|(a, b)| a.to_bits() == b.to_bits()), "{how:?}");
        let found = compressed(&[30, 30], how.clone(), &single).read::<f32>().unwrap();
        assert!(found.iter().zip(&single).all(|(a, b)| a.to_bits() == b.to_bits()), "{how:?}");
    }
}

/// Noise of a few units with nulls and exact zeros.
fn sky(count: usize) -> Vec<f32> {
    let mut sky: Vec<f32> = noise(count, 16).map(|v| v as f32 / 6553.6 - 3.0).collect();
    sky[10..40].fill(0.0);
    sky
}

#[test]
fn quantised_floats_are_as_near_as_promised() {
    let mut pixels = sky(40 * 50);
    for nulls in [false, true] {
        if nulls {
            pixels[7] = f32::NAN;
            pixels[100..110].fill(f32::NAN);
        }
        for codec in [Compress::rice(), Compress::gzip_1(), Compress::gzip_2(), Compress::hcompress()] {
            for dither in [DitherMethod::None, DitherMethod::Subtractive1, DitherMethod::Subtractive2] {
                let how =
                    codec.clone().tile(&[20, 25]).quantize(Quantize::step(0.01).dither(dither).seed(9999));
                let image = compressed(&[40, 50], how, &pixels);
                assert_eq!(
                    image.hdu().header().integer("ZDITHER0"),
                    (dither != DitherMethod::None).then_some(9999)
                );
                let found = image.read::<f32>().unwrap();
                for (at, (&a, &b)) in found.iter().zip(&pixels).enumerate() {
                    assert_eq!(a.is_nan(), b.is_nan(), "pixel {at}");
                    assert!(b.is_nan() || (a - b).abs() <= 0.005_001, "pixel {at}: {a} {b}");
                    if dither == DitherMethod::Subtractive2 && b == 0.0 {
                        assert_eq!(a, 0.0);
                    }
                }
                // Doubles too.
                let doubles: Vec<f64> = pixels.iter().map(|&v| v.into()).collect();
                let how = codec.clone().tile(&[20, 25]).quantize(Quantize::noise(16.0).dither(dither));
                let found = compressed(&[40, 50], how, &doubles).read::<f64>().unwrap();
                assert!(found.iter().zip(&doubles).all(|(a, b)| a.is_nan() == b.is_nan()));
                assert!(found.iter().zip(&doubles).all(|(a, b)| a.is_nan() || (a - b).abs() < 0.2));
            }
        }
    }
}

#[test]
fn tiles_that_cannot_be_quantised_are_kept_as_they_are() {
    let mut pixels = sky(4 * 100);
    pixels[100..200].fill(2.5); // no noise
    pixels[200] = f32::INFINITY;
    pixels[300] = 1e30;
    let step = compressed(&[4, 100], Compress::rice().quantize(Quantize::step(1e-3)), &pixels);
    let found = step.read::<f32>().unwrap();
    assert_eq!(found[200..], pixels[200..]);
    assert!(found[..200].iter().zip(&pixels).all(|(a, b)| (a - b).abs() < 6e-4));
    let noise = compressed(&[4, 100], Compress::rice().quantize(Quantize::noise(4.0)), &pixels);
    assert_eq!(noise.read::<f32>().unwrap()[100..300], pixels[100..300]);
    // All nulls, and a tile of one pixel.
    let nulls = compressed(&[2, 3], Compress::rice().quantize(Quantize::step(1.0)), &[f32::NAN; 6]);
    assert!(nulls.read::<f32>().unwrap().iter().all(|v| v.is_nan()));
    let single = compressed(&[1], Compress::rice().quantize(Quantize::step(1.0)), &[0.3_f64]);
    assert_eq!(single.read::<f64>().unwrap(), [0.3]);
}

#[test]
fn the_seed_follows_the_first_tile() {
    let seed = |pixels: &[f32]| {
        let how = Compress::rice().quantize(Quantize::step(0.01));
        compressed(&[10, 100], how, pixels).hdu().header().integer("ZDITHER0").unwrap()
    };
    let mut pixels = sky(1000);
    let sum: u64 = pixels[..100].iter().flat_map(|v| v.to_le_bytes()).map(u64::from).sum();
    assert_eq!(seed(&pixels), (sum % 10_000) as i64 + 1);
    pixels[500] += 1.0;
    assert_eq!(seed(&pixels), (sum % 10_000) as i64 + 1);
    pixels[5] += 1.0;
    assert_ne!(seed(&pixels), (sum % 10_000) as i64 + 1);
}

#[test]
fn null_integers_and_scaled_pixels() {
    let image = NewImage::new(&[2, 3]).blank(-1).compress(Compress::rice());
    let fits = written(|w| w.image(&image, &[1_i16, -1, 3, 4, 5, -1]));
    let found = fits.hdu(1).unwrap().image().unwrap().read::<f32>().unwrap();
    assert_eq!(format!("{found:?}"), "[1.0, NaN, 3.0, 4.0, 5.0, NaN]");
    for codec in [Compress::rice(), Compress::gzip_2(), Compress::nothing()] {
        let image = NewImage::new(&[3]).scaled(16, 0.5, 10.0).blank(0).compress(codec);
        let fits = written(|w| w.image(&image, &[11.0, f64::NAN, 9.6]));
        let found = fits.hdu(1).unwrap().image().unwrap().read::<f64>().unwrap();
        assert_eq!(format!("{found:?}"), "[11.0, NaN, 9.5]");
    }
}

#[test]
fn long_runs_of_masks() {
    // Runs just below, at and above what an instruction holds, before a single pixel and before several.
    for run in [1, 4094, 4095, 4096, 8189, 8190, 8191] {
        for value in [1, 2, 5000, 70_000] {
            let mut pixels = vec![0_i32; run];
            pixels.push(value);
            pixels.extend(vec![0; run]);
            pixels.extend(vec![value; run]);
            let found = compressed(&[pixels.len() as u64], Compress::plio(), &pixels).read::<i32>().unwrap();
            assert_eq!(found, pixels, "{run} {value}");
        }
    }
}

#[test]
fn what_a_codec_cannot_hold_is_refused() {
    let image = |how: Compress| NewImage::new(&[8, 8]).compress(how);
    let (float, int) = ([0.5_f32; 64], [-1_i32; 64]);
    for (error, wanted) in [
        (refused(|w| w.image(&image(Compress::rice()), &float)), "only if they are quantised"),
        (refused(|w| w.image(&image(Compress::plio()), &float)), "not for floats"),
        (
            refused(|w| w.image(&image(Compress::plio()), &int)),
            "tile 0: pixel 0 of it: -1 is not between 0 and 16777215",
        ),
        (refused(|w| w.image(&image(Compress::plio()), &[0_u16; 64])), "give them as i32"),
        (
            refused(|w| {
                let zeros = Quantize::step(1.0).dither(DitherMethod::Subtractive2);
                w.image(&image(Compress::hcompress().scale(2.0).quantize(zeros)), &float)
            }),
            "exactly zero",
        ),
        (refused(|w| w.image(&image(Compress::rice()), &[0_i64; 64])), "no 64-bit integers"),
        (refused(|w| w.image(&image(Compress::rice().block_size(7)), &int)), "blocks of 7"),
        (refused(|w| w.image(&image(Compress::rice().tile(&[8])), &int)), "do not cut"),
        (refused(|w| w.image(&image(Compress::rice().tile(&[0, 1])), &int)), "do not cut"),
        (refused(|w| w.image(&image(Compress::hcompress().tile(&[1, 8])), &int)), "two dimensions"),
        (refused(|w| w.image(&image(Compress::hcompress().tile(&[5, 8])), &int)), "also at the edges"),
        (refused(|w| w.image(&image(Compress::hcompress().scale(f32::NAN)), &int)), "the scale is NaN"),
        (
            refused(|w| w.image(&image(Compress::rice().quantize(Quantize::step(0.0))), &float)),
            "quantised by",
        ),
        (
            refused(|w| w.image(&image(Compress::rice().quantize(Quantize::step(1.0).seed(0))), &float)),
            "seed",
        ),
        (
            refused(|w| w.image(&image(Compress::nothing().quantize(Quantize::step(1.0))), &float)),
            "cannot be quantised",
        ),
        (
            refused(|w| w.image(&NewImage::new(&[0]).compress(Compress::rice()), &[0_i16; 0])),
            "without pixels",
        ),
    ] {
        assert!(error.contains(wanted), "{error} lacks {wanted}");
    }
    let mut writer = Writer::new(Cursor::new(Vec::new()));
    assert!(writer.image_rows::<i32>(&image(Compress::rice())).is_err());
}
