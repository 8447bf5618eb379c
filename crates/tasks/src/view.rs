//! What the shards of a folder did, put together.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::job::hex;
use crate::ledger::{self, Reading, Trace};
use crate::plan::StoredPlan;
use crate::record::{Record, Slice, State};
use crate::store::{self, Files};
use crate::{Error, Place, Shard};

/// The partial results of a shard.
#[derive(Debug)]
pub(crate) struct Partials {
    path: PathBuf,
    /// `None` if there is no such file.
    file: Mutex<Option<(File, u64)>>,
}

impl Partials {
    pub fn of(folder: &Path, shard: Shard) -> Result<Self, Error> {
        Self::at(ledger::paths(folder, shard).1)
    }

    pub fn at(path: PathBuf) -> Result<Self, Error> {
        let open = || match File::open(&path) {
            Ok(file) => file.metadata().map(|m| Some((file, m.len()))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        };
        let file = open().map_err(|e| Error::io(&path, &e))?;
        Ok(Self { file: Mutex::new(file), path })
    }

    /// The bytes, which are what was noted.
    pub fn read(&self, slice: &Slice) -> Result<Vec<u8>, Error> {
        let damaged = || Error::data(self.path.display(), format!("damaged at byte {}", slice.at));
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((file, length)) = file.as_mut() else { return Err(damaged()) };
        // A length of a ledger must not decide how much memory is asked for.
        if slice.at.checked_add(slice.bytes).is_none_or(|end| end > *length) {
            return Err(damaged());
        }
        let mut bytes = vec![0; usize::try_from(slice.bytes).map_err(|_| damaged())?];
        let mut read = || {
            file.seek(SeekFrom::Start(slice.at))?;
            file.read_exact(&mut bytes)
        };
        read().map_err(|e| Error::io(&self.path, &e))?;
        if hex(Sha256::new_with_prefix(&bytes)) == slice.sha256 { Ok(bytes) } else { Err(damaged()) }
    }
}

/// Why a unit that a ledger calls done is not, if so.
pub(crate) fn gone(files: &Files, partials: &Partials, record: &Record) -> Option<String> {
    if let Some(output) = record.outputs.iter().find(|output| !files.hold(output)) {
        return Some(format!("{} is gone or has another length", output.path));
    }
    let damaged = record.partial.as_ref().and_then(|slice| partials.read(slice).err());
    damaged.map(|e| e.to_string())
}

/// A unit as it stands.
#[derive(Debug)]
pub(crate) struct Standing {
    pub state: State,
    pub begun: u32,
    /// It was on its way when a run ended.
    pub interrupted: bool,
    pub record: Option<Record>,
    /// Why it is not done although a ledger says so.
    pub gone: Option<String>,
}

impl Standing {
    pub fn of(files: &Files, partials: &Partials, trace: Option<&Trace>) -> Self {
        let (begun, open) = trace.map_or((0, 0), |trace| (trace.begun, trace.open));
        let record = trace.and_then(|trace| trace.ended.clone());
        let gone = record.as_ref().filter(|r| r.state.is_settled()).and_then(|r| gone(files, partials, r));
        let state = match &record {
            Some(record) if gone.is_none() && (open == 0 || record.state.is_settled()) => record.state,
            _ => State::NotStarted,
        };
        Self { state, begun, interrupted: open > 0 && !state.is_settled(), record, gone }
    }
}

/// A shard that has a ledger.
#[derive(Debug)]
pub(crate) struct Part {
    pub shard: Shard,
    pub reading: Reading,
    pub partials: Partials,
}

/// A folder of a run.
#[derive(Debug)]
pub(crate) struct View {
    pub folder: PathBuf,
    files: Files,
    pub plan: StoredPlan,
    /// By index.
    pub parts: BTreeMap<u32, Part>,
    /// Of how many shards; 0 if none has begun.
    pub shards: u32,
}

impl View {
    /// Reads plan and ledgers.
    pub fn of(place: &Place) -> Result<Self, Error> {
        let folder = place.path();
        if let Some(store) = place.shared() {
            store::collect(store, folder)?;
        }
        let plan = StoredPlan::read(folder)?;
        let (folder_of, files) = (folder.to_owned(), place.files()?);
        let mut view = Self { folder: folder_of, files, plan, parts: BTreeMap::new(), shards: 0 };
        for path in ledger::all(folder)? {
            let reading = Reading::of(&path)?;
            let refuse = |what: String| Err(Error::data(path.display(), what));
            if reading.key.as_ref().is_some_and(|key| *key != view.plan.digest) {
                return refuse("this is the ledger of another run".to_owned());
            }
            // The first line may be damaged. Without any other, the process died before it did something.
            let name = path.file_stem().and_then(|stem| Shard::of_stem(stem.to_str()?));
            let Some(shard) = reading.shard.or(name.filter(|_| !reading.units.is_empty())) else { continue };
            let (own, _) = ledger::paths(folder, shard);
            if own != path {
                let twice = if own.exists() { " is there twice, also as " } else { " should be " };
                return refuse(format!("{shard}{twice}{}", own.display()));
            }
            if view.shards != 0 && view.shards != shard.count() {
                return refuse(format!("{shard} among shards of {}", view.shards));
            }
            view.shards = shard.count();
            let partials = Partials::of(folder, shard)?;
            view.parts.insert(shard.index(), Part { shard, reading, partials });
        }
        view.belong()?;
        Ok(view)
    }

    /// Each ledger holds units of its own shard only.
    fn belong(&self) -> Result<(), Error> {
        let numbers = self.plan.numbers();
        for part in self.parts.values() {
            let own = |unit: &String| numbers.get(unit.as_str()).is_some_and(|&k| part.shard.holds(k));
            if let Some(unit) = part.reading.units.keys().find(|unit| !own(unit)) {
                let (path, _) = ledger::paths(&self.folder, part.shard);
                let what = format!("{unit} is no unit of {}", part.shard);
                return Err(Error::data(path.display(), what));
            }
        }
        Ok(())
    }

    /// The shards that have no ledger.
    pub fn missing(&self) -> Vec<u32> {
        (0..self.shards.max(1)).filter(|index| !self.parts.contains_key(index)).collect()
    }

    /// The part that unit `k` belongs to.
    pub fn part(&self, k: usize) -> Option<&Part> {
        let index = (k as u64).checked_rem(u64::from(self.shards))?;
        self.parts.get(&u32::try_from(index).ok()?)
    }

    /// How unit `k` stands.
    pub fn standing(&self, k: usize) -> Standing {
        let absent =
            Standing { state: State::NotStarted, begun: 0, interrupted: false, record: None, gone: None };
        self.part(k).map_or(absent, |part| {
            Standing::of(&self.files, &part.partials, part.reading.units.get(&self.plan.units[k]))
        })
    }
}
