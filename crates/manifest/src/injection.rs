//! Injection tasks: which simulated lenses to paint on which galaxies of a survey.

mod build;
mod building;
mod config;
mod grid;
mod inputs;
mod regions;
mod sample;
mod schema;
mod tasks;

pub use build::{Build, Built, BuiltExperiment, BuiltParent, Shortfall};
pub use building::{Building, Sampled};
pub use config::{
    Controls, Idempotency, Inputs as StageInputs, Sampling, Seeds, SetIds, StageConfig, Tier, Tiers,
};
pub use grid::Grid;
pub use regions::{RegionRules, RegionsBuilt};
pub use schema::{
    BRICKS_MANIFEST, BRICKS_WITH_REGION, INJECTION_TASKS, PARENT, REGION_METRICS, REGION_SELECTIONS,
};
