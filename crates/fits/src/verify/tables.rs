//! The geometry of tables, and descriptors of arrays and tiles.

use super::{Findings, Level, Severity};
use crate::arrays::Descriptor;
use crate::card::Value;
use crate::column::{Column, Form, columns, dimensions};
use crate::error::{Error, ErrorKind, Location};
use crate::file::Hdu;
use crate::heap::Heap;
use crate::source::read_full;
use crate::structure::HduKind;

pub(super) fn structure(hdu: &Hdu, findings: &mut Findings) -> Result<(), Error> {
    if let Err(error) = hdu.sensible() {
        return findings.error(Level::Structure, &error);
    }
    let ascii = hdu.kind() == HduKind::AsciiTable;
    let binary = hdu.kind() == HduKind::Table || hdu.compression().is_some();
    if !ascii && !binary {
        return Ok(());
    }
    if hdu.kind() != HduKind::Image {
        match hdu.table() {
            Ok(table) => shapes(hdu, table.columns(), findings),
            Err(error) => return findings.error(Level::Structure, &error),
        }
    }
    if !binary {
        return Ok(());
    }
    match Stored::new(hdu) {
        Ok(stored) => {
            if let Some(tiles) = tiles(hdu).filter(|&tiles| tiles != stored.rows) {
                let what = format!("NAXIS2 is {}, but the image has {tiles} tiles", stored.rows);
                findings.push(hdu.finding(Level::Structure, Severity::Error, hdu.offset(), what));
            }
            stored.descriptors(findings)
        }
        Err(kind) => findings.error(Level::Structure, &hdu.error(kind)),
    }
}

/// Tiles of a compressed image.
fn tiles(hdu: &Hdu) -> Option<u64> {
    let compression = hdu.compression().filter(|_| hdu.kind() == HduKind::Image)?;
    let mut along =
        hdu.shape().iter().zip(&compression.tile).map(|(&size, &tile)| size.div_ceil(tile.max(1)));
    along.try_fold(1_u64, u64::checked_mul)
}

/// TDIM that a reader must ignore.
fn shapes(hdu: &Hdu, columns: &[Column], findings: &mut Findings) {
    for (n, column) in (1..).zip(columns) {
        let keyword = format!("TDIM{n}");
        let Some((card, _)) = hdu.header().find(&keyword).filter(|_| column.dim.is_none()) else { continue };
        let what = match hdu.header().get(&keyword) {
            Some(Value::Text(text)) if text.is_empty() => continue,
            Some(Value::Text(text)) if dimensions(&text).is_some() => {
                format!("{keyword} is {text}, more than the {} elements of TFORM{n}", column.repeat)
            }
            Some(value) => format!("{keyword} is {value}, which is no shape"),
            None => format!("{keyword} has no value"),
        };
        let offset = hdu.offset() + 80 * card as u64;
        findings.push(hdu.finding(Level::Structure, Severity::Warning, offset, what));
    }
}

/// A binary table as it is stored, whatever it stands for.
pub(super) struct Stored<'a> {
    hdu: &'a Hdu,
    rows: u64,
    row_bytes: u64,
    columns: Vec<Column>,
    heap: Heap,
}

impl<'a> Stored<'a> {
    pub(super) fn new(hdu: &'a Hdu) -> Result<Self, ErrorKind> {
        let axis = |keyword: &str| {
            crate::structure::integer_at_least(hdu.header(), keyword, 0)?.map(i64::unsigned_abs).ok_or_else(
                || ErrorKind::Header { keyword: keyword.to_owned(), problem: "is missing".to_owned() },
            )
        };
        let (row_bytes, rows) = (axis("NAXIS1")?, axis("NAXIS2")?);
        let limit = hdu.shared.limits.row_bytes;
        if row_bytes > limit {
            return Err(ErrorKind::Limit { what: "the row size", wanted: row_bytes, limit });
        }
        let columns = columns(hdu.header(), Form::Stored, row_bytes)?;
        // Of three or more axes the data may be larger, but never the rows.
        let table = rows.saturating_mul(row_bytes);
        let heap = Heap::new(hdu, table)?;
        Ok(Self { hdu, rows, row_bytes, columns, heap })
    }

    /// Every descriptor points into the heap.
    fn descriptors(&self, findings: &mut Findings) -> Result<(), Error> {
        let mut bad = vec![false; self.columns.len()];
        self.each(|at, column, descriptor| {
            if bad[column] {
                return Ok(());
            }
            let about = &self.columns[column];
            let end = descriptor
                .zip(about.element)
                .and_then(|(d, element)| d.start.checked_add(element.width(d.count)?));
            let inside = end.is_some_and(|end| end <= self.heap.size);
            if inside || descriptor.is_some_and(|d| d.count == 0) {
                return Ok(());
            }
            bad[column] = true;
            let problem = match descriptor {
                Some(Descriptor { count, start }) => format!(
                    "has {count} elements at byte {start} of the heap, which ends at byte {}",
                    self.heap.size
                ),
                None => "has a descriptor with a negative number".to_owned(),
            };
            let kind = ErrorKind::Field { column: about.name.clone(), problem };
            findings.error(Level::Structure, &Error::new(at, kind))
        })
    }

    /// Bytes of all arrays, which may overlap.
    pub(super) fn array_bytes(&self) -> Result<u64, Error> {
        let mut total = 0_u64;
        self.each(|_, column, descriptor| {
            let bytes = descriptor.zip(self.columns[column].element).and_then(|(d, e)| e.width(d.count));
            total = total.saturating_add(bytes.unwrap_or(u64::MAX));
            Ok(())
        })?;
        Ok(total)
    }

    fn each(
        &self,
        mut step: impl FnMut(Location, usize, Option<Descriptor>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        const STEP: u64 = 256 << 10;
        let arrays = |c: &Column| c.element.is_some() && c.width > 0;
        if !self.columns.iter().any(arrays) || self.row_bytes == 0 {
            return Ok(());
        }
        let rows = (STEP / self.row_bytes).max(1);
        let mut buffer = vec![0; (rows.min(self.rows) * self.row_bytes) as usize];
        let mut row = 0;
        while row < self.rows {
            let block = rows.min(self.rows - row);
            let start = self.hdu.data_offset() + row * self.row_bytes;
            let bytes = &mut buffer[..(block * self.row_bytes) as usize];
            let here = |offset| self.hdu.shared.location(Some(self.hdu.index()), Some(offset));
            let n =
                read_full(&*self.hdu.shared.source, bytes, start).map_err(|e| Error::io(here(start), e))?;
            if n < bytes.len() {
                let found = row * self.row_bytes + n as u64;
                let kind = ErrorKind::Truncated { what: "data", needed: self.hdu.data_bytes(), found };
                return Err(Error::new(here(start + n as u64), kind));
            }
            for (fields, number) in bytes.chunks_exact(self.row_bytes as usize).zip(row..) {
                for (index, column) in self.columns.iter().enumerate().filter(|(_, c)| arrays(c)) {
                    let field = &fields[column.offset as usize..(column.offset + column.width) as usize];
                    let offset = self.hdu.data_offset() + number * self.row_bytes + column.offset;
                    let at = Location { row: Some(number), ..here(offset) };
                    step(at, index, Descriptor::parse(field))?;
                }
            }
            row += block;
        }
        Ok(())
    }
}
