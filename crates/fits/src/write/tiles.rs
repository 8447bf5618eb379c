//! Tile-compressed images (FITS 4.0, section 10.1).

mod layout;

use super::image::NewImage;
use super::pixels::Encoding;
use super::{Writer, unwritable};
use crate::error::Error;
use crate::image::scaling::Stored;
use crate::limits::Limits;
use crate::sample::Sample;
use crate::structure::PixelType;
use crate::tile::encode::gzip::{self, Deflater};
use crate::tile::encode::quantize::{self, Float, Levels, quantize};
use crate::tile::encode::{
    Compress, DitherMethod, HcompressScale, Quantize, TileCodec, hcompress, noise, plio, rice,
};
use crate::tile::{Grid, Place, shared_rows};
use layout::Layout;
use std::io::Write;
use std::ops::Range;

/// A compressed tile.
struct Tile {
    stream: Vec<u8>,
    /// It could not be quantised and is in GZIP_COMPRESSED_DATA.
    lossless: bool,
    levels: Option<Levels>,
}

/// What a thread needs to encode tiles, reused from tile to tile.
#[derive(Default)]
struct Scratch<T> {
    pixels: Vec<T>,
    bytes: Vec<u8>,
    sorted: Vec<u8>,
    integers: Vec<i32>,
    wide: Vec<i64>,
    single: (Vec<f32>, quantize::Workspace<f32>),
    double: (Vec<f64>, quantize::Workspace<f64>),
    noise: noise::Workspace<i64>,
    hcompress: hcompress::Workspace,
    deflater: Option<Deflater>,
}

/// An image and how its tiles are to be made.
struct Job<'a, T> {
    image: &'a NewImage,
    how: &'a Compress,
    encoding: &'a Encoding,
    pixels: &'a [T],
    whole: Vec<Range<u64>>,
    tile: Vec<u64>,
    /// How floats are quantised.
    quantize: Option<Quantize>,
    seed: u32,
}

impl<W: Write> Writer<W> {
    /// Compresses an image that was found to be whole.
    pub(super) fn tiles<T: Sample>(
        &mut self,
        image: &NewImage,
        how: &Compress,
        encoding: &Encoding,
        pixels: &[T],
    ) -> Result<(), Error> {
        self.extension()?;
        self.compressed(image, how, encoding, pixels).map_err(|e| self.place(e))
    }

    fn compressed<T: Sample>(
        &mut self,
        image: &NewImage,
        how: &Compress,
        encoding: &Encoding,
        pixels: &[T],
    ) -> Result<(), Error> {
        let mut job = Job::new(image, how, encoding, pixels)?;
        let grid = Grid::new(&image.shape, &job.tile)
            .ok_or_else(|| unwritable("an image", "it has more tiles than can be counted"))?;
        let places = grid.touched(&job.whole);
        job.find_seed(&places)?;
        let tiles = each(&places, |place, scratch| job.tile(place, scratch))?;
        let table = Layout::new(&job, &tiles);
        let cards = table.cards(&job, &tiles)?;
        self.unit(cards, &mut |put| {
            table.rows(&tiles, put)?;
            tiles.iter().try_for_each(|tile| put(&tile.stream))
        })
    }
}

/// All tiles in order, in parallel; the error is the first in order.
#[cfg(feature = "rayon")]
fn each<T: Sample>(
    places: &[Place],
    encode: impl Fn(&Place, &mut Scratch<T>) -> Result<Tile, Error> + Sync,
) -> Result<Vec<Tile>, Error> {
    use rayon::prelude::*;
    if places.len() <= 1 || rayon::current_num_threads() == 1 {
        let mut scratch = Scratch::default();
        return places.iter().map(|place| encode(place, &mut scratch)).collect();
    }
    // Collected before they are looked at, so that the first error is that of the first tile.
    let all: Vec<_> =
        places.par_iter().map_init(Scratch::default, |scratch, place| encode(place, scratch)).collect();
    all.into_iter().collect()
}

#[cfg(not(feature = "rayon"))]
fn each<T: Sample>(
    places: &[Place],
    encode: impl Fn(&Place, &mut Scratch<T>) -> Result<Tile, Error>,
) -> Result<Vec<Tile>, Error> {
    let mut scratch = Scratch::default();
    places.iter().map(|place| encode(place, &mut scratch)).collect()
}

/// The shape of tiles that the caller leaves to us.
fn default_tile(shape: &[u64], codec: TileCodec) -> Vec<u64> {
    let mut tile = vec![1; shape.len()];
    let last = shape.len() - 1;
    tile[last] = shape[last].max(1);
    if let (TileCodec::Hcompress { .. }, Some(rows)) = (codec, last.checked_sub(1)) {
        let height = shape[rows];
        // A last tile of one to three rows would be too small.
        let fits = |&n: &u64| height.is_multiple_of(n) || height % n >= 4;
        tile[rows] = if height <= 30 {
            height.max(1)
        } else {
            (14..=30).filter(fits).min_by_key(|n| n.abs_diff(16)).unwrap_or(16)
        };
    }
    tile
}

impl<'a, T: Sample> Job<'a, T> {
    fn new(
        image: &'a NewImage,
        how: &'a Compress,
        encoding: &'a Encoding,
        pixels: &'a [T],
    ) -> Result<Self, Error> {
        let refuse = |problem: String| Err(unwritable("a compressed image", problem));
        let shape = &image.shape;
        if pixels.is_empty() {
            return refuse(format!("its shape is {shape:?}, without pixels"));
        }
        let tile = how.tile.clone().unwrap_or_else(|| default_tile(shape, how.codec));
        if tile.len() != shape.len() || tile.contains(&0) {
            return refuse(format!("tiles of {tile:?} do not cut an image of {shape:?}"));
        }
        // A tile is no larger than the image.
        let tile: Vec<u64> = tile.iter().zip(shape).map(|(&t, &n)| t.min(n)).collect();
        let float = encoding.stored.is_float();
        let wide = encoding.stored == Stored::I64;
        let quantize = how.quantize.filter(|_| float);
        let (name, gzip) = (how.codec.name(), matches!(how.codec, TileCodec::Gzip { .. }));
        match how.codec {
            TileCodec::Rice { .. } | TileCodec::Hcompress { .. } | TileCodec::Plio if wide => {
                return refuse(format!("{name} has no 64-bit integers; the GZIP codecs have"));
            }
            TileCodec::Rice { .. } | TileCodec::Hcompress { .. } if float && quantize.is_none() => {
                return refuse(format!(
                    "{name} holds floats only if they are quantised; the GZIP codecs keep them"
                ));
            }
            TileCodec::Plio if float => return refuse(format!("{name} is for masks, not for floats")),
            // The codec knows no negative numbers, and what unsigned pixels are stored as then is read in two ways.
            TileCodec::Plio if encoding.stored == Stored::I16 && encoding.zero == 32_768.0 => {
                return refuse(format!(
                    "readers of {name} disagree on unsigned 16-bit pixels; give them as i32"
                ));
            }
            TileCodec::Rice { block } if !matches!(block, 16 | 32) => {
                return refuse(format!("blocks of {block} pixels; {name} has 16 or 32"));
            }
            TileCodec::Hcompress { scale, .. } => {
                if let HcompressScale::Noise(scale) | HcompressScale::Absolute(scale) = scale
                    && !(0.0..1e9).contains(&scale)
                {
                    return refuse(format!("the scale is {scale}"));
                }
                let lossy = !matches!(scale, HcompressScale::Noise(0.0) | HcompressScale::Absolute(..1.5));
                if lossy && quantize.is_some_and(|q| q.dither == DitherMethod::Subtractive2) {
                    return refuse(format!("what {name} loses would move the pixels that are exactly zero"));
                }
                let edges =
                    tile.iter().zip(shape).map(|(&t, &n)| if n % t == 0 { t } else { (n % t).min(t) });
                let flat = tile.iter().filter(|&&t| t > 1).count() == 2 && tile.len() >= 2;
                let two = tile.len() < 2 || tile[..tile.len() - 2].iter().all(|&t| t == 1);
                if !flat || !two || edges.rev().take(2).any(|n| n < 4) {
                    return refuse(format!(
                        "tiles of {tile:?} in an image of {shape:?}; those of {name} have two dimensions, each of at \
                         least 4 pixels also at the edges"
                    ));
                }
            }
            TileCodec::None if quantize.is_some() => {
                return refuse(format!("{name} keeps pixels as they are, they cannot be quantised"));
            }
            _ => {}
        }
        if let Some(Quantize { level, seed, .. }) = quantize {
            if !level.is_finite() || level == 0.0 {
                return refuse(format!("quantised by {level}"));
            }
            if let Some(seed) = seed.filter(|s| !(1..=10_000).contains(s)) {
                return refuse(format!("the seed of the dither is {seed}, must be 1 to 10000"));
            }
        }
        let bytes = tile.iter().try_fold(8_u64, |all, &n| all.checked_mul(n)).unwrap_or(u64::MAX);
        let limit = Limits::default().tile_bytes;
        if bytes > limit || gzip && bytes > u32::MAX.into() {
            return refuse(format!("tiles of {tile:?} are larger than {limit} bytes"));
        }
        let whole = shape.iter().map(|&n| 0..n).collect();
        Ok(Self { image, how, encoding, pixels, whole, tile, quantize, seed: 1 })
    }

    /// The pixels of a tile, one after the other.
    fn gather(&self, place: &Place, pixels: &mut Vec<T>) -> Result<(), Error> {
        pixels.clear();
        shared_rows(&place.region, &self.whole, |_, from, length| {
            pixels.extend_from_slice(&self.pixels[from as usize..(from + length) as usize]);
            Ok(())
        })
    }

    /// Where the random sequence starts: what the caller says, or the sum of the bytes of the first tile.
    fn find_seed(&mut self, places: &[Place]) -> Result<(), Error> {
        let Some(Quantize { dither, seed, .. }) = self.quantize else { return Ok(()) };
        if let Some(seed) = seed {
            self.seed = seed;
        } else if let (Some(first), true) = (places.first(), dither != DitherMethod::None) {
            let mut pixels = Vec::new();
            self.gather(first, &mut pixels)?;
            let mut bytes = vec![0; pixels.len() * self.encoding.stored.bytes()];
            T::to_bytes(&pixels, &mut bytes);
            let sum: u64 = bytes.iter().map(|&b| u64::from(b)).sum();
            self.seed = (sum % 10_000) as u32 + 1;
        }
        Ok(())
    }

    fn tile(&self, place: &Place, scratch: &mut Scratch<T>) -> Result<Tile, Error> {
        let mut pixels = std::mem::take(&mut scratch.pixels);
        self.gather(place, &mut pixels)?;
        let made = self.encode(place, &pixels, scratch);
        scratch.pixels = pixels;
        made.map_err(|(at, problem)| {
            unwritable(format!("tile {}", place.index), format!("pixel {at} of it: {problem}"))
        })
    }

    fn encode(&self, place: &Place, pixels: &[T], scratch: &mut Scratch<T>) -> Result<Tile, (usize, String)> {
        let sides = place.region.iter().map(|r| r.end - r.start);
        let columns = sides.rev().find(|&n| n > 1).unwrap_or(1) as usize;
        let mut stream = Vec::new();
        let mut levels = None;
        if let Some(how) = &self.quantize {
            levels = self.levels(place.index, pixels, columns, how, scratch);
            if levels.is_none() {
                scratch.bytes.clear();
                self.encoding.bytes(pixels, &mut scratch.bytes)?;
                let deflater = scratch.deflater.get_or_insert_with(|| Deflater::new(self.how.level));
                deflater.deflate(&scratch.bytes, &mut stream).map_err(|e| (0, e))?;
                return Ok(Tile { stream, lossless: true, levels });
            }
        } else if !matches!(self.how.codec, TileCodec::Gzip { .. } | TileCodec::None) {
            scratch.integers.clear();
            for (at, &pixel) in pixels.iter().enumerate() {
                scratch.integers.push(self.encoding.integer(pixel).map_err(|e| (at, e))? as i32);
            }
        }
        let integers = &mut scratch.integers;
        match self.how.codec {
            TileCodec::Rice { block } => rice::encode(integers, self.rice_bytes(), block, &mut stream),
            TileCodec::Plio => {
                plio::encode(integers, &mut stream).map_err(|at| {
                    (at, format!("{} is not between 0 and {}", integers[at], plio::LIMIT - 1))
                })?;
            }
            TileCodec::Hcompress { scale, .. } => {
                let scale = match scale {
                    HcompressScale::Absolute(scale) => scale,
                    HcompressScale::Noise(times) if times > 0.0 => {
                        let wide = &mut scratch.wide;
                        wide.clear();
                        wide.extend(integers.iter().map(|&v| i64::from(v)));
                        // Rows that are too short are taken for one.
                        let row = if columns < 9 { wide.len() } else { columns };
                        let noise = noise::noise(wide.chunks_exact(row), row, &mut scratch.noise);
                        (f64::from(times) * noise) as f32
                    }
                    HcompressScale::Noise(_) => 0.0,
                };
                // Nulls are one integer exactly.
                let scale = if levels.is_some_and(|l| l.nulls) { 0.0 } else { scale };
                hcompress::encode(
                    integers,
                    columns,
                    (scale + 0.5) as i32,
                    &mut scratch.hcompress,
                    &mut stream,
                );
            }
            TileCodec::Gzip { shuffled } => {
                let (bytes, mut width) = (&mut scratch.bytes, self.encoding.stored.bytes());
                bytes.clear();
                if levels.is_some() {
                    width = 4;
                    integers.iter().for_each(|v| bytes.extend_from_slice(&v.to_be_bytes()));
                } else {
                    self.encoding.bytes(pixels, bytes)?;
                }
                let deflater = scratch.deflater.get_or_insert_with(|| Deflater::new(self.how.level));
                let mut source = &*bytes;
                if shuffled && width > 1 {
                    gzip::shuffle(bytes, width, &mut scratch.sorted);
                    source = &scratch.sorted;
                }
                deflater.deflate(source, &mut stream).map_err(|e| (0, e))?;
            }
            TileCodec::None => self.encoding.bytes(pixels, &mut stream)?,
        }
        Ok(Tile { stream, lossless: false, levels })
    }

    /// Quantises a tile into `scratch.integers`.
    fn levels(
        &self,
        tile: u64,
        pixels: &[T],
        columns: usize,
        how: &Quantize,
        scratch: &mut Scratch<T>,
    ) -> Option<Levels> {
        fn run<T: Sample, F: Float>(
            pixels: &[T],
            float: impl Fn(T) -> F,
            (floats, work): &mut (Vec<F>, quantize::Workspace<F>),
            levels: impl FnOnce(&[F], &mut quantize::Workspace<F>) -> Option<Levels>,
        ) -> Option<Levels> {
            floats.clear();
            floats.extend(pixels.iter().map(|&v| float(v)));
            levels(floats, work)
        }
        let (seed, out) = (self.seed, &mut scratch.integers);
        if T::TYPE == PixelType::F32 {
            run(pixels, T::to_f32, &mut scratch.single, |v, work| {
                quantize(v, columns, how, seed, tile, work, out)
            })
        } else {
            run(pixels, T::to_f64, &mut scratch.double, |v, work| {
                quantize(v, columns, how, seed, tile, work, out)
            })
        }
    }

    /// BYTEPIX.
    fn rice_bytes(&self) -> usize {
        if self.encoding.stored.is_float() { 4 } else { self.encoding.stored.bytes() }
    }
}

impl TileCodec {
    /// What ZCMPTYPE says.
    fn name(self) -> &'static str {
        match self {
            Self::Rice { .. } => "RICE_1",
            Self::Gzip { shuffled: false } => "GZIP_1",
            Self::Gzip { shuffled: true } => "GZIP_2",
            Self::Hcompress { .. } => "HCOMPRESS_1",
            Self::Plio => "PLIO_1",
            Self::None => "NOCOMPRESS",
        }
    }
}
