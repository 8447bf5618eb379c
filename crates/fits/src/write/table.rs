//! Binary tables.

use super::fields::{Cells, Place};
use super::heap::Heap;
use super::{Stream, Writer, unwritable};
use crate::column::{Column, ColumnType};
use crate::error::Error;
use crate::header::Header;
use crate::limits::Limits;
use std::io::{Seek, Write};

/// Bytes of rows made at a time.
const BLOCK_BYTES: usize = 64 << 10;

/// A binary table to be written: its columns and its header.
///
/// # References
///
/// FITS 4.0, section 7.3.
#[derive(Clone, Debug, Default)]
pub struct NewTable {
    columns: Vec<Column>,
    header: Header,
}

impl NewTable {
    /// A table without columns.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a column. One of another [`Table`](crate::Table) does as well.
    #[must_use]
    pub fn column(mut self, column: Column) -> Self {
        self.columns.push(column);
        self
    }

    /// Cards of the caller, EXTNAME among them.
    #[must_use]
    pub fn header(mut self, header: Header) -> Self {
        self.header = header;
        self
    }

    /// Checks everything that is not a value, and lays out the rows.
    fn plan(&self) -> Result<Plan, Error> {
        self.header.check_writable()?;
        if self.columns.len() > 999 {
            return Err(unwritable(
                "a table",
                format!("it has {} columns, at most 999 are allowed", self.columns.len()),
            ));
        }
        let mut columns = self.columns.clone();
        let mut offset = 0_u64;
        for index in 0..columns.len() {
            let (before, rest) = columns.split_at_mut(index);
            let column = &mut rest[0];
            let refuse = |problem: String| unwritable(format!("column {}", column.name), problem);
            if !column.name.is_empty() && before.iter().any(|c| c.name.eq_ignore_ascii_case(&column.name)) {
                return Err(refuse("there is another one of that name".into()));
            }
            let of = column.element.unwrap_or(column.kind);
            let integer = matches!(of, ColumnType::U8 | ColumnType::I16 | ColumnType::I32 | ColumnType::I64);
            let number = integer
                || matches!(of, ColumnType::F32 | ColumnType::F64 | ColumnType::C32 | ColumnType::C64);
            if matches!(of, ColumnType::AsciiInteger | ColumnType::AsciiReal) {
                return Err(refuse(format!("{} is a format of ASCII tables", column.tform)));
            }
            let scaled = column.scale != 1.0 || column.zero != 0.0;
            if scaled && (!number || column.scale == 0.0 || !(column.scale * column.zero).is_finite()) {
                return Err(refuse(format!("TSCAL is {} and TZERO {}", column.scale, column.zero)));
            }
            if column.null.is_some() && !integer {
                return Err(refuse(format!("{} has no null value", column.tform)));
            }
            if let Some(dim) = &column.dim {
                let size = dim.iter().try_fold(1_u64, |all, &n| all.checked_mul(n));
                if dim.is_empty() || column.element.is_none() && size.is_none_or(|n| n > column.repeat) {
                    return Err(refuse(format!("{dim:?} is no shape of {} elements", column.repeat)));
                }
            }
            column.offset = offset;
            offset = offset.saturating_add(column.width);
            let limit = Limits::default().row_bytes;
            if offset > limit {
                return Err(unwritable("a table", format!("its rows have more than {limit} bytes")));
            }
        }
        Ok(Plan { columns, stride: offset as usize })
    }
}

/// The layout of the rows.
#[derive(Debug)]
struct Plan {
    columns: Vec<Column>,
    stride: usize,
}

impl Plan {
    /// All cards; `longest` has the elements of the longest array of each column.
    fn cards(&self, header: &Header, rows: u64, heap: u64, longest: &[u64]) -> Result<Header, Error> {
        let mut cards = Header::new();
        cards.push("XTENSION", "BINTABLE", "")?;
        cards.push("BITPIX", 8, "")?;
        cards.push("NAXIS", 2, "")?;
        cards.push("NAXIS1", self.stride as i64, "bytes of a row")?;
        cards.push("NAXIS2", rows as i64, "rows")?;
        cards.push("PCOUNT", heap as i64, "bytes of the heap")?;
        cards.push("GCOUNT", 1, "")?;
        cards.push("TFIELDS", self.columns.len() as i64, "columns")?;
        for ((n, column), longest) in (1..).zip(&self.columns).zip(longest) {
            let key = |stem: &str| format!("{stem}{n}");
            if !column.name.is_empty() {
                cards.push(&key("TTYPE"), column.name.as_str(), "")?;
            }
            let form = match column.element {
                Some(_) => {
                    // Without a longest array of another table.
                    let bare = column.tform.split('(').next().unwrap_or_default().trim();
                    format!("{bare}({longest})")
                }
                None => column.tform.clone(),
            };
            cards.push(&key("TFORM"), form, "")?;
            if let Some(unit) = &column.unit {
                cards.push(&key("TUNIT"), unit.as_str(), "")?;
            }
            if column.scale != 1.0 {
                cards.push(&key("TSCAL"), column.scale, "")?;
            }
            if column.zero != 0.0 {
                super::image::push_zero(&mut cards, &key("TZERO"), column.zero)?;
            }
            if let Some(null) = column.null {
                cards.push(&key("TNULL"), null, "")?;
            }
            if let Some(dim) = &column.dim {
                let axes: Vec<String> = dim.iter().rev().map(u64::to_string).collect();
                cards.push(&key("TDIM"), format!("({})", axes.join(",")), "")?;
            }
        }
        cards.append(header);
        Ok(cards)
    }

    /// Rows that all columns have values for.
    fn rows(&self, values: &[&dyn Cells]) -> Result<u64, Error> {
        if values.len() != self.columns.len() {
            let problem =
                format!("it has {} columns, values are given for {}", self.columns.len(), values.len());
            return Err(unwritable("a table", problem));
        }
        let mut rows = None;
        for (column, values) in self.columns.iter().zip(values) {
            let refuse = |problem| unwritable(format!("column {}", column.name), problem);
            let Some(found) = values.rows(column).map_err(refuse)? else { continue };
            if *rows.get_or_insert(found) != found {
                let wanted = rows.unwrap_or_default();
                return Err(refuse(format!("it has {found} rows, those before it have {wanted}")));
            }
        }
        Ok(rows.unwrap_or(0) as u64)
    }

    /// Turns values into rows, block by block. `first` is the number of the first row in the table.
    fn blocks(
        &self,
        values: &[&dyn Cells],
        first: u64,
        heap_start: u64,
        longest: &mut [u64],
        mut block: impl FnMut(&[u8], &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let rows = self.rows(values)? as usize;
        let step = (BLOCK_BYTES / self.stride.max(1)).max(1);
        let (mut buffer, mut heap, mut bytes, mut heap_start) =
            (Vec::new(), Vec::new(), Vec::new(), heap_start);
        for start in (0..rows).step_by(step) {
            let end = (start + step).min(rows);
            buffer.clear();
            buffer.resize((end - start) * self.stride, 0);
            for ((column, values), longest) in self.columns.iter().zip(values).zip(longest.iter_mut()) {
                let mut place = Place {
                    rows: &mut buffer,
                    stride: self.stride,
                    heap: &mut heap,
                    heap_start,
                    longest: *longest,
                    bytes: std::mem::take(&mut bytes),
                };
                values.put(start..end, column, &mut place).map_err(|(row, problem)| {
                    unwritable(format!("column {}", column.name), format!("row {}: {problem}", first + row))
                })?;
                (bytes, *longest) = (place.bytes, place.longest);
            }
            block(&buffer, &heap)?;
            heap_start += heap.len() as u64;
            heap.clear();
        }
        Ok(())
    }
}

impl<W: Write> Writer<W> {
    /// Writes a binary table whose columns are at hand, one list of values for each column.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unwritable`](crate::ErrorKind::Unwritable) if columns are of different lengths, or a value cannot
    /// be stored as its column says; [`ErrorKind::Card`](crate::ErrorKind::Card) for a card that is the writer's own;
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the sink fails.
    pub fn table(&mut self, table: &NewTable, columns: &[&dyn Cells]) -> Result<(), Error> {
        self.extension()?;
        self.whole_table(table, columns).map_err(|e| self.place(e))
    }

    fn whole_table(&mut self, table: &NewTable, columns: &[&dyn Cells]) -> Result<(), Error> {
        let plan = table.plan()?;
        let rows = plan.rows(columns)?;
        let (mut longest, mut heap) = (vec![0; plan.columns.len()], 0);
        plan.blocks(columns, 0, 0, &mut longest, |_, arrays| {
            heap += arrays.len() as u64;
            Ok(())
        })?;
        let cards = plan.cards(&table.header, rows, heap, &longest)?;
        self.unit(cards, &mut |put| {
            plan.blocks(columns, 0, 0, &mut longest, |rows, _| put(rows))?;
            if heap == 0 {
                return Ok(());
            }
            // The arrays stand behind the last row; to make them again costs less than to keep them.
            plan.blocks(columns, 0, 0, &mut longest, |_, arrays| put(arrays))
        })
    }
}

impl<W: Write + Seek> Writer<W> {
    /// Begins a binary table whose rows come in chunks, any number of them. Rows are written as they come;
    /// variable-length arrays, which stand behind the last row, wait in memory and beyond 64 MiB in a temporary file.
    ///
    /// # Errors
    ///
    /// As for [`Self::table`].
    ///
    /// # Examples
    ///
    /// ```
    /// use coaddkit_fits::{Column, Fits, NewTable, Writer};
    /// use std::io::Cursor;
    ///
    /// # fn main() -> Result<(), coaddkit_fits::Error> {
    /// let table = NewTable::new().column(Column::new("ID", "K")?).column(Column::new("FLUX", "E")?);
    /// let mut writer = Writer::new(Cursor::new(Vec::new()));
    /// let mut rows = writer.table_rows(&table)?;
    /// for chunk in 0..10_i64 {
    ///     rows.write(&[&[2 * chunk, 2 * chunk + 1], &[0.5_f32, 1.5]])?;
    /// }
    /// rows.finish()?;
    /// let fits = Fits::from_source(writer.finish()?.into_inner())?;
    /// assert_eq!(fits.hdu(1)?.table()?.rows(), 20);
    /// # Ok(())
    /// # }
    /// ```
    pub fn table_rows(&mut self, table: &NewTable) -> Result<TableWriter<'_, W>, Error> {
        self.extension()?;
        let plan = table.plan().map_err(|e| self.place(e))?;
        let longest = vec![0; plan.columns.len()];
        let cards = plan.cards(&table.header, 0, 0, &longest).map_err(|e| self.place(e))?;
        let stream = self.begin(cards)?;
        let (rows, heap, header) = (0, Heap::new(self.path.as_deref()), table.header.clone());
        Ok(TableWriter { writer: self, stream, plan, header, rows, heap, longest })
    }
}

/// Writes the rows of a table in chunks, from [`Writer::table_rows`].
#[derive(Debug)]
#[must_use = "the table is not whole before finish"]
pub struct TableWriter<'a, W> {
    writer: &'a mut Writer<W>,
    stream: Stream,
    plan: Plan,
    header: Header,
    rows: u64,
    heap: Heap,
    longest: Vec<u64>,
}

impl<W: Write + Seek> TableWriter<'_, W> {
    /// Writes the next rows: one list of values for each column, as for [`Writer::table`].
    ///
    /// # Errors
    ///
    /// As for [`Writer::table`]. The file cannot be finished after an error.
    pub fn write(&mut self, columns: &[&dyn Cells]) -> Result<(), Error> {
        let Self { writer, stream, plan, heap, rows, longest, .. } = self;
        let start = heap.len();
        let written = plan.blocks(columns, *rows, start, longest, |bytes, arrays| {
            heap.append(arrays).map_err(|e| writer.io(e))?;
            writer.stream(stream, bytes)
        });
        written.map_err(|e| writer.place(e))?;
        *rows += plan.rows(columns)?;
        Ok(())
    }

    /// Rows written so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Ends the table.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the sink fails.
    pub fn finish(mut self) -> Result<(), Error> {
        let heap = self.heap.len();
        let cards = self.plan.cards(&self.header, self.rows, heap, &self.longest);
        self.stream.header = cards.map_err(|e| self.writer.place(e))?;
        let Self { writer, stream, heap, .. } = &mut self;
        heap.drain(|bytes| match bytes {
            Ok(bytes) => writer.stream(stream, bytes),
            Err(error) => Err(writer.io(error)),
        })?;
        self.writer.end(&self.stream)
    }
}
