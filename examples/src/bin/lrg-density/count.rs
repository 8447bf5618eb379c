use crate::remote::{self, Fetched, RemoteArgs};
use crate::split;
use coaddkit_density::{Count, Counts, report_path};
use coaddkit_examples::{
    Bar, BoxArgs, Common, Exit, Refused, Run, ShardArgs, check_out, count_summary, is_remote, print, say,
    sweeps, unless_split,
};
use coaddkit_fits::Fits;
use coaddkit_photometry::{Cut, lrg};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Args {
    /// Sweep files (.fits, .fits.gz): paths, http(s)://… or s3://…
    #[arg(value_name = "SWEEP", conflicts_with = "list")]
    pub sweeps: Vec<PathBuf>,
    /// A file, here or elsewhere, that names one sweep file a line; blank lines and lines that start with # do not count
    #[arg(long, value_name = "FILE")]
    pub list: Option<PathBuf>,
    /// Read the first N files only; 0 means all
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub max_sweeps: usize,
    /// The preset: v1 to v5, or its full name such as v3_color_relaxed
    #[arg(long, default_value = "v3", value_name = "NAME", conflicts_with = "cut")]
    variant: lrg::Variant,
    /// Another cut instead of the preset, such as "mag(flux_z) < 20.4 & demag(flux_r) - demag(flux_z) > 0.4"
    #[arg(long, value_name = "EXPR", conflicts_with = "deredden", allow_hyphen_values = true)]
    cut: Option<String>,
    /// Correct the fluxes of the preset for Galactic dust by MW_TRANSMISSION (in --cut, write demag() for mag())
    #[arg(long)]
    deredden: bool,
    #[command(flatten)]
    footprint: BoxArgs,
    /// The counts: brickname,lrg_count, sorted by name; the report goes beside it. With --shards a folder for all shards,
    /// or s3://bucket/prefix
    #[arg(long, value_name = "FILE|DIR|URL")]
    pub out: PathBuf,
    #[command(flatten)]
    pub shards: ShardArgs,
    #[command(flatten, next_help_heading = "Files of other machines")]
    pub remote: RemoteArgs,
    #[command(flatten, next_help_heading = "Options")]
    pub common: Common,
}

impl Args {
    /// What to read.
    pub fn files(&self) -> Result<Vec<PathBuf>, Refused> {
        sweeps(&self.sweeps, self.list.as_deref(), self.max_sweeps, self.remote.no_sign_request())
    }
}

pub fn run(args: &Args) -> Exit {
    let run = Run::start("lrg-density count");
    let common = &args.common;
    let count = match configure(args) {
        Ok(count) => count,
        Err(reason) => return run.refuse(common, Exit::Usage, &reason),
    };
    let files = match args.files() {
        Ok(files) => files,
        Err((exit, reason)) => return run.refuse(common, exit, &reason),
    };
    let split = |shard, run: &mut Run| split::run(args, count.clone(), &files, shard, run);
    let mut run = match unless_split(run, common, args.shards.asked(), split) {
        Ok(run) => run,
        Err(exit) => return exit,
    };
    let report = common.report.as_ref().map(|dir| dir.join("report.json"));
    let others: Vec<_> = files.iter().chain(&args.list).chain(&report).map(|p| &**p).collect();
    if let Err(reason) = check_out(&args.out, &others) {
        return run.refuse(common, Exit::Usage, &reason);
    }
    let counts = match read(args, &count, &files) {
        Ok(fetched) => {
            run.alerts = fetched.alerts;
            fetched.counts
        }
        Err((exit, reason)) => return run.refuse(common, exit, &reason),
    };

    match finish((&args.out, &args.out), common, &counts, &mut run) {
        Ok(exit) => run.end(common, exit),
        Err((exit, reason)) => run.refuse(common, exit, &reason),
    }
}

/// Writes the counts and fills the report of the run in; they are shown under the second name.
pub fn finish(
    (out, shown): (&Path, &Path),
    common: &Common,
    counts: &Counts,
    run: &mut Run,
) -> Result<Exit, Refused> {
    let exit = Exit::from(counts.worst());
    for (file, error) in counts.failed() {
        run.failed(&file.path, error.to_string());
    }
    run.counts.insert("done", (counts.files.len() - counts.failed().count()) as u64);
    run.counts.insert("failed", counts.failed().count() as u64);
    run.bytes = counts.files.iter().map(|f| f.bytes).sum();
    counts
        .write(out, exit.code())
        .map_err(|e| (Exit::Transient, format!("cannot write {} or its report: {e}", out.display())))?;
    if !common.quiet {
        print(&(count_summary(counts) + &products(shown, counts)));
    }
    Ok(exit)
}

/// Counts one file, wherever it is, on the threads of the current pool.
pub fn one(args: &Args, count: &Count, path: &Path) -> Result<Counts, Refused> {
    if !is_remote(path) {
        return Ok(count.one(path, std::fs::metadata(path).map_or(0, |meta| meta.len()), Fits::open(path)));
    }
    let fetched = remote::count(count, &[path.to_owned()], &args.remote, 1, true)?;
    fetched.alerts.iter().for_each(|alert| say!("note: {alert}"));
    Ok(fetched.counts)
}

/// Counts the files of this machine, and then those of others; each is in its place of the list.
fn read(args: &Args, count: &Count, files: &[PathBuf]) -> Result<Fetched, Refused> {
    let common = &args.common;
    let (far, near): (Vec<_>, Vec<_>) = files.iter().cloned().partition(|path| is_remote(path));
    let bytes = near.iter().filter_map(|f| std::fs::metadata(f).ok()).map(|m| m.len()).sum();
    let bar = Bar::new(near.len() as u64, bytes, common.quiet || near.is_empty());
    let mut counts = common.on_threads(|| count.run(&near, &bar));
    bar.finish();
    if far.is_empty() {
        return Ok(Fetched { counts, alerts: Vec::new() });
    }
    let fetched = remote::count(count, &far, &args.remote, common.threads.into(), common.quiet)?;
    counts.merge(fetched.counts);
    let places: HashMap<&PathBuf, usize> = files.iter().enumerate().map(|(at, path)| (path, at)).collect();
    counts.files.sort_by_key(|file| places.get(&file.path));
    Ok(Fetched { counts, alerts: fetched.alerts })
}

/// Everything that can be wrong with the command line, before any file is opened.
pub fn configure(args: &Args) -> Result<Count, String> {
    let cut: Cut = match &args.cut {
        Some(text) => text.parse().map_err(|e| format!("--cut does not parse\n{e}"))?,
        None if args.deredden => lrg::cut(args.variant, lrg::Photometry::Dereddened),
        None => lrg::cut(args.variant, lrg::Photometry::Observed),
    };
    Count::new(cut).footprint(args.footprint.bounds()).map_err(|e| e.to_string())
}

/// The products of the run, where there are any.
fn products(out: &Path, counts: &Counts) -> String {
    let report = report_path(out);
    if counts.failed().count() == counts.files.len() {
        return format!("  no counts were written\n  report  {}\n", report.display());
    }
    format!("  counts  {}\n  report  {}\n", out.display(), report.display())
}
