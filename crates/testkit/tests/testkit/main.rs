//! The generators, from outside.

mod origin;
mod sweep;
mod tables;
