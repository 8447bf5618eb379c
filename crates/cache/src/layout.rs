//! Which files a brick has, and what they are called.

use coaddkit_sky::BrickName;
use std::fmt;
use std::str::FromStr;

use crate::error::NameError;

/// The filter of a coadd, a lower-case letter such as `g`, `r`, `i`, `z`.
///
/// # Examples
///
/// ```
/// use coaddkit_cache::Band;
///
/// assert_eq!("r".parse::<Band>()?.to_string(), "r");
/// assert!("W1".parse::<Band>().is_err());
/// # Ok::<(), coaddkit_cache::NameError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Band(u8);

impl Band {
    /// The green filter.
    pub const G: Self = Self(b'g');
    /// The red filter.
    pub const R: Self = Self(b'r');
    /// The near-infrared filter i.
    pub const I: Self = Self(b'i');
    /// The near-infrared filter z.
    pub const Z: Self = Self(b'z');

    /// The letter.
    pub fn letter(self) -> char {
        self.0.into()
    }
}

impl FromStr for Band {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.as_bytes() {
            &[letter] if letter.is_ascii_lowercase() => Ok(Self(letter)),
            _ => Err(NameError::Band(text.to_owned())),
        }
    }
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.letter())
    }
}

/// One file of a brick: what its pixels are, and in which band.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Product {
    /// Flux, in nanomaggies a pixel.
    Image(Band),
    /// Inverse variance of the flux, in nanomaggies⁻²; 0 where there is no good pixel.
    Invvar(Band),
    /// Width of the point-spread function (FWHM), in arcseconds.
    PsfSize(Band),
    /// Bits that say what is wrong with a pixel, of all bands.
    MaskBits,
}

impl Product {
    /// The band, of products that have one.
    pub fn band(self) -> Option<Band> {
        match self {
            Self::Image(band) | Self::Invvar(band) | Self::PsfSize(band) => Some(band),
            Self::MaskBits => None,
        }
    }

    /// The name of the brick's file: `legacysurvey-{brick}-{product}[-{band}].fits.fz`.
    pub fn file_name(self, brick: BrickName) -> String {
        format!("legacysurvey-{brick}-{self}.fits.fz")
    }

    /// The brick and product of a file name; `None` if it is no name of one.
    pub fn of_file_name(name: &str) -> Option<(BrickName, Self)> {
        let (brick, rest) = name.strip_prefix("legacysurvey-")?.split_once('-')?;
        let product = rest.strip_suffix(".fits.fz")?.parse().ok()?;
        Some((brick.parse().ok()?, product))
    }
}

/// As in file names: `image-g`, `maskbits`.
impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(band) => write!(f, "image-{band}"),
            Self::Invvar(band) => write!(f, "invvar-{band}"),
            Self::PsfSize(band) => write!(f, "psfsize-{band}"),
            Self::MaskBits => f.write_str("maskbits"),
        }
    }
}

impl FromStr for Product {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let unknown = || NameError::Product(text.to_owned());
        match text.split_once('-') {
            None if text == "maskbits" => Ok(Self::MaskBits),
            Some(("image", band)) => Ok(Self::Image(band.parse()?)),
            Some(("invvar", band)) => Ok(Self::Invvar(band.parse()?)),
            Some(("psfsize", band)) => Ok(Self::PsfSize(band.parse()?)),
            _ => Err(unknown()),
        }
    }
}

/// The files that are asked for of each brick, in the order in which they are fetched: the image and its inverse
/// variance band by band, then the mask, then the sizes of the point-spread function.
///
/// # Examples
///
/// ```
/// use coaddkit_cache::{Band, FileSet};
///
/// let files = FileSet::new([Band::G, Band::R, Band::Z])?;
/// assert_eq!(files.products().len(), 7);
/// assert_eq!(files.with_psfsize().products().len(), 10);
/// # Ok::<(), coaddkit_cache::NameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSet {
    bands: Vec<Band>,
    products: Vec<Product>,
}

impl FileSet {
    /// Image, inverse variance and mask in these bands.
    ///
    /// # Errors
    ///
    /// [`NameError::Bands`] if there is no band, or one twice.
    pub fn new(bands: impl IntoIterator<Item = Band>) -> Result<Self, NameError> {
        let bands: Vec<Band> = bands.into_iter().collect();
        let twice = bands.iter().enumerate().any(|(i, band)| bands[..i].contains(band));
        if bands.is_empty() || twice {
            return Err(NameError::Bands(bands.iter().map(|band| band.letter()).collect()));
        }
        let each = bands.iter().flat_map(|&band| [Product::Image(band), Product::Invvar(band)]);
        let products = each.chain([Product::MaskBits]).collect();
        Ok(Self { bands, products })
    }

    /// The same with the sizes of the point-spread function.
    #[must_use]
    pub fn with_psfsize(mut self) -> Self {
        let sizes: Vec<_> = self.bands.iter().map(|&band| Product::PsfSize(band)).collect();
        self.products
            .extend(sizes.into_iter().filter(|size| !self.products.contains(size)).collect::<Vec<_>>());
        self
    }

    /// The bands.
    pub fn bands(&self) -> &[Band] {
        &self.bands
    }

    /// The files, in order.
    pub fn products(&self) -> &[Product] {
        &self.products
    }
}

/// Where the files of a brick are at the origin, below its base: `{brick[0:3]}/{brick}/{file}`.
pub fn source_path(brick: BrickName, product: Product) -> String {
    format!("{}/{brick}/{}", &brick.as_str()[..3], product.file_name(brick))
}
