//! Random numbers that are the same on every platform.

/// SplitMix64: 64 bits of state, one multiplication chain per draw, any seed good.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// Different seeds give unrelated sequences, also neighbouring ones.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator for one part of a larger whole, independent of how many numbers other parts draw.
    pub fn for_part(seed: u64, part: u64) -> Self {
        let mut whole = Self(seed);
        Self(whole.bits() ^ Self(part.wrapping_add(0x5EED)).bits())
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in the open interval (0, 1).
    pub fn unit(&mut self) -> f64 {
        ((self.bits() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    /// Uniform in 0..n; n is small, so the bias of the multiplication is far below what any test sees.
    pub fn below(&mut self, n: u32) -> u32 {
        (((self.bits() >> 32) * u64::from(n)) >> 32) as u32
    }

    /// True with the probability given.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Mean 0, variance 1, near enough to normal out to 4 sigma: the sum of eight 16-bit uniforms.
    pub fn normal(&mut self) -> f64 {
        // The variance of the sum is 8 (2^32 - 1) / 12.
        const SCALE: f64 = 1.0 / 53_510.0;
        let (a, b) = (self.bits(), self.bits());
        let sum: u64 = (0..4).map(|i| ((a >> (16 * i)) & 0xFFFF) + ((b >> (16 * i)) & 0xFFFF)).sum();
        (sum as f64 - 4.0 * 65_535.0) * SCALE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix_matches_its_published_sequence() {
        // The first outputs for seed 1234567, from the reference implementation.
        let mut rng = Rng::new(1_234_567);
        assert_eq!(rng.bits(), 6_457_827_717_110_365_317);
        assert_eq!(rng.bits(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn moments() {
        let mut rng = Rng::new(3);
        let n = 200_000;
        let normals: Vec<f64> = (0..n).map(|_| rng.normal()).collect();
        let mean = normals.iter().sum::<f64>() / f64::from(n);
        let variance = normals.iter().map(|x| x * x).sum::<f64>() / f64::from(n);
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
        let mean = (0..n).map(|_| rng.unit()).sum::<f64>() / f64::from(n);
        assert!((mean - 0.5).abs() < 0.005, "{mean}");
        assert!((0..1000).all(|_| rng.below(7) < 7));
    }
}
