//! Negatives for the training of lens finders: the pool, the sample, and whether it may be used.

mod pool;
mod positives;
mod sample;
mod split;
mod validate;

use clap::{Parser, Subcommand};
use coaddkit_examples::{StatusArgs, main as run_main, status};
use std::process::ExitCode;

/// Galaxies that are no lenses: a pool from sweep catalogues, stratified samples of it, and their validation.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    job: Job,
}

#[derive(Subcommand)]
enum Job {
    /// Filter and classify sweeps into a pool, away from all known lenses
    Pool(Box<pool::Args>),
    /// Find the catalogue rows of known lenses, and their strata
    Positives(positives::Args),
    /// Draw negatives from a pool, by strata of the positives
    Sample(Box<sample::Args>),
    /// Put the parts of all shards of a pool or a sample together
    Merge(split::MergeArgs),
    /// Say how a run in shards stands: done, failed, blocked, not started
    Status(StatusArgs),
    /// Write scripts by which Slurm, Spark, Parsl, AWS Batch or Kubernetes run a pool or a sample in shards
    Emit(split::EmitArgs),
    /// Check a sample against its gates; exit 65 if a critical one fails
    Validate(validate::Args),
}

fn main() -> ExitCode {
    let args = Args::parse();
    run_main(|| match args.job {
        Job::Pool(args) => pool::run(&args),
        Job::Positives(args) => positives::run(&args),
        Job::Sample(args) => sample::run(&args),
        Job::Merge(args) => split::merge_shards(&args),
        Job::Status(args) => status("negative-sampling status", "units", &args),
        Job::Emit(args) => split::emit_scripts(&args),
        Job::Validate(args) => validate::run(&args),
    })
}
