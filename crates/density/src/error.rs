use coaddkit_fits::{Error as FitsError, ErrorClass, ErrorKind};
use coaddkit_photometry::CutError;
use std::io;
use std::path::Path;

/// How a caller should treat an input that failed; the worst is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// The reader failed; trying again may help.
    Transient,
    /// There is no such file, or it may not be read.
    Missing,
    /// The file is there and cannot be used: damaged, or without the columns asked for.
    BadData,
}

impl Failure {
    /// What cannot be opened is missing; a reader that breaks may work another time.
    fn of_reader(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::InvalidFilename => Self::Missing,
            // A loop of symbolic links has no kind of its own in stable Rust.
            _ if cfg!(target_os = "linux") && error.raw_os_error() == Some(40) => Self::Missing,
            _ => Self::Transient,
        }
    }
}

/// Why an input cannot be used; displays as `FILE: where: what`.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct FileError {
    failure: Failure,
    message: String,
}

impl FileError {
    /// Of an input that was found unusable elsewhere.
    pub fn new(path: &Path, failure: Failure, what: impl std::fmt::Display) -> Self {
        Self { failure, message: format!("{}: {what}", path.display()) }
    }

    /// With the name of the file, which a reader of open files does not know.
    pub(crate) fn named(mut self, path: &Path) -> Self {
        let name = path.to_string_lossy();
        if !self.message.starts_with(&*name) {
            self.message = format!("{name}: {}", self.message);
        }
        self
    }

    pub(crate) fn bad_data(path: &Path, what: impl std::fmt::Display) -> Self {
        Self { failure: Failure::BadData, message: format!("{}: {what}", path.display()) }
    }

    pub(crate) fn reader(path: &Path, error: &io::Error) -> Self {
        Self { failure: Failure::of_reader(error), message: format!("{}: {error}", path.display()) }
    }

    /// How to treat it.
    pub fn failure(&self) -> Failure {
        self.failure
    }
}

impl From<FitsError> for FileError {
    fn from(error: FitsError) -> Self {
        let failure = match (error.class(), error.kind()) {
            (ErrorClass::Reader, ErrorKind::Io(e)) => Failure::of_reader(e),
            (ErrorClass::Reader, _) => Failure::Transient,
            _ => Failure::BadData,
        };
        Self { failure, message: error.to_string() }
    }
}

impl FileError {
    pub(crate) fn cut(path: &Path, error: &CutError) -> Self {
        Self::bad_data(path, format_args!("HDU 1: {error}"))
    }
}

/// Why a footprint cannot be part of a cut.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
#[non_exhaustive]
pub enum FootprintError {
    /// The bounds are no region of the sky.
    Bounds(#[from] coaddkit_sky::Error),
    /// The clauses make no cut.
    Cut(#[from] CutError),
}
