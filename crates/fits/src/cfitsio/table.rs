//! Columns.

use super::Hdu;
use super::raw::{Failure, Handle, Number};
use crate::column::{Column, ColumnType, Form, columns};
use crate::decoder::Decoder;
use crate::error::{Error, ErrorKind};
use crate::read::Cell;
use crate::structure::HduKind;
use crate::values::Values;
use crate::views::{Bits, Logicals, Text};

/// Bytes of a column read at a time.
const BLOCK_BYTES: u64 = 256 << 10;

/// A table HDU, read by CFITSIO.
#[derive(Clone, Debug)]
pub struct Table {
    hdu: Hdu,
    columns: Vec<Column>,
    rows: u64,
}

/// Values of some rows of a column, as CFITSIO gave them.
type Step<'a> = dyn FnMut(Values<'_>, usize) -> Result<(), ErrorKind> + 'a;

/// Why reading stops.
enum Stop {
    Cfitsio(Failure),
    Ours(ErrorKind),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Cfitsio(failure)
    }
}

impl From<ErrorKind> for Stop {
    fn from(kind: ErrorKind) -> Self {
        Self::Ours(kind)
    }
}

impl Table {
    pub(super) fn new(hdu: &Hdu) -> Result<Self, Error> {
        let form = match hdu.kind() {
            HduKind::Table if hdu.structure.compression.is_some() => {
                return Self::new(&hdu.in_memory(Handle::uncompressed_table)?);
            }
            HduKind::Table => Form::Stored,
            HduKind::AsciiTable => Form::Ascii,
            _ => return Err(hdu.wrong("a table")),
        };
        let [rows, row_bytes] = hdu.structure.shape[..] else {
            let problem = format!("is {}, must be 2 for a table", hdu.structure.shape.len());
            return Err(hdu.error(ErrorKind::Header { keyword: "NAXIS".into(), problem }));
        };
        let columns = columns(&hdu.header, form, row_bytes).map_err(|kind| hdu.error(kind))?;
        Ok(Self { hdu: hdu.clone(), columns, rows })
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// All columns in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// A whole column in memory.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::MissingColumn`]; [`ErrorKind::ColumnType`] if `T` is not for this column (see [`Cell`]);
    /// [`ErrorKind::Limit`]; [`ErrorKind::Cfitsio`].
    pub fn column<T: Cell>(&self, name: &str) -> Result<Vec<T>, Error> {
        let exact = self.columns.iter().position(|c| c.name == name);
        let close = || self.columns.iter().position(|c| c.name.eq_ignore_ascii_case(name));
        let index = exact.or_else(close).ok_or_else(|| self.missing(name))?;
        self.column_at(index)
    }

    /// [`Self::column`] by index, from 0.
    ///
    /// # Errors
    ///
    /// As for [`Self::column`]; a missing column is named `#` and its number, from 1.
    pub fn column_at<T: Cell>(&self, index: usize) -> Result<Vec<T>, Error> {
        let column = self.columns.get(index).ok_or_else(|| self.missing(&format!("#{}", index + 1)))?;
        let limit = self.hdu.file.limits.column_bytes;
        let (mut out, mut total) = (Vec::new(), 0_u64);
        let wrong = || {
            let (name, tform) = (column.name.clone(), column.tform.clone());
            ErrorKind::ColumnType { name, tform, wanted: T::WANTED }
        };
        let decoder = Decoder::new(column);
        // That a column of arrays may be had as `T` shows without any values.
        if self.rows > 0 && !T::append(decoder.values(&[], 0), 0, column, &mut out) {
            return Err(self.hdu.error(wrong()));
        }
        let mut step = |values: Values<'_>, rows: usize| {
            total = total.saturating_add(T::bytes(values, rows));
            if total > limit {
                return Err(ErrorKind::Limit { what: "the size of a column", wanted: total, limit });
            }
            if T::append(values, rows, column, &mut out) { Ok(()) } else { Err(wrong()) }
        };
        let mut stopped = None;
        self.hdu.with(|handle| match self.read(handle, index, &decoder, &mut step) {
            Ok(()) => Ok(()),
            Err(Stop::Cfitsio(failure)) => Err(failure),
            Err(Stop::Ours(kind)) => {
                stopped = Some(kind);
                Ok(())
            }
        })?;
        stopped.map_or(Ok(out), |kind| Err(self.hdu.error(kind)))
    }

    fn missing(&self, name: &str) -> Error {
        let found = self.columns.iter().map(|c| c.name.clone()).collect();
        self.hdu.error(ErrorKind::MissingColumn { name: name.to_owned(), found })
    }

    fn read(
        &self,
        handle: &mut Handle,
        index: usize,
        decoder: &Decoder,
        step: &mut Step<'_>,
    ) -> Result<(), Stop> {
        let column = &self.columns[index];
        let limits = &self.hdu.file.limits;
        let mut at = Place { index, row: 0, rows: 1, count: 0 };
        if let Some(element) = column.element {
            while at.row < self.rows {
                at.count = if column.width == 0 { 0 } else { handle.descriptor(index, at.row)? };
                let bytes = element.width(at.count).unwrap_or(u64::MAX);
                if bytes > limits.array_bytes {
                    let (what, limit) = ("the size of a variable-length array", limits.array_bytes);
                    return Err(ErrorKind::Limit { what, wanted: bytes, limit }.into());
                }
                read_block(handle, column, decoder, at, step)?;
                at.row += 1;
            }
            return Ok(());
        }
        if column.width > limits.row_bytes {
            let (what, limit) = ("the row size", limits.row_bytes);
            return Err(ErrorKind::Limit { what, wanted: column.width, limit }.into());
        }
        at.count = column.repeat;
        let most = (BLOCK_BYTES / column.width.max(1)).max(1);
        while at.row < self.rows {
            at.rows = most.min(self.rows - at.row);
            read_block(handle, column, decoder, at, step)?;
            at.row += at.rows;
        }
        Ok(())
    }
}

/// Rows of a column that have the same number of elements each.
#[derive(Clone, Copy)]
struct Place {
    index: usize,
    row: u64,
    rows: u64,
    count: u64,
}

fn read_block(
    handle: &mut Handle,
    column: &Column,
    decoder: &Decoder,
    at: Place,
    step: &mut Step<'_>,
) -> Result<(), Stop> {
    macro_rules! numbers {
        ($variant:ident) => {{
            let values = numbers(handle, column, at)?;
            step(Values::$variant(&values), at.rows as usize)?;
        }};
    }
    match decoder.elements() {
        Values::I8(_) => numbers!(I8),
        Values::U8(_) => numbers!(U8),
        Values::I16(_) => numbers!(I16),
        Values::U16(_) => numbers!(U16),
        Values::I32(_) => numbers!(I32),
        Values::U32(_) => numbers!(U32),
        Values::I64(_) => numbers!(I64),
        Values::U64(_) => numbers!(U64),
        Values::F32(_) => numbers!(F32),
        Values::F64(_) => numbers!(F64),
        Values::C32(_) => numbers!(C32),
        Values::C64(_) => numbers!(C64),
        Values::Text(_) | Values::Arrays(_) => {
            let bytes = handle.text(at.index, at.row, at.rows, at.count)?;
            step(Values::Text(fields(&bytes, at.count)), at.rows as usize)?;
        }
        Values::Logical(_) => {
            let bytes = handle.logicals(at.index, at.row, at.rows, at.count)?;
            step(Values::Logical(Logicals::new(fields(&bytes, at.count))), at.rows as usize)?;
        }
        Values::Bits(_) => {
            let bytes = handle.bits(at.index, at.row, at.rows, at.count)?;
            let stored = fields(&bytes, at.count.div_ceil(8));
            step(Values::Bits(Bits::new(stored, at.count as usize)), at.rows as usize)?;
        }
    }
    Ok(())
}

fn numbers<T: Number>(handle: &mut Handle, column: &Column, at: Place) -> Result<Vec<T>, Failure> {
    let integer = !matches!(column.element.unwrap_or(column.kind), ColumnType::F32 | ColumnType::F64);
    // Asked for nulls, CFITSIO makes infinities NaN and tiny floats zero as well.
    let nullable = column.null.is_some() && integer || column.null_text.is_some();
    let null = nullable.then(T::null);
    let mut out = vec![T::default(); (at.rows * at.count) as usize];
    if !out.is_empty() {
        handle.numbers(at.index, at.row, null, &mut out)?;
    }
    Ok(out)
}

/// A view of fields of `width` bytes each, one after the other; fields without bytes have one between them.
fn fields(bytes: &[u8], width: u64) -> Text<'_> {
    Text::new(bytes, width.max(1) as usize, 0, width as usize)
}
