//! What is a cut, what is not, and what is said then.

use coaddkit_photometry::{Cut, CutError};
use proptest::prelude::*;

use super::naive::{cases, cond};

fn canonical(text: &str) -> String {
    text.parse::<Cut>().unwrap_or_else(|e| panic!("{e}")).to_string()
}

fn complaint(text: &str) -> (String, usize) {
    match text.parse::<Cut>() {
        Err(CutError::Syntax { what, at, expression }) => {
            assert_eq!(expression, text);
            (what, at.start)
        }
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn one_meaning_has_one_text() {
    for (text, want) in [
        ("MAG(Flux_Z)<20.40", "mag(flux_z) < 20.4"),
        ("a<1&b<2 && c<3 AND d<4", "a < 1 and b < 2 and c < 3 and d < 4"),
        ("a<1|b<2||c<3 Or d<4", "a < 1 or b < 2 or c < 3 or d < 4"),
        ("a<1 and b<2 or c<3 and d<4", "a < 1 and b < 2 or c < 3 and d < 4"),
        ("a<1 and (b<2 or c<3)", "a < 1 and (b < 2 or c < 3)"),
        ("(a<1 and b<2) and c<3", "a < 1 and b < 2 and c < 3"),
        ("! a<1 & b<2", "not (a < 1) and b < 2"),
        ("not not a < 1", "not (not (a < 1))"),
        ("a-(b-c)-d < (a*b)/(c+d)", "a - (b - c) - d < a * b / (c + d)"),
        ("a-b-c < a/(b/c)", "a - b - c < a / (b / c)"),
        ("-a < -3 - -b", "-a < -3 - -b"),
        ("-(3) < --2", "-(3) < -(-2)"),
        ("-(a+b)*c < 0", "-(a + b) * c < 0"),
        ("maskbits & 0x12", "maskbits & 0x12"),
        ("maskbits & 18 != 0", "maskbits & 0x12"),
        ("0 == maskbits & 0X12", "maskbits & 0x12 == 0x0"),
        ("(maskbits & 6) == 6", "maskbits & 0x6 == 0x6"),
        ("maskbits & 6 & 3", "maskbits & 0x2"),
        ("a < b & 5 & 4 == 4 ", ""),
        ("type != \"PSF  \"", "type != 'PSF'"),
        ("'it''s' == name", "name == 'it''s'"),
        ("a < 1 & maskbits & 2 & b > 3", "a < 1 and maskbits & 0x2 and b > 3"),
        ("a < 1 & 5 < b", "a < 1 and 5 < b"),
        ("x == 18446744073709551615", "x == 18446744073709551615"),
        ("x == 18446744073709551616", "x == 1.8446744073709552e19"),
        ("x < 1e3 & x > .5 and x != 5.", "x < 1000.0 and x > 0.5 and x != 5.0"),
        ("demag(fiberflux_g) < 24.1", "demag(fiberflux_g) < 24.1"),
        ("abs < mag", "abs < mag"),
        ("is_nan(mag(a + b))", "is_nan(mag(a + b))"),
    ] {
        if want.is_empty() {
            assert!(text.parse::<Cut>().is_err(), "{text}");
        } else {
            assert_eq!(canonical(text), want, "{text}");
            assert_eq!(canonical(want), want);
            assert_eq!(text.parse::<Cut>().unwrap(), want.parse().unwrap());
        }
    }
}

#[test]
fn errors_say_what_and_where() {
    for (text, what, at) in [
        ("", "the expression is empty", 0),
        ("a <", "expected a column, a number or a function", 3),
        ("a < 1 and", "expected a column, a number or a function", 9),
        ("a < 1 b", "expected `and`, `or` or the end of the expression", 6),
        ("a < 1)", "nothing is open that `)` could close", 5),
        ("(a < 1", "expected `)` to close the parenthesis", 6),
        ("a = 1", "`=` is no comparison: write `==`", 2),
        ("a < 1 $", "unexpected character '$'", 6),
        ("é < 1", "unexpected character 'é'", 0),
        ("a < 1x", "not a number, and a name cannot start with a digit", 4),
        ("a < 1e999", "the number is too large", 4),
        ("a & 0x1_0000_0000_0000_0000_0", "not a hexadecimal number of at most 64 bits", 4),
        ("a < 'x", "the text is not closed by '", 4),
        ("a < 'x'", "a text can be compared by `==` and `!=` only", 2),
        ("a + 1 == 'x'", "only a column can be compared with a text", 0),
        ("'x' == a + 1", "only a column can be compared with a text", 7),
        ("'x' == 'y'", "two texts are compared, and no column", 0),
        ("a & 3 < 2", "a bit test can be compared by `==` and `!=` only", 6),
        ("a & 3 == b", "a bit test can be compared with a whole number only", 9),
        ("a & 3 + 1 == 2", "a bit test is no number; for `and`, use the word `and`", 0),
        ("a", "a number is no condition: compare it, as in `x != 0`", 0),
        ("a < 1 and b + 1", "a number is no condition: compare it, as in `x != 0`", 10),
        ("'x'", "a text is no condition: compare a column with it", 0),
        ("(a < 1) + 2 > 1", "a condition stands where a number is needed", 0),
        ("log(a) < 1", "no function `log`; there are mag, demag, abs, is_nan", 0),
        ("demag(a + 1) < 2", "demag takes a flux column, such as flux_z", 6),
        ("demag(rflux) < 2", "demag takes a flux column named …flux_BAND, and rflux is none", 6),
        ("demag(flux_ivar_r) < 2", "demag takes a flux column named …flux_BAND, and flux_ivar_r is none", 6),
        (
            "a == nan",
            "not a number that can be written here: ask with `is_nan(x)`, or compare with a large number",
            5,
        ),
        ("a < +1", "a sign `+` before a value is not accepted", 4),
        ("a < !b", "`!` negates a whole comparison and stands before it", 4),
        ("and a < 1", "expected a value before `and`", 0),
    ] {
        assert_eq!(complaint(text), (what.to_owned(), at), "{text}");
    }
}

#[test]
fn a_chained_comparison_is_explained() {
    let (what, at) = complaint("0.4 < flux_r < 1");
    assert_eq!(what, "a comparison has two sides: join two with `and`, as in `a < flux_r and flux_r < b`");
    assert_eq!(at, 13);
}

#[test]
fn the_caret_stands_below_the_character() {
    let long = format!("{} and é == 1", vec!["flux_g > 0.5"; 40].join(" and "));
    for text in ["flux_z <\n  20 and $", "'ü' == name and name = 3", &long] {
        let (_, at) = complaint(text);
        let shown = text.parse::<Cut>().unwrap_err().to_string();
        let lines: Vec<&str> = shown.lines().collect();
        let [_, line, caret] = lines[..] else { panic!("{shown}") };
        let column = caret.find('^').unwrap();
        assert_eq!(line.chars().nth(column), text[at..].chars().next(), "{shown}");
        assert!(line.chars().count() < 130, "{shown}");
    }
}

#[test]
fn hostile_depth_is_refused() {
    let n = 5_000;
    for text in [
        "(".repeat(n),
        format!("{}a < 1", "not ".repeat(n / 2)),
        format!("a < {}1", "-".repeat(n)),
        format!("{}a{} < 1", "abs(".repeat(n / 2), ")".repeat(n / 2)),
        format!("a < {}", vec!["b"; n / 2].join("+")),
        "a < 1 and ".repeat(n),
    ] {
        assert!(text.parse::<Cut>().is_err());
    }
    // Many clauses are no depth.
    let many = vec!["a < 1"; 1000].join(" and ").parse::<Cut>().unwrap();
    assert_eq!(many.clauses().len(), 1000);
}

#[test]
fn columns_come_in_order_of_first_appearance() {
    let cut: Cut = "demag(Flux_W1) < 20 and TYPE != 'PSF' and flux_w1 > flux_z and ra < 3".parse().unwrap();
    assert_eq!(cut.columns(), ["flux_w1", "mw_transmission_w1", "type", "flux_z", "ra"]);
}

#[test]
fn joined_cuts_share_their_columns() {
    let a: Cut = "flux_r > flux_z or ra < 3".parse().unwrap();
    let b: Cut = "dec > 2 and flux_z > ra".parse().unwrap();
    let both = a.and(&b);
    assert_eq!(both, "(flux_r > flux_z or ra < 3) and dec > 2 and flux_z > ra".parse().unwrap());
    assert_eq!(both.columns(), ["flux_r", "flux_z", "ra", "dec"]);
    assert_eq!(both.to_string().parse::<Cut>().unwrap(), both);
    assert_eq!(Cut::all_of([a.clone(), b]).as_ref(), Some(&both));
    assert_eq!(Cut::all_of([a.clone()]), Some(a));
    assert_eq!(Cut::all_of([]), None);
}

/// Pieces from which text near the grammar is put together.
const PIECES: [&str; 40] = [
    "a",
    "flux_z",
    "mag(",
    "demag(",
    "abs(",
    "is_nan(",
    "(",
    ")",
    "<",
    "<=",
    "==",
    "!=",
    ">",
    "&",
    "&&",
    "|",
    "||",
    "!",
    "not",
    "and",
    "or",
    "+",
    "-",
    "*",
    "/",
    "1",
    "0x1f",
    "2.5",
    "1e3",
    "'PSF'",
    "'",
    "\"",
    "é",
    "=",
    ".",
    "\n",
    "18446744073709551616",
    "nan",
    "_",
    "0x",
];

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn any_text_is_parsed_or_refused(text in ".{0,80}") {
        if let Err(e) = text.parse::<Cut>() {
            prop_assert!(!e.to_string().is_empty());
        }
    }

    #[test]
    fn text_near_the_grammar_round_trips_or_is_refused(
        pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..16),
        glue in prop::sample::select(vec!["", " "]),
    ) {
        let text = pieces.join(glue);
        match text.parse::<Cut>() {
            Err(e) => prop_assert!(e.to_string().contains('^')),
            Ok(cut) => prop_assert_eq!(cut.to_string().parse::<Cut>().unwrap(), cut),
        }
    }

    #[test]
    fn canonical_text_gives_an_equal_cut(cond in cond()) {
        let cut: Cut = cond.text().parse().unwrap();
        let text = cut.to_string();
        let again: Cut = text.parse().unwrap();
        prop_assert_eq!(again.to_string(), text);
        prop_assert_eq!(again, cut);
    }
}
