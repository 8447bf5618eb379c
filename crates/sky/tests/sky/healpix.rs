//! HEALPix: numbers against counting and a second implementation, coverages against distances.

use coaddkit_sky::{CellSet, Error, Healpix, HealpixCell, HealpixRing, SkyCoord};
use coaddkit_testkit::Rng;

use crate::at;

pub fn anywhere(rng: &mut Rng) -> SkyCoord {
    at(rng.unit() * 360.0, (2.0 * rng.unit() - 1.0).asin().to_degrees())
}

#[test]
fn every_cell_comes_back_from_its_center_its_ring_number_and_its_uniq() {
    for order in 0..=5 {
        let cells = Healpix::new(order).unwrap();
        let rings = HealpixRing::new(cells.nside()).unwrap();
        let mut seen = vec![false; cells.len() as usize];
        for cell in cells.cells() {
            assert_eq!(cells.locate(cell.center()), cell);
            assert_eq!(cells.cell_of_ring(cell.ring()), Ok(cell));
            assert_eq!(HealpixCell::from_uniq(cell.uniq()), Ok(cell));
            assert_eq!(rings.center(cell.ring()), Ok(cell.center()));
            assert!(!std::mem::replace(&mut seen[cell.ring() as usize], true), "{cell} shares a ring number");
            assert_eq!((cell.order(), cell.grid()), (order, cells));
        }
    }
}

#[test]
fn ring_numbers_ascend_southwards_then_eastwards_for_any_nside() {
    for nside in [1, 2, 3, 5, 6, 7, 8, 12, 31] {
        let rings = HealpixRing::new(nside).unwrap();
        let mut last: Option<SkyCoord> = None;
        for number in 0..rings.len() {
            let center = rings.center(number).unwrap();
            assert_eq!(rings.locate(center), number, "nside {nside}: {center}");
            if let Some(last) = last {
                let south = last.dec_deg() - center.dec_deg();
                assert!(
                    south > 1e-9 || (south.abs() < 1e-9 && center.ra_deg() > last.ra_deg()),
                    "{last} {center}"
                );
            }
            last = Some(center);
        }
        // As many cells north of the equator as south of it.
        let first = rings.center(0).unwrap();
        assert_eq!(first.dec_deg(), -rings.center(rings.len() - 1).unwrap().dec_deg());
    }
}

/// The second implementation differs within rounding of edges only.
#[test]
fn ten_thousand_positions_at_all_orders_fall_where_another_implementation_puts_them() {
    let mut rng = Rng::new(7);
    for _ in 0..10_000 {
        let position = anywhere(&mut rng);
        let (lon, lat) = (position.ra_deg().to_radians(), position.dec_deg().to_radians());
        for order in 0..=29 {
            let cell = Healpix::new(order).unwrap().locate(position);
            let (hash, dx, dy) = cdshealpix::nested::hash_with_dxdy(order, lon, lat);
            let edge = [dx, dy, 1.0 - dx, 1.0 - dy].into_iter().fold(1.0, f64::min);
            assert!(
                cell.index() == hash || edge < 4e-15 * f64::from(1 << order),
                "{position} {cell} {hash} {edge}"
            );
            assert_eq!(cell.at_order(order / 2), Some(Healpix::new(order / 2).unwrap().locate(position)));
        }
    }
}

#[test]
fn edges_and_corners_at_round_numbers_belong_to_one_cell_at_every_order() {
    for ra in [0.0, 22.5, 45.0, 67.5, 90.0, 180.0, 270.0, 315.0, 359.99999999999994] {
        for dec in [-90.0, -30.0, 0.0, -0.0, 30.0, 41.810314895778596, -41.8103148957786, 5e-324, 90.0] {
            let position = at(ra, dec);
            let finest = Healpix::new(29).unwrap().locate(position);
            for order in 0..=29 {
                let cells = Healpix::new(order).unwrap();
                // Children lie in their parents, also where a position has a choice.
                assert_eq!(finest.at_order(order), Some(cells.locate(position)), "{position} order {order}");
                let near = cells.locate(position).center().separation_deg(position);
                assert!(near < 62.0 / f64::from(cells.nside()), "{position} order {order}: {near}");
            }
        }
    }
}

#[test]
fn corners_surround_the_center_and_neighbours_share_them() {
    let mut rng = Rng::new(3);
    for _ in 0..2000 {
        let order = rng.below(30) as u8;
        let cell = Healpix::new(order).unwrap().locate(anywhere(&mut rng));
        let [south, east, north, west] = cell.corners();
        assert!(south.dec_deg() < cell.center().dec_deg() && cell.center().dec_deg() < north.dec_deg());
        let eastwards = |a: SkyCoord, b: SkyCoord| (b.ra_deg() - a.ra_deg()).rem_euclid(360.0) < 180.0;
        assert!(eastwards(west, cell.center()) && eastwards(cell.center(), east), "{cell}");
        let tolerance = 1e-12;
        let shares = |next: HealpixCell| {
            let theirs = next.corners();
            cell.corners().iter().filter(|c| theirs.iter().any(|t| t.separation_deg(**c) < tolerance)).count()
        };
        let found = cell.neighbours();
        assert!(found.iter().flatten().count() >= if order == 0 { 6 } else { 7 });
        if order > 3 {
            for (k, next) in found.iter().enumerate() {
                let Some(next) = next else { continue };
                assert_eq!(shares(*next), if k % 2 == 0 { 2 } else { 1 }, "{cell} {k} {next}");
            }
        }
    }
}

/// Columns are worked through in blocks, belt and caps apart; single positions are not.
#[test]
fn columns_give_what_positions_give() {
    let mut rng = Rng::new(33);
    for (order, count) in
        [(0, 1), (1, 255), (3, 256), (7, 257), (12, 2_000), (16, 1_000), (17, 1_000), (29, 3_000)]
    {
        let cells = Healpix::new(order).unwrap();
        let mut positions: Vec<(f64, f64)> =
            (0..count).map(|_| anywhere(&mut rng)).map(|at| (at.ra_deg(), at.dec_deg())).collect();
        for i in 0..count {
            // Corners of cells, right ascensions to bring back, and what is no position.
            match i % 11 {
                0 => positions[i] = (f64::from(i as u32 % 9) * 45.0, f64::from(i as u32 % 5) * 41.8 - 83.6),
                1 => positions[i] = (positions[i].0, [90.0, -90.0, 0.0, 30.0][i % 4]),
                2 => positions[i].0 -= 720.0,
                3 => positions[i] = [(f64::INFINITY, 0.0), (1.0, f64::NAN), (2.0, -90.1)][i % 3],
                4 => {
                    let center = cells.locate(anywhere(&mut rng)).corners()[i % 4];
                    positions[i] = (center.ra_deg(), center.dec_deg());
                }
                _ => {}
            }
        }
        let (ra, dec): (Vec<f64>, Vec<f64>) = positions.into_iter().unzip();
        let mut found = vec![None; count];
        cells.locate_all(&ra, &dec, &mut found).unwrap();
        for i in 0..count {
            let expected = SkyCoord::from_degrees(ra[i], dec[i]).ok().map(|position| cells.locate(position));
            assert_eq!(found[i], expected, "{order} {} {}", ra[i], dec[i]);
        }
    }
}

#[test]
fn bad_numbers_are_refused() {
    assert!(matches!(Healpix::new(30), Err(Error::OutOfRange { value: 30.0, .. })));
    for nside in [0, 3, 100, 1 << 30] {
        assert_eq!(Healpix::from_nside(nside), Err(Error::NotNested { nside }));
    }
    assert!(HealpixRing::new(0).is_err() && HealpixRing::new((1 << 29) + 1).is_err());
    let cells = Healpix::new(29).unwrap();
    assert_eq!(cells.cell(cells.len()), Err(Error::NoSuchCell { number: cells.len(), cells: cells.len() }));
    assert!(cells.cell_of_ring(u64::MAX).is_err() && HealpixRing::new(3).unwrap().center(108).is_err());
    for uniq in [0, 1, 3, 1 << 62, u64::MAX] {
        assert_eq!(HealpixCell::from_uniq(uniq), Err(Error::NotUniq { uniq }));
    }
    assert_eq!(HealpixCell::from_uniq((1 << 62) - 1).unwrap(), cells.cell(cells.len() - 1).unwrap());
    let cell = cells.cell(0).unwrap();
    assert!(cell.descendants(28).is_err() && cell.descendants(30).is_err());
    assert_eq!(cell.at_order(30), None);
    let mut out = [None; 6];
    let ra = [0.0, f64::NAN, 0.0, f64::INFINITY, -1e-14, 720.0];
    let dec = [f64::NAN, 0.0, 90.00000000000001, 0.0, 60.0, -90.0];
    cells.locate_all(&ra, &dec, &mut out).unwrap();
    assert_eq!(out.map(|cell| cell.is_some()), [false, false, false, false, true, true]);
    // On its own side of the meridian, which bounds cells there.
    assert!(out[4].unwrap().center().ra_deg() > 359.0);
    assert!(cells.locate_all(&ra[1..], &dec, &mut out).is_err());
}

/// Sets of cells against sets of numbers of one order.
#[test]
fn set_operations_are_those_of_sets() {
    use std::collections::BTreeSet;
    let mut rng = Rng::new(11);
    let cells = Healpix::new(3).unwrap();
    let expand =
        |set: &CellSet| -> BTreeSet<u64> { set.cells_at(cells).unwrap().map(HealpixCell::index).collect() };
    for _ in 0..300 {
        let mut draw = || -> (CellSet, BTreeSet<u64>) {
            let list: Vec<HealpixCell> = (0..rng.below(60))
                .map(|_| {
                    let order = rng.below(4) as u8;
                    let all = Healpix::new(order).unwrap();
                    all.cell(rng.below(all.len() as u32).into()).unwrap()
                })
                .collect();
            let numbers =
                list.iter().flat_map(|cell| cell.descendants(3).unwrap()).map(HealpixCell::index).collect();
            (list.into_iter().collect(), numbers)
        };
        let ((a, in_a), (b, in_b)) = (draw(), draw());
        assert_eq!(expand(&a), in_a);
        assert_eq!(expand(&a.union(&b)), &in_a | &in_b);
        assert_eq!(expand(&a.intersection(&b)), &in_a & &in_b);
        assert_eq!(expand(&a.difference(&b)), &in_a - &in_b);
        assert_eq!(a.holds_all(&b), in_b.is_subset(&in_a));
        assert!(a.union(&b).holds_all(&a) && a.union(&CellSet::all_sky()) == CellSet::all_sky());
        assert_eq!(a.cells().collect::<CellSet>(), a);
        assert_eq!(a.count_at(cells).unwrap(), in_a.len() as u64);
        let area = in_a.len() as f64 * cells.cell_area_deg2();
        assert!((a.area_deg2() - area).abs() < 1e-9);
        for number in 0..cells.len() {
            let cell = cells.cell(number).unwrap();
            assert_eq!((a.holds(cell), a.overlaps(cell)), (in_a.contains(&number), in_a.contains(&number)));
        }
        let parent = cells.cell(rng.below(768).into()).unwrap().at_order(1).unwrap();
        let parts: Vec<u64> = parent.descendants(3).unwrap().map(HealpixCell::index).collect();
        assert_eq!(a.holds(parent), parts.iter().all(|part| in_a.contains(part)));
        assert_eq!(a.overlaps(parent), parts.iter().any(|part| in_a.contains(part)));
        // No four siblings are left unmerged.
        let compact: BTreeSet<HealpixCell> = a.cells().collect();
        for cell in &compact {
            let Some(parent) = cell.order().checked_sub(1).and_then(|up| cell.at_order(up)) else { continue };
            assert!(!parent.descendants(cell.order()).unwrap().all(|sibling| compact.contains(&sibling)));
        }
    }
    assert!(CellSet::all_sky().cells_at(cells).unwrap().count() == 768 && CellSet::new().order() == 0);
}
