//! Whether what is in the cache is whole.

use crate::bricks::BrickList;
use crate::cutter::image_hdu;
use crate::error::CacheError;
use crate::layout::{FileSet, Product};
use crate::marker::Marker;
use crate::parts::Places;
use crate::state::{BrickRecord, BrickState};
use crate::store::{CoaddCache, Listing};
use crate::tally::Tally;
use coaddkit_fits::{Finding, Fits, Level, ReadAt, Severity};
use coaddkit_sky::BrickName;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FileProblem {
    /// Its brick.
    #[serde(with = "crate::parts::text")]
    pub brick: BrickName,
    /// The file.
    #[serde(with = "crate::parts::text")]
    pub product: Product,
    /// The level that found it.
    #[serde(with = "crate::parts::level")]
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

/// What [`Verify`] found. It can be kept as text (`serde`), so that the parts of a list may be looked at by several
/// processes, and [merged](Self::merge).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Verified {
    /// The level it looked at.
    #[serde(with = "crate::parts::level")]
    pub level: Level,
    /// A row for every brick asked for, in their order.
    pub records: Vec<BrickRecord>,
    /// Everything that is wrong with files that are there.
    pub problems: Vec<FileProblem>,
    /// Bricks in the cache that were not asked for.
    #[serde(with = "crate::parts::text::list")]
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
        let extra = cache.extra(bricks)?;
        Ok(Verified { extra, ..self.look(cache, bricks, done)? })
    }

    /// Looks at a part of what is asked for, and not for bricks that were not, which only the whole list can say:
    /// [`CoaddCache::extra`].
    ///
    /// # Errors
    ///
    /// As [`Self::run`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use coaddkit_cache::{Band, BrickList, CoaddCache, FileSet, Level, Verified, Verify};
    /// use coaddkit_transfer::Destination;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let cache = CoaddCache::new(Destination::folder("coadd_cache"))?;
    /// let bricks = BrickList::read("survey-bricks.fits.gz".as_ref())?;
    /// let verify = Verify::new(FileSet::new([Band::R])?, Level::Checksum);
    /// // Each in a process of its own, which keeps as text what it found.
    /// let parts = bricks.chunks(1000).map(|part| verify.look(&cache, &part, &|_| {}));
    /// // And when all have ended, in one of them.
    /// let mut found = Verified::merge(&bricks, parts.collect::<Result<Vec<_>, _>>()?)?;
    /// found.extra = cache.extra(&bricks)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn look(
        &self,
        cache: &CoaddCache,
        bricks: &BrickList,
        done: &(dyn Fn(&BrickRecord) + Sync),
    ) -> Result<Verified, CacheError> {
        let contents = cache.block_on(cache.list(bricks.bricks()))?;
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
        let bytes_read = looked.iter().map(|one| one.bytes_read).sum();
        let (mut records, mut problems) = (Vec::with_capacity(looked.len()), Vec::new());
        for one in looked {
            records.push(one.record);
            problems.extend(one.problems);
        }
        Ok(Verified { level: self.level, records, problems, extra: Vec::new(), bytes_read })
    }

    fn brick(&self, cache: &CoaddCache, brick: BrickName, listing: &Listing) -> Looked {
        let mut tally = Tally::new(cache, brick);
        let mut looked = Vec::new();
        let mut bytes_read = 0;
        if let Some(trouble) = &listing.trouble {
            self.files.products().iter().for_each(|&product| tally.missing(product));
            tally.fail(BrickState::Failed, trouble.clone());
            return Looked { record: tally.record(), problems: Vec::new(), bytes_read };
        }
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
        if tally.is_complete()
            && let Some(why) = not_vouched(brick, &self.files, listing, marker.as_ref())
        {
            tally.fail(BrickState::Failed, why);
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

impl Verified {
    /// What a single run over the list would have found, from what was found in its parts, in whatever order they come.
    /// Its level is the lowest of theirs; [`Self::extra`] is left to [`CoaddCache::extra`].
    ///
    /// # Errors
    ///
    /// [`CacheError::Parts`] if a brick of the list is in no part or in two, or one is not in the list.
    pub fn merge(bricks: &BrickList, parts: impl IntoIterator<Item = Self>) -> Result<Self, CacheError> {
        let places = Places::of(bricks);
        let (mut level, mut bytes_read) = (None, 0_u64);
        let (mut records, mut problems) = (Vec::new(), Vec::new());
        for part in parts {
            level = Some(level.unwrap_or(part.level).min(part.level));
            bytes_read = bytes_read.saturating_add(part.bytes_read);
            records.extend(part.records.into_iter().map(|record| (record.brick, record)));
            for problem in part.problems {
                problems.push((places.find(problem.brick)?, problem));
            }
        }
        // Of a brick they stay in their order.
        problems.sort_by_key(|(place, _)| *place);
        Ok(Self {
            level: level.unwrap_or(Level::Size),
            records: places.sort(bricks, records)?,
            problems: problems.into_iter().map(|(_, problem)| problem).collect(),
            extra: Vec::new(),
            bytes_read,
        })
    }
}

/// Why a brick whose files are all there is not complete: nobody says that they are the right ones.
fn not_vouched(
    brick: BrickName,
    files: &FileSet,
    listing: &Listing,
    marker: Option<&Marker>,
) -> Option<String> {
    if listing.marker.is_none() {
        return Some("all files are there, but the marker is not".to_owned());
    }
    let marker = marker?;
    let mut names = files.products().iter().map(|product| product.file_name(brick));
    if let Some(name) = names.find(|name| marker.file(name).is_none()) {
        return Some(format!("the marker does not name {name}"));
    }
    let lost = marker.files.iter().find(|file| !listing.files.contains_key(&file.name))?;
    Some(format!("the marker names {}, which is not there", lost.name))
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
