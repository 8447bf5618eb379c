//! Cuts for luminous red galaxies: five published variants, from pure to complete.
//!
//! | name | z mag below | r - z above | z - W1 above |
//! |---|---|---|---|
//! | `v1_pure_massive` | 20.0 | 0.5 | 1.6 |
//! | `v2_baseline_dr10` | 20.4 | 0.4 | 1.6 |
//! | `v3_color_relaxed` | 20.4 | 0.4 | 0.8 |
//! | `v4_mag_relaxed` | 21.0 | 0.4 | 0.8 |
//! | `v5_very_relaxed` | 21.5 | 0.3 | 0.8 |
//!
//! All limits are strict, and each variant contains the one before it. They are texts for the general
//! [`Cut`] parser; nothing in the evaluation knows them.
//!
//! # Traps
//!
//! - Some write-ups list z - W1 > 1.6 for `v3_color_relaxed`. That limit is `v2_baseline_dr10`; the code that made
//!   the published counts uses 0.8 for v3, and so does this module.
//! - Descriptions that call two runs "the same cuts" mixed 1.6 and 0.8, too; the densities differ by a factor of
//!   about 15. Name the variant and the [`Photometry`], and give [`Cut`]'s text with the numbers.
//! - The published counts are of observed fluxes. Nothing is said here about type, mask bits or primary bricks:
//!   add such clauses with [`Cut::and`].

use std::fmt;
use std::str::FromStr;

use crate::Cut;

/// One of the published variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Variant {
    /// `v1_pure_massive`
    V1,
    /// `v2_baseline_dr10`
    V2,
    /// `v3_color_relaxed`
    V3,
    /// `v4_mag_relaxed`
    V4,
    /// `v5_very_relaxed`
    V5,
}

/// Which magnitudes a cut is made on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Photometry {
    /// As observed, `mag(flux_z)`.
    Observed,
    /// Corrected for extinction in the Milky Way, `demag(flux_z)`.
    Dereddened,
}

impl Variant {
    /// All variants, from the purest to the most complete.
    pub const ALL: [Variant; 5] = [Variant::V1, Variant::V2, Variant::V3, Variant::V4, Variant::V5];

    /// The published name, such as `v3_color_relaxed`.
    pub fn name(self) -> &'static str {
        match self {
            Variant::V1 => "v1_pure_massive",
            Variant::V2 => "v2_baseline_dr10",
            Variant::V3 => "v3_color_relaxed",
            Variant::V4 => "v4_mag_relaxed",
            Variant::V5 => "v5_very_relaxed",
        }
    }

    /// Limits of z, r - z and z - W1.
    fn limits(self) -> [&'static str; 3] {
        match self {
            Variant::V1 => ["20.0", "0.5", "1.6"],
            Variant::V2 => ["20.4", "0.4", "1.6"],
            Variant::V3 => ["20.4", "0.4", "0.8"],
            Variant::V4 => ["21.0", "0.4", "0.8"],
            Variant::V5 => ["21.5", "0.3", "0.8"],
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no [`Variant`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no LRG variant `{name}`; there are v1_pure_massive, v2_baseline_dr10, v3_color_relaxed, v4_mag_relaxed, v5_very_relaxed, or v1 to v5"
)]
#[non_exhaustive]
pub struct UnknownVariant {
    /// What was asked for.
    pub name: String,
}

/// Takes the published name or its first two characters, in upper or lower case.
impl FromStr for Variant {
    type Err = UnknownVariant;

    fn from_str(name: &str) -> Result<Self, UnknownVariant> {
        let is =
            |v: &&Variant| v.name().eq_ignore_ascii_case(name) || v.name()[..2].eq_ignore_ascii_case(name);
        Self::ALL.iter().find(is).copied().ok_or_else(|| UnknownVariant { name: name.to_owned() })
    }
}

/// The cut of a variant; its clauses are the limits of z, r - z and z - W1, in this order.
///
/// # Examples
///
/// ```
/// use coaddkit_photometry::lrg::{self, Photometry, Variant};
///
/// let cut = lrg::cut(Variant::V3, Photometry::Observed);
/// let clauses: Vec<String> = cut.clauses().collect();
/// assert_eq!(clauses, ["mag(flux_z) < 20.4", "mag(flux_r) - mag(flux_z) > 0.4", "mag(flux_z) - mag(flux_w1) > 0.8"]);
/// ```
pub fn cut(variant: Variant, photometry: Photometry) -> Cut {
    let mag = match photometry {
        Photometry::Observed => "mag",
        Photometry::Dereddened => "demag",
    };
    let [z, rz, zw] = variant.limits();
    let text = format!(
        "{mag}(flux_z) < {z} and {mag}(flux_r) - {mag}(flux_z) > {rz} and {mag}(flux_z) - {mag}(flux_w1) > {zw}"
    );
    // A test parses all ten.
    text.parse().expect("the presets are valid cuts")
}
