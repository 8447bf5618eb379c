//! The configuration of the injection stage.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::grid::Grid;
use crate::Error;
use crate::provenance::sha256;

/// What an injection manifest is built from: the keys of the published `_stage_config.json`, as TOML.
///
/// Everything that is left out has the default of the published job, and stands in the stage config that is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageConfig {
    /// Name of the stage.
    #[serde(default = "stage")]
    pub stage: String,
    /// The time that products carry.
    #[serde(default, alias = "timestamp_utc", skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// Which selection of galaxies the parent is of; recorded only.
    #[serde(default = "variant")]
    pub variant: String,
    /// The three tables.
    pub inputs: Inputs,
    /// Seeds.
    #[serde(default)]
    pub seeds: Seeds,
    /// What is sampled from.
    #[serde(default)]
    pub sampling: Sampling,
    /// Which tiers to build; at least one.
    pub tiers: Tiers,
    /// Sides of the cutouts in pixels.
    #[serde(default = "stamp_sizes")]
    pub stamp_sizes: Vec<u32>,
    /// Band sets, of `r` and `grz`.
    #[serde(default = "bandsets")]
    pub bandsets: Vec<String>,
    /// Repetitions of each task.
    #[serde(default = "replicates")]
    pub replicates: u32,
    /// What to do about manifests that are there.
    #[serde(default)]
    pub idempotency: Idempotency,
    /// Grids beside the published ones, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub grids: BTreeMap<String, Grid>,
}

/// Where the tables are; relative to the folder that the program runs in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// Galaxies.
    #[serde(alias = "parent_s3")]
    pub parent: PathBuf,
    /// Bricks.
    #[serde(alias = "bricks_with_region_s3")]
    pub bricks_with_region: PathBuf,
    /// Selected regions.
    #[serde(alias = "region_selections_s3")]
    pub region_selections: PathBuf,
}

/// Seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seeds {
    /// Of the samples, the controls and the frozen columns.
    #[serde(default = "split_seed")]
    pub split_seed: i64,
}

/// What is sampled from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// `"*"`, or the selection sets to use.
    #[serde(default)]
    pub selection_set_ids: SetIds,
    /// The column of the parent that must be true.
    #[serde(default = "lrg_flag")]
    pub require_lrg_flag: String,
    /// Edges of the quartiles of the seeing, in arcseconds; those of the bricks if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub psf_edges: Option<[f64; 5]>,
    /// Edges of the quartiles of the depth, in magnitudes; those of the bricks if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth_edges: Option<[f64; 5]>,
}

/// Which selection sets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SetIds {
    /// `"*"`, all of them; or one by name.
    One(String),
    /// These.
    Some(Vec<String>),
}

/// The tiers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tiers {
    /// A handful of galaxies with all configurations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debug: Option<Tier>,
    /// Some galaxies with all configurations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<Tier>,
    /// Many galaxies with one configuration each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<Tier>,
}

/// One tier; what is left out has the default of the published job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// Name of the grid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<String>,
    /// Galaxies for each configuration, selection set and split; debug and grid only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_per_config: Option<u64>,
    /// Galaxies for each selection set and split; train only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_total_per_split: Option<u64>,
    /// Share of galaxies without injection.
    #[serde(default)]
    pub control_frac: f64,
    /// How controls are named.
    #[serde(default)]
    pub controls: Controls,
}

/// How galaxies without injection are named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Controls {
    /// Each keeps the configuration it would have had, as in the published run.
    #[default]
    Paired,
    /// The configuration is `CONTROL`, and a galaxy has each replicate once, not once a configuration.
    Unpaired,
}

/// What to do about manifests that are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Idempotency {
    /// Leave a manifest that the same configuration and inputs made as it is.
    #[serde(default, deserialize_with = "switch")]
    pub skip_if_exists: bool,
    /// Replace a manifest that is there.
    #[serde(default, deserialize_with = "switch")]
    pub force: bool,
}

fn stage() -> String {
    "4a".to_owned()
}

fn variant() -> String {
    "v3_color_relaxed".to_owned()
}

fn stamp_sizes() -> Vec<u32> {
    vec![64]
}

fn bandsets() -> Vec<String> {
    vec!["grz".to_owned()]
}

fn replicates() -> u32 {
    2
}

fn split_seed() -> i64 {
    13
}

fn lrg_flag() -> String {
    "is_v3_color_relaxed".to_owned()
}

/// The published files have 0 and 1 where a switch is meant.
fn switch<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Switch {
        Bool(bool),
        Number(u8),
    }
    match Switch::deserialize(deserializer)? {
        Switch::Bool(on) => Ok(on),
        Switch::Number(n @ 0..=1) => Ok(n == 1),
        Switch::Number(_) => Err(serde::de::Error::custom("must be 0, 1, false or true")),
    }
}

impl Default for Seeds {
    fn default() -> Self {
        Self { split_seed: split_seed() }
    }
}

impl Default for Sampling {
    fn default() -> Self {
        let (psf_edges, depth_edges) = (None, None);
        Self { selection_set_ids: SetIds::default(), require_lrg_flag: lrg_flag(), psf_edges, depth_edges }
    }
}

impl Default for SetIds {
    fn default() -> Self {
        Self::One("*".to_owned())
    }
}

impl SetIds {
    /// The sets to use; `None` for all.
    pub(super) fn wanted(&self) -> Option<BTreeSet<&str>> {
        match self {
            Self::One(all) if all == "*" => None,
            Self::One(one) => Some(BTreeSet::from([one.as_str()])),
            Self::Some(some) => Some(some.iter().map(String::as_str).collect()),
        }
    }
}

/// A tier with its defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    pub tier: &'static str,
    pub grid_name: String,
    pub grid: Grid,
    /// Galaxies for each selection set and split.
    pub target: u64,
    /// Each galaxy gets one configuration rather than all.
    pub one_config: bool,
    pub control_frac: f64,
    pub controls: Controls,
}

impl StageConfig {
    /// Reads a TOML file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read; with the key and the line, what is unknown, missing or of another type; and what
    /// contradicts itself.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, &e))?;
        text.parse::<Self>().map_err(|e| e.at(path))
    }

    /// SHA-256 of the configuration with its defaults, whatever the text it came from.
    pub fn sha256(&self) -> String {
        sha256(serde_json::to_string(self).unwrap_or_default().as_bytes())
    }

    /// The tiers asked for, with defaults.
    pub(super) fn plans(&self) -> Result<Vec<Plan>, Error> {
        let tiers = [
            ("debug", &self.tiers.debug, "grid_small", 5),
            ("grid", &self.tiers.grid, "grid_medium", 25),
            ("train", &self.tiers.train, "grid_small", 200_000),
        ];
        let mut plans = Vec::new();
        for (name, tier, grid, default) in tiers {
            let Some(tier) = tier else { continue };
            let one_config = name == "train";
            let (number, other, key) = if one_config {
                (tier.n_total_per_split, tier.n_per_config, "n_per_config")
            } else {
                (tier.n_per_config, tier.n_total_per_split, "n_total_per_split")
            };
            if other.is_some() {
                return Err(bad(format!("tiers.{name}.{key}"), "does not belong to this tier"));
            }
            let grid_name = tier.grid.clone().unwrap_or_else(|| grid.to_owned());
            let grid = self.grids.get(&grid_name).cloned().or_else(|| Grid::published(&grid_name));
            let Some(grid) = grid else {
                return Err(bad(format!("tiers.{name}.grid"), format_args!("there is no grid {grid_name}")));
            };
            plans.push(Plan {
                tier: name,
                grid_name,
                grid,
                target: number.unwrap_or(default),
                one_config,
                control_frac: tier.control_frac,
                controls: tier.controls,
            });
        }
        Ok(plans)
    }

    fn check(&self) -> Result<(), Error> {
        let plans = self.plans()?;
        if plans.is_empty() {
            return Err(bad("tiers", "names none of debug, grid and train"));
        }
        for plan in &plans {
            let tier = plan.tier;
            if !(0.0..=1.0).contains(&plan.control_frac) {
                let what = format_args!("is {}, must be 0 to 1", plan.control_frac);
                return Err(bad(format!("tiers.{tier}.control_frac"), what));
            }
            if plan.target == 0 || plan.target > u64::from(u32::MAX) {
                let key = if plan.one_config { "n_total_per_split" } else { "n_per_config" };
                return Err(bad(format!("tiers.{tier}.{key}"), "must be 1 to 4294967295"));
            }
        }
        for (name, grid) in &self.grids {
            if Grid::published(name).is_some_and(|published| published != *grid) {
                return Err(bad(
                    format!("grids.{name}"),
                    "is the name of a published grid with other values",
                ));
            }
            if !plain(name) {
                return Err(bad(format!("grids.{name}"), "a name is letters, digits and _"));
            }
            for (axis, values) in grid.axes() {
                if values.is_empty() || values.iter().any(|v| !v.is_finite()) {
                    return Err(bad(format!("grids.{name}.{axis}"), "must be one finite number or more"));
                }
            }
            if grid.len() > 100_000 {
                return Err(bad(format!("grids.{name}"), "has more than 100,000 combinations"));
            }
        }
        for (key, edges) in
            [("psf_edges", self.sampling.psf_edges), ("depth_edges", self.sampling.depth_edges)]
        {
            if edges.is_some_and(|e| e.iter().any(|v| !v.is_finite()) || !e.is_sorted()) {
                return Err(bad(format!("sampling.{key}"), "must be five finite numbers that ascend"));
            }
        }
        if self.stamp_sizes.is_empty() || self.stamp_sizes.iter().any(|&n| n == 0 || n > 4096) {
            return Err(bad("stamp_sizes", "must be one size or more, each 1 to 4096 pixels"));
        }
        if self.bandsets.is_empty() || self.bandsets.iter().any(|b| !["r", "grz"].contains(&b.as_str())) {
            return Err(bad("bandsets", "must be one or more of \"r\" and \"grz\""));
        }
        for (key, distinct) in [
            ("stamp_sizes", self.stamp_sizes.iter().collect::<BTreeSet<_>>().len() == self.stamp_sizes.len()),
            ("bandsets", self.bandsets.iter().collect::<BTreeSet<_>>().len() == self.bandsets.len()),
        ] {
            if !distinct {
                return Err(bad(key, "has a value twice"));
            }
        }
        if self.replicates == 0 || self.replicates > 1_000_000 {
            return Err(bad("replicates", "must be 1 to 1000000"));
        }
        Ok(())
    }
}

impl std::str::FromStr for StageConfig {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let config: Self = toml::from_str(text).map_err(|e| Error::new(crate::ErrorClass::BadData, e))?;
        config.check()?;
        Ok(config)
    }
}

fn plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn bad(key: impl std::fmt::Display, what: impl std::fmt::Display) -> Error {
    Error::new(crate::ErrorClass::BadData, format!("{key}: {what}"))
}
