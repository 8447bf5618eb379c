//! Damage of every kind is found and placed, and good files are not accused.

use coaddkit_fits::{Finding, Fits, Level, Severity, verify};
use coaddkit_testkit::{Column, FitsTable, damage, gunzip, gzip, image_extension};
use serde_json::Value;
use std::path::PathBuf;

pub fn errors(findings: &[Finding]) -> Vec<&Finding> {
    findings.iter().filter(|f| f.severity == Severity::Error).collect()
}

/// Looks at bytes; what does not even open is found by the walk over a file.
pub fn look(bytes: &[u8], level: Level) -> Vec<Finding> {
    match Fits::from_source(bytes.to_vec()) {
        Ok(fits) => fits.verify(level).unwrap(),
        Err(_) => {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), bytes).unwrap();
            verify(file.path(), level).unwrap()
        }
    }
}

pub fn fixture(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/conformance/tables");
    gunzip(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

/// A file with CHECKSUM and DATASUM in both HDUs, a header, rows of descriptors, a heap and padding.
fn summed() -> Vec<u8> {
    let bytes = fixture("arrays_p.fits.gz");
    assert_eq!(look(&bytes, Level::Pixels), []);
    bytes
}

#[test]
fn every_flipped_byte_of_a_file_with_sums_is_found() {
    let whole = summed();
    let second = damage::header_offset(&whole, 1);
    for at in 0..whole.len() {
        for with in [whole[at] ^ 0xff, whole[at] ^ 1, whole[at] ^ 0x20, b' '] {
            if with == whole[at] {
                continue;
            }
            let mut broken = whole.clone();
            broken[at] = with;
            let findings = look(&broken, Level::Checksum);
            let errors = errors(&findings);
            let placed =
                errors.iter().any(|f| f.offset.is_some() && f.hdu == Some(usize::from(at >= second)));
            // An END card that is lost joins two headers, and what is wrong shows in the first of them.
            let joined = errors.iter().any(|f| f.offset.is_some() && f.hdu == Some(0));
            assert!(placed || joined, "byte {at} as {with:#x}: {findings:?}");
        }
    }
}

#[test]
fn every_cut_is_found() {
    let whole = summed();
    let second = damage::header_offset(&whole, 1);
    for cut in (0..whole.len()).filter(|&cut| cut != second) {
        let findings = look(&whole[..cut], Level::Size);
        let errors = errors(&findings);
        let hdu = Some(usize::from(cut > second));
        assert!(errors.iter().any(|f| f.hdu == hdu && f.offset.is_some()), "{cut}: {findings:?}");
        if cut > damage::data_offset(&whole, 1) {
            assert_eq!(errors[0].offset, Some(cut as u64), "{findings:?}");
        }
    }
    // Exactly between two HDUs nothing is missing that could be seen.
    assert_eq!(look(&whole[..second], Level::Pixels), []);
}

/// Whatever gzip itself refuses is found at the lowest level, once, and however often the file is read.
#[test]
fn every_flip_of_a_gzip_stream_is_found() {
    let packed = gzip(&summed());
    let mut refused = 0;
    for at in 0..packed.len() {
        let mut flipped = packed.clone();
        flipped[at] ^= 0x40;
        if at < 2 || gunzip(&flipped).is_ok() {
            continue;
        }
        refused += 1;
        let findings = look(&flipped, Level::Size);
        let found = errors(&findings);
        // Where the bytes make no FITS file, that may be all.
        assert!(!found.is_empty(), "{at}");
        assert!(found.iter().filter(|f| f.what.contains("gzip")).count() < 2, "{at}: {findings:?}");
        let Ok(fits) = Fits::from_source(flipped) else { continue };
        for _ in 0..2 {
            assert!(!fits.verify(Level::Size).unwrap().is_empty(), "{at}");
        }
    }
    assert!(refused > packed.len() / 2, "{refused} of {}", packed.len());
}

#[test]
fn damage_inside_a_gzip_stream_is_found() {
    let packed = gzip(&summed());
    assert_eq!(look(&packed, Level::Pixels), []);
    for cut in (20..packed.len()).step_by(61) {
        assert!(!errors(&look(&packed[..cut], Level::Size)).is_empty(), "{cut}");
    }
    for at in (10..packed.len()).step_by(37) {
        assert!(!errors(&look(&damage::flipped(&packed, at), Level::Checksum)).is_empty(), "{at}");
    }
}

/// Structure alone, in a file without sums.
#[test]
fn structure_is_checked_without_sums() {
    let whole = FitsTable::new("T")
        .column(Column::new("N", "J"))
        .column(Column::new("V", "1PE").dim("(2,3)"))
        .column(Column::new("M", "6E").dim("(2,3)"))
        .rows(40, |row, cells| {
            cells.put(row as i32).put(&[1.0_f32; 6][..]).put([0.5_f32; 6]);
        })
        .then(&image_extension("I", 16, &[4, 3], &[0; 24]))
        .to_bytes();
    assert_eq!(look(&whole, Level::Pixels), []);
    let data = damage::data_offset(&whole, 1);
    for (keyword, card, severity, says) in [
        ("PCOUNT", "PCOUNT  = 959", Severity::Error, "ends at byte 959"),
        ("TFORM2", "TFORM2  = '1PD'", Severity::Error, "6 elements at byte 936 of the heap"),
        ("TFORM3", "TFORM3  = '7E'", Severity::Error, "TFORM3 ends at byte 40 of a row of 36"),
        ("TDIM3", "TDIM3   = '(4,3)'", Severity::Warning, "TDIM3 is (4,3), more than the 6 elements"),
        ("TDIM3", "TDIM3   = '(4;3)'", Severity::Warning, "TDIM3 is (4;3), which is no shape"),
        ("GCOUNT", "GCOUNT  = 'one'", Severity::Error, "GCOUNT"),
        ("EXTNAME", "EXTNAME = nonsense", Severity::Warning, "EXTNAME has the malformed value nonsense"),
        ("GCOUNT", "COMMENT gone", Severity::Error, "GCOUNT is missing"),
    ] {
        let findings = look(&damage::with_card(&whole, 1, keyword, card), Level::Structure);
        let found = findings.iter().find(|f| f.what.contains(says));
        let found = found.unwrap_or_else(|| panic!("{card}: {findings:?}"));
        assert_eq!((found.hdu, found.severity), (Some(1), severity), "{card}: {found}");
        assert!(found.offset.is_some(), "{card}: {found}");
    }
    let mut broken = whole.clone();
    broken[data + 36 * 5 + 4 + 3] = 7;
    let findings = look(&broken, Level::Structure);
    assert_eq!(findings.len(), 0, "an array of seven may share what follows: {findings:?}");
    broken[data + 36 * 39 + 4 + 3] = 7;
    let findings = look(&broken, Level::Structure);
    assert_eq!((findings.len(), findings[0].offset), (1, Some((data + 36 * 39 + 4) as u64)), "{findings:?}");
    // Padding that is not what it should be loses nothing.
    let mut odd = whole.clone();
    *odd.last_mut().unwrap() = 1;
    let findings = look(&odd, Level::Structure);
    assert_eq!((findings.len(), findings[0].severity), (1, Severity::Warning), "{findings:?}");
    assert_eq!(findings[0].offset, Some(whole.len() as u64 - 1));
}

#[test]
fn what_follows_the_last_hdu() {
    let whole = summed();
    let with = |more: &[u8]| look(&[&whole[..], more].concat(), Level::Size);
    for junk in [&b"\n"[..], &[0; 2880], b"some text", &[b' '; 5000]] {
        let findings = with(junk);
        assert_eq!((findings.len(), findings[0].severity), (1, Severity::Warning), "{findings:?}");
    }
    for start in ["X", "XTENSION", "XTENSION= 'IMAGE   '"] {
        let findings = with(start.as_bytes());
        assert_eq!((errors(&findings).len(), findings[0].hdu), (1, Some(2)), "{start}: {findings:?}");
    }
}

/// A hostile table may not make the check run for ages: every row asks for the same heap.
#[test]
fn shared_arrays_are_not_decoded_forever() {
    let row = [(1_u64 << 20).to_be_bytes(), [0; 8]].concat();
    let bytes = FitsTable::new("V")
        .column(Column::new("V", "1QB"))
        .raw_heap(&vec![0; 1 << 20])
        .raw_rows(100_000, &row.repeat(100_000))
        .to_bytes();
    let findings = look(&bytes, Level::Pixels);
    assert_eq!((findings.len(), findings[0].severity), (1, Severity::Warning), "{findings:?}");
    assert!(findings[0].what.contains("not checked"), "{findings:?}");
}

#[test]
fn decoding_finds_what_structure_cannot() {
    let whole = fixture("compressed.fits.gz");
    assert_eq!(look(&whole, Level::Pixels), []);
    let heap = whole.len() - 4000;
    let broken = damage::flipped(&whole, heap);
    assert_eq!(errors(&look(&broken, Level::Structure)).len(), 0);
    let found = look(&broken, Level::Pixels);
    let decoded = errors(&found).into_iter().find(|f| f.level == Level::Pixels);
    assert!(decoded.is_some_and(|f| f.offset.is_some() && f.hdu == Some(1)), "{found:?}");
}

/// Real files: an error here wherever the reference verifier has one that this crate claims to see, none where it
/// passes the file.
#[test]
fn good_files_are_not_accused() {
    let Some(path) = coaddkit_testkit::shared("data/oracle.json") else { return };
    let oracle: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let (mut good, mut accused) = (0, Vec::new());
    for file in oracle.as_array().unwrap() {
        let name = file["file"].as_str().unwrap();
        let Some(verdict) = file["fitsverify"].as_str() else { continue };
        let findings = verify(path.with_file_name(name), Level::Pixels).unwrap();
        let bad = errors(&findings);
        // Only the reference verifier inflates what compress(1) made.
        if verdict.contains("OK") && !name.ends_with(".Z") {
            good += 1;
            assert!(bad.is_empty(), "{name}: {bad:?}");
        } else if !bad.is_empty() {
            accused.push(name);
        }
    }
    assert!(good > 80, "{good}");
    let expected = [
        "coadds/ksb_staticmask_ood_v1.fits.fz", // sums that do not match
        "desi/zbest-16-1.fits",
        "fits-odd/ag_file-img2-bitpix+08.fits", // no PCOUNT and GCOUNT
        "fits-odd/ag_file-img2-bitpix+64.fits",
        "fits-odd/ag_file-img2-bitpix-32.fits",
        "fits-odd/ap_memtest.fits",
        "fits-odd/ap_verify.fits",  // BITPIX out of place
        "fits-odd/fr_Npix132.fits", // the last block is not whole
        "fits-odd/lfs_pointer_drao.fits",
        "fits-odd/nt_test.fits.Z",
        "fits-odd/sp_not_actually_fits.fits",
        "lsst/imsim-v85518312-fu-R43-S12.wcs",
        "wcs/Npix418374.fits",
        "wcs/decam.wcs.gz", // sums that do not match, in every HDU
        "wcs/mosaic.wcs",
    ];
    assert_eq!(accused, expected);
}
