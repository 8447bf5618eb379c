//! Images and tables through CFITSIO: a second opinion, and a way out where this crate cannot read a file.
//!
//! The calls are those of [`crate::Image`] and [`crate::Table`], with the same types and the same rules for scaled
//! and null values; headers are parsed by this crate, the data are read, decompressed and scaled by CFITSIO. It is the
//! library of the system, and its licence and its behaviour on damaged files are its own: [`Limits`] bound what is
//! allocated here, not what CFITSIO allocates.
//!
//! # Where CFITSIO differs
//!
//! - Numbers in the digits of ASCII tables are not always rounded to the nearest double.
//! - TZERO of complex numbers is added to both parts.
//! - TNULL of an ASCII table must stand at the start of the field.
//! - A 64-bit integer with BLANK or TNULL, or in an ASCII table, may pass through a double.
//! - Having come by an image with ZQUANTIZ = 'NONE', CFITSIO 4.2 takes all later images of a file for such. Here they
//!   are copied into a file of their own in memory first.
//! - NULL_PIXEL_MASK is not known to it; such an image is refused here.
//!
//! # Examples
//!
//! ```no_run
//! let path = "legacysurvey-0959p805-image-g.fits.fz";
//! let theirs: Vec<f32> = coaddkit_fits::cfitsio::Fits::open(path)?.hdu(1)?.image()?.read()?;
//! let ours: Vec<f32> = coaddkit_fits::Fits::open(path)?.hdu(1)?.image()?.read()?;
//! assert!(ours.iter().zip(&theirs).all(|(a, b)| a.to_bits() == b.to_bits()));
//! # Ok::<_, coaddkit_fits::Error>(())
//! ```

mod image;
mod raw;
mod table;

pub use image::Image;
pub use table::Table;

use crate::error::{Error, ErrorKind, Location};
use crate::header::Header;
use crate::limits::Limits;
use crate::structure::{HduKind, Structure};
use raw::{Failure, Handle};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A FITS file, opened by CFITSIO.
///
/// Clones share the file. All methods may be called from several threads; CFITSIO serves one at a time for each file,
/// and one at a time altogether where it was not built to be re-entrant.
#[derive(Clone)]
pub struct Fits {
    file: Arc<File>,
}

struct File {
    path: PathBuf,
    limits: Limits,
    handle: Mutex<Handle>,
    lossless: Mutex<Lossless>,
}

/// How far a file was searched for floats that are compressed without loss.
#[derive(Default)]
struct Lossless {
    next: usize,
    /// True if the HDU before `next` has them.
    found: bool,
}

impl Fits {
    /// Opens a file; the name is taken as it is, without the extended syntax of CFITSIO.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Cfitsio`] if CFITSIO cannot open it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_with(path, Limits::default())
    }

    /// [`Self::open`] with limits of your own.
    ///
    /// # Errors
    ///
    /// As for [`Self::open`].
    pub fn open_with(path: impl AsRef<Path>, limits: Limits) -> Result<Self, Error> {
        let path = path.as_ref().to_owned();
        let at = Location { path: Some(path.clone()), ..Location::default() };
        let handle = Handle::open(&path).map_err(|failure| Error::new(at, failure.into()))?;
        Ok(Self { file: Arc::new(File::new(path, limits, handle)) })
    }

    /// Number of HDUs.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Cfitsio`] if the way to the last one is blocked.
    pub fn count(&self) -> Result<usize, Error> {
        self.file.with(None, Handle::hdus)
    }

    /// The HDU with this index, from 0 (the primary HDU).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Cfitsio`] if there is none or the way to it is blocked; [`ErrorKind::Header`] if its keywords make
    /// no sense.
    pub fn hdu(&self, index: usize) -> Result<Hdu, Error> {
        Hdu::new(&self.file, index, index)
    }
}

impl fmt::Debug for Fits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("cfitsio::Fits").field("path", &self.file.path).finish_non_exhaustive()
    }
}

impl File {
    fn new(path: PathBuf, limits: Limits, handle: Handle) -> Self {
        Self { path, limits, handle: Mutex::new(handle), lossless: Mutex::default() }
    }

    /// Whether CFITSIO has come by floats that are compressed without loss (ZQUANTIZ = 'NONE') on its way to an HDU.
    fn passes_lossless(&self, index: usize) -> Result<bool, Error> {
        let mut seen = self.lossless.lock().unwrap_or_else(PoisonError::into_inner);
        while !seen.found && seen.next < index {
            let method = self.with(Some(seen.next), |handle| Ok(handle.keyword(c"ZQUANTIZ")))?;
            seen.found = method.is_some_and(|method| method.trim() == "NONE");
            seen.next += 1;
        }
        Ok(seen.found && seen.next <= index)
    }

    /// Does something with the file, at the HDU.
    fn with<R>(
        &self,
        hdu: Option<usize>,
        work: impl FnOnce(&mut Handle) -> Result<R, Failure>,
    ) -> Result<R, Error> {
        let mut handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        let moved = hdu.map_or(Ok(()), |hdu| handle.select(hdu));
        moved.and_then(|()| work(&mut handle)).map_err(|failure| self.error(hdu, failure.into()))
    }

    fn error(&self, hdu: Option<usize>, kind: ErrorKind) -> Error {
        Error::new(Location { path: Some(self.path.clone()), hdu, ..Location::default() }, kind)
    }
}

/// One header and data unit, as CFITSIO finds it.
#[derive(Clone)]
pub struct Hdu {
    file: Arc<File>,
    /// The HDU in `file`, which may be one in memory.
    place: usize,
    index: usize,
    header: Header,
    structure: Structure,
}

impl Hdu {
    fn new(file: &Arc<File>, place: usize, index: usize) -> Result<Self, Error> {
        let header = Header::from_cards(file.with(Some(place), Handle::cards)?);
        let structure = Structure::of(&header, place == 0);
        let structure = structure.map_err(|kind| file.error(Some(index), kind))?;
        Ok(Self { file: Arc::clone(file), place, index, header, structure })
    }

    /// Does something with the file, at this HDU.
    fn with<R>(&self, work: impl FnOnce(&mut Handle) -> Result<R, Failure>) -> Result<R, Error> {
        self.file.with(Some(self.place), work)
    }

    /// This HDU in a file in memory, as something makes it.
    fn in_memory(&self, make: impl FnOnce(&mut Handle) -> Result<Handle, Failure>) -> Result<Self, Error> {
        let handle = self.with(make)?;
        let file = File::new(self.file.path.clone(), self.file.limits.clone(), handle);
        Self::new(&Arc::new(file), 1, self.index)
    }

    /// Index in the file, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The cards.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What it holds; a tile-compressed image counts as an image.
    pub fn kind(&self) -> HduKind {
        self.structure.kind
    }

    /// This HDU as an image.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongHdu`] if it is none or holds no data; [`ErrorKind::Unsupported`] for what CFITSIO would read
    /// wrongly; [`ErrorKind::Cfitsio`].
    pub fn image(&self) -> Result<Image, Error> {
        Image::new(self)
    }

    /// This HDU as a table; a tile-compressed one is decompressed in memory.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongHdu`] if it is none, [`ErrorKind::Header`] if its columns make no sense;
    /// [`ErrorKind::Cfitsio`].
    pub fn table(&self) -> Result<Table, Error> {
        Table::new(self)
    }

    fn error(&self, kind: ErrorKind) -> Error {
        self.file.error(Some(self.index), kind)
    }

    fn wrong(&self, wanted: &'static str) -> Error {
        let found = crate::file::describe(&self.header, &self.structure);
        self.error(ErrorKind::WrongHdu { wanted, found })
    }
}

impl fmt::Debug for Hdu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("cfitsio::Hdu")
            .field("index", &self.index)
            .field("structure", &self.structure)
            .finish_non_exhaustive()
    }
}
