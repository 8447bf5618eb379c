//! `desi-tiles`: pixels to tables, resumed, with what is missing told; totals of a real log.

use crate::{names, run};
use coaddkit_testkit::{DesiPixel, shared};
use std::fs;
use std::path::Path;

const BINARY: &str = env!("CARGO_BIN_EXE_desi-tiles");

/// Pixel 7 of two programs and pixel 8, which has no quasars.
fn survey(dir: &Path) {
    let mut csv = "survey,program,pixel,file_type,filename,s3_key\n".to_owned();
    for (program, pixel, share) in [("dark", 7, 1.0), ("bright", 7, 0.5), ("dark", 8, 0.0)] {
        let folder = format!("{program}/{pixel}");
        fs::create_dir_all(dir.join("in").join(&folder)).unwrap();
        let path = |kind: &str| format!("{folder}/{kind}-main-{program}-{pixel}.fits");
        let made = DesiPixel::new(pixel, 10).quasars(share);
        made.write(&dir.join("in").join(path("coadd")), &dir.join("in").join(path("redrock"))).unwrap();
        csv += &format!("main,{program},{pixel},coadd,c.fits,{}\n", path("coadd"));
    }
    fs::write(dir.join("inventory.csv"), csv).unwrap();
}

const RUN: [&str; 8] = ["run", "--inventory", "inventory.csv", "--source", "in", "--out", "out", "--json"];

#[test]
fn pixels_become_tables_and_a_second_run_has_nothing_to_do() {
    let dir = tempfile::tempdir().unwrap();
    survey(dir.path());
    let lost = dir.path().join("in/bright/7/redrock-main-bright-7.fits");
    let kept = dir.path().join("kept");
    fs::rename(&lost, &kept).unwrap();

    let check =
        run(BINARY, &["check", "--inventory", "inventory.csv", "--source", "in", "--json"], dir.path());
    assert_eq!((check.code, check.report()["counts"]["missing"].as_u64()), (66, Some(1)), "{}", check.stderr);
    let strict = run(BINARY, &[&RUN[..], &["--strict"]].concat(), dir.path());
    assert_eq!(strict.code, 66, "{}", strict.stderr);
    assert!(!dir.path().join("out/main").exists());

    let ran = run(BINARY, &RUN, dir.path());
    let report = ran.report();
    let count = |name: &str| report["counts"][name].as_u64().unwrap();
    assert_eq!((count("done"), count("no_rows"), count("missing_input")), (1, 1, 1), "{}", ran.stderr);
    // A third of the pixels failed.
    assert_eq!(ran.code, 65, "{report}");
    assert!(report["alerts"][0].as_str().unwrap().contains("failure_rate"), "{report}");
    assert_eq!(names(&dir.path().join("out/main/dark/tile_00008")), ["_SUCCESS_NO_QSO"]);
    let table = names(&dir.path().join("out/main/dark/tile_00007"));
    assert!(table.len() == 1 && table[0].starts_with("qso_data_TILE00007_"), "{table:?}");

    let status = run(BINARY, &["status", "out", "--json"], dir.path());
    assert_eq!((status.code, status.report()["counts"]["blocked"].as_u64()), (66, Some(1)));
    fs::rename(&kept, &lost).unwrap();
    let healed = run(BINARY, &RUN, dir.path());
    assert_eq!(healed.code, 0, "{}", healed.stderr);
    assert!(healed.stdout.starts_with("1 of 3 to do\n"), "{}", healed.stdout);
    let again = run(BINARY, &RUN, dir.path());
    assert!(again.code == 0 && again.stdout.starts_with("0 of 3 to do\n"), "{}", again.stdout);
    // The two programs have their own pixel 7.
    assert_eq!(names(&dir.path().join("out/main/bright/tile_00007")).len(), 1);

    let other = run(BINARY, &[&RUN[..], &["--sorted-wavelength"]].concat(), dir.path());
    assert_eq!(other.code, 2);
    assert!(other.stderr.contains("config/sorted_wavelength was false, is true"), "{}", other.stderr);
}

#[test]
fn totals_of_the_dry_run_are_those_of_its_lines() {
    let Some(log) = shared("data/survey-runs/desi_dry_run.log") else { return };
    let dir = tempfile::tempdir().unwrap();
    let ran = run(BINARY, &["log-summary", log.to_str().unwrap(), "--json"], dir.path());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let report = ran.report();
    assert_eq!((report["counts"]["tiles"].as_u64(), report["counts"]["zero"].as_u64()), (Some(40), Some(16)));
    for (name, value) in [
        ("fits_mib", 7715.85),
        ("parquet_mib", 105.63),
        ("seconds", 221.56),
        ("reduction_percent", 98.63),
        ("mean_reduction_percent", 98.78),
        ("mib_per_second", 34.83),
        ("mean_mib_per_second", 34.30),
    ] {
        let found = report["totals"][name].as_f64().unwrap();
        assert!((found - value).abs() < 0.006, "{name}: {found}, not {value}");
    }
    fs::write(dir.path().join("x.log"), "[t] [INFO] - Total FITS Downloaded : much MB\n").unwrap();
    let bad = run(BINARY, &["log-summary", "x.log"], dir.path());
    assert!(bad.code == 65 && bad.stderr.contains("line 1"), "{}", bad.stderr);
    assert_eq!(run(BINARY, &["log-summary", "none.log"], dir.path()).code, 66);
}
