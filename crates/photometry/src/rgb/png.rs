//! Pictures in files.

use super::{Rgb, RgbError, RgbPixel};

/// The format counts in 31 bits.
const LONGEST: usize = i32::MAX as usize;

impl Rgb {
    /// The image of three planes as a PNG file, in sRGB without an alpha channel. Needs the feature `image`.
    ///
    /// The first row of the planes, the lowest one of an image in FITS, becomes the lowest of the picture, so that north
    /// stays up where it is.
    ///
    /// # Shape
    ///
    /// `shape` is `[rows, columns]`; the planes have as many pixels, row by row.
    ///
    /// # Errors
    ///
    /// [`RgbError::Length`] if a plane has not the pixels of the shape, [`RgbError::Shape`] unless rows and columns are 1
    /// to `2^31 - 1`.
    ///
    /// # Examples
    ///
    /// ```
    /// use coaddkit_photometry::Rgb;
    ///
    /// // Two rows of three, from z, r and g in nanomaggies.
    /// let (z, r, g) = ([0.1_f32; 6], [0.05_f32; 6], [0.02_f32; 6]);
    /// let file = Rgb::legacy_surveys().png([2, 3], &z, &r, &g)?;
    /// assert!(file.starts_with(b"\x89PNG"));
    /// # Ok::<(), coaddkit_photometry::RgbError>(())
    /// ```
    pub fn png<T: RgbPixel>(
        &self,
        shape: [usize; 2],
        red: &[T],
        green: &[T],
        blue: &[T],
    ) -> Result<Vec<u8>, RgbError> {
        let [rows, columns] = shape;
        if shape.iter().any(|side| !(1..=LONGEST).contains(side)) {
            return Err(RgbError::Shape { rows, columns });
        }
        let expected = rows.saturating_mul(columns);
        if red.len() != expected {
            return Err(RgbError::Length { what: "red", expected, found: red.len() });
        }
        let mut pixels = self.render(red, green, blue)?;
        let width = 3 * columns;
        for row in 0..rows / 2 {
            let (low, high) = pixels.split_at_mut((rows - 1 - row) * width);
            low[row * width..(row + 1) * width].swap_with_slice(&mut high[..width]);
        }
        let mut file = Vec::new();
        // Both are at most 2^31 - 1.
        let mut encoder = png::Encoder::new(&mut file, columns as u32, rows as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
        let written = encoder.write_header().and_then(|mut writer| {
            writer.write_image_data(&pixels)?;
            writer.finish()
        });
        // Memory takes what is written, and size and type are right: only limits of the library are left.
        written.map_err(|e| RgbError::Png { problem: e.to_string() })?;
        Ok(file)
    }
}
