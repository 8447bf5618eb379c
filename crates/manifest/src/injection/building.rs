//! A stage on its way: its experiments one by one, in any process, and what comes after the last.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use rayon::prelude::*;
use serde_json::{Value, json};

use super::build::{Build, Built, BuiltExperiment, Shortfall};
use super::config::Plan;
use super::inputs::{Bricks, SPLITS, Selections};
use super::sample::{Sampler, Samples};
use super::schema::{BRICKS_MANIFEST, INJECTION_TASKS};
use super::tasks::{Experiment, is_control, rows_of};
use crate::provenance::sha256;
use crate::{Error, ErrorClass, Layout, Progress, Provenance, Source, TableWriter, publish, write_csv};

/// The tables, opened and hashed.
#[derive(Debug)]
pub(super) struct Inputs {
    pub parent: Source,
    pub bricks: Bricks,
    pub selections: Selections,
    pub hashes: Value,
    pub bytes: u64,
}

/// A stage that [`Build::prepare`] has made ready: inputs, rules and the folder.
///
/// # Examples
///
/// ```no_run
/// use coaddkit_manifest::injection::{Build, StageConfig};
///
/// # fn main() -> Result<(), coaddkit_manifest::Error> {
/// let build = Build::new(StageConfig::read("stage.toml".as_ref())?);
/// let building = build.prepare("out".as_ref())?;
/// let sampled = building.sample(&())?;
/// // Each in a process of its own.
/// for name in build.experiments()? {
///     sampled.write(&name, &())?;
/// }
/// // And when all have ended, in one of them.
/// println!("{} experiments", sampled.finish()?.experiments.len());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Building {
    build: Build,
    plans: Vec<Plan>,
    inputs: Inputs,
    stage: Value,
    fingerprint: String,
    out: PathBuf,
}

/// The galaxies of a [`Building`], from which its experiments are written.
#[derive(Debug)]
pub struct Sampled<'b> {
    of: &'b Building,
    samples: Samples,
    tiers: Vec<Tier>,
    provenance: Provenance,
}

/// What is the same for all experiments of a tier.
#[derive(Debug)]
struct Tier {
    configs: Vec<super::grid::Config>,
    controls: Vec<bool>,
    starts: Vec<u64>,
}

impl Tier {
    fn rows(&self) -> u64 {
        self.starts.last().copied().unwrap_or(0)
    }
}

impl Building {
    pub(super) fn new(
        build: &Build,
        plans: Vec<Plan>,
        inputs: Inputs,
        stage: Value,
        out: &Path,
    ) -> Result<Self, Error> {
        // What the bytes of the manifests depend on.
        let fingerprint = sha256(stage["fingerprint"].to_string().as_bytes());
        let building = Self { build: build.clone(), plans, inputs, stage, fingerprint, out: out.to_owned() };
        building.may_write()?;
        building.left()?;
        Ok(building)
    }

    /// SHA-256 of all that decides what the manifests are: inputs, rules, seeds, version.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Samples the galaxies, as every process has to.
    ///
    /// # Errors
    ///
    /// When the parent cannot be read or is not what it should be, or none of its galaxies can be used.
    pub fn sample(&self, progress: &dyn Progress) -> Result<Sampled<'_>, Error> {
        let (config, inputs) = (&self.build.config, &self.inputs);
        let sampler = Sampler {
            parent: &inputs.parent,
            flag: &config.sampling.require_lrg_flag,
            bricks: &inputs.bricks,
            selections: &inputs.selections,
            seed: config.seeds.split_seed,
            plans: &self.plans,
            progress,
        };
        let samples = sampler.run()?;
        let tiers = (0..self.plans.len()).map(|tier| self.tier(tier, &samples)).collect();
        let provenance = Provenance::new()
            .with("coaddkit.fingerprint", self.fingerprint.as_str())
            .with("coaddkit.stage_config", self.stage["fingerprint"].to_string());
        Ok(Sampled { of: self, samples, tiers, provenance })
    }

    fn tier(&self, tier: usize, samples: &Samples) -> Tier {
        let (plan, inputs, config) = (&self.plans[tier], &self.inputs, &self.build.config);
        let control = |&(galaxy, set): &(u32, u16)| {
            let galaxy = &samples.galaxies[galaxy as usize];
            let brick = &inputs.bricks.names[galaxy.brick as usize];
            let set = &inputs.selections.sets[usize::from(set)].id;
            is_control(plan, config.seeds.split_seed, galaxy, brick, set)
        };
        let controls: Vec<bool> = samples.tiers[tier].entries.par_iter().map(control).collect();
        let configs = plan.grid.configs(&plan.grid_name);
        let mut starts = Vec::with_capacity(controls.len() + 1);
        let mut sum = 0;
        starts.push(sum);
        for &control in &controls {
            sum += rows_of(plan, configs.len(), config.replicates, control);
            starts.push(sum);
        }
        Tier { configs, controls, starts }
    }

    fn folder(&self, experiment: &str) -> PathBuf {
        self.out.join("manifests").join(experiment)
    }

    /// What is there stays, unless the same inputs and configuration made it or the caller says so.
    fn may_write(&self) -> Result<(), Error> {
        for (.., id) in self.build.variants(&self.plans) {
            let folder = self.folder(&id);
            let other =
                folder.join("_SUCCESS").exists() && marker(&folder)["fingerprint"] != self.fingerprint;
            if other && !self.build.replace() {
                let what =
                    "a manifest of another configuration, input or version is there; force replaces it";
                return Err(Error::usage(what).at(&folder));
            }
        }
        Ok(())
    }

    /// The folders of experiments that are none of this configuration's, if they may be removed.
    fn left(&self) -> Result<Vec<PathBuf>, Error> {
        let ids: BTreeSet<String> = self.build.variants(&self.plans).map(|(.., id)| id).collect();
        let mut left = experiments(&self.out.join("manifests"))?;
        left.retain(|folder| !ids.contains(&*folder.file_name().unwrap_or_default().to_string_lossy()));
        match left.first() {
            Some(folder) if !self.build.replace() => {
                let what = "an experiment of another configuration is there; force removes it";
                Err(Error::usage(what).at(folder))
            }
            _ => Ok(left),
        }
    }

    /// The bytes of a manifest that is there, whole, made from the same inputs and configuration.
    fn made(&self, experiment: &str) -> Option<u64> {
        let folder = self.folder(experiment);
        let marker = marker(&folder);
        let bytes = marker["bytes"].as_u64()?;
        let there = std::fs::metadata(folder.join(PART)).ok()?;
        (marker["fingerprint"] == self.fingerprint && there.is_file() && there.len() == bytes)
            .then_some(bytes)
    }
}

/// The table of an experiment.
const PART: &str = "part-00000.parquet";

impl Sampled<'_> {
    /// The tasks of an experiment; `None` if it is none of this stage.
    pub fn rows(&self, experiment: &str) -> Option<u64> {
        let (tier, ..) = self.variant(experiment)?;
        Some(self.tiers[tier].rows())
    }

    fn variant(&self, experiment: &str) -> Option<(usize, u32, &str)> {
        let mut all = self.of.build.variants(&self.of.plans);
        let (tier, stamp, bandset, _) = all.find(|(.., id)| id == experiment)?;
        Some((tier, stamp, bandset))
    }

    /// The bricks of the galaxies of a tier.
    fn bricks(&self, tier: usize) -> BTreeSet<u32> {
        let entries = &self.samples.tiers[tier].entries;
        entries.iter().map(|&(galaxy, _)| self.samples.galaxies[galaxy as usize].brick).collect()
    }

    /// An experiment as it is reported.
    fn built(&self, tier: usize, experiment: String, bricks: usize, bytes: u64) -> BuiltExperiment {
        let Tier { controls, starts, .. } = &self.tiers[tier];
        let controls = controls.iter().zip(starts.windows(2));
        BuiltExperiment {
            experiment_id: experiment,
            rows: self.tiers[tier].rows(),
            controls: controls.map(|(&control, w)| if control { w[1] - w[0] } else { 0 }).sum(),
            bricks,
            bytes,
            skipped: false,
        }
    }

    /// Writes an experiment, or finds that it is there, if the configuration says to skip those. Other experiments are
    /// left alone.
    ///
    /// # Errors
    ///
    /// When there is no such experiment, or the folder cannot be written to.
    pub fn write(&self, experiment: &str, progress: &dyn Progress) -> Result<BuiltExperiment, Error> {
        let Building { build, plans, inputs, .. } = self.of;
        let Some((tier, stamp_size, bandset)) = self.variant(experiment) else {
            return Err(Error::usage(format!("there is no experiment {experiment}")));
        };
        let skip = build.config.idempotency.skip_if_exists && !build.replace();
        let skipped = skip && self.of.made(experiment).is_some();
        let bytes = if skipped {
            0
        } else {
            let Tier { configs, controls, starts } = &self.tiers[tier];
            let table = Experiment {
                id: experiment,
                plan: &plans[tier],
                configs,
                stamp_size,
                bandset,
                replicates: build.config.replicates,
                seed: build.config.seeds.split_seed,
                sets: &inputs.selections.sets,
                bricks: &inputs.bricks,
                galaxies: &self.samples.galaxies,
                entries: &self.samples.tiers[tier].entries,
                controls,
                starts,
            };
            self.table(&table, progress)?
        };
        let built = self.built(tier, experiment.to_owned(), self.bricks(tier).len(), bytes);
        Ok(BuiltExperiment { skipped, ..built })
    }

    /// Writes one experiment; its marker comes last.
    fn table(&self, experiment: &Experiment<'_>, progress: &dyn Progress) -> Result<u64, Error> {
        let folder = &self.of.folder(experiment.id);
        let at = |e: &std::io::Error| Error::io(folder, e);
        std::fs::create_dir_all(folder).map_err(|e| at(&e))?;
        let marker = folder.join("_SUCCESS");
        match std::fs::remove_file(&marker) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(at(&e)),
            _ => {}
        }
        let layout = Layout {
            sorted_by: vec!["brickname"],
            distinct: vec![
                "task_id",
                "task_seed64",
                "src_x_arcsec",
                "src_y_arcsec",
                "src_phi_rad",
                "shear_phi_rad",
                "src_gr",
                "src_rz",
                "lens_e",
                "lens_phi_rad",
            ],
            ..Layout::default()
        };
        let rows = u64::from(self.of.build.row_group_rows.max(1));
        let groups = usize::try_from(experiment.rows().div_ceil(rows)).unwrap_or(usize::MAX);
        let make = |group: usize| {
            let from = group as u64 * rows;
            let to = (from + rows).min(experiment.rows());
            progress.advance(to - from);
            experiment.batch(from, to)
        };
        let path = folder.join(PART);
        let mut writer = TableWriter::create(&path, &INJECTION_TASKS, &layout, &self.provenance)?;
        writer.write_groups(groups, make)?;
        let written = writer.finish()?;
        if self.of.build.csv {
            let mut beside = folder.as_os_str().to_owned();
            beside.push("_csv");
            let beside = PathBuf::from(beside);
            std::fs::create_dir_all(&beside).map_err(|e| Error::io(&beside, &e))?;
            write_csv(&beside.join("part-00000.csv"), &INJECTION_TASKS, (0..groups).map(make))?;
        }
        let body = json!({
            "format": "coaddkit-manifest/1",
            "experiment_id": experiment.id,
            "rows": written.rows,
            "bytes": written.bytes,
            "fingerprint": self.of.fingerprint,
        });
        publish(&marker, |out| writeln!(out, "{body}"))?;
        Ok(written.bytes)
    }

    /// Ends the stage: finds that every experiment is there, whichever process wrote it, writes `bricks_manifest.*` and
    /// `_stage_config.json`, and with [`Build::force`] removes experiments that are of another configuration.
    ///
    /// # Errors
    ///
    /// Experiments that are not there ([`ErrorClass::Missing`]), by name; a folder that cannot be written to.
    pub fn finish(&self) -> Result<Built, Error> {
        let Building { build, plans, inputs, stage, fingerprint, out } = self.of;
        let (mut experiments, mut needed) = (Vec::new(), BTreeSet::new());
        let mut missing = Vec::new();
        let tiers: Vec<BTreeSet<u32>> = (0..plans.len()).map(|tier| self.bricks(tier)).collect();
        for (tier, _, _, id) in build.variants(plans) {
            match self.of.made(&id) {
                Some(bytes) => experiments.push(self.built(tier, id.clone(), tiers[tier].len(), bytes)),
                None => missing.push(id.clone()),
            }
            needed.extend(tiers[tier].iter().map(|&brick| (id.clone(), brick)));
        }
        if !missing.is_empty() {
            let what = format!("not written, or not whole: {}", missing.join(", "));
            return Err(Error::new(ErrorClass::Missing, what).at(&out.join("manifests")));
        }
        let left = self.of.left()?;
        let different: BTreeSet<u32> = tiers.into_iter().flatten().collect();
        self.write_bricks(&needed)?;
        let built = Built {
            parent: self.samples.losses.into(),
            shortfalls: shortfalls(plans, &self.samples, &inputs.selections),
            bricks: different.len(),
            experiments,
            input_bytes: inputs.bytes,
        };
        let stage = finished(stage.clone(), &built, fingerprint);
        publish(&out.join("_stage_config.json"), |file| writeln!(file, "{stage:#}"))?;
        for folder in left {
            std::fs::remove_dir_all(&folder).map_err(|e| Error::io(&folder, &e))?;
        }
        Ok(built)
    }

    fn write_bricks(&self, needed: &BTreeSet<(String, u32)>) -> Result<(), Error> {
        let Building { out, inputs: Inputs { bricks, .. }, .. } = self.of;
        let ids = StringArray::from_iter_values(needed.iter().map(|(id, _)| id));
        let names = needed.iter().map(|&(_, brick)| &bricks.names[brick as usize]);
        let columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(StringArray::from_iter_values(names))];
        let batch: RecordBatch = crate::write::batch(&BRICKS_MANIFEST, columns)?;
        let layout = Layout { sorted_by: vec!["experiment_id", "brickname"], ..Layout::default() };
        let path = out.join("bricks_manifest.parquet");
        let mut writer = TableWriter::create(&path, &BRICKS_MANIFEST, &layout, &self.provenance)?;
        writer.write(&batch)?;
        writer.finish()?;
        write_csv(&path.with_extension("csv"), &BRICKS_MANIFEST, [Ok(batch)])?;
        Ok(())
    }
}

/// Folders with manifests of ours, in order.
fn experiments(manifests: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match std::fs::read_dir(manifests) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|e| Error::io(manifests, &e))?,
    };
    let folders = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut ours: Vec<PathBuf> = folders.filter(|folder| marker(folder)["fingerprint"].is_string()).collect();
    ours.sort_unstable();
    Ok(ours)
}

/// What the marker of a manifest says; nothing if it is none of ours.
fn marker(folder: &Path) -> Value {
    let bytes = std::fs::read(folder.join("_SUCCESS")).ok();
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn finished(mut stage: Value, built: &Built, fingerprint: &str) -> Value {
    if let Value::Object(inner) = stage["fingerprint"].take() {
        for (key, value) in inner {
            stage[key] = value;
        }
    }
    stage["fingerprint"] = json!(fingerprint);
    let counts: serde_json::Map<_, _> =
        built.experiments.iter().map(|e| (e.experiment_id.clone(), json!(e.rows))).collect();
    stage["counts"] = json!({
        "tasks": counts,
        "parent": built.parent,
        "shortfalls": built.shortfalls,
        "bricks": built.bricks,
    });
    stage
}

fn shortfalls(plans: &[Plan], samples: &Samples, selections: &Selections) -> Vec<Shortfall> {
    let pairs: BTreeSet<(u16, u8)> =
        selections.regions.values().flat_map(|r| r.sets.iter().map(|&set| (set, r.split))).collect();
    let mut all = Vec::new();
    for (plan, tier) in plans.iter().zip(&samples.tiers) {
        for &(set, split) in &pairs {
            let found = tier.found.get(&(set, split)).copied().unwrap_or(0);
            if found < plan.target {
                all.push(Shortfall {
                    tier: plan.tier,
                    selection_set_id: selections.sets[usize::from(set)].id.clone(),
                    region_split: SPLITS[usize::from(split)],
                    target: plan.target,
                    found,
                });
            }
        }
    }
    all
}
