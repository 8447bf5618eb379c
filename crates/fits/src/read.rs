//! Whole columns in memory.

use crate::column::Column;
use crate::error::{Error, ErrorKind};
use crate::scan::Chunk;
use crate::table::Table;
use crate::values::Values;

/// What [`Table::column`] can return a column as.
///
/// - Numbers of any type that holds every value of the column exactly; `f64` also of 64-bit integers, which are
///   rounded beyond 2⁵³. Vectors come flat, `repeat` elements a row.
/// - `[f32; 2]`, `[f64; 2]`: complex numbers.
/// - `Option<bool>`: logicals, `None` for null; `bool`: bits. Both flat.
/// - `String`: text without trailing blanks, bytes outside ASCII as the characters of the same number (Latin-1).
/// - `Vec` of any of these: one a row, of vectors and variable-length arrays; `Vec<String>` splits text by TDIM.
///
/// It cannot be implemented outside of this crate.
pub trait Cell: sealed::Cell {}

impl<T: sealed::Cell> Cell for T {}

mod sealed {
    use super::{Column, Values};

    pub trait Cell: Sized {
        /// What columns it is for.
        const WANTED: &'static str;

        /// Appends all elements of a block of `rows` rows; false if the values are of another type.
        fn append(values: Values<'_>, rows: usize, column: &Column, out: &mut Vec<Self>) -> bool;

        /// Bytes that a block will take.
        fn bytes(values: Values<'_>, rows: usize) -> u64 {
            let _ = rows;
            (super::elements(values) as u64).saturating_mul(size_of::<Self>() as u64)
        }
    }
}

/// Elements of a block, bytes for text.
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
        Values::Text(t) => t.len() * t.width(),
        Values::Logical(v) => v.len() * v.repeat(),
        Values::Bits(v) => v.len() * v.repeat(),
        Values::Arrays(v) => v.elements(),
    }
}

macro_rules! numbers {
    ($($type:ty: $wanted:literal, $($variant:ident)+;)+) => {$(
        impl sealed::Cell for $type {
            const WANTED: &'static str = $wanted;

            fn append(values: Values<'_>, _: usize, _: &Column, out: &mut Vec<Self>) -> bool {
                match values {
                    $(Values::$variant(v) => out.extend(v.iter().map(|&v| Self::from(v))),)+
                    _ => return false,
                }
                true
            }
        }
    )+};
}

numbers! {
    u8: "unsigned bytes", U8;
    i8: "signed bytes", I8;
    u16: "unsigned integers of up to 16 bits", U8 U16;
    i16: "integers of up to 16 bits", U8 I8 I16;
    u32: "unsigned integers of up to 32 bits", U8 U16 U32;
    i32: "integers of up to 32 bits", U8 I8 I16 U16 I32;
    u64: "unsigned integers", U8 U16 U32 U64;
    i64: "integers that fit i64", U8 I8 I16 U16 I32 U32 I64;
    f32: "single-precision numbers, or integers of up to 16 bits", U8 I8 I16 U16 F32;
    [f32; 2]: "single-precision complex numbers", C32;
}

impl sealed::Cell for f64 {
    const WANTED: &'static str = "numbers";

    fn append(values: Values<'_>, _: usize, _: &Column, out: &mut Vec<Self>) -> bool {
        match values {
            Values::U8(v) => out.extend(v.iter().map(|&v| Self::from(v))),
            Values::I8(v) => out.extend(v.iter().map(|&v| Self::from(v))),
            Values::I16(v) => out.extend(v.iter().map(|&v| Self::from(v))),
            Values::U16(v) => out.extend(v.iter().map(|&v| Self::from(v))),
            Values::I32(v) => out.extend(v.iter().map(|&v| Self::from(v))),
            Values::U32(v) => out.extend(v.iter().map(|&v| Self::from(v))),
            Values::I64(v) => out.extend(v.iter().map(|&v| v as Self)),
            Values::U64(v) => out.extend(v.iter().map(|&v| v as Self)),
            Values::F32(v) => out.extend(v.iter().map(|&v| Self::from(v))),
            Values::F64(v) => out.extend_from_slice(v),
            _ => return false,
        }
        true
    }
}

impl sealed::Cell for [f64; 2] {
    const WANTED: &'static str = "complex numbers";

    fn append(values: Values<'_>, _: usize, _: &Column, out: &mut Vec<Self>) -> bool {
        match values {
            Values::C32(v) => out.extend(v.iter().map(|v| v.map(f64::from))),
            Values::C64(v) => out.extend_from_slice(v),
            _ => return false,
        }
        true
    }
}

impl sealed::Cell for bool {
    const WANTED: &'static str = "bits";

    fn append(values: Values<'_>, _: usize, _: &Column, out: &mut Vec<Self>) -> bool {
        let Values::Bits(bits) = values else { return false };
        out.extend(bits.iter());
        true
    }
}

impl sealed::Cell for Option<bool> {
    const WANTED: &'static str = "logicals";

    fn append(values: Values<'_>, _: usize, _: &Column, out: &mut Vec<Self>) -> bool {
        let Values::Logical(logicals) = values else { return false };
        out.extend(logicals.iter());
        true
    }
}

impl sealed::Cell for String {
    const WANTED: &'static str = "text";

    fn append(values: Values<'_>, _: usize, _: &Column, out: &mut Vec<Self>) -> bool {
        let Values::Text(text) = values else { return false };
        out.extend((0..text.len()).map(|row| crate::card::latin1(text.get(row))));
        true
    }

    fn bytes(values: Values<'_>, rows: usize) -> u64 {
        elements(values) as u64 + (rows * size_of::<Self>()) as u64
    }
}

/// One row of a block of numbers.
fn row_of(values: Values<'_>, row: usize, rows: usize) -> Values<'_> {
    let repeat = elements(values) / rows.max(1);
    values.slice(row * repeat..(row + 1) * repeat)
}

macro_rules! rows {
    ($($type:ty)+) => {$(
        impl sealed::Cell for Vec<$type> {
            const WANTED: &'static str = <$type as sealed::Cell>::WANTED;

            fn append(values: Values<'_>, rows: usize, column: &Column, out: &mut Vec<Self>) -> bool {
                (0..rows).all(|row| {
                    let mut cells = Vec::new();
                    let one = match values {
                        Values::Arrays(arrays) => arrays.get(row),
                        Values::Logical(v) => Values::Logical(v.row(row)),
                        Values::Bits(v) => Values::Bits(v.row(row)),
                        numbers => row_of(numbers, row, rows),
                    };
                    let same = <$type as sealed::Cell>::append(one, 1, column, &mut cells);
                    out.push(cells);
                    same
                })
            }

            fn bytes(values: Values<'_>, rows: usize) -> u64 {
                <$type as sealed::Cell>::bytes(values, rows) + (rows * size_of::<Self>()) as u64
            }
        }
    )+};
}

rows! { u8 i8 u16 i16 u32 i32 u64 i64 f32 f64 [f32; 2] [f64; 2] bool Option<bool> }

impl sealed::Cell for Vec<String> {
    const WANTED: &'static str = String::WANTED;

    fn append(values: Values<'_>, rows: usize, column: &Column, out: &mut Vec<Self>) -> bool {
        (0..rows).all(|row| {
            let field = match values {
                Values::Text(text) => text.field(row),
                Values::Arrays(arrays) => match arrays.get(row) {
                    Values::Text(text) => text.field(0),
                    _ => return false,
                },
                _ => return false,
            };
            // Without TDIM a field is one string.
            let length = column.dim.as_ref().and_then(|dim| dim.last()).map_or(field.len(), |&n| n as usize);
            let strings = field.chunks_exact(length.max(1));
            out.push(strings.map(|s| crate::card::latin1(crate::views::string(s))).collect());
            true
        })
    }

    fn bytes(values: Values<'_>, rows: usize) -> u64 {
        String::bytes(values, rows) + elements(values) as u64 * size_of::<String>() as u64
    }
}

impl Table {
    /// A whole column in memory, on this thread; [`Self::scan`] is for tables that are larger.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::MissingColumn`]; [`ErrorKind::ColumnType`] if `T` is not for this column (see [`Cell`]);
    /// [`ErrorKind::Limit`] beyond [`Limits::column_bytes`](crate::Limits::column_bytes); and as for
    /// [`Scan::for_each`](crate::Scan::for_each).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// let table = coaddkit_fits::Fits::open("tractor.fits")?.hdu(1)?.table()?;
    /// let ra_deg: Vec<f64> = table.column("ra")?;
    /// let light_curves: Vec<Vec<f32>> = table.column("lc_flux_r")?;
    /// let names: Vec<String> = table.column("brickname")?;
    /// # Ok::<_, coaddkit_fits::Error>(())
    /// ```
    pub fn column<T: Cell>(&self, name: &str) -> Result<Vec<T>, Error> {
        self.column_at(self.index_of(name)?)
    }

    /// [`Self::column`] by index, from 0.
    ///
    /// # Errors
    ///
    /// As for [`Self::column`]; a missing column is named `#` and its number, from 1.
    pub fn column_at<T: Cell>(&self, index: usize) -> Result<Vec<T>, Error> {
        let scan = self.scan().column_at(index)?;
        let column = &self.columns()[index];
        let limit = self.hdu().shared.limits.column_bytes;
        let (mut out, mut total) = (Vec::new(), 0_u64);
        scan.for_each(|chunk: &Chunk<'_>| {
            let values = chunk.values(0);
            total = total.saturating_add(T::bytes(values, chunk.rows()));
            if total > limit {
                let kind = ErrorKind::Limit { what: "the size of a column", wanted: total, limit };
                return Err(self.hdu().error(kind));
            }
            if !T::append(values, chunk.rows(), column, &mut out) {
                let (name, tform) = (column.name.clone(), column.tform.clone());
                return Err(self.hdu().error(ErrorKind::ColumnType { name, tform, wanted: T::WANTED }));
            }
            Ok(())
        })?;
        Ok(out)
    }
}
