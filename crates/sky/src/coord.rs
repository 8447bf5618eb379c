//! Positions on the sky.

use std::fmt;

use crate::Error;
use crate::error::{finite, within};

/// The largest double below 360: right ascensions end here.
const LAST_RA: f64 = 360.0_f64.next_down();

/// A position on the sky: right ascension in `[0, 360)` and declination in `[-90, 90]`, both finite.
///
/// # Units
///
/// Degrees (ICRS, or whichever frame the catalogue is in: nothing here depends on it).
///
/// # Examples
///
/// ```
/// use coaddkit_sky::SkyCoord;
///
/// let lens = SkyCoord::from_degrees(-0.125, 12.5)?;
/// assert_eq!((lens.ra_deg(), lens.dec_deg()), (359.875, 12.5));
/// assert!(SkyCoord::from_degrees(10.0, 90.5).is_err());
/// # Ok::<(), coaddkit_sky::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct SkyCoord {
    ra_deg: f64,
    dec_deg: f64,
}

impl SkyCoord {
    /// A position from right ascension and declination in degrees.
    ///
    /// Any finite right ascension is brought into `[0, 360)`. A tiny negative one, whose exact image would round
    /// to 360, becomes the largest double below 360: it stays on its own side of the meridian.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] for NaN and infinities, [`Error::OutOfRange`] for a declination beyond a pole.
    pub fn from_degrees(ra_deg: f64, dec_deg: f64) -> Result<Self, Error> {
        let ra_deg = normalize_ra(finite("ra_deg", ra_deg)?);
        Ok(Self { ra_deg, dec_deg: within("dec_deg", dec_deg, -90.0, 90.0)? })
    }

    /// For centres and corners that are valid by construction.
    pub(crate) const fn from_valid(ra_deg: f64, dec_deg: f64) -> Self {
        Self { ra_deg, dec_deg }
    }

    /// Right ascension in degrees, at least 0 and below 360.
    pub const fn ra_deg(self) -> f64 {
        self.ra_deg
    }

    /// Declination in degrees, from -90 to 90.
    pub const fn dec_deg(self) -> f64 {
        self.dec_deg
    }
}

impl fmt::Display for SkyCoord {
    /// Both angles in degrees, shortest digits that read back to the same doubles.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {:+})", self.ra_deg, self.dec_deg)
    }
}

/// A finite right ascension in `[0, 360)`, without a negative zero.
#[inline]
pub(crate) fn normalize_ra(ra_deg: f64) -> f64 {
    // The remainder is slow and nearly never needed.
    if (0.0..360.0).contains(&ra_deg) {
        return ra_deg + 0.0;
    }
    ra_deg.rem_euclid(360.0).min(LAST_RA) + 0.0
}
