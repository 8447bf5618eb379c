use crate::structure::PixelType;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Where in a file something was found.
///
/// Fields that are not known are `None`. Offsets count bytes of the FITS stream, that is after gunzip.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Location {
    /// The file, where the stream came from one.
    pub path: Option<PathBuf>,
    /// The HDU, from 0 (the primary HDU).
    pub hdu: Option<usize>,
    /// The byte offset in the FITS stream.
    pub offset: Option<u64>,
    /// The table row, from 0.
    pub row: Option<u64>,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sep = "";
        if let Some(path) = &self.path {
            write!(f, "{}", path.display())?;
            sep = ": ";
        }
        if let Some(hdu) = self.hdu {
            write!(f, "{sep}HDU {hdu}")?;
            sep = ", ";
        }
        if let Some(row) = self.row {
            write!(f, "{sep}row {row}")?;
            sep = ", ";
        }
        if let Some(offset) = self.offset {
            write!(f, "{sep}byte {offset}")?;
        }
        Ok(())
    }
}

/// The four kinds of failure that callers treat differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// The reader or writer failed: no such file, permission, a full or broken disk, a lost connection. Trying
    /// again may help.
    Reader,
    /// The bytes are bad: not FITS, damaged, truncated, or against the standard.
    Data,
    /// The caller asked for something that this file does not hold, that FITS does not allow or that this crate
    /// cannot do.
    Caller,
    /// A [`Limits`](crate::Limits) was reached.
    Limit,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The reader or writer failed.
    #[error("{0}")]
    Io(#[source] io::Error),
    /// The gzip stream around the file is damaged or ends early.
    #[error("damaged gzip stream: {0}")]
    Gzip(#[source] io::Error),
    /// The stream does not start as FITS does (FITS 4.0, section 4.4.1).
    #[error("not a FITS file: {reason}")]
    NotFits {
        /// What was found instead.
        reason: String,
    },
    /// The stream ends before `what` does.
    #[error("truncated: {what} needs {needed} bytes, {found} are there")]
    Truncated {
        /// The part that is cut: `"header"`, `"data"`.
        what: &'static str,
        /// Bytes that the part needs.
        needed: u64,
        /// Bytes of it that are there.
        found: u64,
    },
    /// A header keyword is missing, out of place or has an impossible value.
    #[error("{keyword} {problem}")]
    Header {
        /// The keyword.
        keyword: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A field of a table, or what it points to, is malformed.
    #[error("column {column} {problem}")]
    Field {
        /// Name of the column.
        column: String,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no such HDU.
    #[error("there is no HDU {wanted}; the file has {found}")]
    MissingHdu {
        /// The index or name asked for.
        wanted: String,
        /// What the file has.
        found: String,
    },
    /// The HDU is of another kind than the one asked for.
    #[error("this HDU is {found}, not {wanted}")]
    WrongHdu {
        /// What was asked for.
        wanted: &'static str,
        /// What is there.
        found: String,
    },
    /// The table has no column of that name.
    #[error("no column {name}; the columns are: {}", found.join(", "))]
    MissingColumn {
        /// The name asked for.
        name: String,
        /// Names of all columns, in order.
        found: Vec<String>,
    },
    /// The column is of a type that the caller cannot use.
    #[error("column {name} has format {tform}, which is not {wanted}")]
    ColumnType {
        /// Name of the column.
        name: String,
        /// Its TFORM.
        tform: String,
        /// What was wanted.
        wanted: &'static str,
    },
    /// The compressed data of an image tile are damaged or not what the header says.
    #[error("tile {tile} ({codec}): {problem}")]
    Tile {
        /// The tile, from 0, which is also its row in the table.
        tile: u64,
        /// How the image is compressed.
        codec: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The pixels are of a type that the one asked for cannot hold exactly.
    #[error("the pixels are {own:?}, which {wanted:?} does not hold exactly")]
    PixelType {
        /// What the image holds.
        own: PixelType,
        /// What was asked for.
        wanted: PixelType,
    },
    /// The section asked for is not one of this image.
    #[error("no such section: {problem}")]
    Section {
        /// What is wrong with it.
        problem: String,
    },
    /// A header card that the standard does not allow, or that is the writer's own.
    #[error("card {keyword} {problem}")]
    Card {
        /// The keyword asked for.
        keyword: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Data that do not fit what they were said to be, or that cannot be stored that way.
    #[error("cannot write {what}: {problem}")]
    Unwritable {
        /// The part: an image, a column.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Legal FITS that this crate does not read yet, or another compression around the file.
    #[error("{what} is not supported")]
    Unsupported {
        /// The feature.
        what: String,
    },
    /// A call of CFITSIO failed; only with the feature `cfitsio`.
    #[error("CFITSIO status {status}: {message}")]
    Cfitsio {
        /// Its status.
        status: i32,
        /// Its text for the status, and its messages.
        message: String,
    },
    /// A [`Limits`](crate::Limits) was reached.
    #[error("{what} is {wanted}, over the limit of {limit}")]
    Limit {
        /// What is too large.
        what: &'static str,
        /// What the file asks for.
        wanted: u64,
        /// What is allowed.
        limit: u64,
    },
}

/// An error with the place where it happened.
///
/// Displays as `FILE: HDU n, row r, byte b: what`.
#[derive(Debug)]
pub struct Error {
    inner: Box<(Location, ErrorKind)>,
}

impl ErrorKind {
    pub(crate) fn io(source: io::Error) -> Self {
        match source.get_ref().and_then(|e| e.downcast_ref::<crate::gzip::Damaged>()) {
            Some(_) => Self::Gzip(source),
            None => Self::Io(source),
        }
    }
}

impl Error {
    pub(crate) fn new(at: Location, kind: ErrorKind) -> Self {
        Self { inner: Box::new((at, kind)) }
    }

    /// Wraps an error of the reader; damage inside a gzip stream is told apart from a failing disk.
    pub(crate) fn io(at: Location, source: io::Error) -> Self {
        Self::new(at, ErrorKind::io(source))
    }

    pub(crate) fn into_parts(self) -> (Location, ErrorKind) {
        *self.inner
    }

    /// Where it happened.
    pub fn location(&self) -> &Location {
        &self.inner.0
    }

    /// The file, where there is one.
    pub fn path(&self) -> Option<&Path> {
        self.inner.0.path.as_deref()
    }

    /// What went wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.inner.1
    }

    /// Which of the four kinds of failure it is.
    pub fn class(&self) -> ErrorClass {
        match self.kind() {
            ErrorKind::Io(_) => ErrorClass::Reader,
            ErrorKind::Gzip(_)
            | ErrorKind::NotFits { .. }
            | ErrorKind::Truncated { .. }
            | ErrorKind::Header { .. }
            | ErrorKind::Tile { .. }
            | ErrorKind::Field { .. } => ErrorClass::Data,
            ErrorKind::MissingHdu { .. }
            | ErrorKind::WrongHdu { .. }
            | ErrorKind::MissingColumn { .. }
            | ErrorKind::ColumnType { .. }
            | ErrorKind::PixelType { .. }
            | ErrorKind::Section { .. }
            | ErrorKind::Card { .. }
            | ErrorKind::Unwritable { .. }
            | ErrorKind::Unsupported { .. } => ErrorClass::Caller,
            ErrorKind::Limit { .. } => ErrorClass::Limit,
            ErrorKind::Cfitsio { status, .. } => cfitsio_class(*status),
        }
    }
}

/// By the number of a status: files and memory, what was asked for, and what is in the file.
fn cfitsio_class(status: i32) -> ErrorClass {
    match status {
        // Not opened, created, written or closed, no memory, no driver; but the end of a file comes too early (107),
        // and what cannot be read (108) is mostly not there.
        101..=106 | 109..=199 => ErrorClass::Reader,
        // No such keyword, column, HDU, row, element, axis or pixel; a type that it does not convert.
        202 | 219 | 301 | 302 | 307 | 308 | 320 | 321 | 323 | 410 => ErrorClass::Caller,
        _ => ErrorClass::Data,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, kind) = &*self.inner;
        if *at == Location::default() { write!(f, "{kind}") } else { write!(f, "{at}: {kind}") }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.kind() {
            ErrorKind::Io(e) | ErrorKind::Gzip(e) => Some(e),
            _ => None,
        }
    }
}
