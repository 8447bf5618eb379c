//! The course of one file from the first request to the end, as decisions without network or clock.

use std::time::Duration;

use crate::policy::{RetryPolicy, Rng};

/// What happened last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The attempt broke with so many bytes in hand.
    Broke { have: u64, why: String },
    /// 429 or 503; the gate does the waiting.
    Throttled { why: String },
    /// The bytes in hand belong to another version of the file, or the server cannot continue.
    Stale { why: String },
    /// The file is whole and is not what it should be.
    Rejected { sha256: [u8; 32], why: String },
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Ask for what is missing, after a pause.
    Continue(Duration),
    /// Drop what is in hand and ask for the whole, after a pause; on a new connection and without a range.
    Anew(Duration),
    /// The origin gives the same bad bytes again.
    Quarantine(String),
    GiveUp(String),
}

#[derive(Debug)]
pub(crate) struct Course {
    policy: RetryPolicy,
    rng: Rng,
    /// Attempts altogether, and without progress.
    total: u32,
    futile: u32,
    have: u64,
    rejected: Option<[u8; 32]>,
}

impl Course {
    pub(crate) fn new(policy: RetryPolicy, rng: Rng) -> Self {
        Self { policy, rng, total: 0, futile: 0, have: 0, rejected: None }
    }

    /// Attempts so far.
    pub(crate) fn attempts(&self) -> u32 {
        self.total
    }

    /// An attempt begins with so many bytes in hand.
    pub(crate) fn begin(&mut self, have: u64) {
        self.total += 1;
        self.have = have;
    }

    pub(crate) fn after(&mut self, event: Event) -> Next {
        let (why, anew, pause) = match event {
            Event::Broke { have, why } => {
                self.futile = if have > self.have { 1 } else { self.futile + 1 };
                (why, false, true)
            }
            Event::Throttled { why } => {
                self.futile += 1;
                (why, false, false)
            }
            Event::Stale { why } => {
                self.futile += 1;
                (why, true, self.futile > 1)
            }
            Event::Rejected { sha256, why } => {
                if self.rejected == Some(sha256) {
                    return Next::Quarantine(why);
                }
                self.rejected = Some(sha256);
                self.futile += 1;
                (why, true, self.futile > 1)
            }
        };
        if self.futile >= self.policy.attempts.max(1) || self.total >= self.policy.total.max(1) {
            return Next::GiveUp(why);
        }
        let pause = if pause { self.policy.pause(self.futile, &mut self.rng) } else { Duration::ZERO };
        if anew { Next::Anew(pause) } else { Next::Continue(pause) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course() -> Course {
        Course::new(RetryPolicy::default(), Rng::new(1))
    }

    fn broke(have: u64) -> Event {
        Event::Broke { have, why: "reset".into() }
    }

    #[test]
    fn eight_attempts_without_progress_are_enough() {
        let mut course = course();
        for attempt in 1..=8 {
            course.begin(0);
            let next = course.after(broke(0));
            assert_eq!(next == Next::GiveUp("reset".into()), attempt == 8, "{attempt} {next:?}");
        }
        assert_eq!(course.attempts(), 8);
    }

    #[test]
    fn progress_starts_the_count_anew_up_to_the_total() {
        let mut course = course();
        for attempt in 1..=100 {
            course.begin(attempt - 1);
            let next = course.after(broke(attempt));
            assert_eq!(next == Next::GiveUp("reset".into()), attempt == 100, "{attempt} {next:?}");
        }
    }

    #[test]
    fn the_same_bad_bytes_twice_are_the_origins_fault() {
        let bad = |byte| Event::Rejected { sha256: [byte; 32], why: "checksum".into() };
        let mut same = course();
        same.begin(0);
        assert_eq!(same.after(bad(1)), Next::Anew(Duration::ZERO));
        same.begin(0);
        assert_eq!(same.after(bad(1)), Next::Quarantine("checksum".into()));

        let mut different = course();
        for byte in 1..=8 {
            different.begin(0);
            let next = different.after(bad(byte));
            assert_eq!(matches!(next, Next::Anew(_)), byte < 8, "{byte} {next:?}");
        }
    }

    #[test]
    fn what_cannot_be_continued_begins_anew() {
        let mut course = course();
        course.begin(10);
        let stale = Event::Stale { why: "another ETag".into() };
        assert_eq!(course.after(stale.clone()), Next::Anew(Duration::ZERO));
        course.begin(0);
        assert!(matches!(course.after(stale), Next::Anew(_)));
        course.begin(0);
        assert_eq!(course.after(Event::Throttled { why: "429".into() }), Next::Continue(Duration::ZERO));
    }
}
