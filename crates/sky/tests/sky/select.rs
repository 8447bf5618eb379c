//! Selection of regions: the published rule, its ties and its fallback.

use coaddkit_sky::{Counted, Error, RegionLimits, Selection, SelectionRule, select_regions};
use coaddkit_testkit::{Csv, shared};

use crate::at;

/// One isolated piece per call: right ascensions 10 degrees apart.
fn pieces(list: &[(f64, f64)]) -> Vec<Counted> {
    let far_apart = |(i, &(area_deg2, weight)): (usize, &(f64, f64))| Counted {
        center: at(i as f64 * 10.0, 0.0),
        area_deg2,
        weight,
    };
    list.iter().enumerate().map(far_apart).collect()
}

fn select(list: &[(f64, f64)]) -> Selection {
    select_regions(&pieces(list), &RegionLimits::default()).unwrap()
}

#[test]
fn the_window_includes_both_ends() {
    let selection = select(&[(99.99, 1e6), (100.0, 100.0), (400.0, 800.0), (400.1, 1e6), (200.0, 300.0)]);
    assert_eq!(selection.rule, SelectionRule::AreaWindow);
    assert_eq!(selection.ranked, [2, 4, 1]);
    assert_eq!((selection.primary().unwrap().density, selection.backup().unwrap().density), (2.0, 1.5));
}

#[test]
fn without_a_region_in_the_window_the_three_largest_are_ranked() {
    let selection = select(&[(1.0, 100.0), (3.0, 3.0), (500.0, 1000.0), (2.0, 4.0), (0.5, 500.0)]);
    assert_eq!(selection.rule, SelectionRule::LargestByArea);
    assert_eq!(selection.ranked, [2, 3, 1], "densities 2, 2, 1: the larger first");
    // One region in the window is enough to keep the others out, and then there is no backup.
    let selection = select(&[(1.0, 100.0), (150.0, 1.0)]);
    assert_eq!((selection.rule, &selection.ranked[..]), (SelectionRule::AreaWindow, &[1][..]));
    assert!(selection.backup().is_none());
}

#[test]
fn ties_go_to_the_region_seen_first() {
    assert_eq!(select(&[(100.0, 200.0), (200.0, 400.0), (150.0, 300.0)]).ranked, [0, 1, 2]);
    // In the fallback areas come first: equal ones keep their order, and the fourth is out.
    assert_eq!(select(&[(2.0, 4.0), (2.0, 4.0), (2.0, 4.0), (2.0, 4.0)]).ranked, [0, 1, 2]);
    assert_eq!(select(&[(2.0, 4.0), (3.0, 6.0), (1.0, 2.0)]).ranked, [1, 0, 2]);
}

#[test]
fn nothing_and_no_area() {
    let selection = select(&[]);
    assert!(selection.primary().is_none() && selection.backup().is_none() && selection.regions.is_empty());
    let selection = select(&[(0.0, 5.0), (-1.0, 5.0), (1.0, 0.0)]);
    assert!(selection.regions.iter().all(|region| region.density == 0.0));
    assert_eq!(selection.ranked, [2, 0, 1]);
}

#[test]
fn regions_are_connected_pieces_with_sums_in_input_order() {
    let piece = |ra, dec, weight| Counted { center: at(ra, dec), area_deg2: 60.0, weight };
    let list =
        [piece(359.9, 0.0, 1.0), piece(100.0, 0.0, 7.0), piece(0.1, 0.25, 2.0), piece(100.3, 0.3, 9.0)];
    let selection = select_regions(&list, &RegionLimits::default()).unwrap();
    assert_eq!(selection.rule, SelectionRule::AreaWindow);
    let [wrapped, other] = &selection.regions[..] else { panic!("{selection:?}") };
    assert_eq!((&wrapped.members[..], wrapped.area_deg2, wrapped.weight), (&[0, 2][..], 120.0, 3.0));
    assert_eq!((&other.members[..], other.weight, other.density), (&[1, 3][..], 16.0, 16.0 / 120.0));
    assert_eq!(selection.ranked, [1, 0]);
}

#[test]
fn limits_are_configurable_and_checked() {
    let list = pieces(&[(1.0, 1.0), (2.0, 4.0), (3.0, 3.0)]);
    let limits = RegionLimits { min_area_deg2: 0.5, max_area_deg2: f64::INFINITY, ..Default::default() };
    assert_eq!(select_regions(&list, &limits).unwrap().ranked, [1, 0, 2]);
    let limits = RegionLimits { fallback: 1, ..Default::default() };
    assert_eq!(select_regions(&list, &limits).unwrap().ranked, [2]);
    let limits = RegionLimits { fallback: 0, ..Default::default() };
    assert!(select_regions(&list, &limits).unwrap().primary().is_none());

    for (min_area_deg2, max_area_deg2) in [(f64::NAN, 1.0), (1.0, f64::NAN), (2.0, 1.0), (f64::INFINITY, 1.0)]
    {
        let limits = RegionLimits { min_area_deg2, max_area_deg2, ..Default::default() };
        assert!(select_regions(&list, &limits).is_err(), "{limits:?}");
    }
    let mut bad = list.clone();
    bad[1].weight = f64::NAN;
    let error = select_regions(&bad, &RegionLimits::default()).unwrap_err();
    assert!(matches!(error, Error::NotFinite { what: "weight", .. }));
    bad[0].area_deg2 = f64::INFINITY;
    let error = select_regions(&bad, &RegionLimits::default()).unwrap_err();
    assert!(matches!(error, Error::NotFinite { what: "area_deg2", .. }));
}

/// The two regions of a published run: 44 bricks, 2.75 deg2, 391 objects, and 61 bricks, 3.81 deg2, 452 objects.
#[test]
fn published_regions_are_what_the_rule_makes_of_their_bricks() {
    let mut list = Vec::new();
    let mut sizes = Vec::new();
    // The backup first, so that the order of the input is not the order of the answer.
    for name in ["backup", "primary"] {
        let Some(path) = shared(&format!("data/survey-runs/{name}_region_bricks_phase1p6.csv")) else {
            return;
        };
        let table = Csv::read(&path).unwrap();
        for row in &table.rows {
            let number = |name| row[table.column(name)].parse::<f64>().unwrap();
            list.push(Counted {
                center: at(number("ra"), number("dec")),
                area_deg2: number("area_deg2"),
                weight: number("lrg_count"),
            });
        }
        sizes.push(table.rows.len());
    }
    assert_eq!(sizes, [61, 44]);
    let selection = select_regions(&list, &RegionLimits::default()).unwrap();
    assert_eq!((selection.rule, selection.regions.len()), (SelectionRule::LargestByArea, 2));
    let (primary, backup) = (selection.primary().unwrap(), selection.backup().unwrap());
    assert!(primary.members.iter().copied().eq(61..105) && backup.members.iter().copied().eq(0..61));
    assert_eq!((primary.weight, backup.weight), (391.0, 452.0));
    let rounded = |value: f64| format!("{value:.2}");
    assert_eq!([rounded(primary.area_deg2), rounded(backup.area_deg2)], ["2.75", "3.81"]);
    assert_eq!(format!("{:.1}", primary.density), "142.2");
    assert!(primary.density > backup.density);
}
