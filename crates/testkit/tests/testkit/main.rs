//! The generators, from outside.

mod sweep;
mod tables;
