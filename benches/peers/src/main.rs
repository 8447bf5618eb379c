//! The other FITS readers in Rust: counts of the dereddened cut v3 over sweep files.
//!
//! `coaddkit-peers fitsio|fits-well|fitsio-pure|fitsrs FILE...`
//!
//! Each crate is used as its documentation suggests for a projection of eleven columns, from a memory map where it
//! takes bytes.

use std::collections::HashMap;
use std::fs::File;
use std::io::Cursor;

type Failure = Box<dyn std::error::Error>;

const COLUMNS: [&str; 11] = [
    "BRICKNAME",
    "TYPE",
    "FLUX_R",
    "FLUX_Z",
    "FLUX_W1",
    "MW_TRANSMISSION_R",
    "MW_TRANSMISSION_Z",
    "MW_TRANSMISSION_W1",
    "RA",
    "DEC",
    "MASKBITS",
];

/// What every reader must arrive at.
#[derive(Default)]
struct Totals {
    rows: u64,
    selected: u64,
    clean: u64,
    sky: f64,
    bricks: HashMap<[u8; 8], u64>,
}

impl Totals {
    /// One row: name, fluxes and transmissions in r, z, W1, place, mask bits.
    fn add(&mut self, name: &[u8], flux: [f32; 3], transmission: [f32; 3], place: [f64; 2], bits: i32) {
        self.rows += 1;
        let mut mags = [0.0; 3];
        for b in 0..3 {
            let dereddened = f64::from(flux[b]) / f64::from(transmission[b]);
            mags[b] = if dereddened > 0.0 { 22.5 - 2.5 * dereddened.log10() } else { f64::NAN };
        }
        let [r, z, w1] = mags;
        if z < 20.4 && r - z > 0.4 && z - w1 > 0.8 {
            self.selected += 1;
            self.clean += u64::from(bits == 0);
            self.sky += place[0] + place[1];
            let mut key = [b' '; 8];
            let length = name.len().min(8);
            key[..length].copy_from_slice(&name[..length]);
            *self.bricks.entry(key).or_default() += 1;
        }
    }
}

fn map(path: &str) -> Result<memmap2::Mmap, Failure> {
    let file = File::open(path)?;
    // SAFETY: the benchmark does not change its files while it reads them.
    Ok(unsafe { memmap2::Mmap::map(&file)? })
}

/// The Rust crate over CFITSIO.
fn with_fitsio(path: &str, totals: &mut Totals) -> Result<(), Failure> {
    let mut file = fitsio::FitsFile::open(path)?;
    let table = file.hdu(1)?;
    let names: Vec<String> = table.read_col(&mut file, COLUMNS[0])?;
    let _types: Vec<String> = table.read_col(&mut file, COLUMNS[1])?;
    let mut floats = Vec::new();
    for column in &COLUMNS[2..8] {
        floats.push(table.read_col::<f32>(&mut file, column)?);
    }
    let ra: Vec<f64> = table.read_col(&mut file, COLUMNS[8])?;
    let dec: Vec<f64> = table.read_col(&mut file, COLUMNS[9])?;
    let bits: Vec<i32> = table.read_col(&mut file, COLUMNS[10])?;
    for i in 0..names.len() {
        let three = |from: usize| std::array::from_fn(|b| floats[from + b][i]);
        totals.add(names[i].as_bytes(), three(0), three(3), [ra[i], dec[i]], bits[i]);
    }
    Ok(())
}

fn with_fits_well(path: &str, totals: &mut Totals) -> Result<(), Failure> {
    use fits_well::table::{ColumnData, SelectedData};
    let bytes = map(path)?;
    let mut reader = fits_well::FitsReader::from_bytes(&bytes)?;
    let selected = reader.read_table_columns(1_usize, .., COLUMNS)?;
    let mut columns = selected.columns.iter().map(|column| match &column.data {
        SelectedData::Fixed(data) => Ok(data),
        _ => Err("fits-well: a column of fixed width was expected"),
    });
    let mut next = || columns.next().ok_or("fits-well: a column is missing")?;
    let (ColumnData::Character(names), ColumnData::Character(_)) = (next()?, next()?) else {
        return Err("fits-well: names are not text".into());
    };
    let mut floats = Vec::new();
    for _ in 0..6 {
        let ColumnData::F32(values) = next()? else { return Err("fits-well: fluxes are not f32".into()) };
        floats.push(values);
    }
    let (ColumnData::F64(ra), ColumnData::F64(dec), ColumnData::I32(bits)) = (next()?, next()?, next()?) else {
        return Err("fits-well: places or bits have another type".into());
    };
    for i in 0..ra.len() {
        let three = |from: usize| std::array::from_fn(|b| floats[from + b][i]);
        totals.add(&names[8 * i..8 * i + 8], three(0), three(3), [ra[i], dec[i]], bits[i]);
    }
    Ok(())
}

fn with_fitsio_pure(path: &str, totals: &mut Totals) -> Result<(), Failure> {
    use fitsio_pure::bintable::{BinaryColumnData, parse_binary_table_columns, read_binary_column};
    use fitsio_pure::hdu::{HduInfo, parse_fits};
    let bytes = map(path)?;
    let file = parse_fits(&bytes).map_err(|e| format!("{e:?}"))?;
    let hdu = file.get(1).ok_or("fitsio-pure: no second HDU")?;
    let HduInfo::BinaryTable { tfields, .. } = hdu.info else { return Err("fitsio-pure: no table".into()) };
    let columns = parse_binary_table_columns(&hdu.cards, tfields).map_err(|e| format!("{e:?}"))?;
    let read = |name: &str| {
        let index = columns.iter().position(|c| c.name.as_deref() == Some(name)).ok_or("no such column")?;
        read_binary_column(&bytes, hdu, index).map_err(|e| format!("{e:?}"))
    };
    let (BinaryColumnData::Ascii(names), BinaryColumnData::Ascii(_)) = (read(COLUMNS[0])?, read(COLUMNS[1])?) else {
        return Err("fitsio-pure: names are not text".into());
    };
    let mut floats = Vec::new();
    for name in &COLUMNS[2..8] {
        let BinaryColumnData::Float(values) = read(name)? else { return Err("fitsio-pure: no f32".into()) };
        floats.push(values);
    }
    let (BinaryColumnData::Double(ra), BinaryColumnData::Double(dec), BinaryColumnData::Int(bits)) =
        (read("RA")?, read("DEC")?, read("MASKBITS")?)
    else {
        return Err("fitsio-pure: places or bits have another type".into());
    };
    for i in 0..ra.len() {
        let three = |from: usize| std::array::from_fn(|b| floats[from + b][i]);
        totals.add(names[i].as_bytes(), three(0), three(3), [ra[i], dec[i]], bits[i]);
    }
    Ok(())
}

/// fitsrs yields one value (of text, one character) at a time, in the order of the file: BRICKNAME, TYPE, RA, DEC,
/// the fluxes, the transmissions, MASKBITS.
fn with_fitsrs(path: &str, totals: &mut Totals) -> Result<(), Failure> {
    use fitsrs::hdu::data::bintable::{ColumnId, DataValue};
    let bytes = map(path)?;
    let mut file = fitsrs::Fits::from_reader(Cursor::new(&bytes[..]));
    while let Some(hdu) = file.next() {
        let fitsrs::HDU::XBinaryTable(hdu) = hdu? else { continue };
        let mut table = file.get_data(&hdu).table_data();
        table.select_fields(&COLUMNS.map(ColumnId::Name));
        let mut text = Vec::new();
        let mut floats = Vec::new();
        let mut place = Vec::new();
        for value in table {
            match value {
                DataValue::Character { value, .. } => text.push(value as u8),
                DataValue::Float { value, .. } => floats.push(value),
                DataValue::Double { value, .. } => place.push(value),
                DataValue::Integer { value, .. } => {
                    let three = |from: usize| std::array::from_fn(|b| floats[from + b]);
                    totals.add(&text[..8], three(0), three(3), [place[0], place[1]], value);
                    text.clear();
                    floats.clear();
                    place.clear();
                }
                _ => return Err("fitsrs: a value of an unexpected type".into()),
            }
        }
    }
    Ok(())
}

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let usage = "coaddkit-peers fitsio|fits-well|fitsio-pure|fitsrs FILE...";
    let (reader, paths) = args.split_first().filter(|(_, paths)| !paths.is_empty()).ok_or(usage)?;
    let read: fn(&str, &mut Totals) -> Result<(), Failure> = match reader.as_str() {
        "fitsio" => with_fitsio,
        "fits-well" => with_fits_well,
        "fitsio-pure" => with_fitsio_pure,
        "fitsrs" => with_fitsrs,
        _ => return Err(usage.into()),
    };
    let mut totals = Totals::default();
    for path in paths {
        read(path, &mut totals)?;
    }
    let Totals { rows, selected, clean, sky, bricks } = totals;
    println!("rows={rows} lrg={selected} bricks={} clean={clean} sky={sky:.6}", bricks.len());
    Ok(())
}
