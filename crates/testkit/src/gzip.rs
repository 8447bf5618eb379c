//! Gzip in memory.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

/// Compresses with no name and no time in the header. The compressed bytes may still differ between versions of
/// the compressor, so compare what they inflate to.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("writing to memory does not fail")
}

/// Inflates all members.
///
/// # Errors
///
/// The bytes are no gzip, are damaged, or end early.
pub fn gunzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    MultiGzDecoder::new(bytes).read_to_end(&mut plain)?;
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_truncation() {
        let plain: Vec<u8> = (0..10_000_u32).flat_map(|i| (i * i).to_be_bytes()).collect();
        let packed = gzip(&plain);
        assert_eq!(packed[4..8], [0; 4], "no time");
        assert_eq!(gunzip(&packed).unwrap(), plain);
        assert!(gunzip(&packed[..packed.len() / 2]).is_err());
    }
}
