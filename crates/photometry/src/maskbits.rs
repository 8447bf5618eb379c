use std::fmt;
use std::ops::BitOr;

use crate::cut::{Cut, CutError};

/// A release of the Legacy Surveys, for the bits that its `MASKBITS` can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Release {
    /// Bits 0 to 13.
    Dr8,
    /// Bits 0 to 13.
    Dr9,
    /// Bits 0 to 16: the i band and sub-blobs came in.
    Dr10,
    /// Bits 0 to 19, as the reduction code defines them after DR10.
    AfterDr10,
}

/// A set of `MASKBITS` of the Legacy Surveys: a source touches a pixel of that kind.
///
/// # Examples
///
/// ```
/// use coaddkit_photometry::{MaskBits, Release};
///
/// let bad = MaskBits::BRIGHT | MaskBits::GALAXY | MaskBits::CLUSTER;
/// assert_eq!(bad.to_string(), "BRIGHT|GALAXY|CLUSTER");
/// assert_eq!(bad.bits(), 0x3002);
/// assert!(!MaskBits::from_bits(0x8).intersects(bad));
/// assert_eq!(bad.none_set("maskbits")?.to_string(), "maskbits & 0x3002 == 0x0");
/// assert_eq!(MaskBits::named("SUB_BLOB", Release::Dr9), None);
/// # Ok::<(), coaddkit_photometry::CutError>(())
/// ```
///
/// # References
///
/// The pages "bitmasks" of DR8, DR9 and DR10 at legacysurvey.org.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct MaskBits(u32);

/// Bit, name, first release.
const NAMES: [(MaskBits, &str, Release); 20] = [
    (MaskBits::NPRIMARY, "NPRIMARY", Release::Dr8),
    (MaskBits::BRIGHT, "BRIGHT", Release::Dr8),
    (MaskBits::SATUR_G, "SATUR_G", Release::Dr8),
    (MaskBits::SATUR_R, "SATUR_R", Release::Dr8),
    (MaskBits::SATUR_Z, "SATUR_Z", Release::Dr8),
    (MaskBits::ALLMASK_G, "ALLMASK_G", Release::Dr8),
    (MaskBits::ALLMASK_R, "ALLMASK_R", Release::Dr8),
    (MaskBits::ALLMASK_Z, "ALLMASK_Z", Release::Dr8),
    (MaskBits::WISEM1, "WISEM1", Release::Dr8),
    (MaskBits::WISEM2, "WISEM2", Release::Dr8),
    (MaskBits::BAILOUT, "BAILOUT", Release::Dr8),
    (MaskBits::MEDIUM, "MEDIUM", Release::Dr8),
    (MaskBits::GALAXY, "GALAXY", Release::Dr8),
    (MaskBits::CLUSTER, "CLUSTER", Release::Dr8),
    (MaskBits::SATUR_I, "SATUR_I", Release::Dr10),
    (MaskBits::ALLMASK_I, "ALLMASK_I", Release::Dr10),
    (MaskBits::SUB_BLOB, "SUB_BLOB", Release::Dr10),
    (MaskBits::RESOLVED, "RESOLVED", Release::AfterDr10),
    (MaskBits::MCLOUDS, "MCLOUDS", Release::AfterDr10),
    (MaskBits::WISE_GAIA, "WISE_GAIA", Release::AfterDr10),
];

impl MaskBits {
    /// Outside of the area that its brick is the primary one of.
    pub const NPRIMARY: Self = Self(1 << 0);
    /// Near a bright star.
    pub const BRIGHT: Self = Self(1 << 1);
    /// Saturated in some g image.
    pub const SATUR_G: Self = Self(1 << 2);
    /// Saturated in some r image.
    pub const SATUR_R: Self = Self(1 << 3);
    /// Saturated in some z image.
    pub const SATUR_Z: Self = Self(1 << 4);
    /// Bad in all g images.
    pub const ALLMASK_G: Self = Self(1 << 5);
    /// Bad in all r images.
    pub const ALLMASK_R: Self = Self(1 << 6);
    /// Bad in all z images.
    pub const ALLMASK_Z: Self = Self(1 << 7);
    /// Near a star bright in W1.
    pub const WISEM1: Self = Self(1 << 8);
    /// Near a star bright in W2.
    pub const WISEM2: Self = Self(1 << 9);
    /// The fit of this group of sources was given up.
    pub const BAILOUT: Self = Self(1 << 10);
    /// Near a star of medium brightness.
    pub const MEDIUM: Self = Self(1 << 11);
    /// In a large galaxy of the Siena Galaxy Atlas. Some descriptions call this bit "GAIA"; it is not.
    pub const GALAXY: Self = Self(1 << 12);
    /// In a *globular* cluster, not a cluster of galaxies.
    pub const CLUSTER: Self = Self(1 << 13);
    /// Saturated in some i image.
    pub const SATUR_I: Self = Self(1 << 14);
    /// Bad in all i images.
    pub const ALLMASK_I: Self = Self(1 << 15);
    /// In a large group of sources that was fitted in parts.
    pub const SUB_BLOB: Self = Self(1 << 16);
    /// In a resolved stellar system.
    pub const RESOLVED: Self = Self(1 << 17);
    /// In the Magellanic Clouds.
    pub const MCLOUDS: Self = Self(1 << 18);
    /// Near a star bright in the infrared, by Gaia.
    pub const WISE_GAIA: Self = Self(1 << 19);

    /// The value of a `MASKBITS` column; a bit without name is kept.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The value as stored.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// True when some bit is in both.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The bit of a name, upper or lower case; `None` when the release does not have it.
    pub fn named(name: &str, release: Release) -> Option<Self> {
        NAMES
            .iter()
            .find(|(_, n, since)| n.eq_ignore_ascii_case(name) && *since <= release)
            .map(|(bit, ..)| *bit)
    }

    /// All bits that a release can set.
    pub fn of_release(release: Release) -> Self {
        NAMES.iter().filter(|(.., since)| *since <= release).fold(Self(0), |all, (bit, ..)| all | *bit)
    }

    /// The cut that keeps rows with none of these bits in `column`.
    ///
    /// # Errors
    ///
    /// `column` is no name that a cut can have, such as one with a blank in it.
    pub fn none_set(self, column: &str) -> Result<Cut, CutError> {
        format!("{column} & {:#x} == 0", self.0).parse()
    }
}

impl BitOr for MaskBits {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The names joined by `|`, bits without name in one hexadecimal number at the end; `0` for none.
impl fmt::Display for MaskBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        let mut separator = "";
        for (bit, name, _) in NAMES.iter().filter(|(bit, ..)| self.intersects(*bit)) {
            write!(f, "{separator}{name}")?;
            separator = "|";
            rest &= !bit.0;
        }
        match rest {
            0 if self.0 == 0 => f.write_str("0"),
            0 => Ok(()),
            rest => write!(f, "{separator}{rest:#x}"),
        }
    }
}
