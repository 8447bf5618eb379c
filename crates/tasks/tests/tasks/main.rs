//! Runs of small jobs: resumed, sharded, merged, killed, and with ledgers that were tampered with.

mod help;
mod hostile;
mod kill;
mod pins;
mod runs;
mod shards;
mod store;
