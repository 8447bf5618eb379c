//! All tables of a folder, of this program or of the earlier converter: whether they are of one form, and what they
//! hold.

use clap::Args as ClapArgs;
use coaddkit_examples::{Common, CountBar, Exit, Run, Table, print};
use coaddkit_manifest::negatives::bar_chart;
use coaddkit_spectra::{ErrorKind, Inspected, inspect};
use rayon::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

#[derive(ClapArgs)]
pub struct Args {
    /// A folder with tables, however deep
    folder: PathBuf,
    /// Also draw the redshifts: a PNG file
    #[arg(long, value_name = "FILE")]
    png: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// Every file below a folder; folders that cannot be read have none.
pub fn walk(folder: &Path, each: &mut impl FnMut(&Path)) {
    let Ok(list) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<_> = list.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        match path.symlink_metadata() {
            _ if hidden => {}
            Ok(meta) if meta.is_dir() => walk(&path, each),
            Ok(_) => each(&path),
            Err(_) => {}
        }
    }
}

/// What all tables come to.
#[derive(Default)]
struct Found {
    tables: u64,
    markers: u64,
    bytes: u64,
    rows_of_table: Vec<f64>,
    schemas: BTreeMap<String, u64>,
    points: Option<(u64, u64)>,
    uneven: u64,
    unreadable: u64,
    z: Vec<f64>,
    targets: Vec<i64>,
}

impl Found {
    fn take(&mut self, table: Inspected) {
        self.tables += 1;
        self.rows_of_table.push(table.rows as f64);
        *self.schemas.entry(table.schema).or_default() += 1;
        self.uneven += table.uneven;
        self.points = match (self.points, table.points) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (one, other) => one.or(other),
        };
        self.z.extend(table.z);
        self.targets.extend(table.targets);
    }
}

pub fn run(args: &Args) -> Exit {
    let mut run = Run::start("desi-tiles analyze");
    let (mut found, mut paths) = (Found::default(), Vec::new());
    if !args.folder.is_dir() {
        let why = format!("{} is no folder", args.folder.display());
        return run.refuse(&args.common, Exit::Missing, &why);
    }
    walk(&args.folder, &mut |path| {
        if path.extension().is_some_and(|extension| extension == "parquet") {
            found.bytes += path.metadata().map_or(0, |meta| meta.len());
            paths.push(path.to_owned());
        }
        found.markers += u64::from(path.file_name().is_some_and(|name| name == "_SUCCESS_NO_QSO"));
    });
    if paths.is_empty() && found.markers == 0 {
        let why = format!("{} has no tables", args.folder.display());
        return run.refuse(&args.common, Exit::Missing, &why);
    }
    let bar = CountBar::new("tables", args.common.quiet);
    bar.total(paths.len() as u64);
    let looked: Vec<_> = args.common.on_threads(|| {
        let look = |path: &PathBuf| {
            let table = inspect(path);
            bar.one("", table.as_ref().err().map(ToString::to_string));
            table
        };
        paths.par_iter().map(look).collect()
    });
    bar.finish();
    let mut exit = Exit::Complete;
    for (path, table) in paths.iter().zip(looked) {
        match table {
            Ok(table) => {
                if let Some((row, lengths)) = table.first_uneven {
                    run.failed(
                        path,
                        format!("row {row}: lists of {lengths:?} points, and {} rows so", table.uneven),
                    );
                    exit = exit.worse(Exit::BadData);
                }
                found.take(table);
            }
            Err(e) => {
                exit =
                    exit.worse(if e.kind() == ErrorKind::BadData { Exit::BadData } else { Exit::Transient });
                run.failed(path, e.what().to_owned());
                found.unreadable += 1;
            }
        }
    }
    if found.schemas.len() > 1 {
        exit = exit.worse(Exit::BadData);
        run.failed(&args.folder, format!("tables of {} schemas", found.schemas.len()));
    }
    let z = Statistics::of(&found.z);
    if let Some(png) = &args.png
        && let Err(e) = bar_chart(png, "Redshifts", &z.histogram())
    {
        return run.refuse(&args.common, Exit::Transient, &e.to_string());
    }
    tell(&found, &z, &mut run, args.common.quiet);
    run.end(&args.common, exit)
}

fn tell(found: &Found, z: &Statistics, run: &mut Run, quiet: bool) {
    let different = found.targets.iter().collect::<HashSet<_>>().len() as u64;
    let per_table = Statistics::of(&found.rows_of_table);
    let rows = found.targets.len() as u64;
    run.bytes = found.bytes;
    run.counts.insert("done", found.tables);
    run.counts.insert("tables", found.tables);
    run.counts.insert("pixels_without_rows", found.markers);
    run.counts.insert("rows", rows);
    run.counts.insert("targets", different);
    run.counts.insert("uneven_rows", found.uneven);
    run.counts.insert("failed", found.unreadable);
    run.extra.insert("schemas".to_owned(), json!(found.schemas));
    run.extra.insert("points".to_owned(), json!(found.points));
    run.extra.insert("z".to_owned(), z.json());
    run.extra.insert("rows_per_table".to_owned(), per_table.json());
    if quiet {
        return;
    }
    let mut table = Table::new(["all tables", "value"]);
    let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
    row("tables", Table::number(found.tables));
    row("pixels without rows", Table::number(found.markers));
    row("rows", Table::number(rows));
    row("different targets", Table::number(different));
    row("MiB", format!("{:.2}", found.bytes as f64 / crate::metrics::MIB));
    let points = found.points.map_or_else(
        || "–".to_owned(),
        |(least, most)| match least == most {
            true => Table::number(least),
            false => format!("{least} to {most}"),
        },
    );
    row("points of a spectrum", points);
    row("rows with lists of different lengths", Table::number(found.uneven));
    row("schemas", Table::number(found.schemas.len() as u64));
    print(&format!("{table}\n"));
    let mut table = Table::new(["statistics", "number", "least", "median", "mean", "most", "std"]);
    for (name, of) in [("z", z), ("rows of a table", &per_table)] {
        let number = Table::number(of.sorted.len() as u64);
        let [least, median, mean, most, std] =
            of.five().map(|v| v.map_or("–".to_owned(), |v| format!("{v:.4}")));
        table.row([name.to_owned(), number, least, median, mean, most, std]);
    }
    print(&format!("{table}\n"));
    for (schema, count) in &found.schemas {
        print(&format!("  {} tables: {schema}\n", Table::number(*count)));
    }
    for failure in &run.failures {
        print(&format!("  {}: {}\n", failure.path, failure.reason));
    }
}

/// Of numbers, those that are not finite counted apart.
struct Statistics {
    sorted: Vec<f64>,
    not_finite: usize,
}

impl Statistics {
    fn of(values: &[f64]) -> Self {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        Self { not_finite: values.len() - sorted.len(), sorted }
    }

    /// Least, median, mean, most, and the standard deviation of the population.
    fn five(&self) -> [Option<f64>; 5] {
        let n = self.sorted.len();
        let (Some(&least), Some(&most)) = (self.sorted.first(), self.sorted.last()) else { return [None; 5] };
        let median = (self.sorted[(n - 1) / 2] + self.sorted[n / 2]) / 2.0;
        let mean = self.sorted.iter().sum::<f64>() / n as f64;
        let variance = self.sorted.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n as f64;
        [least, median, mean, most, variance.sqrt()].map(Some)
    }

    fn json(&self) -> Value {
        let [least, median, mean, most, std] = self.five();
        json!({
            "number": self.sorted.len(), "min": least, "median": median, "mean": mean, "max": most, "std": std,
            "not_finite": self.not_finite,
        })
    }

    /// Bars of equal width from 0, or below it, to the most.
    fn histogram(&self) -> Vec<(String, u64)> {
        const BARS: usize = 40;
        let (Some(&least), Some(&most)) = (self.sorted.first(), self.sorted.last()) else {
            return Vec::new();
        };
        let low = least.min(0.0);
        // A tenth at least, so that equal redshifts have a bar.
        let width = ((most - low) / BARS as f64).max(0.1 / BARS as f64);
        let mut bars = vec![0; BARS];
        for value in &self.sorted {
            bars[(((value - low) / width) as usize).min(BARS - 1)] += 1;
        }
        let label = |i: usize| format!("{:.1}", low + width * i as f64);
        bars.into_iter().enumerate().map(|(i, n)| (label(i), n)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_of_numbers() {
        // numpy: median 2.5, mean 2.75, std 1.479019945774904
        let of = Statistics::of(&[5.0, 2.0, f64::NAN, 1.0, 3.0]);
        assert_eq!(of.five(), [1.0, 2.5, 2.75, 5.0, 1.479019945774904].map(Some));
        assert_eq!((of.sorted.len(), of.not_finite), (4, 1));
        let bars = of.histogram();
        assert_eq!((bars.len(), bars.iter().map(|(_, n)| n).sum::<u64>()), (40, 4));
        assert_eq!((bars[39].1, bars[8].1), (1, 1));
        assert!(Statistics::of(&[]).histogram().is_empty());
        assert_eq!(Statistics::of(&[0.0, 0.0]).histogram()[0], ("0.0".to_owned(), 2));
    }
}
