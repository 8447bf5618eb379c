//! Transfers from an origin that misbehaves.

mod disk;
mod gate;
mod help;
mod matrix;
mod resume;
mod rules;
mod runs;
