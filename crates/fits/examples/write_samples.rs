//! Writes one HDU of every kind that the writer knows, for other readers to look at:
//!
//!     cargo run -p coaddkit-fits --example write_samples DIR
//!
//! Beside the FITS files lie `samples.txt`, a line for each HDU, and the values that should be found, as little-endian
//! bytes: `*.raw` what was written, `*.own` what this crate reads.

use coaddkit_fits::{
    Cells, Column, Compress, DitherMethod, Error, Fits, Header, NewImage, NewTable, Quantize, Sample, Value,
    Writer,
};
use std::error::Error as StdError;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

type Done = Result<(), Box<dyn StdError>>;

/// Numbers as NumPy reads them.
trait Little: Sample {
    const CODE: &'static str;
    fn little(values: &[Self]) -> Vec<u8>;
}

macro_rules! little {
    ($($type:ident $code:literal)+) => {$(
        impl Little for $type {
            const CODE: &'static str = $code;
            fn little(values: &[Self]) -> Vec<u8> {
                values.iter().flat_map(|v| v.to_le_bytes()).collect()
            }
        }
    )+};
}

little! { u8 "u1" i8 "i1" u16 "<u2" i16 "<i2" u32 "<u4" i32 "<i4" u64 "<u8" i64 "<i8" f32 "<f4" f64 "<f8" }

struct Samples {
    dir: PathBuf,
    list: String,
}

impl Samples {
    /// One image in a file of its own. `rule`: `exact`, `step=…`, `lossy`; `like`: how python-fitsio makes the same
    /// stream, if it can.
    fn image<T: Little>(
        &mut self,
        name: &str,
        shape: &[u64],
        pixels: &[T],
        set: impl Fn(NewImage) -> NewImage,
        (rule, like): (&str, &str),
    ) -> Done {
        let path = self.dir.join(format!("{name}.fits"));
        let mut header = Header::new();
        header.push("EXTNAME", name.to_ascii_uppercase(), "name of this sample")?;
        header.push("OBJECT", "it's a test", "with a quote")?;
        let mut writer = Writer::create(&path)?;
        writer.primary(&Header::new())?;
        writer.image(&set(NewImage::new(shape).header(header)), pixels)?;
        writer.finish()?;
        let own = Fits::open(&path)?.hdu(1)?.image()?;
        let type_of = |floats: bool| if floats { "<f8" } else { T::CODE };
        // With nulls integers are read as floats.
        let floats = own.pixel_type() != T::TYPE;
        let bytes = if floats { f64::little(&own.read::<f64>()?) } else { T::little(&own.read::<T>()?) };
        fs::write(self.dir.join(format!("{name}.own")), bytes)?;
        fs::write(self.dir.join(format!("{name}.raw")), T::little(pixels))?;
        let shape = shape.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
        let (code, own) = (T::CODE, type_of(floats));
        writeln!(self.list, "image\t{name}\t{code}\t{own}\t{shape}\t{rule}\t{like}")?;
        Ok(())
    }

    fn column(&mut self, table: &str, column: &Column, values: &str) -> Done {
        writeln!(self.list, "column\t{table}\t{}\t{}\t{values}", column.name, column.tform)?;
        Ok(())
    }
}

fn noise(count: usize, seed: u32) -> impl Iterator<Item = u32> {
    (0..count as u32)
        .map(move |i| (i ^ seed).wrapping_mul(2_654_435_761).rotate_left(13).wrapping_mul(0x9e37_79b9))
}

/// A sky: nearly normal noise, some bright pixels, a stretch of exact zeros.
fn sky(count: usize, seed: u32) -> Vec<f32> {
    let four = |n: usize| noise(count, seed + n as u32).map(|v| (v >> 8) as f32 / (1 << 24) as f32 - 0.5);
    let sums = four(1).zip(four(1000)).zip(four(2000).zip(four(3000))).map(|((a, b), (c, d))| a + b + c + d);
    let mut sky: Vec<f32> = sums.map(|v| 0.01 * v).collect();
    for (at, pixel) in sky.iter_mut().enumerate() {
        match at % 1000 {
            77 => *pixel += 10.0,
            300..=370 => *pixel = 0.0,
            _ => {}
        }
    }
    sky
}

fn integers(out: &mut Samples) -> Done {
    macro_rules! each {
        ($type:ident, $extreme:expr) => {{
            let mut pixels: Vec<$type> = noise(53 * 47, 5).map(|v| (v >> 26) as $type).collect();
            let extreme: &[$type] = &$extreme;
            pixels[100..100 + extreme.len()].copy_from_slice(extreme);
            let (name, shape) = (stringify!($type), [53, 47]);
            out.image(&format!("plain_{name}"), &shape, &pixels, |i| i, ("exact", ""))?;
            for (codec, how) in [
                ("rice", Compress::rice()),
                ("rice16", Compress::rice().block_size(16)),
                ("gzip1", Compress::gzip_1()),
                ("gzip2", Compress::gzip_2()),
                ("hcompress", Compress::hcompress()),
                ("nothing", Compress::nothing()),
            ] {
                // RICE_1 and HCOMPRESS_1 have no 64-bit integers.
                if size_of::<$type>() == 8 && !codec.starts_with("gzip") {
                    continue;
                }
                let like = match codec {
                    "rice" | "hcompress" if !matches!(name, "i8" | "u32") => {
                        format!("compress={codec} tile=13,20")
                    }
                    _ => String::new(),
                };
                let tile = |i: NewImage| i.compress(how.clone().tile(&[13, 20]));
                let name = format!("{codec}_{name}");
                // The last tile row has one pixel, too few for HCOMPRESS_1.
                if codec == "hcompress" {
                    let like = like.replace("13,20", "27,20");
                    let tile = |i: NewImage| i.compress(how.clone().tile(&[27, 20]));
                    out.image(&name, &shape, &pixels, tile, ("exact", &like))?;
                } else {
                    out.image(&name, &shape, &pixels, tile, ("exact", &like))?;
                }
            }
        }};
    }
    each!(u8, [0, 255, 0]);
    each!(i8, [-128, 127, 0]);
    each!(i16, [i16::MIN, i16::MAX, 0]);
    each!(u16, [0, u16::MAX, 32768]);
    each!(i32, [i32::MIN / 2, i32::MAX / 2, 0]);
    each!(u32, [0, u32::MAX, 1 << 31]);
    each!(i64, [i64::MIN, i64::MAX, 0]);
    each!(u64, [0, u64::MAX, 1 << 63]);
    let mask: Vec<i32> =
        noise(60 * 50, 9).map(|v| if v >> 28 == 3 { ((v & 7) as i32) << 9 } else { 0 }).collect();
    let narrow: Vec<i16> = mask.iter().map(|&v| v as i16).collect();
    let plio = |i: NewImage| i.compress(Compress::plio().tile(&[10, 50]));
    out.image("plio_i32", &[60, 50], &mask, plio, ("exact", "compress=plio tile=10,50"))?;
    out.image("plio_i16", &[60, 50], &narrow, plio, ("exact", "compress=plio tile=10,50"))?;
    let cube: Vec<i16> = noise(5 * 12 * 14, 1).map(|v| (v >> 22) as i16).collect();
    out.image("cube_plain", &[5, 12, 14], &cube, |i| i, ("exact", ""))?;
    out.image(
        "cube_rice",
        &[5, 12, 14],
        &cube,
        |i| i.compress(Compress::rice().tile(&[2, 5, 7])),
        ("exact", ""),
    )?;
    let null = |i: NewImage| i.blank(3);
    out.image("null_plain", &[5, 12, 14], &cube, null, ("blank=3", ""))?;
    out.image("null_rice", &[5, 12, 14], &cube, |i| null(i).compress(Compress::rice()), ("blank=3", ""))?;
    for (name, how) in
        [("exact", Compress::hcompress().scale(4.0)), ("noise", Compress::hcompress().noise_scale(2.0))]
    {
        let scale = if name == "exact" { "hcomp_scale=-4" } else { "hcomp_scale=2" };
        for smooth in [false, true] {
            let (name, like) = (
                format!("hcompress_lossy_{name}{}", if smooth { "_smooth" } else { "" }),
                format!("compress=hcompress tile=20,25 {scale} smooth={}", u8::from(smooth)),
            );
            let pixels: Vec<i32> = noise(60 * 50, 3).map(|v| (v >> 24) as i32 + 1000).collect();
            let set = |i: NewImage| i.compress(how.clone().smooth(smooth).tile(&[20, 25]));
            out.image(&name, &[60, 50], &pixels, set, ("lossy", &like))?;
        }
    }
    Ok(())
}

fn floats(out: &mut Samples) -> Done {
    let shape = [120, 100];
    let single = sky(120 * 100, 17);
    let double: Vec<f64> = single.iter().map(|&v| f64::from(v) * 1.000_000_1).collect();
    let mut nulls = single.clone();
    nulls[5..9].fill(f32::NAN);
    nulls[4000..4400].fill(f32::NAN);
    // Tiles without noise, with an infinite pixel and of too wide a range.
    let mut odd = single.clone();
    odd[..3000].fill(1.25);
    (odd[5000], odd[9000]) = (f32::INFINITY, 1e30);
    out.image("plain_f32", &shape, &nulls, |i| i, ("exact", ""))?;
    out.image("plain_f64", &shape, &double, |i| i, ("exact", ""))?;
    out.image("scaled", &shape, &double, |i| i.scaled(16, 0.001, 1.0), ("step=0.001", ""))?;
    for (codec, how) in
        [("gzip1", Compress::gzip_1()), ("gzip2", Compress::gzip_2()), ("nothing", Compress::nothing())]
    {
        let lossless = |i: NewImage| i.compress(how.clone().tile(&[25, 30]));
        out.image(&format!("{codec}_f32"), &shape, &nulls, lossless, ("exact", ""))?;
        out.image(&format!("{codec}_f64"), &shape, &double, lossless, ("exact", ""))?;
    }
    for (codec, how) in [
        ("rice", Compress::rice()),
        ("gzip1", Compress::gzip_1()),
        ("gzip2", Compress::gzip_2()),
        ("hcompress", Compress::hcompress()),
    ] {
        for (dither, method) in
            [(0, DitherMethod::None), (1, DitherMethod::Subtractive1), (2, DitherMethod::Subtractive2)]
        {
            for (name, quantize, level) in
                [("step", Quantize::step(1e-4), "-1e-4"), ("noise", Quantize::noise(16.0), "16")]
            {
                let quantize = quantize.dither(method).seed(4711);
                let set = |i: NewImage| i.compress(how.clone().tile(&[25, 30]).quantize(quantize));
                let rule = if name == "step" { "step=1e-4" } else { "lossy" };
                // gzip streams depend on the library; the integers in them do not.
                let like = format!("compress={codec} tile=25,30 qlevel={level} dither={dither} seed=4711");
                // CFITSIO takes the first dither for HCOMPRESS_1 where the second is wanted.
                let like = if codec.starts_with("gzip") || (codec, dither) == ("hcompress", 2) {
                    ""
                } else {
                    &*like
                };
                out.image(&format!("{codec}_f32_{name}_{dither}"), &shape, &single, set, (rule, like))?;
                out.image(&format!("{codec}_f64_{name}_{dither}"), &shape, &double, set, (rule, like))?;
                out.image(&format!("{codec}_nan_{name}_{dither}"), &shape, &nulls, set, (rule, like))?;
                if codec == "rice" {
                    out.image(&format!("{codec}_odd_{name}_{dither}"), &shape, &odd, set, (rule, ""))?;
                }
            }
        }
    }
    // The first and the last seed; after that the sequence starts anew, tile by tile.
    for seed in [1, 10_000] {
        let how =
            Compress::rice().quantize(Quantize::step(1e-3).dither(DitherMethod::Subtractive2).seed(seed));
        let like = format!("compress=rice tile=1,100 qlevel=-1e-3 dither=2 seed={seed}");
        let set = |i: NewImage| i.compress(how.clone());
        out.image(&format!("rice_f32_seed_{seed}"), &shape, &single, set, ("step=1e-3", &like))?;
    }
    // The seed from the first tile, rows as tiles, and tiles whose rows are too short for the noise.
    for (name, tile) in [("rows", [1, 100]), ("narrow", [40, 7])] {
        let set = |i: NewImage| i.compress(Compress::rice().tile(&tile).quantize(Quantize::noise(4.0)));
        let like = format!("compress=rice tile={},{} qlevel=4 dither=1 seed=checksum", tile[0], tile[1]);
        out.image(&format!("rice_f32_{name}"), &shape, &single, set, ("lossy", &like))?;
        out.image(&format!("rice_f64_{name}"), &shape, &double, set, ("lossy", &like))?;
    }
    Ok(())
}

/// Values of a column as text: elements apart by blanks, rows by `;`.
fn text<T: std::fmt::Debug>(values: &[T], each: usize) -> String {
    let rows = values.chunks(each.max(1));
    rows.map(|row| row.iter().map(|v| format!("{v:?}")).collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join(";")
}

fn lists<T: std::fmt::Debug>(values: &[Vec<T>]) -> String {
    values.iter().map(|row| text(row, row.len())).collect::<Vec<_>>().join(";")
}

fn tables(out: &mut Samples) -> Done {
    let c = Column::new;
    let mut columns: Vec<(Column, Box<dyn Cells>, String)> = Vec::new();
    macro_rules! flat {
        ($column:expr, $each:literal, $values:expr) => {{
            let values = $values;
            columns.push(($column, Box::new(values.to_vec()), text(&values, $each)));
        }};
    }
    flat!(c("BYTE", "B")?.with_unit("ct"), 1, [0_u8, 255, 7]);
    flat!(c("SIGNED", "B")?.unsigned(), 1, [0_i8, 127, -128]);
    flat!(c("SHORT", "I")?, 1, [i16::MIN, i16::MAX, 7]);
    flat!(c("USHORT", "I")?.unsigned(), 1, [0_u16, u16::MAX, 7]);
    flat!(c("INT", "J")?, 1, [i32::MIN, i32::MAX, 7]);
    flat!(c("UINT", "J")?.unsigned(), 1, [0_u32, u32::MAX, 7]);
    flat!(c("LONG", "K")?, 1, [i64::MIN, i64::MAX, 7]);
    flat!(c("ULONG", "K")?.unsigned(), 1, [0_u64, u64::MAX, 7]);
    flat!(c("SINGLE", "E")?.with_unit("nmgy"), 1, [0.1_f32, -3.4e38, 1.0e-40]);
    flat!(c("DOUBLE", "D")?.with_unit("deg"), 1, [0.1_f64, -1.7e308, 5e-324]);
    flat!(c("VECTOR", "4E")?, 4, (0..12).map(|v| v as f32 / 3.0).collect::<Vec<_>>());
    flat!(c("SHAPED", "6J")?.with_dim(&[2, 3]), 6, (0..18).collect::<Vec<i32>>());
    flat!(c("SCALED", "I")?.with_scale(0.5, 100.0), 1, [100.5_f64, 99.0, 1000.0]);
    columns.push((
        c("CSINGLE", "C")?,
        Box::new(vec![[1.5_f32, -2.0], [0.0, 1.0], [3.0, 4.0]]),
        "1.5 -2.0;0.0 1.0;3.0 4.0".into(),
    ));
    columns.push((
        c("CDOUBLE", "M")?,
        Box::new(vec![[0.1_f64, -2.0], [0.0, 1.0], [3.0, 4.0]]),
        "0.1 -2.0;0.0 1.0;3.0 4.0".into(),
    ));
    columns.push((c("LOGICAL", "L")?, Box::new([true, false, true]), "1;0;1".into()));
    columns.push((
        c("BITS", "11X")?,
        Box::new((0..33).map(|n| n % 3 == 0).collect::<Vec<bool>>()),
        text(&(0..33).map(|n| u8::from(n % 3 == 0)).collect::<Vec<_>>(), 11),
    ));
    columns.push((c("TEXT", "8A")?, Box::new(["M 31", "", "exactly8"]), "M 31;;exactly8".into()));
    let ints = vec![vec![1_i32, -2, 3], vec![], vec![i32::MAX]];
    let floats = vec![vec![], vec![0.5_f64, 1.5], vec![-1.0]];
    let narrow = vec![vec![0.1_f32; 5], vec![], vec![2.0]];
    let bytes = vec![vec![1_u8, 2], vec![3], vec![4; 9]];
    let longs = vec![vec![i64::MIN], vec![], vec![1, 2]];
    columns.push((c("PINT", "PJ")?, Box::new(ints.clone()), lists(&ints)));
    columns.push((c("QDOUBLE", "1QD")?, Box::new(floats.clone()), lists(&floats)));
    columns.push((c("QSINGLE", "QE")?, Box::new(narrow.clone()), lists(&narrow)));
    columns.push((c("PBYTE", "PB")?, Box::new(bytes.clone()), lists(&bytes)));
    columns.push((c("PLONG", "PK")?, Box::new(longs.clone()), lists(&longs)));
    for (name, part) in [("table_fixed", 0..18), ("table_arrays", 18..23), ("table_all", 0..23)] {
        let (mut new, mut values) = (NewTable::new(), Vec::new());
        let mut header = Header::new();
        header.push("EXTNAME", name.to_ascii_uppercase(), "")?;
        for (column, cells, text) in &columns[part] {
            new = new.column(column.clone());
            values.push(&**cells);
            out.column(name, column, text)?;
        }
        let mut writer = Writer::create(out.dir.join(format!("{name}.fits")))?;
        writer.table(&new.header(header), &values)?;
        writer.finish()?;
    }
    // Nulls, of which every reader has its own idea: only that the file is sound.
    let new = NewTable::new()
        .column(c("LOGICAL", "L")?)
        .column(c("INT", "J")?.with_null(-99))
        .column(c("WORDS", "12A")?.with_dim(&[3, 4]))
        .column(c("PTEXT", "PA")?)
        .column(c("PBITS", "PX")?);
    let mut writer = Writer::create(out.dir.join("table_nulls.fits"))?;
    writer.table(
        &new,
        &[
            &[Some(true), None],
            &[f64::NAN, 5.0],
            &["a", "b", "c", "d", "", "f"],
            &[vec!["hello"], vec![]],
            &[vec![true, false, true], vec![]],
        ],
    )?;
    writer.finish()?;
    Ok(())
}

/// All kinds of cards, to be read as `key<TAB>value` from `samples.txt`.
fn header(out: &mut Samples) -> Done {
    let mut header = Header::new();
    let long = "It's a long story, ".repeat(12);
    let cards: [(&str, Value); 13] = [
        ("LOGICAL", true.into()),
        ("INTEGER", (-42).into()),
        ("BIGINT", i64::MAX.into()),
        ("REAL", 0.1.into()),
        ("SINGLE", 0.1_f32.into()),
        ("HUGE", 1.797_693_134_862_315_7e308.into()),
        ("TINY", f64::MIN_POSITIVE.into()),
        ("ROUND", 1e20.into()),
        ("TEXT", "plain".into()),
        ("QUOTES", "it's ''quoted''".into()),
        ("EMPTY", "".into()),
        ("LONGTEXT", long.trim_end().into()),
        ("ESO DET CHIP1 ID", "CCD-44".into()),
    ];
    for (key, value) in cards {
        writeln!(out.list, "card\theader\t{key}\t{value}")?;
        header.push(key, value, if key == "LONGTEXT" { "the comment" } else { "a comment" })?;
    }
    header.push_comment(
        "a remark that is longer than one card holds, so that it takes a second one to say it all",
    )?;
    header.push_blank();
    header.push_history("made for other readers")?;
    let mut writer = Writer::create(out.dir.join("header.fits"))?;
    writer.primary(&header)?;
    writer.finish()?;
    let mut header = Header::new();
    header.push("CPLX", (1.5, -2.0), "complex")?;
    let mut writer = Writer::create(out.dir.join("complex.fits"))?;
    writer.primary(&header)?;
    writer.finish()?;
    Ok(())
}

/// Everything that comes in pieces.
fn pieces(out: &Samples) -> Result<(), Error> {
    let mut writer = Writer::create(out.dir.join("pieces.fits"))?;
    let mut rows = writer.image_rows::<f32>(&NewImage::new(&[50, 30]))?;
    for row in 0..50 {
        rows.write(&[row as f32; 30])?;
    }
    rows.finish()?;
    let table = NewTable::new().column(Column::new("ID", "K")?).column(Column::new("LIST", "QE")?);
    let mut rows = writer.table_rows(&table)?;
    for chunk in 0..20_i64 {
        rows.write(&[&[chunk, -chunk], &[vec![0.5_f32; chunk as usize], vec![]]])?;
    }
    rows.finish()?;
    writer.finish()?;
    Ok(())
}

fn main() -> Done {
    let dir = std::env::args().nth(1).ok_or("usage: write_samples DIR")?;
    let dir = Path::new(&dir).to_owned();
    fs::create_dir_all(&dir)?;
    let mut out = Samples { dir, list: String::new() };
    integers(&mut out)?;
    floats(&mut out)?;
    tables(&mut out)?;
    header(&mut out)?;
    pieces(&out)?;
    fs::write(out.dir.join("samples.txt"), out.list)?;
    Ok(())
}
