//! The gate of a host: how many requests may be under way, how fast they may follow one another, and until when
//! none may be sent. One gate a host, whatever the number of files: what one request is told holds for all.

use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::policy::{HostPolicy, Rng};

mod state;

pub(crate) use state::Signal;
use state::{Admit, State};

/// A gate that tasks wait at.
#[derive(Debug)]
pub(crate) struct Gate {
    state: std::sync::Mutex<State>,
    changed: Notify,
}

impl Gate {
    pub(crate) fn new(policy: &HostPolicy, seed: u64) -> Self {
        let state = State::new(policy.clone(), Instant::now(), Rng::new(seed));
        Self { state: std::sync::Mutex::new(state), changed: Notify::new() }
    }

    /// Waits for leave to send a request. The error says why the host is not asked any more.
    pub(crate) async fn enter(&self) -> Result<Pass<'_>, String> {
        loop {
            // Made before the state is looked at, so that no change between the two is missed.
            let changed = self.changed.notified();
            let (admit, room) = {
                let mut state = self.state();
                (state.ask(Instant::now()), state.has_room())
            };
            match admit {
                Admit::Go => {
                    // One is woken at a time; who goes wakes the next.
                    if room {
                        self.changed.notify_one();
                    }
                    return Ok(Pass { gate: self, since: Instant::now() });
                }
                Admit::At(when) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(when.into()) => {}
                        () = changed => {}
                    }
                }
                Admit::Later => changed.await,
                Admit::Stopped(why) => return Err(why),
            }
        }
    }

    /// A file of the host was given up after all its attempts.
    pub(crate) fn gave_up(&self) {
        self.state().gave_up();
        self.changed.notify_waiters();
    }

    /// A file of the host came well, or a page came in place of it.
    pub(crate) fn came(&self, page: bool) {
        self.state().came(page);
        if page {
            self.changed.notify_waiters();
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Leave to have one request under way; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    gate: &'a Gate,
    since: Instant,
}

impl Pass<'_> {
    /// What the host answered. A refusal is answered with how long all of its requests wait now.
    pub(crate) fn tell(&self, signal: Signal) -> Duration {
        let wait = self.gate.state().told(Instant::now(), self.since, signal);
        if signal == Signal::Fine {
            self.gate.changed.notify_one();
        } else {
            self.gate.changed.notify_waiters();
        }
        wait
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.gate.state().leave();
        self.gate.changed.notify_one();
    }
}
