//! Corrupt files, kept apart and listed.
//!
//! The row of a file is written before the file is moved: a run that is killed between the two leaves a file that the
//! next one finds and moves, and never a file in quarantine of which nobody knows why it is there.

use crate::inspect::Flaw;
use crate::list::{self, Raw};
use coaddkit_examples::{Exit, Refused};
use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The folder of corrupt files.
pub const FOLDER: &str = "corrupt_raws";
/// The list in it.
pub const LIST: &str = "corrupt_raws.csv";
/// What is to be fetched again, in the form of `fetch --list`.
const AGAIN: &str = "refetch.csv";
/// Where a transfer puts what the origin gave twice, below the folder, and the end of the name of its notes.
pub const INCOMING: &str = ".incoming";
const NOTE: &str = ".reason.json";

const HEAD: [&str; 5] = ["name", "reason", "hdu", "offset", "file"];

/// A row of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name that the file had.
    pub name: String,
    pub flaw: Flaw,
    /// Its name in quarantine.
    pub file: String,
}

/// What became of files that were to be moved.
#[derive(Debug, Default)]
pub struct Taken {
    pub moved: Vec<Entry>,
    /// By name.
    pub failed: Vec<(String, io::Error)>,
}

/// The quarantine of a folder, while this process alone changes it.
pub struct Quarantine {
    dir: PathBuf,
    entries: Vec<Entry>,
    _lock: File,
}

/// The folder of corrupt files below `dir`, unless it is that itself.
pub fn folder(dir: &Path) -> PathBuf {
    if dir.file_name().is_some_and(|name| name == FOLDER) { dir.to_owned() } else { dir.join(FOLDER) }
}

impl Quarantine {
    /// Opens the folder, which is made if absent, and waits until nobody else changes it.
    pub fn open(dir: PathBuf) -> Result<Self, Refused> {
        let failed = |e: io::Error| (Exit::Transient, format!("{}: {e}", dir.display()));
        fs::create_dir_all(&dir).map_err(failed)?;
        let lock = File::create(dir.join(".lock")).map_err(failed)?;
        flock(&lock, FlockOperation::LockExclusive).map_err(|e| failed(e.into()))?;
        let entries = entries(&dir)?;
        Ok(Self { dir, entries, _lock: lock })
    }

    /// Moves files here: the name, where it is, and what is wrong with it. What is here already under a name stays.
    ///
    /// # Errors
    ///
    /// What the disk says of the list. A file that cannot be moved is where it was, is moved by the next run, and keeps
    /// no other from being moved.
    pub fn take(&mut self, files: &[(String, PathBuf, Flaw)]) -> io::Result<Taken> {
        let mut moves = Vec::new();
        for (name, from, flaw) in files {
            let file = self.place(name, from)?;
            let entry = Entry { name: name.clone(), flaw: flaw.clone(), file };
            self.entries.retain(|e| e.file != entry.file);
            self.entries.push(entry.clone());
            moves.push((from, entry));
        }
        let mut taken = Taken::default();
        if moves.is_empty() {
            return Ok(taken);
        }
        self.entries.sort_by(|a, b| (&a.name, &a.file).cmp(&(&b.name, &b.file)));
        self.write()?;
        for (from, entry) in moves {
            match move_file(from, &self.dir.join(&entry.file)) {
                Ok(()) => taken.moved.push(entry),
                Err(error) => taken.failed.push((entry.name, error)),
            }
        }
        Ok(taken)
    }

    /// Takes up what a transfer kept of an origin that gave the same bad bytes twice.
    pub fn adopt(&mut self) -> io::Result<Taken> {
        let incoming = self.dir.join(INCOMING);
        let mut files = Vec::new();
        let listed = match fs::read_dir(&incoming) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Taken::default()),
            listed => listed?,
        };
        let mut notes = Vec::new();
        for entry in listed {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()).map(str::to_owned) else {
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            if name.ends_with(NOTE) {
                notes.push(path);
                continue;
            }
            let note = fs::read(incoming.join(format!("{name}{NOTE}"))).unwrap_or_default();
            let note: serde_json::Value = serde_json::from_slice(&note).unwrap_or_default();
            let why = note["reason"].as_str().unwrap_or("not what it should be").to_owned();
            files.push((name, path, Flaw::of_file(format!("twice from the origin: {why}"))));
        }
        files.sort_by(|a, b| a.0.cmp(&b.0));
        let taken = self.take(&files)?;
        if taken.failed.is_empty() {
            notes.iter().try_for_each(fs::remove_file)?;
            // Not if something is left in it.
            let _ = fs::remove_dir(&incoming);
        }
        Ok(taken)
    }

    /// Writes the list of what is to be fetched again: of what was known of the files of `dir`, those that are in
    /// quarantine and have not come again. Returns how many there are.
    pub fn refetch(&self, dir: &Path, known: &[Raw]) -> io::Result<usize> {
        let gone =
            |raw: &&Raw| self.entries.iter().any(|e| e.name == raw.name) && !dir.join(&raw.name).exists();
        let again: Vec<&Raw> = known.iter().filter(gone).collect();
        list::write(&self.dir.join(AGAIN), &again)?;
        Ok(again.len())
    }

    /// The list of files to fetch again.
    pub fn refetch_path(&self) -> PathBuf {
        self.dir.join(AGAIN)
    }

    /// A name in quarantine that is free, or the one under which a killed run began to move this very file.
    fn place(&self, name: &str, from: &Path) -> io::Result<String> {
        for number in 1_u32.. {
            let file = if number == 1 { name.to_owned() } else { format!("{name}.{number}") };
            let target = self.dir.join(&file);
            let claimed = self.entries.iter().find(|e| e.file == file);
            let reserved = [LIST, AGAIN].contains(&file.as_str());
            let free = match target.try_exists()? {
                true => same(from, &target)?,
                // A row without a file: its move was not reached, or somebody has cleared the quarantine.
                false => claimed.is_none_or(|e| e.name == name),
            };
            if free && !reserved {
                return Ok(file);
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    fn write(&self) -> io::Result<()> {
        coaddkit_density::publish(&self.dir.join(LIST), |out| {
            let mut writer = csv::Writer::from_writer(out);
            writer.write_record(HEAD)?;
            for Entry { name, flaw, file } in &self.entries {
                let number = |n: Option<u64>| n.map_or_else(String::new, |n| n.to_string());
                let hdu = number(flaw.hdu.map(|n| n as u64));
                writer.write_record([name, &flaw.what, &hdu, &number(flaw.offset), file])?;
            }
            writer.flush()
        })
    }
}

/// The rows of the list in a folder; none if there is no list.
pub fn entries(dir: &Path) -> Result<Vec<Entry>, Refused> {
    let path = dir.join(LIST);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err((Exit::of_reader(e.kind()), format!("{}: {e}", path.display()))),
    };
    let bad = |what: String| (Exit::BadData, format!("{}: {what}", path.display()));
    let mut reader = csv::Reader::from_reader(&bytes[..]);
    let head = reader.headers().map_err(|e| bad(e.to_string()))?.clone();
    if head.iter().take(4).ne(HEAD[..4].iter().copied()) {
        return Err(bad(format!("the columns are not {}", HEAD.join(", "))));
    }
    let mut entries = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| bad(e.to_string()))?;
        let field = |k: usize| record.get(k).unwrap_or_default();
        let number = |k: usize| match field(k) {
            "" => Ok(None),
            text => text.parse::<u64>().map(Some).map_err(|e| bad(format!("{}: {text:?}: {e}", HEAD[k]))),
        };
        let hdu = number(2)?.and_then(|n| usize::try_from(n).ok());
        let flaw = Flaw { hdu, offset: number(3)?, what: field(1).to_owned() };
        let name = field(0).to_owned();
        let file = if field(4).is_empty() { name.clone() } else { field(4).to_owned() };
        entries.push(Entry { name, flaw, file });
    }
    Ok(entries)
}

/// Moves a file over no other; onto another disk by a copy that is compared with it first.
fn move_file(from: &Path, to: &Path) -> io::Result<()> {
    let at = |e: io::Error| io::Error::new(e.kind(), format!("{} to {}: {e}", from.display(), to.display()));
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).map_err(at)?;
    }
    if to.try_exists().map_err(at)? {
        // `place` found the same bytes there: a copy whose original was not reached.
        fs::remove_file(from).map_err(at)?;
        return sync_folders(from, to);
    }
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every file system can refuse to replace; nobody else moves files here while we hold the lock.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => fs::rename(from, to).map_err(at)?,
        Err(Errno::XDEV) => copy(from, to).map_err(at)?,
        moved => moved.map_err(|e| at(e.into()))?,
    }
    sync_folders(from, to)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    coaddkit_density::publish(to, |out| io::copy(&mut File::open(from)?, out).map(drop))?;
    if !same(from, to)? {
        fs::remove_file(to)?;
        return Err(io::Error::other("the copy differs"));
    }
    fs::remove_file(from)
}

/// Whether two files hold the same bytes.
fn same(a: &Path, b: &Path) -> io::Result<bool> {
    let (mut a, mut b) = (File::open(a)?, File::open(b)?);
    if a.metadata()?.len() != b.metadata()?.len() {
        return Ok(false);
    }
    let (mut left, mut right) = (vec![0; 1 << 18], vec![0; 1 << 18]);
    loop {
        let n = a.read(&mut left)?;
        if n == 0 {
            return Ok(true);
        }
        b.read_exact(&mut right[..n])?;
        if left[..n] != right[..n] {
            return Ok(false);
        }
    }
}

fn sync_folders(from: &Path, to: &Path) -> io::Result<()> {
    for folder in [from, to].into_iter().filter_map(Path::parent) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flaw(what: &str) -> Flaw {
        Flaw { hdu: Some(3), offset: Some(8640), what: what.to_owned() }
    }

    #[test]
    fn nothing_is_overwritten_and_every_file_has_its_row() {
        let dir = tempfile::tempdir().unwrap();
        let raw = dir.path().join("a.fits.fz");
        let names =
            |q: &Quarantine| q.entries.iter().map(|e| (e.name.clone(), e.file.clone())).collect::<Vec<_>>();
        let take = |body: &str, what: &str| {
            fs::write(&raw, body).unwrap();
            let mut quarantine = Quarantine::open(folder(dir.path())).unwrap();
            quarantine.take(&[("a.fits.fz".to_owned(), raw.clone(), flaw(what))]).unwrap();
            assert!(!raw.exists());
            quarantine
        };
        drop(take("one", "first, \"quoted\""));
        let quarantine = take("two", "second");
        let pair = |file: &str| ("a.fits.fz".to_owned(), file.to_owned());
        assert_eq!(names(&quarantine), [pair("a.fits.fz"), pair("a.fits.fz.2")]);
        drop(quarantine);
        let there = |name: &str| fs::read_to_string(dir.path().join(FOLDER).join(name)).unwrap();
        assert_eq!((there("a.fits.fz"), there("a.fits.fz.2")), ("one".to_owned(), "two".to_owned()));
        let text = there(LIST);
        assert!(text.starts_with("name,reason,hdu,offset,file\n"), "{text}");
        assert!(text.contains("a.fits.fz,\"first, \"\"quoted\"\"\",3,8640,a.fits.fz\n"), "{text}");

        // Killed after the copy and before the original was removed: the same bytes are one file.
        let quarantine = take("two", "again");
        assert_eq!(names(&quarantine), [pair("a.fits.fz"), pair("a.fits.fz.2")]);
        assert_eq!(quarantine.entries[1].flaw, flaw("again"));
        assert_eq!(there("a.fits.fz.2"), "two");
    }

    #[test]
    fn a_row_that_was_written_before_a_kill_is_no_second_row() {
        let dir = tempfile::tempdir().unwrap();
        let raw = dir.path().join("a.fits.fz");
        fs::write(&raw, "bad").unwrap();
        let file = ("a.fits.fz".to_owned(), raw.clone(), flaw("bad"));
        let mut quarantine = Quarantine::open(folder(dir.path())).unwrap();
        quarantine.entries.push(Entry { name: file.0.clone(), flaw: flaw("bad"), file: file.0.clone() });
        quarantine.write().unwrap();
        drop(quarantine);
        let mut quarantine = Quarantine::open(folder(dir.path())).unwrap();
        assert_eq!(quarantine.take(&[file]).unwrap().moved.len(), 1);
        assert_eq!(entries(&quarantine.dir).unwrap().len(), 1);
        assert!(!raw.exists() && quarantine.dir.join("a.fits.fz").exists());
    }

    #[test]
    fn a_file_that_is_called_as_the_list_does_not_replace_it() {
        let dir = tempfile::tempdir().unwrap();
        let raw = dir.path().join(LIST);
        fs::write(&raw, "bad").unwrap();
        let mut quarantine = Quarantine::open(folder(dir.path())).unwrap();
        let moved = quarantine.take(&[(LIST.to_owned(), raw, flaw("bad"))]).unwrap().moved;
        assert_eq!(moved[0].file, format!("{LIST}.2"));
        assert_eq!(entries(&quarantine.dir).unwrap(), moved);
    }
}
