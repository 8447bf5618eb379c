//! Verified, resumable, polite moves of many files from HTTP, S3 and disk to any object store.
//!
//! Archives serve surveys as hundreds of thousands of files over HTTP, through portals that drop connections, refuse
//! what comes too fast and sometimes send a page of excuses with status 200. This crate brings such files to a
//! folder or an object store so that a file is whole and right under its name or not there at all, and so that
//! the account of a run tells for every file how it ended.
//!
//! # Should I use it?
//!
//! Yes, to move many files that must all arrive. For one small file, use an HTTP client; to mirror a bucket to
//! another, use the tools of its vendor. This crate knows no file format: it takes a [`Validate`] from who does.
//!
//! # Example
//!
//! Download addresses to any object store, judged before they are published:
//!
//! ```no_run
//! # fn main() -> Result<(), coaddkit_transfer::Error> {
//! # let urls: Vec<String> = Vec::new();
//! use coaddkit_transfer::{Content, Destination, Finished, Item, Plan, Transfer};
//!
//! let store = std::sync::Arc::new(object_store::memory::InMemory::new());
//! let blocks = |_: &Item, c: &Content<'_>| if c.len() % 2880 == 0 { Ok(()) } else { Err("no FITS".to_owned()) };
//! let transfer = Transfer::new(Destination::store(store, "mirror")?).validate(blocks);
//! let seen = |item: &Item, end: &Finished| println!("{} {}", item.destination(), end.outcome.word());
//! let report = transfer.run_blocking(&Plan::of_addresses(&urls)?, &seen)?;
//! println!("{} are there, {} are not", report.counts.published, report.missing.len());
//! # Ok(())
//! # }
//! ```
//!
//! # What happens to a file
//!
//! It ends as one of the [`Outcome`]s. 404 and 410 are an answer, not a failure. Broken connections, short bodies,
//! silence, 408, 425, 429 and 5xx are tried again, with growing random pauses, from where the bytes ended if the
//! origin vouches that it is the same file (`Range` with `If-Range`). 401, 403 and other refusals are not. 429 and
//! 503 close the gate of the whole host for as long as `Retry-After` says. A whole file that is not what it should
//! be is fetched again, on a new connection and without a range; the same bad bytes twice are put into quarantine.
//! A disk that is full or a folder that may not be written ends the run at once.
//!
//! # Why this shape
//!
//! - Nothing partial under a final name: folders get `.name.part-*`, brought to disk and renamed; stores one atomic
//!   put or a completed multipart upload. Parts are continued after a kill, their bytes read anew, not trusted.
//! - The destination is the truth: what is there is found by listing. A [`Ledger`] adds what a listing cannot tell.
//! - No time limit for a whole file, which may be large; limits for silence ([`Timeouts`]).
//! - Memory is asked for before a request is sent, so that who holds a connection never waits for it.
//! - S3 is read through the same code as any HTTP origin, with signed addresses.
//!
//! # Features
//!
//! - `aws` (default): `s3://` sources and destinations, `S3Options`. Without it, stores are those you bring.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod cancel;
mod course;
mod destination;
mod digest;
mod error;
mod fetch;
mod gate;
mod http;
mod ledger;
mod look;
mod memory;
mod origin;
mod outcome;
mod part;
mod plan;
mod policy;
mod run;
#[cfg(feature = "aws")]
mod s3;
mod sink;
mod source;
mod transfer;
mod validate;

pub use cancel::Cancel;
pub use destination::{Destination, Entry};
pub use digest::Digest;
pub use error::{Error, ErrorKind};
pub use ledger::{Ledger, Record};
pub use outcome::{Counts, Finished, Outcome, Progress, Published, Report};
pub use plan::{Expect, Item, Plan};
pub use policy::{HostPolicy, RetryPolicy, Timeouts};
#[cfg(feature = "aws")]
pub use s3::S3Options;
pub use source::Source;
pub use transfer::{Existing, Transfer};
pub use validate::{Check, Content, Validate};
