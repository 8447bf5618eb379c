//! From sweeps to the pool of negatives.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::classify::CATEGORIES;
use super::config::{Compat, NanPolicy, SamplingConfig};
use super::pooling::Pooling;
use crate::{Error, Progress};

/// Makes the pool of negatives from sweep catalogues: one Parquet file a sweep.
///
/// The filters come in this order, and each says what it lost: positions that are none; declination; type; mask bits;
/// exposures in g, r and z; z magnitude; known lenses within the radius. Magnitudes are those that are stored, rounded to
/// single precision, so that every cut can be checked on the products.
///
/// # Memory
///
/// A row group and a read buffer a thread, whatever the size of the sweeps.
#[derive(Clone, Debug)]
pub struct Pool {
    /// The rules.
    pub config: SamplingConfig,
    /// Instead of the configured classes and splits, those of a published job.
    pub compat: Option<Compat>,
    /// The time that rows carry instead of the configuration's.
    pub timestamp: Option<String>,
    /// The version of the code that rows carry.
    pub git_commit: String,
    /// Make files anew that the same inputs and rules have made.
    pub force: bool,
}

/// What became of the sweeps.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct PoolReport {
    /// Sweeps in the order in which they were given.
    pub sweeps: Vec<SweepReport>,
    /// The totals of the sweeps that did not fail.
    pub total: PoolCounts,
    /// Positions around which nothing is taken.
    pub positives: u64,
    /// What should be looked at.
    pub alerts: Vec<String>,
    /// What became of galaxies without a z magnitude.
    pub nan_z_mag: NanPolicy,
    /// SHA-256 of the configuration.
    pub config_sha256: String,
}

/// What became of a sweep. It can be kept as text and read back, all but the error itself, so that the sweeps of a pool may
/// be made by several processes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SweepReport {
    /// The sweep.
    pub path: PathBuf,
    /// What was counted.
    pub counts: PoolCounts,
    /// Bytes of the sweep.
    pub bytes: u64,
    /// Its file was there, made from the same inputs and rules.
    pub skipped: bool,
    /// Columns that it lacks and that are null therefore.
    pub absent: Vec<String>,
    /// Why it gives nothing.
    pub error: Option<String>,
    /// The error itself.
    #[serde(skip)]
    pub failure: Option<Error>,
}

/// Rows, by filter and by class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PoolCounts {
    /// Rows read.
    pub rows: u64,
    /// Rows lost at each filter, in order.
    pub lost: [u64; FILTERS.len()],
    /// Rows of the pool.
    pub kept: u64,
    /// Kept rows whose z flux is not above 0.
    pub without_z_mag: u64,
    /// Kept rows of each class of N2.
    pub confusers: [u64; CATEGORIES.len()],
    /// Kept rows in train, val and test.
    pub splits: [u64; 3],
}

/// The filters, in order.
pub const FILTERS: [&str; 7] =
    ["position", "declination", "type", "maskbits", "nobs", "z magnitude", "known lenses"];

impl Pool {
    /// Makes the pool in a folder: `{sweep}.parquet` for each sweep, and `_SUCCESS` when all are there.
    ///
    /// A sweep that fails is reported and gives no file; the others go on. A file of an earlier run is kept if the same
    /// sweep, positives, rules and version made it.
    ///
    /// # Errors
    ///
    /// When the positives cannot be read, or the folder cannot be written to. What happens to a sweep stands in the
    /// report.
    pub fn run(
        &self,
        sweeps: &[PathBuf],
        positives: &[PathBuf],
        out: &Path,
        progress: &dyn Progress,
    ) -> Result<PoolReport, Error> {
        let pooling = self.prepare(sweeps, positives, out)?;
        progress.begin("sweeps", sweeps.iter().map(|path| bytes_of(path)).sum());
        let reports = sweeps.par_iter().with_max_len(1).map(|path| pooling.sweep(path, progress)).collect();
        pooling.finish(reports)
    }

    /// The first step of [`Self::run`], for those who make the sweeps one by one, in one process or in many: reads the
    /// positives, makes the folder, and with [`Self::force`] takes out of it what is of other sweeps. What is of these
    /// sweeps it leaves, so that it may be done at any time and any number of times.
    ///
    /// # Errors
    ///
    /// When two sweeps would have the same product, the positives cannot be read, or the folder cannot be written to or
    /// has products of other sweeps.
    pub fn prepare(&self, sweeps: &[PathBuf], positives: &[PathBuf], out: &Path) -> Result<Pooling, Error> {
        Pooling::new(self, sweeps, positives, out)
    }
}

impl SweepReport {
    /// Of a sweep of which nothing is known yet.
    pub(super) fn of(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            counts: PoolCounts::default(),
            bytes: bytes_of(path),
            skipped: false,
            absent: Vec::new(),
            error: None,
            failure: None,
        }
    }

    /// The name of the file that the sweep gives.
    pub fn product(&self) -> String {
        super::pooling::product(&self.path)
    }

    /// Of a sweep that gives nothing, and why, where only that is left of what another process found.
    pub fn failed(path: &Path, why: impl Into<String>) -> Self {
        Self { error: Some(why.into()), ..Self::of(path) }
    }
}

fn bytes_of(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |m| m.len())
}

impl PoolCounts {
    pub(super) fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.kept += other.kept;
        self.without_z_mag += other.without_z_mag;
        self.lost.iter_mut().zip(other.lost).for_each(|(a, b)| *a += b);
        self.confusers.iter_mut().zip(other.confusers).for_each(|(a, b)| *a += b);
        self.splits.iter_mut().zip(other.splits).for_each(|(a, b)| *a += b);
    }
}
