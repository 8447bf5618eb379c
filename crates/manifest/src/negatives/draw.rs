//! From the pool to a sample.

use std::collections::BTreeMap;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use serde::{Deserialize, Serialize};

use super::config::SamplingConfig;
use super::drawing::Drawing;
use super::spark::spark_rank;
use super::sweep::type_bin;
use super::validate::Validation;
use crate::{Error, Field, Kind, Progress, SeededHash, Source};

/// What orders the galaxies of a stratum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ranking {
    /// [`SeededHash`] of the identity.
    #[default]
    Xxh3,
    /// `abs(hash(galaxy_id, seed))` of Spark, as in the published job. Its ties, which Spark leaves open, go by identity.
    SparkMurmur3,
}

impl Ranking {
    /// The rank of a galaxy; of a stratum the smallest are taken.
    ///
    /// # Errors
    ///
    /// [`ErrorClass::Usage`](crate::ErrorClass::Usage) for Spark's order and a seed that does not fit its 32 bits.
    ///
    /// # Examples
    ///
    /// ```
    /// use coaddkit_manifest::negatives::Ranking;
    ///
    /// assert_eq!(Ranking::SparkMurmur3.rank("0001m002_17", 42)?, 954_664_302);
    /// # Ok::<(), coaddkit_manifest::Error>(())
    /// ```
    #[inline]
    pub fn rank(self, galaxy_id: &str, seed: i64) -> Result<u64, Error> {
        match self {
            Self::Xxh3 => Ok(SeededHash::new(seed).text(galaxy_id)),
            Self::SparkMurmur3 => match i32::try_from(seed) {
                Ok(literal) => Ok(spark_rank(galaxy_id, literal).unsigned_abs()),
                Err(_) => Err(Error::usage(format!("seed {seed} does not fit the 32 bits of Spark's hash"))),
            },
        }
    }
}

/// Draws negatives for positives: so many for each, by class of exposures and type, in the ratio of N1 and N2.
///
/// Of each stratum the galaxies of the smallest rank are taken; so the sample does not depend on the order or number of
/// the files of the pool. Where N2 has too few, the next of N1 follow; where N1 has too few, the sample is short.
#[derive(Clone, Debug)]
pub struct Draw {
    /// The rules.
    pub config: SamplingConfig,
    /// Instead of `hash_seed`; the splits stay as they are.
    pub seed: Option<i64>,
    /// What orders the galaxies.
    pub ranking: Ranking,
    /// The time that rows carry instead of the configuration's.
    pub timestamp: Option<String>,
    /// Take a pool that has no `_SUCCESS`.
    pub incomplete: bool,
}

/// A stratum of positives and what was drawn for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stratum {
    /// Class of exposures.
    pub nobs_z_bin: String,
    /// Class of types.
    pub type_bin: String,
    /// Positives.
    pub positives: u64,
    /// Negatives asked for.
    pub target: u64,
    /// Of them from N1, before N2 is filled up.
    pub n1_target: u64,
    /// Of them from N2.
    pub n2_target: u64,
    /// N1 in the pool.
    pub n1_available: u64,
    /// N2 in the pool.
    pub n2_available: u64,
    /// N1 in the sample, those that fill up N2 included.
    pub n1: u64,
    /// N2 in the sample.
    pub n2: u64,
    /// N1 that fill up N2.
    pub backfill: u64,
}

/// A sample and what it was drawn from.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Drawn {
    /// The strata of the positives.
    pub strata: Vec<Stratum>,
    /// Positives.
    pub positives: u64,
    /// Rows of the pool.
    pub pool_rows: u64,
    /// Rows of the sample.
    pub rows: u64,
    /// The seed in force.
    pub seed: i64,
    /// What ordered the galaxies.
    pub ranking: Ranking,
    /// The gates, the distributions.
    pub validation: Validation,
    /// Whether the file was written: no critical gate failed.
    pub written: bool,
}

impl Draw {
    /// Draws from a pool (a folder of Parquet files, or one) into a Parquet file, which is written only if no critical gate
    /// fails.
    ///
    /// `positives` has `type_bin` and `nobs_z_bin`, or `type` and `nobs_z`; with positions too, the sample is checked
    /// against them.
    ///
    /// # Errors
    ///
    /// When an input is missing, incomplete or not what it should be, the same galaxy stands in the pool twice, or the
    /// file cannot be written.
    pub fn run(
        &self,
        pool: &Path,
        positives: &Path,
        out: &Path,
        progress: &dyn Progress,
    ) -> Result<Drawn, Error> {
        let drawing = self.prepare(pool, positives)?;
        let ranked = drawing.rank(0..drawing.files().len(), progress)?;
        drawing.finish(ranked, out, progress)
    }

    /// The first step of [`Self::run`], for those who rank the files of a pool in parts, in one process or in many: reads
    /// the positives, and looks at the pool.
    ///
    /// # Errors
    ///
    /// When an input is missing, incomplete or not what it should be.
    pub fn prepare(&self, pool: &Path, positives: &Path) -> Result<Drawing, Error> {
        Drawing::new(self, pool, positives)
    }

    pub(super) fn seed(&self) -> i64 {
        self.seed.unwrap_or(self.config.spatial_splits.hash_seed)
    }

    /// Counts the positives, and says what is wanted.
    pub(super) fn strata(&self, positives: &Source) -> Result<Vec<Stratum>, Error> {
        let has = |a: &str, b: &str| Ok::<_, Error>(positives.has(a)? && positives.has(b)?);
        let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
        if has("type_bin", "nobs_z_bin")? {
            let fields = [Field::new("type_bin", Kind::Text, ""), Field::new("nobs_z_bin", Kind::Text, "")];
            for rows in positives.read(&fields)? {
                let [kinds, bins] = [0, 1].map(|i| rows.batch.column(i).as_string::<i32>());
                for (kind, bin) in kinds.iter().flatten().zip(bins.iter().flatten()) {
                    *counts.entry((bin.to_owned(), kind.to_owned())).or_default() += 1;
                }
            }
        } else if has("type", "nobs_z")? {
            let (labels, types) =
                (self.config.nobs_labels(), &self.config.negative_pools.pool_n1.galaxy_types);
            let fields = [Field::new("type", Kind::Text, ""), Field::new("nobs_z", Kind::Int32, "")];
            for rows in positives.read(&fields)? {
                let kinds = rows.batch.column(0).as_string::<i32>();
                let nobs = rows.batch.column(1).as_primitive::<Int32Type>();
                for (kind, &nobs) in kinds.iter().flatten().zip(nobs.values()) {
                    let bin = labels[self.config.nobs_bin(nobs)].clone();
                    *counts.entry((bin, type_bin(types, kind.trim()).to_owned())).or_default() += 1;
                }
            }
        } else {
            let columns = positives.columns()?.join(", ");
            let what = format!(
                "has neither type_bin and nobs_z_bin nor type and nobs_z; there are: {columns}. `negative-sampling \
                 positives` matches a catalogue with the sweeps and adds them"
            );
            return Err(Error::bad(positives.path(), what));
        }
        if counts.is_empty() {
            return Err(Error::bad(positives.path(), "holds no positive"));
        }
        let [n1_share, _] = self.config.negative_pools.n1_n2_ratio;
        let ratio = u64::from(self.config.negative_pools.neg_pos_ratio);
        let stratum = |((nobs_z_bin, type_bin), positives): ((String, String), u64)| {
            let target = positives.saturating_mul(ratio);
            let n1_target = (u128::from(target) * u128::from(n1_share) / 100) as u64;
            Stratum {
                nobs_z_bin,
                type_bin,
                positives,
                target,
                n1_target,
                n2_target: target - n1_target,
                n1_available: 0,
                n2_available: 0,
                n1: 0,
                n2: 0,
                backfill: 0,
            }
        };
        Ok(counts.into_iter().map(stratum).collect())
    }
}
