//! Says whether FITS files are whole and undamaged.

use clap::Parser;
use coaddkit_examples::{Bar, Common, Depth, Exit, Run, Table, main as run_main, print};
use coaddkit_fits::{ErrorKind, Finding, Fits, Level, Severity, verify};
use rayon::prelude::*;
use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Check FITS files: truncation, structure, checksums, and that every value decodes.
///
/// Exit code 0: no file has an error (there may be warnings). 65: a file is damaged. 66: a file is missing.
/// 75: a file could not be read now.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// FITS files, or folders to search for .fits, .fit, .fits.gz, .fits.fz
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// How thoroughly to look; each level includes those before it
    #[arg(long, value_enum, default_value_t = Depth::Checksum, value_name = "LEVEL")]
    level: Depth,
    #[command(flatten)]
    common: Common,
}

/// What became of one file.
struct Checked {
    path: PathBuf,
    bytes: u64,
    findings: Vec<Finding>,
    exit: Exit,
    /// Why it could not be read.
    unread: Option<String>,
    /// It has data that no checksum covers.
    without_sums: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    run_main(move || check(&args))
}

fn check(args: &Args) -> Exit {
    let mut run = Run::start("fits-verify");
    let common = &args.common;
    let mut found = Found::default();
    for path in &args.paths {
        found.add(path);
    }
    let bytes = found.files.iter().map(|(_, bytes)| bytes).sum();
    let bar = Bar::new(found.files.len() as u64, bytes, common.quiet);
    let level = args.level.into();
    let files = std::mem::take(&mut found.files);
    let mut checked: Vec<Checked> = common
        .on_threads(|| files.into_par_iter().map(|(path, bytes)| one(path, bytes, level, &bar)).collect());
    bar.finish();
    checked.append(&mut found.unread);

    let mut worst = Exit::Complete;
    for file in &checked {
        worst = worst.worse(file.exit);
        let outcome = match (file.exit, file.findings.is_empty()) {
            (Exit::Complete, true) => "done",
            (Exit::Complete, false) => "done_with_warnings",
            (Exit::BadData, _) => "bad_data",
            (Exit::Missing, _) => "missing",
            _ => "unread",
        };
        *run.counts.entry(outcome).or_default() += 1;
        run.bytes += file.bytes;
        if let Some(why) = file.why() {
            run.failed(&file.path, why);
        }
    }
    if !found.skipped.is_empty() {
        run.counts.insert("skipped", found.skipped.len() as u64);
    }
    // The status of a run in which some files are fine and others are not.
    if let Some(n) = run.counts.get("done_with_warnings").copied() {
        *run.counts.entry("done").or_default() += n;
    }
    let files: Vec<Value> = checked.iter().map(Checked::json).collect();
    run.extra.insert("level".into(), level.name().into());
    run.extra.insert("files".into(), files.into());
    let skipped: Vec<_> = found.skipped.iter().map(|p| p.to_string_lossy().into_owned()).collect();
    run.extra.insert("skipped".into(), skipped.into());
    if common.quiet {
        // Nothing but what is wrong.
        for (file, why) in checked.iter().filter_map(|file| Some((file, file.why()?))) {
            eprintln!("{}: {why}", file.path.display());
        }
    } else if !common.json {
        print(&text(&checked, &found.skipped, level));
    }
    if checked.is_empty() {
        return run.refuse(common, Exit::Missing, "there is no FITS file in what was given");
    }
    run.end(common, worst)
}

fn one(path: PathBuf, bytes: u64, level: Level, bar: &Bar) -> Checked {
    // A bug in one file must not hide what is wrong with the others.
    let result = std::panic::catch_unwind(|| verify(&path, level));
    let mut checked = Checked {
        path,
        bytes,
        findings: Vec::new(),
        exit: Exit::Complete,
        unread: None,
        without_sums: false,
    };
    match result {
        Ok(Ok(findings)) => {
            if findings.iter().any(|f| f.severity == Severity::Error) {
                checked.exit = Exit::BadData;
            }
            checked.findings = findings;
            checked.without_sums = has_data_without_sums(&checked.path);
        }
        Ok(Err(error)) => {
            let kind = if let ErrorKind::Io(e) = error.kind() { e.kind() } else { io::ErrorKind::Other };
            checked.exit = Exit::of_reader(kind);
            checked.unread = Some(error.kind().to_string());
        }
        Err(_) => {
            checked.exit = Exit::Bug;
            checked.unread = Some("a bug in fits-verify".to_owned());
        }
    }
    let failed = checked.why().map(|why| format!("{}: {why}", checked.path.display()));
    bar.file_done(bytes, failed.as_deref().filter(|_| checked.exit != Exit::BadData));
    checked
}

impl Checked {
    /// The first thing that makes it fail.
    fn why(&self) -> Option<String> {
        let error = self.findings.iter().find(|f| f.severity == Severity::Error);
        self.unread.clone().or_else(|| error.map(ToString::to_string))
    }

    fn json(&self) -> Value {
        let mut findings: Vec<_> = self
            .findings
            .iter()
            .map(|f| {
                json!({
                    "level": f.level.name(),
                    "severity": if f.severity == Severity::Error { "error" } else { "warning" },
                    "hdu": f.hdu,
                    "offset": f.offset,
                    "what": f.what,
                })
            })
            .collect();
        if let Some(why) = &self.unread {
            let level = Level::Size.name();
            findings.push(
                json!({ "level": level, "severity": "error", "hdu": null, "offset": null, "what": why }),
            );
        }
        json!({ "path": self.path.to_string_lossy(), "ok": self.exit == Exit::Complete, "data_without_checksum": self.without_sums, "findings": findings })
    }
}

/// The files to look at.
#[derive(Default)]
struct Found {
    files: Vec<(PathBuf, u64)>,
    skipped: Vec<PathBuf>,
    unread: Vec<Checked>,
}

impl Found {
    /// A file as it was named, or all of a folder that are named like FITS.
    fn add(&mut self, path: &Path) {
        match std::fs::metadata(path) {
            Ok(about) if about.is_dir() => self.walk(path),
            Ok(about) if about.is_file() => self.files.push((path.to_owned(), about.len())),
            // To open a pipe may take forever.
            Ok(_) => self.cannot(path, Exit::Missing, "it is neither a file nor a folder".to_owned()),
            Err(error) => self.failed(path, &error),
        }
    }

    fn walk(&mut self, dir: &Path) {
        let entries = std::fs::read_dir(dir).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => return self.failed(dir, &error),
        };
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            match std::fs::metadata(&path) {
                // A link to a folder may lead back to where it is.
                Ok(about) if about.is_dir() => {
                    if entry.file_type().is_ok_and(|t| t.is_symlink()) {
                        self.skipped.push(path);
                    } else {
                        self.walk(&path);
                    }
                }
                Ok(about) if about.is_file() && named_like_fits(&path) => {
                    self.files.push((path, about.len()))
                }
                Ok(_) => self.skipped.push(path),
                Err(error) => self.failed(&path, &error),
            }
        }
    }

    fn failed(&mut self, path: &Path, error: &io::Error) {
        // A link that leads nowhere, or in a circle, will not lead elsewhere the next time.
        let link = std::fs::symlink_metadata(path).is_ok_and(|about| about.is_symlink());
        self.cannot(
            path,
            if link { Exit::Missing } else { Exit::of_reader(error.kind()) },
            error.to_string(),
        );
    }

    fn cannot(&mut self, path: &Path, exit: Exit, why: String) {
        let unread = Some(why);
        self.unread.push(Checked {
            path: path.to_owned(),
            bytes: 0,
            findings: Vec::new(),
            exit,
            unread,
            without_sums: false,
        });
    }
}

fn named_like_fits(path: &Path) -> bool {
    let name = path.file_name().map(|n| n.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".fz")).unwrap_or(&name);
    name.ends_with(".fits") || name.ends_with(".fit")
}

/// Whether a flipped byte could go unseen.
fn has_data_without_sums(path: &Path) -> bool {
    let bare = |hdu: &coaddkit_fits::Hdu| {
        let header = hdu.header();
        hdu.data_bytes() > 0 && header.get("DATASUM").is_none() && header.get("CHECKSUM").is_none()
    };
    Fits::open(path).is_ok_and(|fits| fits.hdus().filter_map(Result::ok).any(|hdu| bare(&hdu)))
}

/// A line a file, where there are few, and a line for everything that was found.
fn text(checked: &[Checked], skipped: &[PathBuf], level: Level) -> String {
    const FEW: usize = 20;
    let mut out = String::new();
    for file in checked {
        let word = match (file.exit, file.findings.is_empty()) {
            (Exit::Complete, true) if checked.len() > FEW => continue,
            (Exit::Complete, true) => "ok",
            (Exit::Complete, false) => "warning",
            _ => "FAILED",
        };
        out.push_str(&format!("  {word:<8} {}\n", file.path.display()));
        if let Some(why) = &file.unread {
            out.push_str(&format!("           {why}\n"));
        }
        for finding in &file.findings {
            let word = if finding.severity == Severity::Error { "" } else { "warning: " };
            out.push_str(&format!("           {}: {word}{finding}\n", finding.level.name()));
        }
    }
    let ok = checked.iter().filter(|c| c.exit == Exit::Complete);
    let (warned, bare) =
        (ok.clone().filter(|c| !c.findings.is_empty()), ok.clone().filter(|c| c.without_sums));
    let [all, ok, warned, bare] = [checked.len(), ok.clone().count(), warned.count(), bare.count()];
    let [all, ok] = [all, ok].map(|n| Table::number(n as u64));
    out.push_str(&format!("  {ok} of {all} files are fine at level {}", level.name()));
    if warned > 0 {
        out.push_str(&format!(", {} of them with warnings", Table::number(warned as u64)));
    }
    out.push('\n');
    if bare > 0 && level >= Level::Checksum {
        out.push_str(&format!(
            "  {} of them have data without CHECKSUM or DATASUM, where a changed byte cannot be seen\n",
            Table::number(bare as u64)
        ));
    }
    if !skipped.is_empty() {
        let shown: Vec<_> = skipped.iter().take(5).map(|p| p.display().to_string()).collect();
        let more = if skipped.len() > 5 { ", …" } else { "" };
        out.push_str(&format!(
            "  {} skipped, not named .fits, .fit, .fits.gz or .fits.fz: {}{more}\n",
            Table::number(skipped.len() as u64),
            shown.join(", ")
        ));
    }
    out
}
