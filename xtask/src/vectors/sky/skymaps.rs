//! Reference values for LSST sky maps, made with lsst.skymap.

use std::path::Path;

use coaddkit_sky::{Patch, SkyMap, SkyMapConfig, SkyMapProjection, Tract};

use super::{Row, rows};
use crate::vectors::Report;

pub fn check(name: &str, path: &Path) -> Option<Report> {
    let check = match name {
        "skymap/lsst_rings_tracts.csv" => ring_tract,
        "skymap/lsst_rings_points.csv" => ring_point,
        "skymap/lsst_discrete_patches.csv" => discrete_patch,
        "skymap/lsst_discrete_points.csv" => discrete_point,
        _ => return None,
    };
    Some(rows(path, check))
}

const RINGS: u32 = 120;

fn config(pixel_scale_arcsec: f64, tract_overlap_deg: f64) -> SkyMapConfig {
    let projection = SkyMapProjection::Tan;
    SkyMapConfig { pixel_scale_arcsec, patch_inner: 4000, patch_border: 100, tract_overlap_deg, projection }
}

fn rings() -> Result<SkyMap, String> {
    SkyMap::rings(config(0.168, 1.0 / 60.0), RINGS, 0.0).map_err(|e| e.to_string())
}

/// The fields of the discrete maps; the file of patches has their centres.
const FIELDS: [(&str, &str, &str); 4] = [
    ("A2029", "227.7331", "5.745"),
    ("A3667", "303.1402", "-56.8406"),
    ("A85", "10.4577", "-9.3025"),
    ("RA0", "0.01", "0.0"),
];

fn field(name: &str) -> Result<(&str, Tract), String> {
    let &(_, ra, dec) = FIELDS
        .iter()
        .find(|(field, ..)| *field == name)
        .ok_or_else(|| format!("field {name:?} is unknown"))?;
    let degrees = |text: &str| text.parse::<f64>().map_err(|e| e.to_string());
    let center =
        coaddkit_sky::SkyCoord::from_degrees(degrees(ra)?, degrees(dec)?).map_err(|e| e.to_string())?;
    let map = SkyMap::discrete(config(0.263, 1.0), &[(center, 0.7)]).map_err(|e| e.to_string())?;
    Ok((ra, map.find_tract(center)))
}

fn ring_tract(row: &Row<'_>) -> Result<(), String> {
    let map = rings()?;
    let tract = map.tract(row.parsed("tract")?).map_err(|e| e.to_string())?;
    // The reference counts the caps as rings of their own.
    let (ring, index) = match tract.ring() {
        Some([ring, index]) => (i64::from(ring), index),
        None if tract.id() == 0 => (-1, 0),
        None => (i64::from(RINGS), 0),
    };
    row.same_text("ring", ring)?;
    row.same_text("index_in_ring", index)?;
    row.same_decimals("ra_deg", tract.center().ra_deg())?;
    row.same_decimals("dec_deg", tract.center().dec_deg())?;
    sizes(row, &tract)?;
    row.same_text("width", tract.size()[0])?;
    row.same_text("height", tract.size()[1])
}

fn sizes(row: &Row<'_>, tract: &Tract) -> Result<(), String> {
    row.same_text("npatch_x", tract.patch_counts()[0])?;
    row.same_text("npatch_y", tract.patch_counts()[1])?;
    row.same_number("crpix1", tract.wcs().crpix()[0])?;
    row.same_number("crpix2", tract.wcs().crpix()[1])
}

fn point(row: &Row<'_>, tract: &Tract) -> Result<(), String> {
    let position = row.position("ra_deg", "dec_deg")?;
    if row.text("patch_seq").is_empty() {
        for column in ["patch_x", "patch_y", "x0", "y0"] {
            row.same_text(column, "")?;
        }
        return tract
            .find_patch(position)
            .map_or(Ok(()), |patch| Err(format!("found patch {}", patch.sequence)));
    }
    let patch = tract.find_patch(position).ok_or("no patch")?;
    numbers(row, &patch)?;
    if tract.patch_numbered(patch.sequence).as_ref() != Ok(&patch) {
        return Err("the patch of that number is another".to_owned());
    }
    let [x, y] = tract.pixel(position).ok_or("no pixel")?;
    if (x - row.number("x0")?).abs().max((y - row.number("y0")?).abs()) <= 1e-5 {
        Ok(())
    } else {
        Err(format!("pixel: found {x}, {y}"))
    }
}

fn numbers(row: &Row<'_>, patch: &Patch) -> Result<(), String> {
    row.same_text("patch_x", patch.index[0])?;
    row.same_text("patch_y", patch.index[1])?;
    row.same_text("patch_seq", patch.sequence)
}

fn ring_point(row: &Row<'_>) -> Result<(), String> {
    let tract = rings()?.find_tract(row.position("ra_deg", "dec_deg")?);
    row.same_text("tract", tract.id())?;
    point(row, &tract)
}

fn discrete_point(row: &Row<'_>) -> Result<(), String> {
    point(row, &field(row.text("field"))?.1)
}

fn discrete_patch(row: &Row<'_>) -> Result<(), String> {
    let (ra, tract) = field(row.text("field"))?;
    row.same_text("ra0", ra)?;
    row.same_decimals("dec0", tract.center().dec_deg())?;
    sizes(row, &tract)?;
    let patch = tract.patch([row.parsed("patch_x")?, row.parsed("patch_y")?]).map_err(|e| e.to_string())?;
    numbers(row, &patch)?;
    row.same_text("ox0", patch.outer.x.start)?;
    row.same_text("ox1_excl", patch.outer.x.end)?;
    row.same_text("oy0", patch.outer.y.start)?;
    row.same_text("oy1_excl", patch.outer.y.end)
}
