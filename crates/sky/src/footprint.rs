//! Bricks, sweep files and HEALPix cells of an area.

use std::ops::Range;

use crate::area::{Arc, Area, Curve, meets};
use crate::error::Error;
use crate::healpix::{CellSet, HealpixCell, cell_touches};
use crate::sphere::{UNIT_ERROR, Vector, angle, cos_deg, unit};
use crate::{BrickGrid, BrickId, Cone, Region, RegionBounds, SkyCoord, SweepName, SweepTiling};

/// The bricks of an area.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BrickCoverage {
    /// Bricks that lie wholly in the area, ascending.
    pub interior: Vec<BrickId>,
    /// Bricks that touch the area, with edges and corners, ascending; those of the interior too. Complete, as
    /// [`Coverage::envelope`](crate::Coverage::envelope) is.
    pub envelope: Vec<BrickId>,
}

impl BrickGrid {
    /// The bricks in an area, and those that touch it.
    ///
    /// Which bricks have data is for the survey's table to say; images are a little wider than bricks.
    ///
    /// # Examples
    ///
    /// ```
    /// use coaddkit_sky::{BrickGrid, Cone, SkyCoord};
    ///
    /// let cone = Cone::new(SkyCoord::from_degrees(0.0, 0.0)?, 0.2)?;
    /// let grid = BrickGrid::legacy();
    /// let names = |ids: &[_]| ids.iter().filter_map(|&id| Some(grid.brick(id)?.name.to_string())).collect::<Vec<_>>();
    /// let found = grid.cover(&cone);
    /// assert_eq!(
    ///     names(&found.envelope),
    ///     ["0001m002", "3598m002", "0001p000", "3598p000", "0001p002", "3598p002"]
    /// );
    /// assert!(found.interior.is_empty());
    /// # Ok::<(), coaddkit_sky::Error>(())
    /// ```
    pub fn cover(&self, area: &impl Area) -> BrickCoverage {
        self.cover_rows(area, 0..self.row_count())
    }

    fn cover_rows(&self, area: &impl Area, rows: Range<usize>) -> BrickCoverage {
        let outline = area.outline();
        let mut descent = Descent {
            grid: self,
            area,
            active: (0..outline.len()).collect(),
            outline,
            found: BrickCoverage::default(),
        };
        for row in rows {
            // A grid has less than 2^32 bricks.
            let columns = self.columns(row).unwrap_or(0) as u32;
            descent.visit(row as u32, [0, columns], 0);
        }
        descent.found
    }

    /// The bricks that touch a set of cells, ascending.
    ///
    /// # Examples
    ///
    /// ```
    /// use coaddkit_sky::{BrickGrid, CellSet, Healpix, SkyCoord};
    ///
    /// let position = SkyCoord::from_degrees(229.344667758, -5.612331961)?;
    /// let cell = Healpix::new(9)?.locate(position);
    /// let bricks = BrickGrid::legacy().in_cells(&CellSet::from(cell));
    /// assert!(bricks.contains(&BrickGrid::legacy().locate(position)));
    /// assert!(bricks.is_sorted());
    /// # Ok::<(), coaddkit_sky::Error>(())
    /// ```
    pub fn in_cells(&self, cells: &CellSet) -> Vec<BrickId> {
        let mut found = Vec::new();
        for cell in cells.cells() {
            // No cell is wider than the cone around it, and the radius of the widest is 61.3 degrees.
            let (center, reach) = (cell.center(), cell.reach_deg());
            let Ok(cone) = Cone::new(center, reach) else { continue };
            let row = |dec_deg: f64| self.row_at(dec_deg.clamp(-90.0, 90.0));
            let rows = row(center.dec_deg() - reach).saturating_sub(1)..row(center.dec_deg() + reach) + 2;
            let near = self.cover_rows(&cone, rows.start..rows.end.min(self.row_count())).envelope;
            found.extend(near.into_iter().filter(|&id| self.touches_cell(id, cell)));
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn touches_cell(&self, id: BrickId, cell: HealpixCell) -> bool {
        self.brick(id).is_some_and(|brick| cell_touches(cell, &brick.footprint()))
    }

    /// The area of bricks together, in square degrees; a brick that is there twice counts once.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchBrick`] for a number that the grid does not have.
    pub fn area_deg2(&self, bricks: impl IntoIterator<Item = BrickId>) -> Result<f64, Error> {
        let mut ids: Vec<BrickId> = bricks.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        // Neumaier's sum: the last digits of half a million areas, in whichever order they came.
        let (mut sum, mut lost) = (0.0_f64, 0.0);
        for id in ids {
            let area =
                self.brick(id).ok_or(Error::NoSuchBrick { id: id.get(), bricks: self.len() })?.area_deg2();
            let next = sum + area;
            lost += if sum >= area { (sum - next) + area } else { (area - next) + sum };
            sum = next;
        }
        Ok(sum + lost)
    }
}

impl SweepTiling {
    /// The names of the files whose tiles touch an area, from the south, and from right ascension 0 in each row.
    ///
    /// Which of them the release has is another matter: tiles without sources have none.
    ///
    /// # Examples
    ///
    /// ```
    /// use coaddkit_sky::{Cone, SkyCoord, SweepTiling};
    ///
    /// let cone = Cone::new(SkyCoord::from_degrees(0.0, 2.5)?, 1.0)?;
    /// let names: Vec<String> = SweepTiling::DR10.covering(&cone).iter().map(|name| name.to_string()).collect();
    /// assert_eq!(names, ["sweep-000p000-005p005.fits", "sweep-355p000-360p005.fits"]);
    /// # Ok::<(), coaddkit_sky::Error>(())
    /// ```
    pub fn covering(self, area: &impl Area) -> Vec<SweepName> {
        let outline = area.outline();
        self.tiles().filter(|tile| tile_touches(&tile.footprint(), area, &outline)).collect()
    }
}

fn tile_touches(tile: &Region, area: &impl Area, outline: &[Arc]) -> bool {
    let Some(patch) = Patch::of(tile) else { return true };
    let near: Vec<&Arc> = outline.iter().filter(|arc| patch.near(arc)).collect();
    near.iter().any(|arc| patch.touches(arc)) || area.contains(patch.center)
}

struct Descent<'a, A> {
    grid: &'a BrickGrid,
    area: &'a A,
    outline: Vec<Arc>,
    active: Vec<usize>,
    found: BrickCoverage,
}

impl<A: Area> Descent<'_, A> {
    /// The bricks of a row from one column to before another, by halves.
    fn visit(&mut self, row: u32, [first, last]: [u32; 2], from: usize) {
        let (west, east) = (self.grid.cell(row, first), self.grid.cell(row, last - 1));
        let patch = Patch::new([west.ra1_deg, east.ra2_deg], [west.dec1_deg, west.dec2_deg]);
        let to = self.active.len();
        for i in from..to {
            let arc = self.active[i];
            if patch.near(&self.outline[arc]) {
                self.active.push(arc);
            }
        }
        if self.active.len() > to && last - first > 1 {
            let middle = first.midpoint(last);
            self.visit(row, [first, middle], to);
            self.visit(row, [middle, last], to);
        } else {
            let touched = self.active[to..].iter().any(|&arc| patch.touches(&self.outline[arc]));
            let inside = self.area.contains(patch.center);
            let ids = west.id.get()..=east.id.get();
            if touched || inside {
                self.found.envelope.extend(ids.clone().filter_map(BrickId::new));
            }
            if inside && !touched {
                self.found.interior.extend(ids.filter_map(BrickId::new));
            }
        }
        self.active.truncate(to);
    }
}

/// A box between two meridians and two parallels, as a closed set.
struct Patch {
    region: Region,
    ra: [f64; 2],
    dec: [f64; 2],
    center: SkyCoord,
    direction: Vector,
    /// No point is farther from the centre, in radians.
    reach: f64,
}

impl Patch {
    fn new(ra: [f64; 2], dec: [f64; 2]) -> Self {
        let center = SkyCoord::from_valid(f64::midpoint(ra[0], ra[1]) % 360.0, f64::midpoint(dec[0], dec[1]));
        let direction = unit(center);
        // The distance grows with the difference in right ascension, and along a meridian towards its ends as long as
        // those are less than a quarter of a turn away.
        let corner = |dec| angle(direction, unit(SkyCoord::from_valid(ra[1] % 360.0, dec)));
        let wide = ra[1] - ra[0] > 180.0 || dec[1] - dec[0] > 90.0;
        let reach = if wide { std::f64::consts::PI } else { corner(dec[0]).max(corner(dec[1])) };
        Self {
            region: Region::from_valid_box(ra[0], ra[1], dec[0], dec[1]),
            ra,
            dec,
            center,
            direction,
            reach,
        }
    }

    fn of(region: &Region) -> Option<Self> {
        let RegionBounds { ra_min_deg, ra_max_deg, dec_min_deg, dec_max_deg } = region.bounds();
        Some(Self::new([ra_min_deg?, ra_max_deg?], [dec_min_deg?, dec_max_deg?]))
    }

    fn near(&self, arc: &Arc) -> bool {
        arc.distance(self.direction) <= self.reach + 8.0 * UNIT_ERROR
    }

    /// Whether an arc crosses the outline, or lies inside.
    fn touches(&self, arc: &Arc) -> bool {
        let ([west, east], [south, north]) = (self.ra, self.dec);
        self.region.contains(arc.anchor())
            || [
                ([west, west], self.dec),
                ([east, east], self.dec),
                (self.ra, [south; 2]),
                (self.ra, [north; 2]),
            ]
            .into_iter()
            .any(|(ra, dec)| meets(arc, &Edge { ra, dec }, 0))
    }
}

/// A piece of a meridian or of a parallel.
struct Edge {
    ra: [f64; 2],
    dec: [f64; 2],
}

impl Curve for Edge {
    fn ends(&self) -> [Vector; 2] {
        let at = |i: usize| unit(SkyCoord::from_valid(self.ra[i] % 360.0, self.dec[i]));
        [at(0), at(1)]
    }

    fn bulge(&self) -> f64 {
        // A circle of radius ρ, by its angle, has the second derivative ρ.
        let across = (self.ra[1] - self.ra[0]).to_radians();
        let along = (self.dec[1] - self.dec[0]).to_radians();
        (across * across * cos_deg(self.dec[0]) + along * along) / 8.0
    }

    fn halves(&self) -> [Self; 2] {
        let ra = f64::midpoint(self.ra[0], self.ra[1]);
        let dec = f64::midpoint(self.dec[0], self.dec[1]);
        [
            Self { ra: [self.ra[0], ra], dec: [self.dec[0], dec] },
            Self { ra: [ra, self.ra[1]], dec: [dec, self.dec[1]] },
        ]
    }
}
