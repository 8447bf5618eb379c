//! The raw files of a folder, and what tells a file that is the same still.

use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// A raw file, or one that should be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawFile {
    /// Its path below the folder, with `/`.
    pub name: String,
    /// Absent of a file that is not there.
    pub stamp: Option<Stamp>,
}

/// Length and time of the last change: a file that has others is another file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub size: u64,
    /// Since 1970.
    pub nanos: u128,
}

impl Stamp {
    pub fn of(meta: &Metadata) -> Self {
        let since = meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Self { size: meta.len(), nanos: since.map_or(0, |since| since.as_nanos()) }
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.size, self.nanos)
    }
}

/// The name of the unit of a check: what was found of a file holds for no other of the same name.
impl fmt::Display for RawFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.stamp {
            Some(stamp) => write!(f, "{} {stamp}", self.name),
            None => write!(f, "{} - -", self.name),
        }
    }
}

impl RawFile {
    /// The name of the file in the name of a unit.
    pub fn name_of(unit: &str) -> &str {
        unit.rsplitn(3, ' ').last().unwrap_or(unit)
    }

    /// The file of a unit, if it is there and the same still.
    pub fn same(folder: &Path, unit: &str) -> Option<Self> {
        let name = Self::name_of(unit).to_owned();
        let stamp = fs::metadata(folder.join(&name)).ok().map(|meta| Stamp::of(&meta));
        let file = Self { name, stamp };
        (file.stamp.is_some() && file.to_string() == unit).then_some(file)
    }
}

/// What a folder holds.
#[derive(Debug, Default)]
pub struct Found {
    pub files: Vec<RawFile>,
    /// What could not be looked at, and why.
    pub failed: Vec<(PathBuf, io::Error)>,
}

/// All `.fits.fz`, `.fits` and `.fits.gz` below a folder, by name. Folders whose names begin with `.` or `_`, and the
/// quarantine, are not looked into.
///
/// # Errors
///
/// When the folder itself cannot be read.
pub fn find(root: &Path) -> io::Result<Found> {
    let mut found = Found::default();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let path = root.join(&folder);
        let listed = match fs::read_dir(&path) {
            Ok(listed) => listed,
            Err(e) if folder.is_empty() => return Err(e),
            Err(e) => {
                found.failed.push((path, e));
                continue;
            }
        };
        for entry in listed {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                found.failed.push((entry.path(), io::Error::other("the name is not UTF-8")));
                continue;
            };
            let full = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            // A link to a folder may lead round in a circle.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if !name.starts_with(['.', '_']) && name != crate::quarantine::FOLDER {
                    folders.push(full);
                }
            } else if is_raw(&name) {
                match fs::metadata(entry.path()) {
                    Ok(meta) if meta.is_file() => {
                        found.files.push(RawFile { name: full, stamp: Some(Stamp::of(&meta)) });
                    }
                    Ok(_) => {}
                    Err(e) => found.failed.push((entry.path(), e)),
                }
            }
        }
    }
    found.files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn is_raw(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !name.starts_with('.') && [".fits.fz", ".fits", ".fits.gz"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raws_are_found_and_products_are_not() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "b.fits.fz",
            "night 1/A.FITS",
            "c.fits.gz",
            ".c.fits.part-1-2-3",
            "list.csv",
            "_check/x.fits",
            "corrupt_raws/d.fits.fz",
            ".hidden/e.fits",
            "f.fits.fz.md5",
        ] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let found = find(dir.path()).unwrap();
        let names: Vec<_> = found.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["b.fits.fz", "c.fits.gz", "night 1/A.FITS"]);
        let unit = found.files[2].to_string();
        assert_eq!(RawFile::name_of(&unit), "night 1/A.FITS");
        assert_eq!(RawFile::same(dir.path(), &unit).as_ref(), Some(&found.files[2]));
        fs::write(dir.path().join("night 1/A.FITS"), "xy").unwrap();
        assert_eq!(RawFile::same(dir.path(), &unit), None);
        assert!(find(&dir.path().join("none")).is_err());
    }
}
