//! `cargo xtask fixtures`: the miniature survey under `fixtures/`, and the check that it is still what the
//! generator makes.

use std::fmt::Write as _;
use std::path::Path;

use coaddkit_testkit::{gunzip, write_miniature};
use sha2::{Digest, Sha256};

use crate::{Done, Stop, files};

const SUMS: &str = "SHA256SUMS";

pub fn run(args: &[&str]) -> Done {
    let dir = files::root().join("fixtures");
    match args {
        [] => write(&dir),
        ["--check"] => check(&dir),
        _ => Err(Stop::Usage(format!("fixtures does not know {args:?}"))),
    }
}

fn write(dir: &Path) -> Done {
    std::fs::create_dir_all(dir).map_err(Stop::at(dir.display()))?;
    let mut sums = String::new();
    for name in write_miniature(dir).map_err(Stop::at(dir.display()))? {
        let bytes = read(&dir.join(&name))?;
        writeln!(sums, "{}  {}", hash(&bytes), name.display()).map_err(Stop::at(SUMS))?;
        println!("{:>9} {}", bytes.len(), name.display());
    }
    std::fs::write(dir.join(SUMS), sums).map_err(Stop::at(SUMS))
}

/// The committed files have the committed hashes, and hold what the generator makes now. Gzipped files are
/// compared by what they inflate to: the compressor may change its mind between versions, the data may not.
fn check(dir: &Path) -> Done {
    let fresh = files::scratch("fixtures").map_err(Stop::at("scratch"))?;
    let made = write_miniature(&fresh).map_err(Stop::at(fresh.display()))?;
    let sums = String::from_utf8(read(&dir.join(SUMS))?).map_err(Stop::at(SUMS))?;
    let sums: Vec<(&str, &str)> = sums.lines().filter_map(|line| line.split_once("  ")).collect();
    let mut wrong = Vec::new();
    for name in &made {
        let shown = name.display().to_string();
        let (committed, now) = (read(&dir.join(name))?, read(&fresh.join(name))?);
        match sums.iter().find(|(_, listed)| *listed == shown) {
            None => wrong.push(format!("{shown} is not in {SUMS}")),
            Some((sum, _)) if *sum != hash(&committed) => {
                wrong.push(format!("{shown} has not the hash of {SUMS}"))
            }
            Some(_) => {}
        }
        if plain(&shown, committed)? != plain(&shown, now)? {
            wrong.push(format!("{shown} is not what the generator makes"));
        }
    }
    for path in files::below(dir).map_err(Stop::at(dir.display()))? {
        let name = files::relative(dir, &path);
        // The conformance set has makers and sums of its own.
        if name.starts_with("conformance/") {
            continue;
        }
        if name != SUMS && !name.starts_with('.') && !made.iter().any(|m| m.as_os_str() == name.as_str()) {
            wrong.push(format!("{name} is not made by the generator"));
        }
    }
    if sums.len() != made.len() {
        wrong.push(format!("{SUMS} lists {} files, the generator makes {}", sums.len(), made.len()));
    }
    if wrong.is_empty() {
        println!("{} fixtures are what the generator makes", made.len());
        return Ok(());
    }
    Err(Stop::Failed(wrong.join("\n    ")))
}

fn read(path: &Path) -> Result<Vec<u8>, Stop> {
    std::fs::read(path).map_err(Stop::at(path.display()))
}

fn plain(name: &str, bytes: Vec<u8>) -> Result<Vec<u8>, Stop> {
    if name.ends_with(".gz") { gunzip(&bytes).map_err(Stop::at(name)) } else { Ok(bytes) }
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
