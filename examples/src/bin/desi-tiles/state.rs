use crate::run::exit_of;
use clap::Args as ClapArgs;
use coaddkit_examples::{Common, Exit, Failed, Run, Table, print};
use coaddkit_tasks::{State, status};
use std::path::PathBuf;

#[derive(ClapArgs)]
pub struct Args {
    /// The folder of a run
    folder: PathBuf,
    #[command(flatten)]
    common: Common,
}

pub fn run(args: &Args) -> Exit {
    let mut run = Run::start("desi-tiles status");
    let stand = match status(&args.folder) {
        Ok(stand) => stand,
        Err(e) => return run.refuse(&args.common, exit_of(e.kind().exit_code()), &e.to_string()),
    };
    let mut table = Table::new(["pixels", "number"]);
    for (word, count) in &stand.counts {
        table.row([word.clone(), Table::number(*count)]);
    }
    for (name, state) in [
        ("done", State::Done),
        ("skipped", State::Skipped),
        ("failed", State::Failed),
        ("blocked", State::Blocked),
        ("not_started", State::NotStarted),
    ] {
        run.counts.insert(name, stand.count(state) as u64);
    }
    for record in &stand.failures {
        run.failures.push(Failed {
            item: record.unit.clone(),
            path: String::new(),
            reason: record.reason.clone().unwrap_or_default(),
            attempts: record.attempt,
        });
    }
    if !args.common.quiet {
        print(&format!("{table}\n  {stand}\n"));
    }
    run.end(&args.common, exit_of(stand.exit_code()))
}
