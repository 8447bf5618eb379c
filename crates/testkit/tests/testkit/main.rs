//! The generators, from outside.

mod coadds;
mod kill;
mod origin;
mod servers;
mod sweep;
mod tables;
