use coaddkit_examples::{Common, Exit, Run, StepBar, Table, folder, local_sweeps, print, say, timestamp};
use coaddkit_manifest::negatives::{Compat, FILTERS, Pool, PoolReport, SamplingConfig};
use serde_json::json;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    /// Sweep catalogues (.fits or .fits.gz)
    #[arg(long, value_name = "FILE", num_args = 1.., required_unless_present = "list", conflicts_with = "list")]
    sweeps: Vec<PathBuf>,
    /// A file that names one sweep a line; blank lines and lines that start with # do not count
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// A catalogue of known lenses (CSV, Parquet or FITS) to keep away from; may be given several times
    #[arg(long, value_name = "FILE", required = true)]
    positives: Vec<PathBuf>,
    /// The configuration (YAML; TOML if it ends in .toml)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where the pool goes: one Parquet file a sweep
    #[arg(long, value_name = "DIR", value_parser = folder)]
    out: PathBuf,
    /// Classes and splits as the published job of that day ran them: 2026-02-07 or 2026-02-09
    #[arg(long, value_name = "DAY", value_parser = compat)]
    compat: Option<Compat>,
    /// Time that rows carry; else SOURCE_DATE_EPOCH, else `created_at` of the configuration
    #[arg(long, value_name = "TEXT")]
    timestamp: Option<String>,
    /// Version of the code that rows carry
    #[arg(long, value_name = "TEXT", default_value = "unknown")]
    git_commit: String,
    #[command(flatten)]
    common: Common,
}

pub fn compat(text: &str) -> Result<Compat, String> {
    text.parse().map_err(|e: coaddkit_manifest::Error| e.to_string())
}

pub fn run(args: &Args) -> Exit {
    let mut run = Run::start("negative-sampling pool");
    let common = &args.common;
    let files = match local_sweeps(&args.sweeps, args.list.as_deref()) {
        Ok(files) => files,
        Err((exit, reason)) => return run.refuse(common, exit, &reason),
    };
    let config = match SamplingConfig::read(&args.config) {
        Ok(config) => config,
        Err(e) => return run.refuse(common, e.class().into(), &e.to_string()),
    };
    let pool = Pool {
        config,
        compat: args.compat,
        timestamp: timestamp(args.timestamp.as_deref()),
        git_commit: args.git_commit.clone(),
        force: common.force,
    };
    let bar = StepBar::new(common.quiet);
    let report = common.on_threads(|| pool.run(&files, &args.positives, &args.out, &bar));
    bar.finish();
    let report = match report {
        Ok(report) => report,
        Err(e) => return run.refuse(common, e.class().into(), &e.to_string()),
    };
    let mut exit = Exit::Complete;
    for sweep in &report.sweeps {
        if let Some(error) = &sweep.failure {
            say!("failed: {error}");
            run.failed(&sweep.path, error.to_string());
            exit = exit.worse(error.class().into());
        }
    }
    let skipped = report.sweeps.iter().filter(|s| s.skipped).count() as u64;
    run.bytes = report.sweeps.iter().map(|s| s.bytes).sum();
    run.counts.extend([
        ("done", (report.sweeps.len() - run.failures.len()) as u64),
        ("skipped", skipped),
        ("failed", run.failures.len() as u64),
        ("rows", report.total.rows),
        ("kept", report.total.kept),
    ]);
    run.alerts.clone_from(&report.alerts);
    run.extra.insert("pool".to_owned(), json!(report));
    if !common.quiet {
        print(&(summary(&report) + &format!("\n  pool  {}\n", args.out.display())));
    }
    run.end(common, exit)
}

fn summary(report: &PoolReport) -> String {
    let mut flow = Table::new(["filter", "in", "lost"]);
    let mut left = report.total.rows;
    for (name, lost) in FILTERS.iter().zip(report.total.lost) {
        flow.row([(*name).to_owned(), Table::number(left), Table::number(lost)]);
        left -= lost;
    }
    flow.row(["kept".to_owned(), Table::number(left), String::new()]);
    let confusers: u64 = report.total.confusers.iter().sum();
    let [train, val, test] = report.total.splits.map(Table::number);
    let alerts: String = report.alerts.iter().map(|alert| format!("  note: {alert}\n")).collect();
    format!(
        "{flow}\n  N1 {}  N2 {}  train {train}  val {val}  test {test}\n{alerts}",
        Table::number(report.total.kept - confusers),
        Table::number(confusers),
    )
}
