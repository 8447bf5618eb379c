//! Arrays under construction.

use super::schema::{Layout, Plan};
use crate::ascii::integer;
use crate::error::ErrorKind;
use crate::scan::Chunk;
use crate::values::Values;
use crate::views::{string, trimmed};
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    ArrayRef, ArrowNativeTypeOp, BooleanArray, FixedSizeBinaryArray, FixedSizeListArray, GenericByteArray,
    GenericListArray, OffsetSizeTrait, PrimitiveArray, types,
};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, FieldRef};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Elements that there is room for at the start; more come as they are needed.
const ROOM: usize = 64 << 10;

/// What the elements of a column are.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    I8 {
        null: Option<i8>,
    },
    U8 {
        null: Option<u8>,
    },
    I16 {
        null: Option<i16>,
    },
    U16 {
        null: Option<u16>,
    },
    I32 {
        null: Option<i32>,
    },
    U32 {
        null: Option<u32>,
    },
    I64 {
        null: Option<i64>,
    },
    U64 {
        null: Option<u64>,
    },
    F32,
    F64 {
        null: Option<f64>,
    },
    Logical,
    Bits,
    /// Strings, of this length where a field holds several.
    Text {
        length: Option<usize>,
        large: bool,
    },
    /// Fields of text as they are stored, of this width where all have the same.
    Bytes {
        width: Option<i32>,
        large: bool,
    },
    /// Decimal digits that may be null.
    Digits {
        null: Vec<u8>,
    },
}

impl Kind {
    /// By the type of the values; `null` is TNULL, the stored number.
    pub(super) fn of(values: Values<'_>, null: Option<i64>) -> Self {
        // The conventions for the other signedness turn the highest bit. Out of range, TNULL is met nowhere.
        match values {
            Values::I8(_) => {
                Self::I8 { null: null.and_then(|n| u8::try_from(n).ok()).map(|n| (n ^ 0x80) as i8) }
            }
            Values::U8(_) => Self::U8 { null: null.and_then(|n| n.try_into().ok()) },
            Values::I16(_) => Self::I16 { null: null.and_then(|n| n.try_into().ok()) },
            Values::U16(_) => {
                Self::U16 { null: null.and_then(|n| i16::try_from(n).ok()).map(|n| n as u16 ^ 0x8000) }
            }
            Values::I32(_) => Self::I32 { null: null.and_then(|n| n.try_into().ok()) },
            Values::U32(_) => {
                Self::U32 { null: null.and_then(|n| i32::try_from(n).ok()).map(|n| n as u32 ^ 0x8000_0000) }
            }
            Values::I64(_) => Self::I64 { null },
            Values::U64(_) => Self::U64 { null: null.map(|n| n as u64 ^ 0x8000_0000_0000_0000) },
            Values::F32(_) | Values::C32(_) => Self::F32,
            Values::F64(_) | Values::C64(_) => Self::F64 { null: None },
            Values::Logical(_) => Self::Logical,
            Values::Bits(_) => Self::Bits,
            // The elements of arrays are no arrays.
            Values::Text(_) | Values::Arrays(_) => Self::Text { length: None, large: false },
        }
    }

    pub(super) fn data_type(&self) -> DataType {
        match self {
            Self::I8 { .. } => DataType::Int8,
            Self::U8 { .. } => DataType::UInt8,
            Self::I16 { .. } => DataType::Int16,
            Self::U16 { .. } => DataType::UInt16,
            Self::I32 { .. } => DataType::Int32,
            Self::U32 { .. } => DataType::UInt32,
            Self::I64 { .. } | Self::Digits { .. } => DataType::Int64,
            Self::U64 { .. } => DataType::UInt64,
            Self::F32 => DataType::Float32,
            Self::F64 { .. } => DataType::Float64,
            Self::Logical | Self::Bits => DataType::Boolean,
            Self::Text { large: false, .. } => DataType::Utf8,
            Self::Text { large: true, .. } => DataType::LargeUtf8,
            Self::Bytes { width: Some(width), .. } => DataType::FixedSizeBinary(*width),
            Self::Bytes { large: false, .. } => DataType::Binary,
            Self::Bytes { large: true, .. } => DataType::LargeBinary,
        }
    }

    /// No elements, with room for some.
    fn elements(&self, room: usize) -> Box<dyn Elements + Send> {
        macro_rules! numbers {
            ($null:expr, $type:ty, $values:ident => $slice:pat => $out:expr) => {
                Box::new(Numbers::<$type> {
                    values: Vec::with_capacity(room),
                    null: $null,
                    of: |$values| match $values {
                        $slice => $out,
                        _ => &[],
                    },
                })
            };
        }
        match *self {
            Self::I8 { null } => numbers!(null, Int8Type, v => Values::I8(v) => v),
            Self::U8 { null } => numbers!(null, UInt8Type, v => Values::U8(v) => v),
            Self::I16 { null } => numbers!(null, Int16Type, v => Values::I16(v) => v),
            Self::U16 { null } => numbers!(null, UInt16Type, v => Values::U16(v) => v),
            Self::I32 { null } => numbers!(null, Int32Type, v => Values::I32(v) => v),
            Self::U32 { null } => numbers!(null, UInt32Type, v => Values::U32(v) => v),
            Self::I64 { null } => numbers!(null, Int64Type, v => Values::I64(v) => v),
            Self::U64 { null } => numbers!(null, UInt64Type, v => Values::U64(v) => v),
            Self::F32 => Box::new(Numbers::<Float32Type> {
                values: Vec::with_capacity(room),
                null: None,
                of: |values| match values {
                    Values::F32(v) => v,
                    Values::C32(v) => v.as_flattened(),
                    _ => &[],
                },
            }),
            Self::F64 { null } => Box::new(Numbers::<Float64Type> {
                values: Vec::with_capacity(room),
                null,
                of: |values| match values {
                    Values::F64(v) => v,
                    Values::C64(v) => v.as_flattened(),
                    _ => &[],
                },
            }),
            Self::Logical => Box::new(Flags::new(true)),
            Self::Bits => Box::new(Flags::new(false)),
            Self::Text { length, large } => Box::new(Strings { length, large, ..Strings::default() }),
            Self::Bytes { width, large } => {
                Box::new(Strings { raw: Some(width), large, ..Strings::default() })
            }
            Self::Digits { ref null } => Box::new(Digits {
                null: null.clone(),
                values: Vec::new(),
                valid: BooleanBufferBuilder::new(0),
            }),
        }
    }
}

/// What Arrow does not take. By construction there is nothing of the kind; if there were, it is no reason to panic.
pub(super) fn refused(error: ArrowError) -> ErrorKind {
    ErrorKind::Unsupported { what: format!("an Arrow array of this column ({error})") }
}

/// The elements of a column so far, row after row, without lists.
trait Elements {
    /// Appends the rows of a view, or all of a slice.
    fn append(&mut self, values: Values<'_>, rows: Range<usize>);
    /// Elements.
    fn len(&self) -> usize;
    /// Bytes in memory.
    fn bytes(&self) -> usize;
    /// The array of them; what comes next starts anew.
    fn finish(&mut self) -> Result<ArrayRef, ErrorKind>;
}

/// One column of a batch under construction.
pub(super) struct Builder {
    elements: Box<dyn Elements + Send>,
    layout: Layout,
    element: FieldRef,
    pair: bool,
    repeat: usize,
    stored: bool,
    rows: usize,
    /// Elements up to and with each row, of lists.
    ends: Vec<usize>,
}

impl Builder {
    pub(super) fn new(plan: &Plan, element: FieldRef, rows: usize) -> Self {
        let Plan { layout, pair, repeat, stored, .. } = *plan;
        let elements = plan.kind.elements(rows.saturating_mul(repeat).min(ROOM));
        Self { elements, layout, element, pair, repeat, stored, rows: 0, ends: Vec::new() }
    }

    /// Appends some rows of a block.
    pub(super) fn append(&mut self, chunk: &Chunk<'_>, column: usize, rows: Range<usize>) {
        self.rows += rows.len();
        let values = if self.stored { Values::Text(chunk.stored(column)) } else { chunk.values(column) };
        match values {
            Values::Arrays(arrays) => {
                for row in rows {
                    self.elements.append(arrays.get(row), 0..1);
                    if let Layout::List { .. } = self.layout {
                        let parts = if self.pair { 2 } else { 1 };
                        self.ends.push(self.elements.len() / parts);
                    }
                }
            }
            values => {
                let slice = values.slice(rows.start * self.repeat..rows.end * self.repeat);
                self.elements.append(slice, rows);
            }
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.elements.bytes() + self.ends.len() * size_of::<i64>()
    }

    pub(super) fn finish(&mut self) -> Result<ArrayRef, ErrorKind> {
        let mut elements = self.elements.finish()?;
        if self.pair {
            let DataType::FixedSizeList(part, _) = self.element.data_type() else { return Ok(elements) };
            elements = fixed(part, 2, elements)?;
        }
        let (rows, ends) = (std::mem::take(&mut self.rows), std::mem::take(&mut self.ends));
        match self.layout {
            Layout::One => Ok(elements),
            Layout::Fixed(n) => fixed(&self.element, n, elements),
            Layout::Empty => list::<i32>(&self.element, &vec![0; rows], elements),
            Layout::List { large: false } => list::<i32>(&self.element, &ends, elements),
            Layout::List { large: true } => list::<i64>(&self.element, &ends, elements),
        }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("layout", &self.layout)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

fn fixed(item: &FieldRef, size: i32, elements: ArrayRef) -> Result<ArrayRef, ErrorKind> {
    let list = FixedSizeListArray::try_new(Arc::clone(item), size, elements, None).map_err(refused)?;
    Ok(Arc::new(list))
}

fn list<O: OffsetSizeTrait>(
    item: &FieldRef,
    ends: &[usize],
    elements: ArrayRef,
) -> Result<ArrayRef, ErrorKind> {
    let list = GenericListArray::<O>::try_new(Arc::clone(item), offsets::<O>(ends)?, elements, None);
    Ok(Arc::new(list.map_err(refused)?))
}

/// Offsets from ends, which never fall.
fn offsets<O: OffsetSizeTrait>(ends: &[usize]) -> Result<OffsetBuffer<O>, ErrorKind> {
    let last = ends.last().copied().unwrap_or(0);
    if O::from_usize(last).is_none() {
        let (wanted, limit) = (last as u64, i32::MAX as u64);
        return Err(ErrorKind::Limit { what: "the number of elements in one batch", wanted, limit });
    }
    let all = std::iter::once(0).chain(ends.iter().copied());
    let offsets: Vec<O> = all.filter_map(O::from_usize).collect();
    Ok(OffsetBuffer::new(ScalarBuffer::from(offsets)))
}

struct Numbers<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    /// The number that means null.
    null: Option<T::Native>,
    of: for<'a> fn(Values<'a>) -> &'a [T::Native],
}

impl<T: ArrowPrimitiveType> Elements for Numbers<T> {
    fn append(&mut self, values: Values<'_>, _: Range<usize>) {
        self.values.extend_from_slice((self.of)(values));
    }

    fn len(&self) -> usize {
        self.values.len()
    }

    fn bytes(&self) -> usize {
        self.values.len() * size_of::<T::Native>()
    }

    fn finish(&mut self) -> Result<ArrayRef, ErrorKind> {
        let values = std::mem::take(&mut self.values);
        let nulls = self.null.and_then(|null| {
            // In the order of `is_eq` the NaN that stands for null equals itself.
            let valid = BooleanBuffer::collect_bool(values.len(), |i| !values[i].is_eq(null));
            NullBuffer::from_unsliced_buffer(valid.into_inner(), values.len())
        });
        let array = PrimitiveArray::<T>::try_new(ScalarBuffer::from(values), nulls);
        Ok(Arc::new(array.map_err(refused)?))
    }
}

/// Logicals, which may be null, and bits.
struct Flags {
    values: BooleanBufferBuilder,
    valid: Option<BooleanBufferBuilder>,
}

impl Flags {
    fn new(nullable: bool) -> Self {
        let valid = nullable.then(|| BooleanBufferBuilder::new(0));
        Self { values: BooleanBufferBuilder::new(0), valid }
    }
}

impl Elements for Flags {
    fn append(&mut self, values: Values<'_>, rows: Range<usize>) {
        match (values, &mut self.valid) {
            (Values::Logical(logicals), Some(valid)) => {
                for &byte in rows.flat_map(|row| logicals.stored().field(row)) {
                    self.values.append(byte == b'T');
                    valid.append(matches!(byte, b'T' | b'F'));
                }
            }
            (Values::Bits(bits), _) => {
                for row in rows {
                    (0..bits.repeat()).for_each(|bit| self.values.append(bits.get(row, bit)));
                }
            }
            _ => {}
        }
    }

    fn len(&self) -> usize {
        self.values.len()
    }

    fn bytes(&self) -> usize {
        self.values.len() / 4
    }

    fn finish(&mut self) -> Result<ArrayRef, ErrorKind> {
        let nulls = self.valid.as_mut().map(|valid| NullBuffer::new(valid.finish()));
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
        Ok(Arc::new(BooleanArray::new(self.values.finish(), nulls)))
    }
}

/// Text, and the bytes of text.
#[derive(Default)]
struct Strings {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    length: Option<usize>,
    large: bool,
    /// Fields as they are stored, of this width where all have the same.
    raw: Option<Option<i32>>,
}

impl Strings {
    fn push(&mut self, text: &[u8]) {
        if self.raw.is_some() || text.is_ascii() {
            self.bytes.extend_from_slice(text);
        } else {
            self.bytes.extend_from_slice(crate::card::latin1(text).as_bytes());
        }
        self.ends.push(self.bytes.len());
    }

    fn array<T: types::ByteArrayType>(&mut self) -> Result<ArrayRef, ErrorKind> {
        let offsets = offsets::<T::Offset>(&std::mem::take(&mut self.ends))?;
        let bytes = Buffer::from_vec(std::mem::take(&mut self.bytes));
        Ok(Arc::new(GenericByteArray::<T>::try_new(offsets, bytes, None).map_err(refused)?))
    }
}

impl Elements for Strings {
    fn append(&mut self, values: Values<'_>, rows: Range<usize>) {
        let Values::Text(text) = values else { return };
        for row in rows {
            let field = text.field(row);
            match (self.raw, self.length) {
                (Some(_), _) => self.push(field),
                (None, None) => self.push(string(field)),
                (None, Some(length)) => {
                    field.chunks_exact(length).for_each(|part| self.push(string(part)));
                }
            }
        }
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn bytes(&self) -> usize {
        self.bytes.len() + self.ends.len() * size_of::<usize>()
    }

    fn finish(&mut self) -> Result<ArrayRef, ErrorKind> {
        match (self.raw, self.large) {
            (Some(Some(width)), _) => {
                self.ends.clear();
                let bytes = Buffer::from_vec(std::mem::take(&mut self.bytes));
                Ok(Arc::new(FixedSizeBinaryArray::try_new(width, bytes, None).map_err(refused)?))
            }
            (Some(None), false) => self.array::<types::BinaryType>(),
            (Some(None), true) => self.array::<types::LargeBinaryType>(),
            (None, false) => self.array::<types::Utf8Type>(),
            (None, true) => self.array::<types::LargeUtf8Type>(),
        }
    }
}

/// Integers of an ASCII table that may be null.
struct Digits {
    null: Vec<u8>,
    values: Vec<i64>,
    valid: BooleanBufferBuilder,
}

impl Elements for Digits {
    fn append(&mut self, values: Values<'_>, rows: Range<usize>) {
        let Values::Text(text) = values else { return };
        for row in rows {
            let field = text.field(row);
            let valid = trimmed(field) != self.null;
            // The scan has refused what is no number.
            self.values.push(if valid { integer(field).unwrap_or(0) } else { 0 });
            self.valid.append(valid);
        }
    }

    fn len(&self) -> usize {
        self.values.len()
    }

    fn bytes(&self) -> usize {
        self.values.len() * size_of::<i64>()
    }

    fn finish(&mut self) -> Result<ArrayRef, ErrorKind> {
        let nulls = Some(NullBuffer::new(self.valid.finish())).filter(|nulls| nulls.null_count() > 0);
        let values = ScalarBuffer::from(std::mem::take(&mut self.values));
        Ok(Arc::new(PrimitiveArray::<Int64Type>::try_new(values, nulls).map_err(refused)?))
    }
}
