//! CHECKSUM and DATASUM.

use super::{Findings, Level, Severity};
use crate::card::Value;
use crate::error::Error;
use crate::file::Hdu;

pub(super) fn check(hdu: &Hdu, findings: &mut Findings) -> Result<(), Error> {
    let mut note = |offset: u64, what: String| {
        findings.push(hdu.finding(Level::Checksum, Severity::Error, offset, what));
    };
    let offset_of = |card: usize| hdu.offset() + 80 * card as u64;
    // A damaged keyword would hide that there is a sum to compare with.
    for (number, card) in hdu.header().cards().enumerate() {
        for keyword in [b"CHECKSUM", b"DATASUM "] {
            let name = &card.bytes()[..8];
            let differ = name.iter().zip(keyword).filter(|(a, b)| a != b).count();
            // The sum of an image before it was compressed.
            let original = name == b"ZHECKSUM" && hdu.compression().is_some();
            if differ == 1 && !original && card.bytes()[8..].starts_with(b"= '") {
                let what = format!("{} looks like a damaged {}", card.keyword(), keyword.escape_ascii());
                note(offset_of(number), what);
            }
        }
    }
    let mut declared = [None, None];
    for (slot, keyword) in declared.iter_mut().zip(["DATASUM", "CHECKSUM"]) {
        let Some((card, found)) = hdu.header().find(keyword) else { continue };
        match found.value() {
            // Blank means that the sum is not known.
            Some(Value::Text(text)) if text.is_empty() => {}
            Some(Value::Text(text)) => *slot = Some((card, text)),
            Some(Value::Integer(sum)) if keyword == "DATASUM" => *slot = Some((card, sum.to_string())),
            _ => note(offset_of(card), format!("{keyword} is not a string")),
        }
    }
    if declared.iter().all(Option::is_none) {
        return Ok(());
    }
    let sums = match hdu.checksums() {
        Ok(sums) => sums,
        Err(error) => return findings.error(Level::Checksum, &error),
    };
    let [of_data, of_all] = declared;
    if let Some((card, text)) = of_data {
        match text.trim().parse::<u32>() {
            Ok(sum) if sum == sums.data => {}
            // Both are zero in ones'-complement arithmetic.
            Ok(sum) if [sum, sums.data].into_iter().all(|s| matches!(s, 0 | u32::MAX)) => {}
            Ok(sum) => {
                note(hdu.data_offset(), format!("DATASUM is {sum}, but the data sum up to {}", sums.data))
            }
            Err(_) => note(offset_of(card), format!("DATASUM is '{text}', which is no sum")),
        }
    }
    if of_all.is_some() && !matches!(sums.hdu, 0 | u32::MAX) {
        let what =
            format!("CHECKSUM does not match: the HDU sums up to {:#010x} instead of 0xffffffff", sums.hdu);
        note(hdu.offset(), what);
    }
    Ok(())
}
