//! FITS 4.0 in pure Rust: headers, tables and bounded-memory scans, images, verification, writing.
//!
//! A sky survey publishes its catalogues as FITS binary tables of half a gigabyte each, of which a job reads
//! a tenth of the columns once. This crate opens such files, says exactly what is in them, and streams
//! chosen columns through a closure, at the speed at which the operating system hands out the bytes.
//!
//! # Should I use it?
//!
//! Yes, to read headers, tables and images quickly, in parallel and in bounded memory, from files (`.fits`,
//! `.fits.gz`, `.fits.fz`) that may be damaged: table columns of every type, also of ASCII and tile-compressed
//! tables, and pixels with every tile compression of the standard, to the same bits as CFITSIO. [`verify`] says
//! whether a file is whole. And to write files that other readers find nothing wrong with; what is left out is in
//! `docs/status.md` of the repository.
//!
//! # Example
//!
//! ```
//! use coaddkit_fits::{Fits, Values};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = std::env::temp_dir().join(format!("fits-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&dir)?;
//! # let path = dir.join("t.fits");
//! # let cards = |c: &[&str]| c.iter().map(|c| format!("{c:80}")).collect::<String>() + &" ".repeat(2880 - 80 * c.len());
//! # let primary = cards(&["SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 0", "END"]);
//! # let table = cards(&["XTENSION= 'BINTABLE'", "BITPIX  = 8", "NAXIS   = 2", "NAXIS1  = 4", "NAXIS2  = 3",
//! #     "PCOUNT  = 0", "GCOUNT  = 1", "TFIELDS = 1", "TTYPE1  = 'FLUX_R'", "TFORM1  = 'E'", "END"]);
//! # let mut bytes = [primary, table].concat().into_bytes();
//! # bytes.extend([5f32, 20.0, 30.0].into_iter().flat_map(f32::to_be_bytes));
//! # std::fs::write(&path, bytes)?;
//! let fits = Fits::open(&path)?;
//! let table = fits.hdu(1)?.table()?;
//! let scan = table.scan().column("flux_r")?; // names without case
//! let bright = scan.fold(
//!     || 0,
//!     |count, chunk| {
//!         if let Values::F32(flux) = chunk.values(0) {
//!             *count += flux.iter().filter(|&&f| f > 10.0).count();
//!         }
//!         Ok::<_, coaddkit_fits::Error>(())
//!     },
//!     |a, b| a + b,
//! )?;
//! assert_eq!(bright, 2);
//! # std::fs::remove_dir_all(&dir)?;
//! # Ok(())
//! # }
//! ```
//!
//! Images, plain or tile-compressed, are read whole or in part, in any type that holds their values:
//!
//! ```no_run
//! let image = coaddkit_fits::Fits::open("legacysurvey-0959p805-image-g.fits.fz")?.hdu(1)?.image()?;
//! let stamp: Vec<f32> = image.section(&[1000..1064, 2000..2064])?; // rows, columns
//! # Ok::<_, coaddkit_fits::Error>(())
//! ```
//!
//! [`Writer`] makes files that are whole or not there, with checksums, and the same bytes for the same input:
//!
//! ```no_run
//! use coaddkit_fits::{Compress, NewImage, Quantize, Writer};
//!
//! # let pixels = vec![0_f32; 3600 * 3600];
//! let mut writer = Writer::create("stamp.fits.fz")?;
//! let how = Compress::rice().tile(&[100, 100]).quantize(Quantize::noise(16.0));
//! writer.image(&NewImage::new(&[3600, 3600]).compress(how), &pixels)?;
//! writer.finish()?;
//! # Ok::<_, coaddkit_fits::Error>(())
//! ```
//!
//! # Why this shape
//!
//! The obvious reader maps the file and hands out whole columns. Measured on warm files, mapping costs more
//! in page faults than copying does, and whole columns cost more memory traffic than the decision that is
//! made with them. So [`Scan`] reads into a buffer that stays in the processor's cache, turns only the
//! projected columns into native slices, lets the caller decide, and reuses the buffer. Text columns are not
//! copied at all: [`Text`] is a view of the rows.
//!
//! # Errors
//!
//! [`Error`] says where (file, HDU, byte offset, keyword or row) and [`Error::class`] keeps four kinds apart:
//! the reader or writer failed, the bytes are bad, the caller asked for something that is not there, a [`Limits`] was
//! reached. The content of a file never causes a panic.
//!
//! # Features
//!
//! - `arrow`: `Scan::record_batches`, with the crates of Arrow exported again, so that all name the same version.
//! - `cfitsio`: the same images and tables through the system's CFITSIO, as a second opinion.
//! - `ndarray` (default): `Image::read_array`, `Image::section_array` and `Writer::image_array`.
//! - `rayon` (default): [`Scan::fold`], [`Image::read`] and [`Writer::image`] use all threads of the current pool.
//! - `zlib-rs`: inflate with zlib-rs, which is faster; it selects the backend of `flate2` for the whole build.

// Allowed in `cfitsio::raw`, and for two calls in `machine` that a build for any processor cannot do without.
#![deny(unsafe_code)]
#![deny(missing_docs)]

mod arrays;
#[cfg(feature = "arrow")]
mod arrow;
mod ascii;
mod card;
#[cfg(feature = "cfitsio")]
pub mod cfitsio;
mod checksum;
mod column;
mod decoder;
mod error;
mod file;
mod gzip;
mod header;
mod heap;
mod image;
mod limits;
mod machine;
mod read;
mod sample;
mod scan;
mod source;
mod structure;
mod table;
mod tile;
mod values;
mod verify;
mod views;
mod write;
mod ztable;

pub use arrays::Arrays;
pub use card::{Card, Value};
pub use checksum::{Checksum, Checksums};
pub use column::{Column, ColumnType};
pub use error::{Error, ErrorClass, ErrorKind, Location};
pub use file::{Fits, Hdu, Hdus};
pub use header::Header;
pub use image::{Image, Sections};
pub use limits::Limits;
pub use read::Cell;
pub use sample::{Pixels, Sample};
pub use scan::{Chunk, Scan};
pub use source::ReadAt;
pub use structure::{HduKind, PixelType, TileCompression};
pub use table::Table;
pub use tile::encode::{Compress, DitherMethod, Quantize};
pub use values::Values;
pub use verify::{Finding, Level, Severity, verify};
pub use views::{Bits, Logicals, Text};
pub use write::{Cells, ImageWriter, NewImage, NewTable, TableWriter, Writer};
#[cfg(feature = "arrow")]
pub use {arrow::RecordBatches, arrow_array, arrow_buffer, arrow_schema};
