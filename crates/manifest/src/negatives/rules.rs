//! What a pool keeps of a sweep, and what it says of it.

use coaddkit_photometry::Nanomaggies;
use coaddkit_sky::{Exclusion, Healpix, SkyCoord, Split, Subset};
use serde_json::json;

use super::classify::{Classes, Traits};
use super::config::{Compat, NanPolicy};
use super::pool::{Pool, PoolCounts};
use super::rows::{Labels, Rows, SUBSETS, magnitude};
use super::sweep::{Chunk, OPTIONAL, number, type_bin};
use crate::provenance::{code, sha256};
use crate::{Error, Input};

/// What all sweeps share.
#[derive(Debug)]
pub(super) struct Rules {
    pub pool: Pool,
    pub labels: Labels,
    pub classes: Classes,
    pub fingerprint: String,
    types: Vec<Vec<u8>>,
    exclusion: Exclusion,
    cells: Healpix,
    split: Split,
    /// The set of each cell, where there are few enough.
    splits: Vec<u8>,
    mask: i64,
    /// z fluxes below the first are too faint, above the second bright enough; between them the magnitude decides.
    z_flux: [f32; 2],
}

impl Rules {
    pub fn new(pool: &Pool, positions: &[SkyCoord], inputs: &[Input]) -> Result<Self, Error> {
        let config = &pool.config;
        let n1 = &config.negative_pools.pool_n1;
        let usage = |e: coaddkit_sky::Error| Error::usage(e);
        let split = config.split(pool.compat)?;
        let splits = if split.grid().len() <= 1 << 22 {
            let subset = |cell| split.subset(cell).map(code_of);
            split.grid().cells().map(subset).collect::<Result<_, _>>().map_err(usage)?
        } else {
            Vec::new()
        };
        let limit = 10_f64.powf((22.5 - n1.z_mag_limit) / 2.5);
        let timestamp = pool.timestamp.clone().unwrap_or_else(|| config.created_at.clone());
        let fingerprint = sha256(
            json!({
                "code": code(),
                "config": config,
                "compat": pool.compat.map(Compat::name),
                "positives": inputs.iter().map(|i| &i.sha256).collect::<Vec<_>>(),
                "timestamp": timestamp,
                "git_commit": pool.git_commit,
            })
            .to_string()
            .as_bytes(),
        );
        Ok(Self {
            pool: pool.clone(),
            labels: Labels {
                types: n1.galaxy_types.clone(),
                type_bins: n1.galaxy_types.iter().map(|t| type_bin(&n1.galaxy_types, t).to_owned()).collect(),
                nobs_bins: config.nobs_labels(),
                pipeline_version: config.version.clone(),
                git_commit: pool.git_commit.clone(),
                timestamp,
            },
            types: n1.galaxy_types.iter().map(|t| t.clone().into_bytes()).collect(),
            classes: Classes::new(config, pool.compat),
            exclusion: Exclusion::new(positions, config.exclusion.known_lens_radius_arcsec).map_err(usage)?,
            cells: Healpix::from_nside(128).map_err(usage)?,
            split,
            splits,
            mask: config.exclusion.exclude_maskbits.iter().fold(0, |mask, bit| mask | 1 << bit),
            // Rounding a magnitude to single precision moves it by less than 2e-6.
            z_flux: [(limit * (1.0 - 1e-5)) as f32, (limit * (1.0 + 1e-5)) as f32],
            fingerprint,
        })
    }

    /// Filters, classifies and keeps the rows of a chunk.
    pub fn chunk(&self, chunk: &Chunk<'_>, out: &mut Rows, counts: &mut PoolCounts) -> Result<(), Error> {
        let filters = &self.pool.config.filters;
        let keep_nan = filters.nan_z_mag == NanPolicy::Keep;
        let (ra, dec) = (chunk.f64s("ra")?, chunk.f64s("dec")?);
        let view = |name: &str| chunk.values(name).ok_or_else(|| Error::usage(format!("no column {name}")));
        let (mask, z) = (view("maskbits")?, view("flux_z")?);
        let nobs = [view("nobs_g")?, view("nobs_r")?, view("nobs_z")?];
        let fluxes = [view("flux_g")?, view("flux_r")?, z, view("flux_w1")?];
        let optional = OPTIONAL.map(|name| chunk.values(name));
        let fitbits = chunk.values("fitbits").is_some();
        let first = out.len();
        let mut kept = Vec::new();
        counts.rows += chunk.rows() as u64;
        'rows: for row in 0..chunk.rows() {
            let (ra, dec) = (ra[row], dec[row]);
            let lost = 'lost: {
                if !(ra.is_finite() && dec.is_finite()) {
                    break 'lost 0;
                }
                if !(filters.dec_min < dec && dec < filters.dec_max) {
                    break 'lost 1;
                }
                let kind = chunk.bytes("type", row);
                let Some(kind) = self.types.iter().position(|t| t == kind) else { break 'lost 2 };
                if whole(mask, row) & self.mask != 0 {
                    break 'lost 3;
                }
                if nobs.iter().any(|&n| number(n, row) < f64::from(filters.nobs_min)) {
                    break 'lost 4;
                }
                if !self.bright(number(z, row) as f32, keep_nan) {
                    break 'lost 5;
                }
                let Ok(position) = SkyCoord::from_degrees(ra, dec) else { break 'lost 0 };
                if self.exclusion.excludes(position) {
                    break 'lost 6;
                }
                out.ra.push(ra);
                out.dec.push(dec);
                out.kind.push(kind as i32);
                let cell = self.cells.locate(position);
                let split = match self.split.grid() == self.cells {
                    true => self.splits[cell.index() as usize],
                    false => self.subset(position),
                };
                out.cell_128.push(cell.index() as i64);
                out.split.push(split.into());
                counts.splits[usize::from(split)] += 1;
                kept.push(row);
                continue 'rows;
            };
            counts.lost[lost] += 1;
        }
        counts.kept += kept.len() as u64;
        for (values, column) in fluxes.iter().zip(&mut out.flux) {
            column.extend(kept.iter().map(|&row| number(*values, row) as f32));
        }
        for (values, column) in optional.iter().zip(&mut out.optional) {
            match values {
                Some(values) => column.extend(kept.iter().map(|&row| number(*values, row) as f32)),
                None => column.extend(kept.iter().map(|_| f32::NAN)),
            }
        }
        for (i, &row) in (first..).zip(&kept) {
            self.names(chunk, row, out)?;
            let nobs_z = chunk.i32("nobs_z", row)?;
            out.nobs_z.push(nobs_z);
            out.nobs_bin.push(self.pool.config.nobs_bin(nobs_z) as i32);
            out.maskbits.push(chunk.i32("maskbits", row)?);
            out.fitbits.push(if fitbits { Some(chunk.i32("fitbits", row)?) } else { None });
            out.row.push(chunk.row(row)?);
            let [g, r, z, w1] = [0, 1, 2, 3].map(|band| magnitude(out.flux[band][i]));
            let mags = [g, r, z, g - r, r - z, z - w1].map(|m| m as f32);
            counts.without_z_mag += u64::from(z.is_nan());
            for (column, mag) in out.mags.iter_mut().zip(mags) {
                column.push(mag);
            }
            let shape = |which: usize| out.optional[13 + which][i];
            let traits = Traits {
                flux_r: out.flux[1][i],
                mag_r: mags[1],
                g_minus_r: mags[3],
                shape_r: shape(0),
                shape_e1: shape(1),
                shape_e2: shape(2),
                sersic: shape(3),
            };
            let category = self.classes.of(out.kind[i] as usize, &traits);
            if let Some(category) = category {
                counts.confusers[category] += 1;
            }
            out.category.push(category.map(|c| c as i32));
        }
        Ok(())
    }

    /// Whether the stored z magnitude is below the limit.
    fn bright(&self, flux: f32, keep_nan: bool) -> bool {
        // A flux of 0, below it or NaN has no magnitude.
        if flux.is_nan() || flux <= 0.0 {
            return keep_nan;
        }
        let [faint, bright] = self.z_flux;
        if flux < faint || flux > bright {
            return flux > bright;
        }
        let stored = Nanomaggies(flux.into()).mag().0 as f32;
        stored < self.pool.config.negative_pools.pool_n1.z_mag_limit as f32
    }

    fn subset(&self, position: SkyCoord) -> u8 {
        let cell = self.split.grid().locate(position);
        match self.splits.get(cell.index() as usize) {
            Some(&split) => split,
            None => code_of(self.split.subset_at(position)),
        }
    }

    /// Brick, number, and the identity made of both.
    fn names(&self, chunk: &Chunk<'_>, row: usize, out: &mut Rows) -> Result<(), Error> {
        use std::fmt::Write as _;
        let brick = chunk.bytes("brickname", row);
        if out.bricks.last().is_none_or(|last| last.as_bytes() != brick) {
            out.bricks.push(chunk.text("brickname", row)?);
        }
        let (index, objid) = (out.bricks.len() - 1, chunk.i32("objid", row)?);
        out.brick.push(index as i32);
        out.objid.push(objid);
        // Writing to memory does not fail.
        let _ = write!(out.ids, "{}_{objid}", out.bricks[index]);
        out.ids.append_value("");
        Ok(())
    }
}

fn code_of(subset: Subset) -> u8 {
    SUBSETS.iter().position(|name| *name == subset.as_str()).unwrap_or(0) as u8
}

/// Mask bits, also of files that store them in another type.
fn whole(values: coaddkit_fits::Values<'_>, row: usize) -> i64 {
    match values {
        coaddkit_fits::Values::I32(v) => v[row].into(),
        coaddkit_fits::Values::I16(v) => v[row].into(),
        other => number(other, row) as i64,
    }
}
