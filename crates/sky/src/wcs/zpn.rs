//! The zenithal polynomial projection.

use std::f64::consts::PI;

/// Distance from the native pole to radius in the plane, as a polynomial; both in radians.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Zpn {
    /// By power, at least the first two.
    coefficients: Vec<f64>,
    /// Up to here the polynomial rises.
    largest_angle: f64,
    radii: [f64; 2],
}

impl Zpn {
    /// `None` if the polynomial does not rise from the pole.
    pub(crate) fn new(mut coefficients: Vec<f64>) -> Option<Self> {
        while coefficients.last() == Some(&0.0) {
            coefficients.pop();
        }
        if coefficients.len() < 2 {
            return None;
        }
        let mut zpn = Self { coefficients, largest_angle: PI, radii: [0.0; 2] };
        if zpn.value_and_slope(0.0).1 <= 0.0 {
            return None;
        }
        // The first maximum, to a degree and then by halving.
        let falls = |zpn: &Self, angle: f64| zpn.value_and_slope(angle).1 <= 0.0;
        if let Some(degree) = (1..=180).find(|&degree| falls(&zpn, f64::from(degree).to_radians())) {
            let (mut low, mut high) = (f64::from(degree - 1).to_radians(), f64::from(degree).to_radians());
            for _ in 0..60 {
                let middle = (low + high) / 2.0;
                *if falls(&zpn, middle) { &mut high } else { &mut low } = middle;
            }
            zpn.largest_angle = low;
        }
        zpn.radii = [0.0, zpn.largest_angle].map(|angle| zpn.value_and_slope(angle).0);
        Some(zpn)
    }

    fn value_and_slope(&self, angle: f64) -> (f64, f64) {
        self.coefficients
            .iter()
            .rev()
            .fold((0.0, 0.0), |(value, slope), c| (value * angle + c, slope * angle + value))
    }

    /// The radius of an angle, up to where the polynomial turns.
    pub(crate) fn radius(&self, angle: f64) -> Option<f64> {
        (angle <= self.largest_angle).then(|| self.value_and_slope(angle).0)
    }

    /// The angle of a radius: Newton's steps, kept inside a shrinking interval.
    pub(crate) fn angle(&self, radius: f64) -> Option<f64> {
        if !(self.radii[0]..=self.radii[1]).contains(&radius) {
            return None;
        }
        let (mut low, mut high) = (0.0, self.largest_angle);
        let mut angle = high * (radius - self.radii[0]) / (self.radii[1] - self.radii[0]);
        for _ in 0..200 {
            let (value, slope) = self.value_and_slope(angle);
            *if value < radius { &mut low } else { &mut high } = angle;
            let newton = angle - (value - radius) / slope;
            let next = if (low..=high).contains(&newton) { newton } else { (low + high) / 2.0 };
            let step = next - angle;
            angle = next;
            if step.abs() <= 1e-16 * angle {
                break;
            }
        }
        Some(angle)
    }
}
