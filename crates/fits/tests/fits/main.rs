//! Tests of the crate against files of many origins, damaged files and arbitrary bytes.

#[cfg(feature = "arrow")]
mod arrow;
#[cfg(feature = "cfitsio")]
mod cfitsio;
mod checksums;
mod damaged;
mod flips;
mod gzipped;
mod hostile;
mod images;
mod properties;
mod real;
mod scans;
mod seeds;
mod tables;
mod verify;
mod write;
