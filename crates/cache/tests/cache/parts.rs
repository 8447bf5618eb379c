//! What is done for the parts of a list is, put together, what is done for the list.

use coaddkit_cache::{
    BrickList, BrickRecord, CacheError, Completeness, Filled, Level, Thresholds, Verified, Verify, write_csv,
};
use coaddkit_testkit::CoaddTree;
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

use crate::help::*;

fn miniature() -> CoaddTree {
    CoaddTree::miniature(1).size(48, 20)
}

/// A list in parts, to which bricks are dealt out like cards, the last part first.
fn dealt(bricks: &BrickList, parts: usize) -> Vec<BrickList> {
    let names: Vec<&str> = bricks.bricks().iter().map(|brick| brick.as_str()).collect();
    let part = |k: usize| names.iter().skip(k).step_by(parts).copied().collect::<Vec<_>>().join(",");
    (0..parts).rev().map(|k| BrickList::named(&part(k)).unwrap()).collect()
}

/// As another process reads it.
fn by_text<T: Serialize + DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

/// Everything that is written of records.
fn written(records: &[BrickRecord], bricks: &BrickList) -> Vec<Vec<u8>> {
    let completeness = Completeness::of(records, bricks, 3, Thresholds::default());
    let mut csv = Vec::new();
    write_csv(&mut csv, records).unwrap();
    let mut all = vec![csv, serde_json::to_vec(&completeness).unwrap(), completeness.markdown("here").into()];
    #[cfg(feature = "parquet")]
    {
        let mut parquet = Vec::new();
        coaddkit_cache::write_parquet(&mut parquet, records).unwrap();
        all.push(parquet);
    }
    all.sort_by_key(Vec::len);
    all
}

/// What a fill did, but for the time that it took.
fn account(filled: &Filled) -> serde_json::Value {
    let mut all = serde_json::to_value(filled).unwrap();
    all["report"].as_object_mut().unwrap().remove("elapsed").unwrap();
    all
}

#[test]
fn a_cache_filled_in_parts_is_the_cache_of_one_run() {
    let tree = miniature();
    let bricks = all(&tree);
    for parts in [1, 2, 5, 12] {
        let (whole, pieces) = (store(), store());
        let (origin, other) = (serve(&tree), serve(&tree));
        let fill = |place: &Place, bricks: &BrickList| {
            // The same address, since reports have it.
            place
                .fill(grz(), if std::ptr::eq(place, &whole) { &origin } else { &other })
                .run(bricks, &())
                .unwrap()
        };
        // The second time most of it is there.
        for complete_before in [0, 8] {
            let expected = fill(&whole, &bricks);
            let each: Vec<Filled> =
                dealt(&bricks, parts).iter().map(|part| by_text(&fill(&pieces, part))).collect();
            let merged = Filled::merge(&bricks, each).unwrap();
            let same = |filled: &Filled| {
                let text = account(filled).to_string().replace(&other.base(), &origin.base());
                serde_json::from_str::<serde_json::Value>(&text).unwrap()
            };
            assert_eq!(same(&merged), same(&expected));
            assert_eq!(merged.complete_before, complete_before);
            assert!(written(&merged.records, &bricks) == written(&expected.records, &bricks));
            assert_eq!(pieces.names(), whole.names());
        }
    }
}

#[test]
fn a_cache_looked_at_in_parts_is_the_cache_of_one_look() {
    let tree = miniature();
    let bricks = all(&tree);
    for place in places() {
        place.run(&tree, &serve(&tree));
        // Several things wrong with several bricks, and one that nobody asked for.
        for (brick, product) in [("0001p000", "image-g"), ("0001p000", "invvar-z"), ("3598p000", "maskbits")]
        {
            place.put(&format!("{brick}/{}", file_name(brick, product)), "<html>busy</html>");
        }
        place.put("0007p000/legacysurvey-0007p000-image-g.fits.fz", "not asked for");
        for level in [Level::Size, Level::Checksum] {
            let verify = Verify::new(grz(), level);
            let expected = verify.run(&place.cache, &bricks, &|_| {}).unwrap();
            assert_eq!(expected.extra, [name("0007p000")]);
            assert!(expected.problems.len() >= 3 && (expected.bytes_read > 0) == (level > Level::Size));
            for parts in [1, 2, 5, 12] {
                let look = |part: &BrickList| by_text(&verify.look(&place.cache, part, &|_| {}).unwrap());
                let each: Vec<Verified> = dealt(&bricks, parts).iter().map(look).collect();
                assert!(each.iter().all(|part| part.extra.is_empty()));
                let mut merged = Verified::merge(&bricks, each).unwrap();
                merged.extra = place.cache.extra(&bricks).unwrap();
                assert_eq!(by_text(&merged), expected);
                assert!(written(&merged.records, &bricks) == written(&expected.records, &bricks));
            }
        }
    }
}

#[test]
fn parts_that_are_not_the_list_are_refused_by_name() {
    let tree = small();
    let bricks = all(&tree);
    let place = store();
    let origin = serve(&tree);
    let [first, second, third] = WHOLE;
    let of = |names: &str| place.fill(grz(), &origin).run(&BrickList::named(names).unwrap(), &()).unwrap();
    let look = |names: &str| {
        let bricks = BrickList::named(names).unwrap();
        Verify::new(grz(), Level::Size).look(&place.cache, &bricks, &|_| {}).unwrap()
    };
    for (parts, says) in [
        (vec![first.to_owned(), second.to_owned()], format!("brick {third} is in no part")),
        (vec![], format!("brick {first} is in no part")),
        (
            vec![format!("{first},{second}"), format!("{third},{second}")],
            format!("brick {second} is in two parts"),
        ),
        (
            vec![format!("{first},{second},{third}"), "0007p000".to_owned()],
            "brick 0007p000 was not asked for".to_owned(),
        ),
    ] {
        let refused = Filled::merge(&bricks, parts.iter().map(|names| of(names))).unwrap_err();
        assert!(matches!(refused, CacheError::Parts { .. }));
        assert_eq!(refused.to_string(), says);
        let refused = Verified::merge(&bricks, parts.iter().map(|names| look(names))).unwrap_err();
        assert_eq!(refused.to_string(), says);
    }
}

proptest! {
    #[test]
    fn chunks_are_the_list(names in prop::collection::btree_set(0_u32..3600, 1..40), size in 0_usize..50) {
        let names: Vec<String> = names.iter().map(|ra| format!("{ra:04}p000")).collect();
        let mut csv = "brickname,psfdepth_r,psfsize_r,ebv\n".to_owned();
        names.iter().for_each(|name| csv.push_str(&format!("{name},{},1.2,0.1\n", &name[..4])));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bricks.csv");
        std::fs::write(&path, csv).unwrap();
        let list = BrickList::read(&path).unwrap();
        let chunks: Vec<BrickList> = list.chunks(size).collect();
        prop_assert!(chunks.iter().all(|chunk| (1..=size.max(1)).contains(&chunk.bricks().len())));
        let of = |list: &BrickList| {
            (0..list.bricks().len()).map(|row| (list.bricks()[row], list.conditions(row))).collect::<Vec<_>>()
        };
        prop_assert_eq!(chunks.iter().flat_map(of).collect::<Vec<_>>(), of(&list));
        prop_assert!(of(&list).iter().all(|(_, conditions)| conditions.is_some()));
    }
}

/// A result that something wrote over must not bring its reader down.
#[test]
fn texts_that_make_no_sense() {
    let tree = miniature();
    let place = store();
    let filled = serde_json::to_value(place.run(&tree, &serve(&tree))).unwrap();
    let mut wrong = filled.clone();
    wrong["planned"] = serde_json::json!([usize::MAX, usize::MAX]);
    wrong["report"]["bytes"] = u64::MAX.into();
    wrong["report"]["missing"][0]["index"] = usize::MAX.into();
    let wrong: Filled = serde_json::from_value(wrong).unwrap();
    let merged = Filled::merge(&all(&tree), [wrong]).unwrap();
    assert_eq!(merged.report.bytes, u64::MAX);
    for (key, value, says) in [
        ("brick", "nowhere", "nowhere"),
        ("state", "fine", "unknown variant `fine`"),
        ("missing", "", "invalid type"),
    ] {
        let mut wrong = filled.clone();
        wrong["records"][0][key] = value.into();
        let error = serde_json::from_value::<Filled>(wrong).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}
