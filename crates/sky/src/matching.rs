//! Positions near positions: exclusion and cross-match.

mod crossmatch;
mod exclusion;
mod layout;
mod mask;
mod order;
mod threads;
mod zones;

pub use crossmatch::{Keep, Match, MatchRule, crossmatch};
pub use exclusion::Exclusion;

use crate::Error;
use crate::error::within;

/// Largest radius: beyond it nearly everything is near, and no index helps.
const LARGEST_DEG: f64 = 90.0;

/// A radius from arcseconds, in degrees.
fn radius_deg(radius_arcsec: f64) -> Result<f64, Error> {
    Ok(within("radius_arcsec", radius_arcsec, 0.0, LARGEST_DEG * 3600.0)? / 3600.0)
}
