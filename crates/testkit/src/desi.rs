//! Pixels of DESI spectra: a coadd and a redrock file.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::{Column, FitsTable, Rng, image_extension};

/// Name, first wavelength and number of points of the arms; steps of 0.8 Å.
const ARMS: [(&str, f64, usize); 3] = [("B", 3600.0, 2751), ("R", 5760.0, 2326), ("Z", 7520.0, 2881)];

/// Diagonals of a resolution matrix.
const DIAGONALS: usize = 11;

/// A HEALPix pixel of DESI spectra, in the layout of the data releases: FIBERMAP, then wavelengths, fluxes, inverse
/// variances, masks and resolutions of three arms; and REDSHIFTS.
///
/// A target needs 96 kB, and 350 kB more with resolutions: 1,980 targets are the largest pixels of the release.
///
/// ```
/// use coaddkit_testkit::DesiPixel;
///
/// let pixel = DesiPixel::new(3, 20).quasars(0.25);
/// let dir = tempfile::tempdir().unwrap();
/// pixel.write(&dir.path().join("coadd.fits"), &dir.path().join("redrock.fits")).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct DesiPixel {
    seed: u64,
    targets: usize,
    quasars: f64,
    resolution: bool,
    without: Vec<String>,
    unknown: Vec<usize>,
}

impl DesiPixel {
    /// So many targets, a tenth of them quasars.
    pub fn new(seed: u64, targets: usize) -> Self {
        Self { seed, targets, quasars: 0.1, resolution: false, without: Vec::new(), unknown: Vec::new() }
    }

    /// This share of the targets are quasars, a few of them with a warning.
    #[must_use]
    pub fn quasars(mut self, share: f64) -> Self {
        self.quasars = share;
        self
    }

    /// With resolution matrices, which are most of a real file.
    #[must_use]
    pub fn with_resolution(mut self) -> Self {
        self.resolution = true;
        self
    }

    /// Leaves an HDU of the coadd out.
    #[must_use]
    pub fn without(mut self, hdu: &str) -> Self {
        self.without.push(hdu.to_owned());
        self
    }

    /// Target number `k` has another TARGETID in FIBERMAP than in REDSHIFTS.
    #[must_use]
    pub fn unknown(mut self, k: usize) -> Self {
        self.unknown.push(k);
        self
    }

    /// The TARGETID of target `k`; f64 does not hold it.
    pub fn target_id(k: usize) -> i64 {
        39_633_345_008_634_465 + 3 * k as i64
    }

    /// Writes both files.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub fn write(&self, coadd: &Path, redrock: &Path) -> io::Result<()> {
        self.redshifts().write(redrock)?;
        let mut out = BufWriter::new(File::create(coadd)?);
        out.write_all(&self.fibermap().to_bytes())?;
        for (arm, (name, first, points)) in ARMS.into_iter().enumerate() {
            let mut image = |what: &str, bitpix: i32, axes: &[usize], data: &dyn Fn() -> Vec<u8>| {
                let hdu = format!("{name}_{what}");
                if self.without.contains(&hdu) {
                    return Ok(());
                }
                out.write_all(&image_extension(&hdu, bitpix, axes, &data()))
            };
            let axes = [points, self.targets];
            image("WAVELENGTH", -64, &[points], &|| {
                (0..points).flat_map(|i| (first + 0.8 * i as f64).to_be_bytes()).collect()
            })?;
            let values = |part: u64, value: &dyn Fn(&mut Rng) -> f32| -> Vec<u8> {
                let mut rng = Rng::for_part(self.seed, 10 * part + arm as u64);
                (0..points * self.targets).flat_map(|_| value(&mut rng).to_be_bytes()).collect()
            };
            image("FLUX", -32, &axes, &|| {
                values(1, &|rng| if rng.chance(0.001) { f32::NAN } else { rng.normal() as f32 })
            })?;
            image("IVAR", -32, &axes, &|| {
                values(2, &|rng| if rng.chance(0.01) { 0.0 } else { rng.unit() as f32 })
            })?;
            image("MASK", 32, &axes, &|| {
                let mut rng = Rng::for_part(self.seed, 30 + arm as u64);
                let bits = |rng: &mut Rng| if rng.chance(0.01) { rng.bits() as i32 } else { 0 };
                (0..points * self.targets).flat_map(|_| bits(&mut rng).to_be_bytes()).collect()
            })?;
            if self.resolution {
                image("RESOLUTION", -32, &[points, DIAGONALS, self.targets], &|| {
                    vec![0x3e; 4 * points * DIAGONALS * self.targets]
                })?;
            }
        }
        out.into_inner().map_err(io::IntoInnerError::into_error)?.flush()
    }

    fn redshifts(&self) -> FitsTable {
        let mut rng = Rng::new(self.seed);
        FitsTable::new("REDSHIFTS")
            .column(Column::new("TARGETID", "K").null(999_999))
            .column(Column::new("Z", "D"))
            .column(Column::new("ZWARN", "K").null(999_999))
            .column(Column::new("COEFF", "10D"))
            .column(Column::new("SPECTYPE", "6A"))
            .column(Column::new("DELTACHI2", "D"))
            .rows(self.targets, |k, cells| {
                let kind = match rng.chance(self.quasars) {
                    true => "QSO",
                    false if rng.chance(0.1) => "STAR",
                    false => "GALAXY",
                };
                let warning = if rng.chance(0.1) { 4_i64 } else { 0 };
                cells.put(Self::target_id(k)).put(4.0 * rng.unit()).put(warning);
                cells.put(&[0.5_f64; 10][..]).put(kind).put(100.0 * rng.unit());
            })
    }

    fn fibermap(&self) -> FitsTable {
        let mut rng = Rng::for_part(self.seed, 7);
        FitsTable::new("FIBERMAP")
            .column(Column::new("TARGETID", "K"))
            .column(Column::new("COADD_FIBERSTATUS", "J"))
            .column(Column::new("TARGET_RA", "D").unit("deg"))
            .column(Column::new("TARGET_DEC", "D").unit("deg"))
            .rows(self.targets, |k, cells| {
                // In another order than the redshifts.
                let k = self.targets - 1 - k;
                let id = if self.unknown.contains(&k) { -1 - k as i64 } else { Self::target_id(k) };
                cells.put(id).put(0_i32).put(150.0 + rng.unit()).put(2.0 + rng.unit());
            })
    }
}

/// The inventory of a [`write_desi_survey`].
pub const DESI_INVENTORY: &str = "inventory.csv";

/// Writes a survey in miniature below a folder: pixels in the tree of the data releases, and their
/// [`inventory`](DESI_INVENTORY). Of five pixels two have no quasar, sizes differ by an order of magnitude, and every
/// tenth pixel is there under the same number in two programs. What makes it is seed, number and targets of a pixel.
///
/// # Errors
///
/// What the file system says.
pub fn write_desi_survey(dir: &Path, seed: u64, pixels: usize, targets: usize) -> io::Result<()> {
    let mut csv = "survey,program,pixel,file_type,filename,s3_key\n".to_owned();
    for k in 0..pixels {
        let (program, pixel) = if k % 10 == 9 { ("bright", 10_303 + k - 1) } else { ("dark", 10_303 + k) };
        let mut rng = Rng::for_part(seed, k as u64);
        let share = if k % 5 < 2 { 0.0 } else { 0.15 + 0.25 * rng.unit() };
        let size = (targets / 10).max(1) + rng.below(targets.max(1) as u32) as usize;
        let folder = format!("dr1/spectro/redux/iron/healpix/main/{program}/{}/{pixel}", pixel / 100);
        std::fs::create_dir_all(dir.join(&folder))?;
        let [coadd, redrock] = ["coadd", "redrock"].map(|kind| {
            let name = format!("{kind}-main-{program}-{pixel}.fits");
            let key = format!("{folder}/{name}");
            csv += &format!("main,{program},{pixel},{kind},{name},{key}\n");
            dir.join(key)
        });
        DesiPixel::new(seed ^ k as u64, size).quasars(share).with_resolution().write(&coadd, &redrock)?;
    }
    std::fs::write(dir.join(DESI_INVENTORY), csv)
}
