//! Names of sweep files, against those of real releases.

use coaddkit_sky::{Error, RegionBounds, SweepName, SweepTiling};
use coaddkit_testkit::shared;

use crate::at;

#[test]
fn all_names_of_a_real_release_round_trip() {
    let Some(path) = shared("data/survey-runs/sweep_urls_full.txt") else { return };
    let text = std::fs::read_to_string(path).unwrap();
    let mut count = 0;
    for url in text.lines() {
        let name: SweepName = url.parse().unwrap();
        assert!(url.ends_with(&format!("/{name}")), "{url} -> {name}");
        assert_eq!(name.to_string().parse(), Ok(name));
        // The corner and the centre of a tile, and what lies just below its upper edges, belong to it.
        let [ra1, ra2, dec1, dec2] = edges(name);
        for (ra, dec) in
            [(ra1, dec1), ((ra1 + ra2) / 2.0, (dec1 + dec2) / 2.0), (ra2.next_down(), dec2.next_down())]
        {
            assert_eq!(SweepName::containing(at(ra, dec), SweepTiling::DR10), name);
            assert!(name.footprint().contains(at(ra, dec)));
        }
        count += 1;
    }
    assert_eq!(count, 1436);
}

#[test]
fn corners_are_whole_degrees() {
    let name: SweepName = "sweep-150m005-155p000.fits".parse().unwrap();
    assert_eq!(edges(name), [150.0, 155.0, -5.0, 0.0]);
    // Tiles of 10 by 5 degrees, as in the older releases.
    let name: SweepName = "/data/dr3/sweep-190m005-200p000.fits.fz".parse().unwrap();
    assert_eq!(edges(name), [190.0, 200.0, -5.0, 0.0]);
    assert_eq!(SweepName::containing(at(199.9, -0.1), SweepTiling::DR9), name);
    assert_eq!(name.to_string(), "sweep-190m005-200p000.fits");
}

#[test]
fn paths_urls_and_suffixes() {
    let name: SweepName = "sweep-355m010-360m005.fits".parse().unwrap();
    let spellings = [
        "sweep-355m010-360m005.fits.gz",
        "sweep-355m010-360m005.fits.fz",
        "./a b/sweep-355m010-360m005.fits",
        r"C:\sweeps\sweep-355m010-360m005.fits",
        "s3://bucket/sweep-000m005-005p000.fits/sweep-355m010-360m005.fits",
        "https://example.org/sweep-355m010-360m005.fits?version=3/4#part",
    ];
    for text in spellings {
        assert_eq!(text.parse(), Ok(name), "{text}");
    }
}

#[test]
fn other_names_are_refused_with_the_reason() {
    let cases = [
        ("", "must end in .fits"),
        ("sweep-350m005-355p000", "must end in .fits"),
        ("sweep-350m005-355p000.fits.bz2", "must end in .fits"),
        ("tractor-350m005-355p000.fits", "must start with sweep-"),
        ("sweep-350m005.fits", "two corners"),
        ("sweep-350m005-355p000-pz.fits", "a corner must be"),
        ("sweep-350m05-355p000.fits", "a corner must be"),
        ("sweep-350x005-355p000.fits", "a corner must be"),
        ("sweep-35é005-355p000.fits", "a corner must be"),
        ("sweep-355m005-365p000.fits", "at most 360"),
        ("sweep-350m095-355m090.fits", "at most 90"),
        ("sweep-350m005-355m000.fits", "written p000"),
        ("sweep-355m005-350p000.fits", "right ascension must be below"),
        ("sweep-350p000-355m005.fits", "declination must be below"),
        ("sweep-350p000-355p000.fits", "declination must be below"),
        ("sweep-350m005-355p000.fits/", "must end in .fits"),
    ];
    for (text, reason) in cases {
        let error = text.parse::<SweepName>().unwrap_err();
        assert!(error.to_string().contains(reason), "{text}: {error}");
        assert!(matches!(error, Error::SweepName { .. }));
    }
}

#[test]
fn tiles_at_the_meridian_the_equator_and_the_poles() {
    let tile = |ra, dec, tiling| SweepName::containing(at(ra, dec), tiling).to_string();
    let cases = [
        (0.0, 0.0, "sweep-000p000-005p005.fits"),
        (360.0, 0.0, "sweep-000p000-005p005.fits"),
        (-1e-14, 0.0, "sweep-355p000-360p005.fits"),
        (5.0_f64.next_down(), -5.0, "sweep-000m005-005p000.fits"),
        (5.0, -1e-20, "sweep-005m005-010p000.fits"),
        (123.4, 90.0, "sweep-120p085-125p090.fits"),
        (123.4, -90.0, "sweep-120m090-125m085.fits"),
    ];
    for (ra, dec, name) in cases {
        assert_eq!(tile(ra, dec, SweepTiling::DR10), name, "{ra} {dec}");
    }
    assert_eq!(tile(359.0, 89.0, SweepTiling::new(360, 90).unwrap()), "sweep-000p000-360p090.fits");
    assert_eq!(tile(0.5, -0.5, SweepTiling::new(1, 1).unwrap()), "sweep-000m001-001p000.fits");
    for (ra, dec) in [(0, 5), (5, 0), (7, 5), (5, 7), (720, 5), (5, 180)] {
        assert!(SweepTiling::new(ra, dec).is_err(), "{ra} {dec}");
    }
}

fn edges(name: SweepName) -> [f64; 4] {
    let RegionBounds { ra_min_deg, ra_max_deg, dec_min_deg, dec_max_deg } = name.footprint().bounds();
    [ra_min_deg, ra_max_deg, dec_min_deg, dec_max_deg].map(Option::unwrap)
}
