use crate::bricks::BrickTally;
use crate::error::{Failure, FileError, FootprintError};
use coaddkit_fits::{Chunk, Column, ColumnType, ErrorKind, Fits, Scan, Table, Values};
use coaddkit_photometry::{Cut, CutFlow, Evaluator, Text as CutText, Values as CutValues};
use coaddkit_sky::{Region, RegionBounds};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// The column that says which brick an object belongs to.
const BRICK_COLUMN: &str = "brickname";

/// Counts the rows of sweep catalogues that pass a cut, per brick.
///
/// Sweeps are FITS files whose HDU 1 is a binary table with a text column `BRICKNAME` and the columns of the
/// cut, names without case. Each file counts wholly or not at all.
///
/// # Memory
///
/// A read buffer a thread and one number a brick, whatever the size of the files.
///
/// # Examples
///
/// ```no_run
/// use coaddkit_density::Count;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let count = Count::new("demag(flux_z) < 20.4 & mag(flux_r) - mag(flux_z) > 0.4".parse()?);
/// let counts = count.run(&["sweep-000m005-005p000.fits".into()], &());
/// for (brick, n) in &counts.bricks {
///     println!("{brick},{n}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Count {
    cut: Cut,
}

/// What was counted.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Counts {
    /// Selected objects of each brick that has any, by name.
    pub bricks: BTreeMap<String, u64>,
    /// Kept and lost at each clause, over all files that were read wholly.
    pub flow: CutFlow,
    /// One report a file, in the order in which they were given.
    pub files: Vec<FileCount>,
}

/// How one file went.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FileCount {
    /// The file.
    pub path: PathBuf,
    /// Rows read; 0 if the file failed.
    pub rows: u64,
    /// Rows selected; 0 if the file failed.
    pub selected: u64,
    /// Bytes of the file as stored.
    pub bytes: u64,
    /// Wall-clock time.
    pub seconds: f64,
    /// Why the file contributes nothing.
    pub error: Option<FileError>,
}

/// Told of progress while files are read, from several threads at once.
///
/// `()` ignores it.
pub trait Progress: Sync {
    /// `bytes` more of the files, as stored, have been dealt with.
    fn bytes(&self, bytes: u64);
    /// A file has ended, well or not.
    fn file(&self, file: &FileCount);
}

impl Progress for () {
    fn bytes(&self, _: u64) {}
    fn file(&self, _: &FileCount) {}
}

/// The sums of one file, or of a part of it.
struct Part {
    evaluator: Evaluator,
    flow: CutFlow,
    bricks: BrickTally,
    rows: u64,
    selected: u64,
}

impl Counts {
    /// Rows of all files that were read wholly.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|f| f.rows).sum()
    }

    /// Selected rows of all files that were read wholly.
    pub fn selected(&self) -> u64 {
        self.files.iter().map(|f| f.selected).sum()
    }

    /// Files that failed, in order.
    pub fn failed(&self) -> impl Iterator<Item = (&FileCount, &FileError)> {
        self.files.iter().filter_map(|f| Some((f, f.error.as_ref()?)))
    }

    /// Adds what was counted in other files with the same cut.
    pub fn merge(&mut self, other: Self) {
        // Flows of the same cut can be added.
        let _ = self.flow.merge(&other.flow);
        for (name, n) in other.bricks {
            *self.bricks.entry(name).or_default() += n;
        }
        self.files.extend(other.files);
    }

    /// Notes a file that cannot be counted: one that could not be fetched, say.
    pub fn fail(&mut self, path: &Path, error: FileError) {
        let path = path.to_owned();
        let error = Some(error);
        self.files.push(FileCount { path, rows: 0, selected: 0, bytes: 0, seconds: 0.0, error });
    }

    /// The worst failure: bad data before missing input before what may pass when tried again.
    pub fn worst(&self) -> Option<Failure> {
        self.failed().map(|(_, e)| e.failure()).max()
    }
}

impl Count {
    /// Counts what passes `cut`.
    pub fn new(cut: Cut) -> Self {
        Self { cut }
    }

    /// Restricts the count to objects within bounds of the columns `ra` and `dec`, in degrees, inclusive; across
    /// right ascension 0 if the smallest is above the largest. The clauses come before those of the cut, and only
    /// bounds that are given add one.
    ///
    /// Right ascensions are compared as they stand in the file, which is from 0 to below 360 in sweeps.
    ///
    /// # Errors
    ///
    /// For bounds that are no region; and if the whole cut becomes longer than a cut may be.
    pub fn footprint(self, bounds: RegionBounds) -> Result<Self, FootprintError> {
        Region::from_bounds(bounds)?;
        let RegionBounds { ra_min_deg, ra_max_deg, dec_min_deg, dec_max_deg } = bounds;
        let mut clauses = Vec::new();
        match (ra_min_deg, ra_max_deg) {
            (Some(min), Some(max)) if min > max => clauses.push(format!("(ra >= {min} | ra <= {max})")),
            (min, max) => {
                clauses.extend(min.map(|min| format!("ra >= {min}")));
                clauses.extend(max.map(|max| format!("ra <= {max}")));
            }
        }
        clauses.extend(dec_min_deg.map(|min| format!("dec >= {min}")));
        clauses.extend(dec_max_deg.map(|max| format!("dec <= {max}")));
        if clauses.is_empty() {
            return Ok(self);
        }
        let footprint: Cut = clauses.join(" & ").parse()?;
        Ok(Self { cut: footprint.and(&self.cut) })
    }

    /// The cut, the footprint included.
    pub fn cut(&self) -> &Cut {
        &self.cut
    }

    /// Counts `files` on the threads of the current rayon pool.
    ///
    /// A file that fails is reported and contributes nothing; the others are counted all the same.
    pub fn run(&self, files: &[PathBuf], progress: &dyn Progress) -> Counts {
        // Each file adds its sums when it ends well, so that no more than the totals is held.
        let totals = Mutex::new((BTreeMap::new(), self.cut.flow()));
        let one = |path: &PathBuf, spread: bool| {
            let (file, part) = self.file(path, spread, progress);
            if let Some(part) = part {
                let mut totals = totals.lock().unwrap_or_else(PoisonError::into_inner);
                part.add_to(&mut totals);
            }
            progress.file(&file);
            file
        };
        // Whole files run side by side, which suits compressed ones; the last few are shared between all
        // threads, so that none idles while one of them finishes.
        let (bulk, tail) = files.split_at(files.len().saturating_sub(rayon::current_num_threads()));
        let mut files: Vec<_> = bulk.par_iter().with_max_len(1).map(|path| one(path, false)).collect();
        files.extend(tail.iter().map(|path| one(path, true)));
        let (bricks, flow) = totals.into_inner().unwrap_or_else(PoisonError::into_inner);
        Counts { bricks, flow, files }
    }

    /// Counts one file of so many bytes that is open already: a download, an object of a store. It is called `path` in
    /// the result.
    ///
    /// # Examples
    ///
    /// ```
    /// use coaddkit_density::Count;
    /// use coaddkit_fits::Fits;
    ///
    /// let count = Count::new("mag(flux_z) < 20.4".parse()?);
    /// let mut all = count.none();
    /// let fits = Fits::from_source(b"no sweep".to_vec());
    /// all.merge(count.one("https://example.org/sweep.fits".as_ref(), 8, fits));
    /// assert_eq!(all.failed().count(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn one(&self, path: &Path, bytes: u64, fits: Result<Fits, coaddkit_fits::Error>) -> Counts {
        let mut counts = self.none();
        let (mut file, part) = self.open(path, fits, bytes, true, &());
        file.error = file.error.map(|error| error.named(path));
        if let Some(part) = part {
            let mut totals = (std::mem::take(&mut counts.bricks), counts.flow);
            part.add_to(&mut totals);
            (counts.bricks, counts.flow) = totals;
        }
        counts.files.push(file);
        counts
    }

    /// The count of no file, to merge others into.
    pub fn none(&self) -> Counts {
        Counts { bricks: BTreeMap::new(), flow: self.cut.flow(), files: Vec::new() }
    }

    /// Counts one file; `spread` shares it between all threads.
    fn file(&self, path: &Path, spread: bool, progress: &dyn Progress) -> (FileCount, Option<Part>) {
        let bytes = std::fs::metadata(path).map_or(0, |m| if m.is_file() { m.len() } else { 0 });
        self.open(path, Fits::open(path), bytes, spread, progress)
    }

    fn open(
        &self,
        path: &Path,
        fits: Result<Fits, coaddkit_fits::Error>,
        bytes: u64,
        spread: bool,
        progress: &dyn Progress,
    ) -> (FileCount, Option<Part>) {
        let start = Instant::now();
        let told = AtomicU64::new(0);
        let tell = |n: u64| {
            // Inflated bytes must not run ahead of the size of a compressed file.
            let before = told.fetch_add(n, Ordering::Relaxed);
            progress.bytes(bytes.saturating_sub(before).min(n));
        };
        let result = self.sum(path, fits, spread, &tell);
        let rest = bytes.saturating_sub(told.into_inner());
        progress.bytes(rest);
        let mut file =
            FileCount { path: path.to_owned(), rows: 0, selected: 0, bytes, seconds: 0.0, error: None };
        let part = match result {
            Ok(part) => {
                (file.rows, file.selected) = (part.rows, part.selected);
                Some(part)
            }
            Err(error) => {
                file.error = Some(error);
                None
            }
        };
        file.seconds = start.elapsed().as_secs_f64();
        (file, part)
    }

    fn sum(
        &self,
        path: &Path,
        fits: Result<Fits, coaddkit_fits::Error>,
        spread: bool,
        tell: &(dyn Fn(u64) + Sync),
    ) -> Result<Part, FileError> {
        let table = fits?.hdu(1)?.table()?;
        let scan = self.projected(path, &table)?;
        let new = || Part {
            evaluator: self.cut.evaluator(),
            flow: self.cut.flow(),
            bricks: BrickTally::default(),
            rows: 0,
            selected: 0,
        };
        let step = |part: &mut Part, chunk: &Chunk<'_>| {
            tell(chunk.bytes().len() as u64);
            part.add(path, chunk, self.cut.columns().len())
        };
        let part = if spread {
            scan.fold(new, step, Part::merge)?
        } else {
            let mut part = new();
            scan.for_each(|chunk| step(&mut part, chunk))?;
            part
        };
        Ok(part)
    }

    /// The columns of the cut, in its order, and then the brick name.
    fn projected(&self, path: &Path, table: &Table) -> Result<Scan, FileError> {
        let wrong_type = |column: &Column, wanted| {
            let (name, tform) = (column.name.clone(), column.tform.clone());
            FileError::bad_data(
                path,
                format_args!("HDU 1: {}", ErrorKind::ColumnType { name, tform, wanted }),
            )
        };
        let mut scan = table.scan();
        for name in self.cut.columns() {
            let column = &table.columns()[table.index_of(name)?];
            let text = column.kind == ColumnType::Text;
            if !text && (column.repeat != 1 || matches!(column.kind, ColumnType::Logical | ColumnType::Bit)) {
                return Err(wrong_type(column, "one number or text a row"));
            }
            scan = scan.column(name)?;
        }
        let brick = &table.columns()[table.index_of(BRICK_COLUMN)?];
        if brick.kind != ColumnType::Text || brick.width == 0 {
            return Err(wrong_type(brick, "text"));
        }
        Ok(scan.column(BRICK_COLUMN)?)
    }
}

impl Part {
    fn add(&mut self, path: &Path, chunk: &Chunk<'_>, cut_columns: usize) -> Result<(), FileError> {
        let values: Vec<_> = (0..cut_columns).map(|i| for_cut(chunk.values(i))).collect();
        let selected = self
            .evaluator
            .select(chunk.rows(), &values, &mut self.flow)
            .map_err(|e| FileError::cut(path, &e))?;
        self.rows += chunk.rows() as u64;
        self.selected += selected.len() as u64;
        if let Values::Text(names) = chunk.values(cut_columns) {
            for &row in selected {
                self.bricks.add(names.get(row as usize)).map_err(|name| {
                    let row = chunk.first_row() + u64::from(row);
                    let name = name.escape_ascii();
                    FileError::bad_data(path, format_args!("HDU 1, row {row}: '{name}' is not a brick name"))
                })?;
            }
        }
        Ok(())
    }

    fn add_to(self, (bricks, flow): &mut (BTreeMap<String, u64>, CutFlow)) {
        // Both flows are of the same cut, which is all that merging can fail for.
        let _ = flow.merge(&self.flow);
        for (name, n) in self.bricks.into_counts() {
            *bricks.entry(name).or_default() += n;
        }
    }

    fn merge(mut self, other: Self) -> Self {
        // Both flows are of the same cut, which is all that merging can fail for.
        let _ = self.flow.merge(&other.flow);
        self.bricks.merge(other.bricks);
        self.rows += other.rows;
        self.selected += other.selected;
        self
    }
}

/// The two crates do not know each other; a column crosses over as a slice.
fn for_cut(values: Values<'_>) -> CutValues<'_> {
    match values {
        Values::I8(v) => CutValues::I8(v),
        Values::U8(v) => CutValues::U8(v),
        Values::I16(v) => CutValues::I16(v),
        Values::U16(v) => CutValues::U16(v),
        Values::I32(v) => CutValues::I32(v),
        Values::U32(v) => CutValues::U32(v),
        Values::I64(v) => CutValues::I64(v),
        Values::U64(v) => CutValues::U64(v),
        Values::F32(v) => CutValues::F32(v),
        Values::F64(v) => CutValues::F64(v),
        Values::Text(t) => CutValues::Text(CutText::new(t.as_strided(), t.stride(), t.width())),
        // `fits::Values` may grow; `Count::projected` lets only these through.
        _ => CutValues::F64(&[]),
    }
}
