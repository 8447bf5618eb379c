//! `coadd-cache verify` and `report`.

use crate::args::{Refused, ReportArgs, VerifyArgs, exit_of_cache_error, filled_cache};
use crate::{products, split};
use coaddkit_cache::{
    BrickList, BrickRecord, BrickState, CacheError, CoaddCache, Completeness, FileSet, Verified, Verify,
};
use coaddkit_examples::{Common, Exit, Run, Table, print, unless_split};
use coaddkit_fits::Level;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::path::Path;

pub fn verify(args: &VerifyArgs) -> Exit {
    let split = |(shard, out): (_, &Path), run: &mut Run| split::verify_shard(args, shard, out, run);
    let run_of = Run::start("coadd-cache verify");
    if let Err(exit) = unless_split(run_of, &args.report.common, args.group.asked(), split) {
        return exit;
    }
    run("coadd-cache verify", &args.report, args.level.into())
}

/// What a list of the files says.
pub fn report(args: &ReportArgs) -> Exit {
    run("coadd-cache report", args, Level::Size)
}

/// Looks at the cache on the threads asked for, with a bar.
pub fn look(
    cache: &CoaddCache,
    bricks: &BrickList,
    files: FileSet,
    level: Level,
    common: &Common,
) -> Result<Verified, CacheError> {
    let hidden = common.quiet || !std::io::stderr().is_terminal();
    let bar = if hidden { ProgressBar::hidden() } else { ProgressBar::new(bricks.bricks().len() as u64) };
    if let Ok(style) =
        ProgressStyle::with_template("  {bar:28} {percent:>3} %  {pos}/{len} bricks  {eta} left")
    {
        bar.set_style(style.progress_chars("━╸─"));
    }
    let mut common = common.clone();
    if common.threads == 0 && cache.place().as_store().is_some() {
        // They wait for the store most of the time.
        common.threads = 16;
    }
    let found = common.on_threads(|| Verify::new(files, level).run(cache, bricks, &|_| bar.inc(1)));
    bar.finish_and_clear();
    found
}

fn run(command: &'static str, args: &ReportArgs, level: Level) -> Exit {
    let (run, common) = (Run::start(command), &args.common);
    let (files, bricks, cache) = match ready(args) {
        Ok(ready) => ready,
        Err((exit, why)) => return run.refuse(common, exit, &why),
    };
    match look(&cache, &bricks, files, level, common) {
        Ok(found) => end(run, args, &cache, &bricks, &found),
        Err(e) => {
            let exit = exit_of_cache_error(&e);
            run.refuse(common, exit, &e.to_string())
        }
    }
}

/// What a look needs, checked before any work.
pub fn ready(args: &ReportArgs) -> Result<(FileSet, BrickList, CoaddCache), Refused> {
    let ReportArgs { what, limits, no_sign_request, .. } = args;
    limits.check()?;
    Ok((what.files()?, what.list()?, filled_cache(&what.cache, *no_sign_request)?))
}

/// Says what was found, on the screen and in the report of the run.
pub fn end(
    mut run: Run,
    args: &ReportArgs,
    cache: &CoaddCache,
    bricks: &BrickList,
    found: &Verified,
) -> Exit {
    let ReportArgs { what, limits, common, .. } = args;
    let mut exit = if found.problems.is_empty() { Exit::Complete } else { Exit::BadData };
    for record in &found.records {
        *run.counts.entry(record.state.name()).or_default() += 1;
        exit = exit.worse(match record.state {
            BrickState::Complete => Exit::Complete,
            BrickState::Failed if found.problems.is_empty() => Exit::Transient,
            BrickState::Failed => Exit::BadData,
            _ => Exit::Missing,
        });
        if !record.is_complete() {
            let reason = format!("{}: {}", record.state, why(record));
            run.failed_item(&record.brick.to_string(), &record.prefix, reason);
        }
    }
    let complete = found.records.iter().filter(|record| record.is_complete()).count() as u64;
    run.counts.insert("done", complete);
    run.bytes = found.bytes_read;
    let place = cache.place().to_string();
    let completeness =
        Completeness::of(&found.records, bricks, found.extra.len() as u64, limits.thresholds());
    let problems: Vec<_> = found
        .problems
        .iter()
        .map(|p| {
            json!({
                "brick": p.brick.to_string(), "file": p.product.file_name(p.brick), "level": p.level.name(),
                "hdu": p.hdu, "offset": p.offset, "what": p.what,
            })
        })
        .collect();
    let config = json!({
        "stage": "4b-verify",
        "code_version": env!("CARGO_PKG_VERSION"),
        "coadd_s3_cache_prefix": what.cache,
        "bricks": what.bricks,
        "bands": what.bands,
        "include_psfsize": what.psfsize,
        "level": found.level.name(),
        "pass_pct": limits.pass,
        "warn_pct": limits.warn,
    });
    run.extra.insert("level".into(), found.level.name().into());
    run.extra.insert("completeness".into(), json!(completeness));
    run.extra.insert("problems".into(), problems.into());
    exit = exit.worse(products::write_if_asked(
        common.report.as_deref(),
        &found.records,
        &completeness,
        &place,
        &config,
    ));
    if !common.quiet && !common.json {
        print(&summary(found, &completeness, &place));
    }
    run.end(common, exit)
}

/// Why a brick is not complete.
fn why(record: &BrickRecord) -> String {
    record.error.clone().unwrap_or_else(|| {
        let missing: Vec<_> = record.missing.iter().map(ToString::to_string).collect();
        format!("not there: {}", missing.join(", "))
    })
}

fn summary(found: &Verified, completeness: &Completeness, place: &str) -> String {
    const FEW: usize = 20;
    let mut table = Table::new(["bricks", "number"]);
    for state in BrickState::ALL {
        let number = completeness.states.get(state.name()).copied().unwrap_or(0);
        table.row([state.to_string(), Table::number(number)]);
    }
    let mut out = format!("{table}\n");
    let damaged: BTreeSet<_> = found.problems.iter().map(|problem| problem.brick).collect();
    let problems = found.problems.iter().map(|problem| format!("damaged  {problem}"));
    let others = found.records.iter().filter(|r| !r.is_complete() && !damaged.contains(&r.brick));
    let others = others.map(|record| format!("{}  {}: {}", record.state, record.brick, why(record)));
    let lines: Vec<String> = problems.chain(others).collect();
    lines.iter().take(FEW).for_each(|line| out.push_str(&format!("  {line}\n")));
    if lines.len() > FEW {
        out.push_str(&format!("  … {} more are in the report (--report DIR)\n", lines.len() - FEW));
    }
    out.push_str(&format!(
        "  {}: {:.3} % of {} bricks are complete at level {} in {place}\n",
        completeness.status.name(),
        completeness.completeness_pct,
        Table::number(completeness.total_expected_bricks),
        found.level.name(),
    ));
    out
}
