//! Says what is in FITS files: HDUs, shapes, columns, compression.

use clap::Parser;
use coaddkit_examples::{Exit, Stats, Table, column_digest, image_digest, main as run_main, print, say};
use coaddkit_fits::{Error, ErrorClass, ErrorKind, Fits, Hdu, HduKind};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// List the HDUs of FITS files: kinds, shapes, columns, compression.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// FITS files, also .fits.gz
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// One line of JSON a file
    #[arg(long)]
    json: bool,
    /// With --json: read all values, and add digests and statistics of images and columns
    #[arg(long, requires = "json")]
    digest: bool,
    /// Do not list the columns of tables
    #[arg(long)]
    brief: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    run_main(move || {
        let mut worst = Exit::Complete;
        for path in &args.files {
            let (hdus, mut error) = list(path);
            if args.json {
                let described: Vec<_> = hdus
                    .iter()
                    .map(|hdu| {
                        let mut value = describe(hdu);
                        if let Some(failed) =
                            args.digest.then(|| add_digests(hdu, &mut value).err()).flatten()
                        {
                            value["error"] = failed.to_string().into();
                            error.get_or_insert(failed);
                        }
                        value
                    })
                    .collect();
                let mut file = json!({ "path": path.to_string_lossy(), "hdus": described });
                if let Some(error) = &error {
                    file["error"] = error.to_string().into();
                }
                print(&format!("{file}\n"));
            } else if !hdus.is_empty() {
                print(&text(path, &hdus, args.brief));
            }
            if let Some(error) = error {
                say!("fits-info: {error}");
                worst = worst.worse(exit_of(&error));
            }
        }
        worst
    })
}

/// All HDUs up to the first error. A table or an image that makes no sense is an error too, but does not end the list.
fn list(path: &Path) -> (Vec<Hdu>, Option<Error>) {
    let fits = match Fits::open(path) {
        Ok(fits) => fits,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let (mut hdus, mut failed) = (Vec::new(), None);
    for hdu in fits.hdus() {
        match hdu {
            Ok(hdu) => {
                if failed.is_none() {
                    failed = senseless(&hdu);
                }
                hdus.push(hdu);
            }
            Err(error) => failed = Some(error),
        }
    }
    (hdus, failed)
}

/// Why its header makes no sense, if it makes none.
fn senseless(hdu: &Hdu) -> Option<Error> {
    let error = if is_table(hdu) { hdu.table().err()? } else { hdu.image().err()? };
    // What is no image is no mistake, and what is not supported is none of the file.
    (is_table(hdu) || error.class() == ErrorClass::Data).then_some(error)
}

fn is_table(hdu: &Hdu) -> bool {
    matches!(hdu.kind(), HduKind::Table | HduKind::AsciiTable)
}

fn exit_of(error: &Error) -> Exit {
    match error.kind() {
        ErrorKind::Io(e) => Exit::of_reader(e.kind()),
        _ => Exit::BadData,
    }
}

/// The keys of one HDU in the JSON form.
fn describe(hdu: &Hdu) -> Value {
    let kind = match hdu.kind() {
        HduKind::Image => "image",
        HduKind::Table => "table",
        HduKind::AsciiTable => "ascii_table",
        HduKind::Groups => "groups",
        _ => "other",
    };
    let compression = hdu.compression();
    let mut value = json!({
        "index": hdu.index(),
        "name": hdu.name(),
        "kind": kind,
        "bitpix": hdu.bitpix(),
        "shape": hdu.shape(),
        "dtype": hdu.pixel_type().map(|t| t.code()),
        "compression": compression.map(|c| &c.codec),
        "quantize": compression.and_then(|c| c.quantize.as_ref()),
        "tile": compression.filter(|c| !c.tile.is_empty()).map(|c| &c.tile),
        "bytes": hdu.data_bytes(),
    });
    if is_table(hdu) {
        match hdu.table() {
            Ok(table) => {
                let columns = (1..)
                    .zip(table.columns())
                    .map(|(i, c)| json!({ "index": i, "name": c.name, "tform": c.tform, "unit": c.unit }));
                value["rows"] = table.rows().into();
                value["columns"] = columns.collect::<Vec<_>>().into();
            }
            Err(error) => value["error"] = error.to_string().into(),
        }
    } else if let Some(error) = senseless(hdu) {
        value["error"] = error.to_string().into();
    }
    value
}

/// Reads everything; what cannot be read is left out, and the first error returned.
fn add_digests(hdu: &Hdu, value: &mut Value) -> Result<(), Error> {
    let mut failed = Ok(());
    if is_table(hdu) {
        let table = hdu.table()?;
        for index in 0..table.columns().len() {
            let column = &mut value["columns"][index];
            match column_digest(&table, index) {
                Ok(digest) => {
                    column["raw_sha256"] = digest.raw_sha256.into();
                    if let Some((sha256, elements)) = digest.heap {
                        column["heap_sha256"] = sha256.into();
                        column["elements"] = elements.into();
                    }
                    if let Some(stats) = &digest.stats {
                        add_stats(stats, column);
                    }
                }
                Err(error) => {
                    column["error"] = error.to_string().into();
                    failed = failed.and(Err(error));
                }
            }
        }
    } else if hdu.kind() == HduKind::Image && !hdu.shape().is_empty() {
        let digest = image_digest(&hdu.image()?)?;
        add_stats(&digest.stats, value);
        value["sha256"] = digest.sha256.into();
    }
    failed
}

/// Of no value at all there is nothing but the number of NaN. JSON has no infinity; it becomes null.
fn add_stats(stats: &Stats, value: &mut Value) {
    value["nan"] = stats.nan.into();
    if stats.count > 0 {
        (value["min"], value["max"], value["sum"]) = (stats.min.into(), stats.max.into(), stats.sum.into());
    }
}

fn text(path: &Path, hdus: &[Hdu], brief: bool) -> String {
    let mut out = format!("{}\n", path.display());
    let mut table = Table::new(["HDU", "name", "kind", "shape", "type", "compression"]);
    for hdu in hdus {
        let value = describe(hdu);
        let word = |key: &str| value[key].as_str().unwrap_or("").to_owned();
        let shape = match value["rows"].as_u64() {
            Some(rows) => format!(
                "{} rows × {} columns",
                Table::number(rows),
                value["columns"].as_array().map_or(0, Vec::len)
            ),
            None if hdu.shape().is_empty() => "–".to_owned(),
            None => hdu.shape().iter().map(u64::to_string).collect::<Vec<_>>().join(" × "),
        };
        let compression = hdu.compression().map_or_else(String::new, |c| {
            let tile = c.tile.iter().map(u64::to_string).collect::<Vec<_>>().join(" × ");
            let parts = [
                Some(c.codec.clone()),
                c.quantize.clone(),
                (!tile.is_empty()).then(|| format!("tiles {tile}")),
            ];
            parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
        });
        table.row([hdu.index().to_string(), hdu.name(), word("kind"), shape, word("dtype"), compression]);
    }
    out.push_str(&format!("{table}\n"));
    for table in hdus.iter().filter(|hdu| !brief && is_table(hdu)).filter_map(|hdu| hdu.table().ok()) {
        let mut columns = Table::new(["column", "name", "format", "unit"]);
        for (i, c) in (1..).zip(table.columns()) {
            columns.row([
                format!("{i:>4}"),
                c.name.clone(),
                c.tform.clone(),
                c.unit.clone().unwrap_or_default(),
            ]);
        }
        out.push_str(&format!("  columns of HDU {}\n{columns}\n", table.hdu().index()));
    }
    out
}
