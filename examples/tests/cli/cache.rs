//! `coadd-cache` against a portal and real S3 servers: exit codes, reports, manifests, kills.

mod fill;
mod kill;
mod shards;
mod slips;
mod stores;
mod verify;

use std::path::{Path, PathBuf};
use std::process::Command;

use coaddkit_testkit::{CoaddTree, Coverage, FaultOrigin, Files};
use serde_json::Value;

use crate::{Ran, run};

const COADD_CACHE: &str = env!("CARGO_BIN_EXE_coadd-cache");

/// Twelve bricks with small images, of which some are partial, absent and damaged.
fn miniature() -> CoaddTree {
    CoaddTree::miniature(1).size(48, 20)
}

fn whole() -> CoaddTree {
    let tree = CoaddTree::new(3).size(48, 20);
    ["3598p000", "0001p000", "0003m002"].iter().fold(tree, |tree, name| tree.brick(name, Coverage::Complete))
}

fn serve(tree: &CoaddTree) -> FaultOrigin {
    FaultOrigin::new(Files::memory(tree.files()))
}

fn names(tree: &CoaddTree) -> String {
    let names: Vec<&str> = tree.bricks().map(|(brick, _)| &*brick.name).collect();
    names.join(",")
}

fn fill(tree: &CoaddTree, origin: &FaultOrigin, dir: &Path, more: &[&str]) -> Ran {
    let (names, source) = (names(tree), origin.base());
    let args = ["fill", "--bricks", &names, "--source", &source, "--cache", "cache", "--json"];
    run(COADD_CACHE, &[&args[..], more].concat(), dir)
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Files below a folder, from it on.
fn below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path)
            } else {
                found.push(path.strip_prefix(dir).unwrap().to_owned())
            }
        }
    }
    found.sort();
    found
}

fn command(args: &[&str], dir: &Path) -> Command {
    let mut command = Command::new(COADD_CACHE);
    command.args(args).current_dir(dir);
    command
}
