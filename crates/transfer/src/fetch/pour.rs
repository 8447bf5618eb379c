//! Bytes from the origin into the sink: while one batch is hashed and written, the next one comes.

use std::io;

use bytes::Bytes;

use super::{Flow, Journey, Sink, Store, add};
use crate::Error;
use crate::memory::BATCH;
use crate::part;

/// A file of at most so many bytes is written in one go, when all of it has come.
pub(super) const ONE_GO: u64 = BATCH as u64;

type Working = tokio::task::JoinHandle<(Sink, io::Result<()>)>;

impl Journey<'_, '_> {
    /// Takes all that comes. None if that is the whole file, else why the rest did not come.
    pub(super) async fn pour(&mut self, body: &mut Flow) -> Result<Option<String>, Error> {
        let mut have = self.have();
        let mut batch: Vec<Bytes> = Vec::new();
        let mut size = 0;
        let mut working: Option<Working> = None;
        let end = loop {
            let bytes = match body.next().await {
                Ok(Some(bytes)) => bytes,
                Ok(None) => break None,
                Err(why) => break Some(why),
            };
            let len = bytes.len();
            add(&self.shared.tally.received, len as u64);
            self.shared.progress.bytes(len as u64);
            size += len;
            have += len as u64;
            batch.push(bytes);
            if self.length.is_some_and(|length| have > length) {
                break Some(format!("more bytes than the {} that were announced", self.length.unwrap_or(0)));
            }
            if size >= BATCH {
                self.join(&mut working).await?;
                working = Some(self.feed(std::mem::take(&mut batch), have));
                size = 0;
            }
        };
        self.join(&mut working).await?;
        if size > 0 {
            working = Some(self.feed(batch, have));
            self.join(&mut working).await?;
        }
        Ok(match (end, self.length) {
            (Some(why), _) => Some(why),
            (None, Some(length)) if have < length => {
                Some(format!("the body ended after {have} of {length} bytes"))
            }
            (None, _) => None,
        })
    }

    /// Gives a batch to the sink, which then holds `have` bytes; into a spool file, if they do not fit in memory.
    fn feed(&mut self, batch: Vec<Bytes>, have: u64) -> Working {
        let Some(mut sink) = self.sink.take() else { unreachable!("the batch before is joined first") };
        let mut spill = None;
        if let (Store::Memory(_), Some(share)) = (&sink.store, &mut self.share)
            && !share.fits(self.length.unwrap_or(0).max(have))
        {
            share.shrink(None);
            spill = Some(self.shared.transfer.spool.clone());
        }
        tokio::task::spawn_blocking(move || {
            let fed = spill.map_or(Ok(()), |folder| part::spool(&folder).and_then(|file| sink.spill(file)));
            let fed = fed.and_then(|()| sink.feed(batch));
            (sink, fed)
        })
    }

    async fn join(&mut self, working: &mut Option<Working>) -> Result<(), Error> {
        let Some(handle) = working.take() else { return Ok(()) };
        let (sink, fed) = blocking_result(handle).await?;
        self.sink = Some(sink);
        fed.map_err(|e| self.disk_error(&e))
    }
}

async fn blocking_result<T: Send + 'static>(handle: tokio::task::JoinHandle<T>) -> Result<T, Error> {
    match handle.await {
        Ok(done) => Ok(done),
        Err(e) if e.is_panic() => std::panic::resume_unwind(e.into_panic()),
        Err(e) => Err(Error::new(crate::ErrorKind::OutOfTime, "runtime", e)),
    }
}
