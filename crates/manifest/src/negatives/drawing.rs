//! A sample on its way: the files of the pool ranked in parts, and what comes after the last.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_select::interleave::interleave;
use serde_json::{Value, json};

use super::draw::{Draw, Drawn, Stratum};
use super::pooling::products;
use super::positives::read_positions;
use super::ranked::{Candidate, Candidates, Key, Of, Ranked};
use super::schema::{NEGATIVE_POOL, NEGATIVE_SAMPLE};
use super::validate::Validate;
use crate::provenance::{code, sha256};
use crate::{
    BottomK, Error, ErrorClass, Field, Input, Kind, Layout, Progress, Provenance, Rows, Source, TableWriter,
};

/// The version that the rows of a sample carry.
const SAMPLING_VERSION: &str = "1.1.0";

/// Rows of a row group of a sample.
const GROUP: usize = 1 << 16;

const POOL_COLUMNS: [Field<'static>; 4] = [
    Field::new("galaxy_id", Kind::Text, ""),
    Field::new("nobs_z_bin", Kind::Text, ""),
    Field::new("type_bin", Kind::Text, ""),
    Field::new("pool", Kind::Text, ""),
];

/// A sample that [`Draw::prepare`] has made ready, of a pool and positives.
///
/// # Examples
///
/// ```no_run
/// use coaddkit_manifest::negatives::{Draw, Ranked};
/// # fn draw() -> Draw { unimplemented!() }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let drawing = draw().prepare("pool".as_ref(), "positives.csv".as_ref())?;
/// // Two parts, which two machines may rank.
/// let half = drawing.files().len() / 2;
/// let mut sample = drawing.rank(0..half, &())?;
/// sample.merge(drawing.rank(half..drawing.files().len(), &())?);
/// println!("{} galaxies", drawing.finish(sample, "sample.parquet".as_ref(), &())?.rows);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Drawing {
    draw: Draw,
    pool: Source,
    known: Source,
    /// The file of positives.
    input: Input,
    strata: Vec<Stratum>,
    key: Key,
}

impl Drawing {
    pub(super) fn new(draw: &Draw, pool: &Path, positives: &Path) -> Result<Self, Error> {
        if pool.is_dir() && !pool.join("_SUCCESS").exists() && !draw.incomplete {
            let what = "has no _SUCCESS: not all sweeps are in it, and a sample would be another one";
            return Err(Error::new(ErrorClass::Missing, what).at(pool));
        }
        if !draw.incomplete {
            is_as_marked(pool)?;
        }
        let source = Source::open(pool)?;
        let known = Source::open(positives)?;
        let strata = draw.strata(&known)?;
        let (seed, input) = (draw.seed(), Input::of(&known)?);
        draw.ranking.rank("", seed)?;
        let size = |(path, name): (&Path, PathBuf)| {
            let size = std::fs::metadata(path).map_err(|e| Error::io(path, &e))?.len();
            Ok(json!([name.to_string_lossy(), size]))
        };
        let files = source.names().map(size).collect::<Result<Vec<_>, Error>>()?;
        let all = json!({
            "code": code(), "config": draw.config, "seed": seed, "ranking": draw.ranking,
            "timestamp": draw.timestamp, "positives": input.sha256, "files": files, "marker": marker(pool),
        });
        let fingerprint = sha256(all.to_string().as_bytes());
        let key = Key { ranking: draw.ranking, seed, fingerprint };
        Ok(Self { draw: draw.clone(), pool: source, known, input, strata, key })
    }

    /// The files of the pool, in order.
    pub fn files(&self) -> impl ExactSizeIterator<Item = &Path> {
        self.pool.files()
    }

    /// SHA-256 of all that decides what the sample is: rules, seed, positives, version, and names and sizes of the files.
    pub fn fingerprint(&self) -> &str {
        &self.key.fingerprint
    }

    /// Ranks the galaxies of some of the [`Self::files`], by their numbers.
    ///
    /// # Memory
    ///
    /// At most twice the galaxies asked for, on each thread.
    ///
    /// # Errors
    ///
    /// A file that is not there, cannot be read, or is not what it should be.
    pub fn rank(
        &self,
        files: impl IntoIterator<Item = usize>,
        progress: &dyn Progress,
    ) -> Result<Ranked, Error> {
        let files: Vec<usize> = files.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let part = self.pool.part(files.iter().copied()).ok_or_else(|| {
            let what = format!("has no file {}, but {}", files[files.len() - 1], self.pool.files().len());
            Error::usage(what).at(self.pool.path())
        })?;
        let rows = part.rows()?.ok_or_else(|| Error::bad(self.pool.path(), "must be Parquet"))?;
        progress.begin("ranking the pool", rows);
        let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let init = || Ranked {
            of: Of::One(self.key.clone()),
            // N1 up to the whole target, since it may have to fill up all of N2.
            strata: self
                .strata
                .iter()
                .map(|s| Candidates { n1: BottomK::new(size(s.target)), n2: BottomK::new(size(s.n2_target)) })
                .collect(),
            ..Ranked::default()
        };
        let step = |ranked: &mut Ranked, rows: &Rows| {
            self.offer(ranked, rows, files[rows.file])?;
            progress.advance(rows.batch.num_rows() as u64);
            Ok(())
        };
        let mut ranked = part.fold(&POOL_COLUMNS, init, step, |mut a, b| {
            a.merge(b);
            a
        })?;
        ranked.files = files.into_iter().map(|file| (file, 1)).collect();
        Ok(ranked)
    }

    /// Offers the galaxies of a batch of a file to their strata.
    fn offer(&self, ranked: &mut Ranked, rows: &Rows, file: usize) -> Result<(), Error> {
        let Key { ranking, seed, .. } = self.key;
        let [ids, bins, kinds, pools] = [0, 1, 2, 3].map(|i| rows.batch.column(i).as_string::<i32>());
        ranked.rows += rows.batch.num_rows() as u64;
        let mut last = 0;
        for row in 0..rows.batch.num_rows() {
            let (bin, kind) = (bins.value(row), kinds.value(row));
            let is = |s: &Stratum| s.nobs_z_bin == bin && s.type_bin == kind;
            // Strata are few, and neighbours often share one.
            if !is(&self.strata[last]) {
                match self.strata.iter().position(is) {
                    Some(found) => last = found,
                    None => continue,
                }
            }
            let id = ids.value(row);
            let rank = ranking.rank(id, seed)?;
            let candidates = &mut ranked.strata[last];
            let heap = match pools.value(row) {
                "N1" => &mut candidates.n1,
                "N2" => &mut candidates.n2,
                other => {
                    let (row, what) =
                        (rows.first_row + row as u64, format!("pool is '{other}', must be N1 or N2"));
                    return Err(Error::new(ErrorClass::BadData, format!("row {row}: {what}")));
                }
            };
            heap.offer(rank, || (id.into(), (file, rows.first_row + row as u64)));
        }
        Ok(())
    }

    /// Whether each file was ranked once, for this sample.
    fn is_whole(&self, ranked: &Ranked) -> Result<(), Error> {
        let pool = self.pool.path();
        if ranked.of != Of::One(self.key.clone()) && ranked.of != Of::Nothing {
            return Err(Error::bad(pool, "ranked galaxies are of another sample, or of several"));
        }
        for (file, path) in self.pool.files().enumerate() {
            match ranked.files.get(&file) {
                Some(1) => {}
                None => return Err(Error::new(ErrorClass::Missing, "was not ranked").at(path)),
                Some(times) => return Err(Error::bad(path, format!("was ranked {times} times"))),
            }
        }
        let fits =
            |c: &Candidates, s: &Stratum| [c.n1.k() as u64, c.n2.k() as u64] == [s.target, s.n2_target];
        let same = ranked.files.len() == self.pool.files().len()
            && ranked.strata.len() == self.strata.len()
            && ranked.strata.iter().zip(&self.strata).all(|(c, s)| fits(c, s));
        if same { Ok(()) } else { Err(Error::bad(pool, "ranked galaxies are of other files or strata")) }
    }

    /// Takes the sample, checks it, and writes it if no critical gate fails.
    ///
    /// # Errors
    ///
    /// A file of the pool that was not ranked ([`ErrorClass::Missing`]), or twice, or for another sample; a galaxy that
    /// stands in the pool twice; a file that cannot be read or written.
    pub fn finish(&self, ranked: Ranked, out: &Path, progress: &dyn Progress) -> Result<Drawn, Error> {
        self.is_whole(&ranked)?;
        let pool = self.pool.path();
        let mut strata = self.strata.clone();
        let mut chosen = Vec::new();
        for (stratum, candidates) in strata.iter_mut().zip(ranked.strata) {
            choose(stratum, candidates, &mut chosen);
        }
        chosen.sort_unstable();
        if let Some(twins) = chosen.windows(2).find(|w| w[0].0 == w[1].0) {
            let files: Vec<&Path> = self.pool.files().collect();
            let at = |(file, row): (usize, u64)| format!("row {row} of {}", files[file].display());
            let what =
                format!("galaxy {} stands here twice: {} and {}", twins[0].0, at(twins[0].1), at(twins[1].1));
            return Err(Error::bad(pool, what));
        }
        if chosen.is_empty() {
            return Err(Error::bad(pool, "no galaxy of the pool is in a stratum of the positives"));
        }
        progress.begin("fetching the sample", chosen.len() as u64);
        let groups = self.fetch(&chosen)?;
        let mut validate = Validate::new(&self.draw.config);
        validate.strata = Some(strata.clone());
        if self.known.has("ra")? && self.known.has("dec")? {
            validate.positives = read_positions(&[self.known.path().to_owned()])?;
        }
        let validation = validate.batches(&groups, progress)?;
        let written = !validation.is_fatal();
        if written {
            self.write(out, &groups, &strata)?;
        }
        Ok(Drawn {
            positives: strata.iter().map(|s| s.positives).sum(),
            pool_rows: ranked.rows,
            rows: chosen.len() as u64,
            seed: self.key.seed,
            ranking: self.key.ranking,
            strata,
            validation,
            written,
        })
    }

    /// The whole rows, in order of identity, as batches of the schema of a sample.
    fn fetch(&self, chosen: &[Candidate]) -> Result<Vec<RecordBatch>, Error> {
        let mut places: Vec<(usize, u64)> = chosen.iter().map(|(_, place)| *place).collect();
        places.sort_unstable();
        let batches = self.pool.pick(NEGATIVE_POOL.fields(), &places)?;
        let mut starts = vec![0];
        for batch in &batches {
            starts.push(starts[starts.len() - 1] + batch.num_rows());
        }
        let where_is = |place: &(usize, u64)| {
            let index = places.partition_point(|p| p < place);
            let batch = starts.partition_point(|&start| start <= index) - 1;
            (batch, index - starts[batch])
        };
        let timestamp = self.draw.timestamp.clone().unwrap_or_else(|| self.draw.config.created_at.clone());
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

    fn write(&self, out: &Path, groups: &[RecordBatch], strata: &[Stratum]) -> Result<(), Error> {
        let Self { draw, pool, input, key, .. } = self;
        let provenance = Provenance::new()
            .with_json("coaddkit.targets", &strata)
            .with("coaddkit.config_sha256", draw.config.sha256())
            .with("coaddkit.seed", key.seed.to_string())
            .with_json("coaddkit.ranking", &key.ranking)
            .with_json("coaddkit.positives", input)
            .with_json(
                "coaddkit.pool",
                &json!({ "files": pool.files().len(), "marker": marker(pool.path()).trim() }),
            );
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

/// What the marker of a pool says; nothing if there is none.
fn marker(pool: &Path) -> String {
    std::fs::read_to_string(pool.join("_SUCCESS")).unwrap_or_default()
}

/// Whether a pool of ours has the files that its marker names, and no other. Markers of other writers name none.
fn is_as_marked(pool: &Path) -> Result<(), Error> {
    let marker: Value = serde_json::from_str(&marker(pool)).unwrap_or_default();
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
