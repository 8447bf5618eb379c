//! The account of checks of a folder, which goes on while files come and go.
//!
//! A plan holds a fixed set of files. When files have come or gone since, the next check has another plan, in a folder
//! of its own beside the earlier one, and takes over what was found of files that are the same still.

use coaddkit_examples::{Exit, Refused};
use coaddkit_tasks::{RunKey, status};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

const FORMAT: &str = "raw-archive-check/1";

/// What the folder is about.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    format: String,
    /// Of the configuration and the code, without the files.
    key: RunKey,
    /// The folder of the last check.
    current: String,
    /// Where corrupt files were moved to, if they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quarantine: Option<PathBuf>,
}

/// The account below a folder.
pub struct Runs {
    root: PathBuf,
    current: String,
    /// Held while a check runs.
    _lock: Option<File>,
}

impl Runs {
    /// Opens the account for a check by this key, of the files of `plan`, whose digest names its folder. The quarantine is
    /// remembered.
    ///
    /// # Errors
    ///
    /// When an earlier check was by another key: what differs is named. `force` begins anew instead.
    pub fn enter(
        root: &Path,
        key: &RunKey,
        plan: &RunKey,
        force: bool,
        quarantine: Option<&Path>,
    ) -> Result<Self, Refused> {
        let failed = |e: io::Error| {
            let hint =
                if e.kind() == io::ErrorKind::PermissionDenied { "; --out is for elsewhere" } else { "" };
            (Exit::of_reader(e.kind()), format!("{}: {e}{hint}", root.display()))
        };
        let mut current = plan.digest();
        current.truncate(16);
        fs::create_dir_all(root).map_err(failed)?;
        let lock = File::create(root.join(".lock")).map_err(failed)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => {
                return Err((Exit::Transient, format!("{}: another check is at work", root.display())));
            }
            locked => locked.map_err(|e| failed(e.into()))?,
        }
        let runs = Self { root: root.to_owned(), current, _lock: Some(lock) };
        if force {
            runs.others().iter().chain([&runs.folder()]).try_for_each(|dir| remove(dir)).map_err(failed)?;
        } else if let Some(head) = head(root)? {
            let differences = head.key.differences(key);
            if !differences.is_empty() {
                let list: Vec<String> = differences.iter().map(ToString::to_string).collect();
                let what = format!("{} holds another check: {}", root.display(), list.join("; "));
                return Err((Exit::Usage, format!("{what}; --force begins anew")));
            }
        }
        fs::create_dir_all(runs.folder()).map_err(failed)?;
        let quarantine = match quarantine {
            Some(path) => Some(std::path::absolute(path).map_err(failed)?),
            None => Self::quarantine(root).unwrap_or_default(),
        };
        let current = runs.current.clone();
        let head = Head { format: FORMAT.to_owned(), key: key.clone(), current, quarantine };
        let text = serde_json::to_string_pretty(&head).map_err(|e| (Exit::Bug, e.to_string()))?;
        coaddkit_density::publish(&path(root), |out| writeln!(out, "{text}")).map_err(failed)?;
        Ok(runs)
    }

    /// The last check below a folder.
    pub fn last(root: &Path) -> Result<Self, Refused> {
        let none = || (Exit::Missing, format!("{}: no check has run here", root.display()));
        let head = head(root)?.ok_or_else(none)?;
        Ok(Self { root: root.to_owned(), current: head.current, _lock: None })
    }

    /// Where an earlier check moved corrupt files to.
    pub fn quarantine(root: &Path) -> Result<Option<PathBuf>, Refused> {
        Ok(head(root)?.and_then(|head| head.quarantine))
    }

    /// The folder of this check.
    pub fn folder(&self) -> PathBuf {
        self.root.join(&self.current)
    }

    /// The files, by the names of their units, that earlier checks by the same key found whole.
    pub fn whole(&self) -> HashSet<String> {
        // What cannot be read is a hint less.
        let stands = self.others().into_iter().filter_map(|dir| status(&dir).ok());
        stands.flat_map(|stand| stand.settled).map(|record| record.unit).collect()
    }

    /// Drops earlier checks, of which this one knows all.
    pub fn prune(&self) -> io::Result<()> {
        self.others().iter().try_for_each(|dir| remove(dir))
    }

    fn others(&self) -> Vec<PathBuf> {
        let Ok(listed) = fs::read_dir(&self.root) else { return Vec::new() };
        let names = listed.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let ours = |name: &String| name.len() == 16 && name.bytes().all(|b| b.is_ascii_hexdigit());
        names.filter(|name| ours(name) && *name != self.current).map(|name| self.root.join(name)).collect()
    }
}

fn path(root: &Path) -> PathBuf {
    root.join("check.json")
}

fn head(root: &Path) -> Result<Option<Head>, Refused> {
    let path = path(root);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err((Exit::of_reader(e.kind()), format!("{}: {e}", path.display()))),
    };
    let bad = |what: String| (Exit::BadData, format!("{}: {what}; --force begins anew", path.display()));
    let head: Head = serde_json::from_slice(&text).map_err(|e| bad(e.to_string()))?;
    let named = head.current.len() == 16 && head.current.bytes().all(|b| b.is_ascii_hexdigit());
    if head.format == FORMAT && named {
        Ok(Some(head))
    } else {
        Err(bad("this is no account of checks".to_owned()))
    }
}

fn remove(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}
