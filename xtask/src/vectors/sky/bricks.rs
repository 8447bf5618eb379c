//! Reference values for bricks, by desiutil.

use std::path::Path;

use coaddkit_sky::{Brick, BrickGrid, BrickId};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Row, close, rows};
use crate::vectors::Report;

pub fn check(name: &str, path: &Path) -> Option<Report> {
    match name {
        "bricks.csv.gz" => Some(rows(path, located)),
        "brick_table.csv.gz" => Some(rows(path, tabulated)),
        "skymap/legacy_bricks.csv" => Some(rows(path, skymap)),
        "brick_tilings.json" => Some(tilings(path)),
        _ => None,
    }
}

/// The brick by either way in.
fn brick_at(row: &Row<'_>, ra: &str, dec: &str) -> Result<Brick, String> {
    let position = row.position(ra, dec)?;
    let brick = BrickGrid::legacy().brick_at(position);
    let id = BrickGrid::legacy().locate(position);
    if id == brick.id { Ok(brick) } else { Err(format!("locate says {id}, brick_at {}", brick.id)) }
}

fn located(row: &Row<'_>) -> Result<(), String> {
    let brick = brick_at(row, "ra", "dec")?;
    row.same_text("brickname", brick.name)?;
    row.same_text("brickid", brick.id)?;
    row.same_text("brickq", brick.q)?;
    row.same_text("row", brick.row)?;
    row.same_text("col", brick.col)
}

fn tabulated(row: &Row<'_>) -> Result<(), String> {
    let id = row.text("brickid").parse().ok().and_then(BrickId::new);
    let brick = id.and_then(|id| BrickGrid::legacy().brick(id)).ok_or("no such brickid")?;
    let named = row.text("brickname").parse().ok().and_then(|name| BrickGrid::legacy().brick_named(name));
    if named != Some(brick) {
        return Err(format!("brickname: expected {}, found {}", row.text("brickname"), brick.name));
    }
    row.same_text("brickq", brick.q)?;
    row.same_text("row", brick.row)?;
    row.same_text("col", brick.col)?;
    row.same_number("ra", brick.center.ra_deg())?;
    row.same_number("dec", brick.center.dec_deg())?;
    row.same_number("ra1", brick.ra1_deg)?;
    row.same_number("ra2", brick.ra2_deg)?;
    row.same_number("dec1", brick.dec1_deg)?;
    row.same_number("dec2", brick.dec2_deg)?;
    close("area_deg2", row.number("area_deg2")?, brick.area_deg2())
}

fn skymap(row: &Row<'_>) -> Result<(), String> {
    let brick = brick_at(row, "ra_deg", "dec_deg")?;
    row.same_text("brickname", brick.name)?;
    row.same_text("brickid", brick.id)?;
    row.same_text("brickq", brick.q)?;
    // The reference hands areas out in single precision.
    row.same_decimals("area_deg2", f64::from(brick.area_deg2() as f32))?;
    row.same_decimals("ra_center", brick.center.ra_deg())?;
    row.same_decimals("dec_center", brick.center.dec_deg())?;
    row.same_decimals("ra1", brick.ra1_deg)?;
    row.same_decimals("ra2", brick.ra2_deg)?;
    row.same_decimals("dec1", brick.dec1_deg)?;
    row.same_decimals("dec2", brick.dec2_deg)
}

/// One row per value of each tiling, so that each wrong one is named.
fn tilings(path: &Path) -> Report {
    let mut report = Report::default();
    let parsed = std::fs::read(path)
        .map_err(|e| e.to_string())
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).map_err(|e| e.to_string()));
    let file = match parsed {
        Ok(file) => file,
        Err(e) => return Report { rows: 0, failures: vec![format!("{}: {e}", path.display())] },
    };
    let Some(tilings) = file["tilings"].as_object() else {
        return Report { rows: 0, failures: vec!["no object \"tilings\"".into()] };
    };
    for (size, expected) in tilings {
        let Some(grid) = size.parse().ok().and_then(|size| BrickGrid::new(size).ok()) else {
            report.rows += 1;
            report.failures.push(format!("{size:?} is no brick size"));
            continue;
        };
        for (key, expected) in expected.as_object().into_iter().flatten() {
            report.rows += 1;
            if let Err(what) = tiling_value(&grid, key, expected) {
                report.failures.push(format!("{size}: {what}"));
            }
        }
    }
    report
}

fn tiling_value(grid: &BrickGrid, key: &str, expected: &Value) -> Result<(), String> {
    let same = |found: Value| {
        if *expected == found { Ok(()) } else { Err(format!("{key}: expected {expected}, found {found}")) }
    };
    let number = || expected.as_f64().ok_or_else(|| format!("{key}: {expected} is no number"));
    let columns = || (0..grid.row_count()).filter_map(|row| grid.columns(row));
    match key {
        "n_bricks" => same(grid.len().into()),
        "n_rows" => same(grid.row_count().into()),
        "max_ncol" => same(columns().max().into()),
        "unique_names" => {
            let mut names: Vec<_> = grid.bricks().map(|brick| brick.name).collect();
            names.sort_unstable();
            names.dedup();
            same(names.len().into())
        }
        "sha256_names_newline_joined" => {
            let names: Vec<String> = grid.bricks().map(|brick| brick.name.to_string()).collect();
            same(hex(names.join("\n").as_bytes()).into())
        }
        "sha256_ncol_le_u32" => {
            let bytes: Vec<u8> = columns().flat_map(|count| (count as u32).to_le_bytes()).collect();
            same(hex(&bytes).into())
        }
        "sum_area_deg2" => {
            close(key, number()?, compensated_sum(grid.bricks().map(|brick| brick.area_deg2())))
        }
        "tan_wcs_size_deg" => close(key, number()?, tangent_size_deg(grid)),
        _ => Err(format!("{key}: unknown")),
    }
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Neumaier's sum: half a million areas, to the last digits.
fn compensated_sum(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, lost) = values.fold((0.0_f64, 0.0), |(sum, lost), value| {
        let next = sum + value;
        let error = if sum.abs() >= value.abs() { (sum - next) + value } else { (value - next) + sum };
        (next, lost + error)
    });
    sum + lost
}

/// The side of the smallest square image, in tangent projection about a brick's centre and in whole arcseconds, that
/// covers every brick: corners and middles of edges of the first brick of each row, as the reference takes them.
fn tangent_size_deg(grid: &BrickGrid) -> f64 {
    let mut largest = 0.0_f64;
    for brick in grid.bricks().filter(|brick| brick.col == 0) {
        let (sine0, cosine0) = brick.center.dec_deg().to_radians().sin_cos();
        let (ra, dec) = (brick.center.ra_deg(), brick.center.dec_deg());
        for ra_deg in [brick.ra1_deg, ra, brick.ra2_deg] {
            for dec_deg in [brick.dec1_deg, dec, brick.dec2_deg] {
                let (sine, cosine) = dec_deg.to_radians().sin_cos();
                let (ra_sine, ra_cosine) = (ra_deg - ra).to_radians().sin_cos();
                let depth = sine0 * sine + cosine0 * cosine * ra_cosine;
                let x = -cosine * ra_sine / depth;
                let y = (cosine0 * sine - sine0 * cosine * ra_cosine) / depth;
                for arcsec in [x, y].map(|offset| offset.to_degrees() * 3600.0) {
                    // Away from the centre, but rounding of what is exactly whole must not add a pixel.
                    let whole = if arcsec < 0.0 { (arcsec + 1e-7).floor() } else { (arcsec - 1e-7).ceil() };
                    largest = largest.max(whole.abs());
                }
            }
        }
    }
    2.0 * largest / 3600.0
}
