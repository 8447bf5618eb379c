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
