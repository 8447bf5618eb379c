//! Brick names.

use std::fmt;
use std::str::FromStr;

use crate::error::excerpt;
use crate::{Error, SkyCoord};

/// The name of a brick, such as `1000m337`: right ascension and declination of its centre in tenths of a degree.
///
/// Eight ASCII bytes, `Copy`, ordered as text. Parsing checks the pattern `^\d{4}[pm]\d{3}$` and the ranges
/// (at most `3599` and `900`); whether a grid has such a brick is for [`BrickGrid::brick_named`] to say.
///
/// A name read from a catalogue is the brick that the pipeline assigned. Keep it: recomputing the brick from an
/// object's position can give a neighbour, because the images of neighbouring bricks overlap.
///
/// [`BrickGrid::brick_named`]: crate::BrickGrid::brick_named
///
/// # Examples
///
/// ```
/// use coaddkit_sky::BrickName;
///
/// let name: BrickName = "1000m337".parse()?;
/// assert_eq!(name.to_string(), "1000m337");
/// assert_eq!(name.approximate_center().dec_deg(), -33.7);
/// assert!("3600p000".parse::<BrickName>().is_err());
/// # Ok::<(), coaddkit_sky::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BrickName([u8; 8]);

impl BrickName {
    /// The name in a fixed-width table field; the whole slice must be the name, without padding.
    ///
    /// # Errors
    ///
    /// [`Error::BrickName`] says what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let bad = |problem| Error::BrickName { text: excerpt(&String::from_utf8_lossy(bytes)), problem };
        let name: [u8; 8] = bytes.try_into().map_err(|_| bad("it must have 8 characters"))?;
        let ra = decimal(&name[..4]).ok_or_else(|| bad("the first 4 characters must be digits"))?;
        if !matches!(name[4], b'p' | b'm') {
            return Err(bad("the fifth character must be p or m"));
        }
        let dec = decimal(&name[5..]).ok_or_else(|| bad("the last 3 characters must be digits"))?;
        if ra > 3599 {
            return Err(bad("the right ascension must be below 360.0 degrees"));
        }
        if dec > 900 {
            return Err(bad("the declination must be at most 90.0 degrees"));
        }
        Ok(Self(name))
    }

    /// From the tenths of the right ascension, below 3600, and the part that [`dec_half`] makes.
    #[inline]
    pub(crate) fn from_halves(ra: u32, dec: u32) -> Self {
        Self((u64::from(dec) << 32 | u64::from(RA_HALVES[ra as usize])).to_le_bytes())
    }

    /// Tenths of the right ascension; whether it lies south, and tenths of the declination.
    pub(crate) fn tenths(self) -> (u32, bool, u32) {
        // Both parts were checked to be digits when the name was made.
        let ra = decimal(&self.0[..4]).unwrap_or_default();
        (ra, self.0[4] == b'm', decimal(&self.0[5..]).unwrap_or_default())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        // Digits and a letter: always UTF-8.
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The name as the bytes of a table field.
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }

    /// The position that the digits spell. Names cut digits off, so the true centre lies up to 0.1 degrees further
    /// from 0 in each coordinate; [`BrickGrid::brick_named`](crate::BrickGrid::brick_named) has it exactly.
    pub fn approximate_center(self) -> SkyCoord {
        let (ra, south, dec) = self.tenths();
        let dec_deg = f64::from(dec) / 10.0;
        SkyCoord::from_valid(f64::from(ra) / 10.0, if south { -dec_deg } else { dec_deg })
    }
}

impl FromStr for BrickName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::from_bytes(text.as_bytes())
    }
}

impl fmt::Display for BrickName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for BrickName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BrickName({self})")
    }
}

/// The four digits of all tenths of a right ascension, the first in the lowest byte: 14 kB that are looked up faster
/// than they are worked out.
static RA_HALVES: [u32; 3600] = {
    let mut halves = [0; 3600];
    let mut ra = 0;
    while ra < 3600 {
        halves[ra] = four_digits(ra as u32);
        ra += 1;
    }
    halves
};

/// The part of a name that tells the declination, the first character in the lowest byte.
pub(crate) fn dec_half(south: bool, dec: u32) -> u32 {
    debug_assert!(dec <= 900, "{dec}");
    four_digits(dec) & !0xff | u32::from(if south { b'm' } else { b'p' })
}

const fn four_digits(value: u32) -> u32 {
    let [a, b, c, d] = [value / 1000 % 10, value / 100 % 10, value / 10 % 10, value % 10];
    (a | b << 8 | c << 16 | d << 24) + 0x3030_3030
}

/// The value of a few ASCII digits.
pub(crate) fn decimal(digits: &[u8]) -> Option<u32> {
    digits
        .iter()
        .try_fold(0, |value, &byte| byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0')))
}
