use coaddkit_examples::{Common, Exit, Run, StepBar, local_sweeps, new_file, print, say};
use coaddkit_manifest::negatives::{MatchPositives, SamplingConfig};
use serde_json::json;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    /// Sweep catalogues (.fits or .fits.gz)
    #[arg(long, value_name = "FILE", num_args = 1.., required_unless_present = "list", conflicts_with = "list")]
    sweeps: Vec<PathBuf>,
    /// A file that names one sweep a line
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// A catalogue of known lenses (CSV, Parquet or FITS); may be given several times
    #[arg(long, value_name = "FILE", required = true)]
    positives: Vec<PathBuf>,
    /// The configuration, for the classes of types and exposures
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The file to write (Parquet)
    #[arg(long, value_name = "FILE", value_parser = new_file)]
    out: PathBuf,
    /// Largest distance of a catalogue row, in arcsec
    #[arg(long, value_name = "ARCSEC", default_value_t = 1.0)]
    radius: f64,
    #[command(flatten)]
    common: Common,
}

pub fn run(args: &Args) -> Exit {
    let mut run = Run::start("negative-sampling positives");
    let common = &args.common;
    let files = match local_sweeps(&args.sweeps, args.list.as_deref()) {
        Ok(files) => files,
        Err((exit, reason)) => return run.refuse(common, exit, &reason),
    };
    let bar = StepBar::new(common.quiet);
    let matched = common.on_threads(|| {
        let job = MatchPositives { config: SamplingConfig::read(&args.config)?, radius_arcsec: args.radius };
        job.run(&files, &args.positives, &args.out, &bar)
    });
    bar.finish();
    let matched = match matched {
        Ok(matched) => matched,
        Err(e) => return run.refuse(common, e.class().into(), &e.to_string()),
    };
    let mut exit = Exit::Complete;
    for (path, error) in &matched.failed {
        say!("failed: {error}");
        run.failed(path, error.to_string());
        exit = exit.worse(error.class().into());
    }
    let unmatched = matched.positives - matched.matched;
    run.counts.extend([
        ("done", matched.sweeps),
        ("failed", matched.failed.len() as u64),
        ("positives", matched.positives),
        ("matched", matched.matched),
    ]);
    if unmatched > 0 {
        run.alerts.push(format!("{unmatched} positives have no row within {}\"", args.radius));
    }
    run.extra.insert("matched".to_owned(), json!(matched));
    if !common.quiet {
        let (all, path) = (matched.positives, args.out.display());
        let written =
            if matched.failed.is_empty() { "positives " } else { "not written, since sweeps failed:" };
        print(&format!("  {} of {all} positives have a row\n  {written} {path}\n", matched.matched));
    }
    run.end(common, exit)
}
