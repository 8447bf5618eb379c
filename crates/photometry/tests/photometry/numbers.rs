//! Fluxes, tables and presets, against published numbers.

use coaddkit_photometry::desi::{Imaging, PerBand, Source};
use coaddkit_photometry::lrg::{self, Photometry, Variant};
use coaddkit_photometry::{
    AbMag, Band, Extinction, InverseVariance, MaskBits, Nanomaggies, Release, Softening,
};

#[test]
fn what_is_no_flux_has_no_magnitude() {
    for flux in [0.0, -0.0, -1.0, f64::NAN, f64::NEG_INFINITY] {
        assert!(Nanomaggies(flux).mag().0.is_nan(), "{flux}");
        assert!(Nanomaggies(flux).mag_error(InverseVariance(1.0)).is_nan(), "{flux}");
    }
    assert_eq!(Nanomaggies(f64::INFINITY).mag(), AbMag(f64::NEG_INFINITY));
    for ivar in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(Nanomaggies(1.0).mag_error(InverseVariance(ivar)).is_nan(), "{ivar}");
    }
    for transmission in [0.0, -0.5, f64::NAN] {
        assert!(Nanomaggies(1.0).dereddened(transmission).0.is_nan(), "{transmission}");
    }
    assert!(InverseVariance(0.0).depth(5.0).0.is_nan());
}

/// 3631 Jy are magnitude 0; one nanomaggy is a billionth of that.
#[test]
fn the_zero_point_is_ab() {
    assert!(Nanomaggies(1e9).mag().0.abs() < 1e-12);
    assert!((AbMag(22.5).flux().0 - 1.0).abs() < 1e-12);
    assert!((AbMag(12.5).flux().0 - 1e4).abs() < 1e-8);
}

#[test]
fn softening_is_positive_and_known_for_the_sdss_only() {
    assert_eq!(Softening::from_nanomaggies(0.0), None);
    assert_eq!(Softening::from_nanomaggies(f64::NAN), None);
    assert_eq!(Softening::sdss(Band::W1), None);
    // Table 21 of Stoughton et al. 2002: magnitudes of zero flux.
    for (band, zero) in
        [(Band::U, 24.63), (Band::G, 25.11), (Band::R, 24.80), (Band::I, 24.36), (Band::Z, 22.83)]
    {
        let mag = Softening::sdss(band).unwrap().mag(Nanomaggies(0.0)).0;
        assert!((mag - zero).abs() < 0.006, "{band}: {mag}");
    }
}

/// Rows of the DR8 sweeps: E(B-V) and the transmissions stored beside it.
#[test]
fn transmissions_are_those_of_the_catalogues() {
    let rows = [
        // Median of -2.5 log10(MW_TRANSMISSION) / EBV over DR8 and DR9 rows.
        (Band::G, 3.2140),
        (Band::R, 2.1650),
        (Band::Z, 1.2110),
        (Band::W1, 0.1840),
        (Band::W2, 0.1130),
        (Band::W3, 0.0241),
        (Band::W4, 0.0091),
    ];
    for (band, k) in rows {
        let t = Extinction::LegacySurveys.transmission(band, 0.07).unwrap();
        assert!((-2.5 * t.log10() / 0.07 - k).abs() < 1e-6, "{band}");
    }
    // The systems differ, and lack bands.
    assert_eq!(Extinction::LovoccsDecam.coefficient(Band::G), Some(3.11));
    assert_eq!(Extinction::LovoccsPs1.coefficient(Band::U), None);
    assert_eq!(Extinction::LovoccsSdss.coefficient(Band::U), Some(4.16));
    assert_eq!(Extinction::LovoccsSkyMapper.coefficient(Band::Z), Some(1.17));
    assert_eq!(Extinction::LovoccsSkyMapper.coefficient(Band::Y), None);
}

#[test]
fn mask_bits_have_names_by_release() {
    assert_eq!(MaskBits::of_release(Release::Dr9).bits(), 0x3fff);
    assert_eq!(MaskBits::of_release(Release::Dr10).bits(), 0x1_ffff);
    assert_eq!(MaskBits::of_release(Release::AfterDr10).bits(), 0xf_ffff);
    assert_eq!(MaskBits::named("cluster", Release::Dr8), Some(MaskBits::from_bits(1 << 13)));
    assert_eq!(MaskBits::named("ALLMASK_I", Release::Dr10), Some(MaskBits::from_bits(1 << 15)));
    assert_eq!(MaskBits::named("WISE_GAIA", Release::Dr10), None);
    assert_eq!(MaskBits::from_bits(0).to_string(), "0");
    assert_eq!(MaskBits::from_bits(0x8000_0001).to_string(), "NPRIMARY|0x80000000");
    assert!(MaskBits::BRIGHT.none_set("mask bits").is_err());
}

#[test]
fn presets_are_the_published_table() {
    for (name, short, clauses) in [
        ("v1_pure_massive", "v1", ["(flux_z) < 20.0", "0.5", "1.6"]),
        ("v2_baseline_dr10", "V2", ["(flux_z) < 20.4", "0.4", "1.6"]),
        ("v3_color_relaxed", "v3", ["(flux_z) < 20.4", "0.4", "0.8"]),
        ("v4_mag_relaxed", "V4", ["(flux_z) < 21.0", "0.4", "0.8"]),
        ("v5_very_relaxed", "v5", ["(flux_z) < 21.5", "0.3", "0.8"]),
    ] {
        let variant: Variant = name.parse().unwrap();
        assert_eq!(short.parse(), Ok(variant));
        assert_eq!(variant.to_string(), name);
        for (photometry, m) in [(Photometry::Observed, "mag"), (Photometry::Dereddened, "demag")] {
            let got: Vec<String> = lrg::cut(variant, photometry).clauses().collect();
            let [z, rz, zw] = clauses;
            assert_eq!(got[0], format!("{m}{z}"));
            assert_eq!(got[1], format!("{m}(flux_r) - {m}(flux_z) > {rz}"));
            assert_eq!(got[2], format!("{m}(flux_z) - {m}(flux_w1) > {zw}"));
        }
    }
    assert!("v6".parse::<Variant>().is_err());
    assert!("".parse::<Variant>().is_err());
    assert!("é".parse::<Variant>().is_err());
}

/// Every quality cut alone takes a target out; the target itself is in the reference table.
#[test]
fn each_quality_cut_counts() {
    let all = |x| PerBand { g: x, r: x, z: x, w1: x, w2: x };
    let lrg = Source {
        flux: PerBand { g: 1.3, r: 5.0, z: 17.0, w1: 52.0, w2: 28.0 },
        flux_ivar: all(100.0),
        mw_transmission: all(1.0),
        fiberflux_g: 0.7,
        fiberflux_r: 2.6,
        fiberflux_z: 8.9,
        fibertotflux_r: 2.6,
        fibertotflux_z: 8.9,
        nobs: [1, 1, 1],
        maskbits: 0,
        gaia_phot_g_mean_mag: 0.0,
        is_psf: false,
        in_galaxy_atlas: false,
    };
    assert!(lrg.is_lrg(Imaging::South) && lrg.is_lrg(Imaging::North));
    let nan = f32::NAN;
    let spoiled: [fn(&mut Source); 9] = [
        |s| s.nobs[0] = 0,
        |s| s.maskbits = 1 << 1,
        |s| s.maskbits = 1 << 12,
        |s| s.maskbits = 1 << 13,
        |s| s.flux_ivar.w1 = 0.0,
        |s| s.gaia_phot_g_mean_mag = 18.0,
        |s| s.fibertotflux_z = 100.0,
        |s| s.fiberflux_z = 2.0,
        |s| s.flux.w1 = -1.0,
    ];
    for (i, spoil) in spoiled.iter().enumerate() {
        let mut source = lrg;
        spoil(&mut source);
        assert!(!source.is_lrg(Imaging::South), "{i}");
    }
    let unknown = Source { flux: all(nan), ..lrg };
    assert!(!unknown.is_lrg(Imaging::North));
    assert_eq!((unknown.elg(Imaging::South), unknown.bgs(Imaging::South)), Default::default());
}
