//! Bricks, sweep files and cells of areas, against samples and against each other.

use coaddkit_sky::{
    Area, BrickGrid, BrickId, CellSet, Cone, Error, Healpix, Polygon, Region, RegionBounds, SkyCoord,
    SweepName, SweepTiling,
};
use coaddkit_testkit::Rng;

use crate::at;
use crate::cover::offset;
use crate::healpix::anywhere;

/// Samples of a box, edges included.
fn samples(region: &Region) -> impl Iterator<Item = SkyCoord> {
    const STEPS: u32 = 16;
    let RegionBounds { ra_min_deg, ra_max_deg, dec_min_deg, dec_max_deg } = region.bounds();
    let at_step = |low: Option<f64>, high: Option<f64>, i: u32| {
        let (low, high) = (low.unwrap(), high.unwrap());
        // The last one is the edge itself.
        if i == STEPS { high } else { low + (high - low) * f64::from(i) / f64::from(STEPS) }
    };
    (0..=STEPS).flat_map(move |i| {
        (0..=STEPS).map(move |j| at(at_step(ra_min_deg, ra_max_deg, i), at_step(dec_min_deg, dec_max_deg, j)))
    })
}

fn check(area: &impl Area, grid: &BrickGrid, rng: &mut Rng, what: &str) {
    let found = grid.cover(area);
    assert!(found.envelope.is_sorted() && found.interior.is_sorted());
    let tiles = SweepTiling::DR10.covering(area);
    let held = |ids: &[BrickId], id| ids.binary_search(&id).is_ok();
    assert!(found.interior.iter().all(|&id| held(&found.envelope, id)));
    for _ in 0..300 {
        let position = anywhere(rng);
        let tile = SweepName::containing(position, SweepTiling::DR10);
        if area.contains(position) {
            assert!(held(&found.envelope, grid.locate(position)), "{what}: brick of {position} is missing");
            assert!(tiles.contains(&tile), "{what}: {tile} is missing");
        } else {
            assert!(!held(&found.interior, grid.locate(position)), "{what}: brick of {position} sticks out");
        }
    }
    for brick in grid.bricks() {
        let inside = samples(&brick.footprint()).filter(|&position| area.contains(position)).count();
        // Edges may differ by rounding, whole edges may not.
        if inside > 17 {
            assert!(held(&found.envelope, brick.id), "{what}: {} is missing", brick.name);
        }
        if inside < 17 * 16 {
            assert!(!held(&found.interior, brick.id), "{what}: {} sticks out", brick.name);
        }
    }
}

#[test]
fn bricks_and_tiles_of_cones_boxes_and_polygons() {
    let mut rng = Rng::new(31);
    let grid = BrickGrid::new(7.5).unwrap();
    for k in 0..60 {
        let spot = anywhere(&mut rng);
        let center = match k % 4 {
            0 => at(0.0, spot.dec_deg()),
            1 => at(spot.ra_deg(), 90.0_f64.copysign(spot.dec_deg())),
            _ => spot,
        };
        let cone = Cone::new(center, 60.0 * rng.unit() * rng.unit()).unwrap();
        check(&cone, &grid, &mut rng, &format!("{cone:?}"));
        let (a, b) = (rng.unit() * 180.0 - 90.0, rng.unit() * 180.0 - 90.0);
        let region = Region::from_bounds(RegionBounds {
            ra_min_deg: Some(rng.unit() * 360.0),
            ra_max_deg: Some(rng.unit() * 360.0),
            dec_min_deg: Some(a.min(b)),
            dec_max_deg: Some(a.max(b)),
        })
        .unwrap();
        check(&region, &grid, &mut rng, &region.to_string());
        let corners: Vec<SkyCoord> =
            (0..5).map(|i| offset(center, 30.0 * (0.2 + rng.unit()), 1.2566 * f64::from(i))).collect();
        let Ok(polygon) = Polygon::new(&corners) else { continue };
        check(&polygon, &grid, &mut rng, &format!("{corners:?}"));
    }
}

/// A cone touches a tile exactly if the tile's nearest point is within the radius.
#[test]
fn no_tile_is_listed_that_a_cone_does_not_touch() {
    let mut rng = Rng::new(32);
    for _ in 0..200 {
        let center = anywhere(&mut rng);
        let radius = 8.0 * rng.unit();
        let tiles = SweepTiling::DR9.covering(&Cone::new(center, radius).unwrap());
        assert!(tiles.contains(&SweepName::containing(center, SweepTiling::DR9)));
        for tile in tiles {
            let nearest =
                samples(&tile.footprint()).map(|p| p.separation_deg(center)).fold(f64::INFINITY, f64::min);
            // Samples are up to 0.63 degrees apart.
            assert!(nearest < radius + 0.4 || tile.footprint().contains(center), "{center} {radius} {tile}");
        }
    }
}

#[test]
fn bricks_of_cells_and_cells_of_bricks_agree() {
    let mut rng = Rng::new(33);
    let grid = BrickGrid::legacy();
    for _ in 0..150 {
        let cells = Healpix::new(7 + rng.below(5) as u8).unwrap();
        let cell = cells.locate(anywhere(&mut rng));
        let bricks = grid.in_cells(&CellSet::from(cell));
        // Forth: every part of the cell is in a brick that is listed. Back: the cell is among those of each brick.
        for part in cell.descendants(cells.order() + 4).unwrap() {
            assert!(bricks.binary_search(&grid.locate(part.center())).is_ok(), "{cell} {part}");
        }
        for &id in &bricks {
            let footprint = grid.brick(id).unwrap().footprint();
            assert!(cells.cover(&footprint).unwrap().envelope.holds(cell), "{cell} {id}");
        }
        // No neighbour of a listed brick holds the cell without being listed itself.
        let around = grid.cover(&Cone::new(cell.center(), 1.2).unwrap()).envelope;
        for id in around {
            let footprint = grid.brick(id).unwrap().footprint();
            let holds = cells.cover(&footprint).unwrap().envelope.holds(cell);
            assert_eq!(bricks.binary_search(&id).is_ok(), holds, "{cell} {id}");
        }
    }
    // All cells: all bricks.
    let coarse = BrickGrid::new(5.0).unwrap();
    assert_eq!(coarse.in_cells(&CellSet::all_sky()).len(), coarse.len());
    assert!(coarse.in_cells(&CellSet::new()).is_empty());
}

#[test]
fn areas_of_brick_sets_count_each_brick_once() {
    let grid = BrickGrid::legacy();
    let all = grid.cover(&Region::all_sky());
    assert_eq!((all.interior.len(), all.envelope.len()), (662_174, 662_174));
    let sky = Region::all_sky().area_deg2();
    let twice = all.interior.iter().chain(&all.interior).copied();
    assert!((grid.area_deg2(twice).unwrap() - sky).abs() < 1e-9);
    // A cap of 5 degrees, between the bricks inside and those that touch.
    let cone = Cone::new(at(0.0, 90.0), 5.0).unwrap();
    let found = grid.cover(&cone);
    let areas = [&found.interior, &found.envelope].map(|ids| grid.area_deg2(ids.iter().copied()).unwrap());
    assert!(areas[0] < cone.area_deg2() && cone.area_deg2() < areas[1]);
    assert!(areas[1] - areas[0] < 2.0 * std::f64::consts::PI * 5.0 * 0.3);
    let none = BrickId::new(662_175).unwrap();
    assert_eq!(grid.area_deg2([none]), Err(Error::NoSuchBrick { id: 662_175, bricks: 662_174 }));
    assert_eq!(grid.area_deg2([]), Ok(0.0));
}

#[test]
fn cells_of_bricks_are_those_of_their_union() {
    let mut rng = Rng::new(34);
    let (grid, cells) = (BrickGrid::new(9.0).unwrap(), Healpix::new(4).unwrap());
    for k in 0..40 {
        let cone = Cone::new(anywhere(&mut rng), 40.0 * rng.unit()).unwrap();
        let mut bricks = grid.cover(&cone).envelope;
        if k % 3 == 0 {
            // A hole here and there.
            bricks.retain(|_| rng.below(5) > 0);
        }
        let found = grid.cells_of(bricks.iter().copied().rev(), cells).unwrap();
        assert!(found.envelope.holds_all(&found.centered) && found.centered.holds_all(&found.interior));
        let held = |position| bricks.binary_search(&grid.locate(position)).is_ok();
        for cell in cells.cells() {
            let inside = cell.descendants(8).unwrap().filter(|part| held(part.center())).count();
            assert!(inside == 0 || found.envelope.holds(cell), "{k}: {cell} is missing");
            assert!(inside == 256 || !found.interior.holds(cell), "{k}: {cell} sticks out");
            // Edges belong to both sides.
            let centered =
                bricks.iter().any(|&id| grid.brick(id).unwrap().footprint().contains(cell.center()));
            assert_eq!(found.centered.holds(cell), centered, "{k}: centre of {cell}");
            // Touches all of what it touches, and only that.
            let touched = grid.in_cells(&cell.into());
            assert_eq!(
                found.interior.holds(cell),
                touched.iter().all(|id| bricks.binary_search(id).is_ok()),
                "{k}: {cell}"
            );
            assert_eq!(
                found.envelope.holds(cell),
                touched.iter().any(|id| bricks.binary_search(id).is_ok()),
                "{k}: {cell}"
            );
        }
    }
    let all = grid.cover(&Region::all_sky()).interior;
    let found = grid.cells_of(all, cells).unwrap();
    assert!([found.interior, found.centered, found.envelope].iter().all(|set| *set == CellSet::all_sky()));
    assert!(grid.cells_of([], cells).unwrap().envelope.is_empty());
    let none = BrickId::new(grid.len() as u32 + 1).unwrap();
    assert!(matches!(grid.cells_of([none], cells), Err(Error::NoSuchBrick { .. })));
}
