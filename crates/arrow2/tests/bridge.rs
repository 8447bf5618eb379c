//! What crosses is the same, and in the same place.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder, StringDictionaryBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Decimal64Array, Float64Array, Int32Array, Int64Array, ListArray,
    RecordBatch, RunArray, StringArray, StringViewArray, StructArray,
};
use arrow_schema::{DataType, Field, Schema};
use arrow2::array::{PrimitiveArray, Utf8Array};
use coaddkit_arrow2::{Error, batch_from_arrow2, batch_to_arrow2, from_arrow2, to_arrow2};

fn arrays() -> Vec<ArrayRef> {
    let mut lists = ListBuilder::new(StringBuilder::new());
    lists.append_value([Some("a"), None, Some("ccc")]);
    lists.append_null();
    lists.append_value([Some("d")]);
    let mut classes = StringDictionaryBuilder::<Int32Type>::new();
    ["SER", "DEV", "SER"].iter().for_each(|class| classes.append_value(class));
    let field = Arc::new(Field::new("x", DataType::Float64, true));
    let values: ArrayRef = Arc::new(Float64Array::from(vec![Some(0.5), None, Some(-0.0)]));
    vec![
        Arc::new(Float64Array::from(vec![1.5, f64::NAN, -3.0])),
        Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(7)])),
        Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
        Arc::new(StringArray::from(vec![Some("0001m002"), None, Some("é")])),
        Arc::new(lists.finish()),
        Arc::new(classes.finish()),
        Arc::new(StructArray::from(vec![(field, values)])),
        arrow_array::new_null_array(&DataType::Utf8, 3),
        arrow_array::new_empty_array(&DataType::Int32),
    ]
}

#[test]
fn arrays_cross_both_ways_whole_and_in_part() {
    for array in arrays() {
        for (from, count) in [(0, array.len()), (array.len().min(1), array.len().saturating_sub(1))] {
            let part = array.slice(from, count);
            let there = to_arrow2(&part).unwrap();
            assert_eq!((there.len(), there.null_count()), (part.len(), part.null_count()));
            let back = from_arrow2(there).unwrap();
            // NaN is not equal to itself; the bits are.
            match part.data_type() {
                DataType::Float64 => {
                    let bits = |a: &ArrayRef| {
                        a.as_primitive::<Float64Type>()
                            .iter()
                            .map(|v| v.map(f64::to_bits))
                            .collect::<Vec<_>>()
                    };
                    assert_eq!(bits(&back), bits(&part));
                }
                _ => assert_eq!(&back, &part),
            }
        }
    }
}

#[test]
fn values_stay_where_they_are() {
    let flux = Float64Array::from((0..1000).map(f64::from).collect::<Vec<_>>());
    // Also where the part starts within a byte of the validity.
    for part in [flux.slice(0, 1000), flux.slice(3, 500)] {
        let place = part.values().as_ptr();
        let there = to_arrow2(&part).unwrap();
        let there_place = there.as_any().downcast_ref::<PrimitiveArray<f64>>().unwrap().values().as_ptr();
        assert_eq!(there_place, place);
        let back = from_arrow2(there).unwrap();
        assert_eq!(back.as_primitive::<Float64Type>().values().as_ptr(), place);
    }
    let ids: Int64Array = (0..100).map(|i| (i % 7 != 0).then_some(i)).collect();
    let part = ids.slice(5, 50);
    let there = to_arrow2(&part).unwrap();
    assert_eq!(
        there.as_any().downcast_ref::<PrimitiveArray<i64>>().unwrap().values().as_ptr(),
        part.values().as_ptr()
    );
    assert_eq!(
        from_arrow2(there).unwrap().as_primitive::<Int64Type>().values().as_ptr(),
        part.values().as_ptr()
    );

    let names = StringArray::from((0..100).map(|i| format!("galaxy {i}")).collect::<Vec<_>>());
    let there = to_arrow2(&names).unwrap();
    let text = there.as_any().downcast_ref::<Utf8Array<i32>>().unwrap();
    assert_eq!(text.values().as_ptr(), names.value_data().as_ptr());
    assert_eq!(text.offsets().buffer().as_ptr(), names.value_offsets().as_ptr());
    let back = from_arrow2(there).unwrap();
    assert_eq!(back.as_string::<i32>().value_data().as_ptr(), names.value_data().as_ptr());

    // Children of lists too.
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>((0..10).map(|i| Some(vec![Some(i); 3])));
    let place = list.values().as_primitive::<Int32Type>().values().as_ptr();
    let back = from_arrow2(to_arrow2(&list).unwrap()).unwrap();
    assert_eq!(back.as_list::<i32>().values().as_primitive::<Int32Type>().values().as_ptr(), place);
}

#[test]
fn arrow2_may_outlive_arrow_and_the_other_way() {
    let there = {
        let flux = Float64Array::from(vec![1.0, 2.0]);
        to_arrow2(&flux).unwrap()
    };
    assert_eq!(there.as_any().downcast_ref::<PrimitiveArray<f64>>().unwrap().values().as_slice(), [1.0, 2.0]);
    let back = {
        let own = PrimitiveArray::<i32>::from_vec(vec![4, 5, 6]);
        from_arrow2(Box::new(own)).unwrap()
    };
    assert_eq!(back.as_primitive::<Int32Type>().values().to_vec(), [4, 5, 6]);
}

#[test]
fn batches_keep_names_nulls_and_metadata() {
    let unit: std::collections::HashMap<String, String> =
        [("unit".to_owned(), "deg".to_owned())].into_iter().collect();
    let fields = vec![
        Field::new("ra", DataType::Float64, false).with_metadata(unit),
        Field::new("class", DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)), true),
    ];
    let metadata: std::collections::HashMap<String, String> =
        [("coaddkit.seed".to_owned(), "42".to_owned())].into_iter().collect();
    let schema = Arc::new(Schema::new_with_metadata(fields, metadata));
    let all = arrays();
    let ra: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0]));
    let batch = RecordBatch::try_new(schema, vec![ra, all[5].clone()]).unwrap();
    let (schema2, chunk) = batch_to_arrow2(&batch).unwrap();
    assert_eq!(schema2.metadata["coaddkit.seed"], "42");
    assert_eq!(schema2.fields[0].metadata["unit"], "deg");
    assert!(!schema2.fields[0].is_nullable && chunk.len() == 3);
    assert_eq!(batch_from_arrow2(&schema2, chunk).unwrap(), batch);

    let empty = RecordBatch::new_empty(Arc::new(Schema::empty()));
    let (schema2, chunk) = batch_to_arrow2(&empty).unwrap();
    assert_eq!(batch_from_arrow2(&schema2, chunk).unwrap().num_columns(), 0);
}

#[test]
fn what_arrow2_lacks_is_refused_by_name() {
    let view: ArrayRef = Arc::new(StringViewArray::from(vec!["a"]));
    let runs: ArrayRef = Arc::new(["a", "a"].into_iter().collect::<RunArray<Int32Type>>());
    let decimal: ArrayRef =
        Arc::new(Decimal64Array::from(vec![1_i64]).with_precision_and_scale(10, 2).unwrap());
    for array in [&view, &runs, &decimal] {
        let error = to_arrow2(array).unwrap_err();
        assert!(
            matches!(&error, Error::Unsupported { column: None, data_type } if data_type == array.data_type()),
            "{error}"
        );
    }
    // Also deep inside, and of a batch with the name of the column.
    let field = Arc::new(Field::new("t", DataType::Utf8View, true));
    let nested: ArrayRef = Arc::new(StructArray::from(vec![(field, view)]));
    let schema = Arc::new(Schema::new(vec![
        Field::new("n", DataType::Int32, false),
        Field::new("deep", nested.data_type().clone(), false),
    ]));
    let batch = RecordBatch::try_new(schema, vec![Arc::new(Int32Array::from(vec![1])), nested]).unwrap();
    let error = batch_to_arrow2(&batch).unwrap_err();
    assert_eq!(error.to_string(), "column deep: arrow2 has no type Utf8View");
}
