//! A row of the manifest, put together file by file.

use crate::layout::Product;
use crate::state::{BrickRecord, BrickState};
use crate::store::CoaddCache;
use coaddkit_sky::BrickName;

/// What is known so far of a brick.
pub(crate) struct Tally {
    record: BrickRecord,
    worst: Option<BrickState>,
}

impl Tally {
    pub(crate) fn new(cache: &CoaddCache, brick: BrickName) -> Self {
        let record = BrickRecord {
            brick,
            state: BrickState::Complete,
            error: None,
            prefix: cache.shown(brick, ""),
            files_expected: 0,
            files_present: 0,
            files_absent: 0,
            missing: Vec::new(),
            bytes: 0,
        };
        Self { record, worst: None }
    }

    /// A file is there.
    pub(crate) fn present(&mut self, bytes: u64) {
        self.record.files_expected += 1;
        self.record.files_present += 1;
        self.record.bytes += bytes;
    }

    /// A file is not there, and nobody said that it should not be.
    pub(crate) fn missing(&mut self, product: Product) {
        self.record.files_expected += 1;
        self.record.missing.push(product);
    }

    /// The origin does not have a file.
    pub(crate) fn absent(&mut self, product: Product) {
        self.missing(product);
        self.record.files_absent += 1;
    }

    /// Why the brick cannot be complete; the first reason of the worst kind stays.
    pub(crate) fn fail(&mut self, state: BrickState, why: String) {
        if self.worst.is_none_or(|worst| state > worst) {
            self.worst = Some(state);
            self.record.error = Some(why);
        }
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.worst.is_none() && self.record.missing.is_empty()
    }

    /// The row.
    pub(crate) fn record(mut self) -> BrickRecord {
        self.record.missing.sort_unstable();
        self.record.state = match self.worst {
            Some(worst) => worst,
            None if self.record.missing.is_empty() => BrickState::Complete,
            None if self.record.files_present == 0 => BrickState::Absent,
            None => BrickState::Partial,
        };
        self.record
    }
}
