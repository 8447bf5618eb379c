//! The binaries as their users run them: products, reports, exit codes.

mod cache;
mod count;
mod cutout;
mod desi;
mod emit;
mod info;
mod injection;
mod negatives;
mod quickstart;
mod raws;
mod regions;
mod remote;
mod shards;
mod verify;

use std::path::{Path, PathBuf};
use std::process::Command;

/// What a binary did.
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    /// The last line of stdout, as JSON.
    fn report(&self) -> serde_json::Value {
        serde_json::from_str(self.stdout.lines().last().unwrap()).unwrap()
    }
}

fn run(binary: &str, args: &[&str], dir: &Path) -> Ran {
    let output = Command::new(binary).args(args).current_dir(dir).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(name)
}

/// Names of the files in a folder.
fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
