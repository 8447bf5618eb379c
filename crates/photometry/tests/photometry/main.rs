//! Integration tests of `coaddkit-photometry`.

mod columns;
mod exactness;
mod grammar;
mod naive;
mod numbers;
mod survey;
