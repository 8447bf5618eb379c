//! What our binaries say against programs that share no line with them.

use std::fs;
use std::path::{Path, PathBuf};

use coaddkit_testkit::{CoaddTree, MINIATURE_SWEEPS};

use crate::test::Outcome;
use crate::{files, tools};

pub mod manifests;
pub mod sky;

const PYTHON: &str = "tests/oracle/lrg_count.py";
const DITHER: &str = "tests/oracle/dither.py";
const WRITTEN: &str = "tests/oracle/written.py";
const TABLES: &str = "tests/oracle/tables.py";
const CACHE: &str = "tests/oracle/cache.py";
const RAWS: &str = "tests/oracle/raws.py";
const C: &str = "benches/peers/sweep.c";

/// The sweeps under `fixtures/`.
fn sweeps() -> Vec<PathBuf> {
    let dir = files::root().join("fixtures");
    MINIATURE_SWEEPS.iter().map(|name| dir.join(name)).collect()
}

/// A binary as the step `binaries` builds it.
pub fn binary(name: &str) -> PathBuf {
    files::target().join("debug").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// astropy and numpy recount every preset, with and without dereddening and a box.
pub fn python() -> Outcome {
    let python = match tools::python(&["numpy", "astropy"]) {
        Ok(python) => python,
        Err(why) => return Outcome::Skipped(why),
    };
    let work = match files::scratch("oracle") {
        Ok(work) => work,
        Err(e) => return Outcome::Failed(e.to_string()),
    };
    let mut command = tools::command(python);
    command.args([PYTHON, "--binary"]).arg(binary("lrg-density")).arg("--work").arg(work).args(sweeps());
    tools::succeed(&mut command).into()
}

/// CFITSIO dithers with every seed there is.
pub fn dither() -> Outcome {
    let python = match tools::python(&["numpy", "fitsio"]) {
        Ok(python) => python,
        Err(why) => return Outcome::Skipped(why),
    };
    let work = match files::scratch("dither") {
        Ok(work) => work,
        Err(e) => return Outcome::Failed(e.to_string()),
    };
    let mut command = tools::command(python);
    command.args([DITHER, "--binary"]).arg(binary("fits-info")).arg("--work").arg(work);
    tools::succeed(&mut command).into()
}

/// astropy, python-fitsio, funpack and fitsverify read one file of every kind that the FITS writer knows.
pub fn written() -> Outcome {
    let python = match tools::python(&["numpy", "astropy", "fitsio"]) {
        Ok(python) => python,
        Err(why) => return Outcome::Skipped(why),
    };
    if !tools::present("fitsverify") {
        return Outcome::Skipped("fitsverify is not installed".to_owned());
    }
    read_back(&python).into()
}

fn read_back(python: &Path) -> Result<(), String> {
    let dir = files::scratch("written").map_err(|e| e.to_string())?;
    let example = ["run", "--quiet", "-p", "coaddkit-fits", "--example", "write_samples"];
    tools::succeed(tools::cargo().args(example).arg(&dir))?;
    let mut command = tools::command(python);
    command.arg(WRITTEN).arg(&dir);
    if tools::present("funpack") {
        command.args(["--funpack", "funpack"]);
    }
    tools::succeed(&mut command)?;
    let samples = files::below(&dir).map_err(|e| e.to_string())?;
    let samples = samples.iter().filter(|path| path.extension().is_some_and(|e| e == "fits"));
    // It prints a line for each file, and its exit code counts warnings too.
    let found = tools::output(tools::command("fitsverify").arg("-q").args(samples))?;
    match found.lines().find(|line| !line.contains("verification OK")) {
        None => Ok(()),
        Some(line) => Err(line.to_owned()),
    }
}

/// astropy, numpy and pyarrow look at a miniature cache, and at stamps that were cut from it.
pub fn cache() -> Outcome {
    match tools::python(&["numpy", "astropy", "pyarrow"]) {
        Ok(python) => look_at_cache(&python).into(),
        Err(why) => Outcome::Skipped(why),
    }
}

fn look_at_cache(python: &Path) -> Result<(), String> {
    let dir = files::scratch("cache").map_err(|e| e.to_string())?;
    let (tree, work) = (dir.join("tree"), dir.join("work"));
    // A cache of an earlier run would be found complete.
    for old in [&tree, &work].into_iter().filter(|old| old.exists()) {
        fs::remove_dir_all(old).map_err(|e| e.to_string())?;
    }
    fs::create_dir_all(&work).map_err(|e| e.to_string())?;
    CoaddTree::miniature(1).with_psfsize().write(&tree).map_err(|e| e.to_string())?;
    let mut command = tools::command(python);
    command.arg(CACHE).arg("--coadd-cache").arg(binary("coadd-cache"));
    command.arg("--cutout").arg(binary("cutout")).arg("--tree").arg(tree).arg("--work").arg(work);
    let real = files::shared().join("data/coadds");
    if real.is_dir() {
        command.arg("--real").arg(real);
    }
    tools::succeed(&mut command)
}

/// astropy and fitsverify judge the raw exposures that `raw-archive check` judges.
pub fn raws() -> Outcome {
    match tools::python(&["numpy", "astropy"]) {
        Ok(python) => judge_raws(&python).into(),
        Err(why) => Outcome::Skipped(why),
    }
}

fn judge_raws(python: &Path) -> Result<(), String> {
    let work = files::scratch("raws").map_err(|e| e.to_string())?;
    let mut command = tools::command(python);
    command.arg(RAWS).arg("--raw-archive").arg(binary("raw-archive")).arg("--work").arg(work);
    if tools::present("fitsverify") {
        command.args(["--fitsverify", "fitsverify"]);
    }
    tools::succeed(&mut command)
}

/// pyarrow reads what record batches become, and each value is compared with the bytes of the file.
pub fn arrow() -> Outcome {
    match tools::python(&["numpy", "astropy", "pyarrow"]) {
        Ok(python) => streams(&python).into(),
        Err(why) => Outcome::Skipped(why),
    }
}

fn streams(python: &Path) -> Result<(), String> {
    let dir = files::scratch("streams").map_err(|e| e.to_string())?;
    let shared = files::shared().join("data");
    let mut paths = sweeps();
    paths
        .extend(files::below(&files::root().join("fixtures/conformance/tables")).map_err(|e| e.to_string())?);
    // Of the real files those that hold tables, as other readers have found.
    let listed = fs::read(shared.join("oracle_tables.json")).unwrap_or_default();
    let listed: serde_json::Value = serde_json::from_slice(&listed).unwrap_or_default();
    let names = listed.as_array().into_iter().flatten().filter_map(|file| file["file"].as_str());
    paths.extend(names.map(|name| shared.join(name)));
    let example =
        ["run", "--quiet", "-p", "coaddkit-fits", "--features", "arrow", "--example", "to_arrow", "--"];
    let lines = tools::output(tools::cargo().args(example).arg(&dir).args(paths))?;
    let list = dir.join("list.txt");
    fs::write(&list, lines).map_err(|e| format!("{}: {e}", list.display()))?;
    tools::succeed(tools::command(python).arg(TABLES).arg(&dir).arg(&list))
}

/// CFITSIO recounts the preset v3 brick by brick.
pub fn c() -> Outcome {
    match tools::has_cfitsio() {
        Ok(()) => compare().into(),
        Err(why) => Outcome::Skipped(why),
    }
}

fn compare() -> Result<(), String> {
    let work = files::scratch("oracle").map_err(|e| e.to_string())?;
    let program = work.join("sweep");
    tools::compile(&files::root().join(C), &program, true)?;
    for (ours, theirs) in [(&["--deredden"][..], &[][..]), (&[], &["--observed"])] {
        let printed = tools::output(tools::command(&program).arg("--list").args(theirs).args(sweeps()))?;
        let (mut bricks, totals): (Vec<&str>, Vec<&str>) =
            printed.lines().partition(|line| line.contains(','));
        bricks.sort_unstable();
        let out = work.join("c.csv");
        let mut count = tools::command(binary("lrg-density"));
        count.arg("count").args(sweeps()).args(["--variant", "v3"]).args(ours).arg("--out").arg(&out);
        tools::output(&mut count)?;
        let counts = fs::read_to_string(&out).map_err(|e| format!("{}: {e}", out.display()))?;
        let same = counts.lines().next() == Some("brickname,lrg_count") && counts.lines().skip(1).eq(bricks);
        if !same {
            return Err(format!("{} and CFITSIO differ: {totals:?}", out.display()));
        }
        println!("v3 {ours:?} equals CFITSIO: {}", totals.concat());
    }
    Ok(())
}
