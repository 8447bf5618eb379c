//! Sweeps that are elsewhere: fetched, verified, counted and let go, a few at a time.

use coaddkit_cache::Unpublished;
use coaddkit_density::{Count, Counts, Failure, FileError};
use coaddkit_examples::{Exit, MoveArgs, MoveBar, Refused, destination, exit_of_error, exit_of_outcome};
use coaddkit_fits::{Fits, Level, Severity};
use coaddkit_transfer::{Content, Destination, Finished, Item, Outcome, Plan, Progress, Transfer};
use flate2::{Compression, GzBuilder};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How files of other machines are read.
#[derive(clap::Args, Clone, Debug, Serialize)]
pub struct RemoteArgs {
    /// Keep a compressed copy of every sweep that is fetched here, and look there first
    #[arg(long, value_name = "DIR|URL")]
    cache: Option<String>,
    /// Where sweeps lie while they are counted, at most three for each connection; they are removed after it
    #[arg(long, value_name = "DIR", default_value_os_t = std::env::temp_dir())]
    spool: PathBuf,
    #[command(flatten)]
    moves: MoveArgs,
}

impl RemoteArgs {
    /// Whether buckets are public.
    pub fn no_sign_request(&self) -> bool {
        self.moves.no_sign_request
    }
}

/// What became of the sweeps that are elsewhere.
pub struct Fetched {
    pub counts: Counts,
    pub alerts: Vec<String>,
}

/// One sweep that is to be fetched.
struct Sweep {
    address: PathBuf,
    /// Its name in the mirror, where it is not yet there.
    keep: Option<String>,
}

/// Counts sweeps as they come.
struct Desk {
    count: Count,
    args: RemoteArgs,
    mirror: Option<Destination>,
    sweeps: HashMap<String, Sweep>,
    spool: tempfile::TempDir,
    threads: rayon::ThreadPool,
    bar: MoveBar,
    /// Counts by the name in the spool, until it is known that the file came whole.
    open: Mutex<HashMap<String, Counts>>,
    done: Mutex<Fetched>,
}

/// Fetches these sweeps and counts them.
pub fn count(
    count: &Count,
    addresses: &[PathBuf],
    args: &RemoteArgs,
    threads: usize,
    quiet: bool,
) -> Result<Fetched, Refused> {
    let refused = |e: coaddkit_transfer::Error| (exit_of_error(&e), e.to_string());
    let transient = |e: &dyn ToString| (Exit::Transient, e.to_string());
    let no_sign = args.moves.no_sign_request;
    let mirror = args.cache.as_ref().map(|at| destination(at, no_sign).map_err(refused)).transpose()?;
    let kept = mirror.as_ref().map_or(Ok(Vec::new()), |mirror| mirror.list_blocking("")).map_err(refused)?;
    let kept: HashSet<String> = kept.into_iter().map(|entry| entry.name).collect();
    let (mut near, mut items, mut sweeps, mut names) =
        (Vec::new(), Vec::new(), HashMap::new(), HashMap::new());
    for (number, address) in addresses.iter().enumerate() {
        let text = address.to_string_lossy();
        let item = Item::named(&text).map_err(refused)?;
        let keep = format!("{}.gz", item.destination().trim_end_matches(".gz"));
        if let (Some(_), Some(other)) = (&mirror, names.insert(keep.clone(), address)) {
            let why = format!("{text} and {} would have the same name {keep} in --cache", other.display());
            return Err((Exit::Usage, why));
        }
        let there = kept.contains(&keep);
        match mirror.as_ref().filter(|_| there) {
            Some(mirror) if mirror.as_folder().is_some() => {
                near.extend(mirror.as_folder().map(|folder| (address, folder.join(&keep))));
                continue;
            }
            _ => {}
        }
        // Sweeps of the north and of the south have the same names.
        let name = format!("{number:06}-{}", item.destination());
        let source = match &mirror {
            Some(mirror) if there => format!("{mirror}/{keep}"),
            _ => text.into_owned(),
        };
        items.push(Item::new(&source, &name).map_err(refused)?);
        sweeps.insert(name, Sweep { address: address.clone(), keep: (!there).then_some(keep) });
    }
    let spool = tempfile::Builder::new().prefix("lrg-density-").tempdir_in(&args.spool);
    let desk = Arc::new(Desk {
        count: count.clone(),
        args: args.clone(),
        mirror,
        sweeps,
        spool: spool.map_err(|e| transient(&format!("{}: {e}", args.spool.display())))?,
        threads: rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(|e| transient(&e))?,
        bar: MoveBar::new(items.len() as u64, quiet),
        open: Mutex::default(),
        done: Mutex::new(Fetched { counts: count.none(), alerts: Vec::new() }),
    });
    let near: Vec<Counts> = desk.threads.install(|| {
        let one = |(address, file): &(&PathBuf, PathBuf)| {
            count.one(address, std::fs::metadata(file).map_or(0, |meta| meta.len()), Fits::open(file))
        };
        near.par_iter().map(one).collect()
    });
    near.into_iter().for_each(|counts| desk.done().counts.merge(counts));
    let plan = Plan::new(items).map_err(refused)?;
    let to = Destination::folder(desk.spool.path()).without_sync();
    let judge = Arc::clone(&desk);
    let judge = move |item: &Item, content: &Content<'_>| judge.judge(item.destination(), content);
    let transfer = args.moves.configure(Transfer::new(to).validate(judge)).cancel_on_signals();
    let ended = transfer.run_blocking(&plan, &*desk).map_err(refused);
    drop(transfer);
    desk.bar.finish();
    let stopped = ended?.stopped;
    let mut done = std::mem::replace(&mut *desk.done(), Fetched { counts: count.none(), alerts: Vec::new() });
    done.alerts.extend(stopped.map(|why| format!("the run ended early: {why}")));
    Ok(done)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    fn done(&self) -> MutexGuard<'_, Fetched> {
        lock(&self.done)
    }

    /// Counts a file that has come, unless it is damaged.
    fn judge(&self, name: &str, content: &Content<'_>) -> Result<(), String> {
        let Some(sweep) = self.sweeps.get(name) else { return Ok(()) };
        let source = || content.share().map(Unpublished).map_err(|e| e.to_string());
        let bytes = source()?;
        let counts = self.threads.install(|| {
            let fits = Fits::from_source(bytes);
            // A digest of the whole is rarely known; checksums that a file carries have to be right.
            if let Ok(findings) =
                fits.as_ref().map_or_else(|_| Ok(Vec::new()), |fits| fits.verify(Level::Checksum))
                && let Some(bad) = findings.into_iter().find(|f| f.severity == Severity::Error)
            {
                return Err(bad.to_string());
            }
            Ok(self.count.one(&sweep.address, content.len(), fits))
        })?;
        let failed = counts.failed().next().map(|(_, error)| error.to_string());
        lock(&self.open).insert(name.to_owned(), counts);
        if let Some(why) = failed {
            return Err(why);
        }
        if let (Some(keep), Some(mirror)) = (&sweep.keep, &self.mirror)
            && let Err(e) = self.keep(name, keep, &source()?, content.len(), mirror)
        {
            self.done().alerts.push(format!("{keep} could not be kept in {mirror}: {e}"));
        }
        Ok(())
    }

    /// Puts a compressed copy into the mirror, whole or not at all.
    fn keep(
        &self,
        name: &str,
        keep: &str,
        source: &Unpublished,
        bytes: u64,
        mirror: &Destination,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let path = self.spool.path().join(format!("{name}.mirror"));
        let mut reader = Whole { source, at: 0 };
        let mut first = [0; 2];
        let compressed = source.0.read_at(&mut first, 0)? == 2 && first == [0x1f, 0x8b];
        let mut file = File::create(&path)?;
        let copied = if compressed {
            io::copy(&mut reader, &mut file)
        } else {
            // Equal bytes give equal copies: no time, no name.
            let mut gzip = GzBuilder::new().write(&mut file, Compression::new(6));
            io::copy(&mut reader, &mut gzip).and_then(|n| gzip.finish().map(|_| n))
        };
        let done = copied.map_err(Box::<dyn std::error::Error>::from).and_then(|n| {
            if n != bytes {
                return Err(format!("{n} of {bytes} bytes").into());
            }
            let plan = Plan::new([Item::file(&path, keep)?])?;
            let report = self.args.moves.configure(Transfer::new(mirror.clone())).run_blocking(&plan, &())?;
            match report.missing.first().and_then(|finished| finished.outcome.reason()) {
                None => Ok(()),
                Some(why) => Err(why.into()),
            }
        });
        std::fs::remove_file(&path)?;
        done
    }
}

impl Progress for Desk {
    fn bytes(&self, bytes: u64) {
        self.bar.bytes(bytes);
    }

    fn finished(&self, item: &Item, finished: &Finished) {
        self.bar.finished(item, finished);
        let name = item.destination();
        let counted = lock(&self.open).remove(name);
        match (&finished.outcome, counted) {
            (Outcome::Published(_), Some(counts)) => {
                // It has been counted; a file that stays goes with the folder.
                let _ = std::fs::remove_file(self.spool.path().join(name));
                self.done().counts.merge(counts);
            }
            // What is wrong with it as a sweep says more.
            (Outcome::Quarantined { .. }, Some(counts)) if counts.failed().count() > 0 => {
                self.done().counts.merge(counts);
            }
            (outcome, _) => {
                let failure = match exit_of_outcome(outcome) {
                    Exit::Missing => Failure::Missing,
                    Exit::BadData => Failure::BadData,
                    _ => Failure::Transient,
                };
                let why = outcome.reason().unwrap_or_else(|| outcome.word().to_owned());
                if let Some(sweep) = self.sweeps.get(name) {
                    let error = FileError::new(&sweep.address, failure, why);
                    self.done().counts.fail(&sweep.address, error);
                }
            }
        }
    }
}

/// The bytes from the first to the last.
struct Whole<'a> {
    source: &'a Unpublished,
    at: u64,
}

impl io::Read for Whole<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.source.0.read_at(buf, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}
