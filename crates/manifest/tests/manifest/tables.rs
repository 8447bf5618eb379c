use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int32Type, Int64Type};
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray,
};
use coaddkit_manifest::{
    Compression, Error, ErrorClass, Field, Input, Kind, Layout, Provenance, Schema, Source, TableWriter,
    write_csv,
};

use crate::{file, names, on_threads};

const FIELDS: &[Field<'_>] = &[
    Field::new("name", Kind::Text, "what it is called"),
    Field::new("class", Kind::Text, "one of few"),
    Field::new("flag", Kind::Bool, "yes or no").null("not known"),
    Field::new("n", Kind::Int32, "how many").null("not counted"),
    Field::new("id", Kind::Int64, "which"),
    Field::new("mag", Kind::Float32, "how bright").unit("mag").null("not measured"),
    Field::new("ra", Kind::Float64, "where").unit("deg"),
];
const SCHEMA: Schema<'_> = Schema::new("things", 1, FIELDS);

fn batch(from: i64, rows: i64) -> RecordBatch {
    let ids: Vec<i64> = (from..from + rows).collect();
    let classes: DictionaryArray<Int32Type> =
        ids.iter().map(|i| ["SER", "DEV", "REX"][*i as usize % 3]).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(ids.iter().map(|i| format!("n,\"{i}\"")))),
        Arc::new(classes),
        Arc::new(BooleanArray::from_iter(ids.iter().map(|i| (i % 5 != 0).then_some(i % 2 == 0)))),
        Arc::new(Int32Array::from_iter(ids.iter().map(|i| (i % 7 != 0).then_some(*i as i32 - 3)))),
        Arc::new(Int64Array::from_iter_values(ids.iter().map(|i| i64::MAX - i))),
        Arc::new(Float32Array::from_iter(ids.iter().map(|i| (i % 4 != 0).then_some(0.1 * *i as f32)))),
        Arc::new(Float64Array::from_iter_values(ids.iter().map(|i| 1.0 / (*i as f64 + 3.0)))),
    ];
    RecordBatch::try_new(plain(&columns), columns).unwrap()
}

/// The schema with the types that the columns have.
fn plain(columns: &[ArrayRef]) -> arrow_schema::SchemaRef {
    let fields = SCHEMA
        .arrow()
        .fields()
        .iter()
        .zip(columns)
        .map(|(f, c)| f.as_ref().clone().with_data_type(c.data_type().clone()))
        .collect::<Vec<_>>();
    Arc::new(arrow_schema::Schema::new(fields))
}

fn write(path: &Path, layout: &Layout, groups: usize) -> Result<(), Error> {
    let provenance = Provenance::new().with("coaddkit.seed", "42");
    let mut writer = TableWriter::create(path, &SCHEMA, layout, &provenance)?;
    writer.write_groups(groups, |group| Ok(batch(group as i64 * 100, 100)))?;
    assert_eq!(writer.finish()?.rows, groups as u64 * 100);
    Ok(())
}

/// Every value as text, in order.
fn values(source: &Source) -> Vec<String> {
    let mut all = Vec::new();
    for rows in source.read(FIELDS).unwrap() {
        let b = &rows.batch;
        for i in 0..b.num_rows() {
            let line = (
                b.column(0).as_string::<i32>().value(i).to_owned(),
                b.column(1).as_string::<i32>().value(i).to_owned(),
                b.column(2).as_boolean().iter().nth(i).unwrap(),
                b.column(3).as_primitive::<Int32Type>().iter().nth(i).unwrap(),
                b.column(4).as_primitive::<Int64Type>().value(i),
                b.column(5).as_primitive::<Float32Type>().iter().nth(i).unwrap().map(f32::to_bits),
                b.column(6).as_primitive::<Float64Type>().value(i).to_bits(),
            );
            all.push(format!("{line:?}"));
        }
    }
    all
}

#[test]
fn parquet_and_csv_hold_the_same_values() {
    let dir = tempfile::tempdir().unwrap();
    let (parquet, csv) = (dir.path().join("t.parquet"), dir.path().join("t.csv"));
    write(&parquet, &Layout::default(), 3).unwrap();
    let written = write_csv(&csv, &SCHEMA, (0..3).map(|g| Ok(batch(g * 100, 100)))).unwrap();
    assert_eq!(written.rows, 300);
    let (a, b) = (Source::open(&parquet).unwrap(), Source::open(&csv).unwrap());
    assert_eq!(a.rows().unwrap(), Some(300));
    let values_of = values(&a);
    assert_eq!(values_of.len(), 300);
    assert_eq!(
        values_of[4],
        "(\"n,\\\"4\\\"\", \"DEV\", Some(true), Some(1), 9223372036854775803, None, 4594314991293244562)"
    );
    assert_eq!(values_of, values(&b));
    assert_eq!(names(dir.path()), ["t.csv", "t.parquet"]);
    let text = std::fs::read_to_string(&csv).unwrap();
    assert!(
        text.starts_with(
            "name,class,flag,n,id,mag,ra\n\"n,\"\"0\"\"\",SER,,,9223372036854775807,,0.3333333333333333\n"
        ),
        "{text:.200}"
    );
}

#[test]
fn metadata_says_what_and_by_whom() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.parquet");
    write(&path, &Layout { compression: Compression::Snappy, ..Layout::default() }, 1).unwrap();
    let metadata = Source::open(&path).unwrap().metadata().unwrap();
    let get = |key: &str| metadata.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str());
    assert_eq!(get("coaddkit.seed"), Some("42"));
    assert_eq!(get("coaddkit.hash"), Some("xxh3-64/1"));
    let schema: serde_json::Value = serde_json::from_str(get("coaddkit.schema").unwrap()).unwrap();
    assert_eq!(schema["properties"]["mag"]["unit"], "mag");
    assert_eq!(schema["properties"]["mag"]["null"], "not measured");
    assert_eq!(get("ARROW:schema"), None);
}

#[test]
fn threads_change_no_byte() {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout { sorted_by: vec!["name"], distinct: vec!["name", "id"], ..Layout::default() };
    let bytes = |threads: usize| {
        let path = dir.path().join(format!("{threads}.parquet"));
        on_threads(threads, || write(&path, &layout, 7)).unwrap();
        std::fs::read(path).unwrap()
    };
    assert!(bytes(1) == bytes(2));
    assert!(bytes(1) == bytes(3));
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.parquet");
    let mut writer = TableWriter::create(&path, &SCHEMA, &Layout::default(), &Provenance::new()).unwrap();
    writer.write(&batch(0, 10)).unwrap();
    drop(writer);
    assert!(names(dir.path()).is_empty());
    let failed = TableWriter::create(
        &path,
        &SCHEMA,
        &Layout { sorted_by: vec!["no"], ..Layout::default() },
        &Provenance::new(),
    );
    assert_eq!(failed.unwrap_err().class(), ErrorClass::Usage);
    assert!(names(dir.path()).is_empty());
    let mut writer = TableWriter::create(&path, &SCHEMA, &Layout::default(), &Provenance::new()).unwrap();
    let failed = writer
        .write_groups(5, |group| if group == 3 { Err(Error::clone(&missing())) } else { Ok(batch(0, 1)) });
    assert_eq!(failed.unwrap_err().to_string(), missing().to_string());
}

fn missing() -> Error {
    Source::open("no/such/file.parquet").unwrap_err()
}

fn bad(source: &Source, fields: &[Field<'_>]) -> String {
    let error = source.read(fields).unwrap_err();
    assert_eq!(error.class(), ErrorClass::BadData, "{error}");
    error.to_string()
}

#[test]
fn what_is_missing_or_mistyped_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.parquet");
    write(&path, &Layout::default(), 1).unwrap();
    let source = Source::open(&path).unwrap();
    let said = bad(&source, &[Field::new("dec", Kind::Float64, "")]);
    assert!(
        said.ends_with("t.parquet: there is no column dec; there are: name, class, flag, n, id, mag, ra"),
        "{said}"
    );
    assert!(
        bad(&source, &[Field::new("name", Kind::Float64, "")])
            .ends_with("column name is Utf8, which does not go into float64")
    );
    assert!(
        bad(&source, &[Field::new("mag", Kind::Float32, "")])
            .ends_with("row 0, column mag: is null, must be float32")
    );
    assert!(
        bad(&source, &[Field::new("id", Kind::Int32, "")])
            .ends_with("row 0, column id: 9223372036854775807 does not fit int32")
    );

    let csv = Source::open(file(dir.path(), "a.csv", "RA,n\n1.5,2\n,3\n")).unwrap();
    assert!(
        bad(&csv, &[Field::new("ra", Kind::Float64, "")])
            .ends_with("a.csv: line 3, column ra: is empty, must be float64")
    );
    assert!(
        bad(&csv, &[Field::new("dec", Kind::Float64, "")])
            .contains("there is no column dec; there are: RA, n")
    );
    let csv = Source::open(file(dir.path(), "b.csv", "n\n1\n2.5\n")).unwrap();
    assert!(bad(&csv, &[Field::new("n", Kind::Int32, "")]).ends_with("line 3, column n: '2.5' is no int32"));
    let csv = Source::open(file(dir.path(), "c.csv", "a,b\n1,2\n1\n")).unwrap();
    assert!(bad(&csv, &[Field::new("a", Kind::Int32, "")]).contains("line: 3"));
    let empty = Source::open(file(dir.path(), "d.csv", "")).unwrap();
    assert!(bad(&empty, &[Field::new("a", Kind::Int32, "")]).contains("the file is empty"));
    let cut = file(dir.path(), "e.parquet", "");
    std::fs::write(&cut, &std::fs::read(&path).unwrap()[..2000]).unwrap();
    bad(&Source::open(&cut).unwrap(), FIELDS);
}

#[test]
fn rows_are_picked_by_place_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.parquet");
    write(&path, &Layout::default(), 3).unwrap();
    let source = Source::open(&path).unwrap();
    let ids = |places: &[(usize, u64)]| -> Result<Vec<i64>, Error> {
        let batches = source.pick(&FIELDS[4..5], places)?;
        let values = |b: &RecordBatch| b.column(0).as_primitive::<Int64Type>().values().to_vec();
        Ok(batches.iter().flat_map(values).collect())
    };
    let rows = [0, 99, 100, 101, 299];
    assert_eq!(ids(&rows.map(|row| (0, row))).unwrap(), rows.map(|row| i64::MAX - row as i64));
    let refused = |places: &[(usize, u64)]| ids(places).unwrap_err().to_string();
    assert!(refused(&[(0, 5), (0, 300)]).ends_with("t.parquet: has no row 300, but 300"));
    assert!(refused(&[(0, u64::MAX)]).contains("has no row"));
    assert!(refused(&[(0, 5), (0, 5)]).ends_with("row 5 of file 0 is asked for after row 5 of file 0"));
    assert!(refused(&[(0, 5), (0, 4)]).ends_with("row 4 of file 0 is asked for after row 5 of file 0"));
    assert_eq!(refused(&[(1, 0)]), "there is no file 1");
}

#[test]
fn paths_without_tables_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(missing().class(), ErrorClass::Missing);
    assert_eq!(Source::open(dir.path()).unwrap_err().class(), ErrorClass::Missing);
    let odd = Source::open(file(dir.path(), "a.txt", "x")).unwrap_err();
    assert_eq!(odd.class(), ErrorClass::BadData);
    assert!(odd.to_string().contains("a.txt: its name does not end in .parquet"));
}

#[test]
fn folders_of_spark_are_read_with_their_partitions() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("parent");
    file(&root, "_SUCCESS", "");
    file(&root, ".part-2.csv.crc", "x");
    file(&root, "split=test/part-1.csv", "id\n7\n8\n");
    file(&root, "split=train/part-0.csv", "id\n9\n");
    let source = Source::open(&root).unwrap();
    let rows =
        source.read(&[Field::new("split", Kind::Text, ""), Field::new("id", Kind::Int64, "")]).unwrap();
    let lines: Vec<_> = rows
        .iter()
        .flat_map(|r| {
            let (split, id) =
                (r.batch.column(0).as_string::<i32>(), r.batch.column(1).as_primitive::<Int64Type>());
            (0..r.batch.num_rows()).map(|i| (split.value(i).to_owned(), id.value(i))).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(lines, [("test".to_owned(), 7), ("test".to_owned(), 8), ("train".to_owned(), 9)]);
    assert!(source.has("SPLIT").unwrap());

    let input = Input::of(&source).unwrap();
    assert_eq!((input.files, input.bytes), (2, 12));
    // printf of the two lines that sha256sum gives for the files, through sha256sum.
    assert_eq!(input.sha256, "abf42bc9fdc473f5ec631a2bb1de0452bb78c27dcbff86049e032ff0f977ba6f");
}
