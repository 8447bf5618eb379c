//! `cargo xtask public-api`: what each published crate offers, as text that a change shows in its diff.

use std::path::PathBuf;

use crate::test::Outcome;
use crate::{Done, Stop, check, files, tools};

/// The tool that lists an API, and the version that the texts were made with.
const TOOL: (&str, &str) = ("cargo-public-api", "0.52.0");

/// The documentation in JSON, which the tool reads, is made by a nightly compiler only.
const TOOLCHAIN: &str = "nightly";

pub fn run(args: &[&str]) -> Done {
    let check = match args {
        [] => false,
        ["--check"] => true,
        _ => return Err(Stop::Usage(format!("public-api does not know {args:?}"))),
    };
    absent().map_or(Ok(()), |why| Err(Stop::Failed(why)))?;
    let mut different = Vec::new();
    for package in check::published()? {
        let text = list(&package).map_err(Stop::Failed)?;
        let path = path_of(&package);
        let shown = files::relative(&files::root(), &path);
        if std::fs::read_to_string(&path).is_ok_and(|committed| committed == text) {
            println!("{shown} is what the crate offers");
        } else if check {
            different.push(shown);
        } else {
            std::fs::create_dir_all(path.parent().unwrap_or(&path)).map_err(Stop::at(&shown))?;
            std::fs::write(&path, text).map_err(Stop::at(&shown))?;
            println!("{shown} written");
        }
    }
    if different.is_empty() {
        return Ok(());
    }
    Err(Stop::Failed(format!(
        "not what the crates offer: {}; run cargo xtask public-api",
        different.join(", ")
    )))
}

/// The step of `cargo xtask test`.
pub fn step(may_install: bool) -> Outcome {
    if may_install && absent().is_some() {
        let version = format!("{}@{}", TOOL.0, TOOL.1);
        let installed = tools::succeed(tools::cargo().args(["install", "--locked", "--quiet", &version]));
        if let Err(why) = installed {
            return Outcome::Skipped(why);
        }
    }
    match absent() {
        Some(why) => Outcome::Skipped(why),
        None => run(&["--check"]).into(),
    }
}

/// Why the API cannot be listed here.
fn absent() -> Option<String> {
    let rustc = tools::output(tools::command("rustc").env("RUSTUP_TOOLCHAIN", TOOLCHAIN).arg("-V"));
    if !rustc.is_ok_and(|version| version.contains(TOOLCHAIN)) {
        return Some(format!("there is no {TOOLCHAIN} compiler"));
    }
    if tools::output(tools::cargo().args(["public-api", "--version"])).is_err() {
        return Some(format!("{} is not installed", TOOL.0));
    }
    // Its bindings are among the features.
    tools::has_cfitsio().err()
}

fn path_of(package: &str) -> PathBuf {
    files::root().join("docs/public-api").join(format!("{package}.txt"))
}

/// Every public item with all features, without what the compiler derives.
fn list(package: &str) -> Result<String, String> {
    // Apart from the other builds: another compiler would throw theirs away.
    let target = files::target().join("public-api");
    let mut cargo = tools::command("cargo");
    cargo.env("RUSTUP_TOOLCHAIN", TOOLCHAIN).env_remove("CARGO").env("CARGO_TARGET_DIR", target);
    tools::output(cargo.args(["public-api", "-p", package, "--all-features", "-sss"]))
}
