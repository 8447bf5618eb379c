//! Images: plain and tile-compressed, whole or in part.

mod cache;
mod plain;
pub(crate) mod scaling;

pub use cache::Sections;

use crate::error::{Error, ErrorKind};
use crate::file::Hdu;
use crate::sample::{Pixels, Sample, holds, with_pixels};
use crate::structure::{HduKind, PixelType};
use crate::tile::Tiles;
use plain::Plain;
use scaling::{Scaling, Stored};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// The pixels of an image HDU, plain or tile-compressed.
///
/// Opening an image reads no pixel. Clones are cheap and share what they have in memory; all methods may be
/// called from several threads. With the feature `rayon` a large read uses all threads of the current pool.
///
/// # Shape
///
/// Axes are given slowest first, so a two-dimensional image is `[rows, columns]`, and pixels come row after
/// row. FITS itself counts axes the other way round: NAXIS1 is the last.
///
/// # Values
///
/// BSCALE and BZERO are applied in double precision and the result is rounded once, to
/// [`Self::pixel_type`]. Null pixels (BLANK, ZBLANK, NULL_PIXEL_MASK) are NaN. Compressed floats have the same
/// bits as CFITSIO gives them.
///
/// # Examples
///
/// ```
/// use coaddkit_fits::{Fits, PixelType};
///
/// # fn main() -> Result<(), coaddkit_fits::Error> {
/// # let cards = ["SIMPLE  = T", "BITPIX  = 16", "NAXIS   = 2", "NAXIS1  = 3", "NAXIS2  = 2", "BZERO   = 32768", "END"];
/// # let mut bytes: Vec<u8> = cards.iter().flat_map(|c| format!("{c:80}").into_bytes()).collect();
/// # bytes.resize(2880, b' ');
/// # bytes.extend((-32768_i16..-32762).flat_map(i16::to_be_bytes));
/// let image = Fits::from_source(bytes)?.hdu(0)?.image()?;
/// assert_eq!(image.shape(), [2, 3]);
/// assert_eq!(image.pixel_type(), PixelType::U16);
/// assert_eq!(image.read::<u16>()?, [0, 1, 2, 3, 4, 5]);
/// assert_eq!(image.section::<f32>(&[1..2, 1..3])?, [4.0, 5.0]); // single precision holds any u16
/// assert!(image.read::<i16>().is_err()); // i16 does not
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Image {
    hdu: Hdu,
    data: Arc<Data>,
}

enum Data {
    Plain(Plain),
    Tiles(Box<Tiles>),
}

impl Image {
    pub(crate) fn new(hdu: &Hdu) -> Result<Self, Error> {
        hdu.sensible()?;
        if hdu.kind() != HduKind::Image || hdu.shape().is_empty() {
            let kind = ErrorKind::WrongHdu { wanted: "an image with data", found: hdu.describe() };
            return Err(hdu.error(kind));
        }
        let data = match Tiles::new(hdu)? {
            Some(tiles) => Data::Tiles(Box::new(tiles)),
            None => {
                let bitpix = hdu.bitpix();
                let stored = Stored::of(bitpix).ok_or_else(|| {
                    let problem = format!("is {bitpix}, must be 8, 16, 32, 64, -32 or -64");
                    hdu.error(ErrorKind::Header { keyword: "BITPIX".into(), problem })
                })?;
                let blank = hdu.header().integer("BLANK");
                let scaling =
                    Scaling::new(hdu.header(), stored, blank, false).map_err(|kind| hdu.error(kind))?;
                Data::Plain(Plain::new(hdu, scaling))
            }
        };
        let image = Self { hdu: hdu.clone(), data: Arc::new(data) };
        // Offsets are counted in pixels and bytes.
        let pixels = hdu.shape().iter().try_fold(1_u64, |all, &n| all.checked_mul(n));
        if pixels.and_then(|n| n.checked_mul(8)).is_none() {
            let problem = "give more pixels than can be counted".to_owned();
            return Err(hdu.error(ErrorKind::Header { keyword: "ZNAXISn".into(), problem }));
        }
        Ok(image)
    }

    /// The HDU of this image.
    pub fn hdu(&self) -> &Hdu {
        &self.hdu
    }

    /// Lengths of the axes, slowest first.
    pub fn shape(&self) -> &[u64] {
        self.hdu.shape()
    }

    /// Number of pixels.
    pub fn len(&self) -> u64 {
        self.shape().iter().product()
    }

    /// True if an axis has no length.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The type that holds every pixel value: the narrowest exact one, or a float where values are scaled or
    /// may be null.
    pub fn pixel_type(&self) -> PixelType {
        match &*self.data {
            Data::Plain(plain) => plain.scaling().pixel,
            Data::Tiles(tiles) => tiles.scaling().pixel,
        }
    }

    /// All pixels.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::PixelType`] if `T` does not hold every value of [`Self::pixel_type`] exactly;
    /// [`ErrorKind::Tile`], [`ErrorKind::Truncated`] or [`ErrorKind::Gzip`] if the data are damaged;
    /// [`ErrorKind::Limit`] if the pixels take more than [`Limits::image_bytes`](crate::Limits::image_bytes).
    pub fn read<T: Sample>(&self) -> Result<Vec<T>, Error> {
        self.section(&self.everything())
    }

    /// All pixels, into a slice of just their number.
    ///
    /// # Errors
    ///
    /// As for [`Self::read`], and [`ErrorKind::Section`] if the slice is of another length. What the slice
    /// holds after an error is not defined.
    pub fn read_into<T: Sample>(&self, out: &mut [T]) -> Result<(), Error> {
        self.section_into(&self.everything(), out)
    }

    /// All pixels in the type of the image.
    ///
    /// # Errors
    ///
    /// As for [`Self::read`].
    pub fn read_pixels(&self) -> Result<Pixels, Error> {
        Ok(with_pixels!(self.pixel_type(), T => self.read::<T>()?))
    }

    /// The pixels of a box: one range an axis, slowest first. Only tiles that it touches are decoded.
    ///
    /// # Errors
    ///
    /// As for [`Self::read`], and [`ErrorKind::Section`] if the box has other axes than the image or leaves it.
    pub fn section<T: Sample>(&self, ranges: &[Range<u64>]) -> Result<Vec<T>, Error> {
        self.check::<T>(ranges)?;
        self.charge::<T>(ranges)?;
        // A header can promise more than the file holds; the promise is not worth memory before it is checked.
        if let Data::Plain(_) = &*self.data {
            self.hdu.whole()?;
        }
        let mut out = vec![T::default(); volume(ranges) as usize];
        self.fill(ranges, &mut out, true)?;
        Ok(out)
    }

    /// The pixels of a box, into a slice of just their number.
    ///
    /// # Errors
    ///
    /// As for [`Self::section`]. What the slice holds after an error is not defined.
    pub fn section_into<T: Sample>(&self, ranges: &[Range<u64>], out: &mut [T]) -> Result<(), Error> {
        self.check_room::<T>(ranges, out.len())?;
        self.fill(ranges, out, false)
    }

    /// Reads a box into a slice of just the room, of which no page has been touched if `fresh`.
    fn fill<T: Sample>(&self, ranges: &[Range<u64>], out: &mut [T], fresh: bool) -> Result<(), Error> {
        let wanted = volume(ranges);
        if wanted == 0 {
            return Ok(());
        }
        match &*self.data {
            Data::Plain(plain) => plain.read(ranges, out, fresh),
            Data::Tiles(tiles) => tiles.read(ranges, out, fresh),
        }?;
        if wanted == self.len() && self.hdu.shared.source.is_sequential() {
            // A whole image of a compressed file ends with its CRC.
            let at = self.hdu.shared.location(Some(self.hdu.index()), None);
            self.hdu.shared.source.check_to_end().map_err(|e| Error::io(at, e))?;
        }
        Ok(())
    }

    /// For many small sections: keeps the tiles that were decoded, up to `budget_bytes` bytes of pixels.
    pub fn sections(&self, budget_bytes: usize) -> Sections {
        Sections::new(self.clone(), budget_bytes)
    }

    /// All pixels as an array.
    ///
    /// # Errors
    ///
    /// As for [`Self::read`].
    #[cfg(feature = "ndarray")]
    pub fn read_array<T: Sample>(&self) -> Result<ndarray::ArrayD<T>, Error> {
        self.section_array(&self.everything())
    }

    /// The pixels of a box as an array.
    ///
    /// # Errors
    ///
    /// As for [`Self::section`].
    #[cfg(feature = "ndarray")]
    pub fn section_array<T: Sample>(&self, ranges: &[Range<u64>]) -> Result<ndarray::ArrayD<T>, Error> {
        let pixels = self.section(ranges)?;
        // The sides fit: their product does.
        let shape: Vec<usize> = ranges.iter().map(|r| (r.end - r.start) as usize).collect();
        let made = ndarray::ArrayD::from_shape_vec(shape, pixels);
        made.map_err(|e| self.outside(format!("it makes no array: {e}")))
    }

    fn everything(&self) -> Vec<Range<u64>> {
        self.shape().iter().map(|&n| 0..n).collect()
    }

    /// That the pixels can be had as `T` and that the box lies in the image.
    fn check<T: Sample>(&self, ranges: &[Range<u64>]) -> Result<(), Error> {
        check_section::<T>(self.pixel_type(), self.shape(), ranges).map_err(|kind| self.hdu.error(kind))
    }

    fn check_room<T: Sample>(&self, ranges: &[Range<u64>], room: usize) -> Result<(), Error> {
        self.check::<T>(ranges)?;
        let wanted = volume(ranges);
        if wanted != room as u64 {
            return Err(self.outside(format!("it has {wanted} pixels, there is room for {room}")));
        }
        Ok(())
    }

    /// That the pixels of a box are within the limit.
    fn charge<T: Sample>(&self, ranges: &[Range<u64>]) -> Result<(), Error> {
        let limit = self.hdu.shared.limits.image_bytes;
        let wanted = volume(ranges).saturating_mul(size_of::<T>() as u64);
        if wanted > limit || usize::try_from(wanted).is_err() {
            return Err(self.hdu.error(ErrorKind::Limit { what: "the size of the pixels", wanted, limit }));
        }
        Ok(())
    }

    fn outside(&self, problem: String) -> Error {
        self.hdu.error(ErrorKind::Section { problem })
    }

    fn tiles(&self) -> Option<&Tiles> {
        match &*self.data {
            Data::Plain(_) => None,
            Data::Tiles(tiles) => Some(tiles),
        }
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Image")
            .field("hdu", &self.hdu)
            .field("pixel_type", &self.pixel_type())
            .finish_non_exhaustive()
    }
}

/// That pixels of the type `own` can be had as `T` and that the box lies in an image of this shape.
pub(crate) fn check_section<T: Sample>(
    own: PixelType,
    shape: &[u64],
    ranges: &[Range<u64>],
) -> Result<(), ErrorKind> {
    let wanted = T::TYPE;
    if !holds(wanted, own) {
        return Err(ErrorKind::PixelType { own, wanted });
    }
    if ranges.len() != shape.len() {
        let problem = format!("it has {} axes, the image {}", ranges.len(), shape.len());
        return Err(ErrorKind::Section { problem });
    }
    match ranges.iter().zip(shape).position(|(r, &n)| r.start > r.end || r.end > n) {
        None => Ok(()),
        Some(axis) => {
            let problem =
                format!("it wants {:?} of axis {axis}, which has {} pixels", ranges[axis], shape[axis]);
            Err(ErrorKind::Section { problem })
        }
    }
}

/// Pixels of a box in an image, whose number fits 64 bits.
pub(crate) fn volume(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|r| r.end - r.start).product()
}

/// A box and the pixels it is to fill.
type Band<'a, T> = (Vec<Range<u64>>, &'a mut [T]);

/// Cuts a box along its slowest axis at multiples of `unit`, into pieces of about `pixels` pixels or more.
pub(crate) fn bands<'a, T>(
    region: &[Range<u64>],
    unit: u64,
    pixels: u64,
    mut out: &'a mut [T],
) -> Vec<Band<'a, T>> {
    let Some((slowest, rest)) = region.split_first() else { return Vec::new() };
    let layer = volume(rest);
    let step = unit.saturating_mul(pixels.div_ceil(unit.saturating_mul(layer).max(1)).max(1));
    let mut pieces = Vec::new();
    let mut start = slowest.start;
    while start < slowest.end {
        let end = (start / step + 1).saturating_mul(step).min(slowest.end);
        let (piece, after) = out.split_at_mut(((end - start) * layer) as usize);
        out = after;
        let region = std::iter::once(start..end).chain(rest.iter().cloned());
        pieces.push((region.collect(), piece));
        start = end;
    }
    pieces
}

/// Does all work, in parallel where there is more than one piece; the error is the first in order.
#[cfg(feature = "rayon")]
pub(crate) fn first_error<W: Send>(
    work: Vec<W>,
    run: impl Fn(W) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    use rayon::prelude::*;
    if work.len() == 1 || rayon::current_num_threads() == 1 {
        return work.into_iter().try_for_each(run);
    }
    let failed = work.into_par_iter().map(&run).find_first(Result::is_err);
    failed.unwrap_or(Ok(()))
}

#[cfg(not(feature = "rayon"))]
pub(crate) fn first_error<W>(work: Vec<W>, run: impl Fn(W) -> Result<(), Error>) -> Result<(), Error> {
    work.into_iter().try_for_each(run)
}
