//! What the binaries share: exit codes, common options, progress, plain tables.

#![forbid(unsafe_code)]

mod cli;
mod digest;
mod inputs;
mod moves;
mod progress;
mod run;
mod summary;
mod table;

pub use cli::{BoxArgs, Common, Exit, check_out, main, print, timestamp};
pub use digest::{ColumnDigest, ImageDigest, Stats, column_digest, image_digest};
pub use inputs::{Refused, is_remote, local_sweeps, sweeps};
pub use moves::{MoveArgs, MoveBar, destination, exit_of, exit_of_error, exit_of_outcome};
pub use progress::{Bar, StepBar};
pub use run::{Failed, Run};
pub use summary::{count_summary, region_alerts, region_summary};
pub use table::Table;
