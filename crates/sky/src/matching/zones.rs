//! Positions sorted into bands of declination, and by right ascension in each.
//!
//! A band of `m` positions has `m` buckets of equal width in right ascension, which say where to begin; in crowded
//! buckets a binary search goes on. So the cost of a query follows the positions in the window around it, not how
//! they spread over the sky, and there is one entry in each of two arrays per position whatever the radius.

use super::layout::Layout;
use super::order;
use crate::SkyCoord;
use crate::sphere::cos_deg;

/// Added to windows, in degrees: 1e-8 arcseconds, far above rounding. Windows only preselect.
pub(super) const PAD_DEG: f64 = 3e-12;
/// More positions than this in a bucket are searched rather than scanned.
const CROWD: usize = 16;

#[derive(Debug, Clone, Copy)]
struct Entry {
    ra_deg: f64,
    dec_deg: f64,
    /// Of the declination; NaN where it was not worked out beforehand.
    dec_cosine: f64,
    index: u32,
}

#[derive(Debug, Clone)]
pub(super) struct Zones {
    radius_deg: f64,
    /// The squared sine of half the radius.
    limit: f64,
    layout: Layout,
    /// The first entry of each band, and the end.
    bands: Box<[u32]>,
    /// Half the width in right ascension of a circle around any position of a band; 180 where it holds a pole.
    widths: Box<[f64]>,
    /// The first entry of each bucket: as many in a band as it has entries; and the end.
    buckets: Box<[u32]>,
    entries: Box<[Entry]>,
}

impl Zones {
    /// For so many queries, or about so many, of the layout's radius.
    pub fn new(positions: &[SkyCoord], layout: Layout, queries: usize) -> Self {
        let radius_deg = layout.radius_deg;
        let mut zones = Self {
            radius_deg,
            limit: (radius_deg / 2.0).to_radians().sin().powi(2),
            layout,
            bands: vec![].into(),
            // A little more, for positions that rounding puts on the other side of an edge.
            widths: layout.highest().map(|dec_deg| half_width(dec_deg + PAD_DEG, radius_deg)).collect(),
            buckets: vec![].into(),
            entries: vec![].into(),
        };
        // Half as many pairs as positions, if these spread evenly over their part of the sky, are worth all cosines.
        let circle = std::f64::consts::PI * radius_deg.to_radians().powi(2);
        zones.fill(positions, 2.0 * circle * queries as f64 >= layout.area);
        zones
    }

    fn fill(&mut self, positions: &[SkyCoord], cosines: bool) {
        let sorted = self.layout.sorted(positions);
        let mut entries: Vec<Entry> = Vec::with_capacity(positions.len());
        entries.extend(sorted.iter().map(|&keyed| {
            let index = order::index(keyed);
            let (ra_deg, dec_deg) = (positions[index as usize].ra_deg(), positions[index as usize].dec_deg());
            let dec_cosine = if cosines { cos_deg(dec_deg) } else { f64::NAN };
            Entry { ra_deg, dec_deg, dec_cosine, index }
        }));
        // What keys cannot tell apart.
        let mut rest = &mut entries[..];
        for same in sorted.chunk_by(|&a, &b| order::key(a) == order::key(b)) {
            let (these, others) = rest.split_at_mut(same.len());
            if these.len() > 1 {
                these.sort_unstable_by(|a, b| a.ra_deg.total_cmp(&b.ra_deg).then(a.index.cmp(&b.index)));
            }
            rest = others;
        }
        drop(sorted);

        let mut bands = vec![0_u32; self.layout.count() + 1];
        let mut buckets = vec![0_u32; entries.len() + 1];
        let mut start = 0;
        for band in entries.chunk_by(|a, b| self.layout.band(a.dec_deg) == self.layout.band(b.dec_deg)) {
            bands[self.layout.band(band[0].dec_deg)] = band.len() as u32;
            let mut at = 0;
            for bucket in 0..band.len() {
                while at < band.len() && self.layout.bucket(band[at].ra_deg, band.len()) < bucket {
                    at += 1;
                }
                // At most the number of positions.
                buckets[start + bucket] = (start + at) as u32;
            }
            start += band.len();
        }
        buckets[start] = start as u32;
        order::starts(&mut bands);
        (self.bands, self.buckets, self.entries) = (bands.into(), buckets.into(), entries.into());
    }

    /// Calls `found` with the index of each position within the radius and the squared sine of half the angle to it,
    /// until it returns false; in no order that matters.
    #[inline]
    pub fn near(&self, ra_deg: f64, dec_deg: f64, mut found: impl FnMut(u32, f64) -> bool) {
        let reach = self.radius_deg + PAD_DEG;
        let (low, high) = (self.layout.band(dec_deg - reach), self.layout.band(dec_deg + reach));
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
        let width = self.widths[self.layout.band(dec_deg)];
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
                let entry_cosine =
                    if entry.dec_cosine.is_nan() { cos_deg(entry.dec_deg) } else { entry.dec_cosine };
                let near = across * across + cosine * entry_cosine * (turn * turn);
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
        let from = self.buckets[start + self.layout.bucket(low, count)] as usize;
        // The end of a bucket is the start of the next, also of the next band's first.
        let to = self.buckets[start + self.layout.bucket(high, count) + 1] as usize;
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

/// The difference of two right ascensions across 0, without a rounding of either.
#[cold]
fn shorter(a: f64, b: f64) -> f64 {
    (360.0 - a.max(b)) + a.min(b)
}
