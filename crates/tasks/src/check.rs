use std::sync::{Mutex, PoisonError};

use crate::{Error, Job, workers};

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
    let found = Mutex::new((Vec::new(), None));
    workers::each(threads, units.len(), |i| {
        let unit = units[i];
        for (nth, input) in job.inputs(unit).into_iter().enumerate() {
            let there = job.is_there(&input);
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            match there {
                Ok(true) => {}
                Ok(false) => {
                    let missing = Missing { unit: unit.to_string(), kind: input.kind, place: input.place };
                    found.0.push((i, nth, missing));
                }
                Err(error) => {
                    found.1.get_or_insert(error);
                    return false;
                }
            }
        }
        true
    });
    let (mut missing, error) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = error {
        return Err(error);
    }
    missing.sort_by_key(|&(i, nth, _)| (i, nth));
    Ok(missing.into_iter().map(|(.., missing)| missing).collect())
}
