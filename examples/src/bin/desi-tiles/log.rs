//! Totals of a log of the earlier batch runner, computed anew from its lines.

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

/// A batch, in MiB, which the log calls MB.
#[derive(Debug, Default)]
struct Batch {
    tiles: u64,
    zero: u64,
    fits: f64,
    parquet: f64,
    reduction: f64,
    speed: f64,
    seconds: f64,
}

/// Batches that came to their end, and the number of lines that report errors.
fn parse(text: &str) -> Result<(Vec<Batch>, u64), String> {
    let (mut batches, mut now, mut errors) = (Vec::new(), Batch::default(), 0);
    for (number, line) in (1..).zip(text.lines()) {
        let number_in = |text: &str, unit: &str| {
            let value = text.trim().strip_suffix(unit).and_then(|text| text.trim().parse::<f64>().ok());
            value.ok_or_else(|| format!("line {number}: {text:?} is no number of {unit}"))
        };
        errors += u64::from(line.contains("] [ERROR]"));
        let Some((_, said)) = line.split_once("] - ") else { continue };
        let said = said.trim();
        if said.starts_with("--- Starting Batch") {
            now = Batch::default();
        } else if let Some((_, sizes)) =
            said.strip_prefix("Tile ").and_then(|rest| rest.split_once(": FITS Size="))
        {
            let (_, parquet) = sizes
                .split_once(", Parquet Size=")
                .ok_or_else(|| format!("line {number}: no Parquet Size"))?;
            now.tiles += 1;
            now.zero += u64::from(number_in(parquet, "MB")? == 0.0);
        } else if let Some((name, value)) = said.split_once(':') {
            match name.trim() {
                "Total FITS Downloaded" => now.fits = number_in(value, "MB")?,
                "Total Parquet Created" => now.parquet = number_in(value, "MB")?,
                "Data Reduction" => now.reduction = number_in(value, "%")?,
                "Effective Batch Speed" => now.speed = number_in(value, "MB/s")?,
                _ => {}
            }
        } else if let Some((_, seconds)) =
            said.strip_prefix("--- Finished Batch").and_then(|rest| rest.split_once(" in "))
        {
            now.seconds = number_in(seconds.trim_end_matches('-'), "seconds")?;
            batches.push(std::mem::take(&mut now));
        }
    }
    if batches.is_empty() { Err("no batch came to its end".to_owned()) } else { Ok((batches, errors)) }
}

pub fn run(args: &Args) -> Exit {
    let mut run = Run::start("desi-tiles log-summary");
    let text = match std::fs::read(&args.log) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(e) => {
            return run.refuse(
                &args.common,
                Exit::of_reader(e.kind()),
                &format!("{}: {e}", args.log.display()),
            );
        }
    };
    let (batches, errors) = match parse(&text) {
        Ok(found) => found,
        Err(e) => return run.refuse(&args.common, Exit::BadData, &format!("{}: {e}", args.log.display())),
    };
    let sum = |of: &dyn Fn(&Batch) -> f64| batches.iter().map(of).sum::<f64>();
    let mean = |of: &dyn Fn(&Batch) -> f64| sum(of) / batches.len() as f64;
    let (tiles, zero) = (batches.iter().map(|b| b.tiles).sum(), batches.iter().map(|b| b.zero).sum());
    let (fits, parquet, seconds) = (sum(&|b| b.fits), sum(&|b| b.parquet), sum(&|b| b.seconds));
    let reduction = 100.0 * (1.0 - parquet / fits);
    let rows = [
        ("batches", Table::number(batches.len() as u64)),
        ("tiles", Table::number(tiles)),
        ("tiles with 0.00 MB of Parquet", format!("{zero} of {tiles}, {}", Table::percent(zero, tiles))),
        ("FITS / MiB", format!("{fits:.2}")),
        ("Parquet / MiB", format!("{parquet:.2}")),
        ("reduction overall / %", format!("{reduction:.2}")),
        ("reduction, mean of batches / %", format!("{:.2}", mean(&|b| b.reduction))),
        ("seconds", format!("{seconds:.2}")),
        ("MiB/s overall", format!("{:.2}", fits / seconds)),
        ("MiB/s, mean of batches", format!("{:.2}", mean(&|b| b.speed))),
        ("lines of errors", Table::number(errors)),
    ];
    let mut table = Table::new(["log", "value"]);
    for (name, value) in rows {
        table.row([name.to_owned(), value]);
    }
    if !args.common.quiet {
        print(&table.to_string());
    }
    run.counts.insert("batches", batches.len() as u64);
    run.counts.insert("tiles", tiles);
    run.counts.insert("zero", zero);
    let totals = json!({
        "fits_mib": fits, "parquet_mib": parquet, "seconds": seconds, "reduction_percent": reduction,
        "mib_per_second": fits / seconds, "mean_mib_per_second": mean(&|b| b.speed),
        "mean_reduction_percent": mean(&|b| b.reduction), "error_lines": errors,
    });
    run.extra.insert("totals".to_owned(), totals);
    run.end(&args.common, Exit::Complete)
}
