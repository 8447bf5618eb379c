use coaddkit_density::{FileCount, Progress};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A bar on a terminal, a line a minute elsewhere, nothing when quiet.
#[derive(Debug)]
pub struct Bar {
    bar: ProgressBar,
    files: u64,
    /// When to log next; `None` where the bar draws itself or nothing is said.
    log: Option<Mutex<Instant>>,
}

/// Characters of an error on the screen.
const SHORT: usize = 600;

/// Between lines of a log.
pub(crate) const EVERY: Duration = Duration::from_secs(60);

impl Bar {
    /// A bar over `files` files of `bytes` bytes in all.
    pub fn new(files: u64, bytes: u64, quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = if quiet || !terminal { ProgressBar::hidden() } else { ProgressBar::no_length() };
        bar.set_length(bytes);
        let template =
            "  {bar:28} {percent:>3} %  {bytes} of {total_bytes}  {msg}  {binary_bytes_per_sec}  {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        bar.set_message(format!("0/{files} files"));
        let log = (!quiet && !terminal).then(|| Mutex::new(Instant::now() + EVERY));
        Self { bar, files, log }
    }

    /// Takes the bar off the terminal.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// One more file is done, of this many bytes; says why if it failed.
    pub fn file_done(&self, bytes: u64, failed: Option<&str>) {
        self.bar.set_message(format!("{}/{} files", self.done() + 1, self.files));
        if let Some(why) = failed {
            self.bar.suspend(|| eprintln!("failed: {why}"));
        }
        self.bytes(bytes);
    }

    fn done(&self) -> u64 {
        self.bar.message().split('/').next().and_then(|n| n.parse().ok()).unwrap_or(0)
    }
}

impl Progress for Bar {
    fn bytes(&self, bytes: u64) {
        self.bar.inc(bytes);
        let Some(log) = &self.log else { return };
        let Ok(mut next) = log.try_lock() else { return };
        if Instant::now() >= *next {
            *next += EVERY;
            let (at, of) = (self.bar.position(), self.bar.length().unwrap_or(0));
            let seconds = self.bar.elapsed().as_secs_f64();
            let rate = at as f64 / seconds / 1e6;
            let left = (of.saturating_sub(at)) as f64 / (at as f64 / seconds).max(1.0);
            eprintln!(
                "{}/{} files, {:.1} of {:.1} GB, {rate:.0} MB/s, about {left:.0} s left",
                self.done(),
                self.files,
                at as f64 / 1e9,
                of as f64 / 1e9
            );
        }
    }

    fn file(&self, file: &FileCount) {
        self.bar.set_message(format!("{}/{} files", self.done() + 1, self.files));
        if let Some(error) = &file.error {
            // A list of all columns belongs in the report, not on the screen a thousand times.
            let mut text = error.to_string();
            if let Some((at, _)) = text.char_indices().nth(SHORT) {
                text.truncate(at);
                text.push_str("… (whole in the report)");
            }
            self.bar.suspend(|| eprintln!("failed: {text}"));
        }
    }
}

/// A bar over the rows of one step after another; elsewhere than on a terminal a line a minute.
#[derive(Debug)]
pub struct StepBar {
    bar: ProgressBar,
    log: Option<Mutex<Instant>>,
}

impl StepBar {
    /// Nothing is shown before the first step begins, and nothing at all when quiet.
    pub fn new(quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = if quiet || !terminal { ProgressBar::hidden() } else { ProgressBar::no_length() };
        let template =
            "  {msg:20} {bar:28} {percent:>3} %  {human_pos} of {human_len} rows  {per_sec}  {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        let log = (!quiet && !terminal).then(|| Mutex::new(Instant::now() + EVERY));
        Self { bar, log }
    }

    /// Takes the bar off the terminal.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl coaddkit_manifest::Progress for StepBar {
    fn begin(&self, step: &str, total: u64) {
        self.bar.reset();
        self.bar.set_message(step.to_owned());
        self.bar.set_length(total);
    }

    fn advance(&self, rows: u64) {
        self.bar.inc(rows);
        let Some(log) = &self.log else { return };
        let Ok(mut next) = log.try_lock() else { return };
        if Instant::now() >= *next {
            *next += EVERY;
            let (at, of) = (self.bar.position(), self.bar.length().unwrap_or(0));
            let rate = at as f64 / self.bar.elapsed().as_secs_f64().max(1e-3);
            let left = of.saturating_sub(at) as f64 / rate.max(1.0);
            let step = self.bar.message();
            eprintln!("{step}: {at} of {of} rows, {rate:.0} rows/s, about {left:.0} s left");
        }
    }
}
