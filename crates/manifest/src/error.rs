use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What kind of failure an [`Error`] is; a caller treats them differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorClass {
    /// Reading or writing failed; trying again may help.
    Io,
    /// An input is not there.
    Missing,
    /// An input is not what it should be.
    BadData,
    /// The caller asked for something that does not exist or contradicts itself.
    Usage,
    /// More was asked for than the caller allowed.
    Limit,
}

/// Why something was not read, made or written, and where.
#[derive(Clone, Debug, thiserror::Error)]
pub struct Error {
    class: ErrorClass,
    path: Option<PathBuf>,
    what: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "{}: {}", path.display(), self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl Error {
    /// An error without a place.
    pub(crate) fn new(class: ErrorClass, what: impl fmt::Display) -> Self {
        Self { class, path: None, what: what.to_string() }
    }

    pub(crate) fn bad(path: &Path, what: impl fmt::Display) -> Self {
        Self::new(ErrorClass::BadData, what).at(path)
    }

    pub(crate) fn usage(what: impl fmt::Display) -> Self {
        Self::new(ErrorClass::Usage, what)
    }

    /// The error of a system call on `path`.
    pub(crate) fn io(path: &Path, error: &io::Error) -> Self {
        let class = match error.kind() {
            io::ErrorKind::NotFound
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory => ErrorClass::Missing,
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
                ErrorClass::BadData
            }
            _ => ErrorClass::Io,
        };
        Self::new(class, error).at(path)
    }

    pub(crate) fn parquet(path: &Path, error: &parquet::errors::ParquetError) -> Self {
        let io = match error {
            parquet::errors::ParquetError::External(inner) => inner.downcast_ref::<io::Error>(),
            _ => None,
        };
        match io {
            Some(inner) if inner.kind() != io::ErrorKind::UnexpectedEof => Self::io(path, inner),
            _ => Self::bad(path, error),
        }
    }

    /// Says which file it is about, unless that is known.
    #[must_use]
    pub(crate) fn at(mut self, path: &Path) -> Self {
        self.path.get_or_insert_with(|| path.to_owned());
        self
    }

    /// Which kind of failure it is.
    pub fn class(&self) -> ErrorClass {
        self.class
    }

    /// The file it is about, if it is about one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}

#[cfg(feature = "fits")]
impl From<coaddkit_fits::Error> for Error {
    fn from(error: coaddkit_fits::Error) -> Self {
        use coaddkit_fits::{ErrorClass as Fits, ErrorKind};
        let class = match (error.class(), error.kind()) {
            (Fits::Reader, ErrorKind::Io(inner)) => Self::io(Path::new(""), inner).class,
            (Fits::Reader, _) => ErrorClass::Io,
            (Fits::Limit, _) => ErrorClass::Limit,
            // The file lacks the column or HDU that a sweep has to have.
            _ => ErrorClass::BadData,
        };
        Self::new(class, error)
    }
}
