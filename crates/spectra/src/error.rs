use std::fmt::Display;
use std::io;
use std::path::Path;

use coaddkit_fits::ErrorClass;

/// What kind of failure it is, which says what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// One of the two files is not there.
    MissingInput,
    /// A file is damaged, or not what a coadd or redrock file is: no HDU of a camera, shapes that do not fit.
    BadData,
    /// The caller is wrong: a cut that cannot be applied, a name that is no name of a file.
    Usage,
    /// A limit on memory or the room on the disk was reached.
    Limit,
    /// Reading or writing failed in a way that may pass.
    Transient,
}

/// A failure, with the file where it happened.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {what}")]
pub struct Error {
    kind: ErrorKind,
    place: Box<str>,
    what: Box<str>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, path: &Path, what: impl Display) -> Self {
        Self { kind, place: path.display().to_string().into(), what: what.to_string().into() }
    }

    pub(crate) fn bad(path: &Path, what: impl Display) -> Self {
        Self::new(ErrorKind::BadData, path, what)
    }

    /// What the reader of FITS files says; that something is not in the file is a fault of the file here.
    pub(crate) fn fits(path: &Path, error: &coaddkit_fits::Error) -> Self {
        let kind = match (error.class(), error.kind()) {
            (_, coaddkit_fits::ErrorKind::Io(e)) => of_io(e),
            (ErrorClass::Reader, _) => ErrorKind::Transient,
            (ErrorClass::Limit, _) => ErrorKind::Limit,
            _ => ErrorKind::BadData,
        };
        // The reader may name the file, which is the place.
        let what = error.to_string();
        Self::new(kind, path, what.strip_prefix(&format!("{}: ", path.display())).unwrap_or(&what))
    }

    pub(crate) fn read(path: &Path, error: &io::Error) -> Self {
        Self::new(of_io(error), path, error)
    }

    pub(crate) fn write(path: &Path, error: &io::Error) -> Self {
        Self::new(if room(error) { ErrorKind::Limit } else { ErrorKind::Transient }, path, error)
    }

    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The file that failed.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What happened there.
    pub fn what(&self) -> &str {
        &self.what
    }
}

fn of_io(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::NotFound
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::NotADirectory => ErrorKind::MissingInput,
        _ => ErrorKind::Transient,
    }
}

fn room(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
