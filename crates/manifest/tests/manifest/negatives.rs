use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch, StringArray};
use coaddkit_manifest::negatives::{
    Compat, Draw, Drawn, MatchPositives, NEGATIVE_POOL, NEGATIVE_SAMPLE, Pool, PoolReport, Ranking,
    SamplingConfig, Validate,
};
use coaddkit_manifest::{ErrorClass, Layout, Provenance, SeededHash, Severity, Source, TableWriter, compare};
use coaddkit_testkit::{Column, FitsTable, Rng, SkyBox, Sweep, shared};
use proptest::prelude::*;

use crate::{file, names, on_threads};

const CONFIG: &str = include_str!("../data/negative_sampling.yaml");

fn config(more: &str) -> SamplingConfig {
    format!("{CONFIG}{more}").parse().unwrap()
}

/// Faint enough that small sweeps have some thousands of rows.
fn deep(more: &str) -> SamplingConfig {
    format!("{CONFIG}{more}").replace("z_mag_limit: 20.0", "z_mag_limit: 22.5").parse().unwrap()
}

/// Two neighbouring sweeps of so many rows.
fn sweeps(dir: &Path, rows: usize) -> Vec<PathBuf> {
    let make = |seed: u64, ra: f64| {
        let area = SkyBox { ra_min_deg: ra, ra_max_deg: ra + 5.0, dec_min_deg: 0.0, dec_max_deg: 5.0 };
        let path = dir.join(format!("sweep-{ra:03}p000-{:03}p005.fits", ra + 5.0));
        Sweep { area, clumps: Vec::new(), ..Sweep::new(seed, rows) }.write(&path).unwrap();
        path
    };
    vec![make(1, 150.0), make(2, 155.0)]
}

fn no_lenses(dir: &Path) -> PathBuf {
    file(dir, "none.csv", "name,RA,Dec\nx,10,-80\n")
}

fn pool_of(config: SamplingConfig) -> Pool {
    Pool { config, compat: None, timestamp: None, git_commit: "abc".into(), force: false }
}

fn pool(config: SamplingConfig, sweeps: &[PathBuf], lenses: &Path, out: &Path) -> PoolReport {
    let report = pool_of(config).run(sweeps, &[lenses.to_owned()], out, &()).unwrap();
    let total = &report.total;
    assert_eq!(total.rows, total.kept + total.lost.iter().sum::<u64>());
    assert_eq!(total.kept, total.splits.iter().sum::<u64>());
    report
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> &'a ArrayRef {
    batch.column(NEGATIVE_POOL.index_of(name).unwrap())
}

fn batches(path: &Path) -> Vec<RecordBatch> {
    Source::open(path)
        .unwrap()
        .read(NEGATIVE_POOL.fields())
        .unwrap()
        .into_iter()
        .map(|rows| rows.batch)
        .collect()
}

fn texts(path: &Path, name: &str) -> Vec<String> {
    let of = |b: &RecordBatch| {
        column(b, name).as_string::<i32>().iter().map(|v| v.unwrap_or("").to_owned()).collect::<Vec<_>>()
    };
    batches(path).iter().flat_map(of).collect()
}

fn reals(path: &Path, name: &str) -> Vec<f64> {
    batches(path)
        .iter()
        .flat_map(|b| column(b, name).as_primitive::<Float64Type>().values().to_vec())
        .collect()
}

#[test]
fn the_pool_has_what_passes_and_says_what_did_not() {
    let dir = tempfile::tempdir().unwrap();
    let (files, out) = (sweeps(dir.path(), 3000), dir.path().join("pool"));
    let lenses = no_lenses(dir.path());
    let report = pool(config(""), &files, &lenses, &out);
    assert_eq!(report.total.rows, 6000);
    assert_eq!(names(&out), ["_SUCCESS", "sweep-150p000-155p005.parquet", "sweep-155p000-160p005.parquet"]);
    // The same by hand, from the files, for the whole of it.
    let mut wanted = BTreeSet::new();
    for path in &files {
        let table = coaddkit_fits::Fits::open(path).unwrap().hdu(1).unwrap().table().unwrap();
        let scan = table
            .scan()
            .columns([
                "brickname",
                "objid",
                "type",
                "ra",
                "dec",
                "maskbits",
                "nobs_g",
                "nobs_r",
                "nobs_z",
                "flux_z",
            ])
            .unwrap();
        scan.for_each(|chunk| {
            use coaddkit_fits::Values::{F32, F64, I16, I32, Text};
            let (
                Text(brick),
                I32(objid),
                Text(kind),
                F64(_),
                F64(dec),
                I32(mask),
                I16(g),
                I16(r),
                I16(z),
                F32(flux),
            ) = (
                chunk.values(0),
                chunk.values(1),
                chunk.values(2),
                chunk.values(3),
                chunk.values(4),
                chunk.values(5),
                chunk.values(6),
                chunk.values(7),
                chunk.values(8),
                chunk.values(9),
            )
            else {
                panic!()
            };
            for i in 0..chunk.rows() {
                let mag = 22.5 - 2.5 * f64::from(flux[i]).log10();
                let good = -18.0 < dec[i]
                    && dec[i] < 32.0
                    && [&b"SER"[..], b"DEV", b"REX"].contains(&kind.get(i))
                    && [1, 5, 6, 7, 11, 12, 13].iter().all(|bit| mask[i] & (1 << bit) == 0)
                    && g[i].min(r[i]).min(z[i]) >= 3
                    && flux[i] > 0.0
                    && mag < 20.0;
                if good {
                    wanted.insert(format!("{}_{}", std::str::from_utf8(brick.get(i)).unwrap(), objid[i]));
                }
            }
            Ok::<_, coaddkit_fits::Error>(())
        })
        .unwrap();
    }
    let ids = texts(&out, "galaxy_id");
    assert!(wanted.len() > 50, "{}", wanted.len());
    assert_eq!(ids.len(), wanted.len());
    assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), wanted);
    // Every further rule is one that the gates check.
    let mut validate = Validate::new(&config(""));
    validate.positives = coaddkit_manifest::negatives::read_positions(&[lenses]).unwrap();
    let validation = validate.file(&out, &()).unwrap();
    let failed: Vec<_> = validation.gates.iter().filter(|g| g.is_fatal()).map(|g| g.name.as_str()).collect();
    // Two sweeps are 250 cells, whose shares are off by chance.
    assert!(failed.is_empty() || failed == ["split_shares_far_off"], "{failed:?}");
    assert_eq!(validation.git_commits, ["abc"]);
    assert_eq!(validation.timestamp.as_deref(), Some("2026-02-07"));
}

#[test]
fn known_lenses_are_left_out_with_what_is_around_them() {
    let dir = tempfile::tempdir().unwrap();
    let files = sweeps(dir.path(), 3000);
    let all = dir.path().join("all");
    pool(config(""), &files, &no_lenses(dir.path()), &all);
    let (ids, ra, dec) = (texts(&all, "galaxy_id"), reals(&all, "ra"), reals(&all, "dec"));
    // Every tenth galaxy is a lens, 10.9" or 11.1" to the north; in two catalogues of different columns.
    let (mut one, mut two, mut gone) =
        ("RA_deg,DEC_deg\n".to_owned(), "name,ra,dec\n".to_owned(), BTreeSet::new());
    for i in (0..ids.len()).step_by(10) {
        let inside = i % 20 == 0;
        let text = format!("{:?},{:?}\n", ra[i], dec[i] + if inside { 10.9 } else { 11.1 } / 3600.0);
        if i % 30 == 0 {
            one.push_str(&text)
        } else {
            two.push_str(&format!("l,{text}"))
        }
        if inside {
            gone.insert(ids[i].clone());
        }
    }
    let lenses = [file(dir.path(), "one.csv", &one), file(dir.path(), "two.csv", &two)];
    let out = dir.path().join("out");
    let report = pool_of(config("")).run(&files, &lenses, &out, &()).unwrap();
    let left: BTreeSet<_> = texts(&out, "galaxy_id").into_iter().collect();
    let missing: BTreeSet<_> = ids.iter().filter(|id| !left.contains(*id)).cloned().collect();
    assert!(
        gone.is_subset(&missing) && missing.len() <= gone.len() + 3,
        "{} of {}",
        missing.len(),
        gone.len()
    );
    assert_eq!(report.total.lost[6], missing.len() as u64);

    let bad = file(dir.path(), "bad.csv", "ra,dec\n1,2\n3,\n");
    let error = pool_of(config("")).run(&files, &[bad], &out, &()).unwrap_err();
    assert!(error.to_string().ends_with("bad.csv: line 3, column dec: is empty, must be float64"), "{error}");
    let other = file(dir.path(), "other.csv", "x,y\n1,2\n");
    let error = pool_of(config("")).run(&files, &[other], &out, &()).unwrap_err();
    assert!(error.to_string().contains("has none of the columns ra, ra_deg"), "{error}");
}

#[test]
fn filters_and_policies_follow_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let (files, lenses) = (sweeps(dir.path(), 3000), no_lenses(dir.path()));
    let run = |name: &str, more: &str| pool(config(more), &files, &lenses, &dir.path().join(name)).total;
    let plain = run("plain", "");
    assert_eq!(plain.without_z_mag, 0);
    let north = run("north", "filters: {dec_min: 2.5}\n");
    assert!(north.lost[1] > 2000 && north.kept < plain.kept);
    let decs = reals(&dir.path().join("north"), "dec");
    assert!(decs.iter().all(|d| *d > 2.5));
    let nobs = run("nobs", "filters: {nobs_min: 6}\n");
    assert!(nobs.lost[4] > plain.lost[4]);

    let classes = |compat| {
        let mut job = pool_of(config(""));
        job.compat = compat;
        let out = dir.path().join(format!("{compat:?}"));
        let report = job.run(&files, std::slice::from_ref(&lenses), &out, &()).unwrap();
        (report.total.confusers, report.total.kept, texts(&out, "split"), report.alerts)
    };
    let (now, seven, nine) =
        (classes(None), classes(Some(Compat::D20260207)), classes(Some(Compat::D20260209)));
    assert!(now.1 == seven.1 && now.1 == nine.1);
    assert!(now.0[1] > 0 && seven.0[1] == 0 && seven.0[3] == 0);
    assert!(now.0[0] >= nine.0[0] && nine.0[0] >= seven.0[0]);
    assert!(now.2 == nine.2 && now.2 != seven.2, "the order of the splits");
    assert!(
        now.3.iter().any(|a| a == "edge_on_proxy names type EXP, which galaxy_types leaves out"),
        "{:?}",
        now.3
    );
    assert!(seven.3.iter().any(|a| a.contains("2026-02-07")));
}

#[test]
fn fluxes_without_a_magnitude_follow_the_policy() {
    let dir = tempfile::tempdir().unwrap();
    let fluxes = [12.0_f32, -1.0, f32::NAN, 0.0, f32::INFINITY, 10.0, 10.00001, 9.0];
    let mut table =
        FitsTable::new("SWEEP").column(Column::new("BRICKNAME", "8A")).column(Column::new("TYPE", "3A"));
    for (name, form) in [
        ("OBJID", "J"),
        ("RA", "D"),
        ("DEC", "D"),
        ("MASKBITS", "J"),
        ("NOBS_G", "I"),
        ("NOBS_R", "I"),
        ("NOBS_Z", "I"),
    ] {
        table = table.column(Column::new(name, form));
    }
    for name in ["FLUX_G", "FLUX_R", "FLUX_W1", "FLUX_Z"] {
        table = table.column(Column::new(name, "E"));
    }
    let table = table.rows(fluxes.len(), |row, cells| {
        cells.put("0001m002").put("SER").put(row as i32).put(0.1).put(-0.1).put(0_i32);
        cells.put(3_i16).put(3_i16).put(3_i16).put(1.0_f32).put(1.0_f32).put(1.0_f32).put(fluxes[row]);
    });
    let sweep = dir.path().join("sweep.fits");
    std::fs::write(&sweep, table.to_bytes()).unwrap();
    let ids = |name: &str, more: &str| {
        let out = dir.path().join(name);
        pool(config(more), std::slice::from_ref(&sweep), &no_lenses(dir.path()), &out);
        (
            texts(&out, "galaxy_id"),
            batches(&out).iter().map(|b| column(b, "mag_z").null_count() as u64).sum::<u64>(),
        )
    };
    // Magnitude 20 itself is not brighter than 20; a little more flux is. An infinite flux is very bright.
    let bright = ["0001m002_0", "0001m002_4", "0001m002_6"].map(str::to_owned).to_vec();
    assert_eq!(ids("drop", ""), (bright, 0));
    let kept = [0, 1, 2, 3, 4, 6].map(|i| format!("0001m002_{i}")).to_vec();
    assert_eq!(ids("keep", "filters: {nan_z_mag: keep}\n"), (kept, 3));
}

#[test]
fn a_broken_sweep_is_listed_and_the_rest_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let (mut files, lenses, out) = (sweeps(dir.path(), 1000), no_lenses(dir.path()), dir.path().join("pool"));
    let whole = std::fs::read(&files[0]).unwrap();
    files.push(dir.path().join("sweep-160p000-165p005.fits"));
    std::fs::write(&files[2], &whole[..whole.len() / 2]).unwrap();
    files.push(dir.path().join("absent.fits"));
    let report = pool_of(config("")).run(&files, std::slice::from_ref(&lenses), &out, &()).unwrap();
    let classes: Vec<_> = report.sweeps.iter().map(|s| s.failure.as_ref().map(|e| e.class())).collect();
    assert_eq!(classes, [None, None, Some(ErrorClass::BadData), Some(ErrorClass::Missing)]);
    assert_eq!(report.total.rows, 2000);
    assert_eq!(names(&out), ["sweep-150p000-155p005.parquet", "sweep-155p000-160p005.parquet"]);
    let draw = draw(relaxed());
    let error = draw.run(&out, &lenses, &dir.path().join("s.parquet"), &()).unwrap_err();
    assert!(error.to_string().contains("has no _SUCCESS"), "{error}");

    // What is there is kept, and made anew under other rules.
    files.truncate(2);
    let again = pool_of(config("")).run(&files, std::slice::from_ref(&lenses), &out, &()).unwrap();
    assert!(again.sweeps.iter().all(|s| s.skipped) && again.total == report.total);
    let other = pool_of(config("filters: {nobs_min: 4}\n")).run(&files, &[lenses], &out, &()).unwrap();
    assert!(other.sweeps.iter().all(|s| !s.skipped));
}

#[test]
fn threads_change_no_byte_of_the_pool() {
    let dir = tempfile::tempdir().unwrap();
    let (files, lenses) = (sweeps(dir.path(), 2000), no_lenses(dir.path()));
    let bytes = |threads: usize| {
        let out = dir.path().join(threads.to_string());
        on_threads(threads, || pool(deep(""), &files, &lenses, &out));
        names(&out).iter().map(|name| std::fs::read(out.join(name)).unwrap()).collect::<Vec<_>>()
    };
    assert!(bytes(1) == bytes(2));
}

#[test]
fn small_real_sweeps_are_read_or_refused_by_name() {
    let Some(dr8) = shared("data/sweeps/dr8_sweep-310m005-320p000.fits") else { return };
    let (Some(dr9), Some(dr7)) = (
        shared("data/sweeps/dr9north_tractor-1054p567.fits"),
        shared("data/sweeps/dr7_2018-10-17_sweep-190m005-200p000.fits"),
    ) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let config = format!("{CONFIG}filters: {{dec_min: -90, dec_max: 90, nobs_min: 0}}\n")
        .replace("z_mag_limit: 20.0", "z_mag_limit: 30.0")
        .replace("exclude_maskbits: [1, 5, 6, 7, 11, 12, 13]", "exclude_maskbits: []");
    let config: SamplingConfig = config.parse().unwrap();
    let report =
        pool_of(config).run(&[dr8, dr9, dr7], &[no_lenses(dir.path())], &dir.path().join("p"), &()).unwrap();
    assert_eq!(report.sweeps[0].counts.rows, 6);
    assert!(report.sweeps[0].absent.contains(&"psfsize_g") && report.sweeps[0].absent.contains(&"sersic"));
    assert!(report.sweeps[1].error.is_none() && report.sweeps[1].absent.is_empty());
    let failed = report.sweeps[2].error.as_deref().unwrap_or_default();
    assert!(failed.contains("maskbits"), "{failed}");
}

fn draw(config: SamplingConfig) -> Draw {
    Draw { config, seed: None, ranking: Ranking::Xxh3, timestamp: None, incomplete: false }
}

/// A pool of two sweeps, and positives that are few enough for it.
fn survey(dir: &Path) -> (PathBuf, PathBuf) {
    let out = dir.join("pool");
    pool(relaxed(), &sweeps(dir, 6000), &no_lenses(dir), &out);
    let mut positives = "type,nobs_z,ra,dec\n".to_owned();
    for (kind, nobs, n) in [("REX", 4, 3), ("DEV", 4, 1), ("SER", 4, 1), ("REX ", 8, 2)] {
        positives.push_str(&format!("{kind},{nobs},10,-80\n").repeat(n));
    }
    (out, file(dir, "positives.csv", &positives))
}

fn relaxed() -> SamplingConfig {
    // Ten negatives a positive; one set, since shares of a few dozen galaxies are far off by chance.
    let text = CONFIG
        .replace("z_mag_limit: 20.0", "z_mag_limit: 22.5")
        .replace("neg_pos_ratio: 100", "neg_pos_ratio: 10")
        .replace("{train: 0.70, val: 0.15, test: 0.15}", "{train: 1, val: 0, test: 0}");
    text.parse().unwrap()
}

fn sample(dir: &Path, draw: &Draw, pool: &Path, positives: &Path, name: &str) -> (Drawn, PathBuf) {
    let out = dir.join(name);
    let drawn = draw.run(pool, positives, &out, &()).unwrap();
    (drawn, out)
}

/// What a sample should be: sort all of a stratum, take the first.
fn by_hand(pool: &Path, drawn: &Drawn, seed: i64) -> BTreeSet<String> {
    let mut strata: BTreeMap<(String, String, String), Vec<(u64, String)>> = BTreeMap::new();
    let (ids, bins, kinds, pools) =
        (texts(pool, "galaxy_id"), texts(pool, "nobs_z_bin"), texts(pool, "type_bin"), texts(pool, "pool"));
    for i in 0..ids.len() {
        let key = (bins[i].clone(), kinds[i].clone(), pools[i].clone());
        strata.entry(key).or_default().push((SeededHash::new(seed).text(&ids[i]), ids[i].clone()));
    }
    strata.values_mut().for_each(|s| s.sort());
    let mut all = BTreeSet::new();
    for s in &drawn.strata {
        let get = |pool: &str| {
            strata
                .get(&(s.nobs_z_bin.clone(), s.type_bin.clone(), pool.to_owned()))
                .cloned()
                .unwrap_or_default()
        };
        let (n1, n2) = (get("N1"), get("N2"));
        let wanted_n1 = (s.target as usize * 85) / 100;
        let wanted_n2 = s.target as usize - wanted_n1;
        let n2: Vec<_> = n2.into_iter().take(wanted_n2).collect();
        let fill = wanted_n2 - n2.len();
        all.extend(n1.into_iter().take(wanted_n1 + fill).chain(n2).map(|(_, id)| id));
    }
    all
}

#[test]
fn a_sample_is_the_first_of_every_stratum() {
    let dir = tempfile::tempdir().unwrap();
    let (pool, positives) = survey(dir.path());
    let (drawn, out) = sample(dir.path(), &draw(relaxed()), &pool, &positives, "s.parquet");
    assert!(drawn.written, "{:#?}", drawn.validation.gates);
    assert_eq!((drawn.positives, drawn.rows), (7, 70));
    let rex =
        drawn.strata.iter().find(|s| (s.nobs_z_bin.as_str(), s.type_bin.as_str()) == ("3-5", "REX")).unwrap();
    assert_eq!((rex.positives, rex.target, rex.n1_target, rex.n2_target), (3, 30, 25, 5));
    let ids = texts(&out, "galaxy_id");
    assert!(ids.is_sorted());
    assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), by_hand(&pool, &drawn, 42));
    let source = Source::open(&out).unwrap();
    assert_eq!(source.columns().unwrap().len(), 50);
    let targets = source.metadata().unwrap().into_iter().find(|(k, _)| k == "coaddkit.targets").unwrap().1;
    assert!(targets.contains("\"n1_target\":25"));

    // Another seed: another sample, the same splits.
    let other = Draw { seed: Some(7), ..draw(relaxed()) };
    let (drawn7, out7) = sample(dir.path(), &other, &pool, &positives, "s7.parquet");
    let ids7: BTreeSet<_> = texts(&out7, "galaxy_id").into_iter().collect();
    assert_eq!(ids7, by_hand(&pool, &drawn7, 7));
    assert_ne!(ids7, by_hand(&pool, &drawn, 42));
    let validation = Validate::new(&relaxed()).file(&out7, &()).unwrap();
    assert!(
        validation.gates.iter().filter(|g| g.name == "splits" || g.name == "row_count").all(|g| g.passed)
    );
}

#[test]
fn n2_is_filled_up_from_n1_and_n1_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (pool, _) = survey(dir.path());
    // As many positives as make every N2 run out, and in one stratum N1 too.
    let positives = file(
        dir.path(),
        "many.csv",
        &("type_bin,nobs_z_bin\n".to_owned() + &"REX,3-5\n".repeat(60) + &"SER,6-10\n".repeat(100)),
    );
    let error = draw(relaxed()).run(&pool, &positives, &dir.path().join("s.parquet"), &()).map(|d| d.written);
    assert!(!error.unwrap(), "too few rows are a critical gate");
    assert!(!dir.path().join("s.parquet").exists());
    let drawn = draw(relaxed()).run(&pool, &positives, &dir.path().join("s.parquet"), &()).unwrap();
    for s in &drawn.strata {
        assert!(s.n2 == s.n2_available.min(s.n2_target) && s.n1 <= s.n1_available);
        assert_eq!(s.backfill, (s.n2_target - s.n2).min(s.n1_available - s.n1_target.min(s.n1_available)));
    }
    let ser = drawn.strata.iter().find(|s| s.type_bin == "SER").unwrap();
    assert!(ser.n1 == ser.n1_available && ser.n1 + ser.n2 < ser.target && ser.backfill == 0, "{ser:?}");
}

/// The pool again, its rows in another order and other files.
fn reshard(pool: &Path, out: &Path, files: usize, seed: u64) {
    std::fs::create_dir(out).unwrap();
    let mut rng = Rng::new(seed);
    let mut slices = Vec::new();
    for batch in batches(pool) {
        let mut at = 0;
        while at < batch.num_rows() {
            let n = (1 + rng.below(700) as usize).min(batch.num_rows() - at);
            slices.push(batch.slice(at, n));
            at += n;
        }
    }
    for i in (1..slices.len()).rev() {
        slices.swap(i, rng.below(i as u32 + 1) as usize);
    }
    for (k, part) in slices.chunks(slices.len().div_ceil(files)).enumerate() {
        let path = out.join(format!("{k}.parquet"));
        let mut writer =
            TableWriter::create(&path, &NEGATIVE_POOL, &Layout::default(), &Provenance::new()).unwrap();
        part.iter().for_each(|batch| writer.write(batch).unwrap());
        writer.finish().unwrap();
    }
    std::fs::write(out.join("_SUCCESS"), "").unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]
    #[test]
    fn shards_and_threads_change_no_sample(seed in any::<u64>(), files in 1_usize..7, threads in 1_usize..5, spark in any::<bool>()) {
        let dir = tempfile::tempdir().unwrap();
        let (pool, positives) = survey(dir.path());
        let mut draw = draw(relaxed());
        draw.ranking = if spark { Ranking::SparkMurmur3 } else { Ranking::Xxh3 };
        let (_, whole) = sample(dir.path(), &draw, &pool, &positives, "whole.parquet");
        let cut = dir.path().join("cut");
        reshard(&pool, &cut, files, seed);
        let (_, other) = on_threads(threads, || sample(dir.path(), &draw, &cut, &positives, "other.parquet"));
        prop_assert!(compare(&whole, &other, &()).unwrap().is_same());
    }
}

#[test]
fn galaxies_that_stand_twice_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (pool, positives) = survey(dir.path());
    let twice = dir.path().join("twice");
    std::fs::create_dir(&twice).unwrap();
    std::fs::write(twice.join("_SUCCESS"), "").unwrap();
    for (name, to) in
        [("sweep-150p000-155p005.parquet", "a.parquet"), ("sweep-150p000-155p005.parquet", "b.parquet")]
    {
        std::fs::copy(pool.join(name), twice.join(to)).unwrap();
    }
    let error = draw(relaxed()).run(&twice, &positives, &dir.path().join("s.parquet"), &()).unwrap_err();
    assert_eq!(error.class(), ErrorClass::BadData);
    assert!(
        error.to_string().contains("stands here twice: row ") && error.to_string().contains("b.parquet"),
        "{error}"
    );
    for (text, says) in [
        ("name,ra\nx,1\n", "has neither type_bin and nobs_z_bin nor type and nobs_z; there are: name, ra"),
        ("type,nobs_z\n", "holds no positive"),
        ("type_bin,nobs_z_bin\nOTHER,1-2\n", "no galaxy of the pool is in a stratum of the positives"),
    ] {
        let positives = file(dir.path(), "odd.csv", text);
        let error = draw(relaxed()).run(&pool, &positives, &dir.path().join("s.parquet"), &()).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
    assert!(!dir.path().join("s.parquet").exists());
}

#[test]
fn gates_see_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let (pool, positives) = survey(dir.path());
    let (_, out) = sample(dir.path(), &draw(relaxed()), &pool, &positives, "s.parquet");
    let source = Source::open(&out).unwrap();
    let rows = source.read(NEGATIVE_SAMPLE.fields()).unwrap();
    let good = &rows[0].batch;
    let failing = |name: &str, change: &dyn Fn(&mut Vec<ArrayRef>)| {
        let mut columns = good.columns().to_vec();
        change(&mut columns);
        // Everything may be null here: bad files are what the gates are for.
        let fields: Vec<_> = NEGATIVE_SAMPLE.fields().iter().map(|f| f.null("")).collect();
        let schema = coaddkit_manifest::Schema::new("negative_sample", 1, &fields);
        let path = dir.path().join("bad.parquet");
        let mut writer = TableWriter::create(&path, &schema, &Layout::default(), &Provenance::new()).unwrap();
        writer.write(&RecordBatch::try_new(schema.arrow(), columns).unwrap()).unwrap();
        writer.finish().unwrap();
        let mut validate = Validate::new(&relaxed());
        validate.positives = vec![coaddkit_sky::SkyCoord::from_degrees(10.0, -80.0).unwrap()];
        let validation = validate.file(&path, &()).unwrap();
        let failed: Vec<_> = validation
            .gates
            .iter()
            .filter(|g| !g.passed && g.severity == Severity::Critical)
            .map(|g| g.name.clone())
            .collect();
        let expected = name.is_empty() || failed.iter().any(|f| f == name);
        assert!(expected, "{name}: {failed:?}");
        failed
    };
    let base = failing("", &|_| {});
    assert!(base.is_empty() || base == ["split_shares_far_off"], "{base:?}");
    let at = |name: &str| NEGATIVE_SAMPLE.index_of(name).unwrap();
    let text = |c: &ArrayRef, change: &dyn Fn(usize, &str) -> Option<String>| -> ArrayRef {
        Arc::new(StringArray::from_iter(
            c.as_string::<i32>().iter().enumerate().map(|(i, v)| v.and_then(|v| change(i, v))),
        ))
    };
    let set = |c: &mut Vec<ArrayRef>, name: &str, change: &dyn Fn(usize, &str) -> Option<String>| {
        c[at(name)] = text(&c[at(name)], change)
    };
    failing("no_duplicates", &|c| {
        set(c, "galaxy_id", &|i, v| Some(if i < 2 { "same".into() } else { v.into() }))
    });
    failing("no_nulls", &|c| set(c, "pool", &|i, v| (i != 3).then(|| v.into())));
    failing("splits", &|c| set(c, "split", &|_, v| Some(if v == "train" { "test" } else { "train" }.into())));
    failing("classes", &|c| set(c, "type_bin", &|i, v| Some(if i == 5 { "OTHER".into() } else { v.into() })));
    failing("types", &|c| set(c, "type", &|i, v| Some(if i == 5 { "PSF".into() } else { v.into() })));
    failing("cells", &|c| {
        let cells = c[at("healpix_64")].as_primitive::<Int64Type>().unary::<_, Int64Type>(|v| v + 1);
        c[at("healpix_64")] = Arc::new(cells);
    });
    failing("z_mag", &|c| {
        let mags = c[at("mag_z")].as_primitive::<Float32Type>().unary::<_, Float32Type>(|v| v + 3.0);
        c[at("mag_z")] = Arc::new(mags);
    });
    failing("exposures", &|c| {
        c[at("nobs_z")] = Arc::new(c[at("nobs_z")].as_primitive::<Int32Type>().unary::<_, Int32Type>(|_| 2))
    });
    failing("maskbits", &|c| {
        c[at("maskbits")] =
            Arc::new(c[at("maskbits")].as_primitive::<Int32Type>().unary::<_, Int32Type>(|_| 1 << 12))
    });
    failing("ra_range", &|c| {
        c[at("ra")] = Arc::new(Float64Array::from_iter_values(
            c[at("ra")].as_primitive::<Float64Type>().values().iter().map(|v| v + 300.0),
        ))
    });
    failing("known_lenses", &|c| {
        c[at("ra")] = Arc::new(Float64Array::from(vec![10.0; c[0].len()]));
        c[at("dec")] = Arc::new(Float64Array::from(vec![-80.003; c[0].len()]));
    });
    // A file of other columns.
    let csv = Validate::new(&relaxed()).file(&positives, &()).unwrap();
    assert_eq!((csv.gates.len(), csv.is_fatal()), (1, true));
    assert!(csv.gates[0].found.starts_with("galaxy_id is missing; "), "{}", csv.gates[0].found);
}

#[test]
fn a_report_has_pictures() {
    let dir = tempfile::tempdir().unwrap();
    let (pool, positives) = survey(dir.path());
    let (drawn, _) = sample(dir.path(), &draw(relaxed()), &pool, &positives, "s.parquet");
    let folder = dir.path().join("report");
    drawn.validation.write(&folder).unwrap();
    assert_eq!(
        names(&folder),
        [
            "magnitude.png",
            "nobs.png",
            "pool.png",
            "report.json",
            "report.md",
            "sky.png",
            "split.png",
            "type.png"
        ]
    );
    for name in names(&folder).iter().filter(|n| n.ends_with(".png")) {
        let decoder =
            png::Decoder::new(std::io::BufReader::new(std::fs::File::open(folder.join(name)).unwrap()));
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        let colors: BTreeSet<_> = pixels.chunks(3).collect();
        assert!(colors.len() > 2, "{name} is empty");
    }
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("report.json")).unwrap()).unwrap();
    for key in [
        "timestamp",
        "total_rows",
        "unique_galaxies",
        "pool_distribution",
        "split_distribution",
        "type_distribution",
        "nobs_distribution",
        "ra_range",
        "dec_range",
        "git_commits",
    ] {
        assert!(!json[key].is_null(), "{key}");
    }
    let text = std::fs::read_to_string(folder.join("report.md")).unwrap();
    assert!(text.contains("| row_count | critical | yes | 63 or more, 90 % of 70 | 70 |"), "{text}");
}

#[test]
fn positives_get_the_strata_of_their_rows() {
    let dir = tempfile::tempdir().unwrap();
    let files = sweeps(dir.path(), 2000);
    let out = dir.path().join("pool");
    pool(deep(""), &files, &no_lenses(dir.path()), &out);
    let (ids, ra, dec, kinds, bins) = (
        texts(&out, "galaxy_id"),
        reals(&out, "ra"),
        reals(&out, "dec"),
        texts(&out, "type_bin"),
        texts(&out, "nobs_z_bin"),
    );
    let pick: Vec<usize> = (0..ids.len()).step_by(ids.len() / 5).collect();
    let mut csv = "RA,DEC\n1,1\n".to_owned();
    pick.iter().for_each(|&i| csv.push_str(&format!("{:?},{:?}\n", ra[i], dec[i] + 0.5 / 3600.0)));
    let lenses = file(dir.path(), "lenses.csv", &csv);
    let matched = dir.path().join("matched.parquet");
    let job = MatchPositives { config: deep(""), radius_arcsec: 1.0 };
    let report = job.run(&files, &[lenses], &matched, &()).unwrap();
    assert_eq!(
        (report.positives, report.matched, report.sweeps),
        (1 + pick.len() as u64, pick.len() as u64, 2)
    );
    let rows =
        Source::open(&matched).unwrap().read(coaddkit_manifest::negatives::POSITIVES.fields()).unwrap();
    let text = |i: usize| {
        rows[0].batch.column(i).as_string::<i32>().iter().map(|v| v.unwrap().to_owned()).collect::<Vec<_>>()
    };
    let of = |all: &[String]| pick.iter().map(|&i| all[i].clone()).collect::<Vec<_>>();
    assert_eq!(text(3), of(&ids));
    assert_eq!(text(7), of(&kinds));
    assert_eq!(text(8), of(&bins));
    let apart = rows[0].batch.column(4).as_primitive::<Float64Type>();
    assert!(apart.values().iter().all(|a| (a - 0.5).abs() < 1e-6));
}

#[test]
fn mistakes_in_a_configuration_name_the_key() {
    let refused = |from: &str, to: &str, says: &str| {
        assert!(CONFIG.contains(from), "{from}");
        let error = CONFIG.replacen(from, to, 1).parse::<SamplingConfig>().unwrap_err();
        assert!(error.class() == ErrorClass::BadData && error.to_string().contains(says), "{error}");
    };
    refused("[85, 15]", "[85, 16]", "negative_pools.n1_n2_ratio: 85 and 16 are not 100 together");
    refused("train: 0.70", "train: 0.75", "spatial_splits.allocations: ");
    refused("neg_pos_ratio", "neg_pos_rato", "unknown field `neg_pos_rato`");
    refused("nside: 128", "nside: 100", "spatial_splits.nside: ");
    refused("nside: 128", "nside: large", "invalid type: string \"large\"");
    refused("[3, 5]", "[2, 5]", "negative_pools.pool_n1.nobs_z_bins: ");
    refused("sha256_modulo", "md5", "spatial_splits.hash_method: must be sha256_modulo");
    refused("12, 13]", "12, 12]", "exclusion.exclude_maskbits: has 12 twice");
    refused(
        "z_mag_limit: 20.0",
        "z_mag_limit: .nan",
        "negative_pools.pool_n1.z_mag_limit: is no finite number",
    );
    refused("version: \"1.0.0\"", "version: \"1.0.0\"\nversion: \"2\"", "duplicated key");
    refused(
        "version: \"1.0.0\"",
        "version: \"1.0.0\"\nfilters: {dec_min: 5, dec_max: 5}",
        "filters.dec_min: is 5, not below dec_max, 5",
    );
    refused(
        "version: \"1.0.0\"",
        "schema: {level1_manifest: [{name: ra, type: float32, nullable: false}]}\nversion: \"1\"",
        "schema.level1_manifest.ra: is float32, but float64 is written",
    );
    let example = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/configs/negative_sampling_v1.yaml"),
    )
    .unwrap();
    let example: SamplingConfig = example.parse().unwrap();
    assert_eq!(example.filters, config("").filters);
    assert_ne!(example.sha256(), config("").sha256());
    // Comments change nothing, values do.
    assert_eq!(config("# a comment\n").sha256(), config("").sha256());
    assert_ne!(deep("").sha256(), config("").sha256());
}
