//! How complete a cache is, and where it is not: as JSON for programs, as Markdown for people.

use crate::bricks::{BrickList, Conditions};
use crate::state::{BrickRecord, BrickState};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Bricks listed in full in a report; all are in the manifest.
const DETAILS: usize = 100;
const MISSING_LISTED: usize = 1000;

/// Ranges that a condition is cut into.
const QUARTERS: usize = 4;

/// The shares of complete bricks, in per cent, from which a cache passes or is worth a warning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// At least this much passes.
    pub pass_pct: f64,
    /// At least this much is worth a warning; less fails.
    pub warn_pct: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { pass_pct: 99.9, warn_pct: 95.0 }
    }
}

/// The word for a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// At least the share that passes.
    Pass,
    /// At least the share that warns.
    Warn,
    /// Less.
    Fail,
}

impl Verdict {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
        }
    }
}

impl Thresholds {
    /// The word for a share of complete bricks.
    pub fn verdict(self, complete: u64, expected: u64) -> Verdict {
        let share = percent(complete, expected);
        if share >= self.pass_pct {
            Verdict::Pass
        } else if share >= self.warn_pct {
            Verdict::Warn
        } else {
            Verdict::Fail
        }
    }
}

/// A share in per cent; all of nothing.
pub(crate) fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 100.0 } else { 100.0 * part as f64 / whole as f64 }
}

/// How complete a cache is, for `report.json` and `report.md`.
///
/// # Examples
///
/// ```
/// use coaddkit_cache::{BrickList, Completeness, Thresholds, Verdict};
///
/// let nothing = Completeness::of(&[], &BrickList::default(), 0, Thresholds::default());
/// assert_eq!(nothing.status, Verdict::Pass);
/// assert!(nothing.markdown("coadd_cache").starts_with("# Coadd cache: PASS"));
/// // 221 of the bricks of the published run do not exist.
/// assert_eq!(Thresholds::default().verdict(180_152, 180_373), Verdict::Warn);
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Completeness {
    /// The word for [`completeness_pct`](Self::completeness_pct).
    pub status: Verdict,
    /// Bricks asked for.
    pub total_expected_bricks: u64,
    /// Of these, bricks of which at least one file is there.
    pub total_cached_bricks: u64,
    /// Bricks in each state.
    pub states: BTreeMap<&'static str, u64>,
    /// Bricks with every file.
    pub complete_bricks: u64,
    /// Bricks with some files, or with a file that is damaged.
    pub incomplete_bricks: u64,
    /// Bricks without any file.
    pub missing_bricks: u64,
    /// Bricks in the cache that were not asked for.
    pub extra_bricks: u64,
    /// Complete bricks of those asked for, in per cent.
    pub completeness_pct: f64,
    /// The first incomplete bricks.
    pub incomplete_details: Vec<Incomplete>,
    /// The first bricks without any file.
    pub missing_brick_list: Vec<String>,
    /// Where in depth, seeing and dust the incomplete bricks are, if the list of bricks says.
    pub missingness_analysis: Vec<Missingness>,
}

/// A brick that is not complete.
#[derive(Clone, Debug, Serialize)]
pub struct Incomplete {
    /// Its name.
    pub brick: String,
    /// What became of it.
    pub state: BrickState,
    /// Files that are there.
    pub present: u32,
    /// Files that are not.
    pub missing: Vec<String>,
    /// Why.
    pub error: Option<String>,
}

/// Incomplete bricks in the quarters of a condition.
#[derive(Clone, Debug, Serialize)]
pub struct Missingness {
    /// The column of the table of bricks.
    pub column: &'static str,
    /// Ranges of equally many bricks, from the smallest value; last those without a value, if there are any.
    pub bins: Vec<MissingnessBin>,
}

/// One range of a condition.
#[derive(Clone, Debug, Serialize)]
pub struct MissingnessBin {
    /// Smallest value in it; none of bricks without a value.
    pub min: Option<f64>,
    /// Largest value in it.
    pub max: Option<f64>,
    /// Bricks asked for.
    pub bricks: u64,
    /// Of these, not complete.
    pub incomplete: u64,
}

impl Completeness {
    /// Adds up the rows of a manifest.
    pub fn of(records: &[BrickRecord], bricks: &BrickList, extra: u64, thresholds: Thresholds) -> Self {
        let count = |of: &dyn Fn(&BrickRecord) -> bool| records.iter().filter(|r| of(r)).count() as u64;
        let complete = count(&BrickRecord::is_complete);
        let missing = count(&|r| r.files_present == 0);
        let total = records.len() as u64;
        let incomplete = records.iter().filter(|r| !r.is_complete() && r.files_present > 0);
        let details = incomplete.take(DETAILS).map(|r| Incomplete {
            brick: r.brick.to_string(),
            state: r.state,
            present: r.files_present,
            missing: r.missing.iter().map(|product| product.file_name(r.brick)).collect(),
            error: r.error.clone(),
        });
        let lost = records.iter().filter(|r| r.files_present == 0).take(MISSING_LISTED);
        Self {
            status: thresholds.verdict(complete, total),
            total_expected_bricks: total,
            total_cached_bricks: total - missing,
            states: BrickState::ALL
                .into_iter()
                .map(|state| (state.name(), count(&|r| r.state == state)))
                .collect(),
            complete_bricks: complete,
            incomplete_bricks: total - complete - missing,
            missing_bricks: missing,
            extra_bricks: extra,
            completeness_pct: percent(complete, total),
            incomplete_details: details.collect(),
            missing_brick_list: lost.map(|r| r.brick.to_string()).collect(),
            missingness_analysis: missingness(records, bricks),
        }
    }

    /// The report for people.
    pub fn markdown(&self, cache: &str) -> String {
        let mut out = format!("# Coadd cache: {}\n\n", self.status.name());
        let _ = writeln!(
            out,
            "{} of {} bricks are complete ({:.3} %) in `{cache}`.\n",
            self.complete_bricks, self.total_expected_bricks, self.completeness_pct
        );
        out.push_str("| bricks | number |\n|---|--:|\n");
        for state in BrickState::ALL {
            let number = self.states.get(state.name()).copied().unwrap_or(0);
            let _ = writeln!(out, "| {state} | {number} |");
        }
        let _ = writeln!(out, "| in the cache, not asked for | {} |", self.extra_bricks);
        if !self.missingness_analysis.is_empty() {
            out.push_str("\n## Where bricks are missing\n\n");
            out.push_str(
                "| condition | from | to | bricks | not complete | share |\n|---|--:|--:|--:|--:|--:|\n",
            );
        }
        for Missingness { column, bins } in &self.missingness_analysis {
            for bin in bins {
                let value = |v: Option<f64>| v.map_or("no value".to_owned(), |v| format!("{v:.4}"));
                let _ = writeln!(
                    out,
                    "| {column} | {} | {} | {} | {} | {:.3} % |",
                    value(bin.min),
                    value(bin.max),
                    bin.bricks,
                    bin.incomplete,
                    percent(bin.incomplete, bin.bricks)
                );
            }
        }
        self.lists(&mut out);
        out
    }

    fn lists(&self, out: &mut String) {
        if !self.incomplete_details.is_empty() {
            let (shown, all) = (self.incomplete_details.len() as u64, self.incomplete_bricks);
            let _ = writeln!(out, "\n## Incomplete bricks ({shown} of {all})\n");
            out.push_str("| brick | state | files there | missing | why |\n|---|---|--:|---|---|\n");
            for one in &self.incomplete_details {
                let Incomplete { brick, state, present, missing, error } = one;
                let error = error.as_deref().unwrap_or_default().replace(['|', '\n'], " ");
                let _ = writeln!(out, "| {brick} | {state} | {present} | {} | {error} |", missing.join(", "));
            }
        }
        if !self.missing_brick_list.is_empty() {
            let (shown, all) = (self.missing_brick_list.len() as u64, self.missing_bricks);
            let _ = writeln!(out, "\n## Bricks without any file ({shown} of {all})\n");
            let _ = writeln!(out, "{}", self.missing_brick_list.join(", "));
        }
    }
}

/// Quarters of each condition, and how many bricks of each are not complete.
fn missingness(records: &[BrickRecord], bricks: &BrickList) -> Vec<Missingness> {
    let conditions: Vec<_> = (0..records.len()).map(|row| bricks.conditions(row)).collect();
    if conditions.iter().all(Option::is_none) {
        return Vec::new();
    }
    let column = |(index, column): (usize, &'static str)| {
        let value = |row: usize| conditions[row].map_or(f64::NAN, |c| c.values()[index]);
        let (mut known, unknown): (Vec<usize>, Vec<usize>) =
            (0..records.len()).partition(|&row| value(row).is_finite());
        known.sort_by(|&a, &b| value(a).total_cmp(&value(b)));
        let size = known.len().div_ceil(QUARTERS).max(1);
        let bin = |rows: &[usize], limits: [Option<f64>; 2]| MissingnessBin {
            min: limits[0],
            max: limits[1],
            bricks: rows.len() as u64,
            incomplete: rows.iter().filter(|&&row| !records[row].is_complete()).count() as u64,
        };
        let mut bins: Vec<_> = known
            .chunks(size)
            .map(|rows| bin(rows, [rows.first(), rows.last()].map(|row| row.map(|&row| value(row)))))
            .collect();
        if !unknown.is_empty() {
            bins.push(bin(&unknown, [None, None]));
        }
        Missingness { column, bins }
    };
    Conditions::COLUMNS.into_iter().enumerate().map(column).collect()
}
