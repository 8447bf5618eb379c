//! RICE_1 (FITS 4.0, section 10.4.1): differences of neighbours, mapped to unsigned numbers, in blocks that
//! share the number of bits written as they are.

use super::Fault;
use super::bits::Bits;
use crate::machine::{self, Kernel};

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

/// Decodes the first pixels of each stream, as many as there is room for.
///
/// Each number of a stream starts where the one before it ends, so that a processor waits for it more than it works;
/// two streams side by side keep it busy.
pub(crate) fn decode<const N: usize>(
    streams: [&[u8]; N],
    pixel_bytes: u8,
    block: usize,
    out: [&mut [i32]; N],
) -> [Result<(), Fault>; N] {
    match pixel_bytes {
        1 => machine::run(Work::<1, N> { streams, block, out }),
        2 => machine::run(Work::<2, N> { streams, block, out }),
        _ => machine::run(Work::<4, N> { streams, block, out }),
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

/// Streams of pixels of so many bytes, and where they go.
struct Work<'a, const BYTES: usize, const N: usize> {
    streams: [&'a [u8]; N],
    block: usize,
    out: [&'a mut [i32]; N],
}

impl<const BYTES: usize, const N: usize> Kernel for Work<'_, BYTES, N> {
    type Output = [Result<(), Fault>; N];

    #[inline(always)]
    fn run(self) -> Self::Output {
        let Self { streams, block, mut out } = self;
        let mut faults = [const { Ok(()) }; N];
        let mut both = Streams::<BYTES, N>::new(streams);
        let together = out.iter().map(|out| out.len() / block * block).min().unwrap_or(0);
        let mut done = 0;
        while done < together && faults.iter().all(Result::is_ok) {
            both.blocks(out.each_mut().map(|out| &mut out[done..done + block]), &mut faults);
            done += block;
        }
        for (i, (out, fault)) in out.into_iter().zip(&mut faults).enumerate() {
            let mut one = Streams::<BYTES, 1> { bits: [both.bits[i]], last: [both.last[i]] };
            for block in out[done..].chunks_mut(block) {
                if fault.is_ok() {
                    one.blocks([block], std::array::from_mut(fault));
                }
            }
        }
        faults
    }
}

/// Streams between two blocks.
struct Streams<'a, const BYTES: usize, const N: usize> {
    bits: [Bits<'a>; N],
    /// The pixels before.
    last: [u32; N],
}

impl<'a, const BYTES: usize, const N: usize> Streams<'a, BYTES, N> {
    /// A stream that is shorter than its first pixel is found to be so after the first block.
    #[inline(always)]
    fn new(streams: [&'a [u8]; N]) -> Self {
        let first = |stream: &[u8]| {
            let first = stream.first_chunk::<BYTES>().unwrap_or(&[0; BYTES]);
            first.iter().fold(0_u32, |value, &byte| value << 8 | u32::from(byte))
        };
        Self { bits: streams.map(|stream| Bits::new(stream, BYTES)), last: streams.map(first) }
    }

    /// The next block of each stream, all of the same length.
    #[inline(always)]
    fn blocks(&mut self, mut out: [&mut [i32]; N], faults: &mut [Result<(), Fault>; N]) {
        let mut codes = [0; N];
        for (code, bits) in codes.iter_mut().zip(&mut self.bits) {
            bits.refill();
            *code = bits.take(Width::<BYTES>::SPLIT_BITS);
        }
        if codes.iter().all(|code| (1..=Width::<BYTES>::DIRECT).contains(code)) {
            let splits = codes.map(|code| code - 1);
            let blocks = out.each_mut().map(|block| &mut **block);
            match splits.iter().fold(0, |most, &split| most.max(split)) {
                0..=2 => numbers::<N, 8>(&mut self.bits, splits, blocks),
                3..=8 => numbers::<N, 4>(&mut self.bits, splits, blocks),
                9..=18 => numbers::<N, 2>(&mut self.bits, splits, blocks),
                _ => numbers::<N, 1>(&mut self.bits, splits, blocks),
            }
            for ((last, split), block) in self.last.iter_mut().zip(splits).zip(out) {
                *last = sums::<BYTES>(*last, split, block);
            }
        } else {
            for (i, block) in out.into_iter().enumerate() {
                faults[i] = any_block::<BYTES>(codes[i], &mut self.bits[i], &mut self.last[i], block);
            }
        }
        // One check a block keeps a short stream from being read as zeros to the end of a large tile.
        for (fault, bits) in faults.iter_mut().zip(&self.bits) {
            if fault.is_ok() && bits.past_end() {
                *fault = bits.check();
            }
        }
    }
}

/// A block of any kind, whose code has been read.
#[inline(always)]
fn any_block<const BYTES: usize>(
    code: u32,
    bits: &mut Bits<'_>,
    last: &mut u32,
    block: &mut [i32],
) -> Result<(), Fault> {
    match code.checked_sub(1) {
        None => block.fill(Width::<BYTES>::number(*last)),
        Some(split) if split < Width::<BYTES>::DIRECT => {
            if split <= 8 {
                numbers::<1, 4>(std::array::from_mut(bits), [split], [&mut *block]);
            } else {
                numbers::<1, 1>(std::array::from_mut(bits), [split], [&mut *block]);
            }
            *last = sums::<BYTES>(*last, split, block);
        }
        Some(split) if split == Width::<BYTES>::DIRECT => {
            for pixel in block {
                bits.refill();
                *last = last.wrapping_add(signed(bits.take(Width::<BYTES>::BITS)));
                *pixel = Width::<BYTES>::number(*last);
            }
        }
        Some(split) => return Err(unknown(split, bits.position())),
    }
    Ok(())
}

#[cold]
fn unknown(split: u32, position: usize) -> Fault {
    Fault::new(position / 8, format!("a block of pixels split at bit {split}, which no writer uses"))
}

/// From numbers, which stand `1 << split` too high, to pixels; returns the last one.
#[inline(always)]
fn sums<const BYTES: usize>(mut last: u32, split: u32, block: &mut [i32]) -> u32 {
    for number in block.iter_mut() {
        *number = signed((*number as u32).wrapping_sub(1 << split)) as i32;
    }
    // Four at a time, of which only one addition waits for those before.
    let (fours, rest) = block.as_chunks_mut::<4>();
    for four in fours {
        let [a, b, c, d] = four.map(|v| v as u32);
        let (ab, cd) = (a.wrapping_add(b), c.wrapping_add(d));
        let pixels = [a, ab, ab.wrapping_add(c), ab.wrapping_add(cd)].map(|v| v.wrapping_add(last));
        last = pixels[3];
        *four = pixels.map(Width::<BYTES>::number);
    }
    for pixel in rest {
        last = last.wrapping_add(*pixel as u32);
        *pixel = Width::<BYTES>::number(last);
    }
    last
}

/// The numbers of a block of each stream, each `1 << split` too high, which saves an instruction.
///
/// `GROUP` numbers at a time are taken from one look-ahead, since bringing bits to hand costs more than using
/// them; if they prove to need more bits than that, they are taken again one by one.
#[inline(always)]
fn numbers<const N: usize, const GROUP: usize>(
    bits: &mut [Bits<'_>; N],
    splits: [u32; N],
    out: [&mut [i32]; N],
) {
    let mut blocks = out.map(|block| block.as_chunks_mut::<GROUP>());
    let count = blocks.iter().map(|(groups, _)| groups.len()).min().unwrap_or(0);
    for at in 0..count {
        let mut groups = blocks.each_mut().map(|(groups, _)| &mut groups[at]);
        bits.iter_mut().for_each(Bits::refill);
        let mut buffer = bits.each_ref().map(|bits| bits.buffer);
        let mut total = splits.map(|split| (split + 1) * GROUP as u32);
        for k in 0..GROUP {
            for (n, group) in groups.iter_mut().enumerate() {
                // The one that ends the unary part comes to the top, and the lower part follows it. Without a one
                // at hand the total says so.
                let zeros = buffer[n].leading_zeros();
                let aligned = buffer[n].wrapping_shl(zeros);
                let tail = aligned.wrapping_shr(63 - splits[n]) as u32;
                group[k] = zeros.wrapping_shl(splits[n]).wrapping_add(tail) as i32;
                buffer[n] = aligned.wrapping_shl(splits[n] + 1);
                total[n] += zeros;
            }
        }
        for (n, group) in groups.into_iter().enumerate() {
            if total[n] <= bits[n].have {
                (bits[n].buffer, bits[n].have) = (buffer[n], bits[n].have - total[n]);
            } else {
                one_by_one(&mut bits[n], splits[n], group);
            }
        }
    }
    for ((bits, split), (_, rest)) in bits.iter_mut().zip(splits).zip(blocks) {
        one_by_one(bits, split, rest);
    }
}

#[inline(always)]
fn one_by_one(bits: &mut Bits<'_>, split: u32, numbers: &mut [i32]) {
    for number in numbers {
        let found;
        (*bits, found) = number_of(*bits, split);
        *number = found.wrapping_add(1 << split) as i32;
    }
}

/// Undoes the mapping of 0, −1, 1, −2 … to 0, 1, 2, 3 ….
#[inline(always)]
fn signed(mapped: u32) -> u32 {
    (mapped >> 1) ^ (mapped & 1).wrapping_neg()
}

/// One number, its upper part in unary and of any length, its lower `split` bits as they are. The reader goes by
/// value, so that it stays in registers elsewhere.
#[inline(never)]
fn number_of(mut bits: Bits<'_>, split: u32) -> (Bits<'_>, u32) {
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
        // Zeros without end; the block is found to be short.
        if bits.past_end() {
            break;
        }
    }
    bits.refill();
    let low = if split == 0 { 0 } else { bits.take(split) };
    (bits, (zeros << split).wrapping_add(low))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bit by bit, as the standard words it.
    fn encode<const BYTES: usize>(pixels: &[i32], block: usize, splits: &[u32]) -> Vec<u8> {
        let mut bits = Vec::new();
        let mut put = |value: u32, count: u32| bits.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
        let first = pixels.first().map_or(0, |&v| v as u32);
        put(first, Width::<BYTES>::BITS);
        let mut last = first;
        let wrapped = |v: u32| match BYTES {
            1 => v as i8 as u32,
            2 => v as i16 as u32,
            _ => v,
        };
        for (pixels, &split) in pixels.chunks(block).zip(splits.iter().cycle()) {
            let mapped: Vec<u32> = pixels
                .iter()
                .map(|&v| {
                    let step = wrapped((v as u32).wrapping_sub(last));
                    last = v as u32;
                    (step << 1) ^ ((step as i32) >> 31) as u32
                })
                .collect();
            // A split that makes the unary parts long is no use to anybody.
            let direct = mapped.iter().any(|&v| v.checked_shr(split).unwrap_or(0) > 300);
            if mapped.iter().all(|&v| v == 0) {
                put(0, Width::<BYTES>::SPLIT_BITS);
            } else if direct || split >= Width::<BYTES>::DIRECT {
                put(Width::<BYTES>::DIRECT + 1, Width::<BYTES>::SPLIT_BITS);
                mapped.iter().for_each(|&v| put(v, Width::<BYTES>::BITS));
            } else {
                put(split + 1, Width::<BYTES>::SPLIT_BITS);
                for v in mapped {
                    (0..v >> split).for_each(|_| put(0, 1));
                    put(1, 1);
                    put(v & ((1 << split) - 1), split);
                }
            }
        }
        bits.chunks(8)
            .map(|byte| byte.iter().enumerate().fold(0, |b, (i, &on)| b | u8::from(on) << (7 - i)))
            .collect()
    }

    fn both_ways<const BYTES: usize>(pixels: [Vec<i32>; 2], block: usize, splits: &[u32]) {
        let pixels = pixels
            .map(|pixels| pixels.into_iter().map(|v| Width::<BYTES>::number(v as u32)).collect::<Vec<_>>());
        let streams = pixels.each_ref().map(|pixels| encode::<BYTES>(pixels, block, splits));
        let streams = streams.each_ref().map(Vec::as_slice);
        let mut found = pixels.each_ref().map(|pixels| vec![0; pixels.len()]);
        let out = found.each_mut().map(Vec::as_mut_slice);
        assert_eq!(decode(streams, BYTES as u8, block, out), [Ok(()), Ok(())]);
        assert_eq!(found, pixels);
        for i in 0..2 {
            found[i].fill(0);
            let out = [&mut found[i][..]];
            assert_eq!(Work::<BYTES, 1> { streams: [streams[i]], block, out }.run(), [Ok(())]);
            assert_eq!(found[i], pixels[i]);
        }
    }

    fn pixels() -> impl Strategy<Value = Vec<i32>> {
        // Steps of all sizes, many of them none.
        let step = (any::<i32>(), 0_u32..40).prop_map(|(v, by)| v.checked_shr(by).unwrap_or(0));
        proptest::collection::vec(step, 1..300).prop_map(|steps| {
            steps
                .into_iter()
                .scan(0_i32, |last, step| Some(std::mem::replace(last, last.wrapping_add(step))))
                .collect()
        })
    }

    proptest! {
        #[test]
        fn streams_of_the_standard_decode_alone_and_side_by_side(
            a in pixels(),
            b in pixels(),
            block in 1..40_usize,
            splits in proptest::collection::vec(0..26_u32, 1..9),
        ) {
            both_ways::<4>([a.clone(), b.clone()], block, &splits);
            both_ways::<2>([a.clone(), b.clone()], block, &splits);
            both_ways::<1>([a, b], block, &splits);
        }

        #[test]
        fn any_bytes_give_the_same_alone_and_side_by_side_on_any_processor(
            streams in [proptest::collection::vec(any::<u8>(), 0..200), proptest::collection::vec(any::<u8>(), 0..200)],
            sizes in [0..400_usize, 0..400_usize],
            pixel_bytes in 0..3_u8,
            block in 1..40_usize,
        ) {
            let streams = streams.each_ref().map(Vec::as_slice);
            let mut together = sizes.map(|size| vec![0; size]);
            let out = together.each_mut().map(Vec::as_mut_slice);
            let done = decode(streams, 1_u8 << pixel_bytes, block, out);
            for i in 0..2 {
                let mut alone = vec![0; sizes[i]];
                let (streams, out) = ([streams[i]], [&mut alone[..]]);
                let [found] = match pixel_bytes {
                    0 => Work::<1, 1> { streams, block, out }.run(),
                    1 => Work::<2, 1> { streams, block, out }.run(),
                    _ => Work::<4, 1> { streams, block, out }.run(),
                };
                prop_assert_eq!(&found, &done[i]);
                if found.is_ok() {
                    prop_assert_eq!(&alone, &together[i]);
                }
            }
        }
    }
}
