#![forbid(unsafe_code)]
#![deny(missing_docs)]
//! Sky indexing for surveys: Legacy Survey bricks, sweep footprints, regions and their selection
