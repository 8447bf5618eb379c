//! The tiling of the sky into bricks.

use std::sync::LazyLock;

use crate::coord::normalize_ra;
use crate::error::within;
use crate::name::dec_half;
use crate::whole::{rounded, split};
use crate::{Brick, BrickId, BrickName, Error, SkyCoord};

/// Below this size two bricks could share a name, because names have tenths of a degree.
const SMALLEST_DEG: f64 = 0.1;
const LARGEST_DEG: f64 = 90.0;

#[derive(Debug, Clone, Copy)]
struct Row {
    /// Bricks before this row.
    start: u32,
    columns: u32,
}

/// What the names of a row's bricks are made of.
#[derive(Debug, Clone, Copy)]
struct Label {
    /// Of a brick, in right ascension.
    width_deg: f64,
    /// The second half of the name.
    dec: u32,
}

/// A tiling of the whole sky into bricks: rows of equal height in declination, each cut into an even number of
/// equal columns in right ascension, none longer than the size on either side. Half rows at the poles are a single
/// brick each.
///
/// Numbers, names, edges and centres equal those of the reference implementation (`desiutil.brick`) to the last
/// bit: every expression keeps its order of operations. Unlike it, a position must be valid to get a brick.
///
/// **Propagate the brick from your input rather than recompute it.** The brick of an object is the one whose image
/// it was measured in; the grid is for positions that have none yet.
///
/// # Examples
///
/// ```
/// use coaddkit_sky::{BrickGrid, SkyCoord};
///
/// let grid = BrickGrid::legacy();
/// assert_eq!(grid.len(), 662_174);
///
/// let id = grid.locate(SkyCoord::from_degrees(229.344667758, -5.612331961)?);
/// let brick = grid.brick(id).expect("the grid has what it located");
/// assert_eq!((id.get(), brick.name.as_str()), (299_633, "2293m055"));
/// assert_eq!(grid.brick_named(brick.name), Some(brick));
/// # Ok::<(), coaddkit_sky::Error>(())
/// ```
///
/// # References
///
/// desiutil 4.0, `desiutil.brick.Bricks`; <https://www.legacysurvey.org>, "survey-bricks".
#[derive(Debug, Clone)]
pub struct BrickGrid {
    size_deg: f64,
    /// Distance of two rows as accumulated from the south pole; for sizes that are no binary fraction it differs
    /// from the size by rounding.
    step_deg: f64,
    rows: Box<[Row]>,
    labels: Box<[Label]>,
    len: u32,
}

impl BrickGrid {
    /// A grid of bricks no longer than `size_deg` on a side.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] or [`Error::OutOfRange`] unless the size is 0.1 to 90 degrees.
    pub fn new(size_deg: f64) -> Result<Self, Error> {
        Ok(Self::with_size(within("brick size_deg", size_deg, SMALLEST_DEG, LARGEST_DEG)?))
    }

    /// The grid of the Legacy Surveys: 0.25 degrees, 662,174 bricks. Built once.
    pub fn legacy() -> &'static Self {
        static LEGACY: LazyLock<BrickGrid> = LazyLock::new(|| BrickGrid::with_size(0.25));
        &LEGACY
    }

    fn with_size(size_deg: f64) -> Self {
        // At most 1801 rows, so the cast is exact.
        let count = ((90.0 + size_deg / 2.0 + 90.0) / size_deg).ceil() as u32;
        let step_deg = (-90.0 + size_deg) + 90.0;
        let mut grid = Self { size_deg, step_deg, rows: vec![].into(), labels: vec![].into(), len: 0 };
        let mut rows = Vec::with_capacity(count as usize);
        let mut labels = Vec::with_capacity(count as usize);
        for row in 0..count {
            let center = grid.row_center(row, count);
            let single = row == 0 || (row + 1 == count && center >= 90.0);
            let columns = if single { 1 } else { columns(center, size_deg) };
            rows.push(Row { start: grid.len, columns });
            let (south, tenths) = name_of_dec(center);
            labels.push(Label { width_deg: 360.0 / f64::from(columns), dec: dec_half(south, tenths) });
            grid.len += columns;
        }
        (grid.rows, grid.labels) = (rows.into(), labels.into());
        grid
    }

    /// The largest side of a brick, in degrees.
    pub const fn size_deg(&self) -> f64 {
        self.size_deg
    }

    /// How many bricks there are.
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Never: a grid covers the sky.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many rows there are.
    pub const fn row_count(&self) -> usize {
        self.rows.len()
    }

    /// How many bricks row `row` has, or `None` beyond the north pole.
    pub fn columns(&self, row: usize) -> Option<usize> {
        self.rows.get(row).map(|row| row.columns as usize)
    }

    /// The number of the brick that contains a position.
    ///
    /// A brick owns its western and southern edge.
    #[inline]
    pub fn locate(&self, position: SkyCoord) -> BrickId {
        self.id_at(position.ra_deg(), position.dec_deg())
    }

    /// The numbers of the bricks of many positions; `None` where a position is not valid (NaN, infinite, or beyond
    /// a pole).
    ///
    /// # Units
    ///
    /// Degrees. Right ascensions may have any finite value.
    ///
    /// # Shape
    ///
    /// The three slices run in parallel.
    ///
    /// # Errors
    ///
    /// [`Error::LengthMismatch`] unless they have the same length; nothing is written then.
    ///
    /// # Examples
    ///
    /// ```
    /// use coaddkit_sky::BrickGrid;
    ///
    /// let mut bricks = [None; 3];
    /// BrickGrid::legacy().locate_all(&[0.0, 10.0, -0.1], &[0.0, f64::NAN, 0.0], &mut bricks)?;
    /// assert_eq!(bricks.map(|id| id.map(|id| id.get())), [Some(330_368), None, Some(331_807)]);
    /// # Ok::<(), coaddkit_sky::Error>(())
    /// ```
    pub fn locate_all(
        &self,
        ra_deg: &[f64],
        dec_deg: &[f64],
        bricks: &mut [Option<BrickId>],
    ) -> Result<(), Error> {
        self.all(ra_deg, dec_deg, bricks, |row, col| self.id(row, col))
    }

    /// The names of the bricks of many positions; `None` where a position is not valid (NaN, infinite, or beyond a
    /// pole).
    ///
    /// # Units
    ///
    /// Degrees. Right ascensions may have any finite value.
    ///
    /// # Shape
    ///
    /// The three slices run in parallel.
    ///
    /// # Errors
    ///
    /// [`Error::LengthMismatch`] unless they have the same length; nothing is written then.
    ///
    /// # Examples
    ///
    /// ```
    /// use coaddkit_sky::BrickGrid;
    ///
    /// let mut names = [None; 2];
    /// BrickGrid::legacy().name_all(&[229.344667758, 10.0], &[-5.612331961, 90.5], &mut names)?;
    /// assert_eq!(names, [Some("2293m055".parse()?), None]);
    /// # Ok::<(), coaddkit_sky::Error>(())
    /// ```
    pub fn name_all(
        &self,
        ra_deg: &[f64],
        dec_deg: &[f64],
        names: &mut [Option<BrickName>],
    ) -> Result<(), Error> {
        self.all(ra_deg, dec_deg, names, |row, col| self.name(row, col))
    }

    fn all<T>(
        &self,
        ra_deg: &[f64],
        dec_deg: &[f64],
        out: &mut [Option<T>],
        make: impl Fn(u32, u32) -> T,
    ) -> Result<(), Error> {
        let n = out.len();
        if ra_deg.len() != n || dec_deg.len() != n {
            return Err(Error::LengthMismatch { ra: ra_deg.len(), dec: dec_deg.len(), out: n });
        }
        let rows_per_deg = 1.0 / self.size_deg;
        for ((out, &ra), &dec) in out.iter_mut().zip(ra_deg).zip(dec_deg) {
            let cell = match self.quick_cell(ra, dec, rows_per_deg) {
                Some(cell) => Some(cell),
                None => self.careful_cell(ra, dec),
            };
            *out = cell.map(|(row, col)| make(row, col));
        }
        Ok(())
    }

    /// Row and column without divisions, if those cannot make a difference.
    #[inline]
    fn quick_cell(&self, ra_deg: f64, dec_deg: f64, rows_per_deg: f64) -> Option<(u32, u32)> {
        /// Far above the rounding of a number of rows or columns, of which there are at most 3600.
        const MARGIN: f64 = 1e-10;
        if !(0.0..360.0).contains(&ra_deg) || !(-90.0..=90.0).contains(&dec_deg) {
            return None;
        }
        let (row, row_clear) = split((dec_deg + 90.0 + self.size_deg / 2.0) * rows_per_deg, MARGIN);
        let row = row.min(self.rows.len() as u32 - 1);
        let columns = self.rows[row as usize].columns;
        let (col, col_clear) = split(ra_deg * (f64::from(columns) * (1.0 / 360.0)), MARGIN);
        (row_clear & col_clear).then_some((row, col))
    }

    #[cold]
    #[inline(never)]
    fn careful_cell(&self, ra_deg: f64, dec_deg: f64) -> Option<(u32, u32)> {
        (ra_deg.is_finite() && dec_deg.abs() <= 90.0).then(|| self.cell_at(normalize_ra(ra_deg), dec_deg))
    }

    /// The brick that contains a position.
    pub fn brick_at(&self, position: SkyCoord) -> Brick {
        let (row, col) = self.cell_at(position.ra_deg(), position.dec_deg());
        self.cell(row, col)
    }

    /// The brick with a number, if the grid has it.
    pub fn brick(&self, id: BrickId) -> Option<Brick> {
        let index = id.get() - 1;
        if index >= self.len {
            return None;
        }
        // The first row starts at 0, so at least one row does not start after the index.
        let row = self.rows.partition_point(|row| row.start <= index) - 1;
        Some(self.cell(row as u32, index - self.rows[row].start))
    }

    /// The brick with a name, if the grid has it: most well-formed names belong to no brick.
    pub fn brick_named(&self, name: BrickName) -> Option<Brick> {
        let (ra, south, dec) = name.tenths();
        let height = f64::from(dec) / 10.0 * if south { -1.0 } else { 1.0 } + 90.0;
        let rows = candidates(height, self.step_deg, 0.0, self.rows.len() as u32);
        let row = { rows }.find(|&row| name_of_dec(self.center_dec(row)) == (south, dec))?;
        let columns = self.rows[row as usize].columns;
        let width = self.labels[row as usize].width_deg;
        let mut cols = candidates(f64::from(ra) / 10.0, width, 0.5, columns);
        let col = cols.find(|&col| name_of_ra(self.center_ra(row, col)) == ra)?;
        Some(self.cell(row, col))
    }

    /// All bricks, in order of their numbers: from the south pole, each row from right ascension 0 eastwards.
    pub fn bricks(&self) -> impl Iterator<Item = Brick> + '_ {
        (0u32..)
            .zip(&self.rows)
            .flat_map(move |(row, &Row { columns, .. })| (0..columns).map(move |col| self.cell(row, col)))
    }

    #[inline]
    fn id_at(&self, ra_deg: f64, dec_deg: f64) -> BrickId {
        let (row, col) = self.cell_at(ra_deg, dec_deg);
        self.id(row, col)
    }

    #[inline]
    fn id(&self, row: u32, col: u32) -> BrickId {
        BrickId::from_index(self.rows[row as usize].start + col)
    }

    #[inline]
    fn name(&self, row: u32, col: u32) -> BrickName {
        BrickName::from_halves(name_of_ra(self.center_ra(row, col)), self.labels[row as usize].dec)
    }

    /// Row and column of a valid position. Casts cut towards zero, as the reference does.
    #[inline]
    fn cell_at(&self, ra_deg: f64, dec_deg: f64) -> (u32, u32) {
        let row = ((dec_deg + 90.0 + self.size_deg / 2.0) / self.size_deg) as u32;
        let row = row.min(self.rows.len() as u32 - 1);
        let columns = self.rows[row as usize].columns;
        // Below 360 the quotient is below 1, and its product with a whole number below that number.
        (row, (ra_deg / 360.0 * f64::from(columns)) as u32)
    }

    /// The row of a valid declination.
    pub(crate) fn row_at(&self, dec_deg: f64) -> usize {
        self.cell_at(0.0, dec_deg).0 as usize
    }

    /// A brick of the grid; both indices are in range.
    pub(crate) fn cell(&self, row: u32, col: u32) -> Brick {
        Brick {
            id: self.id(row, col),
            name: self.name(row, col),
            q: if row == 0 { 1 } else { (col % 2 + row % 2 * 2) as u8 },
            row,
            col,
            center: SkyCoord::from_valid(self.center_ra(row, col), self.center_dec(row)),
            ra1_deg: self.edge_ra(row, col),
            ra2_deg: self.edge_ra(row, col + 1),
            dec1_deg: self.edge_dec(row),
            dec2_deg: self.edge_dec(row + 1),
        }
    }

    fn center_dec(&self, row: u32) -> f64 {
        self.row_center(row, self.rows.len() as u32)
    }

    fn row_center(&self, row: u32, count: u32) -> f64 {
        let center = -90.0 + f64::from(row) * self.step_deg;
        if row + 1 == count { center.min(90.0) } else { center }
    }

    /// The southern edge of a row.
    fn edge_dec(&self, row: u32) -> f64 {
        let first = -90.0 - self.size_deg / 2.0;
        let step = (first + self.size_deg) - first;
        match row {
            0 => -90.0,
            row if row as usize >= self.rows.len() => 90.0,
            row => first + f64::from(row) * step,
        }
    }

    #[inline]
    fn center_ra(&self, row: u32, col: u32) -> f64 {
        0.5 * (self.edge_ra(row, col) + self.edge_ra(row, col + 1))
    }

    /// The western edge of a brick, or the eastern edge of the last.
    #[inline]
    fn edge_ra(&self, row: u32, col: u32) -> f64 {
        let row = row as usize;
        if col >= self.rows[row].columns { 360.0 } else { f64::from(col) * self.labels[row].width_deg }
    }
}

/// Columns of a row: even, and enough that no brick is wider than the size at its parallel nearest the equator.
fn columns(center_dec: f64, size_deg: f64) -> u32 {
    let nearest = (center_dec.abs() - size_deg / 2.0).max(0.0);
    let exact = 360.0 / size_deg * nearest.to_radians().cos();
    ((exact / 2.0).ceil() * 2.0) as u32
}

/// Tenths of a degree, cut off, after rounding to 1e-4 degrees (so that 39.599999999999994 is 396).
#[inline]
fn tenths(value_deg: f64) -> u32 {
    rounded(value_deg * 10000.0) / 1000
}

fn name_of_ra(center_deg: f64) -> u32 {
    tenths(center_deg)
}

/// Whether the centre lies south of the equator, and its tenths.
fn name_of_dec(center_deg: f64) -> (bool, u32) {
    (center_deg < 0.0, tenths(center_deg.abs()))
}

/// Indices whose centre `(index + offset) * step` lies within a tenth of a degree (and a little) of `value`.
fn candidates(value: f64, step: f64, offset: f64, count: u32) -> std::ops::Range<u32> {
    const NEAR: f64 = 0.101;
    let index = |value: f64| value / step - offset;
    let low = index(value - NEAR).floor().max(0.0) as u32;
    // Casts saturate: an index below 0 becomes 0.
    let high = (index(value + NEAR).ceil() + 1.0) as u32;
    low.min(count)..high.min(count)
}
