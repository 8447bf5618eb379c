use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ErrorKind, Output};

/// Where a unit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Done, its part of the result noted.
    Done,
    /// By the rules of the job there was nothing to do.
    Skipped,
    /// It ran and did not come to its end.
    Failed,
    /// What it needs is not there.
    Blocked,
    /// No run has ended it.
    NotStarted,
}

impl State {
    /// `done`, `skipped`, `failed`, `blocked`, `not started`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Blocked => "blocked",
            Self::NotStarted => "not started",
        }
    }

    /// What a failure of this kind leaves a unit in.
    pub(crate) fn of(kind: ErrorKind) -> Self {
        if kind == ErrorKind::Missing { Self::Blocked } else { Self::Failed }
    }

    /// Whether nothing is left to do.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Done | Self::Skipped)
    }
}

/// How a unit ended: a line of a ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Record {
    /// Its name.
    pub unit: String,
    /// How it ended.
    pub state: State,
    /// The word of [`Done::word`](crate::Done::word), or the state's.
    pub word: String,
    /// How often it began, this time included.
    pub attempt: u32,
    /// What the run took.
    pub seconds: f64,
    /// What kind of failure it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ErrorKind>,
    /// Why it is not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The files that it made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<Output>,
    /// Numbers for the report.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
    /// Where its part of the result lies in the file of partials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) partial: Option<Slice>,
}

/// Bytes of a file of partials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Slice {
    pub at: u64,
    pub bytes: u64,
    pub sha256: String,
}
