//! The seeds of every fuzz target, and what fuzzing has found, through the checks of that target.

use std::path::PathBuf;

#[path = "../../../../fuzz/src/lib.rs"]
mod targets;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    assert!(!names.is_empty(), "{target} has no seed");
    for path in names {
        let bytes = std::fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if std::panic::catch_unwind(|| run(&bytes)).is_err() {
            panic!("the seed {target}/{name} fails");
        }
    }
}

#[test]
fn header() {
    replay("header", targets::header::run);
}

#[test]
fn table() {
    replay("table", targets::table::run);
}

#[test]
fn image() {
    replay("image", targets::image::run);
}

#[test]
fn codec() {
    replay("codec", targets::codec::run);
}

#[test]
fn verify() {
    replay("verify", targets::verify::run);
}
