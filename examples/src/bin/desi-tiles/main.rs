//! Pixels of DESI spectra to Parquet: fetched, selected, converted, accounted for.

mod inventory;
mod job;
mod log;
mod run;
mod state;

use clap::{Parser, Subcommand};
use coaddkit_examples::main as run_main;
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
    Run(run::Args),
    /// List all inputs that are missing, and start nothing
    Check(run::CheckArgs),
    /// Say how a run stands: done, failed, blocked, not started
    Status(state::Args),
    /// Totals of a log of the earlier batch runner
    LogSummary(log::Args),
}

fn main() -> ExitCode {
    let args = Args::parse();
    run_main(|| match args.job {
        Job::Run(args) => run::run(&args),
        Job::Check(args) => run::check(&args),
        Job::Status(args) => state::run(&args),
        Job::LogSummary(args) => log::run(&args),
    })
}
