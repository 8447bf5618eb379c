use crate::split;
use crate::validate::{failures, gates};
use coaddkit_examples::{
    Common, Exit, Refused, Run, ShardArgs, StepBar, Table, new_file, print, say, timestamp, unless_split,
};
use coaddkit_manifest::Error;
use coaddkit_manifest::negatives::{Draw, Drawing, Drawn, Ranking, SamplingConfig};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Args {
    /// The pool: a folder that `pool` wrote, or Parquet with the same columns
    #[arg(long, value_name = "DIR")]
    pub pool: PathBuf,
    /// Positives with type_bin and nobs_z_bin, or type and nobs_z, as `positives` writes them
    #[arg(long, value_name = "FILE")]
    pub positives: PathBuf,
    /// The configuration (YAML; TOML if it ends in .toml)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The sample (Parquet); its report goes beside it, into NAME.validation, or NAME.refused. With --shards a folder for
    /// all shards, or s3://bucket/prefix
    #[arg(long, value_name = "FILE|DIR|URL")]
    pub out: PathBuf,
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
    pub shards: ShardArgs,
    #[command(flatten)]
    pub common: Common,
}

/// What a process that did not rank the pool needs, to end the sample.
#[derive(Serialize, Deserialize)]
pub struct Told {
    pool: PathBuf,
    positives: PathBuf,
    config: PathBuf,
    seed: Option<i64>,
    ranking: Order,
    timestamp: Option<String>,
    incomplete: bool,
}

impl Args {
    /// The rules.
    pub fn draw(&self) -> Result<Draw, Error> {
        self.told().draw()
    }

    /// What is needed to end the sample.
    pub fn told(&self) -> Told {
        Told {
            pool: self.pool.clone(),
            positives: self.positives.clone(),
            config: self.config.clone(),
            seed: self.seed,
            ranking: self.ranking,
            timestamp: timestamp(self.timestamp.as_deref()),
            incomplete: self.incomplete,
        }
    }
}

impl Told {
    fn draw(&self) -> Result<Draw, Error> {
        Ok(Draw {
            config: SamplingConfig::read(&self.config)?,
            seed: self.seed,
            ranking: match self.ranking {
                Order::Xxh3 => Ranking::Xxh3,
                Order::SparkMurmur3 => Ranking::SparkMurmur3,
            },
            timestamp: self.timestamp.clone(),
            incomplete: self.incomplete,
        })
    }

    /// The pool and the positives, ready to be drawn from.
    pub fn prepare(&self) -> Result<Drawing, Error> {
        self.draw()?.prepare(&self.pool, &self.positives)
    }
}

#[derive(Clone, Copy, clap::ValueEnum, Serialize, Deserialize)]
enum Order {
    /// XXH3-64 of galaxy_id with the seed
    Xxh3,
    /// abs(hash(galaxy_id, seed)) of Spark, as in the published job
    SparkMurmur3,
}

pub fn run(args: &Args) -> Exit {
    let run = Run::start("negative-sampling sample");
    let common = &args.common;
    let split = |shard, run: &mut Run| split::sample_shard(args, shard, run);
    let mut run = match unless_split(run, common, args.shards.asked(), split) {
        Ok(run) => run,
        Err(exit) => return exit,
    };
    if let Err(why) = new_file(&args.out.to_string_lossy()) {
        return run.refuse(common, Exit::Usage, &format!("--out {}: {why}", args.out.display()));
    }
    let bar = StepBar::new(common.quiet);
    let drawn = common.on_threads(|| args.draw()?.run(&args.pool, &args.positives, &args.out, &bar));
    bar.finish();
    let drawn = match drawn {
        Ok(drawn) => drawn,
        Err(e) => return run.refuse(common, e.class().into(), &e.to_string()),
    };
    match tell(&drawn, (&args.out, &args.out), common, &mut run) {
        Ok(exit) => run.end(common, exit),
        Err((exit, reason)) => run.refuse(common, exit, &reason),
    }
}

/// Writes what is said of a sample beside it, and says it; the sample is shown under the second name.
pub fn tell(
    drawn: &Drawn,
    (out, shown): (&Path, &Path),
    common: &Common,
    run: &mut Run,
) -> Result<Exit, Refused> {
    // What is said of a sample that was refused does not replace what was said of the one that is there.
    let end = if drawn.written { "validation" } else { "refused" };
    drawn.validation.write(&out.with_extension(end)).map_err(|e| (e.class().into(), e.to_string()))?;
    let folder = shown.with_extension(end);
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
    let exit = failures(run, shown, &drawn.validation);
    if !drawn.written {
        say!("negative-sampling sample: nothing is written to {}: a critical gate failed", shown.display());
    }
    run.extra.insert("sample".to_owned(), json!(drawn));
    if !common.quiet {
        print(&(summary(drawn) + &gates(&drawn.validation)));
        if drawn.written {
            print(&format!("\n  sample  {}", shown.display()));
        }
        print(&format!("\n  report  {}\n", folder.display()));
    }
    Ok(exit)
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
