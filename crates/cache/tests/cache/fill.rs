//! The first fill: states, markers, quarantine.

use std::collections::HashMap;

use coaddkit_cache::{BrickState, FileSet, MARKER, Product};
use coaddkit_testkit::{CoaddTree, Coverage, Fault};

use crate::help::*;

/// What becomes of the bricks of [`CoaddTree::miniature`].
const ENDS: [(&str, BrickState); 12] = [
    ("3596m002", BrickState::Complete),
    ("0001m002", BrickState::Complete),
    ("0003m002", BrickState::Complete),
    ("3598p000", BrickState::Complete),
    ("0001p000", BrickState::Complete),
    ("0003p000", BrickState::Complete),
    ("3598p002", BrickState::Complete),
    ("0001p002", BrickState::Partial),
    ("0003p002", BrickState::Complete),
    ("1498p022", BrickState::Partial),
    ("1501p022", BrickState::Absent),
    ("1503p022", BrickState::Quarantined),
];

fn miniature() -> CoaddTree {
    CoaddTree::miniature(1).size(48, 20)
}

#[test]
fn every_state_is_told_from_the_others() {
    let tree = miniature();
    for place in places() {
        let origin = serve(&tree);
        let filled = place.run(&tree, &origin);
        assert_eq!(states(&filled), ENDS);
        assert_eq!(filled.report.counts.published, 8 * 7 + 2 * 5 + 6);
        assert_eq!(filled.report.counts.not_found, 2 + 2 + 7);
        assert_eq!(filled.report.counts.quarantined, 1);

        assert_eq!(missing(&filled, "0001p002"), ["image-r", "invvar-r"]);
        assert_eq!(missing(&filled, "1498p022"), ["image-g", "invvar-g"]);
        let of = |brick| {
            let row = record(&filled, brick);
            (row.files_expected, row.files_present, row.files_absent, row.missing.len())
        };
        assert_eq!(of("0001p000"), (7, 7, 0, 0));
        assert_eq!(of("0001p002"), (7, 5, 2, 2));
        assert_eq!(of("1501p022"), (7, 0, 7, 7));
        assert_eq!(of("1503p022"), (7, 6, 0, 1));
        let bytes: usize = tree.products().iter().map(|p| tree.file("0001p000", p).len()).sum();
        assert_eq!(record(&filled, "0001p000").bytes, bytes as u64);
        assert_eq!(record(&filled, "1501p022").error, None);
        let why = record(&filled, "1503p022").error.as_deref().unwrap();
        assert!(why.contains("image-r") && why.contains("DATASUM"), "{why}");
        assert!(record(&filled, "0001p000").prefix.ends_with("/0001p000/"));
    }
}

#[test]
fn what_is_published_is_whole_and_marked_last() {
    let tree = miniature();
    let files: HashMap<String, Vec<u8>> = tree.files().into_iter().collect();
    for place in places() {
        let origin = serve(&tree);
        place.run(&tree, &origin);
        let mut expected = Vec::new();
        for (brick, state) in ENDS {
            let marker = place.marker(brick);
            assert_eq!(marker.is_some(), state == BrickState::Complete, "{brick}");
            if let Some(marker) = &marker {
                assert_eq!((&*marker.brickname, marker.files.len()), (brick, 7));
                expected.push(format!("{brick}/{MARKER}"));
            }
            for product in tree.products() {
                let file = file_name(brick, &product);
                let at = CoaddTree::path(brick, &product);
                let served = files.get(&at).filter(|_| (brick, &*product) != ("1503p022", "image-r"));
                let Some(served) = served else {
                    assert_eq!(place.read(&format!("{brick}/{file}")), None);
                    continue;
                };
                assert!(place.read(&format!("{brick}/{file}")).as_ref() == Some(served), "{file}");
                expected.push(format!("{brick}/{file}"));
                if let Some(promised) = marker.as_ref().map(|marker| marker.file(&file).unwrap()) {
                    assert_eq!((promised.bytes, &promised.sha256), (served.len() as u64, &sha256(served)));
                    assert_eq!(promised.url, origin.url(&at));
                    assert!(promised.etag.is_some() && promised.last_modified.is_some());
                }
            }
        }
        let bad = format!("_quarantine/1503p022/{}", file_name("1503p022", "image-r"));
        expected.extend([format!("{bad}.reason.json"), bad.clone()]);
        expected.sort();
        assert_eq!(place.names(), expected);

        // Nothing is left of a brick that is not there.
        assert!(!place.cache.bricks().unwrap().contains(&name("1501p022")));

        // What the origin sent lies apart, with the reason; it was asked twice, in case the way was bad.
        let path = CoaddTree::path("1503p022", "image-r");
        assert!(place.read(&bad).as_ref() == files.get(&path));
        let note = String::from_utf8(place.read(&format!("{bad}.reason.json")).unwrap()).unwrap();
        assert!(note.contains("DATASUM") && note.contains(&origin.url(&path)), "{note}");
        assert_eq!(origin.count(&path), 2);
        // 404 is an answer.
        let absent = origin.requests().iter().filter(|e| e.status == 404).count();
        assert_eq!((absent, origin.requests().len()), (11, 8 * 7 + 14 + 7 + 7 + 1));
    }
}

#[test]
fn other_bands_and_the_sizes_of_the_psf() {
    let tree = small().with_psfsize();
    let place = folder();
    let origin = serve(&tree);
    let files = FileSet::new(["r".parse().unwrap()]).unwrap().with_psfsize();
    let filled = place.fill(files, &origin).run(&all(&tree), &()).unwrap();
    assert!(filled.records.iter().all(|r| r.is_complete() && r.files_expected == 4));
    let names: Vec<String> =
        place.marker("0001p000").unwrap().files.iter().map(|file| file.name.clone()).collect();
    let expected = ["image-r", "invvar-r", "maskbits", "psfsize-r"].map(|p| file_name("0001p000", p));
    assert_eq!(names, expected);
    // Further bands come beside them.
    let filled = place.fill(grz().with_psfsize(), &origin).run(&all(&tree), &()).unwrap();
    assert_eq!(filled.report.counts.published, 3 * 6);
    place.assert_whole(&tree, &WHOLE);
}

#[test]
fn empty_markers_on_request() {
    let tree = small();
    for place in places() {
        let origin = serve(&tree);
        place.fill(grz(), &origin).empty_markers(true).run(&all(&tree), &()).unwrap();
        assert_eq!(place.read(&format!("0001p000/{MARKER}")).unwrap(), b"");
        origin.forget();
        assert!(place.run(&tree, &origin).records.iter().all(|record| record.is_complete()));
        assert!(origin.requests().is_empty());
    }
}

#[test]
fn pages_in_place_of_a_file_are_never_published() {
    let tree = small();
    let path = CoaddTree::path("0001p000", "invvar-g");
    for page in [Fault::HtmlPage, Fault::XmlError] {
        for place in places() {
            let origin = serve(&tree);
            origin.fault(page.clone().on(&path));
            let filled = place.run(&tree, &origin);
            assert_ne!(record(&filled, "0001p000").state, BrickState::Complete, "{page:?}");
            assert_eq!(missing(&filled, "0001p000"), ["invvar-g"]);
            assert_eq!(place.read(&format!("0001p000/{}", file_name("0001p000", "invvar-g"))), None);
            assert_eq!(place.marker("0001p000"), None);
            // The others are not held up, and the next run gets it.
            assert!(record(&filled, "3598p000").is_complete());
            origin.heal();
            let filled = place.run(&tree, &origin);
            assert!(filled.records.iter().all(|record| record.is_complete()));
            assert_eq!(filled.report.counts.published, 1);
        }
    }
}

/// Whatever the origin vouches for: what is no whole FITS file goes to quarantine.
#[test]
fn files_that_are_not_whole_are_quarantined() {
    let tree = small();
    let whole = tree.file("0001p000", "maskbits");
    let hdu = |n| coaddkit_testkit::damage::header_offset(&whole, n);
    let damaged = [
        ("cut in the data", whole[..hdu(2) - 2880].to_vec()),
        ("cut in a header", whole[..hdu(1) + 1000].to_vec()),
        ("bytes after the end", [&whole[..], b"and more"].concat()),
        ("not FITS", b"SIMPLE is what it is not".repeat(400)),
        ("a bit in the last extension", {
            let mut file = whole.clone();
            file[coaddkit_testkit::damage::data_offset(&whole, 3)] ^= 1;
            file
        }),
        ("cut after the primary header", whole[..hdu(1)].to_vec()),
        ("empty", Vec::new()),
    ];
    for (what, body) in damaged {
        let place = store();
        let origin = serve(&tree);
        origin.put(&CoaddTree::path("0001p000", "maskbits"), body);
        let filled = place.run(&tree, &origin);
        let row = record(&filled, "0001p000");
        assert_eq!(row.state, BrickState::Quarantined, "{what}: {:?}", row.error);
        assert_eq!(row.missing, [Product::MaskBits], "{what}");
        let name = file_name("0001p000", "maskbits");
        assert_eq!(place.read(&format!("0001p000/{name}")), None, "{what}");
        assert!(place.read(&format!("_quarantine/0001p000/{name}")).is_some(), "{what}");
        assert!(record(&filled, "3598p000").is_complete() && record(&filled, "0003m002").is_complete());
    }
}

#[test]
fn a_failure_is_told_from_an_absence() {
    let tree = small().brick("0003p000", Coverage::Absent);
    for place in places() {
        let origin = serve(&tree);
        origin.fault(Fault::Status(500).on(&CoaddTree::path("0001p000", "image-z")));
        origin.fault(Fault::Status(403).on(&CoaddTree::path("3598p000", "image-z")));
        let filled = place.run(&tree, &origin);
        let expected = [
            ("3598p000", BrickState::Failed),
            ("0001p000", BrickState::Failed),
            ("0003m002", BrickState::Complete),
            ("0003p000", BrickState::Absent),
        ];
        assert_eq!(states(&filled), expected);
        let why = |brick| record(&filled, brick).error.clone().unwrap();
        assert!(why("0001p000").contains("500"), "{}", why("0001p000"));
        assert!(why("3598p000").contains("403"), "{}", why("3598p000"));
        // 403 is final, 500 is not.
        assert_eq!(origin.count(&CoaddTree::path("3598p000", "image-z")), 1);
        assert_eq!(origin.count(&CoaddTree::path("0001p000", "image-z")), 8);
        assert_eq!(record(&filled, "0001p000").files_absent, 0);
    }
}

/// A disk that is full ends the run with a word about where, and not file by file; nothing partial is left, and with room
/// again the next run goes on.
#[test]
fn a_full_disk() {
    let Some(small) = coaddkit_testkit::SmallDisk::new(1 << 20) else { return };
    let place = coaddkit_transfer::Destination::folder(small.path().join("cache"));
    let cache = coaddkit_cache::CoaddCache::new(place).unwrap();
    let bricks = ["3598p000", "0001p000", "0003m002", "3596m002", "0001m002", "3598p002"];
    let tree = bricks.iter().fold(CoaddTree::new(3), |tree, name| tree.brick(name, Coverage::Complete));
    let origin = serve(&tree);
    let filled = coaddkit_cache::Fill::new(&cache, grz(), &origin.base()).run(&all(&tree), &()).unwrap();
    let stopped =
        filled.report.stopped.as_ref().unwrap_or_else(|| panic!("{:?}", filled.records)).to_string();
    assert!(stopped.contains("No space left") && stopped.contains("cache/"), "{stopped}");
    assert!(filled.records.iter().any(|r| r.state == BrickState::Failed));
    assert!(filled.records.iter().all(|r| r.files_expected == 7));
    let place = Place::of(cache);
    for (row, brick) in filled.records.iter().zip(bricks) {
        assert_eq!(place.marker(brick).is_some(), row.is_complete(), "{brick}");
        for product in tree.products() {
            let found = place.read(&format!("{brick}/{}", file_name(brick, &product)));
            assert!(found.is_none_or(|bytes| bytes == tree.file(brick, &product)), "{brick} {product}");
        }
    }
}
