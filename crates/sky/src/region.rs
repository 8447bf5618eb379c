//! Regions of the sky.

use std::fmt;

use crate::coord::normalize_ra;
use crate::error::within;
use crate::{Error, SkyCoord};

/// Bounds of a box in right ascension and declination, in degrees; a bound that is `None` does not limit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RegionBounds {
    /// Smallest right ascension, 0 to 360.
    pub ra_min_deg: Option<f64>,
    /// Largest right ascension, 0 to 360.
    pub ra_max_deg: Option<f64>,
    /// Smallest declination, -90 to 90.
    pub dec_min_deg: Option<f64>,
    /// Largest declination, -90 to 90.
    pub dec_max_deg: Option<f64>,
}

/// A part of the sky; for now a box in right ascension and declination, edges included.
///
/// A box whose `ra_min` is above its `ra_max` wraps: it runs from `ra_min` eastwards through 0 to `ra_max`. 360 is
/// the same meridian as 0.
///
/// # Examples
///
/// ```
/// use coaddkit_sky::{Region, RegionBounds, SkyCoord};
///
/// let around_zero = Region::from_bounds(RegionBounds {
///     ra_min_deg: Some(350.0),
///     ra_max_deg: Some(10.0),
///     dec_min_deg: Some(-5.0),
///     ..Default::default()
/// })?;
/// assert!(around_zero.contains(SkyCoord::from_degrees(359.0, 80.0)?));
/// assert!(around_zero.contains(SkyCoord::from_degrees(10.0, -5.0)?));
/// assert!(!around_zero.contains(SkyCoord::from_degrees(180.0, 0.0)?));
/// assert!(!around_zero.contains_degrees(0.0, f64::NAN));
/// # Ok::<(), coaddkit_sky::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Region {
    shape: Shape,
}

/// Private, so that a cone or a polygon can join it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    Box { ra_min: f64, ra_max: f64, dec_min: f64, dec_max: f64 },
}

impl Region {
    /// The whole sky.
    pub const fn all_sky() -> Self {
        Self::from_valid_box(0.0, 360.0, -90.0, 90.0)
    }

    /// A box.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] and [`Error::OutOfRange`] for a bound that is no angle of its range (a box around right
    /// ascension 0 is written with `ra_min` above `ra_max`, not with a negative bound), [`Error::EmptyRange`] when
    /// `dec_min` is above `dec_max`.
    pub fn from_bounds(bounds: RegionBounds) -> Result<Self, Error> {
        let ra = |what, bound: Option<f64>, open| bound.map_or(Ok(open), |deg| within(what, deg, 0.0, 360.0));
        let dec =
            |what, bound: Option<f64>, open| bound.map_or(Ok(open), |deg| within(what, deg, -90.0, 90.0));
        let (ra_min, ra_max) =
            (ra("ra_min_deg", bounds.ra_min_deg, 0.0)?, ra("ra_max_deg", bounds.ra_max_deg, 360.0)?);
        let (dec_min, dec_max) =
            (dec("dec_min_deg", bounds.dec_min_deg, -90.0)?, dec("dec_max_deg", bounds.dec_max_deg, 90.0)?);
        if dec_min > dec_max {
            return Err(Error::EmptyRange { what: "dec_deg", min: dec_min, max: dec_max });
        }
        Ok(Self::from_valid_box(ra_min, ra_max, dec_min, dec_max))
    }

    /// For boxes that are valid by construction.
    pub(crate) const fn from_valid_box(ra_min: f64, ra_max: f64, dec_min: f64, dec_max: f64) -> Self {
        Self { shape: Shape::Box { ra_min, ra_max, dec_min, dec_max } }
    }

    /// The box that encloses the region, with all bounds given; of a box, the box itself.
    pub const fn bounds(&self) -> RegionBounds {
        let Shape::Box { ra_min, ra_max, dec_min, dec_max } = self.shape;
        RegionBounds {
            ra_min_deg: Some(ra_min),
            ra_max_deg: Some(ra_max),
            dec_min_deg: Some(dec_min),
            dec_max_deg: Some(dec_max),
        }
    }

    /// Whether a position lies in the region or on its edge.
    #[inline]
    pub fn contains(&self, position: SkyCoord) -> bool {
        let Shape::Box { ra_min, ra_max, dec_min, dec_max } = self.shape;
        let (ra, dec) = (position.ra_deg(), position.dec_deg());
        dec >= dec_min && dec <= dec_max && ra_within(ra, ra_min, ra_max)
    }

    /// [`contains`](Self::contains) for numbers straight from a table: whatever is no position (NaN, infinite,
    /// beyond a pole) is not in the region, not even in [`all_sky`](Self::all_sky).
    ///
    /// # Units
    ///
    /// Degrees; the right ascension may have any finite value.
    #[inline]
    pub fn contains_degrees(&self, ra_deg: f64, dec_deg: f64) -> bool {
        ra_deg.is_finite()
            && dec_deg.abs() <= 90.0
            && self.contains(SkyCoord::from_valid(normalize_ra(ra_deg), dec_deg))
    }

    /// Whether the regions share a point; touching edges do.
    ///
    /// At the poles themselves, where all meridians meet, boxes of different right ascensions count as apart.
    ///
    /// # Examples
    ///
    /// Which sweep files a region needs:
    ///
    /// ```
    /// use coaddkit_sky::{Region, RegionBounds, SweepName};
    ///
    /// let region = Region::from_bounds(RegionBounds {
    ///     ra_min_deg: Some(358.0),
    ///     ra_max_deg: Some(2.0),
    ///     dec_min_deg: Some(-4.0),
    ///     dec_max_deg: Some(-1.0),
    /// })?;
    /// let sweeps = ["sweep-000m005-005p000.fits", "sweep-005m005-010p000.fits", "sweep-355m005-360p000.fits"];
    /// let needed = sweeps.map(|name| name.parse::<SweepName>().map(|name| name.footprint().overlaps(&region)));
    /// assert_eq!(needed, [Ok(true), Ok(false), Ok(true)]);
    /// # Ok::<(), coaddkit_sky::Error>(())
    /// ```
    pub fn overlaps(&self, other: &Self) -> bool {
        let Shape::Box { ra_min: a_min, ra_max: a_max, dec_min: a_south, dec_max: a_north } = self.shape;
        let Shape::Box { ra_min: b_min, ra_max: b_max, dec_min: b_south, dec_max: b_north } = other.shape;
        // Two closed arcs meet exactly when one holds the start of the other.
        a_south <= b_north
            && b_south <= a_north
            && (ra_within(b_min, a_min, a_max) || ra_within(a_min, b_min, b_max))
    }

    /// Area on the sphere, in square degrees.
    ///
    /// # Examples
    ///
    /// ```
    /// let sky = coaddkit_sky::Region::all_sky().area_deg2();
    /// assert!((sky - 41_252.961_249_419_27).abs() < 1e-9);
    /// ```
    pub fn area_deg2(&self) -> f64 {
        let Shape::Box { ra_min, ra_max, dec_min, dec_max } = self.shape;
        let ra_max = if ra_max < ra_min { ra_max + 360.0 } else { ra_max };
        box_area_deg2([ra_min, ra_max], [dec_min, dec_max])
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shape::Box { ra_min, ra_max, dec_min, dec_max } = self.shape;
        write!(f, "RA {ra_min} to {ra_max}, Dec {dec_min:+} to {dec_max:+} deg")
    }
}

/// Area between two meridians and two parallels, in square degrees, from numbers straight from a table: never
/// negative, and NaN if a number is NaN.
///
/// # Units
///
/// Degrees. `ra_deg` and `dec_deg` are the two edges in either order.
///
/// # Examples
///
/// ```
/// use coaddkit_sky::box_area_deg2;
///
/// assert_eq!(box_area_deg2([237.25, 237.5], [0.375, 0.625]), 0.062497570613748284);
/// ```
pub fn box_area_deg2(ra_deg: [f64; 2], dec_deg: [f64; 2]) -> f64 {
    let [ra1, ra2] = ra_deg.map(f64::to_radians);
    let [sine1, sine2] = dec_deg.map(|dec| dec.to_radians().sin());
    ((ra2 - ra1) * (sine2 - sine1)).abs() * (180.0 / std::f64::consts::PI).powi(2)
}

/// Whether a right ascension lies on a closed arc. A bound of 360 may be asked for too: that it is 0 then follows from
/// the other bound's turn.
#[inline]
fn ra_within(ra: f64, ra_min: f64, ra_max: f64) -> bool {
    let inside = if ra_min <= ra_max { ra >= ra_min && ra <= ra_max } else { ra >= ra_min || ra <= ra_max };
    inside || (ra == 0.0 && (ra_max == 360.0 || ra_min == 360.0))
}
