//! Any bytes through every check there is: no panic, bounded memory and time. The first byte says whether the rest
//! is a whole file or what follows a valid primary header.
#![no_main]

use coaddkit_fits::{Fits, Level};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&mode, rest)) = input.split_first() else { return };
    let mut bytes = Vec::new();
    if mode % 2 == 0 {
        for card in ["SIMPLE  =                    T", "BITPIX  = 8", "NAXIS   = 0", "END"] {
            bytes.extend(format!("{card:80}").bytes());
        }
        bytes.resize(2880, b' ');
    }
    bytes.extend_from_slice(rest);
    let Ok(fits) = Fits::from_source(bytes) else { return };
    let all = fits.verify(Level::Pixels).expect("memory can be read");
    // Each level finds what those before it find.
    let size = fits.verify(Level::Size).expect("memory can be read");
    assert!(size.iter().all(|finding| all.contains(finding)), "{size:?} and {all:?}");
});
