//! Which sweep files to read.

use crate::cli::Exit;
use crate::places::read_file;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Why a job does not start, and how it ends.
pub type Refused = (Exit, String);

/// The files named on the command line or in a list, checked before any work.
///
/// # Errors
///
/// There is none, one is named twice, or the list cannot be read.
pub fn sweeps(
    named: &[PathBuf],
    list: Option<&Path>,
    max: usize,
    no_sign_request: bool,
) -> Result<Vec<PathBuf>, Refused> {
    let mut paths = match list {
        Some(list) => read_list(list, no_sign_request)?,
        None => named.to_vec(),
    };
    if paths.is_empty() {
        return Err((Exit::Usage, "no sweep files; name them, or give a --list of them".to_owned()));
    }
    if max > 0 {
        paths.truncate(max);
    }
    refuse_unknown(&paths)?;
    refuse_repeats(&paths)?;
    Ok(paths)
}

/// As [`sweeps`], for jobs that read files of this machine only.
///
/// # Errors
///
/// As [`sweeps`], and for addresses of other machines.
pub fn local_sweeps(named: &[PathBuf], list: Option<&Path>) -> Result<Vec<PathBuf>, Refused> {
    let paths = sweeps(named, list, 0, false)?;
    match paths.iter().find(|path| is_remote(path)) {
        Some(url) => {
            let what =
                "is a remote address, which this job does not read; download the file and name its path";
            Err((Exit::Usage, format!("{} {what}", url.display())))
        }
        None => Ok(paths),
    }
}

/// True for an address of another machine.
pub fn is_remote(path: &Path) -> bool {
    path.to_str().and_then(|text| text.split_once("://")).is_some_and(|(scheme, _)| {
        ["http", "https", "s3", "s3a"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
    })
}

/// One path a line; blank lines and lines that start with `#` do not count.
fn read_list(list: &Path, no_sign_request: bool) -> Result<Vec<PathBuf>, Refused> {
    let bytes = read_file(list, no_sign_request)
        .map_err(|(exit, why)| (exit, format!("cannot read the list {why}")))?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let lines = bytes.split(|&b| b == b'\n').map(<[u8]>::trim_ascii);
    let mut paths = Vec::new();
    for (number, line) in (1..).zip(lines).filter(|(_, line)| !line.is_empty() && !line.starts_with(b"#")) {
        let path = path_of(line).filter(|_| !line.contains(&0)).ok_or_else(|| {
            (Exit::BadData, format!("line {number} of the list {} is no path", list.display()))
        })?;
        paths.push(beside(list, path));
    }
    if paths.is_empty() {
        return Err((Exit::Usage, format!("the list {} names no files", list.display())));
    }
    Ok(paths)
}

/// On Unix a path may be any bytes.
#[cfg(unix)]
fn path_of(line: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    Some(std::ffi::OsStr::from_bytes(line).into())
}

#[cfg(not(unix))]
fn path_of(line: &[u8]) -> Option<PathBuf> {
    std::str::from_utf8(line).ok().map(PathBuf::from)
}

/// A relative path counts from here or, where there is no such file, from the folder of the list.
fn beside(list: &Path, path: PathBuf) -> PathBuf {
    let near = list.parent().map(|folder| folder.join(&path));
    match near {
        // One that is not there yet has the name that it will have.
        Some(near) if path.is_relative() && !path.exists() && !is_remote(&path) => near,
        _ => path,
    }
}

fn refuse_unknown(paths: &[PathBuf]) -> Result<(), Refused> {
    let scheme = |path: &PathBuf| path.to_str().and_then(|text| Some(text.split_once("://")?.0.to_owned()));
    let local = |path: &&PathBuf| scheme(path).is_some_and(|s| s.bytes().all(|b| b.is_ascii_alphanumeric()));
    match paths.iter().filter(local).find(|path| !is_remote(path)) {
        Some(url) => {
            let known = "addresses begin with http://, https:// or s3://";
            Err((Exit::Usage, format!("{} cannot be read; {known}", url.display())))
        }
        None => Ok(()),
    }
}

/// A file counted twice is a wrong number, under whatever names it goes.
fn refuse_repeats(paths: &[PathBuf]) -> Result<(), Refused> {
    let mut seen = HashMap::new();
    for path in paths {
        let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        if let Some(earlier) = seen.insert(real, path) {
            let (path, earlier) = (path.display(), earlier.display());
            let again = if path.to_string() == earlier.to_string() {
                String::new()
            } else {
                format!(" (as {earlier})")
            };
            return Err((Exit::Usage, format!("{path} is given twice{again}; it would be counted twice")));
        }
    }
    Ok(())
}
