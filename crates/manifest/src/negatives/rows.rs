//! Columns of the pool while they grow.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, DictionaryArray, Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    builder::StringBuilder, types::Int32Type,
};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use coaddkit_photometry::Nanomaggies;

use super::classify::CATEGORIES;
use super::schema::NEGATIVE_POOL;
use super::sweep::OPTIONAL;
use crate::Error;

/// The sets, in the order of their codes.
pub(super) const SUBSETS: [&str; 3] = ["train", "val", "test"];

/// Text that is the same for all rows of a file, or of a run.
#[derive(Clone, Debug)]
pub(super) struct Labels {
    /// Types of the configuration.
    pub types: Vec<String>,
    /// Their classes.
    pub type_bins: Vec<String>,
    pub nobs_bins: Vec<String>,
    pub pipeline_version: String,
    pub git_commit: String,
    pub timestamp: String,
}

/// Rows that passed all filters.
#[derive(Default)]
pub(super) struct Rows {
    pub ids: StringBuilder,
    /// Different brick names, and which each row has.
    pub bricks: Vec<String>,
    pub brick: Vec<i32>,
    pub objid: Vec<i32>,
    pub ra: Vec<f64>,
    pub dec: Vec<f64>,
    pub kind: Vec<i32>,
    pub nobs_z: Vec<i32>,
    pub nobs_bin: Vec<i32>,
    /// g, r, z, W1.
    pub flux: [Vec<f32>; 4],
    /// g, r, z; g - r, r - z, z - W1.
    pub mags: [Vec<f32>; 6],
    /// As [`OPTIONAL`].
    pub optional: [Vec<f32>; OPTIONAL.len()],
    pub maskbits: Vec<i32>,
    pub fitbits: Vec<Option<i32>>,
    pub cell_128: Vec<i64>,
    pub split: Vec<i32>,
    pub category: Vec<Option<i32>>,
    pub row: Vec<i32>,
}

impl Rows {
    pub fn len(&self) -> usize {
        self.row.len()
    }

    /// The rows as a batch; they start anew.
    pub fn take(&mut self, labels: &Labels, sweep: &str) -> Result<RecordBatch, Error> {
        let mut r = std::mem::take(self);
        let rows = r.len();
        let same = |text: &str| dictionary(vec![0; rows], [text]);
        let cell_64: Vec<i64> = r.cell_128.iter().map(|cell| cell >> 2).collect();
        let pool: Vec<i32> = r.category.iter().map(|category| category.is_some().into()).collect();
        let categories = Int32Array::from(r.category);
        let categories = DictionaryArray::<Int32Type>::try_new(
            categories,
            Arc::new(StringArray::from_iter_values(CATEGORIES)),
        );
        let mut optional = r.optional.into_iter().map(known);
        // Those before maskbits, those between fitbits and shape_r, the rest.
        let conditions: Vec<_> = optional.by_ref().take(10).collect();
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(r.ids.finish()),
            dictionary(r.brick, r.bricks.iter().map(String::as_str))?,
            whole(r.objid),
            Arc::new(Float64Array::from(r.ra)),
            Arc::new(Float64Array::from(r.dec)),
            dictionary(r.kind.clone(), labels.types.iter().map(String::as_str))?,
            whole(r.nobs_z),
            dictionary(r.nobs_bin, labels.nobs_bins.iter().map(String::as_str))?,
            dictionary(r.kind, labels.type_bins.iter().map(String::as_str))?,
        ];
        columns.extend(r.flux.map(known));
        columns.extend(r.mags.map(known));
        columns.extend(conditions);
        columns.push(whole(r.maskbits));
        columns.push(Arc::new(Int32Array::from(r.fitbits)));
        columns.extend(optional);
        columns.extend([
            Arc::new(Int64Array::from(cell_64)) as ArrayRef,
            Arc::new(Int64Array::from(r.cell_128)),
            dictionary(r.split, SUBSETS)?,
            dictionary(pool, ["N1", "N2"])?,
            Arc::new(categories.map_err(Error::usage)?),
            same(sweep)?,
            whole(r.row),
            same(&labels.pipeline_version)?,
            same(&labels.git_commit)?,
            same(&labels.timestamp)?,
        ]);
        crate::write::batch(&NEGATIVE_POOL, columns)
    }
}

/// The magnitude of a flux as it is stored: NaN unless the flux is above 0.
pub(super) fn magnitude(flux: f32) -> f64 {
    Nanomaggies(flux.into()).mag().0
}

fn whole(values: Vec<i32>) -> ArrayRef {
    Arc::new(Int32Array::from(values))
}

/// NaN is null.
fn known(values: Vec<f32>) -> ArrayRef {
    let nulls =
        values.iter().any(|v| v.is_nan()).then(|| NullBuffer::from_iter(values.iter().map(|v| !v.is_nan())));
    Arc::new(Float32Array::new(ScalarBuffer::from(values), nulls))
}

fn dictionary<'a>(keys: Vec<i32>, values: impl IntoIterator<Item = &'a str>) -> Result<ArrayRef, Error> {
    let values = Arc::new(StringArray::from_iter_values(values));
    let array = DictionaryArray::<Int32Type>::try_new(Int32Array::from(keys), values);
    Ok(Arc::new(array.map_err(Error::usage)?))
}
