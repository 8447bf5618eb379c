//! Coverage maps and HEALPix numbers against mocpy and healpy, in both directions.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use coaddkit_sky::{
    Area, BrickGrid, CellSet, Cone, Healpix, HealpixCell, Moc, MocLayout, Polygon, Region, RegionBounds,
    SkyCoord, SkyMap, SkyMapConfig, SkyMapProjection,
};
use coaddkit_testkit::Rng;

use crate::test::Outcome;
use crate::{files, tools};

const PYTHON: &str = "tests/oracle/sky.py";

pub fn run() -> Outcome {
    match tools::python(&["numpy", "healpy", "mocpy"]) {
        Ok(python) => compare(&python).into(),
        Err(why) => Outcome::Skipped(why),
    }
}

fn compare(python: &Path) -> Result<(), String> {
    let work = files::scratch("oracle-sky").map_err(|e| e.to_string())?;
    for old in files::below(&work).map_err(|e| e.to_string())? {
        fs::remove_file(&old).map_err(|e| format!("{}: {e}", old.display()))?;
    }
    let write = |name: String, content: &[u8]| {
        fs::write(work.join(&name), content).map_err(|e| format!("{name}: {e}"))
    };
    for (name, moc) in maps()? {
        write(format!("{name}.cells"), cells(&moc).as_bytes())?;
        write(format!("{name}.nuniq.fits"), &moc.to_fits(MocLayout::Nuniq))?;
        write(format!("{name}.range.fits"), &moc.to_fits(MocLayout::Range))?;
        write(format!("{name}.json"), moc.to_json().as_bytes())?;
    }
    write("numbers.csv".to_owned(), numbers()?.as_bytes())?;
    // Published maps, if they are there.
    let shared = files::below(&files::shared().join("data/healpix")).unwrap_or_default();
    let published: Vec<PathBuf> = shared
        .into_iter()
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("CDS_")))
        .collect();
    tools::succeed(tools::command(python).arg(PYTHON).arg(&work).args(&published))?;

    let list = fs::read_to_string(work.join("theirs.csv")).map_err(|e| e.to_string())?;
    for line in list.lines() {
        let (path, expected) = line.split_once(',').ok_or("theirs.csv has a line without a comma")?;
        let at = |e: &dyn std::fmt::Display| format!("{path}: {e}");
        let bytes = fs::read(path).map_err(|e| at(&e))?;
        let moc = if path.ends_with(".json") {
            Moc::from_json(&String::from_utf8_lossy(&bytes))
        } else {
            Moc::from_fits(&bytes)
        };
        let moc = moc.map_err(|e| at(&e))?;
        if fs::read_to_string(expected).map_err(|e| at(&e))? != cells(&moc) {
            return Err(format!("{path}: other cells than mocpy sees, in {expected}"));
        }
    }
    println!(
        "and its files, {} of them published ones, are read as it reads them: {}",
        published.len(),
        list.lines().count()
    );
    Ok(())
}

/// The order, and the ranges a line each.
fn cells(moc: &Moc) -> String {
    let mut text = format!("{}\n", moc.grid().order());
    for range in moc.cells().ranges() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{} {}", range.start, range.end);
    }
    text
}

fn maps() -> Result<Vec<(String, Moc)>, String> {
    let text = |e: coaddkit_sky::Error| e.to_string();
    let mut rng = Rng::new(71);
    let mut maps = Vec::new();
    let mut add = |name: &str, set: CellSet, cells: Healpix| {
        maps.push((format!("{name}{}", maps.len()), Moc::new(set, cells).map_err(text)?));
        Ok::<(), String>(())
    };
    for order in [0, 3, 29] {
        let cells = Healpix::new(order).map_err(text)?;
        add("none", CellSet::new(), cells)?;
        add("all", CellSet::all_sky(), cells)?;
        add("one", cells.locate(anywhere(&mut rng)?).into(), cells)?;
    }
    let config = SkyMapConfig {
        pixel_scale_arcsec: 0.2,
        patch_inner: 4000,
        patch_border: 100,
        tract_overlap_deg: 1.0 / 60.0,
        projection: SkyMapProjection::Tan,
    };
    let map = SkyMap::rings(config, 120, 0.0).map_err(text)?;
    for order in 3..12 {
        let cells = Healpix::new(order).map_err(text)?;
        let size = 60.0 / f64::from(cells.nside());
        let center = anywhere(&mut rng)?;
        let cone = Cone::new(center, size * 5.0 * rng.unit()).map_err(text)?;
        let (south, width) = (center.dec_deg().min(80.0), 6.0 * size);
        let region = Region::from_bounds(RegionBounds {
            ra_min_deg: Some(360.0 - width),
            ra_max_deg: Some(width),
            dec_min_deg: Some(south),
            dec_max_deg: Some((south + width).min(90.0)),
        })
        .map_err(text)?;
        let corner = |dx: f64, dy: f64| {
            SkyCoord::from_degrees(
                center.ra_deg() + dx * size,
                (center.dec_deg() + dy * size).clamp(-89.0, 89.0),
            )
        };
        let corners = [corner(0.0, 0.0), corner(5.0, 0.5), corner(2.0, 3.0)];
        let polygon =
            Polygon::new(&corners.into_iter().collect::<Result<Vec<_>, _>>().map_err(text)?).map_err(text)?;
        for set in [envelope(&cone, cells)?, envelope(&region, cells)?, envelope(&polygon, cells)?] {
            add("area", set, cells)?;
        }
        add("tract", envelope(&map.find_tract(center).area(), cells)?, cells)?;
        let bricks = BrickGrid::legacy().cover(&Cone::new(center, 1.0).map_err(text)?).envelope;
        let found = BrickGrid::legacy().cells_of(bricks, cells).map_err(text)?;
        add("bricks", found.interior, cells)?;
        add("bricks", found.envelope, cells)?;
    }
    Ok(maps)
}

fn envelope(area: &impl Area, cells: Healpix) -> Result<CellSet, String> {
    Ok(cells.cover(area).map_err(|e| e.to_string())?.envelope)
}

fn anywhere(rng: &mut Rng) -> Result<SkyCoord, String> {
    let dec = (2.0 * rng.unit() - 1.0).asin().to_degrees();
    SkyCoord::from_degrees(360.0 * rng.unit(), dec).map_err(|e| e.to_string())
}

/// Cells of all orders, many of them at the corners of base cells and at the poles.
fn numbers() -> Result<String, String> {
    let mut rng = Rng::new(72);
    let mut out = String::new();
    for order in 0..=29 {
        let cells = Healpix::new(order).map_err(|e| e.to_string())?;
        let last = cells.len() - 1;
        let face = cells.len() / 12;
        let mut list: Vec<u64> = (0..12).flat_map(|k| [k * face, (k + 1) * face - 1]).collect();
        list.extend((0..12).flat_map(|k| [k * face + face / 3, k * face + 2 * (face / 3)]));
        let mut ring: Vec<u64> =
            [0, 1, 3, 4, 12, last / 2, last - 4, last].map(|number| number.min(last)).to_vec();
        for _ in 0..100 {
            // Small numbers are near the pole, where rings are short.
            ring.push(((last as f64) * rng.unit().powi(1 + rng.below(12) as i32)) as u64);
            list.push(((last as f64) * rng.unit()) as u64);
        }
        let of_ring = ring.into_iter().map(|number| cells.cell_of_ring(number));
        for cell in list.into_iter().map(|number| cells.cell(number)).chain(of_ring) {
            let cell = cell.map_err(|e| e.to_string())?;
            let _ = write!(out, "{order},{},{}", cell.index(), cell.ring());
            for next in cell.neighbours() {
                let _ = write!(out, ",{}", next.map_or(-1, |next: HealpixCell| next.index() as i64));
            }
            let center = cell.center();
            let _ = writeln!(out, ",{},{}", center.ra_deg(), center.dec_deg());
        }
    }
    Ok(out)
}
