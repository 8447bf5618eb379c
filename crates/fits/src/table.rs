use crate::column::{Column, Form, columns};
use crate::error::{Error, ErrorKind};
use crate::file::Hdu;
use crate::heap::{Buffered, Heap};
use crate::scan::Scan;
use crate::structure::{HduKind, integer_at_least};
use crate::ztable::Tiles;
use std::sync::{Arc, Mutex, PoisonError};

/// A table HDU: its columns and the number of its rows.
///
/// Opening a table reads no data; [`Self::scan`] does.
#[derive(Clone, Debug)]
pub struct Table {
    hdu: Hdu,
    columns: Arc<[Column]>,
    rows: u64,
    row_bytes: u64,
    tiles: Option<Arc<Tiles>>,
    buffered: Arc<Mutex<Option<Arc<Buffered>>>>,
}

impl Table {
    pub(crate) fn new(hdu: &Hdu) -> Result<Self, Error> {
        let form = match hdu.kind() {
            HduKind::Table if hdu.compression().is_some() => Form::Original,
            HduKind::Table => Form::Stored,
            HduKind::AsciiTable => Form::Ascii,
            _ => {
                let kind = ErrorKind::WrongHdu { wanted: "a table", found: hdu.describe() };
                return Err(hdu.error(kind));
            }
        };
        let [mut rows, mut row_bytes] = hdu.shape()[..] else {
            let problem = format!("is {}, must be 2 for a table", hdu.shape().len());
            return Err(hdu.error(ErrorKind::Header { keyword: "NAXIS".into(), problem }));
        };
        if hdu.bitpix() != 8 {
            let problem = format!("is {}, must be 8 for a table", hdu.bitpix());
            return Err(hdu.error(ErrorKind::Header { keyword: "BITPIX".into(), problem }));
        }
        if form == Form::Original {
            let original = |keyword: &str| {
                integer_at_least(hdu.header(), keyword, 0)?.map(i64::unsigned_abs).ok_or_else(|| {
                    ErrorKind::Header { keyword: keyword.to_owned(), problem: "is missing".to_owned() }
                })
            };
            row_bytes = original("ZNAXIS1").map_err(|kind| hdu.error(kind))?;
            rows = original("ZNAXIS2").map_err(|kind| hdu.error(kind))?;
        }
        let columns = columns(hdu.header(), form, row_bytes).map_err(|kind| hdu.error(kind))?;
        let tiles = match form {
            Form::Original => Some(Tiles::new(hdu, &columns, rows).map_err(|kind| hdu.error(kind))?.into()),
            Form::Ascii | Form::Stored => None,
        };
        let buffered = Arc::default();
        Ok(Self { hdu: hdu.clone(), columns: columns.into(), rows, row_bytes, tiles, buffered })
    }

    /// The same table, with columns that are decoded by other rules.
    #[cfg(feature = "arrow")]
    pub(crate) fn with_columns(self, columns: Vec<Column>) -> Self {
        Self { columns: columns.into(), ..self }
    }

    /// How its tiles are stored, where it is compressed.
    pub(crate) fn tiles(&self) -> Option<&Tiles> {
        self.tiles.as_deref()
    }

    pub(crate) fn heap(&self) -> Result<Heap, Error> {
        // A table has two axes, and its size was checked with its structure.
        let rows = self.hdu.shape().iter().product();
        Heap::new(&self.hdu, rows).map_err(|kind| self.hdu.error(kind))
    }

    /// The data of a sequential source, read once.
    pub(crate) fn buffered(&self) -> Result<Arc<Buffered>, Error> {
        let mut slot = self.buffered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(buffered) = &*slot {
            return Ok(Arc::clone(buffered));
        }
        let read = Arc::new(Buffered::read(&self.hdu)?);
        *slot = Some(Arc::clone(&read));
        Ok(read)
    }

    /// The HDU of this table.
    pub fn hdu(&self) -> &Hdu {
        &self.hdu
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes of one row: NAXIS1, or ZNAXIS1 of a tile-compressed table.
    pub fn row_bytes(&self) -> u64 {
        self.row_bytes
    }

    /// All columns in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Index (from 0) of the column with this name.
    ///
    /// A column of exactly this name is preferred; otherwise the first one that differs in case only.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::MissingColumn`], which names the file, the HDU and the columns that are there.
    pub fn index_of(&self, name: &str) -> Result<usize, Error> {
        let exact = self.columns.iter().position(|c| c.name == name);
        let close = || self.columns.iter().position(|c| c.name.eq_ignore_ascii_case(name));
        exact.or_else(close).ok_or_else(|| self.missing(name))
    }

    pub(crate) fn missing(&self, name: &str) -> Error {
        let found = self.columns.iter().map(|c| c.name.clone()).collect();
        self.hdu.error(ErrorKind::MissingColumn { name: name.to_owned(), found })
    }

    /// A scan over all rows, so far without columns.
    pub fn scan(&self) -> Scan {
        Scan::new(self.clone())
    }
}
