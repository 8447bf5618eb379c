use crate::band::Band;
use crate::flux::{AbMag, InverseVariance, Nanomaggies, POGSON};

/// Nanomaggies per maggy.
const MAGGY: f64 = 1e9;

/// The softening of asinh magnitudes ("luptitudes"), which are defined for every flux, also a negative one.
///
/// m = -2.5/ln 10 (asinh(f / 2b) + ln b), with the flux f and the softening b in maggies. For fluxes well above b
/// this is the usual magnitude.
///
/// # Examples
///
/// ```
/// use coaddkit_photometry::{Band, Nanomaggies, Softening};
///
/// let g = Softening::sdss(Band::G).expect("SDSS has a g band");
/// assert!((g.mag(Nanomaggies(0.0)).0 - 25.114).abs() < 1e-3);
/// assert!((g.mag(Nanomaggies(100.0)).0 - 17.5).abs() < 1e-6);
/// ```
///
/// # References
///
/// Lupton, Gunn & Szalay 1999, AJ 118, 1406, equation 3. The values of the SDSS: Stoughton et al. 2002, AJ 123,
/// 485, table 21.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Softening {
    /// b in maggies.
    b: f64,
}

impl Softening {
    /// A softening in nanomaggies, about the noise of the survey; `None` unless it is positive and finite.
    pub fn from_nanomaggies(b: f64) -> Option<Self> {
        (b > 0.0 && b.is_finite()).then_some(Self { b: b / MAGGY })
    }

    /// The softening that the SDSS used in its bands u, g, r, i, z; `None` for others.
    pub fn sdss(band: Band) -> Option<Self> {
        let b = match band {
            Band::U => 1.4e-10,
            Band::G => 0.9e-10,
            Band::R => 1.2e-10,
            Band::I => 1.8e-10,
            Band::Z => 7.4e-10,
            _ => return None,
        };
        Some(Self { b })
    }

    /// The asinh magnitude; NaN for NaN only.
    pub fn mag(self, flux: Nanomaggies) -> AbMag {
        let x = flux.0 / MAGGY / (2.0 * self.b);
        AbMag(-POGSON * (libm::asinh(x) + libm::log(self.b)))
    }

    /// The standard error of the asinh magnitude, to first order.
    ///
    /// # Units
    ///
    /// Magnitudes. NaN when the flux is not finite, or the inverse variance not positive and finite.
    pub fn mag_error(self, flux: Nanomaggies, inverse_variance: InverseVariance) -> f64 {
        let InverseVariance(ivar) = inverse_variance;
        if !(flux.0.is_finite() && ivar > 0.0 && ivar.is_finite()) {
            return f64::NAN;
        }
        let (x, error) = (flux.0 / MAGGY / (2.0 * self.b), 1.0 / ivar.sqrt() / MAGGY);
        POGSON * error / (2.0 * self.b) / libm::hypot(1.0, x)
    }
}
