//! The end of a journey: judged, published, or kept apart.

use std::io;

use futures_util::TryStreamExt;
use object_store::ObjectStoreExt;
use sha2::{Digest as _, Sha256};

use super::{Event, Journey, Seen, Shared, Step, Store};
use crate::destination::{Place, blocking};
use crate::digest::hex;
use crate::sink::{Kept, Sink};
use crate::{Digest, Error, Item, Outcome, Published};

/// What became of a sink.
enum Judged {
    /// It is under its final name.
    Renamed(Seen),
    /// It is good, and is to be put into a store.
    Good(Kept, Seen),
    Bad(Box<Sink>, Seen, String),
    /// The disk failed.
    Lost(io::Error),
}

impl Journey<'_, '_> {
    /// All bytes are there: judges them, and publishes what is good.
    pub(super) async fn settle(&mut self) -> Result<Step, Error> {
        let transfer = self.shared.transfer;
        let (item, pages) = (self.item.clone(), transfer.pages);
        let sync = matches!(&transfer.destination.place, Place::Folder { sync: true, .. });
        let Some(sink) = self.sink.take() else { unreachable!("the sink is at home between two jobs") };
        let bytes = sink.len;
        let settling = &self.shared.settling;
        settling.begin().await;
        // One trip for judging and renaming, since small files are many.
        let judged = blocking(move || Ok(judge(sink, &item, pages, sync))).await;
        settling.done();
        let (seen, put) = match judged? {
            Judged::Lost(e) => return Err(self.disk_error(&e)),
            Judged::Bad(sink, seen, why) => {
                self.sink = Some(*sink);
                return Ok(Step::Again(Event::Rejected { sha256: seen.sha256, why }));
            }
            Judged::Renamed(seen) => (seen, None),
            Judged::Good(kept, seen) => (seen, Some(kept)),
        };
        if let Some(kept) = put {
            let name = self.item.destination();
            transfer.destination.put_kept(name, kept, &transfer.retry, &mut self.rng).await?;
        }
        self.shared.memory.learn(bytes);
        Ok(Step::Done(Outcome::Published(self.published(bytes, &seen))))
    }

    /// Keeps bad bytes where nobody takes them for good ones, with a note of what is wrong.
    pub(super) async fn quarantine(&mut self, reason: String) -> Result<Outcome, Error> {
        let transfer = self.shared.transfer;
        let destination = &transfer.destination;
        let name = self.item.destination();
        let kept = if transfer.quarantine.is_empty() {
            format!("{name}.bad")
        } else {
            format!("{}/{name}", transfer.quarantine)
        };
        let Some(sink) = self.sink.take() else { unreachable!("the sink is at home between two jobs") };
        let (bytes, sha256) = (sink.len, hex(&sink.sha256()));
        match &destination.place {
            Place::Folder { root, .. } => {
                let target = root.join(&kept);
                let path = target.clone();
                let moved = blocking(move || Ok(rename(sink, &target))).await?;
                moved.map_err(|e| Error::local(&path, &e))?;
            }
            Place::Store { .. } => {
                let bytes = sink.into_kept();
                destination.put_kept(&kept, bytes, &transfer.retry, &mut self.rng).await?;
            }
        }
        let note = serde_json::json!({
            "name": name,
            "source": self.item.source().to_string(),
            "reason": reason,
            "bytes": bytes,
            "sha256": sha256,
            "etag": self.version.etag,
            "last_modified": self.version.last_modified,
            "attempts": self.course.attempts(),
        });
        destination.put(&format!("{kept}.reason.json"), format!("{note:#}\n")).await?;
        Ok(Outcome::Quarantined { reason, kept })
    }
}

fn judge(mut sink: Sink, item: &Item, pages: bool, sync: bool) -> Judged {
    let (seen, verdict) = sink.judge(item, pages);
    if let Err(why) = verdict {
        return Judged::Bad(Box::new(sink), seen, why);
    }
    match sink.store {
        Store::Part(part, file) => match part.publish(&file, sync) {
            Ok(()) => Judged::Renamed(seen),
            Err(e) => Judged::Lost(e),
        },
        store => Judged::Good(Kept { store, len: sink.len }, seen),
    }
}

fn rename(sink: Sink, target: &std::path::Path) -> io::Result<()> {
    let Store::Part(part, file) = sink.store else { return Err(io::ErrorKind::Unsupported.into()) };
    if let Some(folder) = target.parent() {
        std::fs::create_dir_all(folder)?;
    }
    part.publish_as(target, &file, true)
}

/// Reads a file that is there; none if it is not the one expected.
pub(super) async fn verified(shared: &Shared<'_>, item: &Item, bytes: u64) -> Option<Outcome> {
    let expected = item.expect.digest.as_deref()?;
    match read(shared, item, expected).await {
        Ok(found) if found == *expected => {
            let noted = matches!(found, Digest::Sha256(_))
                .then(|| Box::new(Published { bytes, sha256: found, etag: None, last_modified: None }));
            Some(Outcome::Present { bytes, noted })
        }
        Ok(found) => {
            tracing::warn!(name = item.destination(), %found, %expected, "there with another digest; fetched again");
            None
        }
        Err(error) => Some(Outcome::GaveUp(error)),
    }
}

/// The digest of a file at the destination, of the expected kind.
async fn read(shared: &Shared<'_>, item: &Item, like: &Digest) -> Result<Digest, Error> {
    let destination = &shared.transfer.destination;
    let name = item.destination();
    let mut hash = Hash::like(like);
    match &destination.place {
        Place::Folder { root, .. } => {
            let path = root.join(name);
            blocking(move || {
                let mut file = std::fs::File::open(&path).map_err(|e| Error::local(&path, &e))?;
                io::copy(&mut file, &mut hash).map_err(|e| Error::local(&path, &e))?;
                Ok(hash.end())
            })
            .await
        }
        Place::Store { store, .. } => {
            let path = destination.object(name)?;
            let failed = |e: object_store::Error| destination.failed(name, &e);
            let mut body = store.get(&path).await.map_err(failed)?.into_stream();
            while let Some(bytes) = body.try_next().await.map_err(failed)? {
                hash.update(&bytes);
            }
            Ok(hash.end())
        }
    }
}

enum Hash {
    Sha256(Sha256),
    Md5(md5::Md5),
}

impl Hash {
    fn like(digest: &Digest) -> Self {
        match digest {
            Digest::Sha256(_) => Self::Sha256(Sha256::new()),
            Digest::Md5(_) => Self::Md5(md5::Md5::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Md5(hash) => hash.update(bytes),
        }
    }

    fn end(self) -> Digest {
        match self {
            Self::Sha256(hash) => Digest::Sha256(hash.finalize().into()),
            Self::Md5(hash) => Digest::Md5(hash.finalize().into()),
        }
    }
}

impl io::Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
