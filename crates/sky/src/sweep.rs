//! Names of sweep files.

use std::fmt;
use std::str::FromStr;

use crate::error::excerpt;
use crate::name::decimal;
use crate::{Error, Region, SkyCoord};

/// The name of a sweep file, such as `sweep-350m005-355p000.fits`: the south-western and the north-eastern corner
/// of a tile, **in whole degrees** (`m005` is declination -5, not -0.5).
///
/// Parsed from a bare name, a path or a URL, with or without `.gz` or `.fz` at the end; displayed bare and
/// uncompressed.
///
/// # Examples
///
/// ```
/// use coaddkit_sky::{SkyCoord, SweepName, SweepTiling};
///
/// let name: SweepName = "https://example.org/sweep/10.1/sweep-350m005-355p000.fits.gz".parse()?;
/// assert_eq!(name.to_string(), "sweep-350m005-355p000.fits");
///
/// let position = SkyCoord::from_degrees(352.1, -0.3)?;
/// assert!(name.footprint().contains(position));
/// assert_eq!(SweepName::containing(position, SweepTiling::DR10), name);
/// # Ok::<(), coaddkit_sky::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SweepName {
    ra_min: u16,
    ra_max: u16,
    dec_min: i8,
    dec_max: i8,
}

/// Widths of the tiles of a data release, in whole degrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepTiling {
    ra: u16,
    dec: u16,
}

impl SweepTiling {
    /// Tiles of 5 by 5 degrees, as in DR10.
    pub const DR10: Self = Self { ra: 5, dec: 5 };
    /// Tiles of 10 by 5 degrees, as in DR2 to DR9.
    pub const DR9: Self = Self { ra: 10, dec: 5 };

    /// Tiles of `ra_deg` by `dec_deg` degrees, with corners at the multiples.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] unless the first divides 360 and the second 90.
    pub fn new(ra_deg: u16, dec_deg: u16) -> Result<Self, Error> {
        let divides = |what, value: u16, whole: u16| {
            if whole.is_multiple_of(value) {
                Ok(value)
            } else {
                let (value, max) = (f64::from(value), f64::from(whole));
                Err(Error::OutOfRange { what, value, min: 1.0, max })
            }
        };
        Ok(Self {
            ra: divides("tile ra_deg (a divisor)", ra_deg, 360)?,
            dec: divides("tile dec_deg (a divisor)", dec_deg, 90)?,
        })
    }
}

impl SweepTiling {
    /// All tiles, from the south, and from right ascension 0 in each row.
    pub(crate) fn tiles(self) -> impl Iterator<Item = SweepName> {
        let Self { ra, dec } = self;
        // Whole tiles: both widths divide their ranges, and a latitude fits in its type.
        (0..180 / dec).flat_map(move |row| {
            let south = row as i16 * dec as i16 - 90;
            (0..360 / ra).map(move |column| SweepName {
                ra_min: column * ra,
                ra_max: (column + 1) * ra,
                dec_min: south as i8,
                dec_max: (south + dec as i16) as i8,
            })
        })
    }
}

impl SweepName {
    /// The file whose tile contains a position. A tile owns its western and southern edge, the topmost also the
    /// pole; a right ascension of 360 is 0 and falls in the first tile.
    ///
    /// Whether the release has such a file is another matter: tiles without sources have none.
    pub fn containing(position: SkyCoord, tiling: SweepTiling) -> Self {
        let SweepTiling { ra, dec } = tiling;
        // Widths are whole degrees, so the whole degrees of the position decide, without rounding; casts are exact.
        let column = position.ra_deg() as u16 / ra;
        let row = (position.dec_deg().floor() as i16 + 90).min(179) / dec as i16;
        let south = row * dec as i16 - 90;
        Self {
            ra_min: column * ra,
            ra_max: (column + 1) * ra,
            dec_min: south as i8,
            dec_max: (south + dec as i16) as i8,
        }
    }

    /// The tile, with all four edges. Objects of a tile lie on its western or southern edge, but not on the other
    /// two.
    pub fn footprint(self) -> Region {
        Region::from_valid_box(
            self.ra_min.into(),
            self.ra_max.into(),
            self.dec_min.into(),
            self.dec_max.into(),
        )
    }
}

impl FromStr for SweepName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        // Of a URL, neither the query nor the fragment belongs to the name.
        let path = text.split(['?', '#']).next().unwrap_or(text);
        let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
        let bad = |problem| Error::SweepName { text: excerpt(name), problem };
        let stem = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".fz")).unwrap_or(name);
        let stem =
            stem.strip_suffix(".fits").ok_or_else(|| bad("it must end in .fits, .fits.gz or .fits.fz"))?;
        let corners = stem.strip_prefix("sweep-").ok_or_else(|| bad("it must start with sweep-"))?;
        let (low, high) =
            corners.split_once('-').ok_or_else(|| bad("it must have two corners, as in 350m005-355p000"))?;
        let (ra_min, dec_min) = corner(low).map_err(bad)?;
        let (ra_max, dec_max) = corner(high).map_err(bad)?;
        if ra_min >= ra_max {
            return Err(bad("the first right ascension must be below the second"));
        }
        if dec_min >= dec_max {
            return Err(bad("the first declination must be below the second"));
        }
        Ok(Self { ra_min, ra_max, dec_min, dec_max })
    }
}

/// Reads `350m005`.
fn corner(text: &str) -> Result<(u16, i8), &'static str> {
    const SHAPE: &str = "a corner must be 3 digits, p or m, and 3 digits, as in 350m005";
    let bytes: &[u8; 7] = text.as_bytes().try_into().map_err(|_| SHAPE)?;
    let (ra, dec) = (decimal(&bytes[..3]).ok_or(SHAPE)?, decimal(&bytes[4..]).ok_or(SHAPE)?);
    if ra > 360 {
        return Err("a right ascension must be at most 360 degrees");
    }
    if dec > 90 {
        return Err("a declination must be at most 90 degrees");
    }
    // In range after the checks above.
    let (ra, dec) = (ra as u16, dec as i8);
    match bytes[3] {
        b'p' => Ok((ra, dec)),
        // Declination 0 is written p000; a second spelling would not survive a round trip.
        b'm' if dec == 0 => Err("declination 0 is written p000"),
        b'm' => Ok((ra, -dec)),
        _ => Err(SHAPE),
    }
}

impl fmt::Display for SweepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = |dec: i8| if dec < 0 { 'm' } else { 'p' };
        let Self { ra_min, ra_max, dec_min, dec_max } = *self;
        let (south, north) = (dec_min.unsigned_abs(), dec_max.unsigned_abs());
        let text = format!(
            "sweep-{ra_min:03}{}{south:03}-{ra_max:03}{}{north:03}.fits",
            sign(dec_min),
            sign(dec_max)
        );
        f.pad(&text)
    }
}
