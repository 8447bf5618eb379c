//! The random sequence of dithering (FITS 4.0, appendix I).

const COUNT: usize = 10_000;

/// The offsets of one tile, in [0, 1), pixel after pixel.
pub(super) struct Offsets {
    sequence: Vec<f32>,
    start: usize,
    next: usize,
}

impl Offsets {
    /// `tile` counts from 0, `seed` is ZDITHER0.
    pub fn new(tile: usize, seed: u16) -> Self {
        let mut state = 1_u64;
        let sequence = (0..COUNT).map(|_| {
            state = state * 16_807 % 2_147_483_647;
            (state as f64 / 2_147_483_647.0) as f32
        });
        let mut out = Self { sequence: sequence.collect(), start: 0, next: 0 };
        out.start = (tile + usize::from(seed) - 1) % COUNT;
        out.next = out.first();
        out
    }

    fn first(&self) -> usize {
        (self.sequence[self.start] * 500.0) as usize
    }

    pub fn next(&mut self) -> f64 {
        let offset = self.sequence[self.next];
        self.next += 1;
        if self.next == COUNT {
            self.start = (self.start + 1) % COUNT;
            self.next = self.first();
        }
        f64::from(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_ends_where_the_standard_says() {
        let last = Offsets::new(0, 1).sequence[COUNT - 1];
        assert_eq!(last.to_bits(), ((1_043_618_065.0_f64 / 2_147_483_647.0) as f32).to_bits());
    }
}
