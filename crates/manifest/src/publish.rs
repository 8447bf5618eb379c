//! Files that are whole or absent.

use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::Error;

/// A file that is written under another name, `.name.part-*` beside it, and gets its own when it is whole.
///
/// Dropped before [`Self::finish`], it leaves nothing behind, and an earlier file of that name as it was.
#[derive(Debug)]
pub(crate) struct Part {
    path: PathBuf,
    file: NamedTempFile,
}

impl Part {
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let name = path.file_name().ok_or_else(|| Error::usage("is no file name").at(path))?;
        let mut prefix = std::ffi::OsString::from(".");
        prefix.push(name);
        prefix.push(".part-");
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix);
        ordinary(&mut builder);
        let file = builder.tempfile_in(folder(path)).map_err(|e| Error::io(path, &e))?;
        Ok(Self { path: path.to_owned(), file })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A second handle to write with.
    pub(crate) fn writer(&self) -> Result<BufWriter<File>, Error> {
        let file = self.file.as_file().try_clone().map_err(|e| Error::io(&self.path, &e))?;
        Ok(BufWriter::with_capacity(1 << 20, file))
    }

    /// Puts the file on disk and under its name; gives its size.
    pub(crate) fn finish(self) -> Result<u64, Error> {
        let at = |e: &io::Error| Error::io(&self.path, e);
        self.file.as_file().sync_all().map_err(|e| at(&e))?;
        let bytes = self.file.as_file().metadata().map_err(|e| at(&e))?.len();
        self.file.persist(&self.path).map_err(|e| at(&e.error))?;
        if cfg!(unix) {
            // Makes the rename itself durable.
            File::open(folder(&self.path)).and_then(|f| f.sync_all()).map_err(|e| at(&e))?;
        }
        Ok(bytes)
    }
}

/// A temporary file is private by default; a product has the permissions that the user's umask gives.
#[cfg(unix)]
fn ordinary(builder: &mut tempfile::Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt;
    builder.permissions(Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn ordinary(_: &mut tempfile::Builder<'_, '_>) {}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes a file so that its name never shows a part of it.
///
/// # Errors
///
/// Whatever `write` or the file system says; an earlier file of that name stays as it was.
///
/// # Examples
///
/// ```
/// # let dir = std::env::temp_dir().join(format!("manifest-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// let path = dir.join("report.json");
/// coaddkit_manifest::publish(&path, |out| writeln!(out, "{{}}"))?;
/// assert_eq!(std::fs::read(&path)?, b"{}\n");
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn publish(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
    let part = Part::create(path)?;
    let mut out = part.writer()?;
    write(&mut out).and_then(|()| out.flush()).map_err(|e| Error::io(path, &e))?;
    drop(out);
    part.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let names = std::fs::read_dir(folder).unwrap();
        names.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_failure_leaves_the_old_file_and_no_part() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        publish(&path, |out| out.write_all(b"old")).unwrap();
        let failed = publish(&path, |out| {
            out.write_all(&vec![b'x'; 3 << 20])?;
            assert_eq!(names(dir.path()).len(), 2);
            Err(io::Error::other("disk full"))
        });
        assert!(failed.unwrap_err().to_string().ends_with("a.csv: disk full"));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(names(dir.path()), ["a.csv"]);
        publish(&path, |out| out.write_all(b"new")).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_what_is_published() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        publish(&path, |out| out.write_all(b"x")).unwrap();
        std::fs::write(dir.path().join("b"), "x").unwrap();
        let mode = |name: &str| std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode("a"), mode("b"));
    }
}
