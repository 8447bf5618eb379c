//! Objects in stores: one atomic put, or a multipart upload that is completed or aborted.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use object_store::{ObjectStore, ObjectStoreExt, PutPayload, path};

use super::{Destination, Place, blocking};
use crate::policy::{RetryPolicy, Rng};
use crate::sink::{Kept, Store};
use crate::{Error, ErrorKind};

/// Larger files go in parts.
const SINGLE: u64 = 16 << 20;
const PART: usize = 8 << 20;
/// Parts of a file under way at once.
const AT_ONCE: usize = 2;

impl Destination {
    /// Puts the bytes of a file under a name.
    pub(crate) async fn put_kept(
        &self,
        name: &str,
        kept: Kept,
        retry: &RetryPolicy,
        rng: &mut Rng,
    ) -> Result<(), Error> {
        let path = self.object(name)?;
        let Place::Store { store, .. } = &self.place else {
            return Err(Error::usage(name, "no object store"));
        };
        let kept = Arc::new(kept);
        let mut failures = 0;
        loop {
            let error = match put(store, &path, &kept).await {
                Ok(()) => return Ok(()),
                Err(Failure::Store(e)) => self.failed(name, &e),
                Err(Failure::Ours(e)) => return Err(e),
            };
            failures += 1;
            // The store's own client has tried several times already.
            if error.kind() != ErrorKind::Transient || failures >= retry.attempts.min(3) {
                return Err(error);
            }
            tracing::debug!(%error, "put again");
            tokio::time::sleep(retry.pause(failures, rng).max(Duration::from_millis(100))).await;
        }
    }
}

enum Failure {
    Store(object_store::Error),
    Ours(Error),
}

impl From<object_store::Error> for Failure {
    fn from(error: object_store::Error) -> Self {
        Self::Store(error)
    }
}

async fn put(store: &Arc<dyn ObjectStore>, path: &path::Path, kept: &Arc<Kept>) -> Result<(), Failure> {
    if kept.len <= SINGLE {
        let payload = read(kept, 0, kept.len as usize).await?;
        store.put(path, payload).await?;
        return Ok(());
    }
    let mut upload = store.put_multipart(path).await?;
    let sent = parts(&mut *upload, kept).await;
    let done = match sent {
        Ok(()) => upload.complete().await.map_err(Failure::Store),
        Err(e) => Err(e),
    };
    if let Err(e) = done {
        // Parts that nobody completes cost money; the first error is the one to tell.
        let _ = upload.abort().await;
        return Err(e);
    }
    let found = store.head(path).await?.size;
    if found == kept.len {
        return Ok(());
    }
    Err(Failure::Ours(Error::new(
        ErrorKind::Transient,
        path,
        format!("the store has {found} of {} bytes", kept.len),
    )))
}

async fn parts(upload: &mut dyn object_store::MultipartUpload, kept: &Arc<Kept>) -> Result<(), Failure> {
    let mut under_way = FuturesUnordered::new();
    let mut at = 0;
    while at < kept.len {
        let n = (kept.len - at).min(PART as u64) as usize;
        under_way.push(upload.put_part(read(kept, at, n).await?));
        at += n as u64;
        if under_way.len() >= AT_ONCE {
            under_way.next().await.transpose()?;
        }
    }
    while under_way.next().await.transpose()?.is_some() {}
    Ok(())
}

/// Bytes of a file, without a copy where they are in memory.
async fn read(kept: &Arc<Kept>, at: u64, len: usize) -> Result<PutPayload, Failure> {
    if let Store::Memory(pieces) = &kept.store {
        return Ok(slice(pieces, at, len).into_iter().collect());
    }
    let kept = Arc::clone(kept);
    let read = blocking(move || {
        let mut buffer = vec![0; len];
        match kept.content().read_at(&mut buffer, at) {
            Ok(n) if n == len => Ok(buffer),
            Ok(_) => {
                Err(Error::new(ErrorKind::Destination, "spool file", "shorter than what was written to it"))
            }
            Err(e) => Err(Error::new(ErrorKind::Destination, "spool file", e)),
        }
    });
    Ok(PutPayload::from(read.await.map_err(Failure::Ours)?))
}

fn slice(pieces: &[(u64, Bytes)], at: u64, len: usize) -> Vec<Bytes> {
    let end = at + len as u64;
    let first = pieces.partition_point(|(start, bytes)| start + bytes.len() as u64 <= at);
    let inside = pieces[first..].iter().take_while(|(start, _)| *start < end);
    inside
        .map(|(start, bytes)| {
            let from = at.saturating_sub(*start) as usize;
            let to = (end - start).min(bytes.len() as u64) as usize;
            bytes.slice(from..to)
        })
        .collect()
}

/// What a store says without kind: full and broken disks below it stop the run, the rest may pass.
pub(super) fn kind(error: &object_store::Error) -> ErrorKind {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(e) = source {
        if let Some(io) = e.downcast_ref::<std::io::Error>()
            && Error::local(std::path::Path::new(""), io).kind() == ErrorKind::Destination
        {
            return ErrorKind::Destination;
        }
        source = e.source();
    }
    ErrorKind::Transient
}

/// The error of a store, on one line, without signatures.
pub(super) fn shown(error: &object_store::Error) -> String {
    let text = error.to_string();
    let words: Vec<String> = text.split_whitespace().map(crate::source::redact).collect();
    let line = words.join(" ");
    match line.char_indices().nth(400) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_of_pieces() {
        let whole: Vec<u8> = (0..=255).collect();
        let pieces: Vec<(u64, Bytes)> = [(0, 10), (10, 10), (10, 100), (100, 256)]
            .map(|(a, b)| (a as u64, Bytes::copy_from_slice(&whole[a..b])))
            .into();
        for at in 0..=256 {
            for len in 0..=256 - at {
                assert_eq!(slice(&pieces, at as u64, len).concat(), &whole[at..at + len], "{at} {len}");
            }
        }
    }
}
