//! The 0.25 degree tiling of the Legacy Surveys, from its definition, and a survey-bricks table over part of it.

use crate::numeric::cos_deg;
use crate::rng::Rng;
use crate::sweep::SkyBox;
use crate::{Column, FitsTable};

const SIZE_DEG: f64 = 0.25;
const ROWS: usize = 721;

/// One brick.
#[derive(Debug, Clone, PartialEq)]
pub struct Brick {
    /// Name from the centre, such as `0001p000`.
    pub name: String,
    /// BRICKID, from 1.
    pub id: i32,
    /// Row, from the south pole.
    pub row: usize,
    /// Column, from RA 0.
    pub col: usize,
    /// RA of the centre in degrees.
    pub ra_deg: f64,
    /// Dec of the centre in degrees.
    pub dec_deg: f64,
    /// The brick's edges.
    pub edges: SkyBox,
}

/// All bricks: how many columns each row has, and the BRICKID it starts at.
#[derive(Debug, Clone)]
pub struct Tiling {
    columns: Vec<usize>,
    first_id: Vec<i32>,
}

impl Default for Tiling {
    fn default() -> Self {
        let mut columns = vec![1; ROWS];
        for (row, count) in columns.iter_mut().enumerate().take(ROWS - 1).skip(1) {
            // As many bricks, an even number, as keep the side nearest the equator within the brick size.
            let nearest = (row_centre(row).abs() - SIZE_DEG / 2.0).max(0.0);
            *count = (360.0 / SIZE_DEG * cos_deg(nearest) / 2.0).ceil() as usize * 2;
        }
        let mut next = 1;
        let first_id = columns
            .iter()
            .map(|count| {
                let first = next;
                next += *count as i32;
                first
            })
            .collect();
        Self { columns, first_id }
    }
}

fn row_centre(row: usize) -> f64 {
    -90.0 + row as f64 * SIZE_DEG
}

impl Tiling {
    /// Number of bricks of the sky.
    pub fn count(&self) -> usize {
        self.columns.iter().sum()
    }

    /// The brick at a row and column.
    pub fn brick(&self, row: usize, col: usize) -> Brick {
        let columns = self.columns[row];
        assert!(col < columns, "row {row} has {columns} bricks");
        let step = 360.0 / columns as f64;
        let edge = |col: usize| if col == columns { 360.0 } else { col as f64 * step };
        let (ra_min_deg, ra_max_deg) = (edge(col), edge(col + 1));
        let (ra_deg, dec_deg) = (0.5 * (ra_min_deg + ra_max_deg), row_centre(row));
        let sign = if dec_deg >= 0.0 { 'p' } else { 'm' };
        // The name cuts the centre, rounded to 1e-4 deg, to tenths.
        let tenths = |deg: f64| (deg * 10_000.0).round_ties_even() as u32 / 1000;
        let name = format!("{:04}{sign}{:03}", tenths(ra_deg), tenths(dec_deg.abs()));
        let edges = SkyBox {
            ra_min_deg,
            ra_max_deg,
            dec_min_deg: (dec_deg - SIZE_DEG / 2.0).max(-90.0),
            dec_max_deg: (dec_deg + SIZE_DEG / 2.0).min(90.0),
        };
        Brick { name, id: self.first_id[row] + col as i32, row, col, ra_deg, dec_deg, edges }
    }

    /// The brick of a name.
    pub fn named(&self, name: &str) -> Option<Brick> {
        let dec = name.get(4..)?;
        (0..ROWS)
            .filter(|row| self.brick(*row, 0).name.ends_with(dec))
            .flat_map(|row| (0..self.columns[row]).map(move |col| self.brick(row, col)))
            .find(|brick| brick.name == name)
    }

    /// The bricks around one: all that touch it, and perhaps some that do not.
    pub fn around(&self, brick: &Brick) -> Vec<Brick> {
        let mut out = Vec::new();
        for row in brick.row.saturating_sub(1)..=(brick.row + 1).min(ROWS - 1) {
            let columns = self.columns[row];
            let over = (brick.ra_deg / 360.0 * columns as f64) as usize;
            let mut near: Vec<usize> = (0..5).map(|k| (over + columns * 2 + k - 2) % columns).collect();
            near.sort_unstable();
            near.dedup();
            out.extend(near.into_iter().map(|col| self.brick(row, col)).filter(|b| b.id != brick.id));
        }
        out
    }

    /// The bricks that share area with a box, by BRICKID.
    pub fn overlapping(&self, area: &SkyBox) -> Vec<Brick> {
        (0..ROWS)
            .filter(|row| {
                let dec = row_centre(*row);
                dec + SIZE_DEG / 2.0 > area.dec_min_deg && dec - SIZE_DEG / 2.0 < area.dec_max_deg
            })
            .flat_map(|row| (0..self.columns[row]).map(move |col| (row, col)))
            .map(|(row, col)| self.brick(row, col))
            .filter(|b| b.edges.ra_max_deg > area.ra_min_deg && b.edges.ra_min_deg < area.ra_max_deg)
            .collect()
    }
}

/// What a survey-bricks table says of a brick beyond its place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BrickQuality {
    /// Galactic reddening E(B-V).
    pub ebv_mag: f32,
    /// Seeing in g, r, z: full width at half maximum.
    pub psfsize_arcsec: [f32; 3],
    /// 5 sigma depth of a point source in g, r, z.
    pub psfdepth_mag: [f32; 3],
    /// Exposures in g, r, z.
    pub exposures: [i16; 3],
}

impl BrickQuality {
    /// A sky with a lane of dust, a stripe of bad seeing and a shallow corner around RA 0, Dec 0, so that the usual
    /// cuts (E(B-V) <= 0.1, r seeing <= 1.5", r depth >= 23.3) leave several regions that do not touch.
    pub fn of(brick: &Brick, seed: u64) -> Self {
        let mut rng = Rng::for_part(seed, brick.id as u64);
        let ra = if brick.ra_deg > 180.0 { brick.ra_deg - 360.0 } else { brick.ra_deg };
        let dec = brick.dec_deg;
        // The lane runs from the south-east to the north-west, 0.8 deg wide.
        let lane = (dec - 0.55 * ra - 0.6).abs();
        let ebv = if lane < 0.45 { 0.16 - 0.1 * lane } else { 0.03 + 0.02 / (1.0 + lane) };
        let seeing = if (ra - 0.9).abs() < 0.3 && dec < 0.9 { 1.72 } else { 1.24 };
        let shallow = ra < -1.3 && dec < -1.4;
        let depth = if shallow { 22.9 } else { 23.9 };
        let nights = if shallow { 2 } else { 5 };
        let mut near = |value: f64, spread: f64| (value + spread * rng.normal()) as f32;
        Self {
            ebv_mag: near(ebv, 0.002),
            psfsize_arcsec: [near(seeing + 0.11, 0.03), near(seeing, 0.03), near(seeing - 0.08, 0.03)],
            psfdepth_mag: [near(depth + 0.6, 0.05), near(depth, 0.05), near(depth - 0.9, 0.05)],
            exposures: std::array::from_fn(|_| nights + rng.below(4) as i16),
        }
    }
}

/// A survey-bricks table of every brick that shares area with one of the boxes, by BRICKID.
pub fn bricks_table(areas: &[SkyBox], quality: impl Fn(&Brick) -> BrickQuality) -> FitsTable {
    let tiling = Tiling::default();
    let mut bricks: Vec<Brick> = areas.iter().flat_map(|area| tiling.overlapping(area)).collect();
    bricks.sort_by_key(|b| b.id);
    bricks.dedup_by_key(|b| b.id);

    let mut table = FitsTable::new("SURVEY-BRICKS");
    for (name, form, unit) in [
        ("BRICKNAME", "8A", ""),
        ("BRICKID", "J", ""),
        ("BRICKQ", "I", ""),
        ("BRICKROW", "J", ""),
        ("BRICKCOL", "J", ""),
        ("RA", "D", "deg"),
        ("DEC", "D", "deg"),
        ("RA1", "D", "deg"),
        ("RA2", "D", "deg"),
        ("DEC1", "D", "deg"),
        ("DEC2", "D", "deg"),
        ("EBV", "E", "mag"),
    ] {
        table = table.column(with_unit(name, form, unit));
    }
    for (root, form, unit) in [("PSFSIZE", "E", "arcsec"), ("PSFDEPTH", "E", "mag"), ("NEXP", "I", "")] {
        for band in ["G", "R", "Z"] {
            table = table.column(with_unit(&format!("{root}_{band}"), form, unit));
        }
    }
    table.rows(bricks.len(), |i, cells| {
        let brick = &bricks[i];
        let quality = quality(brick);
        let quarter = if brick.row == 0 { 1 } else { (brick.col % 2 + brick.row % 2 * 2) as i16 };
        cells.put(brick.name.as_str()).put(brick.id).put(quarter);
        cells.put(brick.row as i32).put(brick.col as i32).put(brick.ra_deg).put(brick.dec_deg);
        cells.put(brick.edges.ra_min_deg).put(brick.edges.ra_max_deg);
        cells.put(brick.edges.dec_min_deg).put(brick.edges.dec_max_deg).put(quality.ebv_mag);
        for value in quality.psfsize_arcsec.into_iter().chain(quality.psfdepth_mag) {
            cells.put(value);
        }
        for value in quality.exposures {
            cells.put(value);
        }
    })
}

fn with_unit(name: &str, form: &str, unit: &str) -> Column {
    let column = Column::new(name, form);
    if unit.is_empty() { column } else { column.unit(unit) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Csv, shared};

    #[test]
    fn the_whole_tiling() {
        assert_eq!(Tiling::default().count(), 662_174);
    }

    #[test]
    fn equals_the_reference_implementation() {
        let Some(path) = shared("vectors/brick_table.csv.gz") else { return };
        let table = Csv::read(&path).unwrap();
        let tiling = Tiling::default();
        let number = |row: &[String], name: &str| row[table.column(name)].parse::<f64>().unwrap();
        for row in &table.rows {
            let ours = tiling.brick(number(row, "row") as usize, number(row, "col") as usize);
            assert_eq!(ours.name, row[table.column("brickname")]);
            assert_eq!(f64::from(ours.id), number(row, "brickid"));
            for (ours, name) in [
                (ours.ra_deg, "ra"),
                (ours.dec_deg, "dec"),
                (ours.edges.ra_min_deg, "ra1"),
                (ours.edges.ra_max_deg, "ra2"),
                (ours.edges.dec_min_deg, "dec1"),
                (ours.edges.dec_max_deg, "dec2"),
            ] {
                let theirs = number(row, name);
                assert!((ours - theirs).abs() <= 1e-12 * theirs.abs(), "{name} {ours} {theirs}");
            }
        }
        assert!(table.rows.len() > 1000, "{} bricks compared", table.rows.len());
    }
}
