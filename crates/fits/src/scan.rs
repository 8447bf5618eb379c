use crate::decoder::Decoder;
use crate::error::{Error, ErrorKind, Location};
use crate::heap::{Buffered, Heap};
use crate::source::{ReadAt, read_full};
use crate::table::Table;
use crate::values::Values;
use crate::views::Text;
use crate::ztable::{Scratch, Tiles};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

mod blocks;

/// Bytes read at a time by default: large enough to make the system call cheap, small enough to stay in a
/// core's own cache next to the columns made from it.
const CHUNK_BYTES: usize = 256 << 10;

/// Bytes decoded column by column before moving on, so that a row's cache lines are fetched once, not once
/// a column.
const BLOCK_BYTES: usize = 16 << 10;

/// A pass over chosen columns of a table, in bounded memory.
///
/// Configure it (columns, rows), then run it: [`Self::fold`] on all threads, [`Self::for_each`] in order.
///
/// # Memory
///
/// For each thread one read buffer (256 KiB, or one row where that is longer) and the columns made from it; with
/// variable-length arrays 4 MiB of them, or those of one row; of a tile-compressed table the chosen columns of one
/// tile. The heap of a `.fits.gz` is held whole, because it is read out of order. [`Limits`](crate::Limits) cap each.
#[derive(Clone, Debug)]
pub struct Scan {
    pub(crate) table: Table,
    pub(crate) columns: Vec<usize>,
    pub(crate) rows: Range<u64>,
    chunk_bytes: usize,
}

/// A block of consecutive rows.
#[derive(Debug)]
pub struct Chunk<'a> {
    first_row: u64,
    bytes: &'a [u8],
    stride: usize,
    rows: usize,
    decoders: &'a [Decoder],
}

impl Scan {
    pub(crate) fn new(table: Table) -> Self {
        let rows = 0..table.rows();
        Self { table, columns: Vec::new(), rows, chunk_bytes: CHUNK_BYTES }
    }

    /// Adds a column to the projection; the first one added is column 0 of each [`Chunk`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::MissingColumn`]; [`ErrorKind::Unsupported`] for a column of a tile-compressed table that this
    /// crate cannot decompress.
    pub fn column(self, name: &str) -> Result<Self, Error> {
        let index = self.table.index_of(name)?;
        self.column_at(index)
    }

    /// [`Self::column`] by index, from 0, for tables whose names are missing or not unique.
    ///
    /// # Errors
    ///
    /// As for [`Self::column`]; a missing column is named `#` and its number, from 1.
    pub fn column_at(mut self, index: usize) -> Result<Self, Error> {
        if index >= self.table.columns().len() {
            return Err(self.table.missing(&format!("#{}", index + 1)));
        }
        if let Some(tiles) = self.table.tiles() {
            tiles.supports(index).map_err(|kind| self.table.hdu().error(kind))?;
        }
        self.columns.push(index);
        Ok(self)
    }

    /// Adds several columns in order.
    ///
    /// # Errors
    ///
    /// As for [`Self::column`].
    pub fn columns<I>(self, names: I) -> Result<Self, Error>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        names.into_iter().try_fold(self, |scan, name| scan.column(name.as_ref()))
    }

    /// Restricts the scan to a range of rows, cut to the rows that there are.
    pub fn rows(mut self, rows: Range<u64>) -> Self {
        self.rows = rows.start.min(self.table.rows())..rows.end.min(self.table.rows());
        self
    }

    /// How many bytes to read at a time (at least one row); the default suits warm and cold local files.
    pub fn chunk_bytes(mut self, bytes: usize) -> Self {
        self.chunk_bytes = bytes;
        self
    }

    /// Folds every block of rows into accumulators, one a thread, and merges them.
    ///
    /// `merge` must not depend on order: which thread gets which block is not defined. With the feature
    /// `rayon` the threads are those of the current rayon pool; a compressed file is inflated by one thread
    /// at a time while the others work on what is there.
    ///
    /// # Errors
    ///
    /// The first error in row order of the reader, the data or `step`. Nothing of a failed scan is returned,
    /// so a part of a damaged file cannot be mistaken for all of it.
    pub fn fold<A, E>(
        &self,
        init: impl Fn() -> A + Sync,
        step: impl Fn(&mut A, &Chunk<'_>) -> Result<(), E> + Sync,
        merge: impl Fn(A, A) -> A,
    ) -> Result<A, E>
    where
        A: Send,
        E: From<Error> + Send,
    {
        let run = Run::new(self)?;
        let chunks = run.chunks();
        let workers = threads().min(usize::try_from(chunks).unwrap_or(usize::MAX)).max(1);
        let shared = Shared { next: AtomicU64::new(0), stop: AtomicBool::new(false), turn: Mutex::new(()) };
        let work = || {
            let mut total = init();
            match run.work(&shared, |chunk| step(&mut total, chunk)) {
                Ok(()) => Ok(total),
                Err(failure) => {
                    shared.stop.store(true, Ordering::Relaxed);
                    Err(failure)
                }
            }
        };
        let mut total = None;
        let mut failed: Option<(u64, E)> = None;
        for result in in_parallel(workers, work) {
            match result {
                Ok(part) => {
                    total = Some(match total {
                        None => part,
                        Some(sum) => merge(sum, part),
                    });
                }
                Err(failure) if failed.as_ref().is_none_or(|f| failure.0 < f.0) => failed = Some(failure),
                Err(_) => {}
            }
        }
        if let Some((_, error)) = failed {
            return Err(error);
        }
        self.check_to_end()?;
        Ok(total.unwrap_or_else(init))
    }

    /// Calls `step` for every block of rows, in order, on this thread.
    ///
    /// # Errors
    ///
    /// The first error of the reader, the data or `step`.
    pub fn for_each<E: From<Error>>(&self, step: impl FnMut(&Chunk<'_>) -> Result<(), E>) -> Result<(), E> {
        let run = Run::new(self)?;
        let shared = Shared { next: AtomicU64::new(0), stop: AtomicBool::new(false), turn: Mutex::new(()) };
        run.work(&shared, step).map_err(|(_, error)| error)?;
        self.check_to_end()?;
        Ok(())
    }

    /// A whole pass over a compressed file ends with its CRC.
    pub(crate) fn check_to_end(&self) -> Result<(), Error> {
        let hdu = self.table.hdu();
        if self.rows != (0..self.table.rows()) {
            return Ok(());
        }
        hdu.shared
            .source
            .check_to_end()
            .map_err(|e| Error::io(hdu.shared.location(Some(hdu.index()), None), e))
    }
}

#[cfg(feature = "rayon")]
fn threads() -> usize {
    rayon::current_num_threads()
}

#[cfg(not(feature = "rayon"))]
fn threads() -> usize {
    1
}

#[cfg(feature = "rayon")]
fn in_parallel<R: Send>(workers: usize, work: impl Fn() -> R + Sync) -> Vec<R> {
    use rayon::prelude::*;
    if workers == 1 {
        return vec![work()];
    }
    (0..workers).into_par_iter().with_max_len(1).map(|_| work()).collect()
}

#[cfg(not(feature = "rayon"))]
fn in_parallel<R>(_workers: usize, work: impl Fn() -> R) -> Vec<R> {
    vec![work()]
}

/// What the workers of one run share.
struct Shared {
    next: AtomicU64,
    stop: AtomicBool,
    /// Held while claiming and reading a chunk of a sequential source, so that it is read in order.
    turn: Mutex<()>,
}

/// A scan with its sizes checked.
struct Run<'a> {
    scan: &'a Scan,
    stride: usize,
    rows_per_chunk: u64,
    sequential: bool,
    /// True where all columns stand in the rows and cannot be malformed.
    plain: bool,
    tiles: Option<&'a Tiles>,
    heap: Option<Heap>,
    buffered: Option<Arc<Buffered>>,
}

impl<'a> Run<'a> {
    fn new(scan: &'a Scan) -> Result<Self, Error> {
        let (table, hdu) = (&scan.table, scan.table.hdu());
        let limit = hdu.shared.limits.row_bytes;
        let wanted = table.row_bytes();
        if wanted > limit {
            return Err(hdu.error(ErrorKind::Limit { what: "the row size", wanted, limit }));
        }
        let tiles = table.tiles();
        let arrays = scan.columns.iter().any(|&i| table.columns()[i].element.is_some());
        let heap = if arrays || tiles.is_some() { Some(table.heap()?) } else { None };
        let mut sequential = hdu.shared.source.is_sequential();
        let mut buffered = None;
        if !sequential {
            hdu.whole()?;
        } else if heap.is_some() {
            (buffered, sequential) = (Some(table.buffered()?), false);
        }
        let plain =
            tiles.is_none() && scan.columns.iter().all(|&i| Decoder::new(&table.columns()[i]).is_plain());
        let stride = wanted as usize;
        let rows_per_chunk = (scan.chunk_bytes / stride.max(1)).max(1) as u64;
        Ok(Self { scan, stride, rows_per_chunk, sequential, plain, tiles, heap, buffered })
    }

    fn source(&self) -> &dyn ReadAt {
        match &self.buffered {
            Some(buffered) => &**buffered,
            None => &*self.scan.table.hdu().shared.source,
        }
    }

    /// Parts of the work: blocks of rows, or tiles.
    fn chunks(&self) -> u64 {
        let Range { start, end } = self.scan.rows;
        // Rows without bytes hold nothing to read, and a header can claim 10¹⁸ of them.
        if self.stride == 0 || end <= start {
            return 0;
        }
        match self.tiles {
            None => (end - start).div_ceil(self.rows_per_chunk),
            Some(tiles) => end.div_ceil(tiles.rows) - start / tiles.rows,
        }
    }

    /// Claims and steps through chunks until none is left; an error carries the number of its chunk.
    fn work<E: From<Error>>(
        &self,
        shared: &Shared,
        mut step: impl FnMut(&Chunk<'_>) -> Result<(), E>,
    ) -> Result<(), (u64, E)> {
        let chunks = self.chunks();
        let columns = self.scan.table.columns();
        let mut decoders: Vec<_> = self.scan.columns.iter().map(|&i| Decoder::new(&columns[i])).collect();
        let capacity = self.rows_per_chunk.min(self.scan.rows.end.saturating_sub(self.scan.rows.start));
        let stored = if self.tiles.is_none() && chunks > 0 { capacity as usize * self.stride } else { 0 };
        let mut buffer = vec![0; stored];
        let mut scratch = Scratch::default();
        while !shared.stop.load(Ordering::Relaxed) {
            let turn = self.sequential.then(|| shared.turn.lock().unwrap_or_else(PoisonError::into_inner));
            let number = shared.next.fetch_add(1, Ordering::Relaxed);
            if number >= chunks {
                break;
            }
            if let Some(tiles) = self.tiles {
                self.tile(tiles, number, &mut decoders, &mut scratch, &mut step).map_err(|e| (number, e))?;
                continue;
            }
            let first_row = self.scan.rows.start + number * self.rows_per_chunk;
            let rows = self.rows_per_chunk.min(self.scan.rows.end - first_row) as usize;
            let bytes = &mut buffer[..rows * self.stride];
            self.read(first_row, bytes).map_err(|e| (number, e.into()))?;
            drop(turn);
            if !self.plain {
                self.careful(first_row, bytes, &mut decoders, &mut step).map_err(|e| (number, e))?;
                continue;
            }
            for decoder in &mut decoders {
                decoder.clear();
            }
            let block = (BLOCK_BYTES / self.stride.max(1)).max(1) * self.stride;
            for block in bytes.chunks(block.max(1)) {
                for decoder in &mut decoders {
                    decoder.append(block, self.stride);
                }
            }
            let chunk = Chunk { first_row, bytes, stride: self.stride, rows, decoders: &decoders };
            step(&chunk).map_err(|e| (number, e))?;
        }
        Ok(())
    }

    fn read(&self, first_row: u64, bytes: &mut [u8]) -> Result<(), Error> {
        let hdu = self.scan.table.hdu();
        let offset = hdu.data_offset() + first_row * self.stride as u64;
        let at = |row: u64, offset: u64| Location {
            row: Some(row),
            ..hdu.shared.location(Some(hdu.index()), Some(offset))
        };
        let n = read_full(self.source(), bytes, offset).map_err(|e| Error::io(at(first_row, offset), e))?;
        if n < bytes.len() {
            let end = offset + n as u64;
            let found = end - hdu.data_offset();
            let kind = ErrorKind::Truncated { what: "data", needed: hdu.data_bytes(), found };
            return Err(Error::new(at(first_row + (n / self.stride) as u64, end), kind));
        }
        Ok(())
    }
}

impl<'a> Chunk<'a> {
    /// Index in the table of the first row of this block.
    pub fn first_row(&self) -> u64 {
        self.first_row
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The bytes of the rows as they stand in the file; empty in a tile-compressed table, which has none.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The fields of a projected column as they stand in the rows: big-endian numbers, descriptors of
    /// variable-length arrays, text. In a tile-compressed table as they stood before.
    ///
    /// # Panics
    ///
    /// If fewer than `column + 1` columns were added.
    pub fn stored(&self, column: usize) -> Text<'a> {
        self.decoders[column].stored(self.bytes, self.stride)
    }

    /// The values of a projected column, numbered in the order in which the columns were added.
    ///
    /// # Panics
    ///
    /// If fewer than `column + 1` columns were added.
    #[inline]
    pub fn values(&self, column: usize) -> Values<'a> {
        self.decoders[column].values(self.bytes, self.stride)
    }
}
