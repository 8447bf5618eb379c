//! What every binary that moves files shares: options, progress, exit codes.

use crate::cli::Exit;
use crate::progress::{EVERY, style};
use clap::Args;
use coaddkit_transfer::{
    Destination, Error, ErrorKind, Finished, HostPolicy, Item, Outcome, Progress, Report, RetryPolicy,
    S3Options, Timeouts, Transfer,
};
use indicatif::ProgressBar;
use serde::Serialize;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Options of everything that moves files.
#[derive(Args, Clone, Debug, Serialize)]
pub struct MoveArgs {
    /// Most requests at once to a host
    #[arg(long, visible_alias = "concurrency", default_value_t = 8, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub connections: u16,
    /// Most requests a second to a host
    #[arg(long, value_name = "N", value_parser = positive)]
    pub rate: Option<f64>,
    /// Seconds without a byte after which a connection is given up; twice as many, a minute at most, for the first one
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub idle_timeout: u64,
    /// Bytes a second below which a connection is given up; 0 for none
    #[arg(long, default_value_t = 1024, value_name = "BYTES")]
    pub min_rate: u64,
    /// Attempts for a file without progress
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_attempts: u32,
    /// End the run after so long; what is not there then is reported
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub give_up_after: Option<u64>,
    /// How to introduce ourselves; portals like to find a way to reach you in it
    #[arg(long, value_name = "TEXT")]
    pub user_agent: Option<String>,
    /// Do not sign requests to S3: public buckets
    #[arg(long)]
    pub no_sign_request: bool,
    /// Bytes of memory for files under way, in MiB
    #[arg(long, default_value_t = 512, value_name = "MIB", value_parser = clap::value_parser!(u64).range(8..))]
    pub memory: u64,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value.is_finite() => Ok(value),
        _ => Err("it must be a number above 0".to_owned()),
    }
}

/// How S3 is reached.
pub(crate) fn s3(no_sign_request: bool) -> S3Options {
    if no_sign_request { S3Options::anonymous() } else { S3Options::default() }
}

/// A place given on the command line: a folder, or `s3://bucket/prefix`.
///
/// # Errors
///
/// It is none.
pub fn destination(place: &str, no_sign_request: bool) -> Result<Destination, Error> {
    Destination::parse_with(place, &s3(no_sign_request))
}

impl MoveArgs {
    /// Sets a transfer up as the options say.
    pub fn configure(&self, transfer: Transfer) -> Transfer {
        let mut hosts = HostPolicy::default();
        hosts.connections = self.connections.into();
        hosts.rate = self.rate;
        if let Some(agent) = &self.user_agent {
            hosts.user_agent.clone_from(agent);
        }
        let idle = Duration::from_secs(self.idle_timeout);
        let mut timeouts = Timeouts::default();
        (timeouts.idle, timeouts.min_rate) = (idle, self.min_rate);
        timeouts.first_byte = timeouts.first_byte.min(2 * idle);
        let mut retry = RetryPolicy::default();
        retry.attempts = self.max_attempts;
        let transfer = transfer
            .hosts(hosts)
            .timeouts(timeouts)
            .retry(retry)
            .memory(self.memory << 20)
            .s3(s3(self.no_sign_request));
        match self.give_up_after {
            Some(seconds) => transfer.give_up_after(Duration::from_secs(seconds)),
            None => transfer,
        }
    }
}

/// How the run of a transfer ends: by the worst that became of a file.
pub fn exit_of(report: &Report) -> Exit {
    let files = report.missing.iter().map(|finished| exit_of_outcome(&finished.outcome));
    let stopped = report.stopped.iter().map(exit_of_error);
    files.chain(stopped).fold(Exit::Complete, Exit::worse)
}

/// How a file that ended so ends a run.
pub fn exit_of_outcome(outcome: &Outcome) -> Exit {
    match outcome {
        Outcome::Published(_) | Outcome::Present { .. } => Exit::Complete,
        Outcome::NotFound { .. } => Exit::Missing,
        Outcome::Quarantined { .. } => Exit::BadData,
        Outcome::GaveUp(error) => exit_of_error(error),
        _ => Exit::Transient,
    }
}

/// How an error of a transfer ends a run.
pub fn exit_of_error(error: &Error) -> Exit {
    match error.kind() {
        ErrorKind::Usage => Exit::Usage,
        ErrorKind::BadData => Exit::BadData,
        // It is there for others.
        ErrorKind::Refused => Exit::Missing,
        _ => Exit::Transient,
    }
}

/// Files that did not come and are named on the screen; all are in the report.
const MANY: u64 = 20;

/// The progress of a transfer: a bar on a terminal, a line a minute elsewhere, nothing when quiet.
pub struct MoveBar {
    bar: ProgressBar,
    files: AtomicU64,
    bytes: AtomicU64,
    /// Lines about files that did not come.
    said: AtomicU64,
    loud: bool,
    log: Option<Mutex<Instant>>,
}

impl MoveBar {
    /// A bar for so many files, as far as is known.
    pub fn new(files: u64, quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = if quiet || !terminal { ProgressBar::hidden() } else { ProgressBar::no_length() };
        bar.set_length(files);
        bar.set_style(style("  {bar:12} {percent:>3} %  {pos}/{len} files  {msg}{left}"));
        let log = (!quiet && !terminal).then(|| Mutex::new(Instant::now() + EVERY));
        let (bytes, said) = Default::default();
        Self { bar, files: files.into(), bytes, said, loud: !quiet, log }
    }

    /// Takes the bar off the terminal.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn message(&self) -> String {
        let bytes = self.bytes.load(Ordering::Relaxed) as f64;
        let seconds = self.bar.elapsed().as_secs_f64().max(0.001);
        format!("{:.2} GB  {:.1} MB/s", bytes / 1e9, bytes / seconds / 1e6)
    }
}

impl Progress for MoveBar {
    fn begin(&self, files: usize) {
        self.files.store(files as u64, Ordering::Relaxed);
        self.bar.set_length(files as u64);
        self.bar.reset_elapsed();
    }

    fn bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn finished(&self, item: &Item, finished: &Finished) {
        self.bar.set_message(self.message());
        if matches!(finished.outcome, Outcome::Cancelled) {
            // It has not been tried, and there may be a hundred thousand of them.
            return;
        }
        self.bar.inc(1);
        if let Some(reason) = finished.outcome.reason().filter(|_| self.loud) {
            let word = finished.outcome.word();
            match self.said.fetch_add(1, Ordering::Relaxed) {
                ..MANY => self.bar.suspend(|| say!("{word}: {}: {reason}", item.source())),
                MANY => self.bar.suspend(|| say!("… further files that did not come are in the report")),
                _ => {}
            }
        }
        let Some(log) = &self.log else { return };
        let Ok(mut next) = log.try_lock() else { return };
        if Instant::now() >= *next {
            *next += EVERY;
            let done = self.bar.position();
            let each = self.bar.elapsed().as_secs_f64() / done.max(1) as f64;
            let left = self.files.load(Ordering::Relaxed).saturating_sub(done) as f64 * each;
            say!(
                "{done}/{} files, {}, about {left:.0} s left",
                self.files.load(Ordering::Relaxed),
                self.message()
            );
        }
    }
}
