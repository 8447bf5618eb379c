use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};

use crate::summary::worst;
use crate::view::View;
use crate::{Error, Place, Record, State};

/// How a run stands, of all its shards, from what its folder holds; the processes need not have ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// Units of the plan.
    pub units: usize,
    /// How many are done, skipped, failed, blocked, not started; all five are there.
    pub states: BTreeMap<State, usize>,
    /// How many stand under which word of the job.
    pub counts: BTreeMap<String, u64>,
    /// Units not started that were on their way when the last process of their shard ended, or are so now.
    pub interrupted: Vec<String>,
    /// Units not started that began at some time, in any run: their folders may hold what no ledger knows.
    pub begun: Vec<String>,
    /// Units that a ledger calls done and whose products are gone, and what of them; they count as not started.
    pub gone: Vec<(String, String)>,
    /// Units that failed or are blocked, in the order of the plan.
    pub failures: Vec<Record>,
    /// Units that are done or skipped, in the order of the plan.
    pub settled: Vec<Record>,
    /// Number of shards; 0 if none has begun.
    pub shards: u32,
    /// Shards that have not begun.
    pub missing_shards: Vec<u32>,
    /// Shards with units that are not done or skipped, those that have not begun included: what is to run again.
    pub unfinished_shards: Vec<u32>,
    /// Damaged lines in all ledgers.
    pub damaged_lines: u64,
}

/// Reads how a run stands.
///
/// # Errors
///
/// When there is no run, ledgers cannot be read, or are those of different runs or shards.
pub fn status(place: impl Into<Place>) -> Result<Status, Error> {
    Ok(Status::of(&View::of(&place.into())?))
}

impl Status {
    pub(crate) fn of(view: &View) -> Self {
        let states = [State::Done, State::Skipped, State::Failed, State::Blocked, State::NotStarted];
        let mut status = Self {
            units: view.plan.units.len(),
            states: states.into_iter().map(|state| (state, 0)).collect(),
            counts: BTreeMap::new(),
            interrupted: Vec::new(),
            begun: Vec::new(),
            gone: Vec::new(),
            failures: Vec::new(),
            settled: Vec::new(),
            shards: view.shards,
            missing_shards: view.missing(),
            unfinished_shards: Vec::new(),
            damaged_lines: view.parts.values().map(|part| part.reading.damaged).sum(),
        };
        let mut unfinished = BTreeSet::new();
        for (k, unit) in view.plan.units.iter().enumerate() {
            let standing = view.standing(k);
            if !standing.state.is_settled() {
                unfinished.extend((k as u64).checked_rem(view.shards.into()).map(|index| index as u32));
            }
            *status.states.entry(standing.state).or_default() += 1;
            if standing.interrupted {
                status.begun.push(unit.clone());
                if view.part(k).is_some_and(|part| part.reading.is_of_last_run(unit)) {
                    status.interrupted.push(unit.clone());
                }
            }
            if let Some(what) = standing.gone {
                status.gone.push((unit.clone(), what));
            }
            let record = standing.record.filter(|record| record.state == standing.state);
            let word = record.as_ref().map_or(State::NotStarted.word(), |record| &record.word);
            *status.counts.entry(word.to_owned()).or_default() += 1;
            match record {
                Some(record) if record.state.is_settled() => status.settled.push(record),
                Some(record) => status.failures.push(record),
                None => {}
            }
        }
        unfinished.extend(&status.missing_shards);
        status.unfinished_shards = unfinished.into_iter().collect();
        status
    }

    /// How many units stand so.
    pub fn count(&self, state: State) -> usize {
        self.states.get(&state).copied().unwrap_or(0)
    }

    /// Whether nothing is left to do.
    pub fn is_complete(&self) -> bool {
        self.count(State::Done) + self.count(State::Skipped) == self.units
    }

    /// 0 if all is done, or what the worst failure says; 75 if units are only left to do.
    pub fn exit_code(&self) -> u8 {
        let failures = worst(self.failures.iter().filter_map(Record::failure));
        if failures == 0 && !self.is_complete() { 75 } else { failures }
    }
}

/// One line for a person.
impl Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} units:", self.units)?;
        for (i, (state, count)) in self.states.iter().enumerate() {
            write!(f, "{} {count} {}", if i == 0 { "" } else { "," }, state.word())?;
        }
        if !self.interrupted.is_empty() {
            write!(f, " ({} of them on their way when a process ended)", self.interrupted.len())?;
        }
        if !self.missing_shards.is_empty() && self.shards > 0 {
            write!(f, "; {} of {} shards have not begun", self.missing_shards.len(), self.shards)?;
        }
        Ok(())
    }
}
