//! The fast evaluation gives what the definition gives, on every row.

use coaddkit_photometry::lrg::{self, Photometry, Variant};
use coaddkit_photometry::{Cut, CutFlow, Values};
use proptest::prelude::*;

use super::naive::{Cond, NAMES, Num, cases, cond, nudge, num, row};

/// The rows that a cut keeps, and its flow, with the columns handed over as f32 or as f64.
fn selected(cut: &Cut, rows: &[[f64; 6]], single: bool) -> (Vec<u32>, CutFlow) {
    let wide: Vec<Vec<f64>> = (0..6).map(|k| rows.iter().map(|r| r[k]).collect()).collect();
    let narrow: Vec<Vec<f32>> = wide.iter().map(|c| c.iter().map(|x| *x as f32).collect()).collect();
    let of = |name: &String| NAMES.iter().position(|n| n == name).unwrap();
    let values = |k: usize| if single { Values::F32(&narrow[k]) } else { Values::F64(&wide[k]) };
    let block: Vec<Values<'_>> = cut.columns().iter().map(|n| values(of(n))).collect();
    let mut flow = cut.flow();
    let rows = cut.evaluator().select(rows.len(), &block, &mut flow).unwrap().to_vec();
    (rows, flow)
}

fn assert_same_as(cond: &Cond, rows: &[[f64; 6]], single: bool) {
    let text = cond.text();
    let cut: Cut = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
    let (got, _) = selected(&cut, rows, single);
    let wrong = (0..).zip(rows).find(|(i, r)| got.binary_search(i).is_ok() != cond.truth(r));
    assert_eq!(wrong, None, "{text}");
}

/// For rows whose values are f32.
fn assert_same(cond: &Cond, rows: &[[f32; 6]]) {
    let rows = widened(rows);
    assert_same_as(cond, &rows, true);
    assert_same_as(cond, &rows, false);
}

fn widened(rows: &[[f32; 6]]) -> Vec<[f64; 6]> {
    rows.iter().map(|r| r.map(f64::from)).collect()
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn random_cuts_equal_the_definition(cond in cond(), rows in prop::collection::vec(row(), 1..60)) {
        assert_same(&cond, &rows);
    }

    /// Values that f32 does not have: steps of f64 beside it, and numbers below and above its range.
    #[test]
    fn so_do_cuts_of_f64_columns(
        cond in cond(),
        rows in prop::collection::vec((row(), 0..6_usize, -3..=3_i64, prop::option::weighted(0.1, 0..5_usize)), 1..40),
    ) {
        let rows: Vec<[f64; 6]> = rows.into_iter().map(|(row, k, step, odd)| {
            let mut row = row.map(f64::from);
            if row[k].is_finite() {
                row[k] = f64::from_bits(row[k].to_bits().wrapping_add_signed(step));
            }
            if let Some(odd) = odd {
                row[k] = [1e-60, 1e60, 1e-310, f64::MAX, -1e-60][odd];
            }
            row
        }).collect();
        assert_same_as(&cond, &rows, false);
    }
}

proptest! {
    #![proptest_config(cases(3000))]

    /// Any expression, compared with its own value in some row: there and in the rows next to it all bounds are tight.
    #[test]
    fn expressions_at_their_own_value(
        expression in num(),
        centre in row(),
        op in prop::sample::select(vec!["<", ">=", "==", "!="]),
        steps in prop::collection::vec([-40..40_i32, -40..40_i32, -40..40_i32], 40),
    ) {
        let value = Some(expression.value(&centre.map(f64::from))).filter(|v| v.is_finite()).unwrap_or(1.0);
        let mut rows = vec![centre];
        rows.extend(steps.iter().map(|steps| {
            let mut row = centre;
            (0..3).for_each(|k| row[k] = nudge(row[k], steps[k]));
            row
        }));
        assert_same(&compare(op, expression, Num::Value(value)), &rows);
    }
}

fn compare(text: &'static str, a: Num, b: Num) -> Cond {
    Cond::Compare(text, a, b)
}

fn minus(a: Num, b: Num) -> Num {
    Num::Binary('-', Box::new(a), Box::new(b))
}

/// The three clauses of a preset, by the table in the module documentation.
fn preset(limits: [f64; 3], demag: bool) -> [Cond; 3] {
    let m = |c: usize| if demag { Num::Demag(c) } else { Num::Mag(Box::new(Num::Column(c))) };
    let [z, rz, zw] = limits.map(Num::Value);
    [compare("<", m(1), z), compare(">", minus(m(0), m(1)), rz), compare(">", minus(m(1), m(2)), zw)]
}

const LIMITS: [(&str, [f64; 3]); 5] = [
    ("v1_pure_massive", [20.0, 0.5, 1.6]),
    ("v2_baseline_dr10", [20.4, 0.4, 1.6]),
    ("v3_color_relaxed", [20.4, 0.4, 0.8]),
    ("v4_mag_relaxed", [21.0, 0.4, 0.8]),
    ("v5_very_relaxed", [21.5, 0.3, 0.8]),
];

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn the_presets_and_their_flow_equal_the_definition(rows in prop::collection::vec(row(), 2500)) {
        let rows = widened(&rows);
        for (name, limits) in LIMITS {
            for demag in [false, true] {
                let photometry = if demag { Photometry::Dereddened } else { Photometry::Observed };
                let cut = lrg::cut(name.parse::<Variant>().unwrap(), photometry);
                let clauses = preset(limits, demag);
                let (got, flow) = selected(&cut, &rows, true);
                let mut left: Vec<u32> = (0..2500).collect();
                for (line, clause) in flow.clauses().iter().zip(&clauses) {
                    prop_assert_eq!(line.given, left.len() as u64);
                    left.retain(|i| clause.truth(&rows[*i as usize]));
                    prop_assert_eq!(line.kept, left.len() as u64);
                }
                prop_assert_eq!(got, left);
            }
        }
    }
}

/// Every float around the place where a limit is met, for limits by product, by quotient and by logarithm.
#[test]
fn every_float_around_a_limit() {
    let demag = Num::Demag;
    let slope = |k: f64, x: Num| Num::Binary('*', Box::new(Num::Value(k)), Box::new(x));
    for limit in [16.0, 20.0, 20.4, 21.5] {
        for mw in [1.0_f32, 0.93, 0.517] {
            let flux = (10.0_f64.powf((22.5 - limit) / 2.5) * f64::from(mw)) as f32;
            let rows: Vec<[f32; 6]> = (-60..60).map(|u| [1.0, nudge(flux, u), 1.0, 1.0, mw, 1.0]).collect();
            for op in ["<", "<=", ">", ">=", "==", "!="] {
                assert_same(&compare(op, demag(1), Num::Value(limit)), &rows);
                assert_same(&compare(op, slope(1.3, demag(1)), Num::Value(1.3 * limit)), &rows);
                assert_same(&compare(op, minus(demag(1), Num::Column(0)), Num::Value(limit - 1.0)), &rows);
            }
        }
    }
}

/// Coefficients that are hardly numbers, where the definition itself rounds to a few values or to zero.
#[test]
fn vanishing_coefficients() {
    let rows: Vec<[f32; 6]> =
        (-20..20).map(|u| [nudge(10.96, 3 * u), nudge(2.5, u), 3.3, 0.4, 0.5, 1.0]).collect();
    for factor in [5e-324, 1e-310, 1e-300, 1e-45, 1e-40, 1e-30, 1e-8, 1e-6, 1e-5] {
        let mags = minus(minus(Num::Demag(0), Num::Demag(1)), Num::Demag(2));
        for mags in [Num::Demag(1), minus(Num::Demag(0), Num::Demag(1)), mags] {
            let scaled = Num::Binary('*', Box::new(Num::Value(factor)), Box::new(mags));
            let value = scaled.value(&rows[20].map(f64::from));
            for op in ["<", ">=", "==", "!="] {
                assert_same(&compare(op, scaled.clone(), Num::Value(value)), &rows);
            }
        }
    }
}

/// Products of fluxes that are no normal numbers.
#[test]
fn colours_of_vanishing_fluxes() {
    let small = |steps: u32| f32::from_bits(steps);
    let mut rows = Vec::new();
    for (r, z) in (0..40 * 40).map(|i| (i / 40, i % 40)) {
        for mw in [[1.0, 1.0], [0.7, 0.31], [1e-5, 1.5e-5]] {
            rows.push([small(r), small(z), 1.0, mw[0], mw[1], 1.0]);
            rows.push([small(r << 18), small(z << 18), 1.0, mw[0], mw[1], 1.0]);
        }
    }
    for limit in [-0.4, 0.0, 0.4, 0.8] {
        for op in ["<", ">=", "!="] {
            assert_same(&compare(op, minus(Num::Demag(0), Num::Demag(1)), Num::Value(limit)), &rows);
            let mag = |c| Num::Mag(Box::new(Num::Column(c)));
            assert_same(&compare(op, minus(mag(0), mag(1)), Num::Value(limit)), &rows);
        }
    }
}

/// On and around a line with a slope, the band in which f32 cannot decide.
#[test]
fn every_float_around_a_line() {
    let line = |op| {
        let colour = minus(Num::Demag(1), Num::Demag(2));
        let slope = Num::Binary('*', Box::new(Num::Value(-1.2)), Box::new(colour));
        let line = Num::Binary('+', Box::new(slope), Box::new(Num::Value(1.6)));
        compare(op, minus(Num::Demag(0), Num::Demag(1)), line)
    };
    let mut rows = Vec::new();
    for (z, w1) in [(3.0_f64, 2.0_f64), (17.1, 100.0), (400.0, 1e4), (0.2, 0.01)] {
        let zw = 2.5 * (w1 / z).log10();
        let r = z * 10.0_f64.powf(-0.4 * (-1.2 * zw + 1.6));
        rows.extend((-2000..2000).map(|u| [nudge(r as f32, u), z as f32, w1 as f32, 1.0, 1.0, 1.0]));
    }
    for op in ["<", ">=", "==", "!="] {
        assert_same(&line(op), &rows);
    }
}

/// Blocks longer than what is judged at a time, of every awkward length.
#[test]
fn the_length_of_blocks_changes_nothing() {
    let cond = Cond::And(
        Box::new(compare("<", Num::Demag(1), Num::Value(20.4))),
        Box::new(Cond::Not(Box::new(compare(">", Num::Demag(0), Num::Value(21.0))))),
    );
    let row = |i: usize| {
        let f = (i * 7919 % 1000) as f32 / 40.0 - 1.0;
        [f * 0.4, f, 1.0, 0.9, if i.is_multiple_of(97) { 0.0 } else { 0.8 }, 1.0]
    };
    let rows: Vec<[f32; 6]> = (0..5000).map(row).collect();
    for n in [0, 1, 7, 8, 9, 1023, 1024, 1025, 2048, 5000] {
        assert_same(&cond, &rows[..n]);
    }
}
