use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::{Error, Finished, Item, Outcome, Published};

/// A line of a ledger: how a file ended in some run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Record {
    /// The name below the destination.
    pub name: String,
    /// [`Outcome::word`].
    pub outcome: String,
    /// The source, without credentials.
    pub source: String,
    /// Requests.
    pub attempts: u32,
    /// Length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// SHA-256 in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Of the origin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Of the origin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    /// Why the file is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What runs did, as lines of JSON that are only ever added to. The last key of a line, `crc`, is the CRC-32 of the
/// line without it, so that a line that was cut or damaged is known.
///
/// A ledger is a hint: what is at the destination decides what is fetched. Without its ledger a run lists and
/// fetches the same; it only knows no digests of files that were there before.
#[derive(Debug)]
pub struct Ledger {
    file: File,
    path: PathBuf,
    synced: Instant,
}

/// Lines written since are lost when the machine crashes.
const SYNC: Duration = Duration::from_secs(5);

impl Ledger {
    /// Opens a ledger to add to, and makes it if there is none.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let open = || {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path)?;
            // A line that a killed run left open ends here, and is known as damaged.
            if file.seek(SeekFrom::End(0))? > 0 {
                file.seek(SeekFrom::End(-1))?;
                let mut last = [0];
                file.read_exact(&mut last)?;
                if last != *b"\n" {
                    file.write_all(b"\n")?;
                }
            }
            Ok(file)
        };
        let file = open().map_err(|e: io::Error| Error::local(&path, &e))?;
        Ok(Self { file, path, synced: Instant::now() })
    }

    /// Adds a line.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn add(&mut self, item: &Item, finished: &Finished) -> Result<(), Error> {
        let line = Record::of(item, finished).line();
        let mut write = || {
            self.file.write_all(line.as_bytes())?;
            if self.synced.elapsed() > SYNC {
                self.synced = Instant::now();
                self.file.sync_data()?;
            }
            Ok(())
        };
        write().map_err(|e: io::Error| Error::local(&self.path, &e))
    }

    /// Brings all lines to disk.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn sync(&mut self) -> Result<(), Error> {
        self.file.sync_data().map_err(|e| Error::local(&self.path, &e))
    }

    /// The last good line of each name, and how many lines are damaged. No file is an empty ledger.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn read(path: &Path) -> Result<(HashMap<String, Record>, usize), Error> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Default::default()),
            Err(e) => return Err(Error::local(path, &e)),
        };
        let (mut records, mut damaged) = (HashMap::new(), 0);
        for line in BufReader::new(file).split(b'\n') {
            let line = line.map_err(|e| Error::local(path, &e))?;
            match Record::parse(&line) {
                Some(record) => drop(records.insert(record.name.clone(), record)),
                None if line.is_empty() => {}
                None => damaged += 1,
            }
        }
        Ok((records, damaged))
    }
}

impl Record {
    fn of(item: &Item, finished: &Finished) -> Self {
        let (bytes, known) = match &finished.outcome {
            Outcome::Published(published) => (Some(published.bytes), Some(published)),
            Outcome::Present { bytes, noted } => (Some(*bytes), noted.as_deref()),
            _ => (None, None),
        };
        Self {
            name: item.destination().to_owned(),
            outcome: finished.outcome.word().to_owned(),
            source: item.source().to_string(),
            attempts: finished.attempts,
            bytes,
            sha256: known.map(|p| p.sha256.to_string().trim_start_matches("sha256:").to_owned()),
            etag: known.and_then(|p| p.etag.clone()),
            last_modified: known.and_then(|p| p.last_modified.clone()),
            reason: finished.outcome.reason(),
        }
    }

    fn line(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        let crc = crc32fast::hash(json.as_bytes());
        format!("{},\"crc\":\"{crc:08x}\"}}\n", json.trim_end_matches('}'))
    }

    fn parse(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?;
        let (body, crc) = line.strip_suffix("\"}")?.rsplit_once(",\"crc\":\"")?;
        let json = format!("{body}}}");
        let right = u32::from_str_radix(crc, 16) == Ok(crc32fast::hash(json.as_bytes()));
        if right { serde_json::from_str(&json).ok() } else { None }
    }

    /// What was noted of a file that is there.
    pub(crate) fn published(&self) -> Option<Published> {
        Some(Published {
            bytes: self.bytes?,
            sha256: self.sha256.as_ref()?.parse().ok()?,
            etag: self.etag.clone(),
            last_modified: self.last_modified.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Digest;

    fn finished(bytes: u64) -> Finished {
        let sha256 = Digest::Sha256([7; 32]);
        let published =
            Published { bytes, sha256, etag: Some("\"}\",\"crc\":\"".into()), last_modified: None };
        Finished { index: 0, attempts: 2, outcome: Outcome::Published(published) }
    }

    #[test]
    fn lines_come_back_and_damaged_ones_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/ledger.jsonl");
        let item = |name| Item::new("https://me:secret@a.org/x", name).unwrap();
        let mut ledger = Ledger::open(&path).unwrap();
        ledger.add(&item("a"), &finished(1)).unwrap();
        ledger.add(&item("a"), &finished(2)).unwrap();
        ledger.add(&item("b"), &finished(3)).unwrap();
        drop(ledger);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("secret"));
        for line in text.lines() {
            assert!(serde_json::from_str::<serde_json::Value>(line).unwrap()["crc"].is_string());
        }

        // Any byte that changes is seen, and so is a cut at any place.
        let last = text.lines().last().unwrap().as_bytes();
        assert!(Record::parse(last).is_some());
        for at in 0..last.len() {
            let mut line = last.to_vec();
            line[at] ^= 1;
            assert_eq!(Record::parse(&line), None, "{at}");
            assert_eq!(Record::parse(&last[..at]), None, "{at}");
        }

        std::fs::write(&path, &text[..text.len() - 9]).unwrap();
        let mut ledger = Ledger::open(&path).unwrap();
        ledger.add(&item("c"), &finished(4)).unwrap();
        ledger.sync().unwrap();
        let (records, damaged) = Ledger::read(&path).unwrap();
        assert_eq!((records.len(), damaged), (2, 1));
        assert_eq!(records["a"].bytes, Some(2));
        let Outcome::Published(known) = finished(4).outcome else { unreachable!() };
        assert_eq!(records["c"].published(), Some(known));
        assert_eq!(Ledger::read(&dir.path().join("none")).unwrap().0.len(), 0);
    }
}
