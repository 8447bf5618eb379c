//! A miniature of the coadds of the Legacy Surveys: their layout, headers and encodings, with small images.

use std::io;
use std::path::Path;

use crate::bricks::{Brick, Tiling};
use crate::checksum::with_checksums;
use crate::tiles::{Pixels, TiledImage};

mod sky;

use sky::{NOISE, Plane};

const BANDS: [char; 3] = ['g', 'r', 'z'];

/// The side of a real image in degrees: 3600 pixels of 0.262 arcseconds, more than the brick it belongs to.
const SIDE_DEG: f64 = 3600.0 * 0.262 / 3600.0;

/// What an origin has of a brick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Coverage {
    /// All files.
    Complete,
    /// The files of some bands and the mask, for example `gz`.
    Bands(&'static str),
    /// Nothing: 404 for every file.
    Absent,
    /// All files, of which this product (`image-r`) has a byte that is not as its DATASUM says.
    Corrupt(&'static str),
}

/// A tree of coadds, generated from a seed: `{brick[0:3]}/{brick}/legacysurvey-{brick}-{product}.fits.fz`.
///
/// Each brick has `image-{g,r,z}` (RICE_1, SUBTRACTIVE_DITHER_2), `invvar-{g,r,z}` (RICE_1, NO_DITHER), `maskbits`
/// (HCOMPRESS_1, with the extensions WISEM1 and WISEM2) and, if asked, `psfsize-{g,r,z}` (GZIP_1), with TAN
/// coordinates, CHECKSUM and DATASUM. Neighbours overlap as the real ones do, and show the same sources there.
///
/// ```
/// use coaddkit_testkit::{Coverage, CoaddTree};
///
/// let tree = CoaddTree::new(7).brick("0001p000", Coverage::Complete).brick("0003p000", Coverage::Bands("gz"));
/// let files = tree.files();
/// assert_eq!(files.len(), 7 + 5);
/// assert_eq!(files[0].0, "000/0001p000/legacysurvey-0001p000-image-g.fits.fz");
/// ```
#[derive(Debug, Clone)]
pub struct CoaddTree {
    seed: u64,
    pixels: usize,
    tile: usize,
    psfsize: bool,
    bricks: Vec<(Brick, Coverage)>,
    tiling: Tiling,
}

impl CoaddTree {
    /// An empty tree with images of 128 x 128 pixels in tiles of 100, so that edge tiles are smaller.
    pub fn new(seed: u64) -> Self {
        Self { seed, pixels: 128, tile: 100, psfsize: false, bricks: Vec::new(), tiling: Tiling::default() }
    }

    /// Nine bricks around RA 0, Dec 0 and three apart from them, of which one has no r band, one no g band, one
    /// nothing at all, and one a damaged file.
    pub fn miniature(seed: u64) -> Self {
        let mut tree = Self::new(seed);
        for name in ["3596m002", "0001m002", "0003m002", "3598p000", "0001p000", "0003p000"] {
            tree = tree.brick(name, Coverage::Complete);
        }
        tree.brick("3598p002", Coverage::Complete)
            .brick("0001p002", Coverage::Bands("gz"))
            .brick("0003p002", Coverage::Complete)
            .brick("1498p022", Coverage::Bands("rz"))
            .brick("1501p022", Coverage::Absent)
            .brick("1503p022", Coverage::Corrupt("image-r"))
    }

    /// Other sides of images and tiles; the real ones are 3600 and 100.
    #[must_use]
    pub fn size(self, pixels: usize, tile: usize) -> Self {
        Self { pixels, tile, ..self }
    }

    /// With the `psfsize` files.
    #[must_use]
    pub fn with_psfsize(self) -> Self {
        Self { psfsize: true, ..self }
    }

    /// Adds a brick by name.
    ///
    /// # Panics
    ///
    /// When the 0.25 degree tiling has no brick of this name.
    #[must_use]
    pub fn brick(mut self, name: &str, coverage: Coverage) -> Self {
        let brick = self.tiling.named(name).unwrap_or_else(|| panic!("there is no brick {name}"));
        self.bricks.push((brick, coverage));
        self
    }

    /// The bricks, whatever there is of them, in the order in which they were added.
    pub fn bricks(&self) -> impl Iterator<Item = (&Brick, &Coverage)> {
        self.bricks.iter().map(|(brick, coverage)| (brick, coverage))
    }

    /// Names of all products of a complete brick, such as `invvar-g`.
    pub fn products(&self) -> Vec<String> {
        let of = |root: &str| BANDS.map(|band| format!("{root}-{band}"));
        let mut out = [of("image"), of("invvar")].concat();
        out.push("maskbits".to_owned());
        if self.psfsize {
            out.extend(of("psfsize"));
        }
        out
    }

    /// The path of a product below the root of the tree.
    pub fn path(brick: &str, product: &str) -> String {
        format!("{}/{brick}/legacysurvey-{brick}-{product}.fits.fz", &brick[..3])
    }

    /// All files that exist, by path.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut out = Vec::new();
        for (brick, coverage) in self.bricks() {
            for product in self.products() {
                let band = product.split_once('-').map(|(_, band)| band);
                let exists = match coverage {
                    Coverage::Absent => false,
                    Coverage::Bands(bands) => band.is_none_or(|band| bands.contains(band)),
                    Coverage::Complete | Coverage::Corrupt(_) => true,
                };
                if !exists {
                    continue;
                }
                let mut file = self.file(&brick.name, &product);
                if matches!(coverage, Coverage::Corrupt(damaged) if *damaged == product) {
                    // In the heap, where only a checksum sees it.
                    let at = crate::damage::data_offset(&file, 1) + 200;
                    file[at] ^= 0x04;
                }
                out.push((Self::path(&brick.name, &product), file));
            }
        }
        out
    }

    /// Writes all files below a folder.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        self.files().into_iter().try_for_each(|(path, bytes)| {
            let path = dir.join(path);
            std::fs::create_dir_all(path.parent().unwrap_or(dir))?;
            std::fs::write(path, bytes)
        })
    }

    /// The undamaged file of a product, whatever the coverage of its brick.
    pub fn file(&self, brick: &str, product: &str) -> Vec<u8> {
        let plane = self.plane(brick);
        let image = |name: &str| self.header(&plane, name, product);
        let file = match (product.split_once('-'), self.floats(brick, product)) {
            (None, _) => {
                let masks = self.maskbits(brick);
                // The masks of W1 and W2 around bright stars: here, the star's own.
                let wise: Vec<i32> = masks.iter().map(|bits| bits >> 1 & 1).collect();
                image("MASKBITS")
                    .table(Pixels::Integers(&masks, 32))
                    .then(&image("WISEM1").table(Pixels::Integers(&wise, 8)).extension())
                    .then(&image("WISEM2").table(Pixels::Integers(&wise, 8)).extension())
            }
            (Some(("image", band)), values) => {
                let seed = (plane.brick.id as u64 * 3 + band_index(band) as u64) % 10_000 + 1;
                let step = NOISE[band_index(band)] / 16.0;
                image("COMPRESSED_IMAGE").table(Pixels::Dithered(&values, step, seed as u16))
            }
            (Some(("invvar", band)), values) => {
                let step = 1.0 / (NOISE[band_index(band)] * NOISE[band_index(band)] * 4000.0);
                image("COMPRESSED_IMAGE").table(Pixels::Quantised(&values, step))
            }
            (Some(_), values) => image("COMPRESSED_IMAGE").table(Pixels::Exact(&values)),
        };
        with_checksums(&file.to_bytes())
    }

    /// The pixels of `image`, `invvar` or `psfsize` before they are compressed; of `psfsize` the compressed ones
    /// are equal, of the others within half a step: 1/32 of the noise, 1/8000 of the inverse variance.
    pub fn floats(&self, brick: &str, product: &str) -> Vec<f32> {
        let plane = self.plane(brick);
        match product.split_once('-') {
            Some(("image", band)) => plane.image(&self.tiling, self.seed, band_index(band)),
            Some(("invvar", band)) => plane.invvar(&self.tiling, self.seed, band_index(band)),
            Some(("psfsize", band)) => plane.psfsize(band_index(band)),
            _ => Vec::new(),
        }
    }

    /// The pixels of MASKBITS.
    pub fn maskbits(&self, brick: &str) -> Vec<i32> {
        self.plane(brick).maskbits(&self.tiling, self.seed)
    }

    fn plane(&self, brick: &str) -> Plane<'_> {
        let found = self.bricks().map(|(b, _)| b).find(|b| b.name == brick);
        let brick = found.unwrap_or_else(|| panic!("the tree has no brick {brick}"));
        Plane::new(brick, self.pixels, SIDE_DEG / self.pixels as f64)
    }

    fn header(&self, plane: &Plane<'_>, name: &str, product: &str) -> TiledImage {
        let brick = plane.brick;
        let (kind, band) = product.split_once('-').unwrap_or((product, ""));
        let mut image = TiledImage::new(name, self.pixels, self.tile)
            .text_card("SURVEY", "DECaLS")
            .text_card("BRICKNAM", &brick.name)
            .card("BRICKID", brick.id)
            .card("RAMIN", format!("{:.12}", brick.edges.ra_min_deg))
            .card("RAMAX", format!("{:.12}", brick.edges.ra_max_deg))
            .card("DECMIN", format!("{:.12}", brick.edges.dec_min_deg))
            .card("DECMAX", format!("{:.12}", brick.edges.dec_max_deg))
            .text_card("IMTYPE", kind)
            .text_card("CTYPE1", "RA---TAN")
            .text_card("CTYPE2", "DEC--TAN")
            .card("CRVAL1", format!("{:.12}", brick.ra_deg))
            .card("CRVAL2", format!("{:.12}", brick.dec_deg))
            .card("CRPIX1", format!("{:.1}", plane.reference()))
            .card("CRPIX2", format!("{:.1}", plane.reference()))
            .card("CD1_1", format!("-{:.15}", plane.scale_deg))
            .card("CD1_2", "0.0")
            .card("CD2_1", "0.0")
            .card("CD2_2", format!("{:.15}", plane.scale_deg))
            .text_card("RADESYS", "FK5")
            .card("EQUINOX", "2000.0");
        if !band.is_empty() {
            image = image.text_card("FILTER", band).text_card("BAND", band);
        }
        match kind {
            "image" => image.card("MAGZERO", "22.5").text_card("BUNIT", "nanomaggy"),
            "invvar" => image.text_card("BUNIT", "1/nanomaggy^2"),
            "psfsize" => image.text_card("BUNIT", "arcsec"),
            _ => {
                let names = [
                    "NPRIMARY",
                    "BRIGHT",
                    "SATUR_G",
                    "SATUR_R",
                    "SATUR_Z",
                    "ALLMASK_G",
                    "ALLMASK_R",
                    "ALLMASK_Z",
                ];
                (0..)
                    .zip(names)
                    .fold(image, |image, (bit, name)| image.text_card(&format!("MBIT_{bit}"), name))
            }
        }
    }
}

fn band_index(band: &str) -> usize {
    BANDS.iter().position(|b| band == b.to_string()).unwrap_or_else(|| panic!("there is no band {band}"))
}
