//! The whole stage: inputs in, manifests out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use rayon::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};

use super::config::{Plan, StageConfig};
use super::inputs::{Bricks, SPLITS, Selections};
use super::sample::{Galaxy, Losses, Sampler, Samples, TierSample};
use super::schema::{BRICKS_MANIFEST, INJECTION_TASKS};
use super::tasks::{Experiment, is_control, rows_of};
use crate::provenance::{code, sha256};
use crate::{
    Error, ErrorClass, Input, Layout, Progress, Provenance, Source, TableWriter, publish, write_csv,
};

/// Builds the manifests of a [`StageConfig`].
///
/// # Memory
///
/// 8 bytes for each galaxy that may be used, some tens of bytes for each that is sampled, and a row group a thread.
#[derive(Clone, Debug)]
pub struct Build {
    config: StageConfig,
    /// Refuse more tasks than this before any galaxy is read.
    pub max_total_tasks: u64,
    /// The time that products carry instead of the configured one.
    pub timestamp: Option<String>,
    /// Replace manifests that are there, whatever made them.
    pub force: bool,
    /// Write CSV beside Parquet.
    pub csv: bool,
    /// Rows of a row group.
    pub row_group_rows: u32,
}

/// What was built.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Built {
    /// One entry an experiment.
    pub experiments: Vec<BuiltExperiment>,
    /// Rows of the parent, and why they were not used.
    pub parent: BuiltParent,
    /// Selection sets and splits that had fewer galaxies than were asked for.
    pub shortfalls: Vec<Shortfall>,
    /// Different bricks over all experiments.
    pub bricks: usize,
    /// Bytes of the inputs.
    pub input_bytes: u64,
}

/// One experiment of a [`Built`].
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct BuiltExperiment {
    /// Its name.
    pub experiment_id: String,
    /// Tasks.
    pub rows: u64,
    /// Of them without injection.
    pub controls: u64,
    /// Bricks that the tasks need.
    pub bricks: usize,
    /// Bytes written; 0 if it was left as it was.
    pub bytes: u64,
    /// It was there, made from the same configuration and inputs, and was left as it was.
    pub skipped: bool,
}

/// What became of the rows of the parent.
#[derive(Clone, Copy, Debug, Serialize)]
#[non_exhaustive]
pub struct BuiltParent {
    /// All of them.
    pub rows: u64,
    /// Without the flag.
    pub not_flagged: u64,
    /// In a region that no selection set has.
    pub not_selected: u64,
    /// In a brick that the bricks table lacks.
    pub brick_unknown: u64,
    /// In a brick without seeing or depth.
    pub brick_unmeasured: u64,
    /// What was sampled from.
    pub usable: u64,
}

/// A stratum with too few galaxies.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Shortfall {
    /// The tier.
    pub tier: &'static str,
    /// The selection set.
    pub selection_set_id: String,
    /// The split.
    pub region_split: &'static str,
    /// Galaxies asked for.
    pub target: u64,
    /// Galaxies that there are.
    pub found: u64,
}

/// The tables, opened and hashed.
struct Inputs {
    parent: Source,
    bricks: Bricks,
    selections: Selections,
    hashes: Value,
    bytes: u64,
}

/// What is the same for all experiments of a tier.
struct Tier<'a> {
    plan: &'a Plan,
    configs: Vec<super::grid::Config>,
    sample: &'a TierSample,
    controls: Vec<bool>,
    starts: Vec<u64>,
}

impl Build {
    /// Builds what `config` says, up to 30 million tasks.
    pub fn new(config: StageConfig) -> Self {
        Self {
            config,
            max_total_tasks: 30_000_000,
            timestamp: None,
            force: false,
            csv: false,
            row_group_rows: 1 << 17,
        }
    }

    /// Builds into a folder: `manifests/{experiment_id}/part-00000.parquet` and `_SUCCESS` for each experiment,
    /// `bricks_manifest.parquet` and `.csv`, `_stage_config.json`.
    ///
    /// # Errors
    ///
    /// When an input is missing or not what it should be; more tasks than allowed ([`ErrorClass::Limit`]); a manifest
    /// that is there and may not be replaced ([`ErrorClass::Usage`]); a folder that cannot be written to. Manifests that
    /// were ready before the error stay; each is whole.
    pub fn run(&self, out: &Path, progress: &dyn Progress) -> Result<Built, Error> {
        let plans = self.config.plans()?;
        let inputs = self.open(&plans)?;
        let stage = self.stage_config(&plans, &inputs);
        // What the bytes of the manifests depend on.
        let fingerprint = sha256(stage["fingerprint"].to_string().as_bytes());
        let left = self.may_write(out, &plans, &fingerprint)?;

        let Inputs { parent, bricks, selections, .. } = &inputs;
        let sampler = Sampler {
            parent,
            flag: &self.config.sampling.require_lrg_flag,
            bricks,
            selections,
            seed: self.config.seeds.split_seed,
            plans: &plans,
            progress,
        };
        let samples = sampler.run()?;
        let tiers: Vec<Tier<'_>> = plans
            .iter()
            .zip(&samples.tiers)
            .map(|(plan, sample)| self.tier(plan, sample, &samples.galaxies, &inputs))
            .collect();
        let total: u64 = tiers.iter().map(|tier| tier.starts.last().copied().unwrap_or(0)).sum();
        progress.begin("writing tasks", total * self.variants());

        let provenance = Provenance::new()
            .with("coaddkit.fingerprint", fingerprint.as_str())
            .with("coaddkit.stage_config", stage["fingerprint"].to_string());
        let mut experiments = Vec::new();
        let mut needed = BTreeSet::new();
        for tier in &tiers {
            let tier_bricks: BTreeSet<u32> = tier
                .sample
                .entries
                .iter()
                .map(|&(galaxy, _)| samples.galaxies[galaxy as usize].brick)
                .collect();
            for (stamp_size, bandset, id) in self.experiments(tier.plan) {
                let experiment = Experiment {
                    id: &id,
                    plan: tier.plan,
                    configs: &tier.configs,
                    stamp_size,
                    bandset,
                    replicates: self.config.replicates,
                    seed: self.config.seeds.split_seed,
                    sets: &selections.sets,
                    bricks,
                    galaxies: &samples.galaxies,
                    entries: &tier.sample.entries,
                    controls: &tier.controls,
                    starts: &tier.starts,
                };
                let controls = tier.controls.iter().zip(tier.starts.windows(2));
                let controls = controls.map(|(&control, w)| if control { w[1] - w[0] } else { 0 }).sum();
                let folder = out.join("manifests").join(&id);
                let there = self.config.idempotency.skip_if_exists
                    && !self.replace()
                    && marked(&folder, &fingerprint);
                let bytes = if there {
                    0
                } else {
                    self.write(&folder, &experiment, &provenance, &fingerprint, progress)?
                };
                needed.extend(tier_bricks.iter().map(|&brick| (id.clone(), brick)));
                experiments.push(BuiltExperiment {
                    experiment_id: id.clone(),
                    rows: experiment.rows(),
                    controls,
                    bricks: tier_bricks.len(),
                    bytes,
                    skipped: there,
                });
            }
        }
        let different: BTreeSet<u32> = needed.iter().map(|&(_, brick)| brick).collect();
        self.write_bricks(out, &needed, bricks, &provenance)?;
        let built = Built {
            parent: samples.losses.into(),
            shortfalls: shortfalls(&plans, &samples, selections),
            bricks: different.len(),
            experiments,
            input_bytes: inputs.bytes,
        };
        let stage = finished(stage, &built, &fingerprint);
        publish(&out.join("_stage_config.json"), |file| writeln!(file, "{stage:#}"))?;
        for folder in left {
            std::fs::remove_dir_all(&folder).map_err(|e| Error::io(&folder, &e))?;
        }
        Ok(built)
    }

    fn replace(&self) -> bool {
        self.force || self.config.idempotency.force
    }

    /// Experiments of a tier: its stamp sizes and band sets.
    fn experiments<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = (u32, &'a str, String)> {
        self.config.stamp_sizes.iter().flat_map(move |&stamp| {
            self.config.bandsets.iter().map(move |bandset| {
                let id = format!("{}_stamp{stamp}_bands{bandset}_grid{}", plan.tier, plan.grid_name);
                (stamp, bandset.as_str(), id)
            })
        })
    }

    fn variants(&self) -> u64 {
        (self.config.stamp_sizes.len() * self.config.bandsets.len()) as u64
    }

    /// Reads the small tables, and refuses what would become too much.
    fn open(&self, plans: &[Plan]) -> Result<Inputs, Error> {
        let paths = &self.config.inputs;
        let selected = Source::open(&paths.region_selections)?;
        let selections = Selections::read(&selected, &self.config)?;
        let most = plans.iter().fold(0_u64, |sum, plan| {
            let configs = if plan.one_config { 1 } else { plan.grid.len() as u64 };
            let factors =
                [configs, selections.pairs() as u64, self.config.replicates.into(), self.variants()];
            sum.saturating_add(factors.iter().fold(plan.target, |product, &n| product.saturating_mul(n)))
        });
        if most > self.max_total_tasks {
            let what =
                format!("up to {most} tasks are asked for, more than the {} allowed", self.max_total_tasks);
            return Err(Error::new(ErrorClass::Limit, what));
        }
        let table = Source::open(&paths.bricks_with_region)?;
        let bricks = Bricks::read(&table, &self.config)?;
        let parent = Source::open(&paths.parent)?;
        let inputs = [&parent, &table, &selected].map(Input::of);
        let [parent_input, bricks_input, selections_input] = inputs;
        let inputs = [parent_input?, bricks_input?, selections_input?];
        let bytes = inputs.iter().map(|input| input.bytes).sum();
        let [parent_input, bricks_input, selections_input] = &inputs;
        let hashes = json!({
            "parent": parent_input, "bricks_with_region": bricks_input, "region_selections": selections_input,
        });
        Ok(Inputs { parent, bricks, selections, hashes, bytes })
    }

    /// Everything that the manifests follow from, with all defaults.
    fn stage_config(&self, plans: &[Plan], inputs: &Inputs) -> Value {
        let config = &self.config;
        let tiers: serde_json::Map<_, _> = plans
            .iter()
            .map(|plan| {
                let number = if plan.one_config { "n_total_per_split" } else { "n_per_config" };
                let tier = json!({
                    "grid": plan.grid_name, number: plan.target, "control_frac": plan.control_frac,
                    "controls": plan.controls,
                });
                (plan.tier.to_owned(), tier)
            })
            .collect();
        let grids: serde_json::Map<_, _> =
            plans.iter().map(|plan| (plan.grid_name.clone(), json!(plan.grid))).collect();
        let sampling = json!({
            "selection_set_ids": config.sampling.selection_set_ids,
            "require_lrg_flag": config.sampling.require_lrg_flag,
            "psf_edges": inputs.bricks.psf_edges,
            "depth_edges": inputs.bricks.depth_edges,
            "edges": "exact quantiles 0, 1/4, 1/2, 3/4, 1 with linear interpolation over finite values, unless configured",
        });
        json!({
            "stage": config.stage,
            "timestamp_utc": self.timestamp.as_ref().or(config.created_at.as_ref()),
            "variant": config.variant,
            "config_sha256": config.sha256(),
            "fingerprint": {
                "code": code(),
                "inputs": inputs.hashes,
                "seeds": config.seeds,
                "sampling": sampling,
                "tiers": tiers,
                "grids": grids,
                "stamp_sizes": config.stamp_sizes,
                "bandsets": config.bandsets,
                "replicates": config.replicates,
                "row_group_rows": self.row_group_rows,
            },
            "idempotency": config.idempotency,
        })
    }

    /// What is there stays, unless the same inputs and configuration made it or the caller says so: then these are the
    /// folders of experiments that are none of this configuration's.
    fn may_write(&self, out: &Path, plans: &[Plan], fingerprint: &str) -> Result<Vec<PathBuf>, Error> {
        for id in plans.iter().flat_map(|plan| self.experiments(plan).map(|(_, _, id)| id)) {
            let folder = out.join("manifests").join(&id);
            if folder.join("_SUCCESS").exists() && !self.replace() && !marked(&folder, fingerprint) {
                let what =
                    "a manifest of another configuration, input or version is there; force replaces it";
                return Err(Error::usage(what).at(&folder));
            }
        }
        let ids: BTreeSet<String> =
            plans.iter().flat_map(|plan| self.experiments(plan).map(|(_, _, id)| id)).collect();
        let mut left = experiments(&out.join("manifests"))?;
        left.retain(|folder| !ids.contains(&*folder.file_name().unwrap_or_default().to_string_lossy()));
        match left.first() {
            Some(folder) if !self.replace() => {
                let what = "an experiment of another configuration is there; force removes it";
                Err(Error::usage(what).at(folder))
            }
            _ => Ok(left),
        }
    }

    fn tier<'a>(
        &self,
        plan: &'a Plan,
        sample: &'a TierSample,
        galaxies: &[Galaxy],
        inputs: &Inputs,
    ) -> Tier<'a> {
        let seed = self.config.seeds.split_seed;
        let control = |&(galaxy, set): &(u32, u16)| {
            let galaxy = &galaxies[galaxy as usize];
            let brick = &inputs.bricks.names[galaxy.brick as usize];
            is_control(plan, seed, galaxy, brick, &inputs.selections.sets[usize::from(set)].id)
        };
        let controls: Vec<bool> = sample.entries.par_iter().map(control).collect();
        let configs = plan.grid.configs(&plan.grid_name);
        let mut starts = Vec::with_capacity(controls.len() + 1);
        let mut sum = 0;
        starts.push(sum);
        for &control in &controls {
            sum += rows_of(plan, configs.len(), self.config.replicates, control);
            starts.push(sum);
        }
        Tier { plan, configs, sample, controls, starts }
    }

    /// Writes one experiment; its marker comes last.
    fn write(
        &self,
        folder: &Path,
        experiment: &Experiment<'_>,
        provenance: &Provenance,
        fingerprint: &str,
        progress: &dyn Progress,
    ) -> Result<u64, Error> {
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
        let rows = u64::from(self.row_group_rows.max(1));
        let groups = usize::try_from(experiment.rows().div_ceil(rows)).unwrap_or(usize::MAX);
        let make = |group: usize| {
            let from = group as u64 * rows;
            let to = (from + rows).min(experiment.rows());
            progress.advance(to - from);
            experiment.batch(from, to)
        };
        let path = folder.join("part-00000.parquet");
        let mut writer = TableWriter::create(&path, &INJECTION_TASKS, &layout, provenance)?;
        writer.write_groups(groups, make)?;
        let written = writer.finish()?;
        if self.csv {
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
            "fingerprint": fingerprint,
        });
        publish(&marker, |out| writeln!(out, "{body}"))?;
        Ok(written.bytes)
    }

    fn write_bricks(
        &self,
        out: &Path,
        needed: &BTreeSet<(String, u32)>,
        bricks: &Bricks,
        provenance: &Provenance,
    ) -> Result<(), Error> {
        let ids = StringArray::from_iter_values(needed.iter().map(|(id, _)| id));
        let names = needed.iter().map(|&(_, brick)| &bricks.names[brick as usize]);
        let columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(StringArray::from_iter_values(names))];
        let batch: RecordBatch = crate::write::batch(&BRICKS_MANIFEST, columns)?;
        let layout = Layout { sorted_by: vec!["experiment_id", "brickname"], ..Layout::default() };
        let path = out.join("bricks_manifest.parquet");
        let mut writer = TableWriter::create(&path, &BRICKS_MANIFEST, &layout, provenance)?;
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

/// Whether a folder holds a whole manifest of this fingerprint.
fn marked(folder: &Path, fingerprint: &str) -> bool {
    marker(folder)["fingerprint"] == fingerprint && folder.join("part-00000.parquet").is_file()
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

impl From<Losses> for BuiltParent {
    fn from(l: Losses) -> Self {
        let Losses { rows, not_flagged, not_selected, brick_unknown, brick_unmeasured, usable } = l;
        Self { rows, not_flagged, not_selected, brick_unknown, brick_unmeasured, usable }
    }
}
