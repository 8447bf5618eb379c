//! Runs killed at random moments: the next one completes, and no name ever shows anything but a whole file.

use std::time::Duration;

use coaddkit_testkit::{Fault, Kills};
use coaddkit_transfer::{Destination, Item, Plan, Transfer};

use crate::help::*;

const LIST: &str = "COADDKIT_KILL_LIST";
const OUT: &str = "COADDKIT_KILL_OUT";

fn set() -> Vec<(String, Vec<u8>)> {
    (0..12).map(|i| (format!("b{}/f{i}.bin", i / 4), body(1_500_000 + i * 1000, i as u64 + 1))).collect()
}

/// The process that is killed.
#[test]
#[ignore = "run by the test below"]
fn inside() {
    let (Some(list), Some(out)) = (told(LIST), told(OUT)) else { return };
    let items = list.lines().map(|line| line.split_once(' ').unwrap());
    let plan = Plan::new(items.map(|(url, name)| Item::new(url, name).unwrap())).unwrap();
    let report = Transfer::new(Destination::folder(out)).run_blocking(&plan, &()).unwrap();
    assert!(report.is_complete(), "{:?}", report.missing);
}

#[test]
fn a_killed_run_leaves_whole_files_or_none_and_the_next_goes_on() {
    let files = set();
    let place = &places()[0];
    let origin = origin(&files);
    // Slow enough to be killed in the middle of files.
    origin.fault(Fault::Trickle(3_000_000).everywhere());
    let list: Vec<String> = files.iter().map(|(name, _)| format!("{} {name}", origin.url(name))).collect();
    let out = place.destination.as_folder().unwrap();
    let command = || {
        let mut command = itself("kill::inside");
        command.env(LIST, list.join("\n")).env(OUT, out);
        command
    };
    let kills = Kills { seed: 5, count: 12, within: Duration::from_millis(500) };
    let summary = kills
        .run(command, |_| {
            for name in names(&place.destination) {
                let (_, body) = files.iter().find(|(n, _)| *n == name).expect("a name of the plan");
                assert!(read(&place.destination, &name).as_ref() == Some(body), "{name}");
            }
        })
        .unwrap();
    assert!(summary.killed >= 4, "{summary:?}");
    assert!(summary.last.status.success(), "{}", String::from_utf8_lossy(&summary.last.stderr));
    assert_all(place, &files);
    // Parts were continued: each kill costs at most what was on its way in 8 connections and their buffers.
    let total: u64 = files.iter().map(|(_, body)| body.len() as u64).sum();
    let again = origin.body_bytes() - total;
    assert!(again <= u64::from(summary.killed) * 8 * 1_200_000, "{again} bytes came twice");
    assert!(origin.requests().iter().any(|e| e.range().is_some()), "nothing was continued");
}
