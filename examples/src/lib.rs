//! What the binaries share: exit codes, common options, progress, plain tables.

#![forbid(unsafe_code)]

/// `eprintln!` that goes on where nobody reads any more: a job does not end because its screen was closed.
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($text)*);
    }};
}

mod cli;
mod digest;
mod emit;
mod inputs;
mod moves;
mod objects;
mod places;
mod progress;
mod run;
mod shards;
mod simulate;
mod stop;
mod summary;
mod table;

pub use cli::{BoxArgs, Common, Depth, Exit, check_out, folder, main, new_file, print, timestamp, utc};
pub use digest::{ColumnDigest, ImageDigest, Stats, column_digest, image_digest};
pub use emit::{ClusterArgs, EngineName, Handed, Needs, OfJob, emit, end as emitted};
pub use inputs::{Refused, is_remote, local_sweeps, sweeps};
pub use moves::{MoveArgs, MoveBar, destination, exit_of, exit_of_error, exit_of_outcome};
pub use places::{Outlet, read_file};
pub use progress::{Bar, CountBar, StepBar};
pub use run::{Failed, Run};
pub use shards::{
    Account, ShardArgs, StatusArgs, Unfinished, count_states, of_record, refused, run_shard,
    show as show_status, stand as status, stand_by as status_by, task_error, unless_split,
};
pub use simulate::SimulatedRaw;
pub use stop::Stop;
pub use summary::{count_summary, region_alerts, region_summary};
pub use table::Table;
