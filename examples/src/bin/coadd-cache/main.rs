//! Fills, verifies, repairs and describes a cache of coadded images.

mod args;
mod fill;
mod products;
mod split;
mod stats;
mod verify;

use args::{Args, Job};
use clap::Parser;
use coaddkit_examples::{main as run_main, status};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = Args::parse();
    run_main(move || match args.job {
        Job::Fill(args) => fill::fill(&args),
        Job::Repair(args) => fill::repair(&args),
        Job::Verify(args) => verify::verify(&args),
        Job::Merge(args) => split::merge_shards(&args),
        Job::Status(args) => status("coadd-cache status", "groups", &args),
        Job::Emit(args) => split::emit_scripts(&args),
        Job::Report(args) => verify::report(&args),
        Job::Stats(args) => stats::stats(&args),
    })
}
