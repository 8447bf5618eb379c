//! Fixtures as functions, generators and reference data for the tests of this workspace.
//!
//! - [`FitsTable`] writes standard-conforming FITS files with any kind of binary-table column, and [`damage`]
//!   breaks them on purpose. Both are independent of the published FITS crate, so that a shared
//!   misunderstanding cannot hide.
//! - [`Sweep`] writes sweep catalogues of the tenth data release of the Legacy Surveys, from a thousand rows to
//!   as many as the disk holds; [`bricks_table`] the survey-bricks table that goes with them, and
//!   [`write_miniature`] the small survey that is committed under `fixtures/`.
//! - [`CoaddTree`] is a miniature of the survey's coadds, of [`TiledImage`]s in its encodings.
//! - [`DesiPixel`] is a coadd and a redrock file of DESI spectra, [`write_desi_survey`] writes many and their list.
//! - [`FaultOrigin`] serves files over HTTP, breaks what it is told to break, and remembers every request.
//! - [`Nginx`] and [`Store`] start real servers on the loopback interface; [`Kills`] kills programs at random
//!   moments.
//! - [`SmallDisk`] is soon full.
//! - [`Csv`] and [`shared`] read reference values.
//!
//! Everything made here is the same bytes on every platform: the generators use only `+ - * /` and square roots.

mod bricks;
mod checksum;
mod coadd;
mod csv;
pub mod damage;
mod desi;
mod disk;
mod fits;
mod gzip;
mod kill;
mod miniature;
mod numeric;
mod origin;
mod rng;
mod servers;
mod shared;
mod sweep;
mod tiles;

pub use bricks::{Brick, BrickQuality, Tiling, bricks_table};
pub use checksum::with_checksums;
pub use coadd::{CoaddTree, Coverage};
pub use csv::Csv;
pub use desi::{DESI_INVENTORY, DesiPixel, write_desi_survey};
pub use disk::SmallDisk;
pub use fits::{Cells, Column, FitsTable, image_extension};
pub use gzip::{gunzip, gzip};
pub use kill::{Ended, KillSummary, Kills};
pub use miniature::{MINIATURE_SWEEPS, write_miniature};
pub use origin::{Exchange, Fault, FaultOrigin, Files, RateLimit, RetryAfter, Rule};
pub use rng::Rng;
pub use servers::{Nginx, Portal, Slurm, Store, scratch, tool};
pub use shared::{require_all, shared, skip};
pub use sweep::{Clump, SkyBox, Sweep};
pub use tiles::{Pixels, TiledImage};
