//! What a shard did, as lines of JSON that are only ever added to.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::job::hex;
use crate::plan::parts_of;
use crate::record::{Record, Slice};
use crate::{Error, ErrorKind, Shard};

/// Lines written since are lost when the machine, not only the process, dies.
const SYNC: Duration = Duration::from_secs(5);

/// A longer line is damage.
const MAX_LINE: u64 = 16 << 20;

/// A line. Its last key, `sum`, is the start of the SHA-256 of the line without it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
enum Line {
    Shard { key: String, index: u32, count: u32 },
    Begun { unit: String },
    Ended(Record),
}

impl Line {
    fn text(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        let sum = sum(&json);
        format!("{},\"sum\":\"{sum}\"}}\n", json.strip_suffix('}').unwrap_or(&json))
    }

    fn parse(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?;
        let (body, found) = line.strip_suffix("\"}")?.rsplit_once(",\"sum\":\"")?;
        let json = format!("{body}}}");
        if sum(&json) != found {
            return None;
        }
        let line = serde_json::from_str(&json).ok()?;
        match &line {
            Self::Ended(record) if !record.outputs.iter().all(|o| o.is_inside()) => None,
            _ => Some(line),
        }
    }
}

fn sum(json: &str) -> String {
    let mut hex = hex(Sha256::new_with_prefix(json));
    hex.truncate(12);
    hex
}

/// What stands in a ledger.
#[derive(Debug)]
pub(crate) struct Reading {
    pub shard: Option<Shard>,
    pub key: Option<String>,
    pub units: HashMap<String, Trace>,
    pub damaged: u64,
    /// How often a run began here.
    pub runs: u32,
}

/// What is known of a unit.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    pub begun: u32,
    /// Beginnings since the last end: it was on its way when a run was killed.
    pub open: u32,
    /// The run in which it last began.
    pub run: u32,
    pub ended: Option<Record>,
}

impl Trace {
    /// Whether nothing is left to do of it.
    pub fn is_settled(&self) -> bool {
        self.ended.as_ref().is_some_and(|record| record.state.is_settled())
    }
}

impl Reading {
    /// Reads a ledger; no file is an empty one.
    pub fn of(path: &Path) -> Result<Self, Error> {
        let mut reading = Self { shard: None, key: None, units: HashMap::new(), damaged: 0, runs: 0 };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(reading),
            Err(e) => return Err(Error::io(path, &e)),
        };
        let mut file = BufReader::with_capacity(1 << 16, file);
        let mut line = Vec::new();
        while read_line(&mut file, &mut line).map_err(|e| Error::io(path, &e))? {
            match Line::parse(&line) {
                Some(line) => reading.take(path, line)?,
                None if line.is_empty() => {}
                None => reading.damaged += 1,
            }
        }
        Ok(reading)
    }

    /// Whether a unit began in the last run.
    pub fn is_of_last_run(&self, unit: &str) -> bool {
        self.units.get(unit).is_some_and(|trace| trace.run == self.runs)
    }

    fn take(&mut self, path: &Path, line: Line) -> Result<(), Error> {
        match line {
            Line::Shard { key, index, count } => {
                let shard = Shard::new(index, count).map_err(|e| Error::data(path.display(), e))?;
                if self.shard.is_some_and(|s| s != shard) || self.key.as_ref().is_some_and(|k| *k != key) {
                    return Err(Error::data(path.display(), "ledgers of two runs in one file"));
                }
                (self.shard, self.key) = (Some(shard), Some(key));
                self.runs = self.runs.saturating_add(1);
            }
            Line::Begun { unit } => {
                let trace = self.units.entry(unit).or_default();
                trace.begun = trace.begun.saturating_add(1);
                trace.open = trace.open.saturating_add(1);
                trace.run = self.runs;
            }
            Line::Ended(record) => {
                let trace = self.units.entry(record.unit.clone()).or_default();
                trace.open = 0;
                // What came from a store has no line of its beginning.
                trace.begun = trace.begun.max(record.attempt);
                trace.ended = Some(record);
            }
        }
        Ok(())
    }
}

/// The next line without its end, or nothing of one that is too long; false at the end of the file.
fn read_line(file: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut long = false;
    loop {
        let n = file.by_ref().take(MAX_LINE).read_until(b'\n', line)?;
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if n as u64 == MAX_LINE {
            // Goes on behind it, and what is read until then is not worth keeping.
            long = true;
            line.clear();
            continue;
        }
        let more = n > 0 || long;
        if long {
            line.clear();
            line.push(b'?');
        }
        return Ok(more);
    }
}

/// Where the ledger and the partials of a shard are.
pub(crate) fn paths(folder: &Path, shard: Shard) -> (PathBuf, PathBuf) {
    let stem = parts_of(folder).join(shard.stem());
    (stem.with_extension("ledger"), stem.with_extension("partials"))
}

/// The ledgers of a folder, by name.
pub(crate) fn all(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let parts = parts_of(folder);
    let list = || -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(&parts)? {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == "ledger") {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    };
    list().map_err(|e| Error::io(&parts, &e))
}

/// A ledger that is added to, by this process alone.
#[derive(Debug)]
pub(crate) struct Ledger {
    file: File,
    path: PathBuf,
    partials: File,
    partials_path: PathBuf,
    /// Where the partials end.
    at: u64,
    synced: Instant,
}

impl Ledger {
    /// Opens the ledger of a shard and reads what stands in it.
    pub fn open(folder: &Path, shard: Shard, key: &str) -> Result<(Self, Reading), Error> {
        let (path, partials_path) = paths(folder, shard);
        let open = |path: &Path| {
            let file = OpenOptions::new().read(true).append(true).create(true).open(path);
            file.map_err(|e| Error::io(path, &e))
        };
        let mut file = open(&path)?;
        lock(&file, &path, shard)?;
        let mut partials = open(&partials_path)?;
        let reading = Reading::of(&path)?;
        let other = |what: String| Err(Error::data(path.display(), what));
        if let Some(of) = reading.shard.filter(|&of| of != shard) {
            return other(format!("this is the ledger of {of}, not of {shard}"));
        }
        if reading.key.as_ref().is_some_and(|of| of != key) {
            return other("this is the ledger of another run".to_owned());
        }
        let at = partials.seek(SeekFrom::End(0)).map_err(|e| Error::io(&partials_path, &e))?;
        close_line(&mut file).map_err(|e| Error::io(&path, &e))?;
        let mut ledger = Self { file, path, partials, partials_path, at, synced: Instant::now() };
        ledger.add(&Line::Shard { key: key.to_owned(), index: shard.index(), count: shard.count() })?;
        Ok((ledger, reading))
    }

    /// Notes that a unit begins.
    pub fn begin(&mut self, unit: &str) -> Result<(), Error> {
        self.add(&Line::Begun { unit: unit.to_owned() })
    }

    /// Notes how a unit ended, its part of the result first.
    pub fn end(&mut self, mut record: Record, partial: Option<&[u8]>) -> Result<Record, Error> {
        if let Some(bytes) = partial {
            let sha256 = hex(Sha256::new_with_prefix(bytes));
            record.partial = Some(Slice { at: self.at, bytes: bytes.len() as u64, sha256 });
            self.partials.write_all(bytes).map_err(|e| Error::io(&self.partials_path, &e))?;
            self.at += bytes.len() as u64;
        }
        self.add(&Line::Ended(record.clone()))?;
        Ok(record)
    }

    /// Brings all to disk.
    pub fn sync(&mut self) -> Result<(), Error> {
        self.synced = Instant::now();
        self.partials.sync_data().map_err(|e| Error::io(&self.partials_path, &e))?;
        self.file.sync_data().map_err(|e| Error::io(&self.path, &e))
    }

    fn add(&mut self, line: &Line) -> Result<(), Error> {
        self.file.write_all(line.text().as_bytes()).map_err(|e| Error::io(&self.path, &e))?;
        if self.synced.elapsed() > SYNC { self.sync() } else { Ok(()) }
    }
}

/// A ledger that no process is at work on while this lives.
#[derive(Debug)]
pub(crate) struct Held {
    _file: File,
    path: PathBuf,
}

/// Holds a ledger, if it is there; `None` if a process is at work on it, or it is gone.
pub(crate) fn hold(path: &Path) -> Result<Option<Held>, Error> {
    let file = match OpenOptions::new().read(true).append(true).open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(|e| Error::io(path, &e))?,
    };
    Ok(try_lock(&file).then(|| Held { _file: file, path: path.to_owned() }))
}

impl Held {
    /// Whether no unit is done by it.
    pub fn is_idle(&self) -> Result<bool, Error> {
        let reading = Reading::of(&self.path)?;
        Ok(!reading.units.values().any(Trace::is_settled))
    }

    /// Takes it away, and its partials.
    pub fn remove(self) -> Result<(), Error> {
        for path in [self.path.with_extension("partials"), self.path] {
            match fs::remove_file(&path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(Error::io(&path, &e)),
                _ => {}
            }
        }
        Ok(())
    }
}

/// A line that a killed run left open ends here, and is known as damaged.
fn close_line(file: &mut File) -> io::Result<()> {
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok(())
}

/// Two processes that do the same shard would do each unit twice. The lock ends with the process, however that ends.
fn lock(file: &File, path: &Path, shard: Shard) -> Result<(), Error> {
    if try_lock(file) {
        return Ok(());
    }
    let what = format!("another process is at work on {shard}");
    Err(Error::new(ErrorKind::Transient, path.display(), what))
}

/// False if another process holds it. Where there are no locks nobody is known to.
fn try_lock(file: &File) -> bool {
    #[cfg(unix)]
    return rustix::fs::flock(file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
        != Err(rustix::io::Errno::WOULDBLOCK);
    #[cfg(not(unix))]
    {
        let _ = file;
        true
    }
}
