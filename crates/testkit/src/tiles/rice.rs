//! RICE_1 of 32-bit integers (FITS 4.0, 10.4.1).

/// Pixels that share a split position.
pub(super) const BLOCK: usize = 32;

const SPLIT_BITS: u32 = 5;
const SPLIT_MAX: u32 = 25;
const PIXEL_BITS: u32 = 32;

pub(super) fn encode(pixels: &[i32]) -> Vec<u8> {
    let mut bits = Bits::default();
    let mut last = *pixels.first().expect("a tile has pixels");
    bits.put(last as u32, PIXEL_BITS);
    for block in pixels.chunks(BLOCK) {
        // Differences wrap, and small ones of both signs become small numbers.
        let mapped: Vec<u32> = block
            .iter()
            .map(|&pixel| {
                let difference = pixel.wrapping_sub(std::mem::replace(&mut last, pixel));
                ((difference << 1) ^ (difference >> 31)) as u32
            })
            .collect();
        let sum: u64 = mapped.iter().map(|&m| u64::from(m)).sum();
        if sum == 0 {
            bits.put(0, SPLIT_BITS);
            continue;
        }
        // Half the mean, in bits.
        let mean = sum.saturating_sub(block.len() as u64 / 2 + 1) / block.len() as u64;
        let split = u32::BITS - (mean as u32 >> 1).leading_zeros();
        if split >= SPLIT_MAX {
            bits.put(SPLIT_MAX + 1, SPLIT_BITS);
            mapped.iter().for_each(|&m| bits.put(m, PIXEL_BITS));
            continue;
        }
        bits.put(split + 1, SPLIT_BITS);
        for m in mapped {
            (0..m >> split).for_each(|_| bits.put(0, 1));
            bits.put(1, 1);
            bits.put(m & ((1 << split) - 1), split);
        }
    }
    bits.finish()
}

/// Bits into bytes, the most significant first.
#[derive(Default)]
pub(super) struct Bits {
    out: Vec<u8>,
    held: u64,
    count: u32,
}

impl Bits {
    /// Appends the lowest `count` bits.
    pub fn put(&mut self, value: u32, count: u32) {
        self.held = self.held << count | u64::from(value);
        self.count += count;
        while self.count >= 8 {
            self.count -= 8;
            self.out.push((self.held >> self.count) as u8);
        }
        self.held &= (1 << self.count) - 1;
    }

    /// The last byte is filled with zeros.
    pub fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.put(0, 8 - self.count);
        }
        self.out
    }
}
