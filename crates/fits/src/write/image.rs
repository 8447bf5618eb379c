//! Images.

use super::pixels::Encoding;
use super::{Stream, Writer, unwritable};
use crate::error::Error;
use crate::header::Header;
use crate::sample::Sample;
use crate::tile::encode::Compress;
use std::io::{Seek, Write};
use std::marker::PhantomData;

/// Pixels turned into bytes at a time.
const PIECE: usize = 16 << 10;

/// An image to be written: its shape, header, scaling and compression.
///
/// # Shape
///
/// Axes are given slowest first, so a two-dimensional image is `[rows, columns]`, and pixels come row after row, as
/// in [`Image`](crate::Image).
///
/// # Values
///
/// Pixels are stored in their own type: `u16`, `u32`, `u64` and `i8` by the BZERO conventions of the standard, NaN as
/// itself in floats. With [`Self::scaled`] they are stored as scaled integers instead.
///
/// # References
///
/// FITS 4.0, sections 4.4.2.5, 5.2.5 and 5.3.
#[derive(Clone, Debug)]
pub struct NewImage {
    pub(super) shape: Vec<u64>,
    pub(super) header: Header,
    pub(super) scaling: Option<(i64, f64, f64)>,
    pub(super) blank: Option<i64>,
    pub(super) compress: Option<Compress>,
}

impl NewImage {
    /// An image with these axes, slowest first.
    pub fn new(shape: &[u64]) -> Self {
        Self { shape: shape.to_vec(), header: Header::new(), scaling: None, blank: None, compress: None }
    }

    /// Cards of the caller: EXTNAME, world coordinates, and what else there is to say.
    #[must_use]
    pub fn header(mut self, header: Header) -> Self {
        self.header = header;
        self
    }

    /// Stores pixels as integers of `bitpix` bits, 8, 16, 32 or 64: the nearest to (value − `zero`) / `scale`.
    /// NaN becomes [`Self::blank`].
    #[must_use]
    pub fn scaled(mut self, bitpix: i64, scale: f64, zero: f64) -> Self {
        self.scaling = Some((bitpix, scale, zero));
        self
    }

    /// The stored integer that means null, BLANK.
    #[must_use]
    pub fn blank(mut self, stored: i64) -> Self {
        self.blank = Some(stored);
        self
    }

    /// Compresses the image in tiles.
    #[must_use]
    pub fn compress(mut self, how: Compress) -> Self {
        self.compress = Some(how);
        self
    }

    /// Pixels of the image.
    fn pixels(&self) -> Result<u64, Error> {
        let all = self.shape.iter().try_fold(1_u64, |all, &n| all.checked_mul(n));
        let all = all.filter(|&n| n <= 1 << 60).ok_or_else(|| {
            unwritable("an image", format!("{:?} are more pixels than a file can have", self.shape))
        })?;
        if self.shape.is_empty() || self.shape.len() > 999 {
            return Err(unwritable("an image", format!("it has {} axes", self.shape.len())));
        }
        Ok(all)
    }

    /// That there are as many pixels as there should be, and how they are stored.
    pub(super) fn check<T: Sample>(&self, pixels: Option<usize>) -> Result<Encoding, Error> {
        let wanted = self.pixels()?;
        if let Some(found) = pixels.filter(|&found| found as u64 != wanted) {
            let problem = format!("its shape {:?} has {wanted} pixels, {found} are given", self.shape);
            return Err(unwritable("an image", problem));
        }
        self.header.check_writable()?;
        Encoding::new::<T>(self.scaling, self.blank)
    }

    /// Everything but the pixels of an image that is not compressed.
    fn cards(&self, primary: bool, encoding: &Encoding) -> Result<Header, Error> {
        let mut cards = mandatory(primary, encoding.bitpix(), &self.shape)?;
        encoding.describe(&mut cards)?;
        cards.append(&self.header);
        Ok(cards)
    }
}

impl Encoding {
    pub(super) fn bitpix(&self) -> i64 {
        let bits = 8 * self.stored.bytes() as i64;
        if self.stored.is_float() { -bits } else { bits }
    }

    /// BSCALE, BZERO and BLANK.
    pub(super) fn describe(&self, cards: &mut Header) -> Result<(), Error> {
        if self.scale != 1.0 {
            cards.push("BSCALE", self.scale, "")?;
        }
        if self.zero != 0.0 {
            push_zero(cards, "BZERO", self.zero)?;
        }
        if let Some(blank) = self.blank {
            cards.push("BLANK", blank, "stored value of null pixels")?;
        }
        Ok(())
    }
}

/// BZERO or TZERO. Those of the conventions for unsigned numbers are integers in every reader's eyes, 2⁶³ too.
pub(super) fn push_zero(cards: &mut Header, keyword: &str, zero: f64) -> Result<(), Error> {
    if zero == (1_u64 << 63) as f64 {
        let card = format!("{:80}", format!("{keyword:8}= {:>20}", 1_u64 << 63));
        cards.bytes.extend_from_slice(card.as_bytes());
        return Ok(());
    }
    if zero.fract() == 0.0 && zero.abs() < 1e15 {
        return cards.push(keyword, zero as i64, "");
    }
    cards.push(keyword, zero, "")
}

/// The mandatory cards of a primary HDU or an IMAGE extension.
pub(super) fn mandatory(primary: bool, bitpix: i64, shape: &[u64]) -> Result<Header, Error> {
    let mut cards = Header::new();
    if primary {
        cards.push("SIMPLE", true, "conforms to the FITS standard")?;
    } else {
        cards.push("XTENSION", "IMAGE", "")?;
    }
    cards.push("BITPIX", bitpix, "")?;
    cards.push("NAXIS", shape.len() as i64, "")?;
    for (n, &axis) in (1..).zip(shape.iter().rev()) {
        cards.push(&format!("NAXIS{n}"), axis as i64, "")?;
    }
    if primary {
        cards.push("EXTEND", true, "")?;
    } else {
        cards.push("PCOUNT", 0, "")?;
        cards.push("GCOUNT", 1, "")?;
    }
    Ok(cards)
}

/// An error of a pixel, counted from the first of a piece.
pub(super) fn of_pixel(first: u64, (at, problem): (usize, String)) -> Error {
    unwritable(format!("pixel {}", first + at as u64), problem)
}

impl<W: Write> Writer<W> {
    /// Writes an image whose pixels are at hand: the primary HDU if nothing is there yet and the image is not
    /// compressed, an extension otherwise. Tiles are compressed on all threads of the current rayon pool.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unwritable`](crate::ErrorKind::Unwritable) if the pixels are not as many as the shape has, or
    /// cannot be stored so; [`ErrorKind::Card`](crate::ErrorKind::Card) for a card that is the writer's own;
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the sink fails.
    pub fn image<T: Sample>(&mut self, image: &NewImage, pixels: &[T]) -> Result<(), Error> {
        self.ready()?;
        let encoding = image.check::<T>(Some(pixels.len())).map_err(|e| self.place(e))?;
        if let Some(how) = &image.compress {
            return self.tiles(image, how, &encoding, pixels);
        }
        let cards = image.cards(self.hdus == 0, &encoding).map_err(|e| self.place(e))?;
        let mut bytes = Vec::new();
        self.unit(cards, &mut |put| {
            for (piece, first) in pixels.chunks(PIECE).zip((0..).step_by(PIECE)) {
                bytes.clear();
                encoding.bytes(piece, &mut bytes).map_err(|e| of_pixel(first, e))?;
                put(&bytes)?;
            }
            Ok(())
        })
    }

    /// [`Self::image`] of an array; its axes are those of the image.
    ///
    /// # Errors
    ///
    /// As for [`Self::image`].
    #[cfg(feature = "ndarray")]
    pub fn image_array<T: Sample, D: ndarray::Dimension>(
        &mut self,
        image: &NewImage,
        pixels: &ndarray::ArrayRef<T, D>,
    ) -> Result<(), Error> {
        let shape: Vec<u64> = pixels.shape().iter().map(|&n| n as u64).collect();
        if shape != image.shape {
            let problem = format!("its shape is {:?}, that of the array {shape:?}", image.shape);
            return Err(self.place(unwritable("an image", problem)));
        }
        // An array in another order is copied.
        let rows = pixels.as_standard_layout();
        self.image(image, rows.as_slice().unwrap_or_default())
    }
}

impl<W: Write + Seek> Writer<W> {
    /// Begins an image whose pixels come piece by piece, in bounded memory. It cannot be compressed.
    ///
    /// # Errors
    ///
    /// As for [`Self::image`].
    ///
    /// # Examples
    ///
    /// ```
    /// use coaddkit_fits::{NewImage, Writer};
    /// use std::io::Cursor;
    ///
    /// # fn main() -> Result<(), coaddkit_fits::Error> {
    /// let mut writer = Writer::new(Cursor::new(Vec::new()));
    /// let mut rows = writer.image_rows::<f32>(&NewImage::new(&[1000, 300]))?;
    /// for row in 0..1000 {
    ///     rows.write(&[row as f32; 300])?;
    /// }
    /// rows.finish()?;
    /// let bytes = writer.finish()?.into_inner();
    /// # assert_eq!(bytes.len() % 2880, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn image_rows<T: Sample>(&mut self, image: &NewImage) -> Result<ImageWriter<'_, W, T>, Error> {
        let encoding = image.check::<T>(None).map_err(|e| self.place(e))?;
        if image.compress.is_some() {
            return Err(self.refuse("an image in pieces", "it is compressed"));
        }
        let missing = image.pixels().map_err(|e| self.place(e))?;
        let cards = image.cards(self.hdus == 0, &encoding).map_err(|e| self.place(e))?;
        let stream = self.begin(cards)?;
        Ok(ImageWriter {
            writer: self,
            stream,
            encoding,
            written: 0,
            missing,
            bytes: Vec::new(),
            of: PhantomData,
        })
    }
}

/// Writes the pixels of an image piece by piece, from [`Writer::image_rows`].
#[derive(Debug)]
#[must_use = "the image is not whole before finish"]
pub struct ImageWriter<'a, W, T> {
    writer: &'a mut Writer<W>,
    stream: Stream,
    encoding: Encoding,
    written: u64,
    missing: u64,
    bytes: Vec<u8>,
    of: PhantomData<T>,
}

impl<W: Write + Seek, T: Sample> ImageWriter<'_, W, T> {
    /// Writes the next pixels, any number of them.
    ///
    /// # Errors
    ///
    /// As for [`Writer::image`]. The file cannot be finished after an error.
    pub fn write(&mut self, pixels: &[T]) -> Result<(), Error> {
        if pixels.len() as u64 > self.missing {
            let problem = format!("{} pixels too many", pixels.len() as u64 - self.missing);
            return Err(self.writer.refuse("an image", &problem));
        }
        for piece in pixels.chunks(PIECE) {
            self.bytes.clear();
            let encoded = self.encoding.bytes(piece, &mut self.bytes);
            encoded.map_err(|e| self.writer.place(of_pixel(self.written, e)))?;
            self.writer.stream(&mut self.stream, &self.bytes)?;
            self.written += piece.len() as u64;
            self.missing -= piece.len() as u64;
        }
        Ok(())
    }

    /// Ends the image.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unwritable`](crate::ErrorKind::Unwritable) if pixels are missing,
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the sink fails.
    pub fn finish(self) -> Result<(), Error> {
        if self.missing > 0 {
            return Err(self.writer.refuse("an image", &format!("{} pixels are missing", self.missing)));
        }
        self.writer.end(&self.stream)
    }
}
