//! Sets of cells of any orders.

use std::ops::Range;

use super::{Healpix, HealpixCell};
use crate::Error;
use crate::SkyCoord;

const FINEST: u8 = 29;

/// A part of the sky made of HEALPix cells of any orders, kept as sorted, disjoint ranges of order-29 numbers.
///
/// The same part of the sky is always the same set, however it was put together.
///
/// # Examples
///
/// ```
/// use coaddkit_sky::{CellSet, Healpix};
///
/// let fine = Healpix::new(1)?;
/// let set: CellSet = [fine.cell(4)?, fine.cell(5)?, fine.cell(6)?, fine.cell(7)?, fine.cell(9)?].into_iter().collect();
/// let compact: Vec<String> = set.cells().map(|cell| cell.to_string()).collect();
/// assert_eq!(compact, ["0/1", "1/9"]);
/// assert_eq!(set.cells_at(fine)?.count(), 5);
/// # Ok::<(), coaddkit_sky::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CellSet {
    ranges: Vec<Range<u64>>,
}

impl CellSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// The whole sky.
    pub fn all_sky() -> Self {
        Self { ranges: std::iter::once(0..12 << (2 * FINEST)).collect() }
    }

    /// Ranges of order-29 numbers in any order, none of them empty or beyond the last cell.
    pub(crate) fn from_ranges(mut ranges: Vec<Range<u64>>) -> Self {
        ranges.sort_unstable_by_key(|range| range.start);
        Self { ranges: merged(ranges) }
    }

    /// What lies in any of the sets.
    pub(crate) fn united<'a>(sets: impl Iterator<Item = &'a Self>) -> Self {
        Self::from_ranges(sets.flat_map(|set| set.ranges.iter().cloned()).collect())
    }

    /// Adds a cell that lies behind all others.
    pub(crate) fn push(&mut self, cell: HealpixCell) {
        let range = range_of(cell);
        match self.ranges.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => self.ranges.push(range),
        }
    }

    /// Whether there is no cell.
    pub const fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The set as the fewest cells, each as coarse as can be; in the order of their place along the nested curve.
    pub fn cells(&self) -> impl Iterator<Item = HealpixCell> + '_ {
        self.ranges.iter().flat_map(|range| {
            let mut start = range.start;
            std::iter::from_fn(move || {
                let left = range.end - start;
                if left == 0 {
                    return None;
                }
                // The largest cell that starts here and fits: both limits are powers of 4.
                let steps = (start.trailing_zeros() / 2).min(left.ilog2() / 2).min(FINEST.into());
                let cell = HealpixCell::from_valid(FINEST - steps as u8, start >> (2 * steps));
                start += 1 << (2 * steps);
                Some(cell)
            })
        })
    }

    /// The set as cells of one order, ascending.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] if the set has finer cells.
    pub fn cells_at(&self, grid: Healpix) -> Result<impl Iterator<Item = HealpixCell> + '_, Error> {
        let shift = self.shift(grid)?;
        Ok(self
            .ranges
            .iter()
            .flat_map(move |range| range.start >> shift..range.end >> shift)
            .map(move |nested| HealpixCell::from_valid(grid.order(), nested)))
    }

    /// How many cells of one order the set has.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] if the set has finer cells.
    pub fn count_at(&self, grid: Healpix) -> Result<u64, Error> {
        let shift = self.shift(grid)?;
        Ok(self.ranges.iter().map(|range| range.end - range.start).sum::<u64>() >> shift)
    }

    fn shift(&self, grid: Healpix) -> Result<u8, Error> {
        let (order, min) = (grid.order(), self.order());
        if order >= min {
            return Ok(2 * (FINEST - order));
        }
        let (value, min, max) = (order.into(), min.into(), FINEST.into());
        Err(Error::OutOfRange { what: "HEALPix order of the cells of a set", value, min, max })
    }

    /// The coarsest order whose cells can make up the set; 0 for the empty set.
    pub fn order(&self) -> u8 {
        let bits = self.ranges.iter().fold(0, |bits, range| bits | range.start | range.end);
        // The numbers of coarser cells end in zeros.
        FINEST - (bits.trailing_zeros() / 2).min(FINEST.into()) as u8
    }

    /// The smallest set that holds this one and has no cell finer than those of `grid`.
    ///
    /// # Examples
    ///
    /// ```
    /// use coaddkit_sky::{CellSet, Healpix};
    ///
    /// let fine = Healpix::new(9)?;
    /// let set: CellSet = [fine.cell(77)?, fine.cell(78)?].into_iter().collect();
    /// let coarse = Healpix::new(8)?;
    /// assert_eq!(set.coarsened(coarse), CellSet::from(coarse.cell(77 / 4)?));
    /// # Ok::<(), coaddkit_sky::Error>(())
    /// ```
    #[must_use]
    pub fn coarsened(&self, grid: Healpix) -> Self {
        let shift = 2 * (FINEST - grid.order());
        let outwards = |range: &Range<u64>| {
            let size = 1 << shift;
            range.start & !(size - 1)..range.end.next_multiple_of(size)
        };
        Self { ranges: merged(self.ranges.iter().map(outwards).collect()) }
    }

    /// Ranges of order-29 numbers, sorted, disjoint and not adjacent: the content of a multi-order coverage map.
    pub fn ranges(&self) -> &[Range<u64>] {
        &self.ranges
    }

    /// The area, in square degrees.
    pub fn area_deg2(&self) -> f64 {
        let cells: u64 = self.ranges.iter().map(|range| range.end - range.start).sum();
        cells as f64 * Healpix::from_valid(FINEST).cell_area_deg2()
    }

    /// Whether the set holds the whole of a cell.
    pub fn holds(&self, cell: HealpixCell) -> bool {
        let cell = range_of(cell);
        self.reaching(cell.start).is_some_and(|range| range.start <= cell.start && cell.end <= range.end)
    }

    /// Whether the set holds a part of a cell or the whole.
    pub fn overlaps(&self, cell: HealpixCell) -> bool {
        let cell = range_of(cell);
        self.reaching(cell.start).is_some_and(|range| range.start < cell.end)
    }

    /// Whether a position lies in a cell of the set; on edges see [`Healpix::locate`].
    pub fn contains(&self, position: SkyCoord) -> bool {
        self.holds(Healpix::from_valid(FINEST).locate(position))
    }

    /// Whether the set holds all of another.
    pub fn holds_all(&self, other: &Self) -> bool {
        other.ranges.iter().all(|inner| {
            self.reaching(inner.start)
                .is_some_and(|range| range.start <= inner.start && inner.end <= range.end)
        })
    }

    /// What lies in either set.
    pub fn union(&self, other: &Self) -> Self {
        Self::united([self, other].into_iter())
    }

    /// What lies in both sets.
    pub fn intersection(&self, other: &Self) -> Self {
        let (mut a, mut b) = (self.ranges.iter().peekable(), other.ranges.iter().peekable());
        let mut ranges = Vec::new();
        while let (Some(left), Some(right)) = (a.peek(), b.peek()) {
            let (start, end) = (left.start.max(right.start), left.end.min(right.end));
            if start < end {
                ranges.push(start..end);
            }
            // The one that ends first can meet nothing more.
            if left.end <= right.end {
                a.next()
            } else {
                b.next()
            };
        }
        Self { ranges }
    }

    /// What lies in this set but not in the other.
    pub fn difference(&self, other: &Self) -> Self {
        let mut outside = Vec::with_capacity(other.ranges.len() + 1);
        let mut start = 0;
        for range in &other.ranges {
            outside.push(start..range.start);
            start = range.end;
        }
        outside.push(start..12 << (2 * FINEST));
        outside.retain(|range| range.start < range.end);
        self.intersection(&Self { ranges: outside })
    }

    /// The first range that ends behind a number.
    fn reaching(&self, number: u64) -> Option<&Range<u64>> {
        self.ranges.get(self.ranges.partition_point(|range| range.end <= number))
    }
}

impl FromIterator<HealpixCell> for CellSet {
    fn from_iter<I: IntoIterator<Item = HealpixCell>>(cells: I) -> Self {
        Self::from_ranges(cells.into_iter().map(range_of).collect())
    }
}

/// The order-29 numbers in a cell.
fn range_of(cell: HealpixCell) -> Range<u64> {
    let shift = 2 * (FINEST - cell.order());
    cell.index() << shift..(cell.index() + 1) << shift
}

/// Sorted ranges, with those that overlap or touch made one.
fn merged(ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let mut merged: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}
