//! Regions of connected bricks, their splits, their scores, and which are selected.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use coaddkit_sky::{Adjacency, Keep, MatchRule, SkyCoord, box_area_deg2, crossmatch};
use serde::Serialize;
use serde_json::{Value, json};

use super::inputs::quartiles;
use super::schema::{BRICKS_WITH_REGION, REGION_METRICS, REGION_SELECTIONS};
use crate::hash::unit;
use crate::provenance::code;
use crate::{
    Error, ErrorClass, Field, Input, Kind, Layout, Provenance, Schema, SeededHash, Source, TableWriter,
    publish, write_csv,
};

/// How regions are found and selected. The defaults are those of the published survey.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RegionRules {
    /// Largest reddening E(B-V) of a brick, included.
    pub max_ebv: f64,
    /// Largest seeing in r of a brick in arcseconds, included.
    pub max_psfsize_r_arcsec: f64,
    /// Smallest depth in r of a brick in magnitudes, included.
    pub min_psfdepth_r_mag: f64,
    /// Bricks are adjacent whose centres differ by no more than this in right ascension and in declination, in degrees.
    pub adjacency_deg: f64,
    /// Seed of the splits.
    pub split_seed: i64,
    /// Share of the regions for tests.
    pub test_frac: f64,
    /// Share of the regions for validation.
    pub val_frac: f64,
    /// Regions that a selection takes of each split.
    pub top_k: u32,
}

impl Default for RegionRules {
    fn default() -> Self {
        Self {
            max_ebv: 0.12,
            max_psfsize_r_arcsec: 1.6,
            min_psfdepth_r_mag: 23.6,
            adjacency_deg: 0.3,
            split_seed: 13,
            test_frac: 0.2,
            val_frac: 0.1,
            top_k: 50,
        }
    }
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RegionsBuilt {
    /// Bricks of the table.
    pub bricks: u64,
    /// Bricks that passed the cuts.
    pub passing: u64,
    /// Regions that they form.
    pub regions: u64,
    /// Regions in test, train and val.
    pub splits: [u64; 3],
    /// Selections: sets times the regions of each.
    pub selected: u64,
    /// Galaxies counted in bricks that the table lacks or that did not pass.
    pub uncounted: u64,
}

const BRICKS: &[Field<'static>] = &[
    Field::new("brickname", Kind::Text, ""),
    Field::new("ra", Kind::Float64, ""),
    Field::new("dec", Kind::Float64, ""),
    Field::new("ra1", Kind::Float64, ""),
    Field::new("ra2", Kind::Float64, ""),
    Field::new("dec1", Kind::Float64, ""),
    Field::new("dec2", Kind::Float64, ""),
    Field::new("psfsize_r", Kind::Float64, "").null(""),
    Field::new("psfdepth_r", Kind::Float64, "").null(""),
    Field::new("ebv", Kind::Float64, "").null(""),
];

const COUNTS: &[Field<'static>] =
    &[Field::new("brickname", Kind::Text, ""), Field::new("lrg_count", Kind::Int64, "")];

/// What regions are ranked by: the mode and the column of the score.
const MODES: [(&str, &str); 4] = [
    ("density", "score_density"),
    ("n_lrg", "score_n_lrg"),
    ("area_weighted", "score_area_weighted"),
    ("psf_weighted", "score_psf_weighted"),
];

/// Strategies, with the share that each class of scores gets; the first takes the best whatever their class.
const STRATEGIES: [(&str, Option<[f64; 3]>); 3] =
    [("topk", None), ("custom", Some([0.2, 0.4, 0.4])), ("balanced", Some([1.0 / 3.0; 3]))];

/// Quantiles that divide the scores of a split into classes.
const CLASSES: [f64; 2] = [0.5, 0.9];

struct Brick {
    name: String,
    center: SkyCoord,
    /// ra1, ra2, dec1, dec2.
    edges: [f64; 4],
    area: f64,
    lrg: i64,
    /// psfsize_r, psfdepth_r, ebv.
    conditions: [f64; 3],
    degree: i32,
    region: i32,
}

struct Region {
    split: &'static str,
    first: String,
    bricks: i64,
    area: f64,
    lrg: i64,
    /// Density, number, density by area, density by seeing.
    scores: [Option<f64>; 4],
    medians: [Option<f64>; 3],
    compactness: f64,
}

impl RegionRules {
    /// Reads a table of bricks and counts per brick (`brickname,lrg_count`), and writes `bricks_with_region`,
    /// `region_metrics` and `region_selections` as Parquet and CSV, and `_regions_config.json`, into a folder.
    ///
    /// Regions are components of adjacent bricks, across right ascension 0 too, found exactly. They are numbered in the
    /// order of their smallest brick names. A region's split is the hash of its number with `split_seed`. A selection set
    /// `topk_{mode}_k{K}` takes the K best regions of each split, `strat_{custom|balanced}_{mode}_k{K}` the best of each
    /// class of scores (below the median, up to the 0.9 quantile, above).
    ///
    /// # Errors
    ///
    /// When a rule contradicts itself, an input is missing or not what it should be, or nothing passes.
    pub fn run(&self, bricks: &Path, counts: &Path, out: &Path) -> Result<RegionsBuilt, Error> {
        self.check()?;
        let sources = [Source::open(bricks)?, Source::open(counts)?];
        let counts = read_counts(&sources[1])?;
        let (mut passing, total) = self.read_bricks(&sources[0], &counts)?;
        if passing.is_empty() {
            return Err(Error::bad(sources[0].path(), "no brick passes the cuts"));
        }
        let members = self.connect(&mut passing)?;
        let regions: Vec<Region> =
            members.iter().zip(0..).map(|(m, id)| self.region(id, m, &passing)).collect();
        let selections = self.select(&regions);

        let inputs = sources.iter().map(Input::of).collect::<Result<Vec<_>, _>>()?;
        let config = json!({ "code": code(), "inputs": inputs, "rules": self });
        std::fs::create_dir_all(out).map_err(|e| Error::io(out, &e))?;
        let provenance = Provenance::new().with_json("coaddkit.regions", &config);
        let write =
            |schema: &Schema<'static>, sorted: &'static str, columns: Vec<ArrayRef>| -> Result<(), Error> {
                let batch = crate::write::batch(schema, columns)?;
                publish_table(out, schema, sorted, &provenance, batch)
            };
        write(&BRICKS_WITH_REGION, "brickname", brick_columns(&passing, &regions))?;
        write(&REGION_METRICS, "region_id", metric_columns(&regions))?;
        write(&REGION_SELECTIONS, "selection_set_id", selection_columns(&selections, &regions))?;
        let counted: i64 = passing.iter().map(|brick| brick.lrg).sum();
        let built = RegionsBuilt {
            bricks: total,
            passing: passing.len() as u64,
            regions: regions.len() as u64,
            splits: super::inputs::SPLITS
                .map(|split| regions.iter().filter(|r| r.split == split).count() as u64),
            selected: selections.len() as u64,
            uncounted: (counts.values().sum::<i64>() - counted).unsigned_abs(),
        };
        let stage: Value = json!({ "config": config, "counts": built });
        publish(&out.join("_regions_config.json"), |file| writeln!(file, "{stage:#}"))?;
        Ok(built)
    }

    fn check(&self) -> Result<(), Error> {
        let share = |name: &str, value: f64| match (0.0..=1.0).contains(&value) {
            true => Ok(()),
            false => Err(Error::usage(format!("{name} is {value}, must be 0 to 1"))),
        };
        share("test_frac", self.test_frac)?;
        share("val_frac", self.val_frac)?;
        share("test_frac and val_frac together", self.test_frac + self.val_frac)?;
        if self.top_k == 0 {
            return Err(Error::usage("top_k is 0, must be 1 or more"));
        }
        Ok(())
    }

    fn read_bricks(
        &self,
        source: &Source,
        counts: &HashMap<String, i64>,
    ) -> Result<(Vec<Brick>, u64), Error> {
        let (mut bricks, mut total) = (Vec::new(), 0);
        for rows in source.read(BRICKS)? {
            let names = rows.batch.column(0).as_string::<i32>();
            let reals: Vec<&Float64Array> =
                (1..10).map(|i| rows.batch.column(i).as_primitive::<Float64Type>()).collect();
            for (i, name) in names.iter().flatten().enumerate() {
                total += 1;
                let value =
                    |column: usize| if reals[column].is_null(i) { f64::NAN } else { reals[column].value(i) };
                let conditions = [value(6), value(7), value(8)];
                let [psfsize, psfdepth, ebv] = conditions;
                // What is not known does not pass.
                if !(ebv <= self.max_ebv
                    && psfsize <= self.max_psfsize_r_arcsec
                    && psfdepth >= self.min_psfdepth_r_mag)
                {
                    continue;
                }
                let center = SkyCoord::from_degrees(value(0), value(1)).map_err(|e| {
                    Error::bad(source.path(), format_args!("row {}: {e}", rows.first_row + i as u64))
                })?;
                let edges = [value(2), value(3), value(4), value(5)];
                let [ra1, ra2, dec1, dec2] = edges;
                bricks.push(Brick {
                    name: name.to_owned(),
                    center,
                    edges,
                    area: box_area_deg2([ra1, ra2], [dec1, dec2]),
                    lrg: counts.get(name).copied().unwrap_or(0),
                    conditions,
                    degree: 0,
                    region: 0,
                });
            }
        }
        bricks.sort_by(|a, b| a.name.cmp(&b.name));
        if let Some(twins) = bricks.windows(2).find(|w| w[0].name == w[1].name) {
            return Err(Error::bad(source.path(), format_args!("brick {} stands here twice", twins[0].name)));
        }
        Ok((bricks, total))
    }

    /// Numbers the regions, and counts neighbours; gives the members of each region.
    fn connect(&self, bricks: &mut [Brick]) -> Result<Vec<Vec<usize>>, Error> {
        let usage = |e: coaddkit_sky::Error| Error::usage(e);
        let adjacency = Adjacency::new(self.adjacency_deg, self.adjacency_deg).map_err(usage)?;
        let centers: Vec<SkyCoord> = bricks.iter().map(|brick| brick.center).collect();
        let components = adjacency.components(&centers);
        // Bricks are sorted by name, so the first member has the smallest.
        let mut members: Vec<Vec<usize>> = components.iter().map(<[usize]>::to_vec).collect();
        members.sort_by_key(|members| members.iter().min().copied());
        for (region, members) in (0..).zip(&members) {
            members.iter().for_each(|&brick| bricks[brick].region = region);
        }
        // Adjacent centres are no further apart than the diagonal of the box; in parts, since pairs are many.
        let radius_arcsec =
            (self.adjacency_deg * std::f64::consts::SQRT_2 * 3600.0 * (1.0 + 1e-9)).min(324_000.0);
        let rule = MatchRule { radius_arcsec, keep: Keep::All };
        for (part, start) in centers.chunks(1 << 14).zip((0..).step_by(1 << 14)) {
            for pair in crossmatch(part, &centers, &rule).map_err(usage)? {
                let (left, right) = (start + pair.left as usize, pair.right as usize);
                if left != right && adjacency.adjacent(centers[left], centers[right]) {
                    bricks[left].degree += 1;
                }
            }
        }
        Ok(members)
    }

    fn region(&self, id: i32, members: &[usize], bricks: &[Brick]) -> Region {
        let of = |value: fn(&Brick) -> f64| members.iter().map(move |&i| value(&bricks[i]));
        let area: f64 = of(|b| b.area).sum();
        let lrg: i64 = members.iter().map(|&i| bricks[i].lrg).sum();
        let median = |column: usize| {
            quartiles(members.iter().map(|&i| bricks[i].conditions[column]).collect()).map(|q| q[2])
        };
        let medians = [median(0), median(1), median(2)];
        let density = if area > 0.0 { lrg as f64 / area } else { 0.0 };
        let quality = match medians {
            [Some(psf), Some(depth), Some(ebv)] => Some(
                libm::exp(-(psf - 1.25) / 0.25).clamp(0.0, 1.0) / (1.0 + libm::exp(-(depth - 23.8) / 0.25))
                    * libm::exp(-4.0 * ebv),
            ),
            _ => None,
        };
        let u = unit(SeededHash::new(self.split_seed).int(id.into()));
        let split = if u < self.test_frac {
            "test"
        } else if u < self.test_frac + self.val_frac {
            "val"
        } else {
            "train"
        };
        let first = members.iter().map(|&i| &bricks[i].name).min().cloned().unwrap_or_default();
        let around = bounding_area(members, bricks);
        Region {
            split,
            first,
            bricks: members.len() as i64,
            area,
            lrg,
            scores: [
                Some(density),
                Some(lrg as f64),
                Some(density * area.sqrt()),
                quality.map(|q| density * q),
            ],
            medians,
            compactness: if around > 0.0 { (area / around).min(1.0) } else { 0.0 },
        }
    }

    /// Sets with their regions: the name of the set, strategy, mode, region, rank in its split.
    fn select(&self, regions: &[Region]) -> Vec<(String, usize, usize, usize, i32)> {
        let k = self.top_k as usize;
        let mut all = Vec::new();
        for (mode, (mode_name, _)) in MODES.iter().enumerate() {
            for (strategy, (strategy_name, weights)) in STRATEGIES.iter().enumerate() {
                let id = match weights {
                    None => format!("topk_{mode_name}_k{k}"),
                    Some(_) => format!("strat_{strategy_name}_{mode_name}_k{k}"),
                };
                for split in super::inputs::SPLITS {
                    let mut ranked: Vec<(f64, usize)> = (0..regions.len())
                        .filter(|&i| regions[i].split == split)
                        .filter_map(|i| Some((regions[i].scores[mode]?, i)))
                        .collect();
                    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
                    let mut left = match weights {
                        None => [k, 0, 0],
                        Some(weights) => weights.map(|w| (k as f64 * w).ceil() as usize),
                    };
                    let edges = class_edges(&ranked);
                    for (rank, &(score, region)) in (1..).zip(&ranked) {
                        let class = match weights {
                            None => 0,
                            Some(_) => edges.iter().filter(|&&edge| score >= edge).count(),
                        };
                        if left[class] > 0 {
                            left[class] -= 1;
                            all.push((id.clone(), strategy, mode, region, rank));
                        }
                    }
                }
            }
        }
        all.sort();
        all
    }
}

/// Where the classes of scores begin; scores descend.
fn class_edges(ranked: &[(f64, usize)]) -> [f64; 2] {
    CLASSES.map(|q| {
        let Some(last) = ranked.len().checked_sub(1) else { return 0.0 };
        let at = q * last as f64;
        let value = |i: usize| ranked[last - i.min(last)].0;
        let below = at.floor() as usize;
        value(below) + (value(below + 1) - value(below)) * (at - below as f64)
    })
}

/// The area of the smallest box around bricks, across right ascension 0 if that is smaller.
fn bounding_area(members: &[usize], bricks: &[Brick]) -> f64 {
    let edges = || members.iter().map(|&i| bricks[i].edges);
    let dec1 = edges().map(|e| e[2]).fold(f64::INFINITY, f64::min);
    let dec2 = edges().map(|e| e[3]).fold(f64::NEG_INFINITY, f64::max);
    let mut spans: Vec<(f64, f64)> = edges().map(|e| (e[0], e[1])).collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let Some(&(first, mut end)) = spans.first() else { return 0.0 };
    // The largest gap in right ascension is outside.
    let mut gap = 0.0_f64;
    for &(ra1, ra2) in &spans {
        gap = gap.max(ra1 - end);
        end = end.max(ra2);
    }
    let width = 360.0 - gap.max(first + 360.0 - end);
    box_area_deg2([0.0, width], [dec1, dec2])
}

fn read_counts(source: &Source) -> Result<HashMap<String, i64>, Error> {
    let mut counts = HashMap::new();
    for rows in source.read(COUNTS)? {
        let names = rows.batch.column(0).as_string::<i32>();
        let numbers = rows.batch.column(1).as_primitive::<Int64Type>();
        for (i, (name, &n)) in names.iter().flatten().zip(numbers.values()).enumerate() {
            let at = |what: &str| {
                Error::new(ErrorClass::BadData, format!("row {}: {what}", rows.first_row + i as u64))
            };
            if n < 0 {
                return Err(at("a count below 0").at(source.path()));
            }
            if counts.insert(name.to_owned(), n).is_some() {
                return Err(at(&format!("brick {name} stands here twice")).at(source.path()));
            }
        }
    }
    Ok(counts)
}

fn publish_table(
    out: &Path,
    schema: &Schema<'static>,
    sorted: &'static str,
    provenance: &Provenance,
    batch: RecordBatch,
) -> Result<(), Error> {
    let path = out.join(format!("{}.parquet", schema.name()));
    let layout = Layout { sorted_by: vec![sorted], ..Layout::default() };
    let mut writer = TableWriter::create(&path, schema, &layout, provenance)?;
    writer.write(&batch)?;
    writer.finish()?;
    write_csv(&path.with_extension("csv"), schema, [Ok(batch)])?;
    Ok(())
}

fn text<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn reals(values: impl Iterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values))
}

/// What is not a number is not known.
fn known(values: impl Iterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(Float64Array::from_iter(values.map(|v| v.filter(|v| !v.is_nan()))))
}

fn whole(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

fn short(values: impl Iterator<Item = i32>) -> ArrayRef {
    Arc::new(Int32Array::from_iter_values(values))
}

fn brick_columns(bricks: &[Brick], regions: &[Region]) -> Vec<ArrayRef> {
    let b = || bricks.iter();
    vec![
        text(b().map(|b| &*b.name)),
        reals(b().map(|b| b.center.ra_deg())),
        reals(b().map(|b| b.center.dec_deg())),
        reals(b().map(|b| b.area)),
        whole(b().map(|b| b.lrg)),
        known(b().map(|b| Some(b.conditions[0]))),
        known(b().map(|b| Some(b.conditions[1]))),
        known(b().map(|b| Some(b.conditions[2]))),
        short(b().map(|b| b.region)),
        short(b().map(|b| b.degree)),
        text(b().map(|b| regions[b.region as usize].split)),
    ]
}

fn metric_columns(regions: &[Region]) -> Vec<ArrayRef> {
    let r = || regions.iter();
    let mut columns = vec![
        short(0..regions.len() as i32),
        text(r().map(|r| r.split)),
        text(r().map(|r| &*r.first)),
        whole(r().map(|r| r.bricks)),
        reals(r().map(|r| r.area)),
        whole(r().map(|r| r.lrg)),
        known(r().map(|r| r.scores[0])),
    ];
    // The schema says which scores may be null.
    columns.extend((0..4).map(|i| known(r().map(|r| r.scores[i]))));
    columns.extend((0..3).map(|i| known(r().map(|r| r.medians[i]))));
    columns.push(reals(r().map(|r| r.compactness)));
    columns
}

fn selection_columns(selections: &[(String, usize, usize, usize, i32)], regions: &[Region]) -> Vec<ArrayRef> {
    let s = || selections.iter();
    let of = |region: usize| &regions[region];
    vec![
        text(s().map(|s| &*s.0)),
        text(s().map(|s| STRATEGIES[s.1].0)),
        text(s().map(|s| MODES[s.2].0)),
        text(s().map(|s| MODES[s.2].1)),
        short(s().map(|s| s.3 as i32)),
        text(s().map(|s| of(s.3).split)),
        short(s().map(|s| s.4)),
        reals(s().map(|s| of(s.3).area)),
        whole(s().map(|s| of(s.3).bricks)),
        whole(s().map(|s| of(s.3).lrg)),
        known(s().map(|s| of(s.3).scores[s.2])),
    ]
}
