//! How a list of positions is divided into bands of declination and steps of right ascension.

use super::order::{self, Keyed};
use crate::{Error, SkyCoord};

/// Bands are this many radii high at least, so that few queries touch two.
const RADII: f64 = 8.0;
/// And hold so many positions on average at least.
const IN_BAND: u32 = 4;
/// Bits of a key more than it takes to tell all positions apart if they spread evenly.
const SPARE_BITS: u32 = 2;

/// Bands over the whole sky; keys and buckets for the part of it that the positions lie in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// Of queries.
    pub radius_deg: f64,
    /// Of the box around all positions, in steradians.
    pub area: f64,
    count: u32,
    bands_per_deg: f64,
    /// The first band with positions and the last.
    bands: [u32; 2],
    /// The lowest right ascension, and the inverse of the distance to the highest.
    low_ra_deg: f64,
    per_ra_deg: f64,
    /// Bits of a key, and of its lower part, which comes from the right ascension.
    bits: u32,
    ra_bits: u32,
}

impl Layout {
    /// For positions and queries of a radius, which is valid.
    pub fn of(positions: &[SkyCoord], radius_deg: f64) -> Result<Self, Error> {
        let too_many = Error::TooManyPositions { given: positions.len(), most: u32::MAX as usize - 1 };
        let n = u32::try_from(positions.len()).ok().filter(|&n| n < u32::MAX).ok_or(too_many)?;
        // Casts saturate, also from a radius of 0.
        let count = (180.0 / (RADII * radius_deg)).min(f64::from(n / IN_BAND) + 1.0).max(1.0) as u32;
        let first = positions.first().map_or((0.0, 0.0), |first| (first.ra_deg(), first.dec_deg()));
        let (mut ra, mut dec) = ([first.0; 2], [first.1; 2]);
        for position in positions {
            ra = [ra[0].min(position.ra_deg()), ra[1].max(position.ra_deg())];
            dec = [dec[0].min(position.dec_deg()), dec[1].max(position.dec_deg())];
        }
        let mut layout = Self {
            radius_deg,
            area: (ra[1] - ra[0]).to_radians() * (dec[1].to_radians().sin() - dec[0].to_radians().sin()),
            count,
            bands_per_deg: f64::from(count) / 180.0,
            bands: [0; 2],
            low_ra_deg: ra[0],
            per_ra_deg: if ra[0] < ra[1] { 1.0 / (ra[1] - ra[0]) } else { 0.0 },
            bits: 0,
            ra_bits: 0,
        };
        // Below 2^30.
        layout.bands = dec.map(|dec_deg| layout.band(dec_deg) as u32);
        let band_bits = u32::BITS - (layout.bands[1] - layout.bands[0]).leading_zeros();
        let apart = u32::BITS - n.leading_zeros();
        layout.bits = (apart.max(band_bits) + SPARE_BITS).min(u32::BITS);
        layout.ra_bits = layout.bits - band_bits;
        Ok(layout)
    }

    /// How many bands there are.
    pub const fn count(&self) -> usize {
        self.count as usize
    }

    /// The distance from the equator that no position of a band exceeds but by rounding, for each.
    pub fn highest(&self) -> impl Iterator<Item = f64> {
        let per_deg = self.bands_per_deg;
        let edge = move |band: u32| (f64::from(band) / per_deg - 90.0).abs();
        (0..self.count).map(move |band| edge(band).max(edge(band + 1)))
    }

    /// The band of a declination.
    #[inline]
    pub fn band(&self, dec_deg: f64) -> usize {
        // The cast saturates below 0.
        (((dec_deg + 90.0) * self.bands_per_deg) as u32).min(self.count - 1) as usize
    }

    /// Which of so many equal steps a right ascension is in; it grows with the right ascension, which is all that the
    /// buckets need.
    #[inline]
    pub fn bucket(&self, ra_deg: f64, count: usize) -> usize {
        // Saturates below 0.
        (((ra_deg - self.low_ra_deg) * self.per_ra_deg * count as f64) as u32 as usize).min(count - 1)
    }

    /// Positions, these or others, in an order in which neighbours on the sky follow one another: by band, then roughly
    /// by right ascension. Queries in that order look at the same entries.
    pub fn sorted(&self, positions: &[SkyCoord]) -> Vec<Keyed> {
        let keyed = |(index, position): (u32, &SkyCoord)| {
            order::keyed(self.key(position.ra_deg(), position.dec_deg()), index)
        };
        order::sort((0..).zip(positions).map(keyed).collect(), self.bits)
    }

    /// Grows with the band, then with the right ascension.
    #[inline]
    fn key(&self, ra_deg: f64, dec_deg: f64) -> u32 {
        let band = (self.band(dec_deg) as u32).clamp(self.bands[0], self.bands[1]) - self.bands[0];
        let steps = 1_u32 << self.ra_bits;
        // Saturates below 0.
        let step = ((ra_deg - self.low_ra_deg) * self.per_ra_deg * f64::from(steps)) as u32;
        band << self.ra_bits | step.min(steps - 1)
    }
}
