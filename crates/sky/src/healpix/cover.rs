//! Which cells an area touches, and which lie wholly inside: complete by proof.
//!
//! # From area to outline
//!
//! A cell and an area are closed, and a cell is connected. If the outline of the area does not touch the cell, the
//! cell lies wholly inside or wholly outside, and its centre tells which. So one question remains: does an arc of the
//! outline touch the cell? Wherever rounding leaves a doubt the answer is yes, which makes `envelope` larger and
//! `interior` smaller, never the reverse.
//!
//! # Far from the outline: the reach of a cell
//!
//! Let `h = 1 / nside`. The straight path, in the coordinates of the base cell, from the centre of a cell to any of
//! its points stays in the cell and changes x and y by at most `h / 2` each. Its length on the sphere is at most the
//! largest speed along it, and a speed is a norm, so over the square of directions it is largest at the corners
//! (±1, ±1) / 2:
//!
//! - In the belt `sin δ = 2/3 (x + y) + const` and `longitude = π/4 (x - y) + const`. Direction (1, 1) / 2 gives
//!   `2/3 h / cos δ ≤ 2/√5 h`, as `cos² δ ≥ 5/9`; direction (1, -1) / 2 gives `π/4 h cos δ ≤ 0.786 h`.
//! - In a cap `1 - sin δ = σ²/3` with `σ = u + v` and `longitude = π/2 v/σ`, so `cos δ = σ w` with
//!   `5/9 ≤ w² = (2 - σ²/3)/3 ≤ 2/3`. Direction (1, 1) / 2 gives `dσ = h`, a step of `2/3 h / w` in declination and of
//!   `π/2 |1/2 - v/σ| w h ≤ π/4 w h` in longitude, together at most `√(0.8 + 0.3427) h = 1.069 h`; direction
//!   (1, -1) / 2 gives `π/4 w h ≤ 0.642 h`.
//!
//! So no point of a cell is farther from its centre than 0.8945 h if it lies in the belt, and 1.069 h otherwise. An
//! arc farther from the centre than that does not touch the cell. The descent from the 12 base cells drops such arcs
//! on the way; a cell without arcs is decided, the others are cut into four until the order asked for.
//!
//! # Near the outline: arc against edge
//!
//! At the order asked for, an arc touches a cell if it crosses one of the four edges, or if it lies inside, and then
//! any of its points does. An arc is the set of points with `g(p) = 0`, between its ends. `g` is `p · n` for a great
//! circle, and `|p - c|² - s²` for a small one, s the chord of its radius. On the unit sphere both are linear in p up
//! to a factor of 1 and -2.
//!
//! On a piece of an edge of length l, `p` differs from the straight line between the ends of the piece by at most
//! `b = l²/8 max |p''|`, hence `g` from its linear interpolation by `b` or `2 b`. If both ends of the piece have `g` of
//! one sign, and farther from 0 than that, then the arc does not touch the piece. If the signs differ it does.
//! Otherwise the piece is halved, which quarters `b`; when `b` drops below rounding the answer is yes.
//! The ends of an arc are two half-spaces through the centre of the sphere, bounded in the same way.
//!
//! `max |p''|` along x or y, in coordinates of the base cell:
//!
//! - Belt: with `s = cos δ` and `z' = 2/3`, `s' = -z z'/s` and `s'' = -(z'² + s'²)/s`, `p'' = (s'' - s φ'², 2 s' φ', 0)`
//!   in the directions outwards, east, north, with `|s''| ≤ 1.074`, `s φ'² ≤ 0.617` and `2 |s' φ'| ≤ 0.937`: at most
//!   1.94.
//! - Cap, with u varying and v constant (or the reverse): `s = σ w`, `φ = π/2 v/σ`, so that
//!   `p'' = (s'' - s φ'², 2 s' φ' + s φ'', -2/3)`. The terms in 1/σ of the second component cancel:
//!   `2 s' φ' + s φ'' = π v/σ² (w - s') = π v / (9 w) ≤ 0.469`. With `|s''| ≤ 0.477` and
//!   `s φ'² ≤ π²/4 · 0.8165 v²/σ³` that is at most `1.30 + 2.02 v²/σ³`, and σ is smallest at an end of the piece.

use super::geometry::Piece;
use super::{CellSet, Healpix, HealpixCell};
use crate::Error;
use crate::area::{Arc, Area, meets};
use crate::sphere::UNIT_ERROR;

/// Cells on the outline: 16 million, of which the ranges take a gigabyte at worst.
const MOST_CELLS: u64 = 1 << 24;

/// The HEALPix cells of an area.
///
/// `interior` is within `centered`, and `centered` within `envelope`. Compact: a cell stands for all its parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Coverage {
    /// Cells that lie wholly in the area. Every point of the set is a point of the area.
    pub interior: CellSet,
    /// Cells whose centre lies in the area.
    pub centered: CellSet,
    /// Cells that touch the area, with edges and corners. Every point of the area is a point of the set.
    ///
    /// Complete, and no larger than it must be: a cell is here only if it touches the area to within rounding
    /// (1e-9 arcseconds).
    pub envelope: CellSet,
}

impl Healpix {
    /// The cells of this order that lie in an area, and those that touch it.
    ///
    /// The time goes with the cells on the outline; large areas without a long outline are cheap at any order.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyCells`] if more than `2^24` cells would lie on the outline: choose a coarser order.
    ///
    /// # Examples
    ///
    /// ```
    /// use coaddkit_sky::{Cone, Healpix, SkyCoord};
    ///
    /// let cone = Cone::new(SkyCoord::from_degrees(0.0, 26.73323)?, 3.389679926326507)?;
    /// let cells = Healpix::from_nside(64)?;
    /// let coverage = cells.cover(&cone)?;
    /// // A cell that reaches 442 arcseconds into the cone.
    /// assert!(coverage.envelope.holds(cells.cell(20_416)?));
    /// assert!(coverage.interior.area_deg2() < cone.area_deg2());
    /// assert!(coverage.envelope.area_deg2() > cone.area_deg2());
    /// # Ok::<(), coaddkit_sky::Error>(())
    /// ```
    pub fn cover(self, area: &impl Area) -> Result<Coverage, Error> {
        let outline = area.outline();
        // A circle has no more than π times the diameter of a cell inside it: too long an arc is known beforehand.
        let longest = outline.iter().map(Arc::length_at_least).fold(0.0, f64::max);
        if longest * f64::from(self.nside()) > std::f64::consts::PI * 2.0 * 1.069 * MOST_CELLS as f64 {
            return Err(Error::TooManyCells { order: self.order(), most: MOST_CELLS });
        }
        let anchors = outline.iter().map(|arc| Healpix::from_valid(29).locate(arc.anchor())).collect();
        let mut descent = Descent {
            area,
            active: (0..outline.len()).collect(),
            outline,
            anchors,
            order: self.order(),
            found: Coverage::default(),
            doubtful: 0,
        };
        for base in 0..12 {
            descent.visit(0, base, 0)?;
        }
        Ok(descent.found)
    }
}

struct Descent<'a, A> {
    area: &'a A,
    outline: Vec<Arc>,
    /// The order-29 cell of a point of each arc.
    anchors: Vec<HealpixCell>,
    /// Indices of the arcs that may touch the cells on the way down; each level looks at the end of the list.
    active: Vec<usize>,
    order: u8,
    found: Coverage,
    doubtful: u64,
}

impl<A: Area> Descent<'_, A> {
    fn visit(&mut self, order: u8, nested: u64, from: usize) -> Result<(), Error> {
        let cell = HealpixCell::from_valid(order, nested);
        let square = cell.square();
        let (center, reach) = (square.center().unit(), square.reach());
        let to = self.active.len();
        for i in from..to {
            let arc = self.active[i];
            if self.outline[arc].distance(center) <= reach + 8.0 * UNIT_ERROR {
                self.active.push(arc);
            }
        }
        if self.active.len() > to && order < self.order {
            for child in 0..4 {
                self.visit(order + 1, nested * 4 + child, to)?;
            }
        } else {
            let touched = self.active[to..].iter().any(|&arc| self.touches(cell, arc));
            let inside = self.area.contains(cell.center());
            self.doubtful += u64::from(touched);
            if self.doubtful > MOST_CELLS {
                return Err(Error::TooManyCells { order: self.order, most: MOST_CELLS });
            }
            if touched || inside {
                self.found.envelope.push(cell);
            }
            if inside {
                self.found.centered.push(cell);
            }
            if inside && !touched {
                self.found.interior.push(cell);
            }
        }
        self.active.truncate(to);
        Ok(())
    }

    fn touches(&self, cell: HealpixCell, arc: usize) -> bool {
        cell.holds(self.anchors[arc]) || crosses_edge(cell, &self.outline[arc])
    }
}

fn crosses_edge(cell: HealpixCell, arc: &Arc) -> bool {
    let [south, east, north, west] = cell.square().corners();
    [(south, east), (east, north), (west, north), (south, west)]
        .into_iter()
        .any(|(a, b)| meets(arc, &Piece { a, b }, 0))
}

/// Whether a cell touches an area; in doubt it does.
pub(crate) fn cell_touches(cell: HealpixCell, area: &impl Area) -> bool {
    area.contains(cell.center())
        || area.outline().iter().any(|arc| cell.contains(arc.anchor()) || crosses_edge(cell, arc))
}
