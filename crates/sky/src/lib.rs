#![forbid(unsafe_code)]
#![deny(missing_docs)]
//! Sky indexing for surveys: bricks, HEALPix, sky maps, regions, matching, splits, world coordinates and cutouts.
//!
//! # Should I use it?
//!
//! Yes, if you have positions and need the brick, the sweep file, the HEALPix cell, the tract or the pixel they belong
//! to, their neighbours in another list, or the training set they may go into; or if you have an area and need all that
//! touches it. What you get is exact: bricks equal the reference implementation's to the last bit, a
//! [`Coverage`] misses no cell, matches are those of comparing all pairs.
//!
//! Not for proper motion, precession or apparent places: a [`Frame`] turns ICRS to Galactic and ecliptic coordinates of
//! J2000 and back, and no more.
//!
//! # Example
//!
//! ```
//! use coaddkit_sky::{BrickGrid, SkyCoord, SweepName, SweepTiling};
//!
//! let position = SkyCoord::from_degrees(229.344667758, -5.612331961)?;
//!
//! let brick = BrickGrid::legacy().brick_at(position);
//! assert_eq!(brick.name.as_str(), "2293m055");
//! assert_eq!((brick.dec1_deg, brick.dec2_deg), (-5.625, -5.375));
//!
//! let sweep = SweepName::containing(position, SweepTiling::DR10);
//! assert_eq!(sweep.to_string(), "sweep-225m010-230m005.fits");
//! # Ok::<(), coaddkit_sky::Error>(())
//! ```
//!
//! # Which brick is an object's?
//!
//! The one in its catalogue row. **Propagate `BRICKNAME` from the input rather than recompute it from the
//! position**: coadded images are 0.262 degrees wide where bricks are 0.25, so neighbours overlap, and an object
//! near an edge was measured in the image of one brick while later versions of its position may fall in the
//! other. Hence two ways in: [`BrickName`] is parsed from data, [`BrickGrid::locate`] computes.
//!
//! # What touches what
//!
//! A [`Cone`], a [`Region`] (a box, also across right ascension 0), a [`Polygon`] and the [`TractArea`] of a tract or a
//! patch are an [`Area`] each. [`Healpix::cover`], [`BrickGrid::cover`], [`SkyMap::cover`], [`Tract::patches_of`] and
//! [`SweepTiling::covering`] take any of them. From cells and bricks back: [`BrickGrid::in_cells`],
//! [`SkyMap::in_cells`], [`BrickGrid::cells_of`], and `cover` of a [`Brick::footprint`] or a [`Tract::area`].
//!
//! # Neighbours and splits
//!
//! [`crossmatch`] finds all pairs or the nearest within a radius, [`Exclusion`] whether there is any. [`Split`] makes
//! training, validation and test sets by HEALPix cell, and [`find_leaks`] checks them, whoever made them.
//!
//! # Images
//!
//! [`Wcs`] maps between pixels and the sky, [`Cutout`] says which pixels a window takes, and [`SkyMap`] divides the sky
//! into tracts and patches as LSST does. None of them reads files: a header is a closure, an image a slice.
//!
//! # Why this shape?
//!
//! - A [`SkyCoord`] is checked once, and everything that takes one cannot fail. Bulk functions take plain columns
//!   and say per row what was no position; a NaN never lands in some brick by accident.
//! - A [`BrickGrid`] keeps a few numbers per row of bricks and computes the rest, so that a lookup touches 6 kB.
//! - [`Adjacency::components`] is exact: equal to comparing all pairs, in `n log n` time.
//! - Names, edges, ties and limits follow what is published, to the bit; where the published code has traps (right
//!   ascensions of -1e-14 or 360, NaN, sweep names in tenths of degrees), the type refuses or does the right thing,
//!   and its documentation says so.
//!
//! # Features
//!
//! - `moc`: multi-order coverage maps in FITS and JSON, as `Moc`.
//! - `rayon`: matching on all cores, with the same result.
//!
//! Without them: `thiserror`, `sha2` for the hash of splits, and `cdshealpix` for ring numbers and neighbours of cells,
//! behind numbers that are valid by type.

mod adjacency;
mod area;
mod brick;
mod coord;
mod cutout;
mod error;
mod footprint;
mod frame;
mod grid;
mod healpix;
mod matching;
#[cfg(feature = "moc")]
mod moc;
mod mosaic;
mod name;
mod region;
mod select;
mod skymap;
mod sphere;
mod split;
mod sweep;
mod tangent;
mod wcs;
mod whole;

pub use adjacency::{Adjacency, Components};
pub use area::{Area, Cone, Polygon};
pub use brick::{Brick, BrickId};
pub use coord::SkyCoord;
pub use cutout::{Cutout, CutoutMode};
pub use error::Error;
pub use footprint::BrickCoverage;
pub use frame::{Frame, LonLat};
pub use grid::BrickGrid;
pub use healpix::{CellSet, Coverage, Healpix, HealpixCell, HealpixRing};
pub use matching::{Exclusion, Keep, Match, MatchRule, crossmatch};
#[cfg(feature = "moc")]
pub use moc::{Moc, MocError, MocLayout};
pub use name::BrickName;
pub use region::{Region, RegionBounds, box_area_deg2};
pub use select::{ConnectedRegion, Counted, RegionLimits, Selection, SelectionRule, select_regions};
pub use skymap::{
    DataIdPacker, Patch, PixelBox, SkyMap, SkyMapConfig, SkyMapProjection, Tract, TractArea, TractCoverage,
};
pub use split::{Leaks, Split, SplitOrder, Subset, find_leaks};
pub use sweep::{SweepName, SweepTiling};
pub use tangent::TangentPlane;
pub use wcs::{KeywordValue, Wcs};
