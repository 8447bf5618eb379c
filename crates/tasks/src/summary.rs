use std::collections::BTreeMap;

use crate::{Error, ErrorKind, Missing, Record, State};

/// How a run ended: every unit of its shard is accounted for.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Summary {
    /// Units of the shard.
    pub units: usize,
    /// Units that were not done when the run began.
    pub to_do: usize,
    /// How many units of the shard stand under which word, earlier runs included.
    pub counts: BTreeMap<String, u64>,
    /// The units that ended in this run, in the order in which they did.
    pub ended: Vec<Record>,
    /// The inputs that are not there, because of which a strict run did not begin.
    pub missing: Vec<Missing>,
    /// Why no further units were begun.
    pub stopped: Option<Error>,
    /// Lines of the ledger that are damaged; their units have run again.
    pub damaged_lines: u64,
}

impl Summary {
    /// The units of this run that failed or are blocked.
    pub fn failures(&self) -> impl Iterator<Item = &Record> {
        self.ended.iter().filter(|record| !record.state.is_settled())
    }

    /// What the process should return: 0 if all units of the shard are done, or what the worst failure says. Units
    /// that are left for another run, because of a limit for instance, are no failure.
    pub fn exit_code(&self) -> u8 {
        let missing = (!self.missing.is_empty()).then_some(ErrorKind::Missing);
        let stopped = self.stopped.as_ref().map(Error::kind);
        worst(self.failures().filter_map(Record::failure).chain(missing).chain(stopped))
    }
}

impl Record {
    /// What kind of failure it is, if it is one.
    pub fn failure(&self) -> Option<ErrorKind> {
        match self.state {
            State::Failed | State::Blocked => Some(self.kind.unwrap_or(ErrorKind::Bug)),
            State::Done | State::Skipped | State::NotStarted => None,
        }
    }
}

/// The exit code of the worst.
pub(crate) fn worst(kinds: impl Iterator<Item = ErrorKind>) -> u8 {
    kinds.max_by_key(|kind| kind.rank()).map_or(0, ErrorKind::exit_code)
}
