//! World coordinates against astropy and its library, WCSLIB.

use std::collections::HashMap;

use coaddkit_sky::{BrickGrid, Error, KeywordValue, SkyCoord, Wcs};
use coaddkit_testkit::shared;
use proptest::prelude::*;

use crate::at;

type Header = HashMap<String, KeywordValue>;

fn wcs(header: &Header) -> Result<Wcs, Error> {
    Wcs::from_keywords(|key| header.get(key).cloned())
}

/// `KEY=VALUE` with blanks between; what is no number is text.
fn header(text: &str) -> Header {
    text.split_whitespace()
        .map(|item| {
            let (key, value) = item.split_once('=').unwrap();
            let value = value.parse::<f64>().map_or_else(|_| value.into(), KeywordValue::from);
            (key.to_owned(), value)
        })
        .collect()
}

/// The cards of one header of a file whose HDUs have no data; the first of duplicates counts.
fn header_of_file(bytes: &[u8], hdu: usize) -> Header {
    let cards: Vec<&[u8]> = bytes.chunks(80).collect();
    let is_end = |card: &[u8]| card.starts_with(b"END") && card[3..].iter().all(|byte| *byte == b' ');
    let headers: Vec<_> = cards.split(|card| is_end(card)).collect();
    let mut header = Header::new();
    for card in headers[hdu] {
        let card = String::from_utf8_lossy(card).into_owned();
        let Some((key, value)) = card.split_once('=') else { continue };
        let value = match value.trim_start().strip_prefix('\'') {
            Some(text) => text.split('\'').next().unwrap_or_default().into(),
            None => match value.split('/').next().unwrap_or_default().trim().parse::<f64>() {
                Ok(number) => number.into(),
                Err(_) => continue,
            },
        };
        header.entry(key.trim().to_owned()).or_insert(value);
    }
    header
}

/// Distance on the sky in degrees.
fn separation_deg(a: SkyCoord, b: SkyCoord) -> f64 {
    let sine = |degrees: f64| (degrees.to_radians() / 2.0).sin();
    let (dra, ddec) = (sine(a.ra_deg() - b.ra_deg()), sine(a.dec_deg() - b.dec_deg()));
    let cosines = a.dec_deg().to_radians().cos() * b.dec_deg().to_radians().cos();
    2.0 * (ddec * ddec + cosines * dra * dra).sqrt().asin().to_degrees()
}

#[test]
fn positions_and_pixels_are_astropys() {
    let (mut current, mut name): (Option<Wcs>, &str) = (None, "");
    let (mut points, mut skipped) = (0, 0);
    for line in include_str!("data/wcs_astropy.txt").lines().filter(|line| !line.starts_with('#')) {
        let (kind, rest) = line.split_once(' ').unwrap();
        match kind {
            "wcs" => {
                let (label, cards) = rest.split_once(' ').unwrap();
                name = label;
                current = Some(wcs(&header(cards)).unwrap_or_else(|e| panic!("{name}: {e}")));
                continue;
            }
            "file" => {
                let (file, hdu) = rest.split_once(' ').unwrap();
                name = file;
                current = shared(&format!("data/wcs/{file}")).map(|path| {
                    let header = header_of_file(&std::fs::read(path).unwrap(), hdu.parse().unwrap());
                    wcs(&header).unwrap_or_else(|e| panic!("{name}: {e}"))
                });
                continue;
            }
            _ => {}
        }
        let Some(wcs) = &current else {
            skipped += 1;
            continue;
        };
        let numbers: Vec<f64> = rest.split(' ').map(|text| text.parse().unwrap()).collect();
        let [a, b, c, d] = numbers.try_into().unwrap();
        if kind == "p2w" {
            let found = wcs.pixel_to_sky(a, b);
            if c.is_nan() {
                assert_eq!(found, None, "{name}: {line}");
            } else {
                let found = found.unwrap_or_else(|| panic!("{name}: {line}: none"));
                let off = separation_deg(found, at(c, d));
                assert!(off < 1e-11, "{name}: {line}: found {found}, {off} degrees away");
            }
        } else {
            let found = wcs.sky_to_pixel(at(a, b));
            if c.is_nan() {
                assert_eq!(found, None, "{name}: {line}");
            } else {
                let [x, y] = found.unwrap_or_else(|| panic!("{name}: {line}: none"));
                let off = (x - c).hypot(y - d);
                // Far from the reference point of a tangent plane, the last bit of the angle is many pixels.
                assert!(off < 1e-6_f64.max(1e-13 * c.hypot(d).powi(2)), "{name}: {line}: found {x} {y}");
            }
        }
        points += 1;
    }
    assert!(points + skipped > 1700 && points > 1400, "{points} {skipped}");
}

#[test]
fn the_csv_of_another_library_agrees() {
    for (name, most) in [("cutout-CDS_P_allWISE_W3.fits", 100), ("Npix418374.fits", 6)] {
        let Some(path) = shared(&format!("data/wcs/{name}")) else { continue };
        let wcs = wcs(&header_of_file(&std::fs::read(path).unwrap(), 0)).unwrap();
        let text = std::fs::read_to_string(shared(&format!("data/wcs/{name}.csv")).unwrap()).unwrap();
        let mut finite = 0;
        for line in text.lines() {
            let numbers: Vec<f64> = line.split(',').map(|text| text.parse().unwrap()).collect();
            let [lon_rad, lat_rad, x, y] = numbers.try_into().unwrap();
            if lon_rad.is_nan() {
                assert_eq!(wcs.pixel_to_sky(x, y), None, "{line}");
                continue;
            }
            let expected = at(lon_rad.to_degrees(), lat_rad.to_degrees());
            assert!(separation_deg(wcs.pixel_to_sky(x, y).unwrap(), expected) < 1e-11, "{name}: {line}");
            let [found_x, found_y] = wcs.sky_to_pixel(expected).unwrap();
            assert!((found_x - x).hypot(found_y - y) < 1e-6, "{name}: {line}: {found_x} {found_y}");
            finite += 1;
        }
        assert_eq!(finite, most);
    }
}

/// The survey counted these pixels when it made its table of bricks.
#[test]
fn the_pixels_of_a_real_image_that_lie_in_its_brick() {
    let Some(path) = shared("data/coadds/legacysurvey-0959p805-nexp-g.fits.fz") else { return };
    let wcs = wcs(&header_of_file(&std::fs::read(path).unwrap(), 1)).unwrap();
    let brick = BrickGrid::legacy().brick_named("0959p805".parse().unwrap()).unwrap();
    let (mut ra, mut dec) = ([0.0; 3600], [0.0; 3600]);
    let mut inside = 0;
    for row in 0..3600 {
        wcs.row_to_sky(1.0, f64::from(row) + 1.0, &mut ra, &mut dec).unwrap();
        inside += ra
            .iter()
            .zip(&dec)
            .filter(|(ra, dec)| {
                (brick.ra1_deg..brick.ra2_deg).contains(ra) && (brick.dec1_deg..brick.dec2_deg).contains(dec)
            })
            .count();
    }
    assert_eq!(inside, 11_589_024);
}

#[test]
fn distortions_are_inverted_to_the_last_digits() {
    let mut count = 0;
    for line in include_str!("data/wcs_astropy.txt").lines() {
        let Some((name, cards)) = line.strip_prefix("wcs ").and_then(|rest| rest.split_once(' ')) else {
            continue;
        };
        if !["A_ORDER", "TPV", "PV1_7"].iter().any(|part| cards.contains(part)) {
            continue;
        }
        let wcs = wcs(&header(cards)).unwrap();
        for (x, y) in [(5.0, 6.0), (-1500.0, 800.5), (2000.0, 1999.0), (0.5, -3000.0), (4.25, 6.1)] {
            let [found_x, found_y] = wcs.sky_to_pixel(wcs.pixel_to_sky(x, y).unwrap()).unwrap();
            assert!((found_x - x).hypot(found_y - y) < 1e-8, "{name}: {x} {y}: {found_x} {found_y}");
            count += 1;
        }
    }
    assert_eq!(count, 30);
}

const TAN: &str =
    "CTYPE1=RA---TAN CTYPE2=DEC--TAN CRVAL1=10 CRVAL2=20 CRPIX1=5 CRPIX2=6 CD1_1=-0.01 CD2_2=0.01";

#[test]
fn errors_name_the_keyword() {
    let cases = [
        ("CTYPE1=RA---XYZ CTYPE2=DEC--XYZ", "CTYPE1", "not supported"),
        ("CTYPE1=RA---TAN CTYPE2=DEC--SIN", "CTYPE2", "not projected as"),
        ("CTYPE1=RA---TAN CTYPE2=GLAT-TAN", "CTYPE2", "does not belong"),
        ("CTYPE1=RA---TAN CTYPE2=RA---TAN", "CTYPE2", "a second longitude"),
        ("CTYPE2=FREQ", "CTYPE1", "no partner"),
        ("CTYPE1=RA CTYPE2=DEC", "CTYPE1", "no projection"),
        ("CTYPE1=LINEAR CTYPE2=LINEAR", "CTYPE1", "no axis is celestial"),
        ("CTYPE1=7", "CTYPE1", "text is needed"),
        ("CTYPE1=RA---TAN-FOO CTYPE2=DEC--TAN-FOO", "CTYPE1", "its distortion"),
        ("CTYPE1=RA---TPV-SIP CTYPE2=DEC--TPV-SIP", "CTYPE1", "exclude"),
        ("CRVAL1=abc", "CRVAL1", "a number is needed"),
        ("CRVAL2=91", "CRVAL2", "beyond a pole"),
        ("CRPIX1=NaN", "CRPIX1", "not finite"),
        ("CUNIT1=Hz", "CUNIT1", "no unit of angle"),
        ("CD1_1=0", "CD1_1", "no inverse"),
        ("CD1_1=1 CD1_2=1 CD2_1=1 CD2_2=1", "CD1_1", "no inverse"),
        ("PC1_1=1", "PC1_1", "CD1_1 too"),
        ("NAXIS=3 CD1_3=0.5", "CD1_3", "third pixel axis"),
        ("NAXIS=2.5", "NAXIS", "whole number"),
        ("A_ORDER=2", "B_ORDER", "absent"),
        ("B_ORDER=2", "A_ORDER", "absent"),
        ("A_ORDER=10 B_ORDER=2", "A_ORDER", "whole number"),
        ("A_ORDER=-1 B_ORDER=2", "A_ORDER", "whole number"),
        ("A_ORDER=2 B_ORDER=2 B_1_1=x", "B_1_1", "a number is needed"),
        ("CTYPE1=RA---TPV CTYPE2=DEC--TPV PV2_40=1", "PV2_40", "ends with parameter 39"),
        ("CPDIS1=Lookup", "CPDIS1", "tables"),
        ("CTYPE1=RA---CAR CTYPE2=DEC--CAR CRVAL2=60 LONPOLE=100", "LONPOLE", "no native pole"),
        ("CTYPE1=RA---CEA CTYPE2=DEC--CEA PV2_1=0", "PV2_1", "not above 0"),
        ("CTYPE1=RA---HPX CTYPE2=DEC--HPX PV2_2=2.5", "PV2_2", "whole number"),
        ("CTYPE1=RA---ZPN CTYPE2=DEC--ZPN", "PV2_1", "does not rise"),
        ("PV1_2=100", "PV1_2", "beyond a pole"),
    ];
    for (change, expected, reason) in cases {
        let mut cards = header(TAN);
        cards.extend(header(change));
        match wcs(&cards) {
            Err(Error::Keyword { keyword, problem }) => {
                assert_eq!(keyword, expected, "{change}: {problem}");
                assert!(problem.contains(reason), "{change}: {problem}");
            }
            other => panic!("{change}: {other:?}"),
        }
    }
    assert!(wcs(&Header::new()).unwrap_err().to_string().starts_with("keyword CTYPE1: no axis"));
}

#[test]
fn without_parameters_tpv_is_tan() {
    let tan = wcs(&header(TAN)).unwrap();
    let tpv = wcs(&header(&TAN.replace("TAN", "TPV"))).unwrap();
    let (one, two) = (tan.pixel_to_sky(300.0, -77.0).unwrap(), tpv.pixel_to_sky(300.0, -77.0).unwrap());
    assert!(separation_deg(one, two) < 1e-13);
    assert_eq!(tpv.ctype(), ["RA---TPV", "DEC--TPV"]);
}

/// WCSLIB turns the plane of TPV when declination comes first; the convention does not.
#[test]
fn tpv_with_declination_first_is_the_same_sky() {
    let one = "CTYPE1=RA---TPV CTYPE2=DEC--TPV CRVAL1=10 CRVAL2=20 CD1_1=-0.001 CD1_2=0.0001 CD2_2=0.001 \
        PV1_1=1.1 PV1_2=0.02 PV1_4=0.1 PV2_0=0.01 PV2_3=0.001 PV2_5=0.07 PV2_7=0.3 PV2_8=0.4";
    let two = "CTYPE2=RA---TPV CTYPE1=DEC--TPV CRVAL2=10 CRVAL1=20 CD2_1=-0.001 CD2_2=0.0001 CD1_2=0.001 \
        PV2_1=1.1 PV2_2=0.02 PV2_4=0.1 PV1_0=0.01 PV1_3=0.001 PV1_5=0.07 PV1_7=0.3 PV1_8=0.4";
    let (one, two) = (wcs(&header(one)).unwrap(), wcs(&header(two)).unwrap());
    for (x, y) in [(0.0, 0.0), (300.0, -77.0), (-20.0, 500.0)] {
        assert_eq!(one.pixel_to_sky(x, y), two.pixel_to_sky(x, y));
    }
}

/// The values are astropy's.
#[test]
fn the_outermost_facet_of_hpx_reaches_the_meridian() {
    let cards = "CTYPE1=RA---HPX CTYPE2=DEC--HPX CRVAL1=10 CRVAL2=0";
    // The meridian is that of 180 and of -180 degrees; with the south up it is reached from the other side.
    for (latpole, up) in [(90, 1.0), (-90, -1.0)] {
        let wcs = wcs(&header(&format!("{cards} LATPOLE={latpole}"))).unwrap();
        for (dec, x, y) in
            [(80.0, 144.60691940482673, 80.39308059517327), (-60.0, 163.52885682970026, -61.471143170299726)]
        {
            let found = wcs.sky_to_pixel(at(190.0, dec)).unwrap();
            assert!((found[0].abs() - x).abs() < 1e-9, "{latpole} {dec}: {found:?}");
            assert!((found[1] - up * y).abs() < 1e-9, "{latpole} {dec}: {found:?}");
        }
    }
    let wcs = wcs(&header(cards)).unwrap();
    assert!(separation_deg(wcs.pixel_to_sky(135.0, 80.0).unwrap(), at(145.0, 79.58972900057367)) < 1e-11);
    assert!(separation_deg(wcs.pixel_to_sky(180.0, 20.0).unwrap(), at(190.0, 17.23528525708788)) < 1e-11);
    for (x, y) in [(180.0, 60.0), (136.0, 90.0), (180.001, 0.0)] {
        assert_eq!(wcs.pixel_to_sky(x, y), None, "{x} {y}");
    }
}

#[test]
fn slices_are_the_single_forms() {
    let wcs = wcs(&header(TAN)).unwrap();
    let (x, y) = ([5.0, 80.0, f64::NAN, f64::INFINITY], [6.0, -3.0, 1.0, 1.0]);
    let (mut ra, mut dec) = ([0.0; 4], [0.0; 4]);
    wcs.pixels_to_sky(&x, &y, &mut ra, &mut dec).unwrap();
    let single = wcs.pixel_to_sky(80.0, -3.0).unwrap();
    assert_eq!([ra[0], dec[0], ra[1], dec[1]], [10.0, 20.0, single.ra_deg(), single.dec_deg()]);
    assert!(ra[2..].iter().chain(&dec[2..]).all(|value| value.is_nan()));

    // A right ascension beyond a turn, a declination beyond a pole, the far side.
    let (ra, dec) = ([370.0, 10.0, 190.0], [20.0, 90.5, -20.0]);
    let (mut x, mut y) = ([0.0; 3], [0.0; 3]);
    wcs.sky_to_pixels(&ra, &dec, &mut x, &mut y).unwrap();
    assert_eq!((x[0], y[0]), (5.0, 6.0));
    assert!(x[1..].iter().chain(&y[1..]).all(|value| value.is_nan()));

    let (mut ra, mut dec) = ([0.0; 3], [0.0; 3]);
    wcs.row_to_sky(79.0, -3.0, &mut ra, &mut dec).unwrap();
    assert_eq!((ra[1], dec[1]), (single.ra_deg(), single.dec_deg()));
    let short = wcs.row_to_sky(1.0, 1.0, &mut ra, &mut dec[..2]);
    assert_eq!(short, Err(Error::SliceLength { what: "dec_deg", expected: 3, found: 2 }));
    assert!(wcs.pixels_to_sky(&x, &y[1..], &mut ra, &mut dec).is_err());
    assert!(wcs.sky_to_pixels(&ra, &dec, &mut x[1..], &mut y).is_err());
}

#[test]
fn a_tangent_plane_made_by_hand_is_one_from_keywords() {
    let made = Wcs::tangent(at(10.0, 20.0), [5.0, 6.0], 36.0).unwrap();
    assert_eq!(made, wcs(&header(TAN)).unwrap());
    for pole in [90.0, -90.0] {
        let cards = TAN.replace("CRVAL2=20", &format!("CRVAL2={pole}"));
        assert_eq!(Wcs::tangent(at(10.0, pole), [5.0, 6.0], 36.0), wcs(&header(&cards)));
    }
    assert_eq!((made.crpix(), made.crval_deg(), made.axes()), ([5.0, 6.0], [10.0, 20.0], [1, 2]));
    assert!((made.pixel_scale_arcsec() - 36.0).abs() < 1e-12);
    assert_eq!(made.matrix_deg(), [[-0.01, 0.0], [0.0, 0.01]]);
    let cutout = made.shifted([100, -7]);
    assert_eq!(cutout.crpix(), [-95.0, 13.0]);
    assert_eq!(cutout.pixel_to_sky(1.0, 8.0), made.pixel_to_sky(101.0, 1.0));
    assert!(Wcs::tangent(at(0.0, 0.0), [f64::NAN, 0.0], 1.0).is_err());
    for scale in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(Wcs::tangent(at(0.0, 0.0), [0.0, 0.0], scale).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    /// Any header and any point: a result or an error, and what comes out is valid.
    #[test]
    fn odd_headers_are_refused_or_work(
        code in prop::sample::select(vec![
            "TAN", "STG", "SIN", "ARC", "ZEA", "ZPN", "CAR", "CEA", "MER", "SFL", "AIT", "MOL", "HPX", "TPV", "TAN-SIP",
        ]),
        cards in prop::collection::hash_map(
            prop::sample::select(vec![
                "CRVAL1", "CRVAL2", "CRPIX1", "CD1_1", "CD1_2", "CD2_1", "CD2_2", "LONPOLE", "LATPOLE", "PV1_0", "PV1_1",
                "PV1_2", "PV1_3", "PV1_7", "PV2_0", "PV2_1", "PV2_2", "PV2_3", "PV2_5", "A_ORDER", "B_ORDER", "A_2_0",
                "B_0_1", "B_1_2", "WCSAXES",
            ]),
            prop_oneof![
                any::<u64>().prop_map(f64::from_bits),
                prop::sample::select(vec![0.0, 1.0, 2.0, 4.0, -90.0, 90.0, 180.0, 1e-300, 1e300, 0.5]),
                -400.0..400.0,
            ],
            0..12,
        ),
        points in prop::collection::vec((any::<u64>(), -400.0..400.0, -400.0..400.0), 8),
    ) {
        let mut header: Header = cards.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
        header.insert("CTYPE1".into(), format!("RA---{code}").into());
        header.insert("CTYPE2".into(), format!("DEC--{code}").into());
        let Ok(wcs) = wcs(&header) else { return Ok(()) };
        for (bits, x, y) in points {
            for (x, y) in [(x, y), (f64::from_bits(bits), y), (x, f64::from_bits(bits))] {
                let Some(position) = wcs.pixel_to_sky(x, y) else { continue };
                prop_assert!((0.0..360.0).contains(&position.ra_deg()), "{position}");
                prop_assert!(position.dec_deg().abs() <= 90.0, "{position}");
                if let Some(pixel) = wcs.sky_to_pixel(position) {
                    prop_assert!(pixel.iter().all(|value| value.is_finite()));
                }
            }
        }
    }

    /// Any keyword may have any text or number: an error that names one, or coordinates that work.
    #[test]
    fn arbitrary_keywords_are_refused_or_work(
        cards in prop::collection::vec(
            (
                prop::sample::select(vec![
                    "CTYPE1", "CTYPE2", "CTYPE3", "CUNIT1", "CUNIT2", "CRVAL1", "CRVAL2", "CRPIX1", "CDELT1", "CDELT2",
                    "CROTA1", "CROTA2", "CD1_1", "PC1_1", "PC2_1", "PV2_1", "PV1_1", "A_ORDER", "B_ORDER", "AP_ORDER",
                    "WCSAXES", "NAXIS", "LONPOLE", "LATPOLE", "RADESYS", "EQUINOX", "CPDIS1", "WAT1_001",
                ]),
                prop_oneof![
                    "\\PC{0,12}".prop_map(KeywordValue::Text),
                    prop::sample::select(vec![
                        "RA---TAN", "DEC--TAN", "GLON-CAR", "GLAT-CAR", "RA---TPV", "DEC--TPV", "RA---TNX", "DEC--ZPX",
                        "RA---TAN-SIP", "DEC--TAN-SIP", "FREQ", "ELON-", "-", "deg", "rad", "ångström",
                    ]).prop_map(KeywordValue::from),
                    any::<u64>().prop_map(|bits| KeywordValue::Number(f64::from_bits(bits))),
                    (-3.0..400.0).prop_map(KeywordValue::Number),
                ],
            ),
            0..16,
        ),
        celestial in any::<bool>(),
    ) {
        let mut header: Header = cards.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        if celestial {
            header.insert("CTYPE1".into(), "RA---TAN".into());
            header.insert("CTYPE2".into(), "DEC--TAN".into());
        }
        match wcs(&header) {
            Ok(wcs) => {
                if let Some(position) = wcs.pixel_to_sky(3.0, -2.0) {
                    prop_assert!((0.0..360.0).contains(&position.ra_deg()) && position.dec_deg().abs() <= 90.0);
                    let _ = wcs.sky_to_pixel(position);
                }
            }
            Err(Error::Keyword { keyword, problem }) => prop_assert!(!keyword.is_empty() && !problem.is_empty()),
            Err(other) => prop_assert!(false, "{other:?}"),
        }
    }

    /// There and back again, everywhere on the sky that a projection shows.
    #[test]
    fn positions_survive_the_way_to_pixels_and_back(
        code in prop::sample::select(vec![
            "TAN", "STG", "SIN", "ARC", "ZEA", "CAR", "CEA", "MER", "SFL", "AIT", "MOL", "HPX",
        ]),
        ra in 0.0..360.0,
        sine in -1.0..1.0_f64,
        lon in 0.0..360.0,
        lat in -90.0..90.0,
        lonpole in -90.0..90.0,
    ) {
        let cards = format!("CTYPE1=RA---{code} CTYPE2=DEC--{code} CRVAL1={lon} CRVAL2={lat} LONPOLE={lonpole}");
        let Ok(wcs) = wcs(&header(&cards)) else { return Ok(()) };
        let position = at(ra, sine.asin().to_degrees());
        let Some([x, y]) = wcs.sky_to_pixel(position) else { return Ok(()) };
        // Where a projection is steep, the last bit of a pixel is many of a position.
        prop_assume!(code != "TAN" && code != "STG" && code != "MER" || x.hypot(y) < 1000.0);
        let back = wcs.pixel_to_sky(x, y);
        prop_assert!(back.is_some(), "{cards}: {position} on {x} {y}");
        let off = back.map_or(f64::NAN, |back| separation_deg(back, position));
        // Orthographic is flat at its edge, cylindrical equal-area at the poles.
        let limit = if code == "SIN" || code == "CEA" { 1e-6 } else { 1e-10 };
        prop_assert!(off < limit, "{cards}: {position} on {x} {y}: {off}");
    }
}
