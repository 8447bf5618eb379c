//! Bricks as their files end: markers as soon as one is complete, rows at the end.

use super::plan::{Brick, Work};
use crate::layout::Product;
use crate::marker::{Marker, MarkerFile};
use crate::state::{BrickRecord, BrickState};
use crate::store::CoaddCache;
use crate::tally::Tally;
use coaddkit_transfer::{Finished, Item, Outcome, Progress, Published};
use futures_util::StreamExt;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Markers that are written at a time.
const MARKERS: usize = 16;

/// A brick whose files are all there.
type Complete = u32;

/// How the files of bricks ended.
pub(super) type Ends = Vec<Vec<(Product, Outcome)>>;

/// Bricks whose marker could not be written, with the reason.
pub(super) type Unmarked = HashMap<u32, String>;

/// Listens to the transfer.
pub(super) struct Tracker<'a> {
    work: &'a Work,
    progress: &'a dyn Progress,
    ends: Mutex<Ends>,
    complete: UnboundedSender<(Complete, Vec<MarkerFile>)>,
}

impl<'a> Tracker<'a> {
    /// A listener, and what comes out of it: bricks, as they become complete.
    pub(super) fn new(
        work: &'a Work,
        progress: &'a dyn Progress,
    ) -> (Self, UnboundedReceiver<(Complete, Vec<MarkerFile>)>) {
        let (complete, receiver) = unbounded_channel();
        let ends = work.bricks.iter().map(|brick| Vec::with_capacity(brick.wanted.len())).collect();
        let tracker = Self { work, progress, ends: Mutex::new(ends), complete };
        for (index, brick) in work.bricks.iter().enumerate() {
            // Bricks that only lack their marker.
            if brick.wanted.is_empty() && !brick.marked {
                tracker.check(index as u32, &[]);
            }
        }
        (tracker, receiver)
    }

    /// How the files ended; no brick becomes complete any more.
    pub(super) fn end(self) -> Ends {
        self.ends.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes a brick on whose files are all there.
    fn check(&self, index: u32, ends: &[(Product, Outcome)]) {
        let brick = &self.work.bricks[index as usize];
        let ready = ends.len() == brick.wanted.len() && brick.absent.is_empty() && brick.trouble.is_none();
        if ready && let Some(files) = self.files(brick, ends) {
            // Whoever would take it is gone only if the run is.
            let _ = self.complete.send((index, files));
        }
    }
}

impl Tracker<'_> {
    /// What a marker says of the files of a brick; `None` if one is not there.
    fn files(&self, brick: &Brick, ends: &[(Product, Outcome)]) -> Option<Vec<MarkerFile>> {
        let fetched = ends.iter().map(|(product, outcome)| {
            let name = product.file_name(brick.name);
            match outcome {
                Outcome::Published(published) => {
                    Some(of_published(&name, published, self.work.address(brick.name, *product)))
                }
                Outcome::Present { bytes, .. } => Some(MarkerFile::unread(&name, *bytes)),
                _ => None,
            }
        });
        let before = brick.there.iter().map(|(_, file)| Some(file.clone()));
        let others = brick.others.iter().map(|file| Some(file.clone()));
        fetched.chain(before).chain(others).collect()
    }
}

impl Progress for Tracker<'_> {
    fn bytes(&self, bytes: u64) {
        self.progress.bytes(bytes);
    }

    fn retry(&self, item: &Item, why: &str) {
        self.progress.retry(item, why);
    }

    fn finished(&self, item: &Item, finished: &Finished) {
        let (index, product) = self.work.items[finished.index];
        {
            let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
            let ends = &mut ends[index as usize];
            ends.push((product, finished.outcome.clone()));
            self.check(index, ends);
        }
        self.progress.finished(item, finished);
    }
}

fn of_published(name: &str, published: &Published, url: String) -> MarkerFile {
    let mut file = MarkerFile::unread(name, published.bytes);
    file.sha256 = published.sha256.to_string().trim_start_matches("sha256:").to_owned();
    file.url = url;
    file.etag.clone_from(&published.etag);
    file.last_modified.clone_from(&published.last_modified);
    file
}

/// Writes the markers of complete bricks, as long as there come any.
pub(super) async fn mark(
    cache: &CoaddCache,
    work: &Work,
    mut complete: UnboundedReceiver<(Complete, Vec<MarkerFile>)>,
    empty: bool,
) -> Unmarked {
    let bricks = futures_util::stream::poll_fn(move |context| complete.poll_recv(context));
    let writes = bricks.map(|(index, files)| async move {
        let brick = work.bricks[index as usize].name;
        let bytes = if empty { Vec::new() } else { Marker::new(brick, files).to_bytes() };
        cache.mark(brick, bytes).await.err().map(|e| (index, format!("its marker cannot be written: {e}")))
    });
    writes.buffer_unordered(MARKERS).filter_map(|failed| async { failed }).collect().await
}

/// A row for every brick.
pub(super) fn records(cache: &CoaddCache, work: &Work, ends: &Ends, unmarked: &Unmarked) -> Vec<BrickRecord> {
    let row = |(index, brick): (usize, &Brick)| {
        let mut tally = Tally::new(cache, brick.name);
        brick.unknown.iter().for_each(|&product| tally.missing(product));
        brick.there.iter().for_each(|(_, file)| tally.present(file.bytes));
        brick.absent.iter().for_each(|&product| tally.absent(product));
        // Not in the order in which they ended, so that the row does not depend on it.
        for &product in &brick.wanted {
            match ends[index].iter().find(|(ended, _)| *ended == product) {
                Some((_, outcome)) => ended(&mut tally, brick, product, outcome),
                None => {
                    tally.missing(product);
                    tally.fail(BrickState::Failed, format!("{}: not tried", product.file_name(brick.name)));
                }
            }
        }
        for why in brick.trouble.iter().chain(unmarked.get(&(index as u32))) {
            tally.fail(BrickState::Failed, why.clone());
        }
        tally.record()
    };
    work.bricks.iter().enumerate().map(row).collect()
}

fn ended(tally: &mut Tally, brick: &Brick, product: Product, outcome: &Outcome) {
    let why = || {
        let reason = outcome.reason().unwrap_or_default();
        format!("{}: {reason}", product.file_name(brick.name))
    };
    match outcome {
        Outcome::Published(published) => tally.present(published.bytes),
        Outcome::Present { bytes, .. } => tally.present(*bytes),
        Outcome::NotFound { .. } => tally.absent(product),
        Outcome::Quarantined { .. } => {
            tally.missing(product);
            tally.fail(BrickState::Quarantined, why());
        }
        _ => {
            tally.missing(product);
            tally.fail(BrickState::Failed, why());
        }
    }
}
