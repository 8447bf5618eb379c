use std::fmt::Display;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// What kind of failure it is, which says what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller is wrong: an address that is none, a name twice in a plan, an option out of range.
    Usage,
    /// The network or the other side failed in a way that passes; running again may help.
    Transient,
    /// The other side answers and says no: 401, 403, another 4xx. Running again will not help.
    Refused,
    /// The bytes came and are not what they should be.
    BadData,
    /// The destination cannot be written: full, read-only, no permission, no such bucket. The run stops.
    Destination,
    /// One file of the destination cannot be read or written: something else stands in its place.
    File,
    /// The host was given up, by the ban guard or because it answers nothing; running again later may help.
    HostStopped,
    /// The time for the run was over.
    OutOfTime,
}

/// A failure, with the place where it happened. Credentials in addresses are not shown.
#[derive(Clone, Debug, thiserror::Error, Serialize, Deserialize)]
#[error("{place}: {what}")]
pub struct Error {
    kind: ErrorKind,
    place: Box<str>,
    what: Box<str>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, place: impl Display, what: impl Display) -> Self {
        Self { kind, place: place.to_string().into(), what: what.to_string().into() }
    }

    pub(crate) fn usage(place: impl Display, what: impl Display) -> Self {
        Self::new(ErrorKind::Usage, place, what)
    }

    /// An error of the file system at the destination.
    pub(crate) fn local(path: &Path, error: &io::Error) -> Self {
        let kind = if spoils_the_run(error) { ErrorKind::Destination } else { ErrorKind::File };
        Self::new(kind, path.display(), error)
    }

    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The address or path that failed.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What happened there.
    pub fn what(&self) -> &str {
        &self.what
    }
}

/// Whether the next file would meet the same error, so that trying it makes no sense.
fn spoils_the_run(error: &io::Error) -> bool {
    match error.kind() {
        io::ErrorKind::StorageFull
        | io::ErrorKind::QuotaExceeded
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::PermissionDenied => true,
        // Too many open files and an I/O error of the disk have no kind in stable Rust.
        _ => cfg!(unix) && matches!(error.raw_os_error(), Some(5 | 23 | 24)),
    }
}
