//! Target cuts of the DESI main survey: LRG, ELG and BGS, north and south.
//!
//! These are whole selections, quality cuts included, not colours alone. They are computed in f32, operation by
//! operation in the order of the upstream definition, because that decides the rows on the limits. So they are
//! functions and no [`Cut`](crate::Cut), whose arithmetic is f64.
//!
//! A magnitude here is 22.5 - 2.5 log10(flux) of a flux that is first raised to a small positive number, 1e-7 for
//! LRG and 1e-16 for ELG and BGS: a negative flux is faint, not missing. A NaN fails every comparison.
//!
//! # Traps
//!
//! - Fluxes and fibre fluxes are dereddened, total fibre fluxes and the r of Grr are not. [`Source`] takes all of
//!   them as the catalogue holds them.
//! - The upstream ELG function gives two columns, the low-priority sample (VLO) first and the regular one (LOP)
//!   second; tables made from it have been labelled the other way round. Here both have names.
//! - The northern cuts apply to northern (BASS and MzLS) photometry as it is. [`north_shift`] is for the quasar
//!   cuts only.
//!
//! # References
//!
//! LRG: Zhou et al. 2023, AJ 165, 58. ELG: Raichoor et al. 2023, AJ 165, 126. BGS: Hahn et al. 2023, AJ 165, 253.
//! Operations, limits and masks: the module `cuts` of desitarget 4.4.0.
//!
//! # Examples
//!
//! ```
//! use coaddkit_photometry::desi::{Imaging, PerBand, Source};
//!
//! let source = Source {
//!     flux: PerBand { g: 1.3, r: 5.0, z: 17.0, w1: 52.0, w2: 28.0 },
//!     flux_ivar: PerBand { g: 900.0, r: 300.0, z: 90.0, w1: 2.0, w2: 0.5 },
//!     mw_transmission: PerBand { g: 0.9, r: 0.93, z: 0.96, w1: 0.99, w2: 0.995 },
//!     fiberflux_g: 0.7,
//!     fiberflux_r: 2.6,
//!     fiberflux_z: 8.9,
//!     fibertotflux_r: 2.6,
//!     fibertotflux_z: 8.9,
//!     nobs: [3, 3, 3],
//!     maskbits: 0,
//!     gaia_phot_g_mean_mag: 0.0,
//!     is_psf: false,
//!     in_galaxy_atlas: false,
//! };
//! assert!(source.is_lrg(Imaging::South));
//! assert!(!source.elg(Imaging::South).lop);
//! ```

mod bgs;
mod elg;
mod lrg;

pub use bgs::Bgs;
pub use elg::Elg;

use crate::maskbits::MaskBits;

/// Which imaging a source was measured in; the limits differ a little.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Imaging {
    /// BASS and MzLS.
    North,
    /// DECam.
    South,
}

/// One value per band.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[allow(missing_docs)]
pub struct PerBand {
    pub g: f32,
    pub r: f32,
    pub z: f32,
    pub w1: f32,
    pub w2: f32,
}

impl PerBand {
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self {
            g: f(self.g, other.g),
            r: f(self.r, other.r),
            z: f(self.z, other.z),
            w1: f(self.w1, other.w1),
            w2: f(self.w2, other.w2),
        }
    }

    fn map(self, f: impl Fn(f32) -> f32) -> Self {
        self.zip(self, |x, _| f(x))
    }
}

/// What the cuts read of a source, in the units and precision of the sweep catalogues.
///
/// # Units
///
/// Fluxes in nanomaggies as observed, inverse variances in 1/nanomaggies^2.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Source {
    /// `FLUX_*`
    pub flux: PerBand,
    /// `FLUX_IVAR_*`
    pub flux_ivar: PerBand,
    /// `MW_TRANSMISSION_*`
    pub mw_transmission: PerBand,
    /// `FIBERFLUX_G`
    pub fiberflux_g: f32,
    /// `FIBERFLUX_R`
    pub fiberflux_r: f32,
    /// `FIBERFLUX_Z`
    pub fiberflux_z: f32,
    /// `FIBERTOTFLUX_R`
    pub fibertotflux_r: f32,
    /// `FIBERTOTFLUX_Z`
    pub fibertotflux_z: f32,
    /// `NOBS_G`, `NOBS_R`, `NOBS_Z`
    pub nobs: [i16; 3],
    /// `MASKBITS`
    pub maskbits: u32,
    /// `GAIA_PHOT_G_MEAN_MAG`; zero for a source that Gaia does not have
    pub gaia_phot_g_mean_mag: f32,
    /// `TYPE` is `PSF`
    pub is_psf: bool,
    /// `REF_CAT` starts with `L`: the Siena Galaxy Atlas
    pub in_galaxy_atlas: bool,
}

impl Source {
    /// Dereddened fluxes.
    fn dereddened(&self) -> PerBand {
        self.flux.zip(self.mw_transmission, |f, t| f / t)
    }

    fn signal_to_noise(&self) -> PerBand {
        self.flux.zip(self.flux_ivar, signal_to_noise)
    }

    fn observed_in_all(&self) -> bool {
        self.nobs.iter().all(|n| *n > 0)
    }

    fn masked(&self, bits: MaskBits) -> bool {
        MaskBits::from_bits(self.maskbits).intersects(bits)
    }
}

/// The magnitude of these cuts: of a flux raised to `least`, all in f32.
///
/// A NaN stays one, +infinity gives -infinity.
///
/// # Units
///
/// Nanomaggies to AB magnitudes.
///
/// # Examples
///
/// ```
/// use coaddkit_photometry::desi::clipped_mag;
/// assert_eq!(clipped_mag(10.0, 1e-7), 20.0);
/// assert_eq!(clipped_mag(-3.0, 1e-7), 40.0);
/// ```
pub fn clipped_mag(flux: f32, least: f32) -> f32 {
    22.5 - 2.5 * log10(if flux < least { least } else { flux })
}

/// Flux over its standard error, in f32; NaN for a negative inverse variance.
pub fn signal_to_noise(flux: f32, inverse_variance: f32) -> f32 {
    flux * inverse_variance.sqrt()
}

/// log10 as the vector loops of numpy take it in f32, which made the reference selections: exponent and significand
/// apart, with one f32 for log10(2).
///
/// Up to 2 ulp from the best f32, and nearer to those selections than that is.
fn log10(x: f32) -> f32 {
    if !x.is_normal() || x < 0.0 {
        return libm::log10(f64::from(x)) as f32;
    }
    // Significand in [0.75, 1.5).
    let exponent = (x.to_bits().wrapping_sub(0.75_f32.to_bits()) as i32) >> 23;
    let significand = f32::from_bits(x.to_bits().wrapping_sub((exponent << 23) as u32));
    exponent as f32 * std::f32::consts::LOG10_2 + libm::log10(f64::from(significand)) as f32
}

/// Least flux in the magnitudes of the ELG and BGS cuts.
const TINY: f32 = 1e-16;

/// Northern g, r, z fluxes (BASS, MzLS) moved to the southern system, as before the quasar cuts.
///
/// A colour term is a power of a flux ratio. It is left out where one of its fluxes is zero, and of a negative
/// ratio only the real part of the complex power is kept: that is the upstream definition.
///
/// # Units
///
/// Nanomaggies.
///
/// # Examples
///
/// ```
/// let [g, r, z] = coaddkit_photometry::desi::north_shift([0.0, 1.0, 1.0]);
/// assert_eq!([g, r, z], [0.0, 1.002767, 1.0120454]);
/// ```
pub fn north_shift([g, r, z]: [f32; 3]) -> [f32; 3] {
    // Magnitude offsets of the zero points.
    let offset = |mag: f64| libm::pow(10.0, -0.4 * mag);
    let gr = (g != 0.0 && r != 0.0).then(|| g / r);
    let rz = (r != 0.0 && z != 0.0).then(|| r / z);
    [
        shifted(g, offset(0.004), gr, -0.059),
        shifted(r, offset(-0.003), rz, -0.024),
        shifted(z, offset(-0.013), rz, 0.015),
    ]
}

fn shifted(flux: f32, factor: f64, ratio: Option<f32>, exponent: f64) -> f32 {
    let scaled = flux * factor as f32;
    let Some(ratio) = ratio.map(f64::from) else { return scaled };
    // |ratio|^e times the cosine of e times the argument, which is pi for a negative ratio.
    let turn = if ratio < 0.0 { libm::cos(exponent * std::f64::consts::PI) } else { 1.0 };
    (f64::from(scaled) * libm::pow(ratio.abs(), exponent) * turn) as f32
}
