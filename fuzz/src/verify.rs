//! Any bytes through every check there is: no panic, bounded memory and time, and what is found sound can be read.
//! The first byte says whether the rest is a whole file or what follows a valid primary header.

use super::reading::all;
use super::source::{open, open_stream, primary};
use coaddkit_fits::{Level, Severity};

pub fn run(input: &[u8]) {
    let Some((&mode, rest)) = input.split_first() else { return };
    let mut bytes = if mode % 2 == 0 { primary() } else { Vec::new() };
    bytes.extend_from_slice(rest);
    let Ok(fits) = open(&bytes) else { return };
    let found = fits.verify(Level::Pixels).expect("memory can be read");
    // Each level finds what those before it find.
    for level in [Level::Size, Level::Structure, Level::Checksum] {
        let mut upto: Vec<_> = found.iter().filter(|f| f.level <= level).collect();
        for finding in &fits.verify(level).expect("memory can be read") {
            let place = upto.iter().position(|&f| f == finding);
            upto.remove(place.unwrap_or_else(|| panic!("{finding:?} at level {level:?}, but {found:?}")));
        }
        assert!(upto.is_empty(), "{upto:?} not at level {level:?}");
    }
    let packed = bytes.starts_with(&[0x1f, 0x8b]);
    for finding in &found {
        assert!(!finding.what.is_empty());
        assert!(packed || finding.offset.is_some_and(|at| at <= bytes.len() as u64), "{finding:?}");
    }
    if !packed {
        let stream = open_stream(&bytes).expect("the same bytes").verify(Level::Pixels);
        assert_eq!(stream.expect("memory can be read"), found, "from a stream");
    }
    let errors =
        |hdu: usize| found.iter().any(|f| f.severity == Severity::Error && f.hdu.is_none_or(|h| h == hdu));
    for hdu in fits.hdus() {
        let Ok(hdu) = hdu else {
            assert!(found.iter().any(|f| f.severity == Severity::Error));
            break;
        };
        if let Err(error) = all(&hdu) {
            assert!(errors(hdu.index()), "{error}, but {found:?}");
        }
    }
}
