use crate::inventory::{Pixel, pixels};
use crate::job::{Lacking, Tiles};
use clap::Args as ClapArgs;
use coaddkit_examples::{Common, Exit, Failed, Run, Table, print};
use coaddkit_photometry::Cut;
use coaddkit_spectra::Spectra;
use coaddkit_tasks::{Error, Missing, Plan, Progress, Record, RunKey, Runner, check as check_inputs, merge};
use coaddkit_transfer::S3Options;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::path::PathBuf;

const MIB: f64 = 1024.0 * 1024.0;

/// Which files, and from where.
#[derive(ClapArgs)]
pub struct Which {
    /// CSV of files: survey, program, pixel, file_type (coadd|redrock), filename, s3_key
    #[arg(long, value_name = "CSV")]
    inventory: PathBuf,
    /// Where the keys lead to: a folder, http(s)://… or s3://…
    #[arg(long, value_name = "URL")]
    source: String,
    /// Read s3:// without credentials
    #[arg(long)]
    no_sign_request: bool,
}

#[derive(ClapArgs)]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// Folder of the tables, and of the account of the run
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Pixels of a batch, of which at most so many are on the disk at once
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch_size: u16,
    /// At most so many batches in this run; the rest is left for the next
    #[arg(long, value_name = "N")]
    count: Option<usize>,
    /// Targets to take, over the columns of REDSHIFTS
    #[arg(long, value_name = "EXPR", default_value = "SPECTYPE == 'QSO' and ZWARN == 0")]
    cut: String,
    /// Lowest wavelength in Å, inclusive
    #[arg(long, value_name = "ANGSTROM", default_value_t = 3600.0)]
    min_wavelength: f64,
    /// Highest wavelength in Å, inclusive
    #[arg(long, value_name = "ANGSTROM", default_value_t = 9800.0)]
    max_wavelength: f64,
    /// Points in the order of their wavelength, where the arms overlap, too
    #[arg(long)]
    sorted_wavelength: bool,
    /// The types of the earlier converter: f64 lists, i64 masks, six decimals
    #[arg(long)]
    compat: bool,
    /// Stop before the disk has less than this free
    #[arg(long, value_name = "GIB", default_value_t = 1.0)]
    min_free: f64,
    /// Look for all inputs first, and start nothing if one is missing
    #[arg(long)]
    strict: bool,
    /// Share of pixels without rows that is expected
    #[arg(long, value_name = "LOW,HIGH", default_value = "0,0.6", value_delimiter = ',')]
    zero_share: Vec<f64>,
    #[command(flatten)]
    common: Common,
}

#[derive(ClapArgs)]
pub struct CheckArgs {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    common: Common,
}

/// What decides the tables.
#[derive(Serialize)]
struct Config<'a> {
    source: &'a str,
    cut: &'a str,
    min_wavelength: f64,
    max_wavelength: f64,
    sorted_wavelength: bool,
    compat: bool,
}

fn threads(common: &Common) -> usize {
    match common.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n.into(),
    }
}

impl Which {
    fn read(&self) -> Result<(Vec<Pixel>, String), (Exit, String)> {
        let path = &self.inventory;
        let at = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
        let text = std::fs::read(path).map_err(|e| (Exit::of_reader(e.kind()), at(&e)))?;
        let digest = Sha256::digest(&text).iter().map(|b| format!("{b:02x}")).collect();
        let text = String::from_utf8(text).map_err(|e| (Exit::BadData, at(&e)))?;
        Ok((pixels(&text).map_err(|e| (Exit::BadData, at(&e)))?, digest))
    }

    fn tiles(&self, out: PathBuf, spectra: Spectra, min_free: u64) -> Tiles {
        let s3 = if self.no_sign_request { S3Options::anonymous() } else { S3Options::default() };
        Tiles { source: self.source.clone(), out, spectra, s3, min_free }
    }
}

pub fn exit_of(code: u8) -> Exit {
    [Exit::Complete, Exit::Usage, Exit::BadData, Exit::Missing, Exit::Transient]
        .into_iter()
        .find(|exit| exit.code() == code)
        .unwrap_or(Exit::Bug)
}

fn refused(error: &Error) -> (Exit, String) {
    (exit_of(error.kind().exit_code()), error.to_string())
}

/// A line as each pixel ends.
struct Lines {
    quiet: bool,
}

impl Progress for Lines {
    fn ended(&self, record: &Record) {
        if self.quiet {
            return;
        }
        let mib = |name: &str| record.metrics.get(name).copied().unwrap_or(0.0) / MIB;
        let what = record.reason.clone().unwrap_or_else(|| {
            format!("FITS {:.2} MiB, Parquet {:.2} MiB", mib("fits_bytes"), mib("parquet_bytes"))
        });
        eprintln!("{}  {}  {what}  {:.2} s", record.unit, record.word, record.seconds);
    }
}

pub fn run(args: &Args) -> Exit {
    let mut run = Run::start("desi-tiles run");
    match go(args, &mut run) {
        Ok(exit) => run.end(&args.common, exit),
        Err((exit, reason)) => run.refuse(&args.common, exit, &reason),
    }
}

fn go(args: &Args, run: &mut Run) -> Result<Exit, (Exit, String)> {
    let cut: Cut = args.cut.parse().map_err(|e| (Exit::Usage, format!("--cut: {e}")))?;
    let &[low, high] = args.zero_share.as_slice() else {
        return Err((Exit::Usage, "--zero-share: two numbers".to_owned()));
    };
    let (pixels, digest) = args.which.read()?;
    let spectra = Spectra::new()
        .cut(cut)
        .bounds(args.min_wavelength..=args.max_wavelength)
        .sorted(args.sorted_wavelength)
        .compatible(args.compat);
    let free = (args.min_free.max(0.0) * f64::from(1 << 30)) as u64;
    let tiles = args.which.tiles(args.out.clone(), spectra, free);
    if args.strict {
        local_only(&tiles)?;
    }
    let config = Config {
        source: &args.which.source,
        cut: &args.cut,
        min_wavelength: args.min_wavelength,
        max_wavelength: args.max_wavelength,
        sorted_wavelength: args.sorted_wavelength,
        compat: args.compat,
    };
    let key = RunKey::new().code(env!("CARGO_PKG_VERSION")).input("inventory", digest);
    let key = key.config(&config).map_err(|e| refused(&e))?;
    let plan = Plan::new(pixels, key).map_err(|e| refused(&e))?;
    let limit = args.count.map_or(usize::MAX, |n| n.saturating_mul(args.batch_size.into()));
    let runner = Runner::new(&args.out)
        .threads(threads(&args.common).min(args.batch_size.into()))
        .strict(args.strict)
        .limit(limit);
    let summary = runner.run(&tiles, &plan, &Lines { quiet: args.common.quiet }).map_err(|e| refused(&e))?;
    if !args.common.quiet {
        print(&format!("{} of {} to do\n", summary.to_do, summary.units));
    }
    missing(&summary.missing, run, args.common.quiet);
    let mut exit = exit_of(summary.exit_code());
    for record in summary.failures() {
        run.failures.push(Failed {
            item: record.unit.clone(),
            path: String::new(),
            reason: record.reason.clone().unwrap_or_default(),
            attempts: record.attempt,
        });
    }
    if let Some(stopped) = &summary.stopped {
        eprintln!("desi-tiles run: stopped: {stopped}");
    }
    const WORDS: [&str; 5] = ["done", "no_rows", "failed", "blocked", "not started"];
    for word in WORDS {
        let name = if word == "blocked" { "missing_input" } else { word };
        run.counts.insert(name, summary.counts.get(word).copied().unwrap_or(0));
    }
    exit = exit.worse(alerts(&summary.ended, (low, high), run));
    // What lacks a spectrum in pixels of earlier runs counts, too; a run that is not at its end has no result yet.
    if let Ok(merged) = merge::<Lacking>(&args.out) {
        if !merged.partial.0.is_empty() {
            exit = exit.worse(Exit::BadData);
        }
        let list = merged.partial.0.iter().map(|(pixel, id)| json!({"pixel": pixel, "targetid": id}));
        run.extra.insert("without_spectrum".to_owned(), list.collect());
    }
    Ok(exit)
}

/// Judges what ended in this run, as lines that a webhook can take.
fn alerts(ended: &[Record], (low, high): (f64, f64), run: &mut Run) -> Exit {
    let sum = |name: &str| ended.iter().filter_map(|r| r.metrics.get(name)).sum::<f64>();
    let (fits, parquet) = (sum("fits_bytes"), sum("parquet_bytes"));
    run.bytes = fits as u64;
    let count = |good: &dyn Fn(&&Record) -> bool| ended.iter().filter(good).count() as f64;
    let settled = count(&|r| r.state.is_settled());
    let failed = ended.len() as f64 - settled;
    let mut exit = Exit::Complete;
    let mut alert = |rule: &str, value: f64, expected: String| {
        let line = json!({"alert": rule, "value": value, "expected": expected}).to_string();
        eprintln!("{line}");
        run.alerts.push(line);
    };
    if failed > 0.1 * ended.len() as f64 {
        alert("failure_rate", failed / ended.len() as f64, "at most 0.1".to_owned());
        exit = Exit::BadData;
    }
    if fits > 0.0 && 1.0 - parquet / fits < 0.9 {
        alert("reduction", 1.0 - parquet / fits, "at least 0.9".to_owned());
    }
    let zero = count(&|r| r.word == "no_rows") / settled.max(1.0);
    if settled > 0.0 && !(low..=high).contains(&zero) {
        alert("zero_share", zero, format!("{low} to {high}"));
    }
    exit
}

fn local_only(tiles: &Tiles) -> Result<(), (Exit, String)> {
    let what = "inputs can be looked for in a folder only, so far; run without --strict".to_owned();
    if tiles.is_folder() { Ok(()) } else { Err((Exit::Usage, what)) }
}

pub fn check(args: &CheckArgs) -> Exit {
    let mut run = Run::start("desi-tiles check");
    let found = args.which.read().and_then(|(pixels, _)| {
        let tiles = args.which.tiles(PathBuf::new(), Spectra::new(), 0);
        local_only(&tiles)?;
        let found = check_inputs(&tiles, &pixels, threads(&args.common)).map_err(|e| refused(&e))?;
        Ok((pixels.len(), found))
    });
    match found {
        Err((exit, reason)) => run.refuse(&args.common, exit, &reason),
        Ok((pixels, found)) => {
            run.counts.insert("inputs", 2 * pixels as u64);
            run.counts.insert("missing", found.len() as u64);
            missing(&found, &mut run, args.common.quiet);
            run.end(&args.common, if found.is_empty() { Exit::Complete } else { Exit::Missing })
        }
    }
}

fn missing(found: &[Missing], run: &mut Run, quiet: bool) {
    let mut table = Table::new(["pixel", "missing", "where"]);
    for m in found {
        table.row([m.unit.clone(), m.kind.clone(), m.place.clone()]);
        run.failures.push(Failed {
            item: m.unit.clone(),
            path: m.place.clone(),
            reason: format!("{} is missing", m.kind),
            attempts: 0,
        });
    }
    if !found.is_empty() && !quiet {
        print(&table.to_string());
    }
}
