//! Reference values for HEALPix: high-precision arithmetic, healpy and astropy-healpix.

use std::path::Path;

use coaddkit_sky::{Cone, Healpix, HealpixCell, HealpixRing, SkyCoord};
use serde_json::Value;

use super::{Row, json_lines, rows};
use crate::vectors::Report;

pub fn check(name: &str, path: &Path) -> Option<Report> {
    match name {
        "healpix_ang2pix.csv.gz" => Some(rows(path, located)),
        "healpix_pix.csv.gz" => Some(rows(path, cell)),
        "healpix_cones.jsonl.gz" => Some(json_lines(path, cone)),
        "skymap/desi_healpix.csv" => Some(rows(path, desi)),
        _ => None,
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

fn located(row: &Row<'_>) -> Result<(), String> {
    let nside = row.parsed("nside")?;
    let position = row.position("ra", "dec")?;
    let rings = HealpixRing::new(nside).map_err(text)?;
    let ring = rings.locate(position);
    // Where another library deviates the position lies on an edge, to within rounding.
    let exact = row.text("deviant_libs").is_empty();
    let expected: u64 = row.parsed("ring_exact")?;
    let Ok(cells) = Healpix::from_nside(nside) else {
        row.same_text("nest_exact", -1)?;
        // There are no neighbours to ask for without a nested scheme: the centres must be near each other.
        let near = || -> Result<bool, String> {
            let centers = (rings.center(ring).map_err(text)?, rings.center(expected).map_err(text)?);
            Ok(centers.0.separation_deg(centers.1) < 1.5 * 58.7 / f64::from(nside))
        };
        return if ring == expected || (!exact && near()?) {
            Ok(())
        } else {
            Err(format!("ring_exact: expected {expected}, found {ring}"))
        };
    };
    let cell = cells.locate(position);
    let mut bulk = [None];
    cells.locate_all(&[row.number("ra")?], &[row.number("dec")?], &mut bulk).map_err(text)?;
    if bulk != [Some(cell)] || cell.ring() != ring {
        return Err(format!("the ways differ: {cell:?} {bulk:?} {ring}"));
    }
    let nested = cells.cell(row.parsed("nest_exact")?).map_err(text)?;
    if nested.ring() != expected {
        return Err(format!("ring of {nested}: expected {expected}, found {}", nested.ring()));
    }
    let sides = cell.neighbours();
    let sharing = [0, 2, 4, 6].map(|side| sides[side]).contains(&Some(nested));
    if cell == nested || (!exact && sharing) {
        Ok(())
    } else {
        Err(format!("nest_exact: expected {nested}, found {cell}"))
    }
}

fn cell(row: &Row<'_>) -> Result<(), String> {
    let cells = Healpix::from_nside(row.parsed("nside")?).map_err(text)?;
    let cell = cells.cell(row.parsed("nest")?).map_err(text)?;
    row.same_text("ring", cell.ring())?;
    if cells.cell_of_ring(cell.ring()) != Ok(cell) || HealpixCell::from_uniq(cell.uniq()) != Ok(cell) {
        return Err(format!("{cell} does not come back from its ring or NUNIQ"));
    }
    let center = cell.center();
    let close = |column, found: f64| {
        let expected = row.number(column)?;
        if (found - expected).abs() <= 1e-12 {
            Ok(())
        } else {
            Err(format!("{column}: expected {expected}, found {found}"))
        }
    };
    close("lon_deg(tol1e-12)", center.ra_deg())?;
    close("lat_deg(tol1e-12)", center.dec_deg())?;
    if cells.locate(center) != cell {
        return Err(format!("the centre of {cell} lies in {}", cells.locate(center)));
    }
    let neighbours =
        cell.neighbours().map(|next| next.map_or("-1".to_owned(), |next| next.index().to_string()));
    row.same_text("neighbours_nest", neighbours.join(" "))
}

fn desi(row: &Row<'_>) -> Result<(), String> {
    let position = row.position("ra_deg", "dec_deg")?;
    let (coarse, fine) = (desi_cell(row, position, 64)?, desi_cell(row, position, 128)?);
    row.same_text("uniq_order6", coarse.uniq())?;
    row.same_text("desi_dir", format!("{}/{}", coarse.index() / 100, coarse.index()))?;
    row.same_text("nside128_ring", fine.ring())?;
    if fine.at_order(6) == Some(coarse) { Ok(()) } else { Err(format!("{fine} is not in {coarse}")) }
}

/// The reference's cell, if it is the position's. Where the position is a corner of cells the reference takes any of
/// them (the exact one of healpix_ang2pix.csv.gz is another); what touches the position will do there, and the rest of
/// the row must belong to the same cell.
fn desi_cell(row: &Row<'_>, position: SkyCoord, nside: u32) -> Result<HealpixCell, String> {
    let column = if nside == 64 { "nside64_nested" } else { "nside128_nested" };
    let cells = Healpix::from_nside(nside).map_err(text)?;
    let expected = cells.cell(row.parsed(column)?).map_err(text)?;
    let touching = cells.cover(&Cone::new(position, 0.0).map_err(text)?).map_err(text)?.envelope;
    let found = cells.locate(position);
    let corner = touching.count_at(cells).map_err(text)? > 2;
    if found == expected || (corner && touching.holds(expected) && touching.holds(found)) {
        Ok(expected)
    } else {
        Err(format!("{column}: expected {expected}, found {found}"))
    }
}

fn cone(row: &Value) -> Result<(), String> {
    let number = |key: &str| row[key].as_f64().ok_or_else(|| format!("{key} is no number"));
    let list = |key: &str| {
        let list = row[key].as_array().ok_or_else(|| format!("{key} is no list"))?;
        list.iter().map(|v| v.as_u64().ok_or_else(|| format!("{key}: {v}"))).collect::<Result<Vec<_>, _>>()
    };
    let cells = Healpix::from_nside(number("nside")? as u32).map_err(text)?;
    let center = SkyCoord::from_degrees(number("ra")?, number("dec")?).map_err(text)?;
    let cone = Cone::new(center, number("radius_deg")?).map_err(text)?;
    let found = cells.cover(&cone).map_err(text)?;
    let indices = |set: &coaddkit_sky::CellSet| -> Result<Vec<u64>, String> {
        Ok(set.cells_at(cells).map_err(text)?.map(HealpixCell::index).collect())
    };
    let (mut centered, mut overlap) = (list("centre_in")?, list("overlap")?);
    centered.sort_unstable();
    overlap.sort_unstable();
    if row["centre_tie"] != true && indices(&found.centered)? != centered {
        return Err(format!("centre_in: expected {centered:?}, found {:?}", indices(&found.centered)?));
    }
    // Cells of which even the reference could not tell may be on either side.
    let doubtful = list("ambiguous")?;
    let envelope = indices(&found.envelope)?;
    let missing: Vec<_> = overlap.iter().filter(|cell| envelope.binary_search(cell).is_err()).collect();
    let extra: Vec<_> =
        envelope.iter().filter(|cell| !overlap.contains(cell) && !doubtful.contains(cell)).collect();
    if !missing.is_empty() || !extra.is_empty() {
        return Err(format!("overlap: missing {missing:?}, extra {extra:?}"));
    }
    if envelope.len() as f64 > number("n_healpy_incl4")? {
        return Err(format!("n_healpy_incl4: {} cells are more", envelope.len()));
    }
    if found.envelope.holds_all(&found.centered) && found.centered.holds_all(&found.interior) {
        Ok(())
    } else {
        Err("the three sets do not lie in each other".to_owned())
    }
}
