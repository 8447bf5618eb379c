//! Positions sorted into bands of declination, and by right ascension in each.
//!
//! A band of `m` positions has `m` buckets of equal width in right ascension, which say where to begin; in crowded
//! buckets a binary search goes on. So the cost of a query follows the positions in the window around it, not how
//! they spread over the sky, and there is one entry in each of two arrays per position whatever the radius.

use crate::sphere::cos_deg;
use crate::{Error, SkyCoord};

/// Bands are this many radii high at least, so that few queries touch two.
const RADII: f64 = 8.0;
/// Added to windows, in degrees: 1e-8 arcseconds, far above rounding. Windows only preselect.
pub(super) const PAD_DEG: f64 = 3e-12;
/// More positions than this in a bucket are searched rather than scanned.
const CROWD: usize = 16;

#[derive(Debug, Clone, Copy)]
struct Entry {
    ra_deg: f64,
    dec_deg: f64,
    dec_cosine: f64,
    index: u32,
}

#[derive(Debug, Clone)]
pub(super) struct Zones {
    radius_deg: f64,
    /// The squared sine of half the radius.
    limit: f64,
    bands_per_deg: f64,
    /// The first entry of each band, and the end.
    bands: Box<[u32]>,
    /// Half the width in right ascension of a circle around any position of a band; 180 where it holds a pole.
    widths: Box<[f64]>,
    /// The first entry of each bucket: as many in a band as it has entries; and the end.
    buckets: Box<[u32]>,
    entries: Box<[Entry]>,
}

impl Zones {
    /// For queries of one radius, which is valid.
    pub fn new(positions: &[SkyCoord], radius_deg: f64) -> Result<Self, Error> {
        let too_many = Error::TooManyPositions { given: positions.len(), most: u32::MAX as usize - 1 };
        let n = u32::try_from(positions.len()).ok().filter(|&n| n < u32::MAX).ok_or(too_many)?;
        // Casts saturate, also from a radius of 0.
        let count = (180.0 / (RADII * radius_deg)).min(2.0 * f64::from(n) + 1.0).max(1.0) as u32;
        let mut zones = Self {
            radius_deg,
            limit: (radius_deg / 2.0).to_radians().sin().powi(2),
            bands_per_deg: f64::from(count) / 180.0,
            bands: vec![0; count as usize + 1].into(),
            widths: vec![].into(),
            buckets: vec![0; positions.len() + 1].into(),
            entries: vec![].into(),
        };
        zones.widths = (0..count).map(|band| zones.width(band)).collect();
        zones.fill(positions);
        Ok(zones)
    }

    fn width(&self, band: u32) -> f64 {
        let edge = |band: u32| (f64::from(band) / self.bands_per_deg - 90.0).abs();
        // A little more, for positions that rounding puts on the other side of an edge.
        half_width(edge(band).max(edge(band + 1)) + PAD_DEG, self.radius_deg)
    }

    fn fill(&mut self, positions: &[SkyCoord]) {
        // A counting sort by band.
        for position in positions {
            self.bands[self.band(position.dec_deg()) + 1] += 1;
        }
        let mut sum = 0;
        for start in &mut self.bands {
            sum += *start;
            *start = sum;
        }
        let blank = Entry { ra_deg: 0.0, dec_deg: 0.0, dec_cosine: 0.0, index: 0 };
        let mut entries = vec![blank; positions.len()];
        let mut next = self.bands.clone();
        for (index, position) in (0_u32..).zip(positions) {
            let (ra_deg, dec_deg) = (position.ra_deg(), position.dec_deg());
            let slot = &mut next[self.band(dec_deg)];
            entries[*slot as usize] = Entry { ra_deg, dec_deg, dec_cosine: cos_deg(dec_deg), index };
            *slot += 1;
        }
        for band in self.bands.windows(2) {
            let (start, end) = (band[0] as usize, band[1] as usize);
            let entries = &mut entries[start..end];
            entries.sort_unstable_by(|a, b| a.ra_deg.total_cmp(&b.ra_deg).then(a.index.cmp(&b.index)));
            let mut at = 0;
            for bucket in 0..entries.len() {
                while at < entries.len() && bucket_of(entries[at].ra_deg, entries.len()) < bucket {
                    at += 1;
                }
                // At most the number of positions.
                self.buckets[start + bucket] = (start + at) as u32;
            }
        }
        self.buckets[positions.len()] = positions.len() as u32;
        self.entries = entries.into();
    }

    /// The band of a declination, by which to sort queries: those of a band look at the same entries.
    #[inline]
    pub fn band(&self, dec_deg: f64) -> usize {
        // The cast saturates below 0.
        (((dec_deg + 90.0) * self.bands_per_deg) as usize).min(self.bands.len() - 2)
    }

    pub fn band_count(&self) -> usize {
        self.bands.len() - 1
    }

    /// Calls `found` with the index of each position within the radius and the squared sine of half the angle to it,
    /// until it returns false; in no order that matters.
    #[inline]
    pub fn near(&self, ra_deg: f64, dec_deg: f64, mut found: impl FnMut(u32, f64) -> bool) {
        let reach = self.radius_deg + PAD_DEG;
        let (low, high) = (self.band(dec_deg - reach), self.band(dec_deg + reach));
        for band in low..=high {
            let (start, end) = (self.bands[band] as usize, self.bands[band + 1] as usize);
            if start < end && !self.near_in_band([start, end], ra_deg, dec_deg, &mut found) {
                return;
            }
        }
    }

    /// Whether to go on.
    fn near_in_band(
        &self,
        band: [usize; 2],
        ra_deg: f64,
        dec_deg: f64,
        found: &mut impl FnMut(u32, f64) -> bool,
    ) -> bool {
        let width = self.widths[self.band(dec_deg)];
        let (low, high) = (ra_deg - width, ra_deg + width);
        // Up to two windows within 0 to 360, without a common position.
        let windows = if width >= 180.0 {
            [Some((0.0, 360.0)), None]
        } else if low < 0.0 {
            [Some((0.0, high)), Some((low + 360.0 - PAD_DEG, 360.0))]
        } else if high >= 360.0 {
            [Some((0.0, high - 360.0 + PAD_DEG)), Some((low, 360.0))]
        } else {
            [Some((low, high)), None]
        };
        let mut cosine = None;
        for (low, high) in windows.into_iter().flatten() {
            for entry in self.window(band, low, high) {
                let across = (entry.dec_deg - dec_deg).abs();
                if across > self.radius_deg + PAD_DEG || entry.ra_deg < low || entry.ra_deg > high {
                    continue;
                }
                let cosine = *cosine.get_or_insert_with(|| cos_deg(dec_deg));
                let turn = (entry.ra_deg - ra_deg).abs();
                let turn = if turn > 180.0 { shorter(entry.ra_deg, ra_deg) } else { turn };
                let [across, turn] = [across, turn].map(|deg| (deg / 2.0).to_radians().sin());
                let near = across * across + cosine * entry.dec_cosine * (turn * turn);
                if near <= self.limit && !found(entry.index, near) {
                    return false;
                }
            }
        }
        true
    }

    /// The entries of a band with right ascensions from `low` to `high`, and perhaps a few more.
    #[inline]
    fn window(&self, [start, end]: [usize; 2], low: f64, high: f64) -> &[Entry] {
        let count = end - start;
        let from = self.buckets[start + bucket_of(low, count)] as usize;
        // The end of a bucket is the start of the next, also of the next band's first.
        let to = self.buckets[start + bucket_of(high, count) + 1] as usize;
        let entries = &self.entries[from..to];
        if entries.len() <= CROWD {
            return entries;
        }
        let from = entries.partition_point(|entry| entry.ra_deg < low);
        let entries = &entries[from..];
        &entries[..entries.partition_point(|entry| entry.ra_deg <= high)]
    }
}

/// Half the width in right ascension of a circle, and a little more; 180 if it holds a pole, or nearly.
pub(super) fn half_width(dec_deg: f64, radius_deg: f64) -> f64 {
    let highest = dec_deg.abs();
    if highest + radius_deg + PAD_DEG >= 90.0 {
        return 180.0;
    }
    let sine = radius_deg.to_radians().sin() / cos_deg(highest);
    // Near a right angle an error of the sine weighs more; there the whole turn will do.
    if sine > 1.0 - 1e-9 { 180.0 } else { sine.asin().to_degrees() * (1.0 + 1e-7) + PAD_DEG }
}

#[inline]
fn bucket_of(ra_deg: f64, count: usize) -> usize {
    // Saturates below 0. Monotonic in the right ascension, which is all that the buckets need.
    ((ra_deg * (count as f64 / 360.0)) as usize).min(count - 1)
}

/// The difference of two right ascensions across 0, without a rounding of either.
#[cold]
fn shorter(a: f64, b: f64) -> f64 {
    (360.0 - a.max(b)) + a.min(b)
}
