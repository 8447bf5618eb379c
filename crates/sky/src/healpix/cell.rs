//! One cell.

use std::fmt;
use std::num::NonZeroU64;

use cdshealpix::compass_point::MainWind;
use cdshealpix::nested;

use super::geometry::Square;
use super::grid::split_uniq;
use super::{CellSet, Healpix};
use crate::{Error, SkyCoord};

/// A cell of a [`Healpix`] division: an order and a number in the nested scheme.
///
/// Kept as its NUNIQ, `4 * 4^order + number`, so that a cell takes eight bytes, and so does `Option<HealpixCell>`.
/// Cells sort by order, then by number.
///
/// # Examples
///
/// ```
/// use coaddkit_sky::{Healpix, HealpixCell};
///
/// let cell = Healpix::new(6)?.cell(37_043)?;
/// assert_eq!(cell.uniq(), 53_427);
/// assert_eq!(HealpixCell::from_uniq(53_427)?, cell);
/// assert_eq!(cell.at_order(4), Some(Healpix::new(4)?.cell(37_043 / 16)?));
/// // South-west, west, north-west, north, and so on: next to the corners of base cells one can be missing.
/// assert!(cell.neighbours().iter().flatten().all(|&next| next.neighbours().contains(&Some(cell))));
/// # Ok::<(), coaddkit_sky::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HealpixCell(NonZeroU64);

impl HealpixCell {
    /// The cell of a NUNIQ, as multi-order coverage maps have them.
    ///
    /// # Errors
    ///
    /// [`Error::NotUniq`] for numbers that stand for no cell: below 4, or from `2^62` on.
    pub fn from_uniq(uniq: u64) -> Result<Self, Error> {
        NonZeroU64::new(uniq)
            .filter(|&uniq| split_uniq(uniq).is_some())
            .map(Self)
            .ok_or(Error::NotUniq { uniq })
    }

    #[inline]
    pub(super) const fn from_valid(order: u8, nested: u64) -> Self {
        // The bit of the order does not meet the bits of a number.
        Self(NonZeroU64::MIN.saturating_add((4 << (2 * order)) + nested - 1))
    }

    /// The NUNIQ: `4 * 4^order + index`.
    pub const fn uniq(self) -> u64 {
        self.0.get()
    }

    /// The order, 0 to 29.
    #[inline]
    pub const fn order(self) -> u8 {
        // The highest bit is 2 or 3 above the order's.
        (self.0.ilog2() as u8 - 2) / 2
    }

    /// The number in the nested scheme.
    #[inline]
    pub const fn index(self) -> u64 {
        self.0.get() - (4 << (2 * self.order()))
    }

    /// The number in the ring scheme.
    pub fn ring(self) -> u64 {
        nested::get(self.order()).to_ring(self.index())
    }

    /// All cells of this one's order.
    pub const fn grid(self) -> Healpix {
        Healpix::from_valid(self.order())
    }

    /// The centre.
    pub fn center(self) -> SkyCoord {
        self.square().center().position()
    }

    /// The corners: south, east, north, west.
    ///
    /// Edges between them are no great circles; at low orders they bulge.
    pub fn corners(self) -> [SkyCoord; 4] {
        self.square().corners().map(|corner| corner.position())
    }

    /// The cells that share an edge or a corner: SW, W, NW, N, NE, E, SE, S.
    ///
    /// `None` where no cell is: next to those corners of base cells in which only three cells meet.
    pub fn neighbours(self) -> [Option<Self>; 8] {
        use MainWind::{E, N, NE, NW, S, SE, SW, W};
        let order = self.order();
        let found = nested::get(order).neighbours(self.index(), false);
        [SW, W, NW, N, NE, E, SE, S].map(|wind| found.get(wind).map(|&at| Self::from_valid(order, at)))
    }

    /// The cell of a coarser (or the same) order that holds this one; `None` for a finer order.
    #[inline]
    pub const fn at_order(self, order: u8) -> Option<Self> {
        match self.order().checked_sub(order) {
            Some(steps) => Some(Self::from_valid(order, self.index() >> (2 * steps))),
            None => None,
        }
    }

    /// The cells of a finer (or the same) order that this one holds, ascending.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] for an order that is coarser than the cell's own or above 29.
    pub fn descendants(self, order: u8) -> Result<impl Iterator<Item = Self> + use<>, Error> {
        let steps = Healpix::new(order)?.order().checked_sub(self.order()).ok_or(Error::OutOfRange {
            what: "HEALPix order of descendants",
            value: order.into(),
            min: self.order().into(),
            max: 29.0,
        })?;
        let first = self.index() << (2 * steps);
        Ok((0..1_u64 << (2 * steps)).map(move |i| Self::from_valid(order, first + i)))
    }

    /// Whether this cell is the other or holds it.
    pub const fn holds(self, other: Self) -> bool {
        match other.at_order(self.order()) {
            Some(ancestor) => ancestor.0.get() == self.0.get(),
            None => false,
        }
    }

    /// Whether [`Healpix::locate`] gives a position to this cell.
    pub fn contains(self, position: SkyCoord) -> bool {
        self.grid().locate(position) == self
    }

    /// No point of the cell is farther from its centre, in degrees; at most 61.3.
    pub(crate) fn reach_deg(self) -> f64 {
        self.square().reach().to_degrees()
    }

    pub(super) fn square(self) -> Square {
        Square::new(self.order(), self.index())
    }
}

impl From<HealpixCell> for CellSet {
    fn from(cell: HealpixCell) -> Self {
        Self::from_iter([cell])
    }
}

impl fmt::Display for HealpixCell {
    /// `order/number`, as in the text form of coverage maps.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.order(), self.index())
    }
}

impl fmt::Debug for HealpixCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HealpixCell({self})")
    }
}
