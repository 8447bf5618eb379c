//! Values of tables of all kinds: the conformance set, whole columns, and arrays that are not where they should be.

use coaddkit_fits::{Chunk, Column as About, Error, ErrorClass, ErrorKind, Fits, Limits, Table, Values};
use coaddkit_testkit::{Column, FitsTable, damage, gunzip, gzip};
use serde_json::{Value, json};
use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/conformance")
}

fn table(bytes: Vec<u8>) -> Table {
    Fits::from_source(bytes).unwrap().hdu(1).unwrap().table().unwrap()
}

/// Numbers as the ledger has them: NaN is null.
fn number(v: impl Into<f64>) -> Value {
    let v = v.into();
    if v.is_nan() { Value::Null } else { v.into() }
}

fn text(bytes: &[u8]) -> Value {
    String::from_utf8(bytes.to_vec()).unwrap().into()
}

/// The rows of a block.
fn rows(values: Values<'_>, rows: usize, column: &About) -> Vec<Value> {
    let split = |flat: Vec<Value>| -> Vec<Value> {
        let repeat = flat.len() / rows.max(1);
        if column.repeat == 1 && column.element.is_none() { flat } else { nested(&flat, repeat, rows) }
    };
    match values {
        Values::I8(v) => split(v.iter().map(|&v| v.into()).collect()),
        Values::U8(v) => split(v.iter().map(|&v| v.into()).collect()),
        Values::I16(v) => split(v.iter().map(|&v| v.into()).collect()),
        Values::U16(v) => split(v.iter().map(|&v| v.into()).collect()),
        Values::I32(v) => split(v.iter().map(|&v| v.into()).collect()),
        Values::U32(v) => split(v.iter().map(|&v| v.into()).collect()),
        Values::I64(v) => split(v.iter().map(|&v| v.into()).collect()),
        Values::U64(v) => split(v.iter().map(|&v| v.into()).collect()),
        Values::F32(v) => split(v.iter().map(|&v| number(v)).collect()),
        Values::F64(v) => split(v.iter().map(|&v| number(v)).collect()),
        Values::C32(v) => split(v.iter().map(|&[re, im]| json!([number(re), number(im)])).collect()),
        Values::C64(v) => split(v.iter().map(|&[re, im]| json!([number(re), number(im)])).collect()),
        Values::Logical(v) => split(v.iter().map(Value::from).collect()),
        Values::Bits(v) => split(v.iter().map(Value::from).collect()),
        Values::Text(t) => (0..t.len()).map(|row| text(t.get(row))).collect(),
        Values::Arrays(arrays) => (0..arrays.len())
            .map(|row| match arrays.get(row) {
                Values::Text(t) => text(t.get(0)),
                one => self::rows(one, 1, column).remove(0),
            })
            .collect(),
        _ => panic!("a new kind of values"),
    }
}

fn nested(flat: &[Value], repeat: usize, rows: usize) -> Vec<Value> {
    (0..rows).map(|row| flat[row * repeat..(row + 1) * repeat].to_vec().into()).collect()
}

/// All rows of a column, read `chunk_bytes` at a time.
fn values_of(table: &Table, index: usize, chunk_bytes: usize) -> Vec<Value> {
    let mut out = Vec::new();
    let scan = table.scan().chunk_bytes(chunk_bytes).column_at(index).unwrap();
    scan.for_each(|chunk: &Chunk<'_>| {
        assert_eq!(chunk.first_row(), out.len() as u64);
        out.extend(rows(chunk.values(0), chunk.rows(), &table.columns()[index]));
        assert_eq!(chunk.first_row() as usize + chunk.rows(), out.len());
        Ok::<_, Error>(())
    })
    .unwrap_or_else(|e| panic!("{}: {e}", table.columns()[index].name));
    out
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

/// Every value of every column, in memory and through gzip, in one block and in many.
#[test]
fn tables_are_those_of_the_ledger() {
    let ledger: Value =
        serde_json::from_slice(&std::fs::read(folder().join("tables.json")).unwrap()).unwrap();
    let mut columns = 0;
    for entry in ledger.as_array().unwrap() {
        let name = entry["file"].as_str().unwrap();
        let path = folder().join(format!("tables/{name}.gz"));
        let whole = table(gunzip(&std::fs::read(&path).unwrap()).unwrap());
        let packed = Fits::open(&path).unwrap().hdu(1).unwrap().table().unwrap();
        for (index, want) in entry["columns"].as_array().unwrap().iter().enumerate() {
            let label = format!("{name} {}", want["name"]);
            assert_eq!(whole.columns()[index].name, want["name"].as_str().unwrap(), "{label}");
            for (table, chunk_bytes) in [(&whole, 1 << 20), (&whole, 1), (&whole, 100), (&packed, 200)] {
                let mut found = values_of(table, index, chunk_bytes);
                if want["name"] == "WORDS" {
                    let words: Vec<Vec<String>> = table.column("words").unwrap();
                    found = words.into_iter().map(Value::from).collect();
                }
                let wanted = want["values"].as_array().unwrap();
                assert_eq!(found.len(), wanted.len(), "{label}");
                for (row, (found, wanted)) in found.iter().zip(wanted).enumerate() {
                    assert!(same(found, wanted), "{label}, row {row}: {found} instead of {wanted}");
                }
            }
            columns += 1;
        }
    }
    assert_eq!(columns, 10 + 10 + 4 + 7 + 7 + 1 + 3 * 14);
}

/// Rows of a tile-compressed table are a range like any other, whatever the tiles.
#[test]
fn ranges_of_a_compressed_table() {
    let path = folder().join("tables/compressed.fits.gz");
    let table = Fits::open(path).unwrap().hdu(1).unwrap().table().unwrap();
    let all: Vec<i32> = table.column("SMOOTH").unwrap();
    let arrays: Vec<Vec<i32>> = table.column("VJ").unwrap();
    assert_eq!((table.rows(), all.len(), arrays.len()), (50, 50, 50));
    for range in [0..50, 0..1, 16..18, 17..34, 33..35, 49..60, 20..20, 51..52] {
        let scan = table.scan().columns(["SMOOTH", "VJ"]).unwrap().rows(range.clone());
        let (mut found, mut found_arrays) = (Vec::new(), Vec::new());
        scan.for_each(|chunk| {
            let (Values::I32(v), Values::Arrays(a)) = (chunk.values(0), chunk.values(1)) else { panic!() };
            found.extend_from_slice(v);
            found_arrays.extend((0..a.len()).map(|row| match a.get(row) {
                Values::I32(v) => v.to_vec(),
                other => panic!("{other:?}"),
            }));
            Ok::<_, Error>(())
        })
        .unwrap();
        let rows = range.start.min(50) as usize..range.end.min(50) as usize;
        assert_eq!((found, found_arrays), (all[rows.clone()].to_vec(), arrays[rows].to_vec()), "{range:?}");
        let sum = scan
            .fold(
                || 0,
                |sum, chunk| {
                    let Values::I32(v) = chunk.values(0) else { panic!() };
                    *sum += v.iter().map(|&v| i64::from(v)).sum::<i64>();
                    Ok::<_, Error>(())
                },
                |a, b| a + b,
            )
            .unwrap();
        assert_eq!(sum, (range.start.min(50)..range.end.min(50)).map(|n| 3 * n as i64).sum::<i64>());
    }
}

#[test]
fn whole_columns_in_the_type_asked_for() {
    let table = table(
        FitsTable::new("T")
            .column(Column::new("I", "2I"))
            .column(Column::new("K", "K"))
            .column(Column::new("E", "E"))
            .column(Column::new("A", "6A"))
            .column(Column::new("V", "1PE"))
            .column(Column::new("X", "3X"))
            .column(Column::new("L", "2L"))
            .rows(3, |row, cells| {
                cells.put([row as i16, -1]).put((1_i64 << 60) + row as i64).put(0.5_f32);
                cells.put("ab").put(&[1.0_f32, 2.0][..row.min(2)]);
                cells.bytes(&[(row as u8) << 5]).bytes(if row == 1 { b"T\0" } else { b"FT" });
            })
            .to_bytes(),
    );
    assert_eq!(table.column::<i16>("i").unwrap(), [0, -1, 1, -1, 2, -1]);
    assert_eq!(table.column::<f64>("i").unwrap(), [0.0, -1.0, 1.0, -1.0, 2.0, -1.0]);
    assert_eq!(table.column::<Vec<i64>>("i").unwrap(), [[0, -1], [1, -1], [2, -1]]);
    assert_eq!(table.column::<f64>("k").unwrap()[0], (1_u64 << 60) as f64);
    assert_eq!(table.column::<String>("a").unwrap(), ["ab", "ab", "ab"]);
    assert_eq!(table.column::<Vec<f64>>("v").unwrap(), [vec![], vec![1.0], vec![1.0, 2.0]]);
    assert_eq!(table.column::<bool>("x").unwrap()[3..], [false, false, true, false, true, false]);
    assert_eq!(table.column::<Vec<bool>>("x").unwrap()[1..], [[false, false, true], [false, true, false]]);
    let logicals = [[Some(false), Some(true)], [Some(true), None], [Some(false), Some(true)]];
    assert_eq!(table.column::<Option<bool>>("l").unwrap(), logicals.concat());
    assert_eq!(table.column::<Vec<Option<bool>>>("l").unwrap(), logicals);
    for error in [
        table.column::<i32>("k").unwrap_err(),
        table.column::<f32>("k").unwrap_err(),
        table.column::<u16>("i").unwrap_err(),
        table.column::<f32>("a").unwrap_err(),
        table.column::<f32>("v").unwrap_err(),
        table.column::<Vec<i32>>("v").unwrap_err(),
        table.column::<bool>("i").unwrap_err(),
    ] {
        assert!(matches!(error.kind(), ErrorKind::ColumnType { .. }), "{error}");
    }
    assert!(table.column::<f32>("none").unwrap_err().to_string().contains("no column none"));
}

fn with_arrays() -> FitsTable {
    FitsTable::new("V").column(Column::new("N", "J")).column(Column::new("V", "1PJ")).heap_gap(7).rows(
        100,
        |row, cells| {
            cells.put(row as i32).put(&vec![row as i32; row % 5][..]);
        },
    )
}

/// A descriptor that points past the heap is an error with its row and place, whatever else is read.
#[test]
fn descriptors_are_kept_on_the_heap() {
    let whole = with_arrays().to_bytes();
    let data = damage::data_offset(&whole, 1);
    let at = data + 63 * 12 + 4;
    for (count, start) in [(201_u32, 0_u32), (1, 797), (1, u32::MAX), (u32::MAX, 0), (u32::MAX, u32::MAX)] {
        let mut broken = whole.clone();
        broken[at..at + 4].copy_from_slice(&count.to_be_bytes());
        broken[at + 4..at + 8].copy_from_slice(&start.to_be_bytes());
        let error = table(broken.clone()).column::<Vec<i32>>("v").unwrap_err();
        assert_eq!(error.class(), ErrorClass::Data, "{error}");
        assert!(error.to_string().contains("column V has"), "{error}");
        assert_eq!((error.location().row, error.location().offset), (Some(63), Some(at as u64)), "{error}");
        assert_eq!(table(broken).column::<i32>("n").unwrap().len(), 100);
    }
    // The last array that is on the heap, and an empty one that points nowhere.
    for (count, start) in [(1_u32, 796_u32), (200, 0), (0, u32::MAX)] {
        let mut moved = whole.clone();
        moved[at..at + 4].copy_from_slice(&count.to_be_bytes());
        moved[at + 4..at + 8].copy_from_slice(&start.to_be_bytes());
        assert_eq!(table(moved).column::<Vec<i32>>("v").unwrap()[63].len(), count as usize);
    }
    for (card, says) in [
        ("THEAP   = 1199", "THEAP is 1199, but the rows take 1200 bytes"),
        ("THEAP   = 99999", "THEAP is 99999, but the data take 2007 bytes"),
        ("THEAP   = -1", "THEAP is -1"),
        ("THEAP   = 1208", "column V has"),
    ] {
        let error = table(damage::with_card(&whole, 1, "THEAP", card)).column::<Vec<i32>>("v").unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
}

/// A limit is charged before memory is taken, and one gigabyte that every row shares is read row by row.
#[test]
fn arrays_are_within_limits() {
    let shared = FitsTable::new("V")
        .column(Column::new("V", "1QB"))
        .raw_heap(&vec![9; 3 << 20])
        .raw_rows(50, &[(3_u64 << 20).to_be_bytes(), [0; 8]].concat().repeat(50));
    let path = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(path.path(), shared.to_bytes()).unwrap();
    let table = Fits::open(path.path()).unwrap().hdu(1).unwrap().table().unwrap();
    let (mut blocks, mut elements) = (0, 0);
    let scan = table.scan().column("v").unwrap();
    scan.for_each(|chunk| {
        let Values::Arrays(arrays) = chunk.values(0) else { panic!() };
        assert_eq!(chunk.rows(), 1, "3 MiB a row");
        (blocks, elements) = (blocks + 1, elements + arrays.elements());
        Ok::<_, Error>(())
    })
    .unwrap();
    assert_eq!((blocks, elements), (50, 50 * (3 << 20)));
    let limit = |change: fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        Fits::open_with(path.path(), limits).unwrap().hdu(1).unwrap().table().unwrap()
    };
    let error = limit(|l| l.array_bytes = (3 << 20) - 1).column::<Vec<u8>>("v").unwrap_err();
    assert_eq!(error.class(), ErrorClass::Limit, "{error}");
    let error = limit(|l| l.column_bytes = 100 << 20).column::<Vec<u8>>("v").unwrap_err();
    assert_eq!(error.class(), ErrorClass::Limit, "{error}");
    std::fs::write(path.path(), gzip(&shared.to_bytes())).unwrap();
    let error = limit(|l| l.buffer_bytes = 1 << 20).column::<Vec<u8>>("v").unwrap_err();
    assert_eq!(error.class(), ErrorClass::Limit, "{error}");
    assert_eq!(limit(|_| {}).column::<Vec<u8>>("v").unwrap().len(), 50);
}

/// Any damage to a compressed table is an error or another value of the same shape, never more.
#[test]
fn damaged_tiles_are_errors() {
    let whole = gunzip(&std::fs::read(folder().join("tables/compressed.fits.gz")).unwrap()).unwrap();
    let data = damage::data_offset(&whole, 1);
    let mut failed = 0;
    for at in (data..whole.len()).step_by(7) {
        let table = table(damage::flipped(&whole, at));
        for index in 0..table.columns().len() {
            let scan = table.scan().column_at(index).unwrap();
            let mut rows = 0;
            match scan.for_each(|chunk| {
                rows += chunk.rows();
                Ok::<_, Error>(())
            }) {
                Ok(()) => assert_eq!(rows, 50),
                Err(error) => {
                    assert_eq!(error.class(), ErrorClass::Data, "{error}");
                    assert!(error.location().row.is_some() && error.location().offset.is_some(), "{error}");
                    failed += 1;
                }
            }
        }
    }
    assert!(failed > 500, "{failed}");
    for (keyword, card, says) in [
        ("ZTILELEN", "ZTILELEN= 16", "ZTILELEN is 16"),
        ("ZTILELEN", "ZTILELEN= 0", "ZTILELEN is 0"),
        ("ZNAXIS2", "ZNAXIS2 = 9000000000000", "ZTILELEN is 17"),
        ("ZNAXIS1", "ZNAXIS1 = 5", "ZFORM2 ends at byte 8 of a row of 5 (ZNAXIS1)"),
        ("ZFORM2", "ZFORM2  = 'K'", "ZFORM14 ends at byte 93 of a row of 89"),
        ("ZNAXIS1", "ZNAXIS1 = 90", "ZNAXIS1 is 90, but the columns take 89"),
        ("TFORM2", "TFORM2  = '1QJ'", "TFORM2 is '1QJ', not an array of bytes"),
    ] {
        let broken = damage::with_card(&whole, 1, keyword, card);
        let error = Fits::from_source(broken).unwrap().hdu(1).unwrap().table().unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
    for (card, says) in
        [("ZCTYP2  = 'RICE_9'", "RICE_9"), ("ZCTYP11 = 'GZIP_2'", "GZIP_2 of complex numbers")]
    {
        let other = table(damage::with_card(&whole, 1, &card[..7], card));
        let index = if card.starts_with("ZCTYP2 ") { 1 } else { 10 };
        let error = other.scan().column_at(index).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Unsupported { .. }) && error.to_string().contains(says),
            "{error}"
        );
    }
}

#[test]
fn text_that_is_no_number_is_named() {
    let whole = gunzip(&std::fs::read(folder().join("tables/ascii.fits.gz")).unwrap()).unwrap();
    let data = damage::data_offset(&whole, 1);
    for (at, column) in [(data + 36 * 2 + 4, "INT"), (data + 36 + 10, "IMPLIED")] {
        let mut broken = whole.clone();
        broken[at] = b'x';
        let error = table(broken).column::<f64>(column).unwrap_err();
        assert!(error.to_string().contains("which is no number"), "{error}");
        let row = (at - data) / 36;
        assert_eq!(error.location().row, Some(row as u64), "{error}");
    }
}
