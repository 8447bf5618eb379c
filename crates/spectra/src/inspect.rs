use std::fs::File;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::Error;

/// The lists of a row, which are equally long.
const LISTS: [&str; 4] = ["wavelength", "flux", "ivar", "mask_array"];

/// Rows read at once.
const ROWS: usize = 64;

/// What a table of spectra holds; every row was read.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Inspected {
    /// Its rows.
    pub rows: u64,
    /// Names and types of all columns, in order: `target_id: Int64, ra: Float64, …`.
    pub schema: String,
    /// Redshifts, in the order of the rows.
    pub z: Vec<f64>,
    /// TARGETIDs, in the order of the rows.
    pub targets: Vec<i64>,
    /// Fewest and most points of a spectrum; none if there is no row.
    pub points: Option<(u64, u64)>,
    /// Rows whose lists are not equally long or not there.
    pub uneven: u64,
    /// The first of these: its number, and the lengths of wavelength, flux, inverse variance and mask.
    pub first_uneven: Option<(u64, [u64; 4])>,
}

/// Reads a table from its first row to its last, of this crate or of the earlier converter.
///
/// # Errors
///
/// It is not there ([`ErrorKind::MissingInput`](crate::ErrorKind::MissingInput)); it is no Parquet file, is damaged, or
/// has not the columns of a table of spectra ([`ErrorKind::BadData`](crate::ErrorKind::BadData)).
pub fn inspect(path: &Path) -> Result<Inspected, Error> {
    let file = File::open(path).map_err(|e| Error::read(path, &e))?;
    let bad = |e: &dyn std::fmt::Display| Error::bad(path, e);
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| bad(&e))?;
    let fields = builder.schema().fields().clone();
    let shown: Vec<_> = fields.iter().map(|f| format!("{}: {}", f.name(), kind(f.data_type()))).collect();
    let mut found = Inspected {
        rows: 0,
        schema: shown.join(", "),
        z: Vec::new(),
        targets: Vec::new(),
        points: None,
        uneven: 0,
        first_uneven: None,
    };
    // The earlier converter wrote tables without rows and without columns.
    if fields.is_empty() && builder.metadata().file_metadata().num_rows() == 0 {
        return Ok(found);
    }
    for batch in builder.with_batch_size(ROWS).build().map_err(|e| bad(&e))? {
        let batch = batch.map_err(|e| bad(&e))?;
        found.take(&batch).map_err(|what| bad(&what))?;
    }
    Ok(found)
}

/// `List(f32)` and not how Arrow writes it, which changes with its versions.
fn kind(of: &DataType) -> String {
    match of {
        DataType::List(element) | DataType::LargeList(element) => format!("list of {}", element.data_type()),
        other => other.to_string(),
    }
}

impl Inspected {
    fn take(&mut self, batch: &RecordBatch) -> Result<(), String> {
        let column =
            |name: &str| batch.column_by_name(name).ok_or_else(|| format!("there is no column {name}"));
        let wrong = |name: &str, is: &DataType| format!("{name} is {is}");
        let ids = column("target_id")?;
        let ids = ids.as_primitive_opt::<Int64Type>().ok_or_else(|| wrong("target_id", ids.data_type()))?;
        let z = column("z")?;
        let z = z.as_primitive_opt::<Float64Type>().ok_or_else(|| wrong("z", z.data_type()))?;
        let lengths = LISTS.map(|name| lengths(column(name)?).ok_or_else(|| format!("{name} is no list")));
        let [wavelength, flux, ivar, mask] = lengths;
        let lists = [wavelength?, flux?, ivar?, mask?];
        let of_row = |row: usize| (row, [0, 1, 2, 3].map(|i: usize| lists[i][row]));
        for (row, of) in (0..batch.num_rows()).map(of_row) {
            let longest = of.iter().copied().max().unwrap_or(0);
            let (least, most) = self.points.unwrap_or((longest, longest));
            self.points = Some((least.min(longest), most.max(longest)));
            if of.iter().any(|&length| length != of[0]) || ids.is_null(row) {
                self.uneven += 1;
                self.first_uneven.get_or_insert((self.rows + row as u64, of));
            }
        }
        self.rows += batch.num_rows() as u64;
        self.targets.extend(ids.iter().flatten());
        // A null is no redshift.
        self.z.extend(z.iter().map(|z| z.unwrap_or(f64::NAN)));
        Ok(())
    }
}

/// The length of the list of every row; a null has none.
fn lengths(column: &dyn Array) -> Option<Vec<u64>> {
    let of = |i: usize, length: usize| if column.is_null(i) { 0 } else { length as u64 };
    if let Some(list) = column.as_list_opt::<i32>() {
        return Some((0..list.len()).map(|i| of(i, list.value_length(i) as usize)).collect());
    }
    let list = column.as_list_opt::<i64>()?;
    Some((0..list.len()).map(|i| of(i, list.value_length(i) as usize)).collect())
}
