//! From the native sphere of a projection to the sky.

use crate::coord::normalize_ra;
use crate::{Error, SkyCoord};

/// A unit vector on the native sphere: `(cos θ cos φ, cos θ sin φ, sin θ)`.
pub(crate) type Native = [f64; 3];

/// Differences of angles up to this many degrees are rounding of what a header has written down.
const TOLERANCE_DEG: f64 = 1e-10;

/// Where the two spheres lie to each other: position of the native pole on the sky, and native longitude of the
/// celestial pole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rotation {
    pole_ra_deg: f64,
    /// Sine and cosine of the declination of the native pole.
    pole_dec: (f64, f64),
    /// Sine and cosine of the native longitude of the celestial pole.
    lonpole: (f64, f64),
}

/// What a header says about the rotation, in degrees.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reference {
    /// CRVAL, longitude and latitude.
    pub crval: [f64; 2],
    /// Native longitude and latitude of the reference point.
    pub native: [f64; 2],
    /// LONPOLE, if given.
    pub lonpole: Option<f64>,
    /// LATPOLE, if given.
    pub latpole: Option<f64>,
}

impl Rotation {
    /// Solves for the native pole (Calabretta & Greisen 2002, section 2.4).
    pub(crate) fn new(reference: Reference) -> Result<Self, Error> {
        let Reference { crval: [lon0, lat0], native: [phi0, theta0], lonpole, latpole } = reference;
        let lonpole = lonpole.unwrap_or(if lat0 < theta0 { phi0 + 180.0 } else { phi0 });
        let (ra, dec) = if theta0 == 90.0 {
            (lon0, lat0)
        } else {
            native_pole([lon0, lat0], theta0, lonpole - phi0, latpole.unwrap_or(90.0))
                .map_err(|problem| Error::Keyword { keyword: "LONPOLE".into(), problem: problem.into() })?
        };
        Ok(Self { pole_ra_deg: ra, pole_dec: sin_cos_deg(dec), lonpole: sin_cos_deg(lonpole) })
    }

    /// With the native pole at a position, and LONPOLE as it is without the keyword.
    pub(crate) fn about(pole: SkyCoord) -> Self {
        let lonpole = if pole.dec_deg() < 90.0 { 180.0 } else { 0.0 };
        let (pole_dec, lonpole) = (sin_cos_deg(pole.dec_deg()), sin_cos_deg(lonpole));
        Self { pole_ra_deg: pole.ra_deg(), pole_dec, lonpole }
    }

    /// The position of a native direction, which need not be normalised.
    #[inline]
    pub(crate) fn to_sky(self, [l, m, n]: Native) -> Option<SkyCoord> {
        let ((sin_pole, cos_pole), (sin_phi, cos_phi)) = (self.pole_dec, self.lonpole);
        // Along and across the meridian of the celestial pole.
        let (along, across) = (l * cos_phi + m * sin_phi, m * cos_phi - l * sin_phi);
        let (x, y) = (n * cos_pole - along * sin_pole, -across);
        let z = n * sin_pole + along * cos_pole;
        let square = x * x + y * y;
        // The square is as exact, and much faster, unless it leaves the range of doubles.
        let across = if (1e-280..1e280).contains(&square) { square.sqrt() } else { x.hypot(y) };
        let dec = z.atan2(across).to_degrees();
        let ra = self.pole_ra_deg + y.atan2(x).to_degrees();
        // Pixels so far away that they overflowed have no position.
        (ra.is_finite() && dec.is_finite())
            .then(|| SkyCoord::from_valid(normalize_ra(ra), dec.clamp(-90.0, 90.0)))
    }

    /// The axes of the native sphere, on the sky.
    pub(crate) fn axes(self) -> [Native; 3] {
        let columns = [(0.0, 0.0), (90.0, 0.0), (0.0, 90.0)]
            .map(|(ra_deg, dec_deg)| self.to_native(SkyCoord::from_valid(ra_deg, dec_deg)));
        std::array::from_fn(|i| std::array::from_fn(|j| columns[j][i]))
    }

    /// The native direction of a position.
    #[inline]
    pub(crate) fn to_native(self, position: SkyCoord) -> Native {
        let ((sin_pole, cos_pole), (sin_phi, cos_phi)) = (self.pole_dec, self.lonpole);
        let (sin_ra, cos_ra) = sin_cos_deg(position.ra_deg() - self.pole_ra_deg);
        let (z, cos_dec) = sin_cos_deg(position.dec_deg());
        let (x, y) = (cos_dec * cos_ra, cos_dec * sin_ra);
        let (along, across) = (z * cos_pole - x * sin_pole, -y);
        [along * cos_phi - across * sin_phi, across * cos_phi + along * sin_phi, x * cos_pole + z * sin_pole]
    }
}

/// Position of the native pole, for a reference point that is not that pole.
fn native_pole(
    [lon0, lat0]: [f64; 2],
    theta0: f64,
    lonpole: f64,
    latpole: f64,
) -> Result<(f64, f64), &'static str> {
    const IMPOSSIBLE: &str = "no native pole fits CRVAL and LONPOLE";
    let ((sin_lat0, cos_lat0), (sin_theta0, cos_theta0)) = (sin_cos_deg(lat0), sin_cos_deg(theta0));
    let (sin_pole, cos_pole) = sin_cos_deg(lonpole);
    let (x, y) = (cos_theta0 * cos_pole, sin_theta0);
    let length = x.hypot(y);
    let dec = if length == 0.0 {
        // The meridian says nothing: LATPOLE decides.
        if sin_lat0.abs() > TOLERANCE_DEG.to_radians() {
            return Err(IMPOSSIBLE);
        }
        latpole.clamp(-90.0, 90.0)
    } else {
        let (u, v) = if sin_pole == 0.0 && cos_pole > 0.0 {
            (theta0, 90.0 - lat0)
        } else {
            let cosine = sin_lat0 / length;
            if cosine.abs() > 1.0 + TOLERANCE_DEG {
                return Err(IMPOSSIBLE);
            }
            (y.atan2(x).to_degrees(), cosine.clamp(-1.0, 1.0).acos().to_degrees())
        };
        let half_turn = |angle: f64| angle - 360.0 * (angle / 360.0).round();
        let valid = |angle: f64| (angle.abs() <= 90.0 + TOLERANCE_DEG).then(|| angle.clamp(-90.0, 90.0));
        let (one, two) = (half_turn(u + v), half_turn(u - v));
        // Of two solutions the one nearer to LATPOLE.
        let (near, far) = if (latpole - one).abs() < (latpole - two).abs() { (one, two) } else { (two, one) };
        valid(near).or_else(|| valid(far)).ok_or(IMPOSSIBLE)?
    };
    let (sin_dec, cos_dec) = sin_cos_deg(dec);
    let ra = if (cos_dec * cos_lat0).abs() < TOLERANCE_DEG.to_radians() {
        if cos_lat0.abs() < TOLERANCE_DEG.to_radians() {
            lon0
        } else if dec > 0.0 {
            lon0 + lonpole - 180.0
        } else {
            lon0 - lonpole
        }
    } else {
        let x = (sin_theta0 - sin_dec * sin_lat0) / (cos_dec * cos_lat0);
        let y = sin_pole * cos_theta0 / cos_lat0;
        lon0 - y.atan2(x).to_degrees()
    };
    Ok((ra, dec))
}

/// Sine and cosine of degrees, exact at the multiples of 90.
#[inline]
pub(crate) fn sin_cos_deg(angle_deg: f64) -> (f64, f64) {
    // By a cast, which unlike `round` needs no call of a library; angles that saturate it have no meaning.
    let quarters = (angle_deg / 90.0 + 0.5_f64.copysign(angle_deg)) as i64;
    // Exact: both terms are multiples of the last bit of the larger, and the difference is small.
    let (sin, cos) = (angle_deg - 90.0 * quarters as f64).to_radians().sin_cos();
    match quarters & 3 {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        _ => (-cos, sin),
    }
}
