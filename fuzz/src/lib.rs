//! What each fuzz target checks, as plain functions: the fuzzer drives them, and a test of `coaddkit-fits` replays
//! the seeds through them.

pub mod codec;
pub mod header;
pub mod image;
pub mod table;
pub mod verify;

mod reading;
mod source;
