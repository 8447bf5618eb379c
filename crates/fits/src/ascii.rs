//! Numbers in decimal digits: the fields of ASCII tables (FITS 4.0, section 7.2.5).

use crate::column::Column;
use crate::views::trimmed;
use std::io::Write;

/// The rules of one column.
#[derive(Clone, Debug)]
pub(crate) struct Digits {
    scale: f64,
    zero: f64,
    null: Option<Vec<u8>>,
    decimals: u32,
}

impl Digits {
    pub(crate) fn new(column: &Column) -> Self {
        let Column { scale, zero, decimals, .. } = *column;
        let null = column.null_text.as_ref().map(|t| t.chars().map(|c| c as u8).collect());
        Self { scale, zero, null, decimals }
    }

    /// True where integers stay integers.
    pub(crate) fn plain(&self) -> bool {
        self.scale == 1.0 && self.zero == 0.0 && self.null.is_none()
    }

    fn is_null(&self, text: &[u8]) -> bool {
        self.null.as_deref() == Some(text)
    }

    /// The value of a field; `None` if it is no number.
    pub(crate) fn real(&self, field: &[u8]) -> Option<f64> {
        let text = trimmed(field);
        if self.is_null(text) {
            return Some(f64::NAN);
        }
        Some(self.zero + self.scale * real(text, self.decimals)?)
    }

    /// [`Self::real`] of an integer field, with TSCAL, TZERO and TNULL applied.
    pub(crate) fn scaled_integer(&self, field: &[u8]) -> Option<f64> {
        let text = trimmed(field);
        if self.is_null(text) {
            return Some(f64::NAN);
        }
        Some(self.zero + self.scale * integer(text)? as f64)
    }
}

/// A field of `I`; one of blanks only is zero.
pub(crate) fn integer(field: &[u8]) -> Option<i64> {
    let text = trimmed(field);
    if text.is_empty() { Some(0) } else { std::str::from_utf8(text).ok()?.parse().ok() }
}

/// A field of `F`, `E` or `D`; one of blanks only is zero. Without a point, the last `decimals` digits before the
/// exponent are the fraction.
fn real(text: &[u8], decimals: u32) -> Option<f64> {
    if text.is_empty() {
        return Some(0.0);
    }
    let mark = text.iter().position(|b| matches!(b, b'E' | b'e' | b'D' | b'd'));
    let (mantissa, exponent) = match mark {
        Some(at) => (&text[..at], std::str::from_utf8(&text[at + 1..]).ok()?.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let point = mantissa.contains(&b'.');
    let digits = |b: &u8| b.is_ascii_digit() || *b == b'.';
    let unsigned = mantissa.strip_prefix(b"-").or_else(|| mantissa.strip_prefix(b"+")).unwrap_or(mantissa);
    if !unsigned.iter().all(digits) || !unsigned.iter().any(u8::is_ascii_digit) {
        return None;
    }
    // So far out the value is zero or infinite, whatever the mantissa.
    let exponent = exponent.clamp(-200_000_000, 200_000_000) - if point { 0 } else { i64::from(decimals) };
    // Longest usual field with room for the exponent; a longer one goes to the heap.
    let mut short = [0; 64];
    let mut long = Vec::new();
    let written = if mantissa.len() <= 48 {
        let mut rest = &mut short[..];
        rest.write_all(mantissa).and_then(|()| write!(rest, "E{exponent}")).ok()?;
        let left = rest.len();
        &short[..64 - left]
    } else {
        long.extend_from_slice(mantissa);
        write!(long, "E{exponent}").ok()?;
        &long[..]
    };
    std::str::from_utf8(written).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_the_standard() {
        for (text, decimals, value) in [
            (" 12.5 ", 0, Some(12.5)),
            ("12345", 2, Some(123.45)),
            ("-12345E2", 4, Some(-123.45)),
            ("+1.5D-3", 7, Some(0.0015)),
            ("1.5e+3", 0, Some(1500.0)),
            ("1.", 3, Some(1.0)),
            (".5", 3, Some(0.5)),
            ("5", 3, Some(0.005)),
            ("      ", 3, Some(0.0)),
            ("0.1", 1, Some(0.1)),
            ("9007199254740993", 0, Some(9_007_199_254_740_992.0)),
            ("1E400", 0, Some(f64::INFINITY)),
            ("1E-99999999999", 0, Some(0.0)),
            ("1E99999999999999999999", 0, None),
            ("1 2", 0, None),
            ("1.2.3", 0, None),
            ("nan", 0, None),
            ("inf", 0, None),
            (".", 0, None),
            ("E5", 0, None),
            ("--5", 0, None),
            ("1E", 0, None),
            ("1E+ 5", 0, None),
        ] {
            assert_eq!(real(trimmed(text.as_bytes()), decimals), value, "{text:?}");
        }
        let long = format!("{}1{}", "0".repeat(200), "0".repeat(100));
        assert_eq!(real(long.as_bytes(), 100), Some(1.0));
        for (text, value) in [
            ("  -7 ", Some(-7)),
            ("   ", Some(0)),
            ("+4", Some(4)),
            ("4.0", None),
            ("9999999999999999999", None),
        ] {
            assert_eq!(integer(text.as_bytes()), value, "{text:?}");
        }
    }
}
