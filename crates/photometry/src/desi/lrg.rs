use super::{Imaging, Source, clipped_mag};
use crate::maskbits::MaskBits;

/// Least flux in the magnitudes here.
const LEAST: f32 = 1e-7;

/// Numbers that differ between north and south.
struct Limits {
    fiber: f32,
    low_z: f32,
    slope: f32,
    sliding: [f32; 2],
    high_z: f32,
}

impl Source {
    /// Luminous red galaxy target of the main survey.
    ///
    /// # References
    ///
    /// Zhou et al. 2023, AJ 165, 58, equations 1 and 2.
    pub fn is_lrg(&self, imaging: Imaging) -> bool {
        self.lrg_quality() && self.lrg_colours(imaging)
    }

    fn lrg_quality(&self) -> bool {
        let (flux, ivar) = (self.dereddened(), self.flux_ivar);
        let fiber_z = self.fiberflux_z / self.mw_transmission.z;
        let measured = ivar.r > 0.0 && flux.r > 0.0 && ivar.z > 0.0 && flux.z > 0.0 && fiber_z > 0.0;
        let gaia = self.gaia_phot_g_mean_mag;
        measured
            && ivar.w1 > 0.0
            && flux.w1 > 0.0
            && (gaia == 0.0 || gaia > 18.0)
            // Stars brighter than 17.5 that Gaia lacks.
            && self.fibertotflux_z < 100.0
            && self.observed_in_all()
            && !self.masked(MaskBits::BRIGHT | MaskBits::GALAXY | MaskBits::CLUSTER)
    }

    fn lrg_colours(&self, imaging: Imaging) -> bool {
        let Limits { fiber, low_z, slope, sliding: [a, b], high_z } = match imaging {
            Imaging::South => {
                Limits { fiber: 21.6, low_z: 2.9, slope: 1.8, sliding: [17.14, 16.33], high_z: 3.3 }
            }
            Imaging::North => {
                Limits { fiber: 21.61, low_z: 2.97, slope: 1.83, sliding: [17.13, 16.31], high_z: 3.4 }
            }
        };
        let m = self.dereddened().map(|f| clipped_mag(f, LEAST));
        let fiber_mag = clipped_mag(self.fiberflux_z / self.mw_transmission.z, LEAST);
        let r_w1 = m.r - m.w1;
        m.z - m.w1 > 0.8 * (m.r - m.z) - 0.6
            && fiber_mag < fiber
            && (m.g - m.w1 > low_z || r_w1 > 1.8)
            && ((r_w1 > (m.w1 - a) * slope && r_w1 > m.w1 - b) || r_w1 > high_z)
    }
}
