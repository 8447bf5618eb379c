//! A pool on its way: its sweeps one by one, in any order and any process, and what comes after the last.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::pool::{Pool, PoolCounts, PoolReport, SweepReport};
use super::positives::read_positions;
use super::rows::Rows;
use super::rules::Rules;
use super::schema::NEGATIVE_POOL;
use super::sweep::Sweep;
use crate::{
    Error, ErrorClass, Field, Input, Kind, Layout, Progress, Provenance, Source, TableWriter, publish,
};

/// Rows of a row group.
const GROUP: usize = 1 << 17;

/// A pool that [`Pool::prepare`] has made ready: rules that threads and processes share, and the folder.
///
/// The marker `_SUCCESS` is there if the pool is whole: it is taken away before anything that it vouches for changes, and
/// written by [`Self::finish`].
///
/// # Examples
///
/// ```no_run
/// use coaddkit_manifest::negatives::{Pool, SweepReport};
/// # fn pool() -> Pool { unimplemented!() }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sweeps = ["sweep-000m005-005p000.fits", "sweep-005m005-010p000.fits"].map(Into::into);
/// let pooling = pool().prepare(&sweeps, &["lenses.csv".into()], "pool".as_ref())?;
/// // Each in a process of its own, which says as text what became of it.
/// let texts = sweeps.iter().map(|path| serde_json::to_string(&pooling.sweep(path, &())));
/// let texts: Vec<String> = texts.collect::<Result<_, _>>()?;
/// // And when all have ended, in one of them.
/// let reports = texts.iter().map(|text| serde_json::from_str(text)).collect::<Result<Vec<SweepReport>, _>>()?;
/// println!("{} galaxies", pooling.finish(reports)?.total.kept);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Pooling {
    rules: Rules,
    /// Of the positives.
    positions: u64,
    sweeps: Vec<PathBuf>,
    /// Where the sweep of each product stands among all.
    places: BTreeMap<String, usize>,
    out: PathBuf,
}

impl Pooling {
    pub(super) fn new(
        pool: &Pool,
        sweeps: &[PathBuf],
        positives: &[PathBuf],
        out: &Path,
    ) -> Result<Self, Error> {
        let mut places = BTreeMap::new();
        for (place, path) in sweeps.iter().enumerate() {
            if let Some(other) = places.insert(product(path), place) {
                let (other, path) = (sweeps[other].display(), path.display());
                return Err(Error::usage(format!("{other} and {path} would have the same product")));
            }
        }
        let positions = read_positions(positives)?;
        let inputs = positives
            .iter()
            .map(|path| Input::of(&Source::open(path)?))
            .collect::<Result<Vec<_>, Error>>()?;
        let rules = Rules::new(pool, &positions, &inputs)?;
        std::fs::create_dir_all(out).map_err(|e| Error::io(out, &e))?;
        let positions = positions.len() as u64;
        let pooling = Self { rules, positions, sweeps: sweeps.to_owned(), places, out: out.to_owned() };
        pooling.clear()?;
        Ok(pooling)
    }

    /// SHA-256 of all that decides what the file of a sweep is, but the sweep: rules, positives, version.
    pub fn fingerprint(&self) -> &str {
        &self.rules.fingerprint
    }

    /// A pool is of the sweeps asked for: what an earlier run made of others would be in every sample.
    fn clear(&self) -> Result<(), Error> {
        let mut others = products(&self.out)?;
        // What somebody else has put there is theirs.
        others.retain(|name| !self.places.contains_key(name) && is_product(&self.out.join(name)));
        match &others[..] {
            [] => Ok(()),
            _ if self.rules.pool.force => {
                self.unmark()?;
                others.iter().try_for_each(|name| remove(&self.out.join(name)))
            }
            [first, ..] => {
                let what = format!(
                    "has the products of {} other sweeps, {first} first; force removes them",
                    others.len()
                );
                Err(Error::usage(what).at(&self.out))
            }
        }
    }

    /// Takes the marker away: the pool is not whole any more.
    fn unmark(&self) -> Result<(), Error> {
        remove(&self.out.join("_SUCCESS"))
    }

    /// Makes the file of one of the sweeps, or finds that it is there. The report says what became of it.
    pub fn sweep(&self, path: &Path, progress: &dyn Progress) -> SweepReport {
        let mut report = SweepReport::of(path);
        if let Err(e) = self.make(path, &mut report, progress) {
            let e = e.at(path);
            report.counts = PoolCounts::default();
            report.error = Some(e.to_string());
            report.failure = Some(e);
        }
        report
    }

    fn make(&self, path: &Path, report: &mut SweepReport, progress: &dyn Progress) -> Result<(), Error> {
        let (rules, name) = (&self.rules, product(path));
        if !self.places.contains_key(&name) {
            return Err(Error::usage("is none of the sweeps of this pool"));
        }
        let product = self.out.join(name);
        let sweep = Sweep::open(path)?;
        report.absent = sweep.absent.iter().map(|&name| name.to_owned()).collect();
        let made = if rules.pool.force { None } else { self.made(&product, &sweep, report.bytes) };
        if let Some(counts) = made {
            report.counts = counts;
            report.skipped = true;
            progress.advance(report.bytes);
            return Ok(());
        }
        let mut counts = PoolCounts::default();
        let mut rows = Rows::default();
        let measured = NEGATIVE_POOL.fields().iter().filter(|field| field.kind() == Kind::Float32);
        let mut distinct = vec!["galaxy_id", "ra", "dec", "row_index", "objid"];
        distinct.extend(measured.map(Field::name));
        let layout = Layout { distinct, ..Layout::default() };
        let provenance = Provenance::new()
            .with("coaddkit.fingerprint", self.fingerprint())
            .with("coaddkit.config_sha256", rules.pool.config.sha256())
            .with_json(
                "coaddkit.sweep",
                &json!({ "name": sweep.name(), "bytes": report.bytes, "rows": sweep.rows() }),
            );
        self.unmark()?;
        let mut writer = TableWriter::create(&product, &NEGATIVE_POOL, &layout, &provenance)?;
        let mut told = 0;
        sweep.chunks(|chunk| {
            rules.chunk(chunk, &mut rows, &mut counts)?;
            if rows.len() >= GROUP {
                writer.write(&rows.take(&rules.labels, sweep.name())?)?;
            }
            let done = report.bytes * counts.rows / sweep.rows().max(1);
            progress.advance(done - told);
            told = done;
            Ok(())
        })?;
        progress.advance(report.bytes - told);
        writer.write(&rows.take(&rules.labels, sweep.name())?)?;
        writer.note("coaddkit.counts", serde_json::to_string(&counts).unwrap_or_default());
        writer.finish()?;
        report.counts = counts;
        Ok(())
    }

    /// The counts of a product that these rules have made of this sweep.
    fn made(&self, product: &Path, sweep: &Sweep, bytes: u64) -> Option<PoolCounts> {
        let metadata = Source::open(product).and_then(|source| source.metadata()).ok()?;
        let get = |key: &str| metadata.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str());
        let input: Value = serde_json::from_str(get("coaddkit.sweep")?).ok()?;
        let same = get("coaddkit.fingerprint")? == self.fingerprint()
            && input == json!({ "name": sweep.name(), "bytes": bytes, "rows": sweep.rows() });
        if same { serde_json::from_str(get("coaddkit.counts")?).ok() } else { None }
    }

    /// Ends the pool: puts the reports in the order of the sweeps, adds them up, and writes `_SUCCESS` if no sweep failed.
    ///
    /// # Errors
    ///
    /// A sweep without a report ([`ErrorClass::Missing`]), or with two, or one of another pool ([`ErrorClass::BadData`]);
    /// the error names it. A folder that cannot be written to.
    pub fn finish(&self, reports: Vec<SweepReport>) -> Result<PoolReport, Error> {
        let mut sorted: Vec<Option<SweepReport>> = self.sweeps.iter().map(|_| None).collect();
        for report in reports {
            let bad = |what: &str| Err(Error::bad(&report.path, what));
            let Some(&place) = self.places.get(&product(&report.path)) else {
                return bad("is none of the sweeps of this pool");
            };
            if sorted[place].is_some() {
                return bad("is reported twice");
            }
            sorted[place] = Some(report);
        }
        let mut total = PoolCounts::default();
        let mut sweeps = Vec::with_capacity(sorted.len());
        for (report, path) in sorted.into_iter().zip(&self.sweeps) {
            let missing = || Error::new(ErrorClass::Missing, "nothing is known of this sweep").at(path);
            let report = report.ok_or_else(missing)?;
            total.add(&report.counts);
            sweeps.push(report);
        }
        if sweeps.iter().all(|sweep| sweep.error.is_none()) {
            let file = |r: &SweepReport| json!({ "name": product(&r.path), "rows": r.counts.kept });
            let files: Vec<Value> = sweeps.iter().map(file).collect();
            let body = json!({
                "format": "coaddkit-pool/1", "fingerprint": self.fingerprint(), "rows": total.kept, "files": files,
            });
            publish(&self.out.join("_SUCCESS"), |out| writeln!(out, "{body}"))?;
        } else {
            self.unmark()?;
        }
        let config = &self.rules.pool.config;
        Ok(PoolReport {
            alerts: self.alerts(&sweeps),
            sweeps,
            total,
            positives: self.positions,
            nan_z_mag: config.filters.nan_z_mag,
            config_sha256: config.sha256(),
        })
    }

    fn alerts(&self, reports: &[SweepReport]) -> Vec<String> {
        let (pool, rules) = (&self.rules.pool, &self.rules);
        let mut alerts = rules.classes.idle_types(&pool.config.negative_pools.pool_n1.galaxy_types);
        if let Some(compat) = pool.compat {
            let day = compat.name();
            alerts
                .push(format!("classes and splits are those of the job of {day}, not of the configuration"));
        }
        if self.positions == 0 {
            alerts.push("no known lenses are given: none are excluded".to_owned());
        }
        let lacking = reports.iter().filter(|r| !r.absent.is_empty()).count();
        if lacking > 0 {
            let names: BTreeSet<&str> = reports.iter().flat_map(|r| &r.absent).map(String::as_str).collect();
            let names: Vec<_> = names.into_iter().collect();
            alerts.push(format!("{lacking} sweeps lack columns, which are null: {}", names.join(", ")));
        }
        alerts
    }
}

/// Whether a file is what a pool has of a sweep.
fn is_product(path: &Path) -> bool {
    let metadata = Source::open(path).and_then(|source| source.metadata());
    metadata.is_ok_and(|pairs| pairs.iter().any(|(key, _)| key == "coaddkit.sweep"))
}

/// The names of the Parquet files in a folder, in order.
pub(super) fn products(folder: &Path) -> Result<Vec<String>, Error> {
    let at = |e: io::Error| Error::io(folder, &e);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(at)? {
        let name = entry.map_err(at)?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".parquet") && !name.starts_with(['.', '_']) {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Removes a file, which another process may have done.
fn remove(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io(path, &e)),
        _ => Ok(()),
    }
}

/// `sweep-000m005-005p000.fits.gz` → `sweep-000m005-005p000`.
fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let cut = [".gz", ".fz", ".fits", ".fit"]
        .iter()
        .fold(name.as_str(), |name, end| name.strip_suffix(end).unwrap_or(name));
    cut.to_owned()
}

pub(super) fn product(path: &Path) -> String {
    format!("{}.parquet", stem(path))
}
