//! Where the files are: a folder, in which they are read where they lie, or another machine, from which they are
//! fetched and verified.

use crate::inventory::Pixel;
use coaddkit_cache::Unpublished;
use coaddkit_examples::{CountBar, MoveArgs, Stop};
use coaddkit_fits::{Fits, Level, Severity};
use coaddkit_tasks::{Error, ErrorKind, Input};
use coaddkit_transfer::{
    Content, Destination, ErrorKind as TransferKind, Finished, Item, Outcome, Plan, Progress, Transfer,
};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes between two looks at how much of the disk is free.
const LOOK: u64 = 16 << 20;

/// Their names here.
const FILES: [&str; 2] = ["coadd.fits", "redrock.fits"];

/// Where keys lead to.
pub struct Source {
    base: String,
    /// The same without credentials.
    shown: String,
    moves: MoveArgs,
    quiet: bool,
    /// None for a folder, and where nothing is to be fetched.
    fetch: Option<Fetch>,
    disk: Disk,
    /// Ends the run early.
    pub stop: Arc<Stop>,
}

/// How files come here: all pixels share what is known of the host.
struct Fetch {
    transfer: Transfer,
    raw: PathBuf,
    keep: bool,
    /// Asks whether the host answers anything at all, one after the other.
    asks: Mutex<Transfer>,
}

/// The disk of the products.
struct Disk {
    path: PathBuf,
    /// Bytes that stay free.
    min_free: u64,
}

impl Source {
    /// A source that can be asked what is there.
    pub fn new(base: &str, moves: &MoveArgs, quiet: bool) -> Self {
        let disk = Disk { path: PathBuf::new(), min_free: 0 };
        let base = if base.len() > 1 { base.trim_end_matches('/') } else { base };
        // What is no address is refused when its first file is asked for.
        let shown = base.parse::<coaddkit_transfer::Source>().map_or(base.to_owned(), |s| s.to_string());
        Self {
            base: base.to_owned(),
            shown,
            moves: moves.clone(),
            quiet,
            fetch: None,
            disk,
            stop: Arc::default(),
        }
    }

    /// Files come to `raw` if they are elsewhere, and go again; those of pixels that fail stay if they are to be kept.
    /// So many bytes of the disk of `out` stay free.
    pub fn fetching(mut self, out: &Path, raw: &Path, keep: bool, min_free: u64) -> Self {
        self.disk = Disk { path: out.to_owned(), min_free };
        if self.is_remote() {
            // That is for the whole run, and each pixel is a transfer of its own.
            self.moves.give_up_after = None;
            let cancel = self.stop.cancel();
            let to = Destination::folder(raw).without_sync();
            let transfer = self.moves.configure(Transfer::new(to).validate(sound)).cancel(cancel);
            let once = MoveArgs { max_attempts: 1, ..self.moves.clone() };
            let asks = Mutex::new(once.configure(Transfer::new(Destination::folder(raw))).cancel(cancel));
            self.fetch = Some(Fetch { transfer, raw: raw.to_owned(), keep, asks });
        }
        self
    }

    /// A source without a scheme is a folder.
    pub fn is_remote(&self) -> bool {
        self.base.contains("://")
    }

    fn address(&self, key: &str) -> String {
        format!("{}/{key}", self.base)
    }

    /// Where it is, for people.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Where a key leads to, for people.
    pub fn place(&self, key: &str) -> String {
        format!("{}/{key}", self.shown)
    }

    /// The two files of a pixel, here.
    pub fn pair(&self, unit: &Pixel) -> Result<Pair, Error> {
        self.bring(unit, &[0, 1])
    }

    /// Its redrock file alone.
    pub fn redrock(&self, unit: &Pixel) -> Result<Pair, Error> {
        self.bring(unit, &[1])
    }

    /// These of the two files of a pixel.
    fn bring(&self, unit: &Pixel, which: &[usize]) -> Result<Pair, Error> {
        let keys = [&unit.coadd, &unit.redrock];
        let places = keys.map(|key| self.place(key));
        let Some(fetch) = &self.fetch else {
            let files = keys.map(|key| PathBuf::from(self.address(key)));
            return Ok(Pair { files, places, folders: Vec::new(), keep_failed: false });
        };
        let under = unit.id.folder();
        let folder = fetch.raw.join(&under);
        let mut pair = Pair {
            files: FILES.map(|name| folder.join(name)),
            places,
            folders: vec![folder, fetch.raw.join("_quarantine").join(&under)],
            keep_failed: fetch.keep,
        };
        let item = |&i: &usize| Item::new(&self.address(keys[i]), &format!("{under}/{}", FILES[i]));
        let items = which.iter().map(item).collect::<Result<Vec<_>, _>>().map_err(|e| failed(&e))?;
        let plan = Plan::new(items).map_err(|e| failed(&e))?;
        let watch = Watch { disk: &self.disk, stop: &self.stop, since: AtomicU64::new(0) };
        let report = fetch.transfer.run_blocking(&plan, &watch).map_err(|e| failed(&e))?;
        let Some(finished) = report.missing.first() else { return Ok(pair) };
        pair.failed();
        self.stop.goes_on()?;
        for finished in &report.missing {
            self.judge_host(fetch, &finished.outcome);
        }
        let kind = match &finished.outcome {
            Outcome::NotFound { .. } => ErrorKind::Missing,
            Outcome::Quarantined { .. } => ErrorKind::Data,
            Outcome::GaveUp(e) => kind(e.kind()),
            _ => ErrorKind::Transient,
        };
        let why = finished.outcome.reason().unwrap_or_else(|| finished.outcome.word().to_owned());
        Err(Error::new(kind, plan.items()[finished.index].source(), why))
    }

    /// Ends the run where the host is not asked any more, or answers nothing at all: the other pixels would fail, too.
    fn judge_host(&self, fetch: &Fetch, outcome: &Outcome) {
        let Outcome::GaveUp(error) = outcome else { return };
        let dead = match error.kind() {
            TransferKind::HostStopped => true,
            TransferKind::Transient => {
                let asks = fetch.asks.lock().unwrap_or_else(PoisonError::into_inner);
                self.stop.goes_on().is_ok() && !self.answers(&asks)
            }
            _ => false,
        };
        if dead {
            let what = format!("nothing can be fetched from here, so the run ends: {}", error.what());
            self.stop.end(Error::new(ErrorKind::Transient, &self.shown, what));
        }
    }

    /// Whether the host has an answer, such as that there is no such file.
    fn answers(&self, asks: &Transfer) -> bool {
        let Ok(item) = Item::new(&self.address("index.html"), "index.html") else { return true };
        let looked = Plan::new([item]).and_then(|plan| asks.look_blocking(&plan, &()));
        let silent =
            |f: &Finished| matches!(&f.outcome, Outcome::GaveUp(e) if e.kind() != TransferKind::Refused);
        looked.is_ok_and(|report| !report.missing.iter().any(silent))
    }

    /// Which of these are there: all are asked for, as many at once as the source allows.
    pub fn are_there(&self, inputs: &[Input]) -> Result<Vec<bool>, Error> {
        if !self.is_remote() {
            let there = |input: &Input| {
                let path = Path::new(&input.place);
                path.try_exists().map_err(|e| Error::io(path, &e))
            };
            return inputs.iter().map(there).collect();
        }
        let items = inputs.iter().enumerate().map(|(i, input)| {
            let key = input.place.strip_prefix(&self.shown).unwrap_or_default();
            Item::new(&format!("{}{key}", self.base), &i.to_string()).map_err(|e| failed(&e))
        });
        let plan = Plan::new(items.collect::<Result<Vec<_>, _>>()?).map_err(|e| failed(&e))?;
        let transfer = self.moves.configure(Transfer::new(Destination::folder("."))).cancel_on_signals();
        let bar = CountBar::new("inputs", self.quiet);
        bar.total(inputs.len() as u64);
        let report = transfer.look_blocking(&plan, &|_: &Item, _: &Finished| bar.one("", None));
        let report = report.map_err(|e| failed(&e))?;
        bar.finish();
        let mut absent = HashSet::new();
        for finished in &report.missing {
            match &finished.outcome {
                Outcome::NotFound { .. } => drop(absent.insert(finished.index)),
                Outcome::GaveUp(e) => return Err(failed(e)),
                other => {
                    let why = other.reason().unwrap_or_default();
                    return Err(Error::new(ErrorKind::Transient, &inputs[finished.index].place, why));
                }
            }
        }
        Ok((0..inputs.len()).map(|i| !absent.contains(&i)).collect())
    }

    /// Whether another pixel may begin.
    pub fn room(&self) -> Result<(), Error> {
        self.stop.goes_on()?;
        self.disk.room()
    }
}

impl Disk {
    fn room(&self) -> Result<(), Error> {
        let stat = rustix::fs::statvfs(&self.path).map_err(|e| Error::io(&self.path, &e.into()))?;
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        if free >= self.min_free {
            return Ok(());
        }
        let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
        let what = format!("{:.1} GiB free, and --min-free is {:.1}", gib(free), gib(self.min_free));
        Err(Error::new(ErrorKind::Limit, self.path.display(), what))
    }
}

/// Ends the run before the disk is full, in the middle of files too.
struct Watch<'a> {
    disk: &'a Disk,
    stop: &'a Stop,
    since: AtomicU64,
}

impl Progress for Watch<'_> {
    fn bytes(&self, bytes: u64) {
        if self.since.fetch_add(bytes, Ordering::Relaxed) + bytes < LOOK {
            return;
        }
        self.since.store(0, Ordering::Relaxed);
        if let Err(full) = self.disk.room() {
            self.stop.end(full);
        }
    }

    fn finished(&self, _: &Item, _: &Finished) {}
}

/// Files that are here, until they are let go.
pub struct Pair {
    files: [PathBuf; 2],
    /// Where they came from, for people.
    places: [String; 2],
    /// What is taken away in the end, whatever happens: where they are, and where bad ones are put.
    folders: Vec<PathBuf>,
    keep_failed: bool,
}

impl Pair {
    pub fn paths(&self) -> [&Path; 2] {
        [&self.files[0], &self.files[1]]
    }

    /// A failure in one of them, as one of what is known outside: what was fetched goes again.
    pub fn told(&self, error: &Error) -> Error {
        let (mut place, mut what) = (error.place().to_owned(), error.what().to_owned());
        for (file, known) in self.files.iter().zip(&self.places) {
            let file = file.display().to_string();
            what = what.strip_prefix(&format!("{file}: ")).unwrap_or(&what).replace(&file, known);
            place = if place == file { known.clone() } else { place };
        }
        Error::new(error.kind(), place, what)
    }

    /// The pixel failed: its files stay if they are to be kept.
    pub fn failed(&mut self) {
        if self.keep_failed {
            self.folders.clear();
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for folder in &self.folders {
            // What stays goes when the next run begins.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// Removes folders that are empty, from the inside out.
pub fn prune(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            prune(&entry.path());
        }
    }
    // One that is not empty stays.
    let _ = std::fs::remove_dir(folder);
}

/// Complete FITS files whose checksums, if they have any, are right.
fn sound(_: &Item, content: &Content<'_>) -> Result<(), String> {
    let source = content.share().map(Unpublished).map_err(|e| e.to_string())?;
    let fits = Fits::from_source(source).map_err(|e| e.to_string())?;
    let findings = fits.verify(Level::Checksum).map_err(|e| e.to_string())?;
    match findings.into_iter().find(|finding| finding.severity == Severity::Error) {
        None => Ok(()),
        Some(finding) => Err(finding.to_string()),
    }
}

fn failed(e: &coaddkit_transfer::Error) -> Error {
    Error::new(kind(e.kind()), e.place(), e.what())
}

fn kind(kind: TransferKind) -> ErrorKind {
    match kind {
        TransferKind::Usage => ErrorKind::Usage,
        TransferKind::BadData => ErrorKind::Data,
        // It is there for others.
        TransferKind::Refused => ErrorKind::Missing,
        TransferKind::Destination => ErrorKind::Limit,
        _ => ErrorKind::Transient,
    }
}
