//! Digests of images and columns: enough to tell whether two readers read the same.

use coaddkit_fits::{Chunk, Error, Image, PixelType, Table, Values};
use sha2::{Digest, Sha256};

/// Count of NaN, and smallest, largest and sum of the other values in f64.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stats {
    /// Values that are no number.
    pub nan: u64,
    /// Values that are.
    pub count: u64,
    /// The smallest of these.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// Their sum.
    pub sum: f64,
}

impl Stats {
    fn add(&mut self, v: f64) {
        if v.is_nan() {
            self.nan += 1;
            return;
        }
        (self.min, self.max) = if self.count > 0 { (self.min.min(v), self.max.max(v)) } else { (v, v) };
        self.count += 1;
        self.sum += v;
    }
}

/// What an image holds.
#[derive(Clone, Debug)]
pub struct ImageDigest {
    /// Of all pixels.
    pub stats: Stats,
    /// Of the big-endian physical values, 64 hexadecimal digits.
    pub sha256: String,
}

/// What a column holds.
#[derive(Clone, Debug)]
pub struct ColumnDigest {
    /// SHA-256 of the field bytes of all rows as stored.
    pub raw_sha256: String,
    /// SHA-256 of the bytes of all variable-length arrays in row order, and their number of elements.
    pub heap: Option<(String, u64)>,
    /// Finite physical values of a numeric fixed-width column without TNULL.
    pub stats: Option<Stats>,
}

/// Values that can be summed up and written down.
trait Number: Copy {
    fn to_f64(self) -> f64;
    fn write(self, out: &mut Vec<u8>);
}

macro_rules! number {
    ($($type:ty)+) => {$(
        impl Number for $type {
            fn to_f64(self) -> f64 {
                self as f64
            }

            fn write(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }
        }
    )+};
}

number! { i8 u8 i16 u16 i32 u32 i64 u64 f32 f64 }

/// Bytes of pixels read at a time.
const SLAB: u64 = 32 << 20;

/// Reads all pixels, some rows at a time.
pub fn image_digest(image: &Image) -> Result<ImageDigest, Error> {
    let (mut stats, mut digest) = (Stats::default(), Sha256::new());
    let shape = image.shape().to_vec();
    let first = shape.first().copied().filter(|_| !image.is_empty()).unwrap_or(0);
    let layer = image.len() / first.max(1) * 8;
    let tile = image.hdu().compression().and_then(|c| c.tile.first().copied()).unwrap_or(1).max(1);
    let step = (SLAB / layer.max(1) / tile).max(1).saturating_mul(tile);
    let mut bytes = Vec::new();
    let mut start = 0;
    while start < first {
        let end = start.saturating_add(step).min(first);
        let mut ranges: Vec<_> = shape.iter().map(|&n| 0..n).collect();
        ranges[0] = start..end;
        bytes.clear();
        macro_rules! slab {
            ($type:ty) => {
                image.section::<$type>(&ranges)?.into_iter().for_each(|v| {
                    stats.add(v.to_f64());
                    v.write(&mut bytes);
                })
            };
        }
        match image.pixel_type() {
            PixelType::I8 => slab!(i8),
            PixelType::U8 => slab!(u8),
            PixelType::I16 => slab!(i16),
            PixelType::U16 => slab!(u16),
            PixelType::I32 => slab!(i32),
            PixelType::U32 => slab!(u32),
            PixelType::I64 => slab!(i64),
            PixelType::U64 => slab!(u64),
            PixelType::F32 => slab!(f32),
            _ => slab!(f64),
        }
        digest.update(&bytes);
        start = end;
    }
    Ok(ImageDigest { stats, sha256: hex(digest) })
}

/// Reads one column, by index from 0.
pub fn column_digest(table: &Table, index: usize) -> Result<ColumnDigest, Error> {
    let scan = table.scan().column_at(index)?;
    let column = &table.columns()[index];
    let (mut raw, mut heap, mut elements) = (Sha256::new(), Sha256::new(), 0);
    let (mut stats, mut numbers) = (Stats::default(), false);
    scan.for_each(|chunk: &Chunk<'_>| {
        let stored = chunk.stored(0);
        (0..chunk.rows()).for_each(|row| raw.update(stored.field(row)));
        let values = chunk.values(0);
        if let Values::Arrays(arrays) = values {
            (0..arrays.len()).for_each(|row| heap.update(arrays.stored(row)));
            elements += arrays.elements() as u64;
        }
        numbers = sum(values, &mut stats);
        Ok::<_, Error>(())
    })?;
    let nullable = column.null.is_some() || column.null_text.is_some();
    Ok(ColumnDigest {
        raw_sha256: hex(raw),
        heap: column.element.is_some().then(|| (hex(heap), elements)),
        stats: (numbers && !nullable).then_some(stats),
    })
}

/// Adds the finite values of a block; false if they are no numbers.
fn sum(values: Values<'_>, stats: &mut Stats) -> bool {
    fn all<T: Number>(values: &[T], stats: &mut Stats) -> bool {
        for v in values.iter().map(|v| v.to_f64()).filter(|v| !v.is_infinite()) {
            stats.add(v);
        }
        true
    }
    match values {
        Values::I8(v) => all(v, stats),
        Values::U8(v) => all(v, stats),
        Values::I16(v) => all(v, stats),
        Values::U16(v) => all(v, stats),
        Values::I32(v) => all(v, stats),
        Values::U32(v) => all(v, stats),
        Values::I64(v) => all(v, stats),
        Values::U64(v) => all(v, stats),
        Values::F32(v) => all(v, stats),
        Values::F64(v) => all(v, stats),
        _ => false,
    }
}

fn hex(digest: Sha256) -> String {
    digest.finalize().iter().map(|b| format!("{b:02x}")).collect()
}
