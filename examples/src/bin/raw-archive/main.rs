//! Raw exposures from an archive: fetched, checked, set apart where corrupt, fetched again.

mod check;
mod fetch;
mod files;
mod inspect;
mod instrument;
mod known;
mod list;
mod miniature;
mod quarantine;
mod runs;
mod status;

use clap::{Parser, Subcommand};
use coaddkit_examples::main as run_main;
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Raw exposures of a camera, from the archive to a folder in which every file is whole.
///
/// Exit code 0: all that was asked for is there and whole. 65: a file is corrupt. 66: a file is missing. 75: something
/// failed that may work when run again.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    job: Job,
}

#[derive(Subcommand)]
enum Job {
    /// Fetch the files of a list, each verified, again and again until all are there
    Fetch(fetch::Args),
    /// Open every file and decode every HDU; goes on where an earlier check was
    Check(check::Args),
    /// Say how the last check stands, from its account
    Status(status::Args),
    /// Move what the last check found corrupt to quarantine
    Quarantine(status::Args),
    /// Write a small archive of simulated exposures, and a list of it
    Miniature(miniature::Args),
}

/// What a thread that panicked held is whole: it is only ever added to.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn main() -> ExitCode {
    let args = Args::parse();
    run_main(|| match args.job {
        Job::Fetch(args) => fetch::run(&args),
        Job::Check(args) => check::run(&args),
        Job::Status(args) => status::run(&args),
        Job::Quarantine(args) => status::quarantine(&args),
        Job::Miniature(args) => miniature::run(&args),
    })
}
