//! Caches of a miniature survey, from an origin that misbehaves.

mod bricks;
mod cutter;
mod fill;
mod help;
mod matrix;
mod parts;
mod rerun;
mod verify;
