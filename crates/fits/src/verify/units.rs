//! Headers, padding, and what follows the last HDU.

use super::{Finding, Findings, Level, Severity};
use crate::card::Value;
use crate::error::{Error, ErrorKind};
use crate::file::{Fits, Hdu};
use crate::header::BLOCK;
use crate::source::read_full;
use crate::structure::HduKind;

/// The data fill whole blocks.
pub(super) fn padding(hdu: &Hdu, findings: &mut Findings) -> Result<(), Error> {
    let (data, end) = (hdu.data_offset() + hdu.data_bytes(), hdu.padded_end());
    let padding = hdu.bytes(data, end)?;
    let missing = end - data - padding.len() as u64;
    if missing > 0 {
        let what = format!("truncated: {missing} bytes of the padding after the data are missing");
        findings.push(hdu.finding(Level::Size, Severity::Error, end - missing, what));
    }
    Ok(())
}

/// What the header says and how it says it.
pub(super) fn structure(hdu: &Hdu, findings: &mut Findings) -> Result<(), Error> {
    let header = hdu.header();
    let mut note = |severity, card: usize, what: String| {
        let offset = hdu.offset() + 80 * card as u64;
        findings.push(hdu.finding(Level::Structure, severity, offset, what));
    };
    if hdu.index() == 0 {
        match header.get("SIMPLE") {
            Some(Value::Logical(true)) => {}
            Some(Value::Logical(false)) => note(Severity::Warning, 0, "SIMPLE is F".into()),
            _ => note(Severity::Error, 0, "SIMPLE is not a logical".into()),
        }
    } else {
        let axes = header.integer("NAXIS").unwrap_or(0).unsigned_abs() as usize;
        let plain = hdu.kind() == HduKind::Image && hdu.compression().is_none() && hdu.sensible().is_ok();
        for (keyword, place, fixed) in [
            ("PCOUNT", axes + 3, plain.then_some(0)),
            ("GCOUNT", axes + 4, (hdu.kind() != HduKind::Other).then_some(1)),
        ] {
            match (header.find(keyword), header.integer(keyword), fixed) {
                (None, ..) => note(Severity::Error, place, format!("{keyword} is missing")),
                (Some((card, _)), None, _) => {
                    note(Severity::Error, card, format!("{keyword} is not an integer"))
                }
                (Some((card, _)), Some(value), Some(wanted)) if value != wanted => {
                    note(Severity::Error, card, format!("{keyword} is {value}, must be {wanted}"));
                }
                (Some((card, _)), ..) if card != place => {
                    let (card_number, place) = (card + 1, place + 1);
                    note(
                        Severity::Warning,
                        card,
                        format!("{keyword} is card {card_number}, must be card {place}"),
                    );
                }
                _ => {}
            }
        }
    }
    if hdu.kind() == HduKind::Image {
        blank(hdu, &mut note);
    }
    for (number, card) in header.cards().enumerate() {
        if let Some(at) = card.bytes().iter().position(|b| !matches!(b, b' '..=b'~')) {
            let what =
                format!("card {} has a byte that is no printable ASCII, at column {}", number + 1, at + 1);
            note(Severity::Warning, number, what);
        } else if let Some(Value::Malformed(text)) = card.value() {
            let what = format!("{} has the malformed value {text}", card.keyword());
            note(Severity::Warning, number, what);
        }
    }
    let end = hdu.offset() + 80 * (header.len() as u64 + 1);
    filled(hdu, end, hdu.data_offset(), b' ', "header", findings)?;
    let fill = if hdu.kind() == HduKind::AsciiTable { b' ' } else { 0 };
    filled(hdu, hdu.data_offset() + hdu.data_bytes(), hdu.padded_end(), fill, "data", findings)
}

/// A BLANK that says nothing (FITS 4.0, section 4.4.2.5).
fn blank(hdu: &Hdu, note: &mut impl FnMut(Severity, usize, String)) {
    let Some((card, found)) = hdu.header().find("BLANK") else { return };
    let Some(value) = found.value() else { return };
    if hdu.bitpix() < 0 {
        note(
            Severity::Warning,
            card,
            format!("BLANK is {value}, but floating-point pixels have none; ignored"),
        );
    } else if !matches!(value, Value::Integer(_)) {
        note(Severity::Warning, card, format!("BLANK is {value}, must be an integer; ignored"));
    }
}

fn filled(
    hdu: &Hdu,
    start: u64,
    end: u64,
    with: u8,
    what: &str,
    findings: &mut Findings,
) -> Result<(), Error> {
    if let Some(at) = hdu.bytes(start, end)?.iter().position(|&b| b != with) {
        let what =
            format!("the padding after the {what} is not all {}", if with == 0 { "zeros" } else { "blanks" });
        findings.push(hdu.finding(Level::Structure, Severity::Warning, start + at as u64, what));
    }
    Ok(())
}

/// What follows the last HDU: nothing, or bytes that no reader looks at, or an HDU whose start is damaged.
pub(super) fn after(fits: &Fits, last: usize, end: u64, findings: &mut Findings) -> Result<(), Error> {
    let at = fits.shared.location(Some(last + 1), Some(end));
    let mut bytes = vec![0; BLOCK];
    let n = read_full(&*fits.shared.source, &mut bytes, end).map_err(|e| Error::io(at.clone(), e))?;
    let bytes = &bytes[..n];
    if n == 0 {
        return Ok(());
    }
    let start = b"XTENSION=";
    if n < start.len() && start.starts_with(bytes) {
        let kind =
            ErrorKind::Truncated { what: "header (no END card)", needed: BLOCK as u64, found: n as u64 };
        return findings.error(Level::Size, &Error::new(at, kind));
    }
    // The cards that follow XTENSION tell a header with a damaged first card from anything else.
    let looks_like = [(80, &b"BITPIX  ="[..]), (160, b"NAXIS   ="), (0, b"XTENSION"), (8, b"= '")]
        .iter()
        .filter(|(place, card)| bytes.get(*place..).is_some_and(|b| b.starts_with(card)))
        .count();
    let (severity, what) = if looks_like >= 2 || bytes.starts_with(b"XTENSION") {
        (Severity::Error, "a header follows whose first card is not XTENSION".to_owned())
    } else {
        let more = if n < BLOCK { format!("{n} bytes follow") } else { "bytes follow".to_owned() };
        (Severity::Warning, format!("{more} the last HDU and are no HDU"))
    };
    let (hdu, offset) = (Some(last + usize::from(severity == Severity::Error)), Some(end));
    findings.push(Finding { level: Level::Size, severity, hdu, offset, what });
    Ok(())
}
