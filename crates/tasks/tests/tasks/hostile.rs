//! Ledgers, partials and plans that were cut, damaged or made up.

use std::fs;
use std::path::PathBuf;

use coaddkit_tasks::{Done, Error, ErrorKind, Input, Job, Output, Runner, State, merge, status};
use coaddkit_testkit::Rng;

use crate::help::*;

const UNITS: usize = 12;

/// A finished run, and its ledger.
fn finished() -> (tempfile::TempDir, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let job = Does(|unit: &str| Ok(named(unit)?.metric("rows", 3.0)));
    Runner::new(dir.path()).threads(1).run(&job, &plan(UNITS), &()).unwrap();
    let bytes = fs::read(ledger(dir.path())).unwrap();
    (dir, bytes)
}

/// The next run completes, and the result is right.
fn heals(dir: &tempfile::TempDir, what: &str) -> usize {
    let stand = status(dir.path()).unwrap();
    let summary = Runner::new(dir.path()).threads(1).run(&Does(named), &plan(UNITS), &()).expect(what);
    assert_eq!(summary.to_do, UNITS - stand.count(State::Done), "{what}");
    assert_eq!(merge::<Names>(dir.path()).unwrap().partial.0, names(UNITS), "{what}");
    summary.to_do
}

#[test]
fn a_ledger_cut_anywhere_loses_only_what_was_behind() {
    let (dir, bytes) = finished();
    let mut rng = Rng::new(3);
    let lines = |cut: &[u8]| cut.split(|b| *b == b'\n').count() - 1;
    for _ in 0..60 {
        let cut = (rng.unit() * bytes.len() as f64) as usize;
        fs::write(ledger(dir.path()), &bytes[..cut]).unwrap();
        let again = heals(&dir, &format!("cut at {cut}"));
        // The first line names the shard, then each unit has two.
        let whole = lines(&bytes[..cut]).saturating_sub(1) / 2;
        assert_eq!(again, UNITS - whole, "cut at {cut}");
        // What was left open is a line of its own, and swallows none of those that follow.
        let open = bytes[..cut].rsplit(|b| *b == b'\n').next().unwrap();
        let now = fs::read(ledger(dir.path())).unwrap();
        assert!(now.split(|b| *b == b'\n').any(|line| line == open), "cut at {cut}");
    }
}

#[test]
fn a_damaged_byte_costs_its_lines_and_nothing_else() {
    let (dir, bytes) = finished();
    let mut rng = Rng::new(4);
    for _ in 0..60 {
        let at = (rng.unit() * bytes.len() as f64) as usize;
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (rng.unit() * 8.0) as u32;
        fs::write(ledger(dir.path()), &damaged).unwrap();
        let again = heals(&dir, &format!("byte {at}"));
        assert!(again <= 1, "{again} units ran again for byte {at}");
    }
}

#[test]
fn what_was_not_written_by_a_run_is_no_line() {
    let (dir, bytes) = finished();
    let text = String::from_utf8(bytes).unwrap();
    let last = text.lines().last().unwrap();
    assert!(last.contains("u0011"));
    let mut other = text.strip_suffix(&format!("{last}\n")).unwrap().as_bytes().to_vec();
    other.extend(last.replace("u0011", "u0010").bytes().chain(*b"\n"));
    other.extend(b"{}\n\n\x00\xff\xfe\n{\"line\":\"ended\"}\n[[[[[[\n");
    // A line without end that is longer than any.
    other.extend(std::iter::repeat_n(b'x', 40 << 20));
    other.extend(b"\n");
    fs::write(ledger(dir.path()), &other).unwrap();
    let stand = status(dir.path()).unwrap();
    assert_eq!((stand.damaged_lines, stand.count(State::Done)), (6, UNITS - 1));
    assert_eq!(stand.interrupted, ["u0011"]);
    assert_eq!(heals(&dir, "junk"), 1);
}

#[test]
fn damaged_partials_are_seen_and_their_units_run_again() {
    let (dir, _) = finished();
    let partials = ledger(dir.path()).with_extension("partials");
    let bytes = fs::read(&partials).unwrap();
    let mut damaged = bytes.clone();
    damaged[20] ^= 4;
    fs::write(&partials, &damaged).unwrap();
    let error = merge::<Names>(dir.path()).unwrap_err();
    assert_eq!((error.kind(), error.place()), (ErrorKind::Data, "u0003"), "{error}");
    assert_eq!(heals(&dir, "a byte"), 1);

    fs::write(&partials, &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(heals(&dir, "cut"), UNITS / 2 + 1);
    fs::remove_file(&partials).unwrap();
    assert_eq!(heals(&dir, "gone"), UNITS);
}

#[test]
fn plans_changed_by_hand_and_folders_without_one_are_refused() {
    let (dir, _) = finished();
    let path = dir.path().join("parts/plan.json");
    let text = fs::read_to_string(&path).unwrap();
    for changed in
        [text.replace("u0003", "u00030"), text.replace("42", "13"), text[..90].to_owned(), String::new()]
    {
        assert_ne!(changed, text);
        fs::write(&path, changed).unwrap();
        assert_eq!(status(dir.path()).unwrap_err().kind(), ErrorKind::Data);
        let run = Runner::new(dir.path()).run(&Does(named), &plan(UNITS), &());
        assert_eq!(run.unwrap_err().kind(), ErrorKind::Data);
    }
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(status(empty.path()).unwrap_err().kind(), ErrorKind::Missing);
    assert_eq!(merge::<Names>(empty.path()).unwrap_err().kind(), ErrorKind::Missing);
}

#[test]
fn a_product_that_is_whole_is_not_made_again_after_a_kill() {
    struct Makes(PathBuf);
    impl Job for Makes {
        type Unit = String;
        type Partial = Names;
        fn inputs(&self, _: &String) -> Vec<Input> {
            Vec::new()
        }
        fn run(&self, unit: &String) -> Result<Done<Names>, Error> {
            assert!(!self.0.join(unit).exists(), "done twice");
            fs::write(self.0.join(unit), unit).unwrap();
            named(unit)
        }
        fn found(&self, unit: &String) -> Result<Option<Done<Names>>, Error> {
            if self.0.join(unit).exists() { named(unit).map(Some) } else { Ok(None) }
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let run = || Runner::new(dir.path()).run(&Makes(dir.path().to_owned()), &plan(1), &()).unwrap();
    assert_eq!(run().exit_code(), 0);
    // As if the process had died between the product and the line.
    let text = fs::read_to_string(ledger(dir.path())).unwrap();
    let lines: Vec<_> = text.lines().collect();
    fs::write(ledger(dir.path()), lines[..2].join("\n") + "\n").unwrap();
    let again = run();
    assert_eq!((again.to_do, again.exit_code()), (1, 0), "{:?}", again.ended);
    assert_eq!(merge::<Names>(dir.path()).unwrap().partial.0, names(1));
}

#[test]
fn a_failure_that_was_being_tried_again_is_not_started_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let fails = Does(|unit: &str| Err(Error::new(ErrorKind::Transient, unit, "503")));
    for attempt in 1..3 {
        let summary = Runner::new(dir.path()).run(&fails, &plan(1), &()).unwrap();
        assert_eq!((summary.ended[0].attempt, summary.exit_code()), (attempt, 75));
    }
    assert_eq!(status(dir.path()).unwrap().count(State::Failed), 1);
    let text = fs::read_to_string(ledger(dir.path())).unwrap();
    let lines: Vec<_> = text.lines().collect();
    fs::write(ledger(dir.path()), lines[..lines.len() - 1].join("\n") + "\n").unwrap();
    let stand = status(dir.path()).unwrap();
    assert_eq!((stand.count(State::Failed), stand.count(State::NotStarted)), (0, 1));
    assert_eq!(stand.interrupted, names(1));
}

#[test]
fn outputs_that_lead_out_of_the_folder_are_a_bug_of_the_job() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(other.path().join("x"), "y").unwrap();
    let job = Does(|unit: &str| {
        let mut output = Output::of(other.path(), "x")?;
        output.path = "../x".to_owned();
        Ok(Done::<Names>::new(named(unit)?.partial).output(output))
    });
    let summary = Runner::new(dir.path()).run(&job, &plan(1), &()).unwrap();
    assert_eq!(summary.exit_code(), 70);
}
