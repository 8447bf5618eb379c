//! What every job that is split into shards shares: options, the account of the run, how it stands.

use crate::cli::{Common, Exit, print};
use crate::inputs::Refused;
use crate::moves::exit_of_error;
use crate::objects::Objects;
use crate::progress::CountBar;
use crate::run::{Failed, Run};
use crate::stop::Stop;
use crate::table::Table;
use clap::Args;
use coaddkit_tasks::{
    Done, Error, ErrorKind, Input, Job, Output, Place, Plan, Progress, Record, Runner, Shard, State, Status,
    Summary, status,
};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// Which part of a job a process does.
#[derive(Args, Clone, Debug, Default)]
pub struct ShardArgs {
    /// Split the work over so many processes, each of which does a shard; --out is their folder, or s3://bucket/prefix
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub shards: Option<u32>,
    /// Which shard this process does, from 0; else what Slurm, AWS Batch or Kubernetes say
    #[arg(long, value_name = "I")]
    pub shard: Option<u32>,
}

impl ShardArgs {
    /// The shard of this process, if the job is split.
    ///
    /// # Errors
    ///
    /// A shard without their number, or not below it.
    pub fn asked(&self) -> Result<Option<Shard>, Refused> {
        Shard::asked(self.shard, self.shards, |name| std::env::var(name).ok()).map_err(|e| refused(&e))
    }
}

/// How an error of the tasks ends a run.
pub fn refused(error: &Error) -> Refused {
    (Exit::of_code(error.kind().exit_code()), error.to_string())
}

/// What the manifests say of a unit that failed.
pub fn task_error(unit: &str, error: &coaddkit_manifest::Error) -> Error {
    use coaddkit_manifest::ErrorClass as Class;
    let kind = match error.class() {
        Class::Io => ErrorKind::Transient,
        Class::Missing => ErrorKind::Missing,
        Class::BadData => ErrorKind::Data,
        Class::Usage => ErrorKind::Usage,
        Class::Limit => ErrorKind::Limit,
    };
    let text = error.to_string();
    Error::new(kind, unit, text.strip_prefix(&format!("{unit}: ")).unwrap_or(&text))
}

/// Where the account of a run is: a folder, or a prefix of a bucket.
#[derive(Debug)]
pub struct Account {
    place: Place,
    /// Of a bucket, on the disk.
    scratch: Option<TempDir>,
}

impl Account {
    /// At an address: a path, or `s3://bucket/prefix`.
    ///
    /// # Errors
    ///
    /// It is none, or the disk has no room for what goes there for the time being.
    pub fn at(address: &Path, no_sign_request: bool) -> Result<Self, Refused> {
        let transient = |e: std::io::Error| (Exit::Transient, e.to_string());
        let place = crate::moves::destination(&address.to_string_lossy(), no_sign_request);
        let place = place.map_err(|e| (exit_of_error(&e), e.to_string()))?;
        match Objects::of(&place).map_err(transient)? {
            None => {
                crate::cli::folder(&address.to_string_lossy()).map_err(|e| (Exit::Usage, e))?;
                Ok(Self { place: Place::folder(address), scratch: None })
            }
            Some(objects) => {
                let scratch = tempfile::Builder::new().prefix("coaddkit-").tempdir().map_err(transient)?;
                Ok(Self { place: Place::store(Arc::new(objects), scratch.path()), scratch: Some(scratch) })
            }
        }
    }

    /// What the run says of itself, if it is one of this program: the first word of the command.
    ///
    /// # Errors
    ///
    /// There is no run, or it is one of another program.
    pub fn about(&self, command: &str) -> Result<serde_json::Value, Refused> {
        let about = coaddkit_tasks::about(&self.place).map_err(|e| refused(&e))?;
        let program = command.split(' ').next().unwrap_or_default();
        match about["program"].as_str() {
            Some(other) if other != program => Err((Exit::BadData, format!("this is a run of {other}"))),
            None if !about.is_null() => Err((Exit::BadData, "this is no run of ours".to_owned())),
            _ => Ok(about),
        }
    }

    /// For the tasks.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Where units put their products: from there they go to the bucket, if it is one.
    pub fn folder(&self) -> &Path {
        self.place.path()
    }

    /// Whether it is a bucket.
    pub fn is_remote(&self) -> bool {
        self.scratch.is_some()
    }
}

/// A job whose runs end tidily at Ctrl-C and SIGTERM: what is on its way comes to its end, and no more begins.
struct Stopping<'a, J> {
    job: &'a J,
    stop: &'a Stop,
}

impl<J: Job> Job for Stopping<'_, J> {
    type Unit = J::Unit;
    type Partial = J::Partial;

    fn inputs(&self, unit: &J::Unit) -> Vec<Input> {
        self.job.inputs(unit)
    }

    fn run(&self, unit: &J::Unit) -> Result<Done<J::Partial>, Error> {
        self.job.run(unit)
    }

    fn may_begin(&self, unit: &J::Unit) -> Result<(), Error> {
        self.stop.goes_on()?;
        self.job.may_begin(unit)
    }

    fn found(&self, unit: &J::Unit) -> Result<Option<Done<J::Partial>>, Error> {
        self.job.found(unit)
    }

    fn is_there(&self, input: &Input) -> Result<bool, Error> {
        self.job.is_there(input)
    }

    fn are_there(&self, inputs: &[Input], threads: usize) -> Result<Vec<bool>, Error> {
        self.job.are_there(inputs, threads)
    }

    fn word(&self, kind: ErrorKind) -> &'static str {
        self.job.word(kind)
    }

    fn is_current(&self, unit: &J::Unit, record: &Record) -> bool {
        self.job.is_current(unit, record)
    }

    fn verify(&self, unit: &J::Unit, folder: &Path, outputs: &[Output]) -> Result<(), Error> {
        self.job.verify(unit, folder, outputs)
    }
}

/// The bar.
struct Units(CountBar);

impl Progress for Units {
    fn found(&self, to_do: usize, _: usize) {
        self.0.total(to_do as u64);
    }

    fn ended(&self, record: &Record) {
        let failed = record.reason.as_ref().filter(|_| !record.state.is_settled());
        self.0.one("", failed.map(|why| format!("{}: {why}", record.word)));
    }
}

/// Does a shard, if the job is split: how the run ended, or the run as it was.
///
/// # Errors
///
/// The end of the run.
pub fn unless_split<S>(
    mut run: Run,
    common: &Common,
    asked: Result<Option<S>, Refused>,
    shard: impl FnOnce(S, &mut Run) -> Result<Exit, Refused>,
) -> Result<Run, Exit> {
    match asked.and_then(|asked| asked.map(|asked| shard(asked, &mut run)).transpose()) {
        Ok(None) => Ok(run),
        Ok(Some(exit)) => Err(run.end(common, exit)),
        Err((exit, reason)) => Err(run.refuse(common, exit, &reason)),
    }
}

/// Does a shard of a job, so many units at once, and fills the report of the run in.
///
/// # Errors
///
/// The account is of another run, or another process is at work on the shard.
pub fn run_shard<J: Job>(
    job: &J,
    plan: &Plan<J::Unit>,
    (account, shard): (&Account, Shard),
    (word, at_once): (&'static str, usize),
    (common, run): (&Common, &mut Run),
) -> Result<Exit, Refused> {
    let stop = Arc::new(Stop::default());
    stop.listen(None);
    let bar = Units(CountBar::new(word, common.quiet));
    let runner = Runner::new(account.place()).shard(shard).threads(at_once).force(common.force);
    let summary = runner.run(&Stopping { job, stop: &stop }, plan, &bar).map_err(|e| refused(&e));
    bar.0.finish();
    let summary = summary?;
    fill(&summary, run);
    if let Some(stopped) = &summary.stopped {
        say!("stopped: {stopped}");
        run.failed_item("run", stopped.place(), stopped.what().to_owned());
    }
    run.extra.insert("to_do".to_owned(), summary.to_do.into());
    run.extra.insert("shard".to_owned(), json!({"index": shard.index(), "count": shard.count()}));
    if !common.quiet {
        let count = |state: State| summary.ended.iter().filter(|record| record.state == state).count();
        print(&format!(
            "  {shard}: {} of {} {word} to do, {} done, {} failed, {} blocked\n",
            summary.to_do,
            summary.units,
            count(State::Done) + count(State::Skipped),
            count(State::Failed),
            count(State::Blocked),
        ));
    }
    Ok(Exit::of_code(summary.exit_code()))
}

fn fill(summary: &Summary, run: &mut Run) {
    let settled: usize =
        summary.units - summary.to_do + summary.ended.iter().filter(|r| r.state.is_settled()).count();
    let count = |state: State| summary.ended.iter().filter(|record| record.state == state).count() as u64;
    let (failed, blocked) = (count(State::Failed), count(State::Blocked));
    let rest = (summary.units - settled) as u64 - failed - blocked;
    run.counts.extend([
        ("done", settled as u64),
        ("failed", failed),
        ("blocked", blocked),
        ("not_started", rest),
    ]);
    run.failures.extend(summary.failures().map(of_record));
}

/// A unit that failed, for the report.
pub fn of_record(record: &Record) -> Failed {
    let reason = record.reason.clone().unwrap_or_default();
    // Where it is stands in the reason of most errors.
    Failed { item: record.unit.clone(), path: record.unit.clone(), reason, attempts: record.attempt }
}

/// `status` of any job.
#[derive(Args, Clone, Debug)]
pub struct StatusArgs {
    /// The folder of a run, or s3://bucket/prefix
    #[arg(value_name = "DIR|URL")]
    pub folder: std::path::PathBuf,
    #[command(flatten)]
    pub unfinished: Unfinished,
    #[command(flatten)]
    pub common: Common,
}

/// The shards that are to run again.
#[derive(Args, Clone, Debug)]
pub struct Unfinished {
    /// Print only the shards that are not finished, as 0-3,7; nothing if all are
    #[arg(long)]
    unfinished: bool,
    /// Number of shards, for a run of which none has begun
    #[arg(long, value_name = "N", requires = "unfinished", value_parser = clap::value_parser!(u32).range(1..))]
    shards: Option<u32>,
}

impl Unfinished {
    /// The answer, if that is asked for.
    ///
    /// # Errors
    ///
    /// The account cannot be read, or is of another number of shards.
    pub fn answer(&self, account: &Account) -> Option<Result<String, Refused>> {
        self.unfinished.then(|| {
            let all = |shards: Option<u32>| (0..shards.unwrap_or(1)).collect();
            let left: Vec<u32> = match status(account.place()) {
                Ok(stand) if stand.shards == 0 => all(self.shards),
                Ok(stand) if self.shards.is_some_and(|n| n != stand.shards) => {
                    let what = format!("the run is worked through in {} shards", stand.shards);
                    return Err((Exit::Usage, what));
                }
                Ok(stand) => stand.unfinished_shards,
                // Nobody has begun.
                Err(e) if e.kind() == ErrorKind::Missing && self.shards.is_some() => all(self.shards),
                Err(e) => return Err(refused(&e)),
            };
            Ok(ranges(&left))
        })
    }
}

/// `0-3,7`.
fn ranges(numbers: &[u32]) -> String {
    let mut texts = Vec::new();
    for run in numbers.chunk_by(|a, b| a + 1 == *b) {
        match run {
            [one] => texts.push(one.to_string()),
            [first, .., last] => texts.push(format!("{first}-{last}")),
            [] => {}
        }
    }
    texts.join(",")
}

/// Says how a run stands.
pub fn stand(command: &'static str, word: &'static str, args: &StatusArgs) -> Exit {
    stand_by(command, args, |stand, run, quiet| show(stand, word, run, quiet))
}

/// Says how a run stands, in the words of its job.
pub fn stand_by(
    command: &'static str,
    args: &StatusArgs,
    show: impl FnOnce(&Status, &mut Run, bool),
) -> Exit {
    let mut run = Run::start(command);
    let common = &args.common;
    let account = match Account::at(&args.folder, false) {
        Ok(account) => account,
        Err((exit, why)) => return run.refuse(common, exit, &why),
    };
    match args.unfinished.answer(&account) {
        Some(Ok(text)) => {
            print(&format!("{text}\n"));
            return Exit::Complete;
        }
        Some(Err((exit, why))) => return run.refuse(common, exit, &why),
        None => {}
    }
    let stand = account.about(command).and_then(|_| status(account.place()).map_err(|e| refused(&e)));
    let stand = match stand {
        Ok(stand) => stand,
        Err((exit, why)) => return run.refuse(common, exit, &why),
    };
    show(&stand, &mut run, common.quiet);
    run.end(common, Exit::of_code(stand.exit_code()))
}

/// Every state has its number in the report of the run; what shards are left, and what was on its way, is there too.
pub fn count_states(stand: &Status, run: &mut Run) {
    for (name, state) in [
        ("done", State::Done),
        ("skipped", State::Skipped),
        ("failed", State::Failed),
        ("blocked", State::Blocked),
        ("not_started", State::NotStarted),
    ] {
        run.counts.insert(name, stand.count(state) as u64);
    }
    run.extra.insert("shards".to_owned(), stand.shards.into());
    run.extra.insert("unfinished_shards".to_owned(), json!(stand.unfinished_shards));
    run.extra.insert("interrupted".to_owned(), json!(stand.interrupted));
}

/// Tells how a run stands, on the screen and in the report.
pub fn show(stand: &Status, word: &'static str, run: &mut Run, quiet: bool) {
    count_states(stand, run);
    run.failures.extend(stand.failures.iter().map(of_record));
    for (unit, what) in &stand.gone {
        run.failed_item(unit, unit, what.clone());
    }
    if quiet {
        return;
    }
    let mut table = Table::new([word, "number"]);
    for (word, count) in &stand.counts {
        table.row([word.clone(), Table::number(*count)]);
    }
    print(&format!("{table}\n  {stand}\n"));
    if stand.shards > 1 && !stand.unfinished_shards.is_empty() {
        print(&format!("  shards that are not finished: {}\n", ranges(&stand.unfinished_shards)));
    }
    for failure in run.failures.iter().take(20) {
        // Most reasons begin with where it was.
        let place = if failure.reason.starts_with(&failure.item) {
            String::new()
        } else {
            format!("{}: ", failure.item)
        };
        print(&format!("  {place}{}\n", failure.reason));
    }
    if run.failures.len() > 20 {
        print(&format!("  … and {} more; --json lists them\n", run.failures.len() - 20));
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn shards_in_the_form_of_an_array() {
        let of = |numbers: &[u32]| super::ranges(numbers);
        assert_eq!(of(&[]), "");
        assert_eq!(of(&[7]), "7");
        assert_eq!(of(&[0, 1, 2, 3, 7, 9, 10]), "0-3,7,9-10");
    }
}
