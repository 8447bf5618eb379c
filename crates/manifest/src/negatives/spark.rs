//! The order of the published job.

/// Spark's `hash()` of one text and an integer literal, and its absolute value: Murmur3 of 32 bits from seed 42, each
/// column seeding the next. Bytes behind the last whole word are mixed one by one, as signed numbers, which is
/// Spark's own and not what Murmur3 says.
#[inline]
pub(super) fn spark_rank(text: &str, literal: i32) -> i64 {
    let mut h = 42_u32;
    let (words, tail) = text.as_bytes().as_chunks::<4>();
    for word in words {
        h = mix(h, u32::from_le_bytes(*word));
    }
    for &byte in tail {
        h = mix(h, byte as i8 as i32 as u32);
    }
    h = finish(h, text.len() as u32);
    h = finish(mix(h, literal as u32), 4);
    i64::from(h as i32).abs()
}

fn mix(h: u32, word: u32) -> u32 {
    let k = word.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    (h ^ k).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
}

fn finish(h: u32, bytes: u32) -> u32 {
    let mut h = h ^ bytes;
    h = (h ^ (h >> 16)).wrapping_mul(0x85eb_ca6b);
    h = (h ^ (h >> 13)).wrapping_mul(0xc2b2_ae35);
    h ^ (h >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_spark() {
        // F.abs(F.hash("id", F.lit(42))) of Spark 4.0.
        for (id, rank) in RANKS {
            assert_eq!(spark_rank(id, 42), rank, "{id}");
        }
    }

    const RANKS: [(&str, i64); 6] = [
        ("0001m002_17", 954664302),
        ("", 661515993),
        ("a", 1170443716),
        ("3599p885_123456", 411712179),
        ("0001m002_1", 1307550175),
        ("héß✓", 1115665989),
    ];
}
