//! Coverage maps in files. Other readers and writers are asked by `cargo xtask test oracle-sky`; here are the bytes.

use coaddkit_sky::{CellSet, Cone, Healpix, HealpixCell, Moc, MocError, MocLayout, Region};
use coaddkit_testkit::Rng;
use proptest::prelude::*;

use crate::at;
use crate::healpix::anywhere;

const LAYOUTS: [MocLayout; 2] = [MocLayout::Nuniq, MocLayout::Range];

fn small() -> Moc {
    let cell = |order, number| Healpix::new(order).unwrap().cell(number).unwrap();
    let cells = [cell(3, 1), cell(3, 2), cell(3, 3), cell(3, 4), cell(5, 2000)];
    Moc::new(cells.into_iter().collect(), Healpix::new(10).unwrap()).unwrap()
}

/// A header with these cards in place of, or after, those of the map's table.
fn edited(file: &[u8], edits: &[(&str, &str)]) -> Vec<u8> {
    let mut file = file.to_vec();
    for (keyword, value) in edits {
        let card = format!("{:<80}", format!("{keyword:<8}= {value}"));
        let cards = || (36..72).map(|i| i * 80);
        let place = cards().find(|&at| file[at..at + 8] == *format!("{keyword:<8}").as_bytes());
        let place = place.unwrap_or_else(|| {
            let end = cards().find(|&at| file[at..].starts_with(b"END ")).unwrap();
            file[end + 80..end + 83].copy_from_slice(b"END");
            end
        });
        file[place..place + 80].copy_from_slice(card.as_bytes());
    }
    file
}

#[test]
fn small_maps_have_the_bytes_of_the_standard() {
    // As mocpy 0.21.0 writes the same map.
    assert_eq!(small().to_json(), r#"{"3":[1,2,3,4],"5":[2000],"10":[]}"#);
    let numbers = |layout| -> Vec<u64> {
        let file = small().to_fits(layout);
        assert_eq!(file.len(), 3 * 2880);
        let rows = file[5760..].chunks_exact(8).map(|row| u64::from_be_bytes(row.try_into().unwrap()));
        rows.take_while(|&number| number > 0).collect()
    };
    assert_eq!(numbers(MocLayout::Nuniq), [257, 258, 259, 260, 6096]);
    assert_eq!(
        numbers(MocLayout::Range),
        [4_503_599_627_370_496, 22_517_998_136_852_480, 562_949_953_421_312_000, 563_231_428_398_022_656]
    );
}

#[test]
fn maps_come_back_with_their_order() {
    let mut rng = Rng::new(51);
    let mut maps = vec![small()];
    for order in [0, 5, 29] {
        let grid = Healpix::new(order).unwrap();
        for cells in [CellSet::new(), CellSet::all_sky(), grid.locate(anywhere(&mut rng)).into()] {
            maps.push(Moc::new(cells, grid).unwrap());
        }
    }
    for order in 3..13 {
        let grid = Healpix::new(order).unwrap();
        let cone = Cone::new(anywhere(&mut rng), 200.0 / f64::from(grid.nside())).unwrap();
        maps.push(Moc::new(grid.cover(&cone).unwrap().envelope, grid).unwrap());
    }
    for moc in maps {
        for layout in LAYOUTS {
            let file = moc.to_fits(layout);
            assert_eq!(Moc::from_fits(&file).as_ref(), Ok(&moc), "{layout:?}");
            // What follows the table is no matter.
            assert_eq!(Moc::from_fits(&[&file[..], b"\n"].concat()).as_ref(), Ok(&moc));
        }
        assert_eq!(Moc::from_json(&moc.to_json()), Ok(moc));
    }
}

#[test]
fn files_of_other_versions_and_writers_are_read() {
    let moc = small();
    let file = moc.to_fits(MocLayout::Nuniq);
    // 32-bit numbers and the keyword of version 1, another column behind, another table before.
    let mut old =
        edited(&file, &[("TFORM1", "'1J      '"), ("NAXIS1", "6"), ("TFIELDS", "2"), ("MOCORD_S", "10")]);
    let rows: Vec<u8> =
        [257_i32, 258, 259, 260, 6096].iter().flat_map(|n| [&n.to_be_bytes()[..], b"xy"].concat()).collect();
    old.truncate(5760);
    old.extend(rows);
    assert_eq!(Moc::from_fits(&old).as_ref(), Ok(&moc));
    let other = edited(&file, &[("ORDERING", "'NONE    '")]);
    let both = [&other[..], &file[2880..]].concat();
    assert_eq!(Moc::from_fits(&both).as_ref(), Ok(&moc));
    // Without an order the finest cell tells; a coarser order than that throws nothing away.
    let finest = |edits: &[(&str, &str)]| {
        let found = Moc::from_fits(&edited(&file, edits)).unwrap();
        assert_eq!(found.cells(), moc.cells());
        found.grid().order()
    };
    assert_eq!(finest(&[("MOCORD_S", "2 / comment"), ("MOCORDER", "2")]), 5);
    assert_eq!(finest(&[("MOCORD_S", "29")]), 29);
    // Cells in any order, and twice.
    let text = "\n{ \"5\" : [ 2000,\t2000 ], \"3\":[4,3, 2], \"10\":[],\"3\":[1] } \r\n";
    assert_eq!(Moc::from_json(text), Ok(moc));
}

#[test]
fn what_is_no_map_is_refused_with_the_place() {
    let file = small().to_fits(MocLayout::Range);
    let at = |bytes: &[u8]| match Moc::from_fits(bytes) {
        Err(
            MocError::Fits { offset, .. }
            | MocError::Row { offset, .. }
            | MocError::Unsupported { offset, .. },
        ) => offset,
        other => panic!("{other:?}"),
    };
    for end in [0, 1, 79, 80, 2879] {
        assert_eq!(at(&file[..end]), end);
    }
    assert_eq!((at(&file[..2880]), at(&file[..4000]), at(&file[..5760 + 31])), (2880, 4000, 5791));
    assert_eq!(Moc::from_fits(&file[..5760 + 32]).unwrap(), small());
    let refused = |edits: &[(&str, &str)]| {
        let error = Moc::from_fits(&edited(&file, edits)).unwrap_err().to_string();
        assert!(error.contains(edits[0].0), "{error}");
        error
    };
    refused(&[("MOCDIM", "'TIME'")]);
    refused(&[("COORDSYS", "'G'")]);
    refused(&[("ORDERING", "'NESTED'")]);
    refused(&[("TFORM1", "'1D'")]);
    refused(&[("TZERO1", "9223372036854775808")]);
    refused(&[("MOCORD_S", "30")]);
    refused(&[("MOCORD_S", "-1")]);
    refused(&[("BITPIX", "12")]);
    refused(&[("NAXIS1", "4")]);
    refused(&[("NAXIS2", "-4")]);
    refused(&[("NAXIS", "1000")]);
    assert!(refused(&[("NAXIS2", "4 rows")]).starts_with("byte 3200"));
    for huge in ["18446744073709551615", "2305843009213693951", "1000000000000"] {
        at(&edited(&file, &[("NAXIS2", huge)]));
    }
    // The number of a row, and where it lies.
    let with_row = |row: usize, value: i64| {
        let mut file = file.clone();
        file[5760 + row * 8..][..8].copy_from_slice(&value.to_be_bytes());
        match Moc::from_fits(&file) {
            Err(MocError::Row { row, offset, value, .. }) => (row, offset, value),
            other => panic!("{other:?}"),
        }
    };
    for value in [-1, i64::MIN, i64::MAX, (12 << 58) + 1] {
        assert_eq!(with_row(2, value), (2, 5776, value));
    }
    assert_eq!(with_row(1, 5), (1, 5768, 5));
    assert_eq!(at(&edited(&file, &[("NAXIS2", "3")])), 5776);
    for value in [0_i64, 3, 1 << 62, -257] {
        let mut file = small().to_fits(MocLayout::Nuniq);
        file[5760..5768].copy_from_slice(&value.to_be_bytes());
        assert!(matches!(Moc::from_fits(&file), Err(MocError::Row { row: 0, .. })), "{value}");
    }
    for (text, place) in [
        ("", 0),
        ("[]", 0),
        ("{", 1),
        ("{\"3\":[1,]}", 8),
        ("{\"3\":[1}", 7),
        ("{\"3\":[01]}", 6),
        ("{\"3\":[1.5]}", 7),
        ("{\"3\":[-1]}", 6),
        ("{\"3\":[768]}", 6),
        ("{\"30\":[]}", 2),
        ("{\"3x\":[]}", 3),
        ("{\"\":[]}", 2),
        ("{\"3\":1}", 5),
        ("{\"3\":[99999999999999999999]}", 6),
        ("{\"3\":[]}{", 8),
        ("{\"3\":[],}", 8),
        ("{\"é\":[],}", 2),
    ] {
        match Moc::from_json(text) {
            Err(MocError::Json { offset, .. }) => assert_eq!(offset, place, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    assert_eq!(Moc::from_json("{}").unwrap().cells(), &CellSet::new());
    let fine: CellSet = Healpix::new(9).unwrap().locate(crate::at(0.1, 0.1)).into();
    assert!(Moc::new(fine, Healpix::new(8).unwrap()).is_err());
}

#[test]
fn coarser_sets_hold_what_they_came_from_and_no_more_than_its_parents() {
    let mut rng = Rng::new(52);
    for _ in 0..100 {
        let fine = Healpix::new(6 + rng.below(6) as u8).unwrap();
        let cone = Cone::new(anywhere(&mut rng), 300.0 / f64::from(fine.nside())).unwrap();
        let cells = fine.cover(&cone).unwrap().envelope;
        for order in 0..=29 {
            let grid = Healpix::new(order).unwrap();
            let parents: CellSet = cells.cells().map(|cell| cell.at_order(order).unwrap_or(cell)).collect();
            assert_eq!(cells.coarsened(grid), parents);
        }
    }
    let all = Healpix::new(0).unwrap().cover(&Region::all_sky()).unwrap().envelope;
    assert_eq!(all.coarsened(Healpix::new(0).unwrap()), CellSet::all_sky());
    assert_eq!(
        CellSet::from_iter([] as [HealpixCell; 0]).coarsened(Healpix::new(0).unwrap()),
        CellSet::new()
    );
    let position = at(0.0, 90.0);
    assert_eq!(
        CellSet::from(Healpix::new(29).unwrap().locate(position))
            .coarsened(Healpix::new(0).unwrap())
            .cells()
            .count(),
        1
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    /// Damage of any kind gives a map or an error, and never takes long.
    #[test]
    fn damaged_files_are_read_or_refused(
        layout in prop::sample::select(LAYOUTS.to_vec()),
        flips in prop::collection::vec((0..8640_usize, any::<u8>()), 0..12),
        end in 0..8640_usize,
    ) {
        let mut file = small().to_fits(layout);
        for (at, byte) in flips {
            file[at] = byte;
        }
        let _ = Moc::from_fits(&file);
        let _ = Moc::from_fits(&file[..end]);
    }

    #[test]
    fn texts_are_maps_or_refused(text in "[\\[\\]{}:,\" 0-9x]{0,40}", cut in 0..40_usize) {
        let _ = Moc::from_json(&text);
        let json = small().to_json();
        let _ = Moc::from_json(&json[..cut.min(json.len())]);
        if let Ok(moc) = Moc::from_json(&text) {
            prop_assert_eq!(Moc::from_json(&moc.to_json()), Ok(moc));
        }
    }
}
