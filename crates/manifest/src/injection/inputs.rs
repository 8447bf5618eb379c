//! Bricks and selections, as the build needs them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type};

use super::config::StageConfig;
use super::schema::{BRICK_COLUMNS, SELECTION_COLUMNS};
use crate::{Error, ErrorClass, Source};

pub(super) const SPLITS: [&str; 3] = ["test", "train", "val"];

/// Which of the three splits a name is.
pub(super) fn split_index(name: &str) -> Option<u8> {
    SPLITS.iter().position(|split| *split == name).map(|index| index as u8)
}

/// A brick that galaxies may be in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Brick {
    pub psfsize_r: f64,
    pub psfdepth_r: f64,
    pub ebv: Option<f64>,
    pub psf_bin: u8,
    pub depth_bin: u8,
}

/// All bricks, in the order of their names.
#[derive(Debug)]
pub(super) struct Bricks {
    pub names: Vec<String>,
    /// `None` where seeing or depth are not known.
    pub rows: Vec<Option<Brick>>,
    pub index: HashMap<String, u32>,
    pub psf_edges: [f64; 5],
    pub depth_edges: [f64; 5],
}

impl Bricks {
    pub fn read(source: &Source, config: &StageConfig) -> Result<Self, Error> {
        let mut bricks = BTreeMap::new();
        for rows in source.read(BRICK_COLUMNS)? {
            let names = rows.batch.column(0).as_string::<i32>();
            let [psf, depth, ebv] = [1, 2, 3].map(|i| rows.batch.column(i).as_primitive::<Float64Type>());
            for (i, name) in names.iter().flatten().enumerate() {
                let value = |a: &arrow_array::Float64Array| (!a.is_null(i)).then(|| a.value(i));
                let twice = bricks.insert(name.to_owned(), [psf, depth, ebv].map(value)).is_some();
                if twice {
                    let row = rows.first_row + i as u64;
                    return Err(Error::bad(
                        source.path(),
                        format_args!("row {row}: brick {name} stands here twice"),
                    ));
                }
            }
        }
        if bricks.len() > i32::MAX as usize {
            return Err(Error::new(ErrorClass::Limit, "more than 2^31 bricks").at(source.path()));
        }
        let finite = |column: usize| -> Vec<f64> {
            bricks.values().filter_map(|b| b[column]).filter(|v| v.is_finite()).collect()
        };
        let edges = |given: Option<[f64; 5]>, column: usize, name: &str| match given {
            Some(edges) => Ok(edges),
            None => quartiles(finite(column)).ok_or_else(|| {
                Error::bad(
                    source.path(),
                    format_args!("column {name} has no finite value to make quartiles of"),
                )
            }),
        };
        let psf_edges = edges(config.sampling.psf_edges, 0, "psfsize_r")?;
        let depth_edges = edges(config.sampling.depth_edges, 1, "psfdepth_r")?;
        let rows = bricks.values().map(|&[psf, depth, ebv]| {
            let (psfsize_r, psfdepth_r) = (psf?, depth?);
            let (psf_bin, depth_bin) = (bin(&psf_edges, psfsize_r), bin(&depth_edges, psfdepth_r));
            Some(Brick { psfsize_r, psfdepth_r, ebv, psf_bin, depth_bin })
        });
        let rows = rows.collect();
        let index = bricks.keys().zip(0..).map(|(name, i)| (name.clone(), i)).collect();
        Ok(Self { names: bricks.into_keys().collect(), rows, index, psf_edges, depth_edges })
    }
}

/// The minimum, the quartiles and the maximum: exact, with linear interpolation between the two values around.
pub(super) fn quartiles(mut values: Vec<f64>) -> Option<[f64; 5]> {
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    Some([0.0, 0.25, 0.5, 0.75, 1.0].map(|q| {
        let at = q * last as f64;
        let below = at.floor() as usize;
        let above = (below + 1).min(last);
        values[below] + (values[above] - values[below]) * (at - below as f64)
    }))
}

/// Which quartile; each owns its lower edge, the last both. What is outside of all is in the last.
fn bin(edges: &[f64; 5], value: f64) -> u8 {
    (0..3).find(|&i| edges[i] <= value && value < edges[i + 1]).unwrap_or(3) as u8
}

/// A selection of regions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Set {
    pub id: String,
    pub strategy: String,
    pub ranking: String,
}

/// The selection sets in use, sorted by id, and which regions are in which.
#[derive(Debug)]
pub(super) struct Selections {
    pub sets: Vec<Set>,
    pub regions: HashMap<i32, Region>,
}

#[derive(Debug)]
pub(super) struct Region {
    pub split: u8,
    pub sets: Vec<u16>,
}

impl Selections {
    pub fn read(source: &Source, config: &StageConfig) -> Result<Self, Error> {
        let wanted = config.sampling.selection_set_ids.wanted();
        let mut sets: BTreeMap<String, Set> = BTreeMap::new();
        let mut regions: BTreeMap<i32, (u8, BTreeSet<String>)> = BTreeMap::new();
        for rows in source.read(SELECTION_COLUMNS)? {
            let [id, strategy, ranking, split] =
                [0, 1, 2, 4].map(|i| rows.batch.column(i).as_string::<i32>());
            let region = rows.batch.column(3).as_primitive::<Int32Type>();
            for i in 0..rows.batch.num_rows() {
                let at = |what: String| {
                    Error::bad(source.path(), format_args!("row {}: {what}", rows.first_row + i as u64))
                };
                let (id, region) = (id.value(i), region.value(i));
                if wanted.as_ref().is_some_and(|wanted| !wanted.contains(id)) {
                    continue;
                }
                let split = split_index(split.value(i)).ok_or_else(|| {
                    at(format!("region_split '{}' is none of train, val, test", split.value(i)))
                })?;
                let set = Set {
                    id: id.to_owned(),
                    strategy: strategy.value(i).to_owned(),
                    ranking: ranking.value(i).to_owned(),
                };
                let known = sets.entry(id.to_owned()).or_insert_with(|| set.clone());
                if *known != set {
                    return Err(at(format!(
                        "selection set {id} has another strategy or ranking than before"
                    )));
                }
                let entry = regions.entry(region).or_insert((split, BTreeSet::new()));
                if entry.0 != split {
                    return Err(at(format!("region {region} is in two splits")));
                }
                if !entry.1.insert(id.to_owned()) {
                    return Err(at(format!("region {region} stands in selection set {id} twice")));
                }
            }
        }
        if let Some(absent) = wanted.iter().flatten().find(|id| !sets.contains_key(**id)) {
            return Err(Error::bad(source.path(), format_args!("there is no selection set {absent}")));
        }
        if sets.is_empty() {
            return Err(Error::bad(source.path(), "no region is selected"));
        }
        if sets.len() > usize::from(u16::MAX) {
            return Err(Error::new(ErrorClass::Limit, "more than 65,535 selection sets").at(source.path()));
        }
        let place: HashMap<&String, u16> = sets.keys().zip(0..).collect();
        let regions = regions.iter().map(|(&region, (split, ids))| {
            (region, Region { split: *split, sets: ids.iter().map(|id| place[id]).collect() })
        });
        let regions = regions.collect();
        Ok(Self { sets: sets.into_values().collect(), regions })
    }

    /// Pairs of a set and a split that have a region.
    pub fn pairs(&self) -> usize {
        let pairs: BTreeSet<(u16, u8)> =
            self.regions.values().flat_map(|r| r.sets.iter().map(|&set| (set, r.split))).collect();
        pairs.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_are_those_of_numpy() {
        // np.quantile(x, [0, .25, .5, .75, 1]) of numpy 2.2.
        assert_eq!(quartiles(vec![3.0, 1.0, 4.0, 1.5]), Some([1.0, 1.375, 2.25, 3.25, 4.0]));
        assert_eq!(quartiles(vec![7.0]), Some([7.0; 5]));
        assert_eq!(quartiles(vec![]), None);
    }

    #[test]
    fn bins_own_their_lower_edges() {
        let edges = [1.0, 2.0, 3.0, 4.0, 5.0];
        let bins = [1.0, 1.999, 2.0, 3.0, 4.0, 5.0, 5.1, 0.9, f64::NAN].map(|v| bin(&edges, v));
        assert_eq!(bins, [0, 0, 1, 2, 3, 3, 3, 3, 3]);
    }
}
