//! Killed at random moments: no unit is lost, none is done twice, and nothing partial has its final name.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use coaddkit_tasks::{Done, Error, Input, Job, Output, Runner, State, merge, status, verify};
use coaddkit_testkit::Kills;

use crate::help::*;

const OUT: &str = "COADDKIT_KILL_OUT";
const UNITS: usize = 60;

/// Makes a file per unit, slowly, under a name that must not be there yet.
struct Slow(PathBuf);

impl Slow {
    fn name(unit: &str) -> String {
        format!("products/{unit}")
    }

    fn done(&self, unit: &str) -> Result<Done<Names>, Error> {
        Ok(named(unit)?.output(Output::of(&self.0, &Self::name(unit))?))
    }
}

impl Job for Slow {
    type Unit = String;
    type Partial = Names;

    fn inputs(&self, _: &String) -> Vec<Input> {
        Vec::new()
    }

    fn run(&self, unit: &String) -> Result<Done<Names>, Error> {
        let path = self.0.join(Self::name(unit));
        let mut file = tempfile::Builder::new().prefix(".part-").tempfile_in(path.parent().unwrap()).unwrap();
        for _ in 0..4 {
            writeln!(file, "{unit}").unwrap();
            std::thread::sleep(Duration::from_millis(1));
        }
        file.persist_noclobber(&path).expect("done twice");
        self.done(unit)
    }

    fn found(&self, unit: &String) -> Result<Option<Done<Names>>, Error> {
        if self.0.join(Self::name(unit)).exists() { self.done(unit).map(Some) } else { Ok(None) }
    }
}

/// The process that is killed.
#[test]
#[ignore = "run by the test below"]
fn inside() {
    let Some(out) = std::env::var_os(OUT) else { return };
    let out = PathBuf::from(out);
    let summary = Runner::new(&out).threads(3).run(&Slow(out.clone()), &plan(UNITS), &()).unwrap();
    assert_eq!(summary.exit_code(), 0, "{:?}", summary.failures().collect::<Vec<_>>());
}

fn whole(path: &Path) -> bool {
    let unit = path.file_name().unwrap().to_str().unwrap();
    fs::read_to_string(path).unwrap() == format!("{unit}\n").repeat(4)
}

#[test]
fn fifty_kills_lose_nothing_and_do_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let products = dir.path().join("products");
    fs::create_dir(&products).unwrap();
    let command = || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "kill::inside", "--ignored", "--nocapture"]).env(OUT, dir.path());
        command
    };
    let mut done = 0;
    let kills = Kills { seed: 11, count: 50, within: Duration::from_millis(30) };
    let summary = kills
        .run(command, |ended| {
            assert!(ended.killed || ended.status.success(), "{ended:?}");
            if !dir.path().join("parts/plan.json").exists() {
                return;
            }
            let stand = status(dir.path()).unwrap();
            assert_eq!(stand.states.values().sum::<usize>(), UNITS);
            assert_eq!(stand.count(State::Failed) + stand.count(State::Blocked), 0, "{:?}", stand.failures);
            assert!(stand.count(State::Done) >= done && stand.gone.is_empty());
            done = stand.count(State::Done);
            for entry in fs::read_dir(&products).unwrap() {
                let path = entry.unwrap().path();
                let hidden = path.file_name().unwrap().to_str().unwrap().starts_with('.');
                assert!(hidden || whole(&path), "{}", path.display());
            }
        })
        .unwrap();
    assert!(summary.killed >= 10, "{} killed", summary.killed);
    let said = String::from_utf8_lossy(&summary.last.stdout);
    assert!(summary.last.status.success(), "{said}");

    let merged = merge::<Names>(dir.path()).unwrap();
    assert_eq!(merged.partial.0, names(UNITS));
    let job = Slow(dir.path().to_owned());
    let verified = verify(&job, &plan(UNITS), dir.path(), 2).unwrap();
    assert_eq!((verified.good, verified.bad.len()), (UNITS, 0));
    // Each has one line that ends it.
    let mut ends = BTreeMap::<String, usize>::new();
    for line in fs::read_to_string(ledger(dir.path())).unwrap().lines() {
        let Ok(line) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        if line["line"] == "ended" {
            *ends.entry(line["unit"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    assert!(ends.len() == UNITS && ends.values().all(|&n| n == 1), "{ends:?}");
}
