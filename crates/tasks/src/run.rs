use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::check::check_of;
use crate::ledger::{self, Ledger};
use crate::store::{Share, TELL, other_count};
use crate::view::{Partials, Standing};
use crate::{Done, Error, ErrorKind, Job, Partial, Place, Plan, Record, Shard, State, Summary, workers};

/// Hears how a run goes, from several threads.
pub trait Progress: Sync {
    /// The run has found what is to do: so many units of those of its shard.
    fn found(&self, _to_do: usize, _units: usize) {}

    /// A unit begins.
    fn begun(&self, _unit: &str) {}

    /// A unit has ended, and its line is written.
    fn ended(&self, _record: &Record) {}
}

/// Says nothing.
impl Progress for () {}

/// Runs the units of a shard that are not done yet.
#[derive(Clone, Debug)]
pub struct Runner {
    place: Place,
    shard: Shard,
    threads: usize,
    strict: bool,
    limit: usize,
    tell_every: Duration,
    force: bool,
}

impl Runner {
    /// With its account in this folder, which is made if absent, or store: the whole plan, on all threads of the machine.
    pub fn new(place: impl Into<Place>) -> Self {
        Self {
            place: place.into(),
            shard: Shard::default(),
            threads: workers::all(),
            strict: false,
            limit: usize::MAX,
            tell_every: TELL,
            force: false,
        }
    }

    /// Only this shard.
    pub fn shard(mut self, shard: Shard) -> Self {
        self.shard = shard;
        self
    }

    /// So many units at once, at least one.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Looks first for all inputs of what is to do, and starts nothing if one is missing.
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// At most so many units in this run; the others are left for the next.
    pub fn limit(mut self, units: usize) -> Self {
        self.limit = units;
        self
    }

    /// How often a [`Store`](crate::Store) is told what was done, a minute unless said: what was done since is done again
    /// if the machine vanishes. It is always told when the run ends.
    pub fn tell_every(mut self, every: Duration) -> Self {
        self.tell_every = every;
        self
    }

    /// Forgets what the shard has done, so that all of its units run again. What another run has done in the folder,
    /// that of another plan, is forgotten as a whole, unless a process is at work on it.
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Runs. A unit that fails does not keep the others from running; neither does one that panics.
    ///
    /// # Errors
    ///
    /// When the folder holds another run (the error names the fields that differ), another process is at work on
    /// the shard, or the ledger cannot be read. What happens to units, or ends the run later, is in the [`Summary`].
    pub fn run<J: Job>(
        &self,
        job: &J,
        plan: &Plan<J::Unit>,
        progress: &impl Progress,
    ) -> Result<Summary, Error> {
        let (folder, entry) = (self.place.path(), plan.entry());
        let (share, entered) = match self.place.shared() {
            Some(store) => {
                (Some(Share::enter(store, folder, self.shard, &entry, self.tell_every, self.force)?), None)
            }
            None => {
                let entered = entry.enter(folder, self.shard, self.force)?;
                same_shards(folder, self.shard)?;
                (None, Some(entered))
            }
        };
        let (ledger, reading) = Ledger::open(folder, self.shard, &plan.key().digest())?;
        drop(entered);
        let (partials, files) = (Partials::of(folder, self.shard)?, self.place.files()?);
        let stand = |k: usize| {
            let trace = reading.units.get(&plan.names()[k]);
            (k, Standing::of(&files, &partials, trace), trace.map_or(0, |trace| trace.open))
        };
        let standings: Vec<_> = self.shard.of(plan.names().len()).map(stand).collect();
        let current = |k: usize, standing: &Standing| {
            standing.record.as_ref().is_some_and(|record| job.is_current(&plan.units()[k], record))
        };
        let left = |standing: &(usize, Standing, u32)| {
            !standing.1.state.is_settled() || !current(standing.0, &standing.1)
        };
        let mut todo: Vec<_> = standings.iter().filter(|standing| left(standing)).collect();
        // What a process died of comes last.
        todo.sort_by_key(|&&(k, _, open)| (open, k));
        let mut summary = Summary { units: standings.len(), to_do: todo.len(), ..Summary::default() };
        summary.damaged_lines = reading.damaged;
        todo.truncate(self.limit);
        progress.found(todo.len(), summary.units);
        if self.strict {
            let units: Vec<_> = todo.iter().map(|&&(k, ..)| &plan.units()[k]).collect();
            summary.missing = check_of(job, &units, self.threads)?;
        }
        let shared = Mutex::new(Shared { ledger, ended: Vec::new(), stopped: None });
        if summary.missing.is_empty() {
            workers::each(self.threads, todo.len(), |i| {
                let (k, standing, _) = todo[i];
                let (unit, name) = (&plan.units()[*k], &plan.names()[*k]);
                let unit = One { job, unit, name, standing, share: share.as_ref() };
                unit.go(&shared, progress)
            });
        }
        let mut shared = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
        let told = shared.ledger.sync().and_then(|()| share.as_ref().map_or(Ok(()), Share::finish));
        if let Err(error) = told {
            shared.stopped.get_or_insert(error);
        }
        (summary.ended, summary.stopped) = (shared.ended, shared.stopped);
        self.count(&mut summary, &standings, plan.names());
        Ok(summary)
    }

    /// Every unit of the shard under one word.
    fn count(&self, summary: &mut Summary, standings: &[(usize, Standing, u32)], names: &[String]) {
        let ended: std::collections::HashMap<_, _> =
            summary.ended.iter().map(|record| (record.unit.as_str(), &record.word)).collect();
        for (k, standing, _) in standings {
            let earlier = match &standing.record {
                Some(record) if standing.state == record.state => &record.word,
                _ => State::NotStarted.word(),
            };
            let word = ended.get(names[*k].as_str()).map_or(earlier, |word| word.as_str());
            *summary.counts.entry(word.to_owned()).or_default() += 1;
        }
    }
}

/// A folder is worked through in one number of shards: of another, each unit would be done again, and counted twice.
fn same_shards(folder: &Path, shard: Shard) -> Result<(), Error> {
    let of = |path: &PathBuf| Shard::of_stem(path.file_stem()?.to_str()?);
    let other = ledger::all(folder)?.iter().filter_map(of).find(|other| other.count() != shard.count());
    other.map_or(Ok(()), |other| Err(Error::usage(folder.display(), other_count(other, shard))))
}

struct Shared {
    ledger: Ledger,
    ended: Vec<Record>,
    stopped: Option<Error>,
}

/// A unit on its way.
struct One<'a, J: Job> {
    job: &'a J,
    unit: &'a J::Unit,
    name: &'a str,
    standing: &'a Standing,
    share: Option<&'a Share>,
}

impl<J: Job> One<'_, J> {
    /// False if no other unit may begin.
    fn go(&self, shared: &Mutex<Shared>, progress: &impl Progress) -> bool {
        let begun = guarded(self.name, || self.job.may_begin(self.unit))
            .and_then(|()| lock(shared).ledger.begin(self.name));
        if let Err(error) = begun {
            lock(shared).stopped.get_or_insert(error);
            return false;
        }
        progress.begun(self.name);
        let start = Instant::now();
        let ended = guarded(self.name, || self.work());
        // What fails while the run is ended from outside is not at fault: it is left as after a kill.
        if ended.is_err()
            && let Err(error) = guarded(self.name, || self.job.may_begin(self.unit))
        {
            lock(shared).stopped.get_or_insert(error);
            return false;
        }
        let (record, partial) = self.record(ended, start.elapsed().as_secs_f64());
        let mut shared = lock(shared);
        match shared.ledger.end(record, partial.as_deref()) {
            Ok(record) => {
                shared.ended.push(record.clone());
                drop(shared);
                if let Some(share) = self.share {
                    share.now_and_then();
                }
                progress.ended(&record);
                true
            }
            Err(error) => {
                shared.stopped.get_or_insert(error);
                false
            }
        }
    }

    fn work(&self) -> Result<(Done<J::Partial>, Vec<u8>), Error> {
        let earlier = if self.standing.interrupted { self.job.found(self.unit)? } else { None };
        let done = earlier.map_or_else(|| self.job.run(self.unit), Ok)?;
        if let Some(output) = done.outputs.iter().find(|output| !output.is_inside()) {
            let what = format!("{:?} is not below the folder of the run", output.path);
            return Err(Error::new(ErrorKind::Bug, self.name, what));
        }
        self.share.map_or(Ok(()), |share| share.products(&done.outputs))?;
        let mut bytes = Vec::new();
        done.partial.write(&mut bytes).map_err(|e| Error::io(Path::new(self.name), &e))?;
        Ok((done, bytes))
    }

    fn record(
        &self,
        ended: Result<(Done<J::Partial>, Vec<u8>), Error>,
        seconds: f64,
    ) -> (Record, Option<Vec<u8>>) {
        let mut record = Record {
            unit: self.name.to_owned(),
            state: State::Done,
            word: String::new(),
            attempt: self.standing.begun.saturating_add(1),
            seconds,
            kind: None,
            reason: None,
            outputs: Vec::new(),
            metrics: Default::default(),
            partial: None,
        };
        match ended {
            Ok((done, bytes)) => {
                record.state = if done.skipped.is_some() { State::Skipped } else { State::Done };
                (record.word, record.reason, record.outputs) = (done.word, done.skipped, done.outputs);
                // JSON has no word for the others.
                record.metrics = done.metrics.into_iter().filter(|(_, value)| value.is_finite()).collect();
                (record, (!bytes.is_empty()).then_some(bytes))
            }
            Err(error) => {
                record.state = State::of(error.kind());
                record.word = self.job.word(error.kind()).to_owned();
                (record.kind, record.reason) = (Some(error.kind()), Some(error.to_string()));
                (record, None)
            }
        }
    }
}

/// A panic is a mistake in the job, and the failure of one unit.
fn guarded<T>(unit: &str, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let text = |panic: Box<dyn Any + Send>| match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast::<&str>().map_or_else(|_| String::new(), |text| (*text).to_owned()),
    };
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(Error::new(ErrorKind::Bug, unit, format!("panicked: {}", text(panic)))))
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
