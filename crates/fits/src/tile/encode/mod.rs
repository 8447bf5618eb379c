//! Encoders: the pixels of one tile to bytes. Like the decoders they know nothing of tables, images or scaling; this
//! module says which of them a caller wants.

pub(crate) mod gzip;
pub(crate) mod hcompress;
pub(crate) mod noise;
pub(crate) mod plio;
pub(crate) mod quantize;
pub(crate) mod rice;

/// How to compress an image in tiles.
///
/// # Examples
///
/// ```
/// use coaddkit_fits::{Compress, DitherMethod, Quantize};
///
/// // As the Legacy Surveys store their coadds.
/// let image = Compress::rice()
///     .tile(&[100, 100])
///     .quantize(Quantize::step(1e-4).dither(DitherMethod::Subtractive2));
/// let mask = Compress::hcompress().tile(&[100, 100]);
/// let depth = Compress::gzip_2(); // floats without any loss
/// ```
///
/// # References
///
/// FITS 4.0, section 10; Pence, White & Seaman 2010, PASP 122, 1065 (quantisation and dithering).
#[derive(Clone, Debug, PartialEq)]
pub struct Compress {
    pub(crate) codec: TileCodec,
    pub(crate) tile: Option<Vec<u64>>,
    pub(crate) quantize: Option<Quantize>,
    pub(crate) level: u32,
}

/// The algorithm and its own parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum TileCodec {
    Rice { block: usize },
    Gzip { shuffled: bool },
    Hcompress { scale: HcompressScale, smooth: bool },
    Plio,
    None,
}

/// How much HCOMPRESS_1 may lose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum HcompressScale {
    /// Multiples of the noise of each tile.
    Noise(f32),
    Absolute(f32),
}

impl Compress {
    fn new(codec: TileCodec) -> Self {
        Self { codec, tile: None, quantize: None, level: 1 }
    }

    /// RICE_1: fast, for integers of up to 32 bits and quantised floats.
    pub fn rice() -> Self {
        Self::new(TileCodec::Rice { block: 32 })
    }

    /// GZIP_1: for all pixels, floats without loss unless they are quantised. CFITSIO does not read 64-bit integers
    /// in tiles.
    pub fn gzip_1() -> Self {
        Self::new(TileCodec::Gzip { shuffled: false })
    }

    /// GZIP_2: as GZIP_1 with the bytes sorted by significance, which compresses better.
    pub fn gzip_2() -> Self {
        Self::new(TileCodec::Gzip { shuffled: true })
    }

    /// HCOMPRESS_1: small for smooth images, slow; for integers of up to 32 bits and quantised floats. Its tiles have
    /// two dimensions.
    pub fn hcompress() -> Self {
        Self::new(TileCodec::Hcompress { scale: HcompressScale::Absolute(0.0), smooth: false })
    }

    /// PLIO_1: for masks, whose pixels are 0 to 2²⁴ − 1.
    pub fn plio() -> Self {
        Self::new(TileCodec::Plio)
    }

    /// NOCOMPRESS: tiles of pixels as they are. CFITSIO reads it for 16- and 32-bit integers and single precision.
    pub fn nothing() -> Self {
        Self::new(TileCodec::None)
    }

    /// The shape of a tile, slowest axis first. By default a tile is one row, of HCOMPRESS_1 about sixteen.
    #[must_use]
    pub fn tile(mut self, shape: &[u64]) -> Self {
        self.tile = Some(shape.to_vec());
        self
    }

    /// Quantises floats, which loses what is below the noise. Without it floats are kept as they are, which only the
    /// GZIP codecs and NOCOMPRESS can do.
    #[must_use]
    pub fn quantize(mut self, how: Quantize) -> Self {
        self.quantize = Some(how);
        self
    }

    /// RICE_1: pixels that share the number of bits written as they are, 16 or 32 (the default).
    #[must_use]
    pub fn block_size(mut self, pixels: usize) -> Self {
        if let TileCodec::Rice { block } = &mut self.codec {
            *block = pixels;
        }
        self
    }

    /// HCOMPRESS_1: loses what is below `scale`, in units of the stored pixels. Up to 1 nothing is lost.
    #[must_use]
    pub fn scale(mut self, scale: f32) -> Self {
        if let TileCodec::Hcompress { scale: own, .. } = &mut self.codec {
            *own = HcompressScale::Absolute(scale);
        }
        self
    }

    /// HCOMPRESS_1: loses what is below `times` the noise of each tile.
    #[must_use]
    pub fn noise_scale(mut self, times: f32) -> Self {
        if let TileCodec::Hcompress { scale: own, .. } = &mut self.codec {
            *own = HcompressScale::Noise(times);
        }
        self
    }

    /// HCOMPRESS_1: readers shall smooth what was lost.
    #[must_use]
    pub fn smooth(mut self, on: bool) -> Self {
        if let TileCodec::Hcompress { smooth, .. } = &mut self.codec {
            *smooth = on;
        }
        self
    }

    /// GZIP codecs: how hard to try, 0 to 9. The default 1 is several times faster than more, and few per cent larger.
    #[must_use]
    pub fn level(mut self, level: u32) -> Self {
        self.level = level.min(9);
        self
    }
}

/// How floats become integers: the distance of the levels and the dither.
///
/// Scale, zero point and integers of each tile are those that CFITSIO computes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantize {
    /// As CFITSIO has it: positive, levels a unit of noise; negative, the distance of the levels.
    pub(crate) level: f32,
    pub(crate) dither: DitherMethod,
    pub(crate) seed: Option<u32>,
}

/// What is added to floats before they are rounded, and taken off again by the reader (FITS 4.0, section 10.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DitherMethod {
    /// NO_DITHER: nothing.
    None,
    /// SUBTRACTIVE_DITHER_1: a random part of a level, so that means are not biased.
    #[default]
    Subtractive1,
    /// SUBTRACTIVE_DITHER_2: the same, but what is exactly zero stays so.
    Subtractive2,
}

impl DitherMethod {
    /// What ZQUANTIZ says.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "NO_DITHER",
            Self::Subtractive1 => "SUBTRACTIVE_DITHER_1",
            Self::Subtractive2 => "SUBTRACTIVE_DITHER_2",
        }
    }
}

impl Quantize {
    /// Levels of `1 / levels` of the noise of each tile; 4 to 16 are usual.
    pub fn noise(levels: f32) -> Self {
        Self { level: levels.abs(), dither: DitherMethod::default(), seed: None }
    }

    /// Levels `step` apart, in units of the pixels.
    pub fn step(step: f32) -> Self {
        Self { level: -step.abs(), dither: DitherMethod::default(), seed: None }
    }

    /// The dither, SUBTRACTIVE_DITHER_1 by default.
    #[must_use]
    pub fn dither(mut self, method: DitherMethod) -> Self {
        self.dither = method;
        self
    }

    /// Where the random sequence starts, 1 to 10000. By default the bytes of the first tile decide, so that equal
    /// images are equal files and different ones have different dithers.
    #[must_use]
    pub fn seed(mut self, seed: u32) -> Self {
        self.seed = Some(seed);
        self
    }
}
