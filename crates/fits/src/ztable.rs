//! Tile-compressed tables (FITS 4.0, section 10.3): each row of the stored table holds one tile of rows, each
//! field of it one compressed column.

use crate::arrays::Descriptor;
use crate::column::{Column, ColumnType, Form, columns};
use crate::decoder::Decoder;
use crate::error::ErrorKind;
use crate::file::Hdu;
use crate::heap::Heap;
use crate::source::{ReadAt, read_full};
use crate::tile::codec::{gzip, rice};

/// Pixels that share a split in RICE_1; tables have no keyword for it.
const RICE_BLOCK: usize = 32;

/// How the tiles of a table are stored.
#[derive(Clone, Debug)]
pub(crate) struct Tiles {
    /// Rows in a tile; the last may have fewer.
    pub(crate) rows: u64,
    count: u64,
    /// Bytes of a stored row.
    stored_row: u64,
    columns: Vec<Packed>,
}

/// One column.
#[derive(Clone, Debug)]
struct Packed {
    /// Of its descriptor in the stored row.
    offset: u64,
    width: u64,
    codec: Result<Codec, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Codec {
    None,
    Gzip1,
    Gzip2,
    Rice,
}

fn bad(keyword: impl Into<String>, problem: impl Into<String>) -> ErrorKind {
    ErrorKind::Header { keyword: keyword.into(), problem: problem.into() }
}

impl Tiles {
    /// `rows` (ZNAXIS2) rows of `originals`.
    pub(crate) fn new(hdu: &Hdu, originals: &[Column], rows: u64) -> Result<Self, ErrorKind> {
        let header = hdu.header();
        let [count, stored_row] = hdu.shape()[..] else {
            return Err(bad("NAXIS", "must be 2 for a table"));
        };
        let rows_per_tile = match crate::structure::integer_at_least(header, "ZTILELEN", 1)? {
            Some(rows) => rows.unsigned_abs(),
            None if count <= 1 => rows.max(1),
            None => return Err(bad("ZTILELEN", "is missing")),
        };
        if rows.div_ceil(rows_per_tile) != count {
            let problem =
                format!("is {rows_per_tile}, which does not divide {rows} rows into {count} tiles (NAXIS2)");
            return Err(bad("ZTILELEN", problem));
        }
        let stored = columns(header, Form::Stored, stored_row)?;
        let mut packed = Vec::with_capacity(stored.len());
        for (n, (stored, original)) in (1..).zip(stored.iter().zip(originals)) {
            if stored.element != Some(ColumnType::U8) || stored.width == 0 {
                return Err(bad(
                    format!("TFORM{n}"),
                    format!("is '{}', not an array of bytes", stored.tform),
                ));
            }
            let codec = header.text(&format!("ZCTYP{n}"));
            packed.push(Packed {
                offset: stored.offset,
                width: stored.width,
                codec: Codec::of(codec.as_deref(), original.element.unwrap_or(original.kind)),
            });
        }
        Ok(Self { rows: rows_per_tile, count, stored_row, columns: packed })
    }

    /// Bytes from the start of the data to the descriptor of a column in a tile.
    pub(crate) fn descriptor(&self, tile: u64, column: usize) -> u64 {
        tile * self.stored_row + self.columns[column].offset
    }

    /// Refuses a column that cannot be read, before the scan starts.
    pub(crate) fn supports(&self, column: usize) -> Result<(), ErrorKind> {
        match &self.columns[column].codec {
            Ok(_) => Ok(()),
            Err(what) => Err(ErrorKind::Unsupported { what: what.clone() }),
        }
    }
}

impl Codec {
    fn of(name: Option<&str>, element: ColumnType) -> Result<Self, String> {
        let integer = matches!(element, ColumnType::U8 | ColumnType::I16 | ColumnType::I32);
        let complex = matches!(element, ColumnType::C32 | ColumnType::C64);
        match name {
            Some("GZIP_1") => Ok(Self::Gzip1),
            // Writers disagree on whether their bytes are shuffled, and nothing in the file tells.
            Some("GZIP_2") if complex => Err("GZIP_2 of complex numbers".to_owned()),
            // The default of the standard.
            Some("GZIP_2") | None => Ok(Self::Gzip2),
            Some("RICE_1" | "RICE_ONE") if integer => Ok(Self::Rice),
            Some("NOCOMPRESS") => Ok(Self::None),
            Some(other) => Err(format!("the compression {other} for this type of column")),
        }
    }
}

/// One tile being read.
pub(crate) struct Tile<'a> {
    pub(crate) tiles: &'a Tiles,
    pub(crate) source: &'a dyn ReadAt,
    pub(crate) heap: &'a Heap,
    /// Offset of the stored rows.
    pub(crate) data: u64,
    /// The largest tile or array after decompression.
    pub(crate) limit: u64,
    pub(crate) index: u64,
    pub(crate) rows: usize,
}

/// What [`Tile::fields`] finds for a column of variable-length arrays.
pub(crate) struct PackedArrays {
    /// By row: the compressed bytes.
    arrays: Vec<Descriptor>,
    /// The other reading of the same bytes, where there is one.
    other: Option<(Vec<Descriptor>, Vec<u8>)>,
}

/// A buffer that is reused.
#[derive(Default)]
pub(crate) struct Scratch {
    packed: Vec<u8>,
    plain: Vec<u8>,
    integers: Vec<i32>,
    inflater: Option<gzip::Inflater>,
}

impl Tile<'_> {
    fn here(&self, column: &Column, problem: impl std::fmt::Display) -> ErrorKind {
        ErrorKind::Field {
            column: column.name.clone(),
            problem: format!("in tile {}: {problem}", self.index),
        }
    }

    /// Decompresses the fields of a column into `decoder`; for variable-length arrays the descriptors, and tells
    /// where the compressed arrays are.
    pub(crate) fn fields(
        &self,
        index: usize,
        column: &Column,
        decoder: &mut Decoder,
        scratch: &mut Scratch,
    ) -> Result<Option<PackedArrays>, ErrorKind> {
        debug_assert!(self.index < self.tiles.count);
        let packed = &self.tiles.columns[index];
        let mut field = [0; 16];
        let field = &mut field[..packed.width as usize];
        let n = read_full(self.source, field, self.data + self.tiles.descriptor(self.index, index))
            .map_err(ErrorKind::io)?;
        let at = Descriptor::parse(field).filter(|_| n == field.len());
        let at = at.ok_or_else(|| self.here(column, "a descriptor with a negative number"))?;
        let stride = column.width.max(1);
        let wanted = stride.saturating_mul(self.rows as u64);
        let arrays = column.element.is_some() && column.width > 0;
        let extra = if arrays { 16 * self.rows as u64 } else { 0 };
        if wanted.saturating_add(extra) > self.limit {
            let wanted = wanted.saturating_add(extra);
            return Err(ErrorKind::Limit { what: "the size of a tile", wanted, limit: self.limit });
        }
        let mut bytes = decoder.take_unpacked();
        bytes.clear();
        if column.width == 0 {
            bytes.resize(wanted as usize, 0);
            decoder.unpack(bytes, stride as usize);
            return Ok(None);
        }
        self.load(at, column, &mut scratch.packed)?;
        if !arrays {
            let codec = match &packed.codec {
                Ok(codec) => *codec,
                Err(what) => return Err(ErrorKind::Unsupported { what: what.clone() }),
            };
            self.decode(codec, column.kind, wanted as usize, column, &mut bytes, scratch)?;
            decoder.unpack(bytes, stride as usize);
            return Ok(None);
        }
        // The descriptors of the table as it was and those of the compressed arrays, in one piece. Of the two
        // orders, both of which have been written, the one whose arrays are on the heap is right.
        let size = (wanted + extra) as usize;
        self.decode(Codec::Gzip1, ColumnType::U8, size, column, &mut bytes, scratch)?;
        let split = |first: &[u8], second: &[u8]| {
            let arrays: Option<Vec<_>> = second.chunks_exact(16).map(Descriptor::parse).collect();
            let whole = |d: &Descriptor| {
                d.count == 0 || d.start.checked_add(d.count).is_some_and(|end| end <= self.heap.size)
            };
            arrays.filter(|a| a.iter().all(whole)).map(|arrays| (arrays, first.to_vec()))
        };
        let (front, back) = bytes.split_at(wanted as usize);
        let (compressed, originals) = bytes.split_at(extra as usize);
        let mut readings = [split(front, back), split(originals, compressed)].into_iter().flatten();
        let Some((arrays, originals)) = readings.next() else {
            return Err(self.here(column, "the compressed arrays are not on the heap"));
        };
        decoder.unpack(originals, stride as usize);
        Ok(Some(PackedArrays { arrays, other: readings.next() }))
    }

    /// Appends the elements of one array, which must be `bytes` bytes.
    pub(crate) fn array(
        &self,
        index: usize,
        column: &Column,
        at: Descriptor,
        bytes: usize,
        out: &mut Vec<u8>,
        scratch: &mut Scratch,
    ) -> Result<(), ErrorKind> {
        self.load(at, column, &mut scratch.packed)?;
        // What would have grown is stored as it was.
        if scratch.packed.len() == bytes {
            out.extend_from_slice(&scratch.packed);
            return Ok(());
        }
        let codec = match &self.tiles.columns[index].codec {
            Ok(codec) => *codec,
            Err(what) => return Err(ErrorKind::Unsupported { what: what.clone() }),
        };
        let element = column.element.unwrap_or(ColumnType::U8);
        self.decode(codec, element, bytes, column, out, scratch)
    }

    /// The compressed bytes.
    fn load(&self, at: Descriptor, column: &Column, out: &mut Vec<u8>) -> Result<(), ErrorKind> {
        if at.start.checked_add(at.count).is_none_or(|end| end > self.heap.size) {
            let (bytes, start, size) = (at.count, at.start, self.heap.size);
            let problem = format!("{bytes} bytes at byte {start} of the heap, which ends at byte {size}");
            return Err(self.here(column, problem));
        }
        if at.count > self.limit {
            return Err(ErrorKind::Limit { what: "the size of a tile", wanted: at.count, limit: self.limit });
        }
        out.clear();
        out.resize(at.count as usize, 0);
        self.heap.read(self.source, out, at.start)
    }

    /// Appends `size` bytes, decoded from `scratch.packed`.
    fn decode(
        &self,
        codec: Codec,
        element: ColumnType,
        size: usize,
        column: &Column,
        out: &mut Vec<u8>,
        scratch: &mut Scratch,
    ) -> Result<(), ErrorKind> {
        let Scratch { packed, plain, integers, inflater } = scratch;
        let start = out.len();
        let mut inflate = |plain: &mut [u8]| {
            let found = inflater.get_or_insert_with(gzip::Inflater::new).inflate(packed, plain);
            match found {
                Ok(n) if n == plain.len() => Ok(()),
                Ok(n) => Err(self.here(column, format!("{n} bytes instead of {}", plain.len()))),
                Err(fault) => Err(self.here(column, fault.what)),
            }
        };
        let room = |held: u64| {
            // A short stream cannot hold much: say so before room is made for it.
            let enough = held >= size as u64;
            enough
                .then_some(())
                .ok_or_else(|| self.here(column, format!("{} bytes are too few", packed.len())))
        };
        match codec {
            Codec::None if packed.len() == size => out.extend_from_slice(packed),
            Codec::None => return Err(self.here(column, format!("{} bytes instead of {size}", packed.len()))),
            Codec::Gzip1 => {
                room(gzip::capacity(packed.len() as u64))?;
                out.resize(start + size, 0);
                inflate(&mut out[start..])?;
            }
            Codec::Gzip2 => {
                room(gzip::capacity(packed.len() as u64))?;
                plain.clear();
                plain.resize(size, 0);
                inflate(plain)?;
                let width = match element {
                    ColumnType::I16 => 2,
                    ColumnType::I32 | ColumnType::F32 => 4,
                    ColumnType::I64 | ColumnType::F64 => 8,
                    _ => 1,
                };
                out.resize(start + size, 0);
                gzip::unshuffle(plain, width, &mut out[start..]);
            }
            Codec::Rice => {
                let bytes = match element {
                    ColumnType::I32 => 4,
                    ColumnType::I16 => 2,
                    _ => 1,
                };
                room(rice::capacity(packed.len() as u64, bytes, RICE_BLOCK).saturating_mul(bytes.into()))?;
                integers.clear();
                integers.resize(size / usize::from(bytes), 0);
                let [done] = rice::decode([packed], bytes, RICE_BLOCK, [integers]);
                done.map_err(|fault| self.here(column, fault.what))?;
                out.reserve(size);
                match bytes {
                    4 => out.extend(integers.iter().flat_map(|v| v.to_be_bytes())),
                    2 => out.extend(integers.iter().flat_map(|&v| (v as i16).to_be_bytes())),
                    _ => out.extend(integers.iter().map(|&v| v as u8)),
                }
            }
        }
        Ok(())
    }
}

impl PackedArrays {
    pub(crate) fn at(&self, row: usize) -> Descriptor {
        self.arrays[row]
    }

    /// True while there is another reading.
    pub(crate) fn is_ambiguous(&self) -> bool {
        self.other.is_some()
    }

    /// Turns to the other reading, if there is one; its descriptors are for the decoder.
    pub(crate) fn turn(&mut self) -> Option<Vec<u8>> {
        let (arrays, originals) = self.other.take()?;
        self.arrays = arrays;
        Some(originals)
    }
}
