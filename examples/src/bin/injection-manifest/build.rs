use crate::split::{self, Told};
use coaddkit_examples::{
    Common, Exit, Refused, Run, ShardArgs, StepBar, Table, folder, print, timestamp, unless_split,
};
use coaddkit_manifest::Error;
use coaddkit_manifest::injection::Built;
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Args {
    /// The configuration (TOML), with the keys of a `_stage_config.json`
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Where the manifests go; with --shards also s3://bucket/prefix
    #[arg(long, value_name = "DIR|URL", value_parser = folder)]
    pub out: PathBuf,
    /// Refuse before any work if more tasks than this may come out
    #[arg(long, default_value_t = 30_000_000, value_name = "N")]
    max_total_tasks: u64,
    /// Time that the stage config carries; else SOURCE_DATE_EPOCH, else `created_at` of the configuration
    #[arg(long, value_name = "TEXT")]
    timestamp: Option<String>,
    /// Write CSV beside Parquet
    #[arg(long)]
    pub csv: bool,
    #[command(flatten)]
    pub shards: ShardArgs,
    #[command(flatten)]
    pub common: Common,
}

impl Args {
    /// What is needed to end the stage.
    pub fn told(&self) -> Told {
        Told {
            config: self.config.clone(),
            max_total_tasks: self.max_total_tasks,
            timestamp: timestamp(self.timestamp.as_deref()),
            csv: self.csv,
        }
    }
}

/// How an error of the manifests ends a run.
pub fn of_error(error: &Error) -> Refused {
    (error.class().into(), error.to_string())
}

pub fn run(args: &Args) -> Exit {
    let run = Run::start("injection-manifest build");
    let common = &args.common;
    let split = |shard, run: &mut Run| split::run(args, shard, run);
    let mut run = match unless_split(run, common, args.shards.asked(), split) {
        Ok(run) => run,
        Err(exit) => return exit,
    };
    let bar = StepBar::new(common.quiet);
    let built = common.on_threads(|| -> Result<Built, Error> {
        let mut build = args.told().build()?;
        build.force = common.force;
        build.run(&args.out, &bar)
    });
    bar.finish();
    let built = match built {
        Ok(built) => built,
        Err(e) => return run.refuse(common, e.class().into(), &e.to_string()),
    };
    tell(&built, &args.out, common.quiet, &mut run);
    run.end(common, Exit::Complete)
}

/// Says what was built, on the screen and in the report of the run.
pub fn tell(built: &Built, out: &Path, quiet: bool, run: &mut Run) {
    run.bytes = built.input_bytes;
    let skipped = built.experiments.iter().filter(|e| e.skipped).count() as u64;
    run.counts.extend([
        ("done", built.experiments.len() as u64 - skipped),
        ("skipped", skipped),
        ("tasks", built.experiments.iter().map(|e| e.rows).sum()),
        ("bricks", built.bricks as u64),
    ]);
    run.alerts = built
        .shortfalls
        .iter()
        .map(|s| {
            let (tier, set, split) = (s.tier, &s.selection_set_id, s.region_split);
            format!("{tier}: {set} has {} of {} galaxies in {split}", s.found, s.target)
        })
        .collect();
    run.extra.insert("built".to_owned(), json!(built));
    if !quiet {
        print(&summary(built, out));
    }
}

fn summary(built: &Built, out: &Path) -> String {
    let mut table = Table::new(["experiment", "tasks", "controls", "bricks", "MB"]);
    for e in &built.experiments {
        let size = if e.skipped { "as it was".to_owned() } else { format!("{:.1}", e.bytes as f64 / 1e6) };
        let [rows, controls, bricks] = [e.rows, e.controls, e.bricks as u64].map(Table::number);
        table.row([e.experiment_id.clone(), rows, controls, bricks, size]);
    }
    let p = built.parent;
    let mut parent = Table::new(["galaxies of the parent", "rows"]);
    for (what, rows) in [
        ("read", p.rows),
        ("without the flag", p.not_flagged),
        ("in a region that is not selected", p.not_selected),
        ("in a brick that is not known", p.brick_unknown),
        ("in a brick without seeing or depth", p.brick_unmeasured),
        ("to sample from", p.usable),
    ] {
        parent.row([what.to_owned(), Table::number(rows)]);
    }
    let short = match built.shortfalls.len() {
        0 => String::new(),
        n => format!(
            "  {n} selection sets and splits have fewer galaxies than asked for: counts.shortfalls of _stage_config.json\n"
        ),
    };
    format!("{table}\n{parent}\n{short}  manifests  {}\n", out.display())
}
