//! Files that are not whole yet: parts beside their final name, and spool files that nobody sees.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::http::Version;

/// A part of another machine, or of a process that seems to live, is taken for left over after so long a silence.
const SILENCE: Duration = Duration::from_secs(600);

/// Parts that this process is writing.
static ACTIVE: LazyLock<Mutex<HashSet<PathBuf>>> = LazyLock::new(Mutex::default);

/// `.name.part-HOST-PID-N`, beside `name`: the bytes so far of a file to come.
#[derive(Debug)]
pub(crate) struct Part {
    path: PathBuf,
    target: PathBuf,
    published: bool,
    /// What identifies the bytes is told beside the part, so that a later run may go on.
    resumable: bool,
    /// There is a sidecar, be it of use or not.
    described: bool,
    discard: Arc<AtomicBool>,
}

/// Beside a part: of what its bytes are the beginning.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Sidecar {
    /// SHA-256 of the address, which may hold secrets.
    pub source: String,
    #[serde(flatten)]
    pub version: Version,
    pub length: Option<u64>,
    /// The boot of the machine: after a crash of the whole machine, what a part holds is anybody's guess.
    pub boot: Option<String>,
}

impl Part {
    /// A new part for `target`; its folders are made.
    pub(crate) fn create(target: &Path, discard: &Arc<AtomicBool>) -> io::Result<(Self, File)> {
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        loop {
            let path = part_path(target);
            lock().insert(path.clone());
            match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
                Ok(file) => return Ok((Self::of(path, target, discard), file)),
                Err(e) => {
                    lock().remove(&path);
                    // Left by a process that was killed and had the same number: take the next name.
                    if e.kind() != io::ErrorKind::AlreadyExists {
                        return Err(e);
                    }
                }
            }
        }
    }

    fn of(path: PathBuf, target: &Path, discard: &Arc<AtomicBool>) -> Self {
        let discard = Arc::clone(discard);
        Self {
            path,
            target: target.to_owned(),
            published: false,
            resumable: false,
            described: false,
            discard,
        }
    }

    /// Takes over a part that another run left, if nobody writes it and its sidecar says that it belongs to this
    /// source. The rename decides between several who want it.
    pub(crate) fn adopt(
        left: &Path,
        target: &Path,
        source: &str,
        discard: &Arc<AtomicBool>,
    ) -> Option<(Self, File, Sidecar)> {
        if is_alive(left) {
            return None;
        }
        let sidecar = fs::read(sidecar_path(left)).ok();
        let sidecar: Option<Sidecar> = sidecar.and_then(|json| serde_json::from_slice(&json).ok());
        let usable =
            sidecar.filter(|s| s.source == source && s.boot == *BOOT && s.version.condition().is_some());
        let Some(sidecar) = usable else {
            remove(left);
            return None;
        };
        let path = part_path(target);
        lock().insert(path.clone());
        // First beside the new name, so that a run that ends here leaves what it found.
        let told = fs::copy(sidecar_path(left), sidecar_path(&path)).is_ok();
        if !told || fs::rename(left, &path).is_err() {
            // There is only a sidecar, or somebody else was faster and has read it.
            lock().remove(&path);
            remove(left);
            remove(&path);
            return None;
        }
        let _ = fs::remove_file(sidecar_path(left));
        let mut part = Self::of(path, target, discard);
        (part.described, part.resumable) = (true, true);
        let file = OpenOptions::new().read(true).write(true).open(&part.path).ok()?;
        Some((part, file, sidecar))
    }

    /// Tells beside the part of what it is the beginning. Without a strong identity there is nothing to tell.
    pub(crate) fn describe(&mut self, source: &str, version: &Version, length: Option<u64>) {
        if version.condition().is_none() {
            self.resumable = false;
            return;
        }
        let (version, boot) = (version.clone(), BOOT.clone());
        let sidecar = Sidecar { source: source.to_owned(), version, length, boot };
        // Without it the part is of no use to a later run, and nothing else is lost.
        self.described = true;
        self.resumable =
            serde_json::to_vec(&sidecar).is_ok_and(|json| fs::write(sidecar_path(&self.path), json).is_ok());
    }

    /// Gives the file its name, once its bytes are on disk.
    pub(crate) fn publish(self, file: &File, sync: bool) -> io::Result<()> {
        let target = self.target.clone();
        self.publish_as(&target, file, sync)
    }

    /// As [`Part::publish`], under another name of the same file system.
    pub(crate) fn publish_as(mut self, target: &Path, file: &File, sync: bool) -> io::Result<()> {
        if sync {
            file.sync_all()?;
        }
        fs::rename(&self.path, target)?;
        self.published = true;
        if sync { sync_folder(target) } else { Ok(()) }
    }

    /// The bytes are of no use to a later run.
    pub(crate) fn forget(&mut self) {
        self.resumable = false;
        if std::mem::take(&mut self.described) {
            let _ = fs::remove_file(sidecar_path(&self.path));
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // The first error is the one to tell, and it has been told.
        if self.published {
            if self.described {
                let _ = fs::remove_file(sidecar_path(&self.path));
            }
        } else if !self.resumable || self.discard.load(Ordering::Relaxed) {
            remove(&self.path);
        }
        lock().remove(&self.path);
    }
}

/// Removes parts that earlier runs left for a file that is there now.
pub(crate) fn clean(left: &[PathBuf]) {
    left.iter().filter(|path| !is_alive(path)).for_each(|path| remove(path));
}

fn remove(part: &Path) {
    let _ = fs::remove_file(sidecar_path(part));
    let _ = fs::remove_file(part);
}

fn lock() -> std::sync::MutexGuard<'static, HashSet<PathBuf>> {
    ACTIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The name of the file that a part belongs to, as [`part_name`] gives it, from the part's or sidecar's name.
pub(crate) fn stem(part: &str) -> Option<&str> {
    let (stem, rest) = part.strip_prefix('.')?.rsplit_once(".part-")?;
    (rest.split('-').count() == 3).then_some(stem)
}

/// How a file is called in the names of its parts: cut where a file system would not take the whole.
pub(crate) fn part_stem(name: &str) -> &str {
    let mut end = name.len().min(180);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

fn part_path(target: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let (host, id, n) = (&*HOST, std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    target.with_file_name(format!(".{}.part-{host}-{id}-{n}", part_stem(&name)))
}

fn sidecar_path(part: &Path) -> PathBuf {
    let mut path = OsString::from(part);
    path.push(".json");
    PathBuf::from(path)
}

static HOST: LazyLock<String> = LazyLock::new(|| {
    let name =
        fs::read("/proc/sys/kernel/hostname").or_else(|_| fs::read("/etc/hostname")).unwrap_or_default();
    format!("{:08x}", crc32fast::hash(&name))
});

static BOOT: LazyLock<Option<String>> = LazyLock::new(|| {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|id| id.trim().to_owned())
});

/// Whether somebody may be writing a part.
fn is_alive(part: &Path) -> bool {
    if lock().contains(part) {
        return true;
    }
    let name = part.file_name().unwrap_or_default().to_string_lossy();
    let mut ids = name.rsplit_once(".part-").map_or("", |(_, ids)| ids).split('-');
    if ids.next() == Some(&**HOST) {
        let id = ids.next().unwrap_or_default();
        // Ours, and not among those that are being written.
        if id == std::process::id().to_string() {
            return false;
        }
        if cfg!(target_os = "linux") && !Path::new("/proc").join(id).exists() {
            return false;
        }
    }
    let silent = fs::metadata(part)
        .and_then(|meta| meta.modified())
        .map(|time| SystemTime::now().duration_since(time));
    !matches!(silent, Ok(Ok(silent)) if silent > SILENCE)
}

/// Makes a rename durable, where folders can be opened.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// A file without a name, that is gone with the process.
pub(crate) fn spool(folder: &Path) -> io::Result<File> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    loop {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(".coaddkit-spool-{}-{}-{n}", &*HOST, std::process::id()));
        match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
            Ok(file) => {
                fs::remove_file(&path)?;
                return Ok(file);
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version() -> Version {
        Version { etag: Some("\"1\"".into()), last_modified: None }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_part_stays_only_where_it_can_be_continued() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a/x.fits");
        let discard = Arc::default();
        drop(Part::create(&target, &discard).unwrap());
        assert!(names(&dir.path().join("a")).is_empty());

        let (mut part, _) = Part::create(&target, &discard).unwrap();
        part.describe("s", &version(), Some(9));
        let left = part.path.clone();
        assert!(Part::adopt(&left, &target, "s", &discard).is_none(), "taken from somebody who writes it");
        drop(part);
        assert_eq!(names(&dir.path().join("a")).len(), 2);

        let (mut whole, file) = Part::create(&target, &discard).unwrap();
        whole.describe("s", &version(), Some(9));
        whole.forget();
        whole.publish(&file, true).unwrap();
        assert_eq!(names(&dir.path().join("a")).len(), 3);
        fs::remove_file(&target).unwrap();

        // Whoever takes it over and ends before a byte has come leaves it as it was.
        let (part, _, sidecar) = Part::adopt(&left, &target, "s", &discard).unwrap();
        assert_eq!((sidecar.version, sidecar.length), (version(), Some(9)));
        let left = part.path.clone();
        drop(part);
        assert_eq!(names(&dir.path().join("a")).len(), 2);
        let (mut part, _, sidecar) = Part::adopt(&left, &target, "s", &discard).unwrap();
        assert_eq!((sidecar.version, sidecar.length), (version(), Some(9)));
        part.forget();
        assert_eq!(names(&dir.path().join("a")).len(), 1, "what it no longer is is not told");
        drop(part);
        assert!(names(&dir.path().join("a")).is_empty());
    }

    #[test]
    fn a_part_of_something_else_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("x.fits");
        let discard = Arc::new(AtomicBool::new(false));
        for (source, sidecar) in [("other", true), ("s", false)] {
            let (mut part, _) = Part::create(&target, &discard).unwrap();
            part.describe("s", &version(), None);
            let left = part.path.clone();
            drop(part);
            if !sidecar {
                fs::write(sidecar_path(&left), "{\"source\": \"s").unwrap();
            }
            assert!(Part::adopt(&left, &target, source, &discard).is_none());
            assert!(names(dir.path()).is_empty());
        }
        let (mut part, _) = Part::create(&target, &discard).unwrap();
        part.describe("s", &version(), None);
        discard.store(true, Ordering::Relaxed);
        drop(part);
        assert!(names(dir.path()).is_empty());
    }

    #[test]
    fn who_writes_is_seen_from_the_name() {
        let dir = tempfile::tempdir().unwrap();
        let alive = |name: &str| {
            let path = dir.path().join(name);
            fs::write(&path, "").unwrap();
            is_alive(&path)
        };
        let me = std::process::id();
        assert!(!alive(&format!(".x.part-{}-{me}-999999", &*HOST)));
        assert!(alive(&format!(".x.part-00000000-{me}-0")));
        if cfg!(target_os = "linux") {
            assert!(alive(&format!(".x.part-{}-1-0", &*HOST)));
            assert!(!alive(&format!(".x.part-{}-4194305-0", &*HOST)));
        }
        assert_eq!(stem(".x.fits.part-0a-1-2"), Some("x.fits"));
        assert_eq!(stem(".x.fits.part-0a-1-2.json"), Some("x.fits"));
        assert_eq!(stem("x.fits.part-0a-1-2"), None);
        assert_eq!(part_stem(&"é".repeat(200)).len(), 180);
    }
}
