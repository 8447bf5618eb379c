//! Which targets: REDSHIFTS of the redrock file, and where they are in the coadd.

use std::collections::HashMap;
use std::path::Path;

use coaddkit_fits::{Chunk, Column, ColumnType, Fits, Scan, Table, Values};
use coaddkit_photometry::{Cut, CutFlow, Text as CutText, Values as CutValues};

use crate::{Error, ErrorKind};

/// A target that is selected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Target {
    pub id: i64,
    pub z: f64,
}

/// Where a target is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fiber {
    pub row: u64,
    pub ra: f64,
    pub dec: f64,
}

/// The targets that the cut keeps, in the order of the table.
pub(crate) fn targets(path: &Path, fits: &Fits, cut: &Cut) -> Result<(Vec<Target>, CutFlow), Error> {
    let table = table(path, fits, "REDSHIFTS")?;
    let at = |e| Error::fits(path, &e);
    let scan = table.scan().columns(cut.columns()).map_err(at)?;
    for name in cut.columns() {
        let column = &table.columns()[table.index_of(name).map_err(at)?];
        if !may_be_cut(column) {
            let what = format!("REDSHIFTS: a cut cannot use {name} of TFORM {}", column.tform);
            return Err(Error::new(ErrorKind::Usage, path, what));
        }
    }
    let n = cut.columns().len();
    let scan = number(path, &table, integer(path, &table, scan, "TARGETID")?, "Z")?;
    let (mut evaluator, mut flow, mut targets) = (cut.evaluator(), cut.flow(), Vec::new());
    let each = |chunk: &Chunk<'_>| {
        let columns: Vec<_> = (0..n).map(|i| for_cut(chunk.values(i))).collect();
        let selected = evaluator
            .select(chunk.rows(), &columns, &mut flow)
            .map_err(|e| Stop::Own(Error::new(ErrorKind::Usage, path, e)))?;
        for &row in selected {
            let row = row as usize;
            targets.push(Target { id: id(chunk, n, row), z: f64_of(chunk, n + 1, row) });
        }
        Ok(())
    };
    scan.for_each(each).map_err(|e: Stop| e.at(path))?;
    Ok((targets, flow))
}

/// Where these targets are in FIBERMAP, one that is not there as `None`; and how many rows FIBERMAP has.
pub(crate) fn fibers(
    path: &Path,
    fits: &Fits,
    targets: &[Target],
) -> Result<(Vec<Option<Fiber>>, u64), Error> {
    let table = table(path, fits, "FIBERMAP")?;
    let mut scan = integer(path, &table, table.scan(), "TARGETID")?;
    for name in ["TARGET_RA", "TARGET_DEC"] {
        scan = number(path, &table, scan, name)?;
    }
    let mut wanted: HashMap<i64, Option<Fiber>> = targets.iter().map(|target| (target.id, None)).collect();
    let each = |chunk: &Chunk<'_>| {
        for row in 0..chunk.rows() {
            let id = id(chunk, 0, row);
            let Some(fiber) = wanted.get_mut(&id) else { continue };
            let found = Fiber {
                row: chunk.first_row() + row as u64,
                ra: f64_of(chunk, 1, row),
                dec: f64_of(chunk, 2, row),
            };
            if let Some(first) = fiber.replace(found) {
                let what = format!("FIBERMAP: TARGETID {id} is in rows {} and {}", first.row, found.row);
                return Err(Stop::Own(Error::bad(path, what)));
            }
        }
        Ok(())
    };
    scan.for_each(each).map_err(|e: Stop| e.at(path))?;
    Ok((targets.iter().map(|target| wanted.get(&target.id).copied().flatten()).collect(), table.rows()))
}

/// Why a scan ended.
enum Stop {
    Fits(coaddkit_fits::Error),
    Own(Error),
}

impl From<coaddkit_fits::Error> for Stop {
    fn from(error: coaddkit_fits::Error) -> Self {
        Self::Fits(error)
    }
}

impl Stop {
    fn at(self, path: &Path) -> Error {
        match self {
            Self::Fits(error) => Error::fits(path, &error),
            Self::Own(error) => error,
        }
    }
}

fn table(path: &Path, fits: &Fits, name: &str) -> Result<Table, Error> {
    fits.hdu_named(name).and_then(|hdu| hdu.table()).map_err(|e| Error::fits(path, &e))
}

/// Adds a column of 64-bit integers that are read as they are stored: null or not, they are exact.
fn integer(path: &Path, table: &Table, scan: Scan, name: &str) -> Result<Scan, Error> {
    let column = column(path, table, name)?;
    #[allow(clippy::float_cmp)] // these are the defaults
    let plain = column.scale == 1.0 && column.zero == 0.0 && column.repeat == 1;
    if column.kind != ColumnType::I64 || !plain {
        return Err(Error::bad(path, format!("{name} is {} and no plain 64-bit integer", column.tform)));
    }
    scan.column(name).map_err(|e| Error::fits(path, &e))
}

/// Adds a column of real numbers.
fn number(path: &Path, table: &Table, scan: Scan, name: &str) -> Result<Scan, Error> {
    let column = column(path, table, name)?;
    if !matches!(column.kind, ColumnType::F32 | ColumnType::F64) || column.repeat != 1 {
        return Err(Error::bad(path, format!("{name} is {} and no real number", column.tform)));
    }
    scan.column(name).map_err(|e| Error::fits(path, &e))
}

fn column<'a>(path: &Path, table: &'a Table, name: &str) -> Result<&'a Column, Error> {
    table.index_of(name).map(|index| &table.columns()[index]).map_err(|e| Error::fits(path, &e))
}

fn id(chunk: &Chunk<'_>, column: usize, row: usize) -> i64 {
    // The width of the column was checked.
    chunk.stored(column).field(row).try_into().map_or(0, i64::from_be_bytes)
}

fn f64_of(chunk: &Chunk<'_>, column: usize, row: usize) -> f64 {
    match chunk.values(column) {
        Values::F32(values) => values[row].into(),
        Values::F64(values) => values[row],
        _ => f64::NAN,
    }
}

fn may_be_cut(column: &Column) -> bool {
    use ColumnType::{AsciiInteger, AsciiReal, F32, F64, I16, I32, I64, Text, U8};
    match column.kind {
        Text => true,
        U8 | I16 | I32 | I64 | F32 | F64 | AsciiInteger | AsciiReal => column.repeat == 1,
        _ => false,
    }
}

/// The two crates do not know each other; a column crosses over as a slice.
fn for_cut(values: Values<'_>) -> CutValues<'_> {
    match values {
        Values::I8(v) => CutValues::I8(v),
        Values::U8(v) => CutValues::U8(v),
        Values::I16(v) => CutValues::I16(v),
        Values::U16(v) => CutValues::U16(v),
        Values::I32(v) => CutValues::I32(v),
        Values::U32(v) => CutValues::U32(v),
        Values::I64(v) => CutValues::I64(v),
        Values::U64(v) => CutValues::U64(v),
        Values::F32(v) => CutValues::F32(v),
        Values::F64(v) => CutValues::F64(v),
        Values::Text(t) => CutValues::Text(CutText::new(t.as_strided(), t.stride(), t.width())),
        // `fits::Values` may grow; `may_be_cut` lets only these through.
        _ => CutValues::F64(&[]),
    }
}
