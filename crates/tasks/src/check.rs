use std::sync::{Mutex, PoisonError};

use crate::{Error, ErrorKind, Input, Job, workers};

/// An input that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Missing {
    /// The unit that needs it.
    pub unit: String,
    /// What it is.
    pub kind: String,
    /// Where it should be.
    pub place: String,
}

/// All inputs of these units that are not there, in the order of the units. Nothing is started, and what is missing
/// does not end the search.
///
/// # Errors
///
/// When it cannot be found out of an input whether it is there.
pub fn check<J: Job>(job: &J, units: &[J::Unit], threads: usize) -> Result<Vec<Missing>, Error> {
    let units: Vec<_> = units.iter().collect();
    check_of(job, &units, threads)
}

pub(crate) fn check_of<J: Job>(job: &J, units: &[&J::Unit], threads: usize) -> Result<Vec<Missing>, Error> {
    let (mut owners, mut inputs) = (Vec::new(), Vec::new());
    for unit in units {
        let needs = job.inputs(unit);
        owners.extend(needs.iter().map(|_| *unit));
        inputs.extend(needs);
    }
    let there = job.are_there(&inputs, threads)?;
    if there.len() != inputs.len() {
        let what = format!("{} answers for {} inputs", there.len(), inputs.len());
        return Err(Error::new(ErrorKind::Bug, "check", what));
    }
    let all = owners.into_iter().zip(inputs).zip(there);
    let missing = all.filter(|(_, there)| !there).map(|((unit, input), _)| Missing {
        unit: unit.to_string(),
        kind: input.kind,
        place: input.place,
    });
    Ok(missing.collect())
}

/// Asks for each input, so many at once.
pub(crate) fn one_by_one(
    inputs: &[Input],
    threads: usize,
    is_there: impl Fn(&Input) -> Result<bool, Error> + Sync,
) -> Result<Vec<bool>, Error> {
    let found = Mutex::new(Ok(vec![false; inputs.len()]));
    workers::each(threads, inputs.len(), |i| {
        let there = is_there(&inputs[i]);
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        match (&mut *found, there) {
            (Ok(all), Ok(there)) => all[i] = there,
            (Ok(_), Err(error)) => *found = Err(error),
            (Err(_), _) => {}
        }
        found.is_ok()
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}
