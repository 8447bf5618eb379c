//! RICE_1 (FITS 4.0, section 10.4.1); see the decoder for how it works. The streams are those of CFITSIO.

/// Bits, the most significant first.
struct Bits<'a> {
    out: &'a mut Vec<u8>,
    word: u64,
    /// Bits of `word` that are free, 1 to 64.
    free: u32,
}

impl Bits<'_> {
    /// Appends the `count` low bits of `value`, 1 to 63, above which there is none.
    #[inline(always)]
    fn put(&mut self, value: u64, count: u32) {
        if count < self.free {
            self.free -= count;
            self.word |= value << self.free;
        } else {
            let over = count - self.free;
            self.out.extend_from_slice(&(self.word | value >> over).to_be_bytes());
            self.free = 64 - over;
            self.word = if over == 0 { 0 } else { value << self.free };
        }
    }

    fn zeros(&mut self, mut count: u32) {
        while count > 0 {
            let step = count.min(32);
            self.put(0, step);
            count -= step;
        }
    }

    fn end(self) {
        let used = (64 - self.free).div_ceil(8) as usize;
        self.out.extend_from_slice(&self.word.to_be_bytes()[..used]);
    }
}

/// Appends the stream of pixels of which only the low `pixel_bytes` bytes count: 1, 2 or 4.
pub(crate) fn encode(pixels: &[i32], pixel_bytes: usize, block: usize, out: &mut Vec<u8>) {
    match pixel_bytes {
        1 => stream::<1>(pixels, block, out),
        2 => stream::<2>(pixels, block, out),
        _ => stream::<4>(pixels, block, out),
    }
}

fn stream<const BYTES: usize>(pixels: &[i32], block: usize, out: &mut Vec<u8>) {
    let (bits_of_split, direct, width) = match BYTES {
        1 => (3, 6, 8),
        2 => (4, 14, 16),
        _ => (5, 25, 32),
    };
    let Some(&first) = pixels.first() else { return };
    out.reserve(pixels.len() * BYTES / 2 + 16);
    let mut bits = Bits { out, word: 0, free: 64 };
    bits.put(u64::from(low::<BYTES>(first as u32)), width);
    let mut last = first;
    let mut mapped = vec![0_u32; block.min(pixels.len())];
    for pixels in pixels.chunks(block) {
        let mapped = &mut mapped[..pixels.len()];
        let mut sum = 0_u64;
        for (mapped, &pixel) in mapped.iter_mut().zip(pixels) {
            // 0, −1, 1, −2 … become 0, 1, 2, 3 …
            let difference = signed::<BYTES>(pixel.wrapping_sub(last));
            *mapped = low::<BYTES>((difference << 1 ^ difference >> 31) as u32);
            last = pixel;
        }
        for &mapped in &*mapped {
            sum += u64::from(mapped);
        }
        let count = pixels.len() as u64;
        // About the logarithm of half the mean.
        let half = (sum.saturating_sub(count / 2 + 1) / count) as u32 >> 1;
        let split = u32::BITS - half.leading_zeros();
        if split >= direct {
            bits.put(u64::from(direct) + 1, bits_of_split);
            mapped.iter().for_each(|&v| bits.put(v.into(), width));
        } else if sum == 0 {
            bits.put(0, bits_of_split);
        } else {
            bits.put(u64::from(split) + 1, bits_of_split);
            let tail = 1_u64 << split;
            for &v in &*mapped {
                // The upper part in unary, ended by a one, the lower part as it is.
                let (upper, lower) = (v >> split, u64::from(v) & (tail - 1));
                if upper + split < 48 {
                    bits.put(tail | lower, upper + 1 + split);
                } else {
                    bits.zeros(upper);
                    bits.put(tail | lower, 1 + split);
                }
            }
        }
    }
    bits.end();
}

/// The bytes that count.
#[inline(always)]
fn low<const BYTES: usize>(value: u32) -> u32 {
    match BYTES {
        1 => value & 0xff,
        2 => value & 0xffff,
        _ => value,
    }
}

/// A difference in the arithmetic of the pixels.
#[inline(always)]
fn signed<const BYTES: usize>(value: i32) -> i32 {
    match BYTES {
        1 => (value as i8).into(),
        2 => (value as i16).into(),
        _ => value,
    }
}
