use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::plan::StoredPlan;
use crate::summary::worst;
use crate::view::View;
use crate::{Error, Job, Output, Plan, workers};

/// What opening every product gave.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Verified {
    /// Units whose products are as they should be.
    pub good: usize,
    /// Units whose products are not, in the order of the plan, and why.
    pub bad: Vec<(String, Error)>,
    /// Units that are not done, of which nothing was opened.
    pub not_done: usize,
}

impl Verified {
    /// 0 if every product is good, or what the worst of them says. Units that are not done are for
    /// [`Status`](crate::Status) to judge.
    pub fn exit_code(&self) -> u8 {
        worst(self.bad.iter().map(|(_, error)| error.kind()))
    }
}

/// Opens all products of all units that are done, by [`Job::verify`]. What is bad stays where it is; a product that
/// is taken away is made again by the next run.
///
/// # Errors
///
/// When the folder holds another run than the plan, or its ledgers cannot be read.
pub fn verify<J: Job>(
    job: &J,
    plan: &Plan<J::Unit>,
    folder: &Path,
    threads: usize,
) -> Result<Verified, Error> {
    plan.agree(folder)?;
    judge(folder, threads, |k, outputs| job.verify(&plan.units()[k], folder, outputs))
}

/// As [`verify`], where the folder is all that there is: it names the units, and the closure opens what one of them
/// made. Whatever it does more, each file must also have the length and the SHA-256 that were noted.
///
/// # Errors
///
/// When there is no run, or its ledgers cannot be read.
pub fn verify_folder(
    folder: &Path,
    threads: usize,
    open: impl Fn(&str, &[Output]) -> Result<(), Error> + Sync,
) -> Result<Verified, Error> {
    let names = StoredPlan::read(folder)?.units;
    judge(folder, threads, |k, outputs| {
        outputs.iter().try_for_each(|output| output.verify(folder))?;
        open(&names[k], outputs)
    })
}

fn judge(
    folder: &Path,
    threads: usize,
    open: impl Fn(usize, &[Output]) -> Result<(), Error> + Sync,
) -> Result<Verified, Error> {
    let view = View::of(folder)?;
    let names = &view.plan.units;
    let verified = Mutex::new(Verified::default());
    workers::each(threads, names.len(), |k| {
        let standing = view.standing(k);
        let judged = match (standing.record.filter(|r| r.state.is_settled()), standing.gone) {
            (Some(_), Some(what)) => Some(Err(Error::data(&names[k], what))),
            (Some(record), None) => Some(open(k, &record.outputs)),
            (None, _) => None,
        };
        let mut verified = verified.lock().unwrap_or_else(PoisonError::into_inner);
        match judged {
            Some(Ok(())) => verified.good += 1,
            Some(Err(error)) => verified.bad.push((names[k].clone(), error)),
            None => verified.not_done += 1,
        }
        true
    });
    let mut verified = verified.into_inner().unwrap_or_else(PoisonError::into_inner);
    verified.bad.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(verified)
}
