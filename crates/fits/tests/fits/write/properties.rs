//! Any image and any table: written, read back, equal.

use super::written;
use coaddkit_fits::{Column, Compress, DitherMethod, Header, NewImage, NewTable, Quantize, Value};
use proptest::prelude::*;

fn codec() -> impl Strategy<Value = Compress> {
    prop_oneof![
        Just(Compress::rice()),
        Just(Compress::rice().block_size(16)),
        Just(Compress::gzip_1()),
        Just(Compress::gzip_2()),
        Just(Compress::nothing()),
    ]
}

fn shape() -> impl Strategy<Value = (Vec<u64>, Vec<u64>)> {
    prop::collection::vec((1_u64..14, 1_u64..16), 1..4).prop_map(|axes| axes.into_iter().unzip())
}

/// Smooth, noisy and extreme stretches.
fn integers(count: usize) -> impl Strategy<Value = Vec<i32>> {
    let stretch = prop_oneof![
        (any::<i32>(), 1_usize..60).prop_map(|(v, n)| vec![v; n]),
        prop::collection::vec(any::<i32>(), 1..40),
        prop::collection::vec(-20_i32..20, 1..80),
        prop::collection::vec(prop_oneof![Just(i32::MIN), Just(i32::MAX), Just(0)], 1..9),
    ];
    prop::collection::vec(stretch, 1..40)
        .prop_map(move |all| all.concat().into_iter().cycle().take(count).collect())
}

fn image() -> impl Strategy<Value = (Vec<u64>, Vec<u64>, Vec<i32>)> {
    shape().prop_flat_map(|(shape, tile)| {
        let count = shape.iter().product::<u64>() as usize;
        (Just(shape), Just(tile), integers(count))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn images_of_integers((shape, tile, pixels) in image(), how in codec()) {
        let image = NewImage::new(&shape).compress(how.tile(&tile));
        let narrow: Vec<u16> = pixels.iter().map(|&v| v as u16).collect();
        let bytes: Vec<i8> = pixels.iter().map(|&v| v as i8).collect();
        let fits = written(|w| {
            w.image(&image, &pixels)?;
            w.image(&image, &narrow)?;
            w.image(&image, &bytes)?;
            w.image(&NewImage::new(&shape), &pixels)
        });
        let read = |n: usize| fits.hdu(n).unwrap().image().unwrap();
        prop_assert_eq!(&read(1).read::<i32>().unwrap(), &pixels);
        prop_assert_eq!(read(2).read::<u16>().unwrap(), narrow);
        prop_assert_eq!(read(3).read::<i8>().unwrap(), bytes);
        prop_assert_eq!(&read(4).read::<i32>().unwrap(), &pixels);
    }

    #[test]
    fn hcompress_and_plio(rows in 4_u64..40, columns in 4_u64..40, pixels in integers(1600)) {
        let shape = [rows, columns];
        let pixels = &pixels[..(rows * columns) as usize];
        let mask: Vec<i32> = pixels.iter().map(|v| v & 0xff_ffff).collect();
        let fits = written(|w| {
            w.image(&NewImage::new(&shape).compress(Compress::hcompress().tile(&shape)), pixels)?;
            w.image(&NewImage::new(&shape).compress(Compress::plio()), &mask)
        });
        prop_assert_eq!(fits.hdu(1).unwrap().image().unwrap().read::<i32>().unwrap(), pixels);
        prop_assert_eq!(fits.hdu(2).unwrap().image().unwrap().read::<i32>().unwrap(), mask);
    }

    #[test]
    fn floats_of_any_bits((shape, tile, bits) in image(), seed in 1_u32..=10_000, step in 1e-6_f32..1e6, method in 0_usize..3) {
        let pixels: Vec<f32> = bits.iter().map(|&v| f32::from_bits(v as u32)).collect();
        let method = [DitherMethod::None, DitherMethod::Subtractive1, DitherMethod::Subtractive2][method];
        let lossy = Quantize::step(step).dither(method).seed(seed);
        let fits = written(|w| {
            w.image(&NewImage::new(&shape).compress(Compress::gzip_2().tile(&tile)), &pixels)?;
            w.image(&NewImage::new(&shape).compress(Compress::rice().tile(&tile).quantize(lossy)), &pixels)?;
            w.image(&NewImage::new(&shape).compress(Compress::rice().tile(&tile).quantize(Quantize::noise(4.0))), &pixels)
        });
        let read = |n: usize| fits.hdu(n).unwrap().image().unwrap().read::<f32>().unwrap();
        let lossless = read(1);
        prop_assert!(lossless.iter().zip(&pixels).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()));
        for n in [2, 3] {
            prop_assert!(read(n).iter().zip(&pixels).all(|(a, b)| a.is_nan() == b.is_nan()));
        }
        for (a, b) in read(2).into_iter().zip(&pixels) {
            if b.is_finite() {
                // Half a level, and the rounding to single precision of a value that may be far larger.
                let most = f64::from(step) / 2.0 * 1.001 + f64::from(b.abs().max(a.abs()) * f32::EPSILON);
                prop_assert!((f64::from(a) - f64::from(*b)).abs() <= most, "{} {}", a, b);
            }
        }
    }

    #[test]
    fn headers(text in "[ -~]{0,200}", comment in "[ -~]{0,40}", key in "[A-Z][A-Z0-9_-]{0,7}", real in any::<f64>(), integer in any::<i64>()) {
        prop_assume!(!["COMMENT", "HISTORY", "CONTINUE", "END", "HIERARCH"].contains(&&*key));
        let mut header = Header::new();
        header.push(&key, text.as_str(), "").unwrap();
        header.push("ESO A", integer, &comment).unwrap();
        if real.is_finite() {
            header.push("ESO B", real, "").unwrap();
        }
        header.push("LONGTEXT", text.repeat(3), &comment).unwrap_or(());
        let trimmed = text.trim_end();
        prop_assert_eq!(header.get(&key), Some(Value::Text(trimmed.to_owned())));
        prop_assert_eq!(header.integer("ESO A"), Some(integer));
        prop_assert_eq!(header.get("ESO B"), real.is_finite().then_some(Value::Real(real)));
        if let Some(found) = header.text("LONGTEXT") {
            let whole = text.repeat(3);
            prop_assert_eq!(found, whole.trim_end());
        }
    }

    #[test]
    fn tables(
        rows in prop::collection::vec((any::<i64>(), any::<u32>(), any::<u64>(), "[ -~]{0,9}", prop::collection::vec(any::<i16>(), 0..20), any::<Option<bool>>()), 0..40),
        repeat in 1_usize..12,
    ) {
        let long: Vec<i64> = rows.iter().map(|r| r.0).collect();
        let unsigned: Vec<u32> = rows.iter().map(|r| r.1).collect();
        let double: Vec<f64> = rows.iter().map(|r| f64::from_bits(r.2)).collect();
        let text: Vec<String> = rows.iter().map(|r| r.3.trim_end().to_owned()).collect();
        let lists: Vec<Vec<i16>> = rows.iter().map(|r| r.4.clone()).collect();
        let logical: Vec<Option<bool>> = rows.iter().map(|r| r.5).collect();
        let bits: Vec<bool> = (0..repeat * rows.len()).map(|n| n % 3 == 0).collect();
        let vectors: Vec<u8> = (0..repeat * rows.len()).map(|n| n as u8).collect();
        let new = NewTable::new()
            .column(Column::new("K", "K").unwrap())
            .column(Column::new("U", "J").unwrap().unsigned())
            .column(Column::new("D", "D").unwrap())
            .column(Column::new("A", "9A").unwrap())
            .column(Column::new("V", "PI").unwrap())
            .column(Column::new("L", "L").unwrap())
            .column(Column::new("X", &format!("{repeat}X")).unwrap())
            .column(Column::new("B", &format!("{repeat}B")).unwrap());
        let fits = written(|w| w.table(&new, &[&long, &unsigned, &double, &text, &lists, &logical, &bits, &vectors]));
        let table = fits.hdu(1).unwrap().table().unwrap();
        prop_assert_eq!(table.column::<i64>("K").unwrap(), long);
        prop_assert_eq!(table.column::<u32>("U").unwrap(), unsigned);
        let found = table.column::<f64>("D").unwrap();
        prop_assert!(found.iter().zip(&double).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()));
        prop_assert_eq!(table.column::<String>("A").unwrap(), text);
        prop_assert_eq!(table.column::<Vec<i16>>("V").unwrap(), lists);
        prop_assert_eq!(table.column::<Option<bool>>("L").unwrap(), logical);
        prop_assert_eq!(table.column::<bool>("X").unwrap(), bits);
        prop_assert_eq!(table.column::<u8>("B").unwrap(), vectors);
    }
}
