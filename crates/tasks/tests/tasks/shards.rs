//! However units are dealt out, in whatever order, with failures and repeats, the result is that of one process.

use std::collections::BTreeSet;
use std::sync::Mutex;

use coaddkit_tasks::{Error, ErrorKind, Runner, Shard, State, merge, status};
use proptest::prelude::*;

use crate::help::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn shards_give_what_one_process_gives(
        units in 0_usize..40,
        shards in 1_u32..6,
        order in proptest::collection::vec(0_u32..6, 0..12),
        failing in proptest::collection::btree_set(0_usize..40, 0..10),
        limit in 1_usize..20,
        threads in 1_usize..4,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let plan = plan(units);
        // Fails the first time.
        let failing = Mutex::new(failing.iter().map(|i| format!("u{i:04}")).collect::<BTreeSet<_>>());
        let job = Does(|unit: &str| match failing.lock().unwrap().remove(unit) {
            true => Err(Error::new(ErrorKind::Transient, unit, "503")),
            false => named(unit),
        });
        let runner = |index| Runner::new(dir.path()).threads(threads).shard(Shard::new(index, shards).unwrap());
        let mut begun = BTreeSet::new();
        for index in order.into_iter().filter(|i| *i < shards) {
            begun.insert(index);
            let summary = runner(index).limit(limit).run(&job, &plan, &()).unwrap();
            prop_assert_eq!(summary.counts.values().sum::<u64>(), summary.units as u64);
            let stand = status(dir.path()).unwrap();
            prop_assert_eq!(stand.states.values().sum::<usize>(), units);
            prop_assert_eq!(stand.counts.values().sum::<u64>(), units as u64);
            prop_assert_eq!(stand.missing_shards.len(), shards as usize - begun.len());
            if begun.len() < shards as usize {
                let error = merge::<Names>(dir.path()).unwrap_err();
                prop_assert_eq!(error.kind(), ErrorKind::Missing);
                let absent = (0..shards).find(|i| !begun.contains(i)).unwrap();
                let first = format!("missing of {shards} shards: {absent}");
                prop_assert!(error.what().starts_with(&first), "{}", error);
            }
        }
        for index in (0..shards).rev().chain(0..shards) {
            runner(index).run(&job, &plan, &()).unwrap();
        }
        let merged = merge::<Names>(dir.path()).unwrap();
        prop_assert_eq!(merged.partial.0, names(units));
        prop_assert_eq!(merged.status.count(State::Done), units);
    }

    #[test]
    fn each_unit_is_of_one_shard(units in 0_usize..300, shards in 1_u32..50) {
        let all = (0..shards).map(|i| Shard::new(i, shards).unwrap());
        let mut seen: Vec<usize> = all.clone().flat_map(|shard| shard.of(units)).collect();
        seen.sort();
        prop_assert_eq!(seen, (0..units).collect::<Vec<_>>());
        for shard in all {
            prop_assert!(shard.of(units).all(|k| shard.holds(k)));
        }
    }
}

#[test]
fn the_environment_is_only_the_fallback() {
    let choose = |index, count, env: &[(&str, &str)]| {
        let get = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        Shard::choose(index, count, get).map(|shard| (shard.index(), shard.count())).map_err(|e| e.kind())
    };
    let usage = Err(ErrorKind::Usage);
    let slurm = |id, count, max| {
        [("SLURM_ARRAY_TASK_ID", id), ("SLURM_ARRAY_TASK_COUNT", count), ("SLURM_ARRAY_TASK_MAX", max)]
    };
    assert_eq!(choose(None, None, &[]), Ok((0, 1)));
    assert_eq!(choose(None, None, &slurm("3", "8", "7")), Ok((3, 8)));
    assert_eq!(choose(Some(1), Some(4), &slurm("3", "8", "7")), Ok((1, 4)));
    // --array=3,7 and --array=0,1 of eight: the count is not that of the shards.
    assert_eq!(choose(None, None, &slurm("3", "2", "7")), usage);
    assert_eq!(choose(None, None, &slurm("0", "2", "7")), usage);
    assert_eq!(choose(None, Some(8), &slurm("3", "2", "7")), Ok((3, 8)));
    // --array=1-8
    assert_eq!(choose(None, None, &slurm("1", "8", "8")), usage);
    assert_eq!(choose(None, Some(8), &slurm("8", "8", "8")), usage);
    let batch = [("AWS_BATCH_JOB_ARRAY_INDEX", "2"), ("AWS_BATCH_JOB_ARRAY_SIZE", "5")];
    assert_eq!(choose(None, None, &batch), Ok((2, 5)));
    assert_eq!(choose(None, None, &[("JOB_COMPLETION_INDEX", "2")]), usage);
    assert_eq!(choose(None, Some(3), &[("JOB_COMPLETION_INDEX", "2")]), Ok((2, 3)));
    assert_eq!(choose(None, Some(3), &[("JOB_COMPLETION_INDEX", "two")]), usage);
    assert_eq!(choose(Some(0), None, &[]), usage);
    assert_eq!(choose(None, Some(3), &[]), usage);
    assert_eq!(choose(Some(3), Some(3), &[]), usage);
    assert_eq!(choose(Some(0), Some(0), &[]), usage);
}

#[test]
fn doubled_and_foreign_shards_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(6);
    for index in 0..3 {
        let shard = Shard::new(index, 3).unwrap();
        Runner::new(dir.path()).shard(shard).run(&Does(named), &plan, &()).unwrap();
    }
    let parts = dir.path().join("parts");
    let copy = parts.join("shard-00001-of-00003 (copy).ledger");
    std::fs::copy(parts.join("shard-00001-of-00003.ledger"), &copy).unwrap();
    let error = merge::<Names>(dir.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.what().contains("shard 1 of 3 is there twice"), "{error}");
    std::fs::remove_file(&copy).unwrap();
    assert_eq!(merge::<Names>(dir.path()).unwrap().partial.0, names(6));

    // Somebody wants another number of shards, and somebody brings one along.
    let fifth = |dir: &std::path::Path| {
        Runner::new(dir).shard(Shard::new(4, 5).unwrap()).run(&Does(named), &plan, &())
    };
    let error = fifth(dir.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.what().contains("worked through in 3 shards, and this is shard 4 of 5"), "{error}");
    assert_eq!(merge::<Names>(dir.path()).unwrap().partial.0, names(6));
    let other = tempfile::tempdir().unwrap();
    fifth(other.path()).unwrap();
    let name = "parts/shard-00004-of-00005.ledger";
    std::fs::copy(other.path().join(name), dir.path().join(name)).unwrap();
    let error = merge::<Names>(dir.path()).unwrap_err();
    assert!(error.what().contains("shard 4 of 5 among shards of 3"), "{error}");

    // A ledger of another run, put here by hand.
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    Runner::new(dir.path()).run(&Does(named), &plan, &()).unwrap();
    Runner::new(other.path()).run(&Does(named), &self::plan(7), &()).unwrap();
    std::fs::copy(ledger(other.path()), ledger(dir.path())).unwrap();
    let error = Runner::new(dir.path()).run(&Does(named), &plan, &()).unwrap_err();
    assert!(error.what().contains("another run"), "{error}");
}
