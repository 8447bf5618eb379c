//! Small inputs and products that may be in a bucket.

use crate::cli::Exit;
use crate::inputs::{Refused, is_remote};
use crate::moves::{destination, exit_of_error, exit_of_outcome};
use crate::objects::Objects;
use crate::shards::refused;
use coaddkit_tasks::Store;
use coaddkit_transfer::{Destination, Item, Plan, Transfer};
use std::io;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Reads a small file: of this machine, http(s)://… or s3://….
///
/// # Errors
///
/// It is not there, or cannot be read.
pub fn read_file(place: &Path, no_sign_request: bool) -> Result<Vec<u8>, Refused> {
    let said = |e: io::Error| (Exit::of_reader(e.kind()), format!("{}: {e}", place.display()));
    if !is_remote(place) {
        return std::fs::read(place).map_err(said);
    }
    let failed = |e: coaddkit_transfer::Error| (exit_of_error(&e), e.to_string());
    let dir = TempDir::with_prefix("coaddkit-").map_err(said)?;
    let plan = Plan::new([Item::new(&place.to_string_lossy(), "file").map_err(failed)?]).map_err(failed)?;
    let to = Destination::folder(dir.path()).without_sync();
    let s3 = crate::moves::s3(no_sign_request);
    let report = Transfer::new(to).s3(s3).run_blocking(&plan, &()).map_err(failed)?;
    if let Some(missing) = report.missing.first() {
        let why = missing.outcome.reason().unwrap_or_else(|| "it is not there".into());
        return Err((exit_of_outcome(&missing.outcome), format!("{}: {why}", place.display())));
    }
    std::fs::read(dir.path().join("file")).map_err(said)
}

/// Where a product goes: a file of this machine, or s3://bucket/prefix/name, where it goes when it is whole.
#[derive(Debug)]
pub struct Outlet {
    path: PathBuf,
    remote: Option<(TempDir, Objects)>,
}

impl Outlet {
    /// At an address or a path.
    ///
    /// # Errors
    ///
    /// It is neither.
    pub fn at(out: &Path) -> Result<Self, Refused> {
        let text = out.to_string_lossy();
        if !text.contains("://") {
            return Ok(Self { path: out.to_owned(), remote: None });
        }
        let transient = |e: io::Error| (Exit::Transient, format!("{text}: {e}"));
        let usage = |what: &str| (Exit::Usage, format!("--out {text}: {what}"));
        let (prefix, name) = text.rsplit_once('/').unwrap_or((&text, ""));
        if name.is_empty() || prefix.ends_with('/') {
            return Err(usage("it names no file of a bucket"));
        }
        let place = destination(prefix, false).map_err(|e| (exit_of_error(&e), e.to_string()))?;
        let objects = Objects::of(&place).map_err(transient)?.ok_or_else(|| usage("it is no bucket"))?;
        let dir = TempDir::with_prefix("coaddkit-").map_err(transient)?;
        Ok(Self { path: dir.path().join(name), remote: Some((dir, objects)) })
    }

    /// Where to write it, and what goes beside it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts into the bucket what was written, if it goes there.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub fn publish(&self) -> Result<(), Refused> {
        let Some((dir, objects)) = &self.remote else { return Ok(()) };
        let list = || -> io::Result<Vec<PathBuf>> {
            std::fs::read_dir(dir.path())?.map(|entry| entry.map(|entry| entry.path())).collect()
        };
        let mut files = list().map_err(|e| (Exit::Transient, e.to_string()))?;
        // The product comes last, so that what is beside it is there when it is.
        files.sort_by_key(|file| *file == self.path);
        files.iter().try_for_each(|file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            objects.put_file(&name, file).map_err(|e| refused(&e))
        })
    }
}
