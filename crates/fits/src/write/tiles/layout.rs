//! The binary table around the tiles (FITS 4.0, section 10.1.3).

use super::{Job, Tile};
use crate::error::Error;
use crate::header::Header;
use crate::image::scaling::Stored;
use crate::sample::Sample;
use crate::tile::encode::quantize::NULL;
use crate::tile::encode::{DitherMethod, HcompressScale, TileCodec};

/// The table of the tiles.
pub(super) struct Layout {
    /// Descriptors of 64 bits.
    wide: bool,
    /// Letter and bytes of an element of the first column, or of UNCOMPRESSED_DATA.
    element: (char, usize),
    uncompressed: bool,
    lossless: bool,
    quantised: bool,
    heap: u64,
}

impl Layout {
    pub(super) fn new<T: Sample>(job: &Job<'_, T>, tiles: &[Tile]) -> Self {
        let uncompressed = job.how.codec == TileCodec::None;
        let element = match (job.how.codec, job.encoding.stored) {
            (TileCodec::Plio, _) | (TileCodec::None, Stored::I16) => ('I', 2),
            (TileCodec::None, Stored::I32) => ('J', 4),
            (TileCodec::None, Stored::I64) => ('K', 8),
            (TileCodec::None, Stored::F32) => ('E', 4),
            (TileCodec::None, Stored::F64) => ('D', 8),
            _ => ('B', 1),
        };
        let heap = tiles.iter().map(|t| t.stream.len() as u64).sum();
        Self {
            // Readers take the numbers of the short ones as signed.
            wide: heap > i32::MAX as u64,
            element,
            uncompressed,
            lossless: tiles.iter().any(|t| t.lossless),
            quantised: job.quantize.is_some(),
            heap,
        }
    }

    /// Name, format and unit of the columns.
    fn columns(&self, tiles: &[Tile]) -> Vec<(&'static str, String)> {
        let kind = if self.wide { 'Q' } else { 'P' };
        let longest = |lossless: bool, bytes: usize| {
            let streams = tiles.iter().filter(|t| t.lossless == lossless).map(|t| t.stream.len() / bytes);
            streams.max().unwrap_or(0)
        };
        let (letter, bytes) = self.element;
        let main = longest(false, bytes);
        let mut columns = Vec::new();
        if self.uncompressed {
            columns.push(("COMPRESSED_DATA", format!("1{kind}B(0)")));
            columns.push(("UNCOMPRESSED_DATA", format!("1{kind}{letter}({main})")));
        } else {
            columns.push(("COMPRESSED_DATA", format!("1{kind}{letter}({main})")));
        }
        if self.lossless {
            columns.push(("GZIP_COMPRESSED_DATA", format!("1{kind}B({})", longest(true, 1))));
        }
        if self.quantised {
            columns.push(("ZSCALE", "1D".to_owned()));
            columns.push(("ZZERO", "1D".to_owned()));
        }
        columns
    }

    fn descriptors(&self) -> usize {
        1 + usize::from(self.uncompressed) + usize::from(self.lossless)
    }

    fn row_bytes(&self) -> usize {
        self.descriptors() * if self.wide { 16 } else { 8 } + if self.quantised { 16 } else { 0 }
    }

    pub(super) fn cards<T: Sample>(&self, job: &Job<'_, T>, tiles: &[Tile]) -> Result<Header, Error> {
        let columns = self.columns(tiles);
        let mut cards = Header::new();
        cards.push("XTENSION", "BINTABLE", "")?;
        cards.push("BITPIX", 8, "")?;
        cards.push("NAXIS", 2, "")?;
        cards.push("NAXIS1", self.row_bytes() as i64, "bytes of a row")?;
        cards.push("NAXIS2", tiles.len() as i64, "tiles")?;
        cards.push("PCOUNT", self.heap as i64, "bytes of the heap")?;
        cards.push("GCOUNT", 1, "")?;
        cards.push("TFIELDS", columns.len() as i64, "columns")?;
        for (n, (name, form)) in (1..).zip(columns) {
            cards.push(&format!("TTYPE{n}"), name, "")?;
            cards.push(&format!("TFORM{n}"), form, "")?;
        }
        cards.push("ZIMAGE", true, "this is a compressed image")?;
        cards.push("ZTENSION", "IMAGE", "")?;
        cards.push("ZBITPIX", job.encoding.bitpix(), "BITPIX of the image")?;
        let shape = &job.image.shape;
        cards.push("ZNAXIS", shape.len() as i64, "NAXIS of the image")?;
        for (n, &axis) in (1..).zip(shape.iter().rev()) {
            cards.push(&format!("ZNAXIS{n}"), axis as i64, "")?;
        }
        cards.push("ZPCOUNT", 0, "")?;
        cards.push("ZGCOUNT", 1, "")?;
        for (n, &side) in (1..).zip(job.tile.iter().rev()) {
            cards.push(&format!("ZTILE{n}"), side as i64, "")?;
        }
        cards.push("ZCMPTYPE", job.how.codec.name(), "")?;
        let parameters = match job.how.codec {
            TileCodec::Rice { block } => {
                vec![("BLOCKSIZE", block as f32), ("BYTEPIX", job.rice_bytes() as f32)]
            }
            TileCodec::Hcompress { scale, smooth } => {
                // As CFITSIO writes it: absolute scales are negative.
                let scale = match scale {
                    HcompressScale::Noise(times) => times,
                    HcompressScale::Absolute(scale) if scale > 0.0 => -scale,
                    HcompressScale::Absolute(_) => 0.0,
                };
                vec![("SCALE", scale), ("SMOOTH", f32::from(u8::from(smooth)))]
            }
            _ => Vec::new(),
        };
        for (n, (name, value)) in (1..).zip(parameters) {
            cards.push(&format!("ZNAME{n}"), name, "")?;
            let key = format!("ZVAL{n}");
            if name == "SCALE" { cards.push(&key, value, "")? } else { cards.push(&key, value as i64, "")? }
        }
        match &job.quantize {
            Some(how) => {
                cards.push("ZQUANTIZ", how.dither.name(), "")?;
                if how.dither != DitherMethod::None {
                    cards.push("ZDITHER0", job.seed, "start of the random sequence")?;
                }
                if tiles.iter().any(|t| t.levels.is_some_and(|l| l.nulls)) {
                    cards.push("ZBLANK", NULL, "stored value of null pixels")?;
                }
            }
            None if job.encoding.stored.is_float() => cards.push("ZQUANTIZ", "NONE", "")?,
            None => {}
        }
        job.encoding.describe(&mut cards)?;
        cards.append(&job.image.header);
        Ok(cards)
    }

    /// The rows of the table, whose streams follow each other on the heap.
    pub(super) fn rows(
        &self,
        tiles: &[Tile],
        put: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let width = if self.wide { 16 } else { 8 };
        let (mut bytes, mut start) = (Vec::with_capacity(tiles.len() * self.row_bytes()), 0_u64);
        for tile in tiles {
            let row = bytes.len();
            bytes.resize(row + self.row_bytes(), 0);
            let (slot, element) = match (tile.lossless, self.uncompressed) {
                (true, _) => (self.descriptors() - 1, 1),
                (false, true) => (1, self.element.1),
                (false, false) => (0, self.element.1),
            };
            let count = (tile.stream.len() / element) as u64;
            let field = &mut bytes[row + slot * width..][..width];
            if self.wide {
                field[..8].copy_from_slice(&count.to_be_bytes());
                field[8..].copy_from_slice(&start.to_be_bytes());
            } else {
                field[..4].copy_from_slice(&(count as u32).to_be_bytes());
                field[4..].copy_from_slice(&(start as u32).to_be_bytes());
            }
            if let (true, Some(levels)) = (self.quantised, tile.levels) {
                let scales = &mut bytes[row + self.descriptors() * width..];
                scales[..8].copy_from_slice(&levels.scale.to_be_bytes());
                scales[8..16].copy_from_slice(&levels.zero.to_be_bytes());
            }
            start += tile.stream.len() as u64;
        }
        put(&bytes)
    }
}
