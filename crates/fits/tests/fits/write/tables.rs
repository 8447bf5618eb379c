//! Binary tables.

use super::{refused, written};
use coaddkit_fits::{Cells, Column, ErrorKind, Fits, NewTable, Table, Values};

fn column(name: &str, tform: &str) -> Column {
    Column::new(name, tform).unwrap()
}

fn one(column: Column, values: &dyn Cells) -> Table {
    table(written(|w| w.table(&NewTable::new().column(column), &[values])))
}

fn table(fits: Fits) -> Table {
    fits.hdu(1).unwrap().table().unwrap()
}

#[test]
fn columns_of_every_type() {
    macro_rules! same {
        ($tform:literal, $type:ty, $values:expr) => {{
            let values: Vec<$type> = $values.to_vec();
            let column = column("C", $tform);
            let unsigned =
                stringify!($type).starts_with('u') && stringify!($type) != "u8" || stringify!($type) == "i8";
            let column = if unsigned { column.unsigned() } else { column };
            assert_eq!(one(column, &values).column::<$type>("c").unwrap(), values, $tform);
        }};
    }
    same!("B", u8, [0, 255, 7]);
    same!("B", i8, [0, 127, -128]);
    same!("I", i16, [0, i16::MAX, i16::MIN]);
    same!("I", u16, [0, 1, u16::MAX]);
    same!("J", i32, [0, i32::MAX, i32::MIN]);
    same!("J", u32, [0, 1, u32::MAX]);
    same!("K", i64, [0, i64::MAX, i64::MIN]);
    same!("K", u64, [0, 1, u64::MAX]);
    same!("E", f32, [0.0, f32::MAX, f32::INFINITY]);
    same!("D", f64, [0.0, 5e-324, f64::NEG_INFINITY]);
    same!("C", [f32; 2], [[0.0, -1.5], [f32::MAX, 2.0]]);
    same!("M", [f64; 2], [[0.0, -1.5], [f64::MAX, 2.0]]);
    same!("L", Option<bool>, [Some(true), Some(false), None]);
    same!("X", bool, [true, false, true]);
    same!("3J", i32, [1, 2, 3, 4, 5, 6]);
    same!("11X", bool, [true; 22]);
    same!("2L", Option<bool>, [Some(true), None, Some(false), None]);
    same!("5A", String, ["abc".to_owned(), String::new(), "five5".to_owned()]);
    assert_eq!(
        one(column("L", "L"), &[true, false]).column::<Option<bool>>("L").unwrap(),
        [Some(true), Some(false)]
    );
    assert_eq!(one(column("A", "3A"), &["a", "bcd"]).column::<String>("A").unwrap(), ["a", "bcd"]);
}

#[test]
fn arrays_of_every_type() {
    macro_rules! same {
        ($tform:literal, $type:ty, $values:expr) => {
            for descriptor in ["1P", "1Q", "P"] {
                let values: Vec<Vec<$type>> = vec![$values.to_vec(), vec![], $values[1..].to_vec()];
                let table = one(column("V", &format!("{descriptor}{}(99)", $tform)), &values);
                assert_eq!(table.column::<Vec<$type>>("V").unwrap(), values, $tform);
                assert!(
                    table.columns()[0].tform.ends_with(&format!("{}(3)", $tform)),
                    "{}",
                    table.columns()[0].tform
                );
            }
        };
    }
    same!("B", u8, [0, 255, 7]);
    same!("I", i16, [0, i16::MAX, i16::MIN]);
    same!("J", i32, [0, i32::MAX, i32::MIN]);
    same!("K", i64, [0, i64::MAX, i64::MIN]);
    same!("E", f32, [0.0, 1.5, -2.5]);
    same!("D", f64, [0.0, 1.5, -2.5]);
    same!("C", [f32; 2], [[0.0, -1.5], [1.0, 2.0], [3.0, 4.0]]);
    same!("M", [f64; 2], [[0.0, -1.5], [1.0, 2.0], [3.0, 4.0]]);
    same!("L", Option<bool>, [Some(true), Some(false), None]);
    same!("X", bool, [true, false, true]);
    let unsigned = vec![vec![0_u16, u16::MAX], vec![]];
    assert_eq!(one(column("V", "1PI").unsigned(), &unsigned).column::<Vec<u16>>("V").unwrap(), unsigned);
    let texts = vec![vec!["hello".to_owned()], vec![], vec!["x".to_owned()]];
    assert_eq!(one(column("V", "1PA"), &texts).column::<Vec<String>>("V").unwrap().concat(), texts.concat());
    let fixed = vec![vec!["ab".to_owned(), "c".to_owned()], vec!["d".to_owned(); 3]];
    assert_eq!(one(column("V", "1QA").with_dim(&[9, 2]), &fixed).column::<Vec<String>>("V").unwrap(), fixed);
}

#[test]
fn vectors_shapes_and_units() {
    let stamp = column("STAMP", "12I").with_dim(&[3, 4]).with_unit("adu");
    let pixels: Vec<i16> = (0..24).collect();
    let table = one(stamp, &pixels);
    assert_eq!(
        (table.columns()[0].dim.as_deref(), table.columns()[0].unit.as_deref()),
        (Some(&[3, 4][..]), Some("adu"))
    );
    assert_eq!(table.column::<i16>("stamp").unwrap(), pixels);
    let rows: Vec<Vec<i16>> = pixels.chunks(12).map(<[i16]>::to_vec).collect();
    let again = one(column("STAMP", "12I"), &rows);
    assert_eq!(again.column::<Vec<i16>>("stamp").unwrap(), rows);
    let names = one(column("NAMES", "12A").with_dim(&[3, 4]), &["a", "bcde", "f", "g", "", "i"]);
    assert_eq!(
        names.column::<Vec<String>>("NAMES").unwrap(),
        [["a", "bcde", "f"].map(str::to_owned), ["g", "", "i"].map(str::to_owned)]
    );
}

#[test]
fn scaled_columns_and_nulls() {
    let scaled = one(column("S", "I").with_scale(0.01, 5.0).with_null(-1), &[5.0, 5.123, f64::NAN]);
    let found = scaled.column::<f64>("S").unwrap();
    assert!(found[0] == 5.0 && (found[1] - 5.12).abs() < 1e-12 && found[2].is_nan());
    // Integers whose null the caller writes himself, and floats that are integers.
    let nulls = one(column("N", "J").with_null(-99), &[1_i32, -99, 3]);
    assert_eq!(format!("{:?}", nulls.column::<f64>("N").unwrap()), "[1.0, NaN, 3.0]");
    let nulls = one(column("N", "J").with_null(-99), &[1.0, f64::NAN]);
    assert_eq!(format!("{:?}", nulls.column::<f64>("N").unwrap()), "[1.0, NaN]");
    let floats = one(column("F", "E").with_scale(2.0, 1.0), &[5.0, 6.0]);
    assert_eq!(floats.column::<f64>("F").unwrap(), [5.0, 6.0]);
    let complex = one(column("Z", "C").with_scale(2.0, 1.0), &[[5.0, 6.0]]);
    assert_eq!(complex.column::<[f64; 2]>("Z").unwrap(), [[5.0, 6.0]]);
    // Narrower integers in wider columns, and the other way where they fit.
    assert_eq!(one(column("W", "K"), &[7_u8, 9]).column::<i64>("W").unwrap(), [7, 9]);
    assert_eq!(one(column("W", "I"), &[7_i64, -9]).column::<i16>("W").unwrap(), [7, -9]);
    assert_eq!(one(column("W", "D"), &[1.5_f32]).column::<f64>("W").unwrap(), [1.5]);
    assert_eq!(one(column("W", "E"), &[1 << 24]).column::<f32>("W").unwrap(), [16_777_216.0]);
}

#[test]
fn many_columns_and_blocks_of_rows() {
    let rows = 30_000_usize;
    let (id, flux): (Vec<i64>, Vec<f32>) = (0..rows).map(|n| (n as i64 * 7, n as f32 / 3.0)).unzip();
    let lists: Vec<Vec<f32>> = (0..rows).map(|n| flux[n..(n + n % 7).min(rows)].to_vec()).collect();
    let bits: Vec<bool> = (0..9 * rows).map(|n| n % 5 == 0).collect();
    let new = NewTable::new()
        .column(column("ID", "K"))
        .column(column("BITS", "9X"))
        .column(column("LIST", "PE"))
        .column(column("FLUX", "E"));
    let table = table(written(|w| w.table(&new, &[&id, &bits, &lists, &flux])));
    assert_eq!(table.rows(), rows as u64);
    assert_eq!(table.column::<i64>("ID").unwrap(), id);
    assert_eq!(table.column::<bool>("BITS").unwrap(), bits);
    assert_eq!(table.column::<Vec<f32>>("LIST").unwrap(), lists);
    assert_eq!(table.column::<f32>("FLUX").unwrap(), flux);
}

#[test]
fn tables_without_rows_or_columns() {
    let empty = one(column("A", "J"), &[0_i32; 0]);
    assert_eq!((empty.rows(), empty.columns().len()), (0, 1));
    let none = table(written(|w| w.table(&NewTable::new(), &[])));
    assert_eq!((none.rows(), none.columns().len()), (0, 0));
    let new = NewTable::new().column(column("W", "0J")).column(column("A", "I"));
    let table = table(written(|w| w.table(&new, &[&[0_i32; 0], &[1_i16, 2]])));
    assert_eq!(table.column::<i16>("A").unwrap(), [1, 2]);
}

#[test]
fn columns_of_another_table_are_written_anew() {
    let new = NewTable::new()
        .column(column("A", "2E").with_unit("mJy"))
        .column(column("B", "PJ"))
        .column(column("C", "I").with_scale(0.5, 1.0).with_null(-1));
    let first = table(written(|w| w.table(&new, &[&[1_f32, 2.0], &[vec![1, 2, 3]], &[2.5]])));
    let copy = first.columns().iter().cloned().fold(NewTable::new(), NewTable::column);
    let second = table(written(|w| {
        let (a, b) = (first.column::<f32>("A").unwrap(), first.column::<Vec<i32>>("B").unwrap());
        w.table(&copy, &[&a, &b, &first.column::<f64>("C").unwrap()])
    }));
    assert_eq!(first.columns(), second.columns());
    let stored = |table: &Table| {
        let mut all = Vec::new();
        let scan = table.scan().column("A").unwrap().column("C").unwrap();
        scan.for_each(|chunk| {
            all.push(chunk.stored(0).field(0).to_vec());
            all.push(chunk.stored(1).field(0).to_vec());
            assert!(matches!(chunk.values(1), Values::F64(_)));
            Ok::<_, coaddkit_fits::Error>(())
        })
        .unwrap();
        all
    };
    assert_eq!(stored(&first), stored(&second));
}

#[test]
fn what_does_not_fit_is_refused_with_its_place() {
    let try_one =
        |column: Column, values: &dyn Cells| refused(|w| w.table(&NewTable::new().column(column), &[values]));
    for (error, wanted) in [
        (try_one(column("A", "I"), &[1_i32, 40_000]), "column A: row 1: 40000 is beyond"),
        (try_one(column("A", "J"), &[u32::MAX]), "4294967295 is beyond"),
        (try_one(column("A", "J"), &[1.5]), "row 0: 1.5 is no integer"),
        (try_one(column("A", "J"), &[f64::NAN]), "it is NaN, and there is no null"),
        (try_one(column("A", "E"), &[0.1_f64]), "0.1 is rounded"),
        (try_one(column("A", "E"), &[(1 << 24) + 1]), "16777217 is rounded"),
        (try_one(column("A", "D"), &[(1_i64 << 53) + 1]), "is rounded"),
        (try_one(column("A", "D"), &[u64::MAX]), "is rounded"),
        (try_one(column("A", "C"), &[[0.1_f64, 0.0]]), "is rounded"),
        (try_one(column("A", "2J"), &[1, 2, 3]), "3 values are no whole number of rows of 2"),
        (try_one(column("A", "2J"), &[vec![1, 2, 3]]), "row 0: 3 values for a field of 2"),
        (try_one(column("A", "PJ"), &[1, 2, 3]), "wants one Vec a row"),
        (try_one(column("A", "3A"), &["abcd"]), "\"abcd\" is longer than 3"),
        (try_one(column("A", "3A"), &["é"]), "printable ASCII"),
        (try_one(column("A", "L"), &[1]), "L is not for numbers"),
        (try_one(column("A", "J"), &["x"]), "J is not for text"),
        (try_one(column("A", "E").with_null(1), &[1_f32]), "E has no null value"),
        (try_one(column("A", "A").with_scale(2.0, 0.0), &["x"]), "TSCAL is 2"),
        (try_one(column("A", "J").with_scale(0.0, 0.0), &[1.0]), "TSCAL is 0"),
        (try_one(column("A", "2J").with_dim(&[2, 2]), &[1, 2]), "[2, 2] is no shape of 2"),
        (try_one(column("A\n", "J"), &[1]), "printable ASCII"),
    ] {
        assert!(error.contains(wanted), "{error} lacks {wanted}");
    }
    let two = || NewTable::new().column(column("A", "J")).column(column("B", "J"));
    assert!(
        refused(|w| w.table(&two(), &[&[1, 2], &[1]]))
            .contains("column B: it has 1 rows, those before it have 2")
    );
    assert!(refused(|w| w.table(&two(), &[&[1]])).contains("it has 2 columns, values are given for 1"));
    assert!(refused(|w| w.table(&two().column(column("a", "E")), &[])).contains("another one of that name"));
    for tform in ["", "Z", "J J", "-1J", "2PJ", "PP", "99999999999999999999J"] {
        let error = Column::new("A", tform).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Unwritable { .. }), "{tform}: {error}");
    }
}
