//! `build` in shards, an experiment at a time, and what ends the stage.

use crate::build::{Args, of_error, tell};
use coaddkit_examples::{
    Account, ClusterArgs, Common, EngineName, Exit, Handed, Needs, Refused, Run, emit, emitted, refused,
    run_shard, task_error,
};
use coaddkit_manifest::injection::{Build, Building, Sampled, StageConfig};
use coaddkit_tasks::{Done, Error, Input, Job, Output, Plan, RunKey, Shard, merge};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Experiments to manifests.
struct Experiments<'a> {
    building: &'a Building,
    /// Made with the first experiment, since it reads the parent.
    sampled: OnceLock<Result<Sampled<'a>, coaddkit_manifest::Error>>,
    inputs: [PathBuf; 3],
    out: PathBuf,
    csv: bool,
}

impl Job for Experiments<'_> {
    type Unit = String;
    type Partial = ();

    fn inputs(&self, _: &String) -> Vec<Input> {
        let [parent, bricks, regions] = &self.inputs;
        let all = [("parent", parent), ("bricks", bricks), ("regions", regions)];
        all.map(|(kind, path)| Input::new(kind, path.to_string_lossy())).into()
    }

    fn run(&self, experiment: &String) -> Result<Done<()>, Error> {
        let sampled = self.sampled.get_or_init(|| self.building.sample(&()));
        let sampled = sampled.as_ref().map_err(|e| task_error(experiment, e))?;
        let built = sampled.write(experiment, &()).map_err(|e| task_error(experiment, &e))?;
        let done = Done::new(()).metric("rows", built.rows as f64);
        files(experiment, self.csv).iter().try_fold(done, |done, path| {
            // Of an experiment that was skipped the CSV may be of another run.
            if path.ends_with(".csv") && !self.out.join(path).exists() {
                return Ok(done);
            }
            Ok(done.output(Output::of(&self.out, path)?))
        })
    }
}

/// What an experiment consists of; the marker comes last.
fn files(experiment: &str, csv: bool) -> Vec<String> {
    let folder = format!("manifests/{experiment}");
    let csv = csv.then(|| format!("{folder}_csv/part-00000.csv"));
    let table = format!("{folder}/part-00000.parquet");
    [Some(table), csv, Some(format!("{folder}/_SUCCESS"))].into_iter().flatten().collect()
}

/// What a process that wrote no experiment needs, to end the stage.
#[derive(Serialize, Deserialize)]
pub struct Told {
    pub config: PathBuf,
    pub max_total_tasks: u64,
    pub timestamp: Option<String>,
    pub csv: bool,
}

impl Told {
    /// The stage.
    pub fn build(&self) -> Result<Build, coaddkit_manifest::Error> {
        let mut build = Build::new(StageConfig::read(&self.config)?);
        build.max_total_tasks = self.max_total_tasks;
        build.timestamp.clone_from(&self.timestamp);
        build.csv = self.csv;
        Ok(build)
    }
}

/// Writes the experiments of a shard.
pub fn run(args: &Args, shard: Shard, run: &mut Run) -> Result<Exit, Refused> {
    let account = Account::at(&args.out, false)?;
    let told = args.told();
    let mut build = told.build().map_err(|e| of_error(&e))?;
    build.force = args.common.force;
    let config = StageConfig::read(&args.config).map_err(|e| of_error(&e))?.inputs;
    let building = build.prepare(account.folder()).map_err(|e| of_error(&e))?;
    let key = RunKey::new().code(env!("CARGO_PKG_VERSION")).input("stage", building.fingerprint());
    let key = key.config(&json!({"csv": args.csv})).map_err(|e| refused(&e))?;
    let names = build.experiments().map_err(|e| of_error(&e))?;
    let plan = Plan::new(names, key)
        .map_err(|e| refused(&e))?
        .about(json!({"program": "injection-manifest", "args": told}));
    let common = &args.common;
    common.on_threads(|| {
        let job = Experiments {
            building: &building,
            sampled: OnceLock::new(),
            inputs: [config.parent, config.bricks_with_region, config.region_selections],
            out: account.folder().to_owned(),
            csv: args.csv,
        };
        // Writing has threads of its own.
        run_shard(&job, &plan, (&account, shard), ("experiments", 1), (common, run))
    })
}

#[derive(clap::Args)]
pub struct MergeArgs {
    /// What all shards wrote to: a folder, or s3://bucket/prefix
    #[arg(value_name = "DIR|URL")]
    parts: PathBuf,
    #[command(flatten)]
    common: Common,
}

/// `injection-manifest merge`
pub fn merge_shards(args: &MergeArgs) -> Exit {
    let mut run = Run::start("injection-manifest merge");
    let common = &args.common;
    match finish(&args.parts, common, &mut run) {
        Ok(exit) => run.end(common, exit),
        Err((exit, reason)) => run.refuse(common, exit, &reason),
    }
}

fn finish(parts: &Path, common: &Common, run: &mut Run) -> Result<Exit, Refused> {
    let account = Account::at(parts, false)?;
    let about = account.about("injection-manifest")?;
    let merged = merge::<()>(account.place()).map_err(|e| refused(&e))?;
    if let Some(failed) = merged.status.failures.first() {
        let exit = Exit::of_code(merged.status.exit_code());
        return Err((exit, format!("not written: {}", failed.reason.as_deref().unwrap_or_default())));
    }
    let told: Told = serde_json::from_value(about["args"].clone())
        .map_err(|e| (Exit::BadData, format!("{}: {e}", parts.display())))?;
    // Of a bucket: the stage ends where its experiments are.
    let outputs = merged.status.settled.iter().map(|record| &record.outputs[..]);
    outputs.into_iter().try_for_each(|outputs| account.place().fetch(outputs)).map_err(|e| refused(&e))?;
    let building =
        told.build().and_then(|build| build.prepare(account.folder())).map_err(|e| of_error(&e))?;
    let built = common
        .on_threads(|| building.sample(&())?.finish())
        .map_err(|e: coaddkit_manifest::Error| of_error(&e))?;
    let products = ["bricks_manifest.parquet", "bricks_manifest.csv", "_stage_config.json"];
    account.place().publish(&products).map_err(|e| refused(&e))?;
    tell(&built, parts, common.quiet, run);
    Ok(Exit::Complete)
}

#[derive(clap::Args)]
pub struct EmitArgs {
    /// What runs the shards
    engine: EngineName,
    #[command(flatten)]
    build: Args,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// `injection-manifest emit`
pub fn emit_scripts(args: &EmitArgs) -> Exit {
    let ready = || {
        let EmitArgs { engine, build, cluster } = args;
        let count = || build.told().build().and_then(|stage| stage.experiments()).map(|names| names.len());
        let units = cluster.units(|| count().map_err(|e| of_error(&e)))?;
        let handed = Handed { job: &["build"], named: &[], out: &build.out, merge: &[] };
        // A published experiment, at half a million tasks a second.
        let needs = Needs { units, seconds_a_unit: 30.0, memory_mib: 2048 };
        emit((*engine, &handed), (&build.shards, cluster), needs)
    };
    emitted("injection-manifest emit", ready())
}
