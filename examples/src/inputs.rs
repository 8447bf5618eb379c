//! Which sweep files to read.

use crate::cli::Exit;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The files named on the command line or in a list, checked before any work.
pub fn sweeps(named: &[PathBuf], list: Option<&Path>, max: usize) -> Result<Vec<PathBuf>, (Exit, String)> {
    let mut paths = match list {
        Some(list) => read_list(list)?,
        None => named.to_vec(),
    };
    if paths.is_empty() {
        return Err((Exit::Usage, "no sweep files; name them, or give a --list of them".to_owned()));
    }
    if max > 0 {
        paths.truncate(max);
    }
    refuse_remote(&paths)?;
    refuse_repeats(&paths)?;
    Ok(paths)
}

/// One path a line; blank lines and lines that start with `#` do not count.
fn read_list(list: &Path) -> Result<Vec<PathBuf>, (Exit, String)> {
    let bytes = std::fs::read(list)
        .map_err(|e| (Exit::Missing, format!("cannot read the list {}: {e}", list.display())))?;
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
        Some(near) if path.is_relative() && !path.exists() && near.exists() => near,
        _ => path,
    }
}

fn refuse_remote(paths: &[PathBuf]) -> Result<(), (Exit, String)> {
    let remote = paths.iter().filter_map(|p| p.to_str()).find(|p| {
        p.split_once("://").is_some_and(|(scheme, _)| {
            ["http", "https", "s3", "s3a", "ftp"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
        })
    });
    match remote {
        Some(url) => Err((
            Exit::Usage,
            format!(
                "{url} is a remote address, which this version does not read; download the file and name its path"
            ),
        )),
        None => Ok(()),
    }
}

/// A file counted twice is a wrong number, under whatever names it goes.
fn refuse_repeats(paths: &[PathBuf]) -> Result<(), (Exit, String)> {
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
