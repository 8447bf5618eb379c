//! The ring scheme, for any `nside`.

use super::Healpix;
use super::exact::Lattice;
use super::geometry::cap_dec_deg;
use crate::coord::normalize_ra;
use crate::{Error, SkyCoord};

const LARGEST_NSIDE: u32 = 1 << 29;

/// The division of the sphere into `12 * nside²` cells of equal area, numbered along rings of equal declination from
/// the north pole southwards, each ring from right ascension 0 eastwards.
///
/// Where `nside` is a power of 2 a position falls into the same cell here as in [`Healpix`].
///
/// # Examples
///
/// ```
/// use coaddkit_sky::{HealpixRing, SkyCoord};
///
/// let rings = HealpixRing::new(100)?;
/// let number = rings.locate(SkyCoord::from_degrees(45.0, 89.9)?);
/// assert_eq!(number, 0);
/// assert!(rings.center(number)?.dec_deg() > 89.5);
/// # Ok::<(), coaddkit_sky::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HealpixRing {
    nside: u32,
}

impl HealpixRing {
    /// The division with `nside` cells along a side of a base cell, 1 to `2^29`; it need not be a power of 2.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] otherwise.
    pub fn new(nside: u32) -> Result<Self, Error> {
        if (1..=LARGEST_NSIDE).contains(&nside) {
            return Ok(Self { nside });
        }
        let max = LARGEST_NSIDE.into();
        Err(Error::OutOfRange { what: "HEALPix nside", value: nside.into(), min: 1.0, max })
    }

    /// Cells along a side of a base cell.
    pub const fn nside(self) -> u32 {
        self.nside
    }

    /// How many cells there are.
    pub const fn len(self) -> u64 {
        12 * (self.nside as u64) * (self.nside as u64)
    }

    /// Never: the cells cover the sky.
    pub const fn is_empty(self) -> bool {
        false
    }

    /// The number of the cell that contains a position; exact, see [`Healpix::locate`].
    pub fn locate(self, position: SkyCoord) -> u64 {
        match Healpix::from_nside(self.nside) {
            Ok(cells) => cells.locate(position).ring(),
            Err(_) => Lattice::of(position, self.nside).ring(self.nside),
        }
    }

    /// The centre of the cell with a number.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchCell`] from [`len`](Self::len) on.
    pub fn center(self, ring: u64) -> Result<SkyCoord, Error> {
        if ring >= self.len() {
            return Err(Error::NoSuchCell { number: ring, cells: self.len() });
        }
        if let Ok(cells) = Healpix::from_nside(self.nside) {
            return Ok(cells.cell_of_ring(ring)?.center());
        }
        let n = u64::from(self.nside);
        let side = f64::from(self.nside);
        let cap = 2 * n * (n - 1);
        let at = |turns: f64, dec_deg| Ok(SkyCoord::from_valid(normalize_ra(turns * 90.0), dec_deg));
        // Counted from the nearer pole, the ring `i` of a cap has 4 i cells, after 2 i (i - 1) others.
        let polar = |number: u64| {
            let i = (1 + 2 * number).isqrt().div_ceil(2);
            (i, number - 2 * i * (i - 1))
        };
        if ring < cap {
            let (i, along) = polar(ring);
            return at((along as f64 + 0.5) / i as f64, cap_dec_deg(i as f64 / side));
        }
        if ring >= self.len() - cap {
            let (i, from_end) = polar(self.len() - 1 - ring);
            let along = 4 * i - 1 - from_end;
            return at((along as f64 + 0.5) / i as f64, -cap_dec_deg(i as f64 / side));
        }
        let (row, along) = ((ring - cap) / (4 * n), (ring - cap) % (4 * n));
        // Every other ring starts half a cell east of right ascension 0, the first one too.
        let half = if row % 2 == 0 { 0.5 } else { 0.0 };
        let sine = (side - row as f64) * 2.0 / (3.0 * side);
        at((along as f64 + half) / side, sine.asin().to_degrees())
    }
}
