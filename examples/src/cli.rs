use clap::{Args, ValueEnum};
use coaddkit_density::Failure;
use coaddkit_fits::Level;
use coaddkit_sky::RegionBounds;
use std::io::{self, Read, Write};
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

    /// For a file that could not be read: it is missing, or another attempt may succeed.
    pub fn of_reader(kind: io::ErrorKind) -> Self {
        match kind {
            io::ErrorKind::NotFound
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory => Self::Missing,
            _ => Self::Transient,
        }
    }

    /// The end that goes with an exit code of the libraries.
    pub fn of_code(code: u8) -> Self {
        let all = [Self::Complete, Self::Usage, Self::BadData, Self::Missing, Self::Transient];
        all.into_iter().find(|exit| exit.code() == code).unwrap_or(Self::Bug)
    }

    /// The one that outranks the other.
    pub fn worse(self, other: Self) -> Self {
        let order = [Self::Complete, Self::Transient, Self::Missing, Self::BadData, Self::Usage, Self::Bug];
        let rank = |exit| order.iter().position(|&e| e == exit);
        if rank(other) > rank(self) { other } else { self }
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

/// How thoroughly files are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Depth {
    /// All HDUs are there, with all their bytes; in a cache: all files, as long as their markers say
    Size,
    /// Headers, tables and descriptors make sense
    Structure,
    /// CHECKSUM and DATASUM match where they are given, and in a cache the digests of the markers
    Checksum,
    /// Every column and every pixel decodes
    Pixels,
}

impl From<Depth> for Level {
    fn from(depth: Depth) -> Self {
        match depth {
            Depth::Size => Self::Size,
            Depth::Structure => Self::Structure,
            Depth::Checksum => Self::Checksum,
            Depth::Pixels => Self::Pixels,
        }
    }
}

impl From<coaddkit_manifest::ErrorClass> for Exit {
    fn from(class: coaddkit_manifest::ErrorClass) -> Self {
        use coaddkit_manifest::ErrorClass as Class;
        match class {
            Class::Io => Self::Transient,
            Class::Missing => Self::Missing,
            Class::BadData => Self::BadData,
            Class::Usage | Class::Limit => Self::Usage,
        }
    }
}

/// Options that every job takes.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// Threads to use, up to 1024; 0 means one a core
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u16).range(..=1024))]
    pub threads: u16,
    /// Replace what an earlier run wrote; jobs that make one file or print a table replace it anyway
    #[arg(long)]
    pub force: bool,
    /// Also write the report of the run to DIR/report.json
    #[arg(long, value_name = "DIR", value_parser = folder)]
    pub report: Option<PathBuf>,
    /// Print the report of the run as one line of JSON, the last line of stdout
    #[arg(long)]
    pub json: bool,
    /// No progress and no tables
    #[arg(long)]
    pub quiet: bool,
}

/// A folder that is there or can be made: not a file.
///
/// # Errors
///
/// Why it cannot.
pub fn folder(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let above = path.ancestors().find(|above| above.exists());
    match above.filter(|above| !above.is_dir()) {
        Some(file) => Err(format!("{} is a file, not a folder", file.display())),
        None => Ok(path),
    }
}

/// A file that can be written: in a folder that is there, and not a folder itself.
///
/// # Errors
///
/// Why it cannot.
pub fn new_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !above.is_dir() {
        return Err(format!("there is no folder {}", above.display()));
    }
    if path.is_dir() { Err("it is a folder".to_owned()) } else { Ok(path) }
}

impl Common {
    /// The threads asked for, as a number.
    pub fn workers(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n.into(),
        }
    }

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
    /// The bounds as the libraries take them.
    pub fn bounds(&self) -> RegionBounds {
        RegionBounds {
            ra_min_deg: self.ra_min,
            ra_max_deg: self.ra_max,
            dec_min_deg: self.dec_min,
            dec_max_deg: self.dec_max,
        }
    }
}

/// Checks before any work that `--out` can be written, and that writing it destroys nothing but an earlier product.
///
/// `others` are the files that stay: inputs, and where the report of the run goes.
pub fn check_out(file: &Path, others: &[&Path]) -> Result<(), String> {
    if file.to_string_lossy().ends_with(std::path::MAIN_SEPARATOR) {
        return Err(format!("--out {} is a folder, not a file", file.display()));
    }
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if file.exists() && !file.is_file() {
        // Renaming over a device or a pipe would replace it.
        return Err(format!("--out {} is there and is no ordinary file", file.display()));
    }
    for product in [file.to_owned(), coaddkit_density::report_path(file)] {
        if others.iter().any(|other| real(other) == real(&product)) {
            return Err(format!("--out {} would overwrite {}", file.display(), product.display()));
        }
        if is_data(&product) {
            return Err(format!("{} is a FITS or gzip file, which --out would overwrite", product.display()));
        }
    }
    if folder.is_dir() { Ok(()) } else { Err(format!("there is no folder {} to write to", folder.display())) }
}

/// One name for a file, whether or not it is there yet.
fn real(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    std::fs::canonicalize(&whole).unwrap_or(whole)
}

/// Survey data under the name of a product is a slip of the command line.
fn is_data(path: &Path) -> bool {
    let mut start = [0; 6];
    let read = std::fs::File::open(path).and_then(|mut f| f.read(&mut start));
    read.is_ok_and(|n| start[..n].starts_with(b"SIMPLE") || start[..n].starts_with(&[0x1f, 0x8b]))
}

/// Prints to stdout. A reader that has gone away (`| head`) is no error; a disk that is full ends the run.
pub fn print(text: &str) {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            say!("cannot write to stdout: {e}");
            std::process::exit(Exit::Transient.code().into());
        }
        _ => {}
    }
}

/// Runs a binary: its exit code, or 70 where it panicked, which is a bug.
pub fn main(run: impl FnOnce() -> Exit + std::panic::UnwindSafe) -> ExitCode {
    ExitCode::from(std::panic::catch_unwind(run).unwrap_or(Exit::Bug).code())
}

/// The time that products carry: an option, else SOURCE_DATE_EPOCH (seconds since 1970) as UTC, else none.
pub fn timestamp(option: Option<&str>) -> Option<String> {
    if let Some(text) = option {
        return Some(text.to_owned());
    }
    let seconds: u64 = std::env::var("SOURCE_DATE_EPOCH").ok()?.trim().parse().ok()?;
    let [year, month, day, hour, minute, second] = utc(seconds);
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"))
}

/// Year, month, day, hour, minute and second of a number of seconds since 1970.
pub fn utc(seconds: u64) -> [u64; 6] {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Civil date of a day number: eras of 400 years that begin in March.
    let z = days + 719_468;
    let (era, of_era) = (z / 146_097, z % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, year) =
        if month < 10 { (month + 3, year + era * 400) } else { (month - 9, year + era * 400 + 1) };
    [year, month, day, rest / 3600, rest / 60 % 60, rest % 60]
}
