//! Arbitrary bytes as a FITS file: every header is read, every card looked at, and every value printed and read
//! again.

use super::source::{header, open, open_stream};
use coaddkit_fits::{Fits, Hdu, Header, Value};

pub fn run(bytes: &[u8]) {
    let opened = open(bytes);
    assert_eq!(opened.is_ok(), open_stream(bytes).is_ok());
    let Ok(fits) = opened else { return };
    let mut end = 0;
    for (index, hdu) in fits.hdus().map_while(Result::ok).enumerate() {
        assert_eq!((hdu.index(), hdu.offset()), (index, end), "HDUs follow each other");
        let cards = hdu.offset() + 80 * (hdu.header().len() as u64 + 1);
        assert_eq!(hdu.data_offset(), cards.next_multiple_of(2880));
        end = (hdu.data_offset() + hdu.data_bytes()).next_multiple_of(2880);
        if !bytes.starts_with(&[0x1f, 0x8b]) {
            let stored = &bytes[hdu.offset() as usize..][..80 * hdu.header().len()];
            assert!(hdu.header().cards().flat_map(|card| card.bytes()).eq(stored));
        }
        look(&hdu);
    }
}

fn look(hdu: &Hdu) {
    let header = hdu.header();
    let mut values = Vec::new();
    for card in header.cards() {
        let (keyword, value) = (card.keyword(), card.value());
        let _ = (card.comment(), format!("{card:?}"));
        if let Some(value) = &value {
            values.extend(printed(value));
            pushed(value);
        }
        if keyword.trim() != keyword || header.len() > 2000 {
            continue; // Blanks before it are no part of what is asked for.
        }
        // A keyword leads to its first card; a name of HIERARCH comes second.
        let same = |other: &str| other.eq_ignore_ascii_case(&keyword);
        let named = || header.cards().filter(|c| same(&c.keyword()));
        let plain = named().find(|c| !c.bytes().starts_with(b"HIERARCH "));
        let Some(first) = plain.or_else(|| named().next()) else { continue };
        match (header.get(&keyword), first.value()) {
            // Joined with what follows.
            (Some(Value::Text(all)), Some(Value::Text(start))) => {
                assert!(all.starts_with(start.trim_end_matches('&')))
            }
            (found, value) => assert_eq!(format!("{found:?}"), format!("{value:?}"), "{keyword:?}"),
        }
    }
    again(&values);
    let _ =
        (hdu.name(), hdu.kind(), hdu.shape(), hdu.pixel_type(), hdu.compression(), hdu.table(), hdu.image());
    let _ = format!("{hdu:?}");
}

/// A value as a card, where it fits.
fn printed(value: &Value) -> Option<(Vec<u8>, Value)> {
    let text = match value {
        Value::Undefined => String::new(),
        Value::Logical(true) => "T".to_owned(),
        Value::Logical(false) => "F".to_owned(),
        Value::Integer(v) => v.to_string(),
        Value::Real(v) if v.is_finite() => format!("{v:E}"),
        Value::Complex(re, im) if re.is_finite() && im.is_finite() => format!("({re:E}, {im:E})"),
        Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Malformed(text) => text.clone(),
        _ => return None,
    };
    // Text is in Latin-1.
    let card: Vec<u8> = b"KEY     = ".iter().copied().chain(text.chars().map(|c| c as u8)).collect();
    // A whole number is printed without a point, and a large one becomes an integer.
    let whole = matches!(value, Value::Real(v) if v.fract() == 0.0);
    (card.len() <= 80 && !whole).then(|| (card, value.clone()))
}

/// A value that the crate takes into a header is there as it was.
fn pushed(value: &Value) {
    let mut made = Header::new();
    if made.push("KEY", value.clone(), "").is_ok() {
        assert_eq!(made.get("KEY").as_ref(), Some(value), "{made:?}");
    }
}

/// Values that were printed are read as they were.
fn again(values: &[(Vec<u8>, Value)]) {
    let fixed: [&[u8]; 3] = [b"SIMPLE  =                    T", b"BITPIX  = 8", b"NAXIS   = 0"];
    for values in values.chunks(500) {
        let cards = fixed.into_iter().chain(values.iter().map(|(card, _)| &card[..]));
        let fits = Fits::from_source(header(cards)).expect("a valid header");
        let hdu = fits.hdu(0).expect("it is open");
        let read = hdu.header().cards().skip(3);
        assert_eq!(hdu.header().len(), 3 + values.len());
        for (card, (_, value)) in read.zip(values) {
            assert_eq!(card.value().as_ref(), Some(value), "{card:?}");
        }
    }
}
