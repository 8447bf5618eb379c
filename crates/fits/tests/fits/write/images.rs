//! Plain images.

use super::{refused, written};
use coaddkit_fits::{NewImage, PixelType, Sample};

fn same<T: Sample>(pixels: &[T], pixel_type: PixelType) {
    let fits = written(|w| {
        w.image(&NewImage::new(&[pixels.len() as u64]), pixels)?;
        w.image(&NewImage::new(&[1, pixels.len() as u64, 1]), pixels)
    });
    for (index, shape) in [(0, vec![pixels.len() as u64]), (1, vec![1, pixels.len() as u64, 1])] {
        let image = fits.hdu(index).unwrap().image().unwrap();
        assert_eq!((image.shape(), image.pixel_type()), (&*shape, pixel_type));
        let found = image.read::<T>().unwrap();
        assert_eq!(format!("{found:?}"), format!("{pixels:?}"));
    }
}

#[test]
fn every_type_keeps_its_values() {
    same(&[0_u8, 1, u8::MAX], PixelType::U8);
    same(&[0_i8, 1, i8::MAX, i8::MIN], PixelType::I8);
    same(&[0_i16, 1, i16::MAX, i16::MIN], PixelType::I16);
    same(&[0_u16, 1, 32767, 32768, u16::MAX], PixelType::U16);
    same(&[0_i32, 1, i32::MAX, i32::MIN], PixelType::I32);
    same(&[0_u32, 1, 1 << 31, u32::MAX], PixelType::U32);
    same(&[0_i64, 1, i64::MAX, i64::MIN], PixelType::I64);
    same(&[0_u64, 1, 1 << 63, u64::MAX], PixelType::U64);
    same(&[0_f32, -0.0, f32::NAN, f32::INFINITY, f32::MIN_POSITIVE / 4.0, f32::MAX], PixelType::F32);
    same(&[0_f64, -0.0, f64::NAN, f64::NEG_INFINITY, 5e-324, f64::MAX], PixelType::F64);
}

#[test]
fn bits_of_floats_are_kept() {
    let pixels = [f32::from_bits(0x7fa0_1234), f32::from_bits(0xffc0_0001)];
    let fits = written(|w| w.image(&NewImage::new(&[2]), &pixels));
    let found = fits.hdu(0).unwrap().image().unwrap().read::<f32>().unwrap();
    assert_eq!(found[1].to_bits(), pixels[1].to_bits());
}

#[test]
fn scaled_and_null_pixels() {
    let image = NewImage::new(&[5]).scaled(16, 0.25, 100.0).blank(-32768);
    let fits = written(|w| w.image(&image, &[100.0, 99.99, 100.13, f64::NAN, 8291.75]));
    let image = fits.hdu(0).unwrap().image().unwrap();
    assert_eq!(image.hdu().bitpix(), 16);
    assert_eq!(format!("{:?}", image.read::<f64>().unwrap()), "[100.0, 100.0, 100.25, NaN, 8291.75]");

    let fits = written(|w| w.image(&NewImage::new(&[3]).blank(7), &[7_u8, 8, 0]));
    let found = fits.hdu(0).unwrap().image().unwrap().read::<f32>().unwrap();
    assert_eq!(format!("{found:?}"), "[NaN, 8.0, 0.0]");

    // Integers in a wider type, exactly.
    let fits = written(|w| w.image(&NewImage::new(&[2]).scaled(64, 1.0, 0.0), &[u32::MAX, 0]));
    assert_eq!(fits.hdu(0).unwrap().image().unwrap().read::<i64>().unwrap(), [i64::from(u32::MAX), 0]);
    let big = [(1_i64 << 53) + 1, -(1 << 60) - 1];
    let fits = written(|w| w.image(&NewImage::new(&[2]).scaled(64, 1.0, 0.0), &big));
    assert_eq!(fits.hdu(0).unwrap().image().unwrap().read::<i64>().unwrap(), big);
}

#[test]
fn what_cannot_be_stored_is_refused() {
    let image = || NewImage::new(&[2]);
    for (error, wanted) in [
        (refused(|w| w.image(&image(), &[1_u8])), "[2] has 2 pixels, 1 are given"),
        (refused(|w| w.image(&NewImage::new(&[]), &[1_u8])), "0 axes"),
        (refused(|w| w.image(&NewImage::new(&[u64::MAX, 3]), &[1_u8])), "more pixels"),
        (refused(|w| w.image(&image().scaled(16, 1.0, 0.0), &[1.0, f32::NAN])), "pixel 1: it is NaN"),
        (refused(|w| w.image(&image().scaled(16, 1.0, 0.0), &[1.0, 32767.5])), "pixel 1: 32767.5 is beyond"),
        (refused(|w| w.image(&image().scaled(64, 1.0, 0.0), &[9.3e18, 0.0])), "is beyond"),
        (refused(|w| w.image(&image().scaled(8, 1.0, 0.0), &[-1_i32, 0])), "-1 is beyond"),
        (refused(|w| w.image(&image().scaled(16, 0.0, 0.0), &[1.0, 2.0])), "BSCALE is 0"),
        (refused(|w| w.image(&image().scaled(-32, 1.0, 0.0), &[1.0, 2.0])), "BITPIX is -32"),
        (refused(|w| w.image(&image().scaled(16, 1.0, 0.0).blank(5), &[5.0, 2.0])), "as the null value 5"),
        (refused(|w| w.image(&image().blank(5), &[5.0_f32, 2.0])), "BLANK is 5"),
        (refused(|w| w.image(&image().blank(300), &[5_u8, 2])), "BLANK is 300"),
    ] {
        assert!(error.contains(wanted), "{error}");
    }
}

#[cfg(feature = "ndarray")]
#[test]
fn arrays_in_any_order() {
    let rows = ndarray::Array2::from_shape_fn((3, 4), |(r, c)| (10 * r + c) as i32);
    let fits = written(|w| {
        w.image_array(&NewImage::new(&[3, 4]), &rows)?;
        w.image_array(&NewImage::new(&[4, 3]), &rows.t())?;
        w.image_array(&NewImage::new(&[2, 2]), &rows.slice(ndarray::s![1.., ..;2]))
    });
    let read = |n: usize| fits.hdu(n).unwrap().image().unwrap().read_array::<i32>().unwrap();
    assert_eq!(read(0), rows.clone().into_dyn());
    assert_eq!(read(1), rows.t().to_owned().into_dyn());
    assert_eq!(read(2), ndarray::array![[10, 12], [20, 22]].into_dyn());
    assert!(refused(|w| w.image_array(&NewImage::new(&[4, 3]), &rows)).contains("that of the array [3, 4]"));
}

#[test]
fn an_image_without_pixels() {
    let fits = written(|w| w.image(&NewImage::new(&[0, 5]), &[0_f32; 0]));
    assert_eq!(fits.hdu(0).unwrap().shape(), [0, 5]);
}
