//! Raw exposures as the archive of a telescope holds them, made up.

use coaddkit_fits::{Compress, Error, Header, NewImage, Writer};
use std::path::Path;

/// A raw exposure in the layout of DECam: a primary HDU without data and 70 extensions of unsigned 16-bit pixels, a
/// row a tile, RICE_1: the CCDs N1 to N31 and S1 to S31, and the half-sized focus CCDs FN1 to FN4 and FS1 to FS4.
///
/// Pixels are a sky with noise and a few stars, beside overscan columns. Equal seeds give equal bytes.
///
/// # Examples
///
/// ```
/// use coaddkit_examples::SimulatedRaw;
///
/// let dir = std::env::temp_dir().join(format!("raw-doc-{}", std::process::id()));
/// std::fs::create_dir_all(&dir)?;
/// SimulatedRaw::new(1).write(&dir.join("c4d_260101_010203_ori.fits.fz"))?;
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct SimulatedRaw {
    seed: u64,
    columns: u64,
    rows: u64,
    extensions: Vec<String>,
    checksums: bool,
}

impl SimulatedRaw {
    /// With CCDs of 48 x 32 pixels.
    pub fn new(seed: u64) -> Self {
        let chips = |prefix: &'static str, n: usize| (1..=n).map(move |k| format!("{prefix}{k}"));
        let science = chips("S", 31).chain(chips("N", 31));
        let extensions = science.chain(chips("FS", 4)).chain(chips("FN", 4)).collect();
        Self { seed, columns: 48, rows: 32, extensions, checksums: true }
    }

    /// With CCDs of 2160 x 4146 pixels, as the camera reads them out.
    #[must_use]
    pub fn real_size(self) -> Self {
        self.size(2160, 4146)
    }

    /// With CCDs of this size.
    #[must_use]
    pub fn size(self, columns: u64, rows: u64) -> Self {
        Self { columns, rows, ..self }
    }

    /// With these extensions, in this order. Those whose names begin with F have half the rows.
    #[must_use]
    pub fn extensions(self, names: impl IntoIterator<Item = String>) -> Self {
        Self { extensions: names.into_iter().collect(), ..self }
    }

    /// The names of its extensions, in order.
    pub fn names(&self) -> &[String] {
        &self.extensions
    }

    /// Without CHECKSUM and DATASUM: damage has to be found by decoding.
    #[must_use]
    pub fn without_checksums(self) -> Self {
        Self { checksums: false, ..self }
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    ///
    /// What the disk says, or an extension whose name is no text of FITS.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let mut primary = Header::new();
        primary.push("OBJECT", "simulated", "")?;
        primary.push("INSTRUME", "DECam", "")?;
        primary.push("OBSTYPE", "object", "")?;
        primary.push("EXPTIME", 90.0, "[s]")?;
        let mut writer = Writer::create(path)?.checksums(self.checksums);
        writer.primary(&primary)?;
        let mut noise = Noise(self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        for (number, name) in (1_i64..).zip(&self.extensions) {
            let rows = if name.starts_with('F') { self.rows.div_ceil(2) } else { self.rows };
            let mut header = Header::new();
            header.push("EXTNAME", name.as_str(), "")?;
            header.push("CCDNUM", number, "")?;
            header.push("DETPOS", name.as_str(), "")?;
            let how = Compress::rice().tile(&[1, self.columns]);
            let image = NewImage::new(&[rows, self.columns]).header(header).compress(how);
            writer.image(&image, &noise.ccd(self.columns as usize, rows as usize))?;
        }
        writer.finish().map(drop)
    }
}

/// Xorshift64, and sums of four uniform numbers, which are nearly normal.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Mean 0, standard deviation of about `sigma`.
    fn normal(&mut self, sigma: i64) -> i64 {
        let bits = self.next();
        let sum: i64 = (0..4).map(|k| (bits >> (16 * k) & 0xFFFF) as i64).sum();
        // Four uniform numbers of width 2^16 have a standard deviation of 2^16 / sqrt(3) = 37837.
        (sum - 2 * 0xFFFF) * sigma / 37_837
    }

    fn ccd(&mut self, columns: usize, rows: usize) -> Vec<u16> {
        let overscan = columns / 40;
        let mut pixels = Vec::with_capacity(columns * rows);
        for _ in 0..rows {
            for column in 0..columns {
                let exposed = (overscan..columns - overscan).contains(&column);
                let value = if exposed { 2600 + self.normal(14) } else { 1500 + self.normal(3) };
                pixels.push(value as u16);
            }
        }
        for _ in 0..pixels.len() / 5000 + 1 {
            let at = (self.next() % pixels.len() as u64) as usize;
            pixels[at] = 65_535;
        }
        pixels
    }
}
