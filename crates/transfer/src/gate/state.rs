//! What the gate decides, without clock, network or tasks.

use std::time::{Duration, Instant};

use crate::policy::{HostPolicy, Rng};

/// What a request met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// An answer that makes sense: the file, or that there is none.
    Fine,
    /// 429 or 503, with the Retry-After.
    Refused { status: u16, retry_after: Option<Duration> },
    /// No answer, or another 5xx.
    Failed,
}

/// Whether a request may be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Admit {
    Go,
    /// Ask again at this time.
    At(Instant),
    /// Ask again when something has changed.
    Later,
    Stopped(String),
}

/// Concurrency of a host that is not known yet.
const FIRST: f64 = 2.0;
/// Files in a row that were given up before the host is.
const GIVEN_UP_IN_A_ROW: u32 = 16;
/// Above so many requests a second there is no point in pacing.
const UNPACED: f64 = 500.0;
/// How long a rate is kept after one above it was refused; doubles each time, up to an hour.
const HOLD: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct State {
    policy: HostPolicy,
    rng: Rng,
    active: usize,
    /// Requests at once, at most `policy.connections`.
    limit: f64,
    /// No refusal so far: concurrency grows fast.
    starting: bool,
    closed_until: Option<Instant>,
    /// After a refusal, one request goes first.
    probing: bool,
    /// Refused rounds in a row, by 429 and by either.
    refusals: u32,
    outages: u32,
    /// When the last refusal was obeyed; what was sent before belongs to the same round.
    round: Option<Instant>,
    /// Good answers since `counted_from`.
    accepted: u32,
    counted_from: Instant,
    pace: Option<Pace>,
    next: Instant,
    last_fine: Instant,
    given_up: u32,
    pages: u32,
    stopped: Option<String>,
}

/// A rate found by refusals.
#[derive(Clone, Copy, Debug)]
struct Pace {
    per_second: f64,
    /// Grows at this time.
    grows: Instant,
    hold: Duration,
    /// No paced request was refused yet: it doubles.
    searching: bool,
}

impl State {
    pub(super) fn new(policy: HostPolicy, now: Instant, rng: Rng) -> Self {
        let most = policy.connections.max(1) as f64;
        let limit = if policy.adaptive { FIRST.min(most) } else { most };
        Self {
            policy,
            rng,
            active: 0,
            limit,
            starting: true,
            closed_until: None,
            probing: false,
            refusals: 0,
            outages: 0,
            round: None,
            accepted: 0,
            counted_from: now,
            pace: None,
            next: now,
            last_fine: now,
            given_up: 0,
            pages: 0,
            stopped: None,
        }
    }

    pub(super) fn ask(&mut self, now: Instant) -> Admit {
        if let Some(why) = &self.stopped {
            return Admit::Stopped(why.clone());
        }
        if let Some(until) = self.closed_until {
            if now < until {
                return Admit::At(until);
            }
            self.closed_until = None;
        }
        if !self.has_room() {
            return Admit::Later;
        }
        if let Some(rate) = self.rate(now) {
            if now < self.next {
                return Admit::At(self.next);
            }
            self.next = self.next.max(now) + Duration::from_secs_f64(1.0 / rate);
        }
        self.active += 1;
        Admit::Go
    }

    /// Whether another request may be under way at once.
    pub(super) fn has_room(&self) -> bool {
        let most = if self.probing { 1 } else { self.limit as usize };
        self.active < most.max(1)
    }

    /// Requests a second now, if they are limited.
    fn rate(&mut self, now: Instant) -> Option<f64> {
        if let Some(pace) = &mut self.pace {
            if now >= pace.grows {
                pace.per_second *= if pace.searching { 2.0 } else { 1.05 };
                pace.grows = now + Duration::from_secs(1);
            }
            if pace.per_second > UNPACED {
                self.pace = None;
            }
        }
        let asked = self.policy.rate.filter(|rate| *rate > 0.0);
        match (self.pace.map(|pace| pace.per_second), asked) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    pub(super) fn leave(&mut self) {
        self.active -= 1;
    }

    pub(super) fn told(&mut self, now: Instant, since: Instant, signal: Signal) -> Duration {
        match signal {
            Signal::Fine => {
                self.fine(now);
                Duration::ZERO
            }
            Signal::Refused { status, retry_after } => self.refused(now, since, status, retry_after),
            Signal::Failed => {
                self.lose_patience(now);
                Duration::ZERO
            }
        }
    }

    pub(super) fn gave_up(&mut self) {
        self.given_up += 1;
        if self.given_up >= GIVEN_UP_IN_A_ROW.max(2 * self.policy.connections as u32) {
            self.stop(format!(
                "{} files in a row failed in all attempts, so the host is not asked any more",
                self.given_up
            ));
        }
    }

    /// A portal under maintenance answers every request with 200 and a page.
    pub(super) fn came(&mut self, page: bool) {
        self.pages = if page { self.pages + 1 } else { 0 };
        if self.pages >= GIVEN_UP_IN_A_ROW.max(2 * self.policy.connections as u32) {
            self.stop(format!(
                "sent pages in place of {} files in a row, so it is not asked any more",
                self.pages
            ));
        }
    }

    fn fine(&mut self, now: Instant) {
        self.last_fine = now;
        self.refusals = 0;
        self.outages = 0;
        self.given_up = 0;
        self.probing = false;
        self.accepted += 1;
        let most = self.policy.connections.max(1) as f64;
        if self.limit < most {
            // At first one more for every two answers, later one more a round.
            self.limit = (self.limit + if self.starting { 0.5 } else { 1.0 / self.limit }).min(most);
        }
    }

    fn refused(
        &mut self,
        now: Instant,
        since: Instant,
        status: u16,
        retry_after: Option<Duration>,
    ) -> Duration {
        let same_round = self.round.is_some_and(|round| since <= round);
        if !same_round {
            self.outages += 1;
            self.refusals = if status == 429 { self.refusals + 1 } else { self.refusals };
        }
        let wait = match retry_after.filter(|wait| !wait.is_zero()) {
            // A little more than asked for, and not all clients at the same moment.
            Some(wait) => wait + wait.min(Duration::from_secs(2)).mul_f64(0.1 * self.rng.unit()),
            None => {
                let doubled =
                    Duration::from_secs(1).saturating_mul(1 << self.outages.saturating_sub(1).min(6));
                doubled.min(Duration::from_secs(60)).mul_f64(0.5 + 0.5 * self.rng.unit())
            }
        };
        if wait > self.policy.longest_wait {
            self.stop(format!("asks with {status} to wait {} s, which is longer than we do", wait.as_secs()));
            return wait;
        }
        let until = now + wait;
        self.closed_until = Some(self.closed_until.map_or(until, |closed| closed.max(until)));
        if same_round {
            return wait;
        }
        self.round = Some(now);
        self.probing = true;
        if self.policy.adaptive {
            self.limit = (self.limit / 2.0).max(1.0);
            self.starting = false;
            if status == 429 {
                self.slow_down(now, wait);
            }
        }
        self.accepted = 0;
        self.counted_from = now;
        if self.refusals >= self.policy.ban_guard.max(1) {
            self.stop(format!(
                "answered 429 to {} requests in a row that waited as told; stopped before it bans us",
                self.refusals
            ));
        }
        self.lose_patience(now);
        wait
    }

    /// After a burst was refused: the rate that the burst came to, including the wait for its forgiveness; from
    /// there it doubles each second. After a rate was refused: the last one that was not.
    fn slow_down(&mut self, now: Instant, wait: Duration) {
        let grows = now + wait + Duration::from_secs(1);
        self.pace = Some(match self.pace {
            None => {
                let seconds = (now - self.counted_from + wait).as_secs_f64().max(0.001);
                let per_second = (f64::from(self.accepted) / seconds).max(2.0);
                Pace { per_second, grows, hold: HOLD, searching: true }
            }
            Some(pace) => Pace {
                per_second: (pace.per_second * if pace.searching { 0.45 } else { 0.8 }).max(0.2),
                grows: now + wait + pace.hold,
                hold: (pace.hold * 2).min(Duration::from_secs(3600)),
                searching: false,
            },
        });
    }

    fn lose_patience(&mut self, now: Instant) {
        if now.saturating_duration_since(self.last_fine) > self.policy.patience {
            let minutes = self.policy.patience.as_secs() / 60;
            self.stop(format!("no good answer for {minutes} minutes, so the host is not asked any more"));
        }
    }

    fn stop(&mut self, why: String) {
        self.stopped.get_or_insert(why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const S: Duration = Duration::from_secs(1);

    fn state(change: impl Fn(&mut HostPolicy)) -> (State, Instant) {
        let mut policy = HostPolicy::default();
        change(&mut policy);
        let now = Instant::now();
        (State::new(policy, now, Rng::new(1)), now)
    }

    fn busy(seconds: u64) -> Signal {
        Signal::Refused { status: 429, retry_after: Some(S * seconds as u32) }
    }

    #[test]
    fn concurrency_starts_low_and_never_exceeds_the_policy() {
        let (mut gate, now) = state(|_| {});
        let admitted = |gate: &mut State| (0..100).take_while(|_| gate.ask(now) == Admit::Go).count();
        assert_eq!(admitted(&mut gate), 2);
        for _ in 0..200 {
            gate.told(now, now, Signal::Fine);
        }
        assert_eq!(admitted(&mut gate), 6);
        gate.leave();
        assert_eq!(admitted(&mut gate), 1);
    }

    #[test]
    fn a_refusal_closes_the_gate_for_all_and_one_request_goes_first() {
        let (mut gate, now) = state(|p| p.adaptive = false);
        for _ in 0..3 {
            assert_eq!(gate.ask(now), Admit::Go);
        }
        let wait = gate.told(now, now, busy(7));
        gate.leave();
        assert!(wait >= 7 * S && wait <= 7 * S + 200 * MS, "{wait:?}");
        assert_eq!(gate.ask(now + 6 * S), Admit::At(now + wait));
        gate.leave();
        gate.leave();
        // Then one, and the others when it came back well.
        let later = now + 8 * S;
        assert_eq!(gate.ask(later), Admit::Go);
        assert_eq!(gate.ask(later), Admit::Later);
        gate.told(later, later, Signal::Fine);
        assert_eq!(gate.ask(later + S), Admit::Go);
    }

    #[test]
    fn refusals_of_one_round_halve_once_and_the_longest_wait_counts() {
        let (mut gate, now) = state(|_| {});
        for _ in 0..200 {
            gate.told(now, now, Signal::Fine);
        }
        for seconds in [1, 9, 1] {
            assert_eq!(gate.limit as usize, if seconds == 1 && gate.round.is_none() { 8 } else { 4 });
            gate.told(now + MS, now, busy(seconds));
        }
        assert!(matches!(gate.ask(now + 8 * S), Admit::At(_)));
        assert_eq!(gate.refusals, 1);
        // What is sent after the wait is another round.
        gate.told(now + 10 * S, now + 10 * S, busy(1));
        assert_eq!((gate.limit as usize, gate.refusals), (2, 2));
    }

    #[test]
    fn without_retry_after_the_wait_doubles() {
        let (mut gate, mut now) = state(|p| p.ban_guard = 100);
        for most in [1, 2, 4, 8, 16, 32, 60, 60] {
            let wait = gate.told(now, now, Signal::Refused { status: 503, retry_after: None });
            assert!(wait >= S * most / 2 && wait <= S * most, "{wait:?} {most}");
            now += wait + MS;
        }
    }

    #[test]
    fn a_host_that_keeps_refusing_or_asks_too_much_is_stopped() {
        let (mut gate, mut now) = state(|_| {});
        for round in 1..=5 {
            assert_eq!(gate.ask(now), Admit::Go, "{round}");
            gate.told(now, now, busy(1));
            gate.leave();
            now += 2 * S;
        }
        assert!(matches!(gate.ask(now), Admit::Stopped(why) if why.contains("429 to 5 requests")));

        let (mut gate, now) = state(|_| {});
        gate.told(now, now, busy(3600));
        assert!(matches!(gate.ask(now), Admit::Stopped(why) if why.contains("wait 360")));

        let (mut gate, now) = state(|_| {});
        gate.told(now + 899 * S, now, Signal::Failed);
        assert_eq!(gate.ask(now + 899 * S), Admit::Go);
        gate.told(now + 901 * S, now, Signal::Failed);
        assert!(matches!(gate.ask(now), Admit::Stopped(why) if why.contains("15 minutes")));

        let (mut gate, now) = state(|_| {});
        (0..15).for_each(|_| gate.gave_up());
        gate.told(now, now, Signal::Fine);
        (0..15).for_each(|_| gate.gave_up());
        assert_eq!(gate.ask(now), Admit::Go);
        gate.gave_up();
        assert!(matches!(gate.ask(now), Admit::Stopped(why) if why.contains("16 files")));
    }

    #[test]
    fn a_fixed_rate_spaces_the_requests() {
        let (mut gate, start) = state(|p| p.rate = Some(10.0));
        let (mut now, mut sent) = (start, 0);
        while now < start + 10 * S {
            if gate.ask(now) == Admit::Go {
                sent += 1;
                gate.told(now, now, Signal::Fine);
                gate.leave();
            }
            now += MS;
        }
        assert!((99..=101).contains(&sent), "{sent}");
    }

    /// A portal with a bucket of `burst` requests that fills at `rate`, one millisecond away, and a run of `files`.
    /// Returns refusals and seconds.
    fn portal(connections: usize, rate: f64, burst: f64, files: usize) -> (usize, f64) {
        let (mut gate, start) = state(|p| p.connections = connections);
        let (mut now, mut tokens, mut refusals, mut done) = (start, burst, 0, 0);
        let mut flying: Vec<Instant> = Vec::new();
        while done < files {
            now += MS;
            tokens = (tokens + rate / 1000.0).min(burst);
            for since in std::mem::take(&mut flying) {
                if tokens >= 1.0 {
                    tokens -= 1.0;
                    done += 1;
                    gate.told(now, since, Signal::Fine);
                } else {
                    refusals += 1;
                    gate.told(now, since, busy(1));
                }
                gate.leave();
            }
            while done + flying.len() < files && gate.ask(now) == Admit::Go {
                flying.push(now);
            }
            assert!(now < start + 3600 * S, "{done} of {files} files in an hour");
        }
        (refusals, (now - start).as_secs_f64())
    }

    #[test]
    fn a_portal_that_limits_the_rate_refuses_fewer_requests_than_there_are_connections() {
        for connections in [8, 16, 160] {
            let (refusals, seconds) = portal(connections, 20.0, 6.0, 140);
            assert!(refusals <= connections.min(16), "{connections}: {refusals}");
            // Ideal is 6.7 s.
            assert!(seconds < 20.0, "{connections}: {seconds}");
            // A long run: probing gets rarer.
            let (refusals, seconds) = portal(connections, 20.0, 6.0, 20_000);
            assert!(refusals <= connections.min(16) + 6, "{connections}: {refusals}");
            assert!(seconds < 1600.0, "{connections}: {seconds}");
        }
        let (refusals, _) = portal(8, 1.0, 1.0, 50);
        assert!(refusals <= 8, "{refusals}");
    }
}
