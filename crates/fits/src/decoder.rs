//! From the bytes of one column to native values.

use crate::arrays::ArrayDecoder;
use crate::ascii::{Digits, integer};
use crate::column::{Column, ColumnType};
use crate::error::ErrorKind;
use crate::limits::Limits;
use crate::values::Values;
use crate::views::{Bits, Logicals, Text};

/// A reusable buffer that turns one column of a block of rows into native values.
#[derive(Debug)]
pub(crate) struct Decoder {
    offset: usize,
    width: usize,
    kind: Kind,
    /// The fields of a compressed table, which has no rows.
    unpacked: Option<Unpacked>,
}

/// The stored fields of one column in the rows of a tile, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Unpacked {
    pub(crate) bytes: Vec<u8>,
    /// Bytes from a field to the next.
    pub(crate) stride: usize,
    /// The part that is shown now.
    shown: std::ops::Range<usize>,
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
    C32(Vec<[f32; 2]>),
    C64(Vec<[f64; 2]>),
    ScaledComplex(Scaled, Vec<[f64; 2]>),
    Text,
    Logical,
    Bits(usize),
    AsciiInteger(Vec<i64>),
    AsciiScaled(Digits, Vec<f64>),
    AsciiReal(Digits, Vec<f64>),
    Arrays(Box<ArrayDecoder>),
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
    pub(crate) fn new(column: &Column) -> Self {
        let kind = match column.element {
            Some(element) => {
                let array = ArrayDecoder::new(column, element, Self::of(column, element, 0));
                Kind::Arrays(Box::new(array))
            }
            None => Kind::of(column, column.kind, column.repeat as usize),
        };
        // Both fit: a row is within `Limits::row_bytes` when the scan starts.
        Self { offset: column.offset as usize, width: column.width as usize, kind, unpacked: None }
    }

    /// Decodes runs of elements of this type by the rules of the column.
    fn of(column: &Column, stored: ColumnType, repeat: usize) -> Self {
        Self { offset: 0, width: 0, kind: Kind::of(column, stored, repeat), unpacked: None }
    }

    /// The type of the values, or of the elements of variable-length arrays: values without any.
    #[cfg(any(feature = "arrow", feature = "cfitsio"))]
    pub(crate) fn elements(&self) -> Values<'_> {
        if let Kind::Arrays(arrays) = &self.kind { arrays.no_elements() } else { self.values(&[], 0) }
    }

    /// True for a column that [`Self::append`] alone decodes.
    pub(crate) fn is_plain(&self) -> bool {
        self.unpacked.is_none()
            && !matches!(
                self.kind,
                Kind::Arrays(_) | Kind::AsciiInteger(_) | Kind::AsciiScaled(..) | Kind::AsciiReal(..)
            )
    }

    pub(crate) fn arrays(&mut self) -> Option<&mut ArrayDecoder> {
        if let Kind::Arrays(arrays) = &mut self.kind { Some(arrays) } else { None }
    }

    pub(crate) fn clear(&mut self) {
        match &mut self.kind {
            Kind::I8(v) => v.clear(),
            Kind::U8(v) => v.clear(),
            Kind::I16(v) => v.clear(),
            Kind::U16(v) => v.clear(),
            Kind::I32(v) => v.clear(),
            Kind::U32(v) => v.clear(),
            Kind::I64(v) | Kind::AsciiInteger(v) => v.clear(),
            Kind::U64(v) => v.clear(),
            Kind::F32(v) => v.clear(),
            Kind::F64(v) | Kind::Scaled(_, v) | Kind::AsciiScaled(_, v) | Kind::AsciiReal(_, v) => v.clear(),
            Kind::C32(v) => v.clear(),
            Kind::C64(v) | Kind::ScaledComplex(_, v) => v.clear(),
            Kind::Arrays(v) => v.clear(),
            Kind::Text | Kind::Logical | Kind::Bits(_) => {}
        }
    }

    /// Appends the values of `rows`, whole rows of `stride` bytes.
    pub(crate) fn append(&mut self, rows: &[u8], stride: usize) {
        let (offset, width) = (self.offset, self.width);
        let each = Fields { rows, stride, offset, width };
        self.kind.append(&each);
    }

    /// Appends elements that stand one after the other.
    pub(crate) fn append_run(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.kind.append(&Fields { rows: bytes, stride: bytes.len(), offset: 0, width: bytes.len() });
        }
    }

    /// [`Self::append`] for fields that may be malformed; fails with the row.
    pub(crate) fn append_digits(&mut self, rows: &[u8], stride: usize) -> Result<(), usize> {
        let (offset, end) = (self.offset, self.offset + self.width);
        let fields = rows.chunks_exact(stride).map(|row| &row[offset..end]).enumerate();
        match &mut self.kind {
            Kind::AsciiInteger(v) => collect(v, fields, integer),
            Kind::AsciiScaled(digits, v) => collect(v, fields, |field| digits.scaled_integer(field)),
            Kind::AsciiReal(digits, v) => collect(v, fields, |field| digits.real(field)),
            _ => {
                self.append(rows, stride);
                Ok(())
            }
        }
    }

    /// Looks at the descriptors of variable-length arrays in all rows at hand; see [`ArrayDecoder::plan`].
    pub(crate) fn plan(
        &mut self,
        rows: &[u8],
        stride: usize,
        heap: Option<u64>,
        limits: &Limits,
    ) -> Result<(), (usize, ErrorKind)> {
        let Kind::Arrays(arrays) = &mut self.kind else { return Ok(()) };
        let fields = match &self.unpacked {
            None => Text::new(rows, stride, self.offset, self.width),
            Some(own) => Text::new(&own.bytes, own.stride, 0, self.width),
        };
        arrays.plan(fields, heap, limits)
    }

    /// Takes the fields of a tile instead of rows.
    pub(crate) fn unpack(&mut self, bytes: Vec<u8>, stride: usize) {
        self.offset = 0;
        self.unpacked = Some(Unpacked { bytes, stride, shown: 0..0 });
    }

    /// The buffer of the fields of an earlier tile, to be used again.
    pub(crate) fn take_unpacked(&mut self) -> Vec<u8> {
        self.unpacked.take().map_or_else(Vec::new, |u| u.bytes)
    }

    /// Decodes some of the unpacked rows.
    pub(crate) fn show(&mut self, rows: std::ops::Range<usize>) {
        let Some(mut unpacked) = self.unpacked.take() else { return };
        unpacked.shown = rows.start * unpacked.stride..rows.end * unpacked.stride;
        self.append(&unpacked.bytes[unpacked.shown.clone()], unpacked.stride);
        self.unpacked = Some(unpacked);
    }

    /// The field in every row of a block.
    pub(crate) fn stored<'a>(&'a self, rows: &'a [u8], stride: usize) -> Text<'a> {
        match &self.unpacked {
            None => Text::new(rows, stride, self.offset, self.width),
            Some(own) => Text::new(&own.bytes[own.shown.clone()], own.stride, 0, self.width),
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
            Kind::I64(v) | Kind::AsciiInteger(v) => Values::I64(v),
            Kind::U64(v) => Values::U64(v),
            Kind::F32(v) => Values::F32(v),
            Kind::F64(v) | Kind::Scaled(_, v) | Kind::AsciiScaled(_, v) | Kind::AsciiReal(_, v) => {
                Values::F64(v)
            }
            Kind::C32(v) => Values::C32(v),
            Kind::C64(v) | Kind::ScaledComplex(_, v) => Values::C64(v),
            Kind::Text => Values::Text(self.stored(rows, stride)),
            Kind::Logical => Values::Logical(Logicals::new(self.stored(rows, stride))),
            Kind::Bits(repeat) => Values::Bits(Bits::new(self.stored(rows, stride), *repeat)),
            Kind::Arrays(v) => Values::Arrays(v.values()),
        }
    }

    /// One run of bytes by itself: `count` elements.
    pub(crate) fn view<'a>(&self, bytes: &'a [u8], count: usize) -> Option<Values<'a>> {
        let stored = Text::single(bytes);
        match &self.kind {
            Kind::Text => Some(Values::Text(stored)),
            Kind::Logical => Some(Values::Logical(Logicals::new(stored))),
            Kind::Bits(_) => Some(Values::Bits(Bits::new(stored, count))),
            _ => None,
        }
    }
}

fn collect<'a, T>(
    out: &mut Vec<T>,
    fields: impl Iterator<Item = (usize, &'a [u8])>,
    value: impl Fn(&[u8]) -> Option<T>,
) -> Result<(), usize> {
    for (row, field) in fields {
        out.push(value(field).ok_or(row)?);
    }
    Ok(())
}

impl Kind {
    fn of(column: &Column, stored: ColumnType, repeat: usize) -> Self {
        let Column { scale, zero, null, .. } = *column;
        let plain = scale == 1.0 && zero == 0.0;
        let shifted = |shift: f64| scale == 1.0 && zero == shift && null.is_none();
        let whole = plain && null.is_none();
        let scaled = || Scaled { stored, scale, zero, null };
        match stored {
            ColumnType::Text => Self::Text,
            ColumnType::Logical => Self::Logical,
            ColumnType::Bit => Self::Bits(repeat),
            ColumnType::F32 if plain => Self::F32(Vec::new()),
            ColumnType::F64 if plain => Self::F64(Vec::new()),
            ColumnType::C32 if plain => Self::C32(Vec::new()),
            ColumnType::C64 if plain => Self::C64(Vec::new()),
            ColumnType::C32 | ColumnType::C64 => Self::ScaledComplex(scaled(), Vec::new()),
            ColumnType::U8 if whole => Self::U8(Vec::new()),
            ColumnType::I16 if whole => Self::I16(Vec::new()),
            ColumnType::I32 if whole => Self::I32(Vec::new()),
            ColumnType::I64 if whole => Self::I64(Vec::new()),
            ColumnType::U8 if shifted(-128.0) => Self::I8(Vec::new()),
            ColumnType::I16 if shifted(32_768.0) => Self::U16(Vec::new()),
            ColumnType::I32 if shifted(2_147_483_648.0) => Self::U32(Vec::new()),
            ColumnType::I64 if shifted((1_u64 << 63) as f64) => Self::U64(Vec::new()),
            ColumnType::AsciiInteger if Digits::new(column).plain() => Self::AsciiInteger(Vec::new()),
            ColumnType::AsciiInteger => Self::AsciiScaled(Digits::new(column), Vec::new()),
            ColumnType::AsciiReal => Self::AsciiReal(Digits::new(column), Vec::new()),
            ColumnType::U8
            | ColumnType::I16
            | ColumnType::I32
            | ColumnType::I64
            | ColumnType::F32
            | ColumnType::F64
            // Descriptors are told apart before, by what they point to.
            | ColumnType::Array32
            | ColumnType::Array64 => Self::Scaled(scaled(), Vec::new()),
        }
    }

    #[inline]
    fn append(&mut self, each: &Fields<'_>) {
        match self {
            Self::I8(v) => each.push::<1, _>(v, |b| (b[0] ^ 0x80) as i8),
            Self::U8(v) => each.push::<1, _>(v, |b| b[0]),
            Self::I16(v) => each.push(v, i16::from_be_bytes),
            Self::U16(v) => each.push(v, |b| u16::from_be_bytes(b) ^ 0x8000),
            Self::I32(v) => each.push(v, i32::from_be_bytes),
            Self::U32(v) => each.push(v, |b| u32::from_be_bytes(b) ^ 0x8000_0000),
            Self::I64(v) => each.push(v, i64::from_be_bytes),
            Self::U64(v) => each.push(v, |b| u64::from_be_bytes(b) ^ 0x8000_0000_0000_0000),
            Self::F32(v) => each.push(v, f32::from_be_bytes),
            Self::F64(v) => each.push(v, f64::from_be_bytes),
            Self::Scaled(s, v) => match s.stored {
                ColumnType::U8 => each.push::<1, _>(v, |b| s.integer(i64::from(b[0]))),
                ColumnType::I16 => each.push(v, |b| s.integer(i16::from_be_bytes(b).into())),
                ColumnType::I32 => each.push(v, |b| s.integer(i32::from_be_bytes(b).into())),
                ColumnType::I64 => each.push(v, |b| s.integer(i64::from_be_bytes(b))),
                ColumnType::F32 => each.push(v, |b| s.zero + s.scale * f64::from(f32::from_be_bytes(b))),
                _ => each.push(v, |b| s.zero + s.scale * f64::from_be_bytes(b)),
            },
            Self::C32(v) => each.push(v, pair32),
            Self::C64(v) => each.push(v, pair64),
            Self::ScaledComplex(s, v) => match s.stored {
                ColumnType::C32 => each.push(v, |b| s.complex(pair32(b).map(f64::from))),
                _ => each.push(v, |b| s.complex(pair64(b))),
            },
            Self::Text
            | Self::Logical
            | Self::Bits(_)
            | Self::AsciiInteger(_)
            | Self::AsciiScaled(..)
            | Self::AsciiReal(..)
            | Self::Arrays(_) => {}
        }
    }
}

impl Scaled {
    fn integer(&self, stored: i64) -> f64 {
        if self.null == Some(stored) { f64::NAN } else { self.zero + self.scale * stored as f64 }
    }

    fn complex(&self, [re, im]: [f64; 2]) -> [f64; 2] {
        [self.zero + self.scale * re, self.scale * im]
    }
}

fn pair32(bytes: [u8; 8]) -> [f32; 2] {
    let [a, b, c, d, rest @ ..] = bytes;
    [f32::from_be_bytes([a, b, c, d]), f32::from_be_bytes(rest)]
}

fn pair64(bytes: [u8; 16]) -> [f64; 2] {
    let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
    [f64::from_be_bytes([a, b, c, d, e, f, g, h]), f64::from_be_bytes(rest)]
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
