//! `desi-tiles`: pixels to tables, resumed, with what is missing told; totals of a real log.

mod kill;
mod outcomes;
mod real;
mod remote;
mod report;
mod shards;
mod stop;

use crate::{Ran, names, run};
use coaddkit_testkit::{DesiPixel, shared};
use std::fs;
use std::path::Path;

const BINARY: &str = env!("CARGO_BIN_EXE_desi-tiles");

/// Pixel 7 of two programs and pixel 8, which has no quasars.
fn survey(dir: &Path) {
    let pixels = [("dark", 7, 1.0), ("bright", 7, 0.5), ("dark", 8, 0.0)];
    write(
        dir,
        pixels.map(|(program, pixel, share)| (program, pixel, DesiPixel::new(pixel, 10).quasars(share))),
    );
}

/// Where a file of a pixel is.
fn key(kind: &str, program: &str, pixel: u64) -> String {
    format!("{program}/{pixel}/{kind}-main-{program}-{pixel}.fits")
}

/// Writes pixels below `in`, and the inventory, which names the coadds only.
fn write(dir: &Path, pixels: impl IntoIterator<Item = (&'static str, u64, DesiPixel)>) {
    let mut csv = "survey,program,pixel,file_type,filename,s3_key\n".to_owned();
    for (program, pixel, made) in pixels {
        let [coadd, redrock] =
            ["coadd", "redrock"].map(|kind| dir.join("in").join(key(kind, program, pixel)));
        fs::create_dir_all(coadd.parent().unwrap()).unwrap();
        made.write(&coadd, &redrock).unwrap();
        csv += &format!("main,{program},{pixel},coadd,c.fits,{}\n", key("coadd", program, pixel));
    }
    fs::write(dir.join("inventory.csv"), csv).unwrap();
}

const RUN: [&str; 8] = ["run", "--inventory", "inventory.csv", "--source", "in", "--out", "out", "--json"];

fn desi(args: &[&str], dir: &Path) -> Ran {
    run(BINARY, args, dir)
}

fn count(ran: &Ran, name: &str) -> u64 {
    let report = ran.report();
    report["counts"][name].as_u64().unwrap_or_else(|| panic!("{name}: {report}"))
}

/// Names of all files below a folder, from it on.
fn below(dir: &Path) -> Vec<String> {
    let (mut found, mut folders) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The only table of a pixel.
fn table(dir: &Path, program: &str, pixel: u64) -> std::path::PathBuf {
    let folder = dir.join(format!("out/main/{program}/tile_{pixel:05}"));
    let found = names(&folder);
    assert!(found.len() == 1 && found[0].starts_with("qso_data_TILE"), "{found:?}");
    folder.join(&found[0])
}

#[test]
fn pixels_become_tables_and_a_second_run_has_nothing_to_do() {
    let dir = tempfile::tempdir().unwrap();
    survey(dir.path());
    let lost = dir.path().join("in").join(key("redrock", "bright", 7));
    let kept = dir.path().join("kept");
    fs::rename(&lost, &kept).unwrap();

    let check = desi(&["check", "--inventory", "inventory.csv", "--source", "in", "--json"], dir.path());
    assert_eq!((check.code, count(&check, "missing")), (66, 1), "{}", check.stderr);
    let strict = desi(&[&RUN[..], &["--strict"]].concat(), dir.path());
    assert_eq!(strict.code, 66, "{}", strict.stderr);
    assert!(strict.stdout.contains("redrock-main-bright-7.fits"), "{}", strict.stdout);
    assert_eq!(count(&strict, "not_started"), 3);
    assert!(!dir.path().join("out/main").exists());

    let ran = desi(&RUN, dir.path());
    let counts = ["done", "no_rows", "missing_input", "bad_data"].map(|name| count(&ran, name));
    assert_eq!(counts, [1, 1, 1, 0], "{}", ran.stderr);
    // A third of the pixels failed.
    assert_eq!(ran.code, 65, "{}", ran.stdout);
    let alert: serde_json::Value = serde_json::from_str(ran.report()["alerts"][0].as_str().unwrap()).unwrap();
    assert_eq!(alert["alert"], "failure_rate");
    assert!(alert["text"].as_str().unwrap().contains("0.3333"), "{alert}");
    assert_eq!(names(&dir.path().join("out/main/dark/tile_00008")), ["_SUCCESS_NO_QSO"]);
    let first = table(dir.path(), "dark", 7);

    let status = desi(&["status", "out", "--json"], dir.path());
    assert_eq!((status.code, count(&status, "blocked"), count(&status, "done")), (66, 1, 2));
    fs::rename(&kept, &lost).unwrap();
    let bytes = fs::read(&first).unwrap();
    let healed = desi(&RUN, dir.path());
    assert_eq!(healed.code, 0, "{}", healed.stderr);
    assert!(healed.stdout.starts_with("1 of 3 to do\n"), "{}", healed.stdout);
    let again = desi(&RUN, dir.path());
    assert!(again.code == 0 && again.stdout.starts_with("0 of 3 to do\n"), "{}", again.stdout);
    // The two programs have their own pixel 7.
    table(dir.path(), "bright", 7);
    assert!(fs::read(&first).unwrap() == bytes);
    let verify = desi(&["verify", "out", "--json"], dir.path());
    assert_eq!((verify.code, count(&verify, "done"), count(&verify, "bad")), (0, 3, 0), "{}", verify.stdout);

    for (option, what) in [
        (&["--sorted-wavelength"][..], "config/sorted_wavelength was false, is true"),
        (&["--cut", "ZWARN == 0"], "config/cut was"),
        (&["--max-wavelength", "9000"], "config/max_wavelength was 9800.0, is 9000.0"),
    ] {
        let other = desi(&[&RUN[..], option].concat(), dir.path());
        assert_eq!(other.code, 2, "{}", other.stderr);
        assert!(other.stderr.contains(what), "{}", other.stderr);
    }
    let list = fs::read_to_string(dir.path().join("inventory.csv")).unwrap();
    fs::write(dir.path().join("inventory.csv"), list.lines().take(3).collect::<Vec<_>>().join("\n")).unwrap();
    let other = desi(&RUN, dir.path());
    assert_eq!(other.code, 2);
    assert!(
        other.stderr.contains("inputs/inventory was") && other.stderr.contains("units/count was 3, is 2")
    );
    // In one line that can be read.
    assert!(other.stderr.lines().count() == 1 && other.stderr.len() < 200, "{}", other.stderr);
}

#[test]
fn totals_of_the_dry_run_are_those_of_its_lines() {
    let Some(log) = shared("data/survey-runs/desi_dry_run.log") else { return };
    let dir = tempfile::tempdir().unwrap();
    let ran = desi(&["log-summary", log.to_str().unwrap(), "--json", "--report", "report"], dir.path());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!((count(&ran, "tiles"), count(&ran, "zero"), count(&ran, "batches")), (40, 16, 5));
    let report = ran.report();
    // The published summary, and what its own lines come to.
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
    assert_eq!(report["alerts"].as_array().unwrap().len(), 0, "{report}");
    let zero: Vec<_> =
        report["batches"].as_array().unwrap().iter().map(|b| b["zero"].as_u64().unwrap()).collect();
    assert_eq!(zero, [2, 5, 4, 0, 5]);
    let text = fs::read_to_string(dir.path().join("report/report.md")).unwrap();
    assert!(text.contains("| 2 | 8 | 5 | 0 | 1613.64 | 2.50 | 99.85 | 41.30 | 39.07 |"), "{text}");

    // A log that does not agree with itself is told.
    let wrong = fs::read_to_string(&log).unwrap().replacen("Speed : 41.31", "Speed : 14.31", 1);
    fs::write(dir.path().join("wrong.log"), wrong).unwrap();
    let ran = desi(&["log-summary", "wrong.log", "--json"], dir.path());
    assert!(
        ran.report()["alerts"][0].as_str().unwrap().contains("batch 2: MiB/s is 41.30"),
        "{}",
        ran.stdout
    );

    // The lines of the pixels are believed, and the log of a run that was killed ends within a batch.
    let text = fs::read_to_string(&log).unwrap();
    let wrong = text.replacen("Downloaded : 1613.64", "Downloaded : 2613.64", 1);
    let end = wrong.find("--- Finished Batch 5/5").unwrap();
    fs::write(dir.path().join("cut.log"), &wrong[..end]).unwrap();
    let ran = desi(&["log-summary", "cut.log", "--json"], dir.path());
    let report = ran.report();
    assert!((report["batches"][1]["fits_mib"].as_f64().unwrap() - 1613.64).abs() < 0.05, "{report}");
    assert_eq!(report["alerts"][0], "batch 2: FITS / MiB is 1613.65, and the log says 2613.64");
    assert_eq!(report["alerts"][1], "1 batches did not come to their end, and are not counted");

    fs::write(dir.path().join("x.log"), "[t] [INFO] - Total FITS Downloaded : much MB\n").unwrap();
    let bad = desi(&["log-summary", "x.log"], dir.path());
    assert!(bad.code == 65 && bad.stderr.contains("line 1"), "{}", bad.stderr);
    assert_eq!(desi(&["log-summary", "none.log"], dir.path()).code, 66);
}
