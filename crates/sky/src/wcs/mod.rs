//! World coordinates of images.

mod distortion;
mod keywords;
mod projection;
mod sphere;
mod zpn;

use distortion::{Distortion, determinant, product};
pub(crate) use projection::Projection;
use sphere::Rotation;

use crate::sphere::Vector;
use crate::{Error, SkyCoord};

/// The value of a header keyword, as [`Wcs::from_keywords`] asks for it.
#[derive(Debug, Clone, PartialEq)]
pub enum KeywordValue {
    /// An integer or a real number.
    Number(f64),
    /// Text, without its quotes.
    Text(String),
}

impl From<f64> for KeywordValue {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<i64> for KeywordValue {
    fn from(value: i64) -> Self {
        Self::Number(value as f64)
    }
}

impl From<&str> for KeywordValue {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for KeywordValue {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

/// The map between the pixels of an image and the sky.
///
/// Built from header keywords, from wherever they come: this crate reads no files. Positions are in the system of
/// the header, which [`ctype`](Self::ctype) tells: for `GLON`/`GLAT` a [`SkyCoord`] holds galactic longitude and
/// latitude.
///
/// # Units
///
/// Pixels are those of FITS: the **centre of the first pixel is (1, 1)**, its corner (0.5, 0.5), x along the first
/// axis. Indices of arrays, from 0, are one less. Positions are degrees.
///
/// # What is understood
///
/// - Projections TAN, STG, SIN (also slant), ARC, ZEA, ZPN, CAR, CEA, MER, SFL (and its old name GLS), AIT, MOL, HPX.
/// - SIP and TPV distortions, both inverted exactly, not by the approximate polynomials `AP` and `BP`. A TAN with
///   parameters that only TPV has, as SCAMP once wrote it, is taken for TPV; coefficients of SIP also count where
///   CTYPE lacks `-SIP`, as other readers do.
/// - `CDi_j`, `PCi_j` with `CDELTi`, or `CDELTi` with `CROTAi`; `CUNITi`; `LONPOLE` and `LATPOLE`, also as `PVi_3` and
///   `PVi_4`; a moved reference point (`PVi_0` to `PVi_2`); declination before right ascension; celestial axes of a
///   cube, if nothing else turns with them.
///
/// Whatever else would change positions is an error that names the keyword, and never ignored.
///
/// # Examples
///
/// ```
/// use coaddkit_sky::{KeywordValue, SkyCoord, Wcs};
///
/// let header: [(&str, KeywordValue); 8] = [
///     ("CTYPE1", "RA---TAN".into()),
///     ("CTYPE2", "DEC--TAN".into()),
///     ("CRVAL1", 100.05.into()),
///     ("CRVAL2", (-33.75).into()),
///     ("CRPIX1", 1800.5.into()),
///     ("CRPIX2", 1800.5.into()),
///     ("CD1_1", (-0.262 / 3600.0).into()),
///     ("CD2_2", (0.262 / 3600.0).into()),
/// ];
/// let wcs = Wcs::from_keywords(|key| Some(header.iter().find(|(k, _)| *k == key)?.1.clone()))?;
///
/// let center = SkyCoord::from_degrees(100.05, -33.75)?;
/// assert_eq!(wcs.sky_to_pixel(center), Some([1800.5, 1800.5]));
///
/// let corner = wcs.pixel_to_sky(0.5, 0.5).expect("a tangent plane has no edge");
/// assert!((corner.ra_deg() - 100.20779302).abs() < 1e-8 && (corner.dec_deg() + 33.88089921).abs() < 1e-8);
///
/// // The other side of the sky is on no pixel.
/// assert_eq!(wcs.sky_to_pixel(SkyCoord::from_degrees(280.05, 33.75)?), None);
/// # Ok::<(), coaddkit_sky::Error>(())
/// ```
///
/// # References
///
/// Greisen & Calabretta 2002, A&A 395, 1061; Calabretta & Greisen 2002, A&A 395, 1077; Calabretta & Roukema 2007,
/// MNRAS 381, 865; Shupe et al. 2005, ASP Conf. 347, 491 (SIP); FITS registry of conventions (TPV).
#[derive(Debug, Clone, PartialEq)]
pub struct Wcs {
    /// Of longitude and latitude, as are the rows of the matrix.
    ctype: [String; 2],
    /// Numbers of the image's axes that are x and y.
    axes: [usize; 2],
    crpix: [f64; 2],
    crval: [f64; 2],
    /// From pixels to the plane of projection, in degrees.
    to_plane: [[f64; 2]; 2],
    from_plane: [[f64; 2]; 2],
    distortion: Option<Box<Distortion>>,
    /// Where the reference point lies in the plane, in radians.
    plane_origin: [f64; 2],
    projection: Projection,
    rotation: Rotation,
}

impl Wcs {
    /// The world coordinates that the keywords of a header describe. `keyword` gives the value of a keyword that it is
    /// asked for, or `None` if the header lacks it (or has it without a value).
    ///
    /// An alternate description is had by appending its letter: `|key| get(&format!("{key}A"))`.
    ///
    /// # Errors
    ///
    /// [`Error::Keyword`] names the keyword that is missing, contradicts others, or asks for what is not supported.
    pub fn from_keywords(keyword: impl Fn(&str) -> Option<KeywordValue>) -> Result<Self, Error> {
        keywords::read(keyword)
    }

    /// A tangent plane with square pixels, north up and east left, that touches the sky at `center` in the FITS pixel
    /// `crpix`.
    ///
    /// # Units
    ///
    /// Pixels count from 1; the scale is arcseconds a pixel.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`], and [`Error::OutOfRange`] for a scale outside 1e-6 to 36000 arcsec.
    pub fn tangent(center: SkyCoord, crpix: [f64; 2], pixel_scale_arcsec: f64) -> Result<Self, Error> {
        let [x, y] = crpix;
        let crpix = [crate::error::finite("crpix x", x)?, crate::error::finite("crpix y", y)?];
        let scale = crate::error::within("pixel_scale_arcsec", pixel_scale_arcsec, 1e-6, 36_000.0)? / 3600.0;
        Ok(Self::zenithal(Projection::Tan, "TAN", center, crpix, [-scale, scale]))
    }

    /// A zenithal projection about `center` with a diagonal matrix.
    pub(crate) fn zenithal(
        projection: Projection,
        code: &str,
        center: SkyCoord,
        crpix: [f64; 2],
        [x_scale_deg, y_scale_deg]: [f64; 2],
    ) -> Self {
        Self {
            ctype: [format!("RA---{code}"), format!("DEC--{code}")],
            axes: [1, 2],
            crpix,
            crval: [center.ra_deg(), center.dec_deg()],
            to_plane: [[x_scale_deg, 0.0], [0.0, y_scale_deg]],
            from_plane: [[1.0 / x_scale_deg, 0.0], [0.0, 1.0 / y_scale_deg]],
            distortion: None,
            plane_origin: [0.0; 2],
            projection,
            rotation: Rotation::about(center),
        }
    }

    /// East and north in the plane of a zenithal projection, and its centre.
    pub(crate) fn plane_axes(&self) -> [Vector; 3] {
        let [south, east, center] = self.rotation.axes();
        [east, south.map(|value| -value), center]
    }

    /// The position at a pixel, or at any point between pixels. `None` where the projection has no sky, and for NaN.
    #[inline]
    pub fn pixel_to_sky(&self, x: f64, y: f64) -> Option<SkyCoord> {
        if !(x.is_finite() && y.is_finite()) {
            return None;
        }
        let mut offset = [x - self.crpix[0], y - self.crpix[1]];
        let plane = match self.distortion.as_deref() {
            None => product(&self.to_plane, offset),
            Some(sip @ Distortion::Sip(_)) => {
                offset = sip.apply(offset[0], offset[1]).0;
                product(&self.to_plane, offset)
            }
            Some(tpv @ Distortion::Tpv(_)) => {
                let [xi, eta] = product(&self.to_plane, offset);
                tpv.apply(xi, eta).0
            }
        };
        let [x, y] = plane.map(f64::to_radians);
        let native = self.projection.native(x + self.plane_origin[0], y + self.plane_origin[1])?;
        self.rotation.to_sky(native)
    }

    /// The pixel at a position, whether or not the image reaches so far. `None` where the projection does not reach,
    /// such as the far side of a tangent plane, and where a distortion has no inverse, far outside its image.
    #[inline]
    pub fn sky_to_pixel(&self, position: SkyCoord) -> Option<[f64; 2]> {
        let [x, y] = self.projection.plane(self.rotation.to_native(position))?;
        let plane = [x - self.plane_origin[0], y - self.plane_origin[1]].map(f64::to_degrees);
        let offset = match self.distortion.as_deref() {
            None => product(&self.from_plane, plane),
            Some(sip @ Distortion::Sip(_)) => sip.invert(product(&self.from_plane, plane), 1.0)?,
            Some(tpv @ Distortion::Tpv(_)) => {
                let unit = determinant(&self.to_plane).abs().sqrt();
                product(&self.from_plane, tpv.invert(plane, unit)?)
            }
        };
        let pixel = [offset[0] + self.crpix[0], offset[1] + self.crpix[1]];
        pixel.iter().all(|value| value.is_finite()).then_some(pixel)
    }

    /// The positions of many pixels, written to `ra_deg` and `dec_deg`; NaN where there is none.
    ///
    /// # Units
    ///
    /// Pixels count from 1; positions are degrees.
    ///
    /// # Shape
    ///
    /// Four slices of equal length.
    ///
    /// # Errors
    ///
    /// [`Error::SliceLength`] otherwise.
    pub fn pixels_to_sky(
        &self,
        x: &[f64],
        y: &[f64],
        ra_deg: &mut [f64],
        dec_deg: &mut [f64],
    ) -> Result<(), Error> {
        let n = x.len();
        same_length(n, [("y", y.len()), ("ra_deg", ra_deg.len()), ("dec_deg", dec_deg.len())])?;
        for (((&x, &y), ra), dec) in x.iter().zip(y).zip(ra_deg).zip(dec_deg) {
            [*ra, *dec] = degrees(self.pixel_to_sky(x, y));
        }
        Ok(())
    }

    /// The positions of a row of an image: pixels `first_x`, `first_x + 1`, … at height `y`; NaN where there is none.
    ///
    /// # Units
    ///
    /// Pixels count from 1; positions are degrees.
    ///
    /// # Shape
    ///
    /// One element a pixel; the length of the slices says how many.
    ///
    /// # Errors
    ///
    /// [`Error::SliceLength`] if `ra_deg` and `dec_deg` differ in length.
    ///
    /// # Examples
    ///
    /// ```
    /// use coaddkit_sky::{SkyCoord, Wcs};
    ///
    /// let wcs = Wcs::tangent(SkyCoord::from_degrees(100.05, -33.75)?, [1800.5, 1800.5], 0.262)?;
    /// let (mut ra, mut dec) = (vec![0.0; 3600], vec![0.0; 3600]);
    /// for row in 0..3600 {
    ///     wcs.row_to_sky(1.0, f64::from(row) + 1.0, &mut ra, &mut dec)?;
    ///     // ... use the positions of this row
    ///     # if row == 1 { break }
    /// }
    /// assert!(ra[0] > ra[3599]);
    /// # Ok::<(), coaddkit_sky::Error>(())
    /// ```
    pub fn row_to_sky(
        &self,
        first_x: f64,
        y: f64,
        ra_deg: &mut [f64],
        dec_deg: &mut [f64],
    ) -> Result<(), Error> {
        same_length(ra_deg.len(), [("dec_deg", dec_deg.len())])?;
        for (i, (ra, dec)) in ra_deg.iter_mut().zip(dec_deg).enumerate() {
            [*ra, *dec] = degrees(self.pixel_to_sky(first_x + i as f64, y));
        }
        Ok(())
    }

    /// The pixels of many positions, written to `x` and `y`; NaN where there is none, and for what is no position.
    ///
    /// # Units
    ///
    /// Degrees, of which right ascensions may have any finite value; pixels count from 1.
    ///
    /// # Shape
    ///
    /// Four slices of equal length.
    ///
    /// # Errors
    ///
    /// [`Error::SliceLength`] otherwise.
    pub fn sky_to_pixels(
        &self,
        ra_deg: &[f64],
        dec_deg: &[f64],
        x: &mut [f64],
        y: &mut [f64],
    ) -> Result<(), Error> {
        let n = ra_deg.len();
        same_length(n, [("dec_deg", dec_deg.len()), ("x", x.len()), ("y", y.len())])?;
        for (((&ra, &dec), x), y) in ra_deg.iter().zip(dec_deg).zip(x).zip(y) {
            let position = SkyCoord::from_degrees(ra, dec).ok();
            [*x, *y] = position.and_then(|at| self.sky_to_pixel(at)).unwrap_or([f64::NAN; 2]);
        }
        Ok(())
    }

    /// The world coordinates of a cutout whose first pixel is the pixel `origin` of this image, **counted from 0**, as
    /// [`Cutout::origin`](crate::Cutout::origin) gives it: only CRPIX changes.
    pub fn shifted(&self, [x, y]: [i64; 2]) -> Self {
        Self { crpix: [self.crpix[0] - x as f64, self.crpix[1] - y as f64], ..self.clone() }
    }

    /// CTYPE of longitude and latitude, such as `RA---TAN` and `DEC--TAN`.
    pub fn ctype(&self) -> [&str; 2] {
        self.ctype.each_ref().map(String::as_str)
    }

    /// Numbers of the image's axes that are x and y; 1 and 2 but for some cubes.
    pub const fn axes(&self) -> [usize; 2] {
        self.axes
    }

    /// The reference pixel, x and y.
    pub const fn crpix(&self) -> [f64; 2] {
        self.crpix
    }

    /// CRVAL in degrees, longitude and latitude: the position at the reference pixel, but for distortions and moved
    /// reference points.
    pub const fn crval_deg(&self) -> [f64; 2] {
        self.crval
    }

    /// The matrix from pixels to degrees in the plane of projection, rows longitude and latitude, columns x and y.
    pub const fn matrix_deg(&self) -> [[f64; 2]; 2] {
        self.to_plane
    }

    /// Side of a square as large as a pixel at the reference point, in arcseconds; without distortions.
    pub fn pixel_scale_arcsec(&self) -> f64 {
        determinant(&self.to_plane).abs().sqrt() * 3600.0
    }
}

fn degrees(position: Option<SkyCoord>) -> [f64; 2] {
    position.map_or([f64::NAN; 2], |position| [position.ra_deg(), position.dec_deg()])
}

fn same_length<const N: usize>(expected: usize, slices: [(&'static str, usize); N]) -> Result<(), Error> {
    match slices.into_iter().find(|&(_, found)| found != expected) {
        Some((what, found)) => Err(Error::SliceLength { what, expected, found }),
        None => Ok(()),
    }
}
