//! Dithers of all seeds: what CFITSIO and this crate write is read by both, to the bit.
#![allow(unsafe_code, reason = "files are written with the calls of CFITSIO")]

use coaddkit_fits::{Compress, DitherMethod, Fits, Header, NewImage, Quantize, Writer, cfitsio};
use coaddkit_testkit::Rng;
use std::ffi::{CString, c_int, c_long};
use std::path::Path;

/// Pixels of a row, which is a tile, and rows.
type Shape = [c_long; 2];

/// Some pixels are exactly zero, which the second method keeps.
fn pixels(shape: Shape, random: &mut Rng) -> Vec<f32> {
    let pixel = |n: u32| if n.is_multiple_of(7) { 0.0 } else { (n % 4001) as f32 / 2000.0 - 1.0 };
    (0..shape[0] * shape[1]).map(|_| pixel(random.below(1 << 30))).collect()
}

/// Writes one image a seed into a file, as quantised floats.
fn write_ours(path: &Path, method: u32, seeds: &[i32], shape: Shape, random: &mut Rng) {
    let method = if method == 1 { DitherMethod::Subtractive1 } else { DitherMethod::Subtractive2 };
    let [columns, rows] = shape.map(c_long::unsigned_abs);
    let mut writer = Writer::create(path).unwrap();
    writer.primary(&Header::new()).unwrap();
    for &seed in seeds {
        let how = Quantize::step(0.01).dither(method).seed(seed.unsigned_abs());
        let how = Compress::rice().tile(&[1, columns]).quantize(how);
        writer.image(&NewImage::new(&[rows, columns]).compress(how), &pixels(shape, random)).unwrap();
    }
    writer.finish().unwrap();
}

/// The same with CFITSIO.
fn write_theirs(path: &Path, method: u32, seeds: &[i32], shape: Shape, random: &mut Rng) {
    let name = CString::new(path.as_os_str().as_encoded_bytes()).unwrap();
    let count = shape[0] * shape[1];
    let mut status = 0;
    let mut fits = std::ptr::null_mut();
    // SAFETY: All pointers are to live values of the lengths given beside them, and the file is closed once.
    unsafe {
        cfitsio_sys::ffdkinit(&mut fits, name.as_ptr(), &mut status);
        cfitsio_sys::ffcrim(fits, 8, 0, std::ptr::null_mut(), &mut status);
        cfitsio_sys::fits_set_compression_type(fits, cfitsio_sys::RICE_1 as c_int, &mut status);
        cfitsio_sys::fits_set_tile_dim(fits, 2, [shape[0], 1].as_mut_ptr(), &mut status);
        cfitsio_sys::fits_set_quantize_method(fits, method as c_int, &mut status);
        // A step of its own, whatever the noise.
        cfitsio_sys::fits_set_quantize_level(fits, -0.01, &mut status);
        for &seed in seeds {
            let mut pixels = pixels(shape, random);
            cfitsio_sys::fits_set_dither_seed(fits, seed, &mut status);
            let (float, axes) = (cfitsio_sys::FLOAT_IMG, shape.as_ptr().cast_mut());
            cfitsio_sys::ffcrim(fits, float, 2, axes, &mut status);
            let code = cfitsio_sys::TFLOAT as c_int;
            cfitsio_sys::ffppr(fits, code, 1, count, pixels.as_mut_ptr().cast(), &mut status);
        }
        cfitsio_sys::ffclos(fits, &mut status);
    }
    assert_eq!(status, 0, "CFITSIO could not write {}", path.display());
}

/// Reads all images with both; returns how many pixels there were.
fn compare(path: &Path, method: &str, seeds: &[i32]) -> usize {
    let (ours, theirs) = (Fits::open(path).unwrap(), cfitsio::Fits::open(path).unwrap());
    let mut pixels = 0;
    for (index, &seed) in (1..).zip(seeds) {
        let hdu = ours.hdu(index).unwrap();
        assert_eq!(hdu.header().integer("ZDITHER0"), Some(seed.into()));
        assert_eq!(hdu.header().text("ZQUANTIZ").unwrap(), method);
        let found: Vec<f32> = hdu.image().unwrap().read().unwrap();
        let wanted: Vec<f32> = theirs.hdu(index).unwrap().image().unwrap().read().unwrap();
        let other = found.iter().zip(&wanted).position(|(a, b)| a.to_bits() != b.to_bits());
        assert_eq!((found.len(), other), (wanted.len(), None), "{method}, seed {seed}");
        pixels += found.len();
    }
    pixels
}

fn all_seeds(code: u32, method: &str) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dither.fits");
    let seeds: Vec<i32> = (1..=10_000).collect();
    let mut random = Rng::new(u64::from(code));
    let mut pixels = 0;
    for write in [write_ours, write_theirs] {
        // One file for some seeds: the way to an HDU leads over all before it.
        for seeds in seeds.chunks(100) {
            write(&path, code, seeds, [29, 3], &mut random);
            pixels += compare(&path, method, seeds);
            std::fs::remove_file(&path).unwrap();
        }
        // Tiles that go through the whole sequence of random numbers, and around its end.
        for seed in [1, 137, 9_999, 10_000] {
            write(&path, code, &[seed], [23_456, 4], &mut random);
            compare(&path, method, &[seed]);
            std::fs::remove_file(&path).unwrap();
        }
    }
    assert_eq!(pixels, 2 * 10_000 * 29 * 3);
}

#[test]
fn every_seed_of_the_first_method() {
    all_seeds(1, "SUBTRACTIVE_DITHER_1");
}

#[test]
fn every_seed_of_the_second_method() {
    all_seeds(2, "SUBTRACTIVE_DITHER_2");
}
