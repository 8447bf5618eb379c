use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Error, ErrorKind, Record, State};

/// Work that falls into many units that know nothing of each other.
///
/// A unit is named by its [`Display`] text, which must be its own. Units run on several threads at once.
pub trait Job: Sync {
    /// What one unit is: a file, a cell of the sky, a name in a list.
    type Unit: Display + Sync;
    /// What a unit adds to the result of the whole; `()` if its products are files.
    type Partial: Partial;

    /// What a unit needs. [`check`](crate::check()) looks for all of it before anything runs.
    fn inputs(&self, unit: &Self::Unit) -> Vec<Input>;

    /// Does the work of one unit. Products are files that are whole under their names, or not there at all.
    ///
    /// # Errors
    ///
    /// Why the unit failed; the others go on.
    fn run(&self, unit: &Self::Unit) -> Result<Done<Self::Partial>, Error>;

    /// Whether an input is there. By default inputs are paths.
    ///
    /// # Errors
    ///
    /// When that cannot be found out.
    fn is_there(&self, input: &Input) -> Result<bool, Error> {
        let path = Path::new(&input.place);
        path.try_exists().map_err(|e| Error::io(path, &e))
    }

    /// Which of these inputs are there, in their order. By default each is asked for by itself, so many at once; for
    /// places where asking for many together costs less.
    ///
    /// # Errors
    ///
    /// As [`is_there`](Self::is_there).
    fn are_there(&self, inputs: &[Input], threads: usize) -> Result<Vec<bool>, Error> {
        crate::check::one_by_one(inputs, threads, |input| self.is_there(input))
    }

    /// The word that units which fail in this way are counted by: `failed` or `blocked` unless said otherwise.
    fn word(&self, kind: ErrorKind) -> &'static str {
        State::of(kind).word()
    }

    /// Asked before each unit begins, such as for room on the disk, and after each that failed.
    ///
    /// # Errors
    ///
    /// Ends the run: units that run come to their end, and no other begins. Those that fail meanwhile are not recorded
    /// as failed, and are left for the next run.
    fn may_begin(&self, _unit: &Self::Unit) -> Result<(), Error> {
        Ok(())
    }

    /// What is already there of a unit that began in a run that was killed. If its product is whole, since products
    /// are put under their names in one step, the work need not be done again.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    fn found(&self, _unit: &Self::Unit) -> Result<Option<Done<Self::Partial>>, Error> {
        Ok(None)
    }

    /// Whether what a unit gave still is what it would give: whether its input is the same. If not, it runs again.
    fn is_current(&self, _unit: &Self::Unit, _record: &Record) -> bool {
        true
    }

    /// Opens what a unit made. By default each file must have the length and the SHA-256 that were noted.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    fn verify(&self, _unit: &Self::Unit, folder: &Path, outputs: &[Output]) -> Result<(), Error> {
        outputs.iter().try_for_each(|output| output.verify(folder))
    }
}

/// What a unit adds to the whole. Merging must not depend on how units were spread over shards, so it is exact:
/// counts, sets, lowest hashes. It is done in the order of the plan.
///
/// ```
/// use std::io::{self, Read, Write};
///
/// #[derive(Default)]
/// struct Rows(u64);
///
/// impl coaddkit_tasks::Partial for Rows {
///     fn merge(&mut self, other: Self) {
///         self.0 += other.0;
///     }
///     fn write(&self, out: &mut dyn Write) -> io::Result<()> {
///         out.write_all(&self.0.to_le_bytes())
///     }
///     fn read(from: &mut dyn Read) -> io::Result<Self> {
///         let mut bytes = [0; 8];
///         from.read_exact(&mut bytes)?;
///         Ok(Self(u64::from_le_bytes(bytes)))
///     }
/// }
/// ```
pub trait Partial: Default + Send {
    /// Takes up another one.
    fn merge(&mut self, other: Self);

    /// Writes it. No bytes at all mean the default.
    ///
    /// # Errors
    ///
    /// What the writer says.
    fn write(&self, out: &mut dyn Write) -> io::Result<()>;

    /// Reads what [`write`](Self::write) wrote.
    ///
    /// # Errors
    ///
    /// What the reader says, or [`io::ErrorKind::InvalidData`].
    fn read(from: &mut dyn Read) -> io::Result<Self>;
}

/// For units whose products are files.
impl Partial for () {
    fn merge(&mut self, (): Self) {}

    fn write(&self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn read(_: &mut dyn Read) -> io::Result<Self> {
        Ok(())
    }
}

/// Something that a unit needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// What it is, for the reader of a table: `coadd`, `redrock`.
    pub kind: String,
    /// A path, or an address that [`Job::is_there`] understands.
    pub place: String,
}

impl Input {
    /// An input.
    pub fn new(kind: impl Into<String>, place: impl Into<String>) -> Self {
        Self { kind: kind.into(), place: place.into() }
    }
}

/// What became of a unit that did not fail.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Done<P> {
    /// Its part of the result.
    pub partial: P,
    /// The files that it made.
    pub outputs: Vec<Output>,
    /// A word that counts are kept by, `done` unless said otherwise: `no_qso`.
    pub word: String,
    /// Set if there was nothing to do, and why.
    pub skipped: Option<String>,
    /// Numbers for the report, by name. Those that are not finite are left out.
    pub metrics: BTreeMap<String, f64>,
}

impl<P> Done<P> {
    /// A unit that was done.
    pub fn new(partial: P) -> Self {
        let word = "done".to_owned();
        Self { partial, outputs: Vec::new(), word, skipped: None, metrics: BTreeMap::new() }
    }

    /// A unit that is not to be done, by the rules of the job.
    pub fn skipped(why: impl Into<String>) -> Self
    where
        P: Default,
    {
        let mut done = Self::new(P::default()).word("skipped");
        done.skipped = Some(why.into());
        done
    }

    /// Counts it under another word.
    pub fn word(mut self, word: impl Into<String>) -> Self {
        self.word = word.into();
        self
    }

    /// Notes a file that was made.
    pub fn output(mut self, output: Output) -> Self {
        self.outputs.push(output);
        self
    }

    /// Notes a number.
    pub fn metric(mut self, name: impl Into<String>, value: f64) -> Self {
        self.metrics.insert(name.into(), value);
        self
    }
}

/// A file that a unit made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Output {
    /// Where it is below the folder of the run, with `/` between the names.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: String,
}

impl Output {
    /// A file that is below the folder of the run; it is read once.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or the path leads out of the folder.
    pub fn of(folder: &Path, path: &str) -> Result<Self, Error> {
        let mut output = Self { path: path.to_owned(), bytes: 0, sha256: String::new() };
        if !output.is_inside() {
            return Err(Error::usage(path, "an output is a path below the folder of the run"));
        }
        (output.bytes, output.sha256) = output.digest(folder)?;
        Ok(output)
    }

    /// Whether the file has the length and the SHA-256 that were noted.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn verify(&self, folder: &Path) -> Result<(), Error> {
        let (bytes, sha256) = self.digest(folder)?;
        if bytes != self.bytes {
            return Err(Error::data(&self.path, format!("{bytes} bytes, not {}", self.bytes)));
        }
        if sha256 != self.sha256 {
            return Err(Error::data(&self.path, format!("SHA-256 {sha256}, not {}", self.sha256)));
        }
        Ok(())
    }

    /// A ledger may come from anywhere: its paths must not lead out of the folder.
    pub(crate) fn is_inside(&self) -> bool {
        let mut parts = Path::new(&self.path).components();
        !self.path.is_empty() && parts.all(|part| matches!(part, Component::Normal(_)))
    }

    /// Whether a file of that length is there, which costs no reading.
    pub(crate) fn looks_whole(&self, folder: &Path) -> bool {
        let there = std::fs::metadata(folder.join(&self.path));
        there.is_ok_and(|file| file.is_file() && file.len() == self.bytes)
    }

    fn digest(&self, folder: &Path) -> Result<(u64, String), Error> {
        let path = folder.join(&self.path);
        let read = || {
            let mut file = File::open(&path)?;
            let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 16]);
            loop {
                match file.read(&mut buffer) {
                    Ok(0) => return Ok((bytes, hex(hash))),
                    Ok(n) => {
                        hash.update(&buffer[..n]);
                        bytes += n as u64;
                    }
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(e),
                }
            }
        };
        read().map_err(|e| Error::io(&path, &e))
    }
}

pub(crate) fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}
