//! `cargo xtask check`: the rules of the workspace that no compiler knows.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{Done, Stop, files, tools};

/// Who may import whom of the published crates, by the noun after `coaddkit-`. A crate that is not listed may
/// import none. Unpublished crates may import all, and none of the published ones may import them.
const IMPORTS: [(&str, &[&str]); 11] = [
    ("arrow2", &["manifest"]),
    ("cache", &["fits", "sky", "transfer"]),
    ("density", &["fits", "photometry", "sky"]),
    ("fits", &[]),
    ("manifest", &["fits", "photometry", "sky"]),
    ("photometry", &[]),
    ("sky", &[]),
    ("spectra", &["fits", "photometry"]),
    ("tasks", &[]),
    ("transfer", &[]),
    (
        "coaddkit",
        &[
            "arrow2",
            "cache",
            "density",
            "fits",
            "manifest",
            "photometry",
            "sky",
            "spectra",
            "tasks",
            "transfer",
        ],
    ),
];

/// Crates that may hold unsafe code; each says why in its lib.rs.
const UNSAFE: [&str; 2] = ["arrow2", "fits"];

/// The files that may hold it.
const UNSAFE_FILES: [&str; 4] = [
    "crates/arrow2/src/cross.rs",
    "crates/fits/src/cfitsio/raw.rs",
    "crates/fits/src/machine.rs",
    "crates/fits/tests/fits/cfitsio/dither.rs",
];

const MAX_LIB_LINES: usize = 150;
const MAX_FILE_LINES: usize = 600;

pub fn run(args: &[&str]) -> Done {
    if !args.is_empty() {
        return Err(Stop::Usage(format!("check does not know {args:?}")));
    }
    let root = files::root();
    let packages = packages()?;
    let mut wrong = Vec::new();
    for package in &packages {
        imports(package, &packages, &mut wrong);
        if package.published {
            shape(package, &mut wrong);
        }
    }
    if !packages.iter().any(|p| p.published) {
        wrong.push("the workspace publishes no crate".to_owned());
    }
    pure_rust("coaddkit-fits", &mut wrong)?;
    let sources = sources(&root)?;
    for path in &sources {
        source(&root, path, &mut wrong);
    }
    if wrong.is_empty() {
        println!("{} packages and {} files keep the rules", packages.len(), sources.len());
        return Ok(());
    }
    Err(Stop::Failed(format!("{} rules are broken\n    {}", wrong.len(), wrong.join("\n    "))))
}

struct Package {
    name: String,
    dir: PathBuf,
    published: bool,
    /// Normal and build dependencies, by package name.
    imports: Vec<String>,
}

impl Package {
    fn noun(&self) -> &str {
        self.name.strip_prefix("coaddkit-").unwrap_or(&self.name)
    }
}

/// The names of the published packages.
pub fn published() -> Result<Vec<String>, Stop> {
    Ok(packages()?.into_iter().filter(|p| p.published).map(|p| p.name).collect())
}

fn packages() -> Result<Vec<Package>, Stop> {
    let json = cargo(&["metadata", "--no-deps", "--format-version", "1"])?;
    let json: Value = serde_json::from_str(&json).map_err(Stop::at("cargo metadata"))?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let package = |p: &Value| Package {
        name: text(&p["name"]),
        dir: Path::new(&text(&p["manifest_path"])).parent().unwrap_or(Path::new("")).to_owned(),
        published: p["publish"].as_array().is_none_or(|registries| !registries.is_empty()),
        imports: list(&p["dependencies"])
            .iter()
            .filter(|d| d["kind"] != "dev")
            .map(|d| text(&d["name"]))
            .collect(),
    };
    Ok(list(&json["packages"]).iter().map(package).collect())
}

fn imports(package: &Package, all: &[Package], wrong: &mut Vec<String>) {
    if !package.published {
        return;
    }
    let allowed = IMPORTS.iter().find(|(noun, _)| *noun == package.noun()).map_or(&[][..], |(_, list)| list);
    for import in &package.imports {
        let Some(other) = all.iter().find(|p| p.name == *import) else { continue };
        if !allowed.contains(&other.noun()) {
            wrong.push(format!("{} may not import {import}", package.name));
        }
    }
}

fn shape(package: &Package, wrong: &mut Vec<String>) {
    for file in ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        if std::fs::read(package.dir.join(file)).is_ok_and(|bytes| !bytes.is_empty()) {
            continue;
        }
        wrong.push(format!("{} has no {file}", package.name));
    }
    let lib = std::fs::read_to_string(package.dir.join("src/lib.rs")).unwrap_or_default();
    let has = |attribute: &str| lib.lines().any(|line| line.trim() == attribute);
    if !has("#![deny(missing_docs)]") {
        wrong.push(format!("{}: lib.rs does not deny missing docs", package.name));
    }
    if !has("#![forbid(unsafe_code)]") && !UNSAFE.contains(&package.noun()) {
        wrong.push(format!("{}: lib.rs does not forbid unsafe code", package.name));
    }
    let lines = lib.lines().count();
    if lines >= MAX_LIB_LINES {
        wrong.push(format!("{}: lib.rs has {lines} lines; it is a table of contents", package.name));
    }
}

/// The default build needs no async runtime, no HTTP, no columnar engine and no C compiler.
fn pure_rust(package: &str, wrong: &mut Vec<String>) -> Done {
    let tree = cargo(&["tree", "-p", package, "-e", "normal,build", "--prefix", "none", "-f", "{p}"])?;
    for name in tree.lines().filter_map(|line| line.split_whitespace().next()) {
        let heavy = ["tokio", "reqwest", "hyper", "parquet", "cc", "cmake", "bindgen"].contains(&name)
            || name.starts_with("arrow")
            || name.ends_with("-sys");
        if heavy {
            wrong.push(format!("the default build of {package} pulls in {name}"));
        }
    }
    Ok(())
}

/// The files of the project: what git tracks or would track, or everything outside `target` where there is no
/// repository.
fn sources(root: &Path) -> Result<Vec<PathBuf>, Stop> {
    let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    match tools::output(tools::command("git").args(list)) {
        Ok(names) => {
            let paths = names.split('\0').filter(|name| !name.is_empty()).map(|name| root.join(name));
            Ok(paths.filter(|path| path.is_file()).collect())
        }
        Err(_) => {
            let all = files::below(root).map_err(Stop::at(root.display()))?;
            let built =
                |path: &PathBuf| files::relative(root, path).split('/').any(|p| p == "target" || p == ".git");
            Ok(all.into_iter().filter(|path| !built(path)).collect())
        }
    }
}

fn source(root: &Path, path: &Path, wrong: &mut Vec<String>) {
    // What is not text has no lines to judge.
    let Ok(text) = std::fs::read_to_string(path) else { return };
    let name = files::relative(root, path);
    let lines = text.lines().count();
    if name.ends_with(".rs") && lines > MAX_FILE_LINES {
        wrong.push(format!("{name} has {lines} lines, {MAX_FILE_LINES} are enough"));
    }
    for (number, line) in (1..).zip(text.lines()) {
        let attribute = line.trim().trim_start_matches("#!").trim_start_matches('#');
        let allows =
            attribute.starts_with("[allow(unsafe_code") || attribute.starts_with("[expect(unsafe_code");
        if allows && !UNSAFE_FILES.contains(&name.as_str()) {
            wrong.push(format!("{name}:{number} allows unsafe code"));
        }
        if let Some(found) = machine_path(line) {
            wrong.push(format!("{name}:{number} names a path of one machine: {found}"));
        }
    }
}

/// An absolute path into somebody's files. Paths of the system, such as /usr, are the same on all machines.
fn machine_path(line: &str) -> Option<&str> {
    ["home", "root", "work", "opt", "Users", "mnt"].iter().find_map(|top| {
        let path = format!("/{top}/");
        line.match_indices(&path).find_map(|(at, _)| {
            let before = line[..at].chars().next_back();
            let inside = before.is_some_and(|c| c.is_alphanumeric() || "._-/}*~$)".contains(c));
            let rest = &line[at..];
            let end = rest.find(|c: char| c.is_whitespace() || "\"'`)>,;".contains(c)).unwrap_or(rest.len());
            (!inside && end > path.len()).then_some(&rest[..end])
        })
    })
}

fn cargo(args: &[&str]) -> Result<String, Stop> {
    tools::output(tools::cargo().args(args)).map_err(Stop::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, published: bool, imports: &[&str]) -> Package {
        let imports = imports.iter().map(|&i| i.to_owned()).collect();
        Package { name: name.to_owned(), dir: PathBuf::new(), published, imports }
    }

    #[test]
    fn the_import_table_is_kept() {
        let all = [
            package("coaddkit-fits", true, &["flate2", "coaddkit-sky"]),
            package("coaddkit-sky", true, &[]),
            package("coaddkit-density", true, &["coaddkit-fits", "coaddkit-testkit"]),
            package("coaddkit-testkit", false, &["coaddkit-fits"]),
        ];
        let mut wrong = Vec::new();
        all.iter().for_each(|p| imports(p, &all, &mut wrong));
        assert_eq!(
            wrong,
            ["coaddkit-fits may not import coaddkit-sky", "coaddkit-density may not import coaddkit-testkit"]
        );
    }

    #[test]
    fn machine_paths_are_seen_and_others_are_not() {
        for top in ["home", "opt", "Users"] {
            let line = format!("read \"/{top}/me/x.fits\" now");
            assert_eq!(machine_path(&line), Some(format!("/{top}/me/x.fits").as_str()));
        }
        for line in ["target/opt/x", "{dir}/home/x", "https://a.org/home/x", "/usr/bin/env", "`/home/`"] {
            assert_eq!(machine_path(line), None, "{line}");
        }
    }
}
