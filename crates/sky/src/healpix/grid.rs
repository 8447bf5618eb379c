//! All cells of one order, in the nested scheme.

use std::num::NonZeroU64;

use cdshealpix::nested;

use super::{HealpixCell, fast};
use crate::{Error, SkyCoord};

/// The finest order: cells of 0.4 milliarcseconds.
const LAST_ORDER: u8 = 29;

/// The division of the sphere into `12 * 4^order` cells of equal area, numbered in the nested scheme.
///
/// Each step in order cuts every cell into four, whose numbers follow the parent's: `4 i` to `4 i + 3`.
/// The ring scheme, and divisions whose `nside` is no power of 2, are [`HealpixRing`](crate::HealpixRing)'s.
///
/// # Examples
///
/// ```
/// use coaddkit_sky::{Healpix, SkyCoord};
///
/// let cells = Healpix::new(7)?;
/// assert_eq!((cells.nside(), cells.len()), (128, 196_608));
///
/// let cell = cells.locate(SkyCoord::from_degrees(117.710019578, -75.878737651)?);
/// assert_eq!((cell.index(), cell.ring()), (148_173, 193_693));
/// # Ok::<(), coaddkit_sky::Error>(())
/// ```
///
/// # References
///
/// Górski et al. 2005, ApJ 622, 759.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Healpix {
    order: u8,
}

impl Healpix {
    /// The cells of an order, 0 to 29.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] above 29.
    pub fn new(order: u8) -> Result<Self, Error> {
        if order <= LAST_ORDER {
            return Ok(Self { order });
        }
        Err(Error::OutOfRange {
            what: "HEALPix order",
            value: order.into(),
            min: 0.0,
            max: LAST_ORDER.into(),
        })
    }

    /// The cells of `nside = 2^order`.
    ///
    /// # Errors
    ///
    /// [`Error::NotNested`] unless `nside` is a power of 2 up to `2^29`: nothing else has a nested scheme.
    pub fn from_nside(nside: u32) -> Result<Self, Error> {
        // The number of trailing zeros of a power of 2 is below 32.
        let order = nside.trailing_zeros() as u8;
        if nside.is_power_of_two() && order <= LAST_ORDER {
            Ok(Self { order })
        } else {
            Err(Error::NotNested { nside })
        }
    }

    pub(crate) const fn from_valid(order: u8) -> Self {
        Self { order }
    }

    /// The order.
    pub const fn order(self) -> u8 {
        self.order
    }

    /// Cells along a side of a base cell: `2^order`.
    pub const fn nside(self) -> u32 {
        1 << self.order
    }

    /// How many cells there are.
    pub const fn len(self) -> u64 {
        12 << (2 * self.order)
    }

    /// Never: the cells cover the sky.
    pub const fn is_empty(self) -> bool {
        false
    }

    /// The area of each cell, in square degrees.
    pub fn cell_area_deg2(self) -> f64 {
        // Exact: a power of 2 lies between any two orders.
        4.0 * std::f64::consts::PI * (180.0 / std::f64::consts::PI).powi(2) / self.len() as f64
    }

    /// The cell with a number in the nested scheme.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchCell`] from [`len`](Self::len) on.
    pub const fn cell(self, nested: u64) -> Result<HealpixCell, Error> {
        if nested < self.len() {
            Ok(HealpixCell::from_valid(self.order, nested))
        } else {
            Err(Error::NoSuchCell { number: nested, cells: self.len() })
        }
    }

    /// The cell with a number in the ring scheme.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchCell`] from [`len`](Self::len) on.
    pub fn cell_of_ring(self, ring: u64) -> Result<HealpixCell, Error> {
        if ring < self.len() {
            Ok(HealpixCell::from_valid(self.order, nested::get(self.order).from_ring(ring)))
        } else {
            Err(Error::NoSuchCell { number: ring, cells: self.len() })
        }
    }

    /// All cells, in the order of their numbers.
    pub fn cells(self) -> impl Iterator<Item = HealpixCell> {
        (0..self.len()).map(move |nested| HealpixCell::from_valid(self.order, nested))
    }

    /// The cell that contains a position.
    ///
    /// Exact: within rounding of an edge, where other implementations of HEALPix differ from each other, the position
    /// is worked out in twice the precision. On the edge itself, and on corners, the convention of the original
    /// formulas holds; a cell owns its two southern edges in the north, and so on.
    #[inline]
    pub fn locate(self, position: SkyCoord) -> HealpixCell {
        self.cell_at(position.ra_deg(), position.dec_deg())
    }

    /// The cell of a valid position.
    #[inline]
    fn cell_at(self, ra_deg: f64, dec_deg: f64) -> HealpixCell {
        HealpixCell::from_valid(self.order, fast::nested(ra_deg, dec_deg, self.order))
    }

    /// The cells of many positions; `None` where a position is not valid (NaN, infinite, or beyond a pole).
    ///
    /// # Units
    ///
    /// Degrees. Right ascensions may have any finite value.
    ///
    /// # Shape
    ///
    /// The three slices run in parallel.
    ///
    /// # Errors
    ///
    /// [`Error::LengthMismatch`] unless they have the same length; nothing is written then.
    ///
    /// # Examples
    ///
    /// ```
    /// use coaddkit_sky::Healpix;
    ///
    /// let mut cells = [None; 3];
    /// Healpix::new(6)?.locate_all(&[117.7, 10.0, f64::NAN], &[-75.9, 90.5, 0.0], &mut cells)?;
    /// assert_eq!(cells.map(|cell| cell.map(|cell| cell.index())), [Some(37_043), None, None]);
    /// # Ok::<(), coaddkit_sky::Error>(())
    /// ```
    pub fn locate_all(
        self,
        ra_deg: &[f64],
        dec_deg: &[f64],
        cells: &mut [Option<HealpixCell>],
    ) -> Result<(), Error> {
        let n = cells.len();
        if ra_deg.len() != n || dec_deg.len() != n {
            return Err(Error::LengthMismatch { ra: ra_deg.len(), dec: dec_deg.len(), out: n });
        }
        fast::nested_all(ra_deg, dec_deg, self.order, cells, |nested| {
            HealpixCell::from_valid(self.order, nested)
        });
        Ok(())
    }
}

/// The order and the number in a NUNIQ, if it is one.
pub(super) const fn split_uniq(uniq: NonZeroU64) -> Option<(u8, u64)> {
    // The first cell of an order has 4^(order + 1).
    let Some(order) = (uniq.ilog2() as u8 / 2).checked_sub(1) else { return None };
    let index = uniq.get() - (4 << (2 * order));
    if order <= LAST_ORDER && index < 12 << (2 * order) { Some((order, index)) } else { None }
}
