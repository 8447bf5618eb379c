//! What a part of a pool has for a sample, as a value that merges and as bytes.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use super::draw::Ranking;
use crate::{BottomK, SeededHash};

/// Identity and place of a candidate, in this order, so that ties go by identity.
pub(super) type Candidate = (Box<str>, (usize, u64));

/// The galaxies of some files of a pool that may be in a sample: of each stratum those of the smallest rank, at most as
/// many as are asked for.
///
/// The default is that of no files. Merging is associative and commutative. Parts of different draws are not mixed:
/// [`Drawing::finish`](super::Drawing::finish) refuses them, as it refuses what lacks a file or has one twice.
///
/// As bytes a candidate takes six or seven: rows ascend, names share their beginnings, and ranks follow from names.
///
/// # Examples
///
/// ```
/// use coaddkit_manifest::negatives::Ranked;
///
/// let mut bytes = Vec::new();
/// Ranked::default().write(&mut bytes)?;
/// Ranked::read(&mut bytes.as_slice())?;
/// bytes[20] ^= 1;
/// assert!(Ranked::read(&mut bytes.as_slice()).is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Ranked {
    pub(super) of: Of,
    pub(super) rows: u64,
    /// Files of the pool, and how often each was ranked.
    pub(super) files: BTreeMap<usize, u64>,
    pub(super) strata: Vec<Candidates>,
}

/// Which draw it belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Of {
    #[default]
    Nothing,
    One(Key),
    Several,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub ranking: Ranking,
    pub seed: i64,
    /// SHA-256 of all that decides the sample, in hexadecimal digits.
    pub fingerprint: String,
}

#[derive(Clone, Debug)]
pub(super) struct Candidates {
    pub n1: BottomK<Candidate>,
    pub n2: BottomK<Candidate>,
}

impl Candidates {
    fn both(&self) -> [&BottomK<Candidate>; 2] {
        [&self.n1, &self.n2]
    }
}

impl Ranked {
    /// Takes up another part.
    pub fn merge(&mut self, other: Self) {
        match (&self.of, &other.of) {
            (_, Of::Nothing) => {}
            (Of::Nothing, _) => *self = other,
            (Of::One(a), Of::One(b)) if a == b && self.asked().eq(other.asked()) => self.add(other),
            _ => *self = Self { of: Of::Several, ..Self::default() },
        }
    }

    /// How many are asked for, which the same draw has the same of.
    fn asked(&self) -> impl Iterator<Item = usize> {
        self.strata.iter().flat_map(Candidates::both).map(BottomK::k)
    }

    fn add(&mut self, other: Self) {
        self.rows = self.rows.saturating_add(other.rows);
        for (file, times) in other.files {
            let sum = self.files.entry(file).or_default();
            *sum = sum.saturating_add(times);
        }
        for (a, b) in self.strata.iter_mut().zip(other.strata) {
            a.n1.merge(b.n1);
            a.n2.merge(b.n2);
        }
    }

    /// Writes it: the same bytes for the same galaxies.
    ///
    /// # Errors
    ///
    /// What the writer says.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut body = Vec::new();
        match &self.of {
            Of::Nothing => body.push(0),
            Of::Several => body.push(1),
            Of::One(key) => {
                body.extend([2, key.ranking as u8]);
                body.extend(key.seed.to_le_bytes());
                put_text(&mut body, &key.fingerprint);
                put(&mut body, self.rows);
                put(&mut body, self.files.len() as u64);
                for (&file, &times) in &self.files {
                    put(&mut body, file as u64);
                    put(&mut body, times);
                }
                put(&mut body, self.strata.len() as u64);
                self.strata.iter().flat_map(Candidates::both).for_each(|heap| put_heap(&mut body, heap));
            }
        }
        out.write_all(MAGIC)?;
        out.write_all(&(body.len() as u64).to_le_bytes())?;
        out.write_all(&body)?;
        out.write_all(&check(&body))
    }

    /// Reads what [`Self::write`] wrote, and no byte after it.
    ///
    /// # Errors
    ///
    /// What the reader says; [`io::ErrorKind::InvalidData`] for anything else.
    pub fn read(from: &mut dyn Read) -> io::Result<Self> {
        let mut head = [0; 16];
        from.read_exact(&mut head)?;
        let (magic, length) = head.split_at(8);
        if magic != MAGIC {
            return Err(bad("these are no ranked galaxies"));
        }
        let length = u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|i| length[i]));
        // A length that is wrong must not decide how much memory is asked for.
        let mut body = Vec::new();
        if (&mut *from).take(length).read_to_end(&mut body)? as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut sum = [0; 8];
        from.read_exact(&mut sum)?;
        if sum != check(&body) {
            return Err(bad("ranked galaxies are damaged"));
        }
        let mut bytes = Bytes(&body);
        let ranked = bytes.ranked()?;
        if bytes.0.is_empty() { Ok(ranked) } else { Err(bad("there are bytes too many in ranked galaxies")) }
    }
}

const MAGIC: &[u8; 8] = b"ckrank1\n";

/// Letters at the beginning of a name that are not written again. It limits how much more memory names take than bytes.
const SHARED: usize = 64;

fn check(body: &[u8]) -> [u8; 8] {
    SeededHash::new(0).bytes(body).to_le_bytes()
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Seven bits a byte, the lowest first; all but the last byte have the eighth.
fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn put_heap(out: &mut Vec<u8>, heap: &BottomK<Candidate>) {
    put(out, heap.k() as u64);
    put(out, heap.offered());
    let kept = heap.clone().into_unsorted();
    let mut places: Vec<((usize, u64), Box<str>)> = kept.map(|(id, place)| (place, id)).collect();
    places.sort_unstable();
    put(out, places.len() as u64);
    let (mut last, mut before) = ((0, 0), "");
    for (place, id) in &places {
        put(out, (place.0 - last.0) as u64);
        put(out, if place.0 == last.0 { place.1 - last.1 } else { place.1 });
        let same = id.bytes().zip(before.bytes()).take(SHARED).take_while(|(a, b)| a == b).count();
        let same = (0..=same).rev().find(|&at| id.is_char_boundary(at)).unwrap_or(0);
        put(out, same as u64);
        put_text(out, &id[same..]);
        (last, before) = (*place, id);
    }
}

/// What is left to read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> io::Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn number(&mut self) -> io::Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(bad("a number of ranked galaxies is too large"))
    }

    fn size(&mut self) -> io::Result<usize> {
        usize::try_from(self.number()?).map_err(|_| bad("a number of ranked galaxies is too large"))
    }

    fn text(&mut self) -> io::Result<&'a str> {
        let length = self.size()?;
        std::str::from_utf8(self.take(length)?).map_err(|_| bad("a name of ranked galaxies is no text"))
    }

    fn ranked(&mut self) -> io::Result<Ranked> {
        let mut ranked = Ranked::default();
        match self.byte()? {
            0 => return Ok(ranked),
            1 => ranked.of = Of::Several,
            2 => {
                let ranking = match self.byte()? {
                    0 => Ranking::Xxh3,
                    1 => Ranking::SparkMurmur3,
                    _ => return Err(bad("the ranking of ranked galaxies is not known")),
                };
                let seed = self.take(8)?;
                let seed = i64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|i| seed[i]));
                let key = Key { ranking, seed, fingerprint: self.text()?.to_owned() };
                ranked.rows = self.number()?;
                for _ in 0..self.size()? {
                    let file = self.size()?;
                    ranked.files.insert(file, self.number()?);
                }
                for _ in 0..self.size()? {
                    let n1 = self.heap(&key, &ranked.files)?;
                    ranked.strata.push(Candidates { n1, n2: self.heap(&key, &ranked.files)? });
                }
                ranked.of = Of::One(key);
            }
            _ => return Err(bad("these ranked galaxies are of a later version")),
        }
        Ok(ranked)
    }

    fn heap(&mut self, key: &Key, ranked: &BTreeMap<usize, u64>) -> io::Result<BottomK<Candidate>> {
        let (k, offered, count) = (self.size()?, self.number()?, self.size()?);
        if count as u64 != offered.min(k as u64) {
            return Err(bad("a stratum of ranked galaxies has not the number that it says"));
        }
        let mut items: Vec<(u64, Candidate)> = Vec::new();
        let (mut last, mut before) = ((0_usize, 0_u64), Box::<str>::default());
        for _ in 0..count {
            let (files, rows) = (self.size()?, self.number()?);
            let far = || bad("a place of ranked galaxies is in none of their files");
            let file = last.0.checked_add(files).filter(|file| ranked.contains_key(file)).ok_or_else(far)?;
            let row = if files == 0 { last.1.checked_add(rows).ok_or_else(far)? } else { rows };
            let shared = before.get(..self.size()?.min(SHARED + 1)).filter(|text| text.len() <= SHARED);
            let shared = shared.ok_or_else(|| bad("a name of ranked galaxies has no beginning"))?;
            let id: Box<str> = [shared, self.text()?].concat().into();
            let rank = key.ranking.rank(&id, key.seed).map_err(|e| bad(&e.to_string()))?;
            items.push((rank, (id.clone(), (file, row))));
            (last, before) = ((file, row), id);
        }
        Ok(BottomK::of(k, items, offered))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ranked(names: &[(String, usize, u64)], seed: i64, k: usize) -> Ranked {
        let key = Key { ranking: Ranking::SparkMurmur3, seed, fingerprint: "f00".into() };
        let (mut n1, mut n2) = (BottomK::new(k), BottomK::new(2 * k));
        for (id, file, row) in names {
            let heap = if row % 2 == 0 { &mut n1 } else { &mut n2 };
            heap.offer(key.ranking.rank(id, seed).unwrap(), || (id.as_str().into(), (*file, *row)));
        }
        let files = names.iter().map(|(_, file, _)| (*file, 1)).collect();
        Ranked { of: Of::One(key), rows: names.len() as u64, files, strata: vec![Candidates { n1, n2 }] }
    }

    fn bytes(ranked: &Ranked) -> Vec<u8> {
        let mut bytes = Vec::new();
        ranked.write(&mut bytes).unwrap();
        bytes
    }

    proptest! {
        #[test]
        fn bytes_give_back_what_was_written(
            names in prop::collection::vec(("[0-9a-cé_]{0,80}", 0_usize..5, any::<u64>()), 0..200),
            seed in any::<i32>(),
            k in 0_usize..60,
        ) {
            let all = ranked(&names, seed.into(), k);
            let first = bytes(&all);
            let mut more = first.clone();
            more.push(7);
            let mut rest = more.as_slice();
            let again = Ranked::read(&mut rest).unwrap();
            prop_assert_eq!(rest, &[7]);
            prop_assert!(bytes(&again) == first);
            let sorted = |r: Ranked| r.strata.into_iter().map(|c| (c.n1.into_sorted(), c.n2.into_sorted())).collect::<Vec<_>>();
            prop_assert_eq!(again.of.clone(), all.of.clone());
            prop_assert_eq!(sorted(again), sorted(all));
        }

        #[test]
        fn no_bytes_are_read_as_something_else(
            names in prop::collection::vec(("[0-9]{1,6}", 0_usize..3, 0_u64..99), 1..20),
            at in any::<prop::sample::Index>(),
            bit in 0_u32..8,
        ) {
            let mut wrong = bytes(&ranked(&names, 1, 5));
            for length in 0..wrong.len() {
                prop_assert!(Ranked::read(&mut &wrong[..length]).is_err());
            }
            let at = at.index(wrong.len());
            wrong[at] ^= 1 << bit;
            prop_assert!(Ranked::read(&mut wrong.as_slice()).is_err());
        }

        /// Whoever made the sum too must not bring the reader down.
        #[test]
        fn bytes_of_no_writer_are_refused_or_read(mut body in prop::collection::vec(any::<u8>(), 0..300), like in any::<bool>()) {
            if like {
                let head = bytes(&ranked(&[("a".into(), 0, 0)], 1, 5));
                body.splice(0..0, head[16..head.len() - 12].to_vec());
            }
            let framed = [&MAGIC[..], &(body.len() as u64).to_le_bytes(), &body, &check(&body)].concat();
            if let Ok(read) = Ranked::read(&mut framed.as_slice()) {
                let again = bytes(&read);
                prop_assert!(bytes(&Ranked::read(&mut again.as_slice()).unwrap()) == again);
            }
        }
    }

    #[test]
    fn a_length_asks_for_no_memory() {
        let huge = [&MAGIC[..], &u64::MAX.to_le_bytes(), b"few"].concat();
        assert_eq!(Ranked::read(&mut huge.as_slice()).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        // 2⁶⁰ candidates, of which none is there.
        let mut body = vec![2, 0];
        body.extend(7_i64.to_le_bytes());
        put_text(&mut body, "f00");
        [9, 0, 1, 1 << 60, 1 << 60, 1 << 60].into_iter().for_each(|n| put(&mut body, n));
        let framed = [&MAGIC[..], &(body.len() as u64).to_le_bytes(), &body, &check(&body)].concat();
        assert_eq!(Ranked::read(&mut framed.as_slice()).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn places_are_in_files_that_were_ranked() {
        let mut strange = ranked(&[("a".to_owned(), 3, 0)], 1, 5);
        strange.files = BTreeMap::from([(2, 1)]);
        let error = Ranked::read(&mut bytes(&strange).as_slice()).unwrap_err();
        assert_eq!(error.to_string(), "a place of ranked galaxies is in none of their files");
    }

    #[test]
    fn parts_of_different_draws_do_not_mix() {
        let names = [("a".to_owned(), 0, 0), ("b".to_owned(), 1, 1)];
        let (one, other) = (ranked(&names, 1, 5), ranked(&names, 2, 5));
        let mut mixed = one.clone();
        mixed.merge(other.clone());
        assert_eq!(mixed.of, Of::Several);
        mixed.merge(one.clone());
        assert_eq!(bytes(&mixed), bytes(&Ranked { of: Of::Several, ..Ranked::default() }));
        let mut nothing = Ranked::default();
        nothing.merge(one.clone());
        nothing.merge(Ranked::default());
        assert_eq!(bytes(&nothing), bytes(&one));
        let mut fewer = one.clone();
        fewer.merge(ranked(&names, 1, 4));
        assert_eq!(fewer.of, Of::Several);
    }
}
