//! What becomes of units, and what a run that goes on does.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use coaddkit_tasks::{Done, Error, ErrorKind, Output, Plan, Runner, State, check, merge, status, verify};

use crate::help::*;

#[test]
fn every_unit_is_accounted_for_and_only_what_is_left_runs_again() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(7);
    let healed = AtomicUsize::new(0);
    let job = Does(|unit: &str| {
        let healed = healed.load(Ordering::Relaxed) > 0;
        match unit {
            "u0001" if !healed => Err(Error::new(ErrorKind::Missing, unit, "no coadd")),
            "u0002" if !healed => Err(Error::new(ErrorKind::Data, unit, "no B_FLUX")),
            "u0003" if !healed => panic!("u0003 is cursed"),
            "u0004" => Ok(Done::skipped("too far south")),
            "u0005" => Ok(named(unit)?.word("no_qso").metric("rows", 0.0).metric("share", f64::NAN)),
            _ => named(unit),
        }
    });
    let run = || Runner::new(dir.path()).threads(3).run(&job, &plan, &()).unwrap();

    let summary = run();
    let counts: BTreeMap<String, u64> =
        [("blocked", 1), ("done", 2), ("failed", 2), ("no_qso", 1), ("skipped", 1)]
            .map(|(word, n)| (word.to_owned(), n))
            .into();
    assert_eq!((summary.units, summary.to_do, &summary.counts), (7, 7, &counts));
    // A panic is a bug, which outranks bad data, which outranks a missing input.
    assert_eq!(summary.exit_code(), 70);
    let mut failures: Vec<_> =
        summary.failures().map(|r| (r.unit.as_str(), r.kind.unwrap(), r.reason.clone().unwrap())).collect();
    failures.sort_by_key(|(unit, ..)| *unit);
    assert_eq!(failures[0], ("u0001", ErrorKind::Missing, "u0001: no coadd".to_owned()));
    assert_eq!(failures[1], ("u0002", ErrorKind::Data, "u0002: no B_FLUX".to_owned()));
    assert_eq!(failures[2], ("u0003", ErrorKind::Bug, "u0003: panicked: u0003 is cursed".to_owned()));
    let stand = status(dir.path()).unwrap();
    assert_eq!(stand.to_string(), "7 units: 3 done, 1 skipped, 2 failed, 1 blocked, 0 not started");
    assert_eq!((stand.exit_code(), &stand.counts), (70, &counts));
    let no_qso = stand.settled.iter().find(|r| r.word == "no_qso").unwrap();
    assert_eq!(no_qso.metrics, [("rows".to_owned(), 0.0)].into());
    assert_eq!(merge::<Names>(dir.path()).unwrap().partial.0, ["u0000", "u0005", "u0006"]);

    healed.store(1, Ordering::Relaxed);
    let summary = run();
    assert_eq!((summary.units, summary.to_do, summary.exit_code()), (7, 3, 0));
    assert!(summary.ended.iter().all(|r| r.attempt == 2), "{:?}", summary.ended);
    let merged = merge::<Names>(dir.path()).unwrap();
    assert_eq!(merged.partial.0, ["u0000", "u0001", "u0002", "u0003", "u0005", "u0006"]);
    assert!(merged.status.is_complete());

    // Nothing left to do is success.
    let summary = run();
    assert_eq!((summary.units, summary.to_do, summary.exit_code()), (7, 0, 0));
    assert_eq!(summary.ended, []);
    assert_eq!(summary.counts["done"], 5);
}

#[test]
fn another_run_in_the_same_folder_is_refused_with_what_differs() {
    #[derive(serde::Serialize)]
    struct Config {
        bounds: [f64; 2],
        compat: bool,
    }
    let dir = tempfile::tempdir().unwrap();
    let plan = |bounds, code: &str, digest: &str, units| {
        let key = key().code(code).config(&Config { bounds, compat: false }).unwrap();
        Plan::new(names(units), key.input("list.csv", digest)).unwrap()
    };
    let run = |plan: &Plan<String>| Runner::new(dir.path()).run(&Does(named), plan, &());
    run(&plan([3600.0, 9800.0], "1.0", "abcd", 3)).unwrap();
    for (plan, what) in [
        (plan([3700.0, 9800.0], "1.0", "abcd", 3), "config/bounds/0 was 3600.0, is 3700.0"),
        (plan([3600.0, 9800.0], "1.1", "abcd", 3), "code was \"1.0\", is \"1.1\""),
        (plan([3600.0, 9800.0], "1.0", "ffff", 3), "inputs/list.csv was \"abcd\", is \"ffff\""),
        (plan([3600.0, 9800.0], "1.0", "abcd", 4), "units/count was 3, is 4"),
    ] {
        let error = run(&plan).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.what().contains(what), "{error}");
    }
    let refused = Plan::new(names(3), key().seed("split", 13)).unwrap();
    let error = run(&refused).unwrap_err().to_string();
    assert!(
        error.contains("seeds/split was 42, is 13") && error.contains("config/compat was false, is absent")
    );
    assert_eq!(run(&plan([3600.0, 9800.0], "1.0", "abcd", 3)).unwrap().to_do, 0);
}

#[test]
fn plans_are_sorted_and_name_each_unit_once() {
    let plan = Plan::new(["b", "a", "B", "ä"], key()).unwrap();
    assert_eq!(
        (plan.names(), plan.units()),
        (&["B", "a", "b", "ä"].map(str::to_owned)[..], &["B", "a", "b", "ä"][..])
    );
    let twice = Plan::new(["a", "b", "a"], key()).unwrap_err();
    assert_eq!((twice.kind(), twice.place()), (ErrorKind::Data, "a"));
    assert_eq!(Plan::new([""], key()).unwrap_err().kind(), ErrorKind::Data);
    // The order in which units are listed changes nothing, the units do.
    let same = Plan::new(["ä", "B", "b", "a"], key()).unwrap();
    assert_eq!(plan.key().digest(), same.key().digest());
    assert_ne!(plan.key().digest(), Plan::new(["ab", "B", "ä"], key()).unwrap().key().digest());
}

#[test]
fn all_missing_inputs_are_told_at_once_and_a_strict_run_starts_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let units: Vec<String> = (0..4).map(|i| dir.path().join(format!("p{i}")).display().to_string()).collect();
    for (i, unit) in units.iter().enumerate() {
        std::fs::create_dir(unit).unwrap();
        for kind in ["one", "two"] {
            // p1 lacks `two`, p2 lacks both.
            if i != 2 && (i, kind) != (1, "two") {
                std::fs::write(format!("{unit}/{kind}"), "x").unwrap();
            }
        }
    }
    let ran = AtomicUsize::new(0);
    let job = Does(|unit: &str| {
        ran.fetch_add(1, Ordering::Relaxed);
        named(unit)
    });
    let plan = Plan::new(units, key()).unwrap();
    let missing = check(&job, plan.units(), 3).unwrap();
    let told: Vec<_> =
        missing.iter().map(|m| (m.unit.rsplit('/').next().unwrap(), m.kind.as_str())).collect();
    assert_eq!(told, [("p1", "two"), ("p2", "one"), ("p2", "two")]);
    assert!(missing[0].place.ends_with("p1/two"));

    let out = dir.path().join("out");
    let strict = Runner::new(&out).strict(true);
    let summary = strict.run(&job, &plan, &()).unwrap();
    assert_eq!((&summary.missing, summary.exit_code(), ran.load(Ordering::Relaxed)), (&missing, 66, 0));
    assert_eq!(status(&out).unwrap().count(State::NotStarted), 4);
    for missing in &missing {
        std::fs::write(&missing.place, "x").unwrap();
    }
    assert_eq!(strict.run(&job, &plan, &()).unwrap().exit_code(), 0);
    assert_eq!(ran.load(Ordering::Relaxed), 4);
}

#[test]
fn products_that_are_gone_are_made_again_and_bad_ones_found() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path();
    let job = Does(|unit: &str| {
        std::fs::write(out.join(unit), format!("product of {unit}")).unwrap();
        Ok(named(unit)?.output(Output::of(out, unit)?))
    });
    let plan = plan(5);
    let run = || Runner::new(out).run(&job, &plan, &()).unwrap();
    run();
    let good = verify(&job, &plan, out, 2).unwrap();
    assert_eq!((good.good, good.bad.len(), good.not_done, good.exit_code()), (5, 0, 0, 0));

    std::fs::remove_file(out.join("u0001")).unwrap();
    std::fs::write(out.join("u0002"), "longer than it was before").unwrap();
    std::fs::write(out.join("u0003"), "product of u000X").unwrap();
    let bad = verify(&job, &plan, out, 2).unwrap();
    let told: Vec<_> = bad.bad.iter().map(|(unit, error)| format!("{unit} {error}")).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].starts_with("u0001 ") && told[0].contains("gone"), "{told:?}");
    assert!(told[2].starts_with("u0003 ") && told[2].contains("SHA-256"), "{told:?}");
    assert_eq!((bad.good, bad.exit_code()), (2, 65));
    let stand = status(out).unwrap();
    assert_eq!((stand.count(State::Done), stand.gone.len(), stand.exit_code()), (3, 2, 75));
    assert!(merge::<Names>(out).unwrap_err().to_string().contains("u0001"));

    assert_eq!(run().to_do, 2);
    assert_eq!(std::fs::read(out.join("u0002")).unwrap(), b"product of u0002");
    assert_eq!(merge::<Names>(out).unwrap().partial.0, names(5));
    assert!(Output::of(out, "../x").is_err() && Output::of(out, "/etc/hostname").is_err());
}

#[test]
fn a_limit_leaves_units_and_a_stop_begins_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(10);
    let job = Does(named);
    let summary = Runner::new(dir.path()).threads(1).limit(4).run(&job, &plan, &()).unwrap();
    assert_eq!((summary.ended.len(), summary.counts["not started"], summary.exit_code()), (4, 6, 0));
    assert_eq!(summary.ended.iter().map(|r| r.unit.as_str()).collect::<Vec<_>>(), names(4));

    struct Full;
    impl coaddkit_tasks::Job for Full {
        type Unit = String;
        type Partial = Names;
        fn inputs(&self, _: &String) -> Vec<coaddkit_tasks::Input> {
            Vec::new()
        }
        fn run(&self, unit: &String) -> Result<Done<Names>, Error> {
            named(unit)
        }
        fn may_begin(&self, unit: &String) -> Result<(), Error> {
            let full = unit == "u0007";
            if full { Err(Error::new(ErrorKind::Limit, "/data", "9 GiB free")) } else { Ok(()) }
        }
    }
    let summary = Runner::new(dir.path()).threads(1).run(&Full, &plan, &()).unwrap();
    assert_eq!((summary.to_do, summary.ended.len(), summary.counts["not started"]), (6, 3, 3));
    assert_eq!(summary.stopped.as_ref().unwrap().to_string(), "/data: 9 GiB free");
    assert_eq!(summary.exit_code(), 75);
    assert_eq!(status(dir.path()).unwrap().exit_code(), 75);
}

#[test]
fn one_process_at_a_time_is_at_work_on_a_shard() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(1);
    let job = Does(|unit: &str| {
        let other = Runner::new(dir.path()).run(&Does(named), &plan, &());
        let error = other.map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transient, "{error}");
        named(unit)
    });
    if cfg!(unix) {
        let summary = Runner::new(dir.path()).run(&job, &plan, &()).unwrap();
        assert_eq!(summary.exit_code(), 0, "{:?}", summary.ended);
    }
}
