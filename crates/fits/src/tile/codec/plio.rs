//! PLIO_1 (FITS 4.0, section 10.4.3): runs of equal pixels as 16-bit instructions.

use super::Fault;

const WORD: usize = 2;

/// Decodes a line list of big-endian 16-bit words into exactly `out.len()` pixels.
pub(crate) fn decode(stream: &[u8], out: &mut [i32]) -> Result<(), Fault> {
    let words = stream.as_chunks::<WORD>().0;
    let word = |index: usize| words.get(index).map(|&w| u16::from_be_bytes(w));
    let short = || Fault::ends_early(stream.len());
    // The third word is the length of an old list, or, where that is not positive, a version, with which the
    // length takes two words and the second word is that of the header.
    let third = word(2).ok_or_else(short)?;
    let (start, end) = if (third as i16) > 0 {
        (3, usize::from(third))
    } else {
        let (low, high) = (word(3).ok_or_else(short)?, word(4).ok_or_else(short)?);
        (usize::from(word(1).ok_or_else(short)?), (usize::from(high) << 15) + usize::from(low))
    };
    if end > words.len() || start < 3 {
        let what = format!("it claims {end} words from word {start}, {} are there", words.len());
        return Err(Fault::new(0, what));
    }
    let pixels = out.len();
    let (mut value, mut rest) = (1_i32, out);
    let mut index = start;
    while index < end {
        let at = index * WORD;
        let instruction = word(index).ok_or_else(short)?;
        index += 1;
        let (code, data) = (instruction >> 12, instruction & 0xfff);
        let count = usize::from(data);
        let mut run = |pixels: usize| {
            let Some((run, after)) = std::mem::take(&mut rest).split_at_mut_checked(pixels) else {
                return Err(Fault::new(at, "it holds too many pixels"));
            };
            rest = after;
            Ok(run)
        };
        match code {
            0 => run(count)?.fill(0),
            1 => {
                let high = word(index).filter(|_| index < end).ok_or_else(short)?;
                index += 1;
                value = i32::from(high as i16) << 12 | i32::from(data);
            }
            2 => value = value.wrapping_add(data.into()),
            3 => value = value.wrapping_sub(data.into()),
            4 => run(count)?.fill(value),
            5 => {
                if let [zeros @ .., last] = run(count)? {
                    zeros.fill(0);
                    *last = value;
                }
            }
            6 => {
                value = value.wrapping_add(data.into());
                run(1)?.fill(value);
            }
            7 => {
                value = value.wrapping_sub(data.into());
                run(1)?.fill(value);
            }
            _ => return Err(Fault::new(at, format!("instruction {code} does not exist"))),
        }
    }
    if !rest.is_empty() {
        let what = format!("it holds {} pixels, the tile has {pixels}", pixels - rest.len());
        return Err(Fault::new(end * WORD, what));
    }
    Ok(())
}
