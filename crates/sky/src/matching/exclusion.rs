//! Is anything of a list near?

use super::layout::Layout;
use super::mask::Mask;
use super::radius_deg;
use super::threads::fill_parts;
use super::zones::Zones;
use crate::coord::normalize_ra;
use crate::{Error, SkyCoord};

/// Positions around which others are excluded: known lenses, bright stars, what was seen before.
///
/// A position is excluded if any of them lies within the radius, the limit included. Distances are exact at the poles
/// and across right ascension 0, and good to a few parts in 1e16.
///
/// Takes at most 44 bytes for each excluded position whatever the radius, and up to a megabyte for a map in which most
/// queries end, after a few nanoseconds.
///
/// # Examples
///
/// ```
/// use coaddkit_sky::{Exclusion, SkyCoord};
///
/// let lenses = [SkyCoord::from_degrees(0.0, 45.0)?, SkyCoord::from_degrees(30.0, -90.0)?];
/// let around = Exclusion::new(&lenses, 11.0)?;
/// assert!(around.excludes(SkyCoord::from_degrees(359.996, 45.0)?));
/// assert!(!around.excludes(SkyCoord::from_degrees(359.995, 45.0)?));
/// assert!(around.excludes(SkyCoord::from_degrees(210.0, -89.997)?));
/// # Ok::<(), coaddkit_sky::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Exclusion {
    /// Most positions are far from all: one bit says so.
    mask: Mask,
    zones: Zones,
}

impl Exclusion {
    /// Excludes what lies within `radius_arcsec` of any of the positions.
    ///
    /// # Units
    ///
    /// Arcseconds.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] or [`Error::OutOfRange`] unless the radius is 0 to 324,000 arcseconds (90 degrees),
    /// [`Error::TooManyPositions`] for more than `2^32 - 2` positions.
    pub fn new(positions: &[SkyCoord], radius_arcsec: f64) -> Result<Self, Error> {
        let radius_deg = radius_deg(radius_arcsec)?;
        let zones = Zones::new(positions, Layout::of(positions, radius_deg)?, usize::MAX);
        Ok(Self { mask: Mask::new(positions, radius_deg), zones })
    }

    /// Whether a position is excluded.
    pub fn excludes(&self, position: SkyCoord) -> bool {
        self.excludes_valid(position.ra_deg(), position.dec_deg())
    }

    /// Whether many positions are excluded; `None` where a position is not valid (NaN, infinite, or beyond a pole),
    /// so that nothing counts as clear without having been looked at.
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
    /// use coaddkit_sky::{Exclusion, SkyCoord};
    ///
    /// let around = Exclusion::new(&[SkyCoord::from_degrees(0.0, 45.0)?], 11.0)?;
    /// let mut excluded = [None; 3];
    /// around.excludes_all(&[-0.004, 90.0, f64::NAN], &[45.0, 45.0, 45.0], &mut excluded)?;
    /// assert_eq!(excluded, [Some(true), Some(false), None]);
    /// # Ok::<(), coaddkit_sky::Error>(())
    /// ```
    pub fn excludes_all(
        &self,
        ra_deg: &[f64],
        dec_deg: &[f64],
        excluded: &mut [Option<bool>],
    ) -> Result<(), Error> {
        let n = excluded.len();
        if ra_deg.len() != n || dec_deg.len() != n {
            return Err(Error::LengthMismatch { ra: ra_deg.len(), dec: dec_deg.len(), out: n });
        }
        fill_parts(excluded, |from, excluded| {
            for ((excluded, &ra), &dec) in excluded.iter_mut().zip(&ra_deg[from..]).zip(&dec_deg[from..]) {
                let valid = ra.is_finite() && dec.abs() <= 90.0;
                *excluded = valid.then(|| self.excludes_valid(normalize_ra(ra), dec));
            }
        });
        Ok(())
    }

    #[inline]
    fn excludes_valid(&self, ra_deg: f64, dec_deg: f64) -> bool {
        if !self.mask.may_be_near(ra_deg, dec_deg) {
            return false;
        }
        let mut excluded = false;
        self.zones.near(ra_deg, dec_deg, |_, _| {
            excluded = true;
            false
        });
        excluded
    }
}
