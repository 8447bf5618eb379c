//! RICE_1 (FITS 4.0, section 10.4.1): differences of neighbours, mapped to unsigned numbers, in blocks that
//! share the number of bits written as they are.

use super::Fault;
use super::bits::Bits;

/// How a pixel size is coded.
struct Width<const BYTES: usize>;

impl<const BYTES: usize> Width<BYTES> {
    const BITS: u32 = 8 * BYTES as u32;
    /// Bits that hold the number of split bits, plus one.
    const SPLIT_BITS: u32 = match BYTES {
        1 => 3,
        2 => 4,
        _ => 5,
    };
    /// The split that stands for pixels written as they are.
    const DIRECT: u32 = match BYTES {
        1 => 6,
        2 => 14,
        _ => 25,
    };

    /// A pixel, of which only the low bits are defined, as a number: bytes are unsigned, the others signed.
    #[inline(always)]
    fn number(pixel: u32) -> i32 {
        match BYTES {
            1 => i32::from(pixel as u8),
            2 => i32::from(pixel as i16),
            _ => pixel as i32,
        }
    }
}

/// Decodes the first `out.len()` pixels of a stream.
pub(crate) fn decode(stream: &[u8], pixel_bytes: u8, block: usize, out: &mut [i32]) -> Result<(), Fault> {
    match pixel_bytes {
        1 => pixels::<1>(stream, block, out),
        2 => pixels::<2>(stream, block, out),
        _ => pixels::<4>(stream, block, out),
    }
}

/// The largest number of pixels that a stream of `bytes` bytes can hold.
pub(crate) fn capacity(bytes: u64, pixel_bytes: u8, block: usize) -> u64 {
    let split_bits = match pixel_bytes {
        1 => Width::<1>::SPLIT_BITS,
        2 => Width::<2>::SPLIT_BITS,
        _ => Width::<4>::SPLIT_BITS,
    };
    (bytes.saturating_mul(8) / u64::from(split_bits)).saturating_mul(block as u64)
}

fn pixels<const BYTES: usize>(stream: &[u8], block: usize, out: &mut [i32]) -> Result<(), Fault> {
    let Some(first) = stream.first_chunk::<BYTES>() else { return Err(Fault::ends_early(stream.len())) };
    let mut last = first.iter().fold(0_u32, |value, &byte| value << 8 | u32::from(byte));
    let mut bits = Bits::new(stream, BYTES);
    for block in out.chunks_mut(block) {
        bits.refill();
        let split = bits.take(Width::<BYTES>::SPLIT_BITS);
        match split.checked_sub(1) {
            None => block.fill(Width::<BYTES>::number(last)),
            Some(split) if split < Width::<BYTES>::DIRECT => {
                last = match split {
                    0..=2 => coded::<BYTES, 8>(&mut bits, split, last, block)?,
                    3..=8 => coded::<BYTES, 4>(&mut bits, split, last, block)?,
                    9..=18 => coded::<BYTES, 2>(&mut bits, split, last, block)?,
                    _ => coded::<BYTES, 1>(&mut bits, split, last, block)?,
                };
            }
            Some(split) if split == Width::<BYTES>::DIRECT => {
                for pixel in block {
                    bits.refill();
                    last = last.wrapping_add(signed(bits.take(Width::<BYTES>::BITS)));
                    *pixel = Width::<BYTES>::number(last);
                }
            }
            Some(split) => {
                let what = format!("a block of pixels split at bit {split}, which no writer uses");
                return Err(Fault::new(bits.position() / 8, what));
            }
        }
        // One check a block keeps a short stream from being read as zeros to the end of a large tile.
        bits.check()?;
    }
    Ok(())
}

/// A block of numbers that share their split, from the pixel before it to its last one.
///
/// `GROUP` numbers at a time are taken from one look-ahead, since bringing bits to hand costs more than using
/// them; if they prove to need more bits than that, they are taken again one by one.
#[inline(always)]
fn coded<const BYTES: usize, const GROUP: usize>(
    bits: &mut Bits<'_>,
    split: u32,
    mut last: u32,
    block: &mut [i32],
) -> Result<u32, Fault> {
    let (groups, rest) = block.as_chunks_mut::<GROUP>();
    for group in groups {
        bits.refill();
        let (mut buffer, mut total, before) = (bits.buffer, 0, last);
        for pixel in group.iter_mut() {
            // The lowest bit is never among those at hand, and with it the count of zeros is that of a number
            // that is not zero. The one that ends the unary part is the top bit of the tail; it stands for
            // one more than there is.
            let zeros = (buffer | 1).leading_zeros();
            let used = zeros + 1 + split;
            let tail = buffer.wrapping_shr(64_u32.wrapping_sub(used)) as u32;
            buffer = buffer.wrapping_shl(used);
            total += used;
            let number = (zeros << split).wrapping_add(tail.wrapping_sub(1 << split));
            last = last.wrapping_add(signed(number));
            *pixel = Width::<BYTES>::number(last);
        }
        if total <= bits.have {
            (bits.buffer, bits.have) = (buffer, bits.have - total);
        } else {
            last = one_by_one::<BYTES>(bits, split, before, group)?;
        }
    }
    one_by_one::<BYTES>(bits, split, last, rest)
}

fn one_by_one<const BYTES: usize>(
    bits: &mut Bits<'_>,
    split: u32,
    mut last: u32,
    pixels: &mut [i32],
) -> Result<u32, Fault> {
    for pixel in pixels {
        last = last.wrapping_add(signed(rice(bits, split)?));
        *pixel = Width::<BYTES>::number(last);
    }
    Ok(last)
}

/// Undoes the mapping of 0, −1, 1, −2 … to 0, 1, 2, 3 ….
#[inline(always)]
fn signed(mapped: u32) -> u32 {
    (mapped >> 1) ^ (mapped & 1).wrapping_neg()
}

/// One number: its upper part in unary, its lower `split` bits as they are.
#[inline(always)]
fn rice(bits: &mut Bits<'_>, split: u32) -> Result<u32, Fault> {
    bits.refill();
    // The lowest bit is never among the 56, and with it the count of zeros needs no test for zero.
    let zeros = (bits.buffer | 1).leading_zeros();
    let used = zeros + 1 + split;
    if used > 56 {
        let number;
        (*bits, number) = long_rice(*bits, split)?;
        return Ok(number);
    }
    // The one that ends the unary part is the top bit of these; it stands for one more than there is.
    let tail = (bits.buffer >> (64 - used)) as u32;
    bits.skip(used);
    Ok((zeros << split).wrapping_add(tail.wrapping_sub(1 << split)))
}

/// A unary part longer than the look-ahead. By value, so that the reader stays in registers elsewhere.
#[cold]
fn long_rice(mut bits: Bits<'_>, split: u32) -> Result<(Bits<'_>, u32), Fault> {
    let mut zeros = 0_u32;
    loop {
        bits.refill();
        let run = bits.buffer.leading_zeros();
        if run < bits.have {
            zeros = zeros.wrapping_add(run);
            bits.skip(run + 1);
            break;
        }
        zeros = zeros.wrapping_add(bits.have);
        (bits.buffer, bits.have) = (0, 0);
        bits.check()?;
    }
    bits.refill();
    let low = if split == 0 { 0 } else { bits.take(split) };
    Ok((bits, (zeros << split).wrapping_add(low)))
}
