//! Cards and rows behind a valid start, so that most inputs reach the table reader: the first byte says how many
//! bytes are cards of the extension, the rest are its data. Two ways of reading must agree.
#![no_main]

use coaddkit_fits::{Chunk, Error, Fits, Table, Values};
use libfuzzer_sys::fuzz_target;

fn padded(cards: &[&[u8]]) -> Vec<u8> {
    let mut header = Vec::new();
    for card in cards {
        let mut card = card[..card.len().min(80)].to_vec();
        card.resize(80, b' ');
        header.extend(card);
    }
    header.resize(header.len().next_multiple_of(2880), b' ');
    header
}

/// Rows and a checksum of everything decoded.
fn digest(table: &Table, chunk_bytes: usize) -> Result<(u64, u64), Error> {
    let mut scan = table.scan().rows(0..5000).chunk_bytes(chunk_bytes);
    let mut columns = 0;
    for index in 0..table.columns().len() {
        if let Ok(wider) = scan.clone().column_at(index) {
            (scan, columns) = (wider, columns + 1);
        }
    }
    let (mut rows, mut sum) = (0, 0_u64);
    scan.for_each(|chunk: &Chunk<'_>| {
        rows += chunk.rows() as u64;
        for column in 0..columns {
            match chunk.values(column) {
                Values::F32(v) => v.iter().for_each(|v| sum = sum.wrapping_add(v.to_bits().into())),
                Values::F64(v) => v.iter().for_each(|v| sum = sum.wrapping_add(if v.is_nan() { 1 } else { v.to_bits() })),
                Values::I32(v) => v.iter().for_each(|&v| sum = sum.wrapping_add(v as u64)),
                Values::Text(t) => {
                    assert_eq!(t.len(), chunk.rows());
                    (0..t.len()).for_each(|row| sum = sum.wrapping_add(t.get(row).len() as u64));
                }
                Values::U8(v) => v.iter().for_each(|&v| sum = sum.wrapping_add(v.into())),
                Values::I16(v) => v.iter().for_each(|&v| sum = sum.wrapping_add(v as u64)),
                Values::I64(v) => v.iter().for_each(|&v| sum = sum.wrapping_add(v as u64)),
                _ => {}
            }
        }
        Ok::<_, Error>(())
    })?;
    Ok((rows, sum))
}

fuzz_target!(|input: &[u8]| {
    let Some((&count, rest)) = input.split_first() else { return };
    let (text, data) = rest.split_at(rest.len().min(usize::from(count) * 16));
    let mut cards: Vec<&[u8]> = vec![b"XTENSION= 'BINTABLE'", b"BITPIX  = 8", b"NAXIS   = 2"];
    cards.extend(text.split(|&b| b == b'\n'));
    cards.push(b"END");
    let mut bytes = padded(&[b"SIMPLE  = T", b"BITPIX  = 8", b"NAXIS   = 0", b"END"]);
    bytes.extend(padded(&cards));
    bytes.extend_from_slice(data);
    let Ok(table) = Fits::from_source(bytes).and_then(|f| f.hdu(1)).and_then(|h| h.table()) else { return };
    if table.row_bytes() > 1 << 16 {
        return;
    }
    let (one, all) = (digest(&table, 1), digest(&table, 1 << 20));
    match (one, all) {
        (Ok(one), Ok(all)) => assert_eq!(one, all),
        (Err(_), Err(_)) => {}
        (one, all) => panic!("{one:?} and {all:?}"),
    }
});
