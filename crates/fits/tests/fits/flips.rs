//! Every byte and every cut of small files with sums, in every layout: an error that says in which HDU and where.

use crate::verify::{errors, fixture, look};
use coaddkit_fits::{Checksum, Fits, Level};
use coaddkit_testkit::{damage, gunzip, image_extension};
use std::path::PathBuf;

/// The file with DATASUM and CHECKSUM in every HDU, in place of those it has.
fn with_sums(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for hdu in Fits::from_source(bytes.to_vec()).unwrap().hdus() {
        let hdu = hdu.unwrap();
        let data = hdu.data_offset() as usize;
        let mut unit = bytes[data..data + hdu.data_bytes() as usize].to_vec();
        let fill = if hdu.kind() == coaddkit_fits::HduKind::AsciiTable { b' ' } else { 0 };
        unit.resize(unit.len().next_multiple_of(2880), fill);
        let mut sum = Checksum::new();
        sum.update(&unit);
        let others = hdu.header().cards().filter(|c| !c.keyword().ends_with("SUM"));
        let mut header: Vec<u8> = others.flat_map(|c| c.bytes().to_vec()).collect();
        let at = header.len() + 11;
        let cards = ["CHECKSUM= '0000000000000000'", &format!("DATASUM = '{}'", sum.value()), "END"];
        header.extend(cards.iter().flat_map(|card| format!("{card:80}").into_bytes()));
        header.resize(header.len().next_multiple_of(2880), b' ');
        sum.update(&header);
        header[at..at + 16].copy_from_slice(&sum.encoded());
        out.extend(header);
        out.extend(unit);
    }
    out
}

fn image(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/conformance/files");
    gunzip(&std::fs::read(folder.join(format!("{name}.fits.gz"))).unwrap()).unwrap()
}

/// One small file of each layout.
fn layouts() -> Vec<(&'static str, Vec<u8>)> {
    let pixels: Vec<u8> = (0..240_u32).map(|i| (i * 37 % 251) as u8).collect();
    let several = [
        &image("plain_i4_blank")[..],
        &image_extension("A", 16, &[12, 10], &pixels),
        &image_extension("B", -64, &[5, 3, 2], &pixels),
    ];
    let files = [
        ("images", several.concat()),
        ("ascii table", fixture("ascii.fits.gz")),
        ("table", fixture("fixed.fits.gz")),
        ("table with a heap", fixture("arrays_p.fits.gz")),
        ("RICE_1", image("rice_i4_flat")),
        ("PLIO_1 and a null mask", image("made_null_mask_plio_1")),
        ("HCOMPRESS_1", image("made_hcompress_7x5")),
    ];
    files.map(|(name, bytes)| (name, with_sums(&bytes))).to_vec()
}

/// Where the HDUs of a file start.
fn starts(whole: &[u8]) -> Vec<usize> {
    let fits = Fits::from_source(whole.to_vec()).unwrap();
    fits.hdus().map(|hdu| hdu.unwrap().offset() as usize).collect()
}

#[test]
fn every_flipped_byte_of_every_layout_is_found() {
    for (name, whole) in layouts() {
        assert_eq!(look(&whole, Level::Pixels), [], "{name}");
        let starts = starts(&whole);
        for at in 0..whole.len() {
            let hdu = starts.iter().filter(|&&start| start <= at).count() - 1;
            for flip in [0xff, 0x01] {
                let mut broken = whole.clone();
                broken[at] ^= flip;
                let findings = look(&broken, Level::Checksum);
                // An END card that is lost joins two headers, and what is wrong shows in the first of them.
                let place = |of: usize| {
                    errors(&findings)
                        .iter()
                        .any(|f| f.hdu == Some(of) && f.offset.is_some_and(|o| o <= whole.len() as u64))
                };
                assert!(
                    place(hdu) || hdu > 0 && place(hdu - 1),
                    "{name}: byte {at} of HDU {hdu}: {findings:?}"
                );
            }
        }
    }
}

#[test]
fn every_cut_of_every_layout_is_found() {
    for (name, whole) in layouts() {
        let starts = starts(&whole);
        for cut in 0..whole.len() {
            let findings = look(&whole[..cut], Level::Size);
            if cut > 0 && starts.contains(&cut) {
                // Exactly between two HDUs nothing is missing that could be seen.
                assert_eq!(findings, [], "{name}: {cut}");
                continue;
            }
            let hdu = starts.iter().filter(|&&start| start <= cut).count() - 1;
            let [error] = errors(&findings)[..] else { panic!("{name}: {cut}: {findings:?}") };
            assert_eq!(error.hdu, Some(hdu), "{name}: {cut}: {error}");
            let at = error.offset.unwrap() as usize;
            assert!(
                if cut > damage::data_offset(&whole, hdu) { at == cut } else { at <= cut },
                "{name}: {cut}: {error}"
            );
        }
    }
}

/// As raw frames are checked before they are used: all of 71 HDUs are opened and their data touched, and each that
/// is damaged is named, without sums too.
#[test]
fn every_hdu_of_a_mosaic_is_touched() {
    let chip = image("rice_i4_noise");
    let primary = Fits::from_source(chip.clone()).unwrap().hdu(1).unwrap().offset() as usize;
    let (primary, chip) = chip.split_at(primary);
    let whole = [primary, &chip.repeat(70)].concat();
    assert_eq!(look(&whole, Level::Pixels), []);
    let start = |hdu: usize| primary.len() + (hdu - 1) * chip.len();
    let mut broken = whole.clone();
    for hdu in [3, 40, 70] {
        // The descriptor of the first tile, so that it ends in the middle of its stream.
        let data = damage::data_offset(&whole, 1) - primary.len();
        broken[start(hdu) + data + 3] = 9;
        broken[start(hdu) + data + 2] = 0;
    }
    let findings = look(&broken, Level::Pixels);
    let found: Vec<_> = findings.iter().map(|f| f.hdu.unwrap()).collect();
    assert_eq!(found, [3, 40, 70], "{findings:?}");
    for finding in &findings {
        let at = finding.offset.unwrap() as usize;
        assert!((start(finding.hdu.unwrap())..start(finding.hdu.unwrap() + 1)).contains(&at), "{finding}");
    }
    // A header that makes no sense hides none of those behind it.
    let mut odd = damage::with_card(&broken, 20, "ZTILE1", "ZTILE1  =                    0");
    odd = damage::with_card(&odd, 21, "ZBITPIX", "COMMENT gone");
    let findings = look(&odd, Level::Pixels);
    let found: Vec<_> = findings.iter().map(|f| (f.hdu.unwrap(), f.what.as_str())).collect();
    assert_eq!(found.iter().map(|f| f.0).collect::<Vec<_>>(), [3, 20, 21, 40, 70], "{findings:?}");
    assert!(found[1].1.contains("ZTILE1 is 0") && found[2].1.contains("ZBITPIX is missing"), "{findings:?}");
    // Cut in HDU 55.
    let findings = look(&whole[..start(55) + chip.len() / 2], Level::Pixels);
    assert_eq!((findings.len(), findings[0].hdu), (1, Some(55)), "{findings:?}");
}
