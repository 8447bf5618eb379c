//! The binaries under the engines that place their shards: real ones, with a worker that is killed.

mod parsl;
mod slurm;
mod spark;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use coaddkit_testkit::{Fault, FaultOrigin, Files, MINIATURE_SWEEPS, damage};
use tempfile::TempDir;

const LRG_DENSITY: &str = env!("CARGO_BIN_EXE_lrg-density");

/// A busy machine is slow to start three Java processes.
const LIMIT: Duration = Duration::from_secs(300);

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(name)
}

/// A survey of so many sweeps behind a slow portal, so that each takes its time, and what one process counts in it.
struct Survey {
    dir: TempDir,
    origin: FaultOrigin,
    counts: String,
}

impl Survey {
    fn new(sweeps: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        std::fs::create_dir(&tree).unwrap();
        let names: Vec<String> = (0..sweeps).map(|i| format!("sweep-{i:02}.fits")).collect();
        for (i, name) in names.iter().enumerate() {
            std::fs::copy(fixture(MINIATURE_SWEEPS[i % 2 * 2]), tree.join(name)).unwrap();
        }
        let origin = FaultOrigin::new(Files::folder(&tree));
        let list: Vec<String> = names.iter().map(|name| origin.url(name)).collect();
        std::fs::write(dir.path().join("list.txt"), list.join("\n")).unwrap();
        let ran = run(
            Command::new(LRG_DENSITY).args(["count", "--list", "list.txt", "--out", "one.csv"]),
            dir.path(),
        );
        assert!(ran.status.success(), "{}", said(&ran));
        let counts = std::fs::read_to_string(dir.path().join("one.csv")).unwrap();
        assert!(counts.lines().count() > 50);
        Self { dir, origin, counts }
    }

    /// From here on each sweep takes about so long.
    fn slow(&self, seconds: f64) {
        let bytes = std::fs::metadata(fixture(MINIATURE_SWEEPS[0])).unwrap().len() as f64;
        self.origin.fault(Fault::Trickle((bytes / seconds) as u32).everywhere());
    }

    /// From here on nothing is wrong with the portal.
    fn quick(&self) {
        self.origin.heal();
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes the scripts for an engine.
    fn emit(&self, engine: &str, shards: u32, out: &str, more: &[&str]) {
        let shards = shards.to_string();
        let args = ["emit", engine, "--list", "list.txt", "--shards", &shards, "--out", out];
        let ran = run(Command::new(LRG_DENSITY).args(args).args(more), self.path());
        assert!(ran.status.success(), "{}", said(&ran));
    }

    /// How a run stands: the report of `status`.
    fn status(&self, out: &str) -> serde_json::Value {
        let ran = run(Command::new(LRG_DENSITY).args(["status", out, "--json", "--quiet"]), self.path());
        serde_json::from_slice(&ran.stdout).unwrap_or_default()
    }

    fn merged(&self, out: &str) -> String {
        std::fs::read_to_string(self.path().join(out).join("counts.csv")).unwrap_or_default()
    }
}

fn run(command: &mut Command, dir: &Path) -> Output {
    command.current_dir(dir).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Asks again and again until there is an answer.
fn wait<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < LIMIT, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Processes whose command line has all these words: number and words.
fn processes(words: &[&str]) -> Vec<(u32, Vec<String>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(line) = std::fs::read(entry.path().join("cmdline")) else { continue };
        let line: Vec<String> =
            line.split(|&b| b == 0).map(|w| String::from_utf8_lossy(w).into_owned()).collect();
        if words.iter().all(|word| line.iter().any(|given| given == word)) {
            found.push((pid, line));
        }
    }
    found
}

/// Whether a process was started by another, or by one that it started.
fn descends(pid: u32, from: u32) -> bool {
    let parent = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may hold anything.
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    };
    std::iter::successors(Some(pid), |pid| parent(*pid)).any(|pid| pid == from)
}

/// Ends a process as a machine that fails does.
fn kill(pid: u32) {
    let ended = Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    assert!(ended.success(), "{pid} is not there any more");
}

/// A sweep that is damaged, under a name of the list.
fn spoil(survey: &Survey, name: &str) {
    let whole = std::fs::read(fixture(MINIATURE_SWEEPS[0])).unwrap();
    survey.origin.put(name, damage::truncated(&whole, whole.len() / 2));
}
