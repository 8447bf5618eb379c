//! Counts luminous red galaxies per brick, and selects regions by their density.

mod count;
mod regions;
mod remote;

use clap::{Parser, Subcommand};
use coaddkit_examples::main as run_main;
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
    Count(count::Args),
    /// Join counts with a survey-bricks table, find connected regions and select the densest
    Regions(regions::Args),
}

fn main() -> ExitCode {
    let args = Args::parse();
    run_main(|| match args.job {
        Job::Count(args) => count::run(&args),
        Job::Regions(args) => regions::run(&args),
    })
}
