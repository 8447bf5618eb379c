//! Any image and any table: what the writer takes is read back equal, and nothing is wrong with the file. The bytes
//! describe shapes, types, codecs and values.
#![no_main]

use coaddkit_fits::{
    Cell, Cells, Column, Compress, DitherMethod, Error, ErrorClass, Fits, Header, Level, NewImage, NewTable,
    Quantize, Sample, Value, Writer,
};
use libfuzzer_sys::arbitrary::{Arbitrary, Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use std::fmt::Debug;
use std::io::Cursor;

type Sink = Writer<Cursor<Vec<u8>>>;

/// The file, unless the writer refuses; then it must be the caller's fault.
fn written(write: impl FnOnce(&mut Sink) -> std::result::Result<(), Error>) -> Option<Fits> {
    let mut writer = Writer::new(Cursor::new(Vec::new()));
    if let Err(error) = write(&mut writer) {
        assert_eq!(error.class(), ErrorClass::Caller, "{error}");
        return None;
    }
    let fits = Fits::from_source(writer.finish().unwrap().into_inner()).unwrap();
    assert_eq!(fits.verify(Level::Pixels).unwrap(), []);
    Some(fits)
}

/// Runs and noise of values, from few bytes.
fn values<'a, T: Arbitrary<'a> + Copy + Default>(u: &mut Unstructured<'a>, count: usize) -> Result<Vec<T>> {
    let mut all = Vec::with_capacity(count);
    let mut kept = T::default();
    while all.len() < count {
        let run = u.arbitrary::<u8>()?;
        if run % 2 == 0 {
            kept = u.arbitrary()?;
            all.resize((all.len() + usize::from(run / 2) + 1).min(count), kept);
        } else {
            let few = (usize::from(run / 16) + 1).min(count - all.len());
            for _ in 0..few {
                all.push(u.arbitrary()?);
            }
        }
        if u.is_empty() {
            all.resize(count, kept);
        }
    }
    Ok(all)
}

fn codec(u: &mut Unstructured<'_>) -> Result<Compress> {
    Ok(match u.int_in_range(0..=7)? {
        0 => Compress::rice(),
        1 => Compress::rice().block_size(16),
        2 => Compress::gzip_1().level(1),
        3 => Compress::gzip_2(),
        4 => Compress::hcompress(),
        5 => Compress::plio(),
        6 => Compress::nothing(),
        _ => Compress::hcompress().smooth(true),
    })
}

fn image<'a, T: Sample + Arbitrary<'a>>(u: &mut Unstructured<'a>, float: bool) -> Result<()> {
    let axes = u.int_in_range(1..=3)?;
    let side = |u: &mut Unstructured<'a>| u.int_in_range(1..=20_u64);
    let shape = (0..axes).map(|_| side(u)).collect::<Result<Vec<_>>>()?;
    let tile = (0..axes).map(|_| side(u)).collect::<Result<Vec<_>>>()?;
    let mut how = codec(u)?;
    if u.arbitrary()? {
        how = how.tile(&tile);
    }
    let (quantised, plain) = (float && u.arbitrary()?, u.arbitrary()?);
    let step = (f32::from(u.arbitrary::<u16>()?) + 1.0) / 256.0;
    let method = [DitherMethod::None, DitherMethod::Subtractive1, DitherMethod::Subtractive2]
        [u.int_in_range(0..=2)?];
    let noise = u.arbitrary()?;
    if quantised {
        let by = if noise { Quantize::noise(step) } else { Quantize::step(step) };
        how = how.quantize(by.dither(method));
    }
    let pixels: Vec<T> = values(u, shape.iter().product::<u64>() as usize)?;
    let new = NewImage::new(&shape);
    let new = if plain { new } else { new.compress(how) };
    let Some(fits) = written(|w| w.image(&new, &pixels)) else { return Ok(()) };
    let image = fits.hdu(usize::from(!plain)).unwrap().image().unwrap();
    assert_eq!(image.pixel_type(), T::TYPE);
    let found = image.read::<T>().unwrap();
    let same = |a: &T, b: &T| a == b || a != a && b != b;
    for (a, b) in found.iter().zip(&pixels) {
        if !quantised || plain {
            assert!(same(a, b), "{a:?} {b:?}");
            continue;
        }
        // Lossy: nulls are kept, and finite pixels are as near as promised.
        let (a, b): (f64, f64) = (format!("{a:?}").parse().unwrap(), format!("{b:?}").parse().unwrap());
        assert_eq!(a.is_nan(), b.is_nan());
        let eps = if size_of::<T>() == 4 { f64::from(f32::EPSILON) } else { f64::EPSILON };
        if b.is_finite() && !noise {
            let most = 0.5 * f64::from(step) * 1.001 + 8.0 * eps * a.abs().max(b.abs());
            assert!((a - b).abs() <= most, "{a:?} {b:?} {step}");
        }
    }
    Ok(())
}

/// A column of one type with its check.
type Check = Box<dyn Fn(&coaddkit_fits::Table)>;
type Made = (Column, Box<dyn Cells>, Check);

fn column<'a, T>(
    u: &mut Unstructured<'a>,
    name: &str,
    letter: &str,
    unsigned: bool,
    rows: usize,
) -> Result<Made>
where
    T: Cell + Arbitrary<'a> + Copy + Default + Debug + 'static,
    Vec<T>: Cells + Cell,
    Vec<Vec<T>>: Cells,
{
    let form = u.int_in_range(0..=3)?;
    let repeat = usize::from(u.int_in_range(1..=9_u8)?);
    let column = match form {
        0 => Column::new(name, letter),
        1 => Column::new(name, &format!("{repeat}{letter}")),
        2 => Column::new(name, &format!("1P{letter}")),
        _ => Column::new(name, &format!("Q{letter}")),
    };
    let column = column.unwrap();
    let column = if unsigned { column.unsigned() } else { column };
    let owned = name.to_owned();
    // NaN is not equal to itself; its text is.
    if form < 2 {
        let all: Vec<T> = values(u, rows * if form == 0 { 1 } else { repeat })?;
        let want = format!("{all:?}");
        let check =
            move |t: &coaddkit_fits::Table| assert_eq!(format!("{:?}", t.column::<T>(&owned).unwrap()), want);
        return Ok((column, Box::new(all), Box::new(check)));
    }
    let mut all: Vec<Vec<T>> = Vec::new();
    for _ in 0..rows {
        let count = u.int_in_range(0..=12)?;
        all.push(values(u, count)?);
    }
    let want = format!("{all:?}");
    let check = move |t: &coaddkit_fits::Table| {
        assert_eq!(format!("{:?}", t.column::<Vec<T>>(&owned).unwrap()), want)
    };
    Ok((column, Box::new(all), Box::new(check)))
}

fn text(u: &mut Unstructured<'_>) -> Result<String> {
    let length = u.int_in_range(0..=90)?;
    (0..length).map(|_| u.int_in_range(b' '..=b'~').map(char::from)).collect()
}

fn table(u: &mut Unstructured<'_>) -> Result<()> {
    let rows = u.int_in_range(0..=20)?;
    let mut made: Vec<Made> = Vec::new();
    for n in 0..u.int_in_range(1..=6)? {
        let name = format!("C{n}");
        made.push(match u.int_in_range(0..=12)? {
            0 => column::<u8>(u, &name, "B", false, rows)?,
            1 => column::<i8>(u, &name, "B", true, rows)?,
            2 => column::<i16>(u, &name, "I", false, rows)?,
            3 => column::<u16>(u, &name, "I", true, rows)?,
            4 => column::<i32>(u, &name, "J", false, rows)?,
            5 => column::<u32>(u, &name, "J", true, rows)?,
            6 => column::<i64>(u, &name, "K", false, rows)?,
            7 => column::<u64>(u, &name, "K", true, rows)?,
            8 => column::<f32>(u, &name, "E", false, rows)?,
            9 => column::<f64>(u, &name, "D", false, rows)?,
            10 => column::<Option<bool>>(u, &name, "L", false, rows)?,
            11 => column::<bool>(u, &name, "X", false, rows)?,
            _ => column::<[f32; 2]>(u, &name, "C", false, rows)?,
        });
    }
    let mut header = Header::new();
    let (value, comment, real) = (text(u)?, text(u)?, u.arbitrary::<f64>()?);
    header.push("TEXT", value.as_str(), "").unwrap();
    let pushed = header.push("COMMENTD", value.as_str(), &comment).is_ok();
    let number = header.push("REAL", real, "").is_ok();
    assert_eq!(number, real.is_finite());
    let (mut new, mut cells, mut checks) = (NewTable::new().header(header), Vec::new(), Vec::new());
    for (column, values, check) in &made {
        new = new.column(column.clone());
        cells.push(&**values);
        checks.push(check);
    }
    let fits = written(|w| w.table(&new, &cells)).unwrap();
    let hdu = fits.hdu(1).unwrap();
    let table = hdu.table().unwrap();
    assert_eq!(table.rows(), rows as u64);
    checks.iter().for_each(|check| check(&table));
    assert_eq!(hdu.header().text("TEXT").as_deref(), Some(value.trim_end()));
    assert_eq!(hdu.header().text("COMMENTD").is_some(), pushed);
    assert_eq!(hdu.header().get("REAL"), number.then_some(Value::Real(real)));
    Ok(())
}

fn run(bytes: &[u8]) -> Result<()> {
    let u = &mut Unstructured::new(bytes);
    match u.int_in_range(0..=14)? {
        0 => image::<u8>(u, false),
        1 => image::<i8>(u, false),
        2 => image::<i16>(u, false),
        3 => image::<u16>(u, false),
        4 => image::<i32>(u, false),
        5 => image::<u32>(u, false),
        6 => image::<i64>(u, false),
        7 => image::<u64>(u, false),
        8 | 9 => image::<f32>(u, true),
        10 => image::<f64>(u, true),
        _ => table(u),
    }
}

fuzz_target!(|bytes: &[u8]| {
    // Too few bytes describe nothing.
    let _ = run(bytes);
});
