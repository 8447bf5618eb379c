//! An array of jobs under Slurm.

use std::collections::BTreeSet;

use coaddkit_testkit::Slurm;

use super::*;

#[test]
fn a_killed_element_costs_itself_and_the_gap_is_filled() {
    let Some(slurm) = Slurm::start() else { return };
    let survey = Survey::new(16);
    survey.slow(1.0);
    let out = survey.path().join("d").display().to_string();
    survey.emit("slurm", 8, &out, &["--memory-mib", "256"]);
    let submit = || {
        let mut command = Command::new(survey.path().join("d/slurm/submit.sh"));
        let ran = run(command.envs(slurm.environment()), survey.path());
        assert!(ran.status.success(), "{}", said(&ran));
        said(&ran)
    };
    let first = submit();
    assert!(first.starts_with("shards 0-7 as array "), "{first}");

    // Two at once, and one of them is killed.
    let at_work = || processes(&[LRG_DENSITY, "--shard", &out]);
    let mut seen = BTreeSet::new();
    let (pid, victim) = wait("two shards at once", || {
        let now = at_work();
        seen.extend(now.iter().map(|(pid, _)| *pid));
        let (pid, line) = now.get(1)?.clone();
        let at = line.iter().position(|word| word == "--shard")? + 1;
        Some((pid, line[at].clone()))
    });
    kill(pid);
    slurm.drained(LIMIT);
    let jobs = slurm.jobs();
    let of = |state: &str| {
        let elements = jobs.iter().filter(|(name, _, s)| name == "lrg-density-count" && s == state);
        elements.map(|(_, index, _)| index.clone()).collect::<Vec<_>>()
    };
    assert_eq!((of("FAILED"), of("COMPLETED").len()), (vec![victim.clone()], 7), "{jobs:?}");
    // The merge is out of the queue, and nothing was merged.
    let merges = |state: &str| {
        slurm.jobs().iter().filter(|(name, _, s)| name == "lrg-density-count-merge" && s == state).count()
    };
    assert_eq!((merges("CANCELLED"), merges("COMPLETED")), (1, 0), "{jobs:?}");
    assert_eq!(survey.merged(&out), "");
    let stand = survey.status(&out);
    assert_eq!(stand["unfinished_shards"].to_string(), format!("[{victim}]"), "{stand}");
    assert_eq!(stand["counts"]["done"], 14, "{stand}");

    // Only the gap runs again, and then the merge.
    survey.quick();
    let second = submit();
    assert!(second.starts_with(&format!("shards {victim} as array ")), "{second}");
    slurm.drained(LIMIT);
    assert_eq!((merges("CANCELLED"), merges("COMPLETED")), (1, 1));
    assert_eq!(survey.merged(&out), survey.counts);
    let third = submit();
    assert!(third.starts_with("all shards are finished"), "{third}");
}

#[test]
fn a_file_that_is_bad_is_in_the_log_and_keeps_the_merge_back() {
    let Some(slurm) = Slurm::start() else { return };
    let survey = Survey::new(4);
    spoil(&survey, "sweep-02.fits");
    survey.emit("slurm", 2, "d", &["--memory-mib", "256", "--at-once", "1"]);
    let ran = run(Command::new("d/slurm/submit.sh").envs(slurm.environment()), survey.path());
    assert!(ran.status.success(), "{}", said(&ran));
    slurm.drained(LIMIT);
    assert_eq!(survey.merged("d"), "");
    let logs: String = std::fs::read_dir(survey.path().join("d/slurm/logs"))
        .unwrap()
        .map(|log| std::fs::read_to_string(log.unwrap().path()).unwrap())
        .collect();
    assert!(logs.contains("sweep-02.fits"), "{logs}");
    // What there is can be merged, and says what is not in it.
    let merge = ["merge", "d", "--out", "d/counts.csv"];
    let ran = run(Command::new(LRG_DENSITY).args(merge), survey.path());
    assert_eq!(ran.status.code(), Some(65));
    assert!(said(&ran).contains("1 of 4 files FAILED"), "{}", said(&ran));
}
