//! From sweeps to the pool of negatives.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use coaddkit_photometry::Nanomaggies;
use coaddkit_sky::{Exclusion, Healpix, SkyCoord, Split, Subset};
use rayon::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};

use super::classify::{CATEGORIES, Classes, Traits};
use super::config::{Compat, NanPolicy, SamplingConfig};
use super::positives::read_positions;
use super::rows::{Labels, Rows, SUBSETS, magnitude};
use super::schema::NEGATIVE_POOL;
use super::sweep::{Chunk, OPTIONAL, Sweep, number, type_bin};
use crate::provenance::{code, sha256};
use crate::{Error, Field, Input, Kind, Layout, Progress, Provenance, Source, TableWriter, publish};

/// Rows of a row group.
const GROUP: usize = 1 << 17;

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

/// What became of a sweep.
#[derive(Clone, Debug, Serialize)]
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
    pub absent: Vec<&'static str>,
    /// Why it gives nothing.
    pub error: Option<String>,
    /// The error itself.
    #[serde(skip)]
    pub failure: Option<Error>,
}

/// Rows, by filter and by class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
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

/// What all sweeps share.
struct Rules<'a> {
    pool: &'a Pool,
    labels: Labels,
    types: Vec<Vec<u8>>,
    classes: Classes,
    exclusion: Exclusion,
    cells: Healpix,
    split: Split,
    /// The set of each cell, where there are few enough.
    splits: Vec<u8>,
    mask: i64,
    /// z fluxes below the first are too faint, above the second bright enough; between them the magnitude decides.
    z_flux: [f32; 2],
    fingerprint: String,
}

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
        let mut names = BTreeMap::new();
        for path in sweeps {
            if let Some(other) = names.insert(stem(path), path) {
                let what = format!("{} and {} would have the same product", other.display(), path.display());
                return Err(Error::usage(what));
            }
        }
        let positions = read_positions(positives)?;
        let inputs = positives
            .iter()
            .map(|path| Input::of(&Source::open(path)?))
            .collect::<Result<Vec<_>, Error>>()?;
        let rules = self.rules(&positions, &inputs)?;
        std::fs::create_dir_all(out).map_err(|e| Error::io(out, &e))?;
        self.clear(out, sweeps)?;
        let marker = out.join("_SUCCESS");
        match std::fs::remove_file(&marker) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::io(out, &e)),
            _ => {}
        }
        let bytes = |path: &PathBuf| std::fs::metadata(path).map_or(0, |m| m.len());
        progress.begin("sweeps", sweeps.iter().map(bytes).sum());
        let one = |path: &PathBuf| {
            let mut report = SweepReport {
                path: path.clone(),
                counts: PoolCounts::default(),
                bytes: bytes(path),
                skipped: false,
                absent: Vec::new(),
                error: None,
                failure: None,
            };
            if let Err(e) = rules.sweep(path, out, &mut report, progress) {
                let e = e.at(path);
                report.counts = PoolCounts::default();
                report.error = Some(e.to_string());
                report.failure = Some(e);
            }
            report
        };
        let reports: Vec<SweepReport> = sweeps.par_iter().with_max_len(1).map(one).collect();
        let mut report = PoolReport {
            positives: positions.len() as u64,
            alerts: self.alerts(&rules, &reports, &positions),
            nan_z_mag: self.config.filters.nan_z_mag,
            config_sha256: self.config.sha256(),
            ..PoolReport::default()
        };
        for sweep in &reports {
            report.total.add(&sweep.counts);
        }
        if reports.iter().all(|sweep| sweep.error.is_none()) {
            let files: Vec<Value> = sweeps
                .iter()
                .zip(&reports)
                .map(|(p, r)| json!({ "name": product(p), "rows": r.counts.kept }))
                .collect();
            let body = json!({
                "format": "coaddkit-pool/1", "fingerprint": rules.fingerprint, "rows": report.total.kept, "files": files,
            });
            publish(&marker, |out| writeln!(out, "{body}"))?;
        }
        report.sweeps = reports;
        Ok(report)
    }

    /// A pool is of the sweeps asked for: what an earlier run made of others would be in every sample.
    fn clear(&self, out: &Path, sweeps: &[PathBuf]) -> Result<(), Error> {
        let made: std::collections::BTreeSet<String> = sweeps.iter().map(|path| product(path)).collect();
        let mut others = products(out)?;
        // What somebody else has put there is theirs.
        others.retain(|name| !made.contains(name) && is_product(&out.join(name)));
        if self.force {
            return others.iter().try_for_each(|name| {
                let path = out.join(name);
                std::fs::remove_file(&path).map_err(|e| Error::io(&path, &e))
            });
        }
        match &others[..] {
            [] => Ok(()),
            [first, ..] => {
                let what = format!(
                    "has the products of {} other sweeps, {first} first; force removes them",
                    others.len()
                );
                Err(Error::usage(what).at(out))
            }
        }
    }

    fn rules(&self, positions: &[SkyCoord], inputs: &[Input]) -> Result<Rules<'_>, Error> {
        let config = &self.config;
        let n1 = &config.negative_pools.pool_n1;
        let usage = |e: coaddkit_sky::Error| Error::usage(e);
        let split = config.split(self.compat)?;
        let splits = if split.grid().len() <= 1 << 22 {
            let subset = |cell| split.subset(cell).map(code_of);
            split.grid().cells().map(subset).collect::<Result<_, _>>().map_err(usage)?
        } else {
            Vec::new()
        };
        let limit = 10_f64.powf((22.5 - n1.z_mag_limit) / 2.5);
        let timestamp = self.timestamp.clone().unwrap_or_else(|| config.created_at.clone());
        let fingerprint = sha256(
            json!({
                "code": code(),
                "config": config,
                "compat": self.compat.map(Compat::name),
                "positives": inputs.iter().map(|i| &i.sha256).collect::<Vec<_>>(),
                "timestamp": timestamp,
                "git_commit": self.git_commit,
            })
            .to_string()
            .as_bytes(),
        );
        Ok(Rules {
            pool: self,
            labels: Labels {
                types: n1.galaxy_types.clone(),
                type_bins: n1.galaxy_types.iter().map(|t| type_bin(&n1.galaxy_types, t).to_owned()).collect(),
                nobs_bins: config.nobs_labels(),
                pipeline_version: config.version.clone(),
                git_commit: self.git_commit.clone(),
                timestamp,
            },
            types: n1.galaxy_types.iter().map(|t| t.clone().into_bytes()).collect(),
            classes: Classes::new(config, self.compat),
            exclusion: Exclusion::new(positions, config.exclusion.known_lens_radius_arcsec).map_err(usage)?,
            cells: Healpix::from_nside(128).map_err(usage)?,
            split,
            splits,
            mask: config.exclusion.exclude_maskbits.iter().fold(0, |mask, bit| mask | 1 << bit),
            // Rounding a magnitude to single precision moves it by less than 2e-6.
            z_flux: [(limit * (1.0 - 1e-5)) as f32, (limit * (1.0 + 1e-5)) as f32],
            fingerprint,
        })
    }

    fn alerts(&self, rules: &Rules<'_>, reports: &[SweepReport], positions: &[SkyCoord]) -> Vec<String> {
        let mut alerts = rules.classes.idle_types(&self.config.negative_pools.pool_n1.galaxy_types);
        if let Some(compat) = self.compat {
            let day = compat.name();
            alerts
                .push(format!("classes and splits are those of the job of {day}, not of the configuration"));
        }
        if positions.is_empty() {
            alerts.push("no known lenses are given: none are excluded".to_owned());
        }
        let lacking = reports.iter().filter(|r| !r.absent.is_empty()).count();
        if lacking > 0 {
            let names: std::collections::BTreeSet<_> =
                reports.iter().flat_map(|r| &r.absent).copied().collect();
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
    let at = |e: std::io::Error| Error::io(folder, &e);
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

impl Rules<'_> {
    fn sweep(
        &self,
        path: &Path,
        out: &Path,
        report: &mut SweepReport,
        progress: &dyn Progress,
    ) -> Result<(), Error> {
        let product = out.join(product(path));
        let sweep = Sweep::open(path)?;
        report.absent.clone_from(&sweep.absent);
        let made = if self.pool.force { None } else { self.made(&product, &sweep, report.bytes) };
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
            .with("coaddkit.fingerprint", self.fingerprint.as_str())
            .with("coaddkit.config_sha256", self.pool.config.sha256())
            .with_json(
                "coaddkit.sweep",
                &json!({ "name": sweep.name(), "bytes": report.bytes, "rows": sweep.rows() }),
            );
        let mut writer = TableWriter::create(&product, &NEGATIVE_POOL, &layout, &provenance)?;
        let mut told = 0;
        sweep.chunks(|chunk| {
            self.chunk(chunk, &mut rows, &mut counts)?;
            if rows.len() >= GROUP {
                writer.write(&rows.take(&self.labels, sweep.name())?)?;
            }
            let done = report.bytes * counts.rows / sweep.rows().max(1);
            progress.advance(done - told);
            told = done;
            Ok(())
        })?;
        progress.advance(report.bytes - told);
        writer.write(&rows.take(&self.labels, sweep.name())?)?;
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
        let same = get("coaddkit.fingerprint")? == self.fingerprint
            && input == json!({ "name": sweep.name(), "bytes": bytes, "rows": sweep.rows() });
        if same { serde_json::from_str(get("coaddkit.counts")?).ok() } else { None }
    }

    /// Filters, classifies and keeps the rows of a chunk.
    fn chunk(&self, chunk: &Chunk<'_>, out: &mut Rows, counts: &mut PoolCounts) -> Result<(), Error> {
        let filters = &self.pool.config.filters;
        let keep_nan = filters.nan_z_mag == NanPolicy::Keep;
        let (ra, dec) = (chunk.f64s("ra")?, chunk.f64s("dec")?);
        let view = |name: &str| chunk.values(name).ok_or_else(|| Error::usage(format!("no column {name}")));
        let (mask, z) = (view("maskbits")?, view("flux_z")?);
        let nobs = [view("nobs_g")?, view("nobs_r")?, view("nobs_z")?];
        let fluxes = [view("flux_g")?, view("flux_r")?, z, view("flux_w1")?];
        let optional = OPTIONAL.map(|name| chunk.values(name));
        let fitbits = chunk.values("fitbits").is_some();
        let first = out.len();
        let mut kept = Vec::new();
        counts.rows += chunk.rows() as u64;
        'rows: for row in 0..chunk.rows() {
            let (ra, dec) = (ra[row], dec[row]);
            let lost = 'lost: {
                if !(ra.is_finite() && dec.is_finite()) {
                    break 'lost 0;
                }
                if !(filters.dec_min < dec && dec < filters.dec_max) {
                    break 'lost 1;
                }
                let kind = chunk.bytes("type", row);
                let Some(kind) = self.types.iter().position(|t| t == kind) else { break 'lost 2 };
                if whole(mask, row) & self.mask != 0 {
                    break 'lost 3;
                }
                if nobs.iter().any(|&n| number(n, row) < f64::from(filters.nobs_min)) {
                    break 'lost 4;
                }
                if !self.bright(number(z, row) as f32, keep_nan) {
                    break 'lost 5;
                }
                let Ok(position) = SkyCoord::from_degrees(ra, dec) else { break 'lost 0 };
                if self.exclusion.excludes(position) {
                    break 'lost 6;
                }
                out.ra.push(ra);
                out.dec.push(dec);
                out.kind.push(kind as i32);
                let cell = self.cells.locate(position);
                let split = match self.split.grid() == self.cells {
                    true => self.splits[cell.index() as usize],
                    false => self.subset(position),
                };
                out.cell_128.push(cell.index() as i64);
                out.split.push(split.into());
                counts.splits[usize::from(split)] += 1;
                kept.push(row);
                continue 'rows;
            };
            counts.lost[lost] += 1;
        }
        counts.kept += kept.len() as u64;
        for (values, column) in fluxes.iter().zip(&mut out.flux) {
            column.extend(kept.iter().map(|&row| number(*values, row) as f32));
        }
        for (values, column) in optional.iter().zip(&mut out.optional) {
            match values {
                Some(values) => column.extend(kept.iter().map(|&row| number(*values, row) as f32)),
                None => column.extend(kept.iter().map(|_| f32::NAN)),
            }
        }
        for (i, &row) in (first..).zip(&kept) {
            self.names(chunk, row, out)?;
            let nobs_z = chunk.i32("nobs_z", row)?;
            out.nobs_z.push(nobs_z);
            out.nobs_bin.push(self.pool.config.nobs_bin(nobs_z) as i32);
            out.maskbits.push(chunk.i32("maskbits", row)?);
            out.fitbits.push(if fitbits { Some(chunk.i32("fitbits", row)?) } else { None });
            out.row.push(chunk.row(row)?);
            let [g, r, z, w1] = [0, 1, 2, 3].map(|band| magnitude(out.flux[band][i]));
            let mags = [g, r, z, g - r, r - z, z - w1].map(|m| m as f32);
            counts.without_z_mag += u64::from(z.is_nan());
            for (column, mag) in out.mags.iter_mut().zip(mags) {
                column.push(mag);
            }
            let shape = |which: usize| out.optional[13 + which][i];
            let traits = Traits {
                flux_r: out.flux[1][i],
                mag_r: mags[1],
                g_minus_r: mags[3],
                shape_r: shape(0),
                shape_e1: shape(1),
                shape_e2: shape(2),
                sersic: shape(3),
            };
            let category = self.classes.of(out.kind[i] as usize, &traits);
            if let Some(category) = category {
                counts.confusers[category] += 1;
            }
            out.category.push(category.map(|c| c as i32));
        }
        Ok(())
    }

    /// Whether the stored z magnitude is below the limit.
    fn bright(&self, flux: f32, keep_nan: bool) -> bool {
        // A flux of 0, below it or NaN has no magnitude.
        if flux.is_nan() || flux <= 0.0 {
            return keep_nan;
        }
        let [faint, bright] = self.z_flux;
        if flux < faint || flux > bright {
            return flux > bright;
        }
        let stored = Nanomaggies(flux.into()).mag().0 as f32;
        stored < self.pool.config.negative_pools.pool_n1.z_mag_limit as f32
    }

    fn subset(&self, position: SkyCoord) -> u8 {
        let cell = self.split.grid().locate(position);
        match self.splits.get(cell.index() as usize) {
            Some(&split) => split,
            None => code_of(self.split.subset_at(position)),
        }
    }

    /// Brick, number, and the identity made of both.
    fn names(&self, chunk: &Chunk<'_>, row: usize, out: &mut Rows) -> Result<(), Error> {
        use std::fmt::Write as _;
        let brick = chunk.bytes("brickname", row);
        if out.bricks.last().is_none_or(|last| last.as_bytes() != brick) {
            out.bricks.push(chunk.text("brickname", row)?);
        }
        let (index, objid) = (out.bricks.len() - 1, chunk.i32("objid", row)?);
        out.brick.push(index as i32);
        out.objid.push(objid);
        // Writing to memory does not fail.
        let _ = write!(out.ids, "{}_{objid}", out.bricks[index]);
        out.ids.append_value("");
        Ok(())
    }
}

impl PoolCounts {
    fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.kept += other.kept;
        self.without_z_mag += other.without_z_mag;
        self.lost.iter_mut().zip(other.lost).for_each(|(a, b)| *a += b);
        self.confusers.iter_mut().zip(other.confusers).for_each(|(a, b)| *a += b);
        self.splits.iter_mut().zip(other.splits).for_each(|(a, b)| *a += b);
    }
}

fn code_of(subset: Subset) -> u8 {
    SUBSETS.iter().position(|name| *name == subset.as_str()).unwrap_or(0) as u8
}

/// Mask bits, also of files that store them in another type.
fn whole(values: coaddkit_fits::Values<'_>, row: usize) -> i64 {
    match values {
        coaddkit_fits::Values::I32(v) => v[row].into(),
        coaddkit_fits::Values::I16(v) => v[row].into(),
        other => number(other, row) as i64,
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

fn product(path: &Path) -> String {
    format!("{}.parquet", stem(path))
}
