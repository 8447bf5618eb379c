//! Columns as they stand in files to the types that were asked for.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, BooleanArray, PrimitiveArray, StringArray};
use arrow_schema::DataType;

use crate::{Error, ErrorClass, Field, Kind};

/// A column as `field` wants it; `row` is where it starts in the file.
pub(super) fn cast(column: &ArrayRef, field: &Field<'_>, row: u64) -> Result<ArrayRef, Error> {
    if field.null_rule().is_none() && column.null_count() > 0 {
        let at = (0..column.len()).find(|&i| column.is_null(i)).unwrap_or(0) as u64;
        let what =
            format!("row {}, column {}: is null, must be {}", row + at, field.name(), field.kind().name());
        return Err(Error::new(ErrorClass::BadData, what));
    }
    let given = column.data_type();
    let other = || {
        let (name, kind) = (field.name(), field.kind().name());
        Error::new(ErrorClass::BadData, format!("column {name} is {given}, which does not go into {kind}"))
    };
    Ok(match (field.kind(), given) {
        (kind, given) if kind.arrow() == *given => column.clone(),
        (Kind::Text, DataType::LargeUtf8) => {
            Arc::new(StringArray::from_iter(column.as_string::<i64>().iter()))
        }
        (Kind::Text, DataType::Utf8View) => Arc::new(StringArray::from_iter(column.as_string_view().iter())),
        (Kind::Text, DataType::Binary) => {
            // Older writers do not mark text as such.
            let bytes = column.as_binary::<i32>();
            let text: Result<Vec<_>, _> =
                bytes.iter().map(|b| b.map(std::str::from_utf8).transpose()).collect();
            Arc::new(StringArray::from(text.map_err(|_| other())?))
        }
        (Kind::Int32, _) => Arc::new(numbers::<Int32Type>(column, field, row, other)?),
        (Kind::Int64, _) => Arc::new(numbers::<Int64Type>(column, field, row, other)?),
        (Kind::Float32, DataType::Float64) => {
            Arc::new(column.as_primitive::<Float64Type>().unary::<_, Float32Type>(|v| v as f32))
        }
        (Kind::Float32, DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16) => {
            let whole = numbers::<Int32Type>(column, field, row, other)?;
            Arc::new(whole.unary::<_, Float32Type>(|v| v as f32))
        }
        (Kind::Float64, DataType::Float32) => {
            Arc::new(column.as_primitive::<Float32Type>().unary::<_, Float64Type>(f64::from))
        }
        (
            Kind::Float64,
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32,
        ) => {
            let whole = numbers::<Int64Type>(column, field, row, other)?;
            Arc::new(whole.unary::<_, Float64Type>(|v| v as f64))
        }
        (
            Kind::Bool,
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::UInt8,
        ) => {
            let whole = numbers::<Int64Type>(column, field, row, other)?;
            if let Some(at) = whole.iter().position(|v| v.is_some_and(|v| v != 0 && v != 1)) {
                let what = format!("row {}, column {}: is neither 0 nor 1", row + at as u64, field.name());
                return Err(Error::new(ErrorClass::BadData, what));
            }
            Arc::new(BooleanArray::from_iter(whole.iter().map(|v| v.map(|v| v == 1))))
        }
        _ => return Err(other()),
    })
}

/// Whole numbers of any type, if each fits.
fn numbers<T: ArrowPrimitiveType>(
    column: &ArrayRef,
    field: &Field<'_>,
    row: u64,
    other: impl Fn() -> Error,
) -> Result<PrimitiveArray<T>, Error>
where
    T::Native: TryFrom<i128>,
{
    macro_rules! from {
        ($type:ty) => {{
            let values = column.as_primitive::<$type>();
            let fits = |(at, v): (usize, Option<<$type as ArrowPrimitiveType>::Native>)| match v {
                None => Ok(None),
                Some(v) => T::Native::try_from(i128::from(v)).map(Some).map_err(|_| {
                    let (at, name, kind) = (row + at as u64, field.name(), field.kind().name());
                    Error::new(
                        ErrorClass::BadData,
                        format!("row {at}, column {name}: {v} does not fit {kind}"),
                    )
                }),
            };
            values.iter().enumerate().map(fits).collect::<Result<PrimitiveArray<T>, Error>>()
        }};
    }
    match column.data_type() {
        DataType::Int8 => from!(Int8Type),
        DataType::Int16 => from!(Int16Type),
        DataType::Int32 => from!(Int32Type),
        DataType::Int64 => from!(Int64Type),
        DataType::UInt8 => from!(UInt8Type),
        DataType::UInt16 => from!(UInt16Type),
        DataType::UInt32 => from!(UInt32Type),
        DataType::UInt64 => from!(UInt64Type),
        _ => Err(other()),
    }
}

/// The value in the name of a folder, as a column.
pub(super) fn constant(text: &str, field: &Field<'_>, rows: usize) -> Result<ArrayRef, Error> {
    let bad = || {
        let what =
            format!("'{text}' in the name of a folder is no {} for {}", field.kind().name(), field.name());
        Error::new(ErrorClass::BadData, what)
    };
    Ok(match field.kind() {
        Kind::Text => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows))),
        Kind::Bool => Arc::new(BooleanArray::from(vec![text.parse::<bool>().map_err(|_| bad())?; rows])),
        Kind::Int32 => {
            Arc::new(PrimitiveArray::<Int32Type>::from_value(text.parse().map_err(|_| bad())?, rows))
        }
        Kind::Int64 => {
            Arc::new(PrimitiveArray::<Int64Type>::from_value(text.parse().map_err(|_| bad())?, rows))
        }
        Kind::Float32 => {
            Arc::new(PrimitiveArray::<Float32Type>::from_value(text.parse().map_err(|_| bad())?, rows))
        }
        Kind::Float64 => {
            Arc::new(PrimitiveArray::<Float64Type>::from_value(text.parse().map_err(|_| bad())?, rows))
        }
    })
}
