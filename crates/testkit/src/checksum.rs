//! DATASUM and CHECKSUM for files that were written without (FITS 4.0, 4.4.2.7 and appendix J).

use crate::damage::{data_offset, end_offset};

const CARD: usize = 80;
const BLOCK: usize = 2880;

/// The file with DATASUM and CHECKSUM at the end of every header. No header may have them already.
pub fn with_checksums(file: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(file.len());
    let mut start = 0;
    for hdu in 0.. {
        if start == file.len() {
            break;
        }
        let (data, end) = (data_offset(file, hdu), end_offset(file, hdu));
        out.extend(hdu_with_checksums(&file[start..data], &file[data..end]));
        start = end;
    }
    out
}

fn hdu_with_checksums(header: &[u8], data: &[u8]) -> Vec<u8> {
    let used =
        header.chunks(CARD).position(|card| card.starts_with(b"END     ")).expect("an END card") * CARD;
    let mut out = header[..used].to_vec();
    let card =
        |keyword: &str, value: &str| format!("{:<80}", format!("{keyword:<8}= '{value}'")).into_bytes();
    let datasum = sum(data, 0);
    out.extend(card("DATASUM", &format!("{datasum:<8}")));
    let value = out.len() + 11;
    out.extend(card("CHECKSUM", &"0".repeat(16)));
    out.extend(format!("{:<80}", "END").into_bytes());
    out.resize(out.len().next_multiple_of(BLOCK), b' ');
    let whole = sum(&out, datasum);
    out[value..value + 16].copy_from_slice(&encode(!whole));
    out.extend_from_slice(data);
    out
}

/// The ones' complement sum of 32-bit words.
fn sum(bytes: &[u8], before: u32) -> u32 {
    let words = bytes.chunks_exact(4).map(|w| u64::from(u32::from_be_bytes([w[0], w[1], w[2], w[3]])));
    let mut sum = u64::from(before) + words.sum::<u64>();
    while sum >> 32 != 0 {
        sum = (sum & 0xFFFF_FFFF) + (sum >> 32);
    }
    sum as u32
}

/// Sixteen letters and digits whose sum, with the rotation by one byte, is the value.
fn encode(value: u32) -> [u8; 16] {
    let plain = |c: u8| c.is_ascii_alphanumeric();
    let mut out = [0; 16];
    for (i, byte) in value.to_be_bytes().into_iter().enumerate() {
        let mut quarters = [byte / 4 + b'0'; 4];
        quarters[0] += byte % 4;
        while !quarters.iter().all(|c| plain(*c)) {
            for pair in quarters.chunks_exact_mut(2).filter(|pair| !pair.iter().all(|c| plain(*c))) {
                pair[0] += 1;
                pair[1] -= 1;
            }
        }
        for (j, quarter) in quarters.into_iter().enumerate() {
            out[(4 * j + i + 1) % 16] = quarter;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_standard() {
        // Appendix J: the complement of 868229149 is encoded as hcHjjc9ghcEghc9g.
        assert_eq!(&encode(!868_229_149), b"hcHjjc9ghcEghc9g");
    }
}
