use std::collections::HashMap;
use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::job::hex;
use crate::ledger;
use crate::store;
use crate::{Error, ErrorKind, Place, RunKey, Shard};

/// All units of a run, sorted by name, and the key of the run.
#[derive(Clone, Debug)]
pub struct Plan<U> {
    units: Vec<U>,
    names: Vec<String>,
    key: RunKey,
    about: Value,
}

impl<U: Display> Plan<U> {
    /// Sorts the units by name. Their names become part of the key.
    ///
    /// # Errors
    ///
    /// Two units of one name, or one without a name.
    pub fn new(units: impl IntoIterator<Item = U>, key: RunKey) -> Result<Self, Error> {
        let mut named: Vec<(String, U)> = units.into_iter().map(|unit| (unit.to_string(), unit)).collect();
        named.sort_by(|a, b| a.0.cmp(&b.0));
        if named.first().is_some_and(|(name, _)| name.is_empty()) {
            return Err(Error::data("plan", "a unit has no name"));
        }
        if let Some(twice) = named.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(Error::data(&twice[0].0, "this unit stands twice in the plan"));
        }
        let (names, units): (Vec<_>, Vec<_>) = named.into_iter().unzip();
        let key = with_units(key, &names);
        Ok(Self { units, names, key, about: Value::Null })
    }

    /// In the order of their names.
    pub fn units(&self) -> &[U] {
        &self.units
    }

    /// The names, in the same order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The key, with the units.
    pub fn key(&self) -> &RunKey {
        &self.key
    }

    /// Says beside the key what those who put the parts together need to know, such as where inputs are. It decides
    /// nothing: two runs that differ only in it are the same.
    pub fn about(mut self, about: Value) -> Self {
        self.about = about;
        self
    }

    /// As a folder or a store takes it.
    pub(crate) fn entry(&self) -> Entry<'_> {
        Entry { key: &self.key, names: &self.names, about: &self.about }
    }
}

/// A plan without its units, on its way into a folder or a store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    key: &'a RunKey,
    names: &'a [String],
    about: &'a Value,
}

impl Entry<'_> {
    pub fn digest(&self) -> String {
        self.key.digest()
    }

    pub fn text(&self) -> String {
        let plan = json!({
            "format": FORMAT, "key": self.key, "digest": self.key.digest(), "about": self.about, "units": self.names,
        });
        format!("{plan}\n")
    }

    /// Refuses another run, by the fields that differ.
    pub fn same(&self, there: &StoredPlan, place: impl Display) -> Result<(), Error> {
        let mut differences = there.key.differences(self.key);
        if differences.len() > 1 {
            // Follows from the others, or says less.
            differences.retain(|difference| difference.field != UNITS);
        }
        if differences.is_empty() {
            return Ok(());
        }
        const MANY: usize = 6;
        let mut list: Vec<String> = differences.iter().take(MANY).map(ToString::to_string).collect();
        if differences.len() > MANY {
            list.push(format!("and {} fields more", differences.len() - MANY));
        }
        Err(Error::usage(place, format!("this folder holds another run: {}", list.join("; "))))
    }

    /// Puts the plan into the folder of a run, or finds that the one there is the same. Another one that has done
    /// nothing yet, and that no process is at work on, gives way; with `force` also one that has.
    ///
    /// Until the lock is let go no other process enters: by then the ledger of the shard has to be there.
    pub fn enter(&self, folder: &Path, shard: Shard, force: bool) -> Result<EntryLock, Error> {
        let parts = parts_of(folder);
        fs::create_dir_all(&parts).map_err(|e| Error::io(&parts, &e))?;
        let lock = EntryLock::wait(&parts)?;
        if !plan_path(folder).exists() {
            self.write(folder)?;
        }
        let refused = match self.same(&StoredPlan::read(folder)?, folder.display()) {
            Ok(()) if force => {
                if let Some(held) = ledger::hold(&ledger::paths(folder, shard).0)? {
                    held.remove()?;
                }
                return Ok(lock);
            }
            Err(e) if e.kind() == ErrorKind::Usage => e,
            other => return other.map(|()| lock),
        };
        let mut all = Vec::new();
        for path in ledger::all(folder)? {
            match ledger::hold(&path)? {
                Some(held) if force || held.is_idle()? => all.push(held),
                _ => return Err(refused),
            }
        }
        all.into_iter().try_for_each(ledger::Held::remove)?;
        fs::remove_file(plan_path(folder)).map_err(|e| Error::io(&plan_path(folder), &e))?;
        self.write(folder)?;
        Ok(lock)
    }

    /// Shards begin at the same moment: the first one writes, and nobody writes over it.
    fn write(&self, folder: &Path) -> Result<(), Error> {
        let (parts, path) = (parts_of(folder), plan_path(folder));
        let text = self.text();
        let write = || -> io::Result<()> {
            let mut builder = tempfile::Builder::new();
            // As any new file: the mask of the process applies.
            #[cfg(unix)]
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
            let mut file = builder.prefix(".plan.json.part-").tempfile_in(&parts)?;
            file.write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            match file.persist_noclobber(&path) {
                Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                other => other.map(drop).map_err(|e| e.error),
            }
        };
        write().map_err(|e| Error::io(&path, &e))
    }
}

const FORMAT: &str = "coaddkit-plan/1";

/// The field of the names of the units.
const UNITS: &str = "units/sha256";

/// Processes enter a folder one after the other. The lock ends with the process, however that ends.
#[derive(Debug)]
pub(crate) struct EntryLock {
    _file: File,
}

impl EntryLock {
    fn wait(parts: &Path) -> Result<Self, Error> {
        let path = parts.join(".entry.lock");
        let file = File::options().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|e| Error::io(&path, &e))?;
        // A file system without locks has none; ledgers then are all that is looked at.
        #[cfg(unix)]
        let _ = rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive);
        Ok(Self { _file: file })
    }
}

/// A plan as a folder holds it, without the units themselves.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredPlan {
    format: String,
    pub key: RunKey,
    pub digest: String,
    #[serde(default)]
    pub about: Value,
    pub units: Vec<String>,
}

impl StoredPlan {
    /// Of a folder or a store.
    pub fn of(place: &Place) -> Result<Self, Error> {
        match place.shared() {
            Some(store) => store::known_plan(store, place.path()),
            None => Self::read(place.path()),
        }
    }

    pub fn read(folder: &Path) -> Result<Self, Error> {
        let path = plan_path(folder);
        let text = match fs::read(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let what = "there is no run in this folder: it has no parts/plan.json";
                return Err(Error::new(ErrorKind::Missing, folder.display(), what));
            }
            other => other.map_err(|e| Error::io(&path, &e))?,
        };
        let plan: Self = serde_json::from_slice(&text).map_err(|e| Error::data(path.display(), e))?;
        let sorted = plan.units.windows(2).all(|pair| pair[0] < pair[1]);
        let same = with_units(plan.key.clone(), &plan.units) == plan.key && plan.digest == plan.key.digest();
        if plan.format != FORMAT || !sorted || !same {
            return Err(Error::data(path.display(), "this is no plan, or it was changed by hand"));
        }
        Ok(plan)
    }

    /// The number of each unit.
    pub fn numbers(&self) -> HashMap<&str, usize> {
        self.units.iter().enumerate().map(|(k, name)| (name.as_str(), k)).collect()
    }
}

fn with_units(key: RunKey, names: &[String]) -> RunKey {
    let mut hash = Sha256::new();
    for name in names {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
    }
    key.set("units/count", &Value::from(names.len())).set(UNITS, &Value::from(hex(hash)))
}

/// Where plan, ledgers and partials are.
pub(crate) fn parts_of(folder: &Path) -> PathBuf {
    folder.join("parts")
}

/// Where the plan is, below the folder.
pub(crate) const PLAN: &str = "parts/plan.json";

pub(crate) fn plan_path(folder: &Path) -> PathBuf {
    folder.join(PLAN)
}
