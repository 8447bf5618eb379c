//! Replies onto the wire.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::log::{Witness, lock};
use super::reply::{End, Reply, reason};

const PIECE: usize = 64 * 1024;

/// Ends all waiting when the origin stops.
#[derive(Default)]
pub(super) struct Stop {
    stopped: Mutex<bool>,
    told: Condvar,
}

impl Stop {
    pub fn tell(&self) {
        *lock(&self.stopped) = true;
        self.told.notify_all();
    }

    pub fn told(&self) -> bool {
        *lock(&self.stopped)
    }

    /// Sleeps, unless the origin stops before.
    pub fn sleep(&self, pause: Duration) -> io::Result<()> {
        let guard = lock(&self.stopped);
        let (guard, _) = self
            .told
            .wait_timeout_while(guard, pause, |stopped| !*stopped)
            .unwrap_or_else(PoisonError::into_inner);
        if *guard { Err(io::Error::new(io::ErrorKind::Interrupted, "the origin stops")) } else { Ok(()) }
    }
}

/// Sends a reply, without its body if `head`; true if the connection may go on.
pub(super) fn send(
    stream: &mut TcpStream,
    reply: &Reply,
    head: bool,
    stop: &Stop,
    witness: &mut Witness<'_>,
) -> io::Result<bool> {
    let manner = &reply.manner;
    if !manner.delay.is_zero() {
        stop.sleep(manner.delay)?;
    }
    if manner.hangup {
        stream.shutdown(Shutdown::Both)?;
        return Ok(false);
    }
    let mut out = format!("HTTP/1.1 {} {}\r\n", reply.status, reason(reply.status));
    for (name, value) in &reply.headers {
        out.push_str(&format!("{name}: {value}\r\n"));
    }
    out.push_str(if manner.close { "Connection: close\r\n\r\n" } else { "Connection: keep-alive\r\n\r\n" });
    let bytes = if head || reply.status == 304 { &[] } else { &reply.body[reply.part.clone()] };
    if bytes.is_empty() {
        witness.ends();
    }
    stream.write_all(out.as_bytes())?;
    if head || reply.status == 304 {
        return Ok(!manner.close);
    }
    let end = manner.end.map_or(bytes.len(), |(at, _)| at as usize);
    let piece = manner.bytes_per_second.map_or(PIECE, |rate| (rate as usize / 20).clamp(1, PIECE));
    let (mut at, mut stalls, start) = (0, manner.stalls.iter().peekable(), Instant::now());
    while at < end {
        if let Some((_, pause)) = stalls.next_if(|(from, _)| *from <= at as u64) {
            stop.sleep(*pause)?;
            continue;
        }
        let until_stall = stalls.peek().map_or(end, |(from, _)| (*from as usize).min(end));
        let next = (at + piece).min(until_stall);
        witness.sends(next - at);
        if next == end {
            witness.ends();
        }
        if manner.chunked {
            stream.write_all(format!("{:x}\r\n", next - at).as_bytes())?;
        }
        stream.write_all(&bytes[at..next])?;
        if manner.chunked {
            stream.write_all(b"\r\n")?;
        }
        at = next;
        if let Some(rate) = manner.bytes_per_second.filter(|_| at < end) {
            let due = Duration::from_secs_f64(at as f64 / f64::from(rate));
            stop.sleep(due.saturating_sub(start.elapsed()))?;
        }
    }
    match manner.end {
        Some((_, End::Reset)) => {
            // What is still in the sender's queue dies with the connection; let most of it out.
            stop.sleep(Duration::from_millis(5))?;
            socket2::SockRef::from(&*stream).set_linger(Some(Duration::ZERO))?;
            Ok(false)
        }
        Some((_, End::Close)) => {
            stream.shutdown(Shutdown::Both)?;
            Ok(false)
        }
        None => {
            if manner.chunked {
                stream.write_all(b"0\r\n\r\n")?;
            }
            Ok(!manner.close)
        }
    }
}
