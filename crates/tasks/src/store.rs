//! State in a place that all processes of a run reach without a common disk.
//!
//! There, a shard is one object for each process that was ever at work on it: its ledger and its partial results, put in
//! one step. What was done is the union of them, so two processes at work on one shard lose nothing of each other.

use std::collections::HashMap;
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::job::hex;
use crate::ledger::{self, Ledger, Reading, Trace};
use crate::plan::{Entry, PLAN, StoredPlan, parts_of, plan_path};
use crate::view::Partials;
use crate::{Error, ErrorKind, Output, Shard, workers};

/// How often a store is told unless said otherwise.
pub(crate) const TELL: Duration = Duration::from_secs(60);

/// Requests at once.
const AT_ONCE: usize = 16;

const FORMAT: &str = "coaddkit-shard/1";

/// Objects under names with `/` between their parts, such as a prefix of a bucket. An object is whole or not there.
pub trait Store: Send + Sync + Debug {
    /// Every object: its name and its length.
    ///
    /// # Errors
    ///
    /// What the store says.
    fn list(&self) -> Result<Vec<(String, u64)>, Error>;

    /// An object, if it is there.
    ///
    /// # Errors
    ///
    /// What the store says.
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error>;

    /// Puts an object, in place of another.
    ///
    /// # Errors
    ///
    /// What the store says.
    fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), Error>;

    /// Puts an object if there is none of that name; false if there is.
    ///
    /// # Errors
    ///
    /// What the store says.
    fn put_new(&self, name: &str, bytes: Vec<u8>) -> Result<bool, Error>;

    /// Puts a file, in place of another object.
    ///
    /// # Errors
    ///
    /// What the store or the disk says.
    fn put_file(&self, name: &str, file: &Path) -> Result<(), Error>;

    /// Takes an object away; one that is not there is no error.
    ///
    /// # Errors
    ///
    /// What the store says.
    fn delete(&self, name: &str) -> Result<(), Error>;
}

/// Where a run keeps its account: a folder, or a store with a folder for the time being.
///
/// Paths are folders: `status("out")`.
#[derive(Clone, Debug)]
pub struct Place {
    folder: PathBuf,
    store: Option<Arc<dyn Store>>,
}

impl Place {
    /// A folder that all processes of the run reach.
    pub fn folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), store: None }
    }

    /// A store; `scratch` is an empty folder of this process alone. Products are put into the store as their units end,
    /// and leave the disk.
    pub fn store(store: Arc<dyn Store>, scratch: impl Into<PathBuf>) -> Self {
        Self { folder: scratch.into(), store: Some(store) }
    }

    /// The folder: of the account, or for the time being. Jobs put their products below it.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn shared(&self) -> Option<&Arc<dyn Store>> {
        self.store.as_ref()
    }

    /// Brings the products of units to the folder, where they are not: those of a store.
    ///
    /// # Errors
    ///
    /// A product that is not there, and what the store or the disk says.
    pub fn fetch(&self, outputs: &[Output]) -> Result<(), Error> {
        outputs.iter().try_for_each(|output| self.bring(output))
    }

    /// Puts files of the folder, by their paths below it, into the store if it is one.
    ///
    /// # Errors
    ///
    /// What the store or the disk says.
    pub fn publish(&self, paths: &[&str]) -> Result<(), Error> {
        let Some(store) = &self.store else { return Ok(()) };
        paths.iter().try_for_each(|path| store.put_file(path, &self.folder.join(path)))
    }

    /// Which products are there.
    pub(crate) fn files(&self) -> Result<Files, Error> {
        let listed = self.store.as_ref().map(|store| store.list()).transpose()?;
        Ok(Files { folder: self.folder.clone(), listed: listed.map(|list| list.into_iter().collect()) })
    }

    /// Calls `work` with a product on the disk.
    pub(crate) fn with<T>(
        &self,
        output: &Output,
        work: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.bring(output)?;
        let done = work();
        if self.store.is_some() {
            let path = self.folder.join(&output.path);
            fs::remove_file(&path).map_err(|e| Error::io(&path, &e))?;
        }
        done
    }

    fn bring(&self, output: &Output) -> Result<(), Error> {
        let Some(store) = &self.store else { return Ok(()) };
        let path = self.folder.join(&output.path);
        let bytes = store.get(&output.path)?;
        let bytes = bytes.ok_or_else(|| Error::new(ErrorKind::Missing, &output.path, "it is not there"))?;
        let above = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(above).and_then(|()| fs::write(&path, bytes)).map_err(|e| Error::io(&path, &e))
    }
}

impl From<&Path> for Place {
    fn from(folder: &Path) -> Self {
        Self::folder(folder)
    }
}

impl From<&PathBuf> for Place {
    fn from(folder: &PathBuf) -> Self {
        Self::folder(folder)
    }
}

impl From<PathBuf> for Place {
    fn from(folder: PathBuf) -> Self {
        Self::folder(folder)
    }
}

impl From<&str> for Place {
    fn from(folder: &str) -> Self {
        Self::folder(folder)
    }
}

impl From<&Self> for Place {
    fn from(place: &Self) -> Self {
        place.clone()
    }
}

/// The products that are there, on the disk or in a list.
#[derive(Debug)]
pub(crate) struct Files {
    folder: PathBuf,
    listed: Option<HashMap<String, u64>>,
}

impl Files {
    /// Whether a product of that length is there, which costs no reading.
    pub fn hold(&self, output: &Output) -> bool {
        match &self.listed {
            Some(listed) => listed.get(&output.path) == Some(&output.bytes),
            None => output.looks_whole(&self.folder),
        }
    }
}

/// The head of an object: what follows it.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    format: String,
    index: u32,
    count: u32,
    key: String,
    ledger: u64,
    partials: u64,
    sha256: String,
}

/// What a shard did, as one object.
fn pack(folder: &Path, shard: Shard, key: &str) -> Result<Vec<u8>, Error> {
    let (ledger, partials) = ledger::paths(folder, shard);
    let read = |path: &Path| fs::read(path).map_err(|e| Error::io(path, &e));
    // In this order: a part of the result is written before its line is.
    let (mut lines, partials) = (read(&ledger)?, read(&partials)?);
    lines.truncate(lines.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1));
    let head = Head {
        format: FORMAT.to_owned(),
        index: shard.index(),
        count: shard.count(),
        key: key.to_owned(),
        ledger: lines.len() as u64,
        partials: partials.len() as u64,
        sha256: hex(Sha256::new_with_prefix(&lines).chain_update(&partials)),
    };
    let mut bytes = serde_json::to_vec(&head).map_err(|e| Error::new(ErrorKind::Bug, ledger.display(), e))?;
    bytes.push(b'\n');
    bytes.extend(lines);
    bytes.extend(partials);
    Ok(bytes)
}

/// The head, the ledger and the partial results of an object, if it is whole.
fn unpack(bytes: &[u8]) -> Option<(Head, &[u8], &[u8])> {
    let end = bytes.iter().position(|&b| b == b'\n')?;
    let head: Head = serde_json::from_slice(&bytes[..end]).ok()?;
    let rest = &bytes[end + 1..];
    let (lines, partials) = rest.split_at_checked(usize::try_from(head.ledger).ok()?)?;
    let same = partials.len() as u64 == head.partials && hex(Sha256::new_with_prefix(rest)) == head.sha256;
    (head.format == FORMAT && same).then_some((head, lines, partials))
}

/// The shard that an object is of.
fn shard_of(name: &str) -> Option<Shard> {
    let (stem, rest) = name.strip_prefix("parts/")?.split_once('.')?;
    if rest.ends_with(".part") { Shard::of_stem(stem) } else { None }
}

/// Takes up into a ledger what an object says and the ledger does not know yet.
fn take(
    folder: &Path,
    ledger: &mut Ledger,
    known: &mut HashMap<String, Trace>,
    bytes: &[u8],
) -> Result<bool, Error> {
    let Some((_, lines, partials)) = unpack(bytes) else { return Ok(false) };
    let at = parts_of(folder).join(".taken");
    let (lines_at, partials_at) = (at.with_extension("lines"), at.with_extension("partials"));
    let write = |path: &Path, bytes: &[u8]| fs::write(path, bytes).map_err(|e| Error::io(path, &e));
    write(&lines_at, lines)?;
    write(&partials_at, partials)?;
    let reading = Reading::of(&lines_at)?;
    let partials = Partials::at(partials_at.clone())?;
    let mut units: Vec<_> = reading.units.into_iter().collect();
    units.sort_by(|a, b| a.0.cmp(&b.0));
    for (unit, trace) in units {
        let own = known.entry(unit.clone()).or_default();
        own.begun = own.begun.max(trace.begun);
        let better = match (&own.ended, &trace.ended) {
            (_, None) => false,
            (None, Some(_)) => true,
            // Of two that are done the later one counts: its input may have been another.
            (Some(own), Some(other)) => {
                (other.state.is_settled(), other.attempt) > (own.state.is_settled(), own.attempt)
            }
        };
        if let Some(record) = trace.ended.filter(|_| better) {
            let bytes = record.partial.as_ref().map(|slice| partials.read(slice)).transpose()?;
            (own.open, own.ended) = (0, Some(ledger.end(record, bytes.as_deref())?));
        }
        if trace.open > 0 && own.ended.is_none() && own.open == 0 {
            own.open = trace.open;
            ledger.begin(&unit)?;
        }
    }
    for path in [&lines_at, &partials_at] {
        fs::remove_file(path).map_err(|e| Error::io(path, &e))?;
    }
    Ok(true)
}

/// Whether the lines of a ledger say of no unit that it is done.
fn is_idle(folder: &Path, lines: &[u8]) -> Result<bool, Error> {
    let at = parts_of(folder).join(".taken.lines");
    fs::write(&at, lines).map_err(|e| Error::io(&at, &e))?;
    let reading = Reading::of(&at)?;
    fs::remove_file(&at).map_err(|e| Error::io(&at, &e))?;
    Ok(!reading.units.values().any(Trace::is_settled))
}

/// The plan of a store, brought to the folder: `None` if there is none.
fn plan(store: &dyn Store, folder: &Path) -> Result<Option<StoredPlan>, Error> {
    let Some(bytes) = store.get(PLAN)? else { return Ok(None) };
    let (parts, path) = (parts_of(folder), plan_path(folder));
    let write = || fs::create_dir_all(&parts).and_then(|()| fs::write(&path, &bytes));
    write().map_err(|e| Error::io(&path, &e))?;
    StoredPlan::read(folder).map(Some)
}

/// The plan of a store, which has to be there.
pub(crate) fn known_plan(store: &Arc<dyn Store>, folder: &Path) -> Result<StoredPlan, Error> {
    plan(store.as_ref(), folder)?.ok_or_else(|| Error::new(ErrorKind::Missing, PLAN, "there is no run"))
}

/// Brings everything that a store knows of a run to the folder: one ledger a shard.
pub(crate) fn collect(store: &Arc<dyn Store>, folder: &Path) -> Result<(), Error> {
    let plan = known_plan(store, folder)?;
    let names: Vec<String> =
        store.list()?.into_iter().map(|(name, _)| name).filter(|name| shard_of(name).is_some()).collect();
    let found = Mutex::new(Ok(vec![None; names.len()]));
    workers::each(AT_ONCE, names.len(), |i| {
        let got = store.get(&names[i]);
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        match (&mut *found, got) {
            (Ok(all), Ok(bytes)) => all[i] = bytes,
            (Ok(_), Err(error)) => *found = Err(error),
            (Err(_), _) => {}
        }
        found.is_ok()
    });
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner)?;
    let mut shards: HashMap<Shard, Vec<(String, Vec<u8>)>> = HashMap::new();
    for (name, bytes) in names.into_iter().zip(found) {
        // One that has gone meanwhile was taken up into another.
        let (Some(shard), Some(bytes)) = (shard_of(&name), bytes) else { continue };
        shards.entry(shard).or_default().push((name, bytes));
    }
    for (shard, packs) in shards {
        let (path, partials) = ledger::paths(folder, shard);
        for path in [&path, &partials] {
            let _ = fs::remove_file(path);
        }
        let (mut ledger, _) = Ledger::open(folder, shard, &plan.digest)?;
        let mut known = HashMap::new();
        for (name, bytes) in packs {
            if unpack(&bytes).is_some_and(|(head, ..)| head.key != plan.digest) {
                return Err(Error::data(name, "this belongs to another run"));
            }
            if !take(folder, &mut ledger, &mut known, &bytes)? {
                return Err(Error::data(name, format!("this is damaged; run {shard} again")));
            }
        }
    }
    Ok(())
}

/// What a process tells a store of its shard.
#[derive(Debug)]
pub(crate) struct Share {
    store: Arc<dyn Store>,
    folder: PathBuf,
    shard: Shard,
    key: String,
    name: String,
    /// Objects of processes before this one, which its own takes the place of.
    earlier: Vec<String>,
    every: Duration,
    told: Mutex<Instant>,
}

impl Share {
    /// Enters the plan, and brings to the folder what is known of the shard.
    pub fn enter(
        store: &Arc<dyn Store>,
        folder: &Path,
        shard: Shard,
        own: &Entry<'_>,
        every: Duration,
        force: bool,
    ) -> Result<Self, Error> {
        let plan = loop {
            let Some(plan) = plan(store.as_ref(), folder)? else {
                // Shards begin at the same moment: one of them is the first.
                store.put_new(PLAN, own.text().into_bytes())?;
                continue;
            };
            let Err(refused) = own.same(&plan, PLAN) else { break plan };
            // Another run of which nothing is done gives way.
            let mut others = Vec::new();
            for (name, _) in store.list()?.into_iter().filter(|(name, _)| shard_of(name).is_some()) {
                let Some(bytes) = store.get(&name)? else { continue };
                let Some((head, lines, _)) = unpack(&bytes) else { continue };
                if head.key == own.digest() {
                    // Another shard of this run was quicker.
                    continue;
                }
                if head.key == plan.digest && !force && !is_idle(folder, lines)? {
                    return Err(refused);
                }
                others.push(name);
            }
            others.iter().try_for_each(|name| store.delete(name))?;
            store.put(PLAN, own.text().into_bytes())?;
        };
        let parts: Vec<(String, Shard)> = store
            .list()?
            .into_iter()
            .filter_map(|(name, _)| Some((shard_of(&name)?, name)))
            .map(|(s, n)| (n, s))
            .collect();
        if let Some((_, other)) = parts.iter().find(|(_, other)| other.count() != shard.count()) {
            return Err(Error::usage(PLAN, other_count(*other, shard)));
        }
        let earlier: Vec<String> =
            parts.into_iter().filter(|(_, of)| *of == shard).map(|(name, _)| name).collect();
        let (mut ledger, reading) = Ledger::open(folder, shard, &plan.digest)?;
        let mut known = reading.units;
        if force {
            earlier.iter().try_for_each(|name| store.delete(name))?;
        }
        for name in earlier.iter().filter(|_| !force) {
            // What is damaged or of another run is done again.
            if let Some(bytes) = store.get(name)?
                && unpack(&bytes).is_some_and(|(head, ..)| head.key == plan.digest)
            {
                take(folder, &mut ledger, &mut known, &bytes)?;
            }
        }
        ledger.sync()?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let id = hex(Sha256::new_with_prefix(format!("{since} {} {}", std::process::id(), folder.display())));
        Ok(Self {
            store: Arc::clone(store),
            folder: folder.to_owned(),
            shard,
            key: plan.digest,
            name: format!("parts/{}.{}.part", shard.stem(), &id[..12]),
            earlier,
            every,
            told: Mutex::new(Instant::now()),
        })
    }

    /// Puts the products of a unit, which then leave the disk.
    pub fn products(&self, outputs: &[Output]) -> Result<(), Error> {
        outputs.iter().try_for_each(|output| {
            let path = self.folder.join(&output.path);
            self.store.put_file(&output.path, &path)?;
            fs::remove_file(&path).map_err(|e| Error::io(&path, &e))
        })
    }

    /// Tells what was done, if that was not told for some time. What cannot be told now is told later.
    pub fn now_and_then(&self) {
        let Ok(mut told) = self.told.try_lock() else { return };
        if told.elapsed() >= self.every {
            let _ = self.tell();
            *told = Instant::now();
        }
    }

    fn tell(&self) -> Result<(), Error> {
        self.store.put(&self.name, pack(&self.folder, self.shard, &self.key)?)
    }

    /// Tells all, which takes the place of what was told before.
    pub fn finish(&self) -> Result<(), Error> {
        self.tell()?;
        self.earlier.iter().try_for_each(|name| self.store.delete(name))
    }
}

pub(crate) fn other_count(other: Shard, shard: Shard) -> String {
    format!("this run is worked through in {} shards, and this is {shard}", other.count())
}
