//! Polynomial distortions, SIP on pixels and TPV on the tangent plane, and their inverse.

/// A value at a point, and its derivatives by both coordinates.
type Jet = (f64, [f64; 2]);

/// A polynomial in two variables up to a total degree.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Polynomial {
    degree: usize,
    /// By power of the first variable, then of the second, as far as the degree allows.
    coefficients: Vec<f64>,
}

impl Polynomial {
    /// With the coefficients that `of(i, j)` gives for the powers `i` and `j`.
    pub(crate) fn new<E>(
        degree: usize,
        mut of: impl FnMut(usize, usize) -> Result<f64, E>,
    ) -> Result<Self, E> {
        let powers = (0..=degree).flat_map(|i| (0..=degree - i).map(move |j| (i, j)));
        let coefficients = powers.map(|(i, j)| of(i, j)).collect::<Result<_, E>>()?;
        Ok(Self { degree, coefficients })
    }

    #[inline]
    fn at(&self, u: f64, v: f64) -> Jet {
        let (mut value, mut by_u, mut by_v) = (0.0, 0.0, 0.0);
        let mut end = self.coefficients.len();
        for count in 1..=self.degree + 1 {
            let row = &self.coefficients[end - count..end];
            end -= count;
            let (mut sum, mut slope) = (0.0, 0.0);
            for &c in row.iter().rev() {
                slope = slope * v + sum;
                sum = sum * v + c;
            }
            by_u = by_u * u + value;
            value = value * u + sum;
            by_v = by_v * u + slope;
        }
        (value, [by_u, by_v])
    }
}

/// Odd powers 1, 3, 5, 7 of the radius.
type Radial = [f64; 4];

fn radial(k: &Radial, u: f64, v: f64) -> Jet {
    let (square, radius) = (u * u + v * v, u.hypot(v));
    let series = k[0] + square * (k[1] + square * (k[2] + square * k[3]));
    // d(r f(r²)) = (f + 2 r² f') du u/r
    let slope = k[0] + square * (3.0 * k[1] + square * (5.0 * k[2] + square * 7.0 * k[3]));
    let by = |coordinate: f64| if radius > 0.0 { slope * coordinate / radius } else { 0.0 };
    (series * radius, [by(u), by(v)])
}

/// A map of the plane onto itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Distortion {
    /// Corrections that are added to the coordinates.
    Sip([Polynomial; 2]),
    /// Polynomials that replace the coordinates.
    Tpv([(Polynomial, Radial); 2]),
}

impl Distortion {
    /// Image of a point, and the derivatives of both coordinates.
    #[inline]
    pub(crate) fn apply(&self, u: f64, v: f64) -> ([f64; 2], [[f64; 2]; 2]) {
        match self {
            Self::Sip([a, b]) => {
                let ((du, [a_u, a_v]), (dv, [b_u, b_v])) = (a.at(u, v), b.at(u, v));
                ([u + du, v + dv], [[1.0 + a_u, a_v], [b_u, 1.0 + b_v]])
            }
            Self::Tpv(axes) => {
                let [(x, dx), (y, dy)] = axes.each_ref().map(|(polynomial, k)| {
                    let ((p, [p_u, p_v]), (r, [r_u, r_v])) = (polynomial.at(u, v), radial(k, u, v));
                    (p + r, [p_u + r_u, p_v + r_v])
                });
                ([x, y], [dx, dy])
            }
        }
    }

    /// The point whose image is `target`, found by Newton's method from the linear part. `unit` is a length of no
    /// importance in the coordinates' unit.
    ///
    /// `None` where the distortion has folded the plane over, or reaches no such point: far outside of the image for
    /// which it was fitted.
    pub(crate) fn invert(&self, target: [f64; 2], unit: f64) -> Option<[f64; 2]> {
        let step = |[u, v]: [f64; 2]| {
            let (image, jacobian) = self.apply(u, v);
            let inverse = inverse(jacobian)?;
            Some((product(&inverse, [target[0] - image[0], target[1] - image[1]]), determinant(&jacobian)))
        };
        let (mut at, mut orientation) = ([0.0, 0.0], 0.0);
        for round in 0..30 {
            let ([du, dv], turned) = step(at)?;
            if round == 0 {
                orientation = turned;
            }
            at = [at[0] + du, at[1] + dv];
            let (moved, size) = (du.hypot(dv), at[0].hypot(at[1]).max(unit));
            if moved <= 1e-13 * size {
                return (turned * orientation > 0.0).then_some(at);
            }
            if !moved.is_finite() {
                return None;
            }
        }
        None
    }
}

pub(crate) fn determinant([[a, b], [c, d]]: &[[f64; 2]; 2]) -> f64 {
    a * d - b * c
}

/// The inverse of a matrix; `None` if it is singular or not finite.
pub(crate) fn inverse(matrix: [[f64; 2]; 2]) -> Option<[[f64; 2]; 2]> {
    let [[a, b], [c, d]] = matrix;
    let determinant = determinant(&matrix);
    let inverse = [[d / determinant, -b / determinant], [-c / determinant, a / determinant]];
    let usable = determinant.abs() > 1e-14 * (a * d).abs().max((b * c).abs())
        && inverse.as_flattened().iter().all(|x| x.is_finite());
    usable.then_some(inverse)
}

#[inline]
pub(crate) fn product([[a, b], [c, d]]: &[[f64; 2]; 2], [x, y]: [f64; 2]) -> [f64; 2] {
    [a * x + b * y, c * x + d * y]
}
