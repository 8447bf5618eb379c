//! The outline of a box.

use super::{Arc, Area, outlined::Outlined};
use crate::{Region, RegionBounds, SkyCoord};

impl Area for Region {
    fn contains(&self, position: SkyCoord) -> bool {
        Region::contains(self, position)
    }
}

impl Outlined for Region {
    fn outline(&self) -> Vec<Arc> {
        let RegionBounds { ra_min_deg, ra_max_deg, dec_min_deg, dec_max_deg } = self.bounds();
        // A region gives all four bounds.
        let (west, east) = (ra_min_deg.unwrap_or(0.0), ra_max_deg.unwrap_or(360.0));
        let (south, north) = (dec_min_deg.unwrap_or(-90.0), dec_max_deg.unwrap_or(90.0));
        let all_round = west == 0.0 && east == 360.0;
        let narrow = west == east || (west == 360.0 && east == 0.0);
        if south == north && (narrow || south.abs() == 90.0) {
            return vec![Arc::around(SkyCoord::from_valid(west % 360.0, south), 0.0)];
        }
        let mut outline = Vec::with_capacity(4);
        // A parallel without width is a point of the meridian, and the other way round.
        if !narrow {
            let span = (!all_round).then_some([west, east]);
            // At a pole there is no parallel, and no outline either unless meridians meet there.
            outline.extend(
                [south, north].iter().filter(|dec| dec.abs() < 90.0).map(|&dec| Arc::parallel(dec, span)),
            );
        }
        if !all_round && south < north {
            outline.extend([west, east].map(|ra| Arc::meridian(ra, [south, north])));
        }
        outline
    }
}
