use std::fmt;
use std::ops::Range;

/// Why a cut cannot be used.
///
/// The text of [`CutError::Syntax`] draws the line of the expression and points at the character:
///
/// ```
/// let error = "mag(flux_z) < 20.4 & mag(flux_r".parse::<coaddkit_photometry::Cut>().unwrap_err();
/// assert_eq!(error.to_string(), "\
/// expected `)` to close the parenthesis
///     mag(flux_z) < 20.4 & mag(flux_r
///                                    ^");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CutError {
    /// The text is no cut.
    #[error("{}", Caret { what, expression, at })]
    Syntax {
        /// What is wrong, in a sentence without full stop.
        what: String,
        /// The whole text that was parsed.
        expression: String,
        /// The bytes at fault; empty, and at the end of the text, when something is missing there.
        at: Range<usize>,
    },
    /// A column has a type that the cut cannot use in that place.
    #[error("column {column} holds {found}, but `{clause}` needs {needed}")]
    Type {
        /// Name of the column, lower case.
        column: String,
        /// What it holds.
        found: &'static str,
        /// What the clause needs.
        needed: &'static str,
        /// The clause.
        clause: String,
    },
    /// Another number of columns was given than [`Cut::columns`](crate::Cut::columns) lists.
    #[error("the cut reads {expected} columns, {found} were given")]
    ColumnCount {
        /// Columns the cut reads.
        expected: usize,
        /// Columns given.
        found: usize,
    },
    /// A column of the block has another length than the block.
    #[error("column {column} has {found} rows in a block of {expected}")]
    RowCount {
        /// Name of the column, lower case.
        column: String,
        /// Rows of the block.
        expected: usize,
        /// Rows of the column.
        found: usize,
    },
    /// A cut-flow was made for other clauses.
    #[error("the cut-flow counts other clauses: `{found}`, not `{expected}`")]
    OtherFlow {
        /// Clauses of this side.
        expected: String,
        /// Clauses of the other side.
        found: String,
    },
}

struct Caret<'a> {
    what: &'a str,
    expression: &'a str,
    at: &'a Range<usize>,
}

/// Characters shown on either side of the caret.
const CONTEXT: usize = 60;

impl fmt::Display for Caret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, at) = (self.expression, self.at);
        let before = text.get(..at.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        let line = text.get(line_start..).unwrap_or("").lines().next().unwrap_or("");
        let lead = before.get(line_start..).unwrap_or("").chars().count();
        let marked = text.get(at.clone()).map_or(0, |s| s.lines().next().unwrap_or("").chars().count());
        let skip = lead.saturating_sub(CONTEXT);
        // A tab or other control character would move the caret.
        let shown = line.chars().skip(skip).take(2 * CONTEXT).map(|c| if c.is_control() { ' ' } else { c });
        let shown: String = shown.collect();
        let carets = marked.clamp(1, (2 * CONTEXT + skip).saturating_sub(lead).max(1));
        writeln!(f, "{}", self.what)?;
        writeln!(f, "    {}", shown.trim_end())?;
        write!(f, "    {:1$}{2}", "", lead - skip, "^".repeat(carets))
    }
}
