//! `cargo xtask test` and `cargo xtask ci`: every step a change must pass, timed, with a table at the end.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::{Done, Stop, conformance, files, fixtures, oracle, public_api, tools, vectors};

/// How a step ended.
pub enum Outcome {
    Passed,
    Failed(String),
    /// It could not run here; the reason is shown.
    Skipped(String),
}

impl From<Result<(), String>> for Outcome {
    fn from(result: Result<(), String>) -> Self {
        result.map_or_else(Self::Failed, |()| Self::Passed)
    }
}

impl From<Done> for Outcome {
    fn from(done: Done) -> Self {
        match done {
            Ok(()) => Self::Passed,
            Err(Stop::Usage(what) | Stop::Failed(what)) => Self::Failed(what),
        }
    }
}

struct Run {
    require_all: bool,
    may_install: bool,
    /// The test runner's own last words, repeated at the end.
    summary: Vec<String>,
}

type Step = (&'static str, fn(&mut Run) -> Outcome);

const STEPS: &[Step] = &[
    ("tools", install),
    ("fmt", |run| run.cargo(&["fmt", "--all", "--check"]).into()),
    ("clippy", |run| run.cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]).into()),
    ("tests", |run| tests(run, &["--workspace"])),
    ("features", features),
    ("doctests", |run| run.cargo(&["test", "--doc", "--workspace", "--quiet"]).into()),
    ("docs", |run| {
        let mut cargo = run.command(&["doc", "--workspace", "--no-deps"]);
        tools::succeed(cargo.env("RUSTDOCFLAGS", "-D warnings")).into()
    }),
    ("check", |_| crate::check::run(&[]).into()),
    ("public-api", |run| public_api::step(run.may_install)),
    ("fixtures", |_| fixtures::run(&["--check"]).into()),
    ("fitsverify", fitsverify),
    ("vectors", reference),
    ("conformance", |_| conformance::step()),
    // With the features of the step `tests`, which has built them: binaries, and examples.
    ("binaries", |run| run.cargo(&["test", "--workspace", "--no-run", "--quiet"]).into()),
    ("oracle-python", |_| oracle::python()),
    ("oracle-c", |_| oracle::c()),
    ("oracle-written", |_| oracle::written()),
    ("oracle-arrow", |_| oracle::arrow()),
    ("oracle-dither", |_| oracle::dither()),
    ("oracle-sky", |_| oracle::sky::run()),
    ("oracle-cache", |_| oracle::cache()),
    ("oracle-raws", |_| oracle::raws()),
    ("oracle-manifests", |_| oracle::manifests::python()),
    ("oracle-spark", |_| oracle::manifests::spark()),
];

pub fn run(args: &[&str], ci: bool) -> Done {
    let require_all = ci || std::env::var_os("COADDKIT_REQUIRE_ALL").is_some_and(|v| v == "1");
    let may_install = require_all || std::env::var_os("CI").is_some();
    if let Some(unknown) = args.iter().find(|arg| !STEPS.iter().any(|(name, _)| name == *arg)) {
        let names = STEPS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" ");
        return Err(Stop::Usage(format!("no step {unknown}; the steps are: {names}")));
    }
    let mut run = Run { require_all, may_install, summary: Vec::new() };
    let mut done = Vec::new();
    for &(name, step) in STEPS {
        if !args.is_empty() && !args.contains(&name) {
            continue;
        }
        println!("── {name}");
        let start = Instant::now();
        let outcome = match step(&mut run) {
            Outcome::Skipped(why) if require_all => Outcome::Failed(format!("skipped: {why}")),
            outcome => outcome,
        };
        done.push((name, outcome, start.elapsed().as_secs_f64()));
    }
    report(&run, &done)
}

fn report(run: &Run, done: &[(&str, Outcome, f64)]) -> Done {
    println!();
    run.summary.iter().for_each(|line| println!("{line}"));
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (name, outcome, seconds) in done {
        let (count, word, why) = match outcome {
            Outcome::Passed => (&mut passed, "ok", ""),
            Outcome::Failed(why) => (&mut failed, "FAILED", why.as_str()),
            Outcome::Skipped(why) => (&mut skipped, "skipped", why.as_str()),
        };
        *count += 1;
        println!("{}", format!("{name:<16} {word:<8} {seconds:7.1} s  {why}").trim_end());
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    if failed == 0 { Ok(()) } else { Err(Stop::Failed(format!("{failed} steps failed"))) }
}

impl Run {
    fn command(&self, args: &[&str]) -> Command {
        let mut cargo = tools::cargo();
        cargo.args(args);
        if self.require_all {
            cargo.env("COADDKIT_REQUIRE_ALL", "1");
        }
        cargo
    }

    fn cargo(&self, args: &[&str]) -> Result<(), String> {
        tools::succeed(&mut self.command(args))
    }
}

fn install(run: &mut Run) -> Outcome {
    if run.may_install {
        return tools::install().into();
    }
    // Nothing is installed behind anybody's back; the steps that miss something say so themselves.
    Outcome::Passed
}

/// What the default build leaves out: lints, tests and documentation of the optional features of `fits`.
fn features(run: &mut Run) -> Outcome {
    const FITS: [&str; 2] = ["-p", "coaddkit-fits"];
    let cfitsio = tools::has_cfitsio();
    let features: &[&str] =
        if cfitsio.is_ok() { &["--all-features"] } else { &["--features", "arrow,zlib-rs"] };
    let chosen = [&FITS, features].concat();
    let lints = [&["clippy"], &chosen[..], &["--all-targets", "--", "-D", "warnings"]].concat();
    if let Err(why) = run.cargo(&lints) {
        return Outcome::Failed(why);
    }
    if let Outcome::Failed(why) = tests(run, &chosen) {
        return Outcome::Failed(why);
    }
    let mut docs = run.command(&[&["doc", "--no-deps"], &chosen[..]].concat());
    let docs = tools::succeed(docs.env("RUSTDOCFLAGS", "-D warnings"));
    let examples = || run.cargo(&[&["test", "--doc", "--quiet"], &chosen[..]].concat());
    match (docs.and_then(|()| examples()), cfitsio) {
        (Err(why), _) => Outcome::Failed(why),
        (Ok(()), Err(why)) => Outcome::Skipped(format!("cfitsio: {why}")),
        (Ok(()), Ok(())) => Outcome::Passed,
    }
}

/// All tests of some packages, by the better runner if it is there.
fn tests(run: &mut Run, packages: &[&str]) -> Outcome {
    let nextest = tools::output(tools::cargo().args(["nextest", "--version"])).is_ok();
    let (args, mark): (&[&str], _) = if nextest {
        (&["nextest", "run", "--no-fail-fast"], " tests run: ")
    } else {
        (&["test", "--all-targets", "--no-fail-fast"], "test result: ")
    };
    let mut command = run.command(&[args, packages].concat());
    if let Ok(python) = tools::python(&["numpy", "astropy"]) {
        command.env("COADDKIT_PYTHON", python);
    }
    // One stream is enough to catch the summary: nextest speaks on stderr, libtest on stdout.
    let (stdout, stderr) =
        if nextest { (Stdio::inherit(), Stdio::piped()) } else { (Stdio::piped(), Stdio::inherit()) };
    let mut child = match command.stdout(stdout).stderr(stderr).spawn() {
        Ok(child) => child,
        Err(e) => return Outcome::Failed(format!("cargo: {e}")),
    };
    let stream: Option<Box<dyn std::io::Read>> = match (child.stdout.take(), child.stderr.take()) {
        (Some(out), _) => Some(Box::new(out)),
        (None, Some(err)) => Some(Box::new(err)),
        (None, None) => None,
    };
    for line in stream.into_iter().flat_map(|s| BufReader::new(s).split(b'\n')).map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        println!("{line}");
        if line.contains(mark) {
            run.summary.push(line);
        }
    }
    match child.wait() {
        Ok(status) if status.success() => Outcome::Passed,
        Ok(status) => Outcome::Failed(status.to_string()),
        Err(e) => Outcome::Failed(e.to_string()),
    }
}

fn fitsverify(_: &mut Run) -> Outcome {
    if !tools::present("fitsverify") {
        return Outcome::Skipped("fitsverify is not installed".to_owned());
    }
    let tables: Vec<PathBuf> = match files::below(&files::root().join("fixtures")) {
        // The conformance set holds odd files on purpose.
        Ok(all) => all
            .into_iter()
            .filter(|path| !path.components().any(|part| part.as_os_str() == "conformance"))
            .filter(|path| path.to_string_lossy().contains(".fits"))
            .collect(),
        Err(e) => return Outcome::Failed(format!("fixtures: {e}")),
    };
    if tables.is_empty() {
        return Outcome::Failed("there are no fixtures".to_owned());
    }
    tools::succeed(tools::command("fitsverify").arg("-q").args(tables)).into()
}

fn reference(_: &mut Run) -> Outcome {
    let dir = files::shared().join("vectors");
    if !dir.is_dir() {
        return Outcome::Skipped("the reference values are not beside the workspace".to_owned());
    }
    vectors::run(&[&dir.to_string_lossy()]).into()
}
