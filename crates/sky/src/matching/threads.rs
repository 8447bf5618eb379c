//! Work on all threads, or, without the feature `rayon`, on one.

/// Items of a list that are much more work than a hand-over to a thread.
pub(super) const PART: usize = 1 << 14;

/// What two pieces of work give.
#[cfg(not(feature = "rayon"))]
pub(super) fn both<A, B>(first: impl FnOnce() -> A, second: impl FnOnce() -> B) -> (A, B) {
    (first(), second())
}

/// What two pieces of work give.
#[cfg(feature = "rayon")]
pub(super) fn both<A: Send, B: Send>(
    first: impl FnOnce() -> A + Send,
    second: impl FnOnce() -> B + Send,
) -> (A, B) {
    rayon::join(first, second)
}

/// What work on the parts of a list gives, in their order.
#[cfg(not(feature = "rayon"))]
pub(super) fn in_parts<T, U>(list: &[T], work: impl Fn(&[T]) -> U) -> Vec<U> {
    vec![work(list)]
}

/// What work on the parts of a list gives, in their order.
#[cfg(feature = "rayon")]
pub(super) fn in_parts<T: Sync, U: Send>(list: &[T], work: impl Fn(&[T]) -> U + Sync + Send) -> Vec<U> {
    use rayon::prelude::*;
    list.par_chunks(PART).map(work).collect()
}

/// Fills the parts of a list; `fill` learns where a part begins.
#[cfg(not(feature = "rayon"))]
pub(super) fn fill_parts<T>(list: &mut [T], fill: impl Fn(usize, &mut [T])) {
    list.chunks_mut(PART).enumerate().for_each(|(k, part)| fill(k * PART, part));
}

/// Fills the parts of a list; `fill` learns where a part begins.
#[cfg(feature = "rayon")]
pub(super) fn fill_parts<T: Send>(list: &mut [T], fill: impl Fn(usize, &mut [T]) + Sync + Send) {
    use rayon::prelude::*;
    list.par_chunks_mut(PART).enumerate().for_each(|(k, part)| fill(k * PART, part));
}
