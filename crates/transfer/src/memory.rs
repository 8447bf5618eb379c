//! The memory that files under way may take: asked for before a request is sent, so that nobody who holds a
//! connection waits for it.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Bytes of a batch: hashed and written in one go while the next one comes.
pub(crate) const BATCH: usize = 512 << 10;
/// What a file takes that does not stay in memory: the batch that comes, the one being written, and what the HTTP
/// client has read ahead.
const STREAM: u64 = 3 * BATCH as u64;
/// Larger files for object stores wait on disk.
const MOST: u64 = 32 << 20;
const LEAST: u64 = 8 << 20;
const KIB: u64 = 1024;

#[derive(Debug)]
pub(crate) struct Memory {
    /// One permit a KiB.
    free: Semaphore,
    total: u64,
    /// A running mean of lengths, for files of unknown length.
    typical: AtomicU64,
}

/// A file's share.
#[derive(Debug)]
pub(crate) struct Share<'a> {
    memory: &'a Memory,
    permit: SemaphorePermit<'a>,
}

impl Memory {
    pub(crate) fn new(bytes: u64) -> Self {
        let total = bytes.clamp(LEAST, u64::from(u32::MAX) * KIB);
        // Fits, since it was clamped to 2^32 permits at most.
        let free = Semaphore::new(usize::try_from(total / KIB).unwrap_or(Semaphore::MAX_PERMITS));
        Self { free, total, typical: AtomicU64::new(8 << 20) }
    }

    /// For a file that goes to disk as it comes.
    pub(crate) async fn stream(&self) -> Share<'_> {
        self.take(STREAM).await
    }

    /// For a file that waits in memory, of this length if it is known.
    pub(crate) async fn whole(&self, bytes: Option<u64>) -> Share<'_> {
        let bytes = bytes.unwrap_or_else(|| self.typical.load(Ordering::Relaxed) * 5 / 4);
        self.take(if bytes > MOST { STREAM } else { bytes + STREAM }).await
    }

    async fn take(&self, bytes: u64) -> Share<'_> {
        let permits = permits(bytes.min(self.total));
        match self.free.acquire_many(permits).await {
            Ok(permit) => Share { memory: self, permit },
            Err(_) => unreachable!("the semaphore is never closed"),
        }
    }

    pub(crate) fn learn(&self, bytes: u64) {
        let old = self.typical.load(Ordering::Relaxed);
        self.typical.store((old * 7 + bytes.min(MOST)) / 8, Ordering::Relaxed);
    }
}

fn permits(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(KIB)).unwrap_or(u32::MAX)
}

impl Share<'_> {
    /// Whether so many bytes may stay in memory, which is asked for without waiting.
    pub(crate) fn fits(&mut self, bytes: u64) -> bool {
        self.grow(bytes, 0)
    }

    /// As [`Share::fits`], for what is only quicker in memory: half of it stays free for files that wait for a share.
    pub(crate) fn spare(&mut self, bytes: u64) -> bool {
        self.grow(bytes, permits(self.memory.total / 2) as usize)
    }

    fn grow(&mut self, bytes: u64, left: usize) -> bool {
        let wanted = permits(bytes.saturating_add(STREAM).min(self.memory.total)) as usize;
        if bytes > MOST || bytes + STREAM > self.memory.total {
            return false;
        }
        let more = wanted.saturating_sub(self.permit.num_permits());
        if more == 0 {
            return true;
        }
        if self.memory.free.available_permits() < more + left {
            return false;
        }
        match self.memory.free.try_acquire_many(more as u32) {
            Ok(more) => {
                self.permit.merge(more);
                true
            }
            Err(_) => false,
        }
    }

    /// Gives back what is more than a file of this length takes; none for one that goes to disk.
    pub(crate) fn shrink(&mut self, bytes: Option<u64>) {
        let wanted = permits(bytes.unwrap_or(0) + STREAM) as usize;
        let surplus = self.permit.num_permits().saturating_sub(wanted);
        drop(self.permit.split(surplus));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn shares_never_exceed_the_total() {
        let memory = Memory::new(64 << 20);
        let free = || memory.free.available_permits() as u64 * KIB;
        let mut one = memory.whole(Some(20 << 20)).await;
        assert_eq!(free(), (44 << 20) - STREAM);
        assert!(one.fits(30 << 20) && !one.fits((32 << 20) + 1));
        let mut two = memory.whole(Some(20 << 20)).await;
        assert!(!two.fits(32 << 20), "more than there is");
        assert!(two.fits(20 << 20));
        two.shrink(None);
        assert!(one.fits(32 << 20));
        assert!(two.spare(0) && !two.spare(1), "half stays free");
        drop((one, two));
        let mut three = memory.stream().await;
        assert!(three.spare(30 << 20) && !three.spare(32 << 20));
        drop(three);
        assert_eq!(free(), 64 << 20);
        // What is larger than memory does not wait for ever.
        assert!(!Memory::new(0).whole(Some(31 << 20)).await.fits(31 << 20));
    }
}
