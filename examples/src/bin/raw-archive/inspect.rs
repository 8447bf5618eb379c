//! One file: opened, every HDU decoded, its HDUs compared with those of the camera.

use crate::instrument::Instrument;
use coaddkit_fits::{Error, ErrorClass, Fits, Hdu, Level, Severity, verify};
use serde::Serialize;
use std::fmt;
use std::path::Path;

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Flaw {
    pub hdu: Option<usize>,
    /// In the FITS stream, after gunzip.
    pub offset: Option<u64>,
    pub what: String,
}

impl Flaw {
    /// Without a place in the file.
    pub fn of_file(what: impl Into<String>) -> Self {
        Self { hdu: None, offset: None, what: what.into() }
    }

    /// Where it is, in words; [`Self::parse`] reads it again.
    pub fn place(&self) -> String {
        match (self.hdu, self.offset) {
            (Some(hdu), Some(offset)) => format!("HDU {hdu}, byte {offset}"),
            (Some(hdu), None) => format!("HDU {hdu}"),
            (None, Some(offset)) => format!("byte {offset}"),
            (None, None) => "file".to_owned(),
        }
    }

    /// Reads what `Display` writes; any other text is taken for what is wrong.
    pub fn parse(text: &str) -> Self {
        let plain = || Self::of_file(text);
        let Some((place, what)) = text.split_once(": ") else { return plain() };
        let mut flaw = Self::of_file(what);
        for part in place.split(", ") {
            let number = |unit: &str| part.strip_prefix(unit).and_then(|n| n.parse::<u64>().ok());
            match (number("HDU "), number("byte ")) {
                (Some(hdu), _) => flaw.hdu = usize::try_from(hdu).ok(),
                (_, Some(offset)) => flaw.offset = Some(offset),
                _ if part == "file" => {}
                _ => return plain(),
            }
        }
        flaw
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place(), self.what)
    }
}

/// What was found in a file.
#[derive(Clone, Debug, Default)]
pub struct Inspected {
    /// In the order of the file; of a whole file there are none.
    pub flaws: Vec<Flaw>,
    /// What is odd, or could not be looked at, and is no damage.
    pub warnings: Vec<String>,
}

/// Looks at every HDU of a file.
///
/// # Errors
///
/// When the reader fails, which says nothing of the file.
pub fn inspect(path: &Path, level: Level, instrument: Option<&Instrument>) -> Result<Inspected, Error> {
    let mut found = Inspected::default();
    for finding in verify(path, level)? {
        match finding.severity {
            Severity::Warning => found.warnings.push(finding.to_string()),
            Severity::Error => {
                found.flaws.push(Flaw { hdu: finding.hdu, offset: finding.offset, what: finding.what });
            }
        }
    }
    // Of a chain of HDUs that is broken, the rest is not known to be missing.
    let Some(instrument) = instrument else { return Ok(found) };
    match chain(path) {
        Ok(hdus) => found.flaws.extend(instrument.compare(&hdus)),
        Err(error) if error.class() == ErrorClass::Reader => return Err(error),
        Err(_) => {}
    }
    Ok(found)
}

/// All HDUs, to the last.
fn chain(path: &Path) -> Result<Vec<Hdu>, Error> {
    Fits::open(path)?.hdus().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back_from_text() {
        let what = "tile 3 (RICE_1): HDU 9: too short".to_owned();
        for (hdu, offset) in [(Some(3), Some(8640)), (Some(70), None), (None, Some(0)), (None, None)] {
            let flaw = Flaw { hdu, offset, what: what.clone() };
            assert_eq!(Flaw::parse(&flaw.to_string()), flaw);
        }
        for other in ["panicked: index", "", "HDU x: bad", "no colon"] {
            assert_eq!(Flaw::parse(other), Flaw::of_file(other));
        }
    }
}
