//! The configuration of negative sampling, as it was published.

use std::collections::BTreeSet;
use std::path::Path;

use coaddkit_sky::{Healpix, Split, SplitOrder};
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use super::schema::NEGATIVE_POOL;
use crate::provenance::sha256;
use crate::{Error, ErrorClass, Kind};

/// The keys of `negative_sampling_v1.yaml`, and `filters`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamplingConfig {
    /// Version of the configuration.
    pub version: String,
    /// When it was made; products carry it where no other time is given.
    pub created_at: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Where the published job found its inputs; recorded only.
    #[serde(default)]
    pub data: Value,
    /// What negatives are.
    pub negative_pools: Pools,
    /// How the sky is split.
    pub spatial_splits: Splits,
    /// What is left out.
    pub exclusion: ExclusionRules,
    /// The columns that the published job promised.
    #[serde(default)]
    pub schema: Option<PromisedSchema>,
    /// Limits of the gates.
    #[serde(default)]
    pub quality_gates: QualityGates,
    /// Settings of the published job's cluster; recorded only.
    #[serde(default)]
    pub emr: Value,
    /// Limits that the published job had in its code.
    #[serde(default)]
    pub filters: Filters,
}

/// What negatives are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pools {
    /// Shares of N1 and N2 in percent.
    pub n1_n2_ratio: [u32; 2],
    /// Negatives for each positive.
    pub neg_pos_ratio: u32,
    /// What all negatives have to be.
    pub pool_n1: PoolN1,
    /// Which of them are easily confused with lenses.
    pub pool_n2: PoolN2,
}

/// What all negatives have to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolN1 {
    /// For readers.
    #[serde(default)]
    pub description: String,
    /// Morphological types.
    pub galaxy_types: Vec<String>,
    /// The z magnitude they are brighter than.
    pub z_mag_limit: f64,
    /// The strata: `nobs_z_bin` and `type_bin`.
    pub stratify_by: Vec<String>,
    /// First and last number of exposures of each class; a last one of 999 or more is open.
    pub nobs_z_bins: Vec<[i32; 2]>,
}

/// Which negatives are easily confused with lenses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolN2 {
    /// For readers.
    #[serde(default)]
    pub description: String,
    /// The classes, in the order in which they are tried.
    pub tractor_criteria: Criteria,
}

/// The classes of N2; the first that fits counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Criteria {
    /// Bright and concentrated.
    pub ring_proxy: Ring,
    /// Thin.
    pub edge_on_proxy: EdgeOn,
    /// Blue and bright.
    pub blue_clumpy_proxy: Blue,
    /// Large; not in the first version.
    #[serde(default)]
    pub large_galaxy_proxy: Option<Large>,
}

/// One type or several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Types {
    /// `type: "DEV"`, as in the first version.
    One(String),
    /// `types: ["DEV", "SER"]`.
    Many(Vec<String>),
}

/// Bright and concentrated galaxies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ring {
    /// Morphological types.
    #[serde(alias = "type")]
    pub types: Types,
    /// Smallest flux in r, in nanomaggies, included.
    pub flux_r_min: f64,
    /// Smallest Sersic index of type SER, included.
    #[serde(default)]
    pub sersic_min: Option<f64>,
}

/// Thin galaxies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EdgeOn {
    /// Morphological types.
    #[serde(alias = "type")]
    pub types: Types,
    /// Smallest ellipticity, `sqrt(e1^2 + e2^2)`, included; without it the radius alone decides.
    #[serde(default)]
    pub ellipticity_min: Option<f64>,
    /// Smallest half-light radius in arcseconds, included.
    pub shape_r_min: f64,
    /// Smallest radius where the ellipticity is not known.
    #[serde(default)]
    pub shape_r_min_legacy: Option<f64>,
}

/// Blue and bright galaxies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blue {
    /// Largest g - r, included.
    pub g_minus_r_max: f64,
    /// Largest magnitude in r, included.
    pub r_mag_max: f64,
}

/// Large galaxies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Large {
    /// Smallest half-light radius in arcseconds, included.
    pub shape_r_min: f64,
    /// Smallest flux in r, in nanomaggies, included.
    pub flux_r_min: f64,
}

/// How the sky is split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Splits {
    /// `healpix`.
    pub method: String,
    /// Of the cells that stay together.
    pub nside: u32,
    /// The shares.
    pub allocations: Allocations,
    /// Seed of the hash, and of samples that name no other.
    pub hash_seed: i64,
    /// `sha256_modulo`.
    pub hash_method: String,
}

/// Shares of the sky.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allocations {
    /// To train on.
    pub train: f64,
    /// To choose by.
    pub val: f64,
    /// To judge by.
    pub test: f64,
}

/// What is left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExclusionRules {
    /// Around each positive, included, in arcseconds.
    pub known_lens_radius_arcsec: f64,
    /// Bits of `maskbits` of which none may be set.
    pub exclude_maskbits: Vec<u32>,
    /// For cutouts; recorded only.
    #[serde(default)]
    pub max_nan_frac: Option<f64>,
}

/// The columns that were promised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromisedSchema {
    /// Of the manifest.
    pub level1_manifest: Vec<PromisedColumn>,
}

/// A promised column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromisedColumn {
    /// Its name.
    pub name: String,
    /// `string`, `int`, `int64`, `float32` or `float64`.
    #[serde(rename = "type")]
    pub kind: String,
    /// For readers.
    #[serde(default)]
    pub description: String,
    /// Whether it may be null.
    pub nullable: bool,
}

/// Limits of the gates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QualityGates {
    /// Of cutouts; recorded only.
    #[serde(default)]
    pub core_brightness_check: Value,
    /// Of cutouts; recorded only.
    #[serde(default)]
    pub nan_detection: Value,
    /// How far the shares of the splits may be off.
    #[serde(default)]
    pub split_verification: SplitVerification,
}

/// How far the shares of the splits may be off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitVerification {
    /// Whether to look at all.
    pub enabled: bool,
    /// Largest difference of a share from its target that needs no warning.
    pub tolerance: f64,
}

/// Limits that the published job had in its code; both ends of the declination are outside.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filters {
    /// Declinations are above this, in degrees.
    pub dec_min: f64,
    /// Declinations are below this, in degrees.
    pub dec_max: f64,
    /// Smallest number of exposures in each of g, r and z.
    pub nobs_min: i32,
    /// What becomes of galaxies without a z magnitude.
    pub nan_z_mag: NanPolicy,
}

/// What becomes of a galaxy whose z flux is not above 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NanPolicy {
    /// It is not brighter than the limit.
    #[default]
    Drop,
    /// It passes, as in the published job.
    Keep,
}

/// As the published job really ran on a day, rather than as it was configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compat {
    /// 7 February 2026: thresholds of that day, splits in the order test, train, val.
    D20260207,
    /// 9 February 2026: thresholds of that day, but neither ellipticity nor Sersic index were used.
    D20260209,
}

impl Default for SplitVerification {
    fn default() -> Self {
        Self { enabled: true, tolerance: 0.02 }
    }
}

impl Default for Filters {
    fn default() -> Self {
        Self { dec_min: -18.0, dec_max: 32.0, nobs_min: 3, nan_z_mag: NanPolicy::Drop }
    }
}

impl Types {
    pub(super) fn has(&self, name: &str) -> bool {
        self.names().iter().any(|t| t == name)
    }

    pub(super) fn names(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl std::str::FromStr for Compat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "2026-02-07" => Ok(Self::D20260207),
            "2026-02-09" => Ok(Self::D20260209),
            _ => Err(Error::usage(format!(
                "{text} is no day of a published job; those are 2026-02-07 and 2026-02-09"
            ))),
        }
    }
}

impl Compat {
    /// The day.
    pub fn name(self) -> &'static str {
        match self {
            Self::D20260207 => "2026-02-07",
            Self::D20260209 => "2026-02-09",
        }
    }

    /// The thresholds of the day, with what that job did not use left out.
    pub(super) fn criteria(self) -> Criteria {
        let one = |name: &str| Types::One(name.to_owned());
        let many = |names: &[&str]| Types::Many(names.iter().map(|&n| n.to_owned()).collect());
        match self {
            Self::D20260207 => Criteria {
                ring_proxy: Ring { types: one("DEV"), flux_r_min: 10.0, sersic_min: None },
                edge_on_proxy: EdgeOn {
                    types: one("EXP"),
                    ellipticity_min: None,
                    shape_r_min: 2.0,
                    shape_r_min_legacy: None,
                },
                blue_clumpy_proxy: Blue { g_minus_r_max: 0.4, r_mag_max: 19.0 },
                large_galaxy_proxy: None,
            },
            // Without a Sersic index type SER is no ring; without an ellipticity the legacy radius holds.
            Self::D20260209 => Criteria {
                ring_proxy: Ring { types: one("DEV"), flux_r_min: 5.0, sersic_min: None },
                edge_on_proxy: EdgeOn {
                    types: many(&["EXP", "SER", "DEV"]),
                    ellipticity_min: None,
                    shape_r_min: 1.8,
                    shape_r_min_legacy: None,
                },
                blue_clumpy_proxy: Blue { g_minus_r_max: 0.4, r_mag_max: 20.5 },
                large_galaxy_proxy: Some(Large { shape_r_min: 2.0, flux_r_min: 3.0 }),
            },
        }
    }
}

/// Morphologies that the Tractor fits, in any release.
const TYPES: [&str; 8] = ["PSF", "REX", "EXP", "DEV", "SER", "COMP", "SIMP", "DUP"];

impl SamplingConfig {
    /// Reads a YAML file, or a TOML file with the same keys (`.toml`).
    ///
    /// # Errors
    ///
    /// When the file cannot be read; what is unknown, missing, twice there or of another type; what contradicts itself.
    /// All but the first name the key.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, &e))?;
        let toml = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("toml"));
        let config = if toml {
            toml::from_str(&text).map_err(|e| Error::new(ErrorClass::BadData, e)).and_then(Self::checked)
        } else {
            text.parse()
        };
        config.map_err(|e| e.at(path))
    }

    /// SHA-256 of what it says, defaults included: a copy with other comments has the same, one that was changed in place
    /// has another.
    pub fn sha256(&self) -> String {
        sha256(serde_json::to_string(self).unwrap_or_default().as_bytes())
    }

    /// The split of the sky.
    pub(super) fn split(&self, compat: Option<Compat>) -> Result<Split, Error> {
        let Splits { nside, allocations: a, hash_seed, .. } = self.spatial_splits;
        let order = match compat {
            Some(Compat::D20260207) => SplitOrder::Alphabetical,
            _ => SplitOrder::TrainValTest,
        };
        let key = |key: &'static str| move |e: coaddkit_sky::Error| bad(key, e);
        let grid = Healpix::from_nside(nside).map_err(key("spatial_splits.nside"))?;
        Split::new(grid, hash_seed, [a.train, a.val, a.test], order)
            .map_err(key("spatial_splits.allocations"))
    }

    /// The class of a number of exposures.
    pub(super) fn nobs_bin(&self, nobs: i32) -> usize {
        let bins = &self.negative_pools.pool_n1.nobs_z_bins;
        let last = bins.len().wrapping_sub(1);
        let found = bins
            .iter()
            .enumerate()
            .find(|&(i, &[from, to])| from <= nobs && (nobs <= to || (i == last && to >= OPEN)));
        found.map_or(bins.len(), |(i, _)| i)
    }

    /// Names of the classes of exposures, and `invalid`.
    pub(super) fn nobs_labels(&self) -> Vec<String> {
        let bins = &self.negative_pools.pool_n1.nobs_z_bins;
        let label =
            |&[from, to]: &[i32; 2]| if to >= OPEN { format!("{from}+") } else { format!("{from}-{to}") };
        bins.iter().map(label).chain(["invalid".to_owned()]).collect()
    }

    fn checked(self) -> Result<Self, Error> {
        let pools = &self.negative_pools;
        let [n1, n2] = pools.n1_n2_ratio;
        if n1.saturating_add(n2) != 100 {
            return Err(bad(
                "negative_pools.n1_n2_ratio",
                format_args!("{n1} and {n2} are not 100 together"),
            ));
        }
        if pools.neg_pos_ratio == 0 {
            return Err(bad("negative_pools.neg_pos_ratio", "is 0"));
        }
        let n1 = &pools.pool_n1;
        if n1.galaxy_types.is_empty() {
            return Err(bad("negative_pools.pool_n1.galaxy_types", "is empty"));
        }
        if let Some(twice) = twice(&n1.galaxy_types) {
            return Err(bad("negative_pools.pool_n1.galaxy_types", format_args!("has {twice} twice")));
        }
        if let Some(unknown) = n1.galaxy_types.iter().find(|t| !TYPES.contains(&t.as_str())) {
            let what = format_args!("has {unknown}, which is no type of the Tractor: {}", TYPES.join(", "));
            return Err(bad("negative_pools.pool_n1.galaxy_types", what));
        }
        if !n1.z_mag_limit.is_finite() {
            return Err(bad("negative_pools.pool_n1.z_mag_limit", "is no finite number"));
        }
        if n1.stratify_by != ["nobs_z_bin", "type_bin"] {
            return Err(bad("negative_pools.pool_n1.stratify_by", "must be [nobs_z_bin, type_bin]"));
        }
        let bins = &n1.nobs_z_bins;
        let ascend = bins.iter().all(|[from, to]| from <= to) && bins.windows(2).all(|w| w[0][1] < w[1][0]);
        if let Some(w) = bins.windows(2).find(|w| w[0][1] < w[1][0] && w[0][1] + 1 != w[1][0]) {
            let what = format_args!("leaves out {}, so galaxies would be in no class", w[0][1] + 1);
            return Err(bad("negative_pools.pool_n1.nobs_z_bins", what));
        }
        if bins.is_empty() || !ascend {
            return Err(bad(
                "negative_pools.pool_n1.nobs_z_bins",
                "must be pairs that ascend and do not overlap",
            ));
        }
        self.split(None)?;
        if self.spatial_splits.method != "healpix" {
            return Err(bad("spatial_splits.method", "must be healpix"));
        }
        if self.spatial_splits.hash_method != "sha256_modulo" {
            return Err(bad("spatial_splits.hash_method", "must be sha256_modulo"));
        }
        let radius = self.exclusion.known_lens_radius_arcsec;
        if !(0.0..=3600.0).contains(&radius) {
            return Err(bad(
                "exclusion.known_lens_radius_arcsec",
                format_args!("is {radius}, must be 0 to 3600"),
            ));
        }
        if let Some(bit) = self.exclusion.exclude_maskbits.iter().find(|bit| **bit > 31) {
            return Err(bad("exclusion.exclude_maskbits", format_args!("{bit} is no bit of 32")));
        }
        if let Some(twice) = twice(&self.exclusion.exclude_maskbits) {
            return Err(bad("exclusion.exclude_maskbits", format_args!("has {twice} twice")));
        }
        let Filters { dec_min, dec_max, nobs_min, .. } = self.filters;
        if dec_min.is_nan() || dec_max.is_nan() || dec_min >= dec_max {
            return Err(bad("filters.dec_min", format_args!("is {dec_min}, not below dec_max, {dec_max}")));
        }
        if nobs_min < 0 {
            return Err(bad("filters.nobs_min", format_args!("is {nobs_min}, must be 0 or more")));
        }
        self.check_schema()?;
        Ok(self)
    }

    /// What was promised must be what is written.
    fn check_schema(&self) -> Result<(), Error> {
        for column in self.schema.iter().flat_map(|schema| &schema.level1_manifest) {
            let at = |what: String| bad(format!("schema.level1_manifest.{}", column.name), what);
            let Some(index) = NEGATIVE_POOL.index_of(&column.name) else {
                return Err(at("there is no such column".to_owned()));
            };
            let field = NEGATIVE_POOL.fields()[index];
            let kind = match field.kind() {
                Kind::Text => "string",
                Kind::Int32 => "int",
                other => other.name(),
            };
            if column.kind != kind {
                return Err(at(format!("is {}, but {kind} is written", column.kind)));
            }
            if !column.nullable && field.null_rule().is_some() {
                return Err(at("may be null in what is written".to_owned()));
            }
        }
        Ok(())
    }
}

/// From here on the last class of exposures is open.
const OPEN: i32 = 999;

impl std::str::FromStr for SamplingConfig {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let documents = Yaml::load_from_str(text).map_err(|e| Error::new(ErrorClass::BadData, e))?;
        let [document] = &documents[..] else {
            let what = format!("holds {} YAML documents, must be one", documents.len());
            return Err(Error::new(ErrorClass::BadData, what));
        };
        let value = json(document, "")?;
        let config: Self = serde_path_to_error::deserialize(value)
            .map_err(|e| Error::new(ErrorClass::BadData, format_args!("{}: {}", e.path(), e.inner())))?;
        config.checked()
    }
}

/// YAML that JSON can hold.
fn json(node: &Yaml<'_>, key: &str) -> Result<Value, Error> {
    let below = |name: &dyn std::fmt::Display| {
        if key.is_empty() { name.to_string() } else { format!("{key}.{name}") }
    };
    Ok(match node {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(b)) => Value::Bool(*b),
        Yaml::Value(Scalar::Integer(n)) => Value::from(*n),
        Yaml::Value(Scalar::FloatingPoint(x)) => {
            Number::from_f64(x.0).map(Value::Number).ok_or_else(|| bad(key, "is no finite number"))?
        }
        Yaml::Value(Scalar::String(text)) => Value::from(text.as_ref()),
        Yaml::Sequence(items) => {
            let items = items.iter().zip(0..).map(|(item, i)| json(item, &below(&i)));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Yaml::Mapping(entries) => {
            let mut map = Map::new();
            for (name, value) in entries {
                let name = name.as_str().ok_or_else(|| bad(key, "has a key that is no text"))?;
                map.insert(name.to_owned(), json(value, &below(&name))?);
            }
            Value::Object(map)
        }
        _ => return Err(bad(key, "is YAML that a configuration has no use for")),
    })
}

fn twice<T: Ord>(items: &[T]) -> Option<&T> {
    let mut seen = BTreeSet::new();
    items.iter().find(|item| !seen.insert(*item))
}

fn bad(key: impl std::fmt::Display, what: impl std::fmt::Display) -> Error {
    Error::new(ErrorClass::BadData, format!("{key}: {what}"))
}
