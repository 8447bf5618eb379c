//! Luminous red galaxies per brick: sweep catalogues in; counts, densities, regions and a map out.
//!
//! Surveys such as the DESI Legacy Imaging Surveys publish what they found in "sweep" catalogues, and divide the sky
//! into bricks of a quarter of a degree. This crate counts the objects of a selection in each brick, over any number
//! of sweeps, and finds connected regions of good bricks where they are densest.
//!
//! # Should I use it?
//!
//! Yes, to count any selection per brick, as a library or by the binary `lrg-density`. To select rows and do something
//! else with them, use [`coaddkit_fits`] and [`coaddkit_photometry`] directly; [`Count`] is three hundred lines on top.
//!
//! # Example
//!
//! ```no_run
//! use coaddkit_density::{Count, InputNames, Regions, read_bricks};
//! use coaddkit_photometry::lrg;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let count = Count::new(lrg::cut(lrg::Variant::V3, lrg::Photometry::Dereddened));
//! let counts = count.run(&["sweep-000m005-005p000.fits".into()], &());
//! for (file, error) in counts.failed() {
//!     eprintln!("{} is not counted: {error}", file.path.display());
//! }
//! let job = Regions::default();
//! let bricks = read_bricks("survey-bricks-dr10-south.fits.gz".as_ref(), &job.quality)?;
//! let found = job.run(bricks, counts.bricks.iter().map(|(name, &n)| (name, n)))?;
//! found.write("regions".as_ref(), InputNames::default())?;
//! # Ok(())
//! # }
//! ```
//!
//! # Why this shape
//!
//! - A file counts wholly or not at all: half a sweep gives a number that looks right. Failures are values in the
//!   result ([`FileCount::error`]), since one broken file of a thousand must neither stop the run nor be overlooked.
//! - Nothing is merged on the sky: an object that stands in two sweeps counts twice, as in the published job.
//! - Everything that is dropped is counted: clause by clause ([`Counts::flow`]), cut by cut
//!   ([`RegionsFound::cuts`]), and counts of bricks that the table lacks ([`RegionsFound::unmatched`]).
//!
//! # Features
//!
//! None so far.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod bricks;
mod count;
mod error;
mod inputs;
mod map;
mod part;
mod products;
mod publish;
mod regions;
mod report;

pub use count::{Count, Counts, FileCount, Progress};
pub use error::{Failure, FileError, FootprintError};
pub use inputs::{read_bricks, read_counts};
pub use products::InputNames;
pub use publish::publish;
pub use regions::{
    BrickDensity, BrickRow, BrickState, CutLoss, Quality, Regions, RegionsError, RegionsFound, Tally,
};
pub use report::report_path;
