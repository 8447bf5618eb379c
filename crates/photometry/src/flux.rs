use std::f64::consts::LN_10;

use crate::cut::magnitude;

/// Magnitudes per unit of the natural logarithm of a flux.
pub(crate) const POGSON: f64 = 2.5 / LN_10;

/// A flux in units of 3.631 microjansky, in which AB magnitude 22.5 is 1.
///
/// # Examples
///
/// ```
/// use coaddkit_photometry::{AbMag, InverseVariance, Nanomaggies};
///
/// let flux = Nanomaggies(10.0);
/// assert_eq!(flux.mag(), AbMag(20.0));
/// assert!((flux.mag_error(InverseVariance(100.0)) - 0.0109).abs() < 1e-4);
/// assert!(Nanomaggies(-1.0).mag().0.is_nan());
/// // 3631 nanomaggies are 13.6 mag; 3631 *jansky* are magnitude 0.
/// assert!((Nanomaggies(3631.0).mag().0 - 13.6).abs() < 1e-4);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Nanomaggies(pub f64);

/// A magnitude in the AB system.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct AbMag(pub f64);

/// The inverse variance of a flux, in 1/nanomaggies^2. Zero says that nothing was measured.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct InverseVariance(pub f64);

impl Nanomaggies {
    /// 22.5 - 2.5 log10(flux).
    ///
    /// NaN for a flux that is zero, negative or NaN; -infinity for +infinity.
    pub fn mag(self) -> AbMag {
        AbMag(magnitude(self.0))
    }

    /// The flux before extinction: divided by the transmission of the Milky Way, the `MW_TRANSMISSION` of catalogues.
    ///
    /// NaN when the transmission is not above zero. (A [`Cut`](crate::Cut) takes the bare quotient.)
    pub fn dereddened(self, transmission: f64) -> Nanomaggies {
        Nanomaggies(if transmission > 0.0 { self.0 / transmission } else { f64::NAN })
    }

    /// Flux over its standard error; NaN for a negative inverse variance.
    pub fn signal_to_noise(self, inverse_variance: InverseVariance) -> f64 {
        self.0 * inverse_variance.0.sqrt()
    }

    /// The standard error of [`mag`](Self::mag), to first order.
    ///
    /// # Units
    ///
    /// Magnitudes. NaN when flux or inverse variance are not both positive and finite.
    pub fn mag_error(self, inverse_variance: InverseVariance) -> f64 {
        let InverseVariance(ivar) = inverse_variance;
        let known = self.0 > 0.0 && self.0.is_finite() && ivar > 0.0 && ivar.is_finite();
        if known { POGSON / (self.0 * ivar.sqrt()) } else { f64::NAN }
    }
}

impl AbMag {
    /// 10^((22.5 - mag) / 2.5).
    pub fn flux(self) -> Nanomaggies {
        Nanomaggies(libm::pow(10.0, (22.5 - self.0) / 2.5))
    }
}

impl InverseVariance {
    /// The magnitude whose flux is `sigmas` standard errors: the depth of a survey, usually at 5.
    ///
    /// Sweep and Tractor catalogues hold `PSFDEPTH` and `GALDEPTH` as such inverse variances. The bricks table holds
    /// columns of the same names that are magnitudes already; nothing but the size of the numbers tells them apart.
    ///
    /// NaN when the inverse variance is not above zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use coaddkit_photometry::{AbMag, InverseVariance};
    ///
    /// let depth = InverseVariance(2500.0).depth(5.0);
    /// assert_eq!(depth, AbMag(25.0));
    /// assert!((InverseVariance::of_depth(depth, 5.0).0 - 2500.0).abs() < 1e-9);
    /// ```
    pub fn depth(self, sigmas: f64) -> AbMag {
        if self.0 > 0.0 { Nanomaggies(sigmas / self.0.sqrt()).mag() } else { AbMag(f64::NAN) }
    }

    /// The inverse variance that gives a [`depth`](Self::depth).
    pub fn of_depth(depth: AbMag, sigmas: f64) -> InverseVariance {
        let error = depth.flux().0 / sigmas;
        InverseVariance(1.0 / (error * error))
    }
}
