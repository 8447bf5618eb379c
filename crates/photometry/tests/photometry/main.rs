//! Integration tests of `coaddkit-photometry`.

mod columns;
mod exactness;
mod grammar;
mod naive;
mod numbers;
mod rgb;
mod survey;
