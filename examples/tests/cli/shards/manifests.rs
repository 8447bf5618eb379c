//! Pools, samples and stages in shards: the same files as of one process, to the byte.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use coaddkit_testkit::{SkyBox, Store, Sweep};

use crate::injection::{injection, survey};
use crate::negatives::{configure, lenses, negatives};
use crate::{Ran, run};

const NEGATIVES: &str = env!("CARGO_BIN_EXE_negative-sampling");
const INJECTION: &str = env!("CARGO_BIN_EXE_injection-manifest");

/// Every file below a folder but the account of the run.
fn products(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(dir: &Path, below: &str, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            let name = format!("{below}{}", entry.file_name().to_str().unwrap());
            match entry.path().is_dir() {
                true if name == "parts" => {}
                true => walk(&entry.path(), &format!("{name}/"), found),
                false => _ = found.insert(name, std::fs::read(entry.path()).unwrap()),
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(dir, "", &mut found);
    found
}

/// Three sweeps, and the options of a pool of them.
fn sweeps(dir: &Path) -> Vec<&'static str> {
    configure(dir);
    for (i, ra) in [150.0, 155.0, 160.0].into_iter().enumerate() {
        let area = SkyBox { ra_min_deg: ra, ra_max_deg: ra + 5.0, dec_min_deg: 0.0, dec_max_deg: 5.0 };
        Sweep { area, ..Sweep::new(9 + i as u64, 3000) }.write(&dir.join(format!("sweep-{i}.fits"))).unwrap();
    }
    std::fs::write(dir.join("far.csv"), "ra,dec\n10,-80\n").unwrap();
    let files = ["--sweeps", "sweep-2.fits", "sweep-0.fits", "sweep-1.fits"];
    [&["pool"], &files[..], &["--positives", "far.csv", "--config", "c.yaml", "--json"]].concat()
}

#[test]
fn pools_are_those_of_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let pool = sweeps(dir);
    let one = negatives(dir, &[&pool[..], &["--out", "one"]].concat());
    assert_eq!(one.code, 0, "{}", one.stderr);
    let shard = |out, index| {
        negatives(dir, &[&pool[..], &["--out", out, "--shards", "2", "--shard", index]].concat())
    };
    for index in ["1", "0", "1"] {
        let ran = shard("split", index);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(!dir.join("split/_SUCCESS").exists(), "a pool in parts is not whole");
    }
    let sample =
        ["sample", "--pool", "split", "--positives", "far.csv", "--config", "c.yaml", "--out", "s.parquet"];
    assert_eq!(negatives(dir, &sample).code, 66);
    let merged = negatives(dir, &["merge", "split", "--json"]);
    assert_eq!(merged.code, 0, "{}", merged.stderr);
    assert!(products(&dir.join("split")) == products(&dir.join("one")));
    let pool_of = |ran: &Ran| {
        let mut report = ran.report()["pool"].clone();
        report["sweeps"].as_array_mut().unwrap().iter_mut().for_each(|sweep| sweep["skipped"] = false.into());
        report
    };
    assert_eq!(pool_of(&merged), pool_of(&one));

    // One is damaged: its shard says so, and so does the merge, which marks nothing.
    let bytes = std::fs::read(dir.join("sweep-1.fits")).unwrap();
    std::fs::write(dir.join("sweep-1.fits"), &bytes[..9000]).unwrap();
    let codes = ["0", "1"].map(|index| shard("torn", index).code);
    assert_eq!(codes, [0, 65]);
    let merged = negatives(dir, &["merge", "torn", "--json"]);
    assert_eq!(merged.code, 65, "{}", merged.stderr);
    assert_eq!(merged.report()["failures"][0]["item"], "sweep-1.fits");
    assert!(!dir.join("torn/_SUCCESS").exists());
    std::fs::write(dir.join("sweep-1.fits"), bytes).unwrap();
    let again = shard("torn", "1");
    assert_eq!((again.code, &again.report()["to_do"]), (0, &1.into()), "{}", again.stderr);
    assert_eq!(negatives(dir, &["merge", "torn"]).code, 0);
    assert!(products(&dir.join("torn")) == products(&dir.join("one")));
}

#[test]
fn samples_are_those_of_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    assert_eq!(negatives(dir, &[&sweeps(dir)[..], &["--out", "pool"]].concat()).code, 0);
    std::fs::write(dir.join("lenses.csv"), format!("ra,dec\n{}", lenses(dir))).unwrap();
    let matched = [
        "positives",
        "--sweeps",
        "sweep-0.fits",
        "sweep-1.fits",
        "sweep-2.fits",
        "--positives",
        "lenses.csv",
        "--config",
        "c.yaml",
        "--out",
        "matched.parquet",
    ];
    let ran = negatives(dir, &matched);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let sample =
        ["sample", "--pool", "pool", "--positives", "matched.parquet", "--config", "c.yaml", "--seed", "7"];
    let one = negatives(dir, &[&sample[..], &["--out", "one.parquet", "--json"]].concat());
    let counts = one.report()["counts"].clone();
    assert!(one.code == 0 && counts["rows"].as_u64().unwrap() > 0, "{}", one.stderr);
    for (out, shards) in [("s1", "1"), ("s2", "2"), ("s5", "5")] {
        for index in (0..shards.parse().unwrap()).rev() {
            let index = i32::to_string(&index);
            let ran = negatives(
                dir,
                &[&sample[..], &["--out", out, "--shards", shards, "--shard", &index]].concat(),
            );
            assert_eq!(ran.code, 0, "{}", ran.stderr);
        }
        let merged = negatives(dir, &["merge", out, "--out", "merged.parquet", "--json"]);
        assert_eq!(merged.code, 0, "{}", merged.stderr);
        assert_eq!(merged.report()["counts"], counts);
        let read = |name: &str| std::fs::read(dir.join(name)).unwrap();
        assert!(read("merged.parquet") == read("one.parquet"), "{shards} shards");
        assert!(products(&dir.join("merged.validation")) == products(&dir.join("one.validation")));
    }
    // A merge without a place for the sample, and one of a pool that has changed.
    assert_eq!(negatives(dir, &["merge", "s2"]).code, 2);
    std::fs::remove_file(dir.join("pool/sweep-2.parquet")).unwrap();
    let ran = negatives(dir, &["merge", "s2", "--out", "changed.parquet"]);
    assert!(ran.code == 65 && !dir.join("changed.parquet").exists(), "{}: {}", ran.code, ran.stderr);
}

#[test]
fn stages_are_those_of_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    survey(dir);
    let build = ["build", "--config", "stage.toml", "--csv", "--timestamp", "2026-01-01T00:00:00Z", "--json"];
    let one = injection(dir, &[&build[..], &["--out", "one"]].concat());
    assert_eq!(one.code, 0, "{}", one.stderr);
    let shard = |out: &str, index| {
        injection(dir, &[&build[..], &["--out", out, "--shards", "2", "--shard", index]].concat())
    };
    assert_eq!(shard("split", "1").code, 0);
    let early = injection(dir, &["merge", "split"]);
    assert!(early.code == 66 && early.stderr.contains("missing of 2 shards: 0"), "{}", early.stderr);
    assert_eq!(shard("split", "0").code, 0);
    let merged = injection(dir, &["merge", "split", "--json"]);
    assert_eq!(merged.code, 0, "{}", merged.stderr);
    assert!(products(&dir.join("split")) == products(&dir.join("one")));
    let counts =
        |ran: &Ran| (ran.report()["counts"]["tasks"].clone(), ran.report()["counts"]["bricks"].clone());
    assert_eq!(counts(&merged), counts(&one));
    // A manifest that is gone is named.
    let gone = "manifests/debug_stamp64_bandsgrz_gridgrid_small/part-00000.parquet";
    std::fs::remove_file(dir.join("split").join(gone)).unwrap();
    let ran = injection(dir, &["merge", "split"]);
    assert!(ran.code == 65 && ran.stderr.contains(gone), "{}: {}", ran.code, ran.stderr);
}

/// What is made in a bucket is what is made in a folder.
#[test]
fn a_bucket_is_enough() {
    let Some(store) = Store::s3s_fs() else { return };
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let far = |program: &str, args: &[&str]| {
        let out =
            Command::new(program).args(args).current_dir(dir).envs(store.environment()).output().unwrap();
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    };
    let pool = sweeps(dir);
    survey(dir);
    let build = ["build", "--config", "stage.toml", "--timestamp", "2026-01-01T00:00:00Z"];
    for (program, job, name) in [(NEGATIVES, &pool[..], "pool"), (INJECTION, &build[..], "stage")] {
        assert_eq!(run(program, &[job, &["--out", name]].concat(), dir).code, 0);
        let out = format!("s3://cache/{name}");
        for index in ["0", "1", "2"] {
            far(program, &[job, &["--out", &out, "--shards", "3", "--shard", index]].concat());
        }
        far(program, &["merge", &out]);
        let there = products(&store.folder().unwrap().join(name));
        let here = products(&dir.join(name));
        assert_eq!(there.keys().collect::<Vec<_>>(), here.keys().collect::<Vec<_>>());
        assert!(there == here, "{name}");
    }
}
