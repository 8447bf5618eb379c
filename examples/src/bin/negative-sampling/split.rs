//! Pools and samples in shards, and what puts them together.

use crate::{pool, sample};
use coaddkit_examples::{
    Account, Common, EngineName, Exit, Handed, Needs, OfJob, Outlet, Refused, Run, emit, emitted, refused,
    run_shard, task_error,
};
use coaddkit_manifest::negatives::{Drawing, Pooling, Ranked, SweepReport};
use coaddkit_tasks::{Done, Error, Input, Job, Merged, Output, Partial, Plan, RunKey, Shard, merge};
use serde::de::DeserializeOwned;
use serde_json::json;
use std::fmt::{self, Display};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// More parts of a pool than this would each keep candidates of all strata for little work.
const PARTS: usize = 64;

/// What became of sweeps.
#[derive(Default)]
struct Reports(Vec<SweepReport>);

impl Partial for Reports {
    fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer(out, &self.0).map_err(io::Error::from)
    }

    fn read(from: &mut dyn Read) -> io::Result<Self> {
        serde_json::from_reader(from).map(Self).map_err(io::Error::from)
    }
}

/// Sweeps to files of a pool.
struct Sweeps {
    pooling: Pooling,
    out: PathBuf,
}

impl Job for Sweeps {
    type Unit = String;
    type Partial = Reports;

    fn inputs(&self, sweep: &String) -> Vec<Input> {
        vec![Input::new("sweep", sweep)]
    }

    fn run(&self, sweep: &String) -> Result<Done<Reports>, Error> {
        let report = self.pooling.sweep(Path::new(sweep), &());
        if let Some(error) = &report.failure {
            return Err(task_error(sweep, error));
        }
        let product = Output::of(&self.out, &report.product())?;
        let (rows, kept) = (report.counts.rows as f64, report.counts.kept as f64);
        Ok(Done::new(Reports(vec![report])).output(product).metric("rows", rows).metric("kept", kept))
    }
}

/// Makes the sweeps of a shard.
pub fn pool_shard(args: &pool::Args, shard: Shard, run: &mut Run) -> Result<Exit, Refused> {
    let account = Account::at(&args.out, false)?;
    let (files, pool) = (args.files()?, args.pool()?);
    let pooling = pool.prepare(&files, &args.positives, account.folder()).map_err(|e| of_error(&e))?;
    let key = RunKey::new().code(env!("CARGO_PKG_VERSION")).input("rules", pooling.fingerprint());
    let units = files.iter().map(|path| path.to_string_lossy().into_owned());
    let plan = Plan::new(units, key)
        .map_err(|e| refused(&e))?
        .about(json!({"program": "negative-sampling", "job": "pool", "args": args.told(files.clone())}));
    let job = Sweeps { pooling, out: account.folder().to_owned() };
    let common = &args.common;
    common
        .on_threads(|| run_shard(&job, &plan, (&account, shard), ("sweeps", common.workers()), (common, run)))
}

/// Some files of a pool, by their numbers.
#[derive(Clone)]
struct Part(std::ops::Range<usize>);

impl Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "files {:06} to {:06}", self.0.start, self.0.end - 1)
    }
}

/// The best candidates of each stratum.
#[derive(Default)]
struct Best(Ranked);

impl Partial for Best {
    fn merge(&mut self, other: Self) {
        self.0.merge(other.0);
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.0.write(out)
    }

    fn read(from: &mut dyn Read) -> io::Result<Self> {
        Ranked::read(from).map(Self)
    }
}

struct Rank(Drawing);

impl Job for Rank {
    type Unit = Part;
    type Partial = Best;

    fn inputs(&self, part: &Part) -> Vec<Input> {
        let files = self.0.files().skip(part.0.start).take(part.0.len());
        files.map(|path| Input::new("pool", path.to_string_lossy())).collect()
    }

    fn run(&self, part: &Part) -> Result<Done<Best>, Error> {
        let ranked = self.0.rank(part.0.clone(), &()).map_err(|e| task_error(&part.to_string(), &e))?;
        Ok(Done::new(Best(ranked)))
    }
}

/// Ranks the parts of a shard.
pub fn sample_shard(args: &sample::Args, shard: Shard, run: &mut Run) -> Result<Exit, Refused> {
    let account = Account::at(&args.out, false)?;
    let drawing =
        args.draw().and_then(|draw| draw.prepare(&args.pool, &args.positives)).map_err(|e| of_error(&e))?;
    let key = RunKey::new().code(env!("CARGO_PKG_VERSION")).input("sample", drawing.fingerprint());
    let plan = Plan::new(parts(drawing.files().len()), key).map_err(|e| refused(&e))?;
    let plan = plan.about(json!({"program": "negative-sampling", "job": "sample", "args": args.told()}));
    let common = &args.common;
    let job = Rank(drawing);
    // Ranking has threads of its own.
    common.on_threads(|| run_shard(&job, &plan, (&account, shard), ("parts", 1), (common, run)))
}

fn parts(files: usize) -> Vec<Part> {
    let parts = files.min(PARTS);
    (0..parts).map(|i| Part(i * files / parts..(i + 1) * files / parts)).collect()
}

fn of_error(error: &coaddkit_manifest::Error) -> Refused {
    (error.class().into(), error.to_string())
}

#[derive(clap::Args)]
pub struct MergeArgs {
    /// What all shards wrote to: a folder, or s3://bucket/prefix
    #[arg(value_name = "DIR|URL")]
    parts: PathBuf,
    /// The sample (Parquet); its report goes beside it. A pool lies where its parts are
    #[arg(long, value_name = "FILE|URL")]
    out: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// `negative-sampling merge`
pub fn merge_shards(args: &MergeArgs) -> Exit {
    let mut run = Run::start("negative-sampling merge");
    let common = &args.common;
    let merged = Account::at(&args.parts, false).and_then(|account| {
        let about = account.about("negative-sampling")?;
        match (about["job"].as_str(), &args.out) {
            (Some("pool"), None) => finish_pool(&account, args, &mut run),
            (Some("pool"), Some(_)) => {
                Err((Exit::Usage, "a pool lies where its parts are: no --out".to_owned()))
            }
            (Some("sample"), Some(out)) => finish_sample(&account, out, common, &mut run),
            (Some("sample"), None) => Err((Exit::Usage, "where does the sample go? --out FILE".to_owned())),
            _ => Err((Exit::BadData, format!("{}: this is no run of ours", args.parts.display()))),
        }
    });
    match merged {
        Ok(exit) => run.end(common, exit),
        Err((exit, reason)) => run.refuse(common, exit, &reason),
    }
}

/// What is merged, and with what the shards were run.
fn parts_of<P: Partial, A: DeserializeOwned>(account: &Account) -> Result<(Merged<P>, A), Refused> {
    let merged = merge::<P>(account.place()).map_err(|e| refused(&e))?;
    let args = serde_json::from_value(merged.about["args"].clone());
    let args = args.map_err(|e| (Exit::BadData, format!("{}: {e}", account.folder().display())))?;
    Ok((merged, args))
}

fn finish_pool(account: &Account, args: &MergeArgs, run: &mut Run) -> Result<Exit, Refused> {
    let (merged, told) = parts_of::<Reports, pool::Told>(account)?;
    let mut reports = merged.partial.0;
    reports.extend(merged.status.failures.iter().map(|record| {
        let reason = record.reason.as_deref().unwrap_or_default();
        SweepReport::failed(Path::new(&record.unit), reason)
    }));
    let positives = told.positives().to_owned();
    let (pool, files) = told.pool()?;
    let pooling = pool.prepare(&files, &positives, account.folder()).map_err(|e| of_error(&e))?;
    let report = pooling.finish(reports).map_err(|e| of_error(&e))?;
    if report.sweeps.iter().all(|sweep| sweep.error.is_none()) {
        account.place().publish(&["_SUCCESS"]).map_err(|e| refused(&e))?;
    }
    pool::tell(&report, &args.parts, args.common.quiet, run);
    Ok(Exit::of_code(merged.status.exit_code()))
}

fn finish_sample(account: &Account, out: &Path, common: &Common, run: &mut Run) -> Result<Exit, Refused> {
    let (merged, told) = parts_of::<Best, sample::Told>(account)?;
    if let Some(failed) = merged.status.failures.first() {
        let exit = Exit::of_code(merged.status.exit_code());
        let why = failed.reason.as_deref().unwrap_or_default();
        return Err((exit, format!("a part of the pool is not ranked: {why}")));
    }
    let outlet = Outlet::at(out)?;
    let drawing = told.prepare().map_err(|e| of_error(&e))?;
    let drawn = common
        .on_threads(|| drawing.finish(merged.partial.0, outlet.path(), &()))
        .map_err(|e| of_error(&e))?;
    let exit = sample::tell(&drawn, (outlet.path(), out), common, run)?;
    outlet.publish()?;
    Ok(exit)
}

#[derive(clap::Args)]
pub struct EmitArgs {
    /// What runs the shards
    engine: EngineName,
    #[command(subcommand)]
    job: EmitJob,
}

#[derive(clap::Subcommand)]
enum EmitJob {
    /// A pool, sweep by sweep
    Pool(Box<OfJob<pool::Args>>),
    /// A sample, a part of the pool after the other
    Sample(Box<OfJob<sample::Args>>),
}

/// `negative-sampling emit`
pub fn emit_scripts(args: &EmitArgs) -> Exit {
    let ready = || match &args.job {
        EmitJob::Pool(args_of) => {
            let OfJob { job, cluster } = &**args_of;
            let units = cluster.units(|| Ok(job.files()?.len()))?;
            let handed = Handed { job: &["pool"], named: &["pool"], out: &job.out, merge: &[] };
            // A sweep of a release, at a million rows a second.
            let needs = Needs { units, seconds_a_unit: 2.0, memory_mib: 1024 };
            emit((args.engine, &handed), (&job.shards, cluster), needs)
        }
        EmitJob::Sample(args_of) => {
            let OfJob { job, cluster } = &**args_of;
            let units = cluster.units(|| {
                let drawing = job.draw().and_then(|draw| draw.prepare(&job.pool, &job.positives));
                Ok(drawing.map_err(|e| of_error(&e))?.files().len().min(PARTS))
            })?;
            let merged = job.out.join("sample.parquet").to_string_lossy().into_owned();
            let handed =
                Handed { job: &["sample"], named: &["sample"], out: &job.out, merge: &["--out", &merged] };
            let needs = Needs { units, seconds_a_unit: 10.0, memory_mib: 2048 };
            emit((args.engine, &handed), (&job.shards, cluster), needs)
        }
    };
    emitted("negative-sampling emit", ready())
}
