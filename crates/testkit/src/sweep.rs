//! Sweep catalogues with the layout of the tenth data release, row by row.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::bricks::{Brick, Tiling};
use crate::rng::Rng;
use crate::{Cells, FitsTable};

mod columns;
mod object;

use object::{Kind, Photometry, floats, gaia, light_curves, positive, reddening};

const BANDS: [&str; 8] = ["G", "R", "I", "Z", "W1", "W2", "W3", "W4"];

/// A box on the sky that does not cross RA 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SkyBox {
    /// Western edge in degrees.
    pub ra_min_deg: f64,
    /// Eastern edge in degrees.
    pub ra_max_deg: f64,
    /// Southern edge in degrees.
    pub dec_min_deg: f64,
    /// Northern edge in degrees.
    pub dec_max_deg: f64,
}

/// A place with more red galaxies than elsewhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clump {
    /// RA of the centre in degrees.
    pub ra_deg: f64,
    /// Dec of the centre in degrees.
    pub dec_deg: f64,
    /// Where the excess has fallen to a quarter, in degrees.
    pub radius_deg: f64,
    /// The excess at the centre, in units of the mean density.
    pub excess: f64,
}

/// A generator of one sweep file.
///
/// The same fields give the same bytes on every platform. Objects are sorted by brick; the rows are made while
/// they are written.
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep {
    /// Seed of everything random.
    pub seed: u64,
    /// Number of objects.
    pub rows: usize,
    /// Epochs of the light-curve columns of earlier releases; 0 leaves these columns out.
    pub light_curve_epochs: usize,
    /// All objects lie inside.
    pub area: SkyBox,
    /// Share of the red galaxies, some of which pass a cut for luminous ones.
    pub red_fraction: f64,
    /// The faintest z magnitude of a red galaxy; a brighter limit lets more of them pass.
    pub red_limit_mag: f64,
    /// Where red galaxies crowd.
    pub clumps: Vec<Clump>,
}

impl Sweep {
    /// The sweep of RA 150 to 155, Dec 0 to 5, in which about 3 % of the rows pass the preset v3.
    pub fn new(seed: u64, rows: usize) -> Self {
        let area = SkyBox { ra_min_deg: 150.0, ra_max_deg: 155.0, dec_min_deg: 0.0, dec_max_deg: 5.0 };
        let clumps = vec![
            Clump { ra_deg: 151.3, dec_deg: 1.7, radius_deg: 0.4, excess: 6.0 },
            Clump { ra_deg: 153.9, dec_deg: 3.2, radius_deg: 0.6, excess: 4.0 },
        ];
        Self { seed, rows, light_curve_epochs: 0, area, red_fraction: 0.12, red_limit_mag: 21.8, clumps }
    }

    /// The table without rows.
    pub fn layout(&self) -> FitsTable {
        columns::columns(self.light_curve_epochs).into_iter().fold(FitsTable::new("SWEEP"), FitsTable::column)
    }

    /// Writes the file.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
        self.write_to(&mut out)?;
        out.flush()
    }

    /// The file in memory.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write_to(&mut out).expect("writing to memory does not fail");
        out
    }

    /// Writes the file to any destination.
    ///
    /// # Errors
    ///
    /// The destination fails.
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        let bricks = Tiling::default().overlapping(&self.area);
        assert!(!bricks.is_empty() || self.rows == 0, "no brick overlaps {:?}", self.area);
        let red = (self.rows as f64 * self.red_fraction).round() as usize;
        let reds = shares(red, &bricks, |b| self.red_weight(b));
        let others = shares(self.rows - red, &bricks, |b| self.area_weight(b, 1));
        let mut walk = bricks.iter().zip(reds.into_iter().zip(others)).map(|(b, n)| Filling::new(self, b, n));
        let mut current = walk.next();
        self.layout().stream(self.rows, out, |_, cells| {
            loop {
                let filling = current.as_mut().expect("the shares add up to the rows");
                if filling.next_row(cells) {
                    return;
                }
                current = walk.next();
            }
        })
    }

    /// Area of the brick inside the box, give or take a third so that bricks differ.
    fn area_weight(&self, brick: &Brick, salt: u64) -> f64 {
        let inside = clipped(&brick.edges, &self.area);
        let mut rng = Rng::for_part(self.seed ^ salt, brick.id as u64);
        let spread = 0.67 + 0.66 * rng.unit();
        (inside.ra_max_deg - inside.ra_min_deg) * (inside.dec_max_deg - inside.dec_min_deg) * spread
    }

    fn red_weight(&self, brick: &Brick) -> f64 {
        let excess: f64 = self
            .clumps
            .iter()
            .map(|clump| {
                let (dx, dy) = (brick.ra_deg - clump.ra_deg, brick.dec_deg - clump.dec_deg);
                let fall = 1.0 + (dx * dx + dy * dy) / (clump.radius_deg * clump.radius_deg);
                clump.excess / (fall * fall)
            })
            .sum();
        self.area_weight(brick, 2) * (1.0 + excess)
    }
}

fn clipped(a: &SkyBox, b: &SkyBox) -> SkyBox {
    SkyBox {
        ra_min_deg: a.ra_min_deg.max(b.ra_min_deg),
        ra_max_deg: a.ra_max_deg.min(b.ra_max_deg),
        dec_min_deg: a.dec_min_deg.max(b.dec_min_deg),
        dec_max_deg: a.dec_max_deg.min(b.dec_max_deg),
    }
}

/// Splits `total` in proportion to the weights; the parts add up exactly.
fn shares(total: usize, bricks: &[Brick], weight: impl Fn(&Brick) -> f64) -> Vec<usize> {
    let weights: Vec<f64> = bricks.iter().map(weight).collect();
    let sum: f64 = weights.iter().sum();
    let (mut up_to, mut given) = (0.0, 0);
    let mut parts: Vec<usize> = weights
        .iter()
        .map(|w| {
            up_to += w;
            let until = ((total as f64 * (up_to / sum)) as usize).min(total);
            let part = until - given;
            given = until;
            part
        })
        .collect();
    if let Some(last) = parts.last_mut() {
        *last += total - given;
    }
    parts
}

/// The objects of one brick that are still to come.
struct Filling<'a> {
    sweep: &'a Sweep,
    brick: &'a Brick,
    area: SkyBox,
    red: usize,
    others: usize,
    next_id: i32,
    coadd: String,
    rng: Rng,
}

impl<'a> Filling<'a> {
    fn new(sweep: &'a Sweep, brick: &'a Brick, (red, others): (usize, usize)) -> Self {
        // The infrared coadds have a tiling of their own, 1.5 deg wide; only its look matters here.
        let coadd = format!("{:04}{}", (brick.ra_deg / 1.5) as u32 * 15 + 7, &brick.name[4..]);
        let area = clipped(&brick.edges, &sweep.area);
        let rng = Rng::for_part(sweep.seed, brick.id as u64);
        // A brick that the box cuts continues its numbers in the next sweep to the north or east.
        let cut = area.dec_min_deg > brick.edges.dec_min_deg || area.ra_min_deg > brick.edges.ra_min_deg;
        let next_id = if cut { 10_000 } else { 0 };
        Self { sweep, brick, area, red, others, next_id, coadd, rng }
    }

    fn next_row(&mut self, cells: &mut Cells<'_>) -> bool {
        let left = self.red + self.others;
        if left == 0 {
            return false;
        }
        let red = self.rng.chance(self.red as f64 / left as f64);
        if red {
            self.red -= 1
        } else {
            self.others -= 1
        }
        self.row(red, cells);
        self.next_id += 1;
        true
    }

    fn row(&mut self, red: bool, cells: &mut Cells<'_>) {
        let rng = &mut self.rng;
        let kind = Kind::draw(red, rng);
        // Clear of the edges, where the last bit would decide on the brick.
        let mut between = |low: f64, high: f64| low + (high - low) * (1e-6 + rng.unit() * (1.0 - 2e-6));
        let ra = between(self.area.ra_min_deg, self.area.ra_max_deg);
        let dec = between(self.area.dec_min_deg, self.area.dec_max_deg);
        let ebv = reddening(ra, dec, rng);
        let sky = Photometry::draw(red.then_some(self.sweep.red_limit_mag), kind, ebv, rng);

        cells.put(10_000_i16).put(self.brick.id).put(self.brick.name.as_str()).put(self.next_id);
        cells.put(kind.name()).put(ra).put(dec);
        cells.put(positive(4e14, rng)).put(positive(4e14, rng));
        cells.put(std::array::from_fn::<f32, 5, _>(|_| positive(900.0, rng))).put(ebv);
        sky.put(cells);
        floats(8, cells, || (1.0 + 0.05 * rng.normal()) as f32);
        floats(8, cells, || if rng.chance(0.6) { 0.0 } else { positive(0.05, rng) });
        floats(4, cells, || if rng.chance(0.8) { 0.0 } else { rng.unit() as f32 });
        floats(4, cells, || (0.98 + 0.02 * rng.unit()) as f32);
        for chance in [0.05, 0.01] {
            (0..4).for_each(|_| _ = cells.put(if rng.chance(chance) { 2_i16 } else { 0 }));
        }
        (0..2).for_each(|_| _ = cells.put(u8::from(rng.chance(0.03))));
        floats(4, cells, || (1.3 + 0.1 * rng.normal()) as f32);
        floats(4, cells, || (1100.0 + 90.0 * rng.normal()) as f32);
        floats(4, cells, || (500.0 + 40.0 * rng.normal()) as f32);
        cells.put((3.6 + 0.2 * rng.normal()) as f32).put((0.8 + 0.05 * rng.normal()) as f32);
        cells.put(self.coadd.as_str());
        light_curves(self.sweep.light_curve_epochs, &sky, cells, rng);
        kind.put_shape(cells, rng);
        floats(4, cells, || positive(1.5, rng));
        floats(4, cells, || positive(1.6, rng));
        gaia(kind, cells, rng);
        cells.put(if rng.chance(0.1) { 1_i32 << rng.below(14) } else { 0 });
        cells.put(rng.below(64) as i16);
        kind.put_sersic(cells, rng);
    }
}
