//! Files in folders.

use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::part::{self, Part};
use crate::{Entry, Error, ErrorKind};

/// Runs what waits for the disk where it may.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(e) if e.is_panic() => std::panic::resume_unwind(e.into_panic()),
        Err(e) => Err(Error::new(ErrorKind::OutOfTime, "runtime", e)),
    }
}

pub(super) fn put(path: &Path, content: &[u8], sync: bool) -> Result<(), Error> {
    let write = || {
        let (part, mut file) = Part::create(path, &Arc::default())?;
        file.write_all(content)?;
        part.publish(&file, sync)
    };
    write().map_err(|e: io::Error| Error::local(path, &e))
}

pub(super) fn get(path: &Path) -> Result<Option<Bytes>, Error> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes.into())),
        Err(e) if is_absent(&e) => Ok(None),
        Err(e) => Err(Error::local(path, &e)),
    }
}

pub(super) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(e) if !is_absent(&e) => Err(Error::local(path, &e)),
        _ => Ok(()),
    }
}

pub(super) fn list(root: &Path, under: &str) -> Result<Vec<Entry>, Error> {
    let mut found = Vec::new();
    let mut folders = vec![under.trim_matches('/').to_owned()];
    while let Some(folder) = folders.pop() {
        let path = root.join(&folder);
        let failed = |e: io::Error| Error::local(&path, &e);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(e) if is_absent(&e) => continue,
            Err(e) => return Err(failed(e)),
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let full = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            // Follows links; one that leads nowhere is no file.
            let Ok(meta) = fs::metadata(entry.path()) else { continue };
            if meta.is_dir() {
                folders.push(full);
            } else if part::stem(&name).is_none() {
                found.push(Entry { name: full, bytes: meta.len() });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Names of the folders in a folder; links to folders are some.
pub(super) fn folders(root: &Path) -> Result<Vec<String>, Error> {
    let failed = |e: io::Error| Error::local(root, &e);
    let entries = match fs::read_dir(root) {
        Err(e) if is_absent(&e) => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() || (kind.is_symlink() && entry.path().is_dir()) {
            names.extend(entry.file_name().into_string().ok());
        }
    }
    Ok(names)
}

pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
