use coaddkit_density::{FileError, InputNames, Quality, Regions, read_bricks, read_counts};
use coaddkit_examples::{BoxArgs, Common, Exit, Run, print, region_alerts, region_summary, say};
use coaddkit_sky::{Adjacency, Region, RegionLimits};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    /// Counts per brick, as `lrg-density count` writes them (CSV, also gzipped)
    #[arg(long, value_name = "FILE")]
    counts: PathBuf,
    /// A survey-bricks table (FITS, also gzipped) with BRICKNAME, RA, DEC, RA1, RA2, DEC1, DEC2, EBV, PSFSIZE_R and
    /// PSFDEPTH_R, such as survey-bricks-dr10-south.fits.gz
    #[arg(long, value_name = "FILE")]
    bricks: PathBuf,
    /// Where tables, report and map go
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Largest seeing of a good brick in r, in arcsec; "none" does not cut
    #[arg(long, value_name = "ARCSEC", allow_negative_numbers = true, default_value = "1.5", value_parser = limit)]
    psfsize_r_max: Limit,
    /// Smallest depth of a good brick in r, in magnitudes; "none" does not cut
    #[arg(long, value_name = "MAG", allow_negative_numbers = true, default_value = "23.3", value_parser = limit)]
    psfdepth_r_min: Limit,
    /// Largest reddening E(B-V) of a good brick; "none" does not cut
    #[arg(long, value_name = "MAG", allow_negative_numbers = true, default_value = "0.1", value_parser = limit)]
    ebv_max: Limit,
    /// Smallest area of a region that may be chosen, in square degrees
    #[arg(long, value_name = "DEG2", allow_negative_numbers = true, default_value_t = 100.0)]
    area_min: f64,
    /// Largest area of a region that may be chosen; where none fits, the three largest regions may
    #[arg(long, value_name = "DEG2", allow_negative_numbers = true, default_value_t = 400.0)]
    area_max: f64,
    /// Bricks are neighbours if their centres differ by no more than this in right ascension and in declination
    #[arg(long, value_name = "DEG", allow_negative_numbers = true, default_value_t = 0.3)]
    adjacency: f64,
    #[command(flatten)]
    footprint: BoxArgs,
    #[command(flatten)]
    common: Common,
}

type Limit = Option<f64>;

fn limit(text: &str) -> Result<Limit, String> {
    match text {
        "none" => Ok(None),
        _ => match text.parse::<f64>() {
            Ok(limit) if !limit.is_nan() => Ok(Some(limit)),
            _ => Err("must be a number or \"none\"".to_owned()),
        },
    }
}

pub fn run(args: &Args) -> Exit {
    let mut run = Run::start("lrg-density regions");
    let common = &args.common;
    let job = match configure(args) {
        Ok(job) => job,
        Err(reason) => return run.refuse(common, Exit::Usage, &reason),
    };
    let (bricks, counts) = (read_bricks(&args.bricks, &job.quality), read_counts(&args.counts));
    for (path, error) in [(&args.bricks, bricks.as_ref().err()), (&args.counts, counts.as_ref().err())] {
        if let Some(error) = error {
            say!("lrg-density regions: {error}");
            run.failed(path, error.to_string());
        }
    }
    let (bricks, counts) = match (bricks, counts) {
        (Ok(bricks), Ok(counts)) => (bricks, counts),
        (bricks, counts) => {
            let errors = [bricks.err(), counts.err()];
            return run.end(common, Exit::from(errors.iter().flatten().map(FileError::failure).max()));
        }
    };
    let files = [&args.bricks, &args.counts];
    run.bytes = files.iter().filter_map(|f| std::fs::metadata(f).ok()).map(|m| m.len()).sum();
    let found = match job.run(bricks, counts) {
        Ok(found) => found,
        Err(error) => return run.refuse(common, Exit::BadData, &error.to_string()),
    };
    run.counts.extend([
        ("done", found.all.bricks),
        ("in_footprint", found.in_footprint.bricks),
        ("passing", found.passing.bricks),
        ("regions", found.selection.regions.len() as u64),
        ("unmatched_bricks", found.unmatched.len() as u64),
    ]);
    if found.all.objects == 0 && !found.unmatched.is_empty() {
        let (bricks, counts) = (args.bricks.display(), args.counts.display());
        let reason = format!("no brick of {counts} is in {bricks}; they do not belong together");
        return run.refuse(common, Exit::BadData, &reason);
    }
    run.alerts = region_alerts(&found);
    let (bricks, counts) = (args.bricks.to_string_lossy(), args.counts.to_string_lossy());
    let names = InputNames { bricks: &bricks, counts: &counts };
    if let Err(e) = found.write(&args.out, names) {
        return run.refuse(common, Exit::Transient, &format!("cannot write to {}: {e}", args.out.display()));
    }
    if !common.quiet {
        print(&region_summary(&found, &args.out));
    }
    run.end(common, Exit::Complete)
}

fn configure(args: &Args) -> Result<Regions, String> {
    let adjacency = Adjacency::new(args.adjacency, args.adjacency).map_err(|e| e.to_string())?;
    if args.out.exists() && !args.out.is_dir() {
        return Err(format!("--out {} is there and is no folder", args.out.display()));
    }
    if args.area_min.is_nan() || args.area_max.is_nan() || args.area_min > args.area_max {
        return Err(format!("--area-min {} is above --area-max {}", args.area_min, args.area_max));
    }
    let mut job = Regions {
        quality: Quality {
            max_psfsize_r_arcsec: args.psfsize_r_max,
            min_psfdepth_r_mag: args.psfdepth_r_min,
            max_ebv_mag: args.ebv_max,
        },
        limits: RegionLimits {
            adjacency,
            min_area_deg2: args.area_min,
            max_area_deg2: args.area_max,
            ..RegionLimits::default()
        },
        ..Regions::default()
    };
    job.footprint = Region::from_bounds(args.footprint.bounds()).map_err(|e| e.to_string())?;
    Ok(job)
}
