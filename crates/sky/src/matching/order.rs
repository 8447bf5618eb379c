//! Many positions in an order in which neighbours follow one another.

/// An index with the key by which it is sorted: 32 bits each, the key above.
pub(super) type Keyed = u64;

#[inline]
pub(super) const fn keyed(key: u32, index: u32) -> Keyed {
    (key as u64) << 32 | index as u64
}

#[inline]
pub(super) const fn key(keyed: Keyed) -> u32 {
    (keyed >> 32) as u32
}

#[inline]
pub(super) const fn index(keyed: Keyed) -> u32 {
    keyed as u32
}

/// Sorted by keys of so many bits, those of the same key in the order in which they came.
pub(super) fn sort(mut list: Vec<Keyed>, bits: u32) -> Vec<Keyed> {
    /// Two thousand places to write to stay in the nearest caches.
    const MOST: u32 = 11;
    let passes = bits.div_ceil(MOST);
    let digit = bits.div_ceil(passes.max(1));
    let mask = (1 << digit) - 1;
    let place = |keyed: Keyed, pass: u32| (keyed >> (32 + pass * digit)) as usize & mask;
    let mut other = vec![0; list.len()];
    for pass in 0..passes {
        let mut next = vec![0_u32; mask + 1];
        for &keyed in &list {
            next[place(keyed, pass)] += 1;
        }
        starts(&mut next);
        for &keyed in &list {
            let slot = &mut next[place(keyed, pass)];
            other[*slot as usize] = keyed;
            *slot += 1;
        }
        std::mem::swap(&mut list, &mut other);
    }
    list
}

/// Counts made the sums of those before them.
pub(super) fn starts(counts: &mut [u32]) {
    let mut sum = 0;
    for count in counts {
        sum += std::mem::replace(count, sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_and_stable() {
        for bits in [0, 1, 5, 11, 12, 22, 23, 32] {
            let mut state = 1_u64;
            let mut random = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 32) as u32
            };
            // Many keys more than once: those of few bits, and at even places the one before.
            let mut last = 0;
            let list: Vec<Keyed> = (0..5_000)
                .map(|i| {
                    if i % 2 == 1 {
                        last = random().checked_shr(32 - bits).unwrap_or(0);
                    }
                    keyed(last, i)
                })
                .collect();
            let mut expected = list.clone();
            expected.sort_by_key(|&one| key(one));
            assert_eq!(sort(list, bits), expected, "{bits}");
        }
    }
}
