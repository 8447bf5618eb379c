//! One pixel: fetch the pair, select, convert, and take the pair away again.

use crate::inventory::Pixel;
use crate::source::Source;
use coaddkit_spectra::{ErrorKind as SpectraKind, Product, Spectra};
use coaddkit_tasks::{Done, Error, ErrorKind, Input, Job, Output, Partial};
use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};

/// Targets that have a redshift and no spectrum: the pixel and the TARGETID.
#[derive(Debug, Default)]
pub struct Lacking(pub Vec<(String, i64)>);

impl Partial for Lacking {
    fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.0.iter().try_for_each(|(pixel, id)| writeln!(out, "{pixel} {id}"))
    }

    fn read(from: &mut dyn Read) -> io::Result<Self> {
        let mut text = String::new();
        from.read_to_string(&mut text)?;
        let line = |line: &str| {
            let (pixel, id) = line.split_once(' ')?;
            Some((pixel.to_owned(), id.parse().ok()?))
        };
        let lines: Option<Vec<_>> = text.lines().map(line).collect();
        lines.map(Self).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

/// Pixels to tables.
pub struct Tiles {
    pub source: Source,
    pub out: PathBuf,
    pub spectra: Spectra,
    /// Pixels that an earlier runner has done.
    pub imported: HashSet<String>,
    pub converting: Slots,
}

/// So many at once.
pub struct Slots {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Slots {
    pub fn new(count: usize) -> Self {
        Self { free: Mutex::new(count.max(1)), freed: Condvar::new() }
    }

    fn with<T>(&self, work: impl FnOnce() -> T) -> T {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        drop(free);
        let _back = Back(self);
        work()
    }
}

/// Gives its slot back, also when the work panics.
struct Back<'a>(&'a Slots);

impl Drop for Back<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

impl Tiles {
    fn convert(&self, unit: &Pixel, [coadd, redrock]: [&Path; 2]) -> Result<Done<Lacking>, Error> {
        self.clear(unit)?;
        let selected = self.spectra.open(coadd, redrock).map_err(|e| failed(&e))?;
        let without = selected.without_spectrum();
        let lacking = without.iter().map(|&id| (unit.to_string(), id)).collect();
        let fits = [coadd, redrock].iter().filter_map(|p| p.metadata().ok()).map(|m| m.len()).sum::<u64>();
        let mut done = Done::new(Lacking(lacking)).metric("fits_bytes", fits as f64);
        if !without.is_empty() {
            done = done.metric("without_spectrum", without.len() as f64);
        }
        Ok(match selected.write(&self.out, &unit.id).map_err(|e| failed(&e))? {
            Product::NoRows { path } => done.word("no_rows").output(Output::of(&self.out, &path)?),
            Product::Table { path, rows, bytes } => {
                let done = done.metric("rows", rows as f64).metric("parquet_bytes", bytes as f64);
                done.output(Output::of(&self.out, &path)?)
            }
            _ => return Err(Error::new(ErrorKind::Bug, unit, "a product of an unknown kind")),
        })
    }

    /// Takes away what runs that were killed left of this pixel: parts, and products that no ledger knows.
    fn clear(&self, unit: &Pixel) -> Result<(), Error> {
        let folder = self.out.join(unit.id.folder());
        let list = match std::fs::read_dir(&folder) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(|e| Error::io(&folder, &e))?,
        };
        for entry in list {
            let path = entry.map_err(|e| Error::io(&folder, &e))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let ours = name.contains(".part-") || name == "_SUCCESS_NO_QSO";
            if ours || (name.starts_with("qso_data_TILE") && name.ends_with(".parquet")) {
                std::fs::remove_file(&path).map_err(|e| Error::io(&path, &e))?;
            }
        }
        Ok(())
    }
}

pub fn failed(e: &coaddkit_spectra::Error) -> Error {
    let kind = match e.kind() {
        SpectraKind::MissingInput => ErrorKind::Missing,
        SpectraKind::BadData => ErrorKind::Data,
        SpectraKind::Usage => ErrorKind::Usage,
        SpectraKind::Limit => ErrorKind::Limit,
        _ => ErrorKind::Transient,
    };
    Error::new(kind, e.place(), e.what())
}

/// The word that pixels which failed so are counted by.
pub fn word(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Missing => "missing_input",
        ErrorKind::Data => "bad_data",
        ErrorKind::Transient => "transient",
        ErrorKind::Limit => "limit",
        ErrorKind::Usage => "usage",
        _ => "bug",
    }
}

impl Job for Tiles {
    type Unit = Pixel;
    type Partial = Lacking;

    fn inputs(&self, unit: &Pixel) -> Vec<Input> {
        let input = |kind: &str, key| Input::new(kind, self.source.place(key));
        vec![input("coadd", &unit.coadd), input("redrock", &unit.redrock)]
    }

    fn run(&self, unit: &Pixel) -> Result<Done<Lacking>, Error> {
        if self.imported.contains(&unit.to_string()) {
            return Ok(Done::skipped("done by an earlier runner").word(crate::account::IMPORTED));
        }
        let mut pair = self.source.pair(unit)?;
        let done = self.converting.with(|| self.convert(unit, pair.paths())).map_err(|e| pair.told(&e));
        if let Err(error) = &done {
            pair.failed();
            if error.kind() == ErrorKind::Usage {
                // The others would fail in the same way.
                self.source.stop.end(error.clone());
            }
        }
        done
    }

    fn are_there(&self, inputs: &[Input], _: usize) -> Result<Vec<bool>, Error> {
        self.source.are_there(inputs)
    }

    fn word(&self, kind: ErrorKind) -> &'static str {
        word(kind)
    }

    fn may_begin(&self, _: &Pixel) -> Result<(), Error> {
        self.source.room()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn no_more_at_once_than_slots_and_a_panic_gives_its_own_back() {
        let (slots, now, most) = (Slots::new(2), AtomicUsize::new(0), AtomicUsize::new(0));
        let work = |i: usize| {
            slots.with(|| {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(std::time::Duration::from_millis(2));
                now.fetch_sub(1, Ordering::SeqCst);
                assert!(!i.is_multiple_of(5), "as it is meant to");
            });
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..20).map(|i| scope.spawn(move || work(i))).collect();
            assert_eq!(threads.into_iter().filter_map(|thread| thread.join().err()).count(), 4);
        });
        assert_eq!((most.into_inner(), *slots.free.lock().unwrap()), (2, 2));
    }

    #[test]
    fn what_lacks_a_spectrum_is_read_as_it_was_written() {
        let lacking = Lacking(vec![("main/dark/00007".to_owned(), -3), ("x".to_owned(), i64::MAX)]);
        let mut bytes = Vec::new();
        lacking.write(&mut bytes).unwrap();
        assert_eq!(Lacking::read(&mut bytes.as_slice()).unwrap().0, lacking.0);
        assert!(Lacking::read(&mut &b"no number\n"[..]).is_err());
    }
}
