//! Transfers from an origin that misbehaves.

mod disk;
mod gate;
mod help;
mod kill;
mod look;
mod matrix;
mod resume;
mod rules;
mod runs;
#[cfg(feature = "aws")]
mod s3;
