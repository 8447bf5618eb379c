use crate::split;
use coaddkit_examples::{
    Common, Exit, Refused, Run, ShardArgs, StepBar, Table, folder, local_sweeps, print, say, timestamp,
    unless_split,
};
use coaddkit_manifest::negatives::{Compat, FILTERS, Pool, PoolReport, SamplingConfig};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::{Path, PathBuf};

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
    pub positives: Vec<PathBuf>,
    /// The configuration (YAML; TOML if it ends in .toml)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where the pool goes: one Parquet file a sweep; with --shards also s3://bucket/prefix
    #[arg(long, value_name = "DIR|URL", value_parser = folder)]
    pub out: PathBuf,
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
    pub shards: ShardArgs,
    #[command(flatten)]
    pub common: Common,
}

/// What a process that did not make the pool needs, to end it.
#[derive(Serialize, Deserialize)]
pub struct Told {
    sweeps: Vec<PathBuf>,
    positives: Vec<PathBuf>,
    config: PathBuf,
    compat: Option<String>,
    timestamp: Option<String>,
    git_commit: String,
}

impl Args {
    /// The sweeps.
    pub fn files(&self) -> Result<Vec<PathBuf>, Refused> {
        local_sweeps(&self.sweeps, self.list.as_deref())
    }

    /// The rules.
    pub fn pool(&self) -> Result<Pool, Refused> {
        Ok(Pool { force: self.common.force, ..self.told(Vec::new()).pool()?.0 })
    }

    /// What is needed to end the pool.
    pub fn told(&self, sweeps: Vec<PathBuf>) -> Told {
        Told {
            sweeps,
            positives: self.positives.clone(),
            config: self.config.clone(),
            compat: self.compat.map(|compat| compat.name().to_owned()),
            timestamp: timestamp(self.timestamp.as_deref()),
            git_commit: self.git_commit.clone(),
        }
    }
}

impl Told {
    /// The rules, and the sweeps.
    pub fn pool(self) -> Result<(Pool, Vec<PathBuf>), Refused> {
        let of_error = |e: coaddkit_manifest::Error| (e.class().into(), e.to_string());
        let pool = Pool {
            config: SamplingConfig::read(&self.config).map_err(of_error)?,
            compat: self.compat.map(|day| day.parse()).transpose().map_err(of_error)?,
            timestamp: self.timestamp,
            git_commit: self.git_commit,
            force: false,
        };
        Ok((pool, self.sweeps))
    }

    /// The known lenses.
    pub fn positives(&self) -> &[PathBuf] {
        &self.positives
    }
}

pub fn compat(text: &str) -> Result<Compat, String> {
    text.parse().map_err(|e: coaddkit_manifest::Error| e.to_string())
}

pub fn run(args: &Args) -> Exit {
    let run = Run::start("negative-sampling pool");
    let common = &args.common;
    let split = |shard, run: &mut Run| split::pool_shard(args, shard, run);
    let mut run = match unless_split(run, common, args.shards.asked(), split) {
        Ok(run) => run,
        Err(exit) => return exit,
    };
    let (files, pool) = match args.files().and_then(|files| Ok((files, args.pool()?))) {
        Ok(ready) => ready,
        Err((exit, reason)) => return run.refuse(common, exit, &reason),
    };
    let bar = StepBar::new(common.quiet);
    let report = common.on_threads(|| pool.run(&files, &args.positives, &args.out, &bar));
    bar.finish();
    let report = match report {
        Ok(report) => report,
        Err(e) => return run.refuse(common, e.class().into(), &e.to_string()),
    };
    let failures = report.sweeps.iter().filter_map(|sweep| sweep.failure.as_ref());
    let exit = failures.fold(Exit::Complete, |exit, error| exit.worse(error.class().into()));
    tell(&report, &args.out, common.quiet, &mut run);
    run.end(common, exit)
}

/// Says what became of the sweeps, on the screen and in the report of the run.
pub fn tell(report: &PoolReport, out: &Path, quiet: bool, run: &mut Run) {
    for sweep in &report.sweeps {
        if let Some(error) = &sweep.error {
            say!("failed: {error}");
            run.failed(&sweep.path, error.clone());
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
    if !quiet {
        print(&(summary(report) + &format!("\n  pool  {}\n", out.display())));
    }
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
