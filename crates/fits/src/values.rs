use crate::column::{Column, ColumnType};

/// The values of one column in one block of rows, in native byte order and physical units.
///
/// # Shape
///
/// Numeric slices have `rows × repeat` elements, row after row; for a plain column `repeat` is 1.
///
/// # Scaling and nulls
///
/// The type follows the file: unsigned-integer conventions (FITS 4.0, table 19) give unsigned integers, any
/// other TSCAL/TZERO and any integer column with TNULL give `F64`, computed in f64, with NaN for null. A
/// 64-bit integer beyond 2⁵³ is rounded by that; without TSCAL, TZERO and TNULL it is exact.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Values<'a> {
    /// Signed bytes: `B` with TZERO = −128.
    I8(&'a [i8]),
    /// Bytes.
    U8(&'a [u8]),
    /// 16-bit integers.
    I16(&'a [i16]),
    /// Unsigned 16-bit integers: `I` with TZERO = 32768.
    U16(&'a [u16]),
    /// 32-bit integers.
    I32(&'a [i32]),
    /// Unsigned 32-bit integers: `J` with TZERO = 2³¹.
    U32(&'a [u32]),
    /// 64-bit integers.
    I64(&'a [i64]),
    /// Unsigned 64-bit integers: `K` with TZERO = 2⁶³.
    U64(&'a [u64]),
    /// Single precision.
    F32(&'a [f32]),
    /// Double precision, and scaled or nullable integers.
    F64(&'a [f64]),
    /// Text, logicals (`T`, `F`, 0) and packed bits as the bytes of the file.
    Text(Text<'a>),
}

/// A view of a fixed-width byte field in every row of a block; nothing is copied.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// From the first byte of the field in the first row.
    bytes: &'a [u8],
    stride: usize,
    width: usize,
    rows: usize,
}

impl<'a> Text<'a> {
    /// `bytes` are whole rows of `stride` bytes.
    fn new(bytes: &'a [u8], stride: usize, offset: usize, width: usize) -> Self {
        let rows = bytes.len().checked_div(stride).unwrap_or(0);
        Self { bytes: bytes.get(offset..).unwrap_or(&[]), stride, width, rows }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// True if the block has no row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Bytes from a field to that of the next row.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Bytes of the field.
    pub fn width(&self) -> usize {
        self.width
    }

    /// All bytes from the first field on, for code that walks the stride itself.
    pub fn as_strided(&self) -> &'a [u8] {
        self.bytes
    }

    /// The whole field of a row; empty past the last row.
    #[inline]
    pub fn field(&self, row: usize) -> &'a [u8] {
        let start = row.saturating_mul(self.stride);
        self.bytes.get(start..).and_then(|b| b.get(..self.width)).unwrap_or(&[])
    }

    /// The text of a row: up to the first NUL, without trailing blanks (FITS 4.0, section 7.3.3.1).
    #[inline]
    pub fn get(&self, row: usize) -> &'a [u8] {
        let field = self.field(row);
        let mut text = &field[..field.iter().position(|&b| b == 0).unwrap_or(field.len())];
        while let [rest @ .., b' '] = text {
            text = rest;
        }
        text
    }
}

/// A reusable buffer that turns one column of a block of rows into native values.
#[derive(Debug)]
pub(crate) struct Decoder {
    offset: usize,
    width: usize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    I8(Vec<i8>),
    U8(Vec<u8>),
    I16(Vec<i16>),
    U16(Vec<u16>),
    I32(Vec<i32>),
    U32(Vec<u32>),
    I64(Vec<i64>),
    U64(Vec<u64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    Scaled(Scaled, Vec<f64>),
    Text,
}

/// Physical value = zero + scale × stored, except where stored is null.
#[derive(Debug)]
struct Scaled {
    stored: ColumnType,
    scale: f64,
    zero: f64,
    null: Option<i64>,
}

impl Decoder {
    /// `None` for a type that a scan does not decode.
    pub(crate) fn new(column: &Column) -> Option<Self> {
        let plain = column.scale == 1.0 && column.zero == 0.0;
        let shifted = |zero: f64| column.scale == 1.0 && column.zero == zero;
        let kind = match column.kind {
            ColumnType::Text | ColumnType::Logical | ColumnType::Bit => Kind::Text,
            ColumnType::F32 if plain => Kind::F32(Vec::new()),
            ColumnType::F64 if plain => Kind::F64(Vec::new()),
            ColumnType::U8 if plain && column.null.is_none() => Kind::U8(Vec::new()),
            ColumnType::I16 if plain && column.null.is_none() => Kind::I16(Vec::new()),
            ColumnType::I32 if plain && column.null.is_none() => Kind::I32(Vec::new()),
            ColumnType::I64 if plain && column.null.is_none() => Kind::I64(Vec::new()),
            ColumnType::U8 if shifted(-128.0) && column.null.is_none() => Kind::I8(Vec::new()),
            ColumnType::I16 if shifted(32_768.0) && column.null.is_none() => Kind::U16(Vec::new()),
            ColumnType::I32 if shifted(2_147_483_648.0) && column.null.is_none() => Kind::U32(Vec::new()),
            ColumnType::I64 if shifted((1_u64 << 63) as f64) && column.null.is_none() => {
                Kind::U64(Vec::new())
            }
            stored @ (ColumnType::U8
            | ColumnType::I16
            | ColumnType::I32
            | ColumnType::I64
            | ColumnType::F32
            | ColumnType::F64) => {
                let Column { scale, zero, null, .. } = *column;
                Kind::Scaled(Scaled { stored, scale, zero, null }, Vec::new())
            }
            _ => return None,
        };
        // Both fit: a row is within `Limits::row_bytes` when the scan starts.
        Some(Self { offset: column.offset as usize, width: column.width as usize, kind })
    }

    pub(crate) fn clear(&mut self) {
        match &mut self.kind {
            Kind::I8(v) => v.clear(),
            Kind::U8(v) => v.clear(),
            Kind::I16(v) => v.clear(),
            Kind::U16(v) => v.clear(),
            Kind::I32(v) => v.clear(),
            Kind::U32(v) => v.clear(),
            Kind::I64(v) => v.clear(),
            Kind::U64(v) => v.clear(),
            Kind::F32(v) => v.clear(),
            Kind::F64(v) | Kind::Scaled(_, v) => v.clear(),
            Kind::Text => {}
        }
    }

    /// Appends the values of `rows`, whole rows of `stride` bytes.
    pub(crate) fn append(&mut self, rows: &[u8], stride: usize) {
        let (offset, width) = (self.offset, self.width);
        let each = Fields { rows, stride, offset, width };
        match &mut self.kind {
            Kind::I8(v) => each.push::<1, _>(v, |b| (b[0] ^ 0x80) as i8),
            Kind::U8(v) => each.push::<1, _>(v, |b| b[0]),
            Kind::I16(v) => each.push(v, i16::from_be_bytes),
            Kind::U16(v) => each.push(v, |b| u16::from_be_bytes(b) ^ 0x8000),
            Kind::I32(v) => each.push(v, i32::from_be_bytes),
            Kind::U32(v) => each.push(v, |b| u32::from_be_bytes(b) ^ 0x8000_0000),
            Kind::I64(v) => each.push(v, i64::from_be_bytes),
            Kind::U64(v) => each.push(v, |b| u64::from_be_bytes(b) ^ 0x8000_0000_0000_0000),
            Kind::F32(v) => each.push(v, f32::from_be_bytes),
            Kind::F64(v) => each.push(v, f64::from_be_bytes),
            Kind::Scaled(s, v) => match s.stored {
                ColumnType::U8 => each.push::<1, _>(v, |b| s.integer(i64::from(b[0]))),
                ColumnType::I16 => each.push(v, |b| s.integer(i16::from_be_bytes(b).into())),
                ColumnType::I32 => each.push(v, |b| s.integer(i32::from_be_bytes(b).into())),
                ColumnType::I64 => each.push(v, |b| s.integer(i64::from_be_bytes(b))),
                ColumnType::F32 => each.push(v, |b| s.zero + s.scale * f64::from(f32::from_be_bytes(b))),
                _ => each.push(v, |b| s.zero + s.scale * f64::from_be_bytes(b)),
            },
            Kind::Text => {}
        }
    }

    pub(crate) fn values<'a>(&'a self, rows: &'a [u8], stride: usize) -> Values<'a> {
        match &self.kind {
            Kind::I8(v) => Values::I8(v),
            Kind::U8(v) => Values::U8(v),
            Kind::I16(v) => Values::I16(v),
            Kind::U16(v) => Values::U16(v),
            Kind::I32(v) => Values::I32(v),
            Kind::U32(v) => Values::U32(v),
            Kind::I64(v) => Values::I64(v),
            Kind::U64(v) => Values::U64(v),
            Kind::F32(v) => Values::F32(v),
            Kind::F64(v) | Kind::Scaled(_, v) => Values::F64(v),
            Kind::Text => Values::Text(Text::new(rows, stride, self.offset, self.width)),
        }
    }
}

impl Scaled {
    fn integer(&self, stored: i64) -> f64 {
        if self.null == Some(stored) { f64::NAN } else { self.zero + self.scale * stored as f64 }
    }
}

/// The bytes of one column in a run of rows.
struct Fields<'a> {
    rows: &'a [u8],
    stride: usize,
    offset: usize,
    width: usize,
}

impl Fields<'_> {
    #[inline]
    fn push<const N: usize, T>(&self, out: &mut Vec<T>, value: impl Fn([u8; N]) -> T) {
        let end = self.offset + self.width;
        if self.width == N {
            // The usual case, one element a row, kept apart because it is the inner loop of every scan.
            out.extend(self.rows.chunks_exact(self.stride).map(|row| {
                let mut bytes = [0; N];
                bytes.copy_from_slice(&row[self.offset..end]);
                value(bytes)
            }));
        } else {
            for row in self.rows.chunks_exact(self.stride) {
                let (elements, _) = row[self.offset..end].as_chunks::<N>();
                out.extend(elements.iter().map(|&bytes| value(bytes)));
            }
        }
    }
}
