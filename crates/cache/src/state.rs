//! What became of a brick.

use crate::layout::Product;
use coaddkit_sky::BrickName;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The state of a brick in the cache, of the files that were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BrickState {
    /// Every file is there, and the marker.
    Complete,
    /// The origin has some of the files and says that there are no others.
    Partial,
    /// The origin says that it has none of the files.
    Absent,
    /// A file could not be had this time; another run may get it.
    Failed,
    /// The origin's copy of a file is damaged; what it sent lies apart, with the reason.
    Quarantined,
}

impl BrickState {
    /// All states, in the order of reports.
    pub const ALL: [Self; 5] = [Self::Complete, Self::Partial, Self::Absent, Self::Failed, Self::Quarantined];

    /// The word in manifests and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Absent => "absent",
            Self::Failed => "failed",
            Self::Quarantined => "quarantined",
        }
    }

    /// The state of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl fmt::Display for BrickState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One row of the assets manifest: a brick that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrickRecord {
    /// The brick.
    #[serde(with = "crate::parts::text")]
    pub brick: BrickName,
    /// What became of it.
    pub state: BrickState,
    /// Why it is not complete, of the first file that is not there.
    pub error: Option<String>,
    /// The folder of its files, with a slash at the end.
    pub prefix: String,
    /// Files asked for.
    pub files_expected: u32,
    /// Files asked for that are there.
    pub files_present: u32,
    /// Files that the origin says it does not have.
    pub files_absent: u32,
    /// Files asked for that are not there, for whatever reason.
    #[serde(with = "crate::parts::text::list")]
    pub missing: Vec<Product>,
    /// Bytes of the files that are there.
    pub bytes: u64,
}
