use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::Schema;
use arrow2::array::Array as Array2;
use arrow2::chunk::Chunk;
use arrow2::datatypes::Schema as Schema2;

use crate::cross::{field_from_arrow2, field_to_arrow2};
use crate::{Error, from_arrow2, to_arrow2};

/// A record batch as a schema and a chunk of arrow2, with the same values in memory. Metadata of the schema and of its
/// fields goes along.
///
/// # Errors
///
/// As for [`to_arrow2`], with the name of the column.
pub fn batch_to_arrow2(batch: &RecordBatch) -> Result<(Schema2, Chunk<Box<dyn Array2>>), Error> {
    let schema = batch.schema();
    let fields = schema.fields().iter().map(|field| field_to_arrow2(field)).collect::<Result<Vec<_>, _>>()?;
    let metadata =
        schema.metadata().iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let columns = schema.fields().iter().zip(batch.columns());
    let arrays = columns
        .map(|(field, column)| to_arrow2(column).map_err(|e| e.in_column(field.name())))
        .collect::<Result<Vec<_>, _>>()?;
    Ok((Schema2 { fields, metadata }, Chunk::try_new(arrays)?))
}

/// A chunk of arrow2 and its schema as a record batch, with the same values in memory.
///
/// # Errors
///
/// As for [`from_arrow2`]; and where the schema does not fit the chunk.
pub fn batch_from_arrow2(schema: &Schema2, chunk: Chunk<Box<dyn Array2>>) -> Result<RecordBatch, Error> {
    let fields = schema.fields.iter().map(field_from_arrow2).collect::<Result<Vec<_>, _>>()?;
    let metadata: HashMap<String, String> =
        schema.metadata.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    let rows = chunk.len();
    let arrays = chunk.into_arrays().into_iter().map(from_arrow2).collect::<Result<Vec<_>, _>>()?;
    let schema = Arc::new(Schema::new_with_metadata(fields, metadata));
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema, arrays, &options)?)
}
