//! Everybody who counts galaxies in sweep files, built and ready, and who could not come.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::machine::{our_version, version};
use super::{Contender, Expected};
use crate::{files, tools};

/// A cut of another shape over the same six columns: speed must not be a property of the preset.
const OTHER_CUT: &str = "demag(flux_r) - demag(flux_w1) > 1.4 & demag(flux_z) < 20.7 \
                         & demag(flux_z) - demag(flux_w1) > 0.6";

const PROTOTYPE_NOTE: &str = "it divides in f32 and takes a flux of zero for infinitely faint";

/// Names by which the targets find their figures.
pub mod names {
    pub const OURS: &str = "coaddkit";
    pub const TWO_THREADS: &str = "coaddkit, 2 threads";
    pub const OTHER_CUT: &str = "coaddkit, another cut";
    pub const READ: &str = "read(2), 256 KiB";
    pub const CFITSIO: &str = "CFITSIO in C";
    pub const ASTROPY: &str = "astropy, memmap";
}

/// The readers in Rust and their versions, as in `benches/peers/Cargo.toml`.
pub const RUST_PEERS: [(&str, &str); 4] =
    [("fitsrs", "0.4.1"), ("fitsio-pure", "0.25.0"), ("fits-well", "0.5.0"), ("fitsio", "0.21.10")];

/// Built once, used for every piece of work.
pub struct Built {
    dir: PathBuf,
    ours: Result<PathBuf, String>,
    read: Result<PathBuf, String>,
    cfitsio: Result<PathBuf, String>,
    rust: Result<PathBuf, String>,
    prototype: Result<PathBuf, String>,
    python_versions: HashMap<String, String>,
}

impl Built {
    pub fn new(dir: &Path) -> Self {
        let sources = files::root().join("benches/peers");
        let c = |name: &str, cfitsio: bool| {
            if cfitsio {
                tools::has_cfitsio()?
            } else {
                tools::has_cc()?
            }
            let program = dir.join(name);
            tools::compile(&sources.join(format!("{name}.c")), &program, cfitsio)?;
            Ok(program)
        };
        Self {
            dir: dir.to_owned(),
            ours: ours(),
            read: c("read256k", false),
            cfitsio: c("sweep", true),
            rust: tools::has_cfitsio()
                .and_then(|()| cargo_build(&sources, &peers_target(dir), "coaddkit-peers")),
            prototype: prototype(dir),
            python_versions: python_versions(),
        }
    }

    /// Everybody for these files, ours first, and the absent with the reason.
    pub fn for_files(&self, paths: &[PathBuf]) -> Result<(Vec<Contender>, Vec<String>), String> {
        let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        let ours = self.ours.clone()?;
        let mut list = Vec::new();
        for (name, options, expected) in [
            (names::OURS, &["--deredden", "--variant", "v3", "--threads", "1"][..], Expected::Agreed),
            (names::TWO_THREADS, &["--deredden", "--variant", "v3", "--threads", "2"], Expected::Agreed),
            (names::OTHER_CUT, &["--cut", OTHER_CUT, "--threads", "1"], Expected::Another),
        ] {
            let out =
                self.dir.join(name.replace([',', ' '], "-")).with_extension("csv").display().to_string();
            let options =
                options.iter().map(|&o| o.to_owned()).chain(["--quiet".into(), "--out".into(), out]);
            let argv = [&[ours.display().to_string(), "count".to_owned()], &paths[..]].concat();
            let argv = argv.into_iter().chain(options).collect();
            list.push(Contender { name: name.into(), version: our_version(), argv, expected });
        }
        let mut absent = Vec::new();
        let mut add =
            |name: &str, version: &str, program: &Result<PathBuf, String>, args: &[&str], expected| {
                match program {
                    Ok(program) => {
                        let argv = std::iter::once(program.display().to_string());
                        let argv =
                            argv.chain(args.iter().map(|&a| a.to_owned())).chain(paths.iter().cloned());
                        let (name, version) = (name.to_owned(), version.to_owned());
                        list.push(Contender { name, version, argv: argv.collect(), expected });
                    }
                    Err(why) => absent.push(format!("{name}: {why}")),
                }
            };
        add(names::READ, "", &self.read, &[], Expected::Nothing);
        let cfitsio = version("pkg-config", &["--modversion", "cfitsio"]);
        add(names::CFITSIO, &cfitsio, &self.cfitsio, &[], Expected::Agreed);
        for (name, version) in RUST_PEERS {
            add(&format!("{name} in Rust"), version, &self.rust, &[name], Expected::Agreed);
        }
        let script = files::root().join("benches/peers/readers.py").display().to_string();
        for (name, module) in [(names::ASTROPY, "astropy"), ("fitsio in Python", "fitsio")] {
            let version = self.python_versions.get(module).map_or("", String::as_str);
            add(name, version, &tools::python(&["numpy", module]), &[&script, module], Expected::Agreed);
        }
        let each = "program=$1; shift; for file; do \"$program\" stream \"$file\" 1 256 || exit 1; done";
        let prototype = self.prototype.as_ref().map(|p| p.display().to_string());
        let (shell, path) = match &prototype {
            Ok(path) => (Ok(PathBuf::from("sh")), path.as_str()),
            Err(why) => (Err((*why).clone()), ""),
        };
        let args = ["-c", each, "sh", path];
        add("prototype, one process a file", "", &shell, &args, Expected::Near(PROTOTYPE_NOTE));
        Ok((list, absent))
    }

    /// polars over Parquet made of the first file, as often as there are files.
    pub fn polars(&self, paths: &[PathBuf]) -> Result<Contender, String> {
        let python = tools::python(&["polars", "pyarrow", "astropy"])?;
        let script = files::root().join("benches/peers/readers.py");
        let source = paths.first().ok_or("no files")?;
        let parquet = source.with_extension("parquet");
        if !parquet.exists() {
            let part = source.with_extension("parquet-part");
            tools::succeed(tools::command(&python).arg(&script).arg("to-parquet").arg(source).arg(&part))?;
            std::fs::rename(&part, &parquet).map_err(|e| e.to_string())?;
        }
        let copies = super::tables::links(&parquet, paths.len())?;
        let mut argv = vec![python.display().to_string(), script.display().to_string(), "polars".to_owned()];
        argv.extend(copies.iter().map(|path| path.display().to_string()));
        let version = self.python_versions.get("polars").cloned().unwrap_or_default();
        Ok(Contender { name: "polars on Parquet".into(), version, argv, expected: Expected::Agreed })
    }

    /// Versions of what is not in the table.
    pub fn versions(&self) -> String {
        let python = ["python", "numpy", "pyarrow"]
            .into_iter()
            .filter_map(|name| self.python_versions.get(name).map(|v| format!("; {name} {v}")))
            .collect::<String>();
        format!("- {}; {}{python}", version("rustc", &["-V"]), version("cc", &["--version"]))
    }
}

fn ours() -> Result<PathBuf, String> {
    let args = ["build", "--release", "-p", "coaddkit-examples", "--bin", "lrg-density"];
    tools::succeed(tools::cargo().args(args))?;
    Ok(super::program("lrg-density"))
}

/// Versions of Python and of its readers.
pub fn python_versions() -> HashMap<String, String> {
    let python = tools::python(&["json"]).unwrap_or_default();
    let script = files::root().join("benches/peers/readers.py");
    let versions = tools::output(tools::command(python).arg(script).arg("versions"));
    let pairs = |text: String| {
        text.lines().filter_map(|l| l.split_once(' ')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
    };
    versions.map(pairs).unwrap_or_default()
}

/// Where the readers in Rust are built, once for all programs.
pub fn peers_target(dir: &Path) -> PathBuf {
    dir.join("build-coaddkit-peers")
}

/// Builds a program of another workspace in the folder `target`.
pub fn cargo_build(source: &Path, target: &Path, program: &str) -> Result<PathBuf, String> {
    let mut cargo = tools::cargo();
    cargo.args(["build", "--release", "--bin", program, "--manifest-path"]).arg(source.join("Cargo.toml"));
    tools::succeed(cargo.arg("--target-dir").arg(target))?;
    Ok(target.join("release").join(program))
}

/// The reader that this one set out to beat, if its source is beside the workspace.
pub fn prototype(dir: &Path) -> Result<PathBuf, String> {
    let source = files::shared().join("bench/fitsproto");
    let copy = dir.join("prototype");
    for name in ["Cargo.toml", "src/main.rs", "src/others.rs"] {
        let to = copy.join(name);
        let text = std::fs::read(source.join(name)).map_err(|_| "its source is not here".to_owned())?;
        std::fs::create_dir_all(to.parent().unwrap_or(&copy)).map_err(|e| e.to_string())?;
        // Untouched files keep their time, so that nothing is built twice.
        if std::fs::read(&to).ok().as_ref() != Some(&text) {
            std::fs::write(&to, text).map_err(|e| e.to_string())?;
        }
    }
    cargo_build(&copy, &dir.join("build-proto"), "proto")
}
