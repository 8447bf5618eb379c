//! Where the cells lie on the sphere.
//!
//! A base cell is the unit square with x to its eastern and y to its western corner, south at (0, 0). Where
//! |sin δ| < 2/3 the square maps linearly to (longitude, sin δ). In the polar caps, with `u` and `v` the distances
//! (in x and y) from the pole's corner and σ = u + v, the distance from the pole has 1 - |sin δ| = σ²/3, and the
//! longitude is the fraction v/σ or u/σ of the base cell's quarter.

use crate::SkyCoord;
use crate::area::Curve;
use crate::coord::normalize_ra;
use crate::sphere::{Vector, sin_cos_quarters};

/// A point of a base cell, on the sphere, before any trigonometry.
#[derive(Debug, Clone, Copy)]
enum Spot {
    /// Within |sin δ| ≤ 2/3.
    Belt { quarters: f64, sine: f64 },
    /// In a polar cap, at σ from the pole.
    Cap { quarters: f64, sigma: f64, north: bool },
}

/// Coordinates of a point in its base cell, counted in cells: 0 to `n` each. Halves and smaller fractions are exact.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub face: u8,
    pub x: f64,
    pub y: f64,
    pub n: f64,
}

impl Place {
    #[inline]
    fn spot(self) -> Spot {
        let Self { face, x, y, n } = self;
        let quarter = f64::from(face % 4);
        match face / 4 {
            0 if x + y > n => {
                let (u, v) = (n - y, n - x);
                let sigma = u + v;
                Spot::Cap { quarters: quarter + fraction(u, sigma), sigma: sigma / n, north: true }
            }
            2 if x + y < n => {
                let sigma = x + y;
                Spot::Cap { quarters: quarter + fraction(x, sigma), sigma: sigma / n, north: false }
            }
            row => {
                let offset = if row == 1 { 0.0 } else { 0.5 };
                let quarters = quarter + offset + (x - y) / n / 2.0;
                Spot::Belt { quarters, sine: (x + y - f64::from(row) * n) / n * (2.0 / 3.0) }
            }
        }
    }

    /// The point as a unit vector.
    #[inline]
    pub fn unit(self) -> Vector {
        match self.spot() {
            Spot::Belt { quarters, sine } => {
                let (s, c) = sin_cos_quarters(quarters);
                let cosine = (1.0 - sine * sine).sqrt();
                [cosine * c, cosine * s, sine]
            }
            Spot::Cap { quarters, sigma, north } => {
                let (s, c) = sin_cos_quarters(quarters);
                let depth = sigma * sigma / 3.0;
                let cosine = sigma * ((2.0 - depth) / 3.0).sqrt();
                let sine = 1.0 - depth;
                [cosine * c, cosine * s, if north { sine } else { -sine }]
            }
        }
    }

    pub fn position(self) -> SkyCoord {
        let (quarters, dec_deg) = match self.spot() {
            Spot::Belt { quarters, sine } => (quarters, sine.asin().to_degrees()),
            Spot::Cap { quarters, sigma, north } => {
                let dec_deg = cap_dec_deg(sigma);
                (quarters, if north { dec_deg } else { -dec_deg })
            }
        };
        SkyCoord::from_valid(normalize_ra(quarters * 90.0), dec_deg)
    }

    /// σ where the point lies in a polar cap or on its rim.
    fn sigma(self) -> Option<f64> {
        match self.face / 4 {
            0 if self.x + self.y >= self.n => Some((self.n - self.x + (self.n - self.y)) / self.n),
            2 if self.x + self.y <= self.n => Some((self.x + self.y) / self.n),
            _ => None,
        }
    }
}

/// The declination, in degrees, at σ from the north pole.
pub(super) fn cap_dec_deg(sigma: f64) -> f64 {
    // 1 - sin δ = σ²/3 = 2 sin²(half the distance from the pole).
    90.0 - 2.0 * (sigma / 6_f64.sqrt()).asin().to_degrees()
}

/// `part / whole`; all meridians meet at the pole, and any will do there.
#[inline]
fn fraction(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// A cell by its base cell and its column and row there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Square {
    face: u8,
    i: u32,
    j: u32,
    n: u32,
}

impl Square {
    pub fn new(order: u8, nested: u64) -> Self {
        // An order is at most 29, so each number fits; the base cell is at most 11.
        let (i, j) = (even_bits(nested), even_bits(nested >> 1));
        let mask = (1_u32 << order) - 1;
        Self { face: (nested >> (2 * order)) as u8, i: i & mask, j: j & mask, n: 1 << order }
    }

    fn place(self, di: f64, dj: f64) -> Place {
        let (x, y) = (f64::from(self.i) + di, f64::from(self.j) + dj);
        Place { face: self.face, x, y, n: f64::from(self.n) }
    }

    pub fn center(self) -> Place {
        self.place(0.5, 0.5)
    }

    /// South, east, north, west.
    pub fn corners(self) -> [Place; 4] {
        [self.place(0.0, 0.0), self.place(1.0, 0.0), self.place(1.0, 1.0), self.place(0.0, 1.0)]
    }

    /// An upper bound of the angle from the centre to any point of the cell, in radians.
    pub fn reach(self) -> f64 {
        let [south, _, north, _] = self.corners();
        let polar = match self.face / 4 {
            0 => north.sigma().is_some_and(|sigma| sigma < 1.0),
            1 => false,
            _ => south.sigma().is_some_and(|sigma| sigma < 1.0),
        };
        // 2/√5 = 0.89443 and √1.1427 = 1.06898: see the documentation of the module `cover`.
        (if polar { 1.069 } else { 0.894_5 }) / f64::from(self.n)
    }
}

/// A piece of an edge of a cell, from `a` to `b`; one coordinate is constant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub a: Place,
    pub b: Place,
}

impl Curve for Piece {
    fn ends(&self) -> [Vector; 2] {
        [self.a.unit(), self.b.unit()]
    }

    fn halves(&self) -> [Self; 2] {
        let Self { a, b } = *self;
        let middle = Place { x: (a.x + b.x) / 2.0, y: (a.y + b.y) / 2.0, ..a };
        [Self { a, b: middle }, Self { a: middle, b }]
    }

    fn bulge(&self) -> f64 {
        let Self { a, b } = *self;
        let length = ((b.x - a.x).abs() + (b.y - a.y).abs()) / a.n;
        let curvature = match (a.sigma(), b.sigma()) {
            (Some(at_a), Some(at_b)) => {
                let sigma = at_a.min(at_b);
                let corner = if a.face < 4 { a.n } else { 0.0 };
                let constant = (corner - if a.x == b.x { a.x } else { a.y }).abs() / a.n;
                // On a meridian (of which the constant is 0) the curve may run through the pole.
                if constant == 0.0 { 1.3 } else { 1.3 + 2.02 * constant * constant / (sigma * sigma * sigma) }
            }
            _ => 1.94,
        };
        curvature * length * length / 8.0
    }
}

/// Every second bit, from the lowest.
fn even_bits(z: u64) -> u32 {
    let z = z & 0x5555_5555_5555_5555;
    let z = (z | z >> 1) & 0x3333_3333_3333_3333;
    let z = (z | z >> 2) & 0x0f0f_0f0f_0f0f_0f0f;
    let z = (z | z >> 4) & 0x00ff_00ff_00ff_00ff;
    let z = (z | z >> 8) & 0x0000_ffff_0000_ffff;
    // The halves are apart by 16 bits now, and the cast drops the rest.
    (z | z >> 16) as u32
}
