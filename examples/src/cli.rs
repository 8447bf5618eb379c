use clap::Args;
use coaddkit_density::Failure;
use coaddkit_sky::{Region, RegionBounds};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How a run ended; the same numbers for every binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All that was asked for is there.
    Complete = 0,
    /// The command line is wrong.
    Usage = 2,
    /// An input is damaged or not what it should be.
    BadData = 65,
    /// An input is missing.
    Missing = 66,
    /// A bug.
    Bug = 70,
    /// Something failed that may work when run again.
    Transient = 75,
}

impl Exit {
    /// The code that the process ends with.
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Option<Failure>> for Exit {
    fn from(worst: Option<Failure>) -> Self {
        match worst {
            None => Self::Complete,
            Some(Failure::Transient) => Self::Transient,
            Some(Failure::Missing) => Self::Missing,
            Some(Failure::BadData) => Self::BadData,
        }
    }
}

/// Options that every job takes.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// Threads to use, up to 1024; 0 means one a core
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u16).range(..=1024))]
    pub threads: u16,
    /// Replace what an earlier run wrote. Jobs that always compute anew, as this one, replace it anyway
    #[arg(long)]
    pub force: bool,
    /// Also write the report of the run to DIR/report.json
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Print the report of the run as one line of JSON, the last line of stdout
    #[arg(long)]
    pub json: bool,
    /// No progress and no tables
    #[arg(long)]
    pub quiet: bool,
}

impl Common {
    /// Runs `work` on a pool of the threads asked for.
    pub fn on_threads<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match rayon::ThreadPoolBuilder::new().num_threads(self.threads.into()).build() {
            Ok(pool) => pool.install(work),
            // A system that refuses more threads still has the one we are on.
            Err(_) => work(),
        }
    }
}

/// A box on the sky, in degrees, inclusive; each side may be open.
#[derive(Args, Clone, Debug, Default)]
pub struct BoxArgs {
    /// Smallest right ascension in degrees; greater than --ra-max means a box across RA 0
    #[arg(long, value_name = "DEG", allow_negative_numbers = true)]
    pub ra_min: Option<f64>,
    /// Largest right ascension in degrees, inclusive
    #[arg(long, value_name = "DEG", allow_negative_numbers = true)]
    pub ra_max: Option<f64>,
    /// Smallest declination in degrees
    #[arg(long, value_name = "DEG", allow_negative_numbers = true)]
    pub dec_min: Option<f64>,
    /// Largest declination in degrees, inclusive
    #[arg(long, value_name = "DEG", allow_negative_numbers = true)]
    pub dec_max: Option<f64>,
}

impl BoxArgs {
    /// The region, or `None` without any bound.
    pub fn region(&self) -> Result<Option<Region>, coaddkit_sky::Error> {
        let Self { ra_min, ra_max, dec_min, dec_max } = *self;
        if [ra_min, ra_max, dec_min, dec_max].iter().all(Option::is_none) {
            return Ok(None);
        }
        let mut bounds = RegionBounds::default();
        (bounds.ra_min_deg, bounds.ra_max_deg) = (ra_min, ra_max);
        (bounds.dec_min_deg, bounds.dec_max_deg) = (dec_min, dec_max);
        Region::from_bounds(bounds).map(Some)
    }
}

/// The folder that a file is to be written to, if it is there.
pub fn existing_folder_of(file: &Path) -> Result<(), String> {
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if file.exists() && !file.is_file() {
        // Renaming over a device or a pipe would replace it.
        return Err(format!("--out {} is there and is no ordinary file", file.display()));
    }
    if folder.is_dir() { Ok(()) } else { Err(format!("there is no folder {} to write to", folder.display())) }
}

/// Prints to stdout; a reader that has gone away (`| head`) is no error.
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Runs a binary: its exit code, or 70 where it panicked, which is a bug.
pub fn main(run: impl FnOnce() -> Exit + std::panic::UnwindSafe) -> ExitCode {
    ExitCode::from(std::panic::catch_unwind(run).unwrap_or(Exit::Bug).code())
}
