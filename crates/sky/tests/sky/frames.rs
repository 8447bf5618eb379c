//! Frames and tangent planes against astropy 8.0.2 (and the WCSLIB in it).

use std::path::Path;

use coaddkit_sky::{Error, Frame, TangentPlane};
use coaddkit_testkit::{Csv, Rng};

use crate::at;
use crate::healpix::anywhere;

fn table(text: &str) -> Vec<[f64; 6]> {
    let table = Csv::parse(Path::new("data"), text).unwrap();
    table.rows.iter().map(|row| std::array::from_fn(|i| row[i].parse().unwrap())).collect()
}

#[test]
fn frames_agree_with_astropy() {
    let rows = table(include_str!("data/frames.csv"));
    assert_eq!(rows.len(), 60);
    for [ra, dec, l, b, lambda, beta] in rows {
        let position = at(ra, dec);
        for (frame, lon, lat) in [(Frame::Galactic, l, b), (Frame::Ecliptic, lambda, beta)] {
            let found = frame.from_icrs(position);
            // As an angle on the sky: longitudes mean little at a pole.
            let apart = at(found.lon_deg, found.lat_deg).separation_deg(at(lon, lat));
            assert!(apart < 1e-11, "{frame:?} {position}: {found:?}, {lon} {lat}, {apart}");
            let back = frame.to_icrs(lon, lat).unwrap();
            assert!(back.separation_deg(position) < 1e-11, "{frame:?} {position}: {back}");
        }
    }
}

#[test]
fn frames_come_back() {
    let mut rng = Rng::new(41);
    for _ in 0..10_000 {
        let position = anywhere(&mut rng);
        for frame in [Frame::Galactic, Frame::Ecliptic] {
            let there = frame.from_icrs(position);
            assert!((0.0..360.0).contains(&there.lon_deg) && there.lat_deg.abs() <= 90.0);
            let back = frame.to_icrs(there.lon_deg - 720.0, there.lat_deg).unwrap();
            assert!(back.separation_deg(position) < 1e-12, "{position} {back}");
        }
    }
    for (lon, lat) in [(f64::NAN, 0.0), (0.0, f64::NAN), (0.0, 90.000_000_1), (f64::INFINITY, 0.0)] {
        assert!(Frame::Galactic.to_icrs(lon, lat).is_err());
    }
}

#[test]
fn tangent_planes_agree_with_wcslib_and_come_back() {
    let rows = table(include_str!("data/tangent.csv"));
    assert_eq!(rows.len(), 40);
    for [ra0, dec0, ra, dec, xi, eta] in rows {
        let plane = TangentPlane::new(at(ra0, dec0));
        let [east, north] = plane.offset(at(ra, dec)).unwrap();
        // WCSLIB rounds at 1e-14 of the whole circle.
        let tolerance = 1e-12 * (1.0 + xi.hypot(eta));
        assert!(
            (east - xi).abs() < tolerance && (north - eta).abs() < tolerance,
            "{east} {xi} {north} {eta}"
        );
    }
    let mut rng = Rng::new(42);
    for _ in 0..20_000 {
        let (center, scale) = (anywhere(&mut rng), 10_f64.powf(rng.unit() * 12.0 - 11.0));
        let plane = TangentPlane::new(center);
        let (x, y) = (scale * rng.normal(), scale * rng.normal());
        let position = plane.position(x, y).unwrap();
        let [east, north] = plane.offset(position).unwrap();
        // Positions are kept in degrees: 6e-14 at most of rounding, more towards the edge of the plane.
        let tolerance = 4e-13 * (1.0 + (x.hypot(y) / 57.0).powi(2));
        let near_pole = center.dec_deg().abs() > 89.0;
        assert!(
            near_pole || (east - x).abs().max((north - y).abs()) < tolerance,
            "{center} {x} {y} {east} {north}"
        );
        let angle = x.hypot(y).to_radians().atan().to_degrees();
        assert!((position.separation_deg(center) - angle).abs() < 4e-13, "{center} {x} {y}");
    }
    let plane = TangentPlane::new(at(10.0, 20.0));
    assert_eq!(plane.offset(at(190.0, -20.0)), None);
    assert_eq!(plane.offset(at(100.0, 0.0)), None);
    assert_eq!(plane.offset(at(10.0, 20.0)), Some([0.0, 0.0]));
    assert!(matches!(plane.position(f64::NAN, 0.0), Err(Error::NotFinite { .. })));
}
