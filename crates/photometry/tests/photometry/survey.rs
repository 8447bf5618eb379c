//! A published catalogue of luminous red galaxies, with its magnitudes and flags.

use coaddkit_photometry::lrg::{self, Photometry, Variant};
use coaddkit_photometry::{Nanomaggies, Values};
use coaddkit_testkit::{Csv, shared};

#[test]
fn the_published_flags_come_out() {
    let Some(path) = shared("data/survey-runs/phase3_lrg_parent_catalog.csv.gz") else { return };
    let table = Csv::read(&path).unwrap();
    assert_eq!(table.rows.len(), 1509);
    let text = |name: &str| {
        let column = table.column(name);
        table.rows.iter().map(move |r| r[column].as_str())
    };
    let floats =
        |name: &str| -> Vec<f32> { text(&name.to_uppercase()).map(|s| s.parse().unwrap()).collect() };
    for (variant, flag) in Variant::ALL.into_iter().zip(1..) {
        let cut = lrg::cut(variant, Photometry::Observed);
        let columns: Vec<Vec<f32>> = cut.columns().iter().map(|n| floats(n)).collect();
        let block: Vec<Values<'_>> = columns.iter().map(|c| Values::F32(c)).collect();
        let got = cut.evaluator().select(1509, &block, &mut cut.flow()).unwrap().to_vec();
        let want: Vec<u32> = (0..)
            .zip(text(&format!("is_lrg_v{flag}")))
            .filter(|(_, s)| *s == "True")
            .map(|(i, _)| i)
            .collect();
        assert!(!want.is_empty());
        assert_eq!(got, want, "{variant}");
    }
}

#[test]
fn the_published_magnitudes_come_out() {
    let Some(path) = shared("data/survey-runs/phase3_lrg_parent_catalog.csv.gz") else { return };
    let table = Csv::read(&path).unwrap();
    for band in ["g", "r", "z", "w1"] {
        let [flux, mag] =
            [format!("FLUX_{}", band.to_uppercase()), format!("{band}_mag")].map(|n| table.column(&n));
        let mut compared = 0;
        for row in &table.rows {
            let got = Nanomaggies(row[flux].parse().unwrap()).mag().0;
            // An empty field is a magnitude that does not exist.
            match row[mag].parse::<f64>() {
                Ok(want) if !want.is_nan() => {
                    assert!((got - want).abs() < 1e-6, "{band}: {got}, published {want}");
                    compared += 1;
                }
                _ => assert!(got.is_nan(), "{band}: {got}, published {:?}", row[mag]),
            }
        }
        assert!(compared > 1000, "{band}: {compared}");
    }
}
