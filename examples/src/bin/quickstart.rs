//! The main job on a miniature survey that comes along: select, count, join, map. No network, no options.

use clap::Parser;
use coaddkit_density::{Count, InputNames, Regions, read_bricks, read_counts};
use coaddkit_examples::{Bar, Exit, count_summary, main as run_main, print, region_summary, say};
use coaddkit_photometry::lrg;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Count luminous red galaxies in a miniature survey, find the densest regions, draw the map.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Where the products go [default: target/quickstart of the workspace]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    run_main(move || {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let out = args.out.unwrap_or_else(|| workspace.join("target/quickstart"));
        match run(&workspace.join("fixtures"), &out) {
            Ok(()) => Exit::Complete,
            Err((exit, reason)) => {
                say!("quickstart: {reason}");
                exit
            }
        }
    })
}

fn run(survey: &Path, out: &Path) -> Result<(), (Exit, String)> {
    let disk = |e: std::io::Error| (Exit::Transient, format!("cannot write to {}: {e}", out.display()));
    if out.exists() && !out.is_dir() {
        return Err((Exit::Usage, format!("--out {} is there and is no folder", out.display())));
    }
    std::fs::create_dir_all(out).map_err(disk)?;
    let out = &std::fs::canonicalize(out).map_err(disk)?;

    let list = survey.join("sweeps.txt");
    let text =
        std::fs::read_to_string(&list).map_err(|e| (Exit::Missing, format!("{}: {e}", list.display())))?;
    let names = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let sweeps: Vec<_> = names.map(|name| survey.join(name)).collect();
    let cut = lrg::cut(lrg::Variant::V3, lrg::Photometry::Dereddened);
    print(&format!(
        "\n1. Count luminous red galaxies in {} sweep files of a miniature survey\n   {cut}\n\n",
        sweeps.len()
    ));
    let bytes = sweeps.iter().filter_map(|f| std::fs::metadata(f).ok()).map(|m| m.len()).sum();
    let bar = Bar::new(sweeps.len() as u64, bytes, false);
    let counts = Count::new(cut).run(&sweeps, &bar);
    bar.finish();
    let csv = out.join("counts.csv");
    let exit = Exit::from(counts.worst());
    counts.write(&csv, exit.code()).map_err(disk)?;
    print(&format!("{}  counts  {}\n", count_summary(&counts), csv.display()));
    if exit != Exit::Complete {
        return Err((
            exit,
            "the miniature survey is damaged; make it anew with `cargo xtask fixtures`".to_owned(),
        ));
    }

    print(
        "\n2. Join the counts with the survey's bricks, drop bad bricks, find and rank connected regions\n\n",
    );
    let table = survey.join("survey-bricks-mini.fits.gz");
    let job = Regions::default();
    let input = |e: coaddkit_density::FileError| (Exit::from(Some(e.failure())), e.to_string());
    let (bricks, counts) =
        (read_bricks(&table, &job.quality).map_err(input)?, read_counts(&csv).map_err(input)?);
    let found = job.run(bricks, counts).map_err(|e| (Exit::BadData, e.to_string()))?;
    found
        .write(out, InputNames { bricks: "survey-bricks-mini.fits.gz", counts: "counts.csv" })
        .map_err(disk)?;
    print(&region_summary(&found, out));

    print(
        "\nOn real data: download sweep files and a survey-bricks table of the Legacy Surveys, then\n\n  \
         cargo run --release --bin lrg-density -- count sweep-*.fits --variant v3 --deredden --out counts.csv\n  \
         cargo run --release --bin lrg-density -- regions --counts counts.csv --bricks survey-bricks-dr10-south.fits.gz --out regions\n",
    );
    Ok(())
}
