//! Files that are whole or absent.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use tempfile::NamedTempFile;

/// Writes a file so that its name never shows a part of it: into `.name.part-*` beside it, then to disk, then
/// renamed over what was there.
///
/// A failure leaves an earlier file of that name as it was, and no temporary one behind.
///
/// # Errors
///
/// Whatever `write` or the file system says; errors of the file system name the path.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # let dir = tempfile::tempdir()?;
/// let path = dir.path().join("counts.csv");
/// coaddkit_density::publish(&path, |out| writeln!(out, "brickname,lrg_count"))?;
/// assert_eq!(std::fs::read(&path)?, b"brickname,lrg_count\n");
/// # Ok(())
/// # }
/// ```
pub fn publish(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let part = part_file(path)?;
    let mut out = BufWriter::with_capacity(1 << 18, part.as_file());
    write(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    part.persist(path).map_err(|e| at(path, &e.error))?;
    if cfg!(unix) {
        // Makes the rename itself durable, where folders can be opened.
        let folder = folder(path);
        File::open(folder)?.sync_all().map_err(|e| at(folder, &e))?;
    }
    Ok(())
}

/// A new file beside `path`, which is gone when it is dropped.
fn part_file(path: &Path) -> io::Result<NamedTempFile> {
    let name = path.file_name().ok_or_else(|| at(path, &io::ErrorKind::IsADirectory.into()))?;
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".part-");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix);
    // A temporary file is private by default; a product has the permissions that the user's umask gives.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder(path)).map_err(|e| at(path, &e))
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_replaces_another_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        for text in ["one", "another"] {
            publish(&path, |out| {
                assert_eq!(
                    names(dir.path()).iter().filter(|name| name.starts_with(".a.csv.part-")).count(),
                    1
                );
                out.write_all(text.as_bytes())
            })
            .unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(names(dir.path()), ["a.csv"]);
        }
    }

    #[test]
    fn a_failure_leaves_the_old_file_and_no_part() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        publish(&path, |out| out.write_all(b"old")).unwrap();
        let failed = publish(&path, |out| {
            out.write_all(&vec![b'x'; 1 << 20])?;
            Err(io::Error::other("disk full"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "disk full");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(dir.path()), ["a.csv"]);

        // The target is a folder: the rename fails.
        fs::create_dir(dir.path().join("b")).unwrap();
        let failed = publish(&dir.path().join("b"), |out| out.write_all(b"new")).unwrap_err();
        assert!(failed.to_string().contains("/b: "), "{failed}");
        assert_eq!(names(dir.path()), ["a.csv", "b"]);
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_what_is_published() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        publish(&dir.path().join("a"), |out| out.write_all(b"x")).unwrap();
        fs::write(dir.path().join("b"), "x").unwrap();
        let mode = |name: &str| fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode("a"), mode("b"));
    }

    #[test]
    fn a_folder_that_is_absent_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let failed = publish(&dir.path().join("absent/a.csv"), |_| Ok(())).unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::NotFound);
        assert!(failed.to_string().contains("absent/a.csv"), "{failed}");
        assert!(publish(Path::new("/"), |_| Ok(())).is_err());
    }
}
