//! Tables as Parquet and CSV files that are whole or absent.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use arrow_array::{Array, ArrayRef, RecordBatch};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowRowGroupWriterFactory, ArrowWriterOptions, compute_leaves,
};
use parquet::basic::{Compression as Codec, ZstdLevel};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use rayon::prelude::*;

use crate::provenance::TOOL;
use crate::publish::Part;
use crate::{Error, Field, Provenance, Schema};

/// How pages are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Compression {
    /// Zstandard, level 1: small and fast, read by everything current.
    #[default]
    Zstd,
    /// Snappy: larger, read by everything.
    Snappy,
}

/// How a Parquet file is laid out.
#[derive(Clone, Debug)]
pub struct Layout {
    /// How pages are compressed.
    pub compression: Compression,
    /// Rows of a row group where the writer cuts them; see [`TableWriter::write_groups`].
    pub row_group_rows: usize,
    /// Columns, by name, by which the rows are sorted; the file says so, the caller sees to it.
    pub sorted_by: Vec<&'static str>,
    /// Columns in which a value hardly ever repeats: no dictionary is tried.
    pub distinct: Vec<&'static str>,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            compression: Compression::default(),
            row_group_rows: 1 << 18,
            sorted_by: Vec::new(),
            distinct: Vec::new(),
        }
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// Rows of the file.
    pub rows: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Writes a Parquet file of one schema; the file is there after [`Self::finish`], whole, or not at all.
///
/// The bytes depend on the rows, their row groups, the layout and the provenance, and on nothing else: neither on the
/// clock nor on how many threads encode.
///
/// Text may come as `Utf8` or as a dictionary of it; the file says text in either case. No Arrow schema is embedded,
/// so that every reader sees the types of Parquet.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
/// use coaddkit_manifest::{Field, Kind, Layout, Provenance, Schema, TableWriter};
///
/// # let dir = std::env::temp_dir().join(format!("manifest-write-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// # let path = dir.join("stars.parquet");
/// let fields = [
///     Field::new("name", Kind::Text, "designation"),
///     Field::new("ra", Kind::Float64, "right ascension").unit("deg"),
/// ];
/// let schema = Schema::new("stars", 1, &fields);
/// let columns: Vec<ArrayRef> = vec![
///     Arc::new(StringArray::from(vec!["Vega", "Deneb"])),
///     Arc::new(Float64Array::from(vec![279.23, 310.36])),
/// ];
/// let mut writer = TableWriter::create(&path, &schema, &Layout::default(), &Provenance::new())?;
/// writer.write(&RecordBatch::try_new(schema.arrow(), columns)?)?;
/// assert_eq!(writer.finish()?.rows, 2);
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TableWriter<'a> {
    part: Part,
    file: SerializedFileWriter<BufWriter<File>>,
    encoder: Encoder<'a>,
    rows: u64,
}

/// Turns batches into encoded row groups, on any thread.
struct Encoder<'a> {
    schema: Schema<'a>,
    arrow: arrow_schema::SchemaRef,
    factory: ArrowRowGroupWriterFactory,
    path: std::path::PathBuf,
}

/// A row group ready to be appended.
struct Encoded {
    columns: Vec<ArrowColumnChunk>,
    rows: u64,
}

impl<'a> TableWriter<'a> {
    /// Starts a file.
    ///
    /// # Errors
    ///
    /// When the folder cannot be written to, or the layout names a column that the schema lacks.
    pub fn create(
        path: &Path,
        schema: &Schema<'a>,
        layout: &Layout,
        provenance: &Provenance,
    ) -> Result<Self, Error> {
        let part = Part::create(path)?;
        let properties = properties(schema, layout, provenance)?;
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let arrow = schema.arrow();
        let writer = ArrowWriter::try_new_with_options(part.writer()?, arrow.clone(), options);
        let parts = writer.and_then(ArrowWriter::into_serialized_writer);
        let (file, factory) = parts.map_err(|e| Error::parquet(path, &e))?;
        let encoder = Encoder { schema: *schema, arrow, factory, path: path.to_owned() };
        Ok(Self { part, file, encoder, rows: 0 })
    }

    /// Appends a batch as one row group; an empty one adds nothing.
    ///
    /// # Errors
    ///
    /// When the batch does not fit the schema, or the file cannot be written.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let encoded = self.encoder.encode(batch)?;
        self.append(encoded)
    }

    /// Appends `count` row groups, made and encoded on the threads of the current rayon pool and written in order.
    ///
    /// As many are in memory at a time as there are threads.
    ///
    /// # Errors
    ///
    /// The first error of `make` in order of the groups, or of [`Self::write`].
    pub fn write_groups(
        &mut self,
        count: usize,
        make: impl Fn(usize) -> Result<RecordBatch, Error> + Sync,
    ) -> Result<(), Error> {
        let threads = rayon::current_num_threads().max(1);
        for from in (0..count).step_by(threads) {
            let encoder = &self.encoder;
            let groups: Vec<_> = (from..count.min(from + threads))
                .into_par_iter()
                .map(|group| encoder.encode(&make(group)?))
                .collect();
            for group in groups {
                self.append(group?)?;
            }
        }
        Ok(())
    }

    fn append(&mut self, group: Encoded) -> Result<(), Error> {
        if group.rows == 0 {
            return Ok(());
        }
        self.rows += group.rows;
        let append = || {
            let mut out = self.file.next_row_group()?;
            for column in group.columns {
                column.append_to_row_group(&mut out)?;
            }
            out.close().map(|_| ())
        };
        append().map_err(|e| Error::parquet(self.part.path(), &e))
    }

    /// Adds to the metadata what is known only at the end.
    pub fn note(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.file.append_key_value_metadata(KeyValue::new(key.into(), value.into()));
    }

    /// Ends the file, puts it on disk and gives it its name.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn finish(self) -> Result<Written, Error> {
        let Self { part, file, rows, .. } = self;
        let mut out = file.into_inner().map_err(|e| Error::parquet(part.path(), &e))?;
        out.flush().map_err(|e| Error::io(part.path(), &e))?;
        drop(out);
        Ok(Written { rows, bytes: part.finish()? })
    }
}

impl std::fmt::Debug for TableWriter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableWriter").field("path", &self.part.path()).field("rows", &self.rows).finish()
    }
}

impl Encoder<'_> {
    fn encode(&self, batch: &RecordBatch) -> Result<Encoded, Error> {
        check(&self.schema, batch).map_err(|e| e.at(&self.path))?;
        if batch.num_rows() == 0 {
            return Ok(Encoded { columns: Vec::new(), rows: 0 });
        }
        let encode = || {
            let writers = self.factory.create_column_writers(0)?;
            let columns = writers.into_iter().zip(self.arrow.fields()).zip(batch.columns());
            columns
                .map(|((mut writer, field), column)| {
                    for leaf in compute_leaves(field, column)? {
                        writer.write(&leaf)?;
                    }
                    writer.close()
                })
                .collect::<Result<Vec<_>, parquet::errors::ParquetError>>()
        };
        let columns = encode().map_err(|e| Error::parquet(&self.path, &e))?;
        Ok(Encoded { columns, rows: batch.num_rows() as u64 })
    }
}

/// Whether a batch has the columns of a schema, in order, without nulls where there must be none.
pub(crate) fn check(schema: &Schema<'_>, batch: &RecordBatch) -> Result<(), Error> {
    let given = batch.schema();
    if given.fields().len() != schema.fields().len() {
        let (given, wanted) = (given.fields().len(), schema.fields().len());
        return Err(Error::usage(format!(
            "a batch of {given} columns for the {wanted} of {}",
            schema.name()
        )));
    }
    for ((field, given), column) in schema.fields().iter().zip(given.fields()).zip(batch.columns()) {
        let kind = match column.data_type() {
            arrow_schema::DataType::Dictionary(_, value) => value,
            other => other,
        };
        if field.name() != given.name() || *kind != field.kind().arrow() {
            return Err(Error::usage(format!(
                "column {} {kind} where {} wants {} {}",
                given.name(),
                schema.name(),
                field.name(),
                field.kind().name()
            )));
        }
        if field.null_rule().is_none() && column.null_count() > 0 {
            return Err(Error::usage(format!("column {} has nulls, which it must not", field.name())));
        }
    }
    Ok(())
}

/// A batch of a schema, in which text may be dictionaries.
pub(crate) fn batch(schema: &Schema<'_>, columns: Vec<ArrayRef>) -> Result<RecordBatch, Error> {
    let fields = schema.arrow();
    let fields = fields
        .fields()
        .iter()
        .zip(&columns)
        .map(|(field, column)| field.as_ref().clone().with_data_type(column.data_type().clone()));
    let fields = arrow_schema::Schema::new(fields.collect::<Vec<_>>());
    RecordBatch::try_new(fields.into(), columns).map_err(Error::usage)
}

fn properties(
    schema: &Schema<'_>,
    layout: &Layout,
    provenance: &Provenance,
) -> Result<WriterProperties, Error> {
    let codec = match layout.compression {
        Compression::Zstd => Codec::ZSTD(ZstdLevel::default()),
        Compression::Snappy => Codec::SNAPPY,
    };
    let column = |name: &&'static str| {
        schema.index_of(name).ok_or_else(|| Error::usage(format!("{} has no column {name}", schema.name())))
    };
    let sorted: Result<Vec<_>, Error> = layout.sorted_by.iter().map(column).collect();
    let sorted: Vec<_> = sorted?
        .into_iter()
        .map(|index| SortingColumn { column_idx: index as i32, descending: false, nulls_first: false })
        .collect();
    let metadata = provenance.all(schema).map(|(key, value)| KeyValue::new(key, value)).collect();
    let mut builder = WriterProperties::builder()
        .set_compression(codec)
        .set_created_by(TOOL.to_owned())
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_key_value_metadata(Some(metadata))
        .set_sorting_columns((!sorted.is_empty()).then_some(sorted));
    for name in &layout.distinct {
        column(name)?;
        builder = builder.set_column_dictionary_enabled(ColumnPath::from(*name), false);
    }
    Ok(builder.build())
}

/// Writes batches as a CSV file with a header: reals with the shortest digits that read back to the same bits, nulls as
/// nothing, `true` and `false`.
///
/// # Errors
///
/// The first error among the batches; a batch that does not fit the schema; a file that cannot be written.
pub fn write_csv(
    path: &Path,
    schema: &Schema<'_>,
    batches: impl IntoIterator<Item = Result<RecordBatch, Error>>,
) -> Result<Written, Error> {
    let part = Part::create(path)?;
    let mut out = csv::Writer::from_writer(part.writer()?);
    let at = |e: csv::Error| Error::io(path, &e.into());
    out.write_record(schema.fields().iter().map(Field::name)).map_err(at)?;
    let (mut rows, mut cell) = (0, Vec::new());
    for batch in batches {
        let batch = batch?;
        check(schema, &batch).map_err(|e| e.at(path))?;
        let columns: Vec<Cells<'_>> = batch.columns().iter().map(cells).collect();
        for row in 0..batch.num_rows() {
            for column in &columns {
                cell.clear();
                column(row, &mut cell);
                out.write_field(&cell).map_err(at)?;
            }
            out.write_record(None::<&[u8]>).map_err(at)?;
        }
        rows += batch.num_rows() as u64;
    }
    out.flush().map_err(|e| Error::io(path, &e))?;
    drop(out);
    Ok(Written { rows, bytes: part.finish()? })
}

/// Appends the text of a row of a column.
pub(crate) type Cells<'a> = Box<dyn Fn(usize, &mut Vec<u8>) + 'a>;

pub(crate) fn cells(column: &ArrayRef) -> Cells<'_> {
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Float32Type, Float64Type, Int32Type, Int64Type};
    use arrow_schema::DataType;
    macro_rules! put {
        ($array:expr, $($format:tt)*) => {{
            let array = $array;
            Box::new(move |row: usize, out: &mut Vec<u8>| {
                if !array.is_null(row) {
                    // Writing to memory does not fail.
                    let _ = write!(out, $($format)*, array.value(row));
                }
            })
        }};
    }
    match column.data_type() {
        DataType::Int32 => put!(column.as_primitive::<Int32Type>(), "{}"),
        DataType::Int64 => put!(column.as_primitive::<Int64Type>(), "{}"),
        DataType::Float32 => put!(column.as_primitive::<Float32Type>(), "{:?}"),
        DataType::Float64 => put!(column.as_primitive::<Float64Type>(), "{:?}"),
        DataType::Boolean => put!(column.as_boolean(), "{}"),
        DataType::Dictionary(..) => {
            let array = column.as_dictionary::<Int32Type>();
            let values = array.values().as_string::<i32>();
            Box::new(move |row, out| {
                if let Some(key) = array.key(row) {
                    out.extend_from_slice(values.value(key).as_bytes());
                }
            })
        }
        _ => put!(column.as_string::<i32>(), "{}"),
    }
}
