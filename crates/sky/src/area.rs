//! Areas with an outline of circular arcs: cones, boxes, polygons.

mod arc;
mod cone;
mod polygon;
mod region;

pub(crate) use arc::{Arc, Curve, meets};
pub use cone::Cone;
pub use polygon::Polygon;

use crate::SkyCoord;

/// A closed part of the sky: a [`Cone`], a [`Region`](crate::Region) (a box), a [`Polygon`] or a
/// [`TractArea`](crate::TractArea).
///
/// What takes an area takes any of these, and no other type: the proof that coverages are complete needs to know
/// the outline.
pub trait Area: outlined::Outlined {
    /// Whether a position lies in the area or on its edge.
    fn contains(&self, position: SkyCoord) -> bool;
}

pub(crate) mod outlined {
    /// Reachable for the trait bound, but not nameable by others.
    pub trait Outlined {
        /// The outline, without gaps. An area without one is the whole sky, or nothing.
        fn outline(&self) -> Vec<super::Arc>;
    }
}
