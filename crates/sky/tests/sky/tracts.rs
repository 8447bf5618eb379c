//! Tracts and patches of areas, and areas of tracts, against samples of their pixels and against each other.

use coaddkit_sky::{
    Area, BrickGrid, CellSet, Cone, Error, Healpix, PixelBox, Polygon, Region, RegionBounds, SkyCoord,
    SkyMap, SkyMapConfig, SkyMapProjection, Tract,
};
use coaddkit_testkit::Rng;

use crate::at;
use crate::cover::{check_area, offset};
use crate::healpix::anywhere;

const PROJECTIONS: [SkyMapProjection; 2] = [SkyMapProjection::Tan, SkyMapProjection::Stg];

fn config(projection: SkyMapProjection, pixel_scale_arcsec: f64) -> SkyMapConfig {
    SkyMapConfig { pixel_scale_arcsec, patch_inner: 50, patch_border: 5, tract_overlap_deg: 0.5, projection }
}

/// Maps with few and with many rings, and one of single tracts, some at the poles and on right ascension 0.
fn maps() -> Vec<SkyMap> {
    let single =
        [(at(0.0, 0.0), 3.0), (at(50.0, 90.0), 10.0), (at(0.1, -89.9), 1.0), (at(200.0, 41.0), 60.0)];
    PROJECTIONS
        .into_iter()
        .flat_map(|projection| {
            [
                SkyMap::rings(config(projection, 300.0), 2, 10.0).unwrap(),
                SkyMap::rings(config(projection, 60.0), 11, 0.0).unwrap(),
                SkyMap::discrete(config(projection, 200.0), &single).unwrap(),
            ]
        })
        .collect()
}

/// Positions along the edge of a box of pixels, by the tract's world coordinates.
fn edge(tract: &Tract, pixels: &PixelBox) -> Vec<SkyCoord> {
    const STEPS: u32 = 200;
    let [x, y] = [&pixels.x, &pixels.y].map(|range| [range.start as f64 + 0.5, range.end as f64 + 0.5]);
    let along = |[low, high]: [f64; 2], i: u32| low + (high - low) * f64::from(i) / f64::from(STEPS);
    (0..=STEPS)
        .flat_map(|i| [[x[0], along(y, i)], [x[1], along(y, i)], [along(x, i), y[0]], [along(x, i), y[1]]])
        .map(|[x, y]| tract.wcs().pixel_to_sky(x, y).unwrap())
        .collect()
}

fn whole(tract: &Tract) -> PixelBox {
    let [width, height] = tract.size();
    PixelBox { x: 0..width, y: 0..height }
}

/// Whether a box of pixels touches a cone, and whether it lies inside; `None` where the samples do not tell.
fn judged(tract: &Tract, pixels: &PixelBox, cone: &Cone) -> (Option<bool>, Option<bool>) {
    let (mut nearest, mut farthest) = (f64::INFINITY, 0.0_f64);
    let samples = edge(tract, pixels);
    for sample in &samples {
        let distance = sample.separation_deg(cone.center());
        (nearest, farthest) = (nearest.min(distance), farthest.max(distance));
    }
    // Every fourth is on the same edge.
    let step = samples.windows(5).map(|four| four[0].separation_deg(four[4])).fold(0.0, f64::max);
    let around = tract.area_of(pixels).unwrap().contains(cone.center());
    let opposite = at(cone.center().ra_deg() + 180.0, -cone.center().dec_deg());
    if tract.area_of(pixels).unwrap().contains(opposite) {
        farthest = 180.0;
    }
    let decided = |sure: bool, never: bool| if sure { Some(true) } else { never.then_some(false) };
    (
        decided(around || nearest < cone.radius_deg(), nearest > cone.radius_deg() + step),
        decided(farthest < cone.radius_deg() - step, farthest > cone.radius_deg()),
    )
}

#[test]
fn tracts_and_patches_of_cones_are_those_within_the_radius() {
    let mut rng = Rng::new(61);
    let mut decided = 0;
    for (k, map) in maps().iter().cycle().take(36).enumerate() {
        let spot = anywhere(&mut rng);
        let center = match k % 4 {
            0 => at(0.0, spot.dec_deg()),
            1 => at(spot.ra_deg(), 90.0_f64.copysign(spot.dec_deg())),
            2 => map.tract(rng.below(map.len())).unwrap().center(),
            _ => spot,
        };
        let radius = if k % 5 == 0 { 180.0 * rng.unit() } else { 40.0 * rng.unit() * rng.unit() };
        let cone = Cone::new(center, radius).unwrap();
        let found = map.cover(&cone);
        assert!(found.envelope.is_sorted() && found.interior.iter().all(|id| found.envelope.contains(id)));
        assert!(found.envelope.contains(&map.find_tract(center).id()) || map.len() == 4);
        for id in 0..map.len() {
            let tract = map.tract(id).unwrap();
            let (touches, inside) = judged(&tract, &whole(&tract), &cone);
            let held = [found.envelope.contains(&id), found.interior.contains(&id)];
            for (judged, held) in [(touches, held[0]), (inside, held[1])] {
                assert!(judged.is_none_or(|judged| judged == held), "{k}: {cone:?} tract {id}: {judged:?}");
                decided += usize::from(judged.is_some());
            }
            if id % 17 != 3 {
                continue;
            }
            let patches: Vec<u32> = tract.patches_of(&cone).iter().map(|patch| patch.sequence).collect();
            assert!(patches.is_sorted());
            for sequence in (0..tract.patch_count()).filter(|_| rng.below(20) == 0) {
                let patch = tract.patch_numbered(sequence).unwrap();
                let (touches, _) = judged(&tract, &patch.outer, &cone);
                let held = patches.contains(&sequence);
                assert!(touches.is_none_or(|touches| touches == held), "{k}: {cone:?} {id} {patch:?}");
            }
        }
    }
    assert!(decided > 1000, "{decided}");
}

#[test]
fn tracts_of_boxes_and_polygons_hold_all_their_positions() {
    let mut rng = Rng::new(62);
    let check = |map: &SkyMap, area: &dyn Fn(SkyCoord) -> bool, found: &[u32], rng: &mut Rng| {
        for _ in 0..300 {
            let position = anywhere(rng);
            if area(position) {
                // All tracts that reach it, not only its own.
                for id in (0..map.len()).filter(|id| !found.contains(id)) {
                    assert_eq!(map.tract(id).unwrap().find_patch(position), None, "{position} {id}");
                }
            }
        }
    };
    for map in maps() {
        for _ in 0..4 {
            let (a, b) = (rng.unit() * 180.0 - 90.0, rng.unit() * 180.0 - 90.0);
            let region = Region::from_bounds(RegionBounds {
                ra_min_deg: Some(rng.unit() * 360.0),
                ra_max_deg: Some(rng.unit() * 360.0),
                dec_min_deg: Some(a.min(b)),
                dec_max_deg: Some(a.max(b)),
            })
            .unwrap();
            check(&map, &|position| region.contains(position), &map.cover(&region).envelope, &mut rng);
            let center = anywhere(&mut rng);
            let corners: Vec<SkyCoord> =
                (0..5).map(|i| offset(center, 30.0 * (0.2 + rng.unit()), 1.2566 * f64::from(i))).collect();
            let Ok(polygon) = Polygon::new(&corners) else { continue };
            check(&map, &|position| polygon.contains(position), &map.cover(&polygon).envelope, &mut rng);
        }
        let all = map.cover(&Region::all_sky());
        assert!(all.interior.iter().copied().eq(0..map.len()) && all.interior == all.envelope);
        assert_eq!(map.in_cells(&CellSet::all_sky()), all.envelope);
        assert!(map.in_cells(&CellSet::new()).is_empty());
    }
}

#[test]
fn the_area_of_a_tract_is_that_of_its_pixels() {
    let mut rng = Rng::new(63);
    let cells = Healpix::new(3).unwrap();
    for map in maps() {
        for _ in 0..5 {
            let tract = map.tract(rng.below(map.len())).unwrap();
            let patch = tract.patch_numbered(rng.below(tract.patch_count())).unwrap();
            for pixels in [whole(&tract), patch.outer, patch.inner] {
                let area = tract.area_of(&pixels).unwrap();
                for _ in 0..300 {
                    let position = if rng.below(2) == 0 {
                        anywhere(&mut rng)
                    } else {
                        offset(tract.center(), 10.0 * rng.unit(), 7.0 * rng.unit())
                    };
                    let margin = |value: f64, range: &std::ops::Range<u64>| {
                        (value + 0.5 - range.start as f64).min(range.end as f64 - 0.5 - value)
                    };
                    let inside = tract
                        .pixel(position)
                        .map_or(-1.0, |[x, y]| margin(x, &pixels.x).min(margin(y, &pixels.y)));
                    if inside.abs() > 1e-6 {
                        assert_eq!(area.contains(position), inside > 0.0, "{position} {tract:?} {pixels:?}");
                    }
                }
                for (corner, sample) in area.corners().into_iter().zip([[1, 0], [0, 0], [0, 1], [1, 1]]) {
                    let [x, y] = [(&pixels.x, sample[0]), (&pixels.y, sample[1])]
                        .map(|(range, end)| [range.start, range.end][end] as f64 + 0.5);
                    let expected = tract.wcs().pixel_to_sky(x, y).unwrap();
                    assert!(corner.separation_deg(expected) < 1e-11, "{corner} {expected}");
                }
                check_area(&area, cells, &mut rng, &format!("{tract:?} {pixels:?}"));
            }
        }
    }
}

#[test]
fn tracts_bricks_and_cells_know_each_other() {
    let mut rng = Rng::new(64);
    let (grid, cells) = (BrickGrid::new(5.0).unwrap(), Healpix::new(4).unwrap());
    for map in maps() {
        let id = rng.below(map.len());
        let area = map.tract(id).unwrap().area();
        let bricks = grid.cover(&area).envelope;
        for brick in grid.bricks() {
            let tracts = map.cover(&brick.footprint()).envelope;
            assert_eq!(bricks.binary_search(&brick.id).is_ok(), tracts.contains(&id), "{} {id}", brick.name);
        }
        let envelope = cells.cover(&area).unwrap().envelope;
        for _ in 0..60 {
            let cell = cells.locate(anywhere(&mut rng));
            let tracts = map.in_cells(&cell.into());
            assert_eq!(envelope.holds(cell), tracts.contains(&id), "{cell} {id}");
        }
        assert!(map.in_cells(&envelope).contains(&id));
    }
}

#[test]
fn boxes_that_are_not_of_the_tract_are_refused() {
    let tract = maps()[1].tract(5).unwrap();
    let [width, height] = tract.size();
    for (x, y) in [(0..width + 1, 0..1), (0..1, 0..u64::MAX)] {
        assert!(matches!(tract.area_of(&PixelBox { x, y }), Err(Error::OutOfRange { .. })));
    }
    for (x, y) in [(5..5, 0..1), (0..1, height..height)] {
        assert!(matches!(tract.area_of(&PixelBox { x, y }), Err(Error::EmptyRange { .. })));
    }
}
