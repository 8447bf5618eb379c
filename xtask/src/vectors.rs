//! `cargo xtask vectors DIR`: the crates against reference values made by the reference implementations.
//!
//! Each crate has a module whose `check` claims files by their path below DIR (with `/`), and counts rows and
//! failures. What no crate claims is listed as such.

use std::path::Path;

use crate::{Done, Stop, files};

mod photometry;
mod sky;

/// What a check of one file found.
#[derive(Debug, Default)]
pub struct Report {
    /// Rows compared.
    pub rows: usize,
    /// One line per row (or file) that failed.
    pub failures: Vec<String>,
}

/// Shown per file; the count printed is always of all.
const SHOWN: usize = 5;

type Check = fn(&str, &Path) -> Option<Report>;

const CHECKS: [Check; 2] = [photometry::check, sky::check];

/// Runs every check that claims a file under DIR, and prints `FILE rows failures` per file.
pub fn run(args: &[&str]) -> Done {
    let [dir] = args else { return Err(Stop::Usage("vectors needs one folder".to_owned())) };
    let dir = Path::new(dir);
    let paths = files::below(dir).map_err(|e| Stop::Usage(format!("{}: {e}", dir.display())))?;
    let (mut claimed, mut failed) = (0, 0);
    for path in paths {
        let name = files::relative(dir, &path);
        if path.file_name().is_some_and(|n| n == "README.md") {
            continue;
        }
        match check(&name, &path) {
            None => println!("{name} - not claimed"),
            Some(report) => {
                claimed += 1;
                failed += usize::from(!report.failures.is_empty());
                println!("{name} {} {}", report.rows, report.failures.len());
                for failure in report.failures.iter().take(SHOWN) {
                    eprintln!("    {failure}");
                }
                if report.failures.len() > SHOWN {
                    eprintln!("    and {} more", report.failures.len() - SHOWN);
                }
            }
        }
    }
    match (claimed, failed) {
        (0, _) => Err(Stop::Usage(format!("{} has no file that a crate knows", dir.display()))),
        (_, 0) => Ok(()),
        _ => Err(Stop::Failed(format!("{failed} of {claimed} files have failures"))),
    }
}

/// The first claim. A damaged file makes a check panic somewhere in its parsing: that is a failure of that file,
/// and the others still run.
fn check(name: &str, path: &Path) -> Option<Report> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result = std::panic::catch_unwind(|| CHECKS.iter().find_map(|check| check(name, path)));
    std::panic::set_hook(hook);
    result.unwrap_or_else(|cause| {
        let what = cause
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| cause.downcast_ref::<&str>().copied())
            .unwrap_or("the check panicked");
        Some(Report { rows: 0, failures: vec![format!("unreadable: {what}")] })
    })
}
