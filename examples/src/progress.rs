use coaddkit_density::{FileCount, Progress};
use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};
use std::fmt::Write;
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

/// A line of at most 80 columns, with what is left of the time as `left`, once that is known.
pub(crate) fn style(template: &str) -> ProgressStyle {
    let left = |state: &ProgressState, out: &mut dyn Write| {
        if state.pos() > 0 {
            let _ = write!(out, "  {:#} left", HumanDuration(state.eta()));
        }
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.with_key("left", left).progress_chars("━╸─")
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
        let template = "  {bar:8} {percent:>3} %  {bytes}/{total_bytes}  {msg}  {binary_bytes_per_sec}{left}";
        bar.set_style(style(template));
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
            self.bar.suspend(|| say!("failed: {why}"));
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
            say!(
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
            self.bar.suspend(|| say!("failed: {text}"));
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
        let template = "  {msg:20} {bar:8} {percent:>3} %  {human_pos}/{human_len} rows{left}";
        bar.set_style(style(template));
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
            say!("{step}: {at} of {of} rows, {rate:.0} rows/s, about {left:.0} s left");
        }
    }
}

/// A bar over things of one kind, such as pixels; elsewhere than on a terminal a line a minute, nothing when quiet.
#[derive(Debug)]
pub struct CountBar {
    bar: ProgressBar,
    word: &'static str,
    loud: bool,
    log: Option<Mutex<Instant>>,
}

impl CountBar {
    /// Of so far unknown length.
    pub fn new(word: &'static str, quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = if quiet || !terminal { ProgressBar::hidden() } else { ProgressBar::no_length() };
        bar.set_style(style(&format!(
            "  {{bar:12}} {{percent:>3}} %  {{pos}}/{{len}} {word}  {{msg}}{{left}}"
        )));
        let log = (!quiet && !terminal).then(|| Mutex::new(Instant::now() + EVERY));
        Self { bar, word, loud: !quiet, log }
    }

    /// There are so many.
    pub fn total(&self, count: u64) {
        self.bar.set_length(count);
        self.bar.reset();
    }

    /// Seconds since then, more than none.
    pub fn seconds(&self) -> f64 {
        self.bar.elapsed().as_secs_f64().max(1e-3)
    }

    /// One more is done; says why if it failed.
    pub fn one(&self, message: &str, failed: Option<String>) {
        self.bar.set_message(message.to_owned());
        self.bar.inc(1);
        if let Some(why) = failed.filter(|_| self.loud) {
            self.bar.suspend(|| say!("{why}"));
        }
        let Some(log) = &self.log else { return };
        let Ok(mut next) = log.try_lock() else { return };
        if Instant::now() >= *next {
            *next += EVERY;
            let (at, of) = (self.bar.position(), self.bar.length().unwrap_or(0));
            let left = of.saturating_sub(at) as f64 * self.seconds() / at.max(1) as f64;
            say!("{at}/{of} {}, {message}, about {left:.0} s left", self.word);
        }
    }

    /// Takes the bar off the terminal.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::{ProgressDrawTarget, TermLike};
    use std::io::Result;
    use std::sync::Arc;

    /// A wide terminal that keeps what is written.
    #[derive(Clone, Debug, Default)]
    struct Screen(Arc<Mutex<String>>);

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            200
        }
        fn move_cursor_up(&self, _: usize) -> Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> Result<()> {
            self.write_str(text)
        }
        fn write_str(&self, text: &str) -> Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> Result<()> {
            self.0.lock().unwrap().clear();
            Ok(())
        }
        fn flush(&self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_have_80_columns_at_most_and_no_time_before_it_is_known() {
        let pixels = CountBar::new("pixels", true);
        let files = Bar::new(12_000, 6 << 40, true);
        let rows = StepBar::new(true);
        let (step, message) = ("sweep of positives", "4061234 MiB  1034.7 MiB/s");
        for (bar, message, of) in [
            (&pixels.bar, message, 12_000),
            (&files.bar, "11999/12000 files", 6 << 40),
            (&rows.bar, step, 114_123_456),
        ] {
            let screen = Screen::default();
            bar.set_draw_target(ProgressDrawTarget::term_like(Box::new(screen.clone())));
            bar.set_length(of);
            bar.set_message(message);
            bar.tick();
            let shown = |bar: &ProgressBar| {
                bar.tick();
                screen.0.lock().unwrap().trim_end().to_owned()
            };
            let none = shown(bar);
            assert!(none.contains("0 %") && !none.contains("left"), "{none}");
            bar.set_position(of - of / 7);
            let most = shown(bar);
            assert!(most.contains("left") && most.chars().count() <= 80, "{}: {most}", most.chars().count());
        }
    }
}
