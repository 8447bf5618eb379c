use super::{Imaging, PerBand, Source, TINY, clipped_mag, log10};
use crate::maskbits::MaskBits;

/// Bright galaxy targets of the main survey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bgs {
    /// r below 19.5.
    pub bright: bool,
    /// r up to 20.175, with a cut in colour or fibre magnitude.
    pub faint: bool,
    /// Active nuclei that look like stars to the other cuts.
    pub wise: bool,
}

/// BASS r is so much fainter than DECam r.
const OFFSET: f64 = 0.04;

/// Fluxes of the magnitudes in their names, computed in f64 and rounded to f32; a test computes them again.
const FLUX_12: f32 = 15_848.932;
const FLUX_15: f32 = 1000.0;
const FLUX_19_5: f32 = 15.848_932;
const FLUX_19_54: f32 = 15.275_660_5;
const FLUX_20_175: f32 = 8.511_38;
const FLUX_20_22: f32 = 8.165_824;
/// Flux ratios of -1 and of 4 magnitudes.
const RATIO_LEAST: f32 = 0.398_107_17;
const RATIO_MOST: f32 = 39.810_72;

/// Whether a source is a star: r of Gaia against r of the survey, in the mixed precision of the definition.
struct Gaia {
    known: bool,
    /// Gaia G - r, observed.
    grr: f64,
    mag: f32,
}

impl Source {
    /// Bright galaxy targets of the main survey.
    ///
    /// # References
    ///
    /// Hahn et al. 2023, AJ 165, 253, sections 3 and 4.
    pub fn bgs(&self, imaging: Imaging) -> Bgs {
        let flux = self.dereddened();
        let m = flux.map(|f| clipped_mag(f, TINY));
        let fiber = clipped_mag(self.fiberflux_r / self.mw_transmission.r, TINY);
        let clean = !self.masked(MaskBits::BRIGHT | MaskBits::CLUSTER);
        let gaia = self.gaia();
        let galaxy = clean
            && self.measured()
            && (gaia.grr > 0.6 || !gaia.known)
            && colour_range(flux)
            && surface_brightness(m.r, fiber);
        let entitled = galaxy || (clean && self.in_galaxy_atlas);
        let bright = entitled && self.bright_limits(flux.r, imaging);
        let faint = entitled && faint_limits(flux.r, m, fiber, imaging);
        Bgs { bright, faint, wise: clean && self.wise(flux, m, fiber, &gaia) }
    }

    fn gaia(&self) -> Gaia {
        let mag = self.gaia_phot_g_mean_mag;
        let grr = if self.flux.r > 0.0 {
            f64::from(mag - 22.5 + 2.5 * log10(self.flux.r))
        } else {
            f64::from(mag - 22.5) - 40.0
        };
        Gaia { known: mag != 0.0, grr, mag }
    }

    fn measured(&self) -> bool {
        let ivar = self.flux_ivar;
        self.observed_in_all() && ivar.g > 0.0 && ivar.r > 0.0 && ivar.z > 0.0
    }

    fn bright_limits(&self, flux_r: f32, imaging: Imaging) -> bool {
        let faintest = match imaging {
            Imaging::South => FLUX_19_5,
            Imaging::North => FLUX_19_54,
        };
        flux_r > faintest && flux_r <= FLUX_12 && self.fibertotflux_r <= FLUX_15
    }

    fn wise(&self, flux: PerBand, m: PerBand, fiber: f32, gaia: &Gaia) -> bool {
        let snr = self.signal_to_noise();
        let fiber_total = clipped_mag(self.fibertotflux_r, TINY);
        let gr = m.g - m.r;
        let quality = flux.r > 0.0
            && flux.g > 0.0
            && flux.z > 0.0
            && self.measured()
            && gaia.mag > 16.0
            && m.r < 20.3
            && m.r > 16.0
            && fiber < 22.0
            && fiber_total > 15.0
            && ((fiber < 21.5 && m.r > 19.5) || m.r < 19.5)
            && (!self.is_psf || m.r < 17.5);
        let nucleus = m.z - m.w2 - gr > -0.5
            && snr.w2 > 10.0
            && !self.masked(MaskBits::WISEM2)
            && flux.w2 > 0.0
            && m.w1 - m.w2 > -0.2
            && m.z - m.w1 - gr > -0.7
            && snr.w1 > 10.0;
        quality && nucleus && gaia.known && gaia.grr < 0.6
    }
}

/// -1 < g - r < 4 and -1 < r - z < 4, in fluxes.
fn colour_range(flux: PerBand) -> bool {
    let within = |a: f32, b: f32| b > a * RATIO_LEAST && b < a * RATIO_MOST;
    within(flux.g, flux.r) && within(flux.r, flux.z)
}

/// Fibre magnitude against magnitude: sources of low surface brightness yield no redshift.
fn surface_brightness(r: f32, fiber: f32) -> bool {
    (fiber < 5.1 + r && r < 17.8) || (fiber < 22.9 && r < 20.0 && r > 17.8) || (fiber < 2.9 + r && r > 20.0)
}

fn faint_limits(flux_r: f32, m: PerBand, fiber: f32, imaging: Imaging) -> bool {
    let (faintest, brightest, offset) = match imaging {
        Imaging::South => (FLUX_20_175, FLUX_19_5, 0.0),
        Imaging::North => (FLUX_20_22, FLUX_19_54, OFFSET),
    };
    let colour = (m.z - m.w1) - 1.2 * (m.g - (m.r - offset as f32)) + 1.2;
    let limit = |mag: f64| (mag + offset) as f32;
    flux_r > faintest
        && flux_r <= brightest
        && (fiber < limit(20.75) || (fiber < limit(21.5) && colour > 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flux_constants_are_those_of_their_magnitudes() {
        let flux = |mag: f64| libm::pow(10.0, (22.5 - mag) / 2.5) as f32;
        assert_eq!([FLUX_12, FLUX_15, FLUX_19_5], [flux(12.0), flux(15.0), flux(19.5)]);
        assert_eq!([FLUX_19_54, FLUX_20_175, FLUX_20_22], [flux(19.5 + OFFSET), flux(20.175), flux(20.22)]);
        assert_eq!([RATIO_LEAST, RATIO_MOST], [flux(22.5 + 1.0), flux(22.5 - 4.0)]);
    }
}
