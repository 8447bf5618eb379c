use std::fmt::Display;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// What kind of failure it is, which says what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// Reading or writing failed in a way that passes; running again may help.
    Transient,
    /// A limit of time, memory or disk was reached; running again with more of it may help.
    Limit,
    /// Something that is needed is not there.
    Missing,
    /// The bytes are there and are not what they should be.
    Data,
    /// The caller is wrong: an option out of range, a run that is another one than the folder holds.
    Usage,
    /// A mistake in the program, such as a panic.
    Bug,
}

impl ErrorKind {
    /// What a process that ends with this failure returns: 75, 66, 65, 2 or 70.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Transient | Self::Limit => 75,
            Self::Missing => 66,
            Self::Data => 65,
            Self::Usage => 2,
            Self::Bug => 70,
        }
    }

    /// Higher outranks: bug, usage, data, missing, and last what may pass.
    pub(crate) fn rank(self) -> u8 {
        match self {
            Self::Transient | Self::Limit => 1,
            Self::Missing => 2,
            Self::Data => 3,
            Self::Usage => 4,
            Self::Bug => 5,
        }
    }
}

/// A failure, with the place where it happened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct Error {
    kind: ErrorKind,
    place: Box<str>,
    what: Box<str>,
}

impl Error {
    /// A failure of a unit or of the machinery around it.
    pub fn new(kind: ErrorKind, place: impl Display, what: impl Display) -> Self {
        Self { kind, place: place.to_string().into(), what: what.to_string().into() }
    }

    /// What the file system says of a path. What is not there is [`ErrorKind::Missing`], a full disk
    /// [`ErrorKind::Limit`], the rest may pass.
    pub fn io(path: &Path, error: &io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::NotFound
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory => ErrorKind::Missing,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Limit,
            _ => ErrorKind::Transient,
        };
        Self::new(kind, path.display(), error)
    }

    pub(crate) fn data(place: impl Display, what: impl Display) -> Self {
        Self::new(ErrorKind::Data, place, what)
    }

    pub(crate) fn usage(place: impl Display, what: impl Display) -> Self {
        Self::new(ErrorKind::Usage, place, what)
    }

    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The file, address or unit that failed.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What happened there.
    pub fn what(&self) -> &str {
        &self.what
    }
}
