//! DATASUM and CHECKSUM (FITS 4.0, section 4.4.2.7 and appendix J).

use crate::error::Error;
use crate::file::Hdu;
use crate::header::BLOCK;
use crate::source::read_full;

/// A 32-bit ones'-complement sum of big-endian words, of bytes that come piece by piece.
///
/// The sum of the data of an HDU, padding included, is its DATASUM; CHECKSUM is chosen so that the sum of the whole
/// HDU is −0, which is all ones.
///
/// # Examples
///
/// ```
/// let mut sum = coaddkit_fits::Checksum::new();
/// sum.update(&[0, 0, 0]);
/// sum.update(&[1, 0x80, 0, 0, 0, 0x80, 0, 0, 0]);
/// assert_eq!(sum.value(), 2); // the carry comes back in at the other end
/// assert_eq!(&sum.encoded(), b"orrrpooooooooooo");
/// ```
///
/// # References
///
/// FITS 4.0, appendix J.
#[derive(Clone, Debug, Default)]
pub struct Checksum {
    /// Sums of the bytes at the four places of a word.
    places: [u64; 4],
    /// Bytes so far, as far as their place in a word is concerned.
    position: usize,
}

/// Bytes that are added side by side.
const LANES: usize = 32;

/// Additions after which 16 bits may overflow.
const DEPTH: usize = 256;

impl Checksum {
    /// The sum of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes that follow those added before.
    pub fn update(&mut self, bytes: &[u8]) {
        // Bytes are summed by place, in 16 bits a lane, which any compiler turns into a few wide additions.
        let first = self.position % 4;
        let (rows, rest) = bytes.as_chunks::<LANES>();
        for rows in rows.chunks(DEPTH) {
            let mut lanes = [0_u16; LANES];
            for row in rows {
                for (lane, &byte) in lanes.iter_mut().zip(row) {
                    *lane += u16::from(byte);
                }
            }
            for (at, lane) in lanes.into_iter().enumerate() {
                self.places[(first + at) % 4] += u64::from(lane);
            }
        }
        for (at, &byte) in rest.iter().enumerate() {
            self.places[(first + at) % 4] += u64::from(byte);
        }
        self.position = (first + bytes.len()) % 4;
    }

    /// The sum, which is what DATASUM says in decimal digits. A part of a word counts as if zeros followed.
    pub fn value(&self) -> u32 {
        let total = self.places.iter().fold(0_u128, |total, &sum| (total << 8) + u128::from(sum));
        // Ones'-complement addition is addition modulo 2³² − 1, but never turns what is not zero into zero.
        let rest = (total % u128::from(u32::MAX)) as u32;
        if rest == 0 && total != 0 { u32::MAX } else { rest }
    }

    /// The sum of whole words, and of what follows them.
    pub(crate) fn and(&self, next: &Self) -> Self {
        Self { places: std::array::from_fn(|place| self.places[place] + next.places[place]), position: 0 }
    }

    /// The CHECKSUM for an HDU of this sum, taken with sixteen `0` in its place: sixteen letters and digits that
    /// bring the sum to −0.
    pub fn encoded(&self) -> [u8; 16] {
        encode(!self.value())
    }
}

/// Sixteen letters and digits that add up to `value` above sixteen `0`.
fn encode(value: u32) -> [u8; 16] {
    let mut out = [0; 16];
    for (place, byte) in value.to_be_bytes().into_iter().enumerate() {
        let (quotient, remainder) = (byte / 4, byte % 4);
        let mut four = [quotient + remainder, quotient, quotient, quotient].map(|part| part + b'0');
        // Punctuation between the digits and the letters moves in pairs, which keeps the sum.
        while four.iter().any(|&c| is_punctuation(c)) {
            for pair in four.chunks_exact_mut(2) {
                if pair.iter().any(|&c| is_punctuation(c)) {
                    pair[0] += 1;
                    pair[1] -= 1;
                }
            }
        }
        for (word, character) in four.into_iter().enumerate() {
            out[4 * word + place] = character;
        }
    }
    // The value of the card starts in column 12, the last byte of a word.
    out.rotate_right(1);
    out
}

fn is_punctuation(c: u8) -> bool {
    matches!(c, b':'..=b'@' | b'['..=b'`')
}

/// The sums of an HDU as it is, from [`Hdu::checksums`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checksums {
    /// Of the data with their padding: what DATASUM should say.
    pub data: u32,
    /// Of header and data: all ones (or 0 of an HDU without anything) where CHECKSUM is right.
    pub hdu: u32,
}

impl Hdu {
    /// Reads header and data and sums them up. Padding that the file lacks counts as zeros.
    ///
    /// # Errors
    ///
    /// When the reader fails, or the data are truncated.
    pub fn checksums(&self) -> Result<Checksums, Error> {
        self.whole()?;
        let (header, data) = (self.offset(), self.data_offset());
        // The walk over the HDUs has seen that the end of the padding can be counted.
        let end = data + self.data_bytes().next_multiple_of(BLOCK as u64);
        let of_header = self.sum(header, data)?;
        let of_data = self.sum(data, end)?;
        Ok(Checksums { data: of_data.value(), hdu: of_header.and(&of_data).value() })
    }

    /// Of the bytes from `start` to `end`.
    fn sum(&self, start: u64, end: u64) -> Result<Checksum, Error> {
        const STEP: u64 = 256 << 10;
        let mut sum = Checksum::new();
        let mut buffer = vec![0; STEP.min(end - start) as usize];
        let mut at = start;
        while at < end {
            let step = STEP.min(end - at) as usize;
            let n = read_full(&*self.shared.source, &mut buffer[..step], at)
                .map_err(|e| Error::io(self.shared.location(Some(self.index()), Some(at)), e))?;
            sum.update(&buffer[..n]);
            if n < step {
                break;
            }
            at += n as u64;
        }
        Ok(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Word by word, as the standard words it.
    fn simple(bytes: &[u8]) -> u32 {
        let mut padded = bytes.to_vec();
        padded.resize(bytes.len().next_multiple_of(4), 0);
        padded.as_chunks::<4>().0.iter().fold(0, |sum: u32, &word| {
            let (sum, carry) = sum.overflowing_add(u32::from_be_bytes(word));
            sum + u32::from(carry)
        })
    }

    #[test]
    fn pieces_of_any_length_sum_as_the_whole() {
        let bytes: Vec<u8> = (0..40_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for (length, piece) in [(0, 1), (1, 1), (7, 2), (2880, 80), (39_999, 7), (40_000, 4096), (40_000, 33)]
        {
            let mut sum = Checksum::new();
            bytes[..length].chunks(piece).for_each(|piece| sum.update(piece));
            assert_eq!(sum.value(), simple(&bytes[..length]), "{length} by {piece}");
        }
        let ones = vec![0xff; 1 << 20];
        let mut sum = Checksum::new();
        sum.update(&ones);
        assert_eq!(sum.value(), u32::MAX);
        assert_eq!(Checksum::new().value(), 0);
    }

    /// The example of appendix J.
    #[test]
    fn encoding_of_the_standard() {
        assert_eq!(&encode(3_426_738_146), b"hcHjjc9ghcEghc9g");
        assert_eq!(&encode(0), b"0000000000000000");
    }

    #[test]
    fn encoded_sums_add_up() {
        for value in (0..100_000_u32).map(|i| i.wrapping_mul(2_654_435_761)) {
            let encoded = encode(value);
            assert!(encoded.iter().all(u8::is_ascii_alphanumeric));
            let mut sum = Checksum::new();
            let mut aligned = encoded;
            aligned.rotate_left(1);
            // Each character stands above '0'.
            sum.update(&aligned.map(|c| c - b'0'));
            assert!(sum.value() == value || (sum.value(), value) == (0, u32::MAX), "{value}");
        }
    }
}
