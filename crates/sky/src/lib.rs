#![forbid(unsafe_code)]
#![deny(missing_docs)]
//! Sky indexing for surveys: Legacy Survey bricks, sweep footprints, regions and their selection.
//!
//! # Should I use it?
//!
//! Yes, if you have positions and need the brick, the sweep file, the region, the tract or the pixel they belong to,
//! or if you have bricks and need the connected regions they form. Bricks are exactly those of the Legacy Surveys: numbers,
//! names, edges and centres equal the reference implementation's to the last bit.
//!
//! Not for coordinate frames, proper motion or precession: positions are right ascension and declination in one
//! frame, whichever yours is.
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
//! None so far; the only dependency is `thiserror`.

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
pub use name::BrickName;
pub use region::{Region, RegionBounds, box_area_deg2};
pub use select::{ConnectedRegion, Counted, RegionLimits, Selection, SelectionRule, select_regions};
pub use skymap::{DataIdPacker, Patch, PixelBox, SkyMap, SkyMapConfig, SkyMapProjection, Tract};
pub use split::{Leaks, Split, SplitOrder, Subset, find_leaks};
pub use sweep::{SweepName, SweepTiling};
pub use tangent::TangentPlane;
pub use wcs::{KeywordValue, Wcs};
