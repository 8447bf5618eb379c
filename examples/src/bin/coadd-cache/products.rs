//! What a run leaves in the folder of its report.

use coaddkit_cache::{BrickRecord, Completeness, write_csv, write_parquet};
use coaddkit_density::publish;
use coaddkit_examples::Exit;
use serde_json::Value;
use std::io;
use std::path::Path;

/// Writes `report.md`, the assets manifest as CSV and Parquet, and the stage configuration; each is whole or absent.
pub fn write(
    dir: &Path,
    records: &[BrickRecord],
    completeness: &Completeness,
    cache: &str,
    config: &Value,
) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    publish(&dir.join("report.md"), |out| out.write_all(completeness.markdown(cache).as_bytes()))?;
    publish(&dir.join("assets_manifest.csv"), |out| write_csv(out, records))?;
    let mut parquet = Vec::new();
    write_parquet(&mut parquet, records)?;
    publish(&dir.join("assets_manifest.parquet"), |out| out.write_all(&parquet))?;
    publish(&dir.join("_stage_config.json"), |out| writeln!(out, "{config:#}"))
}

/// The same, where a folder was asked for; a failure is said and ends the run as one that may work another time.
pub fn write_if_asked(
    dir: Option<&Path>,
    records: &[BrickRecord],
    completeness: &Completeness,
    cache: &str,
    config: &Value,
) -> Exit {
    let Some(dir) = dir else { return Exit::Complete };
    match write(dir, records, completeness, cache, config) {
        Ok(()) => Exit::Complete,
        Err(e) => {
            eprintln!("cannot write the report to {}: {e}", dir.display());
            Exit::Transient
        }
    }
}
