use crate::card::{Card, Value};
use crate::error::{Error, ErrorKind, Location};
use crate::limits::Limits;
use crate::source::{ReadAt, read_full};
use std::fmt;

/// Bytes of a FITS block; headers and data are padded to whole blocks.
pub(crate) const BLOCK: usize = 2880;

/// The cards of one HDU, in order, as they stand in the file.
///
/// Look-ups take keywords without case. Where a keyword occurs more than once the first one counts, as in
/// CFITSIO and astropy; [`Self::cards`] shows all of them. A HIERARCH card is found by its name, where no other card
/// has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    /// Whole cards, without END and padding.
    pub(crate) bytes: Vec<u8>,
}

impl Header {
    /// Reads the header at `offset`; returns it with the number of bytes it takes, padding included.
    pub(crate) fn read(
        source: &dyn ReadAt,
        offset: u64,
        at: &Location,
        limits: &Limits,
    ) -> Result<(Self, u64), Error> {
        let here = |o: u64| Location { offset: Some(o), ..at.clone() };
        let mut bytes = Vec::new();
        loop {
            let start = bytes.len();
            if start as u64 + BLOCK as u64 > limits.header_bytes {
                let wanted = start as u64 + BLOCK as u64;
                let kind = ErrorKind::Limit { what: "the header size", wanted, limit: limits.header_bytes };
                return Err(Error::new(here(offset), kind));
            }
            // Four blocks hold most headers, and reading past the end costs nothing.
            let step = if start == 0 { BLOCK } else { 4 * BLOCK };
            bytes.resize(start + step, 0);
            let n = read_full(source, &mut bytes[start..], offset + start as u64)
                .map_err(|e| Error::io(here(offset + start as u64), e))?;
            bytes.truncate(start + n);
            if start == 0 {
                starts_like_fits(&bytes, at.hdu == Some(0)).map_err(|kind| Error::new(here(offset), kind))?;
            }
            // A card is looked at only once it is whole.
            let whole = bytes.len() / Card::LEN * Card::LEN;
            for (i, card) in bytes[..whole].chunks_exact(Card::LEN).enumerate().skip(start / Card::LEN) {
                if Card::new(card).short_keyword() == b"END" {
                    let size = (i + 1) * Card::LEN;
                    bytes.truncate(i * Card::LEN);
                    return Ok((Self { bytes }, size.next_multiple_of(BLOCK) as u64));
                }
            }
            if n < step {
                let found = bytes.len() as u64;
                let kind = ErrorKind::Truncated {
                    what: "header (no END card)",
                    needed: (found + 1).next_multiple_of(BLOCK as u64),
                    found,
                };
                return Err(Error::new(here(offset), kind));
            }
        }
    }

    /// A header of cards that were read elsewhere.
    #[cfg(feature = "cfitsio")]
    pub(crate) fn from_cards(mut bytes: Vec<u8>) -> Self {
        bytes.truncate(bytes.len() / Card::LEN * Card::LEN);
        Self { bytes }
    }

    /// All cards in order, COMMENT and CONTINUE cards included.
    pub fn cards(&self) -> impl Iterator<Item = Card<'_>> {
        self.bytes.chunks_exact(Card::LEN).map(Card::new)
    }

    /// Number of cards.
    pub fn len(&self) -> usize {
        self.bytes.len() / Card::LEN
    }

    /// True if there is no card but END.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The value of the first card with this keyword, long strings joined (FITS 4.0, section 4.2.1.2).
    pub fn get(&self, keyword: &str) -> Option<Value> {
        let (index, card) = self.find(keyword)?;
        card.value().map(|value| self.joined(index, value))
    }

    /// Position and card of the first use of `keyword`.
    pub(crate) fn find(&self, keyword: &str) -> Option<(usize, Card<'_>)> {
        let wanted = keyword.trim();
        // The characters of a keyword are its bytes; see `Value`.
        let bytes: Option<Vec<u8>> = wanted.chars().map(|c| u8::try_from(c).ok()).collect();
        let bytes = bytes?;
        let short = bytes.len() <= 8 && !bytes.contains(&b' ');
        let mut long = None;
        for (index, card) in self.cards().enumerate() {
            let keyword = card.short_keyword();
            let hierarch = keyword == b"HIERARCH" && card.hierarch().is_some();
            if short && !hierarch && keyword.eq_ignore_ascii_case(&bytes) {
                return Some((index, card));
            }
            let named = |card: &Card<'_>| card.keyword().eq_ignore_ascii_case(wanted);
            if long.is_none() && (!short || hierarch) && named(&card) {
                long = Some((index, card));
                if !short {
                    break;
                }
            }
        }
        long
    }

    /// Joins a string that ends in `&` with the CONTINUE cards after card `index`.
    pub(crate) fn joined(&self, index: usize, value: Value) -> Value {
        let Value::Text(mut text) = value else { return value };
        let mut rest = self.cards().skip(index + 1);
        while text.ends_with('&') {
            let Some(more) = rest.next().and_then(|card| card.continuation()) else { break };
            text.pop();
            text.push_str(&more);
        }
        Value::Text(text)
    }

    /// The value as an integer; `None` if the keyword is absent or of another type.
    pub fn integer(&self, keyword: &str) -> Option<i64> {
        match self.get(keyword)? {
            Value::Integer(v) => Some(v),
            _ => None,
        }
    }

    /// The value as a number, integers included; `None` if the keyword is absent or of another type.
    pub fn real(&self, keyword: &str) -> Option<f64> {
        match self.get(keyword)? {
            Value::Integer(v) => Some(v as f64),
            Value::Real(v) => Some(v),
            _ => None,
        }
    }

    /// The value as text; `None` if the keyword is absent or of another type.
    pub fn text(&self, keyword: &str) -> Option<String> {
        match self.get(keyword)? {
            Value::Text(v) => Some(v),
            _ => None,
        }
    }

    /// The value as a logical; `None` if the keyword is absent or of another type.
    pub fn logical(&self, keyword: &str) -> Option<bool> {
        match self.get(keyword)? {
            Value::Logical(v) => Some(v),
            _ => None,
        }
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.cards()).finish()
    }
}

/// Refuses what is not FITS from its first bytes, and says what it looks like instead.
fn starts_like_fits(bytes: &[u8], primary: bool) -> Result<(), ErrorKind> {
    let magic: &[u8] = if primary { b"SIMPLE  =" } else { b"XTENSION=" };
    if bytes.starts_with(magic) {
        return Ok(());
    }
    let text = bytes.trim_ascii_start();
    let lower = text[..text.len().min(64)].to_ascii_lowercase();
    let reason = if bytes.is_empty() {
        "the file is empty".to_owned()
    } else if bytes.starts_with(&[0x1f, 0x9d]) {
        "it is compressed by compress(1) (.Z); uncompress it first".to_owned()
    } else if bytes.starts_with(b"BZh") {
        "it is compressed by bzip2; uncompress it first".to_owned()
    } else if bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        "it is compressed by zstd; uncompress it first".to_owned()
    } else if lower.starts_with(b"version https://git-lfs") {
        "it is a Git LFS pointer; fetch the file itself".to_owned()
    } else if lower.starts_with(b"<!doctype") || lower.starts_with(b"<html") || lower.starts_with(b"<?xml") {
        "it is a web page, perhaps the error page of a server".to_owned()
    } else {
        let start = crate::card::latin1(&bytes[..bytes.len().min(30)]);
        let wanted = if primary { "SIMPLE" } else { "XTENSION" };
        format!("it starts with {start:?} instead of {wanted}")
    };
    Err(ErrorKind::NotFits { reason })
}
