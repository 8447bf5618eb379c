//! Headers that a program makes: values to cards (FITS 4.0, section 4.2).

use crate::card::{Card, Value};
use crate::error::{Error, ErrorKind, Location};
use crate::header::Header;

/// Bytes of the value field of a card with a standard keyword.
const FIELD: usize = 70;

/// The column after which the standard aligns numbers and logicals, counted in the value field.
const ALIGNED: usize = 20;

macro_rules! from_integers {
    ($($type:ty)+) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::Integer(value.into())
            }
        }
    )+};
}

from_integers!(i8 u8 i16 u16 i32 u32 i64);

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Logical(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

/// The shortest decimal number that is this `f32` again, not the long one that is its value.
impl From<f32> for Value {
    fn from(value: f32) -> Self {
        Self::Real(format!("{value:?}").parse().unwrap_or(value.into()))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

/// A complex number.
impl From<(f64, f64)> for Value {
    fn from((re, im): (f64, f64)) -> Self {
        Self::Complex(re, im)
    }
}

/// Making headers. Cards keep the order in which they come; what describes the data (NAXISn, TFORMn, BZERO,
/// CHECKSUM …) is the [`Writer`](crate::Writer)'s own and is refused when the header is written.
///
/// # Examples
///
/// ```
/// use coaddkit_fits::{Header, Value};
///
/// # fn main() -> Result<(), coaddkit_fits::Error> {
/// let mut header = Header::new();
/// header.push("OBJECT", "M 31", "name of the field")?;
/// header.push("EXPTIME", 90.5_f32, "[s]")?;
/// header.push("ESO DET CHIP1 ID", "CCD-44", "")?; // HIERARCH
/// header.push("AIRMASS", Value::Undefined, "")?;
/// header.push_history("flat-fielded")?;
/// assert_eq!(header.real("EXPTIME"), Some(90.5));
/// assert!(header.push("TOO\nBAD", 1, "").is_err());
/// # Ok(())
/// # }
/// ```
impl Header {
    /// A header without cards.
    pub fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// Appends a card, of the HIERARCH convention where `keyword` has blanks or more than eight characters. Keywords
    /// are written in capitals, strings that do not fit go on in CONTINUE cards, and a real number has the fewest
    /// digits that give it back.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Card`] for a keyword or a character that the standard does not allow, a number that is not
    /// finite, and a value or comment that does not fit.
    pub fn push(&mut self, keyword: &str, value: impl Into<Value>, comment: &str) -> Result<(), Error> {
        let cards = value_cards(keyword, &value.into(), comment)?;
        cards.iter().for_each(|card| self.bytes.extend_from_slice(card));
        Ok(())
    }

    /// Changes the first card of this keyword, in its place, or appends one.
    ///
    /// # Errors
    ///
    /// As for [`Self::push`].
    pub fn set(&mut self, keyword: &str, value: impl Into<Value>, comment: &str) -> Result<(), Error> {
        let cards = value_cards(keyword, &value.into(), comment)?.concat();
        let place = self.find(keyword).map(|(index, _)| index);
        let range = place.map_or(self.bytes.len()..self.bytes.len(), |at| self.span(at));
        self.bytes.splice(range, cards);
        Ok(())
    }

    /// Removes all cards of this keyword, and says whether there was one.
    pub fn remove(&mut self, keyword: &str) -> bool {
        let mut found = false;
        while let Some((index, _)) = self.find(keyword) {
            self.bytes.drain(self.span(index));
            found = true;
        }
        found
    }

    /// Bytes of a card and of the CONTINUE cards after it.
    fn span(&self, index: usize) -> std::ops::Range<usize> {
        let more = self.cards().skip(index + 1).take_while(|c| c.short_keyword() == b"CONTINUE").count();
        index * Card::LEN..(index + 1 + more) * Card::LEN
    }

    /// Appends COMMENT cards, as many as the text takes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Card`] for a character that is not printable ASCII.
    pub fn push_comment(&mut self, text: &str) -> Result<(), Error> {
        self.push_text("COMMENT", text)
    }

    /// Appends HISTORY cards, as many as the text takes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Card`] for a character that is not printable ASCII.
    pub fn push_history(&mut self, text: &str) -> Result<(), Error> {
        self.push_text("HISTORY", text)
    }

    /// Appends a blank card.
    pub fn push_blank(&mut self) {
        self.bytes.resize(self.bytes.len() + Card::LEN, b' ');
    }

    fn push_text(&mut self, keyword: &str, text: &str) -> Result<(), Error> {
        printable(keyword, text, "the text")?;
        let lines = text.as_bytes().chunks(Card::LEN - 8);
        for line in lines.chain(text.is_empty().then_some(&[][..])) {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(keyword.as_bytes());
            self.bytes.resize(start + 8, b' ');
            self.bytes.extend_from_slice(line);
            self.bytes.resize(start + Card::LEN, b' ');
        }
        Ok(())
    }

    /// Appends a card of another header as it stands.
    pub fn push_card(&mut self, card: Card<'_>) {
        self.bytes.extend_from_slice(card.bytes());
    }

    /// The cards that do not say how data are stored: what to give on when an HDU is written anew.
    pub fn descriptive(&self) -> Self {
        let mut kept = Self::new();
        let mut last = true;
        for card in self.cards() {
            // The rest of a long string goes with its start.
            last = if card.short_keyword() == b"CONTINUE" { last } else { !is_structural(card) };
            if last {
                kept.push_card(card);
            }
        }
        kept
    }

    /// Appends the cards of a caller. Where strings go on in CONTINUE cards, older programs look for LONGSTRN first.
    pub(crate) fn append(&mut self, cards: &Self) {
        let long = |header: &Self| header.cards().any(|card| card.short_keyword() == b"CONTINUE");
        if (long(self) || long(cards)) && cards.find("LONGSTRN").is_none() {
            let card =
                format!("{:80}", "LONGSTRN= 'OGIP 1.0'           / long strings go on in CONTINUE cards");
            self.bytes.extend_from_slice(card.as_bytes());
        }
        self.bytes.extend_from_slice(&cards.bytes);
    }

    /// That a caller may write these cards: none that is the writer's own, and only printable ASCII.
    pub(crate) fn check_writable(&self) -> Result<(), Error> {
        for card in self.cards() {
            let refuse = |problem: &str| Err(refused(&card.keyword(), problem));
            if !card.bytes().iter().all(|b| (b' '..=b'~').contains(b)) {
                return refuse("has a character that is not printable ASCII");
            }
            if is_structural(card) {
                return refuse("belongs to the writer");
            }
        }
        Ok(())
    }
}

impl Default for Header {
    fn default() -> Self {
        Self::new()
    }
}

/// Keywords that describe how the data of an HDU are stored.
fn is_structural(card: Card<'_>) -> bool {
    let keyword = card.short_keyword();
    let digits = keyword.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let (stem, number) = keyword.split_at(keyword.len() - digits);
    match stem {
        b"SIMPLE" | b"XTENSION" | b"BITPIX" | b"PCOUNT" | b"GCOUNT" | b"EXTEND" | b"GROUPS" | b"END"
        | b"CHECKSUM" | b"DATASUM" | b"BSCALE" | b"BZERO" | b"BLANK" | b"TFIELDS" | b"THEAP" | b"ZIMAGE"
        | b"ZTABLE" | b"ZBITPIX" | b"ZCMPTYPE" | b"ZQUANTIZ" | b"ZDITHER" | b"ZSCALE" | b"ZZERO"
        | b"ZBLANK" | b"ZMASKCMP" | b"ZSIMPLE" | b"ZTENSION" | b"ZEXTEND" | b"ZPCOUNT" | b"ZGCOUNT"
        | b"ZHECKSUM" | b"ZDATASUM" | b"ZTHEAP" | b"ZTILELEN" | b"NAXIS" | b"ZNAXIS" => true,
        b"TTYPE" | b"TFORM" | b"TUNIT" | b"TSCAL" | b"TZERO" | b"TNULL" | b"TDIM" | b"TBCOL" | b"ZTILE"
        | b"ZNAME" | b"ZVAL" | b"ZFORM" | b"ZCTYP" => !number.is_empty(),
        _ => false,
    }
}

fn refused(keyword: &str, problem: impl Into<String>) -> Error {
    let kind = ErrorKind::Card { keyword: keyword.to_owned(), problem: problem.into() };
    Error::new(Location::default(), kind)
}

fn printable(keyword: &str, text: &str, what: &str) -> Result<(), Error> {
    match text.chars().find(|c| !(' '..='~').contains(c)) {
        None => Ok(()),
        Some(c) => Err(refused(keyword, format!("{what} has the character {c:?}; FITS has printable ASCII"))),
    }
}

/// What a card starts with: a keyword of the standard, or HIERARCH and words.
fn start(keyword: &str) -> Result<String, Error> {
    let name = keyword.to_ascii_uppercase();
    let name = name.strip_prefix("HIERARCH ").unwrap_or(&name);
    let word = |w: &str| {
        !w.is_empty() && w.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b"-_".contains(&b))
    };
    if !name.split(' ').all(word) {
        let problem = "is no keyword: words of A-Z, 0-9, '-' and '_', one blank apart";
        return Err(refused(keyword, problem));
    }
    match name {
        "COMMENT" | "HISTORY" | "CONTINUE" | "END" | "HIERARCH" => {
            Err(refused(keyword, "is a keyword that has no value"))
        }
        short if short.len() <= 8 && !short.contains(' ') => Ok(format!("{short:8}= ")),
        words => Ok(format!("HIERARCH {words} = ")),
    }
}

/// The text of a number, with the fewest digits that give it back.
fn real(keyword: &str, value: f64) -> Result<String, Error> {
    if !value.is_finite() {
        return Err(refused(keyword, format!("is {value}; FITS headers have finite numbers only")));
    }
    let text = format!("{value:?}");
    Ok(match text.split_once('e') {
        None => text,
        Some((digits, exponent)) if digits.contains('.') => format!("{digits}E{exponent}"),
        Some((digits, exponent)) => format!("{digits}.0E{exponent}"),
    })
}

pub(crate) fn value_cards(
    keyword: &str,
    value: &Value,
    comment: &str,
) -> Result<Vec<[u8; Card::LEN]>, Error> {
    let start = start(keyword)?;
    printable(keyword, comment, "the comment")?;
    let text = match value {
        Value::Undefined => String::new(),
        Value::Logical(v) => format!("{:>ALIGNED$}", if *v { "T" } else { "F" }),
        Value::Integer(v) => format!("{v:>ALIGNED$}"),
        Value::Real(v) => format!("{:>ALIGNED$}", real(keyword, *v)?),
        Value::Complex(re, im) => format!("({}, {})", real(keyword, *re)?, real(keyword, *im)?),
        Value::Text(text) => return string_cards(keyword, &start, text, comment),
        Value::Malformed(text) => return Err(refused(keyword, format!("has the malformed value {text}"))),
    };
    Ok(vec![card(keyword, &start, &text, comment)?])
}

fn card(keyword: &str, start: &str, value: &str, comment: &str) -> Result<[u8; Card::LEN], Error> {
    let mut line = format!("{start}{value}");
    if !comment.is_empty() {
        line.push_str(" / ");
        line.push_str(comment);
    }
    let mut bytes = [b' '; Card::LEN];
    match bytes.get_mut(..line.len()) {
        Some(front) => front.copy_from_slice(line.as_bytes()),
        None => {
            let problem =
                format!("takes {} characters with its comment, a card has {}", line.len(), Card::LEN);
            return Err(refused(keyword, problem));
        }
    }
    Ok(bytes)
}

/// A string, in CONTINUE cards where one is not enough (FITS 4.0, section 4.2.1.2).
fn string_cards(
    keyword: &str,
    start: &str,
    text: &str,
    comment: &str,
) -> Result<Vec<[u8; Card::LEN]>, Error> {
    printable(keyword, text, "the value")?;
    // They mean nothing, and at the end of a piece would seem to.
    let quoted = text.trim_end_matches(' ').replace('\'', "''");
    let whole = format!("'{quoted:8}'");
    let room = Card::LEN - start.len();
    let with = |value: &str| value.len() + if comment.is_empty() { 0 } else { 3 + comment.len() };
    if whole.len() <= room {
        // Where the comment does not fit, the blanks that align it may be too many.
        let aligned = format!("{whole:ALIGNED$}");
        let value = if with(&aligned) <= room { &aligned } else { &whole };
        return Ok(vec![card(keyword, start, value, comment)?]);
    }
    if start.starts_with("HIERARCH") {
        return Err(refused(keyword, "does not fit in one card, and HIERARCH knows no other"));
    }
    let (mut cards, mut rest, mut start) = (Vec::new(), quoted.as_str(), start);
    loop {
        // Two quotes and, unless it is the last piece, the `&`.
        let last = rest.len() <= FIELD - 2 && with(rest) + 2 <= FIELD;
        if last {
            cards.push(card(keyword, start, &format!("'{rest}'"), comment)?);
            return Ok(cards);
        }
        let mut cut = rest.len().min(FIELD - 3);
        // Two quotes that stand for one stay together.
        let quotes = rest[..cut].bytes().rev().take_while(|&b| b == b'\'').count();
        cut -= quotes % 2;
        let (piece, after) = rest.split_at(cut);
        cards.push(card(keyword, start, &format!("'{piece}&'"), "")?);
        if after.is_empty() && with("") + 2 > FIELD {
            return Err(refused(keyword, "has a comment that does not fit in one card"));
        }
        (rest, start) = (after, "CONTINUE  ");
    }
}
