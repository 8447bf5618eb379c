//! From the pool to a sample.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_select::interleave::interleave;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::config::SamplingConfig;
use super::pooling::products;
use super::positives::read_positions;
use super::schema::{NEGATIVE_POOL, NEGATIVE_SAMPLE};
use super::spark::spark_rank;
use super::sweep::type_bin;
use super::validate::{Validate, Validation};
use crate::{
    BottomK, Error, ErrorClass, Field, Input, Kind, Layout, Progress, Provenance, Rows, SeededHash, Source,
    TableWriter,
};

/// The version that the rows of a sample carry.
const SAMPLING_VERSION: &str = "1.1.0";

/// Rows of a row group of a sample.
const GROUP: usize = 1 << 16;

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
    /// [`ErrorClass::Usage`] for Spark's order and a seed that does not fit its 32 bits.
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

/// Identity and place of a candidate, in this order, so that ties go by identity.
type Candidate = (Box<str>, (usize, u64));

struct Candidates {
    n1: BottomK<Candidate>,
    n2: BottomK<Candidate>,
}

#[derive(Default)]
struct Pass {
    rows: u64,
    strata: Vec<Candidates>,
}

const POOL_COLUMNS: [Field<'static>; 4] = [
    Field::new("galaxy_id", Kind::Text, ""),
    Field::new("nobs_z_bin", Kind::Text, ""),
    Field::new("type_bin", Kind::Text, ""),
    Field::new("pool", Kind::Text, ""),
];

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
        if pool.is_dir() && !pool.join("_SUCCESS").exists() && !self.incomplete {
            let what = "has no _SUCCESS: not all sweeps are in it, and a sample would be another one";
            return Err(Error::new(ErrorClass::Missing, what).at(pool));
        }
        if !self.incomplete {
            is_as_marked(pool)?;
        }
        let source = Source::open(pool)?;
        let known = Source::open(positives)?;
        let mut strata = self.strata(&known)?;
        let rows = source.rows()?.ok_or_else(|| Error::bad(pool, "must be Parquet"))?;
        progress.begin("ranking the pool", rows);
        let pass = self.rank(&source, &strata, progress)?;
        let mut chosen = Vec::new();
        for (stratum, candidates) in strata.iter_mut().zip(pass.strata) {
            choose(stratum, candidates, &mut chosen);
        }
        chosen.sort_unstable();
        if let Some(twins) = chosen.windows(2).find(|w| w[0].0 == w[1].0) {
            let files: Vec<&Path> = source.files().collect();
            let at = |(file, row): (usize, u64)| format!("row {row} of {}", files[file].display());
            let what =
                format!("galaxy {} stands here twice: {} and {}", twins[0].0, at(twins[0].1), at(twins[1].1));
            return Err(Error::bad(pool, what));
        }
        if chosen.is_empty() {
            return Err(Error::bad(pool, "no galaxy of the pool is in a stratum of the positives"));
        }
        progress.begin("fetching the sample", chosen.len() as u64);
        let groups = self.fetch(&source, &chosen)?;
        let mut validate = Validate::new(&self.config);
        validate.strata = Some(strata.clone());
        if known.has("ra")? && known.has("dec")? {
            validate.positives = read_positions(&[positives.to_owned()])?;
        }
        let validation = validate.batches(&groups, progress)?;
        let written = !validation.is_fatal();
        if written {
            self.write(out, &groups, &strata, &source, &known)?;
        }
        Ok(Drawn {
            positives: strata.iter().map(|s| s.positives).sum(),
            pool_rows: pass.rows,
            rows: chosen.len() as u64,
            seed: self.seed(),
            ranking: self.ranking,
            strata,
            validation,
            written,
        })
    }

    fn seed(&self) -> i64 {
        self.seed.unwrap_or(self.config.spatial_splits.hash_seed)
    }

    /// Counts the positives, and says what is wanted.
    fn strata(&self, positives: &Source) -> Result<Vec<Stratum>, Error> {
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

    fn rank(&self, pool: &Source, strata: &[Stratum], progress: &dyn Progress) -> Result<Pass, Error> {
        let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let init = || Pass {
            rows: 0,
            // N1 up to the whole target, since it may have to fill up all of N2.
            strata: strata
                .iter()
                .map(|s| Candidates { n1: BottomK::new(size(s.target)), n2: BottomK::new(size(s.n2_target)) })
                .collect(),
        };
        let seed = self.seed();
        self.ranking.rank("", seed)?;
        let step = |pass: &mut Pass, rows: &Rows| {
            let [ids, bins, kinds, pools] = [0, 1, 2, 3].map(|i| rows.batch.column(i).as_string::<i32>());
            pass.rows += rows.batch.num_rows() as u64;
            let mut last = 0;
            for row in 0..rows.batch.num_rows() {
                let (bin, kind) = (bins.value(row), kinds.value(row));
                let is = |s: &Stratum| s.nobs_z_bin == bin && s.type_bin == kind;
                // Strata are few, and neighbours often share one.
                if !is(&strata[last]) {
                    match strata.iter().position(is) {
                        Some(found) => last = found,
                        None => continue,
                    }
                }
                let id = ids.value(row);
                let rank = self.ranking.rank(id, seed)?;
                let candidates = &mut pass.strata[last];
                let heap = match pools.value(row) {
                    "N1" => &mut candidates.n1,
                    "N2" => &mut candidates.n2,
                    other => {
                        let (row, what) =
                            (rows.first_row + row as u64, format!("pool is '{other}', must be N1 or N2"));
                        return Err(Error::new(ErrorClass::BadData, format!("row {row}: {what}")));
                    }
                };
                heap.offer(rank, || (id.into(), (rows.file, rows.first_row + row as u64)));
            }
            progress.advance(rows.batch.num_rows() as u64);
            Ok(())
        };
        pool.fold(&POOL_COLUMNS, init, step, |mut a, b| {
            a.rows += b.rows;
            for (a, b) in a.strata.iter_mut().zip(b.strata) {
                a.n1.merge(b.n1);
                a.n2.merge(b.n2);
            }
            a
        })
    }

    /// The whole rows, in order of identity, as batches of the schema of a sample.
    fn fetch(&self, pool: &Source, chosen: &[Candidate]) -> Result<Vec<RecordBatch>, Error> {
        let mut places: Vec<(usize, u64)> = chosen.iter().map(|(_, place)| *place).collect();
        places.sort_unstable();
        let batches = pool.pick(NEGATIVE_POOL.fields(), &places)?;
        let mut starts = vec![0];
        for batch in &batches {
            starts.push(starts[starts.len() - 1] + batch.num_rows());
        }
        let where_is = |place: &(usize, u64)| {
            let index = places.partition_point(|p| p < place);
            let batch = starts.partition_point(|&start| start <= index) - 1;
            (batch, index - starts[batch])
        };
        let timestamp = self.timestamp.clone().unwrap_or_else(|| self.config.created_at.clone());
        let group = |chosen: &[Candidate]| {
            let indices: Vec<(usize, usize)> = chosen.iter().map(|(_, place)| where_is(place)).collect();
            let mut columns = Vec::new();
            for column in 0..NEGATIVE_POOL.fields().len() {
                let arrays: Vec<&dyn arrow_array::Array> =
                    batches.iter().map(|batch| batch.column(column).as_ref()).collect();
                columns.push(interleave(&arrays, &indices).map_err(Error::usage)?);
            }
            for text in [timestamp.as_str(), SAMPLING_VERSION] {
                let same = StringArray::from_iter_values(std::iter::repeat_n(text, chosen.len()));
                columns.push(Arc::new(same) as ArrayRef);
            }
            crate::write::batch(&NEGATIVE_SAMPLE, columns)
        };
        chosen.chunks(GROUP).map(group).collect()
    }

    fn write(
        &self,
        out: &Path,
        groups: &[RecordBatch],
        strata: &[Stratum],
        pool: &Source,
        positives: &Source,
    ) -> Result<(), Error> {
        let files: Vec<PathBuf> = pool.files().map(Path::to_path_buf).collect();
        let marker = std::fs::read_to_string(pool.path().join("_SUCCESS")).unwrap_or_default();
        let provenance = Provenance::new()
            .with_json("coaddkit.targets", &strata)
            .with("coaddkit.config_sha256", self.config.sha256())
            .with("coaddkit.seed", self.seed().to_string())
            .with_json("coaddkit.ranking", &self.ranking)
            .with_json("coaddkit.positives", &Input::of(positives)?)
            .with_json("coaddkit.pool", &json!({ "files": files.len(), "marker": marker.trim() }));
        let layout = Layout {
            sorted_by: vec!["galaxy_id"],
            distinct: vec!["galaxy_id", "ra", "dec", "row_index", "objid"],
            ..Layout::default()
        };
        let mut writer = TableWriter::create(out, &NEGATIVE_SAMPLE, &layout, &provenance)?;
        writer.write_groups(groups.len(), |group| Ok(groups[group].clone()))?;
        writer.finish()?;
        Ok(())
    }
}

/// Whether a pool of ours has the files that its marker names, and no other. Markers of other writers name none.
fn is_as_marked(pool: &Path) -> Result<(), Error> {
    let Ok(text) = std::fs::read_to_string(pool.join("_SUCCESS")) else { return Ok(()) };
    let marker: Value = serde_json::from_str(&text).unwrap_or_default();
    let Some(files) = marker["files"].as_array() else { return Ok(()) };
    let named: BTreeSet<&str> = files.iter().filter_map(|file| file["name"].as_str()).collect();
    let there = products(pool)?;
    let there: BTreeSet<&str> = there.iter().map(String::as_str).collect();
    if let Some(other) = there.difference(&named).next() {
        return Err(Error::bad(pool, format!("{other} is there, but _SUCCESS does not name it")));
    }
    match named.difference(&there).next() {
        Some(lost) => Err(Error::bad(pool, format!("_SUCCESS names {lost}, which is not there"))),
        None => Ok(()),
    }
}

/// Takes the sample of a stratum, and notes how it went.
fn choose(stratum: &mut Stratum, candidates: Candidates, chosen: &mut Vec<Candidate>) {
    stratum.n1_available = candidates.n1.offered();
    stratum.n2_available = candidates.n2.offered();
    stratum.n2 = stratum.n2_target.min(stratum.n2_available);
    let n1 = stratum.n1_target.min(stratum.n1_available);
    stratum.backfill = (stratum.n2_target - stratum.n2).min(stratum.n1_available - n1);
    stratum.n1 = n1 + stratum.backfill;
    let take =
        |heap: BottomK<Candidate>, n: u64| heap.into_sorted().into_iter().take(n as usize).map(|(_, c)| c);
    chosen.extend(take(candidates.n1, stratum.n1));
    chosen.extend(take(candidates.n2, stratum.n2));
}
