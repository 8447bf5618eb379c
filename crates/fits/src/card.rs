use std::borrow::Cow;
use std::fmt;

/// One header card: 80 bytes (FITS 4.0, section 4.1).
#[derive(Clone, Copy)]
pub struct Card<'a> {
    bytes: &'a [u8],
}

/// The value of a header card (FITS 4.0, section 4.2).
///
/// Text keeps every byte: bytes outside ASCII, which the standard forbids and archives contain, become the
/// characters of the same number (Latin-1).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A value indicator without a value.
    Undefined,
    /// `T` or `F`.
    Logical(bool),
    /// An integer that fits 64 bits.
    Integer(i64),
    /// A number with a point or an exponent (`E` or `D`), or an integer beyond 64 bits.
    Real(f64),
    /// A pair in parentheses.
    Complex(f64, f64),
    /// A quoted string without its trailing blanks, `''` read as `'`, CONTINUE cards joined.
    Text(String),
    /// None of these; the text as it stands.
    Malformed(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undefined => Ok(()),
            Self::Logical(v) => f.write_str(if *v { "T" } else { "F" }),
            Self::Integer(v) => write!(f, "{v}"),
            Self::Real(v) => write!(f, "{v:?}"),
            Self::Complex(re, im) => write!(f, "({re:?}, {im:?})"),
            Self::Text(v) | Self::Malformed(v) => f.write_str(v),
        }
    }
}

/// Bytes as characters of the same number, so that nothing is lost and nothing can fail.
pub(crate) fn latin1(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => text.to_owned(),
        _ => bytes.iter().map(|&b| char::from(b)).collect(),
    }
}

fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | 0] = bytes {
        bytes = rest;
    }
    bytes
}

fn trim(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|&b| b != b' ' && b != 0).unwrap_or(bytes.len());
    trim_end(&bytes[start..])
}

impl<'a> Card<'a> {
    /// Bytes of a card.
    pub const LEN: usize = 80;

    /// `bytes` must be [`Self::LEN`] long; the header slices itself, so it is.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        debug_assert_eq!(bytes.len(), Self::LEN);
        Self { bytes }
    }

    /// The 80 bytes as they stand.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The keyword: `NAXIS1`, or for the HIERARCH convention all words up to the `=`. Empty for a blank card.
    pub fn keyword(&self) -> String {
        match self.hierarch() {
            Some((name, _)) => latin1(name),
            None => latin1(self.short_keyword()),
        }
    }

    pub(crate) fn short_keyword(&self) -> &'a [u8] {
        trim_end(&self.bytes[..8])
    }

    /// Name and value field of a HIERARCH card.
    pub(crate) fn hierarch(&self) -> Option<(&'a [u8], &'a [u8])> {
        let rest = self.bytes.strip_prefix(b"HIERARCH ")?;
        let eq = rest.iter().position(|&b| b == b'=')?;
        Some((trim(&rest[..eq]), &rest[eq + 1..]))
    }

    /// The bytes after the value indicator, if the card has one.
    fn value_field(&self) -> Option<&'a [u8]> {
        if let Some((_, field)) = self.hierarch() {
            return Some(field);
        }
        let commentary = matches!(self.short_keyword(), b"COMMENT" | b"HISTORY" | b"CONTINUE" | b"");
        (!commentary && &self.bytes[8..10] == b"= ").then(|| &self.bytes[10..])
    }

    /// The value, or `None` for a card without a value indicator (COMMENT, HISTORY, blank, CONTINUE).
    ///
    /// A long string that goes on in CONTINUE cards is joined by [`Header::get`](crate::Header::get), not here.
    pub fn value(&self) -> Option<Value> {
        self.value_field().map(|field| parse(field).0)
    }

    /// The comment after the value, or the text of a card without a value.
    pub fn comment(&self) -> String {
        match self.value_field() {
            Some(field) => latin1(parse(field).1),
            None => latin1(trim_end(&self.bytes[8..])),
        }
    }

    /// The string of a CONTINUE card.
    pub(crate) fn continuation(&self) -> Option<String> {
        if self.short_keyword() != b"CONTINUE" {
            return None;
        }
        match parse(&self.bytes[8..]).0 {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Debug for Card<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Card({:?})", latin1(trim_end(self.bytes)))
    }
}

/// Splits a value field into value and comment.
fn parse(field: &[u8]) -> (Value, &[u8]) {
    let field = trim(field);
    if let Some(rest) = field.strip_prefix(b"'") {
        // Most strings hold no quote, and stand in the card as they are.
        let mut i = rest.iter().position(|&b| b == b'\'').unwrap_or(rest.len());
        let mut text = Cow::Borrowed(&rest[..i]);
        while i < rest.len() {
            match (rest[i], rest.get(i + 1)) {
                (b'\'', Some(b'\'')) => {
                    text.to_mut().push(b'\'');
                    i += 2;
                }
                (b'\'', _) => break,
                (b, _) => {
                    text.to_mut().push(b);
                    i += 1;
                }
            }
        }
        // A missing closing quote is common in old headers; the string is what is there.
        let after = rest.get(i + 1..).unwrap_or(&[]);
        return (Value::Text(latin1(trim_end(&text))), comment_of(after));
    }
    let end = field.iter().position(|&b| b == b'/').unwrap_or(field.len());
    (parse_token(trim(&field[..end])), comment_of(&field[end..]))
}

fn comment_of(after: &[u8]) -> &[u8] {
    match after.iter().position(|&b| b == b'/') {
        Some(slash) => trim(&after[slash + 1..]),
        None => &[],
    }
}

fn parse_token(token: &[u8]) -> Value {
    match token {
        b"" => return Value::Undefined,
        b"T" => return Value::Logical(true),
        b"F" => return Value::Logical(false),
        _ => {}
    }
    let text = latin1(token);
    let pair = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')).and_then(|t| t.split_once(','));
    if let Some((re, im)) = pair.and_then(|(re, im)| number(re.trim()).zip(number(im.trim()))) {
        return Value::Complex(re, im);
    }
    if let Ok(v) = text.parse::<i64>() {
        return Value::Integer(v);
    }
    number(&text).map_or(Value::Malformed(text), Value::Real)
}

/// A FITS real: no `inf`, no `nan`, exponent letter `E` or `D`.
fn number(text: &str) -> Option<f64> {
    let allowed = |b: u8| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'E' | b'e' | b'D' | b'd');
    if !text.bytes().all(allowed) {
        return None;
    }
    // Rust writes the exponent with an E only.
    if text.contains(['D', 'd']) { text.replace(['D', 'd'], "E").parse().ok() } else { text.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(text: &str) -> Vec<u8> {
        let mut bytes = text.bytes().collect::<Vec<_>>();
        bytes.resize(80, b' ');
        bytes
    }

    #[test]
    fn values_and_comments() {
        for (text, keyword, value, comment) in [
            ("NAXIS   =                    2 / axes", "NAXIS", Value::Integer(2), "axes"),
            ("SIMPLE  =                    T", "SIMPLE", Value::Logical(true), ""),
            ("EXPTIME =               1.5D+2 /s", "EXPTIME", Value::Real(150.0), "s"),
            ("BZERO   =  9223372036854775808", "BZERO", Value::Real((1_u64 << 63) as f64), ""),
            ("OBJECT  = 'O''Neil / b  ' / who", "OBJECT", Value::Text("O'Neil / b".into()), "who"),
            ("OPEN    = 'never closed", "OPEN", Value::Text("never closed".into()), ""),
            ("CPLX    = (1.0, -2)", "CPLX", Value::Complex(1.0, -2.0), ""),
            ("EMPTY   =", "EMPTY", Value::Undefined, ""),
            ("BAD     = 12abc / c", "BAD", Value::Malformed("12abc".into()), "c"),
            ("BADNAN  = nan", "BADNAN", Value::Malformed("nan".into()), ""),
            (
                "HIERARCH ESO DET CHIP1 ID = 'CCD 1' / id",
                "ESO DET CHIP1 ID",
                Value::Text("CCD 1".into()),
                "id",
            ),
        ] {
            let bytes = card(text);
            let c = Card::new(&bytes);
            assert_eq!(
                (c.keyword().as_str(), c.value(), c.comment().as_str()),
                (keyword, Some(value), comment)
            );
        }
    }

    #[test]
    fn cards_without_a_value() {
        let bytes = card("COMMENT = not a value? it has no blank after the sign =");
        assert_eq!(Card::new(&bytes).keyword(), "COMMENT");
        let bytes = card("HISTORY  made by hand");
        assert_eq!(
            (Card::new(&bytes).value(), Card::new(&bytes).comment().as_str()),
            (None, " made by hand")
        );
        let bytes = card("AB      =1");
        assert_eq!(Card::new(&bytes).value(), None);
    }

    #[test]
    fn bytes_outside_ascii_are_kept() {
        let mut bytes = card("OBSERVER= 'x'");
        bytes[11] = 0xe9;
        assert_eq!(Card::new(&bytes).value(), Some(Value::Text("é".into())));
    }
}
