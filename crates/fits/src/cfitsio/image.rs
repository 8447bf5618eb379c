//! Pixels.

use super::Hdu;
use super::raw::Handle;
use crate::error::{Error, ErrorKind};
use crate::header::Header;
use crate::image::scaling::{Scaling, Stored};
use crate::image::{check_section, volume};
use crate::sample::{Pixels, Sample, with_pixels};
use crate::structure::{HduKind, PixelType};
use std::ops::Range;

/// The pixels of an image HDU, read by CFITSIO.
///
/// Shapes, ranges and types are those of [`crate::Image`]: slowest axis first, nulls are NaN, and pixels are read as
/// their own type or one that holds every value of it.
#[derive(Clone, Debug)]
pub struct Image {
    hdu: Hdu,
    shape: Vec<u64>,
    pixel: PixelType,
    /// True if some pixels may be null for CFITSIO to replace.
    nulls: bool,
}

impl Image {
    pub(super) fn new(hdu: &Hdu) -> Result<Self, Error> {
        let (header, structure) = (&hdu.header, &hdu.structure);
        if structure.kind != HduKind::Image || structure.shape.is_empty() {
            return Err(hdu.wrong("an image with data"));
        }
        let shape = hdu.with(Handle::image_shape)?;
        let bitpix = structure.bitpix;
        let stored = Stored::of(bitpix).ok_or_else(|| {
            let problem = format!("is {bitpix}, must be 8, 16, 32, 64, -32 or -64");
            hdu.error(ErrorKind::Header { keyword: "BITPIX".into(), problem })
        })?;
        let compressed = structure.compression.is_some();
        if compressed && has_column(header, "NULL_PIXEL_MASK") {
            return Err(hdu.error(ErrorKind::Unsupported { what: "NULL_PIXEL_MASK in CFITSIO".to_owned() }));
        }
        let blank = header.integer(if compressed { "ZBLANK" } else { "BLANK" });
        let blank = blank.or_else(|| header.integer("BLANK")).filter(|_| !stored.is_float());
        let nullable = compressed && has_column(header, "ZBLANK");
        let scaling = Scaling::new(header, stored, blank, nullable).map_err(|kind| hdu.error(kind))?;
        let quantised = compressed
            && (header.get("ZSCALE").is_some() || has_column(header, "ZSCALE"))
            && header.text("ZQUANTIZ").as_deref() != Some("NONE");
        // Asked for nulls, CFITSIO makes infinities NaN and tiny floats zero as well; where floats are stored as they
        // are, it must not be asked.
        let nulls = if stored.is_float() { quantised } else { blank.is_some() || nullable };
        let sticky = stored.is_float() && quantised && hdu.file.passes_lossless(hdu.place)?;
        let hdu = if sticky { hdu.in_memory(Handle::copied)? } else { hdu.clone() };
        Ok(Self { hdu, shape, pixel: scaling.pixel, nulls })
    }

    /// Lengths of the axes, slowest first.
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// The type that holds every pixel value.
    pub fn pixel_type(&self) -> PixelType {
        self.pixel
    }

    /// All pixels.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::PixelType`] if `T` does not hold every value of [`Self::pixel_type`] exactly; [`ErrorKind::Limit`];
    /// [`ErrorKind::Cfitsio`].
    pub fn read<T: Sample>(&self) -> Result<Vec<T>, Error> {
        self.section(&self.everything())
    }

    /// All pixels in the type of the image.
    ///
    /// # Errors
    ///
    /// As for [`Self::read`].
    pub fn read_pixels(&self) -> Result<Pixels, Error> {
        self.pixels(&self.everything())
    }

    /// The pixels of a box: one range an axis, slowest first.
    ///
    /// # Errors
    ///
    /// As for [`Self::read`], and [`ErrorKind::Section`] if the box has other axes than the image or leaves it.
    pub fn section<T: Sample>(&self, ranges: &[Range<u64>]) -> Result<Vec<T>, Error> {
        check_section::<T>(self.pixel, &self.shape, ranges).map_err(|kind| self.hdu.error(kind))?;
        self.charge(ranges, size_of::<T>())?;
        let pixels = self.pixels(ranges)?;
        let mut out = vec![T::default(); pixels.len()];
        pixels.copy(0, &mut out);
        Ok(out)
    }

    fn everything(&self) -> Vec<Range<u64>> {
        self.shape.iter().map(|&n| 0..n).collect()
    }

    fn charge(&self, ranges: &[Range<u64>], bytes: usize) -> Result<(), Error> {
        let limit = self.hdu.file.limits.image_bytes;
        let wanted = volume(ranges).saturating_mul(bytes as u64);
        if wanted > limit {
            return Err(self.hdu.error(ErrorKind::Limit { what: "the size of the pixels", wanted, limit }));
        }
        Ok(())
    }

    /// The pixels of a box in the image, in their own type.
    fn pixels(&self, ranges: &[Range<u64>]) -> Result<Pixels, Error> {
        self.charge(ranges, self.pixel.bytes())?;
        let count = volume(ranges) as usize;
        Ok(with_pixels!(self.pixel, T => {
            let mut out = vec![T::default(); count];
            if count > 0 {
                let null = self.nulls.then(|| super::raw::Number::null());
                self.hdu.with(|handle| handle.section::<T>(ranges, null, &mut out))?;
            }
            out
        }))
    }
}

/// True if the table of a compressed image has a column of this name.
fn has_column(header: &Header, name: &str) -> bool {
    let columns = header.integer("TFIELDS").unwrap_or(0).clamp(0, 999);
    (1..=columns).any(|n| header.text(&format!("TTYPE{n}")).is_some_and(|t| t.eq_ignore_ascii_case(name)))
}
