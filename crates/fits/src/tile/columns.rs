//! The table around the tiles: which column holds what (FITS 4.0, section 10.1.3).

use crate::column::{Column, ColumnType};
use crate::error::ErrorKind;
use crate::header::Header;

/// A column of descriptors of variable-length arrays (FITS 4.0, section 7.3.5).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrays {
    offset: usize,
    /// Descriptors of two 64-bit numbers (`Q`) rather than 32-bit ones (`P`).
    wide: bool,
    /// What one element is.
    pub(crate) element: ColumnType,
    element_bytes: u64,
}

/// Bytes of an array in the heap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
}

impl Arrays {
    /// The column of this name, without case, if there is one.
    pub(crate) fn find(columns: &[Column], name: &str) -> Result<Option<Self>, ErrorKind> {
        let Some(column) = named(columns, name) else { return Ok(None) };
        let wide = match column.kind {
            ColumnType::Array32 => false,
            ColumnType::Array64 => true,
            _ => return Err(wrong(column, "an array of numbers")),
        };
        let numbers = |kind: &ColumnType| {
            use ColumnType::{F32, F64, I16, I32, I64, U8};
            matches!(kind, U8 | I16 | I32 | I64 | F32 | F64)
        };
        let element = column.element.filter(numbers);
        let Some((element, element_bytes)) = element.and_then(|e| Some((e, e.width(1)?))) else {
            return Err(wrong(column, "an array of numbers"));
        };
        if column.repeat != 1 {
            return Ok(None);
        }
        Ok(Some(Self { offset: column.offset as usize, wide, element, element_bytes }))
    }

    /// The array of a row, which must lie in a heap of `heap` bytes; `None` if it is empty.
    pub(crate) fn extent(&self, row: &[u8], heap: u64) -> Result<Option<Extent>, String> {
        let field = &row[self.offset..];
        let (count, offset) = if self.wide {
            let (count, offset) = field[..16].split_at(8);
            (be(count), be(offset))
        } else {
            let (count, offset) = field[..8].split_at(4);
            (be(count), be(offset))
        };
        if count == 0 {
            return Ok(None);
        }
        let bytes = count.checked_mul(self.element_bytes);
        match bytes.filter(|&b| offset.checked_add(b).is_some_and(|end| end <= heap)) {
            Some(bytes) => Ok(Some(Extent { offset, bytes })),
            None => Err(format!("{count} elements from byte {offset} of a heap of {heap} bytes")),
        }
    }
}

fn be(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

/// A number that is the same for all tiles or stands in a column.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number<T> {
    Same(T),
    Column { offset: usize, kind: ColumnType },
}

impl<T> Number<T> {
    fn column(columns: &[Column], name: &str) -> Result<Option<Self>, ErrorKind> {
        let Some(column) = named(columns, name) else { return Ok(None) };
        let number = matches!(
            column.kind,
            ColumnType::U8
                | ColumnType::I16
                | ColumnType::I32
                | ColumnType::I64
                | ColumnType::F32
                | ColumnType::F64
        );
        if !number || column.repeat != 1 {
            return Err(wrong(column, "one number"));
        }
        Ok(Some(Self::Column { offset: column.offset as usize, kind: column.kind }))
    }
}

impl Number<f64> {
    /// From the column of this name, or else the keyword.
    pub(crate) fn find(columns: &[Column], header: &Header, name: &str) -> Result<Option<Self>, ErrorKind> {
        Ok(Self::column(columns, name)?.or_else(|| header.real(name).map(Self::Same)))
    }

    pub(crate) fn of(self, row: &[u8]) -> f64 {
        match self {
            Self::Same(value) => value,
            Self::Column { offset, kind } => real(&row[offset..], kind),
        }
    }
}

impl Number<i64> {
    /// From the column of this name, or else the first of these keywords that is there.
    pub(crate) fn find(
        columns: &[Column],
        header: &Header,
        name: &str,
        keywords: &[&str],
    ) -> Result<Option<Self>, ErrorKind> {
        let keyword = || keywords.iter().find_map(|k| header.integer(k)).map(Self::Same);
        Ok(Self::column(columns, name)?.or_else(keyword))
    }

    pub(crate) fn of(self, row: &[u8]) -> i64 {
        match self {
            Self::Same(value) => value,
            Self::Column { offset, kind } => integer(&row[offset..], kind),
        }
    }
}

fn integer(field: &[u8], kind: ColumnType) -> i64 {
    match kind {
        ColumnType::U8 => field[0].into(),
        ColumnType::I16 => i64::from(be(&field[..2]) as i16),
        ColumnType::I32 => i64::from(be(&field[..4]) as i32),
        ColumnType::I64 => be(&field[..8]) as i64,
        _ => real(field, kind) as i64,
    }
}

fn real(field: &[u8], kind: ColumnType) -> f64 {
    match kind {
        ColumnType::F32 => f32::from_bits(be(&field[..4]) as u32).into(),
        ColumnType::F64 => f64::from_bits(be(&field[..8])),
        _ => integer(field, kind) as f64,
    }
}

fn named<'a>(columns: &'a [Column], name: &str) -> Option<&'a Column> {
    columns.iter().find(|c| c.name.eq_ignore_ascii_case(name))
}

fn wrong(column: &Column, wanted: &str) -> ErrorKind {
    let problem = format!("is {}, must be {wanted}", column.tform);
    ErrorKind::Header { keyword: format!("TFORM of {}", column.name), problem }
}

/// The value of a parameter of the codec, from the pairs ZNAMEn and ZVALn.
pub(crate) fn parameter(header: &Header, name: &str) -> Option<i64> {
    (1..=999).map_while(|n| header.text(&format!("ZNAME{n}")).map(|found| (n, found))).find_map(
        |(n, found)| {
            let value = header.real(&format!("ZVAL{n}"))?;
            found.eq_ignore_ascii_case(name).then_some(value as i64)
        },
    )
}
