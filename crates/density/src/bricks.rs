use std::collections::HashMap;

/// Objects per brick name. Sweeps are mostly ordered by brick, so equal names come in runs.
#[derive(Debug, Default)]
pub(crate) struct BrickTally {
    counts: HashMap<Box<[u8]>, u64>,
    run: Vec<u8>,
    run_length: u64,
}

impl BrickTally {
    /// Counts one object; an impossible name comes back as the error.
    #[inline]
    pub(crate) fn add<'a>(&mut self, name: &'a [u8]) -> Result<(), &'a [u8]> {
        if self.run_length == 0 || self.run != name {
            if !is_name(name) {
                return Err(name);
            }
            self.end_run();
            self.run.clear();
            self.run.extend_from_slice(name);
        }
        self.run_length += 1;
        Ok(())
    }

    fn end_run(&mut self) {
        if self.run_length > 0 {
            match self.counts.get_mut(self.run.as_slice()) {
                Some(n) => *n += self.run_length,
                None => _ = self.counts.insert(self.run.as_slice().into(), self.run_length),
            }
            self.run_length = 0;
        }
    }

    pub(crate) fn merge(&mut self, mut other: Self) {
        other.end_run();
        for (name, n) in other.counts {
            *self.counts.entry(name).or_default() += n;
        }
    }

    pub(crate) fn into_counts(mut self) -> impl Iterator<Item = (String, u64)> {
        self.end_run();
        // Names are ASCII, see `is_name`.
        self.counts.into_iter().map(|(name, n)| (name.iter().map(|&b| char::from(b)).collect(), n))
    }
}

/// Legacy Survey names are `0001m002`, other surveys have others; what a CSV cannot carry unquoted is damage.
fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|b| b.is_ascii_graphic() && !matches!(b, b',' | b'"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_add_up_across_interruptions_and_parts() {
        let mut a = BrickTally::default();
        for name in [b"0001m002", b"0001m002", b"0004p000", b"0001m002"] {
            a.add(name).unwrap();
        }
        let mut b = BrickTally::default();
        b.add(b"0004p000").unwrap();
        a.merge(b);
        a.add(b"0004p000").unwrap();
        let mut counts: Vec<_> = a.into_counts().collect();
        counts.sort();
        assert_eq!(counts, [("0001m002".to_owned(), 3), ("0004p000".to_owned(), 3)]);
    }

    #[test]
    fn impossible_names_are_refused() {
        let mut tally = BrickTally::default();
        for name in [&b""[..], b"a,b", b"a\"b", b"a b", b"\xff", b"a\n"] {
            assert_eq!(tally.add(name), Err(name));
        }
        assert_eq!(tally.into_counts().count(), 0);
    }
}
