//! `raw-archive`: exposures of a simulated camera fetched, checked, set apart, fetched again.

mod check;
mod fetch;
mod kill;
mod quarantine;

use crate::{Ran, run};
use coaddkit_examples::SimulatedRaw;
use std::fs;
use std::path::Path;

const BINARY: &str = env!("CARGO_BIN_EXE_raw-archive");

/// Small CCDs: a file is half a megabyte, nearly all of it headers.
fn raw(seed: u64) -> SimulatedRaw {
    SimulatedRaw::new(seed).size(16, 8)
}

/// The bytes of a raw exposure.
fn bytes(raw: &SimulatedRaw) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("raw.fits.fz");
    raw.write(&path).unwrap();
    fs::read(path).unwrap()
}

fn archive(args: &[&str], dir: &Path) -> Ran {
    run(BINARY, args, dir)
}

fn check(dir: &Path, more: &[&str]) -> Ran {
    archive(&[&["check", "raws", "--json"][..], more].concat(), dir)
}

fn count(ran: &Ran, word: &str) -> u64 {
    ran.report()["counts"][word].as_u64().unwrap_or(0)
}

/// The rows of the list of corrupt files.
fn corrupt(dir: &Path) -> Vec<Vec<String>> {
    let mut list = csv::Reader::from_path(dir.join("corrupt_raws/corrupt_raws.csv")).unwrap();
    let head: Vec<_> = list.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(head[..4], ["name", "reason", "hdu", "offset"]);
    list.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// Damage that every test of quarantine uses: a byte of the pixels of HDU 7.
fn damaged(seed: u64) -> Vec<u8> {
    let whole = bytes(&raw(seed));
    let at = coaddkit_testkit::damage::end_offset(&whole, 7) - 2880 + 8 * 8 + 20;
    coaddkit_testkit::damage::flipped(&whole, at)
}
