//! Fetches and checks killed at random moments.

use super::fetch::list;
use super::*;
use coaddkit_testkit::{Fault, FaultOrigin, Files, Kills};
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Kills, unless the environment asks for more.
fn kills() -> u32 {
    std::env::var("COADDKIT_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(15)
}

fn command(args: &[&str], dir: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command.args(args).current_dir(dir);
    command
}

/// Files of a folder that a user sees.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let Ok(listed) = fs::read_dir(dir) else { return BTreeMap::new() };
    let paths = listed.map(|e| e.unwrap().path()).filter(|path| path.is_file());
    let named =
        paths.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap()));
    named.filter(|(name, _)| !name.starts_with('.')).collect()
}

#[test]
fn a_killed_fetch_leaves_no_part_under_a_name_and_the_next_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let raws = dir.path().join("raws");
    let all: Vec<_> = (1..=12).map(|seed| (format!("{seed}.fits.fz"), bytes(&raw(seed)))).collect();
    let origin = FaultOrigin::new(Files::memory(all.clone()));
    // Slow enough to be killed in the middle of files, and one of them always bad.
    origin.fault(Fault::Trickle(1_500_000).everywhere());
    origin.fault(Fault::FlipBit { at: 100_000, bit: 1 }.on("5.fits.fz"));
    list(dir.path(), &origin.base(), &all);
    let args = ["fetch", "--list", "list.csv", "--out", "raws", "--quiet", "--round-pause", "0"];
    let look = || {
        for (name, body) in files(&raws) {
            let (_, whole) = all.iter().find(|(n, _)| *n == name).unwrap();
            assert!(name != "5.fits.fz" && body == *whole, "{name}");
        }
    };
    let loop_ = Kills { seed: 5, count: kills(), within: Duration::from_millis(900) };
    let summary = loop_.run(|| command(&args, dir.path()), |_| look()).unwrap();
    assert!(summary.killed >= kills() / 4, "{summary:?}");
    assert_eq!(summary.last.status.code(), Some(65), "{}", String::from_utf8_lossy(&summary.last.stderr));
    look();
    assert_eq!(files(&raws).len(), 11);
    // However often it came, the bad file is one file and one row.
    let rows = corrupt(&raws);
    assert!(rows.len() == 1 && rows[0][0] == "5.fits.fz", "{rows:?}");
    let kept: Vec<_> = files(&raws.join("corrupt_raws")).into_keys().collect();
    assert_eq!(kept, ["5.fits.fz", "corrupt_raws.csv", "refetch.csv"]);
}

#[test]
fn a_killed_check_loses_no_file_and_no_reason() {
    let dir = tempfile::tempdir().unwrap();
    let raws = dir.path().join("raws");
    let exposure = |seed| if seed % 4 == 1 { damaged(seed) } else { bytes(&raw(seed)) };
    let all: BTreeMap<_, _> = (0..40).map(|seed| (format!("{seed:02}.fits.fz"), exposure(seed))).collect();
    let anew = || {
        let _ = fs::remove_dir_all(&raws);
        fs::create_dir(&raws).unwrap();
        all.iter().for_each(|(name, body)| fs::write(raws.join(name), body).unwrap());
    };
    anew();
    let args = ["check", "raws", "--quarantine", "--quiet", "--threads", "1"];
    // A whole run, for the moments.
    let whole = std::time::Instant::now();
    let probe = archive(&["check", "raws", "--quiet", "--threads", "1", "--out", "probe"], dir.path());
    assert_eq!(probe.code, 65, "{}", probe.stderr);
    let within = whole.elapsed().mul_f64(0.6);
    let look = || {
        let (there, mut apart) = (files(&raws), files(&raws.join("corrupt_raws")));
        let rows: BTreeSet<_> = match apart.remove("corrupt_raws.csv") {
            Some(_) => corrupt(&raws).into_iter().map(|row| row[0].clone()).collect(),
            None => BTreeSet::new(),
        };
        apart.remove("refetch.csv");
        for (name, body) in &all {
            let held = [&there, &apart].iter().filter(|held| held.get(name) == Some(body)).count();
            assert_eq!(held, 1, "{name}");
            assert!(
                !apart.contains_key(name) || rows.contains(name),
                "{name} is in quarantine without a row"
            );
        }
        assert_eq!(there.len() + apart.len(), all.len());
    };
    let loop_ = Kills { seed: 7, count: kills(), within };
    let summary = loop_
        .run(
            || command(&args, dir.path()),
            |ended| {
                look();
                // All is checked: from the start, so that there is something to be killed in.
                if !ended.killed {
                    anew();
                }
            },
        )
        .unwrap();
    assert!(summary.killed >= kills() / 4, "{summary:?}");
    look();
    let done = archive(&["check", "raws", "--json"], dir.path());
    assert_eq!((done.code, count(&done, "done")), (0, 30), "{}", done.stderr);
    let rows: Vec<_> = corrupt(&raws).into_iter().map(|row| row[0].clone()).collect();
    let bad: Vec<_> = (0..40).filter(|seed| seed % 4 == 1).map(|seed| format!("{seed:02}.fits.fz")).collect();
    assert_eq!(rows, bad);
}

/// At a signal the files on their way are finished, the account is whole, and the report says how far it came.
#[test]
fn an_interrupted_check_says_how_far_it_came() {
    let dir = tempfile::tempdir().unwrap();
    let raws = dir.path().join("raws");
    fs::create_dir(&raws).unwrap();
    // Large enough for the signal to come in time.
    raw(1).size(512, 256).write(&raws.join("00.fits.fz")).unwrap();
    for k in 1..30 {
        fs::hard_link(raws.join("00.fits.fz"), raws.join(format!("{k:02}.fits.fz"))).unwrap();
    }
    let args = ["check", "raws", "--json", "--threads", "1"];
    let child = command(&args, dir.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = std::time::Instant::now();
    let ended = || {
        let accounts = fs::read_dir(raws.join("_check")).into_iter().flatten().flatten();
        let ledgers = accounts.map(|run| run.path().join("parts/shard-00000-of-00001.ledger"));
        ledgers.map(|path| fs::read_to_string(path).unwrap_or_default()).collect::<String>()
    };
    while !ended().contains("\"line\":\"ended\"") {
        assert!(begun.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let out = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let ran =
        Ran { code: out.status.code().unwrap_or(-1), stdout: text(out.stdout), stderr: text(out.stderr) };
    assert_eq!(ran.code, 75, "{}", ran.stderr);
    assert!(ran.stderr.contains("stopped: interrupted"), "{}", ran.stderr);
    let done = count(&ran, "done");
    assert!((1..30).contains(&done), "{}", ran.stdout);
    let rest = archive(&args, dir.path());
    assert!(
        rest.code == 0 && rest.stdout.starts_with(&format!("{} of 30 to do\n", 30 - done)),
        "{}",
        rest.stdout
    );
}
