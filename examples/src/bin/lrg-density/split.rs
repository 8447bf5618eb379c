//! `count` in shards, and what puts them together.

use crate::count::{Args, configure, finish, one};
use coaddkit_density::{Count, Counts, Failure, FileError};
use coaddkit_examples::{
    Account, ClusterArgs, Common, EngineName, Exit, Handed, Needs, Outlet, Refused, Run, check_out, emit,
    emitted, refused, run_shard,
};
use coaddkit_tasks::{Done, Error, ErrorKind, Input, Job, Partial, Plan, Record, RunKey, Shard, merge};
use serde_json::json;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// What files gave.
#[derive(Default)]
struct Part(Counts);

impl Partial for Part {
    fn merge(&mut self, other: Self) {
        self.0.merge(other.0);
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.0.write_part(out)
    }

    fn read(from: &mut dyn Read) -> io::Result<Self> {
        Counts::read_part(from).map(Self)
    }
}

/// Sweeps, one by one.
struct Sweeps<'a> {
    args: &'a Args,
    count: Count,
}

impl Job for Sweeps<'_> {
    type Unit = String;
    type Partial = Part;

    fn inputs(&self, sweep: &String) -> Vec<Input> {
        vec![Input::new("sweep", sweep)]
    }

    fn run(&self, sweep: &String) -> Result<Done<Part>, Error> {
        let path = Path::new(sweep);
        let counts = one(self.args, &self.count, path)
            .map_err(|(exit, what)| Error::new(kind_of(exit), sweep, what))?;
        if let Some((_, error)) = counts.failed().next() {
            let text = error.to_string();
            let what = text.strip_prefix(&format!("{sweep}: ")).unwrap_or(&text);
            return Err(Error::new(kind(error.failure()), sweep, what));
        }
        let (rows, selected) = (counts.rows() as f64, counts.selected() as f64);
        let done = Done::new(Part(counts)).metric("rows", rows).metric("selected", selected);
        Ok(stamp(path).into_iter().fold(done, |done, (name, value)| done.metric(name, value)))
    }

    /// A file that has another length or time is another file.
    fn is_current(&self, sweep: &String, record: &Record) -> bool {
        stamp(Path::new(sweep)).iter().all(|(name, value)| record.metrics.get(*name) == Some(value))
    }
}

/// Length and time of a file of this machine, to the millisecond.
fn stamp(path: &Path) -> Vec<(&'static str, f64)> {
    let Ok(meta) = std::fs::metadata(path) else { return Vec::new() };
    let since = meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let since = since.map_or(0.0, |since| since.as_millis() as f64);
    vec![("bytes", meta.len() as f64), ("modified_ms", since)]
}

fn kind(failure: Failure) -> ErrorKind {
    match failure {
        Failure::Transient => ErrorKind::Transient,
        Failure::Missing => ErrorKind::Missing,
        Failure::BadData => ErrorKind::Data,
    }
}

fn kind_of(exit: Exit) -> ErrorKind {
    match exit {
        Exit::Usage => ErrorKind::Usage,
        Exit::Missing => ErrorKind::Missing,
        Exit::Transient => ErrorKind::Transient,
        _ => ErrorKind::Data,
    }
}

/// Counts the sweeps of a shard.
pub fn run(
    args: &Args,
    count: Count,
    files: &[PathBuf],
    shard: Shard,
    run: &mut Run,
) -> Result<Exit, Refused> {
    let account = Account::at(&args.out, args.remote.no_sign_request())?;
    let units = files.iter().map(|path| path.to_string_lossy().into_owned());
    let key = RunKey::new().code(env!("CARGO_PKG_VERSION")).config(&count.cut().to_string());
    let plan = Plan::new(units, key.map_err(|e| refused(&e))?).map_err(|e| refused(&e))?;
    let plan = plan.about(json!({"program": "lrg-density"}));
    let common = &args.common;
    let job = Sweeps { args, count };
    common
        .on_threads(|| run_shard(&job, &plan, (&account, shard), ("sweeps", common.workers()), (common, run)))
}

#[derive(clap::Args)]
pub struct MergeArgs {
    /// What all shards wrote to: a folder, or s3://bucket/prefix
    #[arg(value_name = "DIR|URL")]
    parts: PathBuf,
    /// The counts: brickname,lrg_count, sorted by name; the report goes beside it
    #[arg(long, value_name = "FILE|URL")]
    out: PathBuf,
    #[command(flatten)]
    common: Common,
}

/// `lrg-density merge`
pub fn merge_shards(args: &MergeArgs) -> Exit {
    let mut run = Run::start("lrg-density merge");
    let common = &args.common;
    let out = match Outlet::at(&args.out) {
        Ok(out) => out,
        Err((exit, reason)) => return run.refuse(common, exit, &reason),
    };
    if let Err(reason) = check_out(out.path(), &[]) {
        return run.refuse(common, Exit::Usage, &reason);
    }
    let merged = Account::at(&args.parts, false)
        .and_then(|account| account.about("lrg-density").map(|_| account))
        .and_then(|account| merge::<Part>(account.place()).map_err(|e| refused(&e)));
    let merged = match merged {
        Ok(merged) => merged,
        Err((exit, reason)) => return run.refuse(common, exit, &reason),
    };
    let mut counts = merged.partial.0;
    for record in &merged.status.failures {
        let path = Path::new(&record.unit);
        counts.fail(path, failed(record));
        if let (Some(file), Ok(meta)) = (counts.files.last_mut(), std::fs::metadata(path)) {
            file.bytes = meta.len();
        }
    }
    counts.files.sort_by(|a, b| a.path.cmp(&b.path));
    let finished = finish((out.path(), &args.out), common, &counts, &mut run);
    match finished.and_then(|exit| out.publish().map(|()| exit)) {
        Ok(exit) => run.end(common, exit),
        Err((exit, reason)) => run.refuse(common, exit, &reason),
    }
}

fn failed(record: &Record) -> FileError {
    let failure = match record.failure() {
        Some(ErrorKind::Transient | ErrorKind::Limit) => Failure::Transient,
        Some(ErrorKind::Missing) => Failure::Missing,
        _ => Failure::BadData,
    };
    let reason = record.reason.as_deref().unwrap_or_default();
    let what = reason.strip_prefix(&format!("{}: ", record.unit)).unwrap_or(reason);
    FileError::new(Path::new(&record.unit), failure, what)
}

#[derive(clap::Args)]
pub struct EmitArgs {
    /// What runs the shards
    engine: EngineName,
    #[command(flatten)]
    count: Args,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// `lrg-density emit`
pub fn emit_scripts(args: &EmitArgs) -> Exit {
    let ready = || {
        let count = &args.count;
        configure(count).map_err(|what| (Exit::Usage, what))?;
        let mut seconds = seconds_of(&[]);
        let units = args.cluster.units(|| {
            let files = count.files()?;
            seconds = seconds_of(&files);
            Ok(files.len())
        })?;
        let merged = count.out.join("counts.csv").to_string_lossy().into_owned();
        let handed = Handed { job: &["count"], named: &[], out: &count.out, merge: &["--out", &merged] };
        let needs = Needs { units, seconds_a_unit: seconds, memory_mib: 512 };
        emit((args.engine, &handed), (&count.shards, &args.cluster), needs)
    };
    emitted("lrg-density emit", ready())
}

/// What a sweep takes: a cautious 100 MB/s of those that are here, and what the sweeps of a release have on average of
/// others.
fn seconds_of(files: &[PathBuf]) -> f64 {
    // As if the 630 MB of a sweep came at 5 MB/s, which a portal gives.
    const TYPICAL: f64 = 1.26e10;
    if files.iter().any(|file| coaddkit_examples::is_remote(file)) {
        return TYPICAL / 1e8;
    }
    let sizes: Vec<f64> =
        files.iter().filter_map(|f| std::fs::metadata(f).ok()).map(|m| m.len() as f64).collect();
    let mean = if sizes.is_empty() { TYPICAL } else { sizes.iter().sum::<f64>() / sizes.len() as f64 };
    mean / 1e8
}
