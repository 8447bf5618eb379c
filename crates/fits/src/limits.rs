/// What a file may cost before it is refused.
///
/// Each limit is charged before memory is allocated, so a hostile header cannot make the process run out of
/// memory; exceeding one is an error of class [`ErrorClass::Limit`](crate::ErrorClass::Limit). The defaults let every
/// file pass that a survey publishes; for files of strangers, or little memory, set them lower.
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
    /// Largest tile of a compressed image, in bytes of pixels. Default 1 GiB.
    pub tile_bytes: u64,
    /// Largest image or section that is read into a vector, in bytes; also what [`verify`](crate::verify) decodes of
    /// a file, or 1000 times the size of the file where that is more. Default 16 GiB.
    pub image_bytes: u64,
    /// Largest number of HDUs in a file. Default 100,000.
    pub hdus: usize,
    /// Largest variable-length array, and largest column of a tile of a compressed table, in bytes. Default 1 GiB.
    pub array_bytes: u64,
    /// Most bytes of a `.fits.gz` held in memory because they are read out of order: tables with a heap. Default
    /// 2 GiB.
    pub buffer_bytes: u64,
    /// Largest column that [`Table::column`](crate::Table::column) returns, in bytes. Default 8 GiB.
    pub column_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_bytes: 16 << 20,
            row_bytes: 64 << 20,
            tile_bytes: 1 << 30,
            image_bytes: 16 << 30,
            hdus: 100_000,
            array_bytes: 1 << 30,
            buffer_bytes: 2 << 30,
            column_bytes: 8 << 30,
        }
    }
}
