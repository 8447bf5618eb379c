use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// Calls `work` with 0 to `count` - 1 on so many threads, begun in that order, until it says false.
pub(crate) fn each(threads: usize, count: usize, work: impl Fn(usize) -> bool + Sync) {
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let worker = || {
        while !stop.load(Ordering::Relaxed) {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= count {
                return;
            }
            if !work(i) {
                stop.store(true, Ordering::Relaxed);
            }
        }
    };
    let threads = threads.clamp(1, count.max(1));
    if threads == 1 {
        return worker();
    }
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(worker))));
}

/// As many as the machine has.
pub(crate) fn all() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
