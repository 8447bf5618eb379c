//! Manifests: stratified samples beside other tools, and what a row of ours costs.

use std::path::{Path, PathBuf};

use coaddkit_testkit::Sweep;

use super::machine::{self, our_version};
use super::record::{self, Page, Target, cpu, rss, wall};
use super::{Contender, Expected, Rounds, Timed, program, time};
use crate::{files, tools};

const SCRIPT: &str = "benches/peers/manifest.py";

/// Rows of a sweep, and how many sweeps.
const SWEEP: (u64, u64) = (1_000_000, 3);

/// Rows of the pools that a sample is drawn from.
const POOLS: [u64; 3] = [5_000_000, 10_000_000, 30_000_000];

/// Galaxies of the parent of the injection manifest.
const PARENT: u64 = 6_000_000;

const INTRO: &str = "A sample of exactly 15,625 of each of 16 strata of 10 M rows, from columns in memory: a program \
                     repeats the work for a second and tells the CPU and wall seconds of one repetition, on one thread \
                     but for Spark, whose CPU is not in the JVM's parent and is not told. Then our binaries as users run them, from \
                     files in the page cache to files: CPU of the whole process.";

pub fn run(quick: bool) -> Result<(), String> {
    let dir = files::target().join("peers");
    let data = dir.join("manifest");
    std::fs::create_dir_all(&data).map_err(|e| format!("{}: {e}", data.display()))?;
    let build = |package: &str, binaries: &[&str]| {
        let mut cargo = tools::cargo();
        cargo.args(["build", "--release", "-p", package]);
        binaries.iter().for_each(|name| _ = cargo.args(["--bin", name]));
        tools::succeed(&mut cargo)
    };
    build("coaddkit-benches", &["peer-manifest"])?;
    build("coaddkit-examples", &["injection-manifest", "negative-sampling"])?;
    let job =
        Job { program: program("peer-manifest"), data: data.clone(), rounds: if quick { 1 } else { 3 } };

    let (mut rows, mut notes, mut targets, mut commands) = (String::new(), vec![], vec![], vec![]);
    let timed = job.stratified(quick, &mut notes)?;
    commands.extend(timed.iter().map(|t| record::command(&t.contender, &data)));
    rows.push_str(&record::table("stratified sample, 10 M to 250 k", &timed));
    notes.extend(record::agreement(&timed, "rows")?);
    let find = |name: &str| timed.iter().find(|t| t.contender.name == name && t.failed.is_none());
    let best = timed[1..].iter().filter(|t| t.failed.is_none() && t.contender.name != "pyspark");
    let best = best.map(|other| timed[0].ratio(other, cpu)).fold(f64::NAN, f64::max);
    let at_most = |what, bound, measured| Target { what, bound, at_most: true, measured };
    targets.push(at_most("stratified sample: CPU, of the best peer", 0.25, best));
    let spark = find("pyspark").map_or(f64::NAN, |other| timed[0].ratio(other, wall));
    targets.push(at_most("stratified sample: wall, of pyspark local[2]", 0.01, spark));

    let single = |work: &str, one: Timed, rows: &mut String| -> Result<Timed, String> {
        if let Some(why) = &one.failed {
            return Err(format!("our own run failed: {why}"));
        }
        rows.push_str(&record::table(work, std::slice::from_ref(&one)));
        Ok(one)
    };
    let least = |what, bound, measured| Target { what, bound, at_most: false, measured };
    let read = SWEEP.0 as f64 * SWEEP.1 as f64;
    for (limit, target) in [
        (20.0, "sweeps to pool, limit z < 20: million rows read a CPU second"),
        (21.5, "sweeps to pool, limit z < 21.5: million rows read a CPU second"),
    ] {
        let work = format!("3 sweeps of 1 M rows to a pool, z < {limit}");
        let pool = single(&work, job.pool(limit)?, &mut rows)?;
        commands.push(record::command(&pool.contender, &data));
        let share = pool.answer.unwrap_or(0) as f64 / read * 100.0;
        notes.push(format!("- {work}: {share:.1} % of the rows pass the filters."));
        targets.push(least(target, 3.0, read / pool.median(cpu) / 1e6));
    }
    let build = single("injection manifest", job.injection()?, &mut rows)?;
    commands.push(record::command(&build.contender, &data));
    let tasks = build.answer.unwrap_or(0) as f64;
    notes.push(format!("- The injection manifest has {tasks} tasks of 42 columns, of {PARENT} galaxies."));
    targets.push(least(
        "injection manifest: million rows written a CPU second",
        1.0,
        tasks / build.median(cpu) / 1e6,
    ));
    for pool in if quick { &POOLS[..2] } else { &POOLS[..] } {
        let work = format!("sample of 500,000 from {} M rows of pool", pool / 1_000_000);
        let drawn = single(&work, job.sample(*pool)?, &mut rows)?;
        let peak = drawn.median(rss) / 1e6;
        notes.push(format!(
            "- {work}: {:.0} ns of CPU a pool row, peak RSS {peak:.0} MB.",
            drawn.median(cpu) / *pool as f64 * 1e9
        ));
        if *pool == POOLS[2] {
            targets.push(at_most("sample of 500,000 from 30 M rows: peak RSS, MB", 1000.0, peak));
        }
    }
    let page = Page {
        subject: "manifest",
        intro: INTRO.to_owned(),
        machine: [machine::describe(), vec![format!("- {}", machine::version("rustc", &["-V"]))]].concat(),
        rows,
        notes,
        targets,
        measured_on: "one thread",
        commands,
    };
    page.write(quick, job.rounds, &dir)
}

struct Job {
    program: PathBuf,
    data: PathBuf,
    rounds: usize,
}

impl Job {
    fn time(&self, contenders: Vec<Contender>, mark: &'static str) -> Result<Vec<Timed>, String> {
        time(contenders, &Rounds { count: self.rounds, before: None, mark, work: &self.data })
    }

    fn one(&self, name: &str, argv: Vec<String>, mark: &'static str) -> Result<Timed, String> {
        let contender =
            Contender { name: name.to_owned(), version: our_version(), argv, expected: Expected::Nothing };
        self.time(vec![contender], mark)?.pop().ok_or_else(|| "nothing was timed".to_owned())
    }

    /// What is made once, and kept under its name when it is whole.
    fn made(&self, name: &str, make: impl FnOnce(&Path) -> Result<(), String>) -> Result<PathBuf, String> {
        let path = self.data.join(name);
        if !path.exists() {
            let part = self.data.join(format!("part-{name}"));
            make(&part)?;
            std::fs::rename(&part, &path).map_err(|e| format!("{}: {e}", path.display()))?;
        }
        Ok(path)
    }

    fn generate(&self, what: &str, path: &Path, rows: Option<u64>) -> Result<(), String> {
        let mut command = tools::command(&self.program);
        command.arg(what).arg(path).args(rows.map(|n| n.to_string()));
        tools::succeed(&mut command)
    }

    fn stratified(&self, quick: bool, notes: &mut Vec<String>) -> Result<Vec<Timed>, String> {
        let strata = self.made("strata.u1", |path| self.generate("strata", path, None))?;
        let file = strata.display().to_string();
        let argv = vec![self.program.display().to_string(), "stratified".to_owned(), file.clone()];
        let ours =
            Contender { name: "coaddkit".into(), version: our_version(), argv, expected: Expected::Agreed };
        let mut contenders = vec![ours];
        let script = files::root().join(SCRIPT).display().to_string();
        let versions = tools::python(&["numpy"])
            .and_then(|python| tools::output(tools::command(python).args([&script, "versions"])))
            .unwrap_or_default();
        let names = if quick {
            &["numpy", "polars"][..]
        } else {
            &["numpy", "polars", "duckdb", "pandas", "pyspark"]
        };
        for &name in names {
            let extra: &[&str] =
                if name == "duckdb" { &["numpy", name, "pyarrow"] } else { &["numpy", name] };
            match tools::python(extra) {
                Ok(python) => {
                    let python = python.display().to_string();
                    let version =
                        versions.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("").trim();
                    let argv = vec![python, script.clone(), name.to_owned(), file.clone()];
                    let (name, version) = (name.to_owned(), version.to_owned());
                    contenders.push(Contender { name, version, argv, expected: Expected::Agreed });
                }
                Err(why) => notes.push(format!("- skipped {name}: {why}")),
            }
        }
        let timed = self.time(contenders, "answer=")?;
        match &timed[0].failed {
            Some(why) => Err(format!("our own run failed: {why}")),
            None => Ok(timed),
        }
    }

    /// The published configuration with its own limit, or a deeper one that lets through the share of a deep survey.
    fn pool(&self, limit: f64) -> Result<Timed, String> {
        let mut argv =
            vec![program("negative-sampling").display().to_string(), "pool".into(), "--sweeps".into()];
        for k in 0..SWEEP.1 {
            let sweep = self.made(&format!("sweep-{k}.fits"), |path| {
                let made = Sweep::new(k, SWEEP.0 as usize).write(path);
                made.map_err(|e| format!("{}: {e}", path.display()))
            })?;
            argv.push(sweep.display().to_string());
        }
        // 5,000 lenses over the sky of the sweeps.
        let lenses = self.made("lenses.csv", |path| {
            let line = |k: u32| format!("{},{}\n", 150.0 + f64::from(k % 71) * 0.07, f64::from(k) * 0.001);
            let text = "ra,dec\n".to_owned() + &(0..5000).map(line).collect::<String>();
            std::fs::write(path, text).map_err(|e| e.to_string())
        })?;
        let shipped = files::root().join("examples/configs/negative_sampling_v1.yaml");
        let text = std::fs::read_to_string(&shipped).map_err(|e| format!("{}: {e}", shipped.display()))?;
        let config = self.data.join(format!("limit-{limit}.yaml"));
        std::fs::write(&config, text.replace("z_mag_limit: 20.0", &format!("z_mag_limit: {limit:.1}")))
            .map_err(|e| format!("{}: {e}", config.display()))?;
        let out = self.data.join(format!("pool-out-{limit}"));
        for (option, value) in [("--positives", lenses), ("--config", config), ("--out", out.clone())] {
            argv.extend([option.to_owned(), value.display().to_string()]);
        }
        argv.extend(["--force", "--quiet", "--threads", "1"].map(str::to_owned));
        let mut timed = self.one("negative-sampling pool", argv, "none=")?;
        let done = std::fs::read(out.join("_SUCCESS")).unwrap_or_default();
        let done: serde_json::Value = serde_json::from_slice(&done).unwrap_or_default();
        timed.answer = done["rows"].as_u64();
        Ok(timed)
    }

    fn injection(&self) -> Result<Timed, String> {
        let survey = self.data.join("survey");
        // Its configuration names its own folder, so it is made in place.
        if !survey.join("stage.toml").exists() {
            self.generate("survey", &survey, Some(PARENT))?;
        }
        let [config, out] =
            [survey.join("stage.toml"), self.data.join("manifests-out")].map(|p| p.display().to_string());
        let argv = [
            &program("injection-manifest").display().to_string(),
            "build",
            "--config",
            &config,
            "--out",
            &out,
        ];
        let mut argv: Vec<String> = argv.map(str::to_owned).to_vec();
        argv.extend(["--force", "--quiet", "--threads", "1"].map(str::to_owned));
        let mut timed = self.one("injection-manifest build", argv, "none=")?;
        let stage = std::fs::read(Path::new(&out).join("_stage_config.json")).unwrap_or_default();
        let stage: serde_json::Value = serde_json::from_slice(&stage).unwrap_or_default();
        let tasks = stage["counts"]["tasks"].as_object();
        timed.answer = tasks.map(|tasks| tasks.values().filter_map(serde_json::Value::as_u64).sum());
        Ok(timed)
    }

    fn sample(&self, rows: u64) -> Result<Timed, String> {
        let name = format!("pool-{}m", rows / 1_000_000);
        let pool = self.made(&name, |path| {
            self.generate("pool", path, Some(rows))?;
            let positives = self.data.join("positives.csv");
            std::fs::rename(path.with_extension("positives.csv"), positives).map_err(|e| e.to_string())
        })?;
        let mut argv = vec![program("negative-sampling").display().to_string(), "sample".into()];
        let config = files::root().join("examples/configs/negative_sampling_v1.yaml");
        for (option, value) in [
            ("--pool", pool),
            ("--positives", self.data.join("positives.csv")),
            ("--config", config),
            ("--out", self.data.join(format!("sample-{}m.parquet", rows / 1_000_000))),
        ] {
            argv.extend([option.to_owned(), value.display().to_string()]);
        }
        argv.extend(["--quiet", "--threads", "1"].map(str::to_owned));
        self.one("negative-sampling sample", argv, "none=")
    }
}
