//! Is a file whole, and are its bytes those that were written?

use crate::error::{Error, ErrorClass, ErrorKind};
use crate::file::{Fits, Hdu};
use crate::header::BLOCK;
use crate::source::read_full;
use std::fmt;
use std::path::Path;

mod decode;
mod sums;
mod tables;
mod units;

/// How thoroughly to look; each level includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The chain of HDUs: each header, and that the file holds all data and padding.
    Size,
    /// Mandatory keywords, the geometry of tables, descriptors of arrays and tiles, padding.
    Structure,
    /// CHECKSUM and DATASUM, where the file has them.
    Checksum,
    /// Every column and every pixel decodes.
    Pixels,
}

impl Level {
    /// `size`, `structure`, `checksum` or `pixels`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Structure => "structure",
            Self::Checksum => "checksum",
            Self::Pixels => "pixels",
        }
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Against the standard or out of this crate's reach, but the data are there: odd padding, bytes after the
    /// last HDU, malformed values of other keywords, a compression that cannot be read.
    Warning,
    /// Truncated, damaged, or no FITS.
    Error,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The level that found it.
    pub level: Level,
    /// How bad it is.
    pub severity: Severity,
    /// The HDU, from 0.
    pub hdu: Option<usize>,
    /// The byte offset in the FITS stream, after gunzip.
    pub offset: Option<u64>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(hdu) = self.hdu {
            write!(f, "HDU {hdu}, ")?;
        }
        if let Some(offset) = self.offset {
            write!(f, "byte {offset}: ")?;
        }
        f.write_str(&self.what)
    }
}

/// Files of at most this size are read at once: thousands of small ones are the usual case.
const SMALL: u64 = 4 << 20;

/// Looks for what is wrong with a file; a file without an error is whole, and without any finding it conforms as
/// far as this crate looks.
///
/// What cannot be seen is not claimed: a flipped byte of data without DATASUM, or a file cut exactly between two
/// HDUs.
///
/// # Errors
///
/// Only when the reader fails: no such file, no permission, a broken disk. Whatever the content is, it becomes a
/// [`Finding`].
///
/// # Examples
///
/// ```
/// use coaddkit_fits::{Level, Severity, verify};
///
/// # let dir = std::env::temp_dir().join(format!("fits-verify-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// # let path = dir.join("page.fits");
/// std::fs::write(&path, "<html>404 Not Found</html>")?;
/// let findings = verify(&path, Level::Checksum)?;
/// assert_eq!(findings[0].severity, Severity::Error);
/// assert!(findings[0].what.contains("it is a web page"));
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn verify(path: impl AsRef<Path>, level: Level) -> Result<Vec<Finding>, Error> {
    match Fits::open_small(path.as_ref(), SMALL) {
        Ok(fits) => fits.verify(level),
        Err(error) => {
            let mut findings = Findings::default();
            findings.error(Level::Size, &error)?;
            Ok(findings.list)
        }
    }
}

impl Fits {
    /// [`verify`] of a file that is open.
    ///
    /// # Errors
    ///
    /// When the reader fails.
    pub fn verify(&self, level: Level) -> Result<Vec<Finding>, Error> {
        // A compressed stream would be inflated over and over; most fit in memory.
        let inflated = self.inflated();
        let fits = inflated.as_ref().unwrap_or(self);
        let mut findings = Findings::default();
        let mut index = 0;
        let mut end = None;
        loop {
            match fits.nth(index) {
                Ok(Some(hdu)) => {
                    let whole = check(&hdu, level, &mut findings)?;
                    end = whole.then(|| hdu.padded_end());
                    if !whole {
                        break;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    findings.error(Level::Size, &error)?;
                    end = None;
                    break;
                }
            }
            index += 1;
        }
        if let Some(end) = end
            && let Err(error) = units::after(fits, index - 1, end, &mut findings)
        {
            findings.error(Level::Size, &error)?;
        }
        let source = &*fits.shared.source;
        if let Err(error) = source.check_to_end() {
            findings.error(Level::Size, &Error::io(fits.shared.location(None, None), error))?;
        }
        Ok(findings.list)
    }
}

/// Checks one HDU; false if it is cut short, and nothing can follow.
fn check(hdu: &Hdu, level: Level, findings: &mut Findings) -> Result<bool, Error> {
    if let Err(error) = hdu.whole() {
        findings.error(Level::Size, &error)?;
        return Ok(false);
    }
    let before = findings.list.len();
    let checks: [(Level, Check); 5] = [
        (Level::Size, units::padding),
        (Level::Structure, units::structure),
        (Level::Structure, tables::structure),
        (Level::Checksum, sums::check),
        (Level::Pixels, decode::check),
    ];
    for (of, check) in checks.into_iter().filter(|(of, _)| *of <= level) {
        // What is not sound is known not to decode, and was reported with its place; a sum says no place, and
        // decoding may.
        let unsound = |f: &Finding| f.severity == Severity::Error && f.level != Level::Checksum;
        if of == Level::Pixels && findings.list[before..].iter().any(unsound) {
            break;
        }
        if let Err(error) = check(hdu, findings) {
            findings.error(of, &error)?;
        }
    }
    Ok(true)
}

type Check = fn(&Hdu, &mut Findings) -> Result<(), Error>;

impl Hdu {
    /// The end of the last block of data.
    fn padded_end(&self) -> u64 {
        self.data_offset() + self.data_bytes().next_multiple_of(BLOCK as u64)
    }

    fn finding(&self, level: Level, severity: Severity, offset: u64, what: impl Into<String>) -> Finding {
        Finding { level, severity, hdu: Some(self.index()), offset: Some(offset), what: what.into() }
    }

    /// Reads what is there of `start..end`, of at most a few blocks.
    fn bytes(&self, start: u64, end: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; end.saturating_sub(start) as usize];
        let n = read_full(&*self.shared.source, &mut bytes, start)
            .map_err(|e| Error::io(self.shared.location(Some(self.index()), Some(start)), e))?;
        bytes.truncate(n);
        Ok(bytes)
    }
}

/// What was found so far.
#[derive(Default)]
struct Findings {
    list: Vec<Finding>,
    /// That the stream which holds the file is damaged is on the list.
    gzip: bool,
    /// Bytes of values decoded so far.
    decoded: u64,
}

impl Findings {
    /// Counts values that are to be decoded; false if all of them together would be too many for this file. A few
    /// damaged or hostile kilobytes can ask for pixels without end.
    fn afford(&mut self, hdu: &Hdu, bytes: u64) -> bool {
        /// No codec packs real values more tightly.
        const DENSITY: u64 = 1000;
        let limit = hdu.shared.limits.image_bytes.max(hdu.padded_end().saturating_mul(DENSITY));
        let total = self.decoded.saturating_add(bytes);
        if total > limit {
            let what =
                format!("not checked: {bytes} bytes of values, {total} in this file, are over {limit}");
            self.push(hdu.finding(Level::Pixels, Severity::Warning, hdu.data_offset(), what));
            return false;
        }
        self.decoded = total;
        true
    }

    fn push(&mut self, finding: Finding) {
        self.list.push(finding);
    }

    /// Notes an error of the content; one of the reader is the caller's.
    fn error(&mut self, level: Level, error: &Error) -> Result<(), Error> {
        let (at, kind) = (error.location(), error.kind());
        if let ErrorKind::Io(source) = kind {
            // An I/O error cannot be cloned; its kind and words are what matters.
            let copy = std::io::Error::new(source.kind(), source.to_string());
            return Err(Error::new(at.clone(), ErrorKind::Io(copy)));
        }
        if matches!(kind, ErrorKind::Gzip(_)) && std::mem::replace(&mut self.gzip, true) {
            // All reads that follow meet the same damage.
            return Ok(());
        }
        let caller = error.class() == ErrorClass::Caller;
        let severity = if caller { Severity::Warning } else { Severity::Error };
        let what = match (severity, at.row) {
            (Severity::Warning, _) => format!("not checked: {kind}"),
            (_, Some(row)) => format!("row {row}: {kind}"),
            (_, None) => kind.to_string(),
        };
        self.push(Finding { level, severity, hdu: at.hdu, offset: at.offset, what });
        Ok(())
    }
}
