//! What earlier runs of `fetch` know of a folder: what was asked for, and which files had the right digest.

use crate::files::Stamp;
use crate::list::{self, Raw};
use coaddkit_examples::Refused;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Below the folder of the raw files.
const FOLDER: &str = "_fetch";

fn list_path(dir: &Path) -> PathBuf {
    dir.join(FOLDER).join("list.csv")
}

/// All files that `fetch` was ever asked for into this folder; none if it never ran.
pub fn read(dir: &Path) -> Result<Vec<Raw>, Refused> {
    let path = list_path(dir);
    if path.exists() { list::read(&path) } else { Ok(Vec::new()) }
}

/// Adds these to the files that were asked for; what was known of a name before is replaced.
pub fn remember(dir: &Path, raws: &[Raw]) -> Result<(), Refused> {
    let earlier = read(dir)?;
    let mut all: BTreeMap<&str, &Raw> = earlier.iter().map(|raw| (raw.name.as_str(), raw)).collect();
    all.extend(raws.iter().map(|raw| (raw.name.as_str(), raw)));
    let path = list_path(dir);
    let write = || {
        fs::create_dir_all(dir.join(FOLDER))?;
        list::write(&path, &all.into_values().collect::<Vec<_>>())
    };
    write().map_err(|e| (coaddkit_examples::Exit::Transient, format!("{}: {e}", path.display())))
}

/// The names of files that have the MD5 of an earlier one of the list, with the name of that one.
pub fn first_names(raws: &[Raw]) -> HashMap<String, String> {
    let mut first: HashMap<&str, &str> = HashMap::new();
    let mut again = HashMap::new();
    for raw in raws {
        let Some(md5) = raw.md5.as_deref() else { continue };
        match first.get(md5) {
            Some(name) => drop(again.insert(raw.name.clone(), (*name).to_owned())),
            None => drop(first.insert(md5, &raw.name)),
        }
    }
    again
}

/// Files that were found to have the MD5 that they should: lines of `md5 size nanoseconds name`, only added to. A line
/// that is torn or damaged fits no file, which is then read once more.
pub struct Verified {
    lines: HashSet<String>,
    file: fs::File,
}

impl Verified {
    /// Opens the notes of a folder.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let path = dir.join(FOLDER).join("verified");
        fs::create_dir_all(dir.join(FOLDER))?;
        let text = match fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(e),
        };
        let mut file = OpenOptions::new().append(true).create(true).open(&path)?;
        if !text.is_empty() && !text.ends_with('\n') {
            file.write_all(b"\n")?;
        }
        Ok(Self { lines: text.lines().map(str::to_owned).collect(), file })
    }

    /// Whether the file of this name is one that was found right, and has not changed since.
    pub fn holds(&self, dir: &Path, raw: &Raw) -> bool {
        line(dir, raw).is_some_and(|line| self.lines.contains(&line))
    }

    /// Notes that the file is right as it is now.
    pub fn note(&mut self, dir: &Path, raw: &Raw) -> io::Result<()> {
        match line(dir, raw) {
            Some(line) if self.lines.insert(line.clone()) => {
                self.file.write_all(format!("{line}\n").as_bytes())
            }
            _ => Ok(()),
        }
    }
}

fn line(dir: &Path, raw: &Raw) -> Option<String> {
    let meta = fs::metadata(dir.join(&raw.name)).ok().filter(fs::Metadata::is_file)?;
    Some(format!("{} {} {}", raw.md5.as_deref()?, Stamp::of(&meta), raw.name))
}
