//! Grids of injected lenses.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// The values that a grid combines, each with each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// Einstein radii in arcseconds; the slowest to change.
    pub theta_e_arcsec: Vec<f64>,
    /// Magnitudes of the source less that of the lens.
    pub src_dmag: Vec<f64>,
    /// Half-light radii of the source in arcseconds.
    pub src_reff_arcsec: Vec<f64>,
    /// Ellipticities of the source.
    pub src_e: Vec<f64>,
    /// External shears; the fastest to change.
    pub shear: Vec<f64>,
}

/// One combination.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Config {
    pub id: String,
    /// In the order of the fields of [`Grid`].
    pub values: [f64; 5],
}

impl Grid {
    /// A published grid: `grid_small` (48 combinations), `grid_medium` (360), `grid_full` (3,024), `grid_sota` (1,008).
    pub fn published(name: &str) -> Option<Self> {
        let grid = |th: &[f64], dmag: &[f64], reff: &[f64], e: &[f64], shear: &[f64]| Self {
            theta_e_arcsec: th.to_vec(),
            src_dmag: dmag.to_vec(),
            src_reff_arcsec: reff.to_vec(),
            src_e: e.to_vec(),
            shear: shear.to_vec(),
        };
        let e = &[0.0, 0.2, 0.4];
        let shears = &[0.0, 0.02, 0.04];
        Some(match name {
            "grid_small" => grid(&[0.3, 0.6, 1.0], &[1.0, 2.0], &[0.08, 0.15], &[0.0, 0.3], &[0.0, 0.03]),
            "grid_medium" => grid(
                &[0.25, 0.35, 0.5, 0.8, 1.2],
                &[0.5, 1.0, 1.5, 2.0],
                &[0.05, 0.10, 0.20],
                e,
                &[0.0, 0.03],
            ),
            "grid_full" => grid(
                &[0.2, 0.25, 0.3, 0.4, 0.6, 0.8, 1.2, 1.6],
                &[0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5],
                &[0.04, 0.06, 0.08, 0.12, 0.18, 0.25],
                e,
                shears,
            ),
            "grid_sota" => grid(
                &[0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5],
                &[0.5, 1.0, 1.5, 2.0],
                &[0.06, 0.10, 0.15, 0.20],
                e,
                shears,
            ),
            _ => return None,
        })
    }

    /// The values by name, slowest first.
    pub(super) fn axes(&self) -> [(&'static str, &[f64]); 5] {
        [
            ("theta_e_arcsec", &self.theta_e_arcsec),
            ("src_dmag", &self.src_dmag),
            ("src_reff_arcsec", &self.src_reff_arcsec),
            ("src_e", &self.src_e),
            ("shear", &self.shear),
        ]
    }

    /// How many combinations there are.
    pub fn len(&self) -> usize {
        self.axes().iter().fold(1, |product, (_, values)| product.saturating_mul(values.len()))
    }

    /// Whether a list of values is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All combinations, numbered from 1, sorted by their names.
    pub(super) fn configs(&self, name: &str) -> Vec<Config> {
        let mut configs = Vec::new();
        for &te in &self.theta_e_arcsec {
            for &dm in &self.src_dmag {
                for &rf in &self.src_reff_arcsec {
                    for &e in &self.src_e {
                        for &sh in &self.shear {
                            let [te_g, dm_g, rf_g, e_g, sh_g] = [te, dm, rf, e, sh].map(general);
                            let number = configs.len() + 1;
                            let id = format!("{name}_{number:04}_te{te_g}_dm{dm_g}_rf{rf_g}_e{e_g}_sh{sh_g}");
                            configs.push(Config { id, values: [te, dm, rf, e, sh] });
                        }
                    }
                }
            }
        }
        configs.sort_by(|a, b| a.id.cmp(&b.id));
        configs
    }
}

/// A number as `%g` of C and `{:g}` of Python print it: six digits at most, no zeros at the end.
fn general(value: f64) -> String {
    let scientific = format!("{value:.5e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if (-4..6).contains(&exponent) {
        return trim(&format!("{value:.*}", (5 - exponent) as usize));
    }
    let mut out = trim(digits);
    // Writing to memory does not fail.
    let _ = write!(out, "e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_grids_have_their_sizes_and_names() {
        let sizes = ["grid_small", "grid_medium", "grid_full", "grid_sota"]
            .map(|n| Grid::published(n).unwrap().len());
        assert_eq!(sizes, [48, 360, 3024, 1008]);
        let small = Grid::published("grid_small").unwrap().configs("grid_small");
        assert_eq!(small[0].id, "grid_small_0001_te0.3_dm1_rf0.08_e0_sh0");
        assert_eq!(small[1].id, "grid_small_0002_te0.3_dm1_rf0.08_e0_sh0.03");
        assert_eq!(small[47].id, "grid_small_0048_te1_dm2_rf0.15_e0.3_sh0.03");
        assert!(Grid::published("grid_large").is_none());
    }

    #[test]
    fn numbers_print_as_python_prints_them() {
        // "{:g}".format(x) of Python 3.11.
        for (value, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (0.25, "0.25"),
            (1234567.0, "1.23457e+06"),
            (999999.5, "1e+06"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (100000.0, "100000"),
            (-2.5, "-2.5"),
            (0.1 + 0.2, "0.3"),
            (1e100, "1e+100"),
            (123456.7, "123457"),
            (0.00012345678, "0.000123457"),
        ] {
            assert_eq!(general(value), text);
        }
    }
}
