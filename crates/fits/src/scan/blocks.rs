//! Blocks of rows that take more than a copy: digits, variable-length arrays, tiles.

use super::{Chunk, Run};
use crate::decoder::Decoder;
use crate::error::{Error, ErrorKind, Location};
use crate::ztable::{PackedArrays, Scratch, Tile, Tiles};
use std::ops::Range;

/// Bytes of variable-length arrays in one block of rows, unless a single row has more.
const ARRAY_BYTES: u64 = 4 << 20;

impl Run<'_> {
    /// Where a field stands; in a tile its descriptor is meant, and the row alone says more.
    fn at(&self, row: u64, column: usize) -> Location {
        let hdu = self.scan.table.hdu();
        let offset = match self.tiles {
            None => row * self.stride as u64 + self.scan.table.columns()[column].offset,
            Some(tiles) => tiles.descriptor(row / tiles.rows, column),
        };
        let offset = hdu.data_offset().saturating_add(offset);
        Location { row: Some(row), ..hdu.shared.location(Some(hdu.index()), Some(offset)) }
    }

    /// A block of rows with fields that may be malformed or point elsewhere.
    pub(super) fn careful<E: From<Error>>(
        &self,
        first_row: u64,
        bytes: &[u8],
        decoders: &mut [Decoder],
        step: &mut impl FnMut(&Chunk<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let columns = &self.scan.columns;
        let limits = &self.scan.table.hdu().shared.limits;
        let error = |column: usize, (row, kind): (usize, ErrorKind)| {
            Error::new(self.at(first_row + row as u64, column), kind)
        };
        for (decoder, &column) in decoders.iter_mut().zip(columns) {
            let size = self.heap.map(|heap| heap.size);
            decoder.plan(bytes, self.stride, size, limits).map_err(|e| error(column, e))?;
        }
        let rows = bytes.len() / self.stride;
        let mut start = 0;
        while start < rows {
            let end = self.fitting(start..rows, decoders);
            let block = &bytes[start * self.stride..end * self.stride];
            for (decoder, &column) in decoders.iter_mut().zip(columns) {
                decoder.clear();
                if let (Some(arrays), Some(heap)) = (decoder.arrays(), &self.heap) {
                    arrays.read(start..end, self.source(), heap).map_err(|e| error(column, e))?;
                } else if let Err(row) = decoder.append_digits(block, self.stride) {
                    let name = self.scan.table.columns()[column].name.clone();
                    let field = decoder.stored(block, self.stride).field(row);
                    let problem = format!("is {:?}, which is no number", crate::card::latin1(field));
                    return Err(
                        error(column, (start + row, ErrorKind::Field { column: name, problem })).into()
                    );
                }
            }
            let first_row = first_row + start as u64;
            step(&Chunk { first_row, bytes: block, stride: self.stride, rows: end - start, decoders })?;
            start = end;
        }
        Ok(())
    }

    /// The end of the longest block of rows whose arrays fit in memory together.
    fn fitting(&self, rows: Range<usize>, decoders: &mut [Decoder]) -> usize {
        let most = usize::try_from(self.rows_per_chunk).unwrap_or(usize::MAX);
        let mut total = 0_u64;
        for row in rows.clone() {
            for arrays in decoders.iter_mut().filter_map(Decoder::arrays) {
                total = total.saturating_add(arrays.bytes(row));
            }
            if row > rows.start && (total > ARRAY_BYTES || row - rows.start >= most) {
                return row;
            }
        }
        rows.end
    }

    /// One tile of a compressed table.
    pub(super) fn tile<E: From<Error>>(
        &self,
        tiles: &Tiles,
        number: u64,
        decoders: &mut [Decoder],
        scratch: &mut Scratch,
        step: &mut impl FnMut(&Chunk<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (table, columns) = (&self.scan.table, &self.scan.columns);
        // A scan of a compressed table has a heap.
        let Some(heap) = &self.heap else { return Ok(()) };
        let index = self.scan.rows.start / tiles.rows + number;
        let first_row = index * tiles.rows;
        let rows = tiles.rows.min(table.rows() - first_row) as usize;
        let limits = &table.hdu().shared.limits;
        let (source, data, limit) = (self.source(), table.hdu().data_offset(), limits.array_bytes);
        let tile = Tile { tiles, source, heap, data, limit, index, rows };
        let error =
            |column: usize, row: usize, kind| Error::new(self.at(first_row + row as u64, column), kind);
        let mut packed: Vec<Option<PackedArrays>> = Vec::new();
        for (decoder, &column) in decoders.iter_mut().zip(columns) {
            let found = tile.fields(column, &table.columns()[column], decoder, scratch);
            let mut found = found.map_err(|kind| error(column, 0, kind))?;
            loop {
                let planned = decoder.plan(&[], 0, None, limits);
                let fits = planned.and_then(|()| match &found {
                    // Where both readings of the descriptors could be, the arrays themselves decide.
                    Some(packed) if packed.is_ambiguous() => decoder.arrays().map_or(Ok(()), |arrays| {
                        let mut out = Vec::new();
                        (0..rows).filter(|&row| arrays.bytes(row) > 0).try_for_each(|row| {
                            out.clear();
                            let (about, bytes) = (&table.columns()[column], arrays.bytes(row) as usize);
                            tile.array(column, about, packed.at(row), bytes, &mut out, scratch)
                                .map_err(|kind| (row, kind))
                        })
                    }),
                    _ => Ok(()),
                });
                let Err((row, kind)) = fits else { break };
                let other = found.as_mut().and_then(PackedArrays::turn);
                let Some(originals) = other else { return Err(error(column, row, kind).into()) };
                decoder.unpack(originals, table.columns()[column].width as usize);
            }
            packed.push(found);
        }
        let wanted = |row: u64| row.saturating_sub(first_row).min(rows as u64) as usize;
        let (mut start, last) = (wanted(self.scan.rows.start), wanted(self.scan.rows.end));
        while start < last {
            let end = self.fitting(start..last, decoders);
            for ((decoder, &column), packed) in decoders.iter_mut().zip(columns).zip(&packed) {
                decoder.clear();
                decoder.show(start..end);
                let Some(packed) = packed else { continue };
                let about = &table.columns()[column];
                let Some(arrays) = decoder.arrays() else { continue };
                let read = arrays.read_packed(start..end, |row, bytes, out| {
                    tile.array(column, about, packed.at(row), bytes, out, scratch)
                });
                read.map_err(|(row, kind)| error(column, row, kind))?;
            }
            let first_row = first_row + start as u64;
            step(&Chunk { first_row, bytes: &[], stride: 0, rows: end - start, decoders })?;
            start = end;
        }
        Ok(())
    }
}
