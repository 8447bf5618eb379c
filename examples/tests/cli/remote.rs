//! `lrg-density count` of sweeps on other machines: the same as of the same files here.

use std::path::Path;
use std::process::Command;

use coaddkit_testkit::{Fault, FaultOrigin, Files, MINIATURE_SWEEPS, Store, damage, gunzip};
use serde_json::Value;

use crate::{Ran, fixture, names, run};

const LRG_DENSITY: &str = env!("CARGO_BIN_EXE_lrg-density");

fn origin() -> FaultOrigin {
    FaultOrigin::new(Files::folder(fixture("")))
}

fn addresses(origin: &FaultOrigin) -> Vec<String> {
    MINIATURE_SWEEPS.iter().map(|name| origin.url(name)).collect()
}

fn count(list: &[String], dir: &Path, more: &[&str]) -> Ran {
    std::fs::write(dir.join("list.txt"), list.join("\n")).unwrap();
    std::fs::create_dir_all(dir.join("spool")).unwrap();
    let args = ["count", "--list", "list.txt", "--out", "counts.csv", "--json", "--spool", "spool"];
    let ran = run(LRG_DENSITY, &[&args[..], more].concat(), dir);
    assert_eq!(names(&dir.join("spool")), [""; 0], "something stays in the spool");
    ran
}

/// What the same files give when they are here.
fn local(dir: &Path) -> (String, Value) {
    let sweeps: Vec<String> =
        MINIATURE_SWEEPS.iter().map(|name| fixture(name).to_str().unwrap().to_owned()).collect();
    let args: Vec<&str> =
        ["count", "--out", "local.csv"].into_iter().chain(sweeps.iter().map(|s| &**s)).collect();
    assert_eq!(run(LRG_DENSITY, &args, dir).code, 0);
    product(dir, "local")
}

/// The counts, and the report without what differs by right.
fn product(dir: &Path, name: &str) -> (String, Value) {
    let counts = std::fs::read_to_string(dir.join(format!("{name}.csv"))).unwrap();
    let report = std::fs::read(dir.join(format!("{name}.report.json"))).unwrap();
    let mut report: Value = serde_json::from_slice(&report).unwrap();
    report["counts"] = Value::Null;
    for file in report["files"].as_array_mut().unwrap() {
        file["seconds"] = 0.into();
        let base = file["path"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        file["path"] = base.into();
    }
    (counts, report)
}

#[test]
fn the_same_as_here() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (expected, origin) = (local(dir), origin());
    assert!(expected.0.lines().count() > 50);
    let mut list = addresses(&origin);
    let ran = count(&list, dir, &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(product(dir, "counts") == expected, "{}", product(dir, "counts").1);
    // Some here and some there, in the order of the list.
    list[1] = fixture(MINIATURE_SWEEPS[1]).to_str().unwrap().to_owned();
    assert_eq!(count(&list, dir, &["--threads", "1"]).code, 0);
    assert!(product(dir, "counts") == expected, "{}", product(dir, "counts").1);
    // Through a bad line.
    let sizes = MINIATURE_SWEEPS.map(|name| std::fs::metadata(fixture(name)).unwrap().len());
    origin.fault(Fault::ResetAt(sizes[0] / 2).everywhere().first(1));
    origin.fault(Fault::Status(503).on(MINIATURE_SWEEPS[2]).first(1));
    origin.fault(Fault::HtmlPage.on(MINIATURE_SWEEPS[3]).first(1));
    assert_eq!(count(&addresses(&origin), dir, &[]).code, 0);
    assert!(product(dir, "counts") == expected, "{}", product(dir, "counts").1);
}

#[test]
fn what_cannot_be_counted() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let origin = origin();
    let mut list = addresses(&origin);
    let read = |name| std::fs::read(fixture(name)).unwrap();
    list.push(origin.url("absent.fits"));
    let ran = count(&list, dir, &[]);
    assert_eq!(ran.code, 66, "{}", ran.stderr);
    let report = ran.report();
    assert_eq!((&report["counts"]["done"], &report["counts"]["failed"]), (&4.into(), &1.into()));
    let why = report["failures"][0]["reason"].as_str().unwrap();
    assert!(why.starts_with(&origin.url("absent.fits")) && why.contains("404"), "{why}");
    // The others are counted all the same.
    let (expected, counted) = (local(dir).0, product(dir, "counts").0);
    assert!(expected == counted);

    // Cut at the origin: asked for twice, and then believed.
    let cut = damage::truncated(&read(MINIATURE_SWEEPS[0]), 20_000);
    origin.put("cut.fits", cut);
    origin.fault(Fault::Status(500).on("broken.fits"));
    for (name, code, word) in [("cut.fits", 65, "cut.fits"), ("broken.fits", 75, "500")] {
        let mut list = addresses(&origin);
        list.push(origin.url(name));
        let ran = count(&list, dir, &["--max-attempts", "3"]);
        assert_eq!(ran.code, code, "{name}: {}", ran.stderr);
        let why = ran.report()["failures"][0]["reason"].as_str().unwrap().to_owned();
        assert!(why.contains(word), "{why}");
        assert!(product(dir, "counts").0 == expected, "{name}");
    }
    assert_eq!((origin.count("cut.fits"), origin.count("broken.fits")), (2, 3));
    // No sweep, though whole.
    let bricks = "survey-bricks-mini.fits.gz";
    let ran = count(&[origin.url(bricks)], dir, &[]);
    assert_eq!(ran.code, 65, "{}", ran.stderr);
    assert!(ran.report()["failures"][0]["reason"].as_str().unwrap().contains("flux_z"), "{}", ran.stdout);
}

#[test]
fn a_mirror_is_looked_at_first() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (expected, origin) = (local(dir), origin());
    let list = addresses(&origin);
    let ran = count(&list, dir, &["--cache", "mirror"]);
    assert_eq!((ran.code, ran.report()["alerts"].to_string()), (0, "[]".to_owned()), "{}", ran.stderr);
    assert!(product(dir, "counts") == expected, "{}", product(dir, "counts").1);
    let mut kept: Vec<String> =
        MINIATURE_SWEEPS.iter().map(|name| format!("{}.gz", name.trim_end_matches(".gz"))).collect();
    kept.sort();
    assert_eq!(names(&dir.join("mirror")), kept);
    for name in MINIATURE_SWEEPS {
        let copy =
            std::fs::read(dir.join("mirror").join(format!("{}.gz", name.trim_end_matches(".gz")))).unwrap();
        let whole = std::fs::read(fixture(name)).unwrap();
        let whole = if name.ends_with(".gz") { gunzip(&whole).unwrap() } else { whole };
        assert!(gunzip(&copy).unwrap() == whole, "{name}");
    }
    origin.forget();
    let ran = count(&list, dir, &["--cache", "mirror"]);
    assert_eq!((ran.code, origin.requests().len()), (0, 0), "{}", ran.stderr);
    assert!(product(dir, "counts").0 == expected.0);
    // Two sweeps of one name would stand for one another.
    let twice = [origin.url("north/sweep.fits"), origin.url("south/sweep.fits")];
    let ran = count(&twice, dir, &["--cache", "mirror"]);
    assert!(ran.code == 2 && ran.stderr.contains("sweep.fits.gz"), "{}", ran.stderr);
}

/// Sweeps of a bucket, with a mirror in it.
#[test]
fn from_a_bucket() {
    let Some(store) = Store::s3s_fs() else { return };
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let expected = local(dir);
    let bucket = store.folder().unwrap();
    std::fs::create_dir(bucket.join("sweeps")).unwrap();
    for name in MINIATURE_SWEEPS {
        std::fs::copy(fixture(name), bucket.join("sweeps").join(name)).unwrap();
    }
    let list: Vec<String> = MINIATURE_SWEEPS.iter().map(|name| format!("s3://cache/sweeps/{name}")).collect();
    std::fs::write(dir.join("list.txt"), list.join("\n")).unwrap();
    for run in 0..2 {
        let mut command = Command::new(LRG_DENSITY);
        command.args(["count", "--list", "list.txt", "--out", "counts.csv", "--cache", "s3://cache/mirror"]);
        let out = command.current_dir(dir).envs(store.environment()).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        assert!(product(dir, "counts").0 == expected.0, "run {run}");
        assert_eq!(names(&bucket.join("mirror")).len(), 4);
        // The second run has only the mirror.
        std::fs::remove_dir_all(bucket.join("sweeps")).ok();
    }
}
