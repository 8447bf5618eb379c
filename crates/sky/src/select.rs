//! Choosing regions by the density of what was counted in their bricks.

use crate::error::finite;
use crate::{Adjacency, Error, SkyCoord};

/// A brick, or any other piece of sky, in which something was counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counted {
    /// Centre.
    pub center: SkyCoord,
    /// Area in square degrees.
    pub area_deg2: f64,
    /// What was counted: a number of objects, or any other additive weight.
    pub weight: f64,
}

/// How [`select_regions`] chooses. The defaults are those of the published survey.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RegionLimits {
    /// Which pieces belong together.
    pub adjacency: Adjacency,
    /// Smallest area of a candidate in square degrees, included. Default 100.
    pub min_area_deg2: f64,
    /// Largest area of a candidate in square degrees, included. Default 400.
    pub max_area_deg2: f64,
    /// When no region lies in that window, this many of the largest are the candidates. Default 3.
    pub fallback: usize,
}

impl Default for RegionLimits {
    fn default() -> Self {
        Self { adjacency: Adjacency::default(), min_area_deg2: 100.0, max_area_deg2: 400.0, fallback: 3 }
    }
}

/// A connected set of pieces.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ConnectedRegion {
    /// Indices of the pieces in the input, ascending.
    pub members: Vec<usize>,
    /// Sum of their areas, in square degrees.
    pub area_deg2: f64,
    /// Sum of their weights.
    pub weight: f64,
    /// Weight per square degree; 0 if the area is 0 or negative.
    pub density: f64,
}

/// Which rule gave the candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SelectionRule {
    /// Their areas lie in the window of the limits.
    AreaWindow,
    /// No area does; they are the largest.
    LargestByArea,
}

/// The regions found, and the candidates in order of preference.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Selection {
    /// All connected regions, ordered by their first member in the input.
    pub regions: Vec<ConnectedRegion>,
    /// Which rule gave the candidates.
    pub rule: SelectionRule,
    /// The candidates as indices of `regions`, densest first.
    pub ranked: Vec<usize>,
}

impl Selection {
    /// The densest candidate; `None` if nothing was given.
    pub fn primary(&self) -> Option<&ConnectedRegion> {
        self.candidate(0)
    }

    /// The second densest, if there is one.
    pub fn backup(&self) -> Option<&ConnectedRegion> {
        self.candidate(1)
    }

    fn candidate(&self, rank: usize) -> Option<&ConnectedRegion> {
        self.ranked.get(rank).and_then(|&region| self.regions.get(region))
    }
}

/// Groups pieces of sky into connected regions and ranks those of a suitable area by density.
///
/// Candidates are the regions whose area lies in the window of `limits`, or, if there are none, the largest few.
/// They are sorted by density, densest first. Among equal densities the region seen first in the input wins;
/// among the largest few, the larger one.
///
/// Sums run in input order, so equal inputs give equal bits.
///
/// # Units
///
/// Square degrees; densities are weight per square degree.
///
/// # Errors
///
/// [`Error::NotFinite`] for an area, a weight or a limit that is no finite number (the window may be open above),
/// [`Error::EmptyRange`] for a window whose ends are swapped.
///
/// # Examples
///
/// ```
/// use coaddkit_sky::{Counted, RegionLimits, SelectionRule, SkyCoord, select_regions};
///
/// let piece = |ra, weight| -> Result<_, coaddkit_sky::Error> {
///     Ok(Counted { center: SkyCoord::from_degrees(ra, 0.0)?, area_deg2: 0.0625, weight })
/// };
/// let pieces = [piece(10.0, 3.0)?, piece(10.25, 5.0)?, piece(20.0, 7.0)?];
/// let selection = select_regions(&pieces, &RegionLimits::default())?;
/// assert_eq!(selection.rule, SelectionRule::LargestByArea);
/// assert_eq!(selection.primary().map(|region| (&region.members[..], region.density)), Some((&[2][..], 112.0)));
/// assert_eq!(selection.backup().map(|region| region.weight), Some(8.0));
/// # Ok::<(), coaddkit_sky::Error>(())
/// ```
pub fn select_regions(pieces: &[Counted], limits: &RegionLimits) -> Result<Selection, Error> {
    let (min, max) = (finite("min_area_deg2", limits.min_area_deg2)?, limits.max_area_deg2);
    if max.is_nan() {
        return Err(Error::NotFinite { what: "max_area_deg2", value: max });
    }
    if min > max {
        return Err(Error::EmptyRange { what: "area_deg2", min, max });
    }
    for piece in pieces {
        finite("area_deg2", piece.area_deg2)?;
        finite("weight", piece.weight)?;
    }
    let centers: Vec<SkyCoord> = pieces.iter().map(|piece| piece.center).collect();
    let regions: Vec<ConnectedRegion> =
        limits.adjacency.components(&centers).iter().map(|members| summarize(pieces, members)).collect();

    let in_window = |&region: &usize| (min..=max).contains(&regions[region].area_deg2);
    let mut ranked: Vec<usize> = (0..regions.len()).filter(in_window).collect();
    let rule = if ranked.is_empty() && !regions.is_empty() {
        ranked = (0..regions.len()).collect();
        // Both sorts are stable: that is the tie rule.
        ranked.sort_by(|&a, &b| regions[b].area_deg2.total_cmp(&regions[a].area_deg2));
        ranked.truncate(limits.fallback);
        SelectionRule::LargestByArea
    } else {
        SelectionRule::AreaWindow
    };
    ranked.sort_by(|&a, &b| regions[b].density.total_cmp(&regions[a].density));
    Ok(Selection { regions, rule, ranked })
}

fn summarize(pieces: &[Counted], members: &[usize]) -> ConnectedRegion {
    // `Sum` of floats starts from -0.0; an empty sum cannot occur here, but -0.0 weights can.
    let sum = |of: fn(&Counted) -> f64| members.iter().fold(0.0, |sum, &member| sum + of(&pieces[member]));
    let (area_deg2, weight) = (sum(|piece| piece.area_deg2), sum(|piece| piece.weight));
    let density = if area_deg2 > 0.0 { weight / area_deg2 } else { 0.0 };
    ConnectedRegion { members: members.to_vec(), area_deg2, weight, density }
}
