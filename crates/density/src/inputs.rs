//! Reading what regions are made of: a table of bricks, and counts.

use crate::error::FileError;
use crate::regions::{BrickRow, Quality};
use coaddkit_fits::{Chunk, Column, ColumnType, ErrorKind, Fits, Table, Values};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// Columns of every brick, and then those that only some tables have.
const PLACE: [&str; 6] = ["ra", "dec", "ra1", "ra2", "dec1", "dec2"];
const QUALITY: [&str; 7] =
    ["psfsize_g", "psfsize_r", "psfsize_z", "psfdepth_g", "psfdepth_r", "psfdepth_z", "ebv"];

/// Reads a survey-bricks table (HDU 1 of a FITS file, also gzipped).
///
/// Column names are taken without case. Measurements that the table lacks become NaN, except those that `quality`
/// cuts on, which must be there.
///
/// # Errors
///
/// When the file cannot be read, is no such table, or lacks a column; the error names the file and the columns that
/// it has.
pub fn read_bricks(path: &Path, quality: &Quality) -> Result<Vec<BrickRow>, FileError> {
    let table = Fits::open(path)?.hdu(1)?.table()?;
    let needed = [
        ("psfsize_r", quality.max_psfsize_r_arcsec.is_some()),
        ("psfdepth_r", quality.min_psfdepth_r_mag.is_some()),
        ("ebv", quality.max_ebv_mag.is_some()),
    ];
    let is_needed = |name: &str| needed.iter().any(|&(n, needed)| n == name && needed);
    let wrong_type = |column: &Column, wanted| {
        let (name, tform) = (column.name.clone(), column.tform.clone());
        FileError::bad_data(path, format_args!("HDU 1: {}", ErrorKind::ColumnType { name, tform, wanted }))
    };
    let mut scan = table.scan().column("brickname")?;
    let name = &table.columns()[table.index_of("brickname")?];
    if name.kind != ColumnType::Text {
        return Err(wrong_type(name, "text"));
    }
    let mut here = Vec::new();
    for name in PLACE.into_iter().chain(QUALITY) {
        let optional = QUALITY.contains(&name) && !is_needed(name);
        if optional && table.index_of(name).is_err() {
            continue;
        }
        let column = &table.columns()[table.index_of(name)?];
        let bytes = matches!(column.kind, ColumnType::Text | ColumnType::Logical | ColumnType::Bit);
        if bytes || column.repeat != 1 {
            return Err(wrong_type(column, "one number a row"));
        }
        scan = scan.column(name)?;
        here.push(name);
    }
    let mut bricks = Vec::new();
    scan.for_each(|chunk| append(path, &table, chunk, &here, &mut bricks))?;
    Ok(bricks)
}

fn append(
    path: &Path,
    table: &Table,
    chunk: &Chunk<'_>,
    columns: &[&str],
    bricks: &mut Vec<BrickRow>,
) -> Result<(), FileError> {
    let numbers: Vec<Vec<f64>> = (0..columns.len()).map(|i| numbers(chunk.values(i + 1))).collect();
    let Values::Text(names) = chunk.values(0) else { return Ok(()) };
    for row in 0..chunk.rows() {
        let number = |name: &str| {
            let column = columns.iter().position(|&c| c == name);
            column.and_then(|c| numbers[c].get(row).copied()).unwrap_or(f64::NAN)
        };
        let stored = |name: &str| number(name) as f32;
        let name = names.get(row);
        let brickname = std::str::from_utf8(name)
            .ok()
            .filter(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_graphic()));
        let Some(brickname) = brickname else {
            let (at, hdu) = (chunk.first_row() + row as u64, table.hdu().index());
            let name = name.escape_ascii();
            return Err(FileError::bad_data(
                path,
                format_args!("HDU {hdu}, row {at}: '{name}' is not a brick name"),
            ));
        };
        bricks.push(BrickRow {
            brickname: brickname.to_owned(),
            ra_deg: number("ra"),
            dec_deg: number("dec"),
            ra1_deg: number("ra1"),
            ra2_deg: number("ra2"),
            dec1_deg: number("dec1"),
            dec2_deg: number("dec2"),
            psfsize_arcsec: [stored("psfsize_g"), stored("psfsize_r"), stored("psfsize_z")],
            psfdepth_mag: [stored("psfdepth_g"), stored("psfdepth_r"), stored("psfdepth_z")],
            ebv_mag: stored("ebv"),
        });
    }
    Ok(())
}

/// Any number as a double; what is none was refused before the scan.
fn numbers(values: Values<'_>) -> Vec<f64> {
    match values {
        Values::I8(v) => v.iter().map(|&v| v.into()).collect(),
        Values::U8(v) => v.iter().map(|&v| v.into()).collect(),
        Values::I16(v) => v.iter().map(|&v| v.into()).collect(),
        Values::U16(v) => v.iter().map(|&v| v.into()).collect(),
        Values::I32(v) => v.iter().map(|&v| v.into()).collect(),
        Values::U32(v) => v.iter().map(|&v| v.into()).collect(),
        Values::I64(v) => v.iter().map(|&v| v as f64).collect(),
        Values::U64(v) => v.iter().map(|&v| v as f64).collect(),
        Values::F32(v) => v.iter().map(|&v| v.into()).collect(),
        Values::F64(v) => v.to_vec(),
        _ => Vec::new(),
    }
}

/// Reads counts per brick: CSV, also gzipped, with the columns `brickname` and `lrg_count`, names without case.
///
/// # Errors
///
/// When the file cannot be read, lacks a column, or has a line that gives no name and whole number; the error names
/// the line.
pub fn read_counts(path: &Path) -> Result<Vec<(String, u64)>, FileError> {
    let reader = |e: io::Error| match e.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
            FileError::bad_data(path, e)
        }
        _ => FileError::reader(path, &e),
    };
    let mut file = BufReader::new(File::open(path).map_err(reader)?);
    let gzip = file.fill_buf().map_err(reader)?.starts_with(&[0x1f, 0x8b]);
    let text: Box<dyn Read> = if gzip { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut lines = (1_u64..).zip(BufReader::new(text).lines());
    let header = match lines.next() {
        Some((_, line)) => line.map_err(reader)?,
        None => {
            return Err(FileError::bad_data(
                path,
                "the file is empty; a header with brickname and lrg_count is missing",
            ));
        }
    };
    let names: Vec<_> = header.trim_start_matches('\u{feff}').split(',').map(cell).collect();
    let column = |wanted: &str| {
        names.iter().position(|name| name.eq_ignore_ascii_case(wanted)).ok_or_else(|| {
            let found = names.join(", ");
            FileError::bad_data(path, format_args!("line 1: no column {wanted}; the columns are: {found}"))
        })
    };
    let (name, count) = (column("brickname")?, column("lrg_count")?);
    let mut counts = Vec::new();
    for (number, line) in lines {
        let line = line.map_err(reader)?;
        if line.trim().is_empty() {
            continue;
        }
        let cells: Vec<_> = line.split(',').map(cell).collect();
        let parsed = cells
            .get(name)
            .zip(cells.get(count))
            .and_then(|(name, n)| Some(((*name).to_owned(), n.parse().ok()?)));
        match parsed {
            Some((name, n)) if cells.len() == names.len() && !name.is_empty() => counts.push((name, n)),
            _ => {
                let what = format_args!("line {number}: '{line}' is not a brick name and a count");
                return Err(FileError::bad_data(path, what));
            }
        }
    }
    Ok(counts)
}

/// A CSV cell without blanks and quotes around it; names and numbers need no more.
fn cell(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text)
}
