//! Rows of the manifest from what was sampled.

use std::f64::consts::PI;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, DictionaryArray, Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    types::Int32Type,
};
use arrow_buffer::{Buffer, OffsetBuffer};
use sha2::{Digest, Sha256};

use super::config::{Controls, Plan};
use super::grid::Config;
use super::inputs::{Bricks, SPLITS, Set};
use super::sample::{Galaxy, microdegrees};
use super::schema::INJECTION_TASKS;
use crate::hash::unit;
use crate::{Error, Key, SeededHash};

/// The configuration of controls that are not paired.
const CONTROL: &str = "CONTROL";

/// The version that the published rows carry.
const PIPELINE: &str = "phase4_pipeline_merged_v2";

/// One experiment: a tier with a stamp size and a band set.
pub(super) struct Experiment<'a> {
    pub id: &'a str,
    pub plan: &'a Plan,
    pub configs: &'a [Config],
    pub stamp_size: u32,
    pub bandset: &'a str,
    pub replicates: u32,
    pub seed: i64,
    pub sets: &'a [Set],
    pub bricks: &'a Bricks,
    pub galaxies: &'a [Galaxy],
    /// Pairs of a galaxy and a set, in order.
    pub entries: &'a [(u32, u16)],
    /// Whether each entry is a control.
    pub controls: &'a [bool],
    /// The first row of each entry, and the end of the last.
    pub starts: &'a [u64],
}

/// Whether a galaxy of a set is left without injection.
pub(super) fn is_control(plan: &Plan, seed: i64, galaxy: &Galaxy, brick: &str, set: &str) -> bool {
    let split = SPLITS[usize::from(galaxy.split)];
    let (salt, key) = if plan.one_config {
        (7003, Key::new().int(galaxy.row_id as i64).text(brick).text(split).text(plan.tier))
    } else {
        let (ra, dec) = (microdegrees(galaxy.ra), microdegrees(galaxy.dec));
        (7001, Key::new().text(brick).int(ra).int(dec).text(set).text(split).text(plan.tier))
    };
    unit(SeededHash::new(seed.wrapping_add(salt)).key(key)) < plan.control_frac
}

/// Rows of an entry.
pub(super) fn rows_of(plan: &Plan, configs: usize, replicates: u32, control: bool) -> u64 {
    let one = plan.one_config || (control && plan.controls == Controls::Unpaired);
    u64::from(replicates) * if one { 1 } else { configs as u64 }
}

/// The columns while they grow.
struct Columns {
    task_ids: Vec<u8>,
    set: Vec<i32>,
    region: Vec<i32>,
    split: Vec<i32>,
    brick: Vec<i32>,
    brick_names: Vec<u32>,
    positions: [Vec<f64>; 2],
    mags: [Vec<Option<f32>>; 5],
    conditions: [Vec<f64>; 2],
    ebv: Vec<Option<f64>>,
    bins: [Vec<i32>; 2],
    config: Vec<i32>,
    values: [Vec<f64>; 5],
    replicate: Vec<i32>,
    is_control: Vec<i32>,
    seed: Vec<i64>,
    /// src_x, src_y, src_phi, shear_phi, src_gr, src_rz, lens_e, lens_phi.
    frozen: [Vec<f64>; 8],
    model: Vec<i32>,
}

impl Columns {
    fn new(rows: usize) -> Self {
        fn of<T>(rows: usize) -> Vec<T> {
            Vec::with_capacity(rows)
        }
        Self {
            task_ids: of(rows * 64),
            set: of(rows),
            region: of(rows),
            split: of(rows),
            brick: of(rows),
            brick_names: Vec::new(),
            positions: [of(rows), of(rows)],
            mags: std::array::from_fn(|_| of(rows)),
            conditions: [of(rows), of(rows)],
            ebv: of(rows),
            bins: [of(rows), of(rows)],
            config: of(rows),
            values: std::array::from_fn(|_| of(rows)),
            replicate: of(rows),
            is_control: of(rows),
            seed: of(rows),
            frozen: std::array::from_fn(|_| of(rows)),
            model: of(rows),
        }
    }
}

/// The seed of a task and what is drawn with it.
type Drawn = (i64, [f64; 8]);

/// What is the same in all selections that took a galaxy, and memory to use again.
#[derive(Default)]
struct Scratch {
    /// The galaxy, and whether it is a control.
    of: Option<(u32, bool)>,
    /// `{split}|{brick}|{ra}|{dec}|`, as it stands in the text behind a task id.
    place: String,
    /// The beginning of the key of a seed.
    key: Key,
    /// Bytes of it.
    stem: usize,
    /// By row of the entry, what was drawn so far.
    drawn: Vec<Option<Drawn>>,
    /// Numbers of replicates as text.
    replicates: Vec<String>,
}

impl Scratch {
    fn turn_to(&mut self, galaxy: &Galaxy, brick: &str) {
        let (split, ra, dec) = (SPLITS[usize::from(galaxy.split)], galaxy.ra, galaxy.dec);
        self.place.clear();
        // Writing to memory does not fail.
        let _ = write!(self.place, "{split}|{brick}|{ra:.6}|{dec:.6}|");
        self.key.clear();
        self.key.push_text(brick);
        self.key.push_f64(ra);
        self.key.push_f64(dec);
        self.stem = self.key.as_bytes().len();
        self.drawn.clear();
    }

    /// What was drawn for a row, or is with the completed key.
    fn drawn(&mut self, row: usize, draw: impl FnOnce(&mut Key) -> Drawn) -> Drawn {
        if self.drawn.len() <= row {
            self.drawn.resize(row + 1, None);
        }
        *self.drawn[row].get_or_insert_with(|| {
            self.key.truncate(self.stem);
            draw(&mut self.key)
        })
    }
}

fn repeat<T: Clone>(column: &mut Vec<T>, value: T, count: usize) {
    column.resize(column.len() + count, value);
}

impl Experiment<'_> {
    /// Rows in all.
    pub fn rows(&self) -> u64 {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Consecutive rows.
    pub fn batch(&self, from: u64, to: u64) -> Result<RecordBatch, Error> {
        let mut columns = Columns::new((to - from) as usize);
        let mut entry = self.starts.partition_point(|&start| start <= from).saturating_sub(1);
        let mut row = from;
        let mut scratch = Scratch {
            replicates: (0..self.replicates).map(|replicate| replicate.to_string()).collect(),
            ..Scratch::default()
        };
        while row < to {
            let skipped = row - self.starts[entry];
            let end = self.starts[entry + 1].min(to);
            self.entry(entry, skipped, (end - row) as usize, &mut columns, &mut scratch);
            row = end;
            entry += 1;
        }
        self.finish(columns)
    }

    /// `count` rows of an entry after the first `skipped`.
    fn entry(&self, entry: usize, skipped: u64, count: usize, out: &mut Columns, scratch: &mut Scratch) {
        let (index, set) = self.entries[entry];
        let galaxy = &self.galaxies[index as usize];
        let control = self.controls[entry];
        // What was sampled has a brick that is measured.
        let Some(brick) = self.bricks.rows[galaxy.brick as usize] else { return };
        if out.brick_names.last() != Some(&galaxy.brick) {
            out.brick_names.push(galaxy.brick);
        }
        let brick_key = out.brick_names.len() as i32 - 1;
        if scratch.of != Some((index, control)) {
            scratch.of = Some((index, control));
            scratch.turn_to(galaxy, &self.bricks.names[galaxy.brick as usize]);
        }
        let mut head = Sha256::new();
        for part in [self.id, "|", &self.sets[usize::from(set)].id, "|", &scratch.place] {
            head.update(part);
        }
        let unpaired = control && self.plan.controls == Controls::Unpaired;
        let replicates = u64::from(self.replicates);
        let (mut stem, mut stem_of) = (head.clone(), usize::MAX);
        for row in skipped..skipped + count as u64 {
            let (replicate, row) = ((row % replicates) as usize, row as usize);
            let which = if self.plan.one_config {
                (galaxy.row_id % self.configs.len() as u64) as usize
            } else {
                row / self.replicates as usize
            };
            let (config_id, config) = if unpaired {
                (CONTROL, self.configs.len())
            } else {
                (self.configs[which].id.as_str(), which)
            };
            let values = if control { [0.0; 5] } else { self.configs[which].values };

            if stem_of != config {
                (stem, stem_of) = (head.clone(), config);
                stem.update(config_id);
                stem.update("|");
            }
            let mut task = stem.clone();
            task.update(&scratch.replicates[replicate]);
            hex_into(&task.finalize(), &mut out.task_ids);
            let drawn = scratch.drawn(row, |key| {
                key.push_text(config_id);
                key.push_int(replicate as i64);
                let seed = SeededHash::new(self.seed).key(&*key) as i64;
                (seed, frozen(seed, values[0]))
            });

            out.config.push(config as i32);
            for (column, value) in out.values.iter_mut().zip(values) {
                column.push(value);
            }
            out.replicate.push(replicate as i32);
            out.seed.push(drawn.0);
            for (column, value) in out.frozen.iter_mut().zip(drawn.1) {
                column.push(value);
            }
            out.model.push((values[0] == 0.0).into());
        }
        repeat(&mut out.set, set.into(), count);
        repeat(&mut out.region, galaxy.region, count);
        repeat(&mut out.split, galaxy.split.into(), count);
        repeat(&mut out.brick, brick_key, count);
        repeat(&mut out.positions[0], galaxy.ra, count);
        repeat(&mut out.positions[1], galaxy.dec, count);
        for (column, mag) in out.mags.iter_mut().zip(galaxy.mags) {
            repeat(column, mag, count);
        }
        repeat(&mut out.conditions[0], brick.psfsize_r, count);
        repeat(&mut out.conditions[1], brick.psfdepth_r, count);
        repeat(&mut out.ebv, brick.ebv, count);
        repeat(&mut out.bins[0], brick.psf_bin.into(), count);
        repeat(&mut out.bins[1], brick.depth_bin.into(), count);
        repeat(&mut out.is_control, control.into(), count);
    }

    fn finish(&self, c: Columns) -> Result<RecordBatch, Error> {
        let rows = c.set.len();
        let same = |text: &str| dictionary(vec![0; rows], [text]);
        let of_sets = |text: fn(&Set) -> &str| dictionary(c.set.clone(), self.sets.iter().map(text));
        let names = c.brick_names.iter().map(|&brick| self.bricks.names[brick as usize].as_str());
        let configs = self.configs.iter().map(|config| config.id.as_str()).chain([CONTROL]);
        let reals = |values: Vec<f64>| Arc::new(Float64Array::from(values)) as ArrayRef;
        let whole = |values: Vec<i32>| Arc::new(Int32Array::from(values)) as ArrayRef;
        let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(64, rows));
        let ids = StringArray::try_new(offsets, Buffer::from_vec(c.task_ids), None);
        let [x, y, phi, shear_phi, gr, rz, lens_e, lens_phi] = c.frozen.map(reals);
        let [ra, dec] = c.positions.map(reals);
        let [psfsize, psfdepth] = c.conditions.map(reals);
        let [psf_bin, depth_bin] = c.bins.map(whole);
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(ids.map_err(Error::usage)?),
            same(self.id)?,
            of_sets(|set| &set.id)?,
            of_sets(|set| &set.strategy)?,
            of_sets(|set| &set.ranking)?,
            whole(c.region),
            dictionary(c.split, SPLITS)?,
            dictionary(c.brick, names)?,
            ra,
            dec,
        ];
        columns.extend(c.mags.map(|mags| Arc::new(Float32Array::from(mags)) as ArrayRef));
        let ebv = Arc::new(Float64Array::from(c.ebv));
        columns.extend([psfsize, psfdepth, ebv, psf_bin, depth_bin, dictionary(c.config, configs)?]);
        columns.extend(c.values.map(reals));
        columns.extend([
            whole(vec![self.stamp_size as i32; rows]),
            same(self.bandset)?,
            whole(c.replicate),
            whole(c.is_control),
            Arc::new(Int64Array::from(c.seed)),
            x,
            y,
            phi,
            shear_phi,
            gr,
            rz,
            dictionary(c.model, ["SIE", CONTROL])?,
            lens_e,
            lens_phi,
            reals(vec![22.5; rows]),
            same(PIPELINE)?,
        ]);
        crate::write::batch(&INJECTION_TASKS, columns)
    }
}

fn dictionary<'a>(keys: Vec<i32>, values: impl IntoIterator<Item = &'a str>) -> Result<ArrayRef, Error> {
    let values = Arc::new(StringArray::from_iter_values(values));
    let array = DictionaryArray::<Int32Type>::try_new(Int32Array::from(keys), values);
    Ok(Arc::new(array.map_err(Error::usage)?))
}

/// The columns that are random, but the same in every run: offsets and angles of the source, angle of the shear, colours,
/// ellipticity and angle of the lens. Without a lens all but the colours are 0.
fn frozen(seed: i64, theta_e: f64) -> [f64; 8] {
    let u = |salt: i64| unit(SeededHash::new(salt).int(seed));
    let normal = |a: i64, b: i64| (-2.0 * libm::log(u(a).max(1e-12))).sqrt() * libm::cos(2.0 * PI * u(b));
    let gr = (0.2 + 0.2 * normal(105, 106)).clamp(-0.5, 1.5);
    let rz = (0.1 + 0.2 * normal(107, 108)).clamp(-0.5, 1.5);
    if theta_e == 0.0 {
        return [0.0, 0.0, 0.0, 0.0, gr, rz, 0.0, 0.0];
    }
    let radius = 0.8 * theta_e * u(101).sqrt();
    let (sin, cos) = libm::sincos(2.0 * PI * u(102));
    [radius * cos, radius * sin, 2.0 * PI * u(103), PI * u(104), gr, rz, 0.05 + 0.45 * u(109), PI * u(110)]
}

fn hex_into(digest: &[u8], out: &mut Vec<u8>) {
    /// Every byte in two digits.
    const BYTES: [[u8; 2]; 256] = {
        let digits = b"0123456789abcdef";
        let mut bytes = [[0; 2]; 256];
        let mut i = 0;
        while i < 256 {
            bytes[i] = [digits[i >> 4], digits[i & 15]];
            i += 1;
        }
        bytes
    };
    out.extend(digest.iter().flat_map(|&byte| BYTES[usize::from(byte)]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frozen_columns_follow_from_the_seed() {
        // From the formulas in Python, with xxhash and math.
        let close = |a: [f64; 8], b: [f64; 8]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(close(frozen(-5, 0.6), FROZEN), "{:?}", frozen(-5, 0.6));
        let [x, .., lens_e, lens_phi] = frozen(-5, 0.0);
        assert_eq!((x, lens_e, lens_phi), (0.0, 0.0, 0.0));
        assert!(close(frozen(-5, 0.0), [0.0, 0.0, 0.0, 0.0, FROZEN[4], FROZEN[5], 0.0, 0.0]));
    }

    #[rustfmt::skip]
    const FROZEN: [f64; 8] = [-0.10812114534656114, 0.32050033935855327, 3.0842397381058575, 2.257334852569181, 0.40113889026253835, 0.03676579904470147, 0.1754114, 0.4657442524873404];
}
