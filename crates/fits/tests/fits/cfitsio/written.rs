//! What this crate writes, read by both.

use super::images::sections;
use super::tables::column;
use coaddkit_fits::{
    Cells, Column, Compress, DitherMethod, Fits, Header, NewImage, NewTable, Quantize, Sample, Writer,
    cfitsio,
};
use coaddkit_testkit::Rng;
use std::io::Write;

const SHAPE: [u64; 2] = [31, 47];

/// A plain image and one of each codec for the type.
fn images<T: Sample>(writer: &mut Writer<impl Write>, pixels: &[T], codecs: &[Compress]) {
    writer.image(&NewImage::new(&SHAPE), pixels).unwrap();
    for how in codecs {
        let image = NewImage::new(&SHAPE).compress(how.clone().tile(&[8, 47]));
        writer.image(&image, pixels).unwrap();
    }
}

#[test]
fn written_images_are_those_of_cfitsio() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("written.fits");
    let mut random = Rng::new(7);
    let mut noise: Vec<u32> = (0..31 * 47).map(|_| random.below(200)).collect();
    noise[9] = 0;
    let mut writer = Writer::create(&path).unwrap();
    writer.primary(&Header::new()).unwrap();
    let lossless = [Compress::rice(), Compress::gzip_1(), Compress::gzip_2(), Compress::hcompress()];
    macro_rules! integers {
        ($($type:ty: $codecs:expr),*) => {$(
            let pixels: Vec<$type> = noise.iter().map(|&v| v as $type).collect();
            images(&mut writer, &pixels, $codecs);
        )*};
    }
    // CFITSIO reads no 64-bit integers from tiles.
    integers!(u8: &lossless, i8: &lossless, i16: &lossless, u16: &lossless, i32: &lossless, u32: &lossless);
    integers!(i64: &[], u64: &[], i16: &[Compress::plio()], i32: &[Compress::plio()]);
    let mut sky: Vec<f32> = noise.iter().map(|&v| (v as f32 - 100.0) * 1e-3).collect();
    // No infinity: asked for nulls, CFITSIO makes it one.
    sky[3] = f32::NAN;
    let dithers = [DitherMethod::None, DitherMethod::Subtractive1, DitherMethod::Subtractive2];
    let mut codecs = vec![Compress::gzip_1(), Compress::gzip_2()];
    for codec in [Compress::rice(), Compress::gzip_1(), Compress::gzip_2(), Compress::hcompress()] {
        let how = dithers.map(|dither| codec.clone().quantize(Quantize::noise(8.0).dither(dither).seed(77)));
        codecs.extend(how);
    }
    images(&mut writer, &sky, &codecs);
    images(&mut writer, &sky.iter().map(|&v| f64::from(v)).collect::<Vec<_>>(), &codecs);
    writer.finish().unwrap();
    let (ours, theirs) = (Fits::open(&path).unwrap(), cfitsio::Fits::open(&path).unwrap());
    let count = ours.hdus().count();
    assert_eq!((count, theirs.count().unwrap()), (1 + 6 * 5 + 2 + 4 + 2 * 15, count));
    for hdu in ours.hdus().skip(1).map(Result::unwrap) {
        let (image, other) = (hdu.image().unwrap(), theirs.hdu(hdu.index()).unwrap().image().unwrap());
        let label = format!("{:?} {:?}", image.pixel_type(), hdu.compression());
        assert_eq!((image.shape(), image.pixel_type()), (other.shape(), other.pixel_type()), "{label}");
        for ranges in [[0..31, 0..47], [7..17, 3..29]] {
            let [found, wanted] = sections(&image, &other, &ranges);
            assert!(found == wanted, "{label} {ranges:?}");
        }
    }
}

#[test]
fn written_tables_are_those_of_cfitsio() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("written.fits");
    let columns: [(&str, bool, &dyn Cells); 16] = [
        ("B", false, &[0_u8, 255, 7]),
        ("B", true, &[0_i8, 127, -128]),
        ("I", false, &[0_i16, i16::MAX, i16::MIN]),
        ("I", true, &[0_u16, 1, u16::MAX]),
        ("J", false, &[0_i32, i32::MAX, i32::MIN]),
        ("J", true, &[0_u32, 1, u32::MAX]),
        ("K", false, &[0_i64, i64::MAX, i64::MIN]),
        ("K", true, &[0_u64, 1, u64::MAX]),
        ("E", false, &[f32::NAN, f32::INFINITY, 1e-40]),
        ("2D", false, &[0.0, 5e-324, f64::NEG_INFINITY, 1.5, -0.0, f64::MAX]),
        ("C", false, &[[0.0_f32, -1.5], [f32::MAX, 2.0], [1.0, f32::NAN]]),
        ("L", false, &[Some(true), Some(false), None]),
        ("11X", false, &[true; 33]),
        ("5A", false, &["abc", "", "five5"]),
        ("1PJ", false, &[vec![1, 2, 3], vec![], vec![i32::MIN]]),
        ("1QD", false, &[vec![], vec![0.5; 100], vec![f64::NAN]]),
    ];
    let mut table = NewTable::new();
    for (n, (tform, unsigned, _)) in (1..).zip(&columns) {
        let column = Column::new(&format!("C{n}"), tform).unwrap();
        table = table.column(if *unsigned { column.unsigned() } else { column });
    }
    let mut writer = Writer::create(&path).unwrap();
    writer.table(&table, &columns.map(|(.., values)| values)).unwrap();
    writer.finish().unwrap();
    let ours = Fits::open(&path).unwrap().hdu(1).unwrap().table().unwrap();
    let theirs = cfitsio::Fits::open(&path).unwrap().hdu(1).unwrap().table().unwrap();
    assert_eq!((ours.rows(), theirs.rows()), (3, 3));
    for (index, (tform, ..)) in columns.iter().enumerate() {
        column(&ours, &theirs, index, false).unwrap_or_else(|why| panic!("{tform}: {why}"));
    }
}
