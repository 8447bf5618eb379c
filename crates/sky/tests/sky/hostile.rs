//! Whatever bits a double has, nothing panics and no rule breaks.

use coaddkit_sky::{
    Adjacency, BrickGrid, BrickName, Counted, Region, RegionBounds, RegionLimits, SkyCoord, SweepName,
    SweepTiling, box_area_deg2, select_regions,
};
use proptest::prelude::*;

/// Doubles by their bits, with more of the awkward ones.
pub fn any_double() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        prop::sample::select(vec![
            0.0,
            -0.0,
            90.0,
            -90.0,
            360.0,
            -360.0,
            359.999_999_999_999_94,
            -1e-14,
            5e-324,
            -5e-324,
            1e308,
            -1e308,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            90.000_000_000_000_01,
            180.0,
        ]),
        -400.0..400.0,
        -91.0..91.0,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn positions_are_valid_or_refused(ra in any_double(), dec in any_double()) {
        let valid = ra.is_finite() && dec.is_finite() && dec.abs() <= 90.0;
        let position = SkyCoord::from_degrees(ra, dec);
        prop_assert_eq!(position.is_ok(), valid);
        let position = position.ok();
        prop_assert_eq!(Region::all_sky().contains_degrees(ra, dec), valid);
        let mut located = [None];
        for grid in [BrickGrid::legacy(), &BrickGrid::new(7.0).unwrap()] {
            grid.locate_all(&[ra], &[dec], &mut located).unwrap();
            prop_assert_eq!(located[0], position.map(|position| grid.locate(position)));
            let Some(position) = position else { continue };
            prop_assert!((0.0..360.0).contains(&position.ra_deg()));
            let brick = grid.brick_at(position);
            prop_assert_eq!(Some(brick), grid.brick(grid.locate(position)));
            // A brick owns its western and southern edge; all of these sizes are exact in binary but for rounding of
            // right ascensions.
            prop_assert!(brick.dec1_deg <= position.dec_deg() && position.dec_deg() <= brick.dec2_deg);
            prop_assert!(brick.ra1_deg - 1e-12 <= position.ra_deg() && position.ra_deg() <= brick.ra2_deg + 1e-12);
            let tile = SweepName::containing(position, SweepTiling::DR10);
            prop_assert!(tile.footprint().contains(position));
            prop_assert_eq!(tile.to_string().parse(), Ok(tile));
        }
    }

    #[test]
    fn regions_are_valid_or_refused(
        bounds in prop::array::uniform4(prop::option::of(any_double())),
        ra in any_double(),
        dec in any_double(),
    ) {
        let [ra_min_deg, ra_max_deg, dec_min_deg, dec_max_deg] = bounds;
        let bounds = RegionBounds { ra_min_deg, ra_max_deg, dec_min_deg, dec_max_deg };
        if let Ok(region) = Region::from_bounds(bounds) {
            prop_assert_eq!(Region::from_bounds(region.bounds()), Ok(region));
            prop_assert!(region.overlaps(&region) && region.overlaps(&Region::all_sky()));
            prop_assert!((0.0..41_253.0).contains(&region.area_deg2()));
            region.contains_degrees(ra, dec);
        }
        box_area_deg2([ra, dec], [dec, ra]);
    }

    #[test]
    fn selections_are_made_or_refused(
        list in prop::collection::vec((any_double(), any_double(), any_double(), any_double()), 0..20),
        min_area_deg2 in any_double(),
        max_area_deg2 in any_double(),
        reach in any_double(),
    ) {
        let pieces: Vec<Counted> = list
            .iter()
            .filter_map(|&(ra, dec, area_deg2, weight)| {
                Some(Counted { center: SkyCoord::from_degrees(ra, dec).ok()?, area_deg2, weight })
            })
            .collect();
        let adjacency = Adjacency::new(reach, reach).unwrap_or_default();
        let limits = RegionLimits { adjacency, min_area_deg2, max_area_deg2, fallback: 3 };
        let finite = pieces.iter().all(|piece| piece.area_deg2.is_finite() && piece.weight.is_finite());
        let window = min_area_deg2.is_finite() && min_area_deg2 <= max_area_deg2;
        prop_assert_eq!(select_regions(&pieces, &limits).is_ok(), finite && window);
    }

    #[test]
    fn grids_are_built_or_refused(size in any_double()) {
        // The finest have four million bricks, but only 1801 rows are stored.
        if let Ok(grid) = BrickGrid::new(size) {
            prop_assert!((0.1..=90.0).contains(&size) && grid.len() >= 6);
        }
    }

    #[test]
    fn texts_are_names_or_refused(text in "\\PC{0,12}", bytes in prop::collection::vec(any::<u8>(), 0..12)) {
        let _ = (text.parse::<BrickName>(), text.parse::<SweepName>(), BrickName::from_bytes(&bytes));
    }

    #[test]
    fn almost_names_round_trip(text in "[0-9]{4}[pm][0-9]{3}", sweep in "sweep-[0-3][0-9]{2}[pm]0[0-9]{2}-[0-3][0-9]{2}[pm]0[0-9]{2}\\.fits") {
        if let Ok(name) = text.parse::<BrickName>() {
            prop_assert_eq!(name.to_string(), text);
            if let Some(brick) = BrickGrid::legacy().brick_named(name) {
                prop_assert_eq!(brick.name, name);
            }
        }
        if let Ok(name) = sweep.parse::<SweepName>() {
            prop_assert_eq!(name.to_string(), sweep);
        }
    }
}
