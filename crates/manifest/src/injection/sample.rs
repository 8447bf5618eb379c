//! Which galaxies a tier takes.

use std::collections::BTreeMap;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int32Type};
use rayon::prelude::*;

use super::config::Plan;
use super::inputs::{Bricks, SPLITS, Selections, split_index};
use super::schema::{PARENT, flag};
use crate::{BottomK, Error, Key, Progress, Rows, SeededHash, Source};

/// Seeing and depth quartiles together.
const BINS: usize = 16;

/// What became of the rows of the parent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Losses {
    pub rows: u64,
    /// The flag is not true.
    pub not_flagged: u64,
    /// No selection set has the region.
    pub not_selected: u64,
    /// The brick is not in the table of bricks.
    pub brick_unknown: u64,
    /// The seeing or the depth of the brick is not known.
    pub brick_unmeasured: u64,
    /// In at least one selection set.
    pub usable: u64,
}

/// A galaxy that a tier takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Galaxy {
    pub row_id: u64,
    pub brick: u32,
    pub region: i32,
    pub split: u8,
    pub ra: f64,
    pub dec: f64,
    /// zmag, rmag, w1mag, rz, zw1.
    pub mags: [Option<f32>; 5],
}

/// Everything that was sampled.
#[derive(Debug)]
pub(super) struct Samples {
    pub losses: Losses,
    /// In the order of bricks and positions.
    pub galaxies: Vec<Galaxy>,
    /// For each plan its pairs of a galaxy and a set, in the order of both, and what was asked for and found.
    pub tiers: Vec<TierSample>,
}

#[derive(Debug, Default)]
pub(super) struct TierSample {
    pub entries: Vec<(u32, u16)>,
    /// By set and split.
    pub found: BTreeMap<(u16, u8), u64>,
}

/// Rows of a file in one number, so that candidates stay small.
type Place = u64;

fn place(file: usize, row: u64) -> Place {
    ((file as u64) << 40) | row
}

/// A candidate: what breaks ties of the rank, and where it stands.
type Candidate = (u64, Place);

struct Pass {
    losses: Losses,
    /// By set, split and bin.
    strata: Vec<Option<BottomK<Candidate>>>,
    /// Hashes of the identities of all usable rows.
    identities: Vec<u64>,
    key: Key,
}

/// Two passes over the parent: the first ranks, the second fetches what was taken.
pub(super) struct Sampler<'a> {
    pub parent: &'a Source,
    pub flag: &'a str,
    pub bricks: &'a Bricks,
    pub selections: &'a Selections,
    pub seed: i64,
    pub plans: &'a [Plan],
    pub progress: &'a dyn Progress,
}

impl Sampler<'_> {
    pub fn run(&self) -> Result<Samples, Error> {
        let mut fields = PARENT.fields().to_vec();
        fields.push(flag(self.flag));
        let rows = self.parent.rows()?.unwrap_or(0);
        self.progress.begin("ranking galaxies", rows);
        let cells = self.selections.sets.len() * SPLITS.len() * BINS;
        let init = || Pass {
            losses: Losses::default(),
            strata: (0..cells).map(|_| None).collect(),
            identities: Vec::new(),
            key: Key::new(),
        };
        let mut pass = self.parent.fold(&fields, init, |pass, rows| self.rank(pass, rows), Pass::merge)?;
        if pass.losses.usable == 0 {
            let l = pass.losses;
            return Err(Error::bad(
                self.parent.path(),
                format_args!(
                    "no galaxy can be used: of {} rows {} do not have the flag {}, {} are in no selected region, {} in \
                     no known brick, {} in a brick without seeing or depth",
                    l.rows, l.not_flagged, self.flag, l.not_selected, l.brick_unknown, l.brick_unmeasured
                ),
            ));
        }
        self.refuse_twins(std::mem::take(&mut pass.identities), &fields)?;
        let strata: Vec<Vec<(u64, Candidate)>> =
            pass.strata.into_par_iter().map(|s| s.map_or(Vec::new(), BottomK::into_sorted)).collect();
        let taken: Vec<Vec<(Candidate, u16, u8)>> =
            self.plans.par_iter().map(|plan| self.take(plan, &strata)).collect();
        let mut places: Vec<Place> = taken.iter().flatten().map(|&((_, place), ..)| place).collect();
        drop(strata);
        places.par_sort_unstable();
        places.dedup();
        self.progress.begin("fetching galaxies", rows);
        let galaxies = self.fetch(&places)?;
        // In the order of the manifests, whatever the order of the parent.
        let mut order: Vec<u32> = (0..galaxies.len() as u32).collect();
        order.par_sort_unstable_by(|&a, &b| {
            let key = |i: u32| {
                let g = &galaxies[i as usize];
                (g.brick, ordered(g.ra), ordered(g.dec), g.row_id)
            };
            key(a).cmp(&key(b))
        });
        let mut rank = vec![0_u32; galaxies.len()];
        for (at, &index) in (0..).zip(&order) {
            rank[index as usize] = at;
        }
        let tiers = taken.into_par_iter().map(|taken| {
            let mut sample = TierSample::default();
            for ((_, place), set, split) in taken {
                *sample.found.entry((set, split)).or_default() += 1;
                // Every place was fetched.
                let index = places.partition_point(|&p| p < place);
                sample.entries.push((rank[index], set));
            }
            sample.entries.par_sort_unstable();
            sample
        });
        let tiers = tiers.collect();
        let galaxies = order.into_iter().map(|i| galaxies[i as usize]).collect();
        Ok(Samples { losses: pass.losses, galaxies, tiers })
    }

    /// Most candidates that a tier needs of one bin.
    fn most(&self) -> usize {
        let most = self.plans.iter().map(|plan| plan.target.div_ceil(BINS as u64)).max();
        usize::try_from(most.unwrap_or(0)).unwrap_or(usize::MAX)
    }

    fn rank(&self, pass: &mut Pass, rows: &Rows) -> Result<(), Error> {
        let columns = Columns::of(rows);
        let most = self.most();
        let first = SeededHash::new(self.seed);
        // Parents are mostly in the order of bricks.
        let mut cached = ("", None);
        for i in 0..columns.names.len() {
            pass.losses.rows += 1;
            let at = |what: String| {
                Err(Error::new(
                    crate::ErrorClass::BadData,
                    format!("row {}: {what}", rows.first_row + i as u64),
                ))
            };
            if columns.flag.is_null(i) || !columns.flag.value(i) {
                pass.losses.not_flagged += 1;
                continue;
            }
            let Some(region) = self.selections.regions.get(&columns.region.value(i)) else {
                pass.losses.not_selected += 1;
                continue;
            };
            let split = columns.split.value(i);
            if split_index(split) != Some(region.split) {
                let (number, other) = (columns.region.value(i), SPLITS[usize::from(region.split)]);
                return at(format!(
                    "region {number} is in split '{split}' here and in {other} in the selections"
                ));
            }
            let (ra, dec) = (columns.ra.value(i), columns.dec.value(i));
            if !ra.is_finite() || !(0.0..=360.0).contains(&ra) || !(-90.0..=90.0).contains(&dec) {
                return at(format!("({ra}, {dec}) is no position"));
            }
            let name = columns.names.value(i);
            if cached.0 != name {
                cached = (name, self.bricks.index.get(name));
            }
            let Some(&brick) = cached.1 else {
                pass.losses.brick_unknown += 1;
                continue;
            };
            let Some(brick) = &self.bricks.rows[brick as usize] else {
                pass.losses.brick_unmeasured += 1;
                continue;
            };
            pass.losses.usable += 1;
            let row_id = row_id(&mut pass.key, name, ra, dec, columns.mag(0, i), columns.mag(1, i));
            pass.identities.push(identity(&mut pass.key, name, ra, dec));
            let rank = first.int(row_id as i64);
            let place = place(rows.file, rows.first_row + i as u64);
            let bin = usize::from(brick.psf_bin) * 4 + usize::from(brick.depth_bin);
            for &set in &region.sets {
                let cell = (usize::from(set) * SPLITS.len() + usize::from(region.split)) * BINS + bin;
                let stratum = pass.strata[cell].get_or_insert_with(|| BottomK::new(most));
                stratum.offer(rank, || (row_id, place));
            }
        }
        self.progress.advance(columns.names.len() as u64);
        Ok(())
    }

    /// Two rows of the same brick at the same position to a microdegree would be the same task.
    fn refuse_twins(&self, mut identities: Vec<u64>, fields: &[crate::Field<'_>]) -> Result<(), Error> {
        identities.par_sort_unstable();
        let Some(twin) = identities.windows(2).find(|w| w[0] == w[1]).map(|w| w[0]) else { return Ok(()) };
        drop(identities);
        let find = |found: &mut Vec<(Place, String)>, rows: &Rows| {
            let columns = Columns::of(rows);
            let mut key = Key::new();
            for i in 0..columns.names.len() {
                let (name, ra, dec) = (columns.names.value(i), columns.ra.value(i), columns.dec.value(i));
                if identity(&mut key, name, ra, dec) == twin {
                    let text = format!("row {} ({name}, {ra:.6}, {dec:.6})", rows.first_row + i as u64);
                    found.push((place(rows.file, rows.first_row + i as u64), text));
                }
            }
            Ok(())
        };
        let mut found = self.parent.fold(fields, Vec::new, find, |mut a, mut b| {
            a.append(&mut b);
            a
        })?;
        found.sort();
        let rows: Vec<_> = found.into_iter().take(3).map(|(_, text)| text).collect();
        let what = format!("the same galaxy stands here twice: {}", rows.join(", "));
        Err(Error::bad(self.parent.path(), what))
    }

    /// The sample of one tier.
    fn take(&self, plan: &Plan, strata: &[Vec<(u64, Candidate)>]) -> Vec<(Candidate, u16, u8)> {
        let per_bin = usize::try_from(plan.target.div_ceil(BINS as u64)).unwrap_or(usize::MAX);
        let target = usize::try_from(plan.target).unwrap_or(usize::MAX);
        let second = SeededHash::new(self.seed.wrapping_add(1));
        let mut taken = Vec::new();
        for (pair, bins) in strata.chunks(BINS).enumerate() {
            let (set, split) = ((pair / SPLITS.len()) as u16, (pair % SPLITS.len()) as u8);
            let candidates =
                bins.iter().flat_map(|bin| bin.iter().take(per_bin).map(|&(_, candidate)| candidate));
            let mut candidates: Vec<_> = candidates.map(|c| (second.int(c.0 as i64), c)).collect();
            if candidates.len() > target {
                candidates.select_nth_unstable(target);
                candidates.truncate(target);
            }
            taken.extend(candidates.into_iter().map(|(_, candidate)| (candidate, set, split)));
        }
        taken
    }

    /// The galaxies at places, which are sorted.
    fn fetch(&self, places: &[Place]) -> Result<Vec<Galaxy>, Error> {
        type Found = Vec<(Place, Galaxy)>;
        let step = |found: &mut Found, rows: &Rows| {
            let columns = Columns::of(rows);
            let count = rows.batch.num_rows() as u64;
            let start = place(rows.file, rows.first_row);
            let from = places.partition_point(|&p| p < start);
            let here = &places[from..from + places[from..].partition_point(|&p| p < start + count)];
            let mut key = Key::new();
            for &at in here {
                let i = (at - start) as usize;
                let (name, ra, dec) = (columns.names.value(i), columns.ra.value(i), columns.dec.value(i));
                let mags = [0, 1, 2, 3, 4].map(|m| columns.mag(m, i));
                let row_id = row_id(&mut key, name, ra, dec, mags[0], mags[1]);
                let (Some(&brick), Some(split)) =
                    (self.bricks.index.get(name), split_index(columns.split.value(i)))
                else {
                    return Err(Error::new(crate::ErrorClass::Io, "the file changed while it was read"));
                };
                found.push((
                    at,
                    Galaxy { row_id, brick, region: columns.region.value(i), split, ra, dec, mags },
                ));
            }
            self.progress.advance(count);
            Ok(())
        };
        let mut found = self.parent.fold(PARENT.fields(), Found::new, step, |mut a, mut b| {
            a.append(&mut b);
            a
        })?;
        if found.len() != places.len() {
            return Err(Error::new(crate::ErrorClass::Io, "the file changed while it was read")
                .at(self.parent.path()));
        }
        found.par_sort_unstable_by_key(|&(place, _)| place);
        Ok(found.into_iter().map(|(_, galaxy)| galaxy).collect())
    }
}

impl Pass {
    fn merge(mut self, other: Self) -> Self {
        let (a, b) = (&mut self.losses, other.losses);
        for (a, b) in [
            (&mut a.rows, b.rows),
            (&mut a.not_flagged, b.not_flagged),
            (&mut a.not_selected, b.not_selected),
            (&mut a.brick_unknown, b.brick_unknown),
            (&mut a.brick_unmeasured, b.brick_unmeasured),
            (&mut a.usable, b.usable),
        ] {
            *a += b;
        }
        for (mine, theirs) in self.strata.iter_mut().zip(other.strata) {
            match (mine.as_mut(), theirs) {
                (Some(mine), Some(theirs)) => mine.merge(theirs),
                (None, theirs @ Some(_)) => *mine = theirs,
                (_, None) => {}
            }
        }
        if self.identities.len() < other.identities.len() {
            let mut identities = other.identities;
            identities.append(&mut self.identities);
            self.identities = identities;
        } else {
            self.identities.extend_from_slice(&other.identities);
        }
        self
    }
}

/// The columns of [`PARENT`] in a batch, and the flag where it was read too.
struct Columns<'a> {
    names: &'a arrow_array::StringArray,
    ra: &'a arrow_array::Float64Array,
    dec: &'a arrow_array::Float64Array,
    region: &'a arrow_array::Int32Array,
    split: &'a arrow_array::StringArray,
    mags: [&'a arrow_array::Float32Array; 5],
    flag: &'a arrow_array::BooleanArray,
}

impl<'a> Columns<'a> {
    fn of(rows: &'a Rows) -> Self {
        static NONE: std::sync::LazyLock<arrow_array::BooleanArray> =
            std::sync::LazyLock::new(|| arrow_array::BooleanArray::new_null(0));
        let column = |i: usize| rows.batch.column(i);
        Self {
            names: column(0).as_string(),
            ra: column(1).as_primitive::<Float64Type>(),
            dec: column(2).as_primitive::<Float64Type>(),
            region: column(3).as_primitive::<Int32Type>(),
            split: column(4).as_string(),
            mags: [5, 6, 7, 8, 9].map(|i| column(i).as_primitive::<Float32Type>()),
            flag: rows.batch.columns().get(10).map_or(&*NONE, |flag| flag.as_boolean()),
        }
    }

    fn mag(&self, which: usize, row: usize) -> Option<f32> {
        (!self.mags[which].is_null(row)).then(|| self.mags[which].value(row))
    }
}

/// The hash of what a galaxy is; a magnitude that is null counts as NaN.
pub(super) fn row_id(key: &mut Key, brick: &str, ra: f64, dec: f64, z: Option<f32>, r: Option<f32>) -> u64 {
    key.clear();
    key.push_text(brick);
    key.push_f64(ra);
    key.push_f64(dec);
    key.push_f32(z.unwrap_or(f32::NAN));
    key.push_f32(r.unwrap_or(f32::NAN));
    SeededHash::new(0).key(&*key)
}

/// The hash of what a task is, as far as the galaxy goes.
fn identity(key: &mut Key, brick: &str, ra: f64, dec: f64) -> u64 {
    key.clear();
    key.push_text(brick);
    key.push_int(microdegrees(ra));
    key.push_int(microdegrees(dec));
    SeededHash::new(0).key(&*key)
}

/// Degrees times a million, to the nearest, ties to even.
pub(super) fn microdegrees(degrees: f64) -> i64 {
    (degrees * 1e6).round_ties_even() as i64
}

/// Finite numbers as integers of the same order.
fn ordered(value: f64) -> i64 {
    let bits = (value + 0.0).to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}
