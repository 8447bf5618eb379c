//! Downloads the addresses of a list, one a line, to a folder or to s3://bucket/prefix:
//!
//! `cargo run --release -p coaddkit-transfer --example download -- LIST DESTINATION [CONNECTIONS]`
//!
//! A file keeps the path that it has at its host. The exit code is 0 only if all are there.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use coaddkit_transfer::{Destination, Error, Finished, HostPolicy, Item, Plan, Progress, Transfer};

/// Says what goes wrong, and counts the rest.
#[derive(Default)]
struct Told {
    bytes: AtomicU64,
    files: AtomicU64,
}

impl Progress for Told {
    fn bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn finished(&self, item: &Item, finished: &Finished) {
        let files = self.files.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(why) = finished.outcome.reason() {
            eprintln!("{}: {}: {why}", item.source(), finished.outcome.word());
        } else if files.is_multiple_of(1000) {
            println!("{files} files, {} MB", self.bytes.load(Ordering::Relaxed) / 1_000_000);
        }
    }
}

fn item(address: &str) -> Result<Item, Error> {
    let path = address.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
    path.map_or_else(|| Item::named(address), |(_, path)| Item::new(address, path))
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [list, destination, rest @ ..] = &args[..] else {
        return Err("LIST DESTINATION [CONNECTIONS]".into());
    };
    let mut hosts = HostPolicy::default();
    if let Some(connections) = rest.first() {
        hosts.connections = connections.parse()?;
    }
    let list = std::fs::read_to_string(list)?;
    let items: Result<Vec<Item>, Error> = list.lines().filter(|line| !line.is_empty()).map(item).collect();
    let plan = Plan::new(items?)?;
    let transfer = Transfer::new(Destination::parse(destination)?).hosts(hosts);
    let report = transfer.run_blocking(&plan, &Told::default())?;
    let (seconds, mb) = (report.elapsed.as_secs_f64(), report.bytes as f64 / 1e6);
    println!("{:?}, {mb:.1} MB in {seconds:.2} s, {:.0} MB/s", report.counts, mb / seconds);
    Ok(if report.is_complete() { ExitCode::SUCCESS } else { ExitCode::from(75) })
}
