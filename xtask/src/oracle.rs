//! The counts of `lrg-density` on the fixtures against two programs that share no line with it.

use std::fs;
use std::path::PathBuf;

use coaddkit_testkit::MINIATURE_SWEEPS;

use crate::test::Outcome;
use crate::{files, tools};

pub mod sky;

const PYTHON: &str = "tests/oracle/lrg_count.py";
const C: &str = "benches/peers/sweep.c";

/// The sweeps under `fixtures/`.
fn sweeps() -> Vec<PathBuf> {
    let dir = files::root().join("fixtures");
    MINIATURE_SWEEPS.iter().map(|name| dir.join(name)).collect()
}

/// The binary as `release` builds it.
pub fn binary() -> PathBuf {
    files::target().join("release").join(format!("lrg-density{}", std::env::consts::EXE_SUFFIX))
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
    command.args([PYTHON, "--binary"]).arg(binary()).arg("--work").arg(work).args(sweeps());
    tools::succeed(&mut command).into()
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
        let mut count = tools::command(binary());
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
