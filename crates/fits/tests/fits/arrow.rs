//! Record batches: types, nulls, lists and metadata, against what other readers read.

use coaddkit_fits::arrow_array::cast::AsArray;
use coaddkit_fits::arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use coaddkit_fits::arrow_array::{Array, ArrayRef, RecordBatch};
use coaddkit_fits::arrow_schema::{DataType, Field};
use coaddkit_fits::{ErrorClass, Fits, RecordBatches, Table};
use coaddkit_testkit::{Column, FitsTable, gunzip, gzip, shared};
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::sync::Arc;

fn table(bytes: Vec<u8>) -> Table {
    Fits::from_source(bytes).unwrap().hdu(1).unwrap().table().unwrap()
}

fn all(batches: RecordBatches) -> Vec<RecordBatch> {
    let schema = batches.schema();
    let all: Vec<_> = batches.collect::<Result<_, _>>().unwrap_or_else(|e| panic!("{e}"));
    assert!(all.iter().all(|batch| batch.schema() == schema && batch.num_rows() > 0));
    all
}

/// The lists of an array, of whatever kind; `None` if it is no list.
fn lists(array: &dyn Array) -> Option<Vec<ArrayRef>> {
    Some(match array.data_type() {
        DataType::FixedSizeList(..) => array.as_fixed_size_list().iter().map(Option::unwrap).collect(),
        DataType::List(_) => array.as_list::<i32>().iter().map(Option::unwrap).collect(),
        DataType::LargeList(_) => array.as_list::<i64>().iter().map(Option::unwrap).collect(),
        _ => return None,
    })
}

/// The rows of an array as a ledger has them: null, and NaN, is null.
fn rows(array: &dyn Array) -> Vec<Value> {
    fn numbers<T: ArrowPrimitiveType>(array: &dyn Array) -> Vec<Value>
    where
        Value: From<T::Native>,
    {
        array.as_primitive::<T>().iter().map(|v| v.map_or(Value::Null, Value::from)).collect()
    }
    let text = |v: Option<&str>| Value::from(v.unwrap());
    match array.data_type() {
        DataType::Int8 => numbers::<Int8Type>(array),
        DataType::UInt8 => numbers::<UInt8Type>(array),
        DataType::Int16 => numbers::<Int16Type>(array),
        DataType::UInt16 => numbers::<UInt16Type>(array),
        DataType::Int32 => numbers::<Int32Type>(array),
        DataType::UInt32 => numbers::<UInt32Type>(array),
        DataType::Int64 => numbers::<Int64Type>(array),
        DataType::UInt64 => numbers::<UInt64Type>(array),
        DataType::Float32 => numbers::<Float32Type>(array),
        DataType::Float64 => numbers::<Float64Type>(array),
        DataType::Boolean => array.as_boolean().iter().map(Value::from).collect(),
        DataType::Utf8 => array.as_string::<i32>().iter().map(text).collect(),
        DataType::LargeUtf8 => array.as_string::<i64>().iter().map(text).collect(),
        _ => lists(array).expect("a type").iter().map(|list| rows(list).into()).collect(),
    }
}

fn same(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Number(a), Value::Number(b)) => {
            a == b || a.as_f64() == b.as_f64() && (a.is_f64() || b.is_f64())
        }
        (a, b) => a == b,
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/conformance")
}

/// Every value of the conformance set, in batches of all sizes, from memory, from gzip and from tiles.
#[test]
fn batches_are_those_of_the_ledger() {
    let ledger: Value =
        serde_json::from_slice(&std::fs::read(folder().join("tables.json")).unwrap()).unwrap();
    let mut columns = 0;
    for entry in ledger.as_array().unwrap() {
        let name = entry["file"].as_str().unwrap();
        let path = folder().join(format!("tables/{name}.gz"));
        let whole = table(gunzip(&std::fs::read(&path).unwrap()).unwrap());
        let packed = Fits::open(&path).unwrap().hdu(1).unwrap().table().unwrap();
        for (table, size) in [(&whole, 8192), (&whole, 1), (&whole, 7), (&packed, 20)] {
            let names = entry["columns"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap());
            let batches = table.scan().columns(names).unwrap().record_batches().unwrap().batch_size(size);
            let batches = all(batches);
            assert!(batches.iter().all(|batch| batch.num_rows() <= size), "{name}");
            for (index, want) in entry["columns"].as_array().unwrap().iter().enumerate() {
                let found: Vec<_> = batches.iter().flat_map(|batch| rows(batch.column(index))).collect();
                let wanted = want["values"].as_array().unwrap();
                assert_eq!(found.len(), wanted.len(), "{name} {}", want["name"]);
                for (row, (found, wanted)) in found.iter().zip(wanted).enumerate() {
                    let label = format!("{name} {}, row {row}", want["name"]);
                    assert!(same(found, wanted), "{label}: {found} instead of {wanted}");
                }
                columns += 1;
            }
        }
    }
    assert_eq!(columns, 4 * (10 + 10 + 4 + 7 + 7 + 1 + 3 * 14));
}

/// The big-endian bytes that elements were made from, nulls included.
fn stored(array: &dyn Array, out: &mut Vec<u8>) {
    macro_rules! numbers {
        ($type:ty, $flip:expr) => {
            array.as_primitive::<$type>().values().iter().for_each(|v| out.extend((v ^ $flip).to_be_bytes()))
        };
    }
    match array.data_type() {
        DataType::Int8 => numbers!(Int8Type, -128),
        DataType::UInt8 => numbers!(UInt8Type, 0),
        DataType::Int16 => numbers!(Int16Type, 0),
        DataType::UInt16 => numbers!(UInt16Type, 1 << 15),
        DataType::Int32 => numbers!(Int32Type, 0),
        DataType::UInt32 => numbers!(UInt32Type, 1 << 31),
        DataType::Int64 => numbers!(Int64Type, 0),
        DataType::UInt64 => numbers!(UInt64Type, 1 << 63),
        DataType::Float32 => {
            array.as_primitive::<Float32Type>().values().iter().for_each(|v| out.extend(v.to_be_bytes()));
        }
        DataType::Float64 => {
            array.as_primitive::<Float64Type>().values().iter().for_each(|v| out.extend(v.to_be_bytes()));
        }
        DataType::Boolean => out.extend(array.as_boolean().iter().map(|v| match v {
            None => 0,
            Some(true) => b'T',
            Some(false) => b'F',
        })),
        DataType::FixedSizeBinary(_) => {
            array.as_fixed_size_binary().iter().for_each(|v| out.extend(v.unwrap()));
        }
        DataType::Binary => array.as_binary::<i32>().iter().for_each(|v| out.extend(v.unwrap())),
        DataType::LargeBinary => array.as_binary::<i64>().iter().for_each(|v| out.extend(v.unwrap())),
        _ => lists(array).expect("a type").iter().for_each(|list| stored(list, out)),
    }
}

/// Bits are packed row by row.
fn packed(array: &dyn Array) -> Vec<u8> {
    let rows: Vec<Vec<bool>> = match lists(array) {
        Some(lists) => lists.iter().map(|l| l.as_boolean().values().iter().collect()).collect(),
        None => array.as_boolean().values().iter().map(|v| vec![v]).collect(),
    };
    let byte = |bits: &[bool]| bits.iter().zip(0..).map(|(&bit, n)| u8::from(bit) << (7 - n)).sum();
    rows.iter().flat_map(|row| row.chunks(8).map(byte).collect::<Vec<u8>>()).collect()
}

/// Numbers of an array in f64, without nulls.
fn numbers(array: &dyn Array) -> Vec<f64> {
    fn flat(value: &Value, out: &mut Vec<f64>) {
        match value {
            Value::Array(values) => values.iter().for_each(|v| flat(v, out)),
            Value::Number(v) => out.push(v.as_f64().unwrap()),
            _ => {}
        }
    }
    let mut out = Vec::new();
    rows(array).iter().for_each(|row| flat(row, &mut out));
    out
}

/// From every column of 68 real files the bytes that astropy digested can be made again; where numbers are scaled or
/// read from digits, their sums are those of astropy.
#[test]
fn batches_are_those_of_the_oracle() {
    let Some(path) = shared("data/oracle_tables.json") else { return };
    let oracle: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let (mut bytes, mut arrays, mut sums, mut wrong) = (0, 0, 0, Vec::new());
    for file in oracle.as_array().unwrap() {
        let name = file["file"].as_str().unwrap();
        let fits = Fits::open(shared(&format!("data/{name}")).unwrap()).unwrap();
        for expected in file["tables"].as_array().unwrap() {
            let hdu = expected["hdu"].as_u64().unwrap();
            let table = fits.hdu(hdu as usize).unwrap().table().unwrap();
            let batches = table.scan().record_batches().unwrap().raw_text();
            let schema = batches.schema();
            let batches = all(batches);
            let found: usize = batches.iter().map(RecordBatch::num_rows).sum();
            assert_eq!(found as u64, table.rows(), "{name}[{hdu}]");
            for (index, want) in expected["columns"].as_array().unwrap().iter().enumerate() {
                let (here, field) = (&table.columns()[index], schema.field(index));
                let label = format!("{name}[{hdu}] {} {}", index + 1, here.tform);
                assert_eq!(
                    field.metadata().get("FITS:TUNIT").map(String::as_str),
                    here.unit.as_deref(),
                    "{label}"
                );
                assert_eq!(field.metadata()["FITS:TFORM"], here.tform, "{label}");
                let mut raw = Vec::new();
                let is_bits = here.tform.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with('X');
                for batch in &batches {
                    match is_bits {
                        true => raw.extend(packed(batch.column(index))),
                        false => stored(batch.column(index), &mut raw),
                    }
                }
                let digest: String = Sha256::digest(&raw).iter().map(|b| format!("{b:02x}")).collect();
                let scaled = here.scale != 1.0
                    || here.zero != 0.0 && matches!(field.data_type(), DataType::Float64 | DataType::Float32);
                let digits = table.hdu().kind() == coaddkit_fits::HduKind::AsciiTable;
                if want["heap_sha256"].is_string() {
                    arrays += 1;
                    if want["heap_sha256"] != digest {
                        wrong.push(format!("{label}: arrays"));
                    }
                } else if !(scaled || digits && want["sum"].is_number()) {
                    bytes += 1;
                    if want["raw_sha256"] != digest {
                        wrong.push(format!("{label}: {}", field.data_type()));
                    }
                }
                if want["sum"].is_number() && here.null.is_none() {
                    sums += 1;
                    let values = batches.iter().flat_map(|batch| numbers(batch.column(index)));
                    let sum: f64 = values.filter(|v| v.is_finite()).sum();
                    let wanted = want["sum"].as_f64().unwrap();
                    if (sum - wanted).abs() > 1e-12 * sum.abs().max(wanted.abs()) {
                        wrong.push(format!("{label}: sum {sum} instead of {wanted}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(bytes > 2300 && arrays == 11 && sums > 2100, "{bytes} {arrays} {sums}");
}

fn of_all_kinds(rows: usize) -> Vec<u8> {
    FitsTable::new("KINDS")
        .column(Column::new("Flux_R", "E").unit("nanomaggy").disp("F8.4"))
        .column(Column::new("vec", "3E"))
        .column(Column::new("NULLED", "J").null(-1))
        .column(Column::new("U16", "I").zero(32768.0).null(7))
        .column(Column::new("SCALED", "I").scale(0.5).null(-2))
        .column(Column::unnamed("8A"))
        .column(Column::new("LOGIC", "L"))
        .column(Column::new("BITS", "11X"))
        .column(Column::new("NONE", "0E"))
        .column(Column::new("CPLX", "C"))
        .column(Column::new("VARI", "1PI").null(3))
        .column(Column::new("VARQ", "1QA"))
        .column(Column::new("WORDS", "12A").dim("(4,3)"))
        .raw_card("SURVEY  = 'mini   ' / of what")
        .raw_card("SEED    = 12")
        .raw_card("COMMENT first")
        .raw_card("COMMENT second")
        .rows(rows, |row, cells| {
            cells.put(if row % 5 == 0 { f32::NAN } else { row as f32 });
            cells.put([row as f32, -1.0, 0.5]);
            cells.put(row as i32 % 3 - 1).put((row % 9) as i16).put(row as i16 % 4 - 2);
            cells.bytes(&[b'a', 0xe9, b' ', b' ', if row % 2 == 0 { 0 } else { b' ' }, b'z', b' ', b' ']);
            cells.bytes([b"T", b"F", b"\0", b"?"][row % 4]).bytes(&[row as u8, 0xa0]).bytes(&[]);
            cells.bytes(&[0, 0, 0, 0, 0x3f, 0x80, 0, 0]);
            cells
                .put(&[row as i16, 3, -1][..row % 4])
                .put("abc".get(..row % 3).unwrap_or_default())
                .put("one two thr ");
        })
        .to_bytes()
}

/// Every type, null and key.
#[test]
fn types_nulls_and_metadata() {
    let table = table(of_all_kinds(8));
    let batches = table.scan().record_batches().unwrap();
    let schema = batches.schema();
    let item = |data_type, nullable| Arc::new(Field::new_list_field(data_type, nullable));
    let found: Vec<_> =
        schema.fields().iter().map(|f| (f.name().as_str(), f.data_type().clone(), f.is_nullable())).collect();
    let wanted = [
        ("Flux_R", DataType::Float32, false),
        ("vec", DataType::FixedSizeList(item(DataType::Float32, false), 3), false),
        ("NULLED", DataType::Int32, true),
        ("U16", DataType::UInt16, true),
        ("SCALED", DataType::Float64, true),
        ("col6", DataType::Utf8, false),
        ("LOGIC", DataType::Boolean, true),
        ("BITS", DataType::FixedSizeList(item(DataType::Boolean, false), 11), false),
        ("NONE", DataType::List(item(DataType::Float32, false)), false),
        ("CPLX", DataType::FixedSizeList(item(DataType::Float32, false), 2), false),
        ("VARI", DataType::List(item(DataType::Int16, true)), false),
        ("VARQ", DataType::LargeUtf8, false),
        ("WORDS", DataType::FixedSizeList(item(DataType::Utf8, false), 3), false),
    ];
    assert_eq!(found, wanted);
    let key = |column: usize, key: &str| schema.field(column).metadata().get(key).map(String::as_str);
    assert_eq!(key(0, "FITS:TUNIT"), Some("nanomaggy"));
    assert_eq!(key(0, "FITS:TDISP"), Some("F8.4"));
    assert_eq!(key(2, "FITS:TNULL"), Some("-1"));
    assert_eq!(key(4, "FITS:TSCAL"), Some("0.5"));
    assert_eq!(key(10, "FITS:TFORM"), Some("1PI"));
    assert_eq!(key(12, "FITS:TDIM"), Some("(4,3)"));
    let mut keys: Vec<_> = schema.metadata().iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            ("FITS:COMMENT", "first\nsecond"),
            ("FITS:EXTNAME", "KINDS"),
            ("FITS:SEED", "12"),
            ("FITS:SURVEY", "mini")
        ]
    );
    let batch = &all(batches)[0];
    let values = |name: &str| rows(batch.column_by_name(name).unwrap());
    let column = |name: &str| json!(values(name));
    let part = |name: &str, range: std::ops::Range<usize>| json!(values(name)[range]);
    assert_eq!(column("NULLED"), json!([null, 0, 1, null, 0, 1, null, 0]));
    assert_eq!(part("U16", 6..8), json!([32774, null]));
    assert_eq!(column("SCALED"), json!([null, -0.5, 0.0, 0.5, null, -0.5, 0.0, 0.5]));
    assert_eq!(part("col6", 0..2), json!(["aé", "aé   z"]));
    assert_eq!(part("LOGIC", 0..4), json!([true, false, null, null]));
    let bits = [false, false, false, false, false, false, true, true, true, false, true];
    assert_eq!(column("BITS")[3], json!(bits));
    assert_eq!(column("NONE"), json!([[], [], [], [], [], [], [], []]));
    assert_eq!(column("CPLX")[1], json!([0.0, 1.0]));
    assert_eq!(
        column("VARI"),
        json!([[], [1], [2, null], [null, null, -1], [], [5], [6, null], [7, null, -1]])
    );
    assert_eq!(part("VARQ", 0..3), json!(["", "a", "ab"]));
    assert_eq!(column("WORDS")[7], json!(["one", "two", "thr"]));
    // NaN is a value.
    let flux = batch.column(0).as_primitive::<Float32Type>();
    assert!(flux.null_count() == 0 && flux.value(0).is_nan() && flux.value(1) == 1.0);
    // The bytes of text, as they are.
    let raw = table.scan().columns(["varq", "words"]).unwrap().column_at(5).unwrap();
    let raw = all(raw.record_batches().unwrap().raw_text()).remove(0);
    let types: Vec<_> = raw.schema().fields().iter().map(|f| f.data_type().clone()).collect();
    assert_eq!(types, [DataType::LargeBinary, DataType::FixedSizeBinary(12), DataType::FixedSizeBinary(8)]);
    assert_eq!(raw.column(2).as_fixed_size_binary().value(0), b"a\xe9  \0z  ");
}

/// What no batch can be made of, and what none is made of.
#[test]
fn empty_and_damaged_tables() {
    let empty = table(of_all_kinds(0));
    let batches = empty.scan().record_batches().unwrap();
    assert_eq!((batches.schema().fields().len(), batches.count()), (13, 0));
    // Rows without bytes: however many the header claims, there is nothing in them.
    let bare = FitsTable::new("T")
        .column(Column::new("A", "0J"))
        .rows(1000, |_, cells| _ = cells.bytes(&[]))
        .to_bytes();
    assert_eq!(table(bare).scan().record_batches().unwrap().count(), 0);
    // Batches come up to the damage, then the error, then nothing.
    let bytes = of_all_kinds(3000);
    let table = table(bytes.clone());
    let mut broken = bytes.clone();
    // The count of elements of an array in row 2000.
    let field = table.columns()[table.index_of("VARI").unwrap()].offset;
    let at = (table.hdu().data_offset() + 2000 * table.row_bytes() + field) as usize;
    broken[at..at + 4].fill(0x7f);
    for bytes in [broken.clone(), gzip(&broken)] {
        let table = self::table(bytes);
        let mut batches = table.scan().record_batches().unwrap().batch_size(600);
        let mut rows = 0;
        let error = loop {
            match batches.next().unwrap() {
                Ok(batch) => rows += batch.num_rows(),
                Err(error) => break error,
            }
        };
        assert_eq!((rows, error.location().row, error.class()), (1800, Some(2000), ErrorClass::Data));
        assert!(batches.next().is_none());
    }
    // The CRC of a compressed file is looked at with its last row.
    let mut crc = gzip(&bytes);
    let at = crc.len() - 8;
    crc[at] ^= 1;
    let found: Vec<_> = self::table(crc).scan().columns(["vec"]).unwrap().record_batches().unwrap().collect();
    assert!(found.len() > 1 || found[0].is_err());
    assert!(found.last().unwrap().is_err() && found.iter().filter(|b| b.is_err()).count() == 1);
}

/// A batch ends early where its arrays are long, and nothing is lost.
#[test]
fn long_arrays_end_a_batch() {
    let bytes = FitsTable::new("V")
        .column(Column::new("N", "J"))
        .column(Column::new("V", "1PD"))
        .rows(40, |row, cells| {
            cells.put(row as i32).put(&vec![row as f64; 400_000][..]);
        })
        .to_bytes();
    let table = table(bytes);
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let batches = pool.install(|| all(table.scan().record_batches().unwrap().batch_size(30)));
        let sizes: Vec<_> = batches.iter().map(RecordBatch::num_rows).collect();
        assert_eq!(sizes.iter().sum::<usize>(), 40);
        assert!(sizes.iter().all(|&rows| rows <= 23), "{sizes:?}");
        let found: Vec<_> = batches.iter().flat_map(|batch| rows(batch.column(0))).collect();
        assert_eq!(json!(found), json!((0..40).collect::<Vec<_>>()));
        let last = batches.last().unwrap().column(1).as_list::<i32>().clone();
        assert_eq!(last.value(last.len() - 1).as_primitive::<Float64Type>().value(399_999), 39.0);
    }
}

/// What Arrow's own reader takes back from a stream.
#[test]
fn a_stream_is_read_back() {
    let table = table(of_all_kinds(100));
    let batches = table.scan().record_batches().unwrap().batch_size(33);
    let schema = batches.schema();
    let mut writer = arrow_ipc::writer::StreamWriter::try_new(Vec::new(), &schema).unwrap();
    let written: Vec<_> = batches.into_reader().collect::<Result<_, _>>().unwrap();
    written.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish().unwrap();
    let stream = writer.into_inner().unwrap();
    let reader = arrow_ipc::reader::StreamReader::try_new(&stream[..], None).unwrap();
    assert_eq!(reader.schema(), schema);
    let read: Vec<RecordBatch> = reader.collect::<Result<_, _>>().unwrap();
    // NaN equals nothing, so the texts are compared.
    assert_eq!(format!("{read:?}"), format!("{written:?}"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Batches hold what whole columns hold, whatever their size, the rows and the threads.
    #[test]
    fn batches_are_the_columns(
        count in 0_usize..400, size in 1_usize..300, start in 0_u64..300, length in 0_u64..300, threads in 1_usize..4,
    ) {
        let table = table(of_all_kinds(count));
        let range = start.min(count as u64) as usize..(start + length).min(count as u64) as usize;
        let scan = table.scan().columns(["flux_r", "vari", "u16"]);
        let scan = scan.unwrap().column_at(5).unwrap().rows(start..start + length);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let batches = pool.install(|| all(scan.record_batches().unwrap().batch_size(size)));
        let sizes: Vec<_> = batches.iter().map(RecordBatch::num_rows).collect();
        prop_assert!(sizes.iter().rev().skip(1).all(|&rows| rows == size), "{:?}", sizes);
        let column = |n: usize| -> Vec<Value> { batches.iter().flat_map(|batch| rows(batch.column(n))).collect() };
        let part = |all: Vec<Value>| json!(all[range.clone()]);
        let real = |v: f64| if v.is_nan() { Value::Null } else { v.into() };
        let flux: Vec<f32> = table.column("flux_r").unwrap();
        prop_assert_eq!(json!(column(0)), part(flux.into_iter().map(|v| real(v.into())).collect()));
        // An integer column with TNULL is read as f64.
        let arrays: Vec<Vec<f64>> = table.column("vari").unwrap();
        let arrays: Vec<Value> = arrays.iter().map(|a| a.iter().map(|&v| real(v)).collect::<Vec<_>>().into()).collect();
        let wanted = part(arrays);
        prop_assert!(same(&json!(column(1)), &wanted), "{:?} {}", column(1), wanted);
        let nulled: Vec<f64> = table.column("u16").unwrap();
        let wanted = part(nulled.into_iter().map(real).collect());
        prop_assert!(same(&json!(column(2)), &wanted), "{:?} {}", column(2), wanted);
        let text: Vec<String> = table.column_at(5).unwrap();
        prop_assert_eq!(json!(column(3)), part(text.into_iter().map(Value::from).collect()));
    }
}
