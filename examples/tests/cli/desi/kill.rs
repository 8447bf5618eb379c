//! Runs killed at random moments.

use super::*;
use coaddkit_spectra::inspect;
use coaddkit_testkit::{Fault, FaultOrigin, Files, Kills};
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

/// Kills, unless the environment asks for more.
const KILLS: u32 = 20;

const PIXELS: u64 = 40;

/// Whatever the moment: what has a final name is whole, no pixel is lost, none that is done is done again.
#[test]
fn a_killed_run_loses_nothing_and_the_next_goes_on() {
    let count = std::env::var("COADDKIT_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(
        dir,
        (0..PIXELS).map(|k| ("dark", k, DesiPixel::new(k, 6).quasars(if k % 4 == 0 { 0.0 } else { 0.8 }))),
    );
    let here = ["run", "--inventory", "inventory.csv", "--source", "in", "--out", "here", "--quiet"];
    assert_eq!(desi(&here, dir).code, 0);
    let expected = below(&dir.join("here/main"));
    assert_eq!(expected.len() as u64, PIXELS);
    let origin = FaultOrigin::new(Files::folder(dir.join("in")));
    // Slow enough to be killed in the middle of files, too.
    origin.fault(Fault::Trickle(1_500_000).everywhere());
    let args = ["run", "--inventory", "inventory.csv", "--source", &origin.base(), "--out", "out", "--quiet"];
    let args = [&args[..], &["--batch-size", "4"]].concat();
    let out = dir.join("out");
    let mut done = BTreeMap::new();
    let mut check = |last: bool| {
        if !out.join("parts/plan.json").exists() {
            return;
        }
        // Every table and marker under a final name is one of those that an undisturbed run makes, byte by byte.
        let main = out.join("main");
        let there = if main.exists() { below(&main) } else { Vec::new() };
        for name in there.iter().filter(|name| !name.contains("/.")) {
            assert!(expected.contains(name), "{name}");
            let bytes = fs::read(main.join(name)).unwrap();
            assert!(bytes == fs::read(dir.join("here/main").join(name)).unwrap(), "{name} is not whole");
            if name.ends_with(".parquet") {
                assert!(inspect(&main.join(name)).unwrap().first_uneven.is_none());
            }
        }
        let status = desi(&["status", "out", "--json", "--quiet"], dir);
        let report = status.report();
        let states = ["done", "skipped", "failed", "blocked", "not_started"];
        let counts = states.map(|name| report["counts"][name].as_u64().unwrap());
        assert_eq!(counts.iter().sum::<u64>(), PIXELS, "{report}");
        assert_eq!(counts[1..4], [0, 0, 0], "{report}");
        let ends = ends(&out);
        assert!(ends.values().all(|&n| n == 1), "done twice: {ends:?}");
        assert!(done.keys().all(|unit| ends.contains_key(unit)), "a pixel was lost");
        assert!(!last || ends.len() as u64 == PIXELS);
        done = ends;
    };
    let kills = Kills { seed: 5, count, within: Duration::from_millis(400) };
    let command = || {
        let mut command = Command::new(BINARY);
        command.args(&args).current_dir(dir);
        command
    };
    let summary = kills.run(command, |_| check(false)).unwrap();
    assert!(summary.killed >= count / 4, "{summary:?}");
    assert_eq!(summary.last.status.code(), Some(0), "{}", String::from_utf8_lossy(&summary.last.stderr));
    check(true);
    assert_eq!(below(&out.join("main")), expected);
    assert!(!out.join("raw").exists());
    assert_eq!(desi(&["verify", "out"], dir).code, 0);
}

/// How often each pixel came to its end.
fn ends(out: &Path) -> BTreeMap<String, usize> {
    let mut ends = BTreeMap::new();
    let ledger = out.join("parts/shard-00000-of-00001.ledger");
    for line in fs::read_to_string(ledger).unwrap_or_default().lines() {
        let Ok(line) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        if line["line"] == "ended" {
            *ends.entry(line["unit"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    ends
}
