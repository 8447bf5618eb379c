#![forbid(unsafe_code)]
#![deny(missing_docs)]
//! FITS 4.0 in pure Rust: headers, binary tables and bounded-memory scans
