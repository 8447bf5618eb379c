//! Known lenses: where they are, and which rows of the sweeps they are.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{ArrayRef, Float64Array, Int32Array, Int64Array, StringArray};
use coaddkit_sky::{Keep, MatchRule, SkyCoord, crossmatch};
use rayon::prelude::*;
use serde::Serialize;

use super::config::SamplingConfig;
use super::schema::POSITIVES;
use super::sweep::{Sweep, type_bin};
use crate::{Error, ErrorClass, Field, Kind, Layout, Progress, Provenance, Source, TableWriter};

const RA: [&str; 4] = ["ra", "ra_deg", "RA [deg]", "target_ra"];
const DEC: [&str; 4] = ["dec", "dec_deg", "DEC [deg]", "target_dec"];

/// Reads the positions of catalogues (CSV, Parquet or FITS, HDU 1), one after the other.
///
/// # Errors
///
/// When one cannot be read, has no columns of positions (`ra`, `ra_deg`, `RA [deg]`, `target_ra` and the like for the
/// declination, without case), or a position that is none.
pub fn read_positions(catalogs: &[PathBuf]) -> Result<Vec<SkyCoord>, Error> {
    let mut all = Vec::new();
    for path in catalogs {
        let source = Source::open(path)?;
        let columns = source.columns()?;
        let find = |names: &[&'static str]| {
            let found = names.iter().find(|name| columns.iter().any(|c| c.eq_ignore_ascii_case(name)));
            found.copied().ok_or_else(|| {
                let what = format!(
                    "has none of the columns {}; there are: {}",
                    names.join(", "),
                    columns.join(", ")
                );
                Error::bad(path, what)
            })
        };
        let fields = [Field::new(find(&RA)?, Kind::Float64, ""), Field::new(find(&DEC)?, Kind::Float64, "")];
        for rows in source.read(&fields)? {
            let [ra, dec] = [0, 1].map(|i| rows.batch.column(i).as_primitive::<Float64Type>());
            for (i, (&ra, &dec)) in ra.values().iter().zip(dec.values()).enumerate() {
                let at = |e| Error::bad(path, format_args!("row {}: {e}", rows.first_row + i as u64));
                all.push(SkyCoord::from_degrees(ra, dec).map_err(at)?);
            }
        }
    }
    Ok(all)
}

/// Finds the catalogue rows of positives.
#[derive(Clone, Debug)]
pub struct MatchPositives {
    /// Classes of types and exposures.
    pub config: SamplingConfig,
    /// The largest distance of a row, in arcseconds; published: 1.
    pub radius_arcsec: f64,
}

/// What was matched.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Matched {
    /// Positions of the catalogues.
    pub positives: u64,
    /// Of them with a row within the radius.
    pub matched: u64,
    /// Sweeps that were read wholly.
    pub sweeps: u64,
    /// Sweeps that failed, and why.
    #[serde(skip)]
    pub failed: Vec<(PathBuf, Error)>,
}

/// A row that is near a positive.
#[derive(Clone, Debug, PartialEq)]
struct Near {
    separation: f64,
    id: String,
    kind: String,
    nobs_z: i32,
    sweep: String,
    row: i32,
}

impl MatchPositives {
    /// Matches `catalogs` with `sweeps`, and writes the nearest row of each positive to a Parquet file, in the order of the
    /// catalogues. Positives without a row are counted and left out.
    ///
    /// # Errors
    ///
    /// When a catalogue cannot be read, or all sweeps fail, or nothing matches, or the file cannot be written. Where some
    /// sweeps fail, no file is written, and [`Matched::failed`] says which and why.
    pub fn run(
        &self,
        sweeps: &[PathBuf],
        catalogs: &[PathBuf],
        out: &Path,
        progress: &dyn Progress,
    ) -> Result<Matched, Error> {
        let positions = read_positions(catalogs)?;
        let rule = MatchRule { radius_arcsec: self.radius_arcsec, keep: Keep::Nearest(1) };
        progress.begin("matching positives", 0);
        let parts: Vec<_> =
            sweeps.par_iter().map(|path| self.sweep(path, &positions, &rule, progress)).collect();
        let mut best: Vec<Option<Near>> = vec![None; positions.len()];
        let mut matched = Matched { positives: positions.len() as u64, ..Matched::default() };
        for (path, part) in sweeps.iter().zip(parts) {
            match part {
                Err(e) => matched.failed.push((path.clone(), e.at(path))),
                Ok(found) => {
                    matched.sweeps += 1;
                    for (index, near) in found {
                        let better = best[index].as_ref().is_none_or(|old| {
                            near.separation.total_cmp(&old.separation).then(near.id.cmp(&old.id)).is_lt()
                        });
                        if better {
                            best[index] = Some(near);
                        }
                    }
                }
            }
        }
        if matched.sweeps == 0 {
            let first = matched.failed.into_iter().next().map(|(_, e)| e);
            return Err(first.unwrap_or_else(|| Error::usage("no sweeps are given")));
        }
        let found: Vec<(usize, Near)> =
            best.into_iter().enumerate().filter_map(|(i, near)| Some((i, near?))).collect();
        matched.matched = found.len() as u64;
        if found.is_empty() {
            return Err(Error::new(ErrorClass::BadData, "no positive is near a row of the sweeps"));
        }
        // Without the rows of a sweep, every sample would be another one.
        if matched.failed.is_empty() {
            self.write(out, &positions, &found)?;
        }
        Ok(matched)
    }

    fn sweep(
        &self,
        path: &Path,
        positions: &[SkyCoord],
        rule: &MatchRule,
        progress: &dyn Progress,
    ) -> Result<Vec<(usize, Near)>, Error> {
        let sweep = Sweep::open(path)?;
        let mut all: Vec<(usize, Near)> = Vec::new();
        sweep.chunks(|chunk| {
            let (ra, dec) = (chunk.f64s("ra")?, chunk.f64s("dec")?);
            let mut rows = Vec::new();
            let mut coords = Vec::new();
            for (row, (&ra, &dec)) in ra.iter().zip(dec.iter()).enumerate() {
                if let Ok(coord) = SkyCoord::from_degrees(ra, dec) {
                    rows.push(row);
                    coords.push(coord);
                }
            }
            let pairs = crossmatch(positions, &coords, rule).map_err(Error::usage)?;
            for pair in pairs {
                let row = rows[pair.right as usize];
                let near = Near {
                    separation: pair.separation_arcsec,
                    id: format!("{}_{}", chunk.text("brickname", row)?, chunk.i32("objid", row)?),
                    kind: chunk.text("type", row)?,
                    nobs_z: chunk.i32("nobs_z", row)?,
                    sweep: sweep.name().to_owned(),
                    row: chunk.row(row)?,
                };
                all.push((pair.left as usize, near));
            }
            progress.advance(chunk.rows() as u64);
            Ok(())
        })?;
        Ok(all)
    }

    fn write(&self, out: &Path, positions: &[SkyCoord], found: &[(usize, Near)]) -> Result<(), Error> {
        let labels = self.config.nobs_labels();
        let types = &self.config.negative_pools.pool_n1.galaxy_types;
        let text = |values: Vec<String>| Arc::new(StringArray::from(values)) as ArrayRef;
        let of =
            |value: fn(&Near) -> &str| text(found.iter().map(|(_, near)| value(near).to_owned()).collect());
        let place = |value: fn(&SkyCoord) -> f64| {
            Arc::new(Float64Array::from_iter_values(found.iter().map(|&(i, _)| value(&positions[i]))))
                as ArrayRef
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(found.iter().map(|&(i, _)| i as i64))),
            place(|p| p.ra_deg()),
            place(|p| p.dec_deg()),
            of(|n| &n.id),
            Arc::new(Float64Array::from_iter_values(found.iter().map(|(_, n)| n.separation))),
            of(|n| &n.kind),
            Arc::new(Int32Array::from_iter_values(found.iter().map(|(_, n)| n.nobs_z))),
            text(found.iter().map(|(_, n)| type_bin(types, &n.kind).to_owned()).collect()),
            text(found.iter().map(|(_, n)| labels[self.config.nobs_bin(n.nobs_z)].clone()).collect()),
            of(|n| &n.sweep),
            Arc::new(Int32Array::from_iter_values(found.iter().map(|(_, n)| n.row))),
        ];
        let batch = crate::write::batch(&POSITIVES, columns)?;
        let provenance = Provenance::new()
            .with("coaddkit.config_sha256", self.config.sha256())
            .with("coaddkit.radius_arcsec", self.radius_arcsec.to_string());
        let mut writer = TableWriter::create(out, &POSITIVES, &Layout::default(), &provenance)?;
        writer.write(&batch)?;
        writer.finish()?;
        Ok(())
    }
}
