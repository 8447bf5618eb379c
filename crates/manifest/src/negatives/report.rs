//! The report of a validation: JSON, Markdown, pictures.

use std::fmt::Write as _;
use std::path::Path;

use coaddkit_sky::Healpix;

use super::plot::{bars, sky};
use super::validate::{Distribution, Validation, mag_label};
use crate::{Error, Severity, publish};

impl Validation {
    /// Writes `report.json`, `report.md` and plots of pools, splits, types, exposures, magnitudes and the sky into a
    /// folder.
    ///
    /// # Errors
    ///
    /// When the folder cannot be written to.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, &e))?;
        for (name, title, of) in [
            ("pool.png", "Pools", &self.pool_distribution),
            ("split.png", "Splits", &self.split_distribution),
            ("type.png", "Types", &self.type_distribution),
            ("nobs.png", "Exposures in z", &self.nobs_distribution),
        ] {
            let values: Vec<_> = of.iter().map(|(label, n)| (label.clone(), *n)).collect();
            bars(title, &values).write(&folder.join(name))?;
        }
        let mags: Vec<_> = self.mags.iter().enumerate().map(|(i, n)| (mag_label(i), *n)).collect();
        bars("z magnitude", &mags).write(&folder.join("magnitude.png"))?;
        let grid = Healpix::from_nside(64).map_err(Error::usage)?;
        let centers = self.cells.iter().filter_map(|(&cell, &n)| {
            let center = grid.cell(cell.into()).ok()?.center();
            Some((center.ra_deg(), center.dec_deg(), n))
        });
        sky("Negatives on the sky", centers).write(&folder.join("sky.png"))?;
        let json = serde_json::to_string_pretty(self).unwrap_or_default();
        publish(&folder.join("report.json"), |out| writeln!(out, "{json}"))?;
        publish(&folder.join("report.md"), |out| out.write_all(self.markdown().as_bytes()))
    }

    /// The report as Markdown.
    pub fn markdown(&self) -> String {
        let mut out = String::from("# Validation of negatives\n\n");
        let failed = |severity| self.gates.iter().filter(|g| !g.passed && g.severity == severity).count();
        let (critical, warnings) = (failed(Severity::Critical), failed(Severity::Warning));
        // Writing to memory does not fail.
        let _ = writeln!(
            out,
            "{} rows, {} galaxies. {} gates: {critical} critical failed, {warnings} warnings.\n",
            self.total_rows,
            self.unique_galaxies,
            self.gates.len()
        );
        out.push_str("| gate | severity | passed | expected | found |\n|---|---|---|---|---|\n");
        for g in &self.gates {
            let severity = if g.severity == Severity::Critical { "critical" } else { "warning" };
            let passed = if g.passed { "yes" } else { "**no**" };
            let _ = writeln!(out, "| {} | {severity} | {passed} | {} | {} |", g.name, g.expected, g.found);
        }
        for g in self.gates.iter().filter(|g| !g.reason.is_empty()) {
            let _ = write!(out, "\n- `{}`: {}.", g.name, g.reason);
        }
        out.push('\n');
        for (title, picture, of) in [
            ("Pools", "pool.png", &self.pool_distribution),
            ("Splits", "split.png", &self.split_distribution),
            ("Types", "type.png", &self.type_distribution),
            ("Exposures in z", "nobs.png", &self.nobs_distribution),
            ("Classes of N2", "", &self.confuser_distribution),
        ] {
            section(&mut out, title, picture, of, self.total_rows);
        }
        if !self.strata.is_empty() {
            out.push_str("\n## Strata\n\n| exposures | type | positives | target | N1 | N2 | backfill | short |\n|---|---|---|---|---|---|---|---|\n");
            for s in &self.strata {
                let short = s.target - (s.n1 + s.n2).min(s.target);
                let _ = writeln!(
                    out,
                    "| {} | {} | {} | {} | {} of {} | {} of {} | {} | {short} |",
                    s.nobs_z_bin,
                    s.type_bin,
                    s.positives,
                    s.target,
                    s.n1,
                    s.n1_available,
                    s.n2,
                    s.n2_available,
                    s.backfill
                );
            }
        }
        out.push_str("\n## Magnitudes and sky\n\n![z magnitude](magnitude.png)\n\n![sky](sky.png)\n");
        out
    }
}

fn section(out: &mut String, title: &str, picture: &str, of: &Distribution, rows: u64) {
    let _ = write!(out, "\n## {title}\n\n| | rows | share |\n|---|---|---|\n");
    for (label, n) in of {
        let _ = writeln!(out, "| {label} | {n} | {:.2} % |", 100.0 * *n as f64 / rows.max(1) as f64);
    }
    if !picture.is_empty() {
        let _ = writeln!(out, "\n![{title}]({picture})");
    }
}
