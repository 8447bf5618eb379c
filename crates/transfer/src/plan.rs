use std::collections::HashSet;
use std::path::Path;

use crate::{Digest, Error, Source};

/// One file to move: from where, to which name, and what is known of it beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    source: Source,
    destination: Box<str>,
    /// What is known of the file beforehand.
    pub expect: Expect,
}

/// What is known of a file beforehand; what comes and differs is not published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expect {
    /// Its length in bytes.
    pub bytes: Option<u64>,
    /// Its digest.
    pub digest: Option<Box<Digest>>,
}

impl Item {
    /// A file and its name below the destination: parts joined by `/`.
    ///
    /// # Errors
    ///
    /// The source is no address of a kind that is known, or the name leaves the destination (`..`, `/x`).
    pub fn new(source: &str, destination: &str) -> Result<Self, Error> {
        let source: Source = source.parse()?;
        name(destination)?;
        Ok(Self { source, destination: destination.into(), expect: Expect::default() })
    }

    /// A file that keeps its name.
    ///
    /// # Errors
    ///
    /// As [`Item::new`], or the address ends with a slash.
    pub fn named(source: &str) -> Result<Self, Error> {
        let parsed: Source = source.parse()?;
        Self::new(source, &parsed.name()?)
    }

    /// A file of this machine.
    ///
    /// # Errors
    ///
    /// As [`Item::new`], or the path is not UTF-8.
    pub fn file(path: &Path, destination: &str) -> Result<Self, Error> {
        name(destination)?;
        Ok(Self { source: Source::file(path)?, destination: destination.into(), expect: Expect::default() })
    }

    /// With a length that it must have.
    #[must_use]
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.expect.bytes = Some(bytes);
        self
    }

    /// With a digest that it must have.
    #[must_use]
    pub fn digest(mut self, digest: Digest) -> Self {
        self.expect.digest = Some(Box::new(digest));
        self
    }

    /// Where it comes from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Its name below the destination.
    pub fn destination(&self) -> &str {
        &self.destination
    }
}

fn name(destination: &str) -> Result<(), Error> {
    let wrong = |what| Err(Error::usage(format!("{destination:?}"), what));
    for part in destination.split('/') {
        match part {
            "" => return wrong("a name has no empty parts and does not begin or end with /"),
            "." | ".." => return wrong("a name does not leave the destination"),
            _ if part.contains(['\\', '\0', '\n', '\r']) => return wrong("a name holds no such character"),
            _ => {}
        }
    }
    Ok(())
}

/// The files of a run, each under its own name.
///
/// An item takes about 60 bytes and its two names: 1.3 million files are about 300 MB.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    items: Vec<Item>,
}

impl Plan {
    /// A plan of these files, in the order in which they shall be fetched.
    ///
    /// # Errors
    ///
    /// Two files have the same name at the destination.
    pub fn new(items: impl IntoIterator<Item = Item>) -> Result<Self, Error> {
        let items: Vec<Item> = items.into_iter().collect();
        if u32::try_from(items.len()).is_err() {
            return Err(Error::usage("plan", "more than 2^32 - 1 files"));
        }
        let mut names = HashSet::with_capacity(items.len());
        if let Some(twice) = items.iter().find(|item| !names.insert(&*item.destination)) {
            return Err(Error::usage(&twice.destination, "two files of the plan have this name"));
        }
        drop(names);
        Ok(Self { items })
    }

    /// A plan of addresses; the files keep their names.
    ///
    /// # Errors
    ///
    /// As [`Item::named`] and [`Plan::new`].
    pub fn of_addresses<S: AsRef<str>>(addresses: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        let items: Result<Vec<Item>, Error> =
            addresses.into_iter().map(|address| Item::named(address.as_ref())).collect();
        Self::new(items?)
    }

    /// The files.
    pub fn items(&self) -> &[Item] {
        &self.items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_below_the_destination() {
        for good in ["a", "a/b.fits.fz", ".hidden", "a b/ü"] {
            assert!(Item::new("http://a.org/x", good).is_ok(), "{good}");
        }
        for bad in ["", "/a", "a/", "a//b", "../a", "a/../b", ".", "a\\b", "a\nb"] {
            assert!(Item::new("http://a.org/x", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_stands_once() {
        let error = Plan::of_addresses(["http://a.org/x", "http://b.org/x"]).unwrap_err();
        assert_eq!(error.to_string(), "x: two files of the plan have this name");
    }
}
