//! Offsets in a tangent plane.

use crate::SkyCoord;
use crate::coord::normalize_ra;
use crate::error::{Error, finite};
use crate::sphere::sin_cos_deg;

/// The plane that touches the sphere at a centre: the gnomonic projection, in which great circles are straight.
///
/// # Examples
///
/// ```
/// use coaddkit_sky::{SkyCoord, TangentPlane};
///
/// let lens = SkyCoord::from_degrees(150.0, 60.0)?;
/// let plane = TangentPlane::new(lens);
/// let source = plane.position(1.0 / 3600.0, -2.0 / 3600.0)?;
/// let [east, north] = plane.offset(source).expect("on this side of the sky");
/// assert!((east * 3600.0 - 1.0).abs() < 1e-9 && (north * 3600.0 + 2.0).abs() < 1e-9);
/// # Ok::<(), coaddkit_sky::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TangentPlane {
    center: SkyCoord,
    sine: f64,
    cosine: f64,
}

impl TangentPlane {
    /// The plane at a centre.
    pub fn new(center: SkyCoord) -> Self {
        let (sine, cosine) = sin_cos_deg(center.dec_deg());
        Self { center, sine, cosine }
    }

    /// The centre.
    pub const fn center(&self) -> SkyCoord {
        self.center
    }

    /// Offsets eastwards and northwards of a position; `None` at 90 degrees from the centre and beyond.
    ///
    /// Accurate to parts in 1e15 of the offset also where it is tiny.
    ///
    /// # Units
    ///
    /// Degrees in the plane: at an angle `a` from the centre the tangent of `a`, times 180/π.
    pub fn offset(&self, position: SkyCoord) -> Option<[f64; 2]> {
        let (ra0, dec0) = (self.center.ra_deg(), self.center.dec_deg());
        let (ra, dec) = (position.ra_deg(), position.dec_deg());
        // The shorter way around, so that the difference is exact.
        let turn = if ra - ra0 > 180.0 {
            -((360.0 - ra) + ra0)
        } else if ra - ra0 < -180.0 {
            (360.0 - ra0) + ra
        } else {
            ra - ra0
        };
        let (turn_sine, turn_cosine) = sin_cos_deg(turn);
        let (sine, cosine) = sin_cos_deg(dec);
        let half = sin_cos_deg(turn / 2.0).0;
        // 1 - cos Δα without its cancellation; far away that is no gain.
        let versine = 2.0 * half * half;
        let (step_sine, step_cosine) = sin_cos_deg(dec - dec0);
        let depth = if turn.abs() < 90.0 {
            step_cosine - self.cosine * cosine * versine
        } else {
            self.sine * sine + self.cosine * cosine * turn_cosine
        };
        if depth < f64::EPSILON {
            return None;
        }
        let east = cosine * turn_sine / depth;
        let north = (step_sine + self.sine * cosine * versine) / depth;
        Some([east.to_degrees(), north.to_degrees()])
    }

    /// The position at offsets eastwards and northwards.
    ///
    /// # Units
    ///
    /// Degrees in the plane, as [`offset`](Self::offset) gives them.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] for NaN and infinities.
    pub fn position(&self, east_deg: f64, north_deg: f64) -> Result<SkyCoord, Error> {
        let east = finite("east_deg", east_deg)?.to_radians();
        let north = finite("north_deg", north_deg)?.to_radians();
        let outwards = self.cosine - north * self.sine;
        let turn = east.atan2(outwards).to_degrees();
        let dec_deg = (self.sine + north * self.cosine).atan2(east.hypot(outwards)).to_degrees();
        Ok(SkyCoord::from_valid(normalize_ra(self.center.ra_deg() + turn), dec_deg))
    }
}
