//! What holds a folder for one run, and what gives way to another.

use std::sync::atomic::{AtomicBool, Ordering};

use coaddkit_tasks::{Done, Error, ErrorKind, Input, Job, Plan, Runner, Shard, merge, status};

use crate::help::*;

fn other(count: usize) -> Plan<String> {
    Plan::new(names(count), key().seed("split", 13)).unwrap()
}

#[test]
fn a_plan_of_which_nothing_is_done_gives_way() {
    let dir = tempfile::tempdir().unwrap();
    let bad = Does(|unit: &str| Err(Error::new(ErrorKind::Data, unit, "bad")));
    let one = Shard::new(1, 2).unwrap();
    // Nothing ran, and then nothing came to a good end.
    Runner::new(dir.path()).limit(0).run(&Does(named), &plan(3), &()).unwrap();
    Runner::new(dir.path()).shard(one).run(&bad, &other(4), &()).unwrap();
    assert_eq!(status(dir.path()).unwrap().failures.len(), 2);
    let summary = Runner::new(dir.path()).run(&Does(named), &plan(2), &()).unwrap();
    assert_eq!((summary.to_do, summary.exit_code()), (2, 0));
    assert_eq!(merge::<Names>(dir.path()).unwrap().partial.0, names(2));
    // Now something is done.
    let refused = Runner::new(dir.path()).run(&Does(named), &other(2), &()).unwrap_err();
    assert!(refused.kind() == ErrorKind::Usage && refused.what().contains("seeds/split"), "{refused}");
    assert_eq!(Runner::new(dir.path()).run(&Does(named), &plan(2), &()).unwrap().to_do, 0);
}

#[cfg(unix)]
#[test]
fn a_plan_that_a_process_is_at_work_on_does_not_give_way() {
    let dir = tempfile::tempdir().unwrap();
    let job = Does(|unit: &str| {
        for force in [false, true] {
            let shard = Shard::new(1, 2).unwrap();
            let runner = Runner::new(dir.path()).shard(shard).force(force);
            let error = runner.run(&Does(named), &other(3), &()).map(drop).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        }
        named(unit)
    });
    let summary = Runner::new(dir.path()).run(&job, &plan(1), &()).unwrap();
    assert_eq!(summary.exit_code(), 0, "{:?}", summary.ended);
}

/// Shards that begin at the same moment over a plan that gives way agree on one plan, and lose nothing.
#[test]
fn shards_that_begin_at_once_agree() {
    for round in 0..30 {
        let dir = tempfile::tempdir().unwrap();
        Runner::new(dir.path()).limit(0).run(&Does(named), &other(9), &()).unwrap();
        std::thread::scope(|scope| {
            for i in 0..4 {
                let folder = dir.path();
                scope.spawn(move || {
                    let shard = Shard::new(i, 4).unwrap();
                    let summary =
                        Runner::new(folder).shard(shard).threads(1).run(&Does(named), &plan(8), &());
                    assert_eq!(summary.unwrap().exit_code(), 0, "round {round}");
                });
            }
        });
        assert_eq!(merge::<Names>(dir.path()).unwrap().partial.0, names(8), "round {round}");
    }
}

#[test]
fn a_run_that_is_forced_does_all_again() {
    let dir = tempfile::tempdir().unwrap();
    let [zero, one] = [0, 1].map(|i| Shard::new(i, 2).unwrap());
    for shard in [zero, one] {
        Runner::new(dir.path()).shard(shard).run(&Does(named), &plan(4), &()).unwrap();
    }
    // Its own part only.
    let again = Runner::new(dir.path()).shard(zero).force(true).run(&Does(named), &plan(4), &()).unwrap();
    assert_eq!((again.to_do, again.units), (2, 2));
    assert_eq!(merge::<Names>(dir.path()).unwrap().partial.0, names(4));
    // Of another plan all.
    let forced = Runner::new(dir.path()).force(true).run(&Does(named), &other(3), &()).unwrap();
    assert_eq!(forced.to_do, 3);
    assert_eq!(merge::<Names>(dir.path()).unwrap().partial.0, names(3));
}

/// Is stopped while its first unit runs.
#[derive(Default)]
struct Stops(AtomicBool);

impl Job for Stops {
    type Unit = String;
    type Partial = Names;

    fn inputs(&self, _: &String) -> Vec<Input> {
        Vec::new()
    }

    fn run(&self, unit: &String) -> Result<Done<Names>, Error> {
        self.0.store(true, Ordering::Relaxed);
        Err(Error::new(ErrorKind::Transient, unit, "it was dropped on its way"))
    }

    fn may_begin(&self, _: &String) -> Result<(), Error> {
        let stopped = self.0.load(Ordering::Relaxed);
        if stopped { Err(Error::new(ErrorKind::Transient, "run", "interrupted")) } else { Ok(()) }
    }
}

#[test]
fn what_fails_while_a_run_is_ended_is_not_started_and_comes_last() {
    let dir = tempfile::tempdir().unwrap();
    for k in 0..2 {
        let summary = Runner::new(dir.path()).threads(1).run(&Stops::default(), &plan(3), &()).unwrap();
        assert_eq!((summary.ended.len(), summary.counts["not started"]), (0, 3));
        assert_eq!((summary.stopped.as_ref().unwrap().what(), summary.exit_code()), ("interrupted", 75));
        let stand = status(dir.path()).unwrap();
        // Those of the last run, and those of all.
        assert_eq!((stand.interrupted, stand.begun), (vec![names(3)[k].clone()], names(k + 1)));
        assert!(stand.failures.is_empty());
    }
}
