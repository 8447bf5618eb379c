//! GZIP_1 and GZIP_2 (FITS 4.0, section 10.4.2).

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// A deflater that is reused from tile to tile.
pub(crate) struct Deflater(Compress);

impl Deflater {
    pub(crate) fn new(level: u32) -> Self {
        Self(Compress::new(Compression::new(level), false))
    }

    /// Appends one gzip member, without name and time.
    pub(crate) fn deflate(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        out.extend_from_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
        self.0.reset();
        loop {
            out.reserve(bytes.len() / 4 + 64);
            let read = self.0.total_in() as usize;
            let status = self.0.compress_vec(&bytes[read..], out, FlushCompress::Finish);
            match status.map_err(|e| e.to_string())? {
                Status::StreamEnd => break,
                Status::Ok | Status::BufError => {}
            }
        }
        let mut crc = Crc::new();
        crc.update(bytes);
        out.extend_from_slice(&crc.sum().to_le_bytes());
        out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        Ok(())
    }
}

/// Sorts the bytes of pixels of `width` bytes by significance.
pub(crate) fn shuffle(pixels: &[u8], width: usize, sorted: &mut Vec<u8>) {
    sorted.clear();
    for place in 0..width {
        sorted.extend(pixels.iter().skip(place).step_by(width));
    }
}
