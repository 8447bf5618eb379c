//! Cones.

use super::{Arc, Area, outlined::Outlined};
use crate::error::within;
use crate::sphere::haversines;
use crate::{Error, SkyCoord};

/// All positions within an angle of a centre, the limit included.
///
/// # Examples
///
/// ```
/// use coaddkit_sky::{Area, Cone, SkyCoord};
///
/// let cone = Cone::new(SkyCoord::from_degrees(10.0, 89.5)?, 1.0)?;
/// // On the other side of the pole.
/// assert!(cone.contains(SkyCoord::from_degrees(190.0, 89.6)?));
/// assert!(!cone.contains(SkyCoord::from_degrees(190.0, 89.4)?));
/// # Ok::<(), coaddkit_sky::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cone {
    center: SkyCoord,
    radius_deg: f64,
    /// The squared sine of half the radius, or of half its supplement if that is smaller.
    haversine: f64,
}

impl Cone {
    /// A cone around a centre.
    ///
    /// # Units
    ///
    /// Degrees.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] or [`Error::OutOfRange`] unless the radius is 0 to 180.
    pub fn new(center: SkyCoord, radius_deg: f64) -> Result<Self, Error> {
        let radius_deg = within("radius_deg", radius_deg, 0.0, 180.0)?;
        let haversine = (radius_deg.min(180.0 - radius_deg) / 2.0).to_radians().sin().powi(2);
        Ok(Self { center, radius_deg, haversine })
    }

    /// The centre.
    pub const fn center(&self) -> SkyCoord {
        self.center
    }

    /// The radius, in degrees.
    pub const fn radius_deg(&self) -> f64 {
        self.radius_deg
    }

    /// Area on the sphere, in square degrees.
    pub fn area_deg2(&self) -> f64 {
        let sine = (self.radius_deg / 2.0).to_radians().sin();
        4.0 * std::f64::consts::PI * (180.0 / std::f64::consts::PI).powi(2) * sine * sine
    }
}

impl Area for Cone {
    fn contains(&self, position: SkyCoord) -> bool {
        let (near, far) = haversines(self.center, position);
        if self.radius_deg <= 90.0 { near <= self.haversine } else { far >= self.haversine }
    }
}

impl Outlined for Cone {
    fn outline(&self) -> Vec<Arc> {
        if self.radius_deg <= 90.0 {
            return vec![Arc::around(self.center, self.radius_deg)];
        }
        if self.radius_deg == 180.0 {
            return vec![];
        }
        // The same circle, seen from the other side.
        let ra = self.center.ra_deg();
        let opposite = if ra < 180.0 { ra + 180.0 } else { ra - 180.0 };
        vec![Arc::around(SkyCoord::from_valid(opposite, -self.center.dec_deg()), 180.0 - self.radius_deg)]
    }
}
