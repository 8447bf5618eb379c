//! The whole stage: inputs in, manifests out.

use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};

use super::building::{Building, Inputs};
use super::config::{Plan, StageConfig};
use super::inputs::{Bricks, Selections};
use super::sample::Losses;
use crate::provenance::code;
use crate::{Error, ErrorClass, Input, Progress, Source};

/// Builds the manifests of a [`StageConfig`].
///
/// # Memory
///
/// 8 bytes for each galaxy that may be used, some tens of bytes for each that is sampled, and a row group a thread.
#[derive(Clone, Debug)]
pub struct Build {
    pub(super) config: StageConfig,
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

/// One experiment of a tier: its number among the tiers, its stamp size, band set and name.
pub(super) type Variant<'a> = (usize, u32, &'a str, String);

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
        let building = self.prepare(out)?;
        let sampled = building.sample(progress)?;
        let names = self.experiments()?;
        progress.begin("writing tasks", names.iter().filter_map(|name| sampled.rows(name)).sum());
        let write = |name: &String| sampled.write(name, progress);
        let experiments = names.iter().map(write).collect::<Result<Vec<_>, Error>>()?;
        Ok(Built { experiments, ..sampled.finish()? })
    }

    /// The names of the experiments, in order, which the configuration alone says.
    ///
    /// # Errors
    ///
    /// What contradicts itself in the configuration.
    pub fn experiments(&self) -> Result<Vec<String>, Error> {
        Ok(self.variants(&self.config.plans()?).map(|(.., name)| name).collect())
    }

    /// The first step of [`Self::run`], for those who write experiments one by one, in one process or in many: reads the
    /// small tables, hashes the inputs, and looks at the folder. What is there stays as it is.
    ///
    /// # Errors
    ///
    /// When an input is missing or not what it should be; more tasks than allowed ([`ErrorClass::Limit`]); a manifest
    /// that is there and may not be replaced ([`ErrorClass::Usage`]).
    pub fn prepare(&self, out: &Path) -> Result<Building, Error> {
        let plans = self.config.plans()?;
        let inputs = self.open(&plans)?;
        let stage = self.stage_config(&plans, &inputs);
        Building::new(self, plans, inputs, stage, out)
    }

    pub(super) fn replace(&self) -> bool {
        self.force || self.config.idempotency.force
    }

    /// The experiments of all tiers: their stamp sizes and band sets.
    pub(super) fn variants<'a>(&'a self, plans: &'a [Plan]) -> impl Iterator<Item = Variant<'a>> {
        plans.iter().enumerate().flat_map(move |(tier, plan)| {
            self.config.stamp_sizes.iter().flat_map(move |&stamp| {
                self.config.bandsets.iter().map(move |bandset| {
                    let id = format!("{}_stamp{stamp}_bands{bandset}_grid{}", plan.tier, plan.grid_name);
                    (tier, stamp, bandset.as_str(), id)
                })
            })
        })
    }

    /// Reads the small tables, and refuses what would become too much.
    fn open(&self, plans: &[Plan]) -> Result<Inputs, Error> {
        let paths = &self.config.inputs;
        let selected = Source::open(&paths.region_selections)?;
        let selections = Selections::read(&selected, &self.config)?;
        let variants = (self.config.stamp_sizes.len() * self.config.bandsets.len()) as u64;
        let most = plans.iter().fold(0_u64, |sum, plan| {
            let configs = if plan.one_config { 1 } else { plan.grid.len() as u64 };
            let factors = [configs, selections.pairs() as u64, self.config.replicates.into(), variants];
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
}

impl From<Losses> for BuiltParent {
    fn from(l: Losses) -> Self {
        let Losses { rows, not_flagged, not_selected, brick_unknown, brick_unmeasured, usable } = l;
        Self { rows, not_flagged, not_selected, brick_unknown, brick_unmeasured, usable }
    }
}
