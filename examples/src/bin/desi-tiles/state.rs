//! What a folder says of its run: how it stands, whether its products are whole, all shards together.

use crate::account::IMPORTED;
use crate::alerts::alert;
use crate::job::{Lacking, failed};
use crate::metrics::MIB;
use crate::report::write_pixels;
use crate::run::{counts, lacking, of_record};
use clap::Args as ClapArgs;
use coaddkit_examples::{
    Account as Place, Common, Exit, Outlet, Run, StatusArgs, Table, count_states, new_file, print, refused,
    status_by,
};
use coaddkit_spectra::inspect;
use coaddkit_tasks::{Error, ErrorKind, Output, Record, Status, merge, status, verify_folder};
use serde_json::json;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

#[derive(ClapArgs)]
pub struct Args {
    /// The folder of a run, or s3://bucket/prefix
    #[arg(value_name = "DIR|URL")]
    folder: PathBuf,
    #[command(flatten)]
    common: Common,
}

#[derive(ClapArgs)]
pub struct MergeArgs {
    /// What all shards wrote to: a folder, or s3://bucket/prefix
    #[arg(value_name = "DIR|URL")]
    folder: PathBuf,
    /// Table of all pixels: outcome, rows, sizes, path and SHA-256 of what they gave
    #[arg(long, value_name = "CSV|URL")]
    out: PathBuf,
    #[command(flatten)]
    common: Common,
}

/// `desi-tiles status`
pub fn run(args: &StatusArgs) -> Exit {
    status_by("desi-tiles status", args, show)
}

fn show(stand: &Status, run: &mut Run, quiet: bool) {
    let mut table = Table::new(["pixels", "number"]);
    let outcomes: BTreeMap<String, u64> =
        stand.counts.iter().map(|(word, count)| (word.replace(' ', "_"), *count)).collect();
    for (word, count) in &outcomes {
        table.row([word.clone(), Table::number(*count)]);
    }
    count_states(stand, run);
    run.failures.extend(stand.failures.iter().map(of_record));
    for (unit, what) in &stand.gone {
        run.failed_item(unit, "", what.clone());
    }
    let sum = |name: &str| stand.settled.iter().filter_map(|r| r.metrics.get(name)).sum::<f64>() + 0.0;
    let [fits, parquet, rows] = ["fits_bytes", "parquet_bytes", "rows"].map(sum);
    run.bytes = fits as u64;
    run.extra.insert("outcomes".to_owned(), json!(outcomes));
    run.extra.insert("rows".to_owned(), (rows as u64).into());
    if quiet {
        return;
    }
    print(&format!("{table}\n  {stand}\n"));
    let (fits, parquet) = (fits / MIB, parquet / MIB);
    print(&format!("  {} rows, FITS {fits:.2} MiB, Parquet {parquet:.2} MiB\n", Table::number(rows as u64)));
    for failure in run.failures.iter().take(20) {
        print(&format!("  {}: {}\n", failure.item, failure.reason));
    }
    if run.failures.len() > 20 {
        print(&format!("  … and {} more; --json lists them\n", run.failures.len() - 20));
    }
}

/// `desi-tiles verify`
pub fn verify(args: &Args) -> Exit {
    let mut run = Run::start("desi-tiles verify");
    // Before the ledgers are read: whatever comes meanwhile is known to them.
    let place = match Place::at(&args.folder, false) {
        Ok(place) => place,
        Err((exit, why)) => return run.refuse(&args.common, exit, &why),
    };
    if let Err((exit, why)) = place.about("desi-tiles") {
        return run.refuse(&args.common, exit, &why);
    }
    let folder = place.folder();
    let products = products(folder);
    let found = status(place.place()).and_then(|stand| {
        let open = |_: &str, outputs: &[Output]| outputs.iter().try_for_each(|output| open(folder, output));
        Ok((stand, verify_folder(place.place(), args.common.workers(), open)?))
    });
    let (stand, verified) = match found {
        Ok(found) => found,
        Err(e) => return run.refuse(&args.common, refused(&e).0, &e.to_string()),
    };
    for (unit, error) in &verified.bad {
        run.failed_item(unit, error.place(), error.what().to_owned());
    }
    let imported = stand.settled.iter().filter(|record| record.word == IMPORTED).count();
    let good = verified.good.saturating_sub(imported);
    run.counts.insert("done", good as u64);
    run.counts.insert("imported", imported as u64);
    run.counts.insert("bad", verified.bad.len() as u64);
    run.counts.insert("not_done", verified.not_done as u64);
    let strays = strays(&stand, products);
    if !strays.is_empty() {
        alert(&mut run, "unknown_products", strays.len() as f64, "0 files that no ledger knows");
        run.extra.insert("unknown".to_owned(), json!(strays));
    }
    if !args.common.quiet {
        let mut table = Table::new(["pixel", "file", "what is wrong"]);
        for (unit, error) in &verified.bad {
            table.row([unit.clone(), error.place().to_owned(), error.what().to_owned()]);
        }
        let [good, bad, imported, rest] =
            [good, verified.bad.len(), imported, verified.not_done].map(|n| Table::number(n as u64));
        let mut text = if verified.bad.is_empty() { String::new() } else { format!("{table}\n") };
        text.push_str(&format!(
            "  products of {good} pixels are good, of {bad} bad; {imported} are imported, {rest} not done\n"
        ));
        for stray in strays.iter().take(20) {
            text.push_str(&format!("  no ledger knows {stray}\n"));
        }
        if strays.len() > 20 {
            text.push_str(&format!("  … and {} more; --json lists them\n", strays.len() - 20));
        }
        print(&text);
    }
    let exit = Exit::of_code(verified.exit_code());
    run.end(
        &args.common,
        if verified.not_done > 0 { exit.worse(Exit::of_code(stand.exit_code())) } else { exit },
    )
}

/// Tables and markers below a folder; what has no final name yet is none.
fn products(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    super::analyze::walk(folder, &mut |path| {
        let name = path.strip_prefix(folder).unwrap_or(path).to_string_lossy().into_owned();
        if name.ends_with(".parquet") || name.ends_with("_SUCCESS_NO_QSO") {
            found.push(name);
        }
    });
    found
}

/// Those of them that no ledger knows. What lies with a pixel that is on its way, or was when a process was killed, is
/// for that process or for the next run; what lies with one that was imported is that of the earlier runner.
fn strays(stand: &Status, products: Vec<String>) -> Vec<String> {
    let known: HashSet<&str> =
        stand.settled.iter().flat_map(|record| &record.outputs).map(|output| output.path.as_str()).collect();
    let imported = stand.settled.iter().filter(|record| record.word == IMPORTED).map(|record| &record.unit);
    let others: HashSet<String> = stand.begun.iter().chain(imported).map(|unit| folder_of(unit)).collect();
    let stray = |name: &String| {
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        !known.contains(name.as_str()) && !others.contains(folder)
    };
    products.into_iter().filter(stray).collect()
}

/// The folder of a pixel, by its name.
fn folder_of(unit: &str) -> String {
    unit.rsplit_once('/').map_or_else(String::new, |(program, pixel)| format!("{program}/tile_{pixel}"))
}

/// A table is read from its first row to its last; the marker of a pixel without rows is empty.
fn open(folder: &Path, output: &Output) -> Result<(), Error> {
    let bad = |what: String| Err(Error::new(ErrorKind::Data, &output.path, what));
    if output.path.ends_with("_SUCCESS_NO_QSO") {
        return if output.bytes == 0 { Ok(()) } else { bad("a marker is empty".to_owned()) };
    }
    let table = inspect(&folder.join(&output.path)).map_err(|e| failed(&e))?;
    let named =
        output.path.rsplit_once("_qsos.parquet").and_then(|(rest, _)| rest.rsplit('_').next()?.parse().ok());
    match table.first_uneven {
        Some((row, lengths)) => bad(format!("row {row}: lists of {lengths:?} points")),
        None if named != Some(table.rows) => bad(format!("{} rows", table.rows)),
        None => Ok(()),
    }
}

/// `desi-tiles merge`
pub fn merge_shards(args: &MergeArgs) -> Exit {
    let mut run = Run::start("desi-tiles merge");
    let ready = || {
        let outlet = Outlet::at(&args.out)?;
        let usage = |why| (Exit::Usage, format!("--out {}: {why}", args.out.display()));
        new_file(&outlet.path().to_string_lossy()).map_err(usage)?;
        let place = Place::at(&args.folder, false)?;
        place.about("desi-tiles")?;
        let merged = merge::<Lacking>(place.place()).map_err(|e| refused(&e))?;
        Ok((outlet, place, merged))
    };
    let (outlet, place, merged) = match ready() {
        Ok(ready) => ready,
        Err((exit, why)) => return run.refuse(&args.common, exit, &why),
    };
    let stand = &merged.status;
    show(stand, &mut run, args.common.quiet);
    run.counts = counts(&stand.counts);
    let mut records: Vec<&Record> = stand.settled.iter().chain(&stand.failures).collect();
    records.sort_by(|a, b| a.unit.cmp(&b.unit));
    let written =
        coaddkit_density::publish(outlet.path(), |out| write_pixels(out, records.iter().copied(), false));
    let written = written.map_err(|e| (Exit::of_reader(e.kind()), format!("{}: {e}", args.out.display())));
    if let Err((exit, why)) = written.and_then(|()| outlet.publish()) {
        return run.refuse(&args.common, exit, &why);
    }
    let exit = Exit::of_code(stand.exit_code()).worse(lacking(&place, &mut run));
    run.end(&args.common, exit)
}
