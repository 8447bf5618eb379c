//! The generators, from outside.

mod coadds;
mod origin;
mod sweep;
mod tables;
