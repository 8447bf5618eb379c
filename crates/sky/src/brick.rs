//! One brick.

use std::fmt;
use std::num::NonZeroU32;

use crate::{BrickGrid, BrickName, Region, SkyCoord};

/// The number of a brick in its grid, from 1, as in the `BRICKID` column of the Legacy Surveys.
///
/// `Option<BrickId>` takes four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BrickId(NonZeroU32);

impl BrickId {
    /// A brick number, unless it is 0. Whether a grid has it is for [`BrickGrid::brick`] to say.
    pub const fn new(id: u32) -> Option<Self> {
        match NonZeroU32::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// The id of the brick with this index from 0.
    #[inline]
    pub(crate) const fn from_index(index: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(index))
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for BrickId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A brick: a cell of a [`BrickGrid`], bounded by two parallels and two meridians.
///
/// # Units
///
/// Degrees.
///
/// # Bricks and their images
///
/// A brick of the Legacy Surveys is 0.25 degrees wide, its coadded image 3600 pixels of 0.262 arcsec, that is
/// 0.262 degrees. The images of neighbours therefore overlap, and an object near an edge is detected in both; the
/// catalogue keeps the one whose position lies in the brick (bit `NPRIMARY` of `MASKBITS` marks the others).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Brick {
    /// Number, from 1.
    pub id: BrickId,
    /// Name.
    pub name: BrickName,
    /// Colour of a four-coloured map, 0 to 3: no two neighbours share it.
    pub q: u8,
    /// Row, from 0 at the south pole.
    pub row: u32,
    /// Column within the row, from 0 at right ascension 0.
    pub col: u32,
    /// Centre.
    pub center: SkyCoord,
    /// Western edge in right ascension.
    pub ra1_deg: f64,
    /// Eastern edge in right ascension; 360 for the last brick of a row.
    pub ra2_deg: f64,
    /// Southern edge in declination.
    pub dec1_deg: f64,
    /// Northern edge in declination.
    pub dec2_deg: f64,
}

impl Brick {
    /// The brick of the Legacy Surveys' grid that contains a position.
    ///
    /// For an object from a catalogue take its `BRICKNAME` instead: see [`BrickName`].
    ///
    /// # Examples
    ///
    /// ```
    /// use coaddkit_sky::{Brick, SkyCoord};
    ///
    /// let brick = Brick::containing(SkyCoord::from_degrees(100.05, -33.75)?);
    /// assert_eq!(brick.name.as_str(), "1000m337");
    /// # Ok::<(), coaddkit_sky::Error>(())
    /// ```
    pub fn containing(position: SkyCoord) -> Self {
        BrickGrid::legacy().brick_at(position)
    }

    /// Area on the sphere, in square degrees.
    pub fn area_deg2(&self) -> f64 {
        // In the reference implementation's order of operations: near a pole the sines cancel and it shows.
        let sine_deg = |dec_deg: f64| dec_deg.to_radians().sin().to_degrees();
        (self.ra2_deg - self.ra1_deg) * (sine_deg(self.dec2_deg) - sine_deg(self.dec1_deg))
    }

    /// The brick as a region, with all four edges.
    pub fn footprint(&self) -> Region {
        Region::from_valid_box(self.ra1_deg, self.ra2_deg, self.dec1_deg, self.dec2_deg)
    }
}
