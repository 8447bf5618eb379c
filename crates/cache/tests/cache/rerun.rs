//! What a second run does, and what it leaves alone.

use coaddkit_cache::{BrickList, BrickState, KnownAbsent, MARKER, write_csv};
use coaddkit_testkit::{CoaddTree, Coverage, Fault};

use crate::help::*;

/// Requests to the origin, as paths.
fn asked(origin: &coaddkit_testkit::FaultOrigin) -> Vec<String> {
    let mut paths: Vec<String> = origin.requests().into_iter().map(|e| e.path).collect();
    paths.sort();
    paths
}

#[test]
fn a_complete_cache_is_listed_and_nothing_is_asked() {
    let tree = small();
    for place in places() {
        let origin = serve(&tree);
        let first = place.run(&tree, &origin);
        let names = place.names();
        let before: Vec<_> = names.iter().map(|name| place.read(name)).collect();
        origin.forget();
        if let Some(asked) = &place.asked {
            asked.take();
        }
        let second = place.run(&tree, &origin);
        assert_eq!(asked(&origin), [""; 0]);
        if let Some(asked) = &place.asked {
            // One list, and the markers; no question a file, and nothing is written.
            assert_eq!(asked.take(), [1, 3, 0, 0]);
        }
        // The manifest of a rerun has every brick, as that of the first run.
        assert_eq!(second.records, first.records);
        assert_eq!((first.complete_before, second.complete_before), (0, 3));
        let after: Vec<_> = place.names().iter().map(|name| place.read(name)).collect();
        assert!(before == after);
    }
}

#[test]
fn what_is_absent_is_asked_at_most_once_a_run() {
    let tree = small().brick("0001p002", Coverage::Bands("gz")).brick("1501p022", Coverage::Absent);
    for place in places() {
        let origin = serve(&tree);
        let first = place.run(&tree, &origin);
        origin.forget();
        let second = place.run(&tree, &origin);
        assert_eq!(second.records, first.records);
        let mut expected: Vec<String> =
            tree.products().iter().map(|product| CoaddTree::path("1501p022", product)).collect();
        expected.extend(["image-r", "invvar-r"].map(|product| CoaddTree::path("0001p002", product)));
        expected.sort();
        assert_eq!(asked(&origin), expected);

        // With the manifest of an earlier run, not at all; the rows stay what they are.
        let manifest = tempfile::NamedTempFile::new().unwrap();
        write_csv(&manifest, &first.records).unwrap();
        let known = KnownAbsent::read(manifest.path()).unwrap();
        assert_eq!(known.len(), 9);
        origin.forget();
        let third = place.fill(grz(), &origin).skip_absent(known).run(&all(&tree), &()).unwrap();
        assert_eq!(asked(&origin), [""; 0]);
        assert_eq!((third.records, third.not_asked), (first.records, 9));

        // And what appears at the origin later is found by a run that asks.
        let path = CoaddTree::path("0001p002", "image-r");
        origin.put(&path, tree.file("0001p002", "image-r"));
        origin.put(&CoaddTree::path("0001p002", "invvar-r"), tree.file("0001p002", "invvar-r"));
        let last = place.run(&tree, &origin);
        assert!(record(&last, "0001p002").is_complete());
        assert_eq!(place.marker("0001p002").unwrap().files.len(), 7);
    }
}

#[test]
fn psfsize_later_fetches_only_psfsize() {
    let tree = small().with_psfsize();
    for place in places() {
        let origin = serve(&tree);
        place.run(&tree, &origin);
        let before = place.marker("0001p000").unwrap();
        assert_eq!(before.files.len(), 7);
        origin.forget();
        let filled = place.fill(grz().with_psfsize(), &origin).run(&all(&tree), &()).unwrap();
        let mut expected: Vec<String> = WHOLE
            .iter()
            .flat_map(|brick| {
                ["psfsize-g", "psfsize-r", "psfsize-z"].map(|product| CoaddTree::path(brick, product))
            })
            .collect();
        expected.sort();
        assert_eq!(asked(&origin), expected);
        assert!(filled.records.iter().all(|r| r.is_complete() && r.files_expected == 10));
        place.assert_whole(&tree, &WHOLE);
        // What the marker said of the seven, it still says.
        let after = place.marker("0001p000").unwrap();
        assert!(before.files.iter().all(|file| after.file(&file.name) == Some(file)));

        // Fewer files are covered by a marker of more.
        origin.forget();
        assert_eq!(place.run(&tree, &origin).complete_before, 3);
        assert_eq!(asked(&origin), [""; 0]);
        assert_eq!(place.marker("0001p000").unwrap().files.len(), 10);
    }
}

#[test]
fn psfsize_that_the_origin_lacks_leaves_the_old_marker() {
    let tree = small();
    for place in places() {
        let origin = serve(&tree);
        place.run(&tree, &origin);
        let filled = place.fill(grz().with_psfsize(), &origin).run(&all(&tree), &()).unwrap();
        assert!(filled.records.iter().all(|r| r.state == BrickState::Partial && r.files_absent == 3));
        place.assert_whole(&tree, &WHOLE);
    }
}

#[test]
fn empty_markers_of_others_are_honoured_after_a_look() {
    let tree = small();
    for place in places() {
        let origin = serve(&tree);
        for product in tree.products() {
            for brick in WHOLE {
                let name = format!("{brick}/{}", file_name(brick, &product));
                place.put(&name, tree.file(brick, &product));
                place.put(&format!("{brick}/{MARKER}"), "");
            }
        }
        // One brick is not what its marker says.
        place.remove(&format!("0001p000/{}", file_name("0001p000", "image-r")));
        let filled = place.run(&tree, &origin);
        assert_eq!(asked(&origin), [CoaddTree::path("0001p000", "image-r")]);
        assert!(filled.records.iter().all(|record| record.is_complete()));
        assert_eq!(filled.complete_before, 2);
        assert_eq!(place.read(&format!("3598p000/{MARKER}")).unwrap(), b"");
        let marker = place.marker("0001p000").unwrap();
        let fetched = marker.file(&file_name("0001p000", "image-r")).unwrap();
        assert_eq!(fetched.sha256, sha256(&tree.file("0001p000", "image-r")));
    }
}

#[test]
fn force_fetches_everything_again() {
    let tree = small();
    for place in places() {
        let origin = serve(&tree);
        place.run(&tree, &origin);
        // The survey has made one file anew.
        let path = CoaddTree::path("0001p000", "image-r");
        let newer = CoaddTree::new(4).size(48, 20).brick("0001p000", Coverage::Complete);
        let newer = newer.file("0001p000", "image-r");
        origin.put(&path, newer.clone());
        origin.forget();
        let filled = place.fill(grz(), &origin).force(true).run(&all(&tree), &()).unwrap();
        assert_eq!(asked(&origin).len(), 21);
        assert_eq!((filled.report.counts.published, filled.complete_before), (21, 0));
        let name = file_name("0001p000", "image-r");
        assert!(place.read(&format!("0001p000/{name}")).as_ref() == Some(&newer));
        assert_eq!(place.marker("0001p000").unwrap().file(&name).unwrap().sha256, sha256(&newer));
    }
}

/// A forced run that fails leaves no marker that vouches for what is being replaced.
#[test]
fn force_takes_the_markers_away_first() {
    let tree = small();
    for place in places() {
        let origin = serve(&tree);
        place.run(&tree, &origin);
        origin.fault(Fault::Status(404).on(&CoaddTree::path("0001p000", "image-r")));
        let filled = place.fill(grz(), &origin).force(true).run(&all(&tree), &()).unwrap();
        assert_eq!(record(&filled, "0001p000").state, BrickState::Partial);
        assert_eq!(place.marker("0001p000"), None);
        assert!(place.marker("3598p000").is_some());
    }
}

#[test]
fn files_without_a_marker_are_verified_and_kept() {
    let tree = small();
    for place in places() {
        let origin = serve(&tree);
        place.run(&tree, &origin);
        WHOLE.iter().for_each(|brick| place.remove(&format!("{brick}/{MARKER}")));
        // One of them is damaged, as only its checksum shows; another is empty.
        let (damaged, empty) = (file_name("0001p000", "invvar-z"), file_name("3598p000", "image-g"));
        let mut bytes = tree.file("0001p000", "invvar-z");
        let at = coaddkit_testkit::damage::data_offset(&bytes, 1) + 100;
        bytes[at] ^= 8;
        place.put(&format!("0001p000/{damaged}"), bytes);
        place.put(&format!("3598p000/{empty}"), "");
        origin.forget();
        let filled = place.run(&tree, &origin);
        let expected = [CoaddTree::path("0001p000", "invvar-z"), CoaddTree::path("3598p000", "image-g")];
        assert_eq!(asked(&origin), expected);
        assert_eq!(filled.replaced, 1);
        place.assert_whole(&tree, &WHOLE);
    }
}

#[test]
fn markers_that_do_not_hold_are_not_believed() {
    let tree = small();
    for place in places() {
        let origin = serve(&tree);
        place.run(&tree, &origin);
        let [first, second, third] = WHOLE;
        // The file is not what the marker says, the marker is nonsense, the marker is that of another brick.
        let name = format!("{first}/{}", file_name(first, "image-g"));
        place.put(&name, [tree.file(first, "image-g"), vec![0; 2880]].concat());
        place.put(&format!("{second}/{MARKER}"), "{\"format\": 1");
        let other = place.read(&format!("{first}/{MARKER}")).unwrap();
        place.put(&format!("{third}/{MARKER}"), other);
        origin.forget();
        let filled = place.run(&tree, &origin);
        assert_eq!(asked(&origin), [CoaddTree::path(first, "image-g")]);
        assert!(filled.records.iter().all(|record| record.is_complete()));
        place.assert_whole(&tree, &WHOLE);
    }
}

#[test]
fn only_what_failed_is_asked_again() {
    let tree = small();
    for place in places() {
        let origin = serve(&tree);
        let path = CoaddTree::path("0001p000", "image-z");
        origin.fault(Fault::Status(500).on(&path));
        let filled = place.run(&tree, &origin);
        assert_eq!(record(&filled, "0001p000").state, BrickState::Failed);
        origin.heal();
        origin.forget();
        let filled = place.run(&tree, &origin);
        assert_eq!(asked(&origin), [path]);
        assert!(filled.records.iter().all(|record| record.is_complete()));
        place.assert_whole(&tree, &WHOLE);
    }
}

/// A run that is told to stop says of every brick how far it is, and the next goes on.
#[test]
fn a_cancelled_run_is_resumed() {
    let tree = small();
    for place in places() {
        let origin = serve(&tree);
        let cancel = coaddkit_transfer::Cancel::default();
        let stop = |_: &coaddkit_transfer::Item, _: &coaddkit_transfer::Finished| cancel.cancel();
        let fill = place.fill(grz(), &origin).configure(|transfer| transfer.cancel(&cancel));
        let filled = fill.run(&all(&tree), &stop).unwrap();
        assert_eq!(filled.records.len(), 3);
        assert!(filled.records.iter().any(|record| record.state == BrickState::Failed));
        let filled = place.run(&tree, &origin);
        assert!(filled.records.iter().all(|record| record.is_complete()));
        place.assert_whole(&tree, &WHOLE);
    }
}

/// A brick that is asked for alone is listed alone, and others are left alone.
#[test]
fn some_bricks_of_many() {
    let tree = small();
    let place = store();
    let origin = serve(&tree);
    place.run(&tree, &origin);
    origin.forget();
    let asked_for = BrickList::named("0003m002,0001p000,0003m002").unwrap();
    let filled = place.fill(grz(), &origin).run(&asked_for, &()).unwrap();
    assert_eq!(states(&filled).iter().map(|s| s.0).collect::<Vec<_>>(), ["0003m002", "0001p000"]);
    assert_eq!(filled.complete_before, 2);
    assert_eq!(asked(&origin), [""; 0]);
}
