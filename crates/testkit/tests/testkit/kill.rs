//! The kill harness, on shell scripts.

use std::process::Command;
use std::time::Duration;

use coaddkit_testkit::Kills;

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

#[test]
fn what_never_ends_is_killed_each_time() {
    let kills = Kills { seed: 7, count: 8, within: Duration::from_millis(60) };
    let mut seen = Vec::new();
    let mut runs = 0;
    let command = || {
        runs += 1;
        // The last run, after eight kills, is the one that may end.
        shell(if runs <= 8 { "exec sleep 3600" } else { "echo done" })
    };
    let summary = kills.run(command, |ended| seen.push(ended.clone())).unwrap();
    assert_eq!((summary.killed, summary.finished), (8, 0));
    assert_eq!(summary.last.stdout, b"done\n");
    assert!(seen.iter().all(|ended| ended.killed && ended.status.code().is_none()));
    assert_eq!(seen.iter().map(|ended| ended.number).collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
}

#[test]
fn what_ends_before_its_moment_says_how() {
    let kills = Kills { seed: 7, count: 3, within: Duration::from_secs(3600) };
    let summary = kills
        .run(
            || shell("exit 75"),
            |ended| {
                assert!(!ended.killed && ended.status.code() == Some(75));
            },
        )
        .unwrap();
    assert_eq!((summary.killed, summary.finished), (0, 3));
    assert_eq!(summary.last.status.code(), Some(75));
    assert!(kills.run(|| Command::new("no-such-program-anywhere"), |_| {}).is_err());
}
