//! Arbitrary bytes as a FITS file: every header is read and every card looked at.
#![no_main]

use coaddkit_fits::Fits;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(fits) = Fits::from_source(bytes.to_vec()) else { return };
    for hdu in fits.hdus().map_while(Result::ok) {
        let header = hdu.header();
        for card in header.cards() {
            let keyword = card.keyword();
            let _ = (card.value(), card.comment(), header.get(&keyword), format!("{card:?}"));
        }
        let _ = (hdu.name(), hdu.kind(), hdu.shape(), hdu.pixel_type(), hdu.compression(), hdu.table());
    }
});
