#![forbid(unsafe_code)]
#![deny(missing_docs)]
//! Survey photometry: fluxes, magnitudes, extinction, mask bits, and cuts with named presets and cut-flow
