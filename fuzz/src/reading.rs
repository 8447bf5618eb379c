//! Everything that can be read from a file, as digests that two ways of reading can be compared by.

use coaddkit_fits::{Chunk, Error, ErrorClass, Hdu, HduKind, Image, PixelType, Sample, Table, Values};
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::ops::Range;

/// Columns that can be read, with a digest of their values in some rows.
pub type Digest = Vec<(usize, u64)>;

/// Reads all columns of `scanned` rows, and digests those of `wanted`.
pub fn columns(
    table: &Table,
    chunk_bytes: usize,
    scanned: Range<u64>,
    wanted: Range<u64>,
) -> Result<Digest, Error> {
    let mut scan = table.scan().rows(scanned.clone()).chunk_bytes(chunk_bytes);
    let mut digests: Vec<(usize, DefaultHasher)> = Vec::new();
    for index in 0..table.columns().len() {
        match scan.clone().column_at(index) {
            Ok(wider) => {
                scan = wider;
                digests.push((index, DefaultHasher::new()));
            }
            Err(error) => assert_eq!(error.class(), ErrorClass::Caller, "{error}"),
        }
    }
    let mut next = scanned.start.min(table.rows());
    scan.for_each(|chunk: &Chunk<'_>| {
        assert_eq!(chunk.first_row(), next, "rows come in order and once");
        assert!(chunk.rows() > 0);
        next += chunk.rows() as u64;
        for (n, (index, digest)) in digests.iter_mut().enumerate() {
            let about = &table.columns()[*index];
            let (stored, values) = (chunk.stored(n), chunk.values(n));
            assert_eq!(stored.len(), chunk.rows());
            let count = elements(values);
            let scalar = matches!(values, Values::Arrays(_)) || about.repeat == 1;
            assert!(!scalar || about.width == 0 || count == chunk.rows(), "{about:?} has {count} values");
            for row in 0..chunk.rows() {
                if !wanted.contains(&(chunk.first_row() + row as u64)) {
                    continue;
                }
                let field = stored.field(row);
                assert_eq!(field.len() as u64, about.width);
                field.hash(digest);
                row_of(values, row, count / chunk.rows(), digest);
            }
        }
        Ok::<_, Error>(())
    })?;
    let end = scanned.end.min(table.rows());
    assert!(next >= end || table.row_bytes() == 0, "rows {next}..{end} are left out");
    Ok(digests.into_iter().map(|(index, digest)| (index, digest.finish())).collect())
}

/// Values of a block, where each row has as many.
fn elements(values: Values<'_>) -> usize {
    match values {
        Values::I8(v) => v.len(),
        Values::U8(v) => v.len(),
        Values::I16(v) => v.len(),
        Values::U16(v) => v.len(),
        Values::I32(v) => v.len(),
        Values::U32(v) => v.len(),
        Values::I64(v) => v.len(),
        Values::U64(v) => v.len(),
        Values::F32(v) => v.len(),
        Values::F64(v) => v.len(),
        Values::C32(v) => v.len(),
        Values::C64(v) => v.len(),
        Values::Text(v) => v.len(),
        Values::Logical(v) => v.len(),
        Values::Bits(v) => v.len(),
        Values::Arrays(v) => v.len(),
        _ => panic!("a new type of values"),
    }
}

fn row_of(values: Values<'_>, row: usize, each: usize, digest: &mut DefaultHasher) {
    let range = row * each..(row + 1) * each;
    match values {
        Values::I8(v) => v[range].hash(digest),
        Values::U8(v) => v[range].hash(digest),
        Values::I16(v) => v[range].hash(digest),
        Values::U16(v) => v[range].hash(digest),
        Values::I32(v) => v[range].hash(digest),
        Values::U32(v) => v[range].hash(digest),
        Values::I64(v) => v[range].hash(digest),
        Values::U64(v) => v[range].hash(digest),
        Values::F32(v) => v[range].iter().for_each(|&v| single(v).hash(digest)),
        Values::F64(v) => v[range].iter().for_each(|&v| double(v).hash(digest)),
        Values::C32(v) => v[range].iter().for_each(|v| v.map(single).hash(digest)),
        Values::C64(v) => v[range].iter().for_each(|v| v.map(double).hash(digest)),
        Values::Text(v) => v.get(row).hash(digest),
        Values::Logical(v) => (0..v.repeat()).for_each(|n| v.get(row, n).hash(digest)),
        Values::Bits(v) => (0..v.repeat()).for_each(|n| v.get(row, n).hash(digest)),
        Values::Arrays(v) => {
            v.stored(row).hash(digest);
            let array = v.get(row);
            let count = elements(array);
            match array {
                // A single row.
                Values::Text(_) | Values::Logical(_) | Values::Bits(_) => row_of(array, 0, 1, digest),
                _ => row_of(array, 0, count, digest),
            }
        }
        _ => panic!("a new type of values"),
    }
}

/// All NaN are one here: arithmetic does not keep their bits.
fn single(v: f32) -> u32 {
    if v.is_nan() { u32::MAX } else { v.to_bits() }
}

fn double(v: f64) -> u64 {
    if v.is_nan() { u64::MAX } else { v.to_bits() }
}

/// The pixels of an image in a type that holds them.
pub fn pixels(image: &Image, part: &[Range<u64>]) -> Result<Vec<u64>, Error> {
    match image.pixel_type() {
        PixelType::I64 => integers(image.section::<i64>(part)?, |v| v as u64),
        PixelType::U64 => integers(image.section::<u64>(part)?, |v| v),
        _ => integers(image.section::<f64>(part)?, double),
    }
}

fn integers<T: Sample>(pixels: Vec<T>, bits: impl Fn(T) -> u64) -> Result<Vec<u64>, Error> {
    Ok(pixels.into_iter().map(bits).collect())
}

/// Reads all that an HDU holds. What is not supported, and what is over a limit, is no failure.
pub fn all(hdu: &Hdu) -> Result<(), Error> {
    let result = match hdu.kind() {
        HduKind::Table | HduKind::AsciiTable => {
            hdu.table().and_then(|table| columns(&table, 4096, 0..u64::MAX, 0..u64::MAX)).map(drop)
        }
        HduKind::Image if !hdu.shape().is_empty() => {
            hdu.image().and_then(|image| image.read_pixels()).map(drop)
        }
        _ => Ok(()),
    };
    result.or_else(|error| match error.class() {
        ErrorClass::Limit | ErrorClass::Caller => Ok(()),
        ErrorClass::Reader => panic!("memory can be read: {error}"),
        ErrorClass::Data => Err(error),
    })
}
