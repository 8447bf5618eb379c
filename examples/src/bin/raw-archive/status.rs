//! `raw-archive status` and `quarantine`: what the account of a check says.

use crate::check::{account, quarantine_dir, set_apart};
use crate::files::RawFile;
use crate::inspect::Flaw;
use crate::list;
use crate::quarantine;
use crate::runs::Runs;
use clap::Args as ClapArgs;
use coaddkit_examples::{Common, Exit, Failed, Refused, Run, Table, count_states, print};
use coaddkit_tasks::{Error, ErrorKind, Status, status};
use std::path::PathBuf;

#[derive(ClapArgs)]
pub struct Args {
    /// The folder that was checked
    dir: PathBuf,
    /// The folder of corrupt_raws: that of the last check unless given
    #[arg(long, value_name = "DIR")]
    quarantine: Option<PathBuf>,
    /// The list that the files were fetched by, for the list of what to fetch again
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// Where the account of the check is: DIR/_check unless given
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

impl Args {
    /// The quarantine: the one that is given, or the one of the last check.
    fn kept(&self) -> Result<PathBuf, Refused> {
        let given = self.quarantine.as_deref();
        let last = match given {
            Some(_) => None,
            None => Runs::quarantine(&account(&self.dir, self.out.as_deref()))?,
        };
        Ok(last.unwrap_or_else(|| quarantine_dir(&self.dir, given)))
    }

    fn stand(&self) -> Result<Status, Refused> {
        let folder = Runs::last(&account(&self.dir, self.out.as_deref()))?.folder();
        status(&folder).map_err(|e: Error| (Exit::of_code(e.kind().exit_code()), e.to_string()))
    }
}

/// How the last check stands.
pub fn run(args: &Args) -> Exit {
    let mut run = Run::start("raw-archive status");
    match show(args, &mut run) {
        Ok(exit) => run.end(&args.common, exit),
        Err((exit, reason)) => run.refuse(&args.common, exit, &reason),
    }
}

fn show(args: &Args, run: &mut Run) -> Result<Exit, Refused> {
    let stand = args.stand()?;
    let kept = args.kept()?;
    let entries = quarantine::entries(&kept)?;
    count_states(&stand, run);
    run.counts.insert("quarantined", entries.len() as u64);
    let mut table = Table::new(["file", "stands", "why"]);
    for record in &stand.failures {
        let name = RawFile::name_of(&record.unit);
        let reason = record.reason.clone().unwrap_or_default();
        let apart =
            RawFile::same(&args.dir, &record.unit).is_none() && entries.iter().any(|e| e.name == name);
        let word = match record.kind {
            Some(ErrorKind::Data) if apart => "in quarantine",
            Some(ErrorKind::Data) => "corrupt",
            _ => record.state.word(),
        };
        table.row([name.to_owned(), word.to_owned(), reason.clone()]);
        run.failures.push(Failed {
            item: name.to_owned(),
            path: args.dir.join(name).display().to_string(),
            reason,
            attempts: record.attempt,
        });
    }
    if !args.common.quiet {
        let failures = if stand.failures.is_empty() { String::new() } else { format!("{table}\n") };
        print(&format!("{failures}  {stand}; {} in quarantine\n", entries.len()));
    }
    Ok(Exit::of_code(stand.exit_code()))
}

/// Moves what the last check found corrupt, and what has not changed since, to quarantine.
pub fn quarantine(args: &Args) -> Exit {
    let mut run = Run::start("raw-archive quarantine");
    match set_corrupt_apart(args, &mut run) {
        Ok(exit) => run.end(&args.common, exit),
        Err((exit, reason)) => run.refuse(&args.common, exit, &reason),
    }
}

fn set_corrupt_apart(args: &Args, run: &mut Run) -> Result<Exit, Refused> {
    let stand = args.stand()?;
    let listed = args.list.as_deref().map(list::read).transpose()?;
    let bad = stand.failures.iter().filter(|record| record.kind == Some(ErrorKind::Data));
    let corrupt: Vec<_> =
        bad.map(|r| (r.unit.clone(), Flaw::parse(r.reason.as_deref().unwrap_or_default()))).collect();
    let kept = args.kept()?;
    let taken = set_apart(&args.dir, &kept, &corrupt, listed.as_deref(), run)?;
    run.counts.insert("done", taken.moved.len() as u64);
    run.counts.insert("failed", taken.failed.len() as u64);
    if !args.common.quiet {
        let mut table = Table::new(["file", "hdu", "byte", "what is wrong"]);
        let number = |n: Option<u64>| n.map_or_else(String::new, |n| n.to_string());
        for e in &taken.moved {
            let hdu = number(e.flaw.hdu.map(|n| n as u64));
            table.row([e.name.clone(), hdu, number(e.flaw.offset), e.flaw.what.clone()]);
        }
        let moved = if taken.moved.is_empty() { String::new() } else { format!("{table}\n") };
        print(&format!("{moved}  {} moved to {}\n", taken.moved.len(), kept.display()));
    }
    Ok(if taken.failed.is_empty() { Exit::Complete } else { Exit::Transient })
}
