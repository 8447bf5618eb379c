//! Manifests that a second run reproduces byte for byte: typed tables as Parquet and CSV, exact samples, provenance.
//!
//! A manifest says what a long job is going to do: which simulated lenses to paint on which galaxies, which galaxies to
//! train on. Everything after it depends on it, so it has to be the same when it is made again: with the same inputs,
//! configuration and seed, on any number of threads, from an input cut into any number of files.
//!
//! # Should I use it?
//!
//! Yes, to write tables whose columns have types, units and meanings that every reader sees ([`Schema`],
//! [`TableWriter`], [`write_csv`]), to read such tables with errors that name the row ([`Source`]), and to draw exact
//! samples of any number of rows in one pass ([`BottomK`]). [`injection`] builds the tasks of a search for
//! gravitational lenses from a catalogue; `negatives` (feature `fits`) makes the galaxies that are no lenses, from sweeps
//! to a validated sample. [`compare()`] says what differs between two manifests.
//!
//! # Example
//!
//! The thousand items of a stream that a seed chooses, in two parts that may have been seen by two machines:
//!
//! ```
//! use coaddkit_manifest::{BottomK, SeededHash};
//!
//! let hash = SeededHash::new(42);
//! let mut parts = [0..400_000_i64, 400_000..1_000_000].map(|part| {
//!     let mut sample = BottomK::new(1000);
//!     part.for_each(|id| sample.offer(hash.int(id), || id));
//!     sample
//! }).into_iter();
//! let mut sample = parts.next().unwrap();
//! parts.for_each(|part| sample.merge(part));
//! assert_eq!(sample.into_sorted().len(), 1000);
//! ```
//!
//! # Why this shape?
//!
//! - Samples are the items of the smallest hash, not of a random generator: what is chosen depends on the items alone, so
//!   no shuffle is needed, parts merge, and a larger sample contains the smaller one.
//! - The hash is [documented](SeededHash) and has a version ([`HASH_VERSION`]) that products carry; there are no hashes of
//!   a language or an engine, which change from one release to the next.
//! - Row groups are encoded on all threads and written in order, and no clock, path or thread number gets into a file.
//! - A file is there whole or not at all.
//!
//! # Features
//!
//! - `fits` (default): tables in FITS files as inputs, and the module `negatives`.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod compare;
mod error;
mod gates;
mod hash;
pub mod injection;
#[cfg(feature = "fits")]
pub mod negatives;
mod progress;
mod provenance;
mod publish;
mod sample;
mod schema;
mod source;
mod write;

pub use compare::{ColumnDifference, Comparison, ExperimentComparison, compare};
pub use error::{Error, ErrorClass};
pub use gates::{Gate, Severity};
pub use hash::{HASH_VERSION, Key, SeededHash};
pub use progress::Progress;
pub use provenance::{Input, Provenance, TOOL};
pub use publish::publish;
pub use sample::BottomK;
pub use schema::{Field, Kind, Schema};
pub use source::{Rows, Source};
pub use write::{Compression, Layout, TableWriter, Written, write_csv};
