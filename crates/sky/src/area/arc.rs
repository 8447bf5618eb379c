//! Pieces of circles on the sphere.

use std::f64::consts::PI;

use crate::SkyCoord;
use crate::coord::normalize_ra;
use crate::sphere::{UNIT_ERROR, Vector, angle, chord2, cross, dot, sin_cos_deg, unit};

/// An arc of a great or a small circle, or all of a small one.
#[derive(Debug, Clone)]
pub struct Arc {
    circle: Circle,
    ends: Option<Ends>,
    anchor: SkyCoord,
}

#[derive(Debug, Clone)]
enum Circle {
    /// Around a centre; the radius is at most a right angle, so that a chord is as accurate as an angle.
    Small {
        center: Vector,
        radius: f64,
        chord: f64,
    },
    Great {
        normal: Vector,
    },
}

/// Two half-spaces; the arc lies in both if it is at most half a circle, in either one otherwise.
#[derive(Debug, Clone)]
struct Ends {
    first: Vector,
    last: Vector,
    inwards: [Vector; 2],
    both: bool,
}

impl Arc {
    /// All positions `radius_deg`, 0 to 90, from a centre.
    pub(crate) fn around(center: SkyCoord, radius_deg: f64) -> Self {
        // Towards the equator no pole is in the way.
        let dec_deg = if center.dec_deg() >= 0.0 {
            center.dec_deg() - radius_deg
        } else {
            center.dec_deg() + radius_deg
        };
        let anchor = SkyCoord::from_valid(center.ra_deg(), dec_deg.clamp(-90.0, 90.0));
        Self { circle: small(unit(center), radius_deg), ends: None, anchor }
    }

    /// A parallel, all of it or from one right ascension eastwards to another.
    pub(crate) fn parallel(dec_deg: f64, ra_deg: Option<[f64; 2]>) -> Self {
        let pole = [0.0, 0.0, 1_f64.copysign(dec_deg)];
        let at = |ra_deg| SkyCoord::from_valid(normalize_ra(ra_deg), dec_deg);
        let ends = ra_deg.map(|[from, to]| {
            let width = if from <= to { to - from } else { (360.0 - from) + to };
            let [x, y] = east(from);
            let [x2, y2] = east(to);
            let inwards = [[x, y, 0.0], [-x2, -y2, 0.0]];
            Ends { first: unit(at(from)), last: unit(at(to)), inwards, both: width <= 180.0 }
        });
        let anchor = at(ra_deg.map_or(0.0, |[from, _]| from));
        Self { circle: small(pole, 90.0 - dec_deg.abs()), ends, anchor }
    }

    /// A meridian from one declination to a larger one.
    pub(crate) fn meridian(ra_deg: f64, dec_deg: [f64; 2]) -> Self {
        let [x, y] = east(ra_deg);
        let at = |dec_deg| SkyCoord::from_valid(normalize_ra(ra_deg), dec_deg);
        let [south, north] = dec_deg.map(|dec_deg| unit(at(dec_deg)));
        // East of a meridian is the normal whose great circle runs southwards.
        Self::between([north, south], [x, y, 0.0], at(dec_deg[1]))
    }

    /// A great circle from `first` to `last`, right-handed about `normal`, over at most half a turn.
    pub(crate) fn between([first, last]: [Vector; 2], normal: Vector, anchor: SkyCoord) -> Self {
        let inwards = [cross(normal, first), cross(last, normal)];
        Self {
            circle: Circle::Great { normal },
            ends: Some(Ends { first, last, inwards, both: true }),
            anchor,
        }
    }

    /// A part of the circle of a radius, 0 to a right angle, about an axis, less than half of it.
    pub(crate) fn about(axis: Vector, radius: f64, [a, b]: [Vector; 2], anchor: SkyCoord) -> Self {
        let [first, last] = if dot(cross(axis, a), b) >= 0.0 { [a, b] } else { [b, a] };
        let inwards = [cross(axis, first), cross(last, axis)];
        Self {
            circle: Circle::Small { center: axis, radius, chord: 2.0 * (radius / 2.0).sin() },
            ends: Some(Ends { first, last, inwards, both: true }),
            anchor,
        }
    }

    /// A point of the arc.
    pub(crate) fn anchor(&self) -> SkyCoord {
        self.anchor
    }

    /// A lower bound of the length, in radians.
    pub(crate) fn length_at_least(&self) -> f64 {
        match (&self.ends, &self.circle) {
            (Some(ends), _) => angle(ends.first, ends.last),
            (None, Circle::Small { radius, .. }) => 2.0 * PI * radius.sin(),
            (None, Circle::Great { .. }) => 2.0 * PI,
        }
    }

    /// The angle to the nearest point of the arc, in radians; not above the truth by more than rounding.
    pub(crate) fn distance(&self, point: Vector) -> f64 {
        if let Some(ends) = self.ends.as_ref().filter(|ends| !ends.span(point)) {
            // The nearest point of the circle is not on the arc, so the nearest of the arc is an end.
            return angle(point, ends.first).min(angle(point, ends.last));
        }
        match self.circle {
            Circle::Small { center, radius, .. } => (angle(point, center) - radius).abs(),
            Circle::Great { normal } => dot(point, normal).abs().min(1.0).asin(),
        }
    }

    /// Whether the arc crosses a curve, of which the ends are known, and that no point is farther than `bulge` from
    /// the straight line between them; `None` if that is not enough to tell.
    pub(crate) fn crosses(&self, points: [Vector; 2], bulge: f64) -> Option<bool> {
        let (values, slack, error) = self.circle.gauge(points, bulge);
        let [low, high] = sorted(values);
        if low > slack + error || high < -slack - error {
            return Some(false);
        }
        let certain = low < -error && high > error;
        let spanned = match &self.ends {
            None => Some(true),
            Some(ends) => ends.span_all(points, bulge),
        };
        match spanned {
            Some(false) => Some(false),
            Some(true) if certain => Some(true),
            // Where the curve is straight to within rounding, halves of it say no more.
            _ if slack <= error && bulge <= UNIT_ERROR => Some(true),
            _ => None,
        }
    }
}

impl Circle {
    /// Which side of the circle two points are on; how far the value may stray between them from a straight line; and
    /// the largest error of the values.
    fn gauge(&self, points: [Vector; 2], bulge: f64) -> ([f64; 2], f64, f64) {
        match *self {
            Self::Small { center, chord, .. } => {
                // (d - s)(d + s), so that small circles keep their digits.
                let values = points.map(|point| {
                    let d = chord2(point, center).sqrt();
                    (d - chord) * (d + chord)
                });
                let error = 4.0 * UNIT_ERROR * (chord + 2.0 * UNIT_ERROR);
                (values, 2.0 * bulge, error)
            }
            Self::Great { normal } => (points.map(|point| dot(point, normal)), bulge, 4.0 * UNIT_ERROR),
        }
    }
}

impl Ends {
    fn span(&self, point: Vector) -> bool {
        let mut inside = self.inwards.iter().map(|&inwards| dot(inwards, point) >= 0.0);
        if self.both { inside.all(|inside| inside) } else { inside.any(|inside| inside) }
    }

    /// Whether all of a curve lies in the span (`true`) or none of it (`false`).
    fn span_all(&self, points: [Vector; 2], bulge: f64) -> Option<bool> {
        let slack = bulge + 4.0 * UNIT_ERROR;
        let sides = self.inwards.map(|inwards| {
            let [low, high] = sorted(points.map(|point| dot(point, inwards)));
            if low > slack {
                Some(true)
            } else if high < -slack {
                Some(false)
            } else {
                None
            }
        });
        let decisive = Some(!self.both);
        if sides.contains(&decisive) {
            return decisive;
        }
        if sides.contains(&None) { None } else { Some(self.both) }
    }
}

fn small(center: Vector, radius_deg: f64) -> Circle {
    let radius = radius_deg.to_radians();
    Circle::Small { center, radius, chord: 2.0 * (radius / 2.0).sin() }
}

/// The direction of east on a meridian.
fn east(ra_deg: f64) -> [f64; 2] {
    let (sine, cosine) = sin_cos_deg(ra_deg);
    [-sine, cosine]
}

fn sorted([a, b]: [f64; 2]) -> [f64; 2] {
    if a <= b { [a, b] } else { [b, a] }
}

/// A piece of a curve on the sphere.
pub(crate) trait Curve: Sized {
    /// The two ends, as unit vectors.
    fn ends(&self) -> [Vector; 2];

    /// An upper bound of the distance in space between any point of the piece and the point of the same parameter on
    /// the straight line between its ends.
    fn bulge(&self) -> f64;

    /// The two halves; the bulge of each is about a quarter.
    fn halves(&self) -> [Self; 2];
}

/// Whether an arc meets a curve; in doubt it does.
pub(crate) fn meets(arc: &Arc, curve: &impl Curve, depth: u32) -> bool {
    /// Halvings after which doubles have no more points between the ends.
    const DEEPEST: u32 = 50;
    match arc.crosses(curve.ends(), curve.bulge()) {
        Some(answer) => answer,
        None if depth == DEEPEST => true,
        None => curve.halves().iter().any(|half| meets(arc, half, depth + 1)),
    }
}
