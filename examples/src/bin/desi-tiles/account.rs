//! The account of a run as it goes: batches, the bar, and a log in the form of the earlier runner.

use crate::metrics::{Batch, MIB, shown};
use coaddkit_examples::{CountBar, print, utc};
use coaddkit_tasks::{Progress, Record, Shard, State};
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Hears how the run goes. Batches are pixels in the order in which they begin; the next begins as soon as a pixel of
/// the one before has ended, so that slow pixels do not keep the others waiting.
pub struct Account {
    size: usize,
    quiet: bool,
    bar: CountBar,
    /// Called once it is known that this process alone is at work on the shard.
    before: Box<dyn Fn() + Sync + Send>,
    log: Mutex<Log>,
    state: Mutex<Course>,
}

#[derive(Default)]
struct Course {
    to_do: usize,
    begun: usize,
    fits: f64,
    of: HashMap<String, usize>,
    open: Vec<Open>,
}

struct Open {
    start: Instant,
    pixels: usize,
    ended: Vec<Record>,
    seconds: f64,
}

impl Account {
    pub fn new(
        out: &Path,
        shard: Shard,
        size: usize,
        quiet: bool,
        before: impl Fn() + Sync + Send + 'static,
    ) -> Self {
        let log = Mutex::new(Log { folder: out.join("logs"), shard, file: None });
        let bar = CountBar::new("pixels", quiet);
        Self { size, quiet, bar, before: Box::new(before), log, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, Course> {
        lock(&self.state)
    }

    fn say(&self, level: &str, text: &str) {
        lock(&self.log).line(level, text);
    }

    /// The run is over: the batches as far as they came.
    pub fn finish(&self) -> Vec<Batch> {
        self.bar.finish();
        let batches =
            self.state().open.iter().enumerate().map(|(i, open)| open.batch(i + 1)).collect::<Vec<_>>();
        // What an earlier runner did is no batch of this one.
        let batches: Vec<_> = batches.into_iter().filter(|batch| batch.pixels > 0).collect();
        if !batches.is_empty() {
            self.say("INFO", &format!("Run finished in {:.2} seconds.", self.bar.seconds()));
        }
        batches
    }

    /// The lines of a batch stand together, whatever else begins meanwhile.
    fn tell(&self, number: usize, of: usize, open: &Open) {
        let batch = open.batch(number);
        let mut lines = vec![("INFO", "--- Batch Summary ---".to_owned())];
        for record in open.ended.iter().filter(|record| record.word != IMPORTED) {
            let [fits, parquet] = sizes(record);
            lines.push(if record.state.is_settled() {
                let text =
                    format!("  Tile {}: FITS Size={fits:.2} MB, Parquet Size={parquet:.2} MB", record.unit);
                ("INFO", text)
            } else {
                let why = record.reason.as_deref().unwrap_or_default().replace('\n', " ");
                ("ERROR", format!("  Tile {}: {}: {why}", record.unit, record.word))
            });
        }
        for text in [
            format!("Total FITS Downloaded : {:.2} MB", batch.fits_mib),
            format!("Total Parquet Created: {:.2} MB", batch.parquet_mib),
            format!("Data Reduction        : {}%", shown(batch.reduction())),
            format!("Effective Batch Speed : {} MB/s", shown(batch.speed())),
            "---------------------".to_owned(),
            format!("--- Finished Batch {number}/{of} in {:.2} seconds ---", batch.seconds),
        ] {
            lines.push(("INFO", text));
        }
        let mut log = lock(&self.log);
        lines.iter().for_each(|(level, text)| log.line(level, text));
    }
}

impl Open {
    fn batch(&self, number: usize) -> Batch {
        Batch { batch: number, seconds: self.seconds, ..together(&self.ended) }
    }
}

/// The word of pixels that an earlier runner has done, which are no work of this one.
pub const IMPORTED: &str = "imported";

/// The sums over pixels.
pub fn together<'a>(records: impl IntoIterator<Item = &'a Record>) -> Batch {
    let mut batch = Batch::default();
    for record in records.into_iter().filter(|record| record.word != IMPORTED) {
        let [fits, parquet] = sizes(record);
        batch.pixels += 1;
        batch.zero += u64::from(record.word == "no_rows");
        batch.failed += u64::from(!record.state.is_settled());
        batch.fits_mib += fits;
        batch.parquet_mib += parquet;
    }
    batch
}

/// MiB of the pair and of the table.
pub fn sizes(record: &Record) -> [f64; 2] {
    ["fits_bytes", "parquet_bytes"].map(|name| record.metrics.get(name).copied().unwrap_or(0.0) / MIB)
}

impl Progress for Account {
    fn found(&self, to_do: usize, units: usize) {
        (self.before)();
        self.state().to_do = to_do;
        self.bar.total(to_do as u64);
        if !self.quiet {
            print(&format!("{to_do} of {units} to do\n"));
        }
        if to_do > 0 {
            let batches = to_do.div_ceil(self.size);
            self.say("INFO", &format!("Found {} of {units} tiles that are not to do.", units - to_do));
            self.say("INFO", &format!("Discovered {to_do} tiles remaining to be processed."));
            self.say(
                "INFO",
                &format!("Ready to process {batches} batches of up to {} tiles each.", self.size),
            );
            self.say("INFO", "Sizes are in MiB, which the lines of batches call MB.");
        }
    }

    fn begun(&self, unit: &str) {
        let mut state = self.state();
        let number = state.begun / self.size;
        state.begun += 1;
        state.of.insert(unit.to_owned(), number);
        if state.open.len() == number {
            let pixels = (state.to_do - number * self.size).min(self.size);
            state.open.push(Open { start: Instant::now(), pixels, ended: Vec::new(), seconds: 0.0 });
            let of = state.to_do.div_ceil(self.size);
            drop(state);
            self.say("INFO", &format!("--- Starting Batch {}/{of} ---", number + 1));
        }
    }

    fn ended(&self, record: &Record) {
        let mut state = self.state();
        state.fits += sizes(record)[0];
        let seconds = self.bar.seconds();
        let message = format!("{:.0} MiB  {:.1} MiB/s", state.fits, state.fits / seconds);
        if let Some(number) = state.of.remove(&record.unit) {
            let of = state.to_do.div_ceil(self.size);
            let open = &mut state.open[number];
            open.ended.push(record.clone());
            open.seconds = open.start.elapsed().as_secs_f64();
            if open.ended.len() == open.pixels {
                self.tell(number + 1, of, open);
            }
        }
        drop(state);
        let failed =
            record.reason.as_ref().filter(|_| matches!(record.state, State::Failed | State::Blocked));
        self.bar.one(&message, failed.map(|why| format!("{}: {}: {why}", record.word, record.unit)));
    }
}

/// Begun with its first line, so that a run with nothing to do leaves none. What cannot be written is not said: the
/// ledger is the account that counts.
struct Log {
    folder: PathBuf,
    shard: Shard,
    file: Option<File>,
}

impl Log {
    fn line(&mut self, level: &str, text: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let [year, month, day, hour, minute, second] = utc(now);
        if self.file.is_none() {
            let stem = format!("run_{year:04}{month:02}{day:02}_{hour:02}{minute:02}{second:02}");
            let of = match self.shard.count() {
                1 => String::new(),
                count => format!("_shard-{:05}-of-{count:05}", self.shard.index()),
            };
            let _ = std::fs::create_dir_all(&self.folder);
            // Another process may have begun in the same second; its log is its own.
            self.file = (1..=100).find_map(|n| {
                let more = if n == 1 { String::new() } else { format!("_{n}") };
                let path = self.folder.join(format!("{stem}{of}{more}.log"));
                File::options().create_new(true).append(true).open(path).ok()
            });
        }
        if let Some(file) = &mut self.file {
            let time = format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}");
            let _ = writeln!(file, "[{time}] [{level}] - {text}");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
