//! Header cards.

use super::{refused, written};
use coaddkit_fits::{ErrorKind, Fits, Header, Value};

fn primary(header: &Header) -> Fits {
    written(|writer| writer.primary(header))
}

/// The text of the cards that the caller gave.
fn lines(header: &Header) -> Vec<String> {
    let fits = primary(header);
    let text = |card: coaddkit_fits::Card<'_>| String::from_utf8(card.bytes().to_vec()).unwrap();
    fits.hdu(0)
        .unwrap()
        .header()
        .cards()
        .skip(4)
        .map(text)
        .take_while(|l| !l.starts_with("CHECKSUM"))
        .collect()
}

#[test]
fn values_in_the_fixed_format() {
    let mut header = Header::new();
    header.push("TRUE", true, "yes").unwrap();
    header.push("whole", -42, "").unwrap();
    header.push("REAL", 1.5, "").unwrap();
    header.push("SINGLE", 0.1_f32, "").unwrap();
    header.push("BIG", 6.02e23, "").unwrap();
    header.push("ROUND", 1e-7, "").unwrap();
    header.push("ZERO", -0.0, "").unwrap();
    header.push("EXTREME", f64::MIN_POSITIVE, "").unwrap();
    header.push("PAIR", (1.0, -2.5), "").unwrap();
    header.push("NAME", "O'Neil", "who").unwrap();
    header.push("EMPTY", "", "").unwrap();
    header.push("UNKNOWN", Value::Undefined, "not measured").unwrap();
    header.push("ESO DET CHIP1 ID", "CCD 1", "id").unwrap();
    header.push("HIERARCH LONGERTHAN8", 7, "").unwrap();
    header.push_comment("a remark").unwrap();
    header.push_blank();
    header.push_history("made").unwrap();
    let wanted = [
        "TRUE    =                    T / yes",
        "WHOLE   =                  -42",
        "REAL    =                  1.5",
        "SINGLE  =                  0.1",
        "BIG     =             6.02E+23".replace("E+23", "E23").as_str().trim_end(),
        "ROUND   =               1.0E-7",
        "ZERO    =                 -0.0",
        "EXTREME = 2.2250738585072014E-308",
        "PAIR    = (1.0, -2.5)",
        "NAME    = 'O''Neil '           / who",
        "EMPTY   = '        '",
        "UNKNOWN =  / not measured",
        "HIERARCH ESO DET CHIP1 ID = 'CCD 1   '           / id",
        "HIERARCH LONGERTHAN8 =                    7",
        "COMMENT a remark",
        "",
        "HISTORY made",
    ]
    .map(str::to_owned);
    for (line, wanted) in lines(&header).iter().zip(&wanted) {
        let squeezed = |s: &str| s.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(line.len(), 80);
        assert_eq!(squeezed(line), squeezed(wanted));
    }
    let text = lines(&header);
    assert_eq!(&text[0][..36], wanted[0]);
    assert_eq!(&text[1][..30], wanted[1]);
    assert_eq!(text.len(), wanted.len());
}

#[test]
fn long_text_goes_on_and_comes_back() {
    let long = "abc'd ".repeat(50);
    let long = long.trim_end();
    // Quotes all along, so that every place to cut is tried.
    let quotes: Vec<String> = (60..72).map(|n| format!("{}{}x", "a".repeat(n), "'".repeat(9))).collect();
    let mut header = Header::new();
    header.push("LONG", long, "at the end").unwrap();
    for (n, text) in quotes.iter().enumerate() {
        header.push(&format!("Q{n}"), text.as_str(), "").unwrap();
    }
    header.push("JUSTFITS", "x".repeat(68), "").unwrap();
    header.push("AMPER", "ends in &", "").unwrap();
    header.push_comment(&"c".repeat(100)).unwrap();
    let fits = primary(&header);
    let hdu = fits.hdu(0).unwrap();
    let found = hdu.header();
    assert_eq!(found.text("LONG").unwrap(), long);
    for (n, text) in quotes.iter().enumerate() {
        assert_eq!(found.text(&format!("Q{n}")).as_ref(), Some(text));
    }
    assert_eq!(found.text("JUSTFITS").unwrap().len(), 68);
    assert_eq!(found.text("AMPER").unwrap(), "ends in &");
    let continued: Vec<_> = found.cards().filter(|c| c.keyword() == "CONTINUE").collect();
    assert!(continued.len() > 4);
    assert_eq!(found.cards().filter(|c| c.keyword() == "COMMENT").count(), 2);
}

#[test]
fn what_is_no_card_is_refused() {
    let mut header = Header::new();
    for (keyword, value) in [
        ("", Value::Integer(1)),
        ("A B\n", 1.into()),
        ("ÄB", 1.into()),
        ("A  B", 1.into()),
        (" A", 1.into()),
        ("A.B", 1.into()),
        ("COMMENT", 1.into()),
        ("END", 1.into()),
        ("NAN", f64::NAN.into()),
        ("INF", f64::INFINITY.into()),
        ("TEXT", "tab\t".into()),
        ("TEXT", "é".into()),
        ("BAD", Value::Malformed("x".into())),
        ("ESO TOO LONG FOR ONE CARD", "x".repeat(60).into()),
    ] {
        let error = header.push(keyword, value, "").unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Card { .. }), "{keyword}: {error}");
    }
    assert!(header.push("A", 1, &"c".repeat(60)).is_err());
    assert!(header.push("A", 1, "é").is_err());
    assert!(header.push_history("a\nb").is_err());
    assert!(header.is_empty());
    for keyword in ["BITPIX", "NAXIS1", "SIMPLE", "CHECKSUM", "BZERO", "TFORM3", "ZCMPTYPE", "EXTEND"] {
        let mut header = Header::new();
        header.push(keyword, 1, "").unwrap();
        let error = refused(|writer| writer.primary(&header));
        assert!(error.ends_with(&format!("card {keyword} belongs to the writer")), "{error}");
    }
}

#[test]
fn cards_are_changed_and_removed_with_their_continuation() {
    let mut header = Header::new();
    header.push("A", "x".repeat(100), "").unwrap();
    header.push("B", 1, "").unwrap();
    header.set("a", 2, "now a number").unwrap();
    header.set("C", true, "").unwrap();
    assert_eq!(header.len(), 3);
    assert_eq!(header.integer("A"), Some(2));
    header.set("B", "y".repeat(100), "").unwrap();
    assert!(header.remove("b"));
    assert!(!header.remove("b"));
    assert_eq!(header.cards().map(|c| c.keyword()).collect::<Vec<_>>(), ["A", "C"]);
}

#[test]
fn headers_of_other_files_are_given_on_without_structure() {
    let fits = written(|writer| {
        let mut header = Header::new();
        header.push("OBJECT", "M 31", "").unwrap();
        header.push("CTYPE1", "x".repeat(100), "").unwrap();
        writer.image(&coaddkit_fits::NewImage::new(&[2]).header(header).blank(-1), &[1_i16, -1])
    });
    let kept = fits.hdu(0).unwrap().header().descriptive();
    assert_eq!(
        kept.cards().map(|c| c.keyword()).collect::<Vec<_>>(),
        ["LONGSTRN", "OBJECT", "CTYPE1", "CONTINUE"]
    );
    let again = primary(&kept);
    let again = again.hdu(0).unwrap();
    assert_eq!(again.header().text("CTYPE1").unwrap().len(), 100);
    assert_eq!(again.header().cards().filter(|c| c.keyword() == "LONGSTRN").count(), 1);
}
