/// What a file may cost before it is refused.
///
/// Each limit is charged before memory is allocated, so a hostile header cannot make the process run out of
/// memory; exceeding one is an error of class [`ErrorClass::Limit`](crate::ErrorClass::Limit).
///
/// ```
/// let mut limits = coaddkit_fits::Limits::default();
/// limits.header_bytes = 1 << 20;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Largest header of one HDU, in bytes. Default 16 MiB (200,000 cards).
    pub header_bytes: u64,
    /// Largest table row, in bytes. Default 64 MiB.
    pub row_bytes: u64,
    /// Largest number of HDUs in a file. Default 100,000.
    pub hdus: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { header_bytes: 16 << 20, row_bytes: 64 << 20, hdus: 100_000 }
    }
}
