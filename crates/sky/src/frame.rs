//! Galactic and ecliptic coordinates.

use crate::coord::normalize_ra;
use crate::error::{finite, within};
use crate::sphere::{Vector, dot, position_of, sin_cos_deg, unit};
use crate::{Error, SkyCoord};

/// A frame that positions in ICRS can be turned into, by a fixed rotation.
///
/// # Examples
///
/// ```
/// use coaddkit_sky::{Frame, SkyCoord};
///
/// let center = Frame::Galactic.to_icrs(0.0, 0.0)?;
/// assert!((center.ra_deg() - 266.404988).abs() < 1e-6 && (center.dec_deg() + 28.936178).abs() < 1e-6);
/// let at = Frame::Galactic.from_icrs(SkyCoord::from_degrees(10.68, 41.27)?);
/// assert!((at.lon_deg - 121.17).abs() < 0.01 && (at.lat_deg + 21.57).abs() < 0.01);
/// # Ok::<(), coaddkit_sky::Error>(())
/// ```
///
/// # References
///
/// Galactic: the pole at (192.8594812065348, 27.12825118085622) and the longitude 122.9319185680026 of the celestial
/// pole, FK5 J2000 (Blaauw et al. 1960, precessed from B1950), after the rotation of ICRS to FK5 by -19.9, 9.1 and -22.9
/// milliarcseconds about x, y and z (Mignard and Froeschlé 2000). Ecliptic: the mean equinox and ecliptic of J2000 in
/// the IAU 2006 model with the frame bias (Capitaine and Wallace 2006), as `ecm06` of ERFA gives it. Astropy has the
/// same two as `Galactic` and `BarycentricMeanEcliptic`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Frame {
    /// Galactic longitude and latitude (IAU 1958).
    Galactic,
    /// Barycentric longitude and latitude about the mean ecliptic of J2000.
    Ecliptic,
}

/// Longitude and latitude in a [`Frame`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LonLat {
    /// Longitude in degrees, at least 0 and below 360.
    pub lon_deg: f64,
    /// Latitude in degrees, -90 to 90.
    pub lat_deg: f64,
}

const GALACTIC: [Vector; 3] = [
    [-0.054_875_657_712_591_73, -0.873_437_051_955_616_3, -0.483_835_073_616_715_8],
    [0.494_109_437_192_727_3, -0.444_829_721_223_295_34, 0.746_982_183_986_667_5],
    [-0.867_666_137_559_658_8, -0.198_076_337_273_000_53, 0.455_983_813_687_301_6],
];

const ECLIPTIC: [Vector; 3] = [
    [0.999_999_999_999_994_1, -7.078_368_960_971_556e-8, 8.056_213_977_613_186e-8],
    [3.289_700_407_741_964_6e-8, 0.917_482_129_914_958_4, 0.397_776_999_444_047_93],
    [-1.020_704_472_548_435_5e-7, -0.397_776_999_444_043_04, 0.917_482_129_914_955_6],
];

impl Frame {
    /// The rows are the frame's axes in ICRS.
    const fn axes(self) -> &'static [Vector; 3] {
        match self {
            Self::Galactic => &GALACTIC,
            Self::Ecliptic => &ECLIPTIC,
        }
    }

    /// Longitude and latitude of a position in ICRS.
    pub fn from_icrs(self, position: SkyCoord) -> LonLat {
        let v = unit(position);
        let at = position_of(self.axes().map(|axis| dot(axis, v)));
        LonLat { lon_deg: at.ra_deg(), lat_deg: at.dec_deg() }
    }

    /// The position in ICRS of a longitude and a latitude.
    ///
    /// # Units
    ///
    /// Degrees. The longitude may have any finite value.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] for NaN and infinities, [`Error::OutOfRange`] for a latitude beyond a pole.
    pub fn to_icrs(self, lon_deg: f64, lat_deg: f64) -> Result<SkyCoord, Error> {
        let (lon_sine, lon_cosine) = sin_cos_deg(normalize_ra(finite("lon_deg", lon_deg)?));
        let (sine, cosine) = sin_cos_deg(within("lat_deg", lat_deg, -90.0, 90.0)?);
        let v = [cosine * lon_cosine, cosine * lon_sine, sine];
        // The inverse of a rotation is its transpose.
        let [a, b, c] = self.axes();
        Ok(position_of(std::array::from_fn(|i| a[i] * v[0] + b[i] * v[1] + c[i] * v[2])))
    }
}
