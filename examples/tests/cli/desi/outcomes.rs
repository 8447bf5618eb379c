//! How each thing that can be wrong ends, and that the others go on.

use super::*;
use coaddkit_testkit::{SmallDisk, damage};

/// Twelve good pixels, so that one bad one is no failure rate, and one more.
fn with(dir: &Path, odd: DesiPixel) {
    let good = (20..32).map(|pixel| ("dark", pixel, DesiPixel::new(pixel, 6).quasars(0.9)));
    write(dir, good.chain([("dark", 50, odd)]));
}

fn odd() -> DesiPixel {
    DesiPixel::new(50, 8).quasars(1.0)
}

#[test]
fn each_thing_that_is_wrong_has_its_outcome_and_the_others_go_on() {
    let hdu = |name: &str| odd().without(name);
    for (what, pixel, spoil, code, outcome, reason) in [
        ("a pair", odd(), None, 0, "done", ""),
        ("no redrock file", odd(), Some("redrock"), 66, "missing_input", "redrock-main-dark-50.fits"),
        ("no coadd file", odd(), Some("coadd"), 66, "missing_input", "coadd-main-dark-50.fits"),
        ("no camera", hdu("R_FLUX"), None, 65, "bad_data", "R_FLUX"),
        ("no wavelengths", hdu("Z_WAVELENGTH"), None, 65, "bad_data", "Z_WAVELENGTH"),
        ("no mask", hdu("B_MASK"), None, 65, "bad_data", "B_MASK"),
        ("a coadd that is cut", odd(), Some("cut"), 65, "bad_data", "coadd-main-dark-50.fits"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        with(dir.path(), pixel);
        let path = |kind: &str| dir.path().join("in").join(key(kind, "dark", 50));
        match spoil {
            Some("cut") => {
                let whole = fs::read(path("coadd")).unwrap();
                fs::write(path("coadd"), damage::truncated(&whole, 2880 * (whole.len() / 2880 / 2))).unwrap();
            }
            Some(kind) => fs::remove_file(path(kind)).unwrap(),
            None => {}
        }
        let ran = desi(&RUN, dir.path());
        assert_eq!(ran.code, code, "{what}: {}", ran.stderr);
        let good = if code == 0 { 13 } else { 12 };
        assert_eq!(count(&ran, "done"), good, "{what}: {}", ran.stdout);
        assert_eq!(count(&ran, outcome), if code == 0 { 13 } else { 1 }, "{what}: {}", ran.stdout);
        let report = ran.report();
        if code != 0 {
            assert_eq!(report["failures"][0]["item"], "main/dark/00050", "{what}");
            let told = report["failures"][0]["reason"].as_str().unwrap();
            assert!(told.contains(reason), "{what}: {told}");
            assert_eq!(
                told.matches("coadd-main-dark-50").count() + told.matches("redrock-main").count(),
                1,
                "{told}"
            );
            let left = dir.path().join("out/main/dark/tile_00050");
            assert!(!left.exists() || names(&left).is_empty(), "{what}: {:?}", names(&left));
            assert_eq!(report["status"], "incomplete");
        }
    }
}

#[test]
fn a_target_without_a_spectrum_is_told_and_the_others_are_written() {
    let dir = tempfile::tempdir().unwrap();
    with(dir.path(), odd().unknown(2).unknown(3));
    let ran = desi(&RUN, dir.path());
    assert_eq!((ran.code, count(&ran, "done")), (65, 13), "{}", ran.stderr);
    let report = ran.report();
    let lacking = report["without_spectrum"].as_array().unwrap();
    assert!(!lacking.is_empty());
    for one in lacking {
        assert_eq!(one["pixel"], "main/dark/00050");
        let ids = [2, 3].map(DesiPixel::target_id);
        assert!(ids.contains(&one["targetid"].as_i64().unwrap()), "{one}");
    }
    table(dir.path(), "dark", 50);
    // The next run has nothing to do, and still says so.
    let again = desi(&RUN, dir.path());
    assert_eq!(again.code, 65);
    assert!(again.stdout.starts_with("0 of 13 to do\n"));
    assert_eq!(again.report()["without_spectrum"], report["without_spectrum"]);
}

#[test]
fn alerts_of_size_and_of_pixels_without_rows() {
    let dir = tempfile::tempdir().unwrap();
    // All are quasars and there are no resolution matrices: little is saved.
    write(dir.path(), [("dark", 7, DesiPixel::new(7, 10).quasars(1.0)), ("dark", 8, odd().quasars(0.0))]);
    let ran = desi(&[&RUN[..], &["--zero-share", "0.6,1"]].concat(), dir.path());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let lines: Vec<serde_json::Value> = ran.report()["alerts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| serde_json::from_str(line.as_str().unwrap()).unwrap())
        .collect();
    let rules: Vec<_> = lines.iter().map(|line| line["alert"].as_str().unwrap()).collect();
    assert_eq!(rules, ["reduction", "zero_share"], "{lines:?}");
    assert!(
        ran.stderr.lines().any(|line| line.starts_with('{') && line.contains("zero_share")),
        "{}",
        ran.stderr
    );
}

#[test]
fn what_the_command_line_and_the_lists_say_is_checked_first() {
    let dir = tempfile::tempdir().unwrap();
    survey(dir.path());
    for (option, code, what) in [
        (&["--cut", "SPECTYPE == "][..], 2, "--cut"),
        (&["--zero-share", "0.5"], 2, "two numbers"),
        (&["--min-wavelength", "9900"], 2, "above"),
        (&["--shard", "3"], 2, "of how many"),
        (&["--shards", "2", "--shard", "2"], 2, "counted from 0"),
        (&["--completed", "none.txt"], 66, "none.txt"),
        (&["--batch-size", "0"], 2, "batch-size"),
    ] {
        let ran = desi(&[&RUN[..], option].concat(), dir.path());
        assert_eq!(ran.code, code, "{option:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(what), "{option:?}: {}", ran.stderr);
    }
    assert!(!dir.path().join("out/parts").exists());
    let absent = ["run", "--inventory", "none.csv", "--source", "in", "--out", "out"];
    assert_eq!(desi(&absent, dir.path()).code, 66);
    let scheme = ["run", "--inventory", "inventory.csv", "--source", "ftp://a.org", "--out", "out2"];
    let ran = desi(&scheme, dir.path());
    assert!(ran.code == 2 && ran.stderr.contains("ftp"), "{} {}", ran.code, ran.stderr);
    fs::write(dir.path().join("inventory.csv"), "survey,program,pixel\n").unwrap();
    let bad = desi(&RUN, dir.path());
    assert!(bad.code == 65 && bad.stderr.contains("no column file_type"), "{}", bad.stderr);
}

#[test]
fn the_checkpoint_of_the_earlier_runner_is_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    survey(dir.path());
    // 7 is a number of two programs: which of them was done is not known. 9 is none of ours.
    fs::write(dir.path().join("completed_tiles.txt"), "8\n7\n\n9\n8\n").unwrap();
    let ran = desi(&[&RUN[..], &["--completed", "completed_tiles.txt"]].concat(), dir.path());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!((count(&ran, "imported"), count(&ran, "done"), count(&ran, "no_rows")), (1, 2, 0));
    assert!(!dir.path().join("out/main/dark/tile_00008").exists());
    // They are none of what this run did.
    assert_eq!(ran.report()["totals"]["pixels"], 2);
    let verify = desi(&["verify", "out", "--json"], dir.path());
    let counts = ["done", "imported", "not_done"].map(|name| count(&verify, name));
    assert_eq!((verify.code, counts), (0, [2, 1, 0]), "{}", verify.stdout);
    let alerts = ran.report()["alerts"].to_string();
    assert!(alerts.contains("completed_shared") && alerts.contains("completed_unknown"), "{alerts}");
    let status = desi(&["status", "out", "--json"], dir.path());
    assert_eq!((status.code, count(&status, "skipped"), count(&status, "done")), (0, 1, 2));
    // They stay so without the file.
    assert!(desi(&RUN, dir.path()).stdout.starts_with("0 of 3 to do\n"));
    fs::write(dir.path().join("completed_tiles.txt"), "8\nmain\n").unwrap();
    let bad = desi(&[&RUN[..], &["--completed", "completed_tiles.txt"]].concat(), dir.path());
    assert!(bad.code == 65 && bad.stderr.contains("line 2"), "{}", bad.stderr);
}

#[test]
fn products_that_are_gone_or_damaged_are_found_and_made_again() {
    let dir = tempfile::tempdir().unwrap();
    survey(dir.path());
    assert_eq!(desi(&RUN, dir.path()).code, 0);
    let path = table(dir.path(), "dark", 7);
    let whole = fs::read(&path).unwrap();
    // Of the same length, so that only who reads it sees it.
    fs::write(&path, damage::flipped(&whole, whole.len() / 2)).unwrap();
    fs::write(path.with_file_name("qso_data_TILE00007_1_qsos.parquet"), &whole).unwrap();
    let verify = desi(&["verify", "out", "--json"], dir.path());
    assert_eq!((verify.code, count(&verify, "bad")), (65, 1), "{}", verify.stdout);
    assert!(verify.report()["unknown"][0].as_str().unwrap().ends_with("_1_qsos.parquet"));
    assert!(verify.stdout.contains("no ledger knows main/dark/tile_00007/"), "{}", verify.stdout);
    fs::remove_file(&path).unwrap();
    let status = desi(&["status", "out", "--json"], dir.path());
    assert_eq!((status.code, count(&status, "not_started")), (75, 1), "{}", status.stdout);
    let healed = desi(&RUN, dir.path());
    assert_eq!(healed.code, 0, "{}", healed.stderr);
    assert!(healed.stdout.starts_with("1 of 3 to do\n"));
    assert!(fs::read(table(dir.path(), "dark", 7)).unwrap() == whole);
    assert_eq!(desi(&["verify", "out"], dir.path()).code, 0);
}

#[test]
fn a_run_stops_before_the_disk_is_full() {
    let dir = tempfile::tempdir().unwrap();
    survey(dir.path());
    let ran = desi(&[&RUN[..], &["--min-free", "1e9"]].concat(), dir.path());
    assert_eq!((ran.code, count(&ran, "not_started")), (75, 3), "{}", ran.stderr);
    assert!(ran.stderr.contains("--min-free is 1000000000.0"), "{}", ran.stderr);
    assert!(!dir.path().join("out/main").exists());
    assert_eq!(desi(&RUN, dir.path()).code, 0);

    // A disk that is full all the same leaves nothing partial, and the next run goes on elsewhere.
    let Some(disk) = SmallDisk::new(1 << 20) else { return };
    let pixels = (20..24).map(|pixel| ("dark", pixel, DesiPixel::new(pixel, 30).quasars(1.0)));
    write(dir.path(), pixels);
    let out = disk.path().join("out");
    let args = ["run", "--inventory", "inventory.csv", "--source", "in", "--min-free", "0", "--out"];
    let ran = desi(&[&args[..], &[out.to_str().unwrap(), "--json"]].concat(), dir.path());
    // A failure rate of more than a tenth outranks the limit.
    assert!([65, 75].contains(&ran.code), "{} {}", ran.code, ran.stderr);
    assert!(count(&ran, "done") < 4, "{}", ran.stdout);
    let left: Vec<_> = below(&out).into_iter().filter(|path| path.contains(".part-")).collect();
    assert!(left.is_empty(), "{left:?}");
}
