//! Our side of `cargo xtask peers manifest`.
//!
//! ```text
//! peer-manifest strata FILE        10 M strata of one byte, the same in every run
//! peer-manifest stratified FILE    a sample of 15,625 of each of 16 strata, by the hash of the row number
//! peer-manifest pool DIR ROWS      a pool of negatives, with `_SUCCESS`, and DIR/positives.csv for a sample of 500,000
//! peer-manifest survey DIR ROWS    a parent of so many galaxies, its bricks and selections, and DIR/stage.toml
//! ```
//!
//! `stratified` prints `answer=`, the size of the sample, and `kernel_cpu=` and `kernel_wall=`, the seconds of the work
//! alone: medians of as many repetitions as fit into a second.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use coaddkit_manifest::injection::PARENT;
use coaddkit_manifest::negatives::NEGATIVE_POOL;
use coaddkit_manifest::{BottomK, Field, Kind, Layout, Provenance, Schema, SeededHash, TableWriter};
use coaddkit_sky::{Healpix, SkyCoord, Split, SplitOrder};
use rustix::time::{ClockId, clock_gettime};

type Failure = Box<dyn std::error::Error>;

const STRATA: usize = 16;
const PER_STRATUM: usize = 250_000 / STRATA;
const ROWS: usize = 10_000_000;

/// Rows of a row group.
const GROUP: usize = 1 << 17;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["strata", file] => Ok(fs::write(file, strata())?),
        ["stratified", file] => stratified(&fs::read(file)?),
        ["pool", dir, rows] => pool(dir.as_ref(), rows.parse()?),
        ["survey", dir, rows] => survey(dir.as_ref(), rows.parse()?),
        _ => Err("see the head of peer-manifest.rs".into()),
    }
}

/// A number that follows from another, without order.
fn scramble(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ (n >> 31)
}

fn unit(n: u64) -> f64 {
    (scramble(n) >> 11) as f64 / (1_u64 << 53) as f64
}

/// The classes of exposures and types of the published survey, roughly.
fn strata() -> Vec<u8> {
    const NOBS: [u8; 9] = [0, 0, 1, 1, 1, 2, 2, 3, 3];
    const TYPES: [u8; 20] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3];
    let stratum = |i: u64| {
        let n = scramble(i);
        NOBS[(n % 9) as usize] * 4 + TYPES[(n / 9 % 20) as usize]
    };
    (0..ROWS as u64).map(stratum).collect()
}

fn stratified(strata: &[u8]) -> Result<(), Failure> {
    let once = || {
        let hash = SeededHash::new(42);
        let mut samples: Vec<BottomK<u32>> = (0..STRATA).map(|_| BottomK::new(PER_STRATUM)).collect();
        for (id, &stratum) in (0_u32..).zip(strata) {
            samples[usize::from(stratum)].offer(hash.int(id.into()), || id);
        }
        samples.into_iter().map(|sample| sample.into_unsorted().count()).sum::<usize>()
    };
    let (mut cpu, mut wall) = (Vec::new(), Vec::new());
    let begin = Instant::now();
    let mut answer = 0;
    while cpu.is_empty() || begin.elapsed().as_secs_f64() < 1.0 {
        let (before, start) = (cpu_seconds(), Instant::now());
        answer = once();
        cpu.push(cpu_seconds() - before);
        wall.push(start.elapsed().as_secs_f64());
    }
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    println!("answer={answer} kernel_cpu={} kernel_wall={}", median(cpu), median(wall));
    Ok(())
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

fn text(rows: usize, value: impl Fn(usize) -> String) -> ArrayRef {
    Arc::new(StringArray::from_iter_values((0..rows).map(value)))
}

fn reals(rows: usize, value: impl Fn(usize) -> f64) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values((0..rows).map(value)))
}

fn pool(dir: &Path, rows: usize) -> Result<(), Failure> {
    fs::create_dir_all(dir)?;
    let cells = Healpix::from_nside(128)?;
    let split = Split::new(cells, 42, [0.70, 0.15, 0.15], SplitOrder::TrainValTest)?;
    let subsets: Vec<&str> =
        cells.cells().map(|cell| split.subset(cell).map(|s| s.as_str())).collect::<Result<_, _>>()?;
    const PER_FILE: usize = 1 << 20;
    for (file, start) in (0..rows).step_by(PER_FILE).enumerate() {
        let path = dir.join(format!("sweep-{file:04}.parquet"));
        let layout = Layout { distinct: vec!["galaxy_id", "ra", "dec"], ..Layout::default() };
        let mut writer = TableWriter::create(&path, &NEGATIVE_POOL, &layout, &Provenance::new())?;
        let end = rows.min(start + PER_FILE);
        writer.write_groups((end - start).div_ceil(GROUP), |group| {
            let from = start + group * GROUP;
            Ok(pool_batch(from, GROUP.min(end - from), &subsets, cells))
        })?;
        writer.finish()?;
    }
    fs::write(dir.join("_SUCCESS"), "")?;
    let mut positives = "type_bin,nobs_z_bin\n".to_owned();
    for (kind, bin, n) in
        [("REX", "3-5", 2000), ("DEV", "3-5", 1200), ("SER", "3-5", 800), ("REX", "6-10", 1000)]
    {
        positives.push_str(&format!("{kind},{bin}\n").repeat(n));
    }
    Ok(fs::write(dir.with_extension("positives.csv"), positives)?)
}

fn pool_batch(from: usize, rows: usize, subsets: &[&str], cells: Healpix) -> RecordBatch {
    let n = |i: usize, salt: u64| unit((from + i) as u64 * 64 + salt);
    let places: Vec<(f64, f64, u64)> = (0..rows)
        .map(|i| {
            let (ra, dec) = (360.0 * n(i, 0), -18.0 + 50.0 * n(i, 1));
            let cell = SkyCoord::from_degrees(ra, dec).map_or(0, |at| cells.locate(at).index());
            (ra, dec, cell)
        })
        .collect();
    let kind = |i: usize| ["REX", "REX", "REX", "DEV", "DEV", "SER"][(n(i, 2) * 6.0) as usize];
    let nobs = |i: usize| 3 + (n(i, 3) * 9.0) as i32;
    let hard = |i: usize| n(i, 4) < 0.15;
    let brick = |i: usize| format!("{:04}p{:03}", (from + i) / 2000 % 3600, (from + i) / 7_200_000);
    let whole = |value: &dyn Fn(usize) -> i32| {
        Arc::new(Int32Array::from_iter_values((0..rows).map(value))) as ArrayRef
    };
    let long = |value: &dyn Fn(usize) -> i64| {
        Arc::new(Int64Array::from_iter_values((0..rows).map(value))) as ArrayRef
    };
    let columns =
        NEGATIVE_POOL.fields().iter().enumerate().map(|(c, field)| match (field.name(), field.kind()) {
            ("galaxy_id", _) => text(rows, |i| format!("{}_{}", brick(i), (from + i) % 2000)),
            ("brickname", _) => text(rows, brick),
            ("objid", _) => whole(&|i| ((from + i) % 2000) as i32),
            ("ra", _) => reals(rows, |i| places[i].0),
            ("dec", _) => reals(rows, |i| places[i].1),
            ("type" | "type_bin", _) => text(rows, |i| kind(i).to_owned()),
            ("nobs_z", _) => whole(&nobs),
            ("nobs_z_bin", _) => text(rows, |i| {
                match nobs(i) {
                    3..=5 => "3-5",
                    6..=10 => "6-10",
                    _ => "11+",
                }
                .to_owned()
            }),
            ("mag_z", _) => {
                Arc::new(Float32Array::from_iter_values((0..rows).map(|i| 17.0 + 2.9 * n(i, 5) as f32)))
            }
            ("maskbits" | "fitbits", _) => whole(&|_| 0),
            ("healpix_64", _) => long(&|i| (places[i].2 >> 2) as i64),
            ("healpix_128", _) => long(&|i| places[i].2 as i64),
            ("split", _) => text(rows, |i| subsets[places[i].2 as usize].to_owned()),
            ("pool", _) => text(rows, |i| if hard(i) { "N2" } else { "N1" }.to_owned()),
            ("confuser_category", _) => {
                Arc::new(StringArray::from_iter((0..rows).map(|i| hard(i).then_some("ring_proxy"))))
            }
            ("row_index", _) => whole(&|i| (from + i) as i32),
            (name, Kind::Text) => text(rows, |_| name.to_owned()),
            _ => Arc::new(Float32Array::from_iter_values((0..rows).map(|i| n(i, 8 + c as u64) as f32)))
                as ArrayRef,
        });
    RecordBatch::try_new(NEGATIVE_POOL.arrow(), columns.collect()).unwrap_or_else(|e| panic!("{e}"))
}

/// Regions of 64 bricks; the sets and splits of the published survey.
fn survey(dir: &Path, rows: usize) -> Result<(), Failure> {
    const REGIONS: usize = 90;
    const BRICKS: usize = 256;
    fs::create_dir_all(dir)?;
    let split = |region: usize| ["train", "val", "test"][region % 3];
    let name = |brick: usize| {
        format!(
            "{:04}{}{:03}",
            brick / BRICKS * 40,
            if brick.is_multiple_of(2) { 'p' } else { 'm' },
            brick % BRICKS
        )
    };
    let mut bricks = "brickname,psfsize_r,psfdepth_r,ebv\n".to_owned();
    for brick in 0..REGIONS * BRICKS {
        let n = brick as u64 * 2;
        bricks.push_str(&format!(
            "{},{},{},0.05\n",
            name(brick),
            1.0 + 0.6 * unit(n),
            23.6 + 2.0 * unit(n + 1)
        ));
    }
    fs::write(dir.join("bricks.csv"), bricks)?;
    let mut selections =
        "selection_set_id,selection_strategy,ranking_mode,region_id,region_split\n".to_owned();
    for set in 0..12 {
        for region in 0..REGIONS {
            selections.push_str(&format!("set_{set:02},topk,density,{region},{}\n", split(region)));
        }
    }
    fs::write(dir.join("selections.csv"), selections)?;
    let mut fields = PARENT.fields().to_vec();
    fields.push(Field::new("is_v3_color_relaxed", Kind::Bool, ""));
    let schema = Schema::new("parent", 1, &fields);
    let layout = Layout { distinct: vec!["ra", "dec"], ..Layout::default() };
    let mut writer = TableWriter::create(&dir.join("parent.parquet"), &schema, &layout, &Provenance::new())?;
    let per_brick = rows.div_ceil(REGIONS * BRICKS);
    writer.write_groups(rows.div_ceil(GROUP), |group| {
        let from = group * GROUP;
        let count = GROUP.min(rows - from);
        let brick = |i: usize| (from + i) / per_brick;
        let region = |i: usize| brick(i) / BRICKS;
        let mags = || {
            Arc::new(Float32Array::from_iter_values(
                (0..count).map(|i| 18.0 + unit((from + i) as u64 * 3) as f32),
            )) as ArrayRef
        };
        let columns: Vec<ArrayRef> = vec![
            text(count, |i| name(brick(i))),
            reals(count, |i| region(i) as f64 * 4.0 + unit((from + i) as u64 * 3 + 1)),
            reals(count, |i| (brick(i) % BRICKS) as f64 * 0.25 + 0.25 * unit((from + i) as u64 * 3 + 2)),
            Arc::new(Int32Array::from_iter_values((0..count).map(|i| region(i) as i32))),
            text(count, |i| split(region(i)).to_owned()),
            mags(),
            mags(),
            mags(),
            mags(),
            mags(),
            Arc::new(BooleanArray::from(vec![true; count])),
        ];
        Ok(RecordBatch::try_new(schema.arrow(), columns).unwrap_or_else(|e| panic!("{e}")))
    })?;
    writer.finish()?;
    let path = |name: &str| dir.join(name).display().to_string();
    let stage = format!(
        "[inputs]\nparent = '{}'\nbricks_with_region = '{}'\nregion_selections = '{}'\n[tiers.debug]\n[tiers.grid]\n\
         n_per_config = 40\ncontrol_frac = 0.1\n[tiers.train]\nn_total_per_split = 148000\ncontrol_frac = 0.5\n",
        path("parent.parquet"),
        path("bricks.csv"),
        path("selections.csv")
    );
    Ok(fs::write(dir.join("stage.toml"), stage)?)
}
