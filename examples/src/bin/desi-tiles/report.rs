//! What a run gave, for people: Markdown in the form of the work logs, and a table of pixels.

use crate::metrics::{Batch, Totals, cells, shown};
use coaddkit_examples::Table;
use coaddkit_tasks::{Record, State};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

/// What a report says beside its batches.
#[derive(Default)]
pub struct Notes<'a> {
    pub title: &'a str,
    /// What was run, and on what.
    pub setting: Vec<(String, String)>,
    /// Pixels by outcome.
    pub counts: Vec<(String, u64)>,
    /// The share of pixels without rows that is expected.
    pub zero_share: Option<(f64, f64)>,
    pub failures: Vec<(String, String)>,
    pub alerts: &'a [String],
}

/// The report, in the order in which it is read: did it go well, then batch by batch, then what to look at.
pub fn markdown(batches: &[Batch], totals: &Totals, notes: &Notes<'_>) -> String {
    let mut out = format!("# {}\n\n", notes.title);
    let mut table = |title: &str, head: &[&str], rows: Vec<Vec<String>>| {
        if rows.is_empty() {
            return;
        }
        // Writing to a text does not fail.
        let _ = writeln!(out, "## {title}\n\n| {} |", head.join(" | "));
        let _ = writeln!(out, "|{}", "---|".repeat(head.len()));
        for row in rows {
            let cells: Vec<_> = row.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
            let _ = writeln!(out, "| {} |", cells.join(" | "));
        }
        out.push('\n');
    };
    let pairs = |list: &[(String, String)]| list.iter().map(|(a, b)| vec![a.clone(), b.clone()]).collect();
    table("Setting", &["what", "value"], pairs(&notes.setting));
    table("Success metrics", &["metric", "target", "achieved", ""], goals(totals, notes.zero_share));
    let counts = notes.counts.iter().map(|(word, n)| vec![word.clone(), Table::number(*n)]);
    table("Pixels by outcome", &["outcome", "pixels"], counts.collect());
    let head =
        ["batch", "pixels", "zero", "failed", "FITS / MiB", "Parquet / MiB", "reduction / %", "MiB/s", "s"];
    table(
        "Batch by batch",
        &head,
        totals.earlier.iter().chain(batches).map(|batch| cells(batch).to_vec()).collect(),
    );
    let rows = totals.rows().into_iter().map(|(name, value)| vec![name.to_owned(), value]);
    table("Totals", &["total", "value"], rows.collect());
    let share = |b: &Batch| {
        let name = if b.batch == 0 { "earlier".to_owned() } else { b.batch.to_string() };
        vec![name, format!("{}/{}", b.zero, b.pixels), Table::percent(b.zero, b.pixels)]
    };
    let mut zero: Vec<_> = totals.earlier.iter().chain(batches).map(share).collect();
    let all = &totals.all;
    zero.push(vec![
        "all".to_owned(),
        format!("{}/{}", all.zero, all.pixels),
        Table::percent(all.zero, all.pixels),
    ]);
    table("Pixels without rows", &["batch", "pixels", "share"], zero);
    table("Failures", &["pixel", "why"], pairs(&notes.failures));
    table("Alerts", &["alert"], notes.alerts.iter().map(|line| vec![line.clone()]).collect());
    out
}

fn goals(totals: &Totals, zero_share: Option<(f64, f64)>) -> Vec<Vec<String>> {
    let (all, pixels) = (&totals.all, totals.all.pixels);
    let row = |name: &str, goal: String, achieved: String, met: Option<bool>| {
        let met = met.map_or("–", |met| if met { "met" } else { "missed" });
        vec![name.to_owned(), goal, achieved, met.to_owned()]
    };
    let some = pixels > 0;
    let mut rows = vec![
        row(
            "batches without a failure",
            "> 90 %".to_owned(),
            Table::percent(totals.clean as u64, totals.batches as u64),
            (totals.batches > 0).then_some(10 * totals.clean > 9 * totals.batches),
        ),
        row(
            "pixels that failed",
            "≤ 10 %".to_owned(),
            Table::percent(all.failed, pixels),
            some.then_some(10 * all.failed <= pixels),
        ),
        row(
            "reduction overall / %",
            "≥ 90".to_owned(),
            shown(all.reduction()),
            all.reduction().map(|reduction| reduction >= 90.0),
        ),
        row("MiB/s overall", "–".to_owned(), shown(totals.speed), None),
    ];
    if let Some((low, high)) = zero_share {
        let settled = pixels.saturating_sub(all.failed);
        let share = all.zero as f64 / settled as f64;
        rows.push(row(
            "pixels without rows",
            format!("{} to {} %", 100.0 * low, 100.0 * high),
            Table::percent(all.zero, settled),
            (settled > 0).then_some((low..=high).contains(&share)),
        ));
    }
    rows
}

/// One row a pixel: `survey,program,pixel,outcome,rows,fits_bytes,parquet_bytes,path,sha256,reason`, and for a run
/// also what it took.
pub fn write_pixels<'a>(
    out: &mut dyn Write,
    records: impl Iterator<Item = &'a Record>,
    timed: bool,
) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    let mut head = vec!["survey", "program", "pixel", "outcome", "rows", "fits_bytes", "parquet_bytes"];
    head.extend(["reduction_percent", "path", "sha256", "reason"]);
    if timed {
        head.extend(["seconds", "mib_per_second", "attempts"]);
    }
    csv.write_record(&head)?;
    for record in records {
        let number = |name: &str| record.metrics.get(name).copied();
        let whole = |name: &str| number(name).map_or_else(|| "0".to_owned(), |value| format!("{value:.0}"));
        let mut parts: Vec<&str> = record.unit.splitn(3, '/').collect();
        parts.resize(3, "");
        let mut row: Vec<String> = parts.into_iter().map(str::to_owned).collect();
        row[2] = row[2].trim_start_matches('0').to_owned();
        if row[2].is_empty() {
            row[2].push('0');
        }
        let fits = number("fits_bytes").filter(|bytes| *bytes > 0.0);
        let batch = Batch {
            fits_mib: fits.unwrap_or(0.0) / crate::metrics::MIB,
            parquet_mib: number("parquet_bytes").unwrap_or(0.0) / crate::metrics::MIB,
            seconds: record.seconds,
            ..Batch::default()
        };
        let plain = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.4}"));
        row.extend([record.word.clone(), whole("rows"), whole("fits_bytes"), whole("parquet_bytes")]);
        let output = record.outputs.first();
        row.extend([
            plain(batch.reduction()),
            output.map_or_else(String::new, |output| output.path.clone()),
            output.map_or_else(String::new, |output| output.sha256.clone()),
            record.reason.clone().unwrap_or_default(),
        ]);
        if timed {
            let speed = if record.state == State::Done { plain(batch.speed()) } else { String::new() };
            row.extend([format!("{:.3}", record.seconds), speed, record.attempt.to_string()]);
        }
        csv.write_record(&row)?;
    }
    csv.flush()
}

/// Writes `report.md` and `pixels.csv` beside the report of the run.
pub fn write_beside(folder: &Path, markdown: &str, records: &[Record]) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    coaddkit_density::publish(&folder.join("report.md"), |out| out.write_all(markdown.as_bytes()))?;
    coaddkit_density::publish(&folder.join("pixels.csv"), |out| write_pixels(out, records.iter(), true))
}
