use std::path::Path;

use arrow_array::{ArrayRef, RecordBatch};
use coaddkit_fits::Fits;

use super::{BATCH_ROWS, SourceFile, Step, cast};
use crate::{Error, Field, Schema};

pub(super) fn columns(path: &Path) -> Result<Vec<String>, Error> {
    let table = Fits::open(path)?.hdu(1)?.table()?;
    Ok(table.columns().iter().map(|column| column.name.clone()).collect())
}

/// HDU 1, in order; the scan itself uses the threads of the pool.
pub(super) fn for_each(file: &SourceFile, fields: &[Field<'_>], step: &Step<'_>) -> Result<(), Error> {
    let table = Fits::open(&file.path)?.hdu(1)?.table()?;
    let scan = table.scan().columns(fields.iter().map(Field::name))?;
    let wanted = Schema::new("", 0, fields).arrow();
    let mut row = 0;
    for batch in scan.record_batches()?.batch_size(BATCH_ROWS) {
        let batch = batch.map_err(|e| Error::bad(&file.path, e))?;
        let columns: Result<Vec<ArrayRef>, Error> = fields
            .iter()
            .zip(batch.columns())
            .map(|(field, column)| cast::cast(column, field, row))
            .collect();
        let rows = batch.num_rows() as u64;
        let batch = RecordBatch::try_new(wanted.clone(), columns?).map_err(|e| Error::bad(&file.path, e))?;
        step(row, batch)?;
        row += rows;
    }
    Ok(())
}
