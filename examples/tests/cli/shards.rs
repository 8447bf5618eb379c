//! Jobs in shards: whatever the number of shards, their order and repeats, the merged products are those of one process.

mod manifests;

use std::path::Path;
use std::process::Command;

use coaddkit_testkit::{MINIATURE_SWEEPS, Store};
use serde_json::Value;

use crate::{Ran, fixture, run};

const LRG_DENSITY: &str = env!("CARGO_BIN_EXE_lrg-density");

/// A folder with the miniature sweeps and a list of them, and what one process counts.
fn miniature(more: &[&str]) -> (tempfile::TempDir, String, Value) {
    let dir = tempfile::tempdir().unwrap();
    for name in MINIATURE_SWEEPS {
        std::fs::copy(fixture(name), dir.path().join(name)).unwrap();
    }
    let list: Vec<&str> = MINIATURE_SWEEPS.into_iter().chain(more.iter().copied()).collect();
    std::fs::write(dir.path().join("list.txt"), list.join("\n")).unwrap();
    let ran = run(LRG_DENSITY, &["count", "--list", "list.txt", "--out", "one.csv", "--json"], dir.path());
    let (counts, report) = product(dir.path(), "one");
    assert_eq!(report["exit_code"], ran.code);
    (dir, counts, report)
}

/// The counts, and the report without what differs by right: times, and the order of the files.
fn product(dir: &Path, name: &str) -> (String, Value) {
    let counts = std::fs::read_to_string(dir.join(format!("{name}.csv"))).unwrap();
    let report = std::fs::read(dir.join(format!("{name}.report.json"))).unwrap();
    let mut report: Value = serde_json::from_slice(&report).unwrap();
    report["counts"] = Value::Null;
    let files = report["files"].as_array_mut().unwrap();
    files.iter_mut().for_each(|file| file["seconds"] = 0.into());
    files.sort_by_key(|file| file["path"].as_str().unwrap().to_owned());
    (counts, report)
}

fn count(dir: &Path, out: &str, index: u32, shards: u32) -> Ran {
    let (index, shards) = (index.to_string(), shards.to_string());
    let args =
        ["count", "--list", "list.txt", "--out", out, "--shards", &shards, "--shard", &index, "--json"];
    run(LRG_DENSITY, &args, dir)
}

#[test]
fn counts_are_those_of_one_process() {
    let (dir, counts, report) = miniature(&[]);
    let dir = dir.path();
    for (shards, order) in [(1, &[0][..]), (2, &[1, 0]), (3, &[2, 0, 1, 0, 2]), (7, &[6, 5, 4, 3, 2, 1, 0])] {
        let out = format!("d{shards}");
        for &index in order {
            let ran = count(dir, &out, index, shards);
            assert_eq!(ran.code, 0, "{}", ran.stderr);
            assert_eq!(ran.report()["shard"], serde_json::json!({"index": index, "count": shards}));
        }
        let ran = run(LRG_DENSITY, &["merge", &out, "--out", "merged.csv"], dir);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(product(dir, "merged") == (counts.clone(), report.clone()), "{shards} shards");
    }
    let repeated = count(dir, "d3", 0, 3);
    assert_eq!(repeated.report()["to_do"], 0);
    // Another cut is another run, and so is another number of shards.
    let args =
        ["count", "--list", "list.txt", "--out", "d3", "--shards", "3", "--shard", "0", "--variant", "v5"];
    let ran = run(LRG_DENSITY, &args, dir);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("config was"), "{}", ran.stderr);
    assert_eq!(count(dir, "d3", 0, 4).code, 2);
}

#[test]
fn files_that_fail_fail_as_in_one_process() {
    let (dir, ..) = miniature(&[]);
    let dir = dir.path();
    std::fs::write(dir.join("torn.fits"), &std::fs::read(fixture(MINIATURE_SWEEPS[0])).unwrap()[..9000])
        .unwrap();
    std::fs::write(
        dir.join("list.txt"),
        [&MINIATURE_SWEEPS[..], &["torn.fits", "none.fits"]].concat().join("\n"),
    )
    .unwrap();
    let one = run(LRG_DENSITY, &["count", "--list", "list.txt", "--out", "one.csv", "--json"], dir);
    assert_eq!(one.code, 65);
    // Names in order: none, sweeps 1 to 4, torn; so the even shard has what is missing, the odd one what is damaged.
    let codes = [0, 1].map(|index| count(dir, "d", index, 2).code);
    assert_eq!(codes, [66, 65]);
    let status = run(LRG_DENSITY, &["status", "d", "--json"], dir);
    assert_eq!(status.code, 65);
    let counts = &status.report()["counts"];
    assert_eq!((&counts["done"], &counts["failed"], &counts["blocked"]), (&4.into(), &1.into(), &1.into()));
    assert_eq!(run(LRG_DENSITY, &["status", "d", "--unfinished"], dir).stdout, "0-1\n");
    let merged = run(LRG_DENSITY, &["merge", "d", "--out", "merged.csv", "--json"], dir);
    assert_eq!(merged.code, 65);
    assert!(product(dir, "merged") == product(dir, "one"), "{:#}", product(dir, "merged").1);
    let names = |ran: &Ran| {
        let report = ran.report();
        let mut names: Vec<_> = report["failures"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| (f["item"].clone(), f["reason"].clone()))
            .collect();
        names.sort_by_key(|(name, _)| name.to_string());
        names
    };
    assert_eq!(names(&merged), names(&one));
    // Once it is there, only its shard has something to do.
    std::fs::copy(fixture(MINIATURE_SWEEPS[1]), dir.join("none.fits")).unwrap();
    let ran = count(dir, "d", 0, 2);
    assert_eq!((ran.code, &ran.report()["to_do"]), (0, &1.into()));
    assert_eq!(run(LRG_DENSITY, &["status", "d", "--unfinished"], dir).stdout, "1\n");
}

#[test]
fn missing_and_doubled_shards_are_named() {
    let (dir, ..) = miniature(&[]);
    let dir = dir.path();
    let merge = || run(LRG_DENSITY, &["merge", "d", "--out", "merged.csv"], dir);
    assert_eq!(merge().code, 66);
    let unfinished =
        |more: &[&str]| run(LRG_DENSITY, &[&["status", "d", "--unfinished"], more].concat(), dir);
    assert_eq!(unfinished(&["--shards", "5"]).stdout, "0-4\n");
    assert_eq!(unfinished(&[]).code, 66);
    for index in [0, 2] {
        assert_eq!(count(dir, "d", index, 4).code, 0);
    }
    let ran = merge();
    assert_eq!(ran.code, 66);
    assert!(ran.stderr.contains("missing of 4 shards: 1, 3"), "{}", ran.stderr);
    assert_eq!(unfinished(&["--shards", "4"]).stdout, "1,3\n");
    assert_eq!(unfinished(&["--shards", "5"]).code, 2);
    for index in [1, 3] {
        assert_eq!(count(dir, "d", index, 4).code, 0);
    }
    assert_eq!(merge().code, 0);
    let parts = dir.join("d/parts");
    std::fs::copy(parts.join("shard-00001-of-00004.ledger"), parts.join("copy.ledger")).unwrap();
    let ran = merge();
    assert_eq!(ran.code, 65);
    assert!(ran.stderr.contains("shard 1 of 4 is there twice"), "{}", ran.stderr);
    std::fs::remove_file(parts.join("copy.ledger")).unwrap();
    let partials = parts.join("shard-00002-of-00004.partials");
    let mut bytes = std::fs::read(&partials).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&partials, bytes).unwrap();
    let ran = merge();
    assert_eq!(ran.code, 65);
    assert!(ran.stderr.contains("run shard 2 of 4 again"), "{}", ran.stderr);
}

#[test]
fn arrays_number_the_shards() {
    let (dir, counts, _) = miniature(&[]);
    let dir = dir.path();
    let with = |vars: &[(&str, &str)], args: &[&str]| {
        let base = ["count", "--list", "list.txt", "--out", "d", "--quiet"];
        let mut command = Command::new(LRG_DENSITY);
        command.args(base).args(args).current_dir(dir).envs(vars.iter().copied());
        command.output().unwrap().status.code().unwrap()
    };
    let slurm =
        [("SLURM_ARRAY_TASK_ID", "1"), ("SLURM_ARRAY_TASK_COUNT", "3"), ("SLURM_ARRAY_TASK_MAX", "2")];
    assert_eq!(with(&slurm, &[]), 0);
    assert_eq!(with(&[("AWS_BATCH_JOB_ARRAY_INDEX", "0"), ("AWS_BATCH_JOB_ARRAY_SIZE", "3")], &[]), 0);
    assert_eq!(with(&[("JOB_COMPLETION_INDEX", "2")], &[]), 2, "of how many?");
    assert_eq!(with(&[("JOB_COMPLETION_INDEX", "2")], &["--shards", "3"]), 0);
    assert_eq!(run(LRG_DENSITY, &["merge", "d", "--out", "merged.csv"], dir).code, 0);
    assert_eq!(std::fs::read_to_string(dir.join("merged.csv")).unwrap(), counts);
}

/// Machines that share a bucket and no disk: each run has a folder of its own for what is on its way.
#[test]
fn a_bucket_is_enough() {
    let Some(store) = Store::seaweedfs() else { return };
    in_bucket(&store);
}

#[test]
fn another_bucket_is_enough() {
    let Some(store) = Store::s3s_fs() else { return };
    in_bucket(&store);
}

fn in_bucket(store: &Store) {
    let (dir, counts, report) = miniature(&[]);
    let run = |args: &[&str]| {
        let output = Command::new(LRG_DENSITY)
            .args(args)
            .current_dir(dir.path())
            .envs(store.environment())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    };
    const OUT: &str = "s3://cache/runs/lrg";
    assert_eq!(run(&["status", OUT, "--shards", "3", "--unfinished"]).stdout, "0-2\n");
    let count = |index: &str| {
        run(&["count", "--list", "list.txt", "--out", OUT, "--shards", "3", "--shard", index, "--json"])
    };
    for index in ["2", "0"] {
        let ran = count(index);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    let ran = run(&["merge", OUT, "--out", "merged.csv"]);
    assert!(ran.code == 66 && ran.stderr.contains("missing of 3 shards: 1"), "{}", ran.stderr);
    assert_eq!(run(&["status", OUT, "--unfinished"]).stdout, "1\n");
    assert_eq!(count("1").code, 0);
    assert_eq!(count("0").report()["to_do"], 0);
    let ran = run(&["merge", OUT, "--out", "merged.csv"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(product(dir.path(), "merged") == (counts.clone(), report));
    // Nothing of it is on this disk.
    assert!(!dir.path().join("parts").exists());
    // The list and the product may be there too.
    let ran = run(&["merge", OUT, "--out", "s3://cache/runs/lrg/counts.csv"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(store.object("runs/lrg/counts.csv").unwrap(), counts.as_bytes());
    assert!(store.object("runs/lrg/counts.report.json").is_ok());
    let Some(bucket) = store.folder() else { return };
    std::fs::create_dir(bucket.join("in")).unwrap();
    std::fs::write(bucket.join("in/list.txt"), "# from the folder of the list\none.fits\n").unwrap();
    std::fs::copy(fixture(MINIATURE_SWEEPS[0]), bucket.join("in/one.fits")).unwrap();
    let ran = run(&["count", "--list", "s3://cache/in/list.txt", "--out", "far.csv", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.report()["counts"]["done"], 1);
    let ran = run(&["count", "--list", "s3://cache/in/none.txt", "--out", "far.csv"]);
    assert_eq!(ran.code, 66, "{}", ran.stderr);
}

/// What operators do to a run: bring a file later, change one, take the wrong folder, edit a script.
#[test]
fn files_that_come_late_or_change_run_again() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::create_dir(dir.join("data")).unwrap();
    std::fs::copy(fixture(MINIATURE_SWEEPS[0]), dir.join("data/a.fits")).unwrap();
    std::fs::write(dir.join("data/list.txt"), "a.fits\nb.fits\n").unwrap();
    let shard = |index: &str| {
        let args =
            ["count", "--list", "data/list.txt", "--out", "d", "--shards", "2", "--shard", index, "--json"];
        run(LRG_DENSITY, &args, dir)
    };
    let codes = ["0", "1"].map(|index| shard(index).code);
    assert_eq!(codes, [0, 66]);
    std::fs::copy(fixture(MINIATURE_SWEEPS[1]), dir.join("data/b.fits")).unwrap();
    let ran = shard("1");
    assert_eq!((ran.code, &ran.report()["to_do"]), (0, &1.into()), "{}", ran.stderr);
    // Another file under the name is counted anew, and what is as it was is not.
    std::fs::copy(fixture(MINIATURE_SWEEPS[2]), dir.join("data/a.fits")).unwrap();
    assert_eq!(["0", "1"].map(|index| shard(index).report()["to_do"].as_u64()), [Some(1), Some(0)]);
    assert_eq!(run(LRG_DENSITY, &["merge", "d", "--out", "merged.csv"], dir).code, 0);
    assert_eq!(run(LRG_DENSITY, &["count", "--list", "data/list.txt", "--out", "one.csv"], dir).code, 0);
    assert!(product(dir, "merged") == product(dir, "one"));

    for (program, args) in [
        (env!("CARGO_BIN_EXE_desi-tiles"), &["verify", "d"][..]),
        (env!("CARGO_BIN_EXE_desi-tiles"), &["merge", "d", "--out", "x.csv"]),
        (env!("CARGO_BIN_EXE_coadd-cache"), &["status", "d"]),
        (env!("CARGO_BIN_EXE_injection-manifest"), &["merge", "d"]),
        (env!("CARGO_BIN_EXE_negative-sampling"), &["merge", "d"]),
    ] {
        let ran = run(program, args, dir);
        assert!(ran.code == 65 && ran.stderr.contains("a run of lrg-density"), "{args:?}: {}", ran.stderr);
    }

    let emit = |more: &[&str]| {
        run(LRG_DENSITY, &[&["emit", "slurm", "--list", "data/list.txt", "--out", "d"], more].concat(), dir)
    };
    let other = emit(&["--shards", "3"]);
    assert!(other.code == 2 && other.stderr.contains("in 2 shards, not in 3"), "{}", other.stderr);
    assert_eq!(emit(&["--shards", "2"]).code, 0);
    assert_eq!(emit(&["--shards", "2"]).code, 0, "the same again");
    let array = dir.join("d/slurm/array.sbatch");
    let edited = std::fs::read_to_string(&array).unwrap().replace("--nodes=1", "--nodes=1 # mine");
    std::fs::write(&array, &edited).unwrap();
    let ran = emit(&["--shards", "2"]);
    assert!(ran.code == 2 && ran.stderr.contains("array.sbatch is there and differs"), "{}", ran.stderr);
    assert_eq!(emit(&["--shards", "2", "--force"]).code, 0);
    let text = std::fs::read_to_string(&array).unwrap();
    assert!(!text.contains("mine") && !text.contains("--force"), "{text}");
}
