//! `_SUCCESS`, written last: that a brick is complete, and with which files.

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

/// The name of the marker in the folder of a brick.
pub const MARKER: &str = "_SUCCESS";

/// The format that this crate writes.
const FORMAT: &str = "coaddkit-marker/1";

/// What a marker says: every file that was published under it.
///
/// Other writers leave an empty marker, which says no more than that somebody thought the brick complete; it is
/// honoured after a look at what is there.
///
/// # Examples
///
/// ```
/// use coaddkit_cache::{Marker, MarkerFile};
///
/// let marker = Marker::new("0001m002".parse()?, vec![MarkerFile::of("a.fits.fz", b"SIMPLE")]);
/// let again = Marker::parse(&marker.to_bytes())?.expect("it is not empty");
/// assert_eq!(again, marker);
/// assert_eq!(Marker::parse(b"")?, None); // of another writer
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    format: String,
    /// The brick that is complete.
    pub brickname: String,
    /// Its files, sorted by name.
    pub files: Vec<MarkerFile>,
    /// The program that wrote the marker, with its version.
    pub tool: String,
}

/// One file that a marker vouches for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkerFile {
    /// The name in the folder of the brick.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its bytes, in hexadecimal; empty of a file that another writer left and nobody has read.
    pub sha256: String,
    /// Where it came from; empty if it was there before.
    #[serde(default)]
    pub url: String,
    /// What the origin called this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// When the origin says that it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
}

impl MarkerFile {
    /// A file with these bytes.
    pub fn of(name: &str, bytes: &[u8]) -> Self {
        let sha256 = sha2::Sha256::digest(bytes);
        Self { sha256: hexadecimal(&sha256), ..Self::unread(name, bytes.len() as u64) }
    }

    /// A file of which only the size is known.
    pub fn unread(name: &str, bytes: u64) -> Self {
        let (sha256, url) = (String::new(), String::new());
        Self { name: name.to_owned(), bytes, sha256, url, etag: None, last_modified: None }
    }

    /// True if these can be the bytes that the marker vouches for.
    pub fn is_of(&self, bytes: &[u8]) -> bool {
        let same_digest = || self.sha256.eq_ignore_ascii_case(&hexadecimal(&sha2::Sha256::digest(bytes)));
        self.bytes == bytes.len() as u64 && (self.sha256.is_empty() || same_digest())
    }
}

fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Marker {
    /// The marker of a brick.
    pub fn new(brick: coaddkit_sky::BrickName, mut files: Vec<MarkerFile>) -> Self {
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let tool = concat!("coaddkit-cache/", env!("CARGO_PKG_VERSION")).to_owned();
        Self { format: FORMAT.to_owned(), brickname: brick.to_string(), files, tool }
    }

    /// The marker in these bytes; `None` of an empty one.
    ///
    /// # Errors
    ///
    /// The bytes are neither nothing nor a marker.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, MarkerError> {
        if bytes.trim_ascii().is_empty() {
            return Ok(None);
        }
        let marker: Self = serde_json::from_slice(bytes).map_err(|e| MarkerError(e.to_string()))?;
        if marker.format != FORMAT {
            return Err(MarkerError(format!("its format is {:?}, not {FORMAT:?}", marker.format)));
        }
        Ok(Some(marker))
    }

    /// The marker in these bytes, if it is of this brick.
    pub(crate) fn of(brick: coaddkit_sky::BrickName, bytes: &[u8]) -> Result<Option<Self>, MarkerError> {
        let marker = Self::parse(bytes)?;
        match &marker {
            Some(other) if other.brickname != brick.as_str() => {
                Err(MarkerError(format!("it is of brick {}", other.brickname)))
            }
            _ => Ok(marker),
        }
    }

    /// The marker as it is written: the same bytes for the same files.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Text and numbers always have a form in JSON.
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// What the marker says of a file.
    pub fn file(&self, name: &str) -> Option<&MarkerFile> {
        self.files.iter().find(|file| file.name == name)
    }
}

/// The bytes of a marker make no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{MARKER} is no marker: {0}")]
pub struct MarkerError(String);
