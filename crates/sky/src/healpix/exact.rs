//! Positions within rounding of an edge between cells, decided in twice the precision.
//!
//! On an edge an error of 1e-16 picks the wrong cell, and edges run through round numbers such as (0, 30). Here the
//! two coordinates of the position along the edges are known to 1e-30, and what is closer than 1e-27 to an edge is on
//! it. That takes microseconds, and happens to one random position in 1e13 at order 7.

use super::fast::spread;
use crate::SkyCoord;

/// Edges that rise eastwards and edges that fall, counted from the west: together they name a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lattice {
    /// Counted around the whole belt.
    Belt { up: u64, down: u64 },
    /// Counted from the pole, within a quarter of the cap.
    Cap { quarter: u64, up: u64, down: u64, north: bool },
}

impl Lattice {
    /// The cell of a position, with `n` cells along a side of a base cell.
    pub fn of(position: SkyCoord, n: u32) -> Self {
        let (ra, dec) = (position.ra_deg(), position.dec_deg());
        let side = f64::from(n);
        let floor = |value: Double| {
            let scaled = value.times(side);
            let near = scaled.high.round();
            let off = scaled.plus(-near);
            let whole = if off.high.abs() < 1e-27 * side || off.high > 0.0 { near } else { near - 1.0 };
            // Below 2^32, and not negative but for rounding.
            whole.max(0.0) as u64
        };
        let sine = Double::sine_of_degrees(dec);
        // The remainder is exact.
        let quarter = (ra / 90.0).floor().min(3.0);
        let part = Double::ratio(ra - quarter * 90.0, 90.0);
        if sine.high.abs() <= 0.67 && sine.abs().times(3.0).plus(-2.0).high <= 0.0 {
            let turns = part.plus(quarter + 0.5);
            let slope = sine.times(0.75);
            return Self::Belt { up: floor(turns.minus(slope)), down: floor(turns.add(slope)) };
        }
        let height = SQRT_6.mul(Double::sine_of_degrees((90.0 - dec.abs()) / 2.0));
        let last = u64::from(n) - 1;
        let up = floor(part.mul(height)).min(last);
        let down = floor(height.minus(part.mul(height))).min(last);
        Self::Cap { quarter: quarter as u64, up, down, north: dec > 0.0 }
    }

    /// Base cell, column and row.
    pub fn square(self, n: u32) -> (u64, u64, u64) {
        let n = u64::from(n);
        match self {
            Self::Belt { up, down } => {
                let (west, east) = (up / n, down / n);
                let face = match west.cmp(&east) {
                    std::cmp::Ordering::Equal => west % 4 + 4,
                    std::cmp::Ordering::Less => west % 4,
                    std::cmp::Ordering::Greater => east % 4 + 8,
                };
                (face, down % n, n - 1 - up % n)
            }
            Self::Cap { quarter, up, down, north: true } => (quarter, n - 1 - down, n - 1 - up),
            Self::Cap { quarter, up, down, north: false } => (quarter + 8, up, down),
        }
    }

    /// The number in the nested scheme, of an order with `n` cells along a side.
    pub fn nested(self, n: u32) -> u64 {
        let (face, i, j) = self.square(n);
        // Columns and rows are below n.
        face << (2 * n.trailing_zeros()) | spread(i as u32) | spread(j as u32) << 1
    }

    /// The number in the ring scheme.
    pub fn ring(self, n: u32) -> u64 {
        let n = u64::from(n);
        match self {
            Self::Belt { up, down } => {
                // From 1 at the declination asin(2/3).
                let ring = (n + 1 + up).saturating_sub(down).clamp(1, 2 * n + 1);
                let shift = 1 - (ring & 1);
                // Two turns more, so that nothing is negative before the remainder.
                let along = (up + down + shift + 1 + 7 * n) / 2 % (4 * n);
                2 * n * (n - 1) + (ring - 1) * 4 * n + along
            }
            Self::Cap { quarter, up, down, north } => {
                let ring = (up + down + 1).min(n);
                let along = quarter * ring + up.min(ring - 1);
                if north { 2 * ring * (ring - 1) + along } else { 12 * n * n - 2 * ring * (ring + 1) + along }
            }
        }
    }
}

/// A number as the sum of two doubles that do not overlap: about 31 digits.
#[derive(Debug, Clone, Copy)]
struct Double {
    high: f64,
    low: f64,
}

const SQRT_6: Double = Double { high: 2.449_489_742_783_178, low: 2.168_616_518_103_246e-16 };
/// π/180.
const RADIANS: Double = Double { high: 0.017_453_292_519_943_295, low: 2.948_652_270_870_168_7e-19 };

impl Double {
    const fn new(high: f64) -> Self {
        Self { high, low: 0.0 }
    }

    /// The exact sum of two doubles.
    fn sum(a: f64, b: f64) -> Self {
        let high = a + b;
        let part = high - a;
        Self { high, low: (a - (high - part)) + (b - part) }
    }

    /// The exact product of two doubles.
    fn product(a: f64, b: f64) -> Self {
        let high = a * b;
        Self { high, low: a.mul_add(b, -high) }
    }

    fn ratio(a: f64, b: f64) -> Self {
        let high = a / b;
        let left = (-high).mul_add(b, a);
        Self::sum(high, left / b)
    }

    fn add(self, other: Self) -> Self {
        let (high, low) = (Self::sum(self.high, other.high), Self::sum(self.low, other.low));
        let first = Self::sum(high.high, high.low + low.high);
        Self::sum(first.high, first.low + low.low)
    }

    fn minus(self, other: Self) -> Self {
        self.add(Self { high: -other.high, low: -other.low })
    }

    fn plus(self, other: f64) -> Self {
        self.add(Self::new(other))
    }

    fn mul(self, other: Self) -> Self {
        let main = Self::product(self.high, other.high);
        Self::sum(main.high, main.low + (self.high * other.low + self.low * other.high))
    }

    fn times(self, factor: f64) -> Self {
        self.mul(Self::new(factor))
    }

    fn over(self, divisor: f64) -> Self {
        let high = self.high / divisor;
        let left = self.minus(Self::product(high, divisor));
        Self::sum(high, left.high / divisor)
    }

    fn abs(self) -> Self {
        if self.high < 0.0 { Self { high: -self.high, low: -self.low } } else { self }
    }

    /// The sine of an angle within a quarter turn, by its power series or that of the complement's cosine.
    fn sine_of_degrees(deg: f64) -> Self {
        let complement = deg.abs() > 45.0;
        let x = RADIANS.times(if complement { 90.0 - deg.abs() } else { deg });
        let square = x.mul(x);
        let mut term = if complement { Self::new(1.0) } else { x };
        let mut sum = term;
        // The terms fall below 1e-33 after 14 of them.
        for k in 1..=14 {
            let k = 2.0 * f64::from(k) + if complement { -1.0 } else { 0.0 };
            let next = term.mul(square).over(k * (k + 1.0));
            term = Self { high: -next.high, low: -next.low };
            sum = sum.add(term);
        }
        if complement && deg < 0.0 { Self { high: -sum.high, low: -sum.low } } else { sum }
    }
}
