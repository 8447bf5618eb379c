//! Sweep catalogues, column by column.

use std::path::Path;

use coaddkit_fits::{Chunk as FitsChunk, ColumnType, Fits, Scan, Table, Values};

use crate::{Error, ErrorClass};

/// Columns without which a sweep is of no use.
pub(super) const REQUIRED: [&str; 13] = [
    "brickname",
    "objid",
    "type",
    "ra",
    "dec",
    "nobs_g",
    "nobs_r",
    "nobs_z",
    "maskbits",
    "flux_g",
    "flux_r",
    "flux_z",
    "flux_w1",
];

/// Columns of single precision that are null where a sweep lacks them, in the order of the pool.
pub(super) const OPTIONAL: [&str; 17] = [
    "psfsize_g",
    "psfsize_r",
    "psfsize_z",
    "psfdepth_g",
    "psfdepth_r",
    "psfdepth_z",
    "galdepth_g",
    "galdepth_r",
    "galdepth_z",
    "ebv",
    "mw_transmission_g",
    "mw_transmission_r",
    "mw_transmission_z",
    "shape_r",
    "shape_e1",
    "shape_e2",
    "sersic",
];

/// The one further column that may be absent.
const FITBITS: &str = "fitbits";

/// HDU 1 of a file.
pub(super) struct Sweep {
    name: String,
    scan: Scan,
    /// Where each column stands in the projection.
    columns: Vec<&'static str>,
    rows: u64,
    pub absent: Vec<&'static str>,
}

/// Some of its rows.
pub(super) struct Chunk<'a> {
    sweep: &'a Sweep,
    inner: &'a FitsChunk<'a>,
}

impl Sweep {
    pub fn open(path: &Path) -> Result<Self, Error> {
        let table = Fits::open(path)?.hdu(1)?.table()?;
        let mut columns = Vec::new();
        let mut scan = table.scan();
        for name in REQUIRED {
            check(&table, name)?;
            scan = scan.column(name)?;
            columns.push(name);
        }
        let mut absent = Vec::new();
        for name in OPTIONAL.into_iter().chain([FITBITS]) {
            if table.index_of(name).is_err() {
                absent.push(name);
                continue;
            }
            check(&table, name)?;
            scan = scan.column(name)?;
            columns.push(name);
        }
        if table.rows() > i32::MAX as u64 {
            return Err(Error::new(ErrorClass::Limit, "more than 2^31 rows"));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { name, scan, columns, rows: table.rows(), absent })
    }

    /// Name of the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// All rows, in order.
    pub fn chunks(&self, mut each: impl FnMut(&Chunk<'_>) -> Result<(), Error>) -> Result<(), Error> {
        self.scan.for_each(|inner| each(&Chunk { sweep: self, inner }))
    }
}

/// Text where text belongs, one number elsewhere.
fn check(table: &Table, name: &str) -> Result<(), Error> {
    let column = &table.columns()[table.index_of(name)?];
    let text = ["brickname", "type"].contains(&name);
    let number = matches!(
        column.kind,
        ColumnType::U8
            | ColumnType::I16
            | ColumnType::I32
            | ColumnType::I64
            | ColumnType::F32
            | ColumnType::F64
    );
    if (text && column.kind == ColumnType::Text) || (!text && number && column.repeat == 1) {
        return Ok(());
    }
    let wanted = if text { "text" } else { "one number a row" };
    Err(Error::new(
        ErrorClass::BadData,
        format!("HDU 1: column {name} is {}, must be {wanted}", column.tform),
    ))
}

impl<'a> Chunk<'a> {
    pub fn rows(&self) -> usize {
        self.inner.rows()
    }

    /// The number of a row in its file.
    pub fn row(&self, row: usize) -> Result<i32, Error> {
        i32::try_from(self.inner.first_row() + row as u64)
            .map_err(|_| self.bad(row, "has no number of 32 bits"))
    }

    pub fn bad(&self, row: usize, what: impl std::fmt::Display) -> Error {
        Error::new(ErrorClass::BadData, format!("HDU 1, row {}: {what}", self.inner.first_row() + row as u64))
    }

    /// A column, if the sweep has it.
    pub fn values(&self, name: &str) -> Option<Values<'a>> {
        let place = self.sweep.columns.iter().position(|column| *column == name)?;
        Some(self.inner.values(place))
    }

    /// The bytes of a text column, without blanks at the end.
    pub fn bytes(&self, name: &str, row: usize) -> &'a [u8] {
        match self.values(name) {
            Some(Values::Text(text)) => text.get(row),
            _ => &[],
        }
    }

    pub fn text(&self, name: &str, row: usize) -> Result<String, Error> {
        let bytes = self.bytes(name, row);
        let plain = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_graphic);
        if !plain {
            return Err(self.bad(row, format_args!("{name} is '{}'", bytes.escape_ascii())));
        }
        Ok(bytes.iter().map(|&b| char::from(b)).collect())
    }

    /// A column of doubles, without a copy where it has them.
    pub fn f64s(&self, name: &str) -> Result<std::borrow::Cow<'a, [f64]>, Error> {
        match self.values(name) {
            Some(Values::F64(values)) => Ok(values.into()),
            Some(values) => Ok((0..self.rows()).map(|row| number(values, row)).collect::<Vec<_>>().into()),
            None => Err(Error::usage(format!("no column {name}"))),
        }
    }

    /// A whole number that fits 32 bits.
    pub fn i32(&self, name: &str, row: usize) -> Result<i32, Error> {
        match self.values(name) {
            Some(Values::I32(v)) => Ok(v[row]),
            Some(Values::I16(v)) => Ok(v[row].into()),
            Some(Values::U8(v)) => Ok(v[row].into()),
            Some(values) => {
                let value = number(values, row);
                if value.fract() == 0.0 && (-2_147_483_648.0..=2_147_483_647.0).contains(&value) {
                    Ok(value as i32)
                } else {
                    Err(self.bad(row, format_args!("{name} is {value}, which is no whole number of 32 bits")))
                }
            }
            None => Err(Error::usage(format!("no column {name}"))),
        }
    }
}

/// A number as a double; what is none was refused when the sweep was opened.
pub(super) fn number(values: Values<'_>, row: usize) -> f64 {
    match values {
        Values::I8(v) => v[row].into(),
        Values::U8(v) => v[row].into(),
        Values::I16(v) => v[row].into(),
        Values::U16(v) => v[row].into(),
        Values::I32(v) => v[row].into(),
        Values::U32(v) => v[row].into(),
        Values::I64(v) => v[row] as f64,
        Values::U64(v) => v[row] as f64,
        Values::F32(v) => v[row].into(),
        Values::F64(v) => v[row],
        _ => f64::NAN,
    }
}

/// The class of a type: itself if it is one of SER, DEV and REX.
pub(super) fn type_bin<'a>(types: &'a [String], name: &str) -> &'a str {
    const BINS: [&str; 3] = ["SER", "DEV", "REX"];
    match types.iter().find(|t| *t == name && BINS.contains(&t.as_str())) {
        Some(found) => found,
        None => "OTHER",
    }
}
