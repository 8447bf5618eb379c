use std::path::Path;
use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Float32Type, Float64Type, Int64Type, UInt32Type};
use arrow_array::{ArrayRef, ListArray, PrimitiveArray, RecordBatch};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, SchemaRef};

use crate::arms::{Arms, Quantity};
use crate::select::{Fiber, Target};
use crate::{Error, ErrorKind};

/// Bytes of a batch, about.
const BATCH: usize = 32 << 20;

/// Rows of a batch at most.
const MAX_ROWS: usize = 128;

/// The columns, and whether in the types of the earlier converter.
#[derive(Clone, Debug)]
pub(crate) struct Schema {
    pub arrow: SchemaRef,
    pub compatible: bool,
}

impl Schema {
    pub fn new(compatible: bool) -> Self {
        let (real, mask) = if compatible {
            (DataType::Float64, DataType::Int64)
        } else {
            (DataType::Float32, DataType::UInt32)
        };
        let field = |name: &str, kind| Field::new(name, kind, true);
        let list = |name: &str, of| field(name, DataType::List(element(of)));
        let arrow = Arc::new(arrow_schema::Schema::new(vec![
            field("target_id", DataType::Int64),
            field("ra", DataType::Float64),
            field("dec", DataType::Float64),
            field("z", DataType::Float64),
            list("wavelength", DataType::Float64),
            list("flux", real.clone()),
            list("ivar", real),
            list("mask_array", mask),
        ]));
        Self { arrow, compatible }
    }
}

fn element(of: DataType) -> Arc<Field> {
    Arc::new(Field::new("element", of, true))
}

/// The rows of a pixel as record batches of Arrow, of bounded size.
#[derive(Debug)]
pub struct Batches<'a> {
    rows: &'a [(Target, Fiber)],
    arms: &'a Arms,
    schema: &'a Schema,
    coadd: &'a Path,
    failed: bool,
}

impl<'a> Batches<'a> {
    pub(crate) fn new(
        rows: &'a [(Target, Fiber)],
        arms: &'a Arms,
        schema: &'a Schema,
        coadd: &'a Path,
    ) -> Self {
        Self { rows, arms, schema, coadd, failed: false }
    }

    fn batch(&self, rows: &[(Target, Fiber)]) -> Result<RecordBatch, Error> {
        let compatible = self.schema.compatible;
        let f64s = |value: &dyn Fn(&(Target, Fiber)) -> f64| -> ArrayRef {
            let shown = |row| if compatible { six_decimals(value(row)) } else { value(row) };
            Arc::new(PrimitiveArray::<Float64Type>::from_iter_values(rows.iter().map(shown)))
        };
        let ids = PrimitiveArray::<Int64Type>::from_iter_values(rows.iter().map(|(target, _)| target.id));
        let mut wavelength = Vec::with_capacity(rows.len() * self.arms.len());
        rows.iter().for_each(|_| wavelength.extend_from_slice(&self.arms.wavelength));
        let [flux, ivar] = [Quantity::Flux, Quantity::Ivar].map(|quantity| {
            if compatible {
                self.list::<f32, Float64Type>(rows, quantity, f64::from)
            } else {
                self.list::<f32, Float32Type>(rows, quantity, |value| value)
            }
        });
        let mask = if compatible {
            self.list::<i64, Int64Type>(rows, Quantity::Mask, |bits| bits)
        } else {
            // 32 bits, which older files call signed.
            self.list::<i64, UInt32Type>(rows, Quantity::Mask, |bits| bits as u32)
        };
        let columns = vec![
            Arc::new(ids) as ArrayRef,
            f64s(&|(_, fiber)| fiber.ra),
            f64s(&|(_, fiber)| fiber.dec),
            f64s(&|(target, _)| target.z),
            self.lists::<Float64Type>(rows.len(), wavelength)?,
            flux?,
            ivar?,
            mask?,
        ];
        RecordBatch::try_new(Arc::clone(&self.schema.arrow), columns).map_err(|e| self.bug(e))
    }

    fn list<T: coaddkit_fits::Sample, A: ArrowPrimitiveType>(
        &self,
        rows: &[(Target, Fiber)],
        quantity: Quantity,
        to: impl Fn(T) -> A::Native,
    ) -> Result<ArrayRef, Error> {
        let mut values = Vec::with_capacity(rows.len() * self.arms.len());
        for (_, fiber) in rows {
            self.arms.read(quantity, fiber.row, &mut values, &to)?;
        }
        self.lists::<A>(rows.len(), values)
    }

    fn lists<A: ArrowPrimitiveType>(&self, rows: usize, values: Vec<A::Native>) -> Result<ArrayRef, Error> {
        let offsets = OffsetBuffer::from_repeated_length(self.arms.len(), rows);
        let values = Arc::new(PrimitiveArray::<A>::new(values.into(), None));
        let list = ListArray::try_new(element(A::DATA_TYPE), offsets, values, None);
        Ok(Arc::new(list.map_err(|e| self.bug(e))?))
    }

    fn bug(&self, error: arrow_schema::ArrowError) -> Error {
        Error::new(ErrorKind::BadData, self.coadd, error)
    }
}

impl Iterator for Batches<'_> {
    type Item = Result<RecordBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rows.is_empty() || self.failed {
            return None;
        }
        // Four lists of at most eight bytes a point.
        let fit = BATCH / (self.arms.len().max(1) * 32);
        let (now, later) = self.rows.split_at(fit.clamp(1, MAX_ROWS).min(self.rows.len()));
        self.rows = later;
        let batch = self.batch(now);
        self.failed = batch.is_err();
        Some(batch)
    }
}

/// The nearest decimal, of two equally near ones the even one.
fn six_decimals(value: f64) -> f64 {
    format!("{value:.6}").parse().unwrap_or(value)
}
