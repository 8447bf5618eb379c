use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind};

/// A digest of a whole file, as archives publish them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
#[non_exhaustive]
pub enum Digest {
    /// SHA-256.
    Sha256([u8; 32]),
    /// MD5: it finds accidents, not attacks.
    Md5([u8; 16]),
}

impl Digest {
    fn name_and_bytes(&self) -> (&'static str, &[u8]) {
        match self {
            Self::Sha256(bytes) => ("sha256", bytes),
            Self::Md5(bytes) => ("md5", bytes),
        }
    }
}

/// `sha256:…` or `md5:…` with hexadecimal digits, or the digits alone, told apart by their number.
impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::new(ErrorKind::Usage, text, "not a digest: sha256:HEX or md5:HEX");
        let (name, digits) = match text.split_once(':') {
            Some((name, digits)) => (Some(name.to_ascii_lowercase()), digits),
            None => (None, text),
        };
        match (name.as_deref(), digits.len()) {
            (Some("sha256") | None, 64) => bytes(digits).map(Self::Sha256),
            (Some("md5") | None, 32) => bytes(digits).map(Self::Md5),
            _ => None,
        }
        .ok_or_else(wrong)
    }
}

fn bytes<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let digit = |c: u8| char::from(c).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(out)
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, bytes) = self.name_and_bytes();
        write!(f, "{name}:")?;
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// As it is displayed.
impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The digits alone.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_in_the_forms_in_which_archives_write_them() {
        let md5 = "d41d8cd98f00b204e9800998ecf8427e";
        let sha = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(md5.parse::<Digest>().unwrap().to_string(), format!("md5:{md5}"));
        assert_eq!(sha.to_uppercase().parse::<Digest>().unwrap().to_string(), format!("sha256:{sha}"));
        assert_eq!(format!("SHA256:{sha}").parse::<Digest>().unwrap(), sha.parse().unwrap());
        for wrong in
            ["", "md5:", &sha[1..], &format!("md5:{sha}"), &format!("sha1:{md5}"), &md5.replace('d', "g")]
        {
            assert_eq!(wrong.parse::<Digest>().unwrap_err().kind(), ErrorKind::Usage, "{wrong}");
        }
        // Not ASCII, though of the right length.
        assert!("é".repeat(16).parse::<Digest>().is_err());
    }
}
