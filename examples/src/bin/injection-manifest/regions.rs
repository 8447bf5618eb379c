use coaddkit_examples::{Common, Exit, Run, Table, folder, print};
use coaddkit_manifest::injection::RegionRules;
use serde_json::json;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    /// A survey-bricks table (FITS, Parquet or CSV) with brickname, ra, dec, ra1, ra2, dec1, dec2, ebv, psfsize_r and
    /// psfdepth_r
    #[arg(long, value_name = "FILE")]
    bricks: PathBuf,
    /// Counts per brick, as `lrg-density count` writes them
    #[arg(long, value_name = "FILE")]
    counts: PathBuf,
    /// Where the tables go
    #[arg(long, value_name = "DIR", value_parser = folder)]
    out: PathBuf,
    /// Largest reddening E(B-V) of a brick
    #[arg(long, value_name = "MAG", default_value_t = 0.12)]
    ebv_max: f64,
    /// Largest seeing of a brick in r, in arcsec
    #[arg(long, value_name = "ARCSEC", default_value_t = 1.6)]
    psfsize_r_max: f64,
    /// Smallest depth of a brick in r, in magnitudes
    #[arg(long, value_name = "MAG", default_value_t = 23.6)]
    psfdepth_r_min: f64,
    /// Bricks are neighbours if their centres differ by no more than this in right ascension and in declination
    #[arg(long, value_name = "DEG", default_value_t = 0.3)]
    adjacency: f64,
    /// Seed of the splits
    #[arg(long, value_name = "N", default_value_t = 13, allow_negative_numbers = true)]
    split_seed: i64,
    /// Share of the regions for tests
    #[arg(long, value_name = "SHARE", default_value_t = 0.2)]
    test_frac: f64,
    /// Share of the regions for validation
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    val_frac: f64,
    /// Regions that a selection takes of each split
    #[arg(long, value_name = "K", default_value_t = 50)]
    top_k: u32,
    #[command(flatten)]
    common: Common,
}

pub fn run(args: &Args) -> Exit {
    let mut run = Run::start("injection-manifest regions");
    let common = &args.common;
    let rules = RegionRules {
        max_ebv: args.ebv_max,
        max_psfsize_r_arcsec: args.psfsize_r_max,
        min_psfdepth_r_mag: args.psfdepth_r_min,
        adjacency_deg: args.adjacency,
        split_seed: args.split_seed,
        test_frac: args.test_frac,
        val_frac: args.val_frac,
        top_k: args.top_k,
    };
    let built = match common.on_threads(|| rules.run(&args.bricks, &args.counts, &args.out)) {
        Ok(built) => built,
        Err(e) => return run.refuse(common, e.class().into(), &e.to_string()),
    };
    run.counts.extend([
        ("done", built.bricks),
        ("passing", built.passing),
        ("regions", built.regions),
        ("selected", built.selected),
    ]);
    if built.uncounted > 0 {
        run.alerts.push(format!("{} galaxies are in bricks that are not in a region", built.uncounted));
    }
    run.extra.insert("regions".to_owned(), json!(built));
    if !common.quiet {
        let mut table = Table::new(["bricks", "passing", "regions", "test", "train", "val", "selected"]);
        let [test, train, val] = built.splits;
        table.row(
            [built.bricks, built.passing, built.regions, test, train, val, built.selected].map(Table::number),
        );
        print(&format!("{table}\n  tables  {}\n", args.out.display()));
    }
    run.end(common, Exit::Complete)
}
