//! Map projections, between the native sphere and the plane in radians.

use std::f64::consts::{FRAC_PI_2, PI, SQRT_2};

use super::sphere::Native;
use super::zpn::Zpn;

/// Coordinates that exceed their limit by no more than this are rounding.
const TOLERANCE: f64 = 1e-12;
/// Depth of what counts as behind the tangent plane, with which rounding cannot put a point a quarter of the sky away
/// in front of it.
const HORIZON: f64 = 1e-15;

/// A projection (Calabretta & Greisen 2002; HPX: Calabretta & Roukema 2007).
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Projection {
    Tan,
    Stg,
    /// Slant orthographic if the parameters are not 0.
    Sin {
        xi: f64,
        eta: f64,
    },
    Arc,
    Zea,
    Zpn(Box<Zpn>),
    Car,
    Cea {
        lambda: f64,
    },
    Mer,
    Sfl,
    Ait,
    Mol,
    Hpx {
        h: f64,
        k: f64,
    },
}

impl Projection {
    /// Native latitude of the reference point in degrees, unless a header moves it.
    pub(crate) const fn theta0_deg(&self) -> f64 {
        match self {
            Self::Tan | Self::Stg | Self::Sin { .. } | Self::Arc | Self::Zea | Self::Zpn(_) => 90.0,
            _ => 0.0,
        }
    }

    /// The direction that is projected onto a point, not necessarily of length 1; `None` outside the projection.
    #[inline]
    pub(crate) fn native(&self, x: f64, y: f64) -> Option<Native> {
        // Of the zenithal projections, `scale` is cos θ / R.
        let zenithal = |scale: f64, sin_theta: f64| Some([-y * scale, x * scale, sin_theta]);
        let square = x * x + y * y;
        match *self {
            Self::Tan => zenithal(1.0, 1.0),
            Self::Stg => zenithal(4.0, 4.0 - square),
            Self::Sin { xi, eta } if xi == 0.0 && eta == 0.0 => {
                zenithal(1.0, within(1.0 - square, 0.0)?.sqrt())
            }
            Self::Sin { xi, eta } => {
                let (p, q) = (x - xi, y - eta);
                let (a, b, c) = (xi * xi + eta * eta + 1.0, xi * p + eta * q, p * p + q * q - 1.0);
                let sin_theta = (within(b * b - a * c, 0.0)?.sqrt() - b) / a;
                Some([-y + eta * (1.0 - sin_theta), x - xi * (1.0 - sin_theta), sin_theta])
            }
            Self::Arc => {
                let angle = square.sqrt();
                within(PI - angle, 0.0)?;
                let (sin, cos) = angle.sin_cos();
                zenithal(if angle == 0.0 { 1.0 } else { sin / angle }, cos)
            }
            Self::Zea => zenithal(within(1.0 - square / 4.0, 0.0)?.sqrt(), 1.0 - square / 2.0),
            Self::Zpn(ref zpn) => {
                let radius = square.sqrt();
                let (sin, cos) = zpn.angle(radius)?.sin_cos();
                zenithal(if radius == 0.0 { 1.0 } else { sin / radius }, cos)
            }
            Self::Car => {
                within(FRAC_PI_2 - y.abs(), 0.0)?;
                spherical(x, y.sin_cos())
            }
            Self::Cea { lambda } => {
                let sin_theta = lambda * y;
                spherical(x, (sin_theta, within(1.0 - sin_theta * sin_theta, 0.0)?.sqrt()))
            }
            Self::Mer => spherical(x, (y.tanh(), 1.0 / y.cosh())),
            Self::Sfl => {
                within(FRAC_PI_2 - y.abs(), 0.0)?;
                let (sin, cos) = y.sin_cos();
                spherical(quotient(x, cos)?, (sin, cos))
            }
            Self::Ait => {
                let z2 = 1.0 - x * x / 16.0 - y * y / 4.0;
                let z = (within(z2 - 0.5, 0.0)? + 0.5).sqrt();
                // The half longitude, from cos θ times its sine and cosine.
                let (sin_half, cos_half) = (x * z / 2.0, 2.0 * z * z - 1.0);
                spherical(2.0 * sin_half.atan2(cos_half), (y * z, sin_half.hypot(cos_half)))
            }
            Self::Mol => {
                let cos_gamma = within(1.0 - y * y / 2.0, 0.0)?.sqrt();
                let w = 2.0 * cos_gamma.atan2(y.abs() / SQRT_2);
                let lack = angle_less_sine(w) / PI;
                let cos_theta = (lack * (2.0 - lack)).sqrt();
                let phi = quotient(x * FRAC_PI_2, SQRT_2 * cos_gamma)?;
                spherical(phi, ((1.0 - lack).copysign(y), cos_theta))
            }
            Self::Hpx { h, k } => hpx_native(h, k, x, y),
        }
    }

    /// The point onto which a direction of length 1 is projected; `None` if it is not.
    #[inline]
    pub(crate) fn plane(&self, native: Native) -> Option<[f64; 2]> {
        let [l, m, n] = native;
        // Of the zenithal projections, `scale` is R / cos θ.
        let zenithal = |scale: f64| Some([m * scale, -l * scale]);
        let polar = |radius: f64, cos_theta: f64| {
            if cos_theta > 0.0 { zenithal(radius / cos_theta) } else { Some([0.0, -radius]) }
        };
        match *self {
            Self::Tan => (n > HORIZON).then(|| [m / n, -l / n]),
            Self::Stg if n > 0.0 => zenithal(2.0 / (1.0 + n)),
            Self::Stg => {
                let cos2 = l * l + m * m;
                (cos2 > HORIZON * HORIZON).then(|| 2.0 * (1.0 - n) / cos2).and_then(zenithal)
            }
            Self::Sin { xi, eta } => {
                (n + xi * m - eta * l >= 0.0).then(|| [m + xi * (1.0 - n), -l + eta * (1.0 - n)])
            }
            Self::Arc => polar(l.hypot(m).atan2(n), l.hypot(m)),
            Self::Zea if n > 0.0 => zenithal((2.0 / (1.0 + n)).sqrt()),
            Self::Zea => polar((2.0 * (1.0 - n)).sqrt(), l.hypot(m)),
            Self::Zpn(ref zpn) => polar(zpn.radius(l.hypot(m).atan2(n))?, l.hypot(m)),
            Self::Car => Some([m.atan2(l), n.atan2(l.hypot(m))]),
            Self::Cea { lambda } => Some([m.atan2(l), n / lambda]),
            Self::Mer => {
                let cos_theta = l.hypot(m);
                (cos_theta > HORIZON).then(|| [m.atan2(l), (n / cos_theta).asinh()])
            }
            Self::Sfl => {
                let cos_theta = l.hypot(m);
                Some([m.atan2(l) * cos_theta, n.atan2(cos_theta)])
            }
            Self::Ait => {
                let cos_theta = l.hypot(m);
                let (sin_half, cos_half) = (m.atan2(l) / 2.0).sin_cos();
                let scale = (2.0 / (1.0 + cos_theta * cos_half)).sqrt();
                Some([2.0 * scale * cos_theta * sin_half, scale * n])
            }
            Self::Mol => {
                let (sin_gamma, cos_gamma) = (mollweide_angle(native) / 2.0).sin_cos();
                // `mollweide_angle` counts from the pole.
                let (sin_gamma, cos_gamma) = (cos_gamma.copysign(n), sin_gamma);
                Some([2.0 * SQRT_2 / PI * m.atan2(l) * cos_gamma, SQRT_2 * sin_gamma])
            }
            Self::Hpx { h, k } => Some(hpx_plane(h, k, native)),
        }
    }
}

/// `value`, or `limit` if it is below that by rounding; `None` below, and for NaN.
#[inline]
fn within(value: f64, limit: f64) -> Option<f64> {
    (value >= limit - TOLERANCE).then(|| value.max(limit))
}

/// A longitude as `numerator / cosine`, where both vanish at a pole.
#[inline]
fn quotient(numerator: f64, cosine: f64) -> Option<f64> {
    if cosine > TOLERANCE { Some(numerator / cosine) } else { (numerator.abs() <= TOLERANCE).then_some(0.0) }
}

/// The direction of a longitude within the sphere's one turn, and sine and cosine of a latitude.
#[inline]
fn spherical(phi: f64, (sin_theta, cos_theta): (f64, f64)) -> Option<Native> {
    within(PI - phi.abs(), 0.0)?;
    let (sin_phi, cos_phi) = phi.sin_cos();
    Some([cos_theta * cos_phi, cos_theta * sin_phi, sin_theta])
}

/// `w - sin w` without cancellation.
fn angle_less_sine(w: f64) -> f64 {
    if w.abs() > 0.5 {
        return w - w.sin();
    }
    // The first neglected term is w^17/17!, below 1e-16 of the first.
    let s = w * w;
    let mut sum = 0.0;
    for k in [15.0, 13.0, 11.0, 9.0, 7.0, 5.0] {
        sum = s / (k * (k - 1.0)) * (1.0 - sum);
    }
    w * s / 6.0 * (1.0 - sum)
}

/// The root of `w - sin w = π (1 - |sin θ|)`: twice the auxiliary angle of Mollweide's projection, counted from the
/// nearer pole, where the usual equation is ill-conditioned.
fn mollweide_angle([l, m, n]: Native) -> f64 {
    let target = PI * (l * l + m * m) / (1.0 + n.abs());
    // From below the root; the function is convex, so the first step goes beyond it and the others come down to it.
    let mut w = (6.0 * target).cbrt();
    for _ in 0..50 {
        let half_sine = (w / 2.0).sin();
        let slope = 2.0 * half_sine * half_sine;
        if slope == 0.0 {
            break;
        }
        let step = (angle_less_sine(w) - target) / slope;
        w = (w - step).min(PI);
        if step.abs() <= 1e-15 * w {
            break;
        }
    }
    w
}

/// Middle of the facet of HPX in whose polar triangle `x` lies.
fn facet_middle(h: f64, k: f64, x: f64, north: bool) -> f64 {
    let odd = if north || k % 2.0 != 0.0 { 1.0 } else { 0.0 };
    let facet = ((x + PI) * h / (2.0 * PI) + (1.0 - odd) / 2.0).floor();
    // The far edge belongs to the last facet.
    let facet = facet.min(if odd > 0.0 { h - 1.0 } else { h });
    -PI + (2.0 * facet + odd) * PI / h
}

fn hpx_native(h: f64, k: f64, x: f64, y: f64) -> Option<Native> {
    within(PI - x.abs(), 0.0)?;
    let edge = FRAC_PI_2 * (k - 1.0) / h;
    if y.abs() <= edge {
        let sin_theta = y * h / (FRAC_PI_2 * k);
        return spherical(x, (sin_theta, (1.0 - sin_theta * sin_theta).max(0.0).sqrt()));
    }
    let sigma = within((k + 1.0) / 2.0 - y.abs() * h / PI, 0.0)?;
    let middle = facet_middle(h, k, x, y > 0.0);
    let offset = x - middle;
    within(PI / h * sigma - offset.abs(), 0.0)?;
    let phi = middle + quotient(offset, sigma)?;
    let lack = sigma * sigma / k;
    // The two outermost facets may reach over the meridian of 180 degrees.
    spherical(phi.clamp(-PI, PI), ((1.0 - lack).copysign(y), (lack * (2.0 - lack)).sqrt()))
}

fn hpx_plane(h: f64, k: f64, [l, m, n]: Native) -> [f64; 2] {
    let phi = m.atan2(l);
    if n.abs() <= (k - 1.0) / k {
        return [phi, FRAC_PI_2 * k / h * n];
    }
    let sigma = (k * (l * l + m * m) / (1.0 + n.abs())).sqrt();
    let middle = facet_middle(h, k, phi, n > 0.0);
    [middle + (phi - middle) * sigma, (PI / h * ((k + 1.0) / 2.0 - sigma)).copysign(n)]
}
