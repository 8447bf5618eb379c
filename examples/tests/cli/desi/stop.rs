//! Runs that end early, tidily: at a signal, when their time is over, when there is no host. And what a folder that
//! nothing was done in allows.

use super::*;
use coaddkit_tasks::{Done, Error, Input, Job, Plan, RunKey, Runner};
use coaddkit_testkit::{Fault, FaultOrigin, Files};
use serde_json::Value;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PIXELS: u64 = 12;

fn pixels(dir: &Path) {
    write(dir, (20..20 + PIXELS).map(|pixel| ("dark", pixel, DesiPixel::new(pixel, 6).quasars(0.9))));
}

fn from(source: &str) -> [&str; 10] {
    let run = ["run", "--inventory", "inventory.csv", "--source", source, "--out", "out", "--json"];
    let mut all = [""; 10];
    all[..8].copy_from_slice(&run);
    all[8..].copy_from_slice(&["--batch-size", "2"]);
    all
}

/// Lines of the ledger that say that a pixel ended.
fn ended(dir: &Path) -> usize {
    let ledger = fs::read_to_string(dir.join("out/parts/shard-00000-of-00001.ledger")).unwrap_or_default();
    ledger.matches("\"line\":\"ended\"").count()
}

fn rows(dir: &Path) -> Vec<String> {
    let csv = fs::read_to_string(dir.join("report/pixels.csv")).unwrap();
    csv.lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn a_run_that_is_interrupted_reports_all_pixels_and_the_next_goes_on() {
    for signal in ["INT", "TERM"] {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        pixels(dir);
        let origin = FaultOrigin::new(Files::folder(dir.join("in")));
        let base = origin.base();
        let first = desi(&[&from(&base)[..], &["--count", "1"]].concat(), dir);
        assert_eq!((first.code, count(&first, "done")), (0, 2), "{}", first.stderr);

        origin.fault(Fault::Trickle(1_000_000).everywhere());
        let args = [&from(&base)[..], &["--report", "report"]].concat();
        let mut command = Command::new(BINARY);
        command.args(&args).current_dir(dir).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let start = Instant::now();
        while ended(dir) < 4 {
            assert!(start.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(5));
        }
        let id = child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success());
        let out = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(75), "{stderr}");
        assert!(stderr.contains("interrupted"), "{stderr}");
        let report: Value =
            serde_json::from_slice(&fs::read(dir.join("report/report.json")).unwrap()).unwrap();
        let done = report["counts"]["done"].as_u64().unwrap();
        assert!((4..PIXELS).contains(&done), "{report}");
        assert_eq!(report["counts"]["not_started"], PIXELS - done, "{report}");
        // All pixels of the shard, not only those of this process; and nothing failed.
        assert_eq!((report["totals"]["pixels"].as_u64(), rows(dir).len() as u64), (Some(done), done));
        assert_eq!(report["failures"].as_array().unwrap().len(), 1, "{report}");
        assert!(!report["alerts"].to_string().contains("failure_rate"), "{report}");
        assert!(!dir.join("out/raw").exists());
        assert!(below(&dir.join("out")).iter().all(|name| !name.contains(".part-")));

        let status = desi(&["status", "out", "--json"], dir);
        assert_eq!((status.code, count(&status, "failed")), (75, 0), "{}", status.stdout);
        let on_their_way = status.report()["interrupted"].as_array().unwrap().clone();
        assert!((1..=2).contains(&on_their_way.len()), "{on_their_way:?}");
        // A table that such a pixel may have left is no unknown one; one of another pixel is.
        let number = on_their_way[0].as_str().unwrap().rsplit('/').next().unwrap();
        for (folder, known) in [(format!("tile_{number}"), true), ("tile_00031".to_owned(), false)] {
            let folder = dir.join("out/main/dark").join(folder);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("qso_data_TILE_9_qsos.parquet"), "x").unwrap();
            fs::write(folder.join(".qso_data_TILE_9_qsos.parquet.part-1"), "x").unwrap();
            let verify = desi(&["verify", "out", "--json"], dir);
            assert_eq!(verify.report()["unknown"].is_null(), known, "{}", verify.stdout);
            assert_eq!(verify.stdout.contains("no ledger knows main/dark/tile_00031"), !known);
        }

        origin.heal();
        let rest = desi(&args, dir);
        assert_eq!((rest.code, count(&rest, "done")), (0, PIXELS), "{}", rest.stderr);
        assert!(
            rest.stdout.starts_with(&format!("{} of {PIXELS} to do\n", PIXELS - done)),
            "{}",
            rest.stdout
        );
        let report = rest.report();
        let totals = &report["totals"];
        assert_eq!(
            (totals["pixels"].as_u64(), totals["earlier_pixels"].as_u64()),
            (Some(PIXELS), Some(done))
        );
        let inputs = below(&dir.join("in"));
        let bytes = inputs.iter().map(|name| dir.join("in").join(name).metadata().unwrap().len());
        let mib = bytes.sum::<u64>() as f64 / f64::from(1 << 20);
        assert!((totals["fits_mib"].as_f64().unwrap() - mib).abs() < 1e-6, "{totals}");
        let text = fs::read_to_string(dir.join("report/report.md")).unwrap();
        assert!(text.contains(&format!("| earlier | {done} |")), "{text}");
        assert_eq!(rows(dir).len() as u64, PIXELS);
        let again = desi(&args, dir);
        assert!(again.code == 0 && again.stdout.starts_with("0 of 12 to do\n"));
        assert_eq!(rows(dir).len() as u64, PIXELS);
    }
}

#[test]
fn a_run_ends_when_its_time_is_over() {
    let dir = tempfile::tempdir().unwrap();
    pixels(dir.path());
    let origin = FaultOrigin::new(Files::folder(dir.path().join("in")));
    origin.fault(Fault::Trickle(400_000).everywhere());
    let ran = desi(&[&from(&origin.base())[..], &["--give-up-after", "2"]].concat(), dir.path());
    assert_eq!(ran.code, 75, "{}", ran.stderr);
    assert!(ran.stderr.contains("the 2 s of --give-up-after are over"), "{}", ran.stderr);
    assert_eq!(count(&ran, "done") + count(&ran, "not_started"), PIXELS, "{}", ran.stdout);
}

#[test]
fn without_a_host_a_run_ends_at_once_and_holds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    pixels(dir.path());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for host in [format!("http://127.0.0.1:{port}/a"), "http://no-such-host.invalid/a".to_owned()] {
        let args = [&from(&host)[..], &["--max-attempts", "2", "--report", "report"]].concat();
        let ran = desi(&args, dir.path());
        assert_eq!(ran.code, 75, "{}", ran.stderr);
        assert_eq!((count(&ran, "not_started"), count(&ran, "transient")), (PIXELS, 0), "{}", ran.stderr);
        assert!(ran.stderr.lines().count() == 1 && ran.stderr.contains(&host), "{}", ran.stderr);
        let report = ran.report();
        assert_eq!(report["alerts"].as_array().unwrap().len(), 0, "{report}");
        assert_eq!(report["failures"].as_array().unwrap().len(), 1, "{report}");
    }
    // The folder is free for the right address.
    assert_eq!(desi(&from("in"), dir.path()).code, 0);
}

#[test]
fn a_cut_of_columns_that_are_not_there_is_refused_first() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    pixels(dir);
    let origin = FaultOrigin::new(Files::folder(dir.join("in")));
    let base = origin.base();
    let cut = |text: &str| desi(&[&from(&base)[..], &["--cut", text]].concat(), dir);
    let refused = cut("NOSUCH > 1 and ZWARN == 0");
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    let text = refused.stderr.to_lowercase();
    assert!(text.contains("no column nosuch") && text.contains("deltachi2"), "{}", refused.stderr);
    assert!(!dir.join("out/parts").exists() && !dir.join("out/raw").exists());
    let asked = origin.requests();
    assert_eq!(asked.len(), 1, "only a redrock file is looked at");
    // Vectors cannot be cut: the first pixel says so, and holds nothing either.
    let vector = cut("COEFF > 1");
    assert_eq!((vector.code, count(&vector, "usage")), (2, 0), "{}", vector.stderr);
    assert!(vector.stderr.contains("10D"), "{}", vector.stderr);
    // A name that only the files know.
    for entry in below(&dir.join("in")).iter().filter(|name| name.contains("redrock")) {
        let path = dir.join("in").join(entry);
        let mut bytes = fs::read(&path).unwrap();
        let at = bytes.windows(9).position(|part| part == b"DELTACHI2").unwrap();
        bytes[at..at + 9].copy_from_slice(b"NEWCOLUMN");
        fs::write(&path, bytes).unwrap();
    }
    let known = cut("newcolumn > -1 and SPECTYPE == 'QSO'");
    assert_eq!((known.code, count(&known, "not_started")), (0, 0), "{}", known.stderr);
    // Now something is done.
    let other = cut("NOSUCH > 1");
    assert!(other.code == 2 && other.stderr.contains("config/cut was"), "{}", other.stderr);
}

#[test]
fn wavelengths_that_are_not_there_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    pixels(dir.path());
    let bounds = |low: &str, high: &str| {
        let more = ["--min-wavelength", low, "--max-wavelength", high];
        desi(&[&from("in")[..], &more].concat(), dir.path())
    };
    for (low, high) in [("100", "200"), ("9824.5", "20000")] {
        let ran = bounds(low, high);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains("3600 to 9824 Å"), "{}", ran.stderr);
        assert!(!dir.path().join("out").exists());
    }
    // Between two points of the grid.
    let ran = bounds("3600.1", "3600.2");
    assert!(ran.code == 2 && ran.stderr.contains("no wavelength is within"), "{} {}", ran.code, ran.stderr);
    assert!(!dir.path().join("out/main").exists());
    assert_eq!(bounds("9823.9", "20000").code, 0);
}

#[test]
fn a_folder_in_which_nothing_was_done_is_free() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    pixels(dir);
    let none = desi(&[&from("in")[..], &["--count", "0"]].concat(), dir);
    assert_eq!((none.code, count(&none, "not_started")), (0, PIXELS), "{}", none.stderr);
    let status = desi(&["status", "out"], dir);
    assert!(status.stdout.contains("FITS 0.00 MiB, Parquet 0.00 MiB"), "{}", status.stdout);
    assert!(!status.stdout.contains("-0.00"), "{}", status.stdout);
    let other = [&from("in")[..], &["--sorted-wavelength"]].concat();
    assert_eq!(desi(&other, dir).code, 0);
    assert_eq!(desi(&from("in"), dir).code, 2);
    // Unless it is to begin anew.
    let forced = desi(&[&from("in")[..], &["--force"]].concat(), dir);
    assert_eq!((forced.code, forced.stdout.lines().next()), (0, Some("12 of 12 to do")), "{}", forced.stderr);
    assert_eq!(desi(&["verify", "out"], dir).code, 0);
    assert!(desi(&["run", "--help"], dir).stdout.contains("Begin anew: forget"));

    let nothing = dir.join("nothing");
    fs::create_dir(&nothing).unwrap();
    for what in ["status", "verify"] {
        let ran = desi(&[what, "nothing"], dir);
        assert!(ran.code == 66 && ran.stderr.contains("no run in this folder"), "{}", ran.stderr);
    }
    let ran = desi(&["analyze", "nothing"], dir);
    assert!(ran.code == 66 && ran.stderr.contains("has no tables"), "{}", ran.stderr);
}

/// Does what the program of another version did, whatever that was.
struct Earlier;

impl Job for Earlier {
    type Unit = String;
    type Partial = ();

    fn inputs(&self, _: &String) -> Vec<Input> {
        Vec::new()
    }

    fn run(&self, _: &String) -> Result<Done<()>, Error> {
        Ok(Done::new(()))
    }
}

#[test]
fn another_version_of_the_program_does_not_go_on() {
    let dir = tempfile::tempdir().unwrap();
    pixels(dir.path());
    assert_eq!(desi(&[&from("in")[..], &["--count", "0"]].concat(), dir.path()).code, 0);
    let text = fs::read(dir.path().join("out/parts/plan.json")).unwrap();
    let stored: Value = serde_json::from_slice(&text).unwrap();
    let key: RunKey = serde_json::from_value(stored["key"].clone()).unwrap();
    let units: Vec<String> = serde_json::from_value(stored["units"].clone()).unwrap();
    let plan = Plan::new(units, key.code("0.0.1")).unwrap();
    Runner::new(dir.path().join("out")).limit(1).run(&Earlier, &plan, &()).unwrap();
    let refused = desi(&from("in"), dir.path());
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    let what = format!("code was \"0.0.1\", is \"{}\"\n", env!("CARGO_PKG_VERSION"));
    assert!(refused.stderr.ends_with(&what), "{}", refused.stderr);
}

#[test]
fn a_report_that_cannot_be_written_is_no_success() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    pixels(dir.path());
    let full = || Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    for args in [&[&from("in")[..], &["--quiet"]].concat()[..], &["status", "out", "--json", "--quiet"]] {
        let out = Command::new(BINARY).args(args).current_dir(dir.path()).stdout(full()).output().unwrap();
        assert_eq!(out.status.code(), Some(75), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    }
}
