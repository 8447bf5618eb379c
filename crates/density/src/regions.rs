//! From bricks and counts to densities and regions.

use std::collections::HashMap;

use coaddkit_sky::{Counted, Region, RegionLimits, Selection, SkyCoord, box_area_deg2, select_regions};

mod input;
mod span;
#[cfg(test)]
pub(crate) mod tests;

pub use input::{BrickRow, Quality};
pub(crate) use span::{RaSpan, ra_span};

/// Densities divide by no less than this area.
const SMALLEST_AREA_DEG2: f64 = 1e-6;

/// Joins counts to bricks, keeps the good bricks, and finds the regions where the counted objects are densest.
///
/// Configure, then [`run`](Self::run). The defaults are those of the published survey ("Phase 1.5"), over the whole
/// sky.
///
/// # Examples
///
/// ```
/// use coaddkit_density::{BrickRow, Regions};
///
/// let brick = |name: &str, ra_deg: f64| BrickRow {
///     brickname: name.into(),
///     ra_deg,
///     dec_deg: 0.0,
///     ra1_deg: ra_deg - 0.125,
///     ra2_deg: ra_deg + 0.125,
///     dec1_deg: -0.125,
///     dec2_deg: 0.125,
///     psfsize_arcsec: [1.4, 1.3, 1.2],
///     psfdepth_mag: [24.9, 24.4, 23.4],
///     ebv_mag: 0.05,
/// };
/// let bricks = vec![brick("1501p000", 150.125), brick("1503p000", 150.375), brick("1801p000", 180.125)];
/// let found = Regions::default().run(bricks, [("1503p000", 12), ("1801p000", 9)])?;
///
/// let primary = found.selection.primary().expect("there are good bricks");
/// assert_eq!(primary.members, [2]);
/// assert_eq!(found.selection.regions.len(), 2);
/// # Ok::<(), coaddkit_density::RegionsError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Regions {
    /// Which bricks are good.
    pub quality: Quality,
    /// Only bricks whose centre lies here, edges included, are looked at.
    pub footprint: Region,
    /// Which regions may be chosen.
    pub limits: RegionLimits,
}

impl Default for Regions {
    fn default() -> Self {
        Self { quality: Quality::default(), footprint: Region::all_sky(), limits: RegionLimits::default() }
    }
}

/// Why bricks and counts cannot be joined.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RegionsError {
    /// A brick is in the table of bricks twice.
    #[error("brick {name} is in the table of bricks twice, in rows {first} and {second}")]
    DuplicateBrick {
        /// Its name.
        name: String,
        /// Row of the first, from 0.
        first: usize,
        /// Row of the second, from 0.
        second: usize,
    },
    /// A brick has two counts.
    #[error("brick {name} has two counts, {first} and {second}")]
    DuplicateCount {
        /// Its name.
        name: String,
        /// The first count.
        first: u64,
        /// The second count.
        second: u64,
    },
    /// The centre or an edge of a brick is no place on the sky.
    #[error("row {row} of the table of bricks, {name}: {source}")]
    BadBrick {
        /// Its name.
        name: String,
        /// Its row, from 0.
        row: usize,
        /// What is wrong with it.
        source: coaddkit_sky::Error,
    },
    /// The limits for regions make no sense.
    #[error(transparent)]
    Limits(coaddkit_sky::Error),
}

/// What became of a brick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrickState {
    /// Its centre lies outside the footprint.
    OutsideFootprint,
    /// It fails a quality cut.
    FailsQuality,
    /// It is good.
    Passes,
}

/// A brick with its count.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct BrickDensity {
    /// The brick as given.
    pub row: BrickRow,
    /// Area on the sphere between its edges, in square degrees.
    pub area_deg2: f64,
    /// Objects counted; 0 for a brick without a count.
    pub count: u64,
    /// Objects per square degree.
    pub density: f64,
    /// What became of it.
    pub state: BrickState,
}

/// How many bricks, and what was counted in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Tally {
    /// Bricks.
    pub bricks: u64,
    /// Bricks in which something was counted.
    pub nonzero: u64,
    /// Objects counted in them.
    pub objects: u64,
}

impl Tally {
    fn add(&mut self, count: u64) {
        self.bricks += 1;
        self.nonzero += u64::from(count > 0);
        // A damaged table of counts can hold any number.
        self.objects = self.objects.saturating_add(count);
    }
}

/// What one quality cut did to the bricks that the cuts before it had left.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CutLoss {
    /// The cut, such as `psfsize_r <= 1.5`.
    pub cut: String,
    /// Bricks that came to it.
    pub given: u64,
    /// Bricks that failed it.
    pub lost: u64,
    /// Of these, bricks whose value is NaN.
    pub lost_nan: u64,
}

/// Bricks with densities, and the regions they form.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RegionsFound {
    /// The configuration.
    pub config: Regions,
    /// All bricks of the table, in its order.
    pub bricks: Vec<BrickDensity>,
    /// All bricks of the table.
    pub all: Tally,
    /// Those in the footprint.
    pub in_footprint: Tally,
    /// Those in the footprint that pass every cut.
    pub passing: Tally,
    /// The cuts in order.
    pub cuts: Vec<CutLoss>,
    /// Regions of the bricks that pass; their members are indices of `bricks`.
    pub selection: Selection,
    /// Counts for bricks that the table does not have, by name. They are in no other number.
    pub unmatched: Vec<(String, u64)>,
}

impl Regions {
    /// Joins `counts` to `bricks` by name and selects regions.
    ///
    /// Bricks without a count have zero objects. Counts without a brick are in [`RegionsFound::unmatched`].
    ///
    /// # Errors
    ///
    /// A name given twice in either table, a brick whose numbers give no position or area, or limits that make no
    /// sense; the error names the brick.
    pub fn run<Name: AsRef<str>>(
        &self,
        bricks: Vec<BrickRow>,
        counts: impl IntoIterator<Item = (Name, u64)>,
    ) -> Result<RegionsFound, RegionsError> {
        let mut counts = by_name(counts)?;
        let mut found = RegionsFound {
            config: self.clone(),
            cuts: self.quality.losses(),
            bricks: Vec::with_capacity(bricks.len()),
            all: Tally::default(),
            in_footprint: Tally::default(),
            passing: Tally::default(),
            selection: select_regions(&[], &self.limits).map_err(RegionsError::Limits)?,
            unmatched: Vec::new(),
        };
        reject_duplicates(&bricks)?;
        let (mut pieces, mut members) = (Vec::new(), Vec::new());
        for (index, row) in bricks.into_iter().enumerate() {
            let count = counts.remove(row.brickname.as_str()).unwrap_or(0);
            let (center, brick) = self.judge(index, row, count, &mut found.cuts)?;
            found.all.add(count);
            if brick.state != BrickState::OutsideFootprint {
                found.in_footprint.add(count);
            }
            if brick.state == BrickState::Passes {
                found.passing.add(count);
                members.push(index);
                pieces.push(Counted { center, area_deg2: brick.area_deg2, weight: count as f64 });
            }
            found.bricks.push(brick);
        }
        found.unmatched = counts.into_iter().collect();
        found.unmatched.sort();
        found.selection = select_regions(&pieces, &self.limits).map_err(RegionsError::Limits)?;
        for member in found.selection.regions.iter_mut().flat_map(|region| &mut region.members) {
            *member = members[*member];
        }
        Ok(found)
    }

    fn judge(
        &self,
        index: usize,
        row: BrickRow,
        count: u64,
        cuts: &mut [CutLoss],
    ) -> Result<(SkyCoord, BrickDensity), RegionsError> {
        let bad = |source| RegionsError::BadBrick { name: row.brickname.clone(), row: index, source };
        let place = |ra, dec| SkyCoord::from_degrees(ra, dec).map_err(bad);
        let center = place(row.ra_deg, row.dec_deg)?;
        place(row.ra1_deg, row.dec1_deg)?;
        place(row.ra2_deg, row.dec2_deg)?;
        // An eastern edge below the western one lies beyond right ascension 0.
        let ra2_deg = if row.ra2_deg < row.ra1_deg { row.ra2_deg + 360.0 } else { row.ra2_deg };
        let area_deg2 = box_area_deg2([row.ra1_deg, ra2_deg], [row.dec1_deg, row.dec2_deg]);
        let state = if !self.footprint.contains(center) {
            BrickState::OutsideFootprint
        } else if self.quality.passes(&row, cuts) {
            BrickState::Passes
        } else {
            BrickState::FailsQuality
        };
        let density = count as f64 / area_deg2.max(SMALLEST_AREA_DEG2);
        Ok((center, BrickDensity { row, area_deg2, count, density, state }))
    }
}

fn by_name<Name: AsRef<str>>(
    counts: impl IntoIterator<Item = (Name, u64)>,
) -> Result<HashMap<String, u64>, RegionsError> {
    let mut named = HashMap::new();
    for (name, second) in counts {
        let name = name.as_ref().to_owned();
        if let Some(first) = named.insert(name.clone(), second) {
            return Err(RegionsError::DuplicateCount { name, first, second });
        }
    }
    Ok(named)
}

fn reject_duplicates(bricks: &[BrickRow]) -> Result<(), RegionsError> {
    let mut rows = HashMap::with_capacity(bricks.len());
    for (index, brick) in bricks.iter().enumerate() {
        if let Some(first) = rows.insert(brick.brickname.as_str(), index) {
            let second = index;
            return Err(RegionsError::DuplicateBrick { name: brick.brickname.clone(), first, second });
        }
    }
    Ok(())
}

impl RegionsFound {
    /// The bricks of the footprint, in the order of the table.
    pub fn in_footprint(&self) -> impl Iterator<Item = &BrickDensity> {
        self.bricks.iter().filter(|brick| brick.state != BrickState::OutsideFootprint)
    }

    /// The good bricks, in the order of the table.
    pub fn passing(&self) -> impl Iterator<Item = &BrickDensity> {
        self.bricks.iter().filter(|brick| brick.state == BrickState::Passes)
    }

    /// Objects counted for bricks that the table does not have.
    pub fn unmatched_objects(&self) -> u64 {
        self.unmatched.iter().fold(0, |sum, &(_, count)| sum.saturating_add(count))
    }
}
