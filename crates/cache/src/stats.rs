//! Statistics of an image: a look at whether its pixels can be what they should be.

use crate::cutter::{image_hdu, wcs_of};
use crate::error::CacheError;
use crate::layout::Product;
use crate::store::CoaddCache;
use coaddkit_sky::{BrickName, SkyCoord};

/// Pixels of a coadd are 0.262 arcseconds wide.
const PIXEL_ARCSEC: f64 = 0.262;

/// The width of a point source where nothing better is known, in arcseconds.
const USUAL_FWHM_ARCSEC: f64 = 1.4;

/// Standard deviation of a normal distribution over its median absolute deviation.
const SIGMA_OF_MAD: f64 = 1.482_602_218_505_602;

/// Full width at half maximum of a Gaussian over its standard deviation.
const FWHM_OF_SIGMA: f64 = 2.354_820_045_030_949_3;

/// What the pixels of an image are, leaving out those that are NaN.
///
/// # Units
///
/// Of the image: nanomaggies a pixel for `image`, nanomaggies⁻² for `invvar`, arcseconds for `psfsize`.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageStats {
    /// Rows and columns.
    pub shape: [u64; 2],
    /// The type of the pixels, as NumPy writes it: `f4`, `i4`.
    pub dtype: String,
    /// Smallest value; NaN if there is none.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Mean.
    pub mean: f64,
    /// Standard deviation, of all pixels (not of a sample).
    pub std: f64,
    /// Noise from the median absolute deviation: of an image, what the sky alone scatters, where `std` is of the
    /// sources.
    pub mad_sigma: f64,
    /// Median.
    pub median: f64,
    /// Pixels that are NaN.
    pub nan: u64,
    /// Pixels that are exactly zero.
    pub zero: u64,
    /// Position of the centre of the image.
    pub center: Option<SkyCoord>,
    /// Of inverse variances: the magnitude of a point source of five sigma, see [`depth_of_invvar`].
    pub depth: Option<f64>,
}

impl CoaddCache {
    /// Statistics of a file of a brick.
    ///
    /// `fwhm_arcsec` is the width of the point-spread function that the depth of an inverse variance is for.
    ///
    /// # Errors
    ///
    /// [`CacheError::Missing`] if the file is not there, [`CacheError::Fits`] if it is damaged.
    pub fn stats(
        &self,
        brick: BrickName,
        product: Product,
        fwhm_arcsec: Option<f64>,
    ) -> Result<ImageStats, CacheError> {
        let fits = self.fits(brick, product)?;
        let hdu = image_hdu(&fits)?;
        let image = hdu.image()?;
        let &[rows, columns] = image.shape() else {
            return Err(CacheError::NotFlat { brick, product, axes: image.shape().len() });
        };
        let pixels = image.read::<f64>()?;
        let middle = [columns, rows].map(|side| (side as f64 + 1.0) / 2.0);
        let center = wcs_of(&hdu).ok().and_then(|wcs| wcs.pixel_to_sky(middle[0], middle[1]));
        let mut stats = ImageStats::of([rows, columns], image.pixel_type().code(), &pixels, center);
        if let Product::Invvar(_) = product {
            stats.depth = depth_of_invvar(&pixels, fwhm_arcsec);
        }
        Ok(stats)
    }
}

impl ImageStats {
    /// Statistics of pixels.
    pub(crate) fn of(shape: [u64; 2], dtype: &str, pixels: &[f64], center: Option<SkyCoord>) -> Self {
        let mut values: Vec<f64> = pixels.iter().copied().filter(|v| !v.is_nan()).collect();
        let count = values.len() as f64;
        let mean = total(&values, |v| v) / count;
        let std = (total(&values, |v| (v - mean) * (v - mean)) / count).sqrt();
        let fold = |best: fn(f64, f64) -> f64| values.iter().copied().reduce(best).unwrap_or(f64::NAN);
        let (min, max) = (fold(f64::min), fold(f64::max));
        let zero = values.iter().filter(|v| **v == 0.0).count() as u64;
        let median = median(&mut values);
        let mut apart: Vec<f64> = values.iter().map(|v| (v - median).abs()).collect();
        Self {
            shape,
            dtype: dtype.to_owned(),
            min,
            max,
            mean,
            std,
            mad_sigma: SIGMA_OF_MAD * self::median(&mut apart),
            median,
            nan: (pixels.len() - values.len()) as u64,
            zero,
            center,
            depth: None,
        }
    }
}

/// A sum in two steps, since errors of rounding grow with the number of values in one.
fn total(values: &[f64], of: impl Fn(f64) -> f64) -> f64 {
    values.chunks(4096).map(|part| part.iter().map(|&v| of(v)).sum::<f64>()).sum()
}

/// The median, of two in the middle their mean; reorders the values.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    if values.is_empty() {
        return f64::NAN;
    }
    let even = values.len().is_multiple_of(2);
    let (below, &mut upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let lower = if even { below.iter().copied().max_by(f64::total_cmp).unwrap_or(upper) } else { upper };
    0.5 * (lower + upper)
}

/// The depth that inverse variances imply: the AB magnitude of a point source whose flux is five times its error, for
/// the median pixel that has data, with a Gaussian point-spread function and noise that is independent from pixel to
/// pixel. Real noise is correlated, so the survey's own depths are somewhat brighter.
///
/// `fwhm_arcsec` is the width of the point-spread function; 1.4 arcseconds if it is not known.
///
/// # Units
///
/// Inverse variances in nanomaggies⁻² for pixels of 0.262 arcseconds.
///
/// # Examples
///
/// ```
/// use coaddkit_cache::depth_of_invvar;
///
/// let sigma = 0.007_f64; // nanomaggies a pixel
/// let depth = depth_of_invvar(&[0.0, 1.0 / (sigma * sigma)], Some(1.3)).expect("a pixel has data");
/// assert!((depth - 24.0).abs() < 0.5);
/// assert_eq!(depth_of_invvar(&[0.0, f64::NAN], None), None);
/// ```
///
/// # References
///
/// Noise-equivalent area of a Gaussian, 4πσ²: King 1983, PASP 95, 163.
pub fn depth_of_invvar(invvar: &[f64], fwhm_arcsec: Option<f64>) -> Option<f64> {
    let mut good: Vec<f64> = invvar.iter().copied().filter(|v| *v > 0.0 && v.is_finite()).collect();
    if good.is_empty() {
        return None;
    }
    let sigma = median(&mut good).sqrt().recip();
    let fwhm = fwhm_arcsec.filter(|fwhm| *fwhm > 0.0).unwrap_or(USUAL_FWHM_ARCSEC) / PIXEL_ARCSEC;
    let psf_sigma = fwhm / FWHM_OF_SIGMA;
    let error = sigma * (4.0 * std::f64::consts::PI).sqrt() * psf_sigma;
    Some(22.5 - 2.5 * (5.0 * error).log10())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_those_of_sorted_values() {
        assert!(median(&mut []).is_nan());
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), 2.5);
    }

    #[test]
    fn statistics_leave_out_what_is_no_number() {
        let stats = ImageStats::of([2, 3], "f4", &[1.0, f64::NAN, 3.0, 0.0, 4.0, 2.0], None);
        assert_eq!((stats.min, stats.max, stats.mean, stats.median), (0.0, 4.0, 2.0, 2.0));
        assert_eq!((stats.nan, stats.zero), (1, 1));
        assert_eq!(stats.std, 2.0_f64.sqrt());
        assert_eq!(stats.mad_sigma, SIGMA_OF_MAD);
    }
}
