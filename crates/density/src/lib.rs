#![forbid(unsafe_code)]
#![deny(missing_docs)]
//! Luminous red galaxies per brick: sweep catalogues in, counts, densities, regions and a map out
