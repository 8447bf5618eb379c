//! What was asked of an origin.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A request and its answer.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// GET, HEAD, or what else the client tried.
    pub method: String,
    /// Without leading slash and query.
    pub path: String,
    /// As sent, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// Of the answer; 0 when there was none.
    pub status: u16,
    /// Bytes of the body that were handed to the connection.
    pub body_bytes: u64,
    /// When the request had arrived, since the origin started.
    pub at: Duration,
    /// Numbers the connections from 0.
    pub connection: u64,
    pub(super) serial: u64,
}

impl Exchange {
    /// A header of the request; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The Range that was asked for.
    pub fn range(&self) -> Option<&str> {
        self.header("range")
    }
}

/// What an origin remembers.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub exchanges: Vec<Exchange>,
    pub serial: u64,
    pub active: usize,
    pub most_active: usize,
    pub connections: u64,
    pub open: usize,
    pub most_open: usize,
}

/// Follows one answer. Everything is written down before the client can see it, so that a test which has the
/// last byte also finds it in the log.
pub(super) struct Witness<'a> {
    log: &'a Mutex<Log>,
    serial: u64,
    ended: bool,
}

impl<'a> Witness<'a> {
    /// A request has arrived.
    pub fn begin(log: &'a Mutex<Log>) -> Self {
        let mut held = lock(log);
        held.serial += 1;
        held.active += 1;
        held.most_active = held.most_active.max(held.active);
        Self { log, serial: held.serial, ended: false }
    }

    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// The answer is known.
    pub fn answers(&self, exchange: Exchange) {
        lock(self.log).exchanges.push(exchange);
    }

    /// Bytes of the body are about to be sent.
    pub fn sends(&self, bytes: usize) {
        let mut log = lock(self.log);
        if let Some(exchange) = log.exchanges.iter_mut().rev().find(|e| e.serial == self.serial) {
            exchange.body_bytes += bytes as u64;
        }
    }

    /// The last bytes are about to be sent.
    pub fn ends(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            lock(self.log).active -= 1;
        }
    }
}

impl Drop for Witness<'_> {
    fn drop(&mut self) {
        self.ends();
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
