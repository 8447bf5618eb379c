use super::Fault;

/// A bit reader with 64 bits of look-ahead, most significant bit first.
///
/// Past the end it delivers zeros, so that the inner loops need no check; [`Self::check`] tells afterwards.
#[derive(Clone, Copy)]
pub(crate) struct Bits<'a> {
    bytes: &'a [u8],
    /// The next byte to load.
    next: usize,
    /// The bits at hand, left-aligned; below them more bits of the stream may show.
    pub(crate) buffer: u64,
    /// How many of them have been accounted for.
    pub(crate) have: u32,
}

impl<'a> Bits<'a> {
    pub(crate) fn new(bytes: &'a [u8], start: usize) -> Self {
        Self { bytes, next: start, buffer: 0, have: 0 }
    }

    /// Brings at least 56 bits to hand.
    #[inline(always)]
    pub(crate) fn refill(&mut self) {
        let word = match self.bytes.get(self.next..).and_then(|b| b.first_chunk::<8>()) {
            Some(word) => u64::from_be_bytes(*word),
            None => tail(self.bytes, self.next),
        };
        // Bits that are at hand already are or-ed with themselves.
        self.buffer |= word >> self.have;
        let bytes = (63 - self.have) >> 3;
        self.next += bytes as usize;
        self.have += bytes * 8;
    }

    /// Drops `count` of the bits at hand, at most 63.
    #[inline(always)]
    pub(crate) fn skip(&mut self, count: u32) {
        self.buffer <<= count;
        self.have -= count;
    }

    /// The next `count` bits, 1 to 32, of which enough must be at hand.
    #[inline(always)]
    pub(crate) fn take(&mut self, count: u32) -> u32 {
        let value = (self.buffer >> (64 - count)) as u32;
        self.skip(count);
        value
    }

    /// Bits consumed from the start of the stream, of which some may lie past its end.
    pub(crate) fn position(&self) -> usize {
        self.next * 8 - self.have as usize
    }

    /// True once more than the stream was asked for.
    pub(crate) fn past_end(&self) -> bool {
        self.position() > self.bytes.len() * 8
    }

    /// Fails if more was consumed than there is.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        if self.past_end() { Err(Fault::ends_early(self.bytes.len())) } else { Ok(()) }
    }
}

/// The last bytes and zeros. It takes no reference to the reader, which then stays in registers.
#[cold]
fn tail(bytes: &[u8], next: usize) -> u64 {
    let mut word = [0; 8];
    if let Some(rest) = bytes.get(next..) {
        word[..rest.len()].copy_from_slice(rest);
    }
    u64::from_be_bytes(word)
}
