//! Integration tests, in one binary.

mod bricks;
mod components;
mod cover;
mod cutout;
mod footprint;
mod frames;
mod healpix;
mod hostile;
mod matching;
#[cfg(feature = "moc")]
mod moc;
mod names;
mod refused;
mod region;
mod select;
mod skymap;
mod sweeps;
mod tracts;
mod wcs;

use coaddkit_sky::SkyCoord;

/// A position that the test knows to be valid.
fn at(ra_deg: f64, dec_deg: f64) -> SkyCoord {
    SkyCoord::from_degrees(ra_deg, dec_deg).unwrap()
}
