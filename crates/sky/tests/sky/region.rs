//! Boxes on the sky.

use coaddkit_sky::{BrickGrid, Error, Region, RegionBounds, SweepName, box_area_deg2};
use coaddkit_testkit::{Csv, shared};
use proptest::prelude::*;

use crate::at;

fn region(bounds: [Option<f64>; 4]) -> Result<Region, Error> {
    let [ra_min_deg, ra_max_deg, dec_min_deg, dec_max_deg] = bounds;
    Region::from_bounds(RegionBounds { ra_min_deg, ra_max_deg, dec_min_deg, dec_max_deg })
}

fn full(ra_min: f64, ra_max: f64, dec_min: f64, dec_max: f64) -> Region {
    region([Some(ra_min), Some(ra_max), Some(dec_min), Some(dec_max)]).unwrap()
}

#[test]
fn edges_are_included() {
    let field = full(150.0, 250.0, 0.0, 30.0);
    for (ra, dec) in [(150.0, 0.0), (250.0, 30.0), (200.0, -0.0), (150.0 + 360.0, 30.0)] {
        assert!(field.contains(at(ra, dec)), "{ra} {dec}");
    }
    let outside = [
        (150.0_f64.next_down(), 1.0),
        (250.0_f64.next_up(), 1.0),
        (200.0, -1e-300),
        (200.0, 30.0_f64.next_up()),
    ];
    for (ra, dec) in outside {
        assert!(!field.contains(at(ra, dec)), "{ra} {dec}");
    }
}

#[test]
fn each_bound_is_optional() {
    let north = region([None, None, Some(10.0), None]).unwrap();
    assert!(
        north.contains(at(0.0, 10.0)) && north.contains(at(359.0, 90.0)) && !north.contains(at(1.0, 9.9))
    );
    let east = region([Some(180.0), None, None, None]).unwrap();
    assert!(east.contains(at(359.9, 0.0)) && !east.contains(at(179.9, 0.0)));
    let west = region([None, Some(10.0), None, None]).unwrap();
    assert!(west.contains(at(0.0, 0.0)) && !west.contains(at(10.1, 0.0)) && !west.contains(at(359.0, 0.0)));
    assert_eq!(Region::from_bounds(RegionBounds::default()), Ok(Region::all_sky()));
}

#[test]
fn a_box_wraps_when_its_ends_are_swapped_and_360_is_0() {
    let field = full(350.0, 10.0, -5.0, 5.0);
    for ra in [350.0, 359.999, 0.0, 10.0, -10.0, 360.0] {
        assert!(field.contains(at(ra, 0.0)), "{ra}");
    }
    for ra in [349.9, 10.1, 180.0] {
        assert!(!field.contains(at(ra, 0.0)), "{ra}");
    }
    assert!(full(355.0, 360.0, -5.0, 0.0).contains(at(0.0, -1.0)));
    assert!(!full(355.0, 360.0, -5.0, 0.0).contains(at(5e-324, -1.0)));
    assert!(full(360.0, 10.0, -5.0, 0.0).contains(at(0.0, -1.0)));
    assert!(full(0.0, 360.0, -90.0, 90.0).contains(at(180.0, 0.0)));
    let meridian = full(7.0, 7.0, -90.0, 90.0);
    assert!(meridian.contains(at(7.0, 0.0)) && !meridian.contains(at(7.1, 0.0)));
}

#[test]
fn bad_bounds_are_typed_errors() {
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    for position in 0..4 {
        for value in [nan, inf, -inf] {
            let mut bounds = [None; 4];
            bounds[position] = Some(value);
            assert!(matches!(region(bounds), Err(Error::NotFinite { .. })), "{bounds:?}");
        }
        for value in [-90.1, 360.1] {
            let mut bounds = [None; 4];
            bounds[position] = Some(value);
            assert!(matches!(region(bounds), Err(Error::OutOfRange { .. })), "{bounds:?}");
        }
    }
    assert_eq!(
        region([None, None, Some(30.0), Some(0.0)]),
        Err(Error::EmptyRange { what: "dec_deg", min: 30.0, max: 0.0 })
    );
    let message = region([Some(-10.0), Some(10.0), None, None]).unwrap_err().to_string();
    assert_eq!(message, "ra_min_deg is -10, must lie in 0 to 360");
}

#[test]
fn nothing_that_is_no_position_is_in_a_region() {
    let sky = Region::all_sky();
    assert!(sky.contains_degrees(-725.0, 90.0));
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    for (ra, dec) in [(nan, 0.0), (0.0, nan), (inf, 0.0), (0.0, -inf), (0.0, 90.1)] {
        assert!(!sky.contains_degrees(ra, dec), "{ra} {dec}");
    }
}

#[test]
fn overlap_with_sweeps_and_bricks() {
    let sweep = |name: &str| name.parse::<SweepName>().unwrap().footprint();
    let field = full(350.0, 10.0, -5.0, 5.0);
    for name in ["sweep-345m005-350p000.fits", "sweep-355p000-360p005.fits", "sweep-000p005-005p010.fits"] {
        assert!(field.overlaps(&sweep(name)) && sweep(name).overlaps(&field), "{name}");
    }
    for name in ["sweep-340m005-345p000.fits", "sweep-015p000-020p005.fits", "sweep-000p010-005p015.fits"] {
        assert!(!field.overlaps(&sweep(name)) && !sweep(name).overlaps(&field), "{name}");
    }
    // A wide box and a small one inside it, and arcs that together go all the way around.
    assert!(full(0.0, 360.0, -90.0, 90.0).overlaps(&full(100.0, 101.0, 0.0, 1.0)));
    assert!(full(10.0, 350.0, 0.0, 1.0).overlaps(&full(340.0, 20.0, 0.0, 1.0)));
    // The last brick of a row touches the first.
    let grid = BrickGrid::legacy();
    let (first, last) = (grid.brick_at(at(0.0, 0.0)), grid.brick_at(at(-0.1, 0.0)));
    assert!(first.footprint().overlaps(&last.footprint()));
    assert!(!first.footprint().overlaps(&grid.brick_at(at(0.3, 0.0)).footprint().shrunk()));
}

trait Shrunk {
    fn shrunk(self) -> Region;
}

impl Shrunk for Region {
    /// The box without its edges.
    fn shrunk(self) -> Region {
        let RegionBounds { ra_min_deg, ra_max_deg, dec_min_deg, dec_max_deg } = self.bounds();
        region([
            ra_min_deg.map(|deg| deg + 1e-9),
            ra_max_deg.map(|deg| deg - 1e-9),
            dec_min_deg.map(|deg| deg + 1e-9),
            dec_max_deg.map(|deg| deg - 1e-9),
        ])
        .unwrap()
    }
}

/// The areas in two published tables, to the bit.
#[test]
fn areas_equal_the_published_ones() {
    for name in ["primary", "backup"] {
        let Some(path) = shared(&format!("data/survey-runs/{name}_region_bricks_phase1p6.csv")) else {
            return;
        };
        let table = Csv::read(&path).unwrap();
        for row in &table.rows {
            let number = |name| row[table.column(name)].parse::<f64>().unwrap();
            let edges = [[number("ra1"), number("ra2")], [number("dec1"), number("dec2")]];
            assert_eq!(box_area_deg2(edges[0], edges[1]), number("area_deg2"), "{row:?}");
            let [[ra1, ra2], [dec1, dec2]] = edges;
            assert_eq!(full(ra1, ra2, dec1, dec2).area_deg2(), number("area_deg2"));
        }
    }
}

#[test]
fn areas_of_odd_boxes() {
    assert_eq!(box_area_deg2([2.0, 1.0], [4.0, 3.0]), box_area_deg2([1.0, 2.0], [3.0, 4.0]));
    assert!(box_area_deg2([2.0, f64::NAN], [4.0, 3.0]).is_nan());
    let wrapped = full(350.0, 10.0, -5.0, 5.0).area_deg2();
    assert!((wrapped / full(100.0, 120.0, -5.0, 5.0).area_deg2() - 1.0).abs() < 1e-12);
}

proptest! {
    /// Overlap by sampling: boxes on a coarse lattice share a point exactly when they share a lattice point.
    #[test]
    fn overlap_is_having_a_common_point(a in lattice_box(), b in lattice_box()) {
        let (a, b) = (a.unwrap(), b.unwrap());
        let points = (0..36).flat_map(|ra| (-3..=3).map(move |dec| at(f64::from(ra) * 10.0, f64::from(dec) * 30.0)));
        let common = { points }.any(|point| a.contains(point) && b.contains(point));
        prop_assert_eq!(a.overlaps(&b), common);
        prop_assert_eq!(b.overlaps(&a), common);
    }
}

fn lattice_box() -> impl Strategy<Value = Result<Region, Error>> {
    (0..=36u8, 0..=36u8, -3..=3i8, -3..=3i8).prop_map(|(ra_min, ra_max, dec_a, dec_b)| {
        let [ra_min, ra_max] = [ra_min, ra_max].map(|ra| Some(f64::from(ra) * 10.0));
        let [dec_min, dec_max] = [dec_a.min(dec_b), dec_a.max(dec_b)].map(|dec| Some(f64::from(dec) * 30.0));
        region([ra_min, ra_max, dec_min, dec_max])
    })
}
