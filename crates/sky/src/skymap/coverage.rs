//! Tracts and patches as areas, and those of an area.

use super::{Grid, Layout, Patch, PixelBox, SkyMap, SkyMapProjection, Tract};
use crate::area::{Arc, Area, Curve, meets, outlined::Outlined};
use crate::healpix::cell_touches;
use crate::sphere::{UNIT_ERROR, Vector, angle, dot, normal, plus, position_of, times, unit};
use crate::{CellSet, Cone, Error, SkyCoord};

/// The part of the sky on a rectangle of pixels, edges included: a tract, or a part of it.
///
/// As an [`Area`] it goes wherever cones, boxes and polygons go, such as [`Healpix::cover`](crate::Healpix::cover) and
/// [`BrickGrid::cover`](crate::BrickGrid::cover). Its edges are straight in the tract's pixels: great circles in a
/// gnomonic projection, small ones in a stereographic.
///
/// # Examples
///
/// ```
/// use coaddkit_sky::{Area, BrickGrid, Healpix, SkyCoord, SkyMap, SkyMapConfig, SkyMapProjection};
///
/// let config = SkyMapConfig {
///     pixel_scale_arcsec: 0.2,
///     patch_inner: 4000,
///     patch_border: 100,
///     tract_overlap_deg: 1.0 / 60.0,
///     projection: SkyMapProjection::Tan,
/// };
/// let map = SkyMap::rings(config, 120, 0.0)?;
/// let tract = map.find_tract(SkyCoord::from_degrees(150.1, 2.2)?);
///
/// let area = tract.area();
/// assert!(area.contains(tract.center()));
/// let bricks = BrickGrid::legacy().cover(&area);
/// let cells = Healpix::new(9)?.cover(&area)?;
///
/// // And back: neighbouring tracts overlap.
/// let brick = BrickGrid::legacy().brick(bricks.interior[0]).expect("from this grid");
/// assert!(map.cover(&brick.footprint()).envelope.contains(&tract.id()));
/// assert!(map.in_cells(&cells.interior).contains(&tract.id()));
/// # Ok::<(), coaddkit_sky::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TractArea {
    /// East and north in the plane, and the centre.
    axes: [Vector; 3],
    projection: SkyMapProjection,
    /// Limits in the plane, in radians: to the east and to the north.
    limits: [[f64; 2]; 2],
}

/// The tracts of an area.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TractCoverage {
    /// Tracts that lie wholly in the area, ascending.
    pub interior: Vec<u32>,
    /// Tracts that touch the area, with edges and corners, ascending; those of the interior too. Complete, as
    /// [`Coverage::envelope`](crate::Coverage::envelope) is.
    pub envelope: Vec<u32>,
}

impl Tract {
    /// All of the tract, with what it shares with its neighbours.
    pub fn area(&self) -> TractArea {
        let [width, height] = self.size();
        self.area_within([0, width], [0, height])
    }

    /// The part of the sky on a box of pixels, such as a patch's `inner` or `outer`.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyRange`] for a box without pixels, [`Error::OutOfRange`] for one that reaches beyond the tract.
    pub fn area_of(&self, pixels: &PixelBox) -> Result<TractArea, Error> {
        let [width, height] = self.size();
        for (what, range, size) in [("pixel x", &pixels.x, width), ("pixel y", &pixels.y, height)] {
            if range.is_empty() {
                return Err(Error::EmptyRange { what, min: range.start as f64, max: range.end as f64 });
            }
            if range.end > size {
                return Err(Error::OutOfRange { what, value: range.end as f64, min: 0.0, max: size as f64 });
            }
        }
        Ok(self.area_within([pixels.x.start, pixels.x.end], [pixels.y.start, pixels.y.end]))
    }

    /// The patches that touch an area with their pixels, border included, by number.
    ///
    /// # Examples
    ///
    /// ```
    /// # use coaddkit_sky::{Cone, SkyCoord, SkyMap, SkyMapConfig, SkyMapProjection};
    /// # let config = SkyMapConfig {
    /// #     pixel_scale_arcsec: 0.2,
    /// #     patch_inner: 4000,
    /// #     patch_border: 100,
    /// #     tract_overlap_deg: 1.0 / 60.0,
    /// #     projection: SkyMapProjection::Tan,
    /// # };
    /// # let map = SkyMap::rings(config, 120, 0.0)?;
    /// let position = SkyCoord::from_degrees(150.1, 2.2)?;
    /// let tract = map.find_tract(position);
    /// let patches = tract.patches_of(&Cone::new(position, 0.1)?);
    /// assert!(patches.contains(&tract.find_patch(position).expect("well inside")));
    /// # Ok::<(), coaddkit_sky::Error>(())
    /// ```
    pub fn patches_of(&self, area: &impl Area) -> Vec<Patch> {
        let mut found = Vec::new();
        self.visit(area, &area.outline(), [0, self.patches], [0, self.patches], &mut found);
        found.sort_unstable_by_key(|patch| patch.sequence);
        found
    }

    /// A block of patches, by halves.
    fn visit(
        &self,
        area: &impl Area,
        outline: &[Arc],
        [west, east]: [u32; 2],
        [south, north]: [u32; 2],
        found: &mut Vec<Patch>,
    ) {
        let (first, last) = (self.own_patch([west, south]), self.own_patch([east - 1, north - 1]));
        let block = self
            .area_within([first.outer.x.start, last.outer.x.end], [first.outer.y.start, last.outer.y.end]);
        let touched = block.crosses(outline);
        if !touched && !area.contains(block.center()) {
            return;
        }
        let (width, height) = (east - west, north - south);
        if !touched || (width == 1 && height == 1) {
            let indices = (south..north).flat_map(|y| (west..east).map(move |x| [x, y]));
            found.extend(indices.map(|index| self.own_patch(index)));
        } else if width >= height {
            let middle = west.midpoint(east);
            self.visit(area, outline, [west, middle], [south, north], found);
            self.visit(area, outline, [middle, east], [south, north], found);
        } else {
            let middle = south.midpoint(north);
            self.visit(area, outline, [west, east], [south, middle], found);
            self.visit(area, outline, [west, east], [middle, north], found);
        }
    }

    /// From the outer edge of the first pixel to that of the one before the second number.
    fn area_within(&self, x: [u64; 2], y: [u64; 2]) -> TractArea {
        let [crpix_x, crpix_y] = self.wcs.crpix();
        let scale = (self.config.pixel_scale_arcsec / 3600.0).to_radians();
        // Pixels of the world coordinates count from 1, so that the first one begins at 0.5; x runs westwards.
        let [left, right] = x.map(|pixel| -(pixel as f64 + 0.5 - crpix_x) * scale);
        let [bottom, top] = y.map(|pixel| (pixel as f64 + 0.5 - crpix_y) * scale);
        TractArea {
            axes: self.wcs.plane_axes(),
            projection: self.config.projection,
            limits: [[right, left], [bottom, top]],
        }
    }
}

impl SkyMap {
    /// The tracts in an area, and those that touch it, with all of their pixels.
    ///
    /// Tracts overlap: [`find_tract`](Self::find_tract) names the one for a position.
    pub fn cover(&self, area: &impl Area) -> TractCoverage {
        self.cover_between(area, [-90.0, 90.0])
    }

    /// Only caps, and rings with pixels between two declinations, are looked at.
    fn cover_between(&self, area: &impl Area, [south_deg, north_deg]: [f64; 2]) -> TractCoverage {
        let outline = area.outline();
        let active = (0..outline.len()).collect();
        let mut descent = Descent { map: self, area, outline, active, found: TractCoverage::default() };
        match &self.layout {
            Layout::Discrete(tracts) => (0..tracts.len() as u32).for_each(|id| descent.tract(id)),
            Layout::Rings { starts, grid, .. } => {
                descent.tract(0);
                let reach = self.reach(grid);
                let height = std::f64::consts::PI / starts.len() as f64;
                // The ring whose centre is there, and one more on either side for rounding.
                let ring = |dec_deg: f64| (dec_deg + 90.0).to_radians() / height - 1.0;
                let (first, last) =
                    (ring(south_deg) - reach / height - 1.0, ring(north_deg) + reach / height + 2.0);
                // Casts saturate at 0.
                for ring in starts.windows(2).take(last as usize).skip(first as usize) {
                    descent.visit([ring[0], ring[1]], reach, 0);
                }
                descent.tract(self.len() - 1);
            }
        }
        descent.found
    }

    /// The tracts that touch a set of HEALPix cells, ascending.
    pub fn in_cells(&self, cells: &CellSet) -> Vec<u32> {
        let mut found = Vec::new();
        for cell in cells.cells() {
            // No cell is wider than the cone around it.
            let (dec, reach) = (cell.center().dec_deg(), cell.reach_deg());
            let Ok(cone) = Cone::new(cell.center(), reach) else { continue };
            let near = self.cover_between(&cone, [dec - reach, dec + reach]).envelope;
            found.extend(near.into_iter().filter(|&id| cell_touches(cell, &self.own_tract(id).area())));
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// No pixel of a tract is farther from its centre, in radians.
    fn reach(&self, grid: &Grid) -> f64 {
        let inner = f64::from(self.config.patch_inner) * f64::from(grid.patches);
        let side = (grid.crpix - 0.5).max(inner - grid.crpix + 0.5);
        let radius = (self.config.pixel_scale_arcsec / 3600.0).to_radians() * side * std::f64::consts::SQRT_2;
        match self.config.projection {
            SkyMapProjection::Tan => radius.atan(),
            SkyMapProjection::Stg => 2.0 * (radius / 2.0).atan(),
        }
    }
}

struct Descent<'a, A> {
    map: &'a SkyMap,
    area: &'a A,
    outline: Vec<Arc>,
    active: Vec<usize>,
    found: TractCoverage,
}

impl<A: Area> Descent<'_, A> {
    /// Tracts of a ring, from one to before another, by halves.
    fn visit(&mut self, [first, last]: [u32; 2], reach: f64, from: usize) {
        let count = last - first;
        if count == 1 {
            self.tract(first);
            return;
        }
        // A cone around all of them. Centres of a ring lie on a parallel, along which distances grow up to half a turn.
        let ends = [first, last - 1].map(|id| self.map.center(id));
        let middle = self.map.center(first.midpoint(last - 1));
        let direction = unit(middle);
        let farthest = ends.map(|end| angle(direction, unit(end))).into_iter().fold(0.0, f64::max);
        let whole = u64::from(count) * 2 > u64::from(self.map.ring_length(first));
        let radius = if whole { std::f64::consts::PI } else { farthest + reach + 8.0 * UNIT_ERROR };
        let to = self.active.len();
        for i in from..to {
            let arc = self.active[i];
            if self.outline[arc].distance(direction) <= radius {
                self.active.push(arc);
            }
        }
        if self.active.len() > to {
            let half = first.midpoint(last);
            self.visit([first, half], reach, to);
            self.visit([half, last], reach, to);
        } else if self.area.contains(middle) {
            self.found.envelope.extend(first..last);
            self.found.interior.extend(first..last);
        }
        self.active.truncate(to);
    }

    fn tract(&mut self, id: u32) {
        let tract = self.map.own_tract(id).area();
        let touched = tract.crosses(&self.outline);
        let inside = self.area.contains(tract.center());
        if touched || inside {
            self.found.envelope.push(id);
        }
        if inside && !touched {
            self.found.interior.push(id);
        }
    }
}

impl TractArea {
    /// The corners, counterclockwise on the sky as it is seen from inside: from the south-west.
    pub fn corners(&self) -> [SkyCoord; 4] {
        self.plane_corners().map(|corner| position_of(self.at(corner)))
    }

    fn plane_corners(&self) -> [[f64; 2]; 4] {
        let [[west, east], [south, north]] = self.limits;
        [[west, south], [east, south], [east, north], [west, north]]
    }

    /// A point inside.
    fn center(&self) -> SkyCoord {
        position_of(self.at(self.limits.map(|[low, high]| f64::midpoint(low, high))))
    }

    /// The direction of a point of the plane.
    fn at(&self, [x, y]: [f64; 2]) -> Vector {
        let [east, north, center] = self.axes;
        let aside = plus(times(east, x), times(north, y));
        let square = x * x + y * y;
        match self.projection {
            SkyMapProjection::Tan => times(plus(center, aside), 1.0 / (1.0 + square).sqrt()),
            SkyMapProjection::Stg => {
                plus(times(center, (4.0 - square) / (4.0 + square)), times(aside, 4.0 / (4.0 + square)))
            }
        }
    }

    /// Whether an outline touches the outline of this area, or lies inside. In doubt it does.
    fn crosses(&self, outline: &[Arc]) -> bool {
        let center = unit(self.center());
        let farthest = self.plane_corners().map(|corner| angle(center, self.at(corner)));
        let farthest = farthest.into_iter().fold(0.0, f64::max);
        // Within a right angle no point is farther than the corners: gnomonic, because along a great circle the distance
        // from a point has no maximum there; stereographic, because what is no farther is a disc in the plane too.
        let reach = if farthest < 1.57 { farthest + 8.0 * UNIT_ERROR } else { std::f64::consts::PI };
        let sides = self.sides();
        outline.iter().filter(|arc| arc.distance(center) <= reach).any(|arc| {
            self.contains(arc.anchor())
                || sides.iter().any(|&[a, b]| meets(arc, &Side { area: self, a, b }, 0))
        })
    }

    fn sides(&self) -> [[[f64; 2]; 2]; 4] {
        let [a, b, c, d] = self.plane_corners();
        [[a, b], [b, c], [c, d], [d, a]]
    }
}

impl Area for TractArea {
    fn contains(&self, position: SkyCoord) -> bool {
        let point = unit(position);
        let [east, north, depth] = self.axes.map(|axis| dot(axis, point));
        let depth = match self.projection {
            SkyMapProjection::Tan => depth,
            SkyMapProjection::Stg => (1.0 + depth) / 2.0,
        };
        let within = |value: f64, [low, high]: [f64; 2]| low * depth <= value && value <= high * depth;
        depth > 0.0 && within(east, self.limits[0]) && within(north, self.limits[1])
    }
}

impl Outlined for TractArea {
    fn outline(&self) -> Vec<Arc> {
        let arc = |[a, b]: [[f64; 2]; 2]| {
            let ends = [self.at(a), self.at(b)];
            let anchor = position_of(ends[0]);
            match self.projection {
                // A tract has at least one pixel, and its corners are neither equal nor opposite.
                SkyMapProjection::Tan => Some(Arc::between(ends, normal(ends[0], ends[1])?, anchor)),
                SkyMapProjection::Stg => {
                    // On the line u x + v y = d lie the points p with (2 (u, v) - d center) p = d.
                    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
                    let length = dx.hypot(dy);
                    let (mut u, mut v) = (dy / length, -dx / length);
                    let mut d = u * a[0] + v * a[1];
                    if d < 0.0 {
                        (u, v, d) = (-u, -v, -d);
                    }
                    let [east, north, center] = self.axes;
                    let across = plus(times(east, 2.0 * u), times(north, 2.0 * v));
                    let axis = times(plus(across, times(center, -d)), 1.0 / (4.0 + d * d).sqrt());
                    Some(Arc::about(axis, 2_f64.atan2(d), ends, anchor))
                }
            }
        };
        self.sides().into_iter().filter_map(arc).collect()
    }
}

/// A piece of a straight line in the plane of projection.
struct Side<'a> {
    area: &'a TractArea,
    a: [f64; 2],
    b: [f64; 2],
}

impl Curve for Side<'_> {
    fn ends(&self) -> [Vector; 2] {
        [self.area.at(self.a), self.area.at(self.b)]
    }

    fn bulge(&self) -> f64 {
        let Self { a, b, .. } = *self;
        let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
        // Along a line at unit speed in the plane the second derivative on the sphere is at most 1. Gnomonic, at t from
        // the point nearest to the centre: (1 + 4 t²) / (1 + t²)⁴ is the largest square of it. Stereographic, at a
        // radius r: the speed is 4/(4 + r²), the circle's radius 2/√(4 + d²) ≥ 2/√(4 + r²), so that the square is at
        // most 64 (4 + 2 r²) / (4 + r²)⁴.
        (dx * dx + dy * dy) / 8.0
    }

    fn halves(&self) -> [Self; 2] {
        let Self { area, a, b } = *self;
        let middle = [f64::midpoint(a[0], b[0]), f64::midpoint(a[1], b[1])];
        [Self { area, a, b: middle }, Self { area, a: middle, b }]
    }
}
