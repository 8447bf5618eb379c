use crate::validate::{failures, gates};
use coaddkit_examples::{Common, Exit, Run, StepBar, Table, new_file, print, say, timestamp};
use coaddkit_manifest::negatives::{Draw, Drawn, Ranking, SamplingConfig};
use serde_json::json;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    /// The pool: a folder that `pool` wrote, or Parquet with the same columns
    #[arg(long, value_name = "DIR")]
    pool: PathBuf,
    /// Positives with type_bin and nobs_z_bin, or type and nobs_z, as `positives` writes them
    #[arg(long, value_name = "FILE")]
    positives: PathBuf,
    /// The configuration (YAML; TOML if it ends in .toml)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The sample (Parquet); its report goes beside it, into NAME.validation, or NAME.refused
    #[arg(long, value_name = "FILE", value_parser = new_file)]
    out: PathBuf,
    /// Seed of the sample instead of the configuration's hash_seed; never moves the splits
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<i64>,
    /// What orders the galaxies of a stratum
    #[arg(long, value_enum, default_value = "xxh3")]
    ranking: Order,
    /// Time that rows carry; else SOURCE_DATE_EPOCH, else `created_at` of the configuration
    #[arg(long, value_name = "TEXT")]
    timestamp: Option<String>,
    /// Take a pool that is not complete
    #[arg(long)]
    incomplete: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Order {
    /// XXH3-64 of galaxy_id with the seed
    Xxh3,
    /// abs(hash(galaxy_id, seed)) of Spark, as in the published job
    SparkMurmur3,
}

pub fn run(args: &Args) -> Exit {
    let mut run = Run::start("negative-sampling sample");
    let common = &args.common;
    let bar = StepBar::new(common.quiet);
    let drawn = common.on_threads(|| {
        let draw = Draw {
            config: SamplingConfig::read(&args.config)?,
            seed: args.seed,
            ranking: match args.ranking {
                Order::Xxh3 => Ranking::Xxh3,
                Order::SparkMurmur3 => Ranking::SparkMurmur3,
            },
            timestamp: timestamp(args.timestamp.as_deref()),
            incomplete: args.incomplete,
        };
        draw.run(&args.pool, &args.positives, &args.out, &bar)
    });
    bar.finish();
    let drawn = match drawn {
        Ok(drawn) => drawn,
        Err(e) => return run.refuse(common, e.class().into(), &e.to_string()),
    };
    // What is said of a sample that was refused does not replace what was said of the one that is there.
    let folder = args.out.with_extension(if drawn.written { "validation" } else { "refused" });
    if let Err(e) = drawn.validation.write(&folder) {
        return run.refuse(common, e.class().into(), &e.to_string());
    }
    run.counts.extend([
        ("done", u64::from(drawn.written)),
        ("positives", drawn.positives),
        ("pool_rows", drawn.pool_rows),
        ("rows", drawn.rows),
    ]);
    for s in &drawn.strata {
        let short = s.target - s.n1 - s.n2;
        if short > 0 {
            run.alerts.push(format!("{} {} is {short} of {} short", s.nobs_z_bin, s.type_bin, s.target));
        }
    }
    let exit = failures(&mut run, &args.out, &drawn.validation);
    if !drawn.written {
        say!(
            "negative-sampling sample: nothing is written to {}: a critical gate failed",
            args.out.display()
        );
    }
    run.extra.insert("sample".to_owned(), json!(drawn));
    if !common.quiet {
        print(&(summary(&drawn) + &gates(&drawn.validation)));
        if drawn.written {
            print(&format!("\n  sample  {}", args.out.display()));
        }
        print(&format!("\n  report  {}\n", folder.display()));
    }
    run.end(common, exit)
}

fn summary(drawn: &Drawn) -> String {
    let mut table = Table::new(["exposures", "type", "positives", "target", "N1", "N2", "backfill", "short"]);
    for s in &drawn.strata {
        let short = s.target - s.n1 - s.n2;
        let [positives, target, n1, n2, backfill, short] =
            [s.positives, s.target, s.n1, s.n2, s.backfill, short].map(Table::number);
        table.row([s.nobs_z_bin.clone(), s.type_bin.clone(), positives, target, n1, n2, backfill, short]);
    }
    format!("{table}\n")
}
