//! The three arms of the spectrograph, joined.

use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};

use coaddkit_fits::{Fits, Image, Sample};

use crate::{Error, ErrorKind};

/// In the order in which they are joined.
const ARMS: [&str; 3] = ["B", "R", "Z"];

/// Bytes of one row, which is held whole.
const MAX_ROW: usize = 64 << 20;

/// Which images of an arm.
#[derive(Clone, Copy)]
pub(crate) enum Quantity {
    Flux,
    Ivar,
    Mask,
}

/// The arms of a coadd.
#[derive(Debug)]
pub(crate) struct Arms {
    path: PathBuf,
    arms: Vec<Arm>,
    /// The wavelengths that are kept, in the order in which they are given out.
    pub wavelength: Vec<f64>,
    /// For each of them, where it is among the points that are read; `None` if that is all of them in order.
    order: Option<Vec<u32>>,
    /// Points that are read of each quantity of a row.
    points: usize,
}

#[derive(Debug)]
struct Arm {
    images: [Image; 3],
    /// The points that are read.
    range: Range<u64>,
}

impl Arms {
    /// Opens the images, reads the wavelengths, and checks that all fits together: images of so many rows.
    pub fn open(
        path: &Path,
        fits: &Fits,
        rows: u64,
        bounds: &RangeInclusive<f64>,
        sorted: bool,
    ) -> Result<Self, Error> {
        let mut joined: Vec<(f64, u32)> = Vec::new();
        let (mut arms, mut points) = (Vec::new(), 0_usize);
        for name in ARMS {
            let wavelength = wavelength(path, fits, name)?;
            let inside = |value: &f64| bounds.contains(value);
            let first = wavelength.iter().position(inside).unwrap_or(0);
            let end = wavelength.iter().rposition(inside).map_or(first, |last| last + 1);
            let shape = [rows, wavelength.len() as u64];
            let images = [
                image::<f32>(path, fits, &format!("{name}_FLUX"), shape)?,
                image::<f32>(path, fits, &format!("{name}_IVAR"), shape)?,
                image::<i64>(path, fits, &format!("{name}_MASK"), shape)?,
            ];
            for (i, &value) in wavelength[first..end].iter().enumerate().filter(|(_, value)| inside(value)) {
                // The points of a row are few: see below.
                joined.push((value, u32::try_from(points + i).unwrap_or(u32::MAX)));
            }
            points += end - first;
            if points.saturating_mul(size_of::<f64>()) > MAX_ROW {
                return Err(Error::new(ErrorKind::Limit, path, format!("a spectrum of {points} points")));
            }
            arms.push(Arm { images, range: first as u64..end as u64 });
        }
        if sorted {
            // Stable: of equal wavelengths the earlier arm comes first.
            joined.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        let plain = joined.len() == points && joined.iter().zip(0..).all(|(&(_, at), i)| at == i);
        let order = (!plain).then(|| joined.iter().map(|&(_, at)| at).collect());
        let wavelength = joined.into_iter().map(|(value, _)| value).collect();
        Ok(Self { path: path.to_owned(), arms, wavelength, order, points })
    }

    /// Points of a row.
    pub fn len(&self) -> usize {
        self.wavelength.len()
    }

    /// Appends one quantity of one row.
    pub fn read<T: Sample, U>(
        &self,
        quantity: Quantity,
        row: u64,
        out: &mut Vec<U>,
        to: impl Fn(T) -> U,
    ) -> Result<(), Error> {
        let mut read = vec![T::default(); self.points];
        let mut rest = read.as_mut_slice();
        for arm in &self.arms {
            let (part, after) = rest.split_at_mut((arm.range.end - arm.range.start) as usize);
            arm.images[quantity as usize]
                .section_into(&[row..row + 1, arm.range.clone()], part)
                .map_err(|e| Error::fits(&self.path, &e))?;
            rest = after;
        }
        match &self.order {
            None => out.extend(read.into_iter().map(to)),
            Some(order) => out.extend(order.iter().map(|&at| to(read[at as usize]))),
        }
        Ok(())
    }
}

fn wavelength(path: &Path, fits: &Fits, arm: &str) -> Result<Vec<f64>, Error> {
    let name = format!("{arm}_WAVELENGTH");
    let at = |e| Error::fits(path, &e);
    let image = fits.hdu_named(&name).and_then(|hdu| hdu.image()).map_err(at)?;
    if image.shape().len() != 1 {
        return Err(Error::bad(path, format!("{name} has {} axes, not one", image.shape().len())));
    }
    image.read().map_err(at)
}

/// Opens an image that is to have this shape and to be read as this type.
fn image<T: Sample>(path: &Path, fits: &Fits, name: &str, shape: [u64; 2]) -> Result<Image, Error> {
    let at = |e| Error::fits(path, &e);
    let image = fits.hdu_named(name).and_then(|hdu| hdu.image()).map_err(at)?;
    if image.shape() != shape {
        let what = format!("{name} is {:?} and should be {shape:?}: targets, wavelengths", image.shape());
        return Err(Error::bad(path, what));
    }
    // Of no pixel: whether the type is right and the file long enough for all of them.
    image.section::<T>(&[0..0, 0..0]).map_err(at)?;
    Ok(image)
}
