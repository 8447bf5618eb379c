//! One pixel: fetch the pair, select, convert, and take the pair away again.

use crate::inventory::Pixel;
use coaddkit_spectra::{ErrorKind as SpectraKind, Product, Spectra};
use coaddkit_tasks::{Done, Error, ErrorKind, Input, Job, Output, Partial};
use coaddkit_transfer::{Destination, ErrorKind as TransferKind, Item, Outcome, Plan, S3Options, Transfer};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

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
    pub source: String,
    pub out: PathBuf,
    pub spectra: Spectra,
    pub s3: S3Options,
    /// Bytes that stay free on the disk of `out`.
    pub min_free: u64,
}

impl Tiles {
    /// A source without a scheme is a folder, whose files are read where they are.
    pub fn is_folder(&self) -> bool {
        !self.source.contains("://")
    }

    fn address(&self, key: &str) -> String {
        format!("{}/{key}", self.source.trim_end_matches('/'))
    }

    fn convert(&self, unit: &Pixel, [coadd, redrock]: [&Path; 2]) -> Result<Done<Lacking>, Error> {
        let failed = |e: coaddkit_spectra::Error| {
            let kind = match e.kind() {
                SpectraKind::MissingInput => ErrorKind::Missing,
                SpectraKind::BadData => ErrorKind::Data,
                SpectraKind::Usage => ErrorKind::Usage,
                SpectraKind::Limit => ErrorKind::Limit,
                _ => ErrorKind::Transient,
            };
            Error::new(kind, e.place(), e.what())
        };
        let selected = self.spectra.open(coadd, redrock).map_err(failed)?;
        let lacking = selected.without_spectrum().iter().map(|&id| (unit.to_string(), id)).collect();
        let fits = [coadd, redrock].iter().filter_map(|p| p.metadata().ok()).map(|m| m.len()).sum::<u64>();
        let done = Done::new(Lacking(lacking)).metric("fits_bytes", fits as f64);
        Ok(match selected.write(&self.out, &unit.id).map_err(failed)? {
            Product::NoRows { path } => done.word("no_rows").output(Output::of(&self.out, &path)?),
            Product::Table { path, rows, bytes } => {
                let done = done.metric("rows", rows as f64).metric("parquet_bytes", bytes as f64);
                done.output(Output::of(&self.out, &path)?)
            }
            _ => return Err(Error::new(ErrorKind::Bug, unit, "a product of an unknown kind")),
        })
    }

    fn fetch(&self, unit: &Pixel, into: &Path) -> Result<(), Error> {
        let failed = |e: coaddkit_transfer::Error| {
            let kind = match e.kind() {
                TransferKind::Usage => ErrorKind::Usage,
                TransferKind::BadData => ErrorKind::Data,
                _ => ErrorKind::Transient,
            };
            Error::new(kind, e.place(), e.what())
        };
        let item = |key: &str, name| Item::new(&self.address(key), name);
        let items = [item(&unit.coadd, "coadd.fits"), item(&unit.redrock, "redrock.fits")];
        let [coadd, redrock] = items;
        let plan = Plan::new([coadd.map_err(failed)?, redrock.map_err(failed)?]).map_err(failed)?;
        let transfer = Transfer::new(Destination::folder(into)).s3(self.s3.clone());
        let report = transfer.run_blocking(&plan, &()).map_err(failed)?;
        let Some(finished) = report.missing.first() else { return Ok(()) };
        let kind = match &finished.outcome {
            Outcome::NotFound { .. } => ErrorKind::Missing,
            Outcome::Quarantined { .. } => ErrorKind::Data,
            _ => ErrorKind::Transient,
        };
        let why = finished.outcome.reason().unwrap_or_else(|| finished.outcome.word().to_owned());
        Err(Error::new(kind, plan.items()[finished.index].source(), why))
    }
}

impl Job for Tiles {
    type Unit = Pixel;
    type Partial = Lacking;

    fn inputs(&self, unit: &Pixel) -> Vec<Input> {
        let input = |kind: &str, key| Input::new(kind, self.address(key));
        vec![input("coadd", &unit.coadd), input("redrock", &unit.redrock)]
    }

    fn run(&self, unit: &Pixel) -> Result<Done<Lacking>, Error> {
        if self.is_folder() {
            let [coadd, redrock] = [&unit.coadd, &unit.redrock].map(|key| PathBuf::from(self.address(key)));
            return self.convert(unit, [&coadd, &redrock]);
        }
        let folder = self.out.join("raw").join(unit.id.folder());
        self.fetch(unit, &folder)?;
        let done = self.convert(unit, [&folder.join("coadd.fits"), &folder.join("redrock.fits")])?;
        // Files of pixels that failed stay for a look, and are not fetched again.
        std::fs::remove_dir_all(&folder).map_err(|e| Error::io(&folder, &e))?;
        Ok(done)
    }

    fn may_begin(&self, _: &Pixel) -> Result<(), Error> {
        let stat = rustix::fs::statvfs(&self.out).map_err(|e| Error::io(&self.out, &e.into()))?;
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        if free >= self.min_free {
            return Ok(());
        }
        let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
        let what = format!("{:.1} GiB free, and --min-free is {:.1}", gib(free), gib(self.min_free));
        Err(Error::new(ErrorKind::Limit, self.out.display(), what))
    }
}
