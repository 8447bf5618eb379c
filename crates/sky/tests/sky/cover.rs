//! Coverages: complete, and not larger than they must be, by exact distances.
//!
//! The cells' outlines are those of another implementation; a cell's nearest and farthest points come from samples of
//! its edges and a search between the best of them.

use coaddkit_sky::{
    Area, Cone, Coverage, Error, Healpix, HealpixCell, Polygon, Region, RegionBounds, SkyCoord,
};
use coaddkit_testkit::Rng;

use crate::at;
use crate::healpix::anywhere;

/// The position at a distance and bearing.
pub fn offset(from: SkyCoord, distance_deg: f64, bearing: f64) -> SkyCoord {
    let (sd, cd) = distance_deg.to_radians().sin_cos();
    let (s, c) = from.dec_deg().to_radians().sin_cos();
    let sine = s * cd + c * sd * bearing.cos();
    let east = sd * bearing.sin();
    let north = cd * c - sd * s * bearing.cos();
    at(from.ra_deg() + east.atan2(north).to_degrees(), sine.atan2(east.hypot(north)).to_degrees())
}

/// The unit of a base cell divided by `nside`, as an angle.
fn size_deg(cells: Healpix) -> f64 {
    1_f64.to_degrees() / f64::from(cells.nside())
}

/// How far from the edges, in sides of a cell, points of a cell stay: nearer to a seam between base cells the other
/// implementation may take them for points of the wrong one.
fn inset(cells: Healpix) -> f64 {
    (1e-14 * f64::from(cells.nside())).max(1e-9)
}

/// A point of a cell; both fractions run from the southern corner.
fn point(cell: HealpixCell, dx: f64, dy: f64) -> SkyCoord {
    let inset = inset(cell.grid());
    let [dx, dy] = [dx, dy].map(|d| d.clamp(inset, 1.0 - inset));
    let (lon, lat) = cdshealpix::nested::sph_coo(cell.order(), cell.index(), dx, dy);
    at(lon.to_degrees(), lat.to_degrees().clamp(-90.0, 90.0))
}

fn along(cell: HealpixCell, side: usize, t: f64) -> SkyCoord {
    let (dx, dy) = [(t, 0.0), (t, 1.0), (0.0, t), (1.0, t)][side];
    point(cell, dx, dy)
}

/// The smallest value on the outline of a cell of a function that changes by no more than the distance.
///
/// Sides that cannot have a value below `limit` are not searched, only sampled.
fn least(cell: HealpixCell, limit: f64, value: impl Fn(SkyCoord) -> f64) -> f64 {
    const STEPS: u32 = 8;
    let step = 1.0 / f64::from(STEPS);
    // No side is longer than 1.53 units of a base cell.
    let slack = 1.53 * size_deg(cell.grid()) * step;
    let mut least = f64::INFINITY;
    for side in 0..4 {
        let samples = (0..=STEPS).map(|i| f64::from(i) * step).map(|t| (value(along(cell, side, t)), t));
        let (found, t) = samples.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
        least = least.min(found);
        if found - slack > limit {
            continue;
        }
        let (mut low, mut high) = ((t - step).max(0.0), (t + step).min(1.0));
        for _ in 0..64 {
            let (a, b) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
            if value(along(cell, side, a)) < value(along(cell, side, b)) { high = b } else { low = a }
        }
        least = least.min(value(along(cell, side, f64::midpoint(low, high))));
    }
    least
}

/// Rounding of positions in degrees, and of the other implementation.
const ROUNDING_DEG: f64 = 4e-13;

fn check_cone(cone: &Cone, cells: Healpix, rng: &mut Rng) {
    let Coverage { interior, centered, envelope, .. } = cells.cover(cone).unwrap();
    let (center, radius) = (cone.center(), cone.radius_deg());
    let what = format!("{center} {radius} order {}", cells.order());
    let rounding = ROUNDING_DEG + 4.0 * inset(cells) * size_deg(cells);
    assert!(envelope.holds_all(&centered) && centered.holds_all(&interior), "{what}");
    // Every point of the cone is in the envelope, and in the interior is no point outside.
    for k in 0..24 {
        let distance = if k % 2 == 0 { radius * rng.unit().sqrt() } else { radius * (1.0 - 1e-9) };
        let inside = offset(center, distance, rng.unit() * 2.0 * std::f64::consts::PI);
        if inside.separation_deg(center) <= radius - ROUNDING_DEG {
            assert!(envelope.contains(inside), "{what}: {inside} is missing");
        }
        let outside = offset(center, (radius * (1.0 + 1e-9)).min(180.0), rng.unit() * 7.0);
        if outside.separation_deg(center) > radius + ROUNDING_DEG {
            assert!(!interior.contains(outside), "{what}: {outside} is no interior");
        }
    }
    if envelope.count_at(cells).unwrap() > 300 {
        return;
    }
    let distance = |position: SkyCoord| position.separation_deg(center);
    for cell in envelope.cells_at(cells).unwrap() {
        // Far or clearly inside, the centre alone tells.
        let apart = |cell: HealpixCell| cell.center().separation_deg(center) - radius;
        let reach = 1.1 * size_deg(cells);
        for next in cell.neighbours().into_iter().flatten() {
            if envelope.holds(next) || apart(next) > reach {
                continue;
            }
            assert!(least(next, radius, distance) >= radius - rounding, "{what}: {next} is missing");
        }
        if interior.holds(cell) {
            assert!(
                -least(cell, -radius, |p| -distance(p)) <= radius + rounding,
                "{what}: {cell} sticks out"
            );
        } else if apart(cell) > 0.0 && !cell.contains(center) {
            assert!(least(cell, radius, distance) <= radius + rounding, "{what}: {cell} does not touch");
        }
    }
}

fn cones(seed: u64) {
    let mut rng = Rng::new(seed);
    for _ in 0..25_000 {
        let order = rng.below(30) as u8;
        let cells = Healpix::new(order).unwrap();
        let size = size_deg(cells);
        let radius = match rng.below(8) {
            0 => 0.0,
            1 => rng.unit() * 180.0_f64.min(3.0 * size),
            2 if order < 4 => rng.unit() * 180.0,
            _ => (size * 10_f64.powf(rng.unit() * 2.0 - 1.7)).min(180.0),
        };
        let spot = anywhere(&mut rng);
        let center = match rng.below(8) {
            0 => at(spot.ra_deg(), 90.0_f64.copysign(spot.dec_deg())),
            1 => at(spot.ra_deg(), (90.0 - radius * 2.0 * rng.unit()).clamp(-90.0, 90.0)),
            2 => at(0.0, spot.dec_deg()),
            3 => at(-radius * rng.unit(), spot.dec_deg()),
            4 => cells.locate(spot).corners()[rng.below(4) as usize],
            5 => at(
                (rng.below(8) * 45) as f64,
                [-41.8103148957786, 0.0, 41.8103148957786][rng.below(3) as usize],
            ),
            _ => spot,
        };
        check_cone(&Cone::new(center, radius).unwrap(), cells, &mut rng);
    }
}

/// A hundred thousand in four parts, so that they run side by side.
#[test]
fn cones_miss_no_cell_and_overreach_none_1() {
    cones(1);
}

#[test]
fn cones_miss_no_cell_and_overreach_none_2() {
    cones(2);
}

#[test]
fn cones_miss_no_cell_and_overreach_none_3() {
    cones(3);
}

#[test]
fn cones_miss_no_cell_and_overreach_none_4() {
    cones(4);
}

/// Samples of an area and of cells: every point of the area in the envelope, none outside in the interior, and where
/// all samples agree the sets do.
pub fn check_area(area: &impl Area, cells: Healpix, rng: &mut Rng, what: &str) {
    let found = cells.cover(area).unwrap();
    let (interior, envelope) = (&found.interior, &found.envelope);
    for _ in 0..400 {
        let position = anywhere(rng);
        if area.contains(position) {
            assert!(envelope.contains(position), "{what}: {position} is missing");
        } else {
            assert!(!interior.contains(position), "{what}: {position} is no interior");
        }
    }
    for cell in cells.cells() {
        let inside = (0..81)
            .filter(|i| area.contains(point(cell, f64::from(i % 9) / 8.0, f64::from(i / 9) / 8.0)))
            .count();
        // Corners and edges may differ by rounding, more than that may not.
        if inside > 9 {
            assert!(envelope.holds(cell), "{what}: {cell} is missing");
        }
        if inside < 81 - 9 {
            assert!(!interior.holds(cell), "{what}: {cell} sticks out");
        }
        assert_eq!(found.centered.holds(cell), area.contains(cell.center()), "{what}: centre of {cell}");
    }
}

#[test]
fn boxes_of_any_width_and_height() {
    let mut rng = Rng::new(5);
    let cells = Healpix::new(3).unwrap();
    for k in 0..300 {
        let mut ra = || {
            [0.0, 360.0, 90.0, rng.unit() * 360.0, rng.unit() * 360.0, rng.unit() * 360.0]
                [rng.below(6) as usize]
        };
        let (ra_min, ra_max) = (ra(), ra());
        let mut dec = || {
            [-90.0, 90.0, 0.0, rng.unit() * 180.0 - 90.0, rng.unit() * 180.0 - 90.0][rng.below(5) as usize]
        };
        let (a, b) = (dec(), dec());
        let bounds = RegionBounds {
            ra_min_deg: Some(ra_min),
            ra_max_deg: Some(if k % 10 == 0 { ra_min } else { ra_max }),
            dec_min_deg: Some(a.min(b)),
            dec_max_deg: Some(a.max(b)),
        };
        let region = Region::from_bounds(bounds).unwrap();
        check_area(&region, cells, &mut rng, &region.to_string());
        let fine = Healpix::new(7).unwrap().cover(&region).unwrap();
        let (low, high) = (fine.interior.area_deg2(), fine.envelope.area_deg2());
        assert!(low <= region.area_deg2() + 1e-9 && region.area_deg2() <= high + 1e-9, "{region}");
    }
}

#[test]
fn polygons_stars_and_wedges_around_poles() {
    let mut rng = Rng::new(9);
    let cells = Healpix::new(3).unwrap();
    for k in 0..300 {
        let spot = anywhere(&mut rng);
        let center = match k % 3 {
            0 => spot,
            1 => at(spot.ra_deg(), 90.0_f64.copysign(spot.dec_deg())),
            _ => at(0.0, spot.dec_deg()),
        };
        let corners = 3 + rng.below(9) as usize;
        let outer = 1.0 + 80.0 * rng.unit();
        // Spikes of a star around the centre never cross.
        let mut list: Vec<SkyCoord> = (0..corners)
            .map(|i| {
                let bearing = 2.0 * std::f64::consts::PI * (i as f64 + 0.8 * rng.unit()) / corners as f64;
                offset(center, outer * (0.3 + 0.7 * rng.unit()), bearing)
            })
            .collect();
        if k % 2 == 0 {
            list.reverse();
        }
        let polygon = match Polygon::new(&list) {
            Ok(polygon) => polygon,
            // A wide triangle may exclude its centre, and then its edges may cross.
            Err(Error::Polygon { .. }) if corners < 5 || outer > 40.0 => continue,
            Err(e) => panic!("{e}: {list:?}"),
        };
        check_area(&polygon, cells, &mut rng, &format!("{list:?}"));
        // The area, counted.
        let centered = Healpix::new(6).unwrap().cover(&polygon).unwrap().centered.area_deg2();
        let area = polygon.area_deg2();
        assert!((centered - area).abs() < 0.02 * area + 8.0, "{centered} {area} {list:?}");
        list.rotate_left(1);
        let turned = Polygon::new(&list).unwrap();
        for _ in 0..100 {
            let position = anywhere(&mut rng);
            assert_eq!(polygon.contains(position), turned.contains(position), "{position} {list:?}");
        }
    }
}

#[test]
fn what_is_no_polygon_or_cone_is_refused() {
    let list = |corners: &[(f64, f64)]| corners.iter().map(|&(ra, dec)| at(ra, dec)).collect::<Vec<_>>();
    for corners in [
        &[][..],
        &[(0.0, 0.0), (1.0, 0.0)],
        &[(0.0, 0.0), (1.0, 0.0), (1.0, 0.0), (0.0, 1.0)],
        &[(0.0, 0.0), (180.0, 0.0), (90.0, 50.0)],
        // A bow tie, a touching corner, a fold, a line, a hemisphere.
        &[(0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)],
        &[(0.0, 0.0), (2.0, 0.0), (2.0, 1.0), (1.0, 0.0), (0.0, 1.0)],
        &[(0.0, 0.0), (2.0, 0.0), (1.0, 0.0), (1.0, 2.0)],
        &[(0.0, 0.0), (1.0, 0.0), (2.0, 0.0)],
        &[(0.0, 0.0), (120.0, 0.0), (240.0, 0.0)],
    ] {
        assert!(matches!(Polygon::new(&list(corners)), Err(Error::Polygon { .. })), "{corners:?}");
    }
    for radius in [f64::NAN, -1e-9, 180.00000000000003, f64::INFINITY] {
        assert!(Cone::new(at(0.0, 0.0), radius).is_err());
    }
    let wide = Cone::new(at(0.0, 0.0), 60.0).unwrap();
    assert!(matches!(Healpix::new(29).unwrap().cover(&wide), Err(Error::TooManyCells { order: 29, .. })));
}

#[test]
fn the_whole_sky_and_a_point() {
    let cells = Healpix::new(29).unwrap();
    let all = cells.cover(&Region::all_sky()).unwrap();
    assert_eq!(all.interior.cells().count(), 12);
    assert_eq!(cells.cover(&Cone::new(at(5.0, 5.0), 180.0).unwrap()).unwrap(), all);
    for order in 0..=29 {
        let cells = Healpix::new(order).unwrap();
        // At a pole four cells meet, at the middle of the sky four too, and one holds a position that is nothing special.
        for (position, count) in [(at(77.0, 90.0), 4), (at(200.0, -90.0), 4), (at(1.2345, 6.789), 1)] {
            let found = cells.cover(&Cone::new(position, 0.0).unwrap()).unwrap();
            assert_eq!(found.envelope.count_at(cells).unwrap(), count, "{position} {order}");
            assert!(found.interior.is_empty() && found.envelope.contains(position));
        }
    }
}
