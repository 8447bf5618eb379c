//! Which tile goes where (FITS 4.0, section 10.1): all lists of axes are slowest first.

use std::ops::Range;

/// An image cut into tiles; those at the upper edges may be smaller.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    shape: Vec<u64>,
    tile: Vec<u64>,
    counts: Vec<u64>,
    tiles: u64,
}

/// A tile and its box in the image.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) index: u64,
    pub(crate) region: Vec<Range<u64>>,
}

impl Grid {
    /// `None` if there are more tiles than 64 bits can count. Tile sizes are at least 1.
    pub(crate) fn new(shape: &[u64], tile: &[u64]) -> Option<Self> {
        let counts: Vec<u64> = shape.iter().zip(tile).map(|(&n, &t)| n.div_ceil(t)).collect();
        let tiles = counts.iter().try_fold(1_u64, |all, &n| all.checked_mul(n))?;
        Some(Self { shape: shape.to_vec(), tile: tile.to_vec(), counts, tiles })
    }

    pub(crate) fn tiles(&self) -> u64 {
        self.tiles
    }

    /// Pixels of the largest tile, if 64 bits can count them.
    pub(crate) fn tile_pixels(&self) -> Option<u64> {
        let sides = self.tile.iter().zip(&self.shape).map(|(&t, &n)| t.min(n));
        sides.into_iter().try_fold(1_u64, |all, n| all.checked_mul(n))
    }

    /// Side of the tiles along the slowest axis.
    pub(crate) fn band(&self) -> u64 {
        self.tile.first().copied().unwrap_or(1)
    }

    /// The tiles that a box touches, in the order of the table's rows.
    pub(crate) fn touched(&self, region: &[Range<u64>]) -> Vec<Place> {
        let spans: Vec<Range<u64>> =
            region.iter().zip(&self.tile).map(|(r, &t)| r.start / t..r.end.div_ceil(t)).collect();
        if region.iter().any(Range::is_empty) {
            return Vec::new();
        }
        let mut places = Vec::new();
        let mut at: Vec<u64> = spans.iter().map(|s| s.start).collect();
        loop {
            let index = at.iter().zip(&self.counts).fold(0, |index, (&i, &n)| index * n + i);
            let region = at
                .iter()
                .zip(self.tile.iter().zip(&self.shape))
                .map(|(&i, (&t, &n))| i * t..(i * t).saturating_add(t).min(n));
            places.push(Place { index, region: region.collect() });
            if !advance(&mut at, &spans) {
                return places;
            }
        }
    }
}

impl Place {
    /// Pixels of this tile.
    pub(crate) fn pixels(&self) -> u64 {
        self.region.iter().map(|r| r.end - r.start).product()
    }

    /// Pixels of this tile up to the last one that a box has of it.
    pub(crate) fn needed(&self, wanted: &[Range<u64>]) -> usize {
        let sides = self.region.iter().zip(wanted);
        let last = sides.fold(0, |last, (own, wanted)| {
            last * (own.end - own.start) + wanted.end.min(own.end).saturating_sub(own.start + 1)
        });
        last as usize + 1
    }
}

/// Steps to the next position of a box, the last axis fastest; false after the last one.
fn advance(at: &mut [u64], spans: &[Range<u64>]) -> bool {
    for (i, span) in at.iter_mut().zip(spans).rev() {
        *i += 1;
        if *i < span.end {
            return true;
        }
        *i = span.start;
    }
    false
}

/// Calls `row` for each run of pixels along the fastest axis that the boxes `whole` and `wanted` share:
/// its offset in `whole`, its offset in `wanted` and its length. Rows come in ascending order of both.
pub(crate) fn shared_rows<E>(
    whole: &[Range<u64>],
    wanted: &[Range<u64>],
    mut row: impl FnMut(u64, u64, u64) -> Result<(), E>,
) -> Result<(), E> {
    let common: Vec<Range<u64>> =
        whole.iter().zip(wanted).map(|(a, b)| a.start.max(b.start)..a.end.min(b.end)).collect();
    let Some((fastest, slower)) = common.split_last() else { return Ok(()) };
    if common.iter().any(Range::is_empty) {
        return Ok(());
    }
    let mut at: Vec<u64> = slower.iter().map(|r| r.start).collect();
    let offset = |region: &[Range<u64>], at: &[u64]| {
        let all = at.iter().chain([&fastest.start]).zip(region);
        all.fold(0, |offset, (&i, r)| offset * (r.end - r.start) + (i - r.start))
    };
    loop {
        row(offset(whole, &at), offset(wanted, &at), fastest.end - fastest.start)?;
        if !advance(&mut at, slower) {
            return Ok(());
        }
    }
}
