//! Checking compressed raw exposures: every HDU decoded, by us and by one Python a file.

use std::path::{Path, PathBuf};

use super::contenders::{self, names};
use super::machine::{self, version};
use super::record::{self, Page, Target, cpu, rss, wall};
use super::{Contender, Expected, Rounds, Timed, time};
use crate::{files, tools};

/// Exposures of the comparison.
const EXPOSURES: usize = 2;

/// The extensions that the earlier pipeline looks at: those of the science CCDs.
const SCIENCE: &str = "62";

const SOURCE: &str = "astropy, a process a file, 62 HDUs";

/// Times the check, and writes its record.
pub fn run(quick: bool) -> Result<(), String> {
    let args = ["build", "--release", "-p", "coaddkit-examples", "--bin", "raw-archive"];
    tools::succeed(tools::cargo().args(args))?;
    let dir = files::target().join("peers");
    let data = data(&dir.join("data"))?;
    let rounds = if quick { 1 } else { 5 };
    let load = machine::load();
    let (list, mut notes) = contenders(&data, &dir);
    let commands = list.iter().map(|contender| record::command(contender, &data)).collect();
    let timed = time(list, &Rounds { count: rounds, before: None, mark: "whole=", work: &dir })?;
    if let Some(why) = &timed[0].failed {
        return Err(format!("our own run failed: {why}"));
    }
    let bytes: u64 = exposures(&data)?.iter().filter_map(|p| p.metadata().ok()).map(|m| m.len()).sum();
    let pixels = EXPOSURES as f64 * 2160.0 * (62.0 * 4146.0 + 8.0 * 2073.0);
    notes.insert(0, format!("- {}", record::agreement(&timed, "whole files")?.join(" ")));
    notes.push(format!(
        "- {:.0} Mpix a CPU second, {:.0} MB of compressed bytes; we look at the checksums of all 71 HDUs and at their \
         names, too.",
        pixels / timed[0].median(cpu) / 1e6,
        bytes as f64 / timed[0].median(cpu) / 1e6
    ));
    let at_least = |what, bound, measured| Target { what, bound, at_most: false, measured };
    let targets = vec![
        at_least("CPU of one astropy process a file, of ours", 3.0, ratio(&timed, SOURCE, cpu)),
        at_least("speed-up of two threads, by the clock", 1.7, {
            find(&timed, names::TWO_THREADS).map_or(f64::NAN, |two| timed[0].ratio(two, wall))
        }),
        Target { what: "peak RSS, MB", bound: 200.0, at_most: true, measured: timed[0].median(rss) / 1e6 },
    ];
    let machine = [machine::describe(), vec![format!("- Load average before: {load}")]].concat();
    let intro = format!(
        "{EXPOSURES} simulated exposures of DECam in their real size, {:.0} MB each, in the page cache: 62 CCDs of 2160 \
         x 4146 and 8 of 2160 x 2073 pixels of 16 bits, RICE_1 by rows. Whole processes, one thread unless said.",
        bytes as f64 / EXPOSURES as f64 / 1e6
    );
    let rows = record::table("check", &timed);
    let measured_on = "the same files";
    Page { subject: "raws", intro, machine, rows, notes, measured_on, targets, commands }
        .write(quick, rounds, &dir)
}

/// The exposures, which are made once.
fn data(dir: &Path) -> Result<PathBuf, String> {
    let out = dir.join("raws");
    if !out.exists() {
        let part = dir.join("raws-part");
        std::fs::create_dir_all(&part).map_err(|e| format!("{}: {e}", part.display()))?;
        let mut command = tools::command(super::program("raw-archive"));
        command.arg("miniature").arg(&part).args(["--size", "2160,4146", "--exposures"]);
        tools::succeed(command.arg(EXPOSURES.to_string()))?;
        std::fs::rename(part.join("archive"), &out).map_err(|e| format!("{}: {e}", out.display()))?;
    }
    Ok(out)
}

fn exposures(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let all = files::below(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    Ok(all.into_iter().filter(|path| path.extension().is_some_and(|e| e == "fz")).collect())
}

/// Everybody, ours first, and the absent with the reason.
fn contenders(data: &Path, dir: &Path) -> (Vec<Contender>, Vec<String>) {
    let (mut list, mut absent) = (Vec::new(), Vec::new());
    let ours = super::program("raw-archive").display().to_string();
    let script =
        format!(r#""$1" check "$2" --quiet --force --threads "$3" --out "$4" && echo whole={EXPOSURES}"#);
    for (name, threads) in [(names::OURS, "1"), (names::TWO_THREADS, "2")] {
        let account = dir.join("raws-check").display().to_string();
        let argv = ["sh", "-c", &script, "sh", &ours, &data.display().to_string(), threads, &account];
        list.push(contender(name, &machine::our_version(), &argv, &[], Expected::Agreed));
    }
    let paths: Vec<String> =
        exposures(data).unwrap_or_default().iter().map(|path| path.display().to_string()).collect();
    let each = r#"python=$1; script=$2; reader=$3; last=$4; shift 4
        for file; do "$python" "$script" "$reader" "$last" "$file" || exit 1; done"#;
    let peer = files::root().join("benches/peers/raws.py").display().to_string();
    let versions = contenders::python_versions();
    for (name, module, last) in [
        (SOURCE, "astropy", SCIENCE),
        ("astropy, a process a file, all HDUs", "astropy", "all"),
        ("fitsio in Python, a process a file, all HDUs", "fitsio", "all"),
    ] {
        match tools::python(&["numpy", module]) {
            Ok(python) => {
                let python = python.display().to_string();
                let argv = ["sh", "-c", each, "sh", &python, &peer, module, last];
                let version = versions.get(module).map_or("", String::as_str);
                list.push(contender(name, version, &argv, &paths, Expected::Agreed));
            }
            Err(why) => absent.push(format!("- skipped {name}: {why}")),
        }
    }
    if tools::present("funpack") {
        let each = r#"for file; do funpack -S "$file" > /dev/null || exit 1; done"#;
        let cfitsio = version("pkg-config", &["--modversion", "cfitsio"]);
        let name = "funpack to /dev/null";
        list.push(contender(name, &cfitsio, &["sh", "-c", each, "sh"], &paths, Expected::Nothing));
    }
    (list, absent)
}

fn contender(name: &str, version: &str, argv: &[&str], paths: &[String], expected: Expected) -> Contender {
    let argv = argv.iter().map(|&arg| arg.to_owned()).chain(paths.iter().cloned()).collect();
    Contender { name: name.to_owned(), version: version.to_owned(), argv, expected }
}

fn find<'a>(timed: &'a [Timed], name: &str) -> Option<&'a Timed> {
    timed.iter().find(|t| t.contender.name == name && t.failed.is_none())
}

/// What another needs, in units of ours.
fn ratio(timed: &[Timed], name: &str, of: fn(&super::Round) -> f64) -> f64 {
    find(timed, name).map_or(f64::NAN, |other| other.ratio(&timed[0], of))
}
