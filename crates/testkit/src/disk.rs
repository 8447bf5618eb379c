//! A disk that is soon full.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system in memory of a few megabytes, unmounted when it is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    path: PathBuf,
    _dir: tempfile::TempDir,
}

impl SmallDisk {
    /// Mounts one of so many bytes. Where we may not mount, the skip is said on stderr and `None` is returned.
    pub fn new(bytes: u64) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("small");
        std::fs::create_dir(&path).expect("a folder in a new folder");
        let size = format!("size={bytes}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(&path).output();
        if mounted.is_ok_and(|out| out.status.success()) {
            return Some(Self { path, _dir: dir });
        }
        // Few may, and nobody can be asked to: continuous integration does not insist on it.
        eprintln!("SKIPPED: no file system can be mounted here");
        None
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.path).status();
    }
}
