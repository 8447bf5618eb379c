//! The crossing itself.
#![allow(unsafe_code)]

use std::mem::{align_of, size_of, transmute};

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi, to_ffi};
use arrow_array::{Array, ArrayRef, make_array};
use arrow_schema::{DataType, Field};
use arrow2::array::Array as Array2;
use arrow2::datatypes::Field as Field2;
use arrow2::ffi::{ArrowArray, ArrowSchema};

use crate::Error;

const _: () = assert!(
    size_of::<FFI_ArrowArray>() == size_of::<ArrowArray>()
        && align_of::<FFI_ArrowArray>() == align_of::<ArrowArray>()
);
const _: () = assert!(
    size_of::<FFI_ArrowSchema>() == size_of::<ArrowSchema>()
        && align_of::<FFI_ArrowSchema>() == align_of::<ArrowSchema>()
);

/// An array as one of arrow2, with the same values in memory.
///
/// # Errors
///
/// [`Error::Unsupported`] for a type that arrow2 lacks, before anything is handed over.
pub fn to_arrow2(array: &dyn Array) -> Result<Box<dyn Array2>, Error> {
    if let Some(data_type) = lacking(array.data_type()) {
        return Err(Error::Unsupported { column: None, data_type });
    }
    let (array, schema) = to_ffi(&array.to_data())?;
    // SAFETY: both are the struct of the C Data Interface, `repr(C)`, of the same size and alignment (asserted above). The
    // release callback moves with it; the old name is gone, so it is called once.
    let (array, schema) = unsafe {
        (transmute::<FFI_ArrowArray, ArrowArray>(array), transmute::<FFI_ArrowSchema, ArrowSchema>(schema))
    };
    // SAFETY: arrow has just exported both, from one array.
    unsafe {
        let field = arrow2::ffi::import_field_from_c(&schema)?;
        Ok(arrow2::ffi::import_array_from_c(array, field.data_type)?)
    }
}

/// An array of arrow2 as one of arrow, with the same values in memory.
///
/// # Errors
///
/// When arrow does not know the type, or the array does not keep its own rules.
pub fn from_arrow2(array: Box<dyn Array2>) -> Result<ArrayRef, Error> {
    let schema = arrow2::ffi::export_field_to_c(&Field2::new("", array.data_type().clone(), true));
    let array = arrow2::ffi::export_array_to_c(array);
    // SAFETY: as in `to_arrow2`.
    let (array, schema) = unsafe {
        (transmute::<ArrowArray, FFI_ArrowArray>(array), transmute::<ArrowSchema, FFI_ArrowSchema>(schema))
    };
    // SAFETY: arrow2 has just exported both, from one array.
    let mut data = unsafe { from_ffi(array, &schema) }?;
    // arrow2 may align less than arrow wants; what is aligned already is not copied.
    data.align_buffers();
    Ok(make_array(data))
}

/// A field as one of arrow2, with its metadata.
pub(crate) fn field_to_arrow2(field: &Field) -> Result<Field2, Error> {
    if let Some(data_type) = lacking(field.data_type()) {
        return Err(Error::Unsupported { column: Some(field.name().clone()), data_type });
    }
    let schema = FFI_ArrowSchema::try_from(field)?;
    // SAFETY: as in `to_arrow2`.
    let schema = unsafe { transmute::<FFI_ArrowSchema, ArrowSchema>(schema) };
    // SAFETY: arrow has just exported it.
    Ok(unsafe { arrow2::ffi::import_field_from_c(&schema) }?)
}

/// A field of arrow2 as one of arrow, with its metadata.
pub(crate) fn field_from_arrow2(field: &Field2) -> Result<Field, Error> {
    let schema = arrow2::ffi::export_field_to_c(field);
    // SAFETY: as in `to_arrow2`.
    let schema = unsafe { transmute::<ArrowSchema, FFI_ArrowSchema>(schema) };
    Ok(Field::try_from(&schema)?)
}

/// The first part of a type that arrow2 lacks.
fn lacking(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Utf8View
        | DataType::BinaryView
        | DataType::ListView(_)
        | DataType::LargeListView(_)
        | DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::RunEndEncoded(..) => Some(data_type.clone()),
        DataType::List(inner)
        | DataType::LargeList(inner)
        | DataType::FixedSizeList(inner, _)
        | DataType::Map(inner, _) => lacking(inner.data_type()),
        DataType::Struct(fields) => fields.iter().find_map(|field| lacking(field.data_type())),
        DataType::Union(fields, _) => fields.iter().find_map(|(_, field)| lacking(field.data_type())),
        DataType::Dictionary(_, values) => lacking(values),
        _ => None,
    }
}
