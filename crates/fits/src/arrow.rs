//! Tables as record batches of Apache Arrow.

mod elements;
mod schema;

use crate::error::Error;
use crate::scan::{Chunk, Scan};
use arrow_array::{RecordBatch, RecordBatchIterator, RecordBatchOptions, RecordBatchReader};
use arrow_schema::{ArrowError, Metadata, Schema, SchemaRef};
use elements::Builder;
use schema::Plan;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// Rows of a batch by default: their columns stay in the processor's cache, and so do those of the consumer.
const BATCH_ROWS: usize = 8192;

/// Bytes at which a batch ends before it has all its rows.
const BATCH_BYTES: usize = 64 << 20;

/// The rows of a [`Scan`] as record batches of Apache Arrow, in order: an iterator, from [`Scan::record_batches`].
///
/// The types follow those of [`Values`](crate::Values), but nulls stay nulls:
///
/// | column | Arrow type |
/// |---|---|
/// | `L` | `Boolean`, null where the byte is neither `T` nor `F` |
/// | `X` | `Boolean`; they are packed bits in both |
/// | `B`, `I`, `J`, `K` | `UInt8`, `Int16`, `Int32`, `Int64` |
/// | with the TZERO of the other signedness | `Int8`, `UInt16`, `UInt32`, `UInt64` |
/// | with any other TSCAL or TZERO | `Float64`, computed in double precision |
/// | with TNULL | the same types; null where the stored number is TNULL |
/// | `E`, `D` | `Float32`, `Float64`; NaN stays NaN and is not null |
/// | `C`, `M` | `FixedSizeList` of 2 floats, the real and the imaginary part side by side, as NumPy has them |
/// | `A` | `Utf8`, up to the first NUL, without trailing blanks, other bytes than ASCII as Latin-1; see [`Self::raw_text`] |
/// | `A` with TDIM of two axes or more | `FixedSizeList` of `Utf8` |
/// | vectors | `FixedSizeList`, flat; see `FITS:TDIM` |
/// | of no elements | `List`, always empty: many tools know no fixed-size list of size 0 |
/// | `P`, `Q` | `List`, `LargeList` of the element; of `A` `Utf8`, `LargeUtf8` |
/// | `I` of ASCII tables | `Int64`; `Float64` where scaled; null where the text is TNULL |
/// | `F`, `E`, `D` of ASCII tables | `Float64`; null where the text is TNULL |
///
/// Fields have the name in TTYPE, as it is written, or `col` and the number of the column where there is none. Names
/// that occur twice in a file do so in the schema.
///
/// # Metadata
///
/// Keys start with `FITS:` and go on as the keyword does, without the number of the column: `FITS:TFORM` (in a
/// compressed table, that of before), `FITS:TUNIT`, `FITS:TDISP`, `FITS:TDIM`, `FITS:TNULL`, `FITS:TSCAL`,
/// `FITS:TZERO`, `FITS:TUCD`, `FITS:TCOMM`, `FITS:TLMIN`, `FITS:TLMAX`, `FITS:TDMIN`, `FITS:TDMAX`; and
/// `FITS:comment` for the comment of the TTYPE card. The schema has all other keywords of the header in this way, but
/// for those that say how the table is stored and for its checksums; COMMENT and HISTORY with a line a card. Of a
/// keyword that occurs more than once the first is taken.
///
/// # Memory
///
/// A batch ends early at 64 MiB. With the feature `rayon`, each thread of the current pool makes one; a tile of a
/// compressed table, or as much of it as makes 64 MiB, is one piece of work.
#[derive(Debug)]
pub struct RecordBatches {
    scan: Scan,
    plans: Vec<Plan>,
    schema: SchemaRef,
    batch_rows: usize,
    /// What comes next, in order.
    queue: VecDeque<Part>,
    started: bool,
    ended: bool,
}

#[derive(Debug)]
enum Part {
    Batch(RecordBatch),
    Rows(Range<u64>),
    Failed(Error),
}

/// Why a pass over rows stops before their end.
enum Stop {
    /// There is enough for now.
    Full,
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Error> for ArrowError {
    fn from(error: Error) -> Self {
        Self::ExternalError(Box::new(error))
    }
}

impl Scan {
    /// The rows and columns of this scan as record batches of Apache Arrow; of a scan without columns all of them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for a column of a tile-compressed table that this
    /// crate cannot decompress; [`ErrorKind::Limit`](crate::ErrorKind::Limit) for a vector that Arrow cannot hold.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// let table = coaddkit_fits::Fits::open("tractor.fits")?.hdu(1)?.table()?;
    /// let batches = table.scan().columns(["ra", "dec", "flux_g"])?.record_batches()?.batch_size(65_536);
    /// println!("{}", batches.schema());
    /// for batch in batches {
    ///     println!("{} rows", batch?.num_rows());
    /// }
    /// # Ok::<_, coaddkit_fits::Error>(())
    /// ```
    pub fn record_batches(mut self) -> Result<RecordBatches, Error> {
        if self.columns.is_empty() {
            for index in 0..self.table.columns().len() {
                self = self.column_at(index)?;
            }
        }
        RecordBatches::new(self)
    }
}

impl RecordBatches {
    fn new(mut scan: Scan) -> Result<Self, Error> {
        let (plans, metadata, decoded) = schema::plan(&scan)?;
        scan.table = scan.table.with_columns(decoded);
        let schema = schema_of(&plans, metadata);
        let (queue, batch_rows) = (VecDeque::new(), BATCH_ROWS);
        Ok(Self { scan, plans, schema, batch_rows, queue, started: false, ended: false })
    }

    /// How many rows a batch has, 8,192 by default. The last one, those that reach 64 MiB and those at the end of a
    /// tile of a compressed table have fewer.
    pub fn batch_size(mut self, rows: usize) -> Self {
        self.batch_rows = rows.max(1);
        self
    }

    /// Gives `A` columns as the bytes of the file, `FixedSizeBinary`, with whatever follows a NUL and all blanks; and
    /// variable-length ones as `Binary` or `LargeBinary`.
    pub fn raw_text(mut self) -> Self {
        for plan in &mut self.plans {
            plan.make_raw();
        }
        self.schema = schema_of(&self.plans, self.schema.metadata.clone());
        self
    }

    /// The schema of all batches.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// This as the trait that other crates of Arrow take; an [`Error`] becomes [`ArrowError::ExternalError`].
    pub fn into_reader(self) -> impl RecordBatchReader + Send + 'static {
        let schema = self.schema();
        RecordBatchIterator::new(self.map(|batch| batch.map_err(ArrowError::from)), schema)
    }

    /// The first pieces of work in `rows` and what is left; where they end does not depend on how many are made.
    fn split(&self, rows: Range<u64>) -> (Vec<Range<u64>>, Range<u64>) {
        let workers = if self.scan.table.hdu().shared.source.is_sequential() { 1 } else { threads() };
        // A tile is decompressed as a whole.
        let unit = self.scan.table.tiles().map_or(1, |tiles| tiles.rows);
        let mut start = rows.start;
        let mut pieces = Vec::with_capacity(workers);
        while pieces.len() < workers && start < rows.end {
            let end = start.saturating_add(self.batch_rows as u64);
            let end = end.checked_next_multiple_of(unit).map_or(rows.end, |end| end.min(rows.end));
            pieces.push(start..end);
            start = end;
        }
        (pieces, start..rows.end)
    }

    /// The batches of some rows, and what is left of them.
    fn batches(&self, rows: Range<u64>) -> Vec<Part> {
        let mut parts = Vec::new();
        let room = usize::try_from(rows.end - rows.start).unwrap_or(usize::MAX).min(self.batch_rows);
        let mut builders: Vec<_> = self.plans.iter().map(|plan| plan.builder(room)).collect();
        let (mut next, mut filled, mut total) = (rows.start, 0, 0);
        let scan = self.scan.clone().rows(rows.clone());
        let done = scan.for_each(|chunk: &Chunk<'_>| {
            let mut start = 0;
            while start < chunk.rows() {
                let end = chunk.rows().min(start + self.batch_rows - filled);
                for (column, builder) in builders.iter_mut().enumerate() {
                    builder.append(chunk, column, start..end);
                }
                (filled, next) = (filled + end - start, next + (end - start) as u64);
                start = end;
                let bytes: usize = builders.iter().map(Builder::bytes).sum();
                if filled == self.batch_rows || bytes >= BATCH_BYTES {
                    parts.push(Part::Batch(self.finish(&mut builders, filled)?));
                    (filled, total) = (0, total + bytes);
                    // The end of a chunk is where the work can be taken up again without losing anything.
                    if total >= BATCH_BYTES && next < rows.end {
                        return Err(Stop::Full);
                    }
                }
            }
            Ok(())
        });
        let last = match done {
            Ok(()) if filled == 0 => None,
            Ok(()) => Some(self.finish(&mut builders, filled).map_or_else(Part::Failed, Part::Batch)),
            Err(Stop::Full) => Some(Part::Rows(next..rows.end)),
            Err(Stop::Failed(error)) => Some(Part::Failed(error)),
        };
        parts.extend(last);
        parts
    }

    fn finish(&self, builders: &mut [Builder], rows: usize) -> Result<RecordBatch, Error> {
        let arrays = builders.iter_mut().map(Builder::finish).collect::<Result<Vec<_>, _>>();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = arrays.and_then(|arrays| {
            RecordBatch::try_new_with_options(self.schema(), arrays, &options).map_err(elements::refused)
        });
        batch.map_err(|kind| self.scan.table.hdu().error(kind))
    }
}

impl Iterator for RecordBatches {
    type Item = Result<RecordBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        // Rows without bytes hold nothing, and a header can claim 10¹⁸ of them.
        if !self.started && self.scan.table.row_bytes() > 0 && !self.scan.rows.is_empty() {
            self.queue.push_back(Part::Rows(self.scan.rows.clone()));
        }
        self.started = true;
        loop {
            match self.queue.pop_front() {
                Some(Part::Batch(batch)) => return Some(Ok(batch)),
                Some(Part::Failed(error)) => {
                    self.queue.clear();
                    self.ended = true;
                    return Some(Err(error));
                }
                Some(Part::Rows(rows)) => {
                    let (pieces, rest) = self.split(rows);
                    if !rest.is_empty() {
                        self.queue.push_front(Part::Rows(rest));
                    }
                    for part in map(pieces, |rows| self.batches(rows)).into_iter().flatten().rev() {
                        self.queue.push_front(part);
                    }
                }
                None if self.ended => return None,
                None => {
                    self.ended = true;
                    return self.scan.check_to_end().err().map(Err);
                }
            }
        }
    }
}

fn schema_of(plans: &[Plan], metadata: impl Into<Metadata>) -> SchemaRef {
    let fields: Vec<_> = plans.iter().map(Plan::field).collect();
    Arc::new(Schema::new_with_metadata(fields, metadata))
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
fn map<R: Send>(pieces: Vec<Range<u64>>, work: impl Fn(Range<u64>) -> R + Sync) -> Vec<R> {
    use rayon::prelude::*;
    if pieces.len() == 1 {
        return pieces.into_iter().map(work).collect();
    }
    pieces.into_par_iter().with_max_len(1).map(&work).collect()
}

#[cfg(not(feature = "rayon"))]
fn map<R>(pieces: Vec<Range<u64>>, work: impl Fn(Range<u64>) -> R) -> Vec<R> {
    pieces.into_iter().map(work).collect()
}
