//! A cache of coadded survey images: filled from the archive, verified, repaired, cut into stamps.
//!
//! A survey publishes its coadded images brick by brick, seven files or more each, 180,000 bricks and more. Jobs that cut
//! training sets out of them, or measure them again, want them near, whole, and known to be whole.
//!
//! # Should I use it?
//!
//! Yes, for images in the layout of the Legacy Surveys, on disk or in a bucket: [`Fill`] fetches what is missing and marks
//! what is complete, [`Verify`] says whether what is there is whole, [`Cutter`] cuts stamps. To move other files, use
//! [`coaddkit_transfer`], which this crate is built on.
//!
//! # Example
//!
//! ```no_run
//! use coaddkit_cache::{Band, BrickList, CoaddCache, FileSet, Fill};
//! use coaddkit_transfer::Destination;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cache = CoaddCache::new(Destination::folder("coadd_cache"))?;
//! let files = FileSet::new([Band::G, Band::R, Band::Z])?;
//! let source = "https://portal.nersc.gov/cfs/cosmo/data/legacysurvey/dr10/south/coadd";
//! let filled = Fill::new(&cache, files, source).run(&BrickList::named("0001m002,0001m005")?, &())?;
//! for brick in filled.records.iter().filter(|brick| !brick.is_complete()) {
//!     println!("{} is {}: {:?}", brick.brick, brick.state, brick.error);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Layout
//!
//! `{cache}/{brick}/legacysurvey-{brick}-{product}[-{band}].fits.fz`, beside them `_SUCCESS`, a [`Marker`] that names
//! the files it vouches for and is written last. What the origin sends damaged goes to `{cache}/_quarantine/{brick}/`.
//!
//! # Why this shape
//!
//! - A file that the origin does not have is an answer and not a failure: bricks are [`BrickState::Absent`] or
//!   [`BrickState::Partial`], and neither is asked again in a run nor mistaken for one that failed.
//! - The store is the truth. Markers are hints that are checked against a list of what is there; a run that is killed
//!   costs the files that were under way.
//! - A marker says which files it means, so that more can be asked for later.
//!
//! # Features
//!
//! - `aws` (default): buckets, as caches and as origins.
//! - `parquet`: the assets manifest as Parquet.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod bricks;
mod cutter;
mod error;
mod fill;
mod layout;
mod manifest;
mod marker;
#[cfg(feature = "parquet")]
mod parquet;
mod parts;
mod report;
mod state;
mod stats;
mod store;
mod tally;
mod verify;

/// How thoroughly files are looked at.
pub use coaddkit_fits::Level;

pub use bricks::{BrickList, BrickListError, Conditions};
pub use cutter::{Cutter, Stamp};
pub use error::{CacheError, NameError};
pub use fill::{Fill, Filled, Unpublished, WholeFits};
pub use layout::{Band, FileSet, Product, source_path};
pub use manifest::{KnownAbsent, write_csv};
pub use marker::{MARKER, Marker, MarkerError, MarkerFile};
#[cfg(feature = "parquet")]
pub use parquet::write_parquet;
pub use report::{Completeness, Incomplete, Missingness, MissingnessBin, Thresholds, Verdict};
pub use state::{BrickRecord, BrickState};
pub use stats::{ImageStats, depth_of_invvar};
pub use store::CoaddCache;
pub use verify::{FileProblem, Verified, Verify};
