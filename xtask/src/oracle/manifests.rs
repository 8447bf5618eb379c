//! Manifests against Python, and against Spark.

use std::path::PathBuf;

use super::{binary, sweeps};
use crate::test::Outcome;
use crate::{files, tools};

const PYTHON: &str = "tests/oracle/manifests.py";
const SPARK: &str = "tests/oracle/spark.py";
const CONFIG: &str = "examples/configs/negative_sampling_v1.yaml";
const SCHEMAS: &str = "docs/schemas";

/// astropy, healpy, hashlib and xxhash recompute pools, samples and tasks; pyarrow, polars and DuckDB read them.
pub fn python() -> Outcome {
    let modules = ["numpy", "astropy", "healpy", "xxhash", "pyarrow", "polars", "duckdb"];
    match tools::python(&modules) {
        Ok(python) => recompute(python).into(),
        Err(why) => Outcome::Skipped(why),
    }
}

fn recompute(python: PathBuf) -> Result<(), String> {
    let work = files::scratch("manifests").map_err(|e| e.to_string())?;
    let mut command = tools::command(python);
    command.arg(PYTHON).arg("--injection").arg(binary("injection-manifest"));
    command.arg("--negatives").arg(binary("negative-sampling"));
    command.args(["--schemas", SCHEMAS, "--config", CONFIG]).arg("--work").arg(work).args(sweeps());
    tools::succeed(&mut command)
}

/// pyspark hashes and orders 100,000 identities, and reads a pool.
pub fn spark() -> Outcome {
    if !tools::present("java") {
        return Outcome::Skipped("there is no Java".to_owned());
    }
    match tools::python(&["numpy", "pyspark"]) {
        Ok(python) => ask_spark(python).into(),
        Err(why) => Outcome::Skipped(why),
    }
}

fn ask_spark(python: PathBuf) -> Result<(), String> {
    let work = files::scratch("spark").map_err(|e| e.to_string())?;
    let ranks = files::target().join("debug/examples/spark_ranks");
    let mut command = tools::command(python);
    command.arg(SPARK).arg("--ranks").arg(ranks).arg("--negatives").arg(binary("negative-sampling"));
    command.args(["--config", CONFIG, "--schemas", SCHEMAS]).arg("--work").arg(work).arg(&sweeps()[0]);
    tools::succeed(&mut command)
}
