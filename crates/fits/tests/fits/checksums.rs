//! DATASUM and CHECKSUM against those that other writers wrote.

use coaddkit_fits::{Checksum, Fits};
use coaddkit_testkit::{Column, FitsTable, damage, gunzip};
use std::path::PathBuf;

#[test]
fn sums_of_real_files() {
    let Some(root) = coaddkit_testkit::shared("data") else { return };
    // Written by CFITSIO and by astropy; the one that other readers call inconsistent is among the tests of `verify`.
    let mut sums = 0;
    for name in [
        "fits-odd/ap_checksum.fits",
        "coadds/legacysurvey-0959p805-nexp-g.fits.fz",
        "sweeps/dr8_targets.fits",
        "desi/coadd-sv3-dark-9144.fits",
    ] {
        let fits = Fits::open(root.join(name)).unwrap();
        for hdu in fits.hdus() {
            let hdu = hdu.unwrap();
            let found = hdu.checksums().unwrap();
            if let Some(said) = hdu.header().text("DATASUM") {
                assert_eq!(found.data, said.parse::<u32>().unwrap(), "{name} {}", hdu.index());
                sums += 1;
            }
            if hdu.header().text("CHECKSUM").is_some() {
                assert!(matches!(found.hdu, 0 | u32::MAX), "{name} {}: {:x}", hdu.index(), found.hdu);
            }
        }
    }
    assert!(sums >= 6, "{sums} sums");
}

/// What astropy wrote is what comes out when its CHECKSUM is taken back to zeros.
#[test]
fn encoded_as_other_writers_do() {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/conformance/tables/arrays_p.fits.gz");
    let bytes = gunzip(&std::fs::read(path).unwrap()).unwrap();
    for hdu in 0..2 {
        let (start, card) =
            (damage::header_offset(&bytes, hdu), damage::card_offset(&bytes, hdu, "CHECKSUM"));
        let end = if hdu == 0 { damage::header_offset(&bytes, 1) } else { bytes.len() };
        let mut zeroed = bytes[start..end].to_vec();
        let value = card - start + 11..card - start + 27;
        let said = zeroed[value.clone()].to_vec();
        zeroed[value].fill(b'0');
        let mut sum = Checksum::new();
        sum.update(&zeroed);
        assert_eq!(sum.encoded().to_vec(), said, "HDU {hdu}");
    }
}

/// Our own encoding, put in place, brings the sum to −0.
#[test]
fn encoded_sums_bring_the_hdu_to_minus_zero() {
    for rows in [0, 1, 700] {
        let mut bytes = FitsTable::new("T")
            .column(Column::new("N", "J"))
            .text_card("CHECKSUM", "0000000000000000")
            .rows(rows, |row, cells| {
                cells.put((row as i32).wrapping_mul(77_777_777));
            })
            .to_bytes();
        let (start, at) = (damage::header_offset(&bytes, 1), damage::card_offset(&bytes, 1, "CHECKSUM") + 11);
        let mut sum = Checksum::new();
        bytes[start..].chunks(1001).for_each(|piece| sum.update(piece));
        bytes[at..at + 16].copy_from_slice(&sum.encoded());
        assert_eq!(Fits::from_source(bytes).unwrap().hdu(1).unwrap().checksums().unwrap().hdu, u32::MAX);
    }
}
