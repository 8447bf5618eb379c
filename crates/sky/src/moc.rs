//! Multi-order coverage maps in files.

mod fits;
mod json;

use crate::{CellSet, Error, Healpix};

/// A multi-order coverage map (MOC): a part of the sky made of HEALPix cells, and the order it was made at, in the
/// forms in which archives and tools exchange it.
///
/// The positions are those of ICRS. Set operations are those of its [`cells`](Self::cells).
///
/// # Examples
///
/// ```
/// use coaddkit_sky::{BrickGrid, Cone, Healpix, Moc, MocLayout, SkyCoord};
///
/// let cells = Healpix::new(10)?;
/// let cone = Cone::new(SkyCoord::from_degrees(150.1, 2.2)?, 0.5)?;
/// let moc = Moc::new(cells.cover(&cone)?.envelope, cells)?;
///
/// let file = moc.to_fits(MocLayout::Range);
/// assert_eq!(file.len() % 2880, 0);
/// assert_eq!(Moc::from_fits(&file), Ok(moc.clone()));
/// assert_eq!(Moc::from_json(&moc.to_json()), Ok(moc));
///
/// // The bricks of the cone, and the part of the sky that they cover.
/// let bricks = BrickGrid::legacy().cover(&cone).interior;
/// let covered = Moc::new(BrickGrid::legacy().cells_of(bricks, cells)?.interior, cells)?;
/// assert!(covered.to_json().ends_with("]}"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
///
/// IVOA Recommendation MOC 2.0 (Fernique et al. 2022); files of version 1.0 and 1.1 are read too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moc {
    cells: CellSet,
    grid: Healpix,
}

/// How a [`Moc`] lies in the table of a FITS file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MocLayout {
    /// NUNIQ numbers of cells, which tools of version 1 read too.
    Nuniq,
    /// Ranges of order-29 numbers: smaller and faster where cells are many. Since version 2.
    Range,
}

/// Why bytes are no [`Moc`] that can be read. Every variant says where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MocError {
    /// The bytes are not those of a FITS file with a coverage map, or are damaged.
    #[error("byte {offset}: {problem}")]
    Fits {
        /// Where in the file, from 0.
        offset: usize,
        /// What is wrong.
        problem: String,
    },
    /// A row of the table is no cell or no range.
    #[error("row {row} (byte {offset}): {value} is {problem}")]
    Row {
        /// The row, from 0.
        row: usize,
        /// Where in the file, from 0.
        offset: usize,
        /// What it holds.
        value: i64,
        /// What is wrong.
        problem: &'static str,
    },
    /// The file is sound, but holds a kind of map that is not supported.
    #[error("byte {offset}: {keyword} = {value:?}: {problem}")]
    Unsupported {
        /// Where the keyword is, from 0.
        offset: usize,
        /// The keyword that says so.
        keyword: &'static str,
        /// Its value.
        value: String,
        /// What is not supported.
        problem: &'static str,
    },
    /// The text is not that of a coverage map in JSON.
    #[error("character {offset} of the JSON text: {problem}")]
    Json {
        /// Where, in bytes from 0.
        offset: usize,
        /// What is wrong.
        problem: String,
    },
}

impl Moc {
    /// A map of cells, made at the order of `grid`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] if there are finer cells; [`CellSet::coarsened`] makes them larger.
    pub fn new(cells: CellSet, grid: Healpix) -> Result<Self, Error> {
        cells.count_at(grid)?;
        Ok(Self { cells, grid })
    }

    /// The part of the sky.
    pub const fn cells(&self) -> &CellSet {
        &self.cells
    }

    /// The part of the sky, without the map around it.
    pub fn into_cells(self) -> CellSet {
        self.cells
    }

    /// The finest cells that the map tells apart, whether or not it has any.
    pub const fn grid(&self) -> Healpix {
        self.grid
    }

    /// The map in a FITS file: an empty primary array and a table of one column of 64-bit integers.
    ///
    /// Equal maps give equal bytes.
    pub fn to_fits(&self, layout: MocLayout) -> Vec<u8> {
        fits::write(self, layout)
    }

    /// The map in a FITS file: the first table that is one, NUNIQ or ranges, of 32- or 64-bit integers.
    ///
    /// # Errors
    ///
    /// [`MocError`] says where the file is damaged, or names what is not supported: maps of time or frequency, frames
    /// other than ICRS. A file that `gzip` made must be unpacked first.
    pub fn from_fits(bytes: &[u8]) -> Result<Self, MocError> {
        fits::read(bytes)
    }

    /// The map in JSON: an object with a list of nested numbers for each order, `{"3":[1,2],"10":[]}`. The finest order
    /// is there even without cells.
    pub fn to_json(&self) -> String {
        json::write(self)
    }

    /// The map in JSON.
    ///
    /// Cells may be in any order, and may overlap; an order that is there twice counts twice.
    ///
    /// # Errors
    ///
    /// [`MocError::Json`] says where the text is no such object, or a number no cell.
    pub fn from_json(text: &str) -> Result<Self, MocError> {
        json::read(text)
    }
}
