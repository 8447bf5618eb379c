//! Disks that take no more.

use coaddkit_testkit::SmallDisk;
use coaddkit_transfer::{Destination, ErrorKind, Outcome};

use crate::help::*;

#[test]
fn a_full_disk_ends_the_run_and_leaves_nothing_partial() {
    let Some(small) = SmallDisk::new(4 << 20) else { return };
    let files: Vec<_> = (0..40).map(|i| (format!("d/f{i}.bin"), body(900_000, i))).collect();
    let origin = origin(&files);
    let place = Place { destination: Destination::folder(small.path()), dir: tempfile::tempdir().unwrap() };
    let report = run(&hasty(&place), &plan(&origin, &files));
    let stopped = report.stopped.as_ref().expect("a reason");
    assert_eq!(stopped.kind(), ErrorKind::Destination);
    assert!(stopped.to_string().contains("No space left"), "{stopped}");
    assert!(stopped.place().contains("d/f"), "{stopped}");
    // No file was tried eight times, and most were not tried at all.
    assert!(report.requests <= 30, "{}", report.requests);
    assert_eq!(report.counts.published + report.missing.len() as u64, 40);
    let there = names(&place.destination);
    assert_eq!(there.len() as u64, report.counts.published);
    for name in &there {
        let (_, body) = files.iter().find(|(n, _)| n == name).unwrap();
        assert!(read(&place.destination, name).as_ref() == Some(body), "{name}");
    }
    let hidden: Vec<_> = below(small.path()).into_iter().filter(|name| name.contains(".part-")).collect();
    assert!(hidden.is_empty(), "{hidden:?}");
}

#[test]
fn a_full_spool_folder_ends_the_run() {
    let Some(small) = SmallDisk::new(4 << 20) else { return };
    let files = vec![("f".to_owned(), body(40 << 20, 1))];
    let place = &places()[1];
    let origin = origin(&files);
    let report = run(&hasty(place).spool(small.path()), &plan(&origin, &files));
    let stopped = report.stopped.as_ref().expect("a reason");
    assert!(stopped.to_string().contains("No space left"), "{stopped}");
    assert!(names(&place.destination).is_empty());
}

#[test]
fn what_stands_in_the_way_is_named_and_the_others_go_on() {
    let files = files(7);
    let place = &places()[0];
    let root = place.destination.as_folder().unwrap();
    // A folder where a file is to be.
    std::fs::create_dir_all(root.join("d0/f2.bin/x")).unwrap();
    let origin = origin(&files);
    let report = run(&hasty(place), &plan(&origin, &files));
    assert_eq!((report.counts.published, report.counts.gave_up), (6, 1));
    let Outcome::GaveUp(error) = &report.missing[0].outcome else { panic!("{report:?}") };
    assert!(error.place().ends_with("d0/f2.bin"), "{error}");
    assert_eq!(origin.count("d0/f2.bin"), 1);
    assert_no_parts(place);
}

#[test]
fn a_root_that_is_a_file_ends_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    std::fs::write(&root, "x").unwrap();
    let files = files(7);
    let origin = origin(&files);
    let place = Place { destination: Destination::folder(&root), dir };
    let report = run(&hasty(&place), &plan(&origin, &files));
    assert_eq!(report.counts.published, 0);
    assert!(report.missing.iter().all(|m| m.attempts == 0));
    assert_eq!(std::fs::read(&root).unwrap(), b"x");
}
