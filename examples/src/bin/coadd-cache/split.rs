//! `fill` and `verify` in shards, a group of bricks at a time, and what puts them together.

use crate::args::{Args, FillArgs, Job as Command, Refused, VerifyArgs, WhatArgs, refused as of_cache};
use crate::{fill, verify};
use clap::Parser;
use coaddkit_cache::{
    BrickList, BrickRecord, BrickState, CacheError, Filled, Verified, write_csv, write_parquet,
};
use coaddkit_density::publish;
use coaddkit_examples::{
    Account, Common, EngineName, Exit, Handed, Needs, OfJob, Outlet, Run, ShardArgs, emit, emitted, refused,
    run_shard,
};
use coaddkit_tasks::{Done, Error, ErrorKind, Input, Job, Partial, Plan, Record, RunKey, Shard, merge};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::fmt::{self, Display};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// How a list is split.
#[derive(clap::Args, Clone, Debug)]
pub struct GroupArgs {
    #[command(flatten)]
    pub shards: ShardArgs,
    /// Where shards keep the account of the run: a folder, or s3://bucket/prefix
    #[arg(long, value_name = "DIR|URL")]
    pub out: Option<PathBuf>,
    /// Bricks of a unit of the account; what was done of a unit that is killed is found in the cache
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub group: u32,
}

impl GroupArgs {
    /// The shard, and where its account is; `None` if the list is done as a whole.
    pub fn asked(&self) -> Result<Option<(Shard, &Path)>, Refused> {
        match (self.shards.asked()?, &self.out) {
            (None, None) => Ok(None),
            (Some(shard), Some(out)) => Ok(Some((shard, out))),
            (Some(_), None) => {
                Err((Exit::Usage, "where do the shards keep their account? --out DIR".to_owned()))
            }
            (None, Some(_)) => {
                Err((Exit::Usage, "--out is where shards keep their account; give --shards".to_owned()))
            }
        }
    }
}

/// Some bricks of a list, and where they are in it.
struct Group {
    number: usize,
    bricks: BrickList,
}

impl Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |brick: Option<&_>| brick.map_or_else(String::new, ToString::to_string);
        let bricks = self.bricks.bricks();
        write!(f, "{:06} {} to {}", self.number, name(bricks.first()), name(bricks.last()))
    }
}

/// What became of groups.
struct Parts<T>(Vec<T>);

impl<T> Default for Parts<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Send + Serialize + DeserializeOwned> Partial for Parts<T> {
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

/// Groups of bricks that are filled or looked at by a function, and what is to be done again in what it gives.
struct Groups<W, A, L> {
    work: W,
    again: A,
    lacking: L,
}

/// The word of groups that ended without bricks that are complete.
const LACKING: &str = "incomplete";

impl<T, W, A, L> Job for Groups<W, A, L>
where
    L: Fn(&T) -> bool + Sync,
    T: Send + Serialize + DeserializeOwned,
    W: Fn(&BrickList) -> Result<T, CacheError> + Sync,
    A: Fn(&T) -> Option<String> + Sync,
{
    type Unit = Group;
    type Partial = Parts<T>;

    fn inputs(&self, _: &Group) -> Vec<Input> {
        Vec::new()
    }

    fn run(&self, group: &Group) -> Result<Done<Parts<T>>, Error> {
        let done = (self.work)(&group.bricks).map_err(|e| {
            let (exit, what) = of_cache(e);
            let kind = match exit {
                Exit::Missing => ErrorKind::Missing,
                Exit::Transient => ErrorKind::Transient,
                Exit::Usage => ErrorKind::Usage,
                _ => ErrorKind::Data,
            };
            Error::new(kind, group, what)
        })?;
        match (self.again)(&done) {
            Some(why) => Err(Error::new(ErrorKind::Transient, group, why)),
            None => {
                let word = if (self.lacking)(&done) { LACKING } else { "done" };
                let bricks = group.bricks.bricks().len() as f64;
                Ok(Done::new(Parts(vec![done])).word(word).metric("bricks", bricks))
            }
        }
    }

    /// What was lacking may have come.
    fn is_current(&self, _: &Group, record: &Record) -> bool {
        record.word != LACKING
    }
}

/// The units of a list, under a key of everything that decides what becomes of them.
fn plan(
    what: &WhatArgs,
    bricks: &BrickList,
    group: u32,
    job: &str,
    more: Value,
) -> Result<Plan<Group>, Refused> {
    let groups = bricks.chunks(group as usize).enumerate().map(|(number, bricks)| Group { number, bricks });
    let key = RunKey::new().code(env!("CARGO_PKG_VERSION")).input("bricks", digest(bricks));
    let key = key.config(
        &json!({"job": job, "cache": what.cache, "bands": what.bands, "psfsize": what.psfsize, "more": more}),
    );
    let plan = Plan::new(groups, key.map_err(|e| refused(&e))?).map_err(|e| refused(&e))?;
    let args: Vec<String> = std::env::args().skip(1).collect();
    Ok(plan.about(json!({"program": "coadd-cache", "args": args})))
}

fn digest(bricks: &BrickList) -> String {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    bricks.bricks().iter().for_each(|brick| hash.update(format!("{brick}\n")));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Fills the groups of a shard. What the origin lacks or sends damaged is no failure of a shard: the merge says so.
pub fn fill_shard(args: &FillArgs, shard: Shard, out: &Path, run: &mut Run) -> Result<Exit, Refused> {
    let (account, ready) = (Account::at(out, args.moves.no_sign_request)?, fill::prepare(args)?);
    let more = json!({"source": args.source, "empty_markers": args.empty_markers});
    let plan = plan(&args.what, &ready.bricks, args.group.group, "fill", more)?;
    let again = |filled: &Filled| {
        let unread = || filled.records.iter().find(|record| record.state == BrickState::Failed);
        let unread = || {
            unread()
                .map(|record| format!("{}: {}", record.brick, record.error.as_deref().unwrap_or("failed")))
        };
        let cut = (filled.report.counts.cancelled > 0).then(|| "interrupted".to_owned());
        filled.report.stopped.as_ref().map(ToString::to_string).or(cut).or_else(unread)
    };
    let job = Groups {
        work: |bricks: &BrickList| fill::work(args, &ready, bricks, Vec::new(), &()),
        again,
        lacking: |filled: &Filled| !filled.records.iter().all(BrickRecord::is_complete),
    };
    let common = &args.common;
    common.on_threads(|| run_shard(&job, &plan, (&account, shard), ("groups of bricks", 1), (common, run)))
}

/// Looks at the groups of a shard.
pub fn verify_shard(args: &VerifyArgs, shard: Shard, out: &Path, run: &mut Run) -> Result<Exit, Refused> {
    let report = &args.report;
    let account = Account::at(out, report.no_sign_request)?;
    let (files, bricks, cache) = verify::ready(report)?;
    let level = coaddkit_fits::Level::from(args.level);
    let plan = plan(&report.what, &bricks, args.group.group, "verify", json!({"level": level.name()}))?;
    let verify = coaddkit_cache::Verify::new(files, level);
    let again = |found: &Verified| {
        let damaged = |record: &BrickRecord| found.problems.iter().any(|p| p.brick == record.brick);
        let unread = found.records.iter().find(|r| r.state == BrickState::Failed && !damaged(r));
        unread.map(|record| format!("{}: {}", record.brick, record.error.as_deref().unwrap_or("failed")))
    };
    let job = Groups {
        work: |bricks: &BrickList| verify.look(&cache, bricks, &|_| {}),
        again,
        lacking: |found: &Verified| !found.records.iter().all(BrickRecord::is_complete),
    };
    let common = &report.common;
    common.on_threads(|| run_shard(&job, &plan, (&account, shard), ("groups of bricks", 1), (common, run)))
}

#[derive(clap::Args)]
pub struct MergeArgs {
    /// What all shards wrote to: a folder, or s3://bucket/prefix
    #[arg(value_name = "DIR|URL")]
    parts: PathBuf,
    /// The assets manifest of all bricks: CSV, or Parquet if it ends in .parquet
    #[arg(long, value_name = "FILE|URL")]
    out: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// `coadd-cache merge`
pub fn merge_shards(args: &MergeArgs) -> Exit {
    let (run, common) = (Run::start("coadd-cache merge"), &args.common);
    let ready = || {
        let account = Account::at(&args.parts, false)?;
        let about = account.about("coadd-cache")?;
        let words: Option<Vec<String>> = serde_json::from_value(about["args"].clone()).ok();
        let words = words.into_iter().flatten();
        let given = Args::try_parse_from(std::iter::once("coadd-cache".to_owned()).chain(words));
        let bad = || (Exit::BadData, format!("{}: this is no run of ours", args.parts.display()));
        Ok((account, given.map_err(|_| bad())?.job))
    };
    let merged = ready().and_then(|(account, job)| match job {
        Command::Fill(given) => {
            let given = FillArgs { common: common.clone(), ..given };
            let ready = fill::prepare(&given)?;
            let filled = Filled::merge(&ready.bricks, parts(&account)?).map_err(of_cache)?;
            manifest(args, &filled.records)?;
            Ok(Ended::Filled(Box::new((given, ready, filled))))
        }
        Command::Verify(mut given) => {
            given.report.common = common.clone();
            let (_, bricks, cache) = verify::ready(&given.report)?;
            let mut found = Verified::merge(&bricks, parts(&account)?).map_err(of_cache)?;
            found.extra = cache.extra(&bricks).map_err(of_cache)?;
            manifest(args, &found.records)?;
            Ok(Ended::Verified(Box::new((given, bricks, cache, found))))
        }
        _ => Err((Exit::BadData, format!("{}: this is no run in shards", args.parts.display()))),
    });
    match merged {
        Ok(Ended::Filled(ended)) => fill::end(run, &ended.0, &ended.1, &ended.2),
        Ok(Ended::Verified(ended)) => verify::end(run, &ended.0.report, &ended.2, &ended.1, &ended.3),
        Err((exit, why)) => run.refuse(common, exit, &why),
    }
}

/// What was merged, and with what.
enum Ended {
    Filled(Box<(FillArgs, fill::Ready, Filled)>),
    Verified(Box<(VerifyArgs, BrickList, coaddkit_cache::CoaddCache, Verified)>),
}

fn parts<T: Send + Serialize + DeserializeOwned>(account: &Account) -> Result<Vec<T>, Refused> {
    let merged = merge::<Parts<T>>(account.place()).map_err(|e| refused(&e))?;
    match merged.status.failures.first() {
        None => Ok(merged.partial.0),
        Some(failed) => {
            let why = failed.reason.as_deref().unwrap_or_default();
            Err((Exit::of_code(merged.status.exit_code()), format!("run it again; not done: {why}")))
        }
    }
}

fn manifest(args: &MergeArgs, records: &[BrickRecord]) -> Result<(), Refused> {
    let Some(out) = &args.out else { return Ok(()) };
    let outlet = Outlet::at(out)?;
    let path = outlet.path();
    let written = if path.extension().is_some_and(|end| end == "parquet") {
        let mut bytes = Vec::new();
        write_parquet(&mut bytes, records).and_then(|()| publish(path, |out| out.write_all(&bytes)))
    } else {
        publish(path, |out| write_csv(out, records))
    };
    written.map_err(|e| (Exit::of_reader(e.kind()), format!("{}: {e}", out.display())))?;
    outlet.publish()
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
    /// Fill the cache
    Fill(Box<OfJob<FillArgs>>),
    /// Look at every file of the cache
    Verify(Box<OfJob<VerifyArgs>>),
}

/// `coadd-cache emit`
pub fn emit_scripts(args: &EmitArgs) -> Exit {
    let (name, what, group, cluster) = match &args.job {
        EmitJob::Fill(args) => ("fill", &args.job.what, &args.job.group, &args.cluster),
        EmitJob::Verify(args) => ("verify", &args.job.report.what, &args.job.group, &args.cluster),
    };
    let ready = || {
        let out = group
            .out
            .as_deref()
            .ok_or_else(|| (Exit::Usage, "where do the shards keep their account? --out DIR".to_owned()))?;
        what.files()?;
        let units = cluster.units(|| Ok(what.list()?.bricks().len().div_ceil(group.group as usize)))?;
        let text = out.to_string_lossy();
        let merged = match text.contains("://") {
            true => ["--out".to_owned(), format!("{text}/assets_manifest.csv")],
            false => ["--report".to_owned(), out.join("report").to_string_lossy().into_owned()],
        };
        let merged = merged.each_ref().map(String::as_str);
        let handed = Handed { job: &[name], named: &[name], out, merge: &merged };
        // A brick is 74 MB: at the 5 MB/s a stream and eight streams of a portal; or read from a disk.
        let brick = if name == "fill" { 2.0 } else { 0.5 };
        let needs = Needs { units, seconds_a_unit: brick * f64::from(group.group), memory_mib: 1024 };
        emit((args.engine, &handed), (&group.shards, cluster), needs)
    };
    emitted("coadd-cache emit", ready())
}
