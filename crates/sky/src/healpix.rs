//! HEALPix: cells of equal area, nested and ring.

mod cell;
mod cover;
mod exact;
mod fast;
mod geometry;
mod grid;
mod ring;
mod set;

pub use cell::HealpixCell;
pub use cover::Coverage;
pub(crate) use cover::cell_touches;
pub use grid::Healpix;
pub use ring::HealpixRing;
pub use set::CellSet;
