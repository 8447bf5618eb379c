//! Bytes as files: built from parts, behind small limits, and as a stream that is best read in order.

use coaddkit_fits::{Error, Fits, Limits, ReadAt};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// Small enough that whatever breaks one shows in the memory of the process.
fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.header_bytes = 1 << 18;
    limits.row_bytes = 1 << 18;
    limits.tile_bytes = 1 << 21;
    limits.image_bytes = 1 << 23;
    limits.hdus = 64;
    limits.array_bytes = 1 << 20;
    limits.buffer_bytes = 1 << 23;
    limits.column_bytes = 1 << 23;
    limits
}

/// The bytes in memory, or gunzipped where they start so.
pub fn open(bytes: &[u8]) -> Result<Fits, Error> {
    Fits::from_source_with(bytes.to_vec(), limits())
}

/// The same bytes as a stream that is best read in order.
pub fn open_stream(bytes: &[u8]) -> Result<Fits, Error> {
    let stream = Stream { bytes: bytes.to_vec(), ended: AtomicBool::new(false) };
    Fits::from_source_with(stream, limits())
}

struct Stream {
    bytes: Vec<u8>,
    /// Its length is known from then on.
    ended: AtomicBool,
}

impl ReadAt for Stream {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        // Short reads, as pipes have them.
        let most = buf.len().min(1000);
        let n = self.bytes.read_at(&mut buf[..most], offset)?;
        if n == 0 && !buf.is_empty() {
            self.ended.store(true, Ordering::Relaxed);
        }
        Ok(n)
    }

    fn size(&self) -> io::Result<Option<u64>> {
        Ok(self.ended.load(Ordering::Relaxed).then_some(self.bytes.len() as u64))
    }

    fn is_sequential(&self) -> bool {
        true
    }
}

/// A header of these cards and END, padded to whole blocks. Longer cards are cut.
pub fn header<'a>(cards: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut header = Vec::new();
    for card in cards.into_iter().chain([&b"END"[..]]) {
        let start = header.len();
        header.extend_from_slice(&card[..card.len().min(80)]);
        header.resize(start + 80, b' ');
    }
    header.resize(header.len().next_multiple_of(2880), b' ');
    header
}

/// The header of a primary HDU without data.
pub fn primary() -> Vec<u8> {
    header([&b"SIMPLE  =                    T"[..], b"BITPIX  = 8", b"NAXIS   = 0"])
}
