//! Components against their definition: all pairs.

use coaddkit_sky::{Adjacency, BrickGrid, SkyCoord};
use proptest::prelude::*;

use crate::at;

/// The definition, in quadratic time: flood from each position not yet reached, in input order.
fn by_definition(positions: &[SkyCoord], ra_reach: f64, dec_reach: f64) -> Vec<usize> {
    let mut labels = vec![usize::MAX; positions.len()];
    let mut count = 0;
    for start in 0..positions.len() {
        if labels[start] != usize::MAX {
            continue;
        }
        let mut queue = vec![start];
        labels[start] = count;
        while let Some(here) = queue.pop() {
            for (other, label) in labels.iter_mut().enumerate() {
                let (a, b) = (positions[here], positions[other]);
                let ra = (a.ra_deg() - b.ra_deg()).abs();
                let near =
                    f64::min(ra, 360.0 - ra) <= ra_reach && (a.dec_deg() - b.dec_deg()).abs() <= dec_reach;
                if *label == usize::MAX && near {
                    *label = count;
                    queue.push(other);
                }
            }
        }
        count += 1;
    }
    labels
}

/// Compares labels with the definition, and the members with the labels.
fn check(positions: &[SkyCoord], ra_reach: f64, dec_reach: f64) {
    let components = Adjacency::new(ra_reach, dec_reach).unwrap().components(positions);
    assert_eq!(components.labels(), by_definition(positions, ra_reach, dec_reach), "{positions:?}");
    let mut seen = 0;
    for (number, members) in components.iter().enumerate() {
        assert!(members.is_sorted() && !members.is_empty());
        assert!(members.iter().all(|&member| components.labels()[member] == number));
        assert_eq!(components.members(number), members);
        seen += members.len();
    }
    assert_eq!(seen, positions.len());
    assert!(components.members(components.len()).is_empty());
}

#[test]
fn the_limit_is_included_to_the_last_bit() {
    // 0.3 as a difference of two doubles is seldom the double 0.3: the rule is on the computed difference.
    let pairs = [
        (0.0, 0.3),
        (0.0, 0.3_f64.next_up()),
        (10.0, 10.3),
        (10.1, 10.4),
        (0.1, 0.4),
        (359.8, 0.1),
        (359.9, 0.2),
    ];
    for (a, b) in pairs {
        check(&[at(a, 0.0), at(b, 0.0)], 0.3, 0.3);
        check(&[at(a, 0.0), at(b, 0.3)], 0.3, 0.3);
        check(&[at(5.0, a % 90.0), at(5.0, b)], 0.3, 0.3);
    }
    let rule = Adjacency::default();
    assert!(rule.adjacent(at(0.0, 0.0), at(0.3, 0.3)));
    assert!(!rule.adjacent(at(0.0, 0.0), at(0.3_f64.next_up(), 0.0)));
    assert!(!rule.adjacent(at(0.0, 0.0), at(0.0, -0.3_f64.next_up())));
    assert_eq!(rule.components(&[at(0.0, 0.0), at(0.3_f64.next_up(), 0.0)]).len(), 2);
    assert_eq!(rule.components(&[at(0.0, 0.0), at(0.3, 0.0)]).len(), 1);
}

#[test]
fn nothing_and_one() {
    check(&[], 0.3, 0.3);
    check(&[at(0.0, 90.0)], 0.3, 0.3);
    assert!(Adjacency::default().components(&[]).is_empty());
}

/// Near the poles bricks of a row are far apart in right ascension, and rows are not connected by nearness on the
/// sphere.
#[test]
fn bricks_at_poles_and_at_the_meridian() {
    let grid = BrickGrid::legacy();
    let centers = |keep: &dyn Fn(SkyCoord) -> bool| -> Vec<SkyCoord> {
        grid.bricks().map(|brick| brick.center).filter(|&center| keep(center)).collect()
    };
    let polar = centers(&|center| center.dec_deg().abs() > 87.0);
    assert!(polar.len() > 500);
    check(&polar, 0.3, 0.3);
    let wide = Adjacency::new(45.0, 0.3).unwrap().components(&polar);
    assert_eq!(wide.len(), 2, "two caps, each with its pole");
    check(&polar, 45.0, 0.3);
    let meridian = centers(&|center| {
        center.dec_deg().abs() < 3.0
            && (center.ra_deg() < 1.2 || center.ra_deg() > 358.8)
            && center.dec_deg() != 1.0
    });
    check(&meridian, 0.3, 0.3);
    assert_eq!(Adjacency::default().components(&meridian).len(), 2);
}

/// A spiral of bricks is one component only by a long chain of unions.
#[test]
fn every_brick_of_the_sky_but_a_ring() {
    let centers: Vec<SkyCoord> = BrickGrid::legacy()
        .bricks()
        .map(|brick| brick.center)
        .filter(|center| center.dec_deg().abs() < 40.0 && !(10.0..10.5).contains(&center.dec_deg()))
        .collect();
    let components = Adjacency::default().components(&centers);
    assert_eq!((components.len(), components.labels()[0], *components.labels().last().unwrap()), (2, 0, 1));
}

/// Many positions in few cells: time that grew with the pairs would be hours here.
#[test]
fn crowded_positions_are_no_slower() {
    let n = 400_000u32;
    // Two clumps in neighbouring cells, whose differences add up to 0.6: they touch only near the middle.
    let clump: Vec<SkyCoord> = (0..n)
        .map(|i| {
            let (t, side) = (f64::from(i / 2) / f64::from(n / 2), i % 2 == 0);
            if side { at(10.0 + 0.1 * t, 0.1 * (1.0 - t)) } else { at(10.3 + 0.1 * t, 0.4 - 0.1 * t) }
        })
        .collect();
    let start = std::time::Instant::now();
    assert_eq!(Adjacency::new(0.301, 0.301).unwrap().components(&clump).len(), 1);
    assert_eq!(Adjacency::new(0.299, 0.299).unwrap().components(&clump).len(), 2);
    assert!(start.elapsed().as_secs() < 60);
    assert_eq!(Adjacency::default().components(&vec![at(1.0, 1.0); 100_000]).len(), 1);
}

#[test]
fn reaches_are_checked() {
    for bad in [0.0, -0.3, 1e-7, 45.1, f64::NAN, f64::INFINITY] {
        assert!(Adjacency::new(bad, 0.3).is_err() && Adjacency::new(0.3, bad).is_err(), "{bad}");
    }
    assert_eq!(Adjacency::new(0.3, 0.3), Ok(Adjacency::default()));
}

/// Positions that like to be at the distances where the rule decides: multiples of a step around some anchors.
fn positions(step: f64) -> impl Strategy<Value = Vec<SkyCoord>> {
    let anchor_ra = prop_oneof![Just(0.0), Just(359.9), Just(180.0), 0.0..360.0];
    let anchor_dec = prop_oneof![Just(0.0), Just(90.0), Just(-90.0), Just(37.25), -90.0..90.0];
    let offset = prop_oneof![
        (-8..=8i32).prop_map(f64::from),
        (-8..=8i32).prop_map(|k| f64::from(k).next_up()),
        (-8..=8i32).prop_map(|k| f64::from(k).next_down()),
        -8.0..8.0,
    ];
    (anchor_ra, anchor_dec).prop_flat_map(move |(ra, dec): (f64, f64)| {
        let point = (offset.clone(), offset.clone())
            .prop_map(move |(x, y)| at(ra + x * step, (dec + y * step).clamp(-90.0, 90.0)));
        proptest::collection::vec(point, 0..60)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn bricks_sized_steps(points in positions(0.25)) {
        check(&points, 0.3, 0.3);
    }

    #[test]
    fn steps_at_the_limit(points in positions(0.3)) {
        check(&points, 0.3, 0.3);
    }

    #[test]
    fn crowded_cells(points in positions(0.08)) {
        check(&points, 0.3, 0.3);
    }

    #[test]
    fn any_reaches(
        points in positions(1.0),
        ra in prop_oneof![1e-6..1.0, 1.0..45.0, Just(45.0)],
        dec in prop_oneof![1e-6..1.0, 1.0..45.0, Just(45.0)],
    ) {
        check(&points, ra, dec);
    }

    #[test]
    fn wide_scatter_and_wide_reaches(
        points in proptest::collection::vec((0.0..360.0, -90.0..90.0).prop_map(|(ra, dec)| at(ra, dec)), 0..60),
        ra in 5.0..45.0,
        dec in 5.0..45.0,
    ) {
        check(&points, ra, dec);
    }
}
