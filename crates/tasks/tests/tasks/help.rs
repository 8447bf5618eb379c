use std::io::{self, Read, Write};
use std::path::Path;

use coaddkit_tasks::{Done, Error, Input, Job, Partial, Plan, RunKey};

/// A job whose units are names and do what the closure says.
pub struct Does<F>(pub F);

/// Names in the order in which they were merged: whatever is lost, doubled or out of order is seen.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

impl Partial for Names {
    fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.0.iter().try_for_each(|name| writeln!(out, "{name}"))
    }

    fn read(from: &mut dyn Read) -> io::Result<Self> {
        let mut text = String::new();
        from.read_to_string(&mut text)?;
        Ok(Self(text.lines().map(str::to_owned).collect()))
    }
}

impl<F: Fn(&str) -> Result<Done<Names>, Error> + Sync> Job for Does<F> {
    type Unit = String;
    type Partial = Names;

    fn inputs(&self, unit: &String) -> Vec<Input> {
        ["one", "two"].map(|kind| Input::new(kind, format!("{unit}/{kind}"))).into()
    }

    fn run(&self, unit: &String) -> Result<Done<Names>, Error> {
        self.0(unit)
    }
}

/// A unit that gives its own name.
pub fn named(unit: &str) -> Result<Done<Names>, Error> {
    Ok(Done::new(Names(vec![unit.to_owned()])))
}

pub fn names(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("u{i:04}")).collect()
}

pub fn key() -> RunKey {
    RunKey::new().code("1.0").seed("split", 42).input("list.csv", "abcd")
}

pub fn plan(count: usize) -> Plan<String> {
    Plan::new(names(count), key()).unwrap()
}

/// The only ledger of a folder.
pub fn ledger(folder: &Path) -> std::path::PathBuf {
    folder.join("parts/shard-00000-of-00001.ledger")
}
