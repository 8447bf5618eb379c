//! Totals of a log of the earlier batch runner, computed anew from its lines.

use crate::metrics::{Batch, Totals, table};
use crate::report::{Notes, markdown};
use clap::Args as ClapArgs;
use coaddkit_examples::{Common, Exit, Run, Table, print};
use serde_json::json;
use std::path::PathBuf;

#[derive(ClapArgs)]
pub struct Args {
    /// A log such as run_20250901_040950.log
    log: PathBuf,
    #[command(flatten)]
    common: Common,
}

/// What a log says.
struct Parsed {
    batches: Vec<Batch>,
    /// Lines that report errors.
    errors: u64,
    /// Of all runs in it, where batches overlap; otherwise that is the sum of theirs.
    seconds: Option<f64>,
    /// What the log says of a batch and its own lines do not give.
    differences: Vec<String>,
}

/// How far a number of two decimals may be off, with a margin.
const ROUNDING: f64 = 0.0075;

fn parse(text: &str) -> Result<Parsed, String> {
    let mut parsed = Parsed { batches: Vec::new(), errors: 0, seconds: None, differences: Vec::new() };
    let (mut now, mut said_reduction, mut said_speed) = (Batch::default(), None, None);
    let (mut sums, mut open) = ([0.0, 0.0], 0_usize);
    for (number, line) in (1..).zip(text.lines()) {
        let number_in = |text: &str, unit: &str| {
            let value = text.trim().strip_suffix(unit).and_then(|text| text.trim().parse::<f64>().ok());
            value
                .filter(|value| value.is_finite())
                .ok_or_else(|| format!("line {number}: {text:?} is no number of {unit}"))
        };
        let optional = |text: &str, unit: &str| match text.trim().starts_with('–') {
            true => Ok(None),
            false => number_in(text, unit).map(Some),
        };
        let error = line.contains("] [ERROR]");
        parsed.errors += u64::from(error);
        let Some((_, said)) = line.split_once("] - ") else { continue };
        let said = said.trim();
        if said.starts_with("--- Starting Batch") {
            open += 1;
            // Of a batch that did not come to its end.
            (now, sums) = (Batch::default(), [0.0, 0.0]);
        } else if let Some(rest) = said.strip_prefix("Tile ") {
            now.pixels += 1;
            now.failed += u64::from(error);
            let Some((_, sizes)) = rest.split_once(": FITS Size=").filter(|_| !error) else { continue };
            let (fits, parquet) = sizes
                .split_once(", Parquet Size=")
                .ok_or_else(|| format!("line {number}: no Parquet Size"))?;
            let (fits, parquet) = (number_in(fits, "MB")?, number_in(parquet, "MB")?);
            now.zero += u64::from(parquet == 0.0);
            sums = [sums[0] + fits, sums[1] + parquet];
        } else if let Some(rest) = said.strip_prefix("Run finished in ") {
            let seconds = number_in(rest.trim_end_matches('.'), "seconds")?;
            parsed.seconds = Some(parsed.seconds.unwrap_or(0.0) + seconds);
        } else if let Some((name, value)) = said.split_once(':') {
            match name.trim() {
                "Total FITS Downloaded" => now.fits_mib = number_in(value, "MB")?,
                "Total Parquet Created" => now.parquet_mib = number_in(value, "MB")?,
                "Data Reduction" => said_reduction = optional(value, "%")?,
                "Effective Batch Speed" => said_speed = optional(value, "MB/s")?,
                _ => {}
            }
        } else if let Some((_, seconds)) =
            said.strip_prefix("--- Finished Batch").and_then(|rest| rest.split_once(" in "))
        {
            now.seconds = number_in(seconds.trim_end_matches('-'), "seconds")?;
            now.batch = parsed.batches.len() + 1;
            let mut differs = |what: &str, says: Option<f64>, is: Option<f64>, most: f64| {
                if let (Some(says), Some(is)) = (says, is)
                    && (says - is).abs() > most
                {
                    let line = format!("batch {}: {what} is {is:.2}, and the log says {says:.2}", now.batch);
                    parsed.differences.push(line);
                }
            };
            let each = ROUNDING * (1.0 + now.pixels as f64);
            differs("FITS / MiB", Some(now.fits_mib), Some(sums[0]), each);
            differs("Parquet / MiB", Some(now.parquet_mib), Some(sums[1]), each);
            // The log's own sum is rounded once, and believed as long as its pixels do not contradict it.
            for (said, sum) in [(&mut now.fits_mib, sums[0]), (&mut now.parquet_mib, sums[1])] {
                if (*said - sum).abs() > each {
                    *said = sum;
                }
            }
            // Of a quotient the relative errors add up, and it is rounded itself.
            let part = |of: f64| ROUNDING / of.max(ROUNDING);
            let most = ROUNDING + 100.0 * 2.0 * part(now.fits_mib);
            differs("reduction / %", said_reduction.take(), now.reduction(), most);
            let speed = now.speed().unwrap_or(0.0);
            let most = ROUNDING + speed * (part(now.seconds) + part(now.fits_mib));
            differs("MiB/s", said_speed.take(), now.speed(), most);
            sums = [0.0, 0.0];
            parsed.batches.push(std::mem::take(&mut now));
        }
    }
    if open > parsed.batches.len() {
        let lost = open - parsed.batches.len();
        parsed.differences.push(format!("{lost} batches did not come to their end, and are not counted"));
    }
    if parsed.batches.is_empty() { Err("no batch came to its end".to_owned()) } else { Ok(parsed) }
}

pub fn run(args: &Args) -> Exit {
    let mut run = Run::start("desi-tiles log-summary");
    let at = |what: &dyn std::fmt::Display| format!("{}: {what}", args.log.display());
    let text = match std::fs::read(&args.log) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(e) => return run.refuse(&args.common, Exit::of_reader(e.kind()), &at(&e)),
    };
    let parsed = match parse(&text) {
        Ok(found) => found,
        Err(e) => return run.refuse(&args.common, Exit::BadData, &at(&e)),
    };
    let totals = Totals::of(&parsed.batches, parsed.seconds);
    run.alerts.clone_from(&parsed.differences);
    run.counts.insert("done", totals.all.pixels - totals.all.failed);
    run.counts.insert("batches", parsed.batches.len() as u64);
    run.counts.insert("tiles", totals.all.pixels);
    run.counts.insert("zero", totals.all.zero);
    run.bytes = (totals.all.fits_mib * crate::metrics::MIB) as u64;
    let mut json = totals.json();
    json["error_lines"] = parsed.errors.into();
    run.extra.insert("totals".to_owned(), json);
    run.extra.insert("batches".to_owned(), json!(parsed.batches));
    if !args.common.quiet {
        let mut all = totals.table();
        all.row(["lines of errors".to_owned(), Table::number(parsed.errors)]);
        print(&format!("{}\n{all}\n", table(&parsed.batches)));
        parsed.differences.iter().for_each(|line| print(&format!("  note    {line}\n")));
    }
    if let Some(folder) = &args.common.report {
        let title = format!("Batches of {}", args.log.display());
        let notes = Notes { title: &title, alerts: &parsed.differences, ..Notes::default() };
        let text = markdown(&parsed.batches, &totals, &notes);
        let written = std::fs::create_dir_all(folder).and_then(|()| {
            coaddkit_density::publish(&folder.join("report.md"), |out| out.write_all(text.as_bytes()))
        });
        if let Err(e) = written {
            return run.refuse(&args.common, Exit::Transient, &format!("{}: {e}", folder.display()));
        }
    }
    run.end(&args.common, Exit::Complete)
}
