//! Cuts: expressions over columns, and their evaluation.

mod block;
mod error;
mod evaluator;
mod exact;
mod expr;
mod flow;
mod integer;
mod lex;
mod logmag;
mod parse;
mod plan;
mod state;
mod values;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

pub use error::CutError;
pub use evaluator::Evaluator;
pub(crate) use exact::magnitude;
use expr::Cond;
pub use flow::{ClauseFlow, CutFlow};
pub use values::{Text, Values};

/// A condition on the rows of a catalogue, such as `mag(flux_z) < 20.4 and type != 'PSF'`.
///
/// # Grammar
///
/// | | |
/// |---|---|
/// | columns | names, upper and lower case alike |
/// | numbers | `3`, `20.4`, `1e-3`, `0x12` |
/// | arithmetic | `+ - * /`, `-x`, `abs(x)`, parentheses |
/// | magnitudes | `mag(x)` = 22.5 - 2.5 log10(x), x in nanomaggies |
/// | dereddened magnitudes | `demag(flux_z)` = `mag(flux_z / mw_transmission_z)`; `fiberflux_g` takes `mw_transmission_g` |
/// | comparisons | `< <= > >= == !=`; two of them are joined by `and`, never chained |
/// | texts | `type == 'PSF'`, `type != 'PSF'`: trailing blanks and NULs do not count, case does |
/// | bit tests | `maskbits & 0x12` (any of the bits set), `maskbits & 0x12 == 0`, `maskbits & 6 == 6` |
/// | not a number | `is_nan(x)` |
/// | joining | `and` or `&` or `&&`; `or` or `\|` or `\|\|`; `not` or `!`, which negates a whole comparison |
///
/// `&` followed by a whole number, directly after a column or a bit test, is a bit test and binds tightest;
/// any other `&` is `and`. The order of binding is: bit test, sign, `* /`, `+ -`, comparison, `not`, `and`, `or`.
///
/// # Meaning
///
/// - All arithmetic is in f64 on the values as stored. An integer column compared with a whole number (or with
///   another integer column) compares exactly, also beyond 2^53.
/// - The magnitude of a flux that is zero, negative or NaN is NaN; that of +infinity is -infinity.
///   `demag` is the magnitude of the bare quotient: a transmission of zero gives an infinite flux.
/// - A NaN fails every comparison, `!=` included. `not` negates the truth of what follows, so
///   `not mag(flux_z) < 20` holds where the magnitude is NaN. Ask for NaN with `is_nan`.
/// - Text in arithmetic, a bit test on floats and the like are errors, never wrong counts.
///
/// # How it runs
///
/// Rows are judged in blocks by short vector loops: a magnitude against a limit, or a colour against a limit,
/// becomes a comparison of products of fluxes, other straight lines in magnitudes use a fast logarithm. Rows that
/// come out closer to the limit than the proven error of these ways, and rows with values out of their range,
/// are judged again one by one by the definition above. The answer is that of the definition on every row.
///
/// # Examples
///
/// ```
/// use coaddkit_photometry::{Cut, Values};
///
/// let cut: Cut = "mag(flux_z) < 20.4 & mag(flux_r) - mag(flux_z) > 0.4".parse()?;
/// assert_eq!(cut.columns(), ["flux_z", "flux_r"]);
///
/// let (z, r) = ([12.0_f32, 12.0, 1.0], [3.0_f32, 11.0, 0.1]);
/// let mut flow = cut.flow();
/// let mut evaluator = cut.evaluator();
/// let rows = evaluator.select(3, &[Values::F32(&z), Values::F32(&r)], &mut flow)?;
/// assert_eq!(rows, [0]);
/// # Ok::<(), coaddkit_photometry::CutError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Cut {
    inner: Arc<Inner>,
}

#[derive(Debug, PartialEq)]
struct Inner {
    columns: Vec<String>,
    /// Joined by `and`; never empty, and none is an `All`.
    clauses: Vec<Cond>,
}

impl Cut {
    fn new(condition: Cond, columns: Vec<String>) -> Self {
        let clauses = match condition {
            Cond::All(list) => list,
            other => vec![other],
        };
        Self { inner: Arc::new(Inner { columns, clauses }) }
    }

    /// Both this cut and the other; the clauses of `self` come first.
    #[must_use]
    pub fn and(&self, other: &Cut) -> Cut {
        let mut columns = self.inner.columns.clone();
        let mut clauses = self.inner.clauses.clone();
        for clause in &other.inner.clauses {
            let mut clause = clause.clone();
            clause.for_columns(&mut |c| {
                let name = &other.inner.columns[*c];
                *c = columns.iter().position(|n| n == name).unwrap_or_else(|| {
                    columns.push(name.clone());
                    columns.len() - 1
                });
            });
            clauses.push(clause);
        }
        Self { inner: Arc::new(Inner { columns, clauses }) }
    }

    /// All of the cuts, in order; `None` when there are none, since a cut has at least one clause.
    pub fn all_of(cuts: impl IntoIterator<Item = Cut>) -> Option<Cut> {
        cuts.into_iter().reduce(|a, b| a.and(&b))
    }

    /// The columns that are read: lower case, each once, in order of first appearance.
    ///
    /// `demag(flux_z)` reads `flux_z` and `mw_transmission_z`.
    pub fn columns(&self) -> &[String] {
        &self.inner.columns
    }

    /// Canonical texts of the clauses that are joined by `and`.
    pub fn clauses(&self) -> impl ExactSizeIterator<Item = String> + '_ {
        // An `or` beside other clauses needs its parentheses only in the joined text.
        self.inner.clauses.iter().map(|c| c.text(&self.inner.columns))
    }

    /// A cut-flow of this cut, all zero.
    pub fn flow(&self) -> CutFlow {
        CutFlow::new(self)
    }

    /// What applies the cut to blocks of rows.
    pub fn evaluator(&self) -> Evaluator {
        Evaluator::new(self.clone())
    }
}

impl FromStr for Cut {
    type Err = CutError;

    fn from_str(text: &str) -> Result<Self, CutError> {
        let parsed = parse::parse(text)?;
        Ok(Self::new(parsed.condition, parsed.columns))
    }
}

/// The canonical text: parsing it gives an equal cut.
impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { columns, clauses } = &*self.inner;
        match clauses.as_slice() {
            [one] => f.write_str(&one.text(columns)),
            many => f.write_str(&Cond::All(many.to_vec()).text(columns)),
        }
    }
}
