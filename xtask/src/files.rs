//! Where things are, and what lies there.

use std::io;
use std::path::{Path, PathBuf};

/// The root of the workspace.
pub fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

/// Where cargo builds.
pub fn target() -> PathBuf {
    // A relative path is relative to where cargo was started, which is where we are.
    let set = std::env::var_os("CARGO_TARGET_DIR")
        .map(|dir| std::path::absolute(&dir).unwrap_or_else(|_| dir.into()));
    set.unwrap_or_else(|| root().join("target"))
}

/// The reference data: `$COADDKIT_SHARED`, or `shared/` beside the workspace.
pub fn shared() -> PathBuf {
    std::env::var_os("COADDKIT_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from)
}

/// A folder for what a task makes on the way; not removed, so that a failure can be looked at.
pub fn scratch(name: &str) -> io::Result<PathBuf> {
    let dir = target().join("xtask").join(name);
    std::fs::create_dir_all(&dir)?;
    Ok(dir)
}

/// All files below a folder, sorted.
pub fn below(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut out = Vec::new();
    walk(dir, &mut out)?;
    out.sort();
    Ok(out)
}

fn walk(dir: &Path, out: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() { walk(&path, out)? } else { out.push(path) }
    }
    Ok(())
}

/// The path below a folder with `/`, on every system.
pub fn relative(dir: &Path, path: &Path) -> String {
    let parts = path.strip_prefix(dir).unwrap_or(path).components();
    parts.map(|c| c.as_os_str().to_string_lossy().into_owned()).collect::<Vec<_>>().join("/")
}
