//! A map of the sky, one bit a cell: is there anything near this cell at all?

use super::zones::{PAD_DEG, half_width};
use crate::SkyCoord;

/// Bits for each position, so that few cells are marked: a list of five thousand takes 40 kB.
const BITS_EACH: f64 = 64.0;
/// At least a few kilobytes, at most one megabyte.
const BITS: [f64; 2] = [65_536.0, 8_388_608.0];
/// Square degrees on the sphere.
const SPHERE: f64 = 41_252.961_249_419_27;

#[derive(Debug, Clone, Copy)]
struct Row {
    start: u32,
    /// The last column.
    last: u32,
    columns_per_deg: f64,
}

/// Bands of cells, about as wide as high.
#[derive(Debug, Clone)]
pub(super) struct Mask {
    rows_per_deg: f64,
    rows: Box<[Row]>,
    bits: Box<[u64]>,
}

impl Mask {
    /// Marks all cells that a circle around any of the positions touches.
    pub fn new(positions: &[SkyCoord], radius_deg: f64) -> Self {
        let bits = (positions.len() as f64 * BITS_EACH).clamp(BITS[0], BITS[1]);
        // Cells not smaller than the circles, lest a circle marks many.
        let size = (SPHERE / bits).sqrt().max(2.0 * radius_deg).min(90.0);
        // Casts of small positive numbers.
        let count = (180.0 / size) as u32;
        let rows_per_deg = f64::from(count) / 180.0;
        let mut total = 0;
        let rows: Box<[Row]> = (0..count)
            .map(|row| {
                let middle = (f64::from(row) + 0.5) / rows_per_deg - 90.0;
                let columns = (360.0 * middle.to_radians().cos() / size).max(1.0) as u32;
                let start = total;
                total += columns;
                Row { start, last: columns - 1, columns_per_deg: f64::from(columns) / 360.0 }
            })
            .collect();
        let bits = vec![0; total as usize / 64 + 1].into();
        let mut mask = Self { rows_per_deg, rows, bits };
        for position in positions {
            mask.mark(*position, radius_deg);
        }
        mask
    }

    fn mark(&mut self, position: SkyCoord, radius_deg: f64) {
        let (ra, dec) = (position.ra_deg(), position.dec_deg());
        let reach = radius_deg + PAD_DEG;
        let width = half_width(dec, radius_deg);
        for row in self.row(dec - reach)..=self.row(dec + reach) {
            let row = self.rows[row];
            let mut fill = |low: f64, high: f64| {
                for column in row.column(low)..=row.column(high) {
                    let bit = row.start + column;
                    self.bits[bit as usize / 64] |= 1 << (bit % 64);
                }
            };
            if width >= 180.0 {
                fill(0.0, 360.0);
                continue;
            }
            fill(ra - width, ra + width);
            // What sticks out of 0 to 360 comes in on the other side.
            if ra < width {
                fill(ra - width + 360.0, 360.0);
            }
            if ra + width >= 360.0 {
                fill(0.0, ra + width - 360.0);
            }
        }
    }

    #[inline]
    fn row(&self, dec_deg: f64) -> usize {
        // The cast saturates below 0.
        (((dec_deg + 90.0) * self.rows_per_deg) as usize).min(self.rows.len() - 1)
    }

    /// False only if no position lies within the radius.
    #[inline]
    pub fn may_be_near(&self, ra_deg: f64, dec_deg: f64) -> bool {
        let row = self.rows[self.row(dec_deg)];
        let bit = row.start + row.column(ra_deg);
        self.bits[bit as usize / 64] >> (bit % 64) & 1 == 1
    }
}

impl Row {
    #[inline]
    fn column(self, ra_deg: f64) -> u32 {
        // Saturates below 0; monotonic, so that what lies between two right ascensions lies between their columns.
        ((ra_deg * self.columns_per_deg) as u32).min(self.last)
    }
}
