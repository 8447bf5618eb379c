use std::fs::File;
use std::path::Path;

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
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

/// Which columns of a file are read, and how they become the fields asked for.
struct Projection<'a> {
    file: &'a SourceFile,
    fields: &'a [Field<'a>],
    /// Where each field stands among the columns of the file; `None` for those in the names of folders.
    places: Vec<Option<usize>>,
    /// The columns that are read, ascending.
    read: Vec<usize>,
    wanted: arrow_schema::SchemaRef,
}

impl<'a> Projection<'a> {
    fn new(
        file: &'a SourceFile,
        fields: &'a [Field<'a>],
        schema: &arrow_schema::Schema,
    ) -> Result<Self, Error> {
        let mut places = Vec::new();
        for field in fields {
            let found =
                schema.fields().iter().position(|column| column.name().eq_ignore_ascii_case(field.name()));
            if found.is_none() && constant(file, field.name()).is_none() {
                return Err(missing(
                    field.name(),
                    schema.fields().iter().map(|column| column.name().as_str()),
                ));
            }
            places.push(found);
        }
        let mut read: Vec<usize> = places.iter().flatten().copied().collect();
        read.sort_unstable();
        read.dedup();
        Ok(Self { file, fields, places, read, wanted: Schema::new("", 0, fields).arrow() })
    }

    fn mask(&self, metadata: &ArrowReaderMetadata) -> ProjectionMask {
        ProjectionMask::roots(metadata.parquet_schema(), self.read.iter().copied())
    }

    /// A batch as it was read, which starts at a row of the file.
    fn batch(&self, batch: &RecordBatch, row: u64) -> Result<RecordBatch, Error> {
        let column = |(field, place): (&Field<'_>, &Option<usize>)| match place {
            Some(place) => cast::cast(batch.column(self.read.partition_point(|at| at < place)), field, row),
            None => {
                let text = constant(self.file, field.name()).unwrap_or_default();
                cast::constant(text, field, batch.num_rows())
            }
        };
        let columns: Result<Vec<ArrayRef>, Error> =
            self.fields.iter().zip(&self.places).map(column).collect();
        RecordBatch::try_new(self.wanted.clone(), columns?).map_err(|e| Error::bad(&self.file.path, e))
    }
}

/// Row groups are shared between threads.
pub(super) fn for_each(file: &SourceFile, fields: &[Field<'_>], step: &Step<'_>) -> Result<(), Error> {
    let (_, metadata) = open(&file.path)?;
    let projection = Projection::new(file, fields, metadata.schema())?;
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
    let group = |index: usize| -> Result<(), Error> {
        // A handle of its own: readers of one file in several threads would move its position.
        let handle = File::open(&file.path).map_err(|e| Error::io(&file.path, &e))?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(handle, metadata.clone())
            .with_row_groups(vec![index])
            .with_projection(projection.mask(&metadata))
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(|e| Error::parquet(&file.path, &e))?;
        let mut row = starts[index];
        for batch in reader {
            let batch = batch.map_err(|e| Error::bad(&file.path, e))?;
            step(row, projection.batch(&batch, row)?)?;
            row += batch.num_rows() as u64;
        }
        Ok(())
    };
    (0..groups.len()).into_par_iter().map(group).reduce(|| Ok(()), Result::and)
}

/// Some rows, which ascend.
pub(super) fn pick(file: &SourceFile, fields: &[Field<'_>], rows: &[u64]) -> Result<Vec<RecordBatch>, Error> {
    let (handle, metadata) = open(&file.path)?;
    let projection = Projection::new(file, fields, metadata.schema())?;
    let total = metadata.metadata().file_metadata().num_rows().unsigned_abs() as usize;
    if let Some(row) = rows.last().filter(|row| **row >= total as u64) {
        return Err(Error::bad(&file.path, format_args!("has no row {row}, but {total}")));
    }
    let ranges =
        rows.chunk_by(|a, b| a + 1 == *b).map(|run| run[0] as usize..run[run.len() - 1] as usize + 1);
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(handle, metadata.clone())
        .with_projection(projection.mask(&metadata))
        .with_row_selection(RowSelection::from_consecutive_ranges(ranges, total))
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(|e| Error::parquet(&file.path, &e))?;
    let mut done = 0;
    let mut all = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|e| Error::bad(&file.path, e))?;
        // Errors name the first row of the batch, since the rows between are not read.
        all.push(projection.batch(&batch, rows.get(done).copied().unwrap_or(0))?);
        done += batch.num_rows();
    }
    if done != rows.len() {
        return Err(Error::bad(&file.path, format_args!("gave {done} of {} rows", rows.len())));
    }
    Ok(all)
}
