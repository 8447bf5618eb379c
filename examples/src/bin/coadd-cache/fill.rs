//! `coadd-cache fill` and `repair`.

use crate::args::{FillArgs, Refused, RepairArgs, cache, exit_of_cache_error, refused};
use crate::{products, split, verify};
use coaddkit_cache::{
    BrickList, BrickState, CacheError, CoaddCache, Completeness, FileSet, Fill, Filled, KnownAbsent, Product,
    Thresholds,
};
use coaddkit_examples::{Exit, MoveBar, Run, Table, exit_of, print, say, unless_split};
use coaddkit_sky::BrickName;
use coaddkit_transfer::Progress;
use serde_json::{Value, json};
use sha2::Digest as _;
use std::path::Path;

/// What a fill needs, checked before any work.
pub struct Ready {
    pub bricks: BrickList,
    files: FileSet,
    cache: CoaddCache,
    absent: KnownAbsent,
}

pub fn fill(args: &FillArgs) -> Exit {
    let split = |(shard, out): (_, &Path), run: &mut Run| split::fill_shard(args, shard, out, run);
    let run_of = Run::start("coadd-cache fill");
    if let Err(exit) = unless_split(run_of, &args.common, args.group.asked(), split) {
        return exit;
    }
    run("coadd-cache fill", args, |_| Ok(Vec::new()))
}

/// Verifies, and fetches again what is damaged, with what is missing.
pub fn repair(args: &RepairArgs) -> Exit {
    let split = args.fill.group.shards.shards.is_some() || args.fill.group.shards.shard.is_some();
    if split || args.fill.group.out.is_some() {
        let run = Run::start("coadd-cache repair");
        return run.refuse(
            &args.fill.common,
            Exit::Usage,
            "a repair is not split; verify in shards, and fill again",
        );
    }
    run("coadd-cache repair", &args.fill, |ready| {
        let found = verify::look(
            &ready.cache,
            &ready.bricks,
            ready.files.clone(),
            args.level.into(),
            &args.fill.common,
        );
        let found = found.map_err(refused)?;
        if !args.fill.common.quiet {
            for problem in &found.problems {
                say!("damaged: {problem}");
            }
        }
        Ok(found.problems.iter().map(|problem| (problem.brick, problem.product)).collect())
    })
}

fn run(
    command: &'static str,
    args: &FillArgs,
    again: impl FnOnce(&Ready) -> Result<Vec<(BrickName, Product)>, Refused>,
) -> Exit {
    let (run, common) = (Run::start(command), &args.common);
    let ready = match prepare(args) {
        Ok(ready) => ready,
        Err((exit, why)) => return run.refuse(common, exit, &why),
    };
    let again = match again(&ready) {
        Ok(again) => again,
        Err((exit, why)) => return run.refuse(common, exit, &why),
    };
    let bar = MoveBar::new((ready.bricks.bricks().len() * ready.files.products().len()) as u64, common.quiet);
    let filled = work(args, &ready, &ready.bricks, again, &bar);
    bar.finish();
    match filled {
        Ok(filled) => end(run, args, &ready, &filled),
        Err(e) => {
            let exit = exit_of_cache_error(&e);
            run.refuse(common, exit, &e.to_string())
        }
    }
}

/// Fills some of the bricks.
pub fn work(
    args: &FillArgs,
    ready: &Ready,
    bricks: &BrickList,
    again: Vec<(BrickName, Product)>,
    progress: &dyn Progress,
) -> Result<Filled, CacheError> {
    Fill::new(&ready.cache, ready.files.clone(), &args.source)
        .configure(|transfer| args.moves.configure(transfer).cancel_on_signals())
        .force(args.common.force)
        .again(again)
        .empty_markers(args.empty_markers)
        .skip_absent(ready.absent.clone())
        .run(bricks, progress)
}

pub fn prepare(args: &FillArgs) -> Result<Ready, Refused> {
    let absent = match &args.skip_absent {
        None => KnownAbsent::default(),
        Some(path) => KnownAbsent::read(path).map_err(|e| {
            let bad = e.kind() == std::io::ErrorKind::InvalidData;
            (if bad { Exit::BadData } else { Exit::Missing }, e.to_string())
        })?,
    };
    let files = args.what.files()?;
    let bricks = args.what.list()?;
    Ok(Ready { bricks, files, cache: cache(&args.what.cache, args.moves.no_sign_request)?, absent })
}

pub fn end(mut run: Run, args: &FillArgs, ready: &Ready, filled: &Filled) -> Exit {
    let common = &args.common;
    let mut exit = exit_of(&filled.report);
    for record in &filled.records {
        *run.counts.entry(record.state.name()).or_default() += 1;
        exit = exit.worse(match record.state {
            BrickState::Complete => Exit::Complete,
            BrickState::Partial | BrickState::Absent => Exit::Missing,
            BrickState::Quarantined => Exit::BadData,
            // Why is in the account of the transfer; what has no account there may work another time.
            BrickState::Failed => Exit::Transient,
        });
        if !record.is_complete() {
            let missing: Vec<_> = record.missing.iter().map(ToString::to_string).collect();
            let reason =
                record.error.clone().unwrap_or_else(|| format!("the origin has no {}", missing.join(", ")));
            run.failed_item(&record.brick.to_string(), &record.prefix, format!("{}: {reason}", record.state));
        }
    }
    // What a run that was resumed can build on.
    let complete = filled.records.iter().filter(|record| record.is_complete()).count() as u64;
    run.counts.insert("done", complete);
    run.bytes = filled.report.bytes;
    if ready.bricks.repeated() > 0 {
        run.alerts.push(format!("{} bricks were named more than once", ready.bricks.repeated()));
    }
    if filled.replaced > 0 {
        run.alerts.push(format!("{} files lay there without a marker and were damaged", filled.replaced));
    }
    let counts = &filled.report.counts;
    if filled.records.iter().all(|record| record.state == BrickState::Absent) && counts.not_found > 0 {
        let alert = format!("{} has not one of the files: is that the folder above the bricks?", args.source);
        if !common.quiet {
            say!("{alert}");
        }
        run.alerts.push(alert);
    }
    let alert = match &filled.report.stopped {
        Some(stopped) => Some(format!("the run ended early: {stopped}")),
        None if counts.cancelled > 0 => Some(format!(
            "interrupted: {} of {} files were not fetched; the same command goes on from here",
            counts.cancelled,
            filled.report.missing.len() as u64 + counts.published + counts.present,
        )),
        None => None,
    };
    if let Some(alert) = alert {
        if !common.quiet {
            say!("{alert}");
        }
        run.alerts.push(alert);
    }
    let completeness = Completeness::of(&filled.records, &ready.bricks, 0, Thresholds::default());
    let place = ready.cache.place().to_string();
    let report = &filled.report;
    run.extra.insert("completeness".into(), json!(completeness));
    run.extra.insert(
        "transfer".into(),
        json!({
            "files": {
                "published": report.counts.published, "not_found": report.counts.not_found,
                "quarantined": report.counts.quarantined, "gave_up": report.counts.gave_up,
                "cancelled": report.counts.cancelled, "not_asked": filled.not_asked,
            },
            "complete_before": filled.complete_before, "bytes_received": report.received,
            "bytes_resumed": report.resumed, "requests": report.requests, "throttled": report.throttled,
            "seconds": report.elapsed.as_secs_f64(),
        }),
    );
    let config = config(args, ready, filled);
    exit = exit.worse(products::write_if_asked(
        common.report.as_deref(),
        &filled.records,
        &completeness,
        &place,
        &config,
    ));
    if !common.quiet && !common.json {
        print(&summary(filled, &place));
    }
    run.end(common, exit)
}

/// Every parameter of the run, those that were not given too.
fn config(args: &FillArgs, ready: &Ready, filled: &Filled) -> Value {
    let timestamp = args.timestamp.clone().or_else(|| std::env::var("SOURCE_DATE_EPOCH").ok());
    let bricks = std::fs::read(&args.what.bricks).ok();
    let digest = bricks.map(|bytes| {
        sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    });
    json!({
        "stage": "4b",
        "timestamp_utc": timestamp,
        "code_version": env!("CARGO_PKG_VERSION"),
        "coadd_base_url": args.source,
        "coadd_s3_cache_prefix": args.what.cache,
        "bricks": args.what.bricks,
        "bricks_sha256": digest,
        "bricks_asked": ready.bricks.bricks().len(),
        "bands": ready.files.bands().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "include_psfsize": args.what.psfsize,
        "products": ready.files.products().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "force": args.common.force,
        "empty_markers": args.empty_markers,
        "skip_absent": args.skip_absent.as_deref().map(Path::to_string_lossy),
        "transfer": args.moves,
        "idempotency": "a brick is skipped if its marker names every file asked for and a list of the cache has \
                        each with the size it says",
        "bricks_complete": filled.records.iter().filter(|record| record.is_complete()).count(),
    })
}

fn summary(filled: &Filled, place: &str) -> String {
    let mut table = Table::new(["bricks", "number"]);
    for state in BrickState::ALL {
        let number = filled.records.iter().filter(|record| record.state == state).count() as u64;
        table.row([state.to_string(), Table::number(number)]);
    }
    let report = &filled.report;
    let mut out = format!("{table}\n");
    let seconds = report.elapsed.as_secs_f64();
    let rate = report.bytes as f64 / seconds.max(1e-3) / 1e6;
    out.push_str(&format!(
        "  {} files fetched and verified, {:.3} GB in {seconds:.1} s ({rate:.1} MB/s); {} of {} bricks were complete before\n",
        Table::number(report.counts.published),
        report.bytes as f64 / 1e9,
        Table::number(filled.complete_before),
        Table::number(filled.records.len() as u64),
    ));
    out.push_str(&format!("  cache   {place}\n"));
    out
}
