//! Windows of an image.

use std::ops::Range;

use crate::Error;
use crate::error::finite;

/// Longest side of a cutout, in pixels.
const LONGEST: usize = 1_000_000;
/// Pixel numbers beyond this are nowhere near an image; below it they are exact as integers and as doubles.
const FARTHEST: f64 = 1e15;

/// What becomes of a cutout that reaches beyond its image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutoutMode {
    /// It is cut to the part that the image has.
    Trim,
    /// It keeps its shape, and what the image lacks is filled.
    Partial,
    /// It is an error.
    Strict,
}

/// A rectangular window of an image: which pixels it takes, and where they go.
///
/// Pure geometry: it needs the image's shape, not its pixels, so a reader can fetch the rows and columns of
/// [`x`](Self::x) and [`y`](Self::y) only and then [`place`](Self::place) them.
///
/// # Units
///
/// Pixels **counted from 0**, as in arrays; their centres are whole numbers. A pixel of
/// [`Wcs::sky_to_pixel`](crate::Wcs::sky_to_pixel) is one more in x and y.
///
/// # Shape
///
/// Shapes are `[rows, columns]`, as those of arrays; points are x (column), then y (row).
///
/// # Examples
///
/// ```
/// use coaddkit_sky::Cutout;
///
/// let image: Vec<u16> = (0..12).collect(); // 3 rows of 4
/// let stamp = Cutout::stamp([3, 4], 3.2, 0.9, 4)?;
/// assert!(!stamp.is_complete());
/// assert_eq!((stamp.x(), stamp.y()), (1..4, 0..3));
/// assert_eq!(
///     stamp.copy(&image, 0)?,
///     [
///         0, 0, 0, 0, //
///         1, 2, 3, 0, //
///         5, 6, 7, 0, //
///         9, 10, 11, 0,
///     ],
/// );
/// # Ok::<(), coaddkit_sky::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cutout {
    image: [usize; 2],
    shape: [usize; 2],
    /// Of the first pixel, x and y.
    origin: [i64; 2],
}

impl Cutout {
    /// A window of `shape` about a point. Its first pixel is the smallest whole number not below the point less half
    /// the size, as in astropy's `Cutout2D`.
    ///
    /// # Errors
    ///
    /// [`Error::NoOverlap`] if the image has no pixel of it, in [`CutoutMode::Strict`] [`Error::PartialOverlap`] if
    /// the image lacks one, [`Error::NotFinite`], and [`Error::OutOfRange`] for sides that are not 1 to 1,000,000.
    pub fn around(
        image_shape: [usize; 2],
        x: f64,
        y: f64,
        shape: [usize; 2],
        mode: CutoutMode,
    ) -> Result<Self, Error> {
        let [rows, columns] = shape.map(|side| side_within(side).map(|side| side as f64));
        let first = |at: f64, side: f64| (at - side / 2.0).ceil();
        let origin = [first(finite("x", x)?, columns?), first(finite("y", y)?, rows?)];
        let mut cutout = Self { image: image_shape, shape, origin: origin.map(whole) };
        if cutout.x().is_empty() || cutout.y().is_empty() {
            return Err(Error::NoOverlap { x, y });
        }
        match mode {
            CutoutMode::Strict if !cutout.is_complete() => return Err(Error::PartialOverlap { x, y }),
            CutoutMode::Trim => {
                let (x, y) = (cutout.x(), cutout.y());
                cutout.shape = [y.len(), x.len()];
                cutout.origin = [x.start as i64, y.start as i64];
            }
            CutoutMode::Partial | CutoutMode::Strict => {}
        }
        Ok(cutout)
    }

    /// A square stamp about a point for training sets: `size / 2` pixels before the pixel nearest to the point, the
    /// others from there on; of two equally near the one with the even number. What the image lacks is filled, even if
    /// that is all: see [`is_complete`](Self::is_complete).
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`], and [`Error::OutOfRange`] for a size that is not 1 to 1,000,000.
    pub fn stamp(image_shape: [usize; 2], x: f64, y: f64, size: usize) -> Result<Self, Error> {
        let half = (side_within(size)? / 2) as i64;
        let origin = [finite("x", x)?, finite("y", y)?].map(|at| whole(at.round_ties_even()) - half);
        Ok(Self { image: image_shape, shape: [size, size], origin })
    }

    /// Rows and columns of the cutout.
    pub const fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// The pixel of the image, x and y, that is the cutout's first; negative if the image begins later. Give it to
    /// [`Wcs::shifted`](crate::Wcs::shifted) for the cutout's world coordinates.
    pub const fn origin(&self) -> [i64; 2] {
        self.origin
    }

    /// The columns of the image that the cutout takes.
    pub fn x(&self) -> Range<usize> {
        covered(self.origin[0], self.shape[1], self.image[1])
    }

    /// The rows of the image that the cutout takes.
    pub fn y(&self) -> Range<usize> {
        covered(self.origin[1], self.shape[0], self.image[0])
    }

    /// The pixel of the cutout, x and y, that takes the first one of the image. Of no meaning if there is none.
    pub fn offset(&self) -> [usize; 2] {
        let [x, y] = self.origin;
        let before = |origin: i64, side: usize| (origin.min(0).unsigned_abs() as usize).min(side);
        [before(x, self.shape[1]), before(y, self.shape[0])]
    }

    /// Whether the image has all pixels.
    pub fn is_complete(&self) -> bool {
        [self.y().len(), self.x().len()] == self.shape
    }

    /// How many pixels the image lacks.
    pub fn fill_count(&self) -> usize {
        self.shape[0] * self.shape[1] - self.y().len() * self.x().len()
    }

    /// The cutout's pixels, row by row, with `fill` for what the image lacks.
    ///
    /// # Errors
    ///
    /// [`Error::SliceLength`] if `image` has not the pixels of its shape, [`Error::OutOfMemory`] if there is no memory
    /// for a cutout of this size.
    pub fn copy<T: Copy>(&self, image: &[T], fill: T) -> Result<Vec<T>, Error> {
        let count = self.shape[0] * self.shape[1];
        let mut out = Vec::new();
        out.try_reserve_exact(count).map_err(|_| Error::OutOfMemory { what: "cutout", elements: count })?;
        out.resize(count, fill);
        self.copy_into(image, fill, &mut out)?;
        Ok(out)
    }

    /// The cutout's pixels written to `out`, which has exactly as many elements.
    ///
    /// # Errors
    ///
    /// [`Error::SliceLength`] if a slice has not the pixels of its shape.
    pub fn copy_into<T: Copy>(&self, image: &[T], fill: T, out: &mut [T]) -> Result<(), Error> {
        let [rows, columns] = self.image;
        same_length("image", rows.saturating_mul(columns), image)?;
        let (x, y) = (self.x(), self.y());
        self.fill_rows(fill, out, |row| {
            let start = (y.start + row) * columns + x.start;
            &image[start..start + x.len()]
        })
    }

    /// As [`copy_into`](Self::copy_into), from the rows [`y`](Self::y) and columns [`x`](Self::x) of the image alone.
    ///
    /// # Errors
    ///
    /// [`Error::SliceLength`] if a slice has not the pixels of its shape.
    ///
    /// # Examples
    ///
    /// ```
    /// use coaddkit_sky::{Cutout, CutoutMode};
    ///
    /// let cutout = Cutout::around([100, 100], 0.0, 50.0, [2, 3], CutoutMode::Partial)?;
    /// assert_eq!((cutout.x(), cutout.y()), (0..2, 49..51));
    /// let section = [1.0, 2.0, 3.0, 4.0]; // these pixels, from a file
    /// let mut out = [0.0; 6];
    /// cutout.place(&section, f64::INFINITY, &mut out)?;
    /// assert_eq!(out, [f64::INFINITY, 1.0, 2.0, f64::INFINITY, 3.0, 4.0]);
    /// # Ok::<(), coaddkit_sky::Error>(())
    /// ```
    pub fn place<T: Copy>(&self, section: &[T], fill: T, out: &mut [T]) -> Result<(), Error> {
        let (rows, columns) = (self.y().len(), self.x().len());
        same_length("section", rows * columns, section)?;
        self.fill_rows(fill, out, |row| &section[row * columns..(row + 1) * columns])
    }

    /// Fills `out` from rows of what the image has, numbered from 0.
    fn fill_rows<'a, T: Copy + 'a>(
        &self,
        fill: T,
        out: &mut [T],
        source: impl Fn(usize) -> &'a [T],
    ) -> Result<(), Error> {
        let [height, width] = self.shape;
        same_length("out", height * width, out)?;
        let ([left, top], columns, rows) = (self.offset(), self.x().len(), self.y().len());
        for (row, out) in out.chunks_exact_mut(width).enumerate() {
            if columns == 0 || !(top..top + rows).contains(&row) {
                out.fill(fill);
                continue;
            }
            let (before, rest) = out.split_at_mut(left);
            let (pixels, after) = rest.split_at_mut(columns);
            before.fill(fill);
            pixels.copy_from_slice(source(row - top));
            after.fill(fill);
        }
        Ok(())
    }
}

fn side_within(side: usize) -> Result<usize, Error> {
    if (1..=LONGEST).contains(&side) {
        Ok(side)
    } else {
        let (value, max) = (side as f64, LONGEST as f64);
        Err(Error::OutOfRange { what: "cutout side", value, min: 1.0, max })
    }
}

fn whole(value: f64) -> i64 {
    value.clamp(-FARTHEST, FARTHEST) as i64
}

/// The pixels of an axis of length `image` among the `side` ones from `origin`.
fn covered(origin: i64, side: usize, image: usize) -> Range<usize> {
    // An origin is at most 1e15 and a side 1e6, so nothing overflows.
    let clip = |pixel: i64| usize::try_from(pixel).unwrap_or(0).min(image);
    clip(origin)..clip(origin + side as i64)
}

fn same_length<T>(what: &'static str, expected: usize, slice: &[T]) -> Result<(), Error> {
    let found = slice.len();
    if found == expected { Ok(()) } else { Err(Error::SliceLength { what, expected, found }) }
}
