use crate::remote::{self, Fetched, RemoteArgs};
use coaddkit_density::{Count, Counts, report_path};
use coaddkit_examples::{
    Bar, BoxArgs, Common, Exit, Refused, Run, check_out, count_summary, is_remote, print, sweeps,
};
use coaddkit_photometry::{Cut, lrg};
use std::collections::HashMap;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    /// Sweep files (.fits, .fits.gz): paths, http(s)://… or s3://…
    #[arg(value_name = "SWEEP", conflicts_with = "list")]
    sweeps: Vec<PathBuf>,
    /// A file that names one sweep file a line; blank lines and lines that start with # do not count
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// Read the first N files only; 0 means all
    #[arg(long, default_value_t = 0, value_name = "N")]
    max_sweeps: usize,
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
    /// The counts: brickname,lrg_count, sorted by name; the report goes beside it
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten, next_help_heading = "Files of other machines")]
    remote: RemoteArgs,
    #[command(flatten, next_help_heading = "Options")]
    common: Common,
}

pub fn run(args: &Args) -> Exit {
    let mut run = Run::start("lrg-density count");
    let common = &args.common;
    let count = match configure(args) {
        Ok(count) => count,
        Err(reason) => return run.refuse(common, Exit::Usage, &reason),
    };
    let files = match sweeps(&args.sweeps, args.list.as_deref(), args.max_sweeps) {
        Ok(files) => files,
        Err((exit, reason)) => return run.refuse(common, exit, &reason),
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

    let exit = Exit::from(counts.worst());
    for (file, error) in counts.failed() {
        run.failed(&file.path, error.to_string());
    }
    run.counts.insert("done", (counts.files.len() - counts.failed().count()) as u64);
    run.counts.insert("failed", counts.failed().count() as u64);
    run.bytes = counts.files.iter().map(|f| f.bytes).sum();
    if let Err(e) = counts.write(&args.out, exit.code()) {
        let reason = format!("cannot write {} or its report: {e}", args.out.display());
        return run.refuse(common, Exit::Transient, &reason);
    }
    if !common.quiet {
        print(&(count_summary(&counts) + &products(args, &counts)));
    }
    run.end(common, exit)
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
fn configure(args: &Args) -> Result<Count, String> {
    let cut: Cut = match &args.cut {
        Some(text) => text.parse().map_err(|e| format!("--cut does not parse\n{e}"))?,
        None if args.deredden => lrg::cut(args.variant, lrg::Photometry::Dereddened),
        None => lrg::cut(args.variant, lrg::Photometry::Observed),
    };
    Count::new(cut).footprint(args.footprint.bounds()).map_err(|e| e.to_string())
}

/// The products of the run, where there are any.
fn products(args: &Args, counts: &Counts) -> String {
    let report = report_path(&args.out);
    if counts.failed().count() == counts.files.len() {
        return format!("  no counts were written\n  report  {}\n", report.display());
    }
    format!("  counts  {}\n  report  {}\n", args.out.display(), report.display())
}
