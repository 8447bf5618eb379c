//! What each level of verification sees, and what repair fetches.

use coaddkit_cache::{
    BrickList, BrickState, Completeness, Level, MARKER, Product, Thresholds, Verdict, Verified, Verify,
};
use coaddkit_testkit::{CoaddTree, Coverage, FaultOrigin, damage};

use crate::help::*;

const LEVELS: [Level; 4] = [Level::Size, Level::Structure, Level::Checksum, Level::Pixels];

fn filled(place: &Place, tree: &CoaddTree) -> FaultOrigin {
    let origin = serve(tree);
    assert!(place.run(tree, &origin).records.iter().all(|record| record.is_complete()));
    origin
}

fn verify(place: &Place, bricks: &BrickList, level: Level) -> Verified {
    Verify::new(grz(), level).run(&place.cache, bricks, &|_| {}).unwrap()
}

/// Levels at which something is found in brick 0001p000, whose other files and bricks are fine.
fn seen_at(place: &Place, tree: &CoaddTree) -> Vec<Level> {
    LEVELS
        .into_iter()
        .filter(|level| {
            let found = verify(place, &all(tree), *level);
            assert!(found.problems.iter().all(|p| p.brick == name("0001p000")), "{:?}", found.problems);
            for row in &found.records {
                let bad = row.brick == name("0001p000") && !found.problems.is_empty();
                assert_eq!(row.state == BrickState::Complete, !bad, "{row:?}");
            }
            !found.problems.is_empty()
        })
        .collect()
}

#[test]
fn a_whole_cache_is_whole_at_every_level() {
    let tree = small();
    for place in places() {
        filled(&place, &tree);
        assert_eq!(seen_at(&place, &tree), []);
        let bytes: usize = tree.files().iter().map(|(_, bytes)| bytes.len()).sum();
        assert_eq!(verify(&place, &all(&tree), Level::Size).bytes_read, 0);
        assert_eq!(verify(&place, &all(&tree), Level::Checksum).bytes_read, bytes as u64);
    }
}

/// Without the checksums of the first image, which would give away what is wrong with it.
fn without_sums(file: &[u8]) -> Vec<u8> {
    damage::without_card(&damage::without_card(file, 1, "CHECKSUM"), 1, "DATASUM")
}

#[test]
fn each_level_sees_what_it_looks_at() {
    let tree = small();
    let image = tree.file("0001p000", "image-r");
    let mask = tree.file("0001p000", "maskbits");
    let (image_data, mask_data) = (damage::data_offset(&image, 1), damage::data_offset(&mask, 1));
    // The magic number of the first HCOMPRESS stream, which stands after the descriptors of the tiles.
    let magic = (mask_data..).find(|&at| mask[at..].starts_with(&[0xDD, 0x99])).expect("HCOMPRESS data");
    let mut no_stream = mask.clone();
    no_stream[magic] = 0;
    let mut flipped = image.clone();
    flipped[image_data + 200] ^= 4;
    let mut descriptor = image.clone();
    // Beyond the heap: the offset of the first tile.
    descriptor[image_data + 4..image_data + 8].copy_from_slice(&0x00FF_FFFF_u32.to_be_bytes());
    let [size, structure, checksum, pixels] = LEVELS;
    let all_levels = vec![size, structure, checksum, pixels];
    // What it is, the file, its bytes, and who sees it with a marker that knows digests and with one that does not.
    let cases = [
        (
            "cut",
            "image-r",
            image[..image.len() - 2880].to_vec(),
            all_levels.clone(),
            all_levels[1..].to_vec(),
        ),
        (
            "longer",
            "image-r",
            [&image[..], &[0; 2880]].concat(),
            all_levels.clone(),
            all_levels[1..].to_vec(),
        ),
        ("empty", "image-r", Vec::new(), all_levels.clone(), all_levels.clone()),
        ("a page", "image-r", b"<html>busy</html>".to_vec(), all_levels.clone(), all_levels[1..].to_vec()),
        (
            "a descriptor beyond the heap",
            "image-r",
            without_sums(&descriptor),
            all_levels[1..].to_vec(),
            all_levels[1..].to_vec(),
        ),
        ("a bit", "image-r", flipped, vec![checksum, pixels], vec![checksum, pixels]),
        ("no stream", "maskbits", without_sums(&no_stream), vec![checksum, pixels], vec![pixels]),
        ("another image", "image-r", tree.file("0001p000", "image-g"), vec![checksum, pixels], vec![]),
    ];
    for place in places() {
        filled(&place, &tree);
        let marker = place.read(&format!("0001p000/{MARKER}")).unwrap();
        for (what, product, bytes, with, without) in &cases {
            let file = format!("0001p000/{}", file_name("0001p000", product));
            if *what == "another image" && bytes.len() != image.len() {
                continue;
            }
            place.put(&file, bytes.clone());
            assert_eq!(seen_at(&place, &tree), *with, "{what}");
            place.put(&format!("0001p000/{MARKER}"), "");
            assert_eq!(seen_at(&place, &tree), *without, "{what}, empty marker");
            place.put(&format!("0001p000/{MARKER}"), marker.clone());
            place.put(&file, tree.file("0001p000", product));
        }
    }
}

#[test]
fn findings_say_where() {
    let tree = small();
    let place = folder();
    filled(&place, &tree);
    let mut bytes = tree.file("0001p000", "maskbits");
    let at = damage::data_offset(&bytes, 3) + 150;
    bytes[at] ^= 1;
    let file = file_name("0001p000", "maskbits");
    place.put(&format!("0001p000/{file}"), bytes);
    let found = verify(&place, &all(&tree), Level::Checksum);
    let datasum = found.problems.iter().find(|p| p.hdu.is_some()).unwrap_or_else(|| panic!("{found:?}"));
    assert_eq!((datasum.product, datasum.level, datasum.hdu), (Product::MaskBits, Level::Checksum, Some(3)));
    assert!(datasum.to_string().starts_with(&format!("{file}: HDU 3, ")), "{datasum}");
    assert!(found.problems.iter().any(|p| p.what.contains("SHA-256")));
    let why = found.records.iter().find_map(|row| row.error.clone()).unwrap();
    assert!(why.contains(&file), "{why}");
}

#[test]
fn what_is_missing_has_a_state_of_its_own() {
    let tree = small();
    for place in places() {
        filled(&place, &tree);
        let [first, second, third] = WHOLE;
        place.remove(&format!("{first}/{}", file_name(first, "invvar-g")));
        tree.products().iter().for_each(|p| place.remove(&format!("{second}/{}", file_name(second, p))));
        place.remove(&format!("{third}/{MARKER}"));
        place.put("0007p000/legacysurvey-0007p000-image-g.fits.fz", "not asked for");
        place.put("notes/readme", "no brick");
        let found = verify(&place, &all(&tree), Level::Size);
        let of = |brick| found.records.iter().find(|row| row.brick == name(brick)).unwrap();
        assert_eq!((of(first).state, of(first).files_present), (BrickState::Partial, 6));
        assert_eq!(of(first).missing, [Product::Invvar("g".parse().unwrap())]);
        assert_eq!((of(second).state, of(second).files_present), (BrickState::Absent, 0));
        // All is there, but nobody vouches for it: a fill puts the marker back.
        assert_eq!((of(third).state, of(third).files_present), (BrickState::Failed, 7));
        assert!(of(third).error.as_ref().unwrap().contains("marker"), "{:?}", of(third).error);
        assert_eq!(found.extra, [name("0007p000")]);
        assert_eq!(found.problems, []);
        let sums = Completeness::of(&found.records, &all(&tree), 1, Thresholds::default());
        assert_eq!(
            (sums.status, sums.total_expected_bricks, sums.total_cached_bricks),
            (Verdict::Fail, 3, 2)
        );
        assert_eq!((sums.complete_bricks, sums.incomplete_bricks, sums.missing_bricks), (0, 2, 1));
        assert_eq!(sums.missing_brick_list, [second]);
        assert_eq!((sums.extra_bricks, sums.completeness_pct), (1, 0.0));
        let markdown = sums.markdown("here");
        assert!(markdown.starts_with("# Coadd cache: FAIL\n") && markdown.contains("invvar-g"), "{markdown}");
    }
}

#[test]
fn repair_fetches_what_is_damaged_and_nothing_else() {
    let tree = small();
    for place in places() {
        let origin = filled(&place, &tree);
        let file = |product| format!("0001p000/{}", file_name("0001p000", product));
        let mut bytes = tree.file("0001p000", "image-r");
        let at = damage::data_offset(&bytes, 1) + 200;
        bytes[at] ^= 4;
        place.put(&file("image-r"), bytes);
        place.remove(&file("maskbits"));
        // A fill alone believes the marker about what has the right size.
        let found = verify(&place, &all(&tree), Level::Checksum);
        let again = found.problems.iter().map(|p| (p.brick, p.product));
        origin.forget();
        let repaired = place.fill(grz(), &origin).again(again).run(&all(&tree), &()).unwrap();
        let mut asked: Vec<String> = origin.requests().into_iter().map(|e| e.path).collect();
        asked.sort();
        assert_eq!(asked, ["image-r", "maskbits"].map(|p| CoaddTree::path("0001p000", p)));
        assert!(repaired.records.iter().all(|row| row.is_complete()));
        place.assert_whole(&tree, &WHOLE);
        assert_eq!(seen_at(&place, &tree), []);
    }
}

#[test]
fn the_words_for_shares() {
    let word = |complete, all| Thresholds::default().verdict(complete, all);
    assert_eq!(word(999, 1000), Verdict::Pass);
    assert_eq!(word(9989, 10_000), Verdict::Warn);
    // The published run, 221 of 180,373 bricks short: 99.877 % is no PASS.
    assert_eq!(word(180_152, 180_373), Verdict::Warn);
    assert_eq!(word(95, 100), Verdict::Warn);
    assert_eq!(word(949, 1000), Verdict::Fail);
    assert_eq!(word(0, 0), Verdict::Pass);
    let strict = Thresholds { pass_pct: 100.0, warn_pct: 99.0 };
    assert_eq!([strict.verdict(999, 1000), strict.verdict(1000, 1000)], [Verdict::Warn, Verdict::Pass]);
}

/// The deepest bricks are missing, and one of unknown depth: quarters of eight bricks with values.
#[test]
fn where_bricks_are_missing() {
    let names = [
        "0001m002", "0001p000", "0003m002", "0003p000", "0003p002", "3596m002", "3598p000", "3598p002",
        "1498p022",
    ];
    let depths = ["23.1", "23.2", "24.4", "24.3", "23.8", "23.7", "23.5", "23.6", ""];
    let mut csv = "brickname,psfdepth_r,psfsize_r,ebv\n".to_owned();
    for (brick, depth) in names.iter().zip(depths) {
        csv.push_str(&format!("{brick},{depth},1.{},0.0{}\n", &brick[3..4], &brick[3..4]));
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bricks.csv"), csv).unwrap();
    let bricks = BrickList::read(&dir.path().join("bricks.csv")).unwrap();
    let missing = ["0003m002", "0003p000", "0001p000", "1498p022"];
    let tree = names.iter().fold(CoaddTree::new(1).size(32, 20), |tree, brick| {
        let coverage = if missing.contains(brick) { Coverage::Absent } else { Coverage::Complete };
        tree.brick(brick, coverage)
    });
    let place = store();
    let origin = serve(&tree);
    let filled = place.fill(grz(), &origin).run(&bricks, &()).unwrap();
    let sums = Completeness::of(&filled.records, &bricks, 0, Thresholds::default());
    let depth = &sums.missingness_analysis[0];
    assert_eq!(depth.column, "psfdepth_r");
    let bins: Vec<_> = depth.bins.iter().map(|b| (b.min, b.max, b.bricks, b.incomplete)).collect();
    let expected = [
        (Some(23.1), Some(23.2), 2, 1),
        (Some(23.5), Some(23.6), 2, 0),
        (Some(23.7), Some(23.8), 2, 0),
        (Some(24.3), Some(24.4), 2, 2),
        (None, None, 1, 1),
    ];
    assert_eq!(bins, expected);
    let columns: Vec<_> = sums.missingness_analysis.iter().map(|m| m.column).collect();
    assert_eq!(columns, ["psfdepth_r", "psfsize_r", "ebv"]);
    let markdown = sums.markdown("here");
    assert!(markdown.contains("| psfdepth_r | 24.3000 | 24.4000 | 2 | 2 | 100.000 % |"), "{markdown}");
    // A list without conditions has no such table.
    let plain = BrickList::named(&names.join(",")).unwrap();
    let sums = Completeness::of(&filled.records, &plain, 0, Thresholds::default());
    assert!(sums.missingness_analysis.is_empty() && !sums.markdown("here").contains("missing\n"));
}
