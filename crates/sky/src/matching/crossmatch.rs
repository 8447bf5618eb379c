//! Pairs of positions from two lists.

use super::layout::Layout;
use super::order::{Keyed, index};
use super::radius_deg;
use super::threads::{both, in_parts};
use super::zones::Zones;
use crate::{Error, SkyCoord};

/// Which pairs to look for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MatchRule {
    /// Largest separation of a pair, included; 0 to 324,000 arcseconds (90 degrees).
    pub radius_arcsec: f64,
    /// Which of the pairs within the radius to keep.
    pub keep: Keep,
}

/// Which of the pairs within the radius a [`MatchRule`] keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// All of them.
    All,
    /// For each position on the left, the nearest so many on the right; of two at the same distance, the one that
    /// comes first in its list.
    Nearest(usize),
}

/// A pair of positions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match {
    /// Index on the left.
    pub left: u32,
    /// Index on the right.
    pub right: u32,
    /// The angle between the two, in arcseconds.
    pub separation_arcsec: f64,
}

/// The pairs of a position on the left and one on the right that a rule asks for.
///
/// Sorted by `left`, then by `right` ([`Keep::All`]) or by separation ([`Keep::Nearest`], ties by `right`): the same
/// bytes for the same input, whatever the number of threads (feature `rayon`).
///
/// Separations are good to a few parts in 1e16 at any distance, at the poles and across right ascension 0, and decide on
/// their own: no approximate cell or box takes part in the answer. A position is a neighbour of itself when a list is
/// matched with itself.
///
/// # Memory
///
/// At most 44 bytes for each position on the right, 16 for each on the left, and 48 for each pair, of which 16 remain.
/// That does not depend on the radius, nor on how the positions spread over the sky.
///
/// # Errors
///
/// [`Error::NotFinite`] or [`Error::OutOfRange`] for the radius, [`Error::TooManyPositions`] for more than `2^32 - 2`
/// positions on either side.
///
/// # Examples
///
/// ```
/// use coaddkit_sky::{Keep, MatchRule, SkyCoord, crossmatch};
///
/// let at = |ra, dec| SkyCoord::from_degrees(ra, dec);
/// let left = [at(0.0, 0.0)?, at(120.0, 89.9999)?];
/// let right = [at(359.9999, 0.0)?, at(300.0, 89.9999)?, at(0.0, 0.0002)?];
///
/// let all = crossmatch(&left, &right, &MatchRule { radius_arcsec: 1.0, keep: Keep::All })?;
/// let pairs: Vec<_> = all.iter().map(|found| (found.left, found.right)).collect();
/// assert_eq!(pairs, [(0, 0), (0, 2), (1, 1)]);
///
/// let nearest = crossmatch(&left, &right, &MatchRule { radius_arcsec: 1.0, keep: Keep::Nearest(1) })?;
/// assert_eq!(nearest.len(), 2);
/// assert!((nearest[0].separation_arcsec - 0.36).abs() < 1e-9);
/// # Ok::<(), coaddkit_sky::Error>(())
/// ```
pub fn crossmatch(left: &[SkyCoord], right: &[SkyCoord], rule: &MatchRule) -> Result<Vec<Match>, Error> {
    let most = u32::MAX as usize - 1;
    if left.len() > most {
        return Err(Error::TooManyPositions { given: left.len(), most });
    }
    let layout = Layout::of(right, radius_deg(rule.radius_arcsec)?)?;
    let (zones, sorted) = both(|| Zones::new(right, layout, left.len()), || layout.sorted(left));
    let parts = in_parts(&sorted, |part| matches_of(&zones, rule.keep, left, part));
    drop(sorted);
    Ok(by_left(left.len(), &parts))
}

/// All matches, sorted by `left`; those of one position are together already, in their order.
fn by_left(count: usize, parts: &[Vec<Match>]) -> Vec<Match> {
    let mut next = vec![0_usize; count + 1];
    for found in parts.iter().flatten() {
        next[found.left as usize + 1] += 1;
    }
    let mut sum = 0;
    for start in &mut next {
        sum += *start;
        *start = sum;
    }
    let mut sorted = vec![Match { left: 0, right: 0, separation_arcsec: 0.0 }; sum];
    for found in parts.iter().flatten() {
        let slot = &mut next[found.left as usize];
        sorted[*slot] = *found;
        *slot += 1;
    }
    sorted
}

fn matches_of(zones: &Zones, keep: Keep, positions: &[SkyCoord], sorted: &[Keyed]) -> Vec<Match> {
    /// Positions fetched at once, so that the memory has many to find at the same time.
    const BLOCK: usize = 256;
    let mut matches = Vec::new();
    let mut near: Vec<(u32, f64)> = Vec::new();
    let mut fetched = Vec::with_capacity(BLOCK);
    for block in sorted.chunks(BLOCK) {
        fetched.clear();
        fetched.extend(block.iter().map(|&keyed| positions[index(keyed) as usize]));
        for (left, position) in block.iter().map(|&keyed| index(keyed)).zip(&fetched) {
            near.clear();
            zones.near(position.ra_deg(), position.dec_deg(), |right, half| {
                near.push((right, half));
                true
            });
            if near.len() > 1 {
                match keep {
                    Keep::All => near.sort_unstable_by_key(|&(right, _)| right),
                    Keep::Nearest(_) => {
                        near.sort_unstable_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
                    }
                }
            }
            if let Keep::Nearest(count) = keep {
                near.truncate(count);
            }
            matches.extend(near.iter().map(|&(right, half)| Match {
                left,
                right,
                separation_arcsec: 2.0 * half.sqrt().asin().to_degrees() * 3600.0,
            }));
        }
    }
    matches
}
