//! Bad input: what every function that takes numbers does with those that make no sense.

use coaddkit_sky::{
    Adjacency, BrickGrid, BrickId, Cone, Cutout, CutoutMode, Error, Exclusion, Frame, Healpix, HealpixCell,
    HealpixRing, Keep, KeywordValue, MatchRule, Polygon, Region, RegionBounds, SkyCoord, SkyMap,
    SkyMapConfig, SkyMapProjection, Split, SplitOrder, SweepTiling, TangentPlane, Wcs, crossmatch,
    find_leaks,
};
use proptest::prelude::*;

use crate::at;
use crate::hostile::any_double;

const NO_NUMBERS: [f64; 3] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];

/// NaN and infinities are called what they are, other values by their range.
fn refused<T: std::fmt::Debug>(result: Result<T, Error>, value: f64) {
    match result {
        Err(Error::NotFinite { value: found, .. }) => assert!(!value.is_finite() && !found.is_finite()),
        Err(Error::OutOfRange { value: found, min, max, .. }) => {
            assert!(value.is_finite() && found.is_finite() && !(min..=max).contains(&found));
        }
        other => panic!("{value}: {other:?}"),
    }
}

#[test]
fn numbers_that_are_no_angle() {
    let lens = at(10.0, 20.0);
    for value in NO_NUMBERS {
        refused(SkyCoord::from_degrees(value, 0.0), value);
        refused(Frame::Galactic.to_icrs(value, 0.0), value);
        refused(TangentPlane::new(lens).position(value, 0.0), value);
        refused(TangentPlane::new(lens).position(0.0, value), value);
        refused(Wcs::tangent(lens, [value, 1.0], 0.262), value);
        refused(Wcs::tangent(lens, [1.0, value], 0.262), value);
        refused(Cutout::stamp([9, 9], value, 1.0, 3), value);
        refused(Cutout::around([9, 9], 1.0, value, [3, 3], CutoutMode::Partial), value);
    }
    for value in NO_NUMBERS.into_iter().chain([90.0_f64.next_up(), (-90.0_f64).next_down(), 91.0, -1e300]) {
        refused(SkyCoord::from_degrees(0.0, value), value);
        refused(Frame::Ecliptic.to_icrs(0.0, value), value);
        let dec = |dec_min_deg, dec_max_deg| RegionBounds { dec_min_deg, dec_max_deg, ..Default::default() };
        refused(Region::from_bounds(dec(Some(value), None)), value);
        refused(Region::from_bounds(dec(None, Some(value))), value);
        assert!(!Region::all_sky().contains_degrees(0.0, value));
        let wcs = Wcs::from_keywords(|keyword| match keyword {
            "CTYPE1" => Some("RA---TAN".into()),
            "CTYPE2" => Some("DEC--TAN".into()),
            "CRVAL2" => Some(value.into()),
            _ => None::<KeywordValue>,
        });
        assert!(matches!(wcs, Err(Error::Keyword { keyword, .. }) if keyword == "CRVAL2"), "{value}");
    }
}

#[test]
fn radii_sizes_and_scales_out_of_range() {
    let lens = at(10.0, 20.0);
    for value in NO_NUMBERS.into_iter().chain([-1e-300, -1.0, 1e9]) {
        refused(Cone::new(lens, value), value);
        refused(Exclusion::new(&[lens], value), value);
        for keep in [Keep::All, Keep::Nearest(1)] {
            refused(crossmatch(&[lens], &[lens], &MatchRule { radius_arcsec: value, keep }), value);
        }
        refused(find_leaks(&[lens], &[0], Healpix::new(7).unwrap(), Some(value)), value);
        refused(BrickGrid::new(value), value);
        refused(Wcs::tangent(lens, [1.0, 1.0], value), value);
        refused(Split::new(Healpix::new(7).unwrap(), 42, [value, 0.5, 0.5], SplitOrder::default()), value);
        if value < 0.0 || value.is_nan() {
            assert!(Adjacency::new(value, 0.1).is_err() && Adjacency::new(0.1, value).is_err(), "{value}");
        }
        let config = SkyMapConfig {
            pixel_scale_arcsec: 0.2,
            patch_inner: 4000,
            patch_border: 100,
            tract_overlap_deg: 0.1,
            projection: SkyMapProjection::Tan,
        };
        refused(SkyMap::discrete(config, &[(lens, value)]), value);
        refused(SkyMap::rings(SkyMapConfig { pixel_scale_arcsec: value, ..config }, 120, 0.0), value);
        refused(SkyMap::rings(SkyMapConfig { tract_overlap_deg: value, ..config }, 120, 0.0), value);
    }
}

#[test]
fn numbers_that_stand_for_nothing() {
    refused(Healpix::new(30), 30.0);
    refused(Healpix::new(255), 255.0);
    assert_eq!(Healpix::from_nside(12), Err(Error::NotNested { nside: 12 }));
    refused(HealpixRing::new(0), 0.0);
    let cells = Healpix::new(3).unwrap();
    assert_eq!(cells.cell(768), Err(Error::NoSuchCell { number: 768, cells: 768 }));
    assert_eq!(cells.cell_of_ring(768), Err(Error::NoSuchCell { number: 768, cells: 768 }));
    assert_eq!(HealpixCell::from_uniq(3), Err(Error::NotUniq { uniq: 3 }));
    let grid = BrickGrid::legacy();
    assert_eq!((BrickId::new(0), grid.brick(BrickId::new(662_175).unwrap())), (None, None));
    // A name that is well formed and belongs to no brick is not its neighbour.
    assert_eq!(grid.brick_named("0001p001".parse().unwrap()), None);
    for name in ["", "0001p00", "0001p0022", "0001x002", "3601p002", "0001p901", "0001m000 "] {
        let parsed = name.parse::<coaddkit_sky::BrickName>();
        assert!(
            matches!(parsed, Err(Error::BrickName { .. }))
                || parsed.is_ok_and(|name| grid.brick_named(name).is_none()),
            "{name}"
        );
    }
    assert!(
        SweepTiling::new(7, 5).is_err() && SweepTiling::new(0, 5).is_err() && SweepTiling::new(5, 0).is_err()
    );
    assert!(matches!(Polygon::new(&[]), Err(Error::Polygon { corner: 0, .. })));
    assert!(matches!(Polygon::new(&[at(0.0, 0.0), at(1.0, 0.0)]), Err(Error::Polygon { corner: 2, .. })));
}

/// The right ascension of which the remainder by 360 is 360.
#[test]
fn a_right_ascension_just_below_0_stays_west_of_it() {
    let grid = BrickGrid::legacy();
    for dec in [-90.0, -45.0, -0.1, 0.0, 41.9, 89.9, 90.0] {
        let position = at(-1e-14, dec);
        assert!(position.ra_deg() < 360.0 && position.ra_deg() > 359.99);
        let brick = grid.brick_at(position);
        assert_eq!(
            (brick.ra2_deg, brick.col as usize + 1),
            (360.0, grid.columns(brick.row as usize).unwrap())
        );
        let mut located = [None];
        grid.locate_all(&[-1e-14], &[dec], &mut located).unwrap();
        assert_eq!(located, [Some(brick.id)]);
        let tile = coaddkit_sky::SweepName::containing(position, SweepTiling::DR10);
        assert!(tile.to_string().contains("-360") && tile.footprint().contains(position));
        let mut cell = [None];
        Healpix::new(5).unwrap().locate_all(&[-1e-14], &[dec], &mut cell).unwrap();
        assert_eq!(cell, [Some(Healpix::new(5).unwrap().locate(position))]);
        assert!(cell[0].unwrap().center().separation_deg(position) < 2.0);
        let around = Exclusion::new(&[at(0.0, dec)], 0.1).unwrap();
        assert!(around.excludes(position));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Any corners and any radius: an area or an error, and what is an area can be asked and covered.
    #[test]
    fn areas_of_any_numbers(
        corners in prop::collection::vec((any_double(), any_double()), 0..8),
        near in prop::collection::vec((-1e-9..1e-9, -1e-9..1e-9), 0..6),
        radius in any_double(),
        order in 0_u8..6,
    ) {
        let cells = Healpix::new(order).unwrap();
        let positions: Vec<SkyCoord> =
            corners.iter().filter_map(|&(ra, dec)| SkyCoord::from_degrees(ra, dec).ok()).collect();
        let Some(&first) = positions.first() else { return Ok(()) };
        if let Ok(cone) = Cone::new(first, radius) {
            prop_assert!((0.0..=180.0).contains(&radius));
            let found = cells.cover(&cone).unwrap();
            prop_assert!(found.envelope.contains(first) && found.envelope.holds_all(&found.interior));
            prop_assert!(BrickGrid::new(20.0).unwrap().cover(&cone).envelope.is_sorted());
        }
        // Corners that all but coincide.
        let tiny: Vec<SkyCoord> = near
            .iter()
            .filter_map(|&(x, y)| SkyCoord::from_degrees(first.ra_deg() + x, first.dec_deg() + y).ok())
            .collect();
        for list in [&positions, &tiny] {
            let Ok(polygon) = Polygon::new(list) else { continue };
            let found = cells.cover(&polygon).unwrap();
            prop_assert!(list.iter().all(|&corner| found.envelope.contains(corner)), "{list:?}");
            prop_assert!(found.envelope.holds_all(&found.interior) && polygon.area_deg2() > 0.0);
            prop_assert!(!SweepTiling::DR10.covering(&polygon).is_empty());
        }
    }
}
