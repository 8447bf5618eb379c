use std::fs::File;
use std::path::Path;

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use rayon::prelude::*;

use super::{BATCH_ROWS, SourceFile, Step, cast, constant, missing};
use crate::{Error, Field, Kind, Schema};

fn open(path: &Path) -> Result<(File, ArrowReaderMetadata), Error> {
    let file = File::open(path).map_err(|e| Error::io(path, &e))?;
    // Types are those of Parquet, whatever the writer had in memory.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata = ArrowReaderMetadata::load(&file, options).map_err(|e| Error::parquet(path, &e))?;
    Ok((file, metadata))
}

pub(super) fn columns(path: &Path) -> Result<Vec<String>, Error> {
    let (_, metadata) = open(path)?;
    Ok(metadata.schema().fields().iter().map(|field| field.name().clone()).collect())
}

pub(super) fn kinds(path: &Path) -> Result<Vec<(String, Kind)>, Error> {
    const KINDS: [Kind; 6] = [Kind::Text, Kind::Bool, Kind::Int32, Kind::Int64, Kind::Float32, Kind::Float64];
    let (_, metadata) = open(path)?;
    let kind = |column: &arrow_schema::FieldRef| {
        let kind = KINDS.into_iter().find(|kind| kind.arrow() == *column.data_type())?;
        Some((column.name().clone(), kind))
    };
    Ok(metadata.schema().fields().iter().filter_map(kind).collect())
}

pub(super) fn metadata(path: &Path) -> Result<Vec<(String, String)>, Error> {
    let (_, metadata) = open(path)?;
    let pairs = metadata.metadata().file_metadata().key_value_metadata();
    let pairs = pairs.into_iter().flatten().map(|kv| (kv.key.clone(), kv.value.clone().unwrap_or_default()));
    Ok(pairs.collect())
}

pub(super) fn rows(path: &Path) -> Result<u64, Error> {
    let (_, metadata) = open(path)?;
    Ok(metadata.metadata().file_metadata().num_rows().unsigned_abs())
}

/// Row groups are shared between threads.
pub(super) fn for_each(file: &SourceFile, fields: &[Field<'_>], step: &Step<'_>) -> Result<(), Error> {
    let (_, metadata) = open(&file.path)?;
    let schema = metadata.schema();
    // Where each field stands among the columns of the file, and where in what is read of them.
    let mut places = Vec::new();
    for field in fields {
        let found =
            schema.fields().iter().position(|column| column.name().eq_ignore_ascii_case(field.name()));
        if found.is_none() && constant(file, field.name()).is_none() {
            return Err(missing(field.name(), schema.fields().iter().map(|column| column.name().as_str())));
        }
        places.push(found);
    }
    let mut read: Vec<usize> = places.iter().flatten().copied().collect();
    read.sort_unstable();
    read.dedup();
    let mask = ProjectionMask::roots(metadata.parquet_schema(), read.iter().copied());
    let groups = metadata.metadata().row_groups();
    let mut first = 0;
    let starts: Vec<u64> = groups
        .iter()
        .map(|group| {
            let start = first;
            first += group.num_rows().unsigned_abs();
            start
        })
        .collect();
    let wanted = Schema::new("", 0, fields).arrow();
    let group = |index: usize| -> Result<(), Error> {
        let at = |e: ::parquet::errors::ParquetError| Error::parquet(&file.path, &e);
        // A handle of its own: readers of one file in several threads would move its position.
        let handle = File::open(&file.path).map_err(|e| Error::io(&file.path, &e))?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(handle, metadata.clone())
            .with_row_groups(vec![index])
            .with_projection(mask.clone())
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(at)?;
        let mut row = starts[index];
        for batch in reader {
            let batch = batch.map_err(|e| Error::bad(&file.path, e))?;
            let rows = batch.num_rows();
            let columns: Result<Vec<ArrayRef>, Error> = fields
                .iter()
                .zip(&places)
                .map(|(field, place)| match place {
                    Some(place) => {
                        let column = batch.column(read.partition_point(|at| at < place));
                        cast::cast(column, field, row)
                    }
                    None => cast::constant(constant(file, field.name()).unwrap_or_default(), field, rows),
                })
                .collect();
            let batch =
                RecordBatch::try_new(wanted.clone(), columns?).map_err(|e| Error::bad(&file.path, e))?;
            step(row, batch)?;
            row += rows as u64;
        }
        Ok(())
    };
    (0..groups.len()).into_par_iter().map(group).reduce(|| Ok(()), Result::and)
}
