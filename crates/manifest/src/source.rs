//! Tables read from Parquet, CSV and FITS, in parts.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use arrow_array::RecordBatch;
use rayon::prelude::*;

use crate::{Error, ErrorClass, Field, Kind};

mod cast;
mod comma;
#[cfg(feature = "fits")]
mod fits;
mod parquet;

/// Rows of a batch.
const BATCH_ROWS: usize = 1 << 16;

/// Called with the first row of a batch in its file, and the batch.
type Step<'a> = dyn Fn(u64, RecordBatch) -> Result<(), Error> + Sync + 'a;

/// A table to be read: a Parquet, CSV (also `.csv.gz`) or FITS file, or a folder of such files as Spark writes them.
///
/// Of a folder the files count whose names end in `.parquet`, `.csv` or `.csv.gz`, at any depth, sorted by path; names
/// that start with `_` or `.` do not. A folder `name=value` adds a column to the files below it.
#[derive(Clone, Debug)]
pub struct Source {
    path: PathBuf,
    files: Vec<SourceFile>,
}

#[derive(Clone, Debug)]
struct SourceFile {
    path: PathBuf,
    format: Format,
    /// Columns that stand in the names of folders.
    constants: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Parquet,
    Csv { gzip: bool },
    Fits,
}

/// Consecutive rows of one file of a [`Source`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Rows {
    /// Which file, in the order of the source.
    pub file: usize,
    /// Row of the file, from 0, that comes first.
    pub first_row: u64,
    /// The columns asked for, in that order, with those names and types.
    pub batch: RecordBatch,
}

impl Source {
    /// Looks at a path; no file is opened yet.
    ///
    /// # Errors
    ///
    /// When there is nothing, or a folder without any table, or a name that says no format.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let meta = std::fs::metadata(path).map_err(|e| Error::io(path, &e))?;
        let mut files = Vec::new();
        if meta.is_dir() {
            walk(path, &[], &mut files)?;
            if files.is_empty() {
                let what = "holds no file that ends in .parquet, .csv or .csv.gz";
                return Err(Error::new(ErrorClass::Missing, what).at(path));
            }
        } else {
            let format = Format::of(path).ok_or_else(|| {
                Error::bad(
                    path,
                    "its name does not end in .parquet, .csv, .csv.gz, .fits, .fits.gz or .fits.fz",
                )
            })?;
            files.push(SourceFile { path: path.to_owned(), format, constants: Vec::new() });
        }
        Ok(Self { path: path.to_owned(), files })
    }

    /// As it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The files, in order.
    pub fn files(&self) -> impl ExactSizeIterator<Item = &Path> {
        self.files.iter().map(|file| &*file.path)
    }

    /// The same table, of some of its files; `None` if there is no such file.
    #[cfg(feature = "fits")]
    pub(crate) fn part(&self, files: impl IntoIterator<Item = usize>) -> Option<Self> {
        let files = files.into_iter().map(|file| self.files.get(file).cloned()).collect::<Option<_>>()?;
        Some(Self { path: self.path.clone(), files })
    }

    /// The files with their names relative to the folder.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&Path, PathBuf)> {
        self.files().map(|file| {
            let name = file.strip_prefix(&self.path).unwrap_or(file);
            let whole = name.as_os_str().is_empty();
            (
                file,
                if whole { file.file_name().map_or(PathBuf::new(), PathBuf::from) } else { name.to_owned() },
            )
        })
    }

    /// Folds all rows into accumulators on the threads of the current rayon pool, and merges them.
    ///
    /// Only the columns asked for are read: by name, without case. A number that fits exactly goes into a wider type; a
    /// double goes into single precision rounded to nearest; whole numbers 0 and 1 may stand for false and true.
    ///
    /// `merge` must not depend on order: which rows meet in which accumulator is not defined.
    ///
    /// # Errors
    ///
    /// A column that is missing, has another type, or is null where `field` forbids it, with the file and the row; an
    /// error of `step`. The first in order of the files.
    pub fn fold<A: Send>(
        &self,
        fields: &[Field<'_>],
        init: impl Fn() -> A + Sync,
        step: impl Fn(&mut A, &Rows) -> Result<(), Error> + Sync,
        merge: impl Fn(A, A) -> A,
    ) -> Result<A, Error> {
        // As many accumulators as there are threads at work, whatever the number of parts.
        let spare: Mutex<Vec<A>> = Mutex::new(Vec::new());
        let take = || spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let put = |total: A| spare.lock().unwrap_or_else(PoisonError::into_inner).push(total);
        let one = |index: usize| -> Result<(), Error> {
            let file = &self.files[index];
            let step = |first_row: u64, batch: RecordBatch| {
                let mut total = take().unwrap_or_else(&init);
                let done = step(&mut total, &Rows { file: index, first_row, batch });
                put(total);
                done
            };
            let done = match file.format {
                Format::Parquet => parquet::for_each(file, fields, &step),
                Format::Csv { gzip } => comma::for_each(file, gzip, fields, &step),
                #[cfg(feature = "fits")]
                Format::Fits => fits::for_each(file, fields, &step),
                #[cfg(not(feature = "fits"))]
                Format::Fits => Err(Error::usage("this build does not read FITS (feature fits)")),
            };
            done.map_err(|e| e.at(&file.path))
        };
        // Results, not a short cut: the error that is told must not depend on which thread was first.
        (0..self.files.len()).into_par_iter().map(one).reduce(|| Ok(()), Result::and)?;
        let totals = spare.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(totals.into_iter().reduce(merge).unwrap_or_else(init))
    }

    /// All rows in order, for tables that are small.
    ///
    /// # Errors
    ///
    /// As for [`Self::fold`].
    pub fn read(&self, fields: &[Field<'_>]) -> Result<Vec<Rows>, Error> {
        let push = |all: &mut Vec<Rows>, rows: &Rows| {
            all.push(rows.clone());
            Ok(())
        };
        let mut all = self.fold(fields, Vec::new, push, |mut a, mut b| {
            a.append(&mut b);
            a
        })?;
        all.sort_by_key(|rows| (rows.file, rows.first_row));
        Ok(all)
    }

    /// The rows at places (file, in the order of the source, and row of it), in that order; of Parquet only, whose pages
    /// without such rows are not decoded.
    ///
    /// # Shape
    ///
    /// `places` ascend and name no row twice. The batches hold one row for each place.
    ///
    /// # Errors
    ///
    /// As for [`Self::fold`]; for a place that is not there, or not in its order.
    pub fn pick(&self, fields: &[Field<'_>], places: &[(usize, u64)]) -> Result<Vec<RecordBatch>, Error> {
        if let Some(pair) = places.windows(2).find(|pair| pair[0] >= pair[1]) {
            let [a, b] = [pair[0], pair[1]].map(|(file, row)| format!("row {row} of file {file}"));
            return Err(Error::usage(format!("{b} is asked for after {a}")).at(&self.path));
        }
        let groups: Vec<&[(usize, u64)]> = places.chunk_by(|a, b| a.0 == b.0).collect();
        let one = |group: &&[(usize, u64)]| {
            let file = self
                .files
                .get(group[0].0)
                .ok_or_else(|| Error::usage(format!("there is no file {}", group[0].0)))?;
            let rows: Vec<u64> = group.iter().map(|&(_, row)| row).collect();
            match file.format {
                Format::Parquet => parquet::pick(file, fields, &rows).map_err(|e| e.at(&file.path)),
                _ => Err(Error::bad(&file.path, "must be Parquet")),
            }
        };
        let parts: Vec<Result<Vec<RecordBatch>, Error>> = groups.par_iter().map(one).collect();
        let mut all = Vec::new();
        for part in parts {
            all.append(&mut part?);
        }
        Ok(all)
    }

    /// Names of the columns of the first file, constants of its folders included.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn columns(&self) -> Result<Vec<String>, Error> {
        let Some(file) = self.files.first() else { return Ok(Vec::new()) };
        let names = match file.format {
            Format::Parquet => parquet::columns(&file.path),
            Format::Csv { gzip } => comma::columns(&file.path, gzip),
            #[cfg(feature = "fits")]
            Format::Fits => fits::columns(&file.path),
            #[cfg(not(feature = "fits"))]
            Format::Fits => Err(Error::usage("this build does not read FITS (feature fits)")),
        };
        let mut names = names.map_err(|e| e.at(&file.path))?;
        names.extend(file.constants.iter().map(|(name, _)| name.clone()));
        Ok(names)
    }

    /// Names and types of the columns of the first file that a [`Kind`] describes; all columns of a CSV file are text.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub(crate) fn kinds(&self) -> Result<Vec<(String, Kind)>, Error> {
        match self.files.first() {
            Some(file) if file.format == Format::Parquet => {
                let mut kinds = parquet::kinds(&file.path).map_err(|e| e.at(&file.path))?;
                kinds.extend(file.constants.iter().map(|(name, _)| (name.clone(), Kind::Text)));
                Ok(kinds)
            }
            _ => Ok(self.columns()?.into_iter().map(|name| (name, Kind::Text)).collect()),
        }
    }

    /// Whether the first file has a column, without case.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn has(&self, column: &str) -> Result<bool, Error> {
        Ok(self.columns()?.iter().any(|name| name.eq_ignore_ascii_case(column)))
    }

    /// Keys and values of the metadata of the first file, if that is Parquet.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn metadata(&self) -> Result<Vec<(String, String)>, Error> {
        match self.files.first() {
            Some(file) if file.format == Format::Parquet => {
                parquet::metadata(&file.path).map_err(|e| e.at(&file.path))
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Rows of all files where the files say so without being read, which Parquet does; `None` otherwise.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub fn rows(&self) -> Result<Option<u64>, Error> {
        if self.files.iter().any(|file| file.format != Format::Parquet) {
            return Ok(None);
        }
        let count = |file: &SourceFile| parquet::rows(&file.path).map_err(|e| e.at(&file.path));
        self.files.par_iter().map(count).sum::<Result<u64, Error>>().map(Some)
    }
}

impl Format {
    fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let ends = |end: &str| name.ends_with(end);
        match () {
            () if ends(".parquet") => Some(Self::Parquet),
            () if ends(".csv") => Some(Self::Csv { gzip: false }),
            () if ends(".csv.gz") => Some(Self::Csv { gzip: true }),
            () if ends(".fits") || ends(".fits.gz") || ends(".fits.fz") || ends(".fit") => Some(Self::Fits),
            () => None,
        }
    }
}

fn walk(folder: &Path, constants: &[(String, String)], files: &mut Vec<SourceFile>) -> Result<(), Error> {
    let at = |e: &std::io::Error| Error::io(folder, e);
    let entries: Result<Vec<_>, _> = std::fs::read_dir(folder).map_err(|e| at(&e))?.collect();
    let mut paths: Vec<PathBuf> =
        entries.map_err(|e| at(&e))?.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(['_', '.']) {
            continue;
        }
        if path.is_dir() {
            let mut constants = constants.to_vec();
            if let Some((key, value)) = name.split_once('=') {
                constants.push((key.to_owned(), value.to_owned()));
            }
            walk(&path, &constants, files)?;
        } else if let Some(format) = Format::of(&path).filter(|format| *format != Format::Fits) {
            files.push(SourceFile { path, format, constants: constants.to_vec() });
        }
    }
    Ok(())
}

/// A column that the file lacks: the value in the name of a folder, if there is one.
fn constant<'a>(file: &'a SourceFile, name: &str) -> Option<&'a str> {
    let found = file.constants.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

fn missing<'a>(name: &str, columns: impl Iterator<Item = &'a str>) -> Error {
    let names: Vec<_> = columns.collect();
    let all = if names.len() > 100 { format!("{} columns", names.len()) } else { names.join(", ") };
    Error::new(ErrorClass::BadData, format!("there is no column {name}; there are: {all}"))
}
