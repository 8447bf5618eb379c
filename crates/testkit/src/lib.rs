//! Fixtures as functions, generators and reference data for the tests of this workspace.

mod shared;

pub use shared::{require_all, shared};
