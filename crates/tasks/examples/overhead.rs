//! What the frame costs: a hundred thousand units that do nothing, run, found done, merged.
//!
//! `cargo run --release -p coaddkit-tasks --example overhead`

use std::io::{self, Read, Write};
use std::time::Instant;

use coaddkit_tasks::{Done, Error, Input, Job, Partial, Plan, RunKey, Runner, merge, status};

const UNITS: u64 = 100_000;

struct Nothing;

#[derive(Default)]
struct Sum(u64);

impl Partial for Sum {
    fn merge(&mut self, other: Self) {
        self.0 += other.0;
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&self.0.to_le_bytes())
    }

    fn read(from: &mut dyn Read) -> io::Result<Self> {
        let mut bytes = [0; 8];
        from.read_exact(&mut bytes)?;
        Ok(Self(u64::from_le_bytes(bytes)))
    }
}

impl Job for Nothing {
    type Unit = u64;
    type Partial = Sum;

    fn inputs(&self, _: &u64) -> Vec<Input> {
        Vec::new()
    }

    fn run(&self, unit: &u64) -> Result<Done<Sum>, Error> {
        Ok(Done::new(Sum(*unit)).metric("number", *unit as f64))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let timed = |what: &str, start: Instant| {
        println!("{what:28} {:6.2} µs a unit", start.elapsed().as_secs_f64() * 1e6 / UNITS as f64);
    };
    let start = Instant::now();
    let plan = Plan::new(0..UNITS, RunKey::new().code("1"))?;
    timed("plan", start);
    for what in ["run", "run, nothing left to do"] {
        let start = Instant::now();
        let summary = Runner::new(dir.path()).run(&Nothing, &plan, &())?;
        timed(what, start);
        assert_eq!(summary.exit_code(), 0);
    }
    let start = Instant::now();
    assert!(status(dir.path())?.is_complete());
    timed("status", start);
    let start = Instant::now();
    assert_eq!(merge::<Sum>(dir.path())?.partial.0, UNITS * (UNITS - 1) / 2);
    timed("merge", start);
    Ok(())
}
