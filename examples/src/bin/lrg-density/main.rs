//! Counts luminous red galaxies per brick, and selects regions by their density.

mod count;
mod regions;
mod remote;
mod split;

use clap::{Parser, Subcommand};
use coaddkit_examples::{StatusArgs, main as run_main, status};
use std::process::ExitCode;

/// Luminous red galaxies per brick: count them in sweep catalogues, then select regions by density.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    job: Job,
}

#[derive(Subcommand)]
enum Job {
    /// Count what passes a cut, per brick, in sweep files
    Count(Box<count::Args>),
    /// Put the parts of all shards of a count together
    Merge(split::MergeArgs),
    /// Say how a count in shards stands: done, failed, blocked, not started
    Status(StatusArgs),
    /// Write scripts by which Slurm, Spark, Parsl, AWS Batch or Kubernetes run a count in shards
    Emit(Box<split::EmitArgs>),
    /// Join counts with a survey-bricks table, find connected regions and select the densest
    Regions(regions::Args),
}

fn main() -> ExitCode {
    let args = Args::parse();
    run_main(|| match args.job {
        Job::Count(args) => count::run(&args),
        Job::Merge(args) => split::merge_shards(&args),
        Job::Status(args) => status("lrg-density status", "sweeps", &args),
        Job::Emit(args) => split::emit_scripts(&args),
        Job::Regions(args) => regions::run(&args),
    })
}
