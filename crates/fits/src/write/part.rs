//! A file that has its name only once it is whole.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// A file under a temporary name beside its final one; dropped without [`Self::publish`] it leaves nothing.
#[derive(Debug)]
pub(super) struct Part {
    path: PathBuf,
    last: PathBuf,
    file: File,
    published: bool,
}

impl Part {
    /// Creates `.name.part-*` in the directory of `last`, and opens it to be written.
    pub(super) fn create(last: &Path) -> io::Result<(Self, File)> {
        let name = last.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
        if last.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        for n in 0_u32.. {
            let path = last.with_file_name(format!(".{name}.part-{}-{n}", std::process::id()));
            match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
                Ok(file) => {
                    let own = file.try_clone()?;
                    return Ok((Self { path, last: last.to_owned(), file: own, published: false }, file));
                }
                // Of another writer of this process, or of one that was killed.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists && n < 1000 => {}
                Err(e) => return Err(e),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Makes what was written durable and gives it its name.
    pub(super) fn publish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.path, &self.last)?;
        self.published = true;
        sync_directory(&self.last)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.published {
            // Nothing can be done about a failure here, and the name tells what it is.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(unix)]
fn sync_directory(file: &Path) -> io::Result<()> {
    let directory = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}
