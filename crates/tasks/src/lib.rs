//! Many small units of work that survive: planned, checked, run, resumed, merged, verified.
//!
//! A survey is worked through file by file or cell by cell: tens of thousands of units that know nothing of each
//! other, over hours or days, on machines that die. This crate is the frame around the work of one unit: it runs the
//! units on the threads of one process or spread over many, keeps account of each, and goes on after any kill where
//! it was. It schedules nothing: Slurm, Kubernetes, Spark or a shell loop start the processes, each is told which
//! shard is its own, and a folder holds what they did.
//!
//! # Should I use it?
//!
//! Yes, if units are independent and worth at least a millisecond each. If units depend on each other in more than
//! two or three steps, you want a workflow engine; to map a function over a slice, use `rayon`.
//!
//! # Example
//!
//! ```
//! use coaddkit_tasks::{Done, Error, Input, Job, Plan, RunKey, Runner, merge, status};
//! # use std::io::{self, Read, Write};
//! # #[derive(Default)]
//! # struct Count(u64);
//! # impl coaddkit_tasks::Partial for Count {
//! #     fn merge(&mut self, other: Self) { self.0 += other.0; }
//! #     fn write(&self, out: &mut dyn Write) -> io::Result<()> { out.write_all(&self.0.to_le_bytes()) }
//! #     fn read(from: &mut dyn Read) -> io::Result<Self> {
//! #         let mut bytes = [0; 8];
//! #         from.read_exact(&mut bytes)?;
//! #         Ok(Self(u64::from_le_bytes(bytes)))
//! #     }
//! # }
//!
//! struct CountLines;
//!
//! impl Job for CountLines {
//!     type Unit = String; // a path
//!     type Partial = Count; // lines, which add up
//!
//!     fn inputs(&self, path: &String) -> Vec<Input> {
//!         vec![Input::new("text", path)]
//!     }
//!
//!     fn run(&self, path: &String) -> Result<Done<Count>, Error> {
//!         let text = std::fs::read_to_string(path).map_err(|e| Error::io(path.as_ref(), &e))?;
//!         Ok(Done::new(Count(text.lines().count() as u64)))
//!     }
//! }
//!
//! # fn main() -> Result<(), Error> {
//! # let dir = tempfile::tempdir().unwrap();
//! # let out = dir.path().join("out");
//! # let file = dir.path().join("a.txt");
//! # std::fs::write(&file, "one\ntwo\n").unwrap();
//! # let paths = vec![file.display().to_string(), dir.path().join("none.txt").display().to_string()];
//! let plan = Plan::new(paths, RunKey::new().code("1.0"))?;
//! let summary = Runner::new(&out).threads(4).run(&CountLines, &plan, &())?;
//! assert_eq!((summary.counts["done"], summary.counts["blocked"], summary.exit_code()), (1, 1, 66));
//! println!("{}", status(&out)?);
//! let merged = merge::<Count>(&out)?;
//! assert_eq!(merged.partial.0, 2);
//! # Ok(())
//! # }
//! ```
//!
//! # What a folder holds
//!
//! `parts/plan.json`, the names of all units and the [`RunKey`]; for each [`Shard`] a ledger
//! `parts/shard-00003-of-00008.ledger`, lines of JSON as units begin and end, and beside it the partial results. What
//! units make lies where the job puts it, below the folder. Where processes share no disk, a [`Store`] takes the place of
//! the folder, and [`Emit`] writes the scripts by which an engine starts them.
//!
//! # Why this shape
//!
//! - A unit is done if its line says so, its part of the result is what the line says, and its files have the lengths
//!   that it says. Whatever is damaged or gone costs its unit another run, and nothing else.
//! - A line when a unit begins tells what was on its way when a run was killed from what never began. Units during
//!   which a process died run last, so that one that brings down its worker does not keep the others from running.
//! - One file per shard, written by one process, which holds a lock on it: no database, and nothing to wait for.
//! - Failed and blocked units run again with the next run. Nothing left to do is success.
//! - A shard is dealt out by `k % n` in the order of names, so that slow neighbours are spread.
//!
//! # Features
//!
//! None so far.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod check;
mod emit;
mod error;
mod job;
mod key;
mod ledger;
mod merge;
mod plan;
mod record;
mod run;
mod shard;
mod status;
mod store;
mod summary;
mod verify;
mod view;
mod workers;

pub use check::{Missing, check};
pub use emit::{Emit, Engine, Script};
pub use error::{Error, ErrorKind};
pub use job::{Done, Input, Job, Output, Partial};
pub use key::{Difference, RunKey};
pub use merge::{Merged, about, merge};
pub use plan::Plan;
pub use record::{Record, State};
pub use run::{Progress, Runner};
pub use shard::Shard;
pub use status::{Status, status};
pub use store::{Place, Store};
pub use summary::Summary;
pub use verify::{Verified, verify, verify_folder};
