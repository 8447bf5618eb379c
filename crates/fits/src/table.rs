use crate::column::{Column, columns};
use crate::error::{Error, ErrorKind};
use crate::file::Hdu;
use crate::scan::Scan;
use crate::structure::HduKind;
use std::sync::Arc;

/// A table HDU: its columns and the number of its rows.
///
/// Opening a table reads no data; [`Self::scan`] does.
#[derive(Clone, Debug)]
pub struct Table {
    hdu: Hdu,
    columns: Arc<[Column]>,
    rows: u64,
    row_bytes: u64,
}

impl Table {
    pub(crate) fn new(hdu: &Hdu) -> Result<Self, Error> {
        let ascii = match hdu.kind() {
            HduKind::Table => false,
            HduKind::AsciiTable => true,
            _ => {
                let kind = ErrorKind::WrongHdu { wanted: "a table", found: hdu.describe() };
                return Err(hdu.error(kind));
            }
        };
        let [mut rows, row_bytes] = hdu.shape()[..] else {
            let problem = format!("is {}, must be 2 for a table", hdu.shape().len());
            return Err(hdu.error(ErrorKind::Header { keyword: "NAXIS".into(), problem }));
        };
        if hdu.bitpix() != 8 {
            let problem = format!("is {}, must be 8 for a table", hdu.bitpix());
            return Err(hdu.error(ErrorKind::Header { keyword: "BITPIX".into(), problem }));
        }
        let columns = columns(hdu.header(), ascii, row_bytes).map_err(|kind| hdu.error(kind))?;
        if hdu.compression().is_some() {
            rows = hdu.header().integer("ZNAXIS2").and_then(|n| n.try_into().ok()).ok_or_else(|| {
                let problem = "is missing or no count of rows".to_owned();
                hdu.error(ErrorKind::Header { keyword: "ZNAXIS2".into(), problem })
            })?;
        }
        Ok(Self { hdu: hdu.clone(), columns: columns.into(), rows, row_bytes })
    }

    /// The HDU of this table.
    pub fn hdu(&self) -> &Hdu {
        &self.hdu
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes of one row, NAXIS1.
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
