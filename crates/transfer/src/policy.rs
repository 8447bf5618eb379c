use std::time::Duration;

/// How a host is treated: politely, unless told otherwise.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct HostPolicy {
    /// Most requests at once to a host. Default: 8.
    pub connections: usize,
    /// Most requests a second to a host. Default: as many as it takes.
    pub rate: Option<f64>,
    /// Whether concurrency starts low, halves when the host refuses and grows again, and a rate that the host
    /// refused is not asked for again soon. Default: true.
    pub adaptive: bool,
    /// A Retry-After above this stops the host instead of the run waiting for it. Default: 15 minutes.
    pub longest_wait: Duration,
    /// So many refusals with 429 in a row, each after the wait that was asked for, stop the host, before it bans
    /// us. Default: 5.
    pub ban_guard: u32,
    /// A host that has answered nothing useful for so long is stopped. Default: 15 minutes.
    pub patience: Duration,
    /// The User-Agent; portals like to find a way to reach you in it.
    pub user_agent: String,
}

impl Default for HostPolicy {
    fn default() -> Self {
        Self {
            connections: 8,
            rate: None,
            adaptive: true,
            longest_wait: Duration::from_secs(15 * 60),
            ban_guard: 5,
            patience: Duration::from_secs(15 * 60),
            user_agent: concat!(
                "coaddkit-transfer/",
                env!("CARGO_PKG_VERSION"),
                " (+",
                env!("CARGO_PKG_REPOSITORY"),
                ")"
            )
            .to_owned(),
        }
    }
}

/// How long to wait for what. There is no time limit for a whole file: a large one may take hours.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// For a connection. Default: 10 s.
    pub connect: Duration,
    /// For the first byte of an answer. Default: 60 s.
    pub first_byte: Duration,
    /// Without a byte, in the middle of a file. Default: 30 s.
    pub idle: Duration,
    /// Bytes a second that must come in every stretch of `idle`, against an origin that drips. Default: 1024;
    /// 0 switches it off.
    pub min_rate: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(60),
            idle: Duration::from_secs(30),
            min_rate: 1024,
        }
    }
}

/// How often and how soon a file is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Attempts without progress; bytes that came start the count anew. Default: 8.
    pub attempts: u32,
    /// Attempts altogether. Default: 100.
    pub total: u32,
    /// The pause after the first failure is a random part of this, then of twice this, and so on. Default: 500 ms.
    pub base: Duration,
    /// No pause is longer. Default: 60 s.
    pub cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { attempts: 8, total: 100, base: Duration::from_millis(500), cap: Duration::from_secs(60) }
    }
}

impl RetryPolicy {
    /// The pause after `failures` in a row: uniform between 0 and the smaller of `cap` and `base * 2^(failures-1)`,
    /// so that clients that failed together do not come back together.
    pub(crate) fn pause(&self, failures: u32, rng: &mut Rng) -> Duration {
        let doubled = self.base.saturating_mul(1 << failures.saturating_sub(1).min(20));
        doubled.min(self.cap).mul_f64(rng.unit())
    }
}

/// A xorshift generator: for jitter, not for secrets.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        // Spreads small seeds, and never gives 0, which xorshift cannot leave.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03 | 1)
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_cap_and_fill_the_range() {
        let policy = RetryPolicy::default();
        let mut rng = Rng::new(1);
        for failures in [1, 2, 5, 8, 40, u32::MAX] {
            let most = policy.base.as_secs_f64() * 2f64.powi(failures.min(30) as i32 - 1);
            let most = most.min(60.0);
            let pauses: Vec<f64> =
                (0..2000).map(|_| policy.pause(failures, &mut rng).as_secs_f64() / most).collect();
            let mean = pauses.iter().sum::<f64>() / 2000.0;
            assert!(pauses.iter().all(|p| (0.0..=1.0).contains(p)), "{failures}");
            // Five standard errors of a uniform mean.
            assert!((mean - 0.5).abs() < 5.0 * (1.0 / 12.0f64 / 2000.0).sqrt(), "{failures}: {mean}");
        }
    }
}
