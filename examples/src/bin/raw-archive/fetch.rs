//! `raw-archive fetch`: many files at once, each verified, resubmitted until all are there.

use crate::known::{self, Verified, first_names};
use crate::list::{self, Raw};
use crate::lock;
use crate::quarantine::{self, Quarantine};
use clap::{Args as ClapArgs, ValueEnum};
use coaddkit_cache::Unpublished;
use coaddkit_examples::{
    Common, Exit, Failed, MoveArgs, MoveBar, Refused, Run, Table, exit_of_error, exit_of_outcome, folder,
    print, say,
};
use coaddkit_fits::{Fits, Level, Severity};
use coaddkit_transfer::{
    Cancel, Content, Destination, Existing, Finished, Item, Outcome, Plan, Progress, Report, Transfer,
};
use serde_json::json;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

#[derive(ClapArgs)]
pub struct Args {
    /// CSV with the columns name, url, md5sum, size, or those of an answer of the archive: archive_filename, url, md5sum, filesize
    #[arg(long, value_name = "FILE", required_unless_present = "query", conflicts_with = "query")]
    list: Option<PathBuf>,
    /// The answer of the archive to a query, as JSON
    #[arg(long, value_name = "JSON")]
    query: Option<PathBuf>,
    /// The folder of the raw files
    #[arg(long, value_name = "DIR", value_parser = folder)]
    out: PathBuf,
    /// What becomes of a file that the list has under another name already, by its MD5
    #[arg(long, value_enum, default_value_t = Duplicates::Skip, value_name = "WHAT")]
    duplicates: Duplicates,
    /// Most rounds in which files that failed are asked for again; a round in which none came is the last
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,
    /// Seconds between two rounds
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=86_400))]
    round_pause: u64,
    #[command(flatten)]
    moves: MoveArgs,
    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Duplicates {
    /// It is told, and not there: an exposure that is ingested twice is counted twice
    Skip,
    /// It is a hard link to the first
    Link,
}

/// The account of all rounds.
#[derive(Default)]
struct Fetched {
    /// By the place in the list of what was asked for.
    outcomes: HashMap<usize, Finished>,
    attempts: HashMap<usize, u32>,
    rounds: u32,
    published: u64,
    bytes: u64,
    received: u64,
    resumed: u64,
    requests: u64,
    throttled: u64,
    stopped: Option<(Exit, String)>,
}

impl Fetched {
    /// Takes up a round of the files at these places; returns those that may come another time.
    fn take(&mut self, places: &[usize], report: &Report, all: Vec<(usize, Finished)>) -> Vec<usize> {
        self.rounds += 1;
        self.published += report.counts.published;
        self.bytes += report.bytes;
        self.received += report.received;
        self.resumed += report.resumed;
        self.requests += report.requests;
        self.throttled += report.throttled;
        self.stopped = report.stopped.as_ref().map(|e| (exit_of_error(e), e.to_string()));
        let mut again = Vec::new();
        for (index, finished) in all {
            let place = places[index];
            *self.attempts.entry(place).or_default() += finished.attempts;
            if matches!(&finished.outcome, Outcome::GaveUp(e) if exit_of_error(e) == Exit::Transient) {
                again.push(place);
            }
            self.outcomes.insert(place, finished);
        }
        again.sort_unstable();
        again
    }
}

/// Hears of each file as it ends.
struct Hears<'a> {
    /// Of the round.
    bar: Mutex<MoveBar>,
    dir: &'a Path,
    raws: HashMap<&'a str, &'a Raw>,
    verified: Mutex<(Verified, Option<io::Error>)>,
    ended: Mutex<Vec<(usize, Finished)>>,
}

impl Progress for Hears<'_> {
    fn bytes(&self, bytes: u64) {
        lock(&self.bar).bytes(bytes);
    }

    fn finished(&self, item: &Item, finished: &Finished) {
        lock(&self.bar).finished(item, finished);
        if let Some(raw) = self.raws.get(item.destination()).filter(|_| finished.outcome.is_there()) {
            let mut verified = lock(&self.verified);
            if let Err(error) = verified.0.note(self.dir, raw) {
                verified.1.get_or_insert(error);
            }
        }
        lock(&self.ended).push((finished.index, finished.clone()));
    }
}

pub fn run(args: &Args) -> Exit {
    let mut run = Run::start("raw-archive fetch");
    match go(args, &mut run) {
        Ok(exit) => run.end(&args.common, exit),
        Err((exit, reason)) => run.refuse(&args.common, exit, &reason),
    }
}

fn go(args: &Args, run: &mut Run) -> Result<Exit, Refused> {
    let Some(list) = args.list.as_ref().or(args.query.as_ref()) else {
        return Err((Exit::Usage, "give a --list or a --query".to_owned()));
    };
    let raws = list::read(list)?;
    let failed = |e: io::Error| (Exit::Transient, format!("{}: {e}", args.out.display()));
    fs::create_dir_all(&args.out).map_err(failed)?;
    let kept = quarantine::folder(&args.out);
    let mut exit = set_apart(args, &kept, run)?;
    known::remember(&args.out, &raws)?;
    let verified = Verified::open(&args.out).map_err(failed)?;

    let again = first_names(&raws);
    let is_present = |raw: &&Raw| {
        let there = fs::metadata(args.out.join(&raw.name)).ok().filter(fs::Metadata::is_file);
        let right = |there: fs::Metadata| raw.size.is_none_or(|size| size == there.len());
        !args.common.force
            && there.is_some_and(right)
            && (raw.md5.is_none() || verified.holds(&args.out, raw))
    };
    let (present, wanted): (Vec<&Raw>, Vec<&Raw>) =
        raws.iter().filter(|raw| !again.contains_key(&raw.name)).partition(is_present);
    let hears = Hears {
        bar: Mutex::new(MoveBar::new(wanted.len() as u64, args.common.quiet)),
        dir: &args.out,
        raws: wanted.iter().map(|raw| (raw.name.as_str(), *raw)).collect(),
        verified: Mutex::new((verified, None)),
        ended: Mutex::default(),
    };
    let fetched = rounds(args, &wanted, &hears);
    lock(&hears.bar).finish();
    let fetched = fetched?;
    let noted = hears.verified.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = noted.1 {
        run.alerts.push(format!("what was verified could not be noted, and will be read again: {error}"));
    }
    exit = exit.worse(set_apart(args, &kept, run)?);
    exit = exit.worse(account(args, run, &wanted, present.len() as u64, &fetched));
    exit = exit.worse(duplicates(args, run, &again)?);
    if !args.common.quiet {
        print(&summary(args, run, &raws, &fetched));
    }
    Ok(exit)
}

/// Takes up what a transfer put aside, of this run or of one that was killed.
fn set_apart(args: &Args, kept: &Path, run: &mut Run) -> Result<Exit, Refused> {
    if !kept.exists() {
        return Ok(Exit::Complete);
    }
    let failed = |e: io::Error| (Exit::Transient, format!("{}: {e}", kept.display()));
    let mut quarantine = Quarantine::open(kept.to_owned())?;
    let taken = quarantine.adopt().map_err(failed)?;
    quarantine.refetch(&args.out, &known::read(&args.out)?).map_err(failed)?;
    for (name, error) in &taken.failed {
        run.failed(&args.out.join(name), format!("could not be moved to quarantine: {error}"));
    }
    Ok(if taken.failed.is_empty() { Exit::Complete } else { Exit::Transient })
}

/// Fetches, again and again, until all are there, or a round brings nothing.
fn rounds(args: &Args, wanted: &[&Raw], hears: &Hears<'_>) -> Result<Fetched, Refused> {
    let refused = |e: coaddkit_transfer::Error| (exit_of_error(&e), e.to_string());
    let mut fetched = Fetched::default();
    if wanted.is_empty() {
        return Ok(fetched);
    }
    let item = |raw: &Raw| -> Result<Item, coaddkit_transfer::Error> {
        let mut item = Item::new(&raw.url, &raw.name)?;
        item = raw.size.map_or(item.clone(), |size| item.bytes(size));
        Ok(raw.digest().map_or(item.clone(), |digest| item.digest(digest)))
    };
    let items: Vec<Item> = wanted.iter().map(|raw| item(raw)).collect::<Result<_, _>>().map_err(refused)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|e| (Exit::Transient, e.to_string()))?;
    let cancel = Cancel::default();
    let start = Instant::now();
    runtime.block_on(async {
        // Where the system does not tell of signals, a run ends as one that is killed.
        let _ = cancel.on_signals();
        let mut places: Vec<usize> = (0..items.len()).collect();
        while !places.is_empty() {
            let plan = Plan::new(places.iter().map(|&place| items[place].clone())).map_err(refused)?;
            let Some(moves) = in_time(&args.moves, start) else { break };
            let transfer = moves
                .configure(Transfer::new(Destination::folder(&args.out)))
                .existing(if args.common.force { Existing::Replace } else { Existing::Verify })
                .validate(judge)
                .quarantine(&format!("{}/{}", quarantine::FOLDER, quarantine::INCOMING))
                .cancel(&cancel);
            let report = transfer.run(&plan, hears).await.map_err(refused)?;
            let ended = std::mem::take(&mut *lock(&hears.ended));
            let brought = report.counts.published;
            places = fetched.take(&places, &report, ended);
            let over = fetched.stopped.is_some() || brought == 0 || fetched.rounds >= args.rounds;
            if places.is_empty() || over || cancel.is_cancelled() {
                break;
            }
            if !args.common.quiet {
                say!(
                    "round {}: {brought} came, {} are asked for again in {} s",
                    fetched.rounds,
                    places.len(),
                    args.round_pause
                );
            }
            let pause = Duration::from_secs(args.round_pause);
            if tokio::time::timeout(pause, cancel.cancelled()).await.is_ok() {
                break;
            }
            let next = MoveBar::new(places.len() as u64, args.common.quiet);
            std::mem::replace(&mut *lock(&hears.bar), next).finish();
        }
        Ok(fetched)
    })
}

/// The options for a round that begins now; none if the time for the whole is over.
fn in_time(moves: &MoveArgs, start: Instant) -> Option<MoveArgs> {
    let mut moves = moves.clone();
    if let Some(seconds) = moves.give_up_after {
        moves.give_up_after = Some(seconds.checked_sub(start.elapsed().as_secs()).filter(|&left| left > 0)?);
    }
    Some(moves)
}

/// A file whose digest is known is what the archive has, and what is wrong with that is for `check` to say. Of others
/// the structure has to be that of a FITS file to its end.
fn judge(item: &Item, content: &Content<'_>) -> Result<(), String> {
    if item.expect.digest.is_some() {
        return Ok(());
    }
    let content = content.share().map_err(|e| e.to_string())?;
    let findings = Fits::from_source(Unpublished(content)).and_then(|fits| fits.verify(Level::Structure));
    let findings = findings.map_err(|e| e.to_string())?;
    match findings.into_iter().find(|finding| finding.severity == Severity::Error) {
        Some(bad) => Err(bad.to_string()),
        None => Ok(()),
    }
}

/// Counts how all files ended, and tells of those that are not there.
fn account(args: &Args, run: &mut Run, wanted: &[&Raw], present: u64, fetched: &Fetched) -> Exit {
    let mut exit = fetched.stopped.as_ref().map_or(Exit::Complete, |(exit, _)| *exit);
    if let Some((_, why)) = &fetched.stopped {
        run.alerts.push(format!("the run ended early: {why}"));
    }
    for word in ["done", "not_found", "quarantined", "gave_up", "cancelled"] {
        run.counts.insert(word, 0);
    }
    let mut verified = 0;
    *run.counts.entry("done").or_default() += present;
    for (place, raw) in wanted.iter().enumerate() {
        let outcome = fetched.outcomes.get(&place).map_or(&Outcome::Cancelled, |finished| &finished.outcome);
        exit = exit.worse(exit_of_outcome(outcome));
        let word = if outcome.is_there() { "done" } else { outcome.word() };
        *run.counts.entry(word).or_default() += 1;
        verified += u64::from(matches!(outcome, Outcome::Present { .. }));
        if let Some(reason) = outcome.reason() {
            let path = match outcome {
                Outcome::Quarantined { .. } => {
                    quarantine::folder(&args.out).join(&raw.name).display().to_string()
                }
                _ => raw.url.clone(),
            };
            let attempts = fetched.attempts.get(&place).copied().unwrap_or(0);
            run.failures.push(Failed { item: raw.name.clone(), path, reason, attempts });
        }
    }
    run.bytes = fetched.bytes;
    run.extra.insert(
        "transfer".to_owned(),
        json!({
            "fetched": fetched.published, "present": present, "verified_in_place": verified, "rounds": fetched.rounds,
            "requests": fetched.requests, "throttled": fetched.throttled, "bytes_received": fetched.received,
            "bytes_resumed": fetched.resumed,
        }),
    );
    exit
}

/// Deals with files that are in the list under two names.
fn duplicates(args: &Args, run: &mut Run, again: &HashMap<String, String>) -> Result<Exit, Refused> {
    let mut exit = Exit::Complete;
    let mut told: Vec<_> = again.iter().collect();
    told.sort();
    run.counts.insert("duplicate", told.len() as u64);
    for (name, first) in &told {
        let (link, target) = (args.out.join(name), args.out.join(first));
        if args.duplicates == Duplicates::Link && target.exists() {
            let made = match fs::hard_link(&target, &link) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => replace(&target, &link),
                made => made,
            };
            if let Err(error) = made {
                exit = exit.worse(Exit::Transient);
                run.failed(&link, format!("could not be linked to {first}: {error}"));
            }
        }
    }
    let told: Vec<_> = told.iter().map(|(name, first)| json!({"name": name, "same_as": first})).collect();
    run.extra.insert("duplicates".to_owned(), json!(told));
    Ok(exit)
}

/// Puts a link in the place of a file, unless it is one already.
fn replace(target: &Path, link: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let (a, b) = (fs::metadata(target)?, fs::metadata(link)?);
    if (a.dev(), a.ino()) == (b.dev(), b.ino()) {
        return Ok(());
    }
    let folder = link.parent().unwrap_or(Path::new("."));
    let part = tempfile::Builder::new().prefix(".link-").tempdir_in(folder)?;
    let new = part.path().join("link");
    fs::hard_link(target, &new)?;
    fs::rename(new, link)
}

fn summary(args: &Args, run: &Run, raws: &[Raw], fetched: &Fetched) -> String {
    let mut table = Table::new(["files", "number"]);
    for (word, count) in run.counts.iter().filter(|(word, count)| **count > 0 || **word == "done") {
        table.row([(*word).to_owned(), Table::number(*count)]);
    }
    let mut out = format!("{table}\n");
    out.push_str(&format!(
        "  {} of {} files fetched and verified, {:.3} GB in {} rounds, {} requests\n",
        Table::number(fetched.published),
        Table::number(raws.len() as u64),
        fetched.bytes as f64 / 1e9,
        fetched.rounds,
        Table::number(fetched.requests),
    ));
    out.push_str(&format!("  raws    {}\n", args.out.display()));
    out
}
