//! Tests of the crate against files of many origins, damaged files and arbitrary bytes.

mod damaged;
mod gzipped;
mod properties;
mod real;
mod scans;
