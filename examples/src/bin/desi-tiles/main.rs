//! Pixels of DESI spectra to Parquet: fetched, selected, converted, accounted for.

mod account;
mod alerts;
mod analyze;
mod completed;
mod emit;
mod inventory;
mod job;
mod log;
mod metrics;
mod report;
mod run;
mod source;
mod state;
mod which;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use coaddkit_examples::{StatusArgs, main as run_main};
use std::process::ExitCode;

/// DESI spectra by HEALPix pixel: coadd and redrock files to Parquet tables of selected targets.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    job: Job,
}

#[derive(Subcommand)]
enum Job {
    /// Fetch and convert the pixels of an inventory; goes on where an earlier run was
    Run(Box<run::Args>),
    /// List all inputs that are missing, and start nothing
    Check(which::CheckArgs),
    /// Say how a run stands: done, failed, blocked, not started
    Status(StatusArgs),
    /// Open every product of a run and compare it with what was noted
    Verify(state::Args),
    /// Put the accounts of all shards together
    Merge(state::MergeArgs),
    /// Write scripts by which Slurm, Spark, Parsl, AWS Batch or Kubernetes run the pixels in shards
    Emit(Box<emit::EmitArgs>),
    /// Look at every row of all tables: one schema, lists of equal length, redshifts, counts
    Analyze(analyze::Args),
    /// Totals of a log of the earlier batch runner, or of a log of this one
    LogSummary(log::Args),
}

fn main() -> ExitCode {
    let force = |run: clap::Command| run.mut_arg("force", |arg| arg.help(run::FORCE));
    let matches = Args::command().mut_subcommand("run", force).get_matches();
    let args = Args::from_arg_matches(&matches).unwrap_or_else(|e| e.exit());
    run_main(|| match args.job {
        Job::Run(args) => run::run(&args),
        Job::Check(args) => which::check(&args),
        Job::Status(args) => state::run(&args),
        Job::Verify(args) => state::verify(&args),
        Job::Merge(args) => state::merge_shards(&args),
        Job::Emit(args) => emit::scripts(&args),
        Job::Analyze(args) => analyze::run(&args),
        Job::LogSummary(args) => log::run(&args),
    })
}
