//! Writing FITS files.

mod cards;
mod fields;
mod heap;
mod image;
mod part;
mod pixels;
mod table;
mod tiles;

pub use fields::Cells;
pub use image::{ImageWriter, NewImage};
pub use table::{NewTable, TableWriter};

use crate::card::{Card, Value};
use crate::checksum::Checksum;
use crate::error::{Error, ErrorKind, Location};
use crate::header::{BLOCK, Header};
use part::Part;
use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Writes a FITS file, HDU after HDU.
///
/// [`Self::create`] writes to a temporary file beside the final one, which takes its place in
/// [`Self::finish`], whole and durable; a writer that is dropped before leaves nothing. [`Self::new`] writes to any
/// [`Write`]. Every HDU has CHECKSUM and DATASUM. Equal input gives equal bytes: nothing is taken from the clock
/// or from the order of threads.
///
/// What is refused (a header card that FITS does not allow, columns of different lengths, a NaN where there is no
/// null) is refused before the first byte of its HDU is written.
///
/// # Examples
///
/// ```
/// use coaddkit_fits::{Cells, Column, Fits, Header, NewImage, NewTable, Writer};
///
/// # fn main() -> Result<(), coaddkit_fits::Error> {
/// # let dir = std::env::temp_dir().join(format!("fits-write-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir).unwrap();
/// # let path = dir.join("out.fits");
/// let mut header = Header::new();
/// header.push("OBJECT", "M 31", "")?;
/// let mut writer = Writer::create(&path)?;
/// writer.image(&NewImage::new(&[2, 3]).header(header), &[0_u16, 1, 2, 3, 4, 65535])?;
///
/// let table = NewTable::new().column(Column::new("RA", "D")?.with_unit("deg")).column(Column::new("NAME", "8A")?);
/// let (ra_deg, names) = (vec![10.68, 83.82], vec!["M31".to_owned(), "M42".to_owned()]);
/// writer.table(&table, &[&ra_deg, &names])?;
/// writer.finish()?;
///
/// let fits = Fits::open(&path)?;
/// assert_eq!(fits.hdu(0)?.image()?.read::<u16>()?[5], 65535);
/// assert_eq!(fits.hdu(1)?.table()?.column::<f64>("ra")?, ra_deg);
/// # std::fs::remove_dir_all(&dir).unwrap();
/// # Ok(())
/// # }
/// ```
pub struct Writer<W> {
    sink: W,
    part: Option<Part>,
    path: Option<PathBuf>,
    /// Bytes written.
    position: u64,
    hdus: usize,
    checksums: bool,
    /// An HDU has been begun and not ended.
    open: bool,
}

impl Writer<BufWriter<File>> {
    /// Writes a file that has its name only once [`Self::finish`] has made it whole and durable. A file of that name
    /// is replaced then.
    ///
    /// # Errors
    ///
    /// When the temporary file cannot be created.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let (part, file) = Part::create(path)
            .map_err(|e| Error::io(Location { path: Some(path.to_owned()), ..Location::default() }, e))?;
        let mut writer = Self::new(BufWriter::with_capacity(256 << 10, file));
        (writer.part, writer.path) = (Some(part), Some(path.to_owned()));
        Ok(writer)
    }
}

impl<W: Write> Writer<W> {
    /// Writes to any sink. [`Self::image_rows`] and [`Self::table_rows`] also need [`Seek`].
    pub fn new(sink: W) -> Self {
        Self { sink, part: None, path: None, position: 0, hdus: 0, checksums: true, open: false }
    }

    /// Whether HDUs get CHECKSUM and DATASUM. They do by default.
    #[must_use]
    pub fn checksums(mut self, on: bool) -> Self {
        self.checksums = on;
        self
    }

    /// A primary HDU without data. A table or a compressed image that comes first has one before it anyway.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unwritable`] if there is an HDU already, [`ErrorKind::Card`] for a card that is the writer's own,
    /// [`ErrorKind::Io`] if the sink fails.
    pub fn primary(&mut self, header: &Header) -> Result<(), Error> {
        if self.hdus > 0 {
            return Err(self.refuse("a primary HDU", "the file has one already"));
        }
        let cards = image::mandatory(true, 8, &[]).and_then(|mut all| {
            header.check_writable()?;
            all.append(header);
            Ok(all)
        });
        let cards = cards.map_err(|e| self.place(e))?;
        self.unit(cards, &mut |_| Ok(()))
    }

    /// Ends the file and returns the sink. A file of [`Self::create`] is made durable and gets its name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] if the sink fails, [`ErrorKind::Unwritable`] if an HDU was begun and not ended.
    pub fn finish(mut self) -> Result<W, Error> {
        self.ready()?;
        if self.hdus == 0 {
            self.primary(&Header::new())?;
        }
        let flushed = self.sink.flush();
        flushed.map_err(|e| self.io(e))?;
        if let Some(part) = self.part.take() {
            part.publish().map_err(|e| self.io(e))?;
        }
        Ok(self.sink)
    }

    /// Fails where an earlier HDU is not whole.
    fn ready(&self) -> Result<(), Error> {
        if self.open {
            return Err(self.refuse("the file", "an HDU in it was not finished"));
        }
        Ok(())
    }

    /// Makes sure that the next HDU is an extension.
    fn extension(&mut self) -> Result<(), Error> {
        self.ready()?;
        if self.hdus == 0 { self.primary(&Header::new()) } else { Ok(()) }
    }

    /// Writes an HDU whose data are at hand: `data` calls its argument with the bytes, and is called twice, since
    /// their sum stands before them.
    fn unit(&mut self, header: Header, data: &mut Source<'_>) -> Result<(), Error> {
        self.ready()?;
        let mut sum = Checksum::new();
        data(&mut |bytes| {
            sum.update(bytes);
            Ok(())
        })
        .map_err(|e| self.place(e))?;
        let cards = self.sealed(&header, &sum);
        self.open = true;
        self.put(&cards)?;
        let start = self.position;
        data(&mut |bytes| self.put(bytes))?;
        self.pad(start)?;
        (self.open, self.hdus) = (false, self.hdus + 1);
        Ok(())
    }

    /// The blocks of a header whose data sum up to `data`.
    fn sealed(&self, header: &Header, data: &Checksum) -> Vec<u8> {
        let mut bytes = header.bytes.clone();
        if self.checksums {
            let sum = data.value().to_string();
            bytes.extend(text_card("CHECKSUM", "0000000000000000", "HDU checksum"));
            bytes.extend(text_card("DATASUM", &sum, "data unit checksum"));
        }
        let place = bytes.len();
        bytes.extend_from_slice(b"END");
        bytes.resize((place + Card::LEN).next_multiple_of(BLOCK), b' ');
        if self.checksums {
            let mut sum = Checksum::new();
            sum.update(&bytes);
            let value = place - 2 * Card::LEN + 11;
            bytes[value..value + 16].copy_from_slice(&sum.and(data).encoded());
        }
        bytes
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let put = self.sink.write_all(bytes);
        put.map_err(|e| self.io(e))?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    /// Fills the last block of data that started at `start`.
    fn pad(&mut self, start: u64) -> Result<(), Error> {
        let bytes = self.position - start;
        let missing = bytes.next_multiple_of(BLOCK as u64) - bytes;
        self.put(&[0; BLOCK][..missing as usize])
    }

    fn location(&self) -> Location {
        let (hdu, offset) = (Some(self.hdus), Some(self.position));
        Location { path: self.path.clone(), hdu, offset, row: None }
    }

    fn io(&self, source: std::io::Error) -> Error {
        Error::io(self.location(), source)
    }

    fn refuse(&self, what: &str, problem: &str) -> Error {
        let kind = ErrorKind::Unwritable { what: what.to_owned(), problem: problem.to_owned() };
        self.place(Error::new(Location::default(), kind))
    }

    /// Says where, in an error that does not yet.
    fn place(&self, error: Error) -> Error {
        let (at, kind) = error.into_parts();
        let here = Location { path: self.path.clone(), hdu: Some(self.hdus), ..at };
        Error::new(here, kind)
    }
}

impl<W: Write + Seek> Writer<W> {
    /// Begins an HDU whose data come piece by piece; its header is written again at the end.
    fn begin(&mut self, header: Header) -> Result<Stream, Error> {
        self.ready()?;
        let place = self.sink.stream_position().map_err(|e| self.io(e))?;
        let sum = Checksum::new();
        let cards = self.sealed(&header, &sum);
        self.open = true;
        self.put(&cards)?;
        Ok(Stream { header, place, size: cards.len(), start: self.position, sum })
    }

    fn stream(&mut self, stream: &mut Stream, bytes: &[u8]) -> Result<(), Error> {
        stream.sum.update(bytes);
        self.put(bytes)
    }

    fn end(&mut self, stream: &Stream) -> Result<(), Error> {
        self.pad(stream.start)?;
        let cards = self.sealed(&stream.header, &stream.sum);
        debug_assert_eq!(cards.len(), stream.size);
        let mut again = || {
            let end = self.sink.stream_position()?;
            self.sink.seek(SeekFrom::Start(stream.place))?;
            self.sink.write_all(&cards)?;
            self.sink.seek(SeekFrom::Start(end))
        };
        again().map_err(|e| self.io(e))?;
        (self.open, self.hdus) = (false, self.hdus + 1);
        Ok(())
    }
}

impl<W> fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("path", &self.path)
            .field("hdus", &self.hdus)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

/// Hands out bytes, piece by piece.
type Source<'a> = dyn FnMut(&mut dyn FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> + 'a;

/// An HDU that is being written.
#[derive(Debug)]
struct Stream {
    header: Header,
    /// Where its header is in the sink.
    place: u64,
    /// Bytes of the header.
    size: usize,
    /// Where its data start, counted as [`Writer::position`] is.
    start: u64,
    sum: Checksum,
}

/// A card of the writer's own, whose text fits.
fn text_card(keyword: &str, text: &str, comment: &str) -> Vec<u8> {
    let cards = cards::value_cards(keyword, &Value::Text(text.to_owned()), comment);
    cards.map(|cards| cards.concat()).unwrap_or_default()
}

fn unwritable(what: impl Into<String>, problem: impl Into<String>) -> Error {
    let kind = ErrorKind::Unwritable { what: what.into(), problem: problem.into() };
    Error::new(Location::default(), kind)
}
