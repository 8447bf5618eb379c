use crate::error::{Error, ErrorKind, Location};
use crate::gzip::Gzip;
use crate::header::{BLOCK, Header};
use crate::image::Image;
use crate::limits::Limits;
use crate::source::{ReadAt, read_full};
use crate::structure::{HduKind, PixelType, Structure, TileCompression};
use crate::table::Table;
use std::fmt;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// An open FITS file.
///
/// Headers are read when they are asked for, so opening a file costs one read and the first HDU of a
/// compressed file does not need the last. Cloning is cheap, and clones share what was read.
#[derive(Clone)]
pub struct Fits {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) source: Box<dyn ReadAt>,
    pub(crate) limits: Limits,
    path: Option<std::path::PathBuf>,
    walk: Mutex<Walk>,
}

/// How far the chain of HDUs has been followed.
struct Walk {
    /// Not whole [`Hdu`]s: these hold the file, and a file that holds itself would never be closed.
    known: Vec<Arc<Parts>>,
    next: u64,
    ended: bool,
}

impl Fits {
    /// Opens a file; one that starts with the gzip magic is inflated as it is read, whatever its name.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or does not start with a FITS primary header.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_with(path, Limits::default())
    }

    /// [`Self::open`] with limits of your own.
    ///
    /// # Errors
    ///
    /// As for [`Self::open`], and when the primary header exceeds the limits.
    pub fn open_with(path: impl AsRef<Path>, limits: Limits) -> Result<Self, Error> {
        let path = path.as_ref();
        let at = Location { path: Some(path.to_owned()), ..Location::default() };
        let file = File::open(path).map_err(|e| Error::io(at.clone(), e))?;
        if file.metadata().map_err(|e| Error::io(at.clone(), e))?.is_dir() {
            return Err(Error::io(at, std::io::ErrorKind::IsADirectory.into()));
        }
        Self::start(file, Some(path), limits)
    }

    /// Reads from any source of bytes, gunzipping it if it starts with the gzip magic.
    ///
    /// # Errors
    ///
    /// As for [`Self::open`].
    ///
    /// # Examples
    ///
    /// ```
    /// let error = coaddkit_fits::Fits::from_source(b"not FITS".to_vec()).unwrap_err();
    /// assert_eq!(error.class(), coaddkit_fits::ErrorClass::Data);
    /// ```
    pub fn from_source(source: impl ReadAt + 'static) -> Result<Self, Error> {
        Self::from_source_with(source, Limits::default())
    }

    /// [`Self::from_source`] with limits of your own.
    ///
    /// # Errors
    ///
    /// As for [`Self::open_with`].
    pub fn from_source_with(source: impl ReadAt + 'static, limits: Limits) -> Result<Self, Error> {
        Self::start(source, None, limits)
    }

    /// [`Self::open`] of a file that is read at once if it has at most `small` bytes.
    pub(crate) fn open_small(path: &Path, small: u64) -> Result<Self, Error> {
        let at = Location { path: Some(path.to_owned()), ..Location::default() };
        let io = |e| Error::io(at.clone(), e);
        let file = File::open(path).map_err(io)?;
        let about = file.metadata().map_err(io)?;
        if about.is_dir() {
            return Err(Error::io(at, std::io::ErrorKind::IsADirectory.into()));
        }
        if about.len() > small || !about.is_file() {
            return Self::start(file, Some(path), Limits::default());
        }
        let mut bytes = vec![0; about.len() as usize];
        let n = read_full(&file, &mut bytes, 0).map_err(io)?;
        bytes.truncate(n);
        Self::start(bytes, Some(path), Limits::default())
    }

    /// The same file with a compressed stream inflated in memory, where that is whole and within the limits.
    pub(crate) fn inflated(&self) -> Option<Self> {
        let source = &*self.shared.source;
        if !source.is_sequential() {
            return None;
        }
        let mut bytes = Vec::new();
        loop {
            const STEP: usize = 1 << 20;
            /// Several threads may each hold a file.
            const MOST: u64 = 512 << 20;
            let at = bytes.len();
            if at as u64 > self.shared.limits.buffer_bytes.min(MOST) {
                return None;
            }
            bytes.resize(at + STEP, 0);
            let n = read_full(source, &mut bytes[at..], at as u64).ok()?;
            bytes.truncate(at + n);
            if n < STEP {
                break;
            }
        }
        source.check_to_end().ok()?;
        Self::start(bytes, self.shared.path.as_deref(), self.shared.limits.clone()).ok()
    }

    fn start(source: impl ReadAt + 'static, path: Option<&Path>, limits: Limits) -> Result<Self, Error> {
        let at = Location { path: path.map(Path::to_owned), ..Location::default() };
        let io = |e| Error::io(at.clone(), e);
        let mut magic = [0; 2];
        let n = read_full(&source, &mut magic, 0).map_err(io)?;
        let source: Box<dyn ReadAt> =
            if magic[..n] == [0x1f, 0x8b] { Box::new(Gzip::new(Arc::new(source))) } else { Box::new(source) };
        let walk = Mutex::new(Walk { known: Vec::new(), next: 0, ended: false });
        let path = path.map(Path::to_owned);
        let fits = Self { shared: Arc::new(Shared { source, limits, path, walk }) };
        fits.nth(0)?;
        Ok(fits)
    }

    /// The HDU with this index, from 0 (the primary HDU).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::MissingHdu`], or whatever stopped the way to it.
    pub fn hdu(&self, index: usize) -> Result<Hdu, Error> {
        self.nth(index)?.ok_or_else(|| self.missing(index.to_string()))
    }

    /// The first HDU whose EXTNAME is `name`, without case.
    ///
    /// # Errors
    ///
    /// As for [`Self::hdu`].
    pub fn hdu_named(&self, name: &str) -> Result<Hdu, Error> {
        for hdu in self.hdus() {
            let hdu = hdu?;
            if hdu.name().eq_ignore_ascii_case(name) {
                return Ok(hdu);
            }
        }
        Err(self.missing(format!("named {name}")))
    }

    /// All HDUs in order; after an error the iterator ends.
    pub fn hdus(&self) -> Hdus {
        Hdus { fits: self.clone(), index: 0, failed: false }
    }

    fn missing(&self, wanted: String) -> Error {
        let count = self.shared.walk.lock().unwrap_or_else(PoisonError::into_inner).known.len();
        let found = if count == 1 { "1 HDU".to_owned() } else { format!("{count} HDUs") };
        Error::new(self.shared.location(None, None), ErrorKind::MissingHdu { wanted, found })
    }

    /// Follows the chain of HDUs up to `index`; `None` past the last one.
    pub(crate) fn nth(&self, index: usize) -> Result<Option<Hdu>, Error> {
        let shared = &self.shared;
        let mut walk = shared.walk.lock().unwrap_or_else(PoisonError::into_inner);
        while walk.known.len() <= index && !walk.ended {
            let number = walk.known.len();
            let offset = walk.next;
            let at = shared.location(Some(number), Some(offset));
            if number > 0 {
                self.with(&walk.known[number - 1]).whole()?;
                // What follows the last HDU and is no extension is not part of the file's structure.
                let mut magic = [0; 9];
                // Whatever breaks here is of the stream, not of an HDU that may not be there.
                let n = read_full(&*shared.source, &mut magic, offset)
                    .map_err(|e| Error::io(shared.location(None, Some(offset)), e))?;
                if &magic[..n] != b"XTENSION=" {
                    walk.ended = true;
                    break;
                }
            }
            if number >= shared.limits.hdus {
                let (wanted, limit) = (number as u64 + 1, shared.limits.hdus as u64);
                return Err(Error::new(at, ErrorKind::Limit { what: "the number of HDUs", wanted, limit }));
            }
            let (header, size) = Header::read(&*shared.source, offset, &at, &shared.limits)?;
            let structure =
                Structure::of(&header, number == 0).map_err(|kind| Error::new(at.clone(), kind))?;
            let data = offset + size;
            let next =
                structure.data_bytes.checked_next_multiple_of(BLOCK as u64).and_then(|n| data.checked_add(n));
            let Some(next) = next else {
                let problem = "give a data size that no file can have".to_owned();
                return Err(Error::new(at, ErrorKind::Header { keyword: "NAXISn".into(), problem }));
            };
            walk.next = next;
            walk.known.push(Arc::new(Parts { header, structure, index: number, offset, data }));
        }
        Ok(walk.known.get(index).map(|parts| self.with(parts)))
    }

    fn with(&self, parts: &Arc<Parts>) -> Hdu {
        Hdu { shared: Arc::clone(&self.shared), parts: Arc::clone(parts) }
    }
}

impl fmt::Debug for Fits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fits").field("path", &self.shared.path).finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn location(&self, hdu: Option<usize>, offset: Option<u64>) -> Location {
        Location { path: self.path.clone(), hdu, offset, row: None }
    }
}

/// One header and data unit.
#[derive(Clone)]
pub struct Hdu {
    pub(crate) shared: Arc<Shared>,
    parts: Arc<Parts>,
}

struct Parts {
    header: Header,
    structure: Structure,
    index: usize,
    offset: u64,
    data: u64,
}

impl Hdu {
    /// Index in the file, from 0.
    pub fn index(&self) -> usize {
        self.parts.index
    }

    /// EXTNAME, empty where there is none.
    pub fn name(&self) -> String {
        self.parts.header.text("EXTNAME").unwrap_or_default()
    }

    /// The cards.
    pub fn header(&self) -> &Header {
        &self.parts.header
    }

    /// What it holds; a tile-compressed image counts as an image.
    pub fn kind(&self) -> HduKind {
        self.parts.structure.kind
    }

    /// Bits a pixel as stored (negative: floating point), ZBITPIX for a compressed image.
    pub fn bitpix(&self) -> i64 {
        self.parts.structure.bitpix
    }

    /// Lengths of the axes, slowest first; for a compressed image those of the image.
    pub fn shape(&self) -> &[u64] {
        &self.parts.structure.shape
    }

    /// The type of a pixel after scaling; `None` for what is no image and for an impossible ZBITPIX.
    ///
    /// This is what the keywords say. Tiles may have nulls that only a column knows of; for that see
    /// [`Image::pixel_type`].
    pub fn pixel_type(&self) -> Option<PixelType> {
        let image = matches!(self.kind(), HduKind::Image | HduKind::Groups);
        image.then(|| PixelType::of(self.header(), self.bitpix())).flatten()
    }

    /// How it is compressed, if it is.
    pub fn compression(&self) -> Option<&TileCompression> {
        self.parts.structure.compression.as_ref()
    }

    /// Offset of the header in the FITS stream, in bytes.
    pub fn offset(&self) -> u64 {
        self.parts.offset
    }

    /// Offset of the data in the FITS stream, in bytes.
    pub fn data_offset(&self) -> u64 {
        self.parts.data
    }

    /// Bytes of data, without padding.
    pub fn data_bytes(&self) -> u64 {
        self.parts.structure.data_bytes
    }

    /// This HDU as a table.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongHdu`] if it is none, [`ErrorKind::Header`] if its columns make no sense.
    pub fn table(&self) -> Result<Table, Error> {
        Table::new(self)
    }

    /// This HDU as an image, plain or tile-compressed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongHdu`] if it is none or holds no data, [`ErrorKind::Header`] if its keywords make no
    /// sense, [`ErrorKind::Unsupported`] for a compression that this crate does not know.
    pub fn image(&self) -> Result<Image, Error> {
        Image::new(self)
    }

    /// Fails where the keywords of a compressed image make no sense.
    pub(crate) fn sensible(&self) -> Result<(), Error> {
        let Some((keyword, problem)) = &self.parts.structure.senseless else { return Ok(()) };
        Err(self.error(ErrorKind::Header { keyword: keyword.clone(), problem: problem.clone() }))
    }

    pub(crate) fn describe(&self) -> String {
        describe(self.header(), &self.parts.structure)
    }

    pub(crate) fn error(&self, kind: ErrorKind) -> Error {
        // What was asked of an image has no place in the file.
        let asked = matches!(kind, ErrorKind::Section { .. } | ErrorKind::PixelType { .. });
        Error::new(self.shared.location(Some(self.index()), (!asked).then(|| self.offset())), kind)
    }

    /// Fails if the stream ends before the data do. A compressed stream is inflated up to there.
    pub(crate) fn whole(&self) -> Result<(), Error> {
        let (needed, start) = (self.data_bytes(), self.data_offset());
        let io = |e| Error::io(self.shared.location(Some(self.index()), Some(start)), e);
        let source = &*self.shared.source;
        if needed > 0 && source.is_sequential() {
            read_full(source, &mut [0], start.saturating_add(needed - 1)).map_err(io)?;
        }
        let Some(size) = source.size().map_err(io)? else { return Ok(()) };
        let at = || self.shared.location(Some(self.index()), Some(size));
        if size < start {
            // Only blanks are missing, but they are part of the header.
            let (needed, found) = (start - self.offset(), size.saturating_sub(self.offset()));
            return Err(Error::new(at(), ErrorKind::Truncated { what: "header", needed, found }));
        }
        if size - start < needed {
            let found = size - start;
            return Err(Error::new(at(), ErrorKind::Truncated { what: "data", needed, found }));
        }
        Ok(())
    }
}

/// What an HDU is, in words.
pub(crate) fn describe(header: &Header, structure: &Structure) -> String {
    match structure.kind {
        HduKind::Image if structure.shape.is_empty() => "an image without data".to_owned(),
        HduKind::Image => "an image".to_owned(),
        HduKind::Table => "a binary table".to_owned(),
        HduKind::AsciiTable => "an ASCII table".to_owned(),
        HduKind::Groups => "random groups".to_owned(),
        HduKind::Other => format!("an extension of type {}", header.text("XTENSION").unwrap_or_default()),
    }
}

impl fmt::Debug for Hdu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hdu")
            .field("index", &self.index())
            .field("name", &self.name())
            .field("structure", &self.parts.structure)
            .finish_non_exhaustive()
    }
}

/// The HDUs of a file, from [`Fits::hdus`].
#[derive(Debug)]
pub struct Hdus {
    fits: Fits,
    index: usize,
    failed: bool,
}

impl Iterator for Hdus {
    type Item = Result<Hdu, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let item = self.fits.nth(self.index).transpose();
        self.index += 1;
        self.failed = matches!(item, Some(Err(_)));
        item
    }
}
