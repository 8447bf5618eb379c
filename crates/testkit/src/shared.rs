//! Reference data that lives beside the project and is never copied into it.

use std::path::{Path, PathBuf};

/// True when a skipped test must fail: set in continuous integration by `COADDKIT_REQUIRE_ALL=1`.
pub fn require_all() -> bool {
    std::env::var_os("COADDKIT_REQUIRE_ALL").is_some_and(|v| v == "1")
}

/// The path of `relative` in the folder of reference data, if it is there.
///
/// The folder is `$COADDKIT_SHARED`, or `shared/` beside the workspace. When the file is absent the skip is
/// said on stderr and `None` is returned.
///
/// # Panics
///
/// When the file is absent and [`require_all`] holds.
pub fn shared(relative: &str) -> Option<PathBuf> {
    let root = std::env::var_os("COADDKIT_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let path = root.join(relative);
    if path.exists() {
        return Some(path);
    }
    skip(&format!("shared/{relative}"));
    None
}

/// Says on stderr that this test is skipped because something is absent.
///
/// # Panics
///
/// When [`require_all`] holds.
pub fn skip(needs: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    assert!(!require_all(), "{test} needs {needs}, which is absent");
    eprintln!("SKIPPED: {test} needs {needs}");
}
