//! Reference values for matching and splits: pairs within 11 arcseconds by high-precision arithmetic, hashes by the
//! published code.

use std::collections::BTreeMap;
use std::path::Path;

use coaddkit_sky::{
    Exclusion, Healpix, Keep, MatchRule, SkyCoord, Split, SplitOrder, crossmatch, find_leaks,
};
use coaddkit_testkit::Csv;

use super::{Row, rows};
use crate::vectors::Report;

const RADIUS_ARCSEC: f64 = 11.0;
const LENSES: &str = "match_lenses.csv";
const GALAXIES: &str = "match_galaxies.csv.gz";
const PAIRS: &str = "match_pairs_11arcsec.csv.gz";

pub fn check(name: &str, path: &Path) -> Option<Report> {
    match name {
        "splits.csv.gz" => Some(rows(path, split)),
        LENSES | GALAXIES | PAIRS => {
            Some(matched(path).unwrap_or_else(|what| Report { rows: 0, failures: vec![what] }))
        }
        _ => None,
    }
}

fn split(row: &Row<'_>) -> Result<(), String> {
    let text = |e: coaddkit_sky::Error| e.to_string();
    let grid = Healpix::from_nside(128).map_err(text)?;
    let cell = grid.cell(row.parsed("healpix128_nested")?).map_err(text)?;
    let orders = [
        ("split_train_val_test_order", SplitOrder::TrainValTest),
        ("split_alphabetical_order(v1 bug)", SplitOrder::Alphabetical),
    ];
    for (column, order) in orders {
        let split = Split::new(grid, row.parsed("seed")?, [0.70, 0.15, 0.15], order).map_err(text)?;
        row.same_text("hash_u32", split.hash(cell).map_err(text)?)?;
        row.same_text(column, split.subset(cell).map_err(text)?)?;
        row.same_text(column, split.subset_at(cell.center()))?;
    }
    Ok(())
}

/// The three files belong together, so each is checked with the other two; the rows are those of the file itself.
fn matched(path: &Path) -> Result<Report, String> {
    let open = |name: &str| Csv::read(&path.with_file_name(name)).map_err(|e| e.to_string());
    let (lenses, galaxies) = (positions(&open(LENSES)?)?, positions(&open(GALAXIES)?)?);
    let pairs = open(PAIRS)?;
    let mut expected = BTreeMap::new();
    for fields in &pairs.rows {
        let row = Row { table: &pairs, fields };
        let ids: (u32, u32) = (row.parsed("lens")?, row.parsed("galaxy")?);
        let tie = row.text("tie(|sep-11|<1e-9)") != "0";
        if expected.insert(ids, (row.number("sep_arcsec_exact")?, tie)).is_some() {
            return Err(format!("the pair {ids:?} is there twice"));
        }
    }
    let mut failures = Vec::new();
    let rule = |keep| MatchRule { radius_arcsec: RADIUS_ARCSEC, keep };
    let found = crossmatch(&lenses, &galaxies, &rule(Keep::All)).map_err(|e| e.to_string())?;
    let mut missing = expected.clone();
    for pair in &found {
        let ids = (pair.left, pair.right);
        match missing.remove(&ids) {
            Some((separation, _)) if (pair.separation_arcsec - separation).abs() <= 1e-9 => {}
            Some((separation, _)) => {
                failures.push(format!("{ids:?}: expected {separation}, found {}", pair.separation_arcsec));
            }
            None => failures.push(format!("{ids:?} at {} is no pair", pair.separation_arcsec)),
        }
    }
    failures
        .extend(missing.iter().filter(|(_, (_, tie))| !tie).map(|(ids, _)| format!("{ids:?} is missing")));
    // The nearest three of the same list, and the galaxies that lie near any lens.
    let nearest = crossmatch(&lenses, &galaxies, &rule(Keep::Nearest(3))).map_err(|e| e.to_string())?;
    let mut by_lens: BTreeMap<u32, Vec<(f64, u32)>> = BTreeMap::new();
    expected.iter().for_each(|(&(lens, galaxy), &(separation, _))| {
        by_lens.entry(lens).or_default().push((separation, galaxy))
    });
    let mut wanted = Vec::new();
    for (lens, list) in &mut by_lens {
        list.sort_by(|a, b| a.0.total_cmp(&b.0));
        wanted.extend(list.iter().take(3).map(|&(_, galaxy)| (*lens, galaxy)));
    }
    if nearest.iter().map(|pair| (pair.left, pair.right)).ne(wanted) {
        failures.push("the nearest three differ".to_owned());
    }
    let around = Exclusion::new(&lenses, RADIUS_ARCSEC).map_err(|e| e.to_string())?;
    for (i, &galaxy) in (0..).zip(&galaxies) {
        let near = expected.keys().any(|&(_, g)| g == i);
        if around.excludes(galaxy) != near {
            failures.push(format!("galaxy {i} is{} to be excluded", if near { "" } else { " not" }));
        }
    }
    // Lenses labelled apart from galaxies: the leaks are the pairs.
    let all = [&lenses[..], &galaxies[..]].concat();
    let labels: Vec<bool> = (0..all.len()).map(|i| i < lenses.len()).collect();
    let grid = Healpix::new(7).map_err(|e| e.to_string())?;
    let leaks = find_leaks(&all, &labels, grid, Some(RADIUS_ARCSEC)).map_err(|e| e.to_string())?;
    if leaks.pairs.len() != expected.len() {
        failures.push(format!("{} pairs leak of {}", leaks.pairs.len(), expected.len()));
    }
    let rows = match path.file_name().and_then(|name| name.to_str()) {
        Some(LENSES) => lenses.len(),
        Some(GALAXIES) => galaxies.len(),
        _ => pairs.rows.len(),
    };
    Ok(Report { rows, failures })
}

fn positions(table: &Csv) -> Result<Vec<SkyCoord>, String> {
    table.rows.iter().map(|fields| Row { table, fields }.position("ra", "dec")).collect()
}
