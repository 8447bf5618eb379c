//! Stamps as files.

use coaddkit_cache::{Band, CoaddCache, Product, Stamp};
use coaddkit_density::publish;
use coaddkit_fits::{Header, NewImage, Writer};
use coaddkit_photometry::Rgb;
use ndarray::ArrayView2;
use ndarray_npy::NpzWriter;
use std::error::Error;
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// A kind of file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Npz,
    Fits,
    Png,
}

impl Format {
    const ALL: [(Self, &'static str); 3] = [(Self::Npz, "npz"), (Self::Fits, "fits"), (Self::Png, "png")];
}

/// What to write for each position of a list.
#[derive(Default)]
pub struct Formats(Vec<Format>);

impl Formats {
    pub fn named(names: &[String]) -> Result<Self, String> {
        let format = |name: &String| {
            let found = Format::ALL.iter().find(|(_, known)| name.trim().eq_ignore_ascii_case(known));
            found
                .map(|(format, _)| *format)
                .ok_or_else(|| format!("there is no format {name:?}; there are npz, fits, png"))
        };
        names.iter().map(format).collect::<Result<_, _>>().map(Self)
    }

    /// The files of a stamp.
    pub fn paths(&self, out: &Path, name: &str) -> Vec<(Format, PathBuf)> {
        let known = Format::ALL.iter().filter(|(format, _)| self.0.contains(format));
        known.map(|(format, extension)| (*format, out.join(format!("{name}.{extension}")))).collect()
    }
}

/// How a picture is made.
pub struct Colors {
    rgb: Rgb,
    /// The bands of red, green and blue: the longest wavelength is red.
    bands: [Band; 3],
}

impl Colors {
    pub fn new(stretch: f64, softening: f64, bands: &[Band]) -> Result<Self, String> {
        let rgb = Rgb::lupton(stretch, softening).map_err(|e| e.to_string())?;
        let bands = match *bands {
            [blue, green, red] => [red, green, blue],
            // Fewer than three make grey.
            ref other => [other[0]; 3],
        };
        Ok(Self { rgb, bands })
    }
}

/// Writes a stamp; the file is whole or absent.
pub fn write(
    format: Format,
    path: &Path,
    cache: &CoaddCache,
    stamp: &Stamp,
    colors: &Colors,
) -> Result<(), Box<dyn Error>> {
    let bytes = match format {
        Format::Npz => npz(stamp)?,
        Format::Fits => fits(cache, stamp)?,
        Format::Png => png(stamp, colors)?,
    };
    Ok(publish(path, |out| out.write_all(&bytes))?)
}

/// Arrays `image_g`, `image_r` …, as readers of training sets look for them.
fn npz(stamp: &Stamp) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut npz = NpzWriter::new(Cursor::new(Vec::new()));
    for (product, pixels) in &stamp.planes {
        let array = ArrayView2::from_shape((stamp.size, stamp.size), pixels)?;
        npz.add_array(product.to_string().replace('-', "_"), &array)?;
    }
    Ok(npz.finish()?.into_inner())
}

/// An image extension a product, with the world coordinates of the stamp.
fn fits(cache: &CoaddCache, stamp: &Stamp) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut fits = Writer::new(Vec::new());
    let mut primary = Header::new();
    primary.push("BRICK", stamp.brick.as_str(), "brick that the stamp was cut from")?;
    primary.push("COMPLETE", stamp.complete, "true if every pixel was there")?;
    fits.primary(&primary)?;
    let side = stamp.size as u64;
    for (product, pixels) in &stamp.planes {
        let mut header = cache.image_header(stamp.brick, *product)?.descriptive();
        for (axis, origin) in ["CRPIX1", "CRPIX2"].into_iter().zip(stamp.origin) {
            let crpix = header.real(axis).unwrap_or(0.0) - origin as f64;
            header.set(axis, crpix, "reference pixel, in the stamp")?;
        }
        header.set("EXTNAME", product.to_string(), "")?;
        fits.image(&NewImage::new(&[side, side]).header(header), pixels)?;
    }
    Ok(fits.finish()?)
}

/// A picture of the images, north up and east to the left as in the brick.
fn png(stamp: &Stamp, colors: &Colors) -> Result<Vec<u8>, Box<dyn Error>> {
    let plane = |band: Band| {
        let image = stamp.planes.iter().find(|(product, _)| *product == Product::Image(band));
        image.map(|(_, pixels)| pixels.as_slice()).unwrap_or_default()
    };
    let [red, green, blue] = colors.bands.map(plane);
    Ok(colors.rgb.png([stamp.size; 2], red, green, blue)?)
}
