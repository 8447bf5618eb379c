//! Whether what is in the cache is whole.

use crate::bricks::BrickList;
use crate::cutter::image_hdu;
use crate::error::CacheError;
use crate::layout::{FileSet, Product};
use crate::marker::Marker;
use crate::state::{BrickRecord, BrickState};
use crate::store::{CoaddCache, Listing};
use crate::tally::Tally;
use coaddkit_fits::{Finding, Fits, Level, ReadAt, Severity};
use coaddkit_sky::BrickName;
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::fmt;

/// Looks at every file of every brick that is asked for, and says what is missing and what is wrong.
///
/// # Levels
///
/// | level | what is looked at | of each file |
/// |---|---|---|
/// | [`Level::Size`] | lists only | it is there, and as long as its marker says |
/// | [`Level::Structure`] | the file | every HDU is there with all its bytes, and makes sense |
/// | [`Level::Checksum`] | the file | CHECKSUM and DATASUM match, and the SHA-256 of the marker |
/// | [`Level::Pixels`] | the file | every pixel decodes |
///
/// Each level includes those before it.
///
/// # Examples
///
/// ```no_run
/// use coaddkit_cache::{Band, BrickList, CoaddCache, FileSet, Fill, Level, Verify};
/// use coaddkit_transfer::Destination;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cache = CoaddCache::new(Destination::folder("coadd_cache"))?;
/// let (files, bricks) = (FileSet::new([Band::R])?, BrickList::named("0001m002")?);
/// let found = Verify::new(files.clone(), Level::Checksum).run(&cache, &bricks, &|_| {})?;
/// // Fetch what is damaged again, with what is missing.
/// let damaged = found.problems.iter().map(|problem| (problem.brick, problem.product));
/// Fill::new(&cache, files, "https://portal.example.org/coadd").again(damaged).run(&bricks, &())?;
/// # Ok(())
/// # }
/// ```
#[must_use]
#[derive(Clone, Debug)]
pub struct Verify {
    files: FileSet,
    level: Level,
}

/// Something wrong with a file in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileProblem {
    /// Its brick.
    pub brick: BrickName,
    /// The file.
    pub product: Product,
    /// The level that found it.
    pub level: Level,
    /// The HDU, from 0.
    pub hdu: Option<usize>,
    /// The byte of the file.
    pub offset: Option<u64>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.product.file_name(self.brick))?;
        place(f, self.hdu, self.offset)?;
        f.write_str(&self.what)
    }
}

/// What [`Verify`] found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Verified {
    /// The level it looked at.
    pub level: Level,
    /// A row for every brick asked for, in their order.
    pub records: Vec<BrickRecord>,
    /// Everything that is wrong with files that are there.
    pub problems: Vec<FileProblem>,
    /// Bricks in the cache that were not asked for.
    pub extra: Vec<BrickName>,
    /// Bytes that were read.
    pub bytes_read: u64,
}

impl Verify {
    /// Looks for these files, at this level.
    pub fn new(files: FileSet, level: Level) -> Self {
        Self { files, level }
    }

    /// Looks at the cache. `done` is told of each brick as it ends.
    ///
    /// A brick is `complete` if all its files are there and fine, `partial` if some are missing, `absent` if all are,
    /// and `failed` if one is damaged or could not be read now. Whether the origin has what is missing is not asked.
    ///
    /// # Errors
    ///
    /// [`CacheError::Store`] if the cache cannot be listed.
    pub fn run(
        &self,
        cache: &CoaddCache,
        bricks: &BrickList,
        done: &(dyn Fn(&BrickRecord) + Sync),
    ) -> Result<Verified, CacheError> {
        let contents = cache.block_on(cache.list(bricks.bricks()))?;
        let cached = cache.bricks()?;
        let empty = Listing::default();
        let looked: Vec<Looked> = bricks
            .bricks()
            .par_iter()
            .map(|&brick| {
                let looked = self.brick(cache, brick, contents.get(&brick).unwrap_or(&empty));
                done(&looked.record);
                looked
            })
            .collect();
        Ok(self.collect(looked, cached, bricks))
    }

    fn collect(&self, looked: Vec<Looked>, cached: Vec<BrickName>, bricks: &BrickList) -> Verified {
        let asked: BTreeSet<_> = bricks.bricks().iter().collect();
        let extra = cached.into_iter().filter(|brick| !asked.contains(brick)).collect();
        let bytes_read = looked.iter().map(|one| one.bytes_read).sum();
        let (mut records, mut problems) = (Vec::with_capacity(looked.len()), Vec::new());
        for one in looked {
            records.push(one.record);
            problems.extend(one.problems);
        }
        Verified { level: self.level, records, problems, extra, bytes_read }
    }

    fn brick(&self, cache: &CoaddCache, brick: BrickName, listing: &Listing) -> Looked {
        let mut tally = Tally::new(cache, brick);
        let mut looked = Vec::new();
        let mut bytes_read = 0;
        let marker = match listing.marker {
            Some(_) => cache.block_on(cache.marker(brick)),
            None => Ok(None),
        };
        let marker = marker.unwrap_or_else(|e| {
            tally.fail(BrickState::Failed, e.to_string());
            None
        });
        for &product in self.files.products() {
            let name = product.file_name(brick);
            let Some(&size) = listing.files.get(&name) else {
                tally.missing(product);
                continue;
            };
            tally.present(size);
            let flaws = self.file(cache, brick, product, size, marker.as_ref(), &mut bytes_read);
            if let Some(first) = flaws.first() {
                tally.fail(BrickState::Failed, format!("{name}: {first}"));
            }
            looked.extend(flaws.into_iter().map(|Flaw { level, hdu, offset, what }| FileProblem {
                brick,
                product,
                level,
                hdu,
                offset,
                what,
            }));
        }
        if listing.marker.is_none() && tally.is_complete() {
            tally.fail(BrickState::Failed, "all files are there, but the marker is not".to_owned());
        }
        Looked { record: tally.record(), problems: looked, bytes_read }
    }

    /// What is wrong with a file that is there.
    fn file(
        &self,
        cache: &CoaddCache,
        brick: BrickName,
        product: Product,
        size: u64,
        marker: Option<&Marker>,
        bytes_read: &mut u64,
    ) -> Vec<Flaw> {
        let name = product.file_name(brick);
        let promised = marker.and_then(|marker| marker.file(&name));
        let wrong_size = match promised {
            Some(promised) if promised.bytes != size => {
                Some(format!("it has {size} bytes, the marker says {}", promised.bytes))
            }
            _ if size == 0 => Some("it is empty".to_owned()),
            _ => None,
        };
        if let Some(what) = wrong_size {
            return vec![Flaw { offset: Some(size), ..Flaw::of_file(what) }];
        }
        if self.level == Level::Size {
            return Vec::new();
        }
        let bytes = match cache.get(brick, &name) {
            Ok(bytes) => bytes,
            Err(e) => return vec![Flaw::of_file(e.to_string())],
        };
        *bytes_read += bytes.len() as u64;
        let mut found = Vec::new();
        if let Some(promised) = promised
            && self.level >= Level::Checksum
            && !promised.is_of(&bytes)
        {
            let what = "its SHA-256 is not that of the marker".to_owned();
            found.push(Flaw { level: Level::Checksum, ..Flaw::of_file(what) });
        }
        found.extend(flaws(Vec::from(bytes), self.level));
        found
    }
}

struct Looked {
    record: BrickRecord,
    problems: Vec<FileProblem>,
    bytes_read: u64,
}

/// Something wrong with the bytes of a file.
#[derive(Debug)]
pub(crate) struct Flaw {
    level: Level,
    hdu: Option<usize>,
    offset: Option<u64>,
    what: String,
}

impl Flaw {
    fn of_file(what: String) -> Self {
        Self { level: Level::Size, hdu: None, offset: None, what }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        place(f, self.hdu, self.offset)?;
        f.write_str(&self.what)
    }
}

/// `HDU 1, byte 5760: `, as far as it is known.
fn place(f: &mut fmt::Formatter<'_>, hdu: Option<usize>, offset: Option<u64>) -> fmt::Result {
    if let Some(hdu) = hdu {
        write!(f, "HDU {hdu}, ")?;
    }
    offset.map_or(Ok(()), |offset| write!(f, "byte {offset}: "))
}

/// What is wrong with a FITS file. Its HDUs have to reach to its last byte, and one of them has to have pixels: a
/// file that was cut after its primary header is whole as far as the standard goes.
pub(crate) fn flaws(source: impl ReadAt + 'static, level: Level) -> Vec<Flaw> {
    let found = Fits::from_source(source).and_then(|fits| Ok((fits.verify(level)?, has_pixels(&fits))));
    let (findings, has_pixels) = match found {
        Ok(found) => found,
        Err(e) => return vec![Flaw::of_file(e.to_string())],
    };
    let bad = |finding: &Finding| finding.severity == Severity::Error || finding.level == Level::Size;
    let flaw = |f: Finding| Flaw { level: f.level, hdu: f.hdu, offset: f.offset, what: f.what };
    let mut flaws: Vec<Flaw> = findings.into_iter().filter(bad).map(flaw).collect();
    if flaws.is_empty() && !has_pixels {
        flaws.push(Flaw::of_file("there are no pixels in it".to_owned()));
    }
    flaws
}

fn has_pixels(fits: &Fits) -> bool {
    image_hdu(fits).is_ok_and(|hdu| !hdu.shape().is_empty() && !hdu.shape().contains(&0))
}
