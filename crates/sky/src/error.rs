//! What can be wrong with an input.

/// Why a value, a name or a region was refused.
///
/// Every variant carries the offending input. Nothing in this crate panics on what a caller passes.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A number is NaN or infinite where a finite one is needed.
    #[error("{what} is {value}, must be finite")]
    NotFinite {
        /// The quantity, with its unit, such as `dec_deg`.
        what: &'static str,
        /// What was given.
        value: f64,
    },
    /// A number lies outside its range.
    #[error("{what} is {value}, must lie in {min} to {max}")]
    OutOfRange {
        /// The quantity, with its unit, such as `dec_deg`.
        what: &'static str,
        /// What was given.
        value: f64,
        /// Smallest accepted value.
        min: f64,
        /// Largest accepted value.
        max: f64,
    },
    /// A lower bound lies above its upper bound, in a quantity that does not wrap around.
    #[error("{what}: the lower bound {min} is above the upper bound {max}")]
    EmptyRange {
        /// The quantity, with its unit, such as `dec_deg`.
        what: &'static str,
        /// The lower bound given.
        min: f64,
        /// The upper bound given.
        max: f64,
    },
    /// A text is not a brick name.
    #[error("{text:?} is not a brick name: {problem}")]
    BrickName {
        /// The text, shortened if long.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A text does not end in the name of a sweep file.
    #[error("{text:?} is not the name of a sweep file: {problem}")]
    SweepName {
        /// The last part of the path, shortened if long.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A keyword of a header is missing, contradicts others, or asks for what is not supported.
    #[error("keyword {keyword}: {problem}")]
    Keyword {
        /// The keyword.
        keyword: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A cutout and its image have no pixel in common.
    #[error("the cutout about pixel ({x}, {y}) lies outside of the image")]
    NoOverlap {
        /// Centre of the cutout, column from 0.
        x: f64,
        /// Centre of the cutout, row from 0.
        y: f64,
    },
    /// A cutout reaches beyond its image, and must not.
    #[error("the cutout about pixel ({x}, {y}) reaches beyond the image")]
    PartialOverlap {
        /// Centre of the cutout, column from 0.
        x: f64,
        /// Centre of the cutout, row from 0.
        y: f64,
    },
    /// There is no memory for a result of this size.
    #[error("no memory for a {what} of {elements} elements")]
    OutOfMemory {
        /// Which result.
        what: &'static str,
        /// Its size.
        elements: usize,
    },
    /// A slice has not the length that goes with the others, or with a shape.
    #[error("{what} has {found} elements, must have {expected}")]
    SliceLength {
        /// Which slice.
        what: &'static str,
        /// Elements needed.
        expected: usize,
        /// Elements given.
        found: usize,
    },
    /// A number that no brick of the grid has.
    #[error("there is no brick {id}: the grid has {bricks}")]
    NoSuchBrick {
        /// The number given.
        id: u32,
        /// How many bricks there are.
        bricks: usize,
    },
    /// A number that no tract of the sky map has.
    #[error("there is no tract {id}: the sky map has {tracts}")]
    NoSuchTract {
        /// The number given.
        id: u32,
        /// How many tracts there are.
        tracts: u32,
    },
    /// A column or a row that no patch of the tract has.
    #[error("there is no patch {index:?} in tract {tract}: it has {} x {}", counts[0], counts[1])]
    NoSuchPatch {
        /// Column and row given.
        index: [u32; 2],
        /// The number of the tract.
        tract: u32,
        /// Its columns and rows.
        counts: [u32; 2],
    },
    /// A HEALPix number that its division does not have.
    #[error("there is no HEALPix cell {number}: the division has {cells}")]
    NoSuchCell {
        /// The number given.
        number: u64,
        /// How many cells there are.
        cells: u64,
    },
    /// A number of cells along a side without a nested scheme.
    #[error("nside {nside} has no nested scheme: it must be a power of 2 up to 2^29")]
    NotNested {
        /// What was given.
        nside: u32,
    },
    /// A number that is no NUNIQ of a HEALPix cell.
    #[error("{uniq} is no NUNIQ of a HEALPix cell: it must lie in 4 to 2^62 - 1")]
    NotUniq {
        /// The number given.
        uniq: u64,
    },
    /// An area whose outline touches too many HEALPix cells of the order asked for.
    #[error("the outline touches more than {most} HEALPix cells of order {order}: choose a coarser order")]
    TooManyCells {
        /// The order asked for.
        order: u8,
        /// The limit.
        most: u64,
    },
    /// Corners that do not make a polygon.
    #[error("not a polygon: {problem} (corner {corner})")]
    Polygon {
        /// What is wrong.
        problem: &'static str,
        /// The corner it was seen at, from 0, or how many there are.
        corner: usize,
    },
    /// More positions than can be numbered.
    #[error("{given} positions are too many: at most {most}")]
    TooManyPositions {
        /// How many there are.
        given: usize,
        /// The limit.
        most: usize,
    },
    /// Slices that run in parallel have different lengths.
    #[error("slices of different lengths: {ra} right ascensions, {dec} declinations, {out} outputs")]
    LengthMismatch {
        /// Length of the right ascensions.
        ra: usize,
        /// Length of the declinations.
        dec: usize,
        /// Length of the output.
        out: usize,
    },
}

/// `text` for a message: never longer than a line, whatever was passed in.
pub(crate) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 80;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

pub(crate) fn finite(what: &'static str, value: f64) -> Result<f64, Error> {
    if value.is_finite() { Ok(value) } else { Err(Error::NotFinite { what, value }) }
}

/// `value` if it is finite and within `min` and `max`, both included.
pub(crate) fn within(what: &'static str, value: f64, min: f64, max: f64) -> Result<f64, Error> {
    let value = finite(what, value)?;
    if (min..=max).contains(&value) { Ok(value) } else { Err(Error::OutOfRange { what, value, min, max }) }
}
