use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::gate::Gate;
use crate::run;
use crate::{
    Cancel, Destination, Error, HostPolicy, Plan, Progress, Report, RetryPolicy, Timeouts, Validate,
};

/// What to do with files that are at the destination already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Existing {
    /// A file of the expected length is present, and one of any length where none is expected. They are found by
    /// listing, and not read.
    #[default]
    Skip,
    /// As `Skip`, and where a digest is expected, the file is read and must have it.
    Verify,
    /// All are fetched again. What was there stays until the new file is whole.
    Replace,
}

/// A move of many files: configure, then run. Runs share what was learnt of the hosts.
///
/// # Examples
///
/// Download addresses to any object store, with a callback for each file:
///
/// ```no_run
/// # fn main() -> Result<(), coaddkit_transfer::Error> {
/// # let urls: Vec<String> = Vec::new();
/// use coaddkit_transfer::{Destination, Finished, Item, Plan, Transfer};
///
/// let store = std::sync::Arc::new(object_store::memory::InMemory::new());
/// let transfer = Transfer::new(Destination::store(store, "mirror")?);
/// let seen = |item: &Item, end: &Finished| println!("{} {}", item.destination(), end.outcome.word());
/// let report = transfer.run_blocking(&Plan::of_addresses(&urls)?, &seen)?;
/// assert!(report.is_complete(), "{:?}", report.missing);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct Transfer {
    pub(crate) destination: Destination,
    pub(crate) hosts: HostPolicy,
    pub(crate) timeouts: Timeouts,
    pub(crate) retry: RetryPolicy,
    pub(crate) existing: Existing,
    pub(crate) validate: Option<Arc<dyn Validate>>,
    pub(crate) pages: bool,
    pub(crate) memory: u64,
    pub(crate) spool: PathBuf,
    pub(crate) quarantine: String,
    pub(crate) ledger: Option<PathBuf>,
    pub(crate) cancel: Cancel,
    pub(crate) signals: bool,
    pub(crate) give_up_after: Option<Duration>,
    #[cfg(feature = "aws")]
    pub(crate) s3: crate::S3Options,
    gates: Mutex<HashMap<String, Arc<Gate>>>,
}

impl Transfer {
    /// To a destination, with all defaults.
    pub fn new(destination: Destination) -> Self {
        Self {
            destination,
            hosts: HostPolicy::default(),
            timeouts: Timeouts::default(),
            retry: RetryPolicy::default(),
            existing: Existing::default(),
            validate: None,
            pages: false,
            memory: 512 << 20,
            spool: std::env::temp_dir(),
            quarantine: "_quarantine".to_owned(),
            ledger: None,
            cancel: Cancel::default(),
            signals: false,
            give_up_after: None,
            #[cfg(feature = "aws")]
            s3: crate::S3Options::default(),
            gates: Mutex::default(),
        }
    }

    /// How hosts are treated.
    pub fn hosts(mut self, policy: HostPolicy) -> Self {
        self.hosts = policy;
        self
    }

    /// How long to wait for what.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// How often and how soon a file is tried again.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// What to do with files that are there already. Default: skip them.
    pub fn existing(mut self, existing: Existing) -> Self {
        self.existing = existing;
        self
    }

    /// Judges files before they are published.
    pub fn validate(mut self, validate: impl Validate + 'static) -> Self {
        self.validate = Some(Arc::new(validate));
        self
    }

    /// Whether files that begin as HTML or XML are taken although their name does not say so. Default: they are
    /// not; portals send such pages with status 200 in place of data.
    pub fn accept_pages(mut self, accept: bool) -> Self {
        self.pages = accept;
        self
    }

    /// Bytes that files under way may take in memory. Default: 512 MiB. A file for an object store waits in
    /// memory up to 32 MiB, and in a spool file if it is larger or memory is short; one for a folder goes to disk.
    /// Less than 8 MiB is taken for 8 MiB.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }

    /// The folder of spool files, which have no names and vanish with the process. Default: that of the system.
    pub fn spool(mut self, folder: impl Into<PathBuf>) -> Self {
        self.spool = folder.into();
        self
    }

    /// Where bad files go, below the destination. Default: `_quarantine`.
    pub fn quarantine(mut self, under: &str) -> Self {
        self.quarantine = under.trim_matches('/').to_owned();
        self
    }

    /// Notes how files end in a [`Ledger`](crate::Ledger).
    pub fn ledger(mut self, path: impl Into<PathBuf>) -> Self {
        self.ledger = Some(path.into());
        self
    }

    /// Lets somebody else end the runs.
    pub fn cancel(mut self, cancel: &Cancel) -> Self {
        self.cancel = cancel.clone();
        self
    }

    /// Ends runs in good order at Ctrl-C and at the SIGTERM of batch systems. Where the system does not tell, a run
    /// ends as one that is killed, and loses no more than that.
    pub fn cancel_on_signals(mut self) -> Self {
        self.signals = true;
        self
    }

    /// Ends a run after so long; what is not there then is given up.
    pub fn give_up_after(mut self, time: Duration) -> Self {
        self.give_up_after = Some(time);
        self
    }

    /// How S3 sources are reached.
    #[cfg(feature = "aws")]
    pub fn s3(mut self, options: crate::S3Options) -> Self {
        self.s3 = options;
        self
    }

    /// Moves the files of a plan. Runs on a tokio runtime with time and I/O.
    ///
    /// The future may be dropped; what came so far stays beside its name, for the next run.
    ///
    /// # Errors
    ///
    /// Only what prevents a start: the destination cannot be listed, the ledger cannot be opened, an option is
    /// out of range. How each file ended is in the [`Report`], and why the run ended early, if it did.
    pub async fn run(&self, plan: &Plan, progress: &dyn Progress) -> Result<Report, Error> {
        run::run(self, plan, progress).await
    }

    /// As [`Transfer::run`], on a runtime of its own. Not for use inside another one.
    ///
    /// # Errors
    ///
    /// As [`Transfer::run`], and when the runtime cannot start.
    pub fn run_blocking(&self, plan: &Plan, progress: &dyn Progress) -> Result<Report, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.map_err(|e| Error::usage("runtime", e))?.block_on(self.run(plan, progress))
    }

    pub(crate) fn gate(&self, host: &str) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Gate::new(&self.hosts, crc32fast::hash(host.as_bytes()).into()));
        Arc::clone(gates.entry(host.to_owned()).or_insert_with(new))
    }
}

impl std::fmt::Debug for Transfer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transfer")
            .field("destination", &self.destination)
            .field("hosts", &self.hosts)
            .field("timeouts", &self.timeouts)
            .field("retry", &self.retry)
            .field("existing", &self.existing)
            .finish_non_exhaustive()
    }
}
