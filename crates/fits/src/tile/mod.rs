//! Tile-compressed images (FITS 4.0, section 10.1), in three layers that know nothing of each other: the codec
//! turns bytes into integers, the quantiser integers into floats, the geometry says which tile goes where.
//! This module reads the table around them.

pub(crate) mod codec;
mod columns;
mod decode;
pub(crate) mod encode;
mod geometry;
mod quantize;

pub(crate) use geometry::{Grid, Place, shared_rows};

use crate::column::Form;
use crate::error::{Error, ErrorKind, Location};
use crate::file::Hdu;
use crate::heap::Buffered;
use crate::image::scaling::{Scaling, Stored};
use crate::image::{bands, first_error};
use crate::machine;
use crate::sample::Sample;
use crate::source::read_full;
use crate::structure::integer_at_least;
use codec::{Codec, Fault};
use columns::{Arrays, Extent, Number, parameter};
use decode::Scratch;
use quantize::Dither;
use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Bytes of table rows read at a time.
const ROWS_BYTES: u64 = 256 << 10;

/// Working space that an image keeps for each thread, in bytes.
const KEPT_BYTES: usize = 8 << 20;

/// Pixels of a unit of work: enough to be worth a thread's while.
const BAND_PIXELS: u64 = 64 << 10;

/// A tile-compressed image: everything that its header says, checked.
pub(crate) struct Tiles {
    hdu: Hdu,
    grid: Grid,
    codec: Codec,
    row_bytes: u64,
    /// The heap, from the start of the data.
    heap: Range<u64>,
    compressed: Arrays,
    /// Tiles that did not compress well.
    gzipped: Option<Arrays>,
    uncompressed: Option<Arrays>,
    /// Null pixels of each tile.
    mask: Option<(Arrays, Codec)>,
    /// Scale and zero of quantised floats.
    levels: Option<(Number<f64>, Number<f64>)>,
    null: Option<Number<i64>>,
    dither: Dither,
    scaling: Scaling,
    /// Working space of threads that have been here.
    scratch: Mutex<Vec<Scratch>>,
    /// The data, where the source can only be read in order.
    memory: OnceLock<Buffered>,
}

fn bad(keyword: &str, problem: impl Into<String>) -> ErrorKind {
    ErrorKind::Header { keyword: keyword.to_owned(), problem: problem.into() }
}

impl Tiles {
    /// `None` if the image is not compressed.
    pub(crate) fn new(hdu: &Hdu) -> Result<Option<Self>, Error> {
        let Some(compression) = hdu.compression() else { return Ok(None) };
        let header = hdu.header();
        let at = |kind| hdu.error(kind);
        let size = |keyword: &str| {
            let value = integer_at_least(header, keyword, 0).map_err(at)?;
            value.map(i64::unsigned_abs).ok_or_else(|| at(bad(keyword, "is missing")))
        };
        let (row_bytes, rows) = (size("NAXIS1")?, size("NAXIS2")?);
        // The structure has found their sizes to be in range.
        let table = row_bytes.saturating_mul(rows);
        let gap = integer_at_least(header, "THEAP", 0).map_err(at)?.map_or(table, i64::unsigned_abs);
        if gap < table || gap > hdu.data_bytes() {
            let problem = format!("is {gap}, must be between {table} and {}", hdu.data_bytes());
            return Err(at(bad("THEAP", problem)));
        }
        let limit = hdu.shared.limits.row_bytes;
        if row_bytes > limit {
            return Err(at(ErrorKind::Limit { what: "the row size", wanted: row_bytes, limit }));
        }
        let grid = Grid::new(hdu.shape(), &compression.tile)
            .ok_or_else(|| at(bad("ZNAXISn", "give more tiles than can be counted")))?;
        if grid.tiles() != rows {
            let problem = format!("is {rows}, but the image has {} tiles", grid.tiles());
            return Err(at(bad("NAXIS2", problem)));
        }
        let bitpix = hdu.bitpix();
        let stored = Stored::of(bitpix)
            .ok_or_else(|| at(bad("ZBITPIX", format!("is {bitpix}, must be 8, 16, 32, 64, -32 or -64"))))?;
        let limit = hdu.shared.limits.tile_bytes;
        let wanted = grid.tile_pixels().and_then(|n| n.checked_mul(stored.bytes().max(4) as u64));
        let wanted = wanted.unwrap_or(u64::MAX);
        if wanted > limit {
            return Err(at(ErrorKind::Limit { what: "the size of a tile", wanted, limit }));
        }
        let all = crate::column::columns(header, Form::Stored, row_bytes).map_err(at)?;
        let arrays = |name| Arrays::find(&all, name).map_err(at);
        let compressed =
            arrays("COMPRESSED_DATA")?.ok_or_else(|| at(bad("TTYPEn", "name no column COMPRESSED_DATA")))?;
        let codec = Self::codec(hdu, "ZCMPTYPE", &compression.codec, None)?;
        let mask = match arrays("NULL_PIXEL_MASK")? {
            None => None,
            Some(mask) => {
                let name = header.text("ZMASKCMP").ok_or_else(|| at(bad("ZMASKCMP", "is missing")))?;
                // A mask is an image of bytes, whatever the pixels are.
                Some((mask, Self::codec(hdu, "ZMASKCMP", &name, Some(1))?))
            }
        };
        let method = compression.quantize.as_deref().unwrap_or("NO_DITHER").to_ascii_uppercase();
        let mut levels = None;
        if stored.is_float() && method != "NONE" {
            let number = |name| Number::<f64>::find(&all, header, name).map_err(at);
            levels =
                number("ZSCALE")?.map(|scale| Ok((scale, number("ZZERO")?.unwrap_or(Number::Same(0.0)))));
        }
        let levels = levels.transpose()?;
        let dither = match method.as_str() {
            _ if levels.is_none() => Dither::No,
            "NO_DITHER" => Dither::No,
            "SUBTRACTIVE_DITHER_1" | "SUBTRACTIVE_DITHER_2" => {
                let seed = integer_at_least(header, "ZDITHER0", 1).map_err(at)?.unwrap_or(1);
                Dither::Subtractive { seed: seed.unsigned_abs(), keep_zero: method.ends_with('2') }
            }
            _ => {
                return Err(at(ErrorKind::Unsupported { what: format!("quantisation {method} (ZQUANTIZ)") }));
            }
        };
        // Where there are both, ZBLANK is what stands in the tiles.
        let keywords: &[&str] = if stored.is_float() { &["ZBLANK"] } else { &["ZBLANK", "BLANK"] };
        let null = Number::<i64>::find(&all, header, "ZBLANK", keywords).map_err(at)?;
        let constant = if let Some(Number::Same(null)) = null { Some(null) } else { None };
        let nullable = mask.is_some() || null.is_some();
        let scaling = Scaling::new(header, stored, constant, nullable).map_err(at)?;
        if stored.is_float() && levels.is_none() && !matches!(codec, Codec::Gzip { .. } | Codec::None) {
            let problem =
                format!("is {}, which cannot hold floats that are not quantised", compression.codec);
            return Err(at(bad("ZCMPTYPE", problem)));
        }
        Ok(Some(Self {
            hdu: hdu.clone(),
            grid,
            codec,
            row_bytes,
            heap: gap..hdu.data_bytes(),
            compressed,
            gzipped: arrays("GZIP_COMPRESSED_DATA")?,
            uncompressed: arrays("UNCOMPRESSED_DATA")?,
            mask,
            levels,
            null,
            dither,
            scaling,
            scratch: Mutex::default(),
            memory: OnceLock::new(),
        }))
    }

    fn codec(hdu: &Hdu, keyword: &str, name: &str, pixel_bytes: Option<u8>) -> Result<Codec, Error> {
        let header = hdu.header();
        Ok(match name.trim() {
            "RICE_1" | "RICE_ONE" => {
                let bytes = pixel_bytes.map_or_else(|| parameter(header, "BYTEPIX").unwrap_or(4), i64::from);
                let pixel_bytes = match bytes {
                    1 => 1,
                    2 => 2,
                    4 => 4,
                    _ => return Err(hdu.error(bad("BYTEPIX", format!("is {bytes}, must be 1, 2 or 4")))),
                };
                let block = parameter(header, "BLOCKSIZE").unwrap_or(32);
                let range = 1..=1 << 20;
                let block = usize::try_from(block).ok().filter(|b| range.contains(b)).ok_or_else(|| {
                    hdu.error(bad("BLOCKSIZE", format!("is {block}, must be between 1 and {}", 1 << 20)))
                })?;
                Codec::Rice { pixel_bytes, block }
            }
            "GZIP_1" => Codec::Gzip { shuffled: false },
            "GZIP_2" => Codec::Gzip { shuffled: true },
            "HCOMPRESS_1" => Codec::Hcompress { smooth: parameter(header, "SMOOTH").unwrap_or(0) != 0 },
            "PLIO_1" => Codec::Plio,
            "NOCOMPRESS" => Codec::None,
            other => {
                let what = format!("the compression {other} ({keyword})");
                return Err(hdu.error(ErrorKind::Unsupported { what }));
            }
        })
    }

    pub(crate) fn grid(&self) -> &Grid {
        &self.grid
    }

    pub(crate) fn scaling(&self) -> &Scaling {
        &self.scaling
    }

    /// Decodes what `region` holds, in parallel, into `out`, which has just the room and no page of which was touched
    /// if `fresh`.
    pub(crate) fn read<T: Sample>(
        &self,
        region: &[Range<u64>],
        out: &mut [T],
        fresh: bool,
    ) -> Result<(), Error> {
        self.load()?;
        first_error(bands(region, self.grid.band(), BAND_PIXELS, out), |(region, out)| {
            if fresh {
                machine::populate(out);
            }
            self.band(&region, out)
        })
    }

    /// Decodes what `region` holds on this thread.
    fn band<T: Sample>(&self, region: &[Range<u64>], out: &mut [T]) -> Result<(), Error> {
        let places = self.grid.touched(region);
        let mut scratch = self.lock().pop().unwrap_or_default();
        let done = self.tiles(&places, region, out, &mut scratch);
        // Space for huge tiles is not worth keeping.
        if scratch.bytes() <= KEPT_BYTES {
            self.lock().push(scratch);
        }
        done
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Scratch>> {
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tiles<T: Sample>(
        &self,
        places: &[Place],
        region: &[Range<u64>],
        out: &mut [T],
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        let width = self.row_bytes as usize;
        let mut rows = Vec::new();
        let mut next = 0;
        let mut i = 0;
        while let Some(place) = places.get(i) {
            if i == next {
                // Rows that follow each other are read together.
                let most = (ROWS_BYTES / self.row_bytes.max(1)).max(1) as usize;
                let run = places[i..].iter().zip(place.index..).take(most).take_while(|(p, n)| p.index == *n);
                let count = run.count();
                next = i + count;
                rows.resize(count * width, 0);
                self.fetch(place.index, place.index * self.row_bytes, &mut rows)?;
            }
            let (row, after) = rows[rows.len() - (next - i) * width..].split_at(width);
            if i + 1 < next
                && self.pair([place, &places[i + 1]], [row, &after[..width]], region, out, scratch)?
            {
                i += 2;
            } else {
                self.tile(place, row, region, out, scratch)?;
                i += 1;
            }
        }
        Ok(())
    }

    /// Reads bytes of the data unit.
    fn fetch(&self, tile: u64, offset: u64, bytes: &mut [u8]) -> Result<(), Error> {
        let at = self.hdu.data_offset() + offset;
        let source = match self.memory.get() {
            Some(memory) => memory,
            None => &*self.hdu.shared.source,
        };
        let found = read_full(source, bytes, at).map_err(|e| Error::io(self.location(tile, at), e))?;
        if found < bytes.len() {
            let (needed, end) = (self.hdu.data_bytes(), offset + found as u64);
            let kind = ErrorKind::Truncated { what: "data", needed, found: end };
            return Err(Error::new(self.location(tile, at + found as u64), kind));
        }
        Ok(())
    }

    /// Checks that the data are there; a source that can only be read in order is read into memory.
    fn load(&self) -> Result<(), Error> {
        let source = &self.hdu.shared.source;
        if !source.is_sequential() {
            return self.hdu.whole();
        }
        if self.memory.get().is_none() {
            // Another thread may be faster; its copy is the same.
            let _ = self.memory.set(Buffered::read(&self.hdu)?);
        }
        Ok(())
    }

    fn location(&self, tile: u64, offset: u64) -> Location {
        Location { row: Some(tile), ..self.hdu.shared.location(Some(self.hdu.index()), Some(offset)) }
    }

    /// An error in the stream of a tile that starts at `extent`.
    fn fault(&self, tile: u64, extent: Extent, fault: Fault) -> Error {
        let offset = self.hdu.data_offset() + self.heap.start + extent.offset + fault.at as u64;
        self.wrong(tile, offset, fault.what.into_owned())
    }

    fn wrong(&self, tile: u64, offset: u64, problem: String) -> Error {
        let codec = self.hdu.compression().map(|c| c.codec.clone()).unwrap_or_default();
        Error::new(self.location(tile, offset), ErrorKind::Tile { tile, codec, problem })
    }
}
