//! Negatives for the training of lens finders: the pool, the sample, and whether it may be used.

mod pool;
mod positives;
mod sample;
mod validate;

use clap::{Parser, Subcommand};
use coaddkit_examples::main as run_main;
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
    Pool(pool::Args),
    /// Find the catalogue rows of known lenses, and their strata
    Positives(positives::Args),
    /// Draw negatives from a pool, by strata of the positives
    Sample(sample::Args),
    /// Check a sample against its gates; exit 65 if a critical one fails
    Validate(validate::Args),
}

fn main() -> ExitCode {
    let args = Args::parse();
    run_main(|| match args.job {
        Job::Pool(args) => pool::run(&args),
        Job::Positives(args) => positives::run(&args),
        Job::Sample(args) => sample::run(&args),
        Job::Validate(args) => validate::run(&args),
    })
}
