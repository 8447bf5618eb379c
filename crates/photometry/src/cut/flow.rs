use super::{Cut, CutError};

/// How many rows each clause of a cut was given, and how many it kept.
///
/// Clause `k` is given only the rows that clauses `0..k` kept, so the losses add up to the rows that are gone.
///
/// ```
/// use coaddkit_photometry::{Cut, Values};
///
/// let cut: Cut = "flux > 1 and maskbits & 0x2 == 0".parse()?;
/// let mut flow = cut.flow();
/// let columns = [Values::F32(&[0.5, 2.0, 3.0]), Values::I32(&[0, 2, 1])];
/// assert_eq!(cut.evaluator().select(3, &columns, &mut flow)?, [2]);
/// assert_eq!(flow.clauses()[0].lost(), 1);
/// assert_eq!((flow.clauses()[1].given, flow.clauses()[1].kept), (2, 1));
/// # Ok::<(), coaddkit_photometry::CutError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CutFlow {
    clauses: Vec<ClauseFlow>,
}

/// The line of one clause in a [`CutFlow`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClauseFlow {
    /// Canonical text of the clause.
    pub clause: String,
    /// Rows that all clauses before this one kept.
    pub given: u64,
    /// Rows of those that this one kept.
    pub kept: u64,
}

impl ClauseFlow {
    /// Rows that this clause lost.
    pub fn lost(&self) -> u64 {
        self.given - self.kept
    }
}

impl CutFlow {
    pub(crate) fn new(cut: &Cut) -> Self {
        let line = |clause| ClauseFlow { clause, given: 0, kept: 0 };
        Self { clauses: cut.clauses().map(line).collect() }
    }

    /// A flow that was counted elsewhere, from its lines in the order of the cut. `None` if a clause kept more rows than
    /// it was given, or was given others than the one before it kept.
    pub fn from_clauses(clauses: Vec<ClauseFlow>) -> Option<Self> {
        let whole = clauses.iter().all(|line| line.kept <= line.given)
            && clauses.windows(2).all(|pair| pair[0].kept == pair[1].given);
        whole.then_some(Self { clauses })
    }

    /// One line per clause, in the order of the cut.
    pub fn clauses(&self) -> &[ClauseFlow] {
        &self.clauses
    }

    /// Adds the counts of another part of the same rows.
    ///
    /// A flow without clauses (`CutFlow::default()`) takes over the other's.
    ///
    /// # Errors
    ///
    /// [`CutError::OtherFlow`] when the clauses are not the same.
    pub fn merge(&mut self, other: &Self) -> Result<(), CutError> {
        if other.clauses.is_empty() {
            return Ok(());
        }
        if self.clauses.is_empty() {
            self.clone_from(other);
            return Ok(());
        }
        if !self.clauses.iter().map(|c| &c.clause).eq(other.clauses.iter().map(|c| &c.clause)) {
            return Err(CutError::OtherFlow { expected: self.text(), found: other.text() });
        }
        for (a, b) in self.clauses.iter_mut().zip(&other.clauses) {
            a.given += b.given;
            a.kept += b.kept;
        }
        Ok(())
    }

    pub(crate) fn text(&self) -> String {
        self.clauses.iter().map(|c| c.clause.as_str()).collect::<Vec<_>>().join(" and ")
    }

    pub(crate) fn clauses_mut(&mut self) -> &mut [ClauseFlow] {
        &mut self.clauses
    }
}
