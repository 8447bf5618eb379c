//! `.fits.gz` as a [`ReadAt`]: forward reads inflate once, a short window allows small steps back, and going
//! further back starts over.

use crate::source::ReadAt;
use flate2::bufread::GzDecoder;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};

/// How far back a read may go without inflating from the start: the readers above look at headers first.
const WINDOW: usize = 256 << 10;

/// Marks an [`io::Error`] as damage of the compressed stream rather than a failure of the reader.
#[derive(Debug)]
pub(crate) struct Damaged(String);

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Damaged {}

pub(crate) struct Gzip {
    compressed: Arc<dyn ReadAt>,
    state: Mutex<State>,
}

struct State {
    member: Member,
    /// Stream offset of the first byte that has not been inflated yet.
    position: u64,
    /// The last bytes inflated, up to twice [`WINDOW`].
    recent: Vec<u8>,
}

enum Member {
    Open(Box<GzDecoder<BufReader<Cursor>>>),
    End,
    /// What is wrong with the stream: a decoder says so once, and then that the stream ends.
    Damaged(String),
}

/// A sequential [`Read`] over a [`ReadAt`].
struct Cursor {
    source: Arc<dyn ReadAt>,
    offset: u64,
}

impl Read for Cursor {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read_at(buf, self.offset)?;
        self.offset += n as u64;
        Ok(n)
    }
}

impl Gzip {
    pub(crate) fn new(compressed: Arc<dyn ReadAt>) -> Self {
        let state = Mutex::new(State::start(&compressed));
        Self { compressed, state }
    }
}

impl State {
    fn start(compressed: &Arc<dyn ReadAt>) -> Self {
        let cursor = Cursor { source: Arc::clone(compressed), offset: 0 };
        let decoder = GzDecoder::new(BufReader::with_capacity(64 << 10, cursor));
        Self { member: Member::Open(Box::new(decoder)), position: 0, recent: Vec::new() }
    }

    /// Inflates the next bytes into `buf` and remembers them.
    fn forward(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let decoder = match &mut self.member {
                Member::Open(decoder) => decoder,
                Member::End => return Ok(0),
                Member::Damaged(what) => return Err(damaged(what)),
            };
            let n = match decoder.read(buf) {
                Ok(n) => n,
                Err(e) => {
                    let what = match e.kind() {
                        io::ErrorKind::UnexpectedEof => "it ends early".to_owned(),
                        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => e.to_string(),
                        _ => return Err(e),
                    };
                    self.member = Member::Damaged(what.clone());
                    return Err(damaged(&what));
                }
            };
            if n > 0 || buf.is_empty() {
                self.position += n as u64;
                self.remember(&buf[..n]);
                return Ok(n);
            }
            // The member and its CRC are done. Another may follow; anything else is padding, as for gzip(1).
            let Member::Open(decoder) = std::mem::replace(&mut self.member, Member::End) else {
                return Ok(0);
            };
            let mut rest = decoder.into_inner();
            if rest.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
                self.member = Member::Open(Box::new(GzDecoder::new(rest)));
            }
        }
    }

    fn remember(&mut self, bytes: &[u8]) {
        if bytes.len() >= WINDOW {
            self.recent.clear();
            self.recent.extend_from_slice(&bytes[bytes.len() - WINDOW..]);
            return;
        }
        if self.recent.len() + bytes.len() > 2 * WINDOW {
            self.recent.drain(..self.recent.len() - WINDOW);
        }
        self.recent.extend_from_slice(bytes);
    }

    /// Inflates and forgets until `offset`, or until the end of the stream.
    fn skip_to(&mut self, offset: u64) -> io::Result<()> {
        let mut scratch = [0; 16 << 10];
        while self.position < offset {
            let step = (offset - self.position).min(scratch.len() as u64) as usize;
            if self.forward(&mut scratch[..step])? == 0 {
                break;
            }
        }
        Ok(())
    }
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, Damaged(what.to_owned()))
}

impl ReadAt for Gzip {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        // A poisoned lock only means that another reader panicked between reads; the state is still whole.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = state.position - state.recent.len() as u64;
        if offset < oldest {
            *state = State::start(&self.compressed);
        } else if offset < state.position {
            let from = (offset - oldest) as usize;
            let n = buf.len().min(state.recent.len() - from);
            buf[..n].copy_from_slice(&state.recent[from..from + n]);
            return Ok(n);
        }
        let read = state
            .skip_to(offset)
            .and_then(|()| if state.position < offset { Ok(0) } else { state.forward(buf) });
        // After a failure of the reader the decoder may have lost its place; the next read starts over.
        if read.is_err() && !matches!(state.member, Member::Damaged(_)) {
            *state = State::start(&self.compressed);
        }
        read
    }

    fn size(&self) -> io::Result<Option<u64>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(matches!(state.member, Member::End).then_some(state.position))
    }

    fn is_sequential(&self) -> bool {
        true
    }

    fn check_to_end(&self) -> io::Result<()> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).skip_to(u64::MAX)
    }
}
