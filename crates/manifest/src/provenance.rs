//! What a table was made from.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{Error, HASH_VERSION, Schema, Source};

/// Name and version of this crate, as products record it.
pub const TOOL: &str = concat!("coaddkit-manifest ", env!("CARGO_PKG_VERSION"));

/// Keys and values for the metadata of a table.
///
/// A [`TableWriter`](crate::TableWriter) adds `coaddkit.schema` (names, types, units, meaning, null rules),
/// `coaddkit.tool` and `coaddkit.hash`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    entries: Vec<(String, String)>,
}

impl Provenance {
    /// Nothing but what the writer adds.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more entry; keys should start with `coaddkit.` or a name of the caller's own.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.entries.push((key.into(), value.into()));
        self
    }

    /// With an entry that is JSON.
    #[must_use]
    pub fn with_json(self, key: impl Into<String>, value: &impl Serialize) -> Self {
        let text = serde_json::to_string(value).unwrap_or_default();
        self.with(key, text)
    }

    pub(crate) fn all<'a>(&'a self, schema: &Schema<'_>) -> impl Iterator<Item = (String, String)> + use<'a> {
        let own = [
            ("coaddkit.schema".to_owned(), schema.json_schema().to_string()),
            ("coaddkit.tool".to_owned(), TOOL.to_owned()),
            ("coaddkit.hash".to_owned(), HASH_VERSION.to_owned()),
        ];
        own.into_iter().chain(self.entries.iter().cloned())
    }
}

/// An input as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Input {
    /// As it was named.
    pub path: String,
    /// How many files it is.
    pub files: usize,
    /// Bytes of all files.
    pub bytes: u64,
    /// SHA-256 of the file; of several files that of the lines `{SHA-256}  {name}`, sorted by name, with names relative
    /// to the folder.
    pub sha256: String,
}

impl Input {
    /// Reads the files of a source once, on the threads of the current rayon pool.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub fn of(source: &Source) -> Result<Self, Error> {
        let files: Vec<(&Path, PathBuf)> = source.names().collect();
        let digests: Result<Vec<_>, Error> = files.par_iter().map(|(path, _)| digest(path)).collect();
        let digests = digests?;
        let bytes = digests.iter().map(|(_, bytes)| bytes).sum();
        let sha256 = match &digests[..] {
            [(one, _)] => one.clone(),
            many => {
                let mut all = Sha256::new();
                for ((sha256, _), (_, name)) in many.iter().zip(&files) {
                    all.update(format!("{sha256}  {}\n", name.to_string_lossy().replace('\\', "/")));
                }
                hex(&all.finalize())
            }
        };
        Ok(Self { path: source.path().to_string_lossy().into_owned(), files: files.len(), bytes, sha256 })
    }
}

fn digest(path: &Path) -> Result<(String, u64), Error> {
    let at = |e: &std::io::Error| Error::io(path, e);
    let mut file = File::open(path).map_err(|e| at(&e))?;
    let (mut all, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 256 << 10]);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((hex(&all.finalize()), bytes)),
            Ok(n) => {
                all.update(&buffer[..n]);
                bytes += n as u64;
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(at(&e)),
        }
    }
}

/// SHA-256 of bytes, in lower hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    bytes.iter().flat_map(|&b| [digit(b >> 4), digit(b)]).collect()
}

/// Who made a product, for stage configs.
pub(crate) fn code() -> Value {
    json!({ "tool": TOOL, "version": env!("CARGO_PKG_VERSION"), "hash": HASH_VERSION })
}
