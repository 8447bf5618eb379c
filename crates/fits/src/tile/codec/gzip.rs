//! GZIP_1 and GZIP_2 (FITS 4.0, section 10.4.2): a gzip member a tile, the latter with the bytes of the
//! pixels sorted by significance.

use super::Fault;
use flate2::{Crc, Decompress, FlushDecompress, Status};

/// The largest ratio that deflate reaches.
const RATIO: u64 = 1032;

/// Room for a stream of `bytes` bytes.
pub(crate) fn capacity(bytes: u64) -> u64 {
    bytes.saturating_mul(RATIO)
}

/// An inflater that is reused from tile to tile.
pub(crate) struct Inflater(Decompress);

impl Inflater {
    pub(crate) fn new() -> Self {
        Self(Decompress::new(false))
    }

    /// Inflates one gzip member to at most `out.len()` bytes, checks it, and says how many there are.
    pub(crate) fn inflate(&mut self, stream: &[u8], out: &mut [u8]) -> Result<usize, Fault> {
        let start = header(stream)?;
        self.0.reset(false);
        let status = self.0.decompress(&stream[start..], out, FlushDecompress::Finish).map_err(|e| {
            Fault::new(start + self.0.total_in() as usize, format!("damaged gzip stream: {e}"))
        })?;
        let (read, written) = (start + self.0.total_in() as usize, self.0.total_out() as usize);
        if status != Status::StreamEnd {
            return Err(if written < out.len() {
                Fault::ends_early(stream.len())
            } else {
                Fault::new(read, format!("it holds more than {} bytes", out.len()))
            });
        }
        let Some(trailer) = stream.get(read..).and_then(|b| b.first_chunk::<8>()) else {
            return Err(Fault::ends_early(stream.len()));
        };
        let (crc, size) = trailer.split_at(4);
        let mut found = Crc::new();
        found.update(&out[..written]);
        if crc != found.sum().to_le_bytes() || size != (written as u32).to_le_bytes() {
            return Err(Fault::new(read, "the CRC or size of the gzip stream does not match"));
        }
        Ok(written)
    }
}

/// Bytes of the gzip header (RFC 1952, section 2.3).
fn header(stream: &[u8]) -> Result<usize, Fault> {
    let short = || Fault::ends_early(stream.len());
    let fixed = stream.first_chunk::<10>().ok_or_else(short)?;
    let [0x1f, 0x8b, 8, flags, ..] = *fixed else {
        return Err(Fault::new(0, "it is no gzip stream"));
    };
    let mut at = fixed.len();
    if flags & 4 != 0 {
        let length = stream.get(at..).and_then(|b| b.first_chunk::<2>()).ok_or_else(short)?;
        at += 2 + usize::from(u16::from_le_bytes(*length));
    }
    for text in [8, 16] {
        if flags & text != 0 {
            let rest = stream.get(at..).ok_or_else(short)?;
            at += rest.iter().position(|&b| b == 0).ok_or_else(short)? + 1;
        }
    }
    if flags & 2 != 0 {
        at += 2;
    }
    if at > stream.len() { Err(short()) } else { Ok(at) }
}

/// Puts bytes sorted by significance back into pixels of `width` bytes.
pub(crate) fn unshuffle(sorted: &[u8], width: usize, pixels: &mut [u8]) {
    match width {
        2 => planes::<2>(sorted, pixels),
        4 => planes::<4>(sorted, pixels),
        8 => planes::<8>(sorted, pixels),
        _ => pixels.copy_from_slice(sorted),
    }
}

fn planes<const WIDTH: usize>(sorted: &[u8], pixels: &mut [u8]) {
    let count = sorted.len() / WIDTH;
    let planes: [&[u8]; WIDTH] = std::array::from_fn(|k| &sorted[k * count..(k + 1) * count]);
    for (i, pixel) in pixels.as_chunks_mut::<WIDTH>().0.iter_mut().enumerate() {
        for (byte, plane) in pixel.iter_mut().zip(planes) {
            *byte = plane[i];
        }
    }
}
