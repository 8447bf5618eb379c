//! Unit vectors, and angles between positions.

use crate::SkyCoord;
use crate::coord::normalize_ra;

pub(crate) type Vector = [f64; 3];

/// More than the error of a component of a unit vector, from [`unit`] or of a point of a cell: the roundings of a few
/// operations of 1.1e-16 each, and of an angle of up to four quarter turns.
pub(crate) const UNIT_ERROR: f64 = 1e-15;

impl SkyCoord {
    /// The angle to another position.
    ///
    /// Accurate to a few parts in 1e16 of the angle at any distance, from far below a milliarcsecond to opposite
    /// points, at the poles and across right ascension 0.
    ///
    /// # Units
    ///
    /// Degrees, 0 to 180.
    ///
    /// # Examples
    ///
    /// ```
    /// use coaddkit_sky::SkyCoord;
    ///
    /// let a = SkyCoord::from_degrees(359.5, 0.0)?;
    /// let b = SkyCoord::from_degrees(0.5, 0.0)?;
    /// assert_eq!(a.separation_deg(b), 1.0);
    /// # Ok::<(), coaddkit_sky::Error>(())
    /// ```
    pub fn separation_deg(self, other: Self) -> f64 {
        let (near, far) = haversines(self, other);
        2.0 * near.sqrt().atan2(far.sqrt()).to_degrees()
    }
}

/// The squared sines of half the angle to a position and of half the angle to its antipode. Differences of degrees
/// come before everything else: they are exact for positions close together.
#[inline]
pub(crate) fn haversines(a: SkyCoord, b: SkyCoord) -> (f64, f64) {
    let square = |x: f64| x * x;
    let half = |deg: f64| (deg / 2.0).to_radians();
    let cosines = cos_deg(a.dec_deg()) * cos_deg(b.dec_deg());
    // Around the shorter way, so that the difference stays exact across right ascension 0.
    let (low, high) =
        if a.ra_deg() <= b.ra_deg() { (a.ra_deg(), b.ra_deg()) } else { (b.ra_deg(), a.ra_deg()) };
    let ra = if high - low > 180.0 { (360.0 - high) + low } else { high - low };
    let (sine, cosine) = half(ra).sin_cos();
    let near = square(half(a.dec_deg() - b.dec_deg()).sin()) + cosines * square(sine);
    let far = square(half(a.dec_deg() + b.dec_deg()).sin()) + cosines * square(cosine);
    (near, far)
}

/// The unit vector of a position: x to right ascension 0, z to the north pole.
#[inline]
pub(crate) fn unit(position: SkyCoord) -> Vector {
    let (ra_sine, ra_cosine) = sin_cos_deg(position.ra_deg());
    let (sine, cosine) = sin_cos_deg(position.dec_deg());
    [cosine * ra_cosine, cosine * ra_sine, sine]
}

/// The position of a direction, of any length.
pub(crate) fn position_of([x, y, z]: Vector) -> SkyCoord {
    // The arc tangent of a distance and a height is at most a right angle.
    SkyCoord::from_valid(normalize_ra(y.atan2(x).to_degrees()), z.atan2(x.hypot(y)).to_degrees())
}

#[inline]
pub(crate) fn cos_deg(deg: f64) -> f64 {
    sin_cos_deg(deg).1
}

/// Sine and cosine of degrees; the quarter turns come off first and exactly, so that the conversion to radians
/// does not multiply a rounding by the size of the angle, and a pole has a cosine of 0.
#[inline]
pub(crate) fn sin_cos_deg(deg: f64) -> (f64, f64) {
    let quarters = (deg / 90.0).round_ties_even();
    turned((deg - quarters * 90.0).to_radians().sin_cos(), quarters)
}

/// Sine and cosine of quarter turns.
#[inline]
pub(crate) fn sin_cos_quarters(turns: f64) -> (f64, f64) {
    let quarters = turns.round_ties_even();
    turned(((turns - quarters) * std::f64::consts::FRAC_PI_2).sin_cos(), quarters)
}

#[inline]
fn turned((sine, cosine): (f64, f64), quarters: f64) -> (f64, f64) {
    match quarters as i64 & 3 {
        0 => (sine, cosine),
        1 => (cosine, -sine),
        2 => (-sine, -cosine),
        _ => (-cosine, sine),
    }
}

#[inline]
pub(crate) fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

#[inline]
pub(crate) fn cross(a: Vector, b: Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

#[inline]
pub(crate) fn minus(a: Vector, b: Vector) -> Vector {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

#[inline]
pub(crate) fn plus(a: Vector, b: Vector) -> Vector {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

#[inline]
pub(crate) fn times(a: Vector, factor: f64) -> Vector {
    a.map(|x| x * factor)
}

/// The squared length of the chord between two points.
#[inline]
pub(crate) fn chord2(a: Vector, b: Vector) -> f64 {
    let d = minus(a, b);
    dot(d, d)
}

/// The angle between two unit vectors, in radians.
pub(crate) fn angle(a: Vector, b: Vector) -> f64 {
    let (d, s) = (minus(a, b), plus(a, b));
    2.0 * dot(d, d).sqrt().atan2(dot(s, s).sqrt())
}

/// The unit normal of the great circle from `a` to `b`; accurate however close they are, since their difference is
/// exact. `None` for equal and for opposite points.
pub(crate) fn normal(a: Vector, b: Vector) -> Option<Vector> {
    // (a + b) × (b - a) = 2 a × b.
    let n = cross(plus(a, b), minus(b, a));
    let length = dot(n, n).sqrt();
    (length > 0.0).then(|| times(n, 1.0 / length))
}
