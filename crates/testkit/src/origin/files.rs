//! What an origin serves.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// When the files in memory were last changed, unless they are changed again: in seconds of Unix time.
const LAST_MODIFIED: u64 = 1_668_516_326;

/// The tree that an origin serves.
#[derive(Debug, Clone, Default)]
pub struct Files {
    memory: BTreeMap<String, Entry>,
    folder: Option<PathBuf>,
}

/// A file and what identifies this version of it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub body: Arc<[u8]>,
    pub etag: String,
    pub modified: SystemTime,
}

impl Files {
    /// Files in memory, by path without leading slash.
    pub fn memory<P: Into<String>, B: Into<Vec<u8>>>(files: impl IntoIterator<Item = (P, B)>) -> Self {
        let mut out = Self::default();
        files.into_iter().for_each(|(path, body)| out.put(&path.into(), body.into()));
        out
    }

    /// The files below a folder, as they are at the time of each request.
    pub fn folder(dir: impl Into<PathBuf>) -> Self {
        Self { folder: Some(dir.into()), ..Self::default() }
    }

    /// Adds or replaces a file in memory; in front of a folder, it hides the file there. A replaced file is a
    /// second younger than before.
    pub fn put(&mut self, path: &str, body: Vec<u8>) {
        let path = path.trim_start_matches('/').to_owned();
        let modified = self.memory.get(&path).map_or_else(
            || UNIX_EPOCH + Duration::from_secs(LAST_MODIFIED),
            |old| old.modified + Duration::from_secs(1),
        );
        self.memory.insert(path, Entry::new(body, modified));
    }

    /// Takes a file in memory away.
    pub fn remove(&mut self, path: &str) {
        self.memory.remove(path.trim_start_matches('/'));
    }

    pub(super) fn get(&self, path: &str) -> Option<Entry> {
        if let Some(entry) = self.memory.get(path) {
            return Some(entry.clone());
        }
        // Nothing above the folder is served.
        if !Path::new(path).components().all(|part| matches!(part, Component::Normal(_))) {
            return None;
        }
        let path = self.folder.as_ref()?.join(path);
        let modified = std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file)?.modified().ok()?;
        Some(Entry::new(std::fs::read(&path).ok()?, modified))
    }
}

impl Entry {
    pub fn new(body: Vec<u8>, modified: SystemTime) -> Self {
        let etag = format!("\"{:016x}-{:x}\"", hash(&body), body.len());
        Self { body: body.into(), etag, modified }
    }
}

/// FNV-1a over words, which is enough to tell versions of a file apart.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let words = bytes.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    });
    words.fold(0xCBF2_9CE4_8422_2325 ^ bytes.len() as u64, |hash, word| {
        (hash ^ word).wrapping_mul(0x0000_0100_0000_01B3).rotate_left(23)
    })
}
