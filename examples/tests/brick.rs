//! A real coadd, end to end: the survey's own count of exposures in a brick, from the pixels of its image.

use coaddkit_fits::{Fits, Hdu, Image, Value, Values};
use coaddkit_sky::{BrickGrid, KeywordValue, Wcs};
use coaddkit_testkit::shared;
use std::ops::Range;

fn keyword(hdu: &Hdu, name: &str) -> Option<KeywordValue> {
    match hdu.header().get(name)? {
        Value::Integer(v) => Some(KeywordValue::Number(v as f64)),
        Value::Real(v) => Some(KeywordValue::Number(v)),
        Value::Text(v) => Some(KeywordValue::Text(v)),
        _ => None,
    }
}

/// A number, or a vector, of the only row of a table.
fn numbers(table: &coaddkit_fits::Table, name: &str) -> Vec<f64> {
    let mut out = Vec::new();
    let scan = table.scan().column(name).unwrap();
    scan.for_each(|chunk| {
        match chunk.values(0) {
            Values::F64(v) => out.extend_from_slice(v),
            Values::I32(v) => out.extend(v.iter().map(|&v| f64::from(v))),
            other => panic!("{name}: {other:?}"),
        }
        Ok::<_, coaddkit_fits::Error>(())
    })
    .unwrap();
    out
}

/// Pixels of each value among those inside the brick.
fn histogram(image: &Image, wcs: &Wcs, ra_deg: Range<f64>, dec_deg: Range<f64>) -> Vec<u64> {
    let [rows, columns] = image.shape()[..] else { panic!("{:?}", image.shape()) };
    let pixels = image.read::<i16>().unwrap();
    let (mut ra, mut dec) = (vec![0.0; columns as usize], vec![0.0; columns as usize]);
    let mut counts = Vec::new();
    for (row, pixels) in (0..rows).zip(pixels.chunks(columns as usize)) {
        // FITS counts pixels from 1.
        wcs.row_to_sky(1.0, row as f64 + 1.0, &mut ra, &mut dec).unwrap();
        for ((ra, dec), &exposures) in ra.iter().zip(&dec).zip(pixels) {
            if ra_deg.contains(ra) && dec_deg.contains(dec) {
                let exposures = usize::try_from(exposures).unwrap();
                counts.resize(counts.len().max(exposures + 1), 0);
                counts[exposures] += 1;
            }
        }
    }
    counts
}

/// HCOMPRESS pixels, the tangent-plane projection and the edges of a brick together give, to the pixel, the histogram
/// that the survey lists for it.
#[test]
fn exposures_of_a_brick_are_those_that_the_survey_counted() {
    let Some(path) = shared("data/coadds/legacysurvey-0959p805-nexp-g.fits.fz") else { return };
    let table = |name: &str| {
        let path = shared(&format!("data/bricks/{name}.fits.gz")).unwrap();
        Fits::open(path).unwrap().hdu(1).unwrap().table().unwrap()
    };
    let listed = numbers(&table("survey-bricks-dr6"), "nexphist_g");
    let bricks = table("survey-bricks");
    let edge = |name: &str| numbers(&bricks, name)[0];

    let hdu = Fits::open(path).unwrap().hdu(1).unwrap();
    let image = hdu.image().unwrap();
    assert_eq!(hdu.compression().unwrap().codec, "HCOMPRESS_1");
    let wcs = Wcs::from_keywords(|name| keyword(&hdu, name)).unwrap();
    let counts = histogram(&image, &wcs, edge("ra1")..edge("ra2"), edge("dec1")..edge("dec2"));

    assert_eq!(counts, [10_334_240, 1_254_784]);
    assert_eq!(counts.iter().sum::<u64>(), 11_589_024);
    assert_eq!(listed, [10_334_240.0, 1_254_784.0, 0.0, 0.0, 0.0, 0.0]);
    // The grid of bricks has the same edges without the table.
    let brick = BrickGrid::legacy().brick_named("0959p805".parse().unwrap()).unwrap();
    let computed = histogram(&image, &wcs, brick.ra1_deg..brick.ra2_deg, brick.dec1_deg..brick.dec2_deg);
    assert_eq!(computed, counts);
}
