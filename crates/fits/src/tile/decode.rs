//! One tile: from its row in the table to pixels in the caller's rows.

use super::codec::gzip::{self, Inflater};
use super::codec::{Codec, Fault, hcompress, plio, rice};
use super::columns::{Arrays, Extent};
use super::quantize::Levels;
use super::{Place, Tiles, shared_rows};
use crate::column::ColumnType;
use crate::error::Error;
use crate::image::scaling::Stored;
use crate::sample::Sample;
use crate::structure::PixelType;
use std::ops::{Range, RangeInclusive};

/// Tiles of at most so many pixels are decoded in pairs; the integers of larger ones leave the cache anyway.
const PAIR_PIXELS: u64 = 256 << 10;

/// What a thread needs to decode tiles, reused from tile to tile.
#[derive(Default)]
pub(crate) struct Scratch {
    stream: Vec<u8>,
    integers: Vec<i32>,
    /// The stream and the integers of the tile after this one, where two are decoded at once.
    next: (Vec<u8>, Vec<i32>),
    bytes: Vec<u8>,
    sorted: Vec<u8>,
    nulls: Vec<i32>,
    inflater: Option<Inflater>,
    hcompress: hcompress::Workspace,
}

impl Scratch {
    /// Bytes held, roughly.
    pub(super) fn bytes(&self) -> usize {
        let integers = self.integers.capacity() + self.next.1.capacity() + self.nulls.capacity();
        let streams = self.stream.capacity() + self.next.0.capacity();
        let bytes = streams + self.bytes.capacity() + self.sorted.capacity();
        bytes + 4 * integers + self.hcompress.bytes()
    }
}

/// What the scratch holds after decoding.
#[derive(Clone, Copy)]
enum Form {
    /// Quantised floats in `integers`.
    Quantised,
    /// Pixels in `integers`.
    Integers,
    /// Big-endian pixels in `bytes`.
    Bytes(Stored),
}

impl Tiles {
    /// Decodes a tile and writes what `region` has of it.
    pub(super) fn tile<T: Sample>(
        &self,
        place: &Place,
        row: &[u8],
        region: &[Range<u64>],
        out: &mut [T],
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        let form = self.decode(place, row, place.needed(region), scratch)?;
        self.put(place, row, form, region, out, scratch)
    }

    /// Decodes two Rice tiles at once and writes what `region` has of them; false if they are not both that and sound,
    /// so that they have to be decoded one by one.
    pub(super) fn pair<T: Sample>(
        &self,
        places: [&Place; 2],
        rows: [&[u8]; 2],
        region: &[Range<u64>],
        out: &mut [T],
        scratch: &mut Scratch,
    ) -> Result<bool, Error> {
        let Codec::Rice { pixel_bytes, block } = self.codec else { return Ok(false) };
        let extent = |i: usize| self.extent(places[i].index, rows[i], &self.compressed);
        let (Ok(Some(first)), Ok(Some(second))) = (extent(0), extent(1)) else { return Ok(false) };
        let Scratch { stream, integers, next, .. } = scratch;
        for (i, extent, stream, integers) in
            [(0, first, &mut *stream, &mut *integers), (1, second, &mut next.0, &mut next.1)]
        {
            let pixels = places[i].pixels();
            if pixels > PAIR_PIXELS
                || rice::capacity(extent.bytes, pixel_bytes, block) < pixels
                || self.stream(places[i].index, extent, stream).is_err()
            {
                return Ok(false);
            }
            integers.resize(pixels as usize, 0);
        }
        let needed = places.map(|place| place.needed(region));
        let integers = [&mut integers[..needed[0]], &mut next.1[..needed[1]]];
        let done = rice::decode([&*stream, &*next.0], pixel_bytes, block, integers);
        if done.iter().any(Result::is_err) {
            return Ok(false);
        }
        for i in 0..2 {
            if i == 1 {
                std::mem::swap(&mut scratch.integers, &mut scratch.next.1);
            }
            let Ok(form) = self.checked_rice(pixel_bytes, &scratch.integers[..needed[i]]) else {
                return Ok(false);
            };
            self.put(places[i], rows[i], form, region, out, scratch)?;
        }
        Ok(true)
    }

    /// Writes what `region` has of a tile that is decoded.
    fn put<T: Sample>(
        &self,
        place: &Place,
        row: &[u8],
        form: Form,
        region: &[Range<u64>],
        out: &mut [T],
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        let tile = place.index;
        let masked = self.nulls(tile, row, place.pixels() as usize, scratch)?;
        let null = self.null.map(|n| n.of(row));
        let mut levels = self.levels.map(|(scale, zero)| {
            let (scale, zero) = self.both_scales(scale.of(row), zero.of(row));
            // A null that no level can be marks nothing.
            let null = null.and_then(|n| i32::try_from(n).ok());
            Levels::new(scale, zero, null, self.dither, tile)
        });
        let mut scaling = self.scaling.clone();
        if !scaling.stored.is_float() {
            scaling.blank = null;
        }
        shared_rows(&place.region, region, |first, to, length| {
            let (first, to, length) = (first as usize, to as usize, length as usize);
            let out = &mut out[to..to + length];
            match (form, &mut levels) {
                (Form::Quantised, Some(levels)) => {
                    levels.floats(scaling.pixel, first, &scratch.integers[first..first + length], out);
                }
                (Form::Bytes(stored), _) => {
                    let size = stored.bytes();
                    let bytes = &scratch.bytes[first * size..(first + length) * size];
                    scaling.bytes(bytes, stored, out);
                }
                _ => scaling.integers(&scratch.integers[first..first + length], i64::from, out),
            }
            if masked {
                for (out, &null) in out.iter_mut().zip(&scratch.nulls[first..]) {
                    if null != 0 {
                        *out = if scaling.pixel == PixelType::F32 {
                            T::from_f32(f32::NAN)
                        } else {
                            T::from_f64(f64::NAN)
                        };
                    }
                }
            }
            Ok(())
        })
    }

    /// ZSCALE and ZZERO with BSCALE and BZERO on top, as CFITSIO combines them.
    fn both_scales(&self, scale: f64, zero: f64) -> (f64, f64) {
        if self.scaling.is_identity() {
            return (scale, zero);
        }
        (scale * self.scaling.scale, zero * self.scaling.scale + self.scaling.zero)
    }

    /// Finds the tile in the heap and decodes at least its first `needed` pixels.
    fn decode(&self, place: &Place, row: &[u8], needed: usize, scratch: &mut Scratch) -> Result<Form, Error> {
        let tile = place.index;
        // Bounded by the limit on tiles, which a `usize` holds.
        let pixels = place.pixels() as usize;
        if let Some(extent) = self.extent(tile, row, &self.compressed)? {
            self.stream(tile, extent, &mut scratch.stream)?;
            return self
                .decompress(self.codec, place, pixels, needed, scratch)
                .map_err(|fault| self.fault(tile, extent, fault));
        }
        let lossless = self.scaling.stored;
        if let Some(arrays) = &self.uncompressed
            && let Some(extent) = self.extent(tile, row, arrays)?
        {
            self.stream(tile, extent, &mut scratch.stream)?;
            let stored = match arrays.element {
                ColumnType::U8 => Stored::U8,
                ColumnType::I16 => Stored::I16,
                ColumnType::I32 => Stored::I32,
                ColumnType::I64 => Stored::I64,
                ColumnType::F32 => Stored::F32,
                _ => Stored::F64,
            };
            let wrong = |what| self.fault(tile, extent, Fault::new(0, what));
            // Bytes hold pixels of any type.
            let stored = if stored == Stored::U8 { lossless } else { stored };
            if stored != lossless {
                return Err(wrong("the pixels in UNCOMPRESSED_DATA are not of type ZBITPIX"));
            }
            if scratch.stream.len() != pixels * stored.bytes() {
                return Err(wrong("UNCOMPRESSED_DATA does not hold the pixels of the tile"));
            }
            std::mem::swap(&mut scratch.stream, &mut scratch.bytes);
            return Ok(Form::Bytes(stored));
        }
        if let Some(arrays) = &self.gzipped
            && let Some(extent) = self.extent(tile, row, arrays)?
        {
            self.stream(tile, extent, &mut scratch.stream)?;
            let size = inflate(pixels, lossless.bytes(), scratch).map_err(|f| self.fault(tile, extent, f))?;
            if size != pixels * lossless.bytes() {
                let what = format!("it holds {size} bytes, the tile has {pixels} pixels");
                return Err(self.fault(tile, extent, Fault::new(0, what)));
            }
            return Ok(Form::Bytes(lossless));
        }
        let offset = self.hdu.data_offset() + tile * self.row_bytes;
        Err(self.wrong(tile, offset, "it has no data".to_owned()))
    }

    fn extent(&self, tile: u64, row: &[u8], arrays: &Arrays) -> Result<Option<Extent>, Error> {
        let heap = self.heap.end - self.heap.start;
        arrays.extent(row, heap).map_err(|problem| {
            let offset = self.hdu.data_offset() + tile * self.row_bytes;
            self.wrong(tile, offset, format!("its descriptor claims {problem}"))
        })
    }

    fn stream(&self, tile: u64, extent: Extent, stream: &mut Vec<u8>) -> Result<(), Error> {
        // The extent lies in the heap, and the heap in the file, so this is no more than the file has.
        stream.resize(extent.bytes as usize, 0);
        self.fetch(tile, self.heap.start + extent.offset, stream)
    }

    fn decompress(
        &self,
        codec: Codec,
        place: &Place,
        pixels: usize,
        needed: usize,
        scratch: &mut Scratch,
    ) -> Result<Form, Fault> {
        let (stored, quantised) = (self.scaling.stored, self.levels.is_some());
        let range = if quantised { full() } else { range_of(stored) };
        let mut narrow = false;
        match codec {
            Codec::Rice { pixel_bytes, block } => {
                let room = rice::capacity(scratch.stream.len() as u64, pixel_bytes, block);
                if room < pixels as u64 {
                    return Err(Fault::ends_early(scratch.stream.len()));
                }
                scratch.integers.resize(pixels, 0);
                let integers = &mut scratch.integers[..needed];
                let [done] = rice::decode([&scratch.stream], pixel_bytes, block, [&mut *integers]);
                done?;
                return self.checked_rice(pixel_bytes, integers);
            }
            Codec::Hcompress { smooth } => {
                let sides = place.region.iter().map(|r| r.end - r.start);
                let columns = sides.rev().find(|&n| n > 1).unwrap_or(1) as usize;
                scratch.integers.resize(pixels, 0);
                let Scratch { stream, integers, hcompress, .. } = scratch;
                hcompress::decode(stream, columns, smooth, range.clone(), hcompress, integers)?;
                narrow = true;
            }
            Codec::Plio => {
                scratch.integers.resize(pixels, 0);
                plio::decode(&scratch.stream, &mut scratch.integers)?;
                if stored == Stored::I16 && self.scaling.zero == 32_768.0 {
                    // The codec knows no negative numbers, and unsigned pixels are written as they are.
                    scratch.integers.iter_mut().for_each(|v| *v = v.wrapping_sub(32_768));
                }
            }
            Codec::Gzip { .. } | Codec::None => return self.raw(codec, pixels, quantised, scratch),
        }
        if !narrow && range != full() {
            check_range(&scratch.integers[..needed], &range)?;
        }
        Ok(if quantised { Form::Quantised } else { Form::Integers })
    }

    /// What integers of Rice are, once they are known to be in range.
    fn checked_rice(&self, pixel_bytes: u8, integers: &[i32]) -> Result<Form, Fault> {
        if self.levels.is_some() {
            return Ok(Form::Quantised);
        }
        let narrow = match self.scaling.stored {
            Stored::U8 => pixel_bytes == 1,
            Stored::I16 => pixel_bytes <= 2,
            _ => true,
        };
        if !narrow {
            check_range(integers, &range_of(self.scaling.stored))?;
        }
        Ok(Form::Integers)
    }

    /// Codecs that hold pixels as bytes. Integers may be stored in fewer bytes than ZBITPIX says.
    fn raw(
        &self,
        codec: Codec,
        pixels: usize,
        quantised: bool,
        scratch: &mut Scratch,
    ) -> Result<Form, Fault> {
        let stored = if quantised { Stored::I32 } else { self.scaling.stored };
        let most = if stored.is_float() { stored.bytes() } else { stored.bytes().max(4) };
        let size = match codec {
            Codec::Gzip { .. } => inflate(pixels, most, scratch)?,
            _ => {
                std::mem::swap(&mut scratch.stream, &mut scratch.bytes);
                scratch.bytes.len()
            }
        };
        let width = size.checked_div(pixels).unwrap_or(0);
        let found = match width {
            _ if stored.is_float() => stored,
            1 => Stored::U8,
            2 => Stored::I16,
            4 => Stored::I32,
            _ => Stored::I64,
        };
        if size != pixels * found.bytes() || found.bytes() > most {
            let what =
                format!("it holds {size} bytes, the tile has {pixels} pixels of {} bytes", stored.bytes());
            return Err(Fault::new(0, what));
        }
        if let Codec::Gzip { shuffled: true } = codec
            && width > 1
        {
            std::mem::swap(&mut scratch.bytes, &mut scratch.sorted);
            scratch.bytes.resize(size, 0);
            gzip::unshuffle(&scratch.sorted[..size], width, &mut scratch.bytes[..size]);
        }
        let bytes = &scratch.bytes[..size];
        if quantised || !stored.is_float() && found.bytes() > stored.bytes() {
            scratch.integers.clear();
            match found {
                Stored::U8 => scratch.integers.extend(bytes.iter().map(|&b| i32::from(b))),
                Stored::I16 => {
                    scratch
                        .integers
                        .extend(bytes.as_chunks().0.iter().map(|&b| i32::from(i16::from_be_bytes(b))));
                }
                _ => scratch.integers.extend(bytes.as_chunks().0.iter().map(|&b| i32::from_be_bytes(b))),
            }
            if quantised {
                return Ok(Form::Quantised);
            }
            check_range(&scratch.integers, &range_of(stored))?;
            return Ok(Form::Integers);
        }
        Ok(Form::Bytes(found))
    }

    /// Decodes the mask of null pixels, if the tile has one.
    fn nulls(&self, tile: u64, row: &[u8], pixels: usize, scratch: &mut Scratch) -> Result<bool, Error> {
        let Some((arrays, codec)) = &self.mask else { return Ok(false) };
        let Some(extent) = self.extent(tile, row, arrays)? else { return Ok(false) };
        self.stream(tile, extent, &mut scratch.stream)?;
        let fault = |fault: Fault| {
            let what = format!("null mask: {}", fault.what);
            self.fault(tile, extent, Fault::new(fault.at, what))
        };
        scratch.nulls.clear();
        scratch.nulls.resize(pixels, 0);
        match *codec {
            Codec::Rice { pixel_bytes, block } => {
                let [done] = rice::decode([&scratch.stream], pixel_bytes, block, [&mut scratch.nulls]);
                done.map_err(fault)?;
            }
            Codec::Plio => plio::decode(&scratch.stream, &mut scratch.nulls).map_err(fault)?,
            Codec::Gzip { .. } | Codec::None => {
                // The pixels may be bytes already, and they are still needed.
                let (mut mask, inflater) = (vec![0; pixels], &mut scratch.inflater);
                let size = if let Codec::None = codec {
                    mask.clone_from(&scratch.stream);
                    mask.len()
                } else {
                    let inflater = inflater.get_or_insert_with(Inflater::new);
                    inflater.inflate(&scratch.stream, &mut mask).map_err(fault)?
                };
                if size != pixels {
                    let what = format!("it holds {size} bytes, the tile has {pixels} pixels");
                    return Err(fault(Fault::new(0, what)));
                }
                scratch.nulls.iter_mut().zip(mask).for_each(|(null, byte)| *null = byte.into());
            }
            Codec::Hcompress { .. } => {
                return Err(fault(Fault::new(0, "HCOMPRESS_1 is not supported for masks")));
            }
        }
        Ok(true)
    }
}

/// Inflates the stream into `bytes`, at most `most` bytes a pixel.
fn inflate(pixels: usize, most: usize, scratch: &mut Scratch) -> Result<usize, Fault> {
    let room = ((pixels * most) as u64).min(gzip::capacity(scratch.stream.len() as u64)) as usize;
    scratch.bytes.resize(room, 0);
    let inflater = scratch.inflater.get_or_insert_with(Inflater::new);
    inflater.inflate(&scratch.stream, &mut scratch.bytes)
}

fn full() -> RangeInclusive<i32> {
    i32::MIN..=i32::MAX
}

/// The integers that a type holds.
fn range_of(stored: Stored) -> RangeInclusive<i32> {
    match stored {
        Stored::U8 => 0..=i32::from(u8::MAX),
        Stored::I16 => i16::MIN.into()..=i16::MAX.into(),
        _ => full(),
    }
}

fn check_range(integers: &[i32], range: &RangeInclusive<i32>) -> Result<(), Fault> {
    match integers.iter().position(|v| !range.contains(v)) {
        None => Ok(()),
        Some(pixel) => {
            let what = format!("pixel {pixel} is {}, beyond the range of ZBITPIX", integers[pixel]);
            Err(Fault::new(0, what))
        }
    }
}
