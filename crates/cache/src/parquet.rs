//! The assets manifest as Parquet.

use crate::manifest::COLUMNS;
use crate::state::BrickRecord;
use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::io::{self, Write};
use std::sync::Arc;

/// Writes the manifest as Parquet, with the columns of the CSV: texts, `ok` and the numbers of files as 32-bit
/// integers, `bytes` as a 64-bit one; `error` is null where there is none.
///
/// # Errors
///
/// Whatever `out` says.
pub fn write_parquet(out: impl Write + Send, records: &[BrickRecord]) -> io::Result<()> {
    let batch = batch(records).map_err(io::Error::other)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by(concat!("coaddkit-cache ", env!("CARGO_PKG_VERSION")).to_owned())
        .build();
    let mut writer = ArrowWriter::try_new(out, batch.schema(), Some(properties)).map_err(io::Error::other)?;
    writer.write(&batch).map_err(io::Error::other)?;
    writer.close().map_err(io::Error::other)?;
    Ok(())
}

fn batch(records: &[BrickRecord]) -> Result<RecordBatch, ArrowError> {
    let text = |of: fn(&BrickRecord) -> String| -> ArrayRef {
        Arc::new(records.iter().map(|r| Some(of(r))).collect::<StringArray>())
    };
    // Numbers of files of one brick.
    let number = |of: fn(&BrickRecord) -> u32| -> ArrayRef {
        Arc::new(records.iter().map(|r| i32::try_from(of(r)).unwrap_or(i32::MAX)).collect::<Int32Array>())
    };
    let arrays: [ArrayRef; COLUMNS.len()] = [
        text(|r| r.brick.to_string()),
        text(|r| r.state.to_string()),
        number(|r| r.is_complete().into()),
        Arc::new(records.iter().map(|r| r.error.clone()).collect::<StringArray>()),
        text(|r| r.prefix.clone()),
        number(|r| r.files_expected),
        number(|r| r.files_present),
        number(|r| r.files_absent),
        text(BrickRecord::missing_names),
        Arc::new(records.iter().map(|r| i64::try_from(r.bytes).unwrap_or(i64::MAX)).collect::<Int64Array>()),
    ];
    let field = |(name, array): (&&str, &ArrayRef)| {
        let kind: &DataType = array.data_type();
        Field::new(*name, kind.clone(), *name == "error")
    };
    let fields: Vec<Field> = COLUMNS.iter().zip(&arrays).map(field).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays.to_vec())
}
