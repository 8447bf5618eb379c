//! `desi-tiles run`: what is asked for, and how it ended.

use crate::account::{Account, together};
use crate::alerts;
use crate::completed;
use crate::inventory::Pixel;
use crate::job::{Lacking, Slots, Tiles};
use crate::metrics::{Totals, table};
use crate::report::{Notes, markdown, write_beside};
use crate::source::prune;
use crate::which::{Which, missing};
use clap::Args as ClapArgs;
use coaddkit_examples::{
    Account as Place, Common, Exit, Failed, Refused, Run, ShardArgs, folder, print, refused, say,
};
use coaddkit_fits::Fits;
use coaddkit_photometry::Cut;
use coaddkit_spectra::Spectra;
use coaddkit_tasks::{Plan, Record, RunKey, Runner, Shard, Summary, merge, status};
use serde::Serialize;
use serde_json::json;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Conversions at once: each holds some tens of megabytes.
const CONVERTING: usize = 4;

#[derive(ClapArgs)]
pub struct Args {
    #[command(flatten)]
    pub which: Which,
    /// Folder of the tables, and of the account of the run; or s3://bucket/prefix
    #[arg(long, value_name = "DIR|URL", value_parser = folder)]
    pub out: PathBuf,
    /// Pixels of a batch, whose files and no others are on the disk at once
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch_size: u16,
    /// At most so many batches in this run; the rest is left for the next
    #[arg(long, value_name = "N")]
    count: Option<usize>,
    /// Targets to take, over the columns of REDSHIFTS
    #[arg(long, value_name = "EXPR", default_value = "SPECTYPE == 'QSO' && ZWARN == 0")]
    cut: String,
    /// Lowest wavelength in Å, inclusive
    #[arg(long, value_name = "ANGSTROM", default_value_t = 3600.0, value_parser = finite)]
    min_wavelength: f64,
    /// Highest wavelength in Å, inclusive
    #[arg(long, value_name = "ANGSTROM", default_value_t = 9800.0, value_parser = finite)]
    max_wavelength: f64,
    /// Points in the order of their wavelength, where the arms overlap, too
    #[arg(long)]
    sorted_wavelength: bool,
    /// The types of the earlier converter: f64 lists, i64 masks, six decimals
    #[arg(long)]
    compat: bool,
    /// Stop before the disk of --out has less than this free
    #[arg(long, value_name = "GIB", default_value_t = 1.0, value_parser = finite)]
    min_free: f64,
    /// Look for all inputs first, and start nothing if one is missing
    #[arg(long)]
    strict: bool,
    /// Share of pixels without rows that is expected
    #[arg(long, value_name = "LOW,HIGH", default_value = "0,0.6", value_delimiter = ',')]
    zero_share: Vec<f64>,
    /// Pixels that the earlier runner has done: its completed_tiles.txt, a number a line
    #[arg(long, value_name = "FILE")]
    completed: Option<PathBuf>,
    /// Keep the fetched files of pixels that fail, below DIR/raw, until the next run
    #[arg(long)]
    keep_failed: bool,
    #[command(flatten)]
    pub shards: ShardArgs,
    #[command(flatten)]
    common: Common,
}

fn finite(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value >= 0.0 && value.is_finite() => Ok(value),
        _ => Err("it must be a number, 0 or above".to_owned()),
    }
}

/// What `--force` does here.
pub const FORCE: &str = "Begin anew: forget what earlier runs did in --out, of this shard if they are the same run, and do every pixel again";

/// Å that the spectrographs see: the grid of all coadds of the survey.
const SEEN: (f64, f64) = (3600.0, 9824.0);

/// Columns of REDSHIFTS in the data model of redrock files.
const REDSHIFTS: [&str; 11] = [
    "TARGETID",
    "Z",
    "ZERR",
    "ZWARN",
    "CHI2",
    "COEFF",
    "NPIXELS",
    "SPECTYPE",
    "SUBTYPE",
    "NCOEFF",
    "DELTACHI2",
];

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

pub fn run(args: &Args) -> Exit {
    let mut run = Run::start("desi-tiles run");
    match go(args, &mut run) {
        Ok(exit) => run.end(&args.common, exit),
        Err((exit, reason)) => run.refuse(&args.common, exit, &reason),
    }
}

impl Args {
    /// The cut and the share of pixels without rows that is expected, if nothing is wrong with the options.
    pub fn check(&self) -> Result<(Cut, (f64, f64)), Refused> {
        let (args, usage) = (self, |what: String| (Exit::Usage, what));
        let cut: Cut = args.cut.parse().map_err(|e| usage(format!("--cut: {e}")))?;
        let zero_share = match args.zero_share[..] {
            [low, high] if low <= high => (low, high),
            _ => return Err(usage("--zero-share: two numbers, the lower one first".to_owned())),
        };
        if args.min_wavelength > args.max_wavelength {
            return Err(usage("--min-wavelength is above --max-wavelength".to_owned()));
        }
        if args.max_wavelength < SEEN.0 || args.min_wavelength > SEEN.1 {
            let (low, high) = (args.min_wavelength, args.max_wavelength);
            let what = format!(
                "nothing is within {low} to {high} Å: the spectra reach from {} to {} Å",
                SEEN.0, SEEN.1
            );
            return Err(usage(what));
        }
        Ok((cut, zero_share))
    }
}

fn go(args: &Args, run: &mut Run) -> Result<Exit, Refused> {
    let (cut, zero_share) = args.check()?;
    let shard = args.shards.asked()?.unwrap_or_default();
    let (pixels, digest) = args.which.read()?;
    let source = &args.which.source;
    if !source.contains("://") && !Path::new(source).is_dir() {
        return Err((Exit::Missing, format!("--source {source}: there is no such folder")));
    }
    let imported = match &args.completed {
        Some(file) => completed::read(file, &pixels, run)?,
        None => Default::default(),
    };
    let place = Place::at(&args.out, args.which.moves.no_sign_request)?;
    let out = place.folder().to_owned();
    std::fs::create_dir_all(&out)
        .map_err(|e| (Exit::of_reader(e.kind()), format!("{}: {e}", out.display())))?;
    // Shards do not take each other's files away.
    let raw = out.join(format!("raw/shard-{:05}", shard.index()));
    let free = (args.min_free * f64::from(1 << 30)) as u64;
    let source = args.which.source(args.common.quiet).fetching(&out, &raw, args.keep_failed, free);
    let (threads, batch) = (args.common.workers(), usize::from(args.batch_size));
    // Fetching is waiting; converting is work.
    let at_once = if source.is_remote() { batch } else { threads.min(batch) };
    let tiles = Tiles {
        source,
        out: out.clone(),
        spectra: Spectra::new()
            .cut(cut.clone())
            .bounds(args.min_wavelength..=args.max_wavelength)
            .sorted(args.sorted_wavelength)
            .compatible(args.compat),
        imported,
        converting: Slots::new(threads.min(CONVERTING)),
    };
    let shown = tiles.source.shown();
    let plan = plan(args, shown, pixels, digest)?;
    tiles.source.stop.listen(args.which.moves.give_up_after);
    let columns = columns((&tiles, &place), &plan, shard, &cut);
    tidy(&out, &raw);
    columns?;
    let limit = args.count.map_or(usize::MAX, |n| n.saturating_mul(batch));
    let runner = Runner::new(place.place()).shard(shard).threads(at_once).strict(args.strict).limit(limit);
    let runner = runner.force(args.common.force);
    let left = raw.clone();
    let account = Account::new(&out, shard, batch, args.common.quiet, move || {
        // Of a run that was killed.
        let _ = std::fs::remove_dir_all(&left);
    });
    let start = Instant::now();
    let summary = runner.run(&tiles, &plan, &account).map_err(|e| refused(&e))?;
    let seconds = start.elapsed().as_secs_f64();
    tidy(&out, &raw);
    let batches = account.finish();
    if place.is_remote() {
        let entries = std::fs::read_dir(out.join("logs")).into_iter().flatten().flatten();
        let logs: Vec<_> = entries.map(|log| format!("logs/{}", log.file_name().to_string_lossy())).collect();
        let logs: Vec<&str> = logs.iter().map(String::as_str).collect();
        place.place().publish(&logs).map_err(|e| refused(&e))?;
    }
    let (records, earlier) = records(&place, &plan, shard, &summary, run);
    let totals = Totals::of(&batches, Some(seconds)).with_earlier(together(&earlier));
    let exit = judge((args, &place), &summary, &records, zero_share, run);
    run.extra.insert("to_do".to_owned(), summary.to_do.into());
    run.extra.insert("units".to_owned(), summary.units.into());
    run.extra.insert("totals".to_owned(), totals.json());
    run.extra.insert("batches".to_owned(), json!(batches));
    if !args.common.quiet && !batches.is_empty() {
        print(&format!("{}\n{}\n", table(&batches), totals.table()));
    }
    if let Some(folder) = &args.common.report {
        let counts = run.counts.iter().map(|(word, n)| ((*word).to_owned(), *n)).collect();
        let failures = run.failures.iter().map(|f| (f.item.clone(), f.reason.clone())).collect();
        let notes = Notes {
            title: "DESI pixels to Parquet",
            setting: setting(args, shown, shard),
            counts,
            zero_share: Some(zero_share),
            failures,
            alerts: &run.alerts,
        };
        let text = markdown(&batches, &totals, &notes);
        if let Err(e) = write_beside(folder, &text, &records) {
            say!("desi-tiles run: cannot write the report to {}: {e}", folder.display());
            return Ok(exit.worse(Exit::Transient));
        }
    }
    Ok(exit)
}

fn plan(args: &Args, source: &str, pixels: Vec<Pixel>, digest: String) -> Result<Plan<Pixel>, Refused> {
    let config = Config {
        source,
        cut: &args.cut,
        min_wavelength: args.min_wavelength,
        max_wavelength: args.max_wavelength,
        sorted_wavelength: args.sorted_wavelength,
        compat: args.compat,
    };
    let key = RunKey::new().code(env!("CARGO_PKG_VERSION")).input("inventory", digest);
    let key = key.config(&config).map_err(|e| refused(&e))?;
    let plan = Plan::new(pixels, key).map_err(|e| refused(&e))?;
    Ok(plan.about(json!({"program": "desi-tiles"})))
}

fn setting(args: &Args, source: &str, shard: Shard) -> Vec<(String, String)> {
    let pair = |name: &str, value: String| (name.to_owned(), value);
    vec![
        pair("version", env!("CARGO_PKG_VERSION").to_owned()),
        pair("inventory", args.which.inventory.display().to_string()),
        pair("source", source.to_owned()),
        pair("output", args.out.display().to_string()),
        pair("cut", args.cut.clone()),
        pair("wavelengths / Å", format!("{} to {}", args.min_wavelength, args.max_wavelength)),
        pair("pixels of a batch", args.batch_size.to_string()),
        pair("part", shard.to_string()),
    ]
}

/// Takes away the empty folders of files that were fetched; those of other shards are theirs.
fn tidy(out: &Path, raw: &Path) {
    prune(raw);
    let _ = std::fs::remove_dir(out.join("raw"));
}

/// A name that the data model has not is looked for in a file before anything begins: a slip must not cost a run.
fn columns(
    (tiles, place): (&Tiles, &Place),
    plan: &Plan<Pixel>,
    shard: Shard,
    cut: &Cut,
) -> Result<(), Refused> {
    let has = |known: &str, name: &String| known.eq_ignore_ascii_case(name);
    let strange: Vec<_> =
        cut.columns().iter().filter(|name| !REDSHIFTS.iter().any(|known| has(known, name))).collect();
    if strange.is_empty() || status(place.place()).is_ok_and(|stand| !stand.settled.is_empty()) {
        return Ok(());
    }
    // A file that cannot be had or read is for the run to tell.
    const TRIED: usize = 3;
    for unit in shard.of(plan.units().len()).map(|k| &plan.units()[k]).take(TRIED) {
        let Ok(pair) = tiles.source.redrock(unit) else { continue };
        let open = || -> Result<Vec<String>, coaddkit_fits::Error> {
            let table = Fits::open(pair.paths()[1])?.hdu_named("REDSHIFTS")?.table()?;
            Ok(table.columns().iter().map(|column| column.name.clone()).collect())
        };
        let Ok(names) = open() else { continue };
        let absent: Vec<&str> = strange
            .into_iter()
            .filter(|name| !names.iter().any(|known| has(known, name)))
            .map(String::as_str)
            .collect();
        if absent.is_empty() {
            return Ok(());
        }
        let what = format!(
            "--cut: REDSHIFTS of {} has no column {}; it has {}",
            tiles.source.place(&unit.redrock),
            absent.join(", "),
            names.join(", ")
        );
        return Err((Exit::Usage, what));
    }
    Ok(())
}

/// The pixels of the shard that came to an end, in this run or before, and which of them before.
fn records(
    place: &Place,
    plan: &Plan<Pixel>,
    shard: Shard,
    summary: &Summary,
    run: &mut Run,
) -> (Vec<Record>, Vec<Record>) {
    let ours: HashSet<&str> = shard.of(plan.names().len()).map(|k| plan.names()[k].as_str()).collect();
    let now: HashSet<&str> = summary.ended.iter().map(|record| record.unit.as_str()).collect();
    let mut records = match status(place.place()) {
        Ok(stand) => stand.settled.into_iter().chain(stand.failures).collect(),
        Err(e) => {
            run.alerts
                .push(format!("what earlier runs did could not be read, and is not in the report: {e}"));
            summary.ended.clone()
        }
    };
    records.retain(|record| ours.contains(record.unit.as_str()));
    records.sort_by(|a, b| a.unit.cmp(&b.unit));
    let earlier = records.iter().filter(|record| !now.contains(record.unit.as_str())).cloned().collect();
    (records, earlier)
}

/// Fills the report of the run in, and says how it ended.
fn judge(
    (args, place): (&Args, &Place),
    summary: &Summary,
    records: &[Record],
    zero_share: (f64, f64),
    run: &mut Run,
) -> Exit {
    missing(&summary.missing, run, args.common.quiet);
    let failures = records.iter().filter(|record| !record.state.is_settled());
    run.failures.extend(failures.clone().map(of_record));
    let mut exit = Exit::of_code(summary.exit_code());
    for kind in failures.filter_map(Record::failure) {
        exit = exit.worse(Exit::of_code(kind.exit_code()));
    }
    if let Some(stopped) = &summary.stopped {
        // Of the run as a whole there is no place.
        let (place, text) = match stopped.place() {
            "run" => ("", stopped.what().to_owned()),
            place => (place, stopped.to_string()),
        };
        say!("desi-tiles run: stopped: {text}");
        run.failed_item("run", place, stopped.what().to_owned());
    }
    run.counts = counts(&summary.counts);
    let fits = summary.ended.iter().filter_map(|record| record.metrics.get("fits_bytes")).sum::<f64>();
    run.bytes = fits as u64;
    exit = exit.worse(alerts::judge(records, summary.stopped.is_some(), zero_share, run));
    exit.worse(lacking(place, run))
}

/// Every outcome has its number, 0 if there is none.
pub fn counts<'a>(
    found: impl IntoIterator<Item = (&'a String, &'a u64)>,
) -> std::collections::BTreeMap<&'static str, u64> {
    const WORDS: [&str; 10] = [
        "done",
        "no_rows",
        "imported",
        "missing_input",
        "bad_data",
        "transient",
        "limit",
        "usage",
        "bug",
        "not_started",
    ];
    let mut counts: std::collections::BTreeMap<_, _> = WORDS.into_iter().map(|word| (word, 0)).collect();
    for (word, n) in found {
        let word = word.replace(' ', "_");
        if let Some(known) = WORDS.into_iter().find(|known| *known == word) {
            *counts.entry(known).or_default() += n;
        }
    }
    counts
}

pub fn of_record(record: &Record) -> Failed {
    Failed {
        item: record.unit.clone(),
        path: String::new(),
        reason: record.reason.clone().unwrap_or_default(),
        attempts: record.attempt,
    }
}

/// Targets that have a redshift and no spectrum, in pixels of earlier runs too.
pub fn lacking(place: &Place, run: &mut Run) -> Exit {
    // A folder that is not at its end has no merged result; that there are some is known by the pixels that are done.
    let merged = merge::<Lacking>(place.place()).map(|merged| merged.partial.0);
    let some = match &merged {
        Ok(list) => !list.is_empty(),
        Err(_) => status(place.place()).is_ok_and(|stand| {
            stand.settled.iter().any(|record| record.metrics.contains_key("without_spectrum"))
        }),
    };
    if let Ok(list) = &merged {
        let list = list.iter().map(|(pixel, id)| json!({"pixel": pixel, "targetid": id}));
        run.extra.insert("without_spectrum".to_owned(), list.collect());
    }
    if some { Exit::BadData } else { Exit::Complete }
}
