//! Reference values for `coaddkit-sky`, one module a topic.

use std::path::Path;

use coaddkit_sky::SkyCoord;
use coaddkit_testkit::{Csv, gunzip};
use serde_json::Value;

use super::Report;

mod bricks;
mod healpix;
mod images;
mod matching;
mod skymaps;

/// Checks the file if it is one of this crate's.
pub fn check(name: &str, path: &Path) -> Option<Report> {
    bricks::check(name, path)
        .or_else(|| matching::check(name, path))
        .or_else(|| healpix::check(name, path))
        .or_else(|| images::check(name, path))
        .or_else(|| skymaps::check(name, path))
}

/// A row of a table, with fields by name.
struct Row<'a> {
    table: &'a Csv,
    fields: &'a [String],
}

impl Row<'_> {
    fn text(&self, column: &str) -> &str {
        &self.fields[self.table.column(column)]
    }

    fn parsed<T: std::str::FromStr>(&self, column: &str) -> Result<T, String> {
        let text = self.text(column);
        text.parse().map_err(|_| format!("{column}: {text:?} is not a value of its kind"))
    }

    fn number(&self, column: &str) -> Result<f64, String> {
        let text = self.text(column);
        text.parse().map_err(|_| format!("{column}: {text:?} is no number"))
    }

    fn position(&self, ra: &str, dec: &str) -> Result<SkyCoord, String> {
        SkyCoord::from_degrees(self.number(ra)?, self.number(dec)?).map_err(|e| e.to_string())
    }

    fn same_text(&self, column: &str, found: impl ToString) -> Result<(), String> {
        let (expected, found) = (self.text(column), found.to_string());
        if expected == found { Ok(()) } else { Err(format!("{column}: expected {expected}, found {found}")) }
    }

    /// The same double: edges and centres are exact, not merely close.
    fn same_number(&self, column: &str, found: f64) -> Result<(), String> {
        let expected = self.number(column)?;
        if expected == found { Ok(()) } else { Err(format!("{column}: expected {expected}, found {found}")) }
    }

    /// As many decimals as the file has.
    fn same_decimals(&self, column: &str, found: f64) -> Result<(), String> {
        let decimals = self.text(column).split_once('.').map_or(0, |(_, decimals)| decimals.len());
        self.same_text(column, format!("{found:.decimals$}"))
    }
}

fn close(what: &str, expected: f64, found: f64) -> Result<(), String> {
    if (found - expected).abs() <= 1e-12 * expected.abs() {
        Ok(())
    } else {
        Err(format!("{what}: expected {expected}, found {found}"))
    }
}

fn rows(path: &Path, check: impl Fn(&Row<'_>) -> Result<(), String>) -> Report {
    let table = match Csv::read(path) {
        Ok(table) => table,
        Err(e) => return Report { rows: 0, failures: vec![e.to_string()] },
    };
    let failures = table
        .rows
        .iter()
        .filter_map(|fields| {
            check(&Row { table: &table, fields }).err().map(|what| format!("{}: {what}", fields.join(",")))
        })
        .collect();
    Report { rows: table.rows.len(), failures }
}

/// One row per line of a file of JSON objects.
pub(super) fn json_lines(path: &Path, check: fn(&Value) -> Result<(), String>) -> Report {
    let mut report = Report::default();
    let read = || {
        let bytes = std::fs::read(path)?;
        let bytes = if bytes.starts_with(&[0x1f, 0x8b]) { gunzip(&bytes)? } else { bytes };
        String::from_utf8(bytes).map_err(std::io::Error::other)
    };
    let text = match read() {
        Ok(text) => text,
        Err(e) => return Report { rows: 0, failures: vec![format!("{}: {e}", path.display())] },
    };
    for line in text.lines() {
        report.rows += 1;
        let checked = serde_json::from_str(line).map_err(|e| e.to_string()).and_then(|row| check(&row));
        report.failures.extend(
            checked.err().map(|what| format!("{}: {what}", line.chars().take(120).collect::<String>())),
        );
    }
    report
}
