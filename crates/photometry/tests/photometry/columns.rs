//! Columns of every type.

use coaddkit_photometry::{Cut, CutError, CutFlow, Text, Values};

fn select(text: &str, columns: &[Values<'_>]) -> Vec<u32> {
    let cut: Cut = text.parse().unwrap();
    let rows = columns[0].rows();
    cut.evaluator().select(rows, columns, &mut cut.flow()).unwrap().to_vec()
}

#[test]
fn integers_compare_exactly_beyond_the_floats() {
    let big = [9_007_199_254_740_992_i64, 9_007_199_254_740_993, i64::MIN, i64::MAX];
    assert_eq!(select("id == 9007199254740993", &[Values::I64(&big)]), [1]);
    assert_eq!(select("9007199254740992 < id", &[Values::I64(&big)]), [1, 3]);
    assert_eq!(select("id != 9007199254740993", &[Values::I64(&big)]), [0, 2, 3]);
    let top = [u64::MAX, u64::MAX - 1, 0, 1 << 63];
    assert_eq!(select("id == 18446744073709551615", &[Values::U64(&top)]), [0]);
    assert_eq!(select("id >= -1", &[Values::U64(&top)]), [0, 1, 2, 3]);
    assert_eq!(select("id < 0", &[Values::U64(&top)]), [] as [u32; 0]);
    // Two columns of unlike types: as floats 2^53 and 2^53 + 1 would be equal, and -1 must not wrap.
    let other = [9_007_199_254_740_992_u64, 9_007_199_254_740_992, u64::MAX, i64::MAX as u64];
    assert_eq!(select("id > other", &[Values::I64(&big), Values::U64(&other)]), [1]);
    assert_eq!(select("id == other", &[Values::I64(&big), Values::U64(&other)]), [0, 3]);
}

#[test]
fn limits_outside_of_a_type_are_no_wrap() {
    let x = [-128_i8, -1, 0, 127];
    assert_eq!(select("x < 300", &[Values::I8(&x)]), [0, 1, 2, 3]);
    assert_eq!(select("x > 127", &[Values::I8(&x)]), [] as [u32; 0]);
    assert_eq!(select("x != 255", &[Values::I8(&x)]), [0, 1, 2, 3]);
    assert_eq!(select("x >= -128 and x <= -1", &[Values::I8(&x)]), [0, 1]);
    assert_eq!(select("x > -0.5", &[Values::I8(&x)]), [2, 3]);
}

#[test]
fn every_numeric_type_is_read() {
    macro_rules! check {
        ($($variant:ident: $t:ty),*) => {$(
            let x: Vec<$t> = (0..20).map(|v| v as $t).collect();
            let block = [Values::$variant(&x)];
            assert_eq!(select("x >= 18", &block), [18, 19]);
            assert_eq!(select("x * 2 > 37", &block), [19]);
            assert_eq!(select("mag(x) < 19.5 and x < 17", &block), [16]);
        )*};
    }
    check!(U8: u8, I8: i8, U16: u16, I16: i16, U32: u32, I32: i32, U64: u64, I64: i64, F32: f32, F64: f64);
}

#[test]
fn bits_of_every_integer_type() {
    macro_rules! check {
        ($($variant:ident: $t:ty),*) => {$(
            let x: Vec<$t> = vec![0, 1, 2, 3, 4, 0x12];
            let block = [Values::$variant(&x)];
            assert_eq!(select("m & 0x12", &block), [2, 3, 5]);
            assert_eq!(select("m & 0x12 == 0", &block), [0, 1, 4]);
            assert_eq!(select("m & 3 == 3", &block), [3]);
            assert_eq!(select("m & 3 != 1", &block), [0, 2, 3, 4, 5]);
            assert_eq!(select("m & 3 == 4", &block), [] as [u32; 0]);
            assert_eq!(select("m & 0x10000000000000", &block), [] as [u32; 0]);
        )*};
    }
    check!(U8: u8, I8: i8, U16: u16, I16: i16, U32: u32, I32: i32, U64: u64, I64: i64);
    // The sign bit fills what a wider integer would have.
    assert_eq!(select("m & 0x8000000000000000", &[Values::I16(&[-1, 1])]), [0]);
    assert_eq!(select("m & 0x80", &[Values::I8(&[-128, 1])]), [0]);
}

#[test]
fn texts_lose_trailing_blanks_and_nothing_else() {
    let data = b"PSF \x01REX\x00\x01 PSF\x01psf \x01PSFX\x01    \x01";
    let text = Values::Text(Text::new(data, 5, 4));
    assert_eq!(select("type == 'PSF'", &[text]), [0]);
    assert_eq!(select("type != 'PSF  '", &[text]), [1, 2, 3, 4, 5]);
    assert_eq!(select("type == 'REX' or type == ''", &[text]), [1, 5]);
}

#[test]
fn texts_that_do_not_fit_are_no_rows() {
    assert_eq!(Text::new(b"", 4, 4).rows(), 0);
    assert_eq!(Text::new(b"abc", 4, 4).rows(), 0);
    assert_eq!(Text::new(b"abcdabcdabc", 4, 4).rows(), 2);
    assert_eq!(Text::new(b"abcdabcd", 0, 4).rows(), 0);
    assert_eq!(Text::new(b"abcdabcd", 2, 4).rows(), 0);
    assert_eq!(Text::new(b"abcd....abcd", 8, 4).rows(), 2);
    assert_eq!(Text::new(b"abcd", 4, 4).get(1), None);
}

#[test]
fn wrong_types_are_errors_that_name_the_column() {
    let text = Values::Text(Text::new(b"ab", 1, 1));
    let (floats, integers) = (Values::F32(&[1.0, 2.0]), Values::I32(&[1, 2]));
    for (cut, block, message) in [
        ("x + 1 > 2", text, "column x holds text, but `x + 1 > 2` needs numbers"),
        ("y > 0 or is_nan(x)", text, "column x holds text, but `y > 0 or is_nan(x)` needs numbers"),
        ("mag(x) < 2", text, "column x holds text, but `mag(x) < 2` needs numbers"),
        ("x & 2", floats, "column x holds 32-bit floats, but `x & 0x2` needs integers"),
        ("x & 2 == 2", text, "column x holds text, but `x & 0x2 == 0x2` needs integers"),
        ("not x == 'a'", integers, "column x holds integers, but `not (x == 'a')` needs text"),
    ] {
        let cut: Cut = cut.parse().unwrap();
        let block = if cut.columns().len() == 2 { vec![integers, block] } else { vec![block] };
        let error = cut.evaluator().select(2, &block, &mut cut.flow()).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn wrong_blocks_are_errors() {
    let cut: Cut = "a < 1 and b < 1".parse().unwrap();
    let (mut evaluator, mut flow) = (cut.evaluator(), cut.flow());
    let (two, three) = (Values::F64(&[0.0; 2]), Values::F64(&[0.0; 3]));
    let e = evaluator.select(2, &[two], &mut flow).unwrap_err();
    assert_eq!(e, CutError::ColumnCount { expected: 2, found: 1 });
    let e = evaluator.select(2, &[two, three], &mut flow).unwrap_err();
    assert_eq!(e.to_string(), "column b has 3 rows in a block of 2");
    assert_eq!(flow, cut.flow());
    let mut other = "a < 1 and b < 2".parse::<Cut>().unwrap().flow();
    let e = evaluator.select(2, &[two, two], &mut other).unwrap_err();
    assert!(matches!(e, CutError::OtherFlow { .. }), "{e}");
}

#[test]
fn types_may_change_between_blocks() {
    let cut: Cut = "mag(x) < 20 or x > 3".parse().unwrap();
    let (mut evaluator, mut flow) = (cut.evaluator(), CutFlow::default());
    assert_eq!(evaluator.select(2, &[Values::F32(&[11.0, 1.0])], &mut flow).unwrap(), [0]);
    assert_eq!(evaluator.select(3, &[Values::I16(&[-1, 11, 1])], &mut flow).unwrap(), [1]);
    assert_eq!(evaluator.select(1, &[Values::F64(&[1e-300])], &mut flow).unwrap(), [] as [u32; 0]);
    assert_eq!((flow.clauses()[0].given, flow.clauses()[0].kept), (6, 2));
}

#[test]
fn nan_fails_both_directions_and_not_is_logic() {
    let x = [f64::NAN, 1.0, -1.0, f64::INFINITY];
    let block = [Values::F64(&x)];
    for text in ["x < 5", "x >= 5", "x == x", "x != 7"] {
        assert!(!select(text, &block).contains(&0), "{text}");
    }
    assert_eq!(select("not x < 5", &block), [0, 3]);
    assert_eq!(select("is_nan(x)", &block), [0]);
    assert_eq!(select("is_nan(mag(x))", &block), [0, 2]);
    assert_eq!(select("mag(x) < -100", &block), [3]);
}

#[test]
fn flows_add_up() {
    let cut: Cut = "x > 1 and x < 4".parse().unwrap();
    let mut evaluator = cut.evaluator();
    let (mut a, mut b) = (cut.flow(), CutFlow::default());
    evaluator.select(4, &[Values::U8(&[0, 2, 3, 9])], &mut a).unwrap();
    evaluator.select(2, &[Values::U8(&[0, 0])], &mut b).unwrap();
    b.merge(&a).unwrap();
    let lines: Vec<_> = b.clauses().iter().map(|c| (c.clause.as_str(), c.given, c.kept, c.lost())).collect();
    assert_eq!(lines, [("x > 1", 6, 3, 3), ("x < 4", 3, 2, 1)]);
    let other = "x > 1 and x < 5".parse::<Cut>().unwrap().flow();
    assert!(b.merge(&other).is_err());
}
