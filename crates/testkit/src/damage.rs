//! Files broken on purpose, from whole ones.

/// The first `length` bytes.
pub fn truncated(bytes: &[u8], length: usize) -> Vec<u8> {
    assert!(length < bytes.len(), "{} bytes cannot be cut at {length}", bytes.len());
    bytes[..length].to_vec()
}

/// One byte inverted.
pub fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut out = bytes.to_vec();
    out[at] ^= 0xFF;
    out
}

/// The card of `keyword` in the header of HDU `hdu` (0 is the primary) replaced by `text`, as it stands.
pub fn with_card(bytes: &[u8], hdu: usize, keyword: &str, text: &str) -> Vec<u8> {
    assert!(text.len() <= 80, "a card of {} characters", text.len());
    let at = card_offset(bytes, hdu, keyword);
    let mut out = bytes.to_vec();
    out[at..at + 80].copy_from_slice(format!("{text:<80}").as_bytes());
    out
}

/// The card of `keyword` taken out; the header keeps its length.
pub fn without_card(bytes: &[u8], hdu: usize, keyword: &str) -> Vec<u8> {
    let at = card_offset(bytes, hdu, keyword);
    let end = data_offset(bytes, hdu);
    let mut out = bytes[..at].to_vec();
    out.extend_from_slice(&bytes[at + 80..end]);
    out.resize(end, b' ');
    out.extend_from_slice(&bytes[end..]);
    out
}

/// Where the card of `keyword` starts.
pub fn card_offset(bytes: &[u8], hdu: usize, keyword: &str) -> usize {
    let (start, end, _) = extent(bytes, hdu);
    find(bytes, start, end, keyword).unwrap_or_else(|| panic!("HDU {hdu} has no card {keyword}"))
}

/// Where the header of an HDU starts.
pub fn header_offset(bytes: &[u8], hdu: usize) -> usize {
    extent(bytes, hdu).0
}

/// Where the data of an HDU start, that is, where its header ends.
pub fn data_offset(bytes: &[u8], hdu: usize) -> usize {
    extent(bytes, hdu).1
}

/// Where an HDU ends, and the next one or nothing begins.
pub fn end_offset(bytes: &[u8], hdu: usize) -> usize {
    extent(bytes, hdu).2
}

/// Start of the header, of the data, and of the next HDU.
fn extent(bytes: &[u8], hdu: usize) -> (usize, usize, usize) {
    let mut start = 0;
    for index in 0.. {
        let end_card = find(bytes, start, bytes.len(), "END").expect("a header with an END card");
        let data = (end_card + 80).next_multiple_of(2880);
        let integer = |keyword: &str| {
            find(bytes, start, data, keyword).map_or(0, |at| {
                let value = String::from_utf8_lossy(&bytes[at + 10..at + 30]).trim().to_owned();
                value.parse::<i64>().unwrap_or_else(|_| panic!("{keyword} = {value}")).unsigned_abs() as usize
            })
        };
        let axes = integer("NAXIS");
        let elements: usize = (1..=axes).map(|n| integer(&format!("NAXIS{n}"))).product();
        let size = if axes == 0 { 0 } else { integer("BITPIX") / 8 * (integer("PCOUNT") + elements) };
        let next = data + size.next_multiple_of(2880);
        if index == hdu {
            return (start, data, next);
        }
        start = next;
    }
    unreachable!("the loop only ends by return")
}

fn find(bytes: &[u8], start: usize, end: usize, keyword: &str) -> Option<usize> {
    let keyword = format!("{keyword:<8}");
    (start..end.saturating_sub(79)).step_by(80).find(|at| bytes[*at..].starts_with(keyword.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Column, FitsTable, image_extension};

    #[test]
    fn damage_lands_where_it_should() {
        let file = FitsTable::new("T")
            .column(Column::new("A", "1PJ"))
            .rows(700, |i, cells| {
                cells.put([i as i32; 2]);
            })
            .then(&image_extension("I", -32, &[3, 5], &[1; 60]))
            .to_bytes();
        assert_eq!(header_offset(&file, 1), 2880);
        assert_eq!(data_offset(&file, 1), 5760);
        // 700 descriptors of 8 bytes and 700 * 2 elements of 4 are 11,200 bytes: four blocks.
        assert_eq!(header_offset(&file, 2), 5760 + 4 * 2880);
        assert_eq!(file.len(), header_offset(&file, 2) + 2 * 2880);
        let changed = with_card(&file, 2, "NAXIS1", "NAXIS1  = 'three'");
        let differ: Vec<usize> = (0..file.len()).filter(|&i| file[i] != changed[i]).collect();
        let card = card_offset(&file, 2, "NAXIS1");
        assert!(!differ.is_empty() && differ.iter().all(|i| (card..card + 80).contains(i)));
        let shorter = without_card(&file, 1, "TFORM1");
        assert_eq!(shorter.len(), file.len());
        assert!(find(&shorter, 2880, 5760, "TFORM1").is_none());
        assert!(find(&shorter, 2880, 5760, "EXTNAME").is_some());
        assert_eq!(flipped(&file, 100)[100], !file[100]);
        assert_eq!(truncated(&file, 100).len(), 100);
    }
}
