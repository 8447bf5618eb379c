//! Exact samples that do not depend on order, threads or shards.

/// Keeps the `k` items of the smallest hash, ties by the items themselves: a sample of exactly `k` of any number.
///
/// Which items those are depends on nothing but the items: offered in any order, in any number of parts that are
/// [merged](Self::merge), they are the same. An item that is offered twice is kept twice, side by side in the result,
/// where [`Self::into_sorted`] lets the caller see it.
///
/// # Memory
///
/// At most `2 k` items (or 64).
///
/// # Examples
///
/// ```
/// use coaddkit_manifest::{BottomK, SeededHash};
///
/// let hash = SeededHash::new(42);
/// let (mut all, mut even, mut odd) = (BottomK::new(10), BottomK::new(10), BottomK::new(10));
/// for id in 0_i64..1000 {
///     all.offer(hash.int(id), || id);
///     if id % 2 == 0 { even.offer(hash.int(id), || id) } else { odd.offer(hash.int(id), || id) }
/// }
/// odd.merge(even);
/// assert_eq!(odd.into_sorted(), all.into_sorted());
/// ```
#[derive(Clone, Debug)]
pub struct BottomK<T> {
    k: usize,
    /// No item with a greater hash can be in the sample any more.
    limit: u64,
    items: Vec<(u64, T)>,
    offered: u64,
}

impl<T: Ord> BottomK<T> {
    /// A sample of `k`.
    pub fn new(k: usize) -> Self {
        Self { k, limit: if k == 0 { 0 } else { u64::MAX }, items: Vec::new(), offered: 0 }
    }

    /// A sample as it was taken: its items in any order, and how many were offered.
    #[cfg(feature = "fits")]
    pub(crate) fn of(k: usize, mut items: Vec<(u64, T)>, offered: u64) -> Self {
        items.truncate(k);
        Self { items, offered, ..Self::new(k) }
    }

    /// Offers one item; `item` is called only if it may be in the sample.
    #[inline]
    pub fn offer(&mut self, hash: u64, item: impl FnOnce() -> T) {
        self.offered += 1;
        if hash <= self.limit {
            self.push(hash, item());
        }
    }

    fn push(&mut self, hash: u64, item: T) {
        if self.k == 0 {
            return;
        }
        self.items.push((hash, item));
        if self.items.len() >= self.k.saturating_mul(2).max(64) {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        if self.items.len() > self.k && self.k > 0 {
            let (_, last, _) = self.items.select_nth_unstable(self.k - 1);
            self.limit = last.0;
            self.items.truncate(self.k);
        }
    }

    /// Adds the items of another part of the whole.
    pub fn merge(&mut self, other: Self) {
        self.offered = self.offered.saturating_add(other.offered);
        for (hash, item) in other.items {
            if hash <= self.limit {
                self.push(hash, item);
            }
        }
    }

    /// How many were offered, taken or not.
    pub fn offered(&self) -> u64 {
        self.offered
    }

    /// How many are asked for.
    pub fn k(&self) -> usize {
        self.k
    }

    /// The sample in no order, for those who sort by something else anyway.
    pub fn into_unsorted(mut self) -> impl Iterator<Item = T> {
        self.shrink();
        self.items.into_iter().map(|(_, item)| item)
    }

    /// The sample with its hashes, in ascending order.
    pub fn into_sorted(mut self) -> Vec<(u64, T)> {
        self.shrink();
        self.items.sort_unstable();
        self.items
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_items_and_too_few() {
        let mut none = BottomK::new(0);
        none.offer(0, || 1);
        assert_eq!((none.offered(), none.into_sorted()), (1, vec![]));
        let mut few = BottomK::new(100);
        few.offer(7, || 'b');
        few.offer(7, || 'a');
        assert_eq!(few.into_sorted(), [(7, 'a'), (7, 'b')]);
    }

    proptest! {
        // Few different hashes, so that ties at the limit are the rule.
        #[test]
        fn order_and_parts_change_nothing(
            mut items in prop::collection::vec((0_u64..9, 0_u32..1000), 0..300),
            k in 0_usize..80,
            parts in 1_usize..7,
            seed in any::<u64>(),
        ) {
            let mut sorted = items.clone();
            sorted.sort_unstable();
            sorted.truncate(k);
            let mut rng = coaddkit_testkit::Rng::new(seed);
            for i in (1..items.len()).rev() {
                items.swap(i, rng.below(i as u32 + 1) as usize);
            }
            let mut shards = vec![BottomK::new(k); parts];
            for (i, (hash, item)) in items.iter().enumerate() {
                shards[i % parts].offer(*hash, || *item);
            }
            let mut whole = shards.pop().unwrap();
            for shard in shards {
                whole.merge(shard);
            }
            prop_assert_eq!(whole.offered(), items.len() as u64);
            prop_assert_eq!(whole.into_sorted(), sorted);
        }
    }
}
