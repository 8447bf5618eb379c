//! Which bricks touch, and the groups they form.

use std::ops::Range;

use crate::error::within;
use crate::{Error, SkyCoord};

const SMALLEST_DEG: f64 = 1e-6;
const LARGEST_DEG: f64 = 45.0;
/// Width of a cell in units of the reach. Below 1, so that all points of a cell are neighbours of each other;
/// above 1/2 by more than rounding, so that neighbours are at most [`CELLS`] cells apart.
const CELL: f64 = 0.75;
const CELLS: u32 = 2;

/// When two positions count as neighbours: both coordinates differ by no more than a reach, the limit included.
///
/// Right ascensions are compared as raw degrees around the circle, `min(|Δ|, 360 - |Δ|)`, without the cosine of
/// the declination: a rule for bricks, whose columns widen towards the poles. By default both reaches are 0.3
/// degrees, so that bricks of 0.25 degrees are neighbours of the eight around them near the equator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adjacency {
    ra_deg: f64,
    dec_deg: f64,
}

impl Default for Adjacency {
    fn default() -> Self {
        Self { ra_deg: 0.3, dec_deg: 0.3 }
    }
}

/// Positions grouped so that neighbours are together: the connected components of an [`Adjacency`].
///
/// Components are numbered by their first member in input order, and list their members in input order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Components {
    labels: Vec<usize>,
    /// Where each component starts in `members`, and the end.
    starts: Vec<usize>,
    members: Vec<usize>,
}

impl Adjacency {
    /// A rule with these reaches in right ascension and declination.
    ///
    /// # Units
    ///
    /// Degrees.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] or [`Error::OutOfRange`] unless both are 1e-6 to 45 degrees.
    pub fn new(ra_deg: f64, dec_deg: f64) -> Result<Self, Error> {
        Ok(Self {
            ra_deg: within("adjacency ra_deg", ra_deg, SMALLEST_DEG, LARGEST_DEG)?,
            dec_deg: within("adjacency dec_deg", dec_deg, SMALLEST_DEG, LARGEST_DEG)?,
        })
    }

    /// The reach in right ascension, in degrees.
    pub const fn ra_deg(&self) -> f64 {
        self.ra_deg
    }

    /// The reach in declination, in degrees.
    pub const fn dec_deg(&self) -> f64 {
        self.dec_deg
    }

    /// Whether two positions are neighbours.
    #[inline]
    pub fn adjacent(&self, a: SkyCoord, b: SkyCoord) -> bool {
        let ra = (a.ra_deg() - b.ra_deg()).abs();
        ra.min(360.0 - ra) <= self.ra_deg && (a.dec_deg() - b.dec_deg()).abs() <= self.dec_deg
    }

    /// The connected components of positions, exactly as [`adjacent`](Self::adjacent) on all pairs would give them.
    ///
    /// Takes `n log n` time however the positions lie, also when many of them coincide.
    ///
    /// # Examples
    ///
    /// ```
    /// use coaddkit_sky::{Adjacency, SkyCoord};
    ///
    /// let centers = [(0.1, 0.0), (180.0, 0.0), (359.9, 0.25)]
    ///     .map(|(ra, dec)| SkyCoord::from_degrees(ra, dec))
    ///     .into_iter()
    ///     .collect::<Result<Vec<_>, _>>()?;
    /// let components = Adjacency::default().components(&centers);
    /// assert_eq!(components.len(), 2);
    /// assert_eq!(components.members(0), [0, 2]);
    /// # Ok::<(), coaddkit_sky::Error>(())
    /// ```
    pub fn components(&self, positions: &[SkyCoord]) -> Components {
        let cells = Cells::new(self, positions);
        let mut sets = Sets::new(cells.list.len());
        for (index, cell) in cells.list.iter().enumerate() {
            for drow in 0..=CELLS {
                cells.neighbours(cell, drow, |other| {
                    // Each pair of cells once; joined ones need no proof.
                    if (drow > 0 || other > index)
                        && sets.differ(index, other)
                        && cells.touch(self, index, other)
                    {
                        sets.join(index, other);
                    }
                });
            }
        }
        cells.label(sets)
    }
}

impl Components {
    /// How many components there are.
    pub const fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether there are none, because there were no positions.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The component of each position, in input order.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The positions of a component, as indices of the input in ascending order; empty beyond the last component.
    pub fn members(&self, component: usize) -> &[usize] {
        match self.starts.get(component..component.saturating_add(2)) {
            Some(&[start, end]) => &self.members[start..end],
            _ => &[],
        }
    }

    /// The members of each component.
    pub fn iter(&self) -> impl Iterator<Item = &[usize]> {
        self.starts.windows(2).map(|ends| &self.members[ends[0]..ends[1]])
    }
}

/// A position in its cell.
#[derive(Debug, Clone, Copy)]
struct Entry {
    row: u32,
    col: u32,
    at: SkyCoord,
    index: usize,
}

#[derive(Debug)]
struct Cell {
    row: u32,
    col: u32,
    entries: Range<usize>,
}

/// Positions sorted into cells, the cells by row and column, the positions of a cell by right ascension.
#[derive(Debug)]
struct Cells {
    entries: Vec<Entry>,
    list: Vec<Cell>,
    /// Where each occupied or empty row starts in `list`, for the rows up to the last occupied one.
    rows: Vec<(u32, usize)>,
    columns: u32,
}

impl Cells {
    fn new(rule: &Adjacency, positions: &[SkyCoord]) -> Self {
        // Whole columns around the circle, so that the last is no narrower; at least 10, at most 5e8.
        let columns = (360.0 / (rule.ra_deg * CELL)).floor();
        let (width, height) = (360.0 / columns, rule.dec_deg * CELL);
        let columns = columns as u32;
        let place = |(index, &at): (usize, &SkyCoord)| Entry {
            row: ((at.dec_deg() + 90.0) / height) as u32,
            col: ((at.ra_deg() / width) as u32).min(columns - 1),
            at,
            index,
        };
        let mut entries: Vec<Entry> = positions.iter().enumerate().map(place).collect();
        entries.sort_unstable_by(|a, b| {
            (a.row, a.col).cmp(&(b.row, b.col)).then(a.at.ra_deg().total_cmp(&b.at.ra_deg()))
        });
        let mut list: Vec<Cell> = Vec::new();
        let mut rows: Vec<(u32, usize)> = Vec::new();
        for chunk in entries.chunk_by(|a, b| (a.row, a.col) == (b.row, b.col)) {
            let start = list.last().map_or(0, |cell| cell.entries.end);
            let Entry { row, col, .. } = chunk[0];
            if rows.last().is_none_or(|&(last, _)| last != row) {
                rows.push((row, list.len()));
            }
            list.push(Cell { row, col, entries: start..start + chunk.len() });
        }
        Self { entries, list, rows, columns }
    }

    /// Calls `visit` with each cell that is `drow` rows up and at most [`CELLS`] columns away, around the circle.
    fn neighbours(&self, cell: &Cell, drow: u32, mut visit: impl FnMut(usize)) {
        let Ok(k) = self.rows.binary_search_by_key(&(cell.row + drow), |&(row, _)| row) else { return };
        let (start, end) =
            (self.rows[k].1, self.rows.get(k + 1).map_or(self.list.len(), |&(_, start)| start));
        let mut visit_columns = |low: u32, high: u32| {
            let first = start + self.list[start..end].partition_point(|cell| cell.col < low);
            (first..end).take_while(|&other| self.list[other].col <= high).for_each(&mut visit);
        };
        visit_columns(cell.col.saturating_sub(CELLS), cell.col + CELLS);
        if cell.col < CELLS {
            visit_columns(self.columns + cell.col - CELLS, self.columns - 1);
        }
        if cell.col + CELLS >= self.columns {
            visit_columns(0, cell.col + CELLS - self.columns);
        }
    }

    /// Whether a position of one cell is a neighbour of a position of the other.
    fn touch(&self, rule: &Adjacency, one: usize, two: usize) -> bool {
        let (one, two) = (&self.list[one], &self.list[two]);
        // `west` is the cell from which the other is reached eastwards by the shorter way.
        let eastwards = (two.col + self.columns - one.col) % self.columns <= CELLS;
        let (west, east) = if eastwards { (one, two) } else { (two, one) };
        let west_below = west.row <= east.row;
        let (west, east) = (&self.entries[west.entries.clone()], &self.entries[east.entries.clone()]);
        // Both run by right ascension. Which positions of the west are within its reach depends on a position of the
        // east: a tail, which grows as the latter comes nearer (rounding keeps that order). So walk the east from its
        // far end, take in the growing tail, and keep of it the declination that is nearest to the other cell's.
        let mut tail = west.iter().rev().peekable();
        let mut nearest: Option<SkyCoord> = None;
        let same_dec = |a: SkyCoord, dec: f64| SkyCoord::from_valid(a.ra_deg(), dec);
        for far in east.iter().rev() {
            while let Some(entry) =
                tail.next_if(|entry| rule.adjacent(entry.at, same_dec(far.at, entry.at.dec_deg())))
            {
                let nearer = |best: SkyCoord| {
                    if west_below {
                        entry.at.dec_deg() > best.dec_deg()
                    } else {
                        entry.at.dec_deg() < best.dec_deg()
                    }
                };
                if nearest.is_none_or(nearer) {
                    nearest = Some(entry.at);
                }
            }
            // All that was taken in is within reach in right ascension; only declinations are left to compare.
            if nearest.is_some_and(|best| rule.adjacent(same_dec(far.at, best.dec_deg()), far.at)) {
                return true;
            }
        }
        false
    }

    /// Numbers the components in input order.
    fn label(&self, mut sets: Sets) -> Components {
        const NONE: usize = usize::MAX;
        let mut labels = vec![NONE; self.entries.len()];
        for (index, cell) in self.list.iter().enumerate() {
            let root = sets.root(index);
            for entry in &self.entries[cell.entries.clone()] {
                labels[entry.index] = root;
            }
        }
        let mut numbers = vec![NONE; self.list.len()];
        let mut sizes: Vec<usize> = Vec::new();
        for label in &mut labels {
            let number = &mut numbers[*label];
            if *number == NONE {
                *number = sizes.len();
                sizes.push(0);
            }
            *label = *number;
            sizes[*label] += 1;
        }
        let mut starts = vec![0];
        starts.extend(sizes.iter().scan(0, |sum, size| {
            *sum += size;
            Some(*sum)
        }));
        let mut next = starts.clone();
        let mut members = vec![0; labels.len()];
        for (index, &label) in labels.iter().enumerate() {
            members[next[label]] = index;
            next[label] += 1;
        }
        Components { labels, starts, members }
    }
}

/// Disjoint sets of cells.
#[derive(Debug)]
struct Sets {
    parent: Vec<usize>,
}

impl Sets {
    fn new(len: usize) -> Self {
        Self { parent: (0..len).collect() }
    }

    fn root(&mut self, mut item: usize) -> usize {
        while self.parent[item] != item {
            self.parent[item] = self.parent[self.parent[item]];
            item = self.parent[item];
        }
        item
    }

    fn differ(&mut self, a: usize, b: usize) -> bool {
        self.root(a) != self.root(b)
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        // The earlier cell leads: paths stay short because cells are joined in order.
        self.parent[a.max(b)] = a.min(b);
    }
}
