//! Variable-length arrays: descriptors, what they point to, and the view of both (FITS 4.0, section 7.3.5).

use crate::column::{Column, ColumnType};
use crate::decoder::Decoder;
use crate::error::ErrorKind;
use crate::heap::Heap;
use crate::limits::Limits;
use crate::source::ReadAt;
use crate::values::Values;
use crate::views::Text;
use std::ops::Range;

/// The variable-length arrays of one column in a block of rows.
#[derive(Clone, Copy, Debug)]
pub struct Arrays<'a> {
    decoder: &'a ArrayDecoder,
}

impl<'a> Arrays<'a> {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.decoder.spans.len()
    }

    /// True if the block has no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Elements of all rows of the block.
    pub fn elements(&self) -> usize {
        self.decoder.ends.last().copied().unwrap_or(0)
    }

    /// The array of a row: a slice of numbers, or a single row of text, logicals or bits.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn get(&self, row: usize) -> Values<'a> {
        let decoder = self.decoder;
        let start = row.checked_sub(1).map_or(0, |before| decoder.ends[before]);
        let elements = start..decoder.ends[row];
        let view = decoder.values.view(self.stored(row), elements.len());
        view.unwrap_or_else(|| decoder.values.values(&[], 0).slice(elements))
    }

    /// The elements of a row as they stand on the heap, before compression where the table is compressed.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn stored(&self, row: usize) -> &'a [u8] {
        &self.decoder.raw[self.decoder.spans[row].clone()]
    }
}

/// Where an array is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descriptor {
    /// Elements, or bytes of a compressed array.
    pub(crate) count: u64,
    /// Bytes after the start of the heap.
    pub(crate) start: u64,
}

impl Descriptor {
    /// From the 8 bytes of a `P` or the 16 of a `Q` descriptor; `None` for a negative number in the latter. A `P`
    /// descriptor is read as unsigned, so that heaps of 2 to 4 GiB are within reach.
    pub(crate) fn parse(field: &[u8]) -> Option<Self> {
        if let Some(&[a, b, c, d, e, f, g, h]) = field.first_chunk::<8>().filter(|_| field.len() == 8) {
            let (count, start) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
            return Some(Self { count: count.into(), start: start.into() });
        }
        let (count, start) = field.split_at_checked(8)?;
        let number =
            |bytes: &[u8]| bytes.first_chunk().and_then(|b| u64::try_from(i64::from_be_bytes(*b)).ok());
        Some(Self { count: number(count)?, start: number(start)? })
    }
}

/// A reusable buffer for the arrays of one column in a block of rows.
#[derive(Debug)]
pub(crate) struct ArrayDecoder {
    name: String,
    element: ColumnType,
    values: Decoder,
    /// Of all rows at hand.
    descriptors: Vec<Descriptor>,
    /// The elements of the rows that are shown, perhaps with gaps.
    raw: Vec<u8>,
    /// The part of `raw` of each row.
    spans: Vec<Range<usize>>,
    /// Elements up to and with each row.
    ends: Vec<usize>,
}

/// Reads that lie this near are made one.
const NEAR: u64 = 512;

impl ArrayDecoder {
    pub(crate) fn new(column: &Column, element: ColumnType, values: Decoder) -> Self {
        Self {
            name: column.name.clone(),
            element,
            values,
            descriptors: Vec::new(),
            raw: Vec::new(),
            spans: Vec::new(),
            ends: Vec::new(),
        }
    }

    pub(crate) fn values(&self) -> Arrays<'_> {
        Arrays { decoder: self }
    }

    #[cfg(any(feature = "arrow", feature = "cfitsio"))]
    pub(crate) fn no_elements(&self) -> Values<'_> {
        self.values.values(&[], 0)
    }

    pub(crate) fn clear(&mut self) {
        self.raw.clear();
        self.spans.clear();
        self.ends.clear();
        self.values.clear();
    }

    fn bad(&self, problem: String) -> ErrorKind {
        ErrorKind::Field { column: self.name.clone(), problem }
    }

    /// Takes the descriptors of the rows at hand and checks that their arrays are on a heap of `size` bytes (of
    /// any size where there is none, because the table is compressed). Fails with the row.
    pub(crate) fn plan(
        &mut self,
        fields: Text<'_>,
        size: Option<u64>,
        limits: &Limits,
    ) -> Result<(), (usize, ErrorKind)> {
        self.descriptors.clear();
        for row in 0..fields.len() {
            // A column of no descriptors (`0PJ`) has empty arrays.
            let empty = Descriptor { count: 0, start: 0 };
            let at = if fields.width() == 0 { Some(empty) } else { Descriptor::parse(fields.field(row)) };
            let Some(at) = at else {
                return Err((row, self.bad("has a descriptor with a negative number".into())));
            };
            let end = self.bytes_of(at).and_then(|bytes| at.start.checked_add(bytes).map(|end| (bytes, end)));
            let Some((bytes, end)) = end else {
                return Err((row, self.bad(format!("has a descriptor of {} elements", at.count))));
            };
            if at.count > 0 && size.is_some_and(|size| end > size) {
                let size = size.unwrap_or(0);
                let problem = format!(
                    "has {} elements at byte {} of the heap, which ends at byte {size}",
                    at.count, at.start
                );
                return Err((row, self.bad(problem)));
            }
            if bytes > limits.array_bytes {
                let limit = limits.array_bytes;
                let what = "the size of a variable-length array";
                return Err((row, ErrorKind::Limit { what, wanted: bytes, limit }));
            }
            self.descriptors.push(at);
        }
        Ok(())
    }

    fn bytes_of(&self, descriptor: Descriptor) -> Option<u64> {
        self.element.width(descriptor.count)
    }

    /// Bytes of the array of a row at hand.
    pub(crate) fn bytes(&self, row: usize) -> u64 {
        // Checked by `plan`.
        self.bytes_of(self.descriptors[row]).unwrap_or(0)
    }

    /// Reads and decodes the arrays of some of the rows at hand. Fails with the row.
    pub(crate) fn read(
        &mut self,
        rows: Range<usize>,
        source: &dyn ReadAt,
        heap: &Heap,
    ) -> Result<(), (usize, ErrorKind)> {
        let mut next = rows.start;
        while next < rows.end {
            // A run of arrays that follow each other on the heap, as they do where one writer wrote them.
            let (first, mut end) = (next, None);
            let mut start = 0;
            while next < rows.end {
                let (at, bytes) = (self.descriptors[next].start, self.bytes(next));
                if bytes > 0 {
                    match end {
                        None => start = at,
                        Some(end) if at >= end && at - end <= NEAR => {}
                        Some(_) => break,
                    }
                    end = Some(at + bytes);
                }
                next += 1;
            }
            let base = self.raw.len();
            if let Some(end) = end {
                self.raw.resize(base + (end - start) as usize, 0);
                heap.read(source, &mut self.raw[base..], start).map_err(|kind| (first, kind))?;
            }
            for row in first..next {
                let bytes = self.bytes(row) as usize;
                let at =
                    if bytes == 0 { base } else { base + (self.descriptors[row].start - start) as usize };
                self.spans.push(at..at + bytes);
            }
        }
        self.decode(rows);
        Ok(())
    }

    /// [`Self::read`] where `unpack` appends the bytes of each array. Fails with the row.
    pub(crate) fn read_packed(
        &mut self,
        rows: Range<usize>,
        mut unpack: impl FnMut(usize, usize, &mut Vec<u8>) -> Result<(), ErrorKind>,
    ) -> Result<(), (usize, ErrorKind)> {
        for row in rows.clone() {
            let (at, bytes) = (self.raw.len(), self.bytes(row) as usize);
            if bytes > 0 {
                unpack(row, bytes, &mut self.raw).map_err(|kind| (row, kind))?;
            }
            self.spans.push(at..self.raw.len());
        }
        self.decode(rows);
        Ok(())
    }

    fn decode(&mut self, rows: Range<usize>) {
        let mut total = 0;
        for (span, row) in self.spans.iter().zip(rows) {
            self.values.append_run(&self.raw[span.clone()]);
            total += self.descriptors[row].count as usize;
            self.ends.push(total);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors() {
        let p = |bytes: &[u8]| Descriptor::parse(bytes).map(|d| (d.count, d.start));
        assert_eq!(p(&[0, 0, 0, 2, 0xff, 0, 0, 0]), Some((2, 0xff00_0000)));
        assert_eq!(p(&[0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 1, 0]), Some((3, 256)));
        assert_eq!(p(&[0x80, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 1, 0]), None);
        assert_eq!(p(&[0, 0, 0]), None);
    }
}
