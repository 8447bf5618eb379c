use std::fmt;
use std::str::FromStr;

/// A band of the surveys that this crate knows: optical u to Y, and WISE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum Band {
    U,
    G,
    R,
    I,
    Z,
    Y,
    W1,
    W2,
    W3,
    W4,
}

impl Band {
    /// All bands, from blue to red.
    pub const ALL: [Band; 10] =
        [Band::U, Band::G, Band::R, Band::I, Band::Z, Band::Y, Band::W1, Band::W2, Band::W3, Band::W4];

    /// The name as it ends column names, lower case: `g`, `w1`.
    pub fn name(self) -> &'static str {
        match self {
            Band::U => "u",
            Band::G => "g",
            Band::R => "r",
            Band::I => "i",
            Band::Z => "z",
            Band::Y => "y",
            Band::W1 => "w1",
            Band::W2 => "w2",
            Band::W3 => "w3",
            Band::W4 => "w4",
        }
    }
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no [`Band`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no band `{name}`; there are u, g, r, i, z, y, w1, w2, w3, w4")]
#[non_exhaustive]
pub struct UnknownBand {
    /// What was asked for.
    pub name: String,
}

/// Takes upper and lower case.
impl FromStr for Band {
    type Err = UnknownBand;

    fn from_str(name: &str) -> Result<Self, UnknownBand> {
        let found = Self::ALL.into_iter().find(|b| b.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| UnknownBand { name: name.to_owned() })
    }
}
