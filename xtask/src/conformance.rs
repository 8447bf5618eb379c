//! `cargo xtask conformance DIR`: every HDU and every column of real files against what other readers read.
//!
//! DIR holds files and `oracle.json` (images) or `oracle_tables.json` (columns) or both; the former says what
//! astropy read from an image, the latter gives digests of the stored bytes of each column. Every HDU and every
//! column that they list has a line of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use coaddkit_examples::{Stats, column_digest, image_digest};
use coaddkit_fits::{Error, ErrorClass, Fits, HduKind, Table};
use serde_json::Value;

use crate::test::Outcome;
use crate::{Done, Stop, files};

mod known;

use known::{KNOWN, PAIRS, REFUSED};

#[derive(Default)]
struct Totals {
    ok: usize,
    failed: usize,
    refused: usize,
    /// HDUs and columns that the oracles list, and those of them that have had a line.
    listed: usize,
    judged: usize,
    /// Or only what is not as it should be.
    every_line: bool,
}

/// Compares one file with its entry.
type Check = fn(&Path, &Value, &mut Totals);

enum Verdict {
    Ok(String),
    Failed(String),
    Refused(String),
}

pub fn run(args: &[&str]) -> Done {
    let [dir] = args else { return Err(Stop::Usage("conformance needs one folder".to_owned())) };
    compare(Path::new(dir), true)
}

fn compare(dir: &Path, every_line: bool) -> Done {
    let mut totals = Totals { every_line, ..Totals::default() };
    let mut any = false;
    let oracles: [(&str, Check); 2] = [("oracle.json", images), ("oracle_tables.json", tables)];
    for (name, check) in oracles {
        let path = dir.join(name);
        if !path.is_file() {
            continue;
        }
        any = true;
        let text = std::fs::read(&path).map_err(Stop::at(path.display()))?;
        let oracle: Value = serde_json::from_slice(&text).map_err(Stop::at(path.display()))?;
        let files = oracle.as_array().filter(|files| !files.is_empty());
        for file in files.ok_or_else(|| Stop::Usage(format!("{} lists no file", path.display())))? {
            check(dir, file, &mut totals);
        }
    }
    if !any {
        let what = format!("{} has neither oracle.json nor oracle_tables.json", dir.display());
        return Err(Stop::Usage(what));
    }
    let Totals { ok, failed, refused, listed, judged, .. } = totals;
    println!(
        "{ok} ok, {failed} FAIL, {refused} refused; {judged} of the {listed} HDUs and columns that are listed"
    );
    match failed {
        0 if judged == listed => Ok(()),
        0 => Err(Stop::Failed(format!("{} were left out", listed.abs_diff(judged)))),
        _ => Err(Stop::Failed(format!("{failed} do not conform"))),
    }
}

/// The step of `cargo xtask test`, where the files are there.
pub fn step() -> Outcome {
    let dir = files::shared().join("data");
    if !dir.join("oracle.json").is_file() {
        return Outcome::Skipped("the real files are not beside the workspace".to_owned());
    }
    compare(&dir, false).into()
}

impl Totals {
    /// Runs one comparison and prints its line; a panic is a failure.
    fn line(&mut self, label: &str, check: impl FnOnce() -> Result<String, Verdict>) {
        let verdict = quietly(check).unwrap_or_else(|| Err(Verdict::Failed("it panics".to_owned())));
        match verdict.map_or_else(|verdict| verdict, Verdict::Ok) {
            Verdict::Ok(what) => {
                self.ok += 1;
                if self.every_line {
                    println!("{}", format!("ok {label} {what}").trim_end());
                }
            }
            Verdict::Failed(what) => {
                self.failed += 1;
                println!("FAIL {label} {what}");
            }
            Verdict::Refused(what) => {
                self.refused += 1;
                println!("refused {label} {what}");
            }
        }
    }
}

/// `None` if it panics.
fn quietly<R>(work: impl FnOnce() -> R) -> Option<R> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result = catch_unwind(AssertUnwindSafe(work)).ok();
    std::panic::set_hook(hook);
    result
}

/// What is not supported is refused; anything else that fails here and is fine elsewhere is a failure.
fn verdict(error: &Error) -> Verdict {
    if error.class() == ErrorClass::Caller {
        Verdict::Refused(error.kind().to_string())
    } else {
        Verdict::Failed(error.to_string())
    }
}

fn name_of(file: &Value) -> &str {
    file["file"].as_str().unwrap_or_default()
}

/// `None` if the file cannot be opened, which has had its line then. What holds nothing that anybody could read must
/// be refused.
fn open(dir: &Path, name: &str, readable: bool, totals: &mut Totals) -> Option<Fits> {
    let why = match quietly(|| Fits::open(dir.join(name))) {
        Some(Ok(fits)) => return Some(fits),
        Some(Err(error)) => match REFUSED.iter().find(|(file, _)| *file == name) {
            Some((_, says)) if error.to_string().contains(says) => Verdict::Refused(error.kind().to_string()),
            None if !readable && error.class() == ErrorClass::Data => {
                Verdict::Refused(error.kind().to_string())
            }
            _ => verdict(&error),
        },
        None => Verdict::Failed("it panics".to_owned()),
    };
    totals.line(name, || Err(why));
    None
}

/// Within rounding of another order of additions.
fn close(found: f64, wanted: &Value) -> bool {
    wanted.as_f64().is_none_or(|w| found == w || (found - w).abs() <= 1e-12 * found.abs().max(w.abs()))
}

fn differences(stats: &Stats, wanted: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    if wanted["nan"].as_u64().is_some_and(|nan| nan != stats.nan) {
        wrong.push(format!("nan {} instead of {}", stats.nan, wanted["nan"]));
    }
    for (key, found) in [("min", stats.min), ("max", stats.max), ("sum", stats.sum)] {
        if !wanted[key].is_null() && (stats.count == 0 || !close(found, &wanted[key])) {
            wrong.push(format!("{key} {found} instead of {}", wanted[key]));
        }
    }
    wrong
}

fn judge(wrong: Vec<String>, ok: String) -> Result<String, Verdict> {
    if wrong.is_empty() { Ok(ok) } else { Err(Verdict::Failed(wrong.join("; "))) }
}

/// The HDUs of one file of `oracle.json`.
fn images(dir: &Path, file: &Value, totals: &mut Totals) {
    let name = name_of(file);
    let expected = file["hdus"].as_array().map_or(&[][..], Vec::as_slice);
    totals.listed += expected.len();
    let Some(fits) = open(dir, name, expected.iter().any(is_file), totals) else {
        totals.judged += expected.len();
        return;
    };
    if expected.is_empty() {
        let what = "opens, but holds nothing that is known".to_owned();
        return totals.line(name, || Err(Verdict::Failed(what)));
    }
    for (index, want) in expected.iter().enumerate() {
        let label = format!("{name}[{index}]");
        totals.judged += 1;
        totals.line(&label, || image(&fits, name, index, want));
    }
    if !expected.iter().all(is_file) {
        return; // No data follow.
    }
    totals.line(&format!("{name}[]"), || {
        let found = fits.hdus().collect::<Result<Vec<_>, _>>().map_err(|e| verdict(&e))?.len();
        let same = found == expected.len();
        if same { Ok(format!("{found} HDUs")) } else { Err(Verdict::Failed(format!("{found} HDUs"))) }
    });
}

/// False for header cards as text, which are no FITS file.
fn is_file(hdu: &Value) -> bool {
    hdu["kind"] != "HDR"
}

fn image(fits: &Fits, name: &str, index: usize, want: &Value) -> Result<String, Verdict> {
    let hdu = fits.hdu(index).map_err(|e| verdict(&e))?;
    if !is_file(want) {
        let (found, want) = (hdu.header().len() as u64, &want["ncards"]);
        let wrong = want.as_u64().filter(|want| *want != found);
        return judge(
            wrong.map(|want| format!("instead of {want}")).into_iter().collect(),
            format!("{found} cards"),
        );
    }
    let kinds: &[HduKind] = match want["kind"].as_str().unwrap_or_default() {
        "IMG" | "COMP" => &[HduKind::Image],
        "BIN" => &[HduKind::Table],
        "ASCII" => &[HduKind::AsciiTable],
        "GROUPS" => &[HduKind::Groups],
        _ => &[],
    };
    if !kinds.contains(&hdu.kind()) {
        return Err(Verdict::Failed(format!("is {:?}, not {}", hdu.kind(), want["kind"])));
    }
    if matches!(hdu.kind(), HduKind::Table | HduKind::AsciiTable) {
        return shape_of_table(&hdu.table().map_err(|e| verdict(&e))?, want);
    }
    let data = &want["data"];
    let Some(digits) = data["sha256_be"].as_str().filter(|_| hdu.kind() == HduKind::Image) else {
        let empty = hdu.kind() == HduKind::Groups || hdu.data_bytes() == 0;
        return judge(
            if empty { Vec::new() } else { vec!["pixels that the oracle does not know".to_owned()] },
            format!("{:?} without pixels", hdu.kind()),
        );
    };
    let image = hdu.image().map_err(|e| verdict(&e))?;
    let found = image_digest(&image).map_err(|e| verdict(&e))?;
    let mut wrong = Vec::new();
    let dtype = image.pixel_type().code();
    if data["dtype"].as_str().is_some_and(|want| want != dtype) {
        wrong.push(format!("{dtype} instead of {}", data["dtype"]));
    }
    let shape: Option<Vec<u64>> =
        data["shape"].as_array().map(|s| s.iter().filter_map(Value::as_u64).collect());
    if shape.is_some_and(|shape| shape != image.shape()) {
        wrong.push(format!("{:?} instead of {}", image.shape(), data["shape"]));
    }
    let known = KNOWN.iter().find(|known| (known.file, known.hdu) == (name, index));
    if let Some(known) = known {
        if !found.sha256.starts_with(known.sha256) {
            wrong.push(format!("pixels {} instead of {}", &found.sha256[..16], known.sha256));
        }
        return judge(wrong, format!("differs as it should: {}", known.why));
    }
    if !found.sha256.starts_with(digits) {
        wrong.push(format!("pixels {} instead of {digits}", &found.sha256[..16]));
    }
    wrong.extend(differences(&found.stats, data));
    judge(wrong, format!("{dtype} {:?}", image.shape()))
}

/// Rows, columns, and that every value can be read; what the values are is for the other oracle.
fn shape_of_table(table: &Table, want: &Value) -> Result<String, Verdict> {
    let (rows, columns) = (table.rows(), table.columns().len());
    let mut wrong = Vec::new();
    if want["rows"].as_u64().is_some_and(|want| want != rows) {
        wrong.push(format!("{rows} rows instead of {}", want["rows"]));
    }
    if want["ncol"].as_u64().is_some_and(|want| want != columns as u64) {
        wrong.push(format!("{columns} columns instead of {}", want["ncol"]));
    }
    for index in 0..columns {
        column_digest(table, index).map_err(|e| verdict(&e))?;
    }
    judge(wrong, format!("{rows} rows, {columns} columns"))
}

/// The columns of one file of `oracle_tables.json`.
fn tables(dir: &Path, file: &Value, totals: &mut Totals) {
    let name = name_of(file);
    tables_as(dir, file, name, totals);
    for (_, other) in PAIRS.iter().filter(|(plain, _)| *plain == name) {
        tables_as(dir, file, other, totals);
    }
}

/// The columns of a file that should hold what is listed for `file`.
fn tables_as(dir: &Path, file: &Value, name: &str, totals: &mut Totals) {
    let all = file["tables"].as_array().map_or(&[][..], Vec::as_slice);
    totals.listed += all.iter().map(|t| t["columns"].as_array().map_or(0, Vec::len)).sum::<usize>();
    let Some(fits) = open(dir, name, true, totals) else { return };
    for expected in file["tables"].as_array().map_or(&[][..], Vec::as_slice) {
        let hdu = expected["hdu"].as_u64().unwrap_or(u64::MAX);
        let label = format!("{name}[{hdu}]");
        let table =
            quietly(|| fits.hdu(usize::try_from(hdu).unwrap_or(usize::MAX)).and_then(|hdu| hdu.table()));
        let table = match table {
            Some(Ok(table)) => table,
            Some(Err(error)) => {
                totals.line(&label, || Err(verdict(&error)));
                continue;
            }
            None => {
                totals.line(&label, || Err(Verdict::Failed("it panics".to_owned())));
                continue;
            }
        };
        let columns = expected["columns"].as_array().map_or(&[][..], Vec::as_slice);
        totals.line(&label, || {
            let mut wrong = Vec::new();
            if expected["rows"].as_u64() != Some(table.rows()) {
                wrong.push(format!("{} rows instead of {}", table.rows(), expected["rows"]));
            }
            if columns.len() != table.columns().len() {
                wrong.push(format!("{} columns instead of {}", table.columns().len(), columns.len()));
            }
            judge(wrong, format!("{} rows", table.rows()))
        });
        for (index, want) in columns.iter().enumerate() {
            let name = want["name"].as_str().unwrap_or_default();
            let label = format!("{label} {} {name}", index + 1);
            totals.judged += 1;
            totals.line(label.trim_end(), || column(&table, index, want));
        }
    }
}

fn column(table: &Table, index: usize, want: &Value) -> Result<String, Verdict> {
    let Some(column) = table.columns().get(index) else {
        return Err(Verdict::Failed("there is no such column".to_owned()));
    };
    let found = column_digest(table, index).map_err(|e| verdict(&e))?;
    let mut wrong = Vec::new();
    if want["tform"].as_str().is_some_and(|tform| tform.trim() != column.tform) {
        wrong.push(format!("{} instead of {}", column.tform, want["tform"]));
    }
    if want["raw_sha256"].as_str() != Some(&found.raw_sha256) {
        wrong.push("other bytes".to_owned());
    }
    if let Some(digest) = want["heap_sha256"].as_str() {
        let (heap, elements) = found.heap.unwrap_or_default();
        if heap != digest || want["elements"].as_u64() != Some(elements) {
            wrong.push(format!("other arrays, of {elements} elements"));
        }
    }
    if let Some(stats) = found.stats.filter(|_| want["nan"].is_u64()) {
        wrong.extend(differences(&stats, want));
    }
    let bytes =
        want["stat_error"].as_str().map(|why| format!(", bytes only: the other reader fails ({why})"));
    judge(wrong, format!("{}{}", column.tform, bytes.unwrap_or_default()))
}
