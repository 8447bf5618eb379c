//! Tasks of the workspace: `cargo xtask help`.

use std::process::ExitCode;

mod check;
mod coadds;
mod conformance;
mod desi;
mod files;
mod fixtures;
mod oracle;
mod peers;
mod public_api;
mod sweep;
mod test;
mod tools;
mod vectors;

const HELP: &str = "\
cargo xtask TASK

  test [STEP...]           everything a change must pass; steps whose tools are absent are skipped, and say so
  ci [STEP...]             the same, with tools installed where that is possible, and a skip counted as a failure
  check                    the rules of the workspace: who imports whom, sizes, licences, documentation lints
  vectors DIR              compare the crates with reference values made by the reference implementations
  conformance DIR          compare every HDU and column of real files with what other readers read; DIR holds the
                           files and oracle.json, oracle_tables.json
  public-api [--check]     write what the published crates offer to docs/public-api/, or check that it stands there
  fixtures [--check]       write the miniature survey to fixtures/, or check that it is what the generator makes
  sweep OUT --rows N       write a sweep catalogue of N rows
        [--lc EPOCHS]      with the light-curve columns of earlier releases
        [--seed S]
  coadds DIR               write a miniature of the survey's coadds, and DIR/survey-bricks.fits.gz with its bricks
        [--psfsize] [--seed S]
        [--large N]        N bricks of files of 64 kB to 4 MB instead, with lists of them
  desi DIR                 write pixels of DESI spectra, and DIR/inventory.csv with their files
        [--pixels N] [--targets N] [--seed S]
  peers [SUBJECT|--all]    time the same work done by us and by others, into benches/record/: tables, images, sky,
                           transfer, manifest, batches
        [--quick]          with fewer rounds and fewer files
  help
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (task, rest) = args.split_first().map_or(("help", &[][..]), |(task, rest)| (*task, rest));
    let done = match task {
        "test" => test::run(rest, false),
        "ci" => test::run(rest, true),
        "check" => check::run(rest),
        "vectors" => vectors::run(rest),
        "conformance" => conformance::run(rest),
        "public-api" => public_api::run(rest),
        "fixtures" => fixtures::run(rest),
        "sweep" => sweep::run(rest),
        "coadds" => coadds::run(rest),
        "desi" => desi::run(rest),
        "peers" => peers::run(rest),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        _ => Err(Stop::Usage("there is no such task".to_owned())),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop::Usage(what)) => {
            eprintln!("xtask {task}: {what}\n`cargo xtask help` shows the tasks");
            ExitCode::from(2)
        }
        Err(Stop::Failed(what)) => {
            eprintln!("xtask {task}: {what}");
            ExitCode::FAILURE
        }
    }
}

/// Why a task did not end well.
#[derive(Debug)]
enum Stop {
    /// The command line, or what it names, is wrong: exit 2.
    Usage(String),
    /// The task ran and something failed: exit 1.
    Failed(String),
}

type Done = Result<(), Stop>;

impl Stop {
    /// Turns the error of some work into a failure that says what the work was.
    fn at<E: std::fmt::Display>(work: impl std::fmt::Display) -> impl FnOnce(E) -> Self {
        move |e| Self::Failed(format!("{work}: {e}"))
    }
}
