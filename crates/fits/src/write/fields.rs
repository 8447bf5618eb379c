//! The values of columns, turned into fields and arrays.

use super::pixels::Encoding;
use crate::column::{Column, ColumnType};
use crate::image::scaling::Stored;
use crate::sample::Sample;
use std::ops::Range;

/// What [`Writer::table`](crate::Writer::table) takes as the values of a column: a `Vec`, a slice or an array of
///
/// - numbers of any type that the column holds exactly, or through its TSCAL and TZERO; vectors flat, `repeat`
///   elements a row. NaN is null in a column with TNULL;
/// - `[f32; 2]`, `[f64; 2]`: complex numbers;
/// - `bool`: logicals or bits; `Option<bool>`: logicals, `None` for null. Both flat;
/// - `String`, `&str`: text, padded with blanks;
/// - `Vec` of any of these: one a row, of vectors and variable-length arrays.
///
/// It mirrors [`Cell`](crate::Cell), what columns are read as, and cannot be implemented outside of this crate.
pub trait Cells: sealed::Cells {}

impl<T: sealed::Cells + ?Sized> Cells for T {}

/// What is wrong with the value in a row.
pub(super) type Fault = (u64, String);

pub(super) mod sealed {
    use super::{Column, Fault, Place, Range};

    pub trait Cells {
        /// Rows that there are values for; `None` where the column has no width, so that any number fits.
        fn rows(&self, column: &Column) -> Result<Option<usize>, String>;
        /// Puts some rows where they belong.
        fn put(&self, rows: Range<usize>, column: &Column, place: &mut Place<'_>) -> Result<(), Fault>;
    }

    /// What stands in one cell, or is an element of one.
    pub trait Element: Sized {
        fn rows(values: &[Self], column: &Column) -> Result<Option<usize>, String>;
        fn put(
            values: &[Self],
            rows: Range<usize>,
            column: &Column,
            place: &mut Place<'_>,
        ) -> Result<(), Fault>;
    }
}

macro_rules! lists {
    ($([$($generics:tt)*] $list:ty;)+) => {$(
        impl<$($generics)*> sealed::Cells for $list {
            fn rows(&self, column: &Column) -> Result<Option<usize>, String> {
                T::rows(self.as_ref(), column)
            }

            fn put(&self, rows: Range<usize>, column: &Column, place: &mut Place<'_>) -> Result<(), Fault> {
                T::put(self.as_ref(), rows, column, place)
            }
        }
    )+};
}

lists! {
    [T: sealed::Element] Vec<T>;
    [T: sealed::Element] &[T];
    [T: sealed::Element, const N: usize] [T; N];
}

/// A block of rows that is being filled.
pub struct Place<'a> {
    /// Whole rows.
    pub(super) rows: &'a mut [u8],
    pub(super) stride: usize,
    /// The heap, from `heap_start` on.
    pub(super) heap: &'a mut Vec<u8>,
    pub(super) heap_start: u64,
    /// Elements of the longest array so far.
    pub(super) longest: u64,
    /// Working space.
    pub(super) bytes: Vec<u8>,
}

/// An element of a field or an array.
trait Scalar: Sized {
    /// Elements in a row.
    fn per_row(column: &Column) -> u64 {
        column.repeat
    }

    /// Appends elements as this kind of column has them; fails with the place of one.
    fn encode(
        values: &[Self],
        column: &Column,
        kind: ColumnType,
        out: &mut Vec<u8>,
    ) -> Result<(), (usize, String)>;
}

fn wrong<T>(column: &Column, given: &str) -> Result<T, (usize, String)> {
    Err((0, format!("its format {} is not for {given}", column.tform)))
}

impl<T: Sample> Scalar for T {
    fn encode(
        values: &[Self],
        column: &Column,
        kind: ColumnType,
        out: &mut Vec<u8>,
    ) -> Result<(), (usize, String)> {
        let stored = match kind {
            ColumnType::U8 => Stored::U8,
            ColumnType::I16 => Stored::I16,
            ColumnType::I32 => Stored::I32,
            ColumnType::I64 => Stored::I64,
            ColumnType::F32 => Stored::F32,
            ColumnType::F64 => Stored::F64,
            _ => return wrong(column, "numbers"),
        };
        Encoding::column::<T>(column, stored).bytes(values, out)
    }
}

/// Complex numbers: TZERO shifts the real part.
fn complex<T: Copy + Into<f64>>(
    values: &[[T; 2]],
    column: &Column,
    kind: ColumnType,
    out: &mut Vec<u8>,
) -> Result<(), (usize, String)> {
    let Column { scale, zero, .. } = *column;
    let identity = scale == 1.0 && zero == 0.0;
    for (at, value) in values.iter().enumerate() {
        let [re, im] = value.map(T::into);
        let stored = if identity { [re, im] } else { [(re - zero) / scale, im / scale] };
        for part in stored {
            match kind {
                ColumnType::C64 => out.extend_from_slice(&part.to_be_bytes()),
                ColumnType::C32 => {
                    let narrow = part as f32;
                    if identity && f64::from(narrow) != part && !part.is_nan() {
                        return Err((at, format!("{part:?} is rounded by the column's type")));
                    }
                    out.extend_from_slice(&narrow.to_be_bytes());
                }
                _ => return wrong(column, "complex numbers"),
            }
        }
    }
    Ok(())
}

macro_rules! scalars {
    ($($type:ty, $values:ident, $column:ident, $kind:ident, $out:ident => $body:expr;)+) => {$(
        impl Scalar for $type {
            fn encode(
                $values: &[Self],
                $column: &Column,
                $kind: ColumnType,
                $out: &mut Vec<u8>,
            ) -> Result<(), (usize, String)> {
                $body
            }
        }
    )+};
}

scalars! {
    [f32; 2], values, column, kind, out => complex(values, column, kind, out);
    [f64; 2], values, column, kind, out => complex(values, column, kind, out);
    Option<bool>, values, column, kind, out => match kind {
        ColumnType::Logical => {
            out.extend(values.iter().map(|v| v.map_or(0, |v| if v { b'T' } else { b'F' })));
            Ok(())
        }
        _ => wrong(column, "logicals with null"),
    };
    bool, values, column, kind, out => match kind {
        ColumnType::Logical => {
            out.extend(values.iter().map(|&v| if v { b'T' } else { b'F' }));
            Ok(())
        }
        ColumnType::Bit => {
            out.extend(values.chunks(8).map(|eight| {
                eight.iter().zip((0..8).rev()).fold(0, |byte, (&bit, place)| byte | u8::from(bit) << place)
            }));
            Ok(())
        }
        _ => wrong(column, "logicals or bits"),
    };
}

macro_rules! texts {
    ($($type:ty)+) => {$(
        impl Scalar for $type {
            fn per_row(column: &Column) -> u64 {
                strings(column).0
            }

            fn encode(
                values: &[Self],
                column: &Column,
                kind: ColumnType,
                out: &mut Vec<u8>,
            ) -> Result<(), (usize, String)> {
                if kind != ColumnType::Text {
                    return wrong(column, "text");
                }
                let width = strings(column).1;
                for (at, value) in values.iter().enumerate() {
                    let text: &str = value.as_ref();
                    if let Some(c) = text.chars().find(|c| !(' '..='~').contains(c)) {
                        return Err((at, format!("{text:?} has the character {c:?}; FITS has printable ASCII")));
                    }
                    let end = out.len() + width.map_or(text.len(), |w| w as usize);
                    out.extend_from_slice(text.as_bytes());
                    if out.len() > end {
                        let room = end + text.len() - out.len();
                        return Err((at, format!("{text:?} is longer than {room} characters")));
                    }
                    out.resize(end, b' ');
                }
                Ok(())
            }
        }
    )+};
}

texts! { String &str }

/// Strings in a row of a column of text, and the length of one; an array of text without TDIM is one of any length.
fn strings(column: &Column) -> (u64, Option<u64>) {
    match (column.dim.as_deref(), column.element) {
        (Some([many @ .., length]), _) => (many.iter().product(), Some(*length)),
        (_, Some(_)) => (1, None),
        _ => (1, Some(column.repeat)),
    }
}

impl<T: Scalar> sealed::Element for T {
    fn rows(values: &[Self], column: &Column) -> Result<Option<usize>, String> {
        let count = values.len() as u64;
        if column.element.is_some() {
            return Err(format!("its format {} wants one Vec a row", column.tform));
        }
        match T::per_row(column) {
            0 if count == 0 => Ok(None),
            0 => Err(format!("{count} values for a column without width")),
            each if count.is_multiple_of(each) => Ok(Some((count / each) as usize)),
            each => Err(format!("{count} values are no whole number of rows of {each}")),
        }
    }

    fn put(values: &[Self], rows: Range<usize>, column: &Column, place: &mut Place<'_>) -> Result<(), Fault> {
        let each = T::per_row(column) as usize;
        let (first, values) = (rows.start as u64, &values[rows.start * each..rows.end * each]);
        let fault = |(at, what): (usize, String)| (first + at.checked_div(each).unwrap_or(0) as u64, what);
        let mut bytes = std::mem::take(&mut place.bytes);
        bytes.clear();
        if column.kind == ColumnType::Bit {
            // Each row starts with a new byte.
            for (row, bits) in values.chunks(each.max(1)).enumerate() {
                T::encode(bits, column, column.kind, &mut bytes).map_err(|(_, e)| fault((row * each, e)))?;
            }
        } else {
            T::encode(values, column, column.kind, &mut bytes).map_err(fault)?;
        }
        let width = column.width as usize;
        if width > 0 {
            let fields = place.rows.chunks_exact_mut(place.stride).zip(bytes.chunks(width));
            // A field of several strings may be longer than they are.
            fields
                .for_each(|(row, field)| row[column.offset as usize..][..field.len()].copy_from_slice(field));
        }
        place.bytes = bytes;
        Ok(())
    }
}

impl<T: Scalar> sealed::Element for Vec<T> {
    fn rows(values: &[Self], _: &Column) -> Result<Option<usize>, String> {
        Ok(Some(values.len()))
    }

    fn put(values: &[Self], rows: Range<usize>, column: &Column, place: &mut Place<'_>) -> Result<(), Fault> {
        let offset = column.offset as usize;
        for (at, number) in rows.clone().zip(0..) {
            let (value, fault) = (&values[at], |(_, what): (usize, String)| (at as u64, what));
            let field = &mut place.rows[number * place.stride + offset..][..column.width as usize];
            let Some(element) = column.element else {
                let (found, wanted) = (value.len(), T::per_row(column));
                if found as u64 != wanted {
                    return Err(fault((0, format!("{found} values for a field of {wanted}"))));
                }
                let bytes = &mut place.bytes;
                bytes.clear();
                T::encode(value, column, column.kind, bytes).map_err(fault)?;
                field[..bytes.len()].copy_from_slice(bytes);
                continue;
            };
            let start = place.heap.len();
            T::encode(value, column, element, place.heap).map_err(fault)?;
            let bytes = (place.heap.len() - start) as u64;
            // Text counts in characters, the others as they are given.
            let count = if element == ColumnType::Text { bytes } else { value.len() as u64 };
            place.longest = place.longest.max(count);
            descriptor(field, count, place.heap_start + start as u64).map_err(|e| fault((0, e)))?;
        }
        Ok(())
    }
}

/// The descriptor of an array.
fn descriptor(field: &mut [u8], count: u64, start: u64) -> Result<(), String> {
    match field.len() {
        0 if count == 0 => {}
        0 => return Err("a column without width has empty arrays only".to_owned()),
        8 => {
            // Readers take these as signed.
            let small =
                |n: u64| i32::try_from(n).map_err(|_| "its heap needs descriptors of type Q".to_owned());
            field[..4].copy_from_slice(&small(count)?.to_be_bytes());
            field[4..].copy_from_slice(&small(start)?.to_be_bytes());
        }
        _ => {
            field[..8].copy_from_slice(&count.to_be_bytes());
            field[8..].copy_from_slice(&start.to_be_bytes());
        }
    }
    Ok(())
}
