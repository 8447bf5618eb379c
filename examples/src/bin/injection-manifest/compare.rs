use coaddkit_examples::{Common, Exit, Run, StepBar, Table, print};
use coaddkit_manifest::{Comparison, compare};
use serde_json::json;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    /// The older manifest: a folder that `build` wrote, or any table with task_id or galaxy_id
    old: PathBuf,
    /// The newer one
    new: PathBuf,
    #[command(flatten)]
    common: Common,
}

pub fn run(args: &Args) -> Exit {
    let mut run = Run::start("injection-manifest compare");
    let common = &args.common;
    let bar = StepBar::new(common.quiet);
    let compared = common.on_threads(|| compare(&args.old, &args.new, &bar));
    bar.finish();
    let compared = match compared {
        Ok(compared) => compared,
        Err(e) => return run.refuse(common, e.class().into(), &e.to_string()),
    };
    let same = compared.is_same();
    let different = compared.experiments.iter().filter(|e| !e.is_same()).count() as u64;
    run.counts.extend([("done", compared.experiments.len() as u64), ("different", different)]);
    if !same {
        run.failed(&args.new, "differs from the older manifest".to_owned());
    }
    run.extra.insert("comparison".to_owned(), json!(compared));
    if !common.quiet {
        print(&summary(&compared));
    }
    run.end(common, if same { Exit::Complete } else { Exit::BadData })
}

fn summary(compared: &Comparison) -> String {
    let mut table =
        Table::new(["experiment", "old", "new", "lost", "gained", "repeated", "columns that differ"]);
    let mut details = String::new();
    for e in &compared.experiments {
        let [old, new, lost, gained, repeated] =
            [e.old_rows, e.new_rows, e.lost, e.gained, e.repeated].map(Table::number);
        let columns: Vec<_> = e.columns.iter().map(|c| format!("{} ({} rows)", c.column, c.rows)).collect();
        table.row([e.experiment_id.clone(), old, new, lost, gained, repeated, columns.join(", ")]);
        for c in &e.columns {
            details.push_str(&format!("  {} of {}: {} -> {}\n", c.column, c.example, c.old, c.new));
        }
        for (what, ids) in [("lost", &e.lost_examples), ("gained", &e.gained_examples)] {
            ids.iter().take(3).for_each(|id| details.push_str(&format!("  {what}: {id}\n")));
        }
        details.push_str(&format!("  digest {} -> {}\n", e.old_digest, e.new_digest));
    }
    for (what, columns) in [
        ("columns lost", &compared.columns_lost),
        ("columns gained", &compared.columns_gained),
        ("columns of another type", &compared.columns_retyped),
    ] {
        if !columns.is_empty() {
            details.push_str(&format!("  {what}: {}\n", columns.join(", ")));
        }
    }
    let verdict = if compared.is_same() { "the same" } else { "DIFFERENT" };
    format!("{table}\n{details}  {verdict}\n")
}
