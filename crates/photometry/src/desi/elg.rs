use super::{Imaging, Source, TINY, clipped_mag};
use crate::maskbits::MaskBits;

/// Emission-line galaxy targets of the main survey; a source is in one sample at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Elg {
    /// The low-priority sample at lower redshift.
    pub vlo: bool,
    /// The regular sample at high redshift.
    pub lop: bool,
}

impl Source {
    /// Emission-line galaxy targets of the main survey. The limits of north and south are the same today.
    ///
    /// # References
    ///
    /// Raichoor et al. 2023, AJ 165, 126, table 2.
    pub fn elg(&self, imaging: Imaging) -> Elg {
        // One definition; the argument keeps the signature of the other targets.
        let (Imaging::North | Imaging::South) = imaging;
        let snr = self.signal_to_noise();
        let clean = snr.g > 0.0
            && snr.r > 0.0
            && snr.z > 0.0
            && self.observed_in_all()
            && !self.masked(MaskBits::BRIGHT | MaskBits::GALAXY | MaskBits::CLUSTER);
        let m = self.dereddened().map(|f| clipped_mag(f, TINY));
        let fiber_mag = clipped_mag(self.fiberflux_g / self.mw_transmission.g, TINY);
        let (gr, rz) = (m.g - m.r, m.r - m.z);
        let in_box = clean && m.g > 20.0 && rz > 0.15 && fiber_mag < 24.1 && gr < 0.5 * rz + 0.1;
        Elg {
            vlo: in_box && gr < -1.2 * rz + 1.6 && gr >= -1.2 * rz + 1.3,
            lop: in_box && gr < -1.2 * rz + 1.3,
        }
    }
}
