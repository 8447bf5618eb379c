//! Bricks as a survey table has them, and which of them are good.

use super::CutLoss;

/// One row of a survey's table of bricks.
///
/// Measurements may be NaN. They are kept in single precision, as the survey stores them, because cuts are decided
/// on the stored value.
#[derive(Clone, Debug, PartialEq)]
pub struct BrickRow {
    /// Name.
    pub brickname: String,
    /// Right ascension of the centre, 0 to 360.
    pub ra_deg: f64,
    /// Declination of the centre.
    pub dec_deg: f64,
    /// Right ascension of the western edge, 0 to 360.
    pub ra1_deg: f64,
    /// Right ascension of the eastern edge, 0 to 360; below that of the western one if the brick lies across 0.
    pub ra2_deg: f64,
    /// Declination of the southern edge.
    pub dec1_deg: f64,
    /// Declination of the northern edge.
    pub dec2_deg: f64,
    /// Median width of the point-spread function (FWHM) in g, r and z.
    pub psfsize_arcsec: [f32; 3],
    /// 5-sigma depth for point sources in g, r and z: an AB magnitude here, where sweep catalogues have an inverse
    /// variance under the same name.
    pub psfdepth_mag: [f32; 3],
    /// Reddening E(B-V).
    pub ebv_mag: f32,
}

/// Index of the r band in the arrays of [`BrickRow`].
const R: usize = 1;

/// Which bricks are good. A limit that is `None` does not cut; otherwise NaN fails it.
///
/// Values equal to a limit pass. The comparison is in single precision, as the values are stored: a reddening of
/// `0.1_f32` passes a limit of 0.1, although as a double it is a little larger.
///
/// # Examples
///
/// ```
/// use coaddkit_density::Quality;
///
/// let shallow_is_fine = Quality { min_psfdepth_r_mag: None, ..Quality::default() };
/// assert_eq!(shallow_is_fine.max_psfsize_r_arcsec, Some(1.5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// Largest width of the point-spread function in r. Default 1.5.
    pub max_psfsize_r_arcsec: Option<f64>,
    /// Smallest depth in r. Default 23.3.
    pub min_psfdepth_r_mag: Option<f64>,
    /// Largest reddening E(B-V). Default 0.1.
    pub max_ebv_mag: Option<f64>,
}

impl Default for Quality {
    fn default() -> Self {
        Self { max_psfsize_r_arcsec: Some(1.5), min_psfdepth_r_mag: Some(23.3), max_ebv_mag: Some(0.1) }
    }
}

/// A cut in force.
struct Limit {
    column: &'static str,
    /// Whether the limit is the smallest value rather than the largest.
    least: bool,
    limit: f64,
    value: fn(&BrickRow) -> f32,
}

impl Quality {
    /// No cuts: every brick is good.
    pub const fn any() -> Self {
        Self { max_psfsize_r_arcsec: None, min_psfdepth_r_mag: None, max_ebv_mag: None }
    }

    fn limits(&self) -> impl Iterator<Item = Limit> {
        let limit = |column, least, limit: Option<f64>, value| {
            limit.map(|limit| Limit { column, least, limit, value })
        };
        let limits = [
            limit("psfsize_r", false, self.max_psfsize_r_arcsec, |row| row.psfsize_arcsec[R]),
            limit("psfdepth_r", true, self.min_psfdepth_r_mag, |row| row.psfdepth_mag[R]),
            limit("ebv", false, self.max_ebv_mag, |row| row.ebv_mag),
        ];
        limits.into_iter().flatten()
    }

    /// The cuts in force, without losses so far.
    pub(super) fn losses(&self) -> Vec<CutLoss> {
        let name = |Limit { column, least, limit, .. }| {
            format!("{column} {} {limit}", if least { ">=" } else { "<=" })
        };
        self.limits().map(|limit| CutLoss { cut: name(limit), given: 0, lost: 0, lost_nan: 0 }).collect()
    }

    /// Whether a brick passes; the first cut that it fails counts it as lost. `losses` are those of this quality.
    pub(super) fn passes(&self, row: &BrickRow, losses: &mut [CutLoss]) -> bool {
        for (cut, loss) in self.limits().zip(losses) {
            let (value, limit) = ((cut.value)(row), cut.limit as f32);
            loss.given += 1;
            // False for NaN on either side.
            let passes = if cut.least { value >= limit } else { value <= limit };
            if !passes {
                loss.lost += 1;
                loss.lost_nan += u64::from(value.is_nan());
                return false;
            }
        }
        true
    }
}
