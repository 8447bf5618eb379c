//! The hash that orders and samples.

use twox_hash::XxHash3_64;

/// Name and version of [`SeededHash`] and of the encoding of [`Key`]; both change only together with it.
pub const HASH_VERSION: &str = "xxh3-64/1";

/// XXH3-64 with a seed: the one source of order and randomness of this crate.
///
/// The same seed and bytes give the same number on every platform, in every version that says [`HASH_VERSION`].
///
/// # Examples
///
/// ```
/// use coaddkit_manifest::{Key, SeededHash};
///
/// let hash = SeededHash::new(42);
/// assert_eq!(hash.text("0001m002_17"), 0xc8c2_674f_0ede_39d8);
/// assert_eq!(hash.key(Key::new().text("0001m002").int(17)), 0x6411_0264_3f58_dfa9);
/// ```
///
/// # References
///
/// The XXH3 algorithm, specification 0.2 of the xxHash library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SeededHash {
    seed: u64,
}

/// Several values as one sequence of bytes, so that different values never make the same one.
///
/// Text is its length in bytes (32 bits) and its UTF-8; integers are 64 bits; reals are the bits of their IEEE 754
/// form, in which -0 is 0 and all NaN are one (`0x7ff8…`, `0x7fc0…`). All little-endian.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key {
    bytes: Vec<u8>,
}

impl Key {
    /// No values so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the values and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets what comes after the first `bytes` bytes.
    pub(crate) fn truncate(&mut self, bytes: usize) {
        self.bytes.truncate(bytes);
    }

    /// Appends text.
    pub fn push_text(&mut self, text: &str) {
        self.bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// Appends an integer.
    pub fn push_int(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Appends a real.
    pub fn push_f64(&mut self, value: f64) {
        let value = if value.is_nan() { f64::from_bits(0x7ff8_0000_0000_0000) } else { value + 0.0 };
        self.bytes.extend_from_slice(&value.to_bits().to_le_bytes());
    }

    /// Appends a real of single precision, in its 32 bits.
    pub fn push_f32(&mut self, value: f32) {
        let value = if value.is_nan() { f32::from_bits(0x7fc0_0000) } else { value + 0.0 };
        self.bytes.extend_from_slice(&value.to_bits().to_le_bytes());
    }

    /// With text.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.push_text(text);
        self
    }

    /// With an integer.
    #[must_use]
    pub fn int(mut self, value: i64) -> Self {
        self.push_int(value);
        self
    }

    /// With a real.
    #[must_use]
    pub fn f64(mut self, value: f64) -> Self {
        self.push_f64(value);
        self
    }
}

impl SeededHash {
    /// Seeds are 64 bits; negative ones are their two's complement.
    pub const fn new(seed: i64) -> Self {
        Self { seed: seed as u64 }
    }

    /// The hash of bytes as they are.
    #[inline]
    pub fn bytes(self, bytes: &[u8]) -> u64 {
        XxHash3_64::oneshot_with_seed(self.seed, bytes)
    }

    /// The hash of the UTF-8 of a text, without its length.
    #[inline]
    pub fn text(self, text: &str) -> u64 {
        self.bytes(text.as_bytes())
    }

    /// The hash of one integer: of its eight bytes, little-endian.
    #[inline]
    pub fn int(self, value: i64) -> u64 {
        self.bytes(&value.to_le_bytes())
    }

    /// The hash of several values.
    #[inline]
    pub fn key(self, key: impl std::borrow::Borrow<Key>) -> u64 {
        self.bytes(&key.borrow().bytes)
    }
}

/// A hash as a number from 0 to below 1, in steps of a millionth.
#[inline]
pub(crate) fn unit(hash: u64) -> f64 {
    (hash % 1_000_000) as f64 / 1e6
}
