//! Tests of the crate against files of many origins, damaged files and arbitrary bytes.

mod checksums;
mod damaged;
mod gzipped;
mod images;
mod properties;
mod real;
mod scans;
mod tables;
mod verify;
mod write;
