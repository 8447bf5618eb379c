//! Colour images of three planes.

#[cfg(feature = "image")]
mod png;

/// A type of pixel that can be coloured: `f32` or `f64`.
///
/// Not integers, whose scale and missing values only their reader knows: convert them first.
///
/// ```compile_fail
/// let plane = [1_i16, 2, 3];
/// coaddkit_photometry::Rgb::default().render(&plane, &plane, &plane);
/// ```
pub trait RgbPixel: Copy + Into<f64> + sealed::Sealed {}
impl RgbPixel for f32 {}
impl RgbPixel for f64 {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// Why three planes give no image.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RgbError {
    /// A parameter has no meaning.
    #[error("{parameter} is {value}: {problem}")]
    Parameter {
        /// Which.
        parameter: &'static str,
        /// What was given.
        value: f64,
        /// What it must be.
        problem: &'static str,
    },
    /// A plane, or the output, has not as many pixels as go with the red plane.
    #[error("{what} has {found} elements, must have {expected}")]
    Length {
        /// Which slice.
        what: &'static str,
        /// Elements needed.
        expected: usize,
        /// Elements given.
        found: usize,
    },
    /// A picture of this shape cannot be written.
    #[error("{rows} rows of {columns} pixels make no picture: both must be 1 to 2147483647")]
    Shape {
        /// Rows asked for.
        rows: usize,
        /// Columns asked for.
        columns: usize,
    },
    /// The picture could not be encoded.
    #[error("no PNG: {problem}")]
    Png {
        /// What the encoder says.
        problem: String,
    },
}

/// How the planes of the Legacy Surveys are brightened after scaling: see [`Rgb::legacy_surveys`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LegacyCurve {
    /// By asinh(Q I) / sqrt(Q) / I of the mean intensity I.
    Asinh {
        /// Q.
        q: f64,
    },
    /// By I itself: what the published code does when it is given no Q.
    Intensity,
    /// Not at all; `min` becomes black and `max` full.
    Linear {
        /// What becomes black.
        min: f64,
        /// What becomes full.
        max: f64,
    },
}

/// A way to make a colour image of three planes.
///
/// # Units
///
/// Planes are in any unit, for [`legacy_surveys`](Self::legacy_surveys) in nanomaggies per pixel.
///
/// # Shape
///
/// Planes of equal length, in any order of pixels. The image has three bytes a pixel, red, green, blue, in that order.
/// Images for screens begin at the top, those in FITS at the bottom: `png` turns the rows round, [`render`](Self::render)
/// keeps their order.
///
/// # NaN
///
/// A pixel of which one plane is NaN or infinite is black.
///
/// # Examples
///
/// ```
/// use coaddkit_photometry::Rgb;
///
/// // Displays of LSST and many others: stretch 1, Q 8, and -0.1 is black.
/// let way = Rgb::lupton(1.0, 8.0)?.with_minimum([-0.1; 3])?;
/// let (i, r, g) = ([1.0, 0.0, f64::NAN], [0.7, 0.0, 1.0], [0.4, 0.0, 1.0]);
/// assert_eq!(way.render(&i, &r, &g)?, [122, 88, 55, 25, 25, 25, 0, 0, 0]);
/// # Ok::<(), coaddkit_photometry::RgbError>(())
/// ```
///
/// # References
///
/// Lupton et al. 2004, PASP 116, 133, as in astropy's `make_lupton_rgb`; `sdss_rgb` of legacypipe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rgb(Way);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Lupton { minimum: [f64; 3], soften: f64, slope: f64 },
    Asinh { min: f64, range: f64, a: f64 },
    Legacy { scales: [f64; 3], offset: f64, curve: LegacyCurve },
}

impl Default for Rgb {
    /// Lupton's with stretch 5 and Q 8.
    fn default() -> Self {
        Self(lupton(5.0, 8.0))
    }
}

fn lupton(stretch: f64, q: f64) -> Way {
    // A Q of 0 would divide by 0; the value that replaces it is the customary one.
    let q = if q < 1.0 / f64::from(1 << 23) { 0.1 } else { q.min(1e10) };
    Way::Lupton { minimum: [0.0; 3], soften: q / stretch, slope: 0.1 / libm::asinh(0.1 * q) }
}

fn check(parameter: &'static str, value: f64, fits: bool, problem: &'static str) -> Result<(), RgbError> {
    if value.is_finite() && fits { Ok(()) } else { Err(RgbError::Parameter { parameter, value, problem }) }
}

impl Rgb {
    /// The colours of all pixels kept, and their mean intensity stretched by an asinh: linear up to about
    /// `stretch / q`, then logarithmic. Where a band would be above full, all three are scaled down.
    ///
    /// # Errors
    ///
    /// [`RgbError::Parameter`] unless `stretch` is above 0 and `q` not below, both finite.
    pub fn lupton(stretch: f64, q: f64) -> Result<Self, RgbError> {
        check("stretch", stretch, stretch > 0.0, "it must be above 0")?;
        check("q", q, q >= 0.0, "it must not be negative")?;
        Ok(Self(lupton(stretch, q)))
    }

    /// What becomes black in the red, green and blue plane, 0 by default. Only [`lupton`](Self::lupton) has it; the
    /// others are left as they are.
    ///
    /// # Errors
    ///
    /// [`RgbError::Parameter`] for what is not finite.
    pub fn with_minimum(mut self, black: [f64; 3]) -> Result<Self, RgbError> {
        for value in black {
            check("minimum", value, true, "it must be finite")?;
        }
        if let Way::Lupton { minimum, .. } = &mut self.0 {
            *minimum = black;
        }
        Ok(self)
    }

    /// Each plane for itself: `min` to `max` by asinh(x / a) / asinh(1 / a), clipped at both ends.
    ///
    /// # Errors
    ///
    /// [`RgbError::Parameter`] unless all are finite, `max` is above `min`, and `a` above 0.
    pub fn asinh(min: f64, max: f64, a: f64) -> Result<Self, RgbError> {
        check("min", min, true, "it must be finite")?;
        check("max", max, max > min && (max - min).is_finite(), "it must be above min")?;
        check("a", a, a > 0.0 && (1.0 / a).is_finite(), "it must be above 0")?;
        Ok(Self(Way::Asinh { min, range: max - min, a }))
    }

    /// The pictures of the Legacy Surveys, from z, r and g as red, green and blue.
    pub const fn legacy_surveys() -> Self {
        Self(Way::Legacy { scales: [2.2, 3.4, 6.0], offset: 0.03, curve: LegacyCurve::Asinh { q: 20.0 } })
    }

    /// As [`legacy_surveys`](Self::legacy_surveys), with other factors of the planes (red, green, blue), another offset
    /// that is added after them, and another curve.
    ///
    /// # Errors
    ///
    /// [`RgbError::Parameter`] for what is not finite, a Q that is not above 0, and a `max` that is not above `min`.
    pub fn legacy(scales: [f64; 3], offset: f64, curve: LegacyCurve) -> Result<Self, RgbError> {
        for scale in scales {
            check("scale", scale, true, "it must be finite")?;
        }
        check("offset", offset, true, "it must be finite")?;
        match curve {
            LegacyCurve::Asinh { q } => check("q", q, q > 0.0, "it must be above 0")?,
            LegacyCurve::Intensity => {}
            LegacyCurve::Linear { min, max } => {
                check("min", min, true, "it must be finite")?;
                check("max", max, max > min && (max - min).is_finite(), "it must be above min")?;
            }
        }
        Ok(Self(Way::Legacy { scales, offset, curve }))
    }

    /// One pixel, red, green and blue: 0 is black and 1 full. What the way itself does not clip may lie outside.
    pub fn pixel(&self, planes: [f64; 3]) -> [f64; 3] {
        if planes.iter().any(|value| !value.is_finite()) {
            return [0.0; 3];
        }
        let out = match self.0 {
            Way::Lupton { minimum, soften, slope } => {
                let [r, g, b] = [0, 1, 2].map(|k| planes[k] - minimum[k]);
                let intensity = (r + g + b) / 3.0;
                if intensity <= 0.0 {
                    return [0.0; 3];
                }
                let factor = libm::asinh(intensity * soften) * slope / intensity;
                let colors = [r, g, b].map(|value| (value * factor).max(0.0));
                let largest = colors.into_iter().fold(1.0, f64::max);
                colors.map(|value| value / largest)
            }
            Way::Asinh { min, range, a } => planes.map(|value| {
                let x = ((value - min) / range).clamp(0.0, 1.0);
                libm::asinh(x / a) / libm::asinh(1.0 / a)
            }),
            Way::Legacy { scales, offset, curve } => {
                let [r, g, b] = [0, 1, 2].map(|k| planes[k] * scales[k] + offset);
                // From blue to red, as the published code sums up.
                let intensity = (b.max(0.0) + g.max(0.0) + r.max(0.0)) / 3.0;
                let curved = |value: f64| match curve {
                    LegacyCurve::Linear { min, max } => (value - min) / (max - min),
                    LegacyCurve::Intensity => value * intensity,
                    LegacyCurve::Asinh { q } => {
                        let bright = libm::asinh(q * intensity) / q.sqrt();
                        value * bright / if intensity == 0.0 { 1e-6 } else { intensity }
                    }
                };
                // The published code stores single precision.
                [r, g, b].map(|value| f64::from(curved(value) as f32))
            }
        };
        // Sums and products of huge values.
        if out.iter().all(|value| value.is_finite()) { out } else { [0.0; 3] }
    }

    /// The image of three planes: three bytes a pixel, 255 for full, rounded down.
    ///
    /// # Errors
    ///
    /// [`RgbError::Length`] if the planes differ in length.
    pub fn render<T: RgbPixel>(&self, red: &[T], green: &[T], blue: &[T]) -> Result<Vec<u8>, RgbError> {
        // A plane has at least four bytes a pixel, so this does not overflow.
        let mut out = vec![0; red.len() * 3];
        self.render_into(red, green, blue, &mut out)?;
        Ok(out)
    }

    /// As [`render`](Self::render), into a slice of three bytes a pixel.
    ///
    /// # Errors
    ///
    /// [`RgbError::Length`] if the slices do not go together.
    pub fn render_into<T: RgbPixel>(
        &self,
        red: &[T],
        green: &[T],
        blue: &[T],
        out: &mut [u8],
    ) -> Result<(), RgbError> {
        let n = red.len();
        for (what, found, expected) in
            [("green", green.len(), n), ("blue", blue.len(), n), ("out", out.len(), n * 3)]
        {
            if found != expected {
                return Err(RgbError::Length { what, expected, found });
            }
        }
        for (((&r, &g), &b), out) in red.iter().zip(green).zip(blue).zip(out.chunks_exact_mut(3)) {
            // A cast rounds down, and puts what is beyond a byte on its ends.
            let bytes = self.pixel([r.into(), g.into(), b.into()]).map(|value| (value * 255.0) as u8);
            out.copy_from_slice(&bytes);
        }
        Ok(())
    }
}
