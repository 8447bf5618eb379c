#![forbid(unsafe_code)]
#![deny(missing_docs)]
//! Survey photometry: fluxes, magnitudes, extinction, mask bits, and cuts with named presets and cut-flow.
//!
//! # Should I use it?
//!
//! If you select objects from catalogues in nanomaggies (the Legacy Surveys, DESI, SDSS, LSST after conversion) and
//! want to say the selection as text, know which clause lost what, and have the same rows whatever the machine.
//! If you have a data frame in memory and magnitudes in it, its own filter will do; mind that several of them let
//! NaN pass a `>`.
//!
//! # Smallest example
//!
//! ```
//! use coaddkit_photometry::{Cut, Values};
//!
//! let cut: Cut = "mag(flux_z) < 20.4 and mag(flux_r) - mag(flux_z) > 0.4".parse()?;
//! let (z, r) = ([12.0_f32, 12.0, -1.0], [3.0_f32, 11.0, 0.1]);
//!
//! let mut flow = cut.flow();
//! let mut evaluator = cut.evaluator();
//! assert_eq!(evaluator.select(3, &[Values::F32(&z), Values::F32(&r)], &mut flow)?, [0]);
//! for line in flow.clauses() {
//!     println!("{}: {} of {} kept", line.clause, line.kept, line.given);
//! }
//! # Ok::<(), coaddkit_photometry::CutError>(())
//! ```
//!
//! [`lrg`] has the published cuts for luminous red galaxies as such texts, [`desi`] the targets of the DESI main
//! survey as functions. [`Nanomaggies`], [`AbMag`] and [`InverseVariance`] are for single numbers, [`Softening`] for
//! asinh magnitudes, [`Extinction`] and [`MaskBits`] hold the tables, [`Rgb`] makes colour images.
//!
//! # Why this shape
//!
//! A cut is a text rather than a closure, so that a configuration file, a command line and a report hold the same
//! thing, and so that it can be taken apart: `mag(a) - mag(b) > 0.4` becomes a product of fluxes without a logarithm.
//! The evaluator takes blocks of typed columns rather than rows or one big table, because that is what a scan of a
//! file too large for memory has, and gives row indices, because nearly all rows fall out.
//!
//! Speed never changes the answer. Rows too close to a limit for the fast arithmetic are judged by the definition in
//! f64, and that uses its own logarithm, so results agree on every platform.
//!
//! # Features
//!
//! - `image`: colour images as PNG files, by `Rgb::png`.
//!
//! None by default. The crate is pure Rust, without unsafe code.

mod asinh;
mod band;
mod cut;
pub mod desi;
mod extinction;
mod flux;
pub mod lrg;
mod maskbits;
mod rgb;

pub use asinh::Softening;
pub use band::{Band, UnknownBand};
pub use cut::{ClauseFlow, Cut, CutError, CutFlow, Evaluator, Text, Values};
pub use extinction::Extinction;
pub use flux::{AbMag, InverseVariance, Nanomaggies};
pub use maskbits::{MaskBits, Release};
pub use rgb::{LegacyCurve, Rgb, RgbError, RgbPixel};
