//! DESI spectra by selection: coadd and redrock files in; rows of whole spectra out, as Arrow batches and Parquet.
//!
//! The Dark Energy Spectroscopic Instrument publishes what it saw in a HEALPix pixel as two files: the coadd, with a
//! spectrum of each target in three arms, and the redrock file, with what each target was found to be. This crate
//! selects targets by an expression over the second and reads their spectra from the first, and nothing else of it:
//! memory is bounded, however large the files are.
//!
//! # Should I use it?
//!
//! Yes, to turn such pixels into tables. To read one spectrum of a file, or the resolution matrices, use
//! [`coaddkit_fits`] directly.
//!
//! # Example
//!
//! ```no_run
//! use coaddkit_spectra::{PixelId, Product, Spectra};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let spectra = Spectra::new().cut("SPECTYPE == 'QSO' and ZWARN == 0".parse()?);
//! let selected = spectra.open(
//!     "coadd-main-dark-10304.fits".as_ref(),
//!     "redrock-main-dark-10304.fits".as_ref(),
//! )?;
//! for id in selected.without_spectrum() {
//!     eprintln!("target {id} has a redshift and no spectrum");
//! }
//! match selected.write("out".as_ref(), &PixelId::new("main", "dark", 10304)?)? {
//!     Product::Table { path, rows, bytes } => println!("{path}: {rows} spectra, {bytes} bytes"),
//!     Product::NoRows { path } => println!("{path}: no target of this pixel is selected"),
//!     _ => {}
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What a row holds
//!
//! | column | type | compatible | |
//! |---|---|---|---|
//! | `target_id` | i64 | i64 | TARGETID |
//! | `ra`, `dec` | f64 | f64, 6 decimals | degrees, TARGET_RA and TARGET_DEC of the coadd's FIBERMAP |
//! | `z` | f64 | f64, 6 decimals | redshift, Z of REDSHIFTS |
//! | `wavelength` | list of f64 | list of f64 | Å, in vacuum |
//! | `flux` | list of f32 | list of f64 | 10⁻¹⁷ erg/(s cm² Å) |
//! | `ivar` | list of f32 | list of f64 | inverse variance of the flux |
//! | `mask_array` | list of u32 | list of i64 | bits, 0 is good |
//!
//! All four lists of a row have the same length. They are the arms B, R and Z one after the other, and since the arms
//! overlap, the wavelengths are not monotonic; [`Spectra::sorted`] orders them, and overlapping points then alternate.
//!
//! # Why this shape
//!
//! - Opening decides which rows there will be and reads no spectrum, so that the number of rows is known before the
//!   file that bears it in its name is written.
//! - TARGETID is read as the integer that the file holds. Read as a column that may be null, it would pass through
//!   f64, which does not hold it.
//! - A spectrum is read with a few small reads at its place. What is not selected is not read.
//!
//! # Features
//!
//! None so far.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod arms;
mod batches;
mod error;
mod inspect;
mod product;
mod select;
mod spectra;

pub use batches::Batches;
pub use error::{Error, ErrorKind};
pub use inspect::{Inspected, inspect};
pub use product::{PixelId, Product};
pub use spectra::{Selected, Spectra};
