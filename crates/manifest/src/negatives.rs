//! Negatives: galaxies that are no lenses, to train and to judge by.

mod classify;
mod config;
mod draw;
mod drawing;
mod plot;
mod pool;
mod pooling;
mod positives;
mod ranked;
mod report;
mod rows;
mod rules;
mod schema;
mod spark;
mod sweep;
mod validate;

pub use config::{
    Allocations, Blue, Compat, Criteria, EdgeOn, ExclusionRules, Filters, Large, NanPolicy, PoolN1, PoolN2,
    Pools, PromisedColumn, PromisedSchema, QualityGates, Ring, SamplingConfig, SplitVerification, Splits,
    Types,
};
pub use draw::{Draw, Drawn, Ranking, Stratum};
pub use drawing::Drawing;
pub use plot::bar_chart;
pub use pool::{FILTERS, Pool, PoolCounts, PoolReport, SweepReport};
pub use pooling::Pooling;
pub use positives::{MatchPositives, Matched, read_positions};
pub use ranked::Ranked;
pub use schema::{NEGATIVE_POOL, NEGATIVE_SAMPLE, POSITIVES};
pub use validate::{Distribution, Validate, Validation};

#[cfg(test)]
mod tests {
    /// The published configuration of 9 February 2026, without what is for readers.
    pub(crate) fn config() -> super::SamplingConfig {
        include_str!("../tests/data/negative_sampling.yaml").parse().unwrap()
    }
}
