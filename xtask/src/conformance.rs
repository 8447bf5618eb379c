//! `cargo xtask conformance DIR`: every HDU and every column of real files against what other readers read.
//!
//! DIR holds files and `oracle.json` (images) or `oracle_tables.json` (columns) or both; the former says what
//! astropy read from an image, the latter gives digests of the stored bytes of each column.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use coaddkit_examples::{Stats, column_digest, image_digest};
use coaddkit_fits::{Error, ErrorClass, Fits, HduKind, Table};
use serde_json::Value;

use crate::{Done, Stop};

/// Where the other reader is known to be wrong, by file and HDU, and why.
const KNOWN: [(&str, u64, &str); 1] = [(
    "fits-odd/ap_scale.fits",
    0,
    "scaled in single precision by the other reader; computed in double precision and rounded once here",
)];

/// Where nothing is to be read, by file, and what must be said.
const REFUSED: [(&str, &str); 2] =
    [("fits-odd/ap_verify.fits", "BITPIX is card 3"), ("fits-odd/nt_test.fits.Z", "compress(1)")];

#[derive(Default)]
struct Totals {
    ok: usize,
    failed: usize,
    refused: usize,
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
    let dir = Path::new(dir);
    let mut totals = Totals::default();
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
    let Totals { ok, failed, refused } = totals;
    println!("{ok} ok, {failed} FAIL, {refused} refused");
    if failed == 0 { Ok(()) } else { Err(Stop::Failed(format!("{failed} do not conform"))) }
}

impl Totals {
    /// Runs one comparison and prints its line; a panic is a failure.
    fn line(&mut self, label: &str, check: impl FnOnce() -> Result<String, Verdict>) {
        let verdict = quietly(check).unwrap_or_else(|| Err(Verdict::Failed("it panics".to_owned())));
        match verdict.map_or_else(|verdict| verdict, Verdict::Ok) {
            Verdict::Ok(what) => {
                self.ok += 1;
                println!("{}", format!("ok {label} {what}").trim_end());
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

fn open(dir: &Path, name: &str) -> Result<Fits, Verdict> {
    Fits::open(dir.join(name)).map_err(|error| match REFUSED.iter().find(|(file, _)| *file == name) {
        Some((_, says)) if error.to_string().contains(says) => Verdict::Refused(error.kind().to_string()),
        _ => verdict(&error),
    })
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

/// The images of one file of `oracle.json`; other HDUs count for their kind.
fn images(dir: &Path, file: &Value, totals: &mut Totals) {
    let name = name_of(file);
    let expected = file["hdus"].as_array().map_or(&[][..], Vec::as_slice);
    if name.ends_with(".hdr") || !dir.join(name).is_file() && expected.is_empty() {
        return; // Header cards as text.
    }
    if expected.is_empty() {
        if file["astropy_err"].is_string() {
            // What no reader can read must be refused, whole.
            totals.line(name, || match Fits::open(dir.join(name)) {
                Err(error) => Err(Verdict::Refused(error.kind().to_string())),
                Ok(_) => Err(Verdict::Failed("opens, but holds nothing that is known".to_owned())),
            });
        }
        return;
    }
    let fits = match quietly(|| open(dir, name)) {
        Some(Ok(fits)) => fits,
        Some(Err(verdict)) => return totals.line(name, || Err(verdict)),
        None => return totals.line(name, || Err(Verdict::Failed("it panics".to_owned()))),
    };
    for (index, want) in expected.iter().enumerate() {
        let label = format!("{name}[{index}]");
        totals.line(&label, || image(&fits, name, index, want));
    }
    totals.line(&format!("{name}[]"), || {
        let found = fits.hdus().collect::<Result<Vec<_>, _>>().map_err(|e| verdict(&e))?.len();
        let same = found == expected.len();
        if same { Ok(format!("{found} HDUs")) } else { Err(Verdict::Failed(format!("{found} HDUs"))) }
    });
}

fn image(fits: &Fits, name: &str, index: usize, want: &Value) -> Result<String, Verdict> {
    let hdu = fits.hdu(index).map_err(|e| verdict(&e))?;
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
    let data = &want["data"];
    let Some(digits) = data["sha256_be"].as_str().filter(|_| hdu.kind() == HduKind::Image) else {
        return Ok(format!("{:?}", hdu.kind()));
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
    if !found.sha256.starts_with(digits) {
        wrong.push(format!("pixels {} instead of {digits}", &found.sha256[..16]));
    }
    wrong.extend(differences(&found.stats, data));
    let known = KNOWN.iter().find(|(file, hdu, _)| (*file, *hdu) == (name, index as u64));
    match known {
        Some((.., why)) if !wrong.is_empty() => Ok(format!("differs as it should: {why}")),
        _ => judge(wrong, format!("{dtype} {:?}", image.shape())),
    }
}

/// The columns of one file of `oracle_tables.json`.
fn tables(dir: &Path, file: &Value, totals: &mut Totals) {
    let name = name_of(file);
    let fits = match quietly(|| open(dir, name)) {
        Some(Ok(fits)) => fits,
        Some(Err(verdict)) => return totals.line(name, || Err(verdict)),
        None => return totals.line(name, || Err(Verdict::Failed("it panics".to_owned()))),
    };
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
    judge(wrong, column.tform.clone())
}
