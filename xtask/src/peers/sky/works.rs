//! What is done with positions, and who does it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::super::machine::our_version;
use super::super::{Contender, Expected};
use crate::{files, tools};

/// A piece of work.
pub struct Work {
    /// As the programs call it.
    pub name: &'static str,
    /// In the table.
    pub title: &'static str,
    /// What the answer counts.
    pub what: &'static str,
    pub peers: &'static [Peer],
    pub targets: &'static [Aim],
}

/// Who does it beside us.
pub enum Peer {
    /// Another work of our own program: name and version of the crate, and the work.
    Rust(&'static str, &'static str, &'static str),
    /// A tool by its name in the script, and the packages that it needs.
    Python(&'static str, &'static [&'static str]),
    /// A program that the script starts.
    Stilts(&'static str),
}

/// At most so much of the CPU of a peer.
pub struct Aim {
    pub what: &'static str,
    pub peer: &'static str,
    pub bound: f64,
}

pub const STILTS: &str = "STILTS";
pub const STILTS_START: &str = "STILTS-start";

const fn aim(what: &'static str, peer: &'static str, bound: f64) -> Aim {
    Aim { what, peer, bound }
}

use Peer::{Python, Rust, Stilts};

pub const WORKS: [Work; 6] = [
    Work {
        name: "cells",
        title: "HEALPix cells, nside 128, 10 M",
        what: "cells",
        peers: &[
            Rust("cdshealpix in Rust", "0.10.1", "cells-of-cdshealpix"),
            Python("cdshealpix", &["cdshealpix"]),
            Python("healpy", &["healpy"]),
            Python("astropy_healpix", &["astropy_healpix"]),
        ],
        targets: &[aim("cells: CPU, of cdshealpix called directly", "cdshealpix in Rust", 1.05)],
    },
    Work {
        name: "brick-ids",
        title: "brick numbers, 10 M",
        what: "bricks",
        peers: &[Python("desiutil", &["desiutil"])],
        targets: &[aim("brick numbers: CPU, of desiutil", "desiutil", 0.2)],
    },
    Work {
        name: "brick-names",
        title: "brick names, 10 M",
        what: "names",
        peers: &[Python("desiutil", &["desiutil"])],
        targets: &[aim("brick names: CPU, of desiutil", "desiutil", 0.02)],
    },
    Work {
        name: "exclusion",
        title: "11 arcsec around 5 k lenses, 1 M galaxies",
        what: "galaxies",
        peers: &[
            Python("healpy+pandas", &["healpy", "pandas"]),
            Python("scipy", &["scipy"]),
            Python("astropy", &["astropy"]),
            Stilts(STILTS),
        ],
        targets: &[
            aim("exclusion: CPU, of healpy and pandas", "healpy+pandas", 0.25),
            aim("exclusion: CPU, of scipy's cKDTree", "scipy", 0.15),
        ],
    },
    Work {
        name: "pairs",
        title: "all pairs within 1 arcsec, 1 M x 1 M",
        what: "pairs",
        peers: &[
            Python("astropy", &["astropy"]),
            Python("scipy", &["scipy"]),
            Stilts(STILTS),
            Stilts(STILTS_START),
        ],
        targets: &[
            aim("all pairs: CPU, of astropy's search_around_sky", "astropy", 0.25),
            aim("all pairs: CPU, of STILTS", STILTS, 0.25),
        ],
    },
    Work {
        name: "nearest",
        title: "nearest within 1 arcsec, 1 M x 1 M",
        what: "pairs",
        peers: &[Python("astropy", &["astropy"]), Python("scipy", &["scipy"]), Stilts(STILTS)],
        targets: &[
            aim("nearest: CPU, of astropy's match_to_catalog_sky", "astropy", 0.25),
            aim("nearest: CPU, of STILTS", STILTS, 0.25),
        ],
    },
];

/// The programs, and where the columns are.
pub struct Tools {
    pub program: PathBuf,
    script: PathBuf,
    data: PathBuf,
    versions: HashMap<String, String>,
}

impl Tools {
    /// Builds our program and writes the columns, once.
    pub fn new(data: &Path) -> Result<Self, String> {
        tools::succeed(tools::cargo().args([
            "build",
            "--release",
            "-p",
            "coaddkit-benches",
            "--bin",
            "peer-sky",
        ]))?;
        let program = files::target().join("release/peer-sky");
        let script = files::root().join("benches/peers/sky.py");
        if !data.exists() {
            let part = data.with_extension("part");
            tools::succeed(tools::command(&program).arg("generate").arg(&part))?;
            if let Ok(python) = tools::python(&["numpy", "astropy"]) {
                tools::succeed(tools::command(python).arg(&script).arg("to-fits").arg(&part))?;
            }
            std::fs::rename(&part, data).map_err(|e| format!("{}: {e}", data.display()))?;
        }
        let mut versions = HashMap::new();
        if let Ok(python) = tools::python(&["numpy"]) {
            let text = tools::output(tools::command(python).arg(&script).arg("versions"))?;
            let pairs = text.lines().filter_map(|line| line.split_once(' '));
            versions.extend(pairs.map(|(name, version)| (name.to_owned(), version.to_owned())));
        }
        let said = tools::output(tools::command("stilts").arg("-version")).unwrap_or_default();
        if let Some(version) = said.lines().find_map(|line| line.trim().strip_prefix("STILTS version ")) {
            versions.insert(STILTS.into(), version.to_owned());
        }
        Ok(Self { program, script, data: data.to_owned(), versions })
    }

    /// The version of a Python package or of STILTS.
    pub fn version(&self, name: &str) -> &str {
        self.versions.get(name).map_or("", String::as_str)
    }

    /// Everybody for a piece of work, or only those whom the targets name; ours first, and the absent with the reason.
    pub fn contenders(&self, work: &Work, targets_only: bool) -> (Vec<Contender>, Vec<String>) {
        let mut list = vec![
            self.rust("coaddkit", &our_version(), work.name, 1),
            self.rust("coaddkit, 2 threads", &our_version(), work.name, 2),
        ];
        let mut absent = Vec::new();
        let named = |peer: &&Peer| {
            let (Rust(name, ..) | Python(name, _) | Stilts(name)) = peer;
            !targets_only || work.targets.iter().any(|aim| aim.peer == *name)
        };
        for peer in work.peers.iter().filter(named) {
            let (name, contender) = match *peer {
                Rust(name, version, work) => (name, Ok(self.rust(name, version, work, 1))),
                Python(name, packages) => (name, self.python(work, name, packages)),
                Stilts(name) if tools::present("stilts") => {
                    let version = self.version(STILTS).to_owned();
                    let expected = if name == STILTS_START { Expected::Another } else { Expected::Agreed };
                    let contender = self.python(work, name, &["astropy"]);
                    (name, contender.map(|c| Contender { version, expected, ..c }))
                }
                Stilts(name) => (name, Err("it is not installed".to_owned())),
            };
            match contender {
                Ok(contender) => list.push(contender),
                Err(why) => absent.push(format!("{name}: {why}")),
            }
        }
        (list, absent)
    }

    fn rust(&self, name: &str, version: &str, work: &str, threads: usize) -> Contender {
        let words = [self.program.display().to_string(), work.to_owned(), self.data.display().to_string()];
        let argv = words.into_iter().chain([threads.to_string()]).collect();
        Contender { name: name.into(), version: version.into(), argv, expected: Expected::Agreed }
    }

    fn python(&self, work: &Work, name: &str, packages: &[&str]) -> Result<Contender, String> {
        let python = tools::python(&[&["numpy"], packages].concat())?;
        let [python, script, data] =
            [&python, &self.script, &self.data].map(|path| path.display().to_string());
        let argv = vec![python, script, work.name.into(), name.into(), data];
        let version = packages.iter().map(|package| self.version(package)).collect::<Vec<_>>().join(", ");
        Ok(Contender { name: name.into(), version, argv, expected: Expected::Agreed })
    }
}
