//! Builds the manifests of injection tasks, and compares them.

mod build;
mod compare;
mod regions;
mod split;

use clap::{Parser, Subcommand};
use coaddkit_examples::{StatusArgs, main as run_main, status};
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
    Build(Box<build::Args>),
    /// End a stage whose experiments were written in shards
    Merge(split::MergeArgs),
    /// Say how a run in shards stands: done, failed, blocked, not started
    Status(StatusArgs),
    /// Write scripts by which Slurm, Spark, Parsl, AWS Batch or Kubernetes build a stage in shards
    Emit(Box<split::EmitArgs>),
    /// Say what differs between two manifests; exit 65 if anything does
    Compare(compare::Args),
    /// Find regions of connected bricks, split and select them
    Regions(regions::Args),
}

fn main() -> ExitCode {
    let args = Args::parse();
    run_main(|| match args.job {
        Job::Build(args) => build::run(&args),
        Job::Merge(args) => split::merge_shards(&args),
        Job::Status(args) => status("injection-manifest status", "experiments", &args),
        Job::Emit(args) => split::emit_scripts(&args),
        Job::Compare(args) => compare::run(&args),
        Job::Regions(args) => regions::run(&args),
    })
}
