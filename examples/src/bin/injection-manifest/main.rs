//! Builds the manifests of injection tasks, and compares them.

mod build;
mod compare;
mod regions;

use clap::{Parser, Subcommand};
use coaddkit_examples::main as run_main;
use std::process::ExitCode;

/// Which simulated lenses to paint on which galaxies: manifests that a second run reproduces byte for byte.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    job: Job,
}

#[derive(Subcommand)]
enum Job {
    /// Sample galaxies and write their tasks
    Build(build::Args),
    /// Say what differs between two manifests; exit 65 if anything does
    Compare(compare::Args),
    /// Find regions of connected bricks, split and select them
    Regions(regions::Args),
}

fn main() -> ExitCode {
    let args = Args::parse();
    run_main(|| match args.job {
        Job::Build(args) => build::run(&args),
        Job::Compare(args) => compare::run(&args),
        Job::Regions(args) => regions::run(&args),
    })
}
