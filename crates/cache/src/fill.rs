//! From the archive into the cache.

mod plan;
mod track;
mod validate;

pub use validate::{Unpublished, WholeFits};

use crate::bricks::BrickList;
use crate::error::CacheError;
use crate::layout::{FileSet, Product};
use crate::manifest::KnownAbsent;
use crate::parts::Places;
use crate::state::BrickRecord;
use crate::store::{CoaddCache, QUARANTINE};
use coaddkit_sky::BrickName;
use coaddkit_transfer::{Existing, Progress, Report, Transfer};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Fetches what the cache lacks of the bricks that are asked for, and marks the bricks that are complete.
///
/// What is there is found by a list of the cache, not by a question for each file. A brick whose marker covers the files
/// asked for is left alone; so asking later for more files fetches only those. Files that lie there without a marker,
/// left by a run that was killed or by another writer, are read and verified before a marker vouches for them.
///
/// Nothing is published that is not whole: every file is checked for its length, its structure to the last byte, its
/// checksums where it has them, and the bounds of its compressed tiles. What the origin sends damaged twice goes to
/// `_quarantine/{brick}/`, with the reason.
#[must_use]
#[derive(Debug)]
pub struct Fill<'c> {
    cache: &'c CoaddCache,
    files: FileSet,
    source: String,
    transfer: Transfer,
    force: bool,
    again: HashSet<(BrickName, Product)>,
    empty_markers: bool,
    absent: KnownAbsent,
}

/// What [`Fill`] did. It can be kept as text (`serde`), so that the parts of a list may be filled by several processes, and
/// [merged](Self::merge).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Filled {
    /// A row for every brick that was asked for, in their order.
    pub records: Vec<BrickRecord>,
    /// The account of what was moved.
    pub report: Report,
    /// Bricks that were complete before.
    pub complete_before: u64,
    /// Files that were not asked for, since an earlier manifest says that the origin does not have them.
    pub not_asked: u64,
    /// Files that lay there without a marker and proved damaged; they were fetched again.
    pub replaced: u64,
    /// Files of each brick that were in the plan of the transfer.
    planned: Vec<usize>,
}

impl Filled {
    /// What a single run over the list would have done, from what was done for its parts, in whatever order they come.
    ///
    /// # Errors
    ///
    /// [`CacheError::Parts`] if a brick of the list is in no part or in two, or one is not in the list.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use coaddkit_cache::{Band, BrickList, CoaddCache, FileSet, Fill, Filled};
    /// use coaddkit_transfer::Destination;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let cache = CoaddCache::new(Destination::folder("coadd_cache"))?;
    /// let bricks = BrickList::read("survey-bricks.fits.gz".as_ref())?;
    /// let fill = Fill::new(&cache, FileSet::new([Band::R])?, "https://portal.example.org/coadd");
    /// // Each in a process of its own, which keeps as text what it did.
    /// let parts = bricks.chunks(1000).map(|part| fill.run(&part, &()));
    /// // And when all have ended, in one of them.
    /// let filled = Filled::merge(&bricks, parts.collect::<Result<Vec<_>, _>>()?)?;
    /// println!("{} files came", filled.report.counts.published);
    /// # Ok(())
    /// # }
    /// ```
    pub fn merge(bricks: &BrickList, parts: impl IntoIterator<Item = Self>) -> Result<Self, CacheError> {
        let places = Places::of(bricks);
        let mut sorted = Vec::new();
        for part in parts {
            let first = part.records.iter().map(|record| places.find(record.brick));
            let first = first.collect::<Result<Vec<_>, _>>()?.into_iter().min();
            sorted.push((first, part));
        }
        // What ended a run early does not depend on which part comes first.
        sorted.sort_by_key(|(first, _)| *first);
        let each = |part: &Self| {
            let planned = part.planned.iter().copied().chain(std::iter::repeat(0));
            part.records.iter().zip(planned).map(|(record, files)| (record.brick, files)).collect::<Vec<_>>()
        };
        let planned = places.sort(bricks, sorted.iter().flat_map(|(_, part)| each(part)))?;
        // Where the files of each brick begin in the plan of a single run.
        let starts = begins(planned.iter().copied());
        let mut all = Self {
            records: Vec::new(),
            report: Report::default(),
            complete_before: 0,
            not_asked: 0,
            replaced: 0,
            planned,
        };
        let mut records = Vec::new();
        for (_, part) in sorted {
            let own = each(&part);
            let begins = begins(own.iter().map(|(_, files)| *files));
            let place = |index: usize| {
                let row = begins.partition_point(|begin| *begin <= index).saturating_sub(1);
                let start =
                    own.get(row).and_then(|(brick, _)| places.find(*brick).ok()).map(|place| starts[place]);
                start.unwrap_or(0).saturating_add(index - begins.get(row).copied().unwrap_or(0))
            };
            all.report.merge(part.report, place);
            all.complete_before = all.complete_before.saturating_add(part.complete_before);
            all.not_asked = all.not_asked.saturating_add(part.not_asked);
            all.replaced = all.replaced.saturating_add(part.replaced);
            records.extend(part.records.into_iter().map(|record| (record.brick, record)));
        }
        all.records = places.sort(bricks, records)?;
        Ok(all)
    }
}

/// Sums of all before.
fn begins(counts: impl Iterator<Item = usize>) -> Vec<usize> {
    let before = |sum: &mut usize, count: usize| {
        let begin = *sum;
        *sum = sum.saturating_add(count);
        Some(begin)
    };
    counts.scan(0, before).collect()
}

impl<'c> Fill<'c> {
    /// Fetches these files from an origin in the layout of the Legacy Surveys,
    /// `{source}/{brick[0:3]}/{brick}/{file}`: `http(s)://…`, `s3://…` or a folder.
    pub fn new(cache: &'c CoaddCache, files: FileSet, source: &str) -> Self {
        let transfer = Transfer::new(cache.place().clone())
            .validate(WholeFits)
            .quarantine(QUARANTINE)
            .existing(Existing::Replace);
        Self {
            cache,
            files,
            source: source.trim_end_matches('/').to_owned(),
            transfer,
            force: false,
            again: HashSet::new(),
            empty_markers: false,
            absent: KnownAbsent::default(),
        }
    }

    /// How files are moved: politeness, timeouts, retries, memory, cancellation.
    ///
    /// # Examples
    ///
    /// ```
    /// use coaddkit_cache::{Band, CoaddCache, FileSet, Fill};
    /// use coaddkit_transfer::{Destination, HostPolicy};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let cache = CoaddCache::new(Destination::folder("coadd_cache"))?;
    /// let mut polite = HostPolicy::default();
    /// polite.connections = 4;
    /// let source = "https://portal.nersc.gov/cfs/cosmo/data/legacysurvey/dr10/south/coadd";
    /// let fill = Fill::new(&cache, FileSet::new([Band::G, Band::R, Band::Z])?, source)
    ///     .configure(|transfer| transfer.hosts(polite));
    /// # let _ = fill;
    /// # Ok(())
    /// # }
    /// ```
    pub fn configure(mut self, with: impl FnOnce(Transfer) -> Transfer) -> Self {
        self.transfer = with(self.transfer);
        self
    }

    /// Fetches everything anew.
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Fetches these files anew, whatever lies there: those that [`Verify`](crate::Verify) found damaged.
    pub fn again(mut self, files: impl IntoIterator<Item = (BrickName, Product)>) -> Self {
        self.again.extend(files);
        self
    }

    /// Writes empty markers, as other writers do, which say nothing of the files.
    pub fn empty_markers(mut self, empty: bool) -> Self {
        self.empty_markers = empty;
        self
    }

    /// Does not ask for files that the origin is known not to have.
    pub fn skip_absent(mut self, absent: KnownAbsent) -> Self {
        self.absent = absent;
        self
    }

    /// Fills the cache.
    ///
    /// A brick that fails does not stop the others: every brick is in the result, with its state.
    ///
    /// # Errors
    ///
    /// [`CacheError::Store`] if the cache cannot be listed, or an address is none.
    pub fn run(&self, bricks: &BrickList, progress: &dyn Progress) -> Result<Filled, CacheError> {
        self.cache.block_on(self.fill(bricks, progress))
    }

    /// True if a file is fetched whether or not it is there.
    fn anew(&self, brick: BrickName, product: Product) -> bool {
        self.force || self.again.contains(&(brick, product))
    }

    async fn fill(&self, bricks: &BrickList, progress: &dyn Progress) -> Result<Filled, CacheError> {
        let cache = self.cache;
        let contents = cache.list(bricks.bricks()).await?;
        let work = plan::Work::of(self, bricks, &contents).await?;
        let (tracker, complete) = track::Tracker::new(&work, progress);
        let marking = track::mark(cache, &work, complete, self.empty_markers);
        let moving = async {
            let report = self.transfer.run(&work.plan, &tracker).await;
            // No brick becomes complete any more, and the marking ends.
            (tracker.end(), report)
        };
        let (unmarked, (ends, report)) = tokio::join!(marking, moving);
        let records = track::records(cache, &work, &ends, &unmarked);
        if let Some(root) = cache.place().as_folder() {
            let empty = records.iter().filter(|record| record.files_present == 0);
            // Files that did not come leave their folder. One with anything in it is not removed.
            empty.for_each(|record| drop(std::fs::remove_dir(root.join(record.brick.as_str()))));
        }
        Ok(Filled {
            records,
            report: report?,
            complete_before: work.complete_before(),
            not_asked: work.not_asked,
            replaced: work.replaced,
            planned: work.bricks.iter().map(|brick| brick.wanted.len()).collect(),
        })
    }
}
