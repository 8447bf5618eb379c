use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Digest, Error, ErrorKind, Item};

/// How the journey of a file ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Outcome {
    /// It came, was judged good, and is there.
    Published(Published),
    /// It was there before.
    Present {
        /// Its length.
        bytes: u64,
        /// What an earlier run noted of it, if the ledger has a line for a file of this length.
        noted: Option<Box<Published>>,
    },
    /// The origin says that there is no such file: 404 or 410. That is an answer, and is not asked again.
    NotFound {
        /// Of the answer.
        status: u16,
    },
    /// The origin gives the same bad bytes again; they are kept apart.
    Quarantined {
        /// What is wrong with them.
        reason: String,
        /// Where they are, below the destination.
        kept: String,
    },
    /// All attempts failed, or no more made sense.
    GaveUp(Error),
    /// The run ended before.
    Cancelled,
}

/// A file that is there, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Published {
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, computed while it came.
    pub sha256: Digest,
    /// Of the origin.
    pub etag: Option<String>,
    /// Of the origin, as it writes it.
    pub last_modified: Option<String>,
}

impl Outcome {
    /// The word for it in reports and ledgers.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Published(_) => "published",
            Self::Present { .. } => "present",
            Self::NotFound { .. } => "not_found",
            Self::Quarantined { .. } => "quarantined",
            Self::GaveUp(_) => "gave_up",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the file is there.
    pub fn is_there(&self) -> bool {
        matches!(self, Self::Published(_) | Self::Present { .. })
    }

    /// Why it is not there, for people; with the place where that is not the source.
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Published(_) | Self::Present { .. } => None,
            Self::NotFound { status } => Some(format!("not found ({status})")),
            Self::Quarantined { reason, .. } => Some(reason.clone()),
            Self::GaveUp(error) if matches!(error.kind(), ErrorKind::Destination | ErrorKind::File) => {
                Some(error.to_string())
            }
            Self::GaveUp(error) => Some(error.what().to_owned()),
            Self::Cancelled => Some("cancelled".to_owned()),
        }
    }
}

/// A file whose journey has ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finished {
    /// Its place in [`Plan::items`](crate::Plan::items).
    pub index: usize,
    /// Requests that were made for it.
    pub attempts: u32,
    /// How it ended.
    pub outcome: Outcome,
}

/// Is told how a run gets on. Called often, from one task: it should not block.
///
/// A closure of an [`Item`] and how it [`Finished`] is one, and so is `()`, which does nothing.
pub trait Progress: Send + Sync {
    /// The run begins, and so many files are to be moved.
    fn begin(&self, files: usize) {
        let _ = files;
    }

    /// `bytes` more have come; those that come again after a failure count again.
    fn bytes(&self, bytes: u64) {
        let _ = bytes;
    }

    /// An attempt failed; another will follow.
    fn retry(&self, item: &Item, why: &str) {
        let _ = (item, why);
    }

    /// A file has ended, well or not.
    fn finished(&self, item: &Item, finished: &Finished);
}

impl Progress for () {
    fn finished(&self, _: &Item, _: &Finished) {}
}

impl<F: Fn(&Item, &Finished) + Send + Sync> Progress for F {
    fn finished(&self, item: &Item, finished: &Finished) {
        self(item, finished);
    }
}

/// Files by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Counts {
    /// That came.
    pub published: u64,
    /// That were there before.
    pub present: u64,
    /// That the origin does not have.
    pub not_found: u64,
    /// That are bad at the origin.
    pub quarantined: u64,
    /// That failed.
    pub gave_up: u64,
    /// That the end of the run came before.
    pub cancelled: u64,
}

/// The account of a run: every file of the plan is in it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// Files by outcome.
    pub counts: Counts,
    /// The files that are not there, in the order of the plan.
    pub missing: Vec<Finished>,
    /// Bytes published.
    pub bytes: u64,
    /// Bytes that came, those of failed attempts among them.
    pub received: u64,
    /// Bytes that earlier runs had left in parts and that did not have to come again.
    pub resumed: u64,
    /// Requests for files.
    pub requests: u64,
    /// Answers 429.
    pub throttled: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// Why the run ended before all files were tried, if it did.
    pub stopped: Option<Error>,
}

impl Report {
    /// Whether every file of the plan is there.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// Takes up the account of another run, of other files of one whole: numbers and times add up, and of the reasons why
    /// runs ended early the first stays. `place` says where a file of the other plan stands in the plan of the whole.
    pub fn merge(&mut self, other: Self, place: impl Fn(usize) -> usize) {
        let Self { counts, missing, bytes, received, resumed, requests, throttled, elapsed, stopped } = other;
        let mine = &mut self.counts;
        for (sum, more) in [
            (&mut mine.published, counts.published),
            (&mut mine.present, counts.present),
            (&mut mine.not_found, counts.not_found),
            (&mut mine.quarantined, counts.quarantined),
            (&mut mine.gave_up, counts.gave_up),
            (&mut mine.cancelled, counts.cancelled),
            (&mut self.bytes, bytes),
            (&mut self.received, received),
            (&mut self.resumed, resumed),
            (&mut self.requests, requests),
            (&mut self.throttled, throttled),
        ] {
            *sum = sum.saturating_add(more);
        }
        let moved = |one: Finished| Finished { index: place(one.index), ..one };
        self.missing.extend(missing.into_iter().map(moved));
        self.missing.sort_by_key(|one| one.index);
        self.elapsed = self.elapsed.saturating_add(elapsed);
        self.stopped = self.stopped.take().or(stopped);
    }

    pub(crate) fn add(&mut self, finished: &Finished) {
        let count = match &finished.outcome {
            Outcome::Published(published) => {
                self.bytes += published.bytes;
                &mut self.counts.published
            }
            Outcome::Present { .. } => &mut self.counts.present,
            Outcome::NotFound { .. } => &mut self.counts.not_found,
            Outcome::Quarantined { .. } => &mut self.counts.quarantined,
            Outcome::GaveUp(_) => &mut self.counts.gave_up,
            Outcome::Cancelled => &mut self.counts.cancelled,
        };
        *count += 1;
        if !finished.outcome.is_there() {
            self.missing.push(finished.clone());
        }
    }
}
