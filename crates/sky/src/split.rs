//! Training, validation and test sets by place on the sky.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::error::within;
use crate::{Error, Healpix, HealpixCell, Keep, MatchRule, SkyCoord, crossmatch};

/// One of the three sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subset {
    /// To train on.
    Train,
    /// To choose by.
    Val,
    /// To judge by.
    Test,
}

impl Subset {
    /// `train`, `val` or `test`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Subset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// In which order the three sets take their shares of the unit interval.
///
/// Both give the same shares to different cells. They were published under one configuration: say which you use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SplitOrder {
    /// train, val, test.
    #[default]
    TrainValTest,
    /// test, train, val: that of an older version, which went through the names in alphabetical order.
    Alphabetical,
}

/// Training, validation and test sets by HEALPix cell, so that neighbours on the sky stay together.
///
/// The hash of a cell is the first four bytes, big-endian, of the SHA-256 of the text `{number}_{seed}`, with the
/// number of the cell in the nested scheme. Divided by `2^32` it falls into the share of one set.
///
/// # Examples
///
/// ```
/// use coaddkit_sky::{Healpix, Split, SplitOrder, Subset};
///
/// let split = Split::new(Healpix::from_nside(128)?, 42, [0.70, 0.15, 0.15], SplitOrder::TrainValTest)?;
/// let cell = split.grid().cell(12_345)?;
/// assert_eq!(split.hash(cell)?, 0xeb1a_afab);
/// assert_eq!(split.subset(cell)?, Subset::Test);
/// # Ok::<(), coaddkit_sky::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split {
    grid: Healpix,
    seed: i64,
    /// The end of each set's share; the last takes the rest.
    ends: [(Subset, f64); 3],
}

impl Split {
    /// A split with shares of train, val and test, which sum up to 1 within 1e-9.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] or [`Error::OutOfRange`] for a share that is not 0 to 1, or a sum that is not 1.
    pub fn new(grid: Healpix, seed: i64, shares: [f64; 3], order: SplitOrder) -> Result<Self, Error> {
        for share in shares {
            within("share of a split", share, 0.0, 1.0)?;
        }
        let [train, val, test] = shares;
        within("sum of the shares of a split", train + val + test, 1.0 - 1e-9, 1.0 + 1e-9)?;
        let mut ends = match order {
            SplitOrder::TrainValTest => [(Subset::Train, train), (Subset::Val, val), (Subset::Test, test)],
            SplitOrder::Alphabetical => [(Subset::Test, test), (Subset::Train, train), (Subset::Val, val)],
        };
        let mut sum = 0.0;
        for (_, end) in &mut ends {
            sum += *end;
            *end = sum;
        }
        Ok(Self { grid, seed, ends })
    }

    /// The cells that are kept together.
    pub const fn grid(&self) -> Healpix {
        self.grid
    }

    /// The hash of a cell.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] for a cell that is coarser than those of the split; a finer one has the hash of the cell it
    /// lies in.
    pub fn hash(&self, cell: HealpixCell) -> Result<u32, Error> {
        let (order, min) = (cell.order().into(), self.grid.order().into());
        let out =
            Error::OutOfRange { what: "HEALPix order of a cell to split by", value: order, min, max: 29.0 };
        Ok(self.hash_of(cell.at_order(self.grid.order()).ok_or(out)?))
    }

    /// The set of a cell.
    ///
    /// # Errors
    ///
    /// As [`hash`](Self::hash).
    pub fn subset(&self, cell: HealpixCell) -> Result<Subset, Error> {
        Ok(self.subset_of_hash(self.hash(cell)?))
    }

    /// The set of a position.
    pub fn subset_at(&self, position: SkyCoord) -> Subset {
        self.subset_of_hash(self.hash_of(self.grid.locate(position)))
    }

    fn hash_of(&self, cell: HealpixCell) -> u32 {
        let digest = Sha256::digest(format!("{}_{}", cell.index(), self.seed));
        u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
    }

    fn subset_of_hash(&self, hash: u32) -> Subset {
        let fraction = f64::from(hash) / 4_294_967_296.0;
        let [first, second, (last, _)] = self.ends;
        [first, second].iter().find(|(_, end)| fraction < *end).map_or(last, |&(subset, _)| subset)
    }
}

/// What [`find_leaks`] found.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Leaks {
    /// Cells with positions of different sets, ascending.
    pub cells: Vec<HealpixCell>,
    /// Pairs of positions of different sets within the radius, by index, the smaller first; ascending.
    pub pairs: Vec<[u32; 2]>,
}

impl Leaks {
    /// Whether nothing leaks.
    pub const fn is_empty(&self) -> bool {
        self.cells.is_empty() && self.pairs.is_empty()
    }
}

/// Cells that span two sets and, with a radius, pairs that do: whatever made the sets, a hash, a table or a merger of
/// both. Cells alone do not keep neighbours apart, for every cell has an edge.
///
/// # Units
///
/// `radius_arcsec` is in arcseconds.
///
/// # Shape
///
/// `labels` has the set of each position; anything that can be compared will do.
///
/// # Errors
///
/// [`Error::LengthMismatch`] unless the slices have the same length; [`crossmatch`]'s errors for the radius.
///
/// # Examples
///
/// ```
/// use coaddkit_sky::{Healpix, SkyCoord, Subset, find_leaks};
///
/// let at = |ra, dec| SkyCoord::from_degrees(ra, dec);
/// // On either side of an edge between cells, 3.6 arcseconds apart.
/// let positions = [at(44.9995, 60.0)?, at(45.0, 60.0005)?, at(200.0, 0.0)?];
/// let sets = [Subset::Train, Subset::Test, Subset::Test];
/// let leaks = find_leaks(&positions, &sets, Healpix::from_nside(128)?, Some(5.0))?;
/// assert_eq!(leaks.pairs, [[0, 1]]);
/// # Ok::<(), coaddkit_sky::Error>(())
/// ```
pub fn find_leaks<T: PartialEq>(
    positions: &[SkyCoord],
    labels: &[T],
    grid: Healpix,
    radius_arcsec: Option<f64>,
) -> Result<Leaks, Error> {
    let n = positions.len();
    if labels.len() != n {
        return Err(Error::LengthMismatch { ra: n, dec: n, out: labels.len() });
    }
    let mut located: Vec<(HealpixCell, usize)> =
        positions.iter().map(|&at| grid.locate(at)).zip(0..).collect();
    located.sort_unstable();
    let mixed = |group: &[(HealpixCell, usize)]| group.iter().any(|&(_, i)| labels[i] != labels[group[0].1]);
    let groups = located.chunk_by(|a, b| a.0 == b.0);
    let cells = groups.filter(|group| mixed(group)).map(|group| group[0].0).collect();
    let pairs = match radius_arcsec {
        None => Vec::new(),
        Some(radius_arcsec) => {
            crossmatch(positions, positions, &MatchRule { radius_arcsec, keep: Keep::All })?
                .into_iter()
                .filter(|pair| {
                    pair.left < pair.right && labels[pair.left as usize] != labels[pair.right as usize]
                })
                .map(|pair| [pair.left, pair.right])
                .collect()
        }
    };
    Ok(Leaks { cells, pairs })
}
