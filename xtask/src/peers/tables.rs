//! Counting luminous red galaxies in sweep files: reading eleven columns of a wide table, cutting, adding up.

use std::path::{Path, PathBuf};

use super::contenders::{Built, names};
use super::record::{self, Page, Target, cpu, rss, wall};
use super::{Rounds, Timed, machine, time};
use crate::{files, tools};

pub struct Work {
    pub name: String,
    pub paths: Vec<PathBuf>,
}

pub fn run(quick: bool) -> Result<(), String> {
    let dir = files::target().join("peers");
    let data = dir.join("data");
    std::fs::create_dir_all(&data).map_err(|e| format!("{}: {e}", data.display()))?;
    let (rows, rounds) = (1_000_000, if quick { 3 } else { 7 });
    let works = [(0, 505, if quick { 3 } else { 10 }), (7, 897, if quick { 2 } else { 4 })]
        .map(|(epochs, bytes, count)| work(&data, rows, epochs, bytes, count));
    let built = Built::new(&dir);
    let before = machine::load();

    let mut tables = String::new();
    let mut notes = Vec::new();
    let mut targets = Vec::new();
    let mut commands = Vec::new();
    for work in works {
        let Work { name, paths } = work?;
        let (mut contenders, mut absent) = built.for_files(&paths)?;
        match built.polars(&paths) {
            Ok(polars) => contenders.push(polars),
            Err(why) => absent.push(format!("polars on Parquet: {why}")),
        }
        if commands.is_empty() {
            commands = contenders.iter().map(|c| record::command(c, &data)).collect();
        }
        // Whatever ran before, each program finds the caches as a plain read of the files leaves them.
        let before = contenders.iter().find(|c| c.name == names::READ).map(|c| c.argv.clone());
        let mut timed = time(contenders, &Rounds { count: rounds, before, mark: "lrg=", work: &dir })?;
        ours_from_reports(&mut timed);
        if let Some(why) = timed.iter().take(3).find_map(|t| t.failed.as_ref()) {
            return Err(format!("our own run failed: {why}"));
        }
        let agreed = record::agreement(&timed, "galaxies")?;
        notes.push(format!("- {name}: {}", agreed.join(" ")));
        tables.push_str(&record::table(&name, &timed));
        if targets.is_empty() {
            targets = aims(&timed);
            notes.extend(absent.iter().map(|what| format!("- skipped {what}")));
            let find = |name: &str| timed.iter().find(|t| t.contender.name == name && t.failed.is_none());
            if let (Some(read), Some(cfitsio)) = (find(names::READ), find(names::CFITSIO)) {
                let share = read.ratio(cfitsio, cpu);
                notes.push(format!(
                    "- To have the bytes in memory at all takes {share:.2} of the CPU of CFITSIO."
                ));
            }
        }
    }

    let machine =
        [machine::describe(), vec![format!("- Load average before: {before}"), built.versions()]].concat();
    let intro = "Galaxies per brick from sweep files that are in the page cache, dereddened cut v3. Before each \
                 program, and not timed, the files are read once, so that every one starts from the same caches.";
    let page = Page {
        subject: "tables",
        intro: intro.to_owned(),
        machine,
        rows: tables,
        notes,
        measured_on: "at 505 bytes a row",
        targets,
        commands,
    };
    page.write(quick, rounds, &dir)
}

/// One generated file under as many names as there are files; the generator's bytes never change for a name.
pub fn work(data: &Path, rows: usize, epochs: usize, bytes: usize, count: usize) -> Result<Work, String> {
    let first = data.join(format!("sweep-{bytes}.fits"));
    if !first.exists() {
        let part = data.join(format!("sweep-{bytes}.part"));
        let mut generator = tools::own()?;
        generator.arg("sweep").arg(&part);
        tools::succeed(generator.args(["--rows", &rows.to_string(), "--lc", &epochs.to_string()]))?;
        std::fs::rename(&part, &first).map_err(|e| e.to_string())?;
    }
    let name = format!("{count} x {rows} rows x {bytes} B");
    Ok(Work { name, paths: links(&first, count)? })
}

/// Hard links of a file: other names of the same bytes, so that many files need the memory of one.
pub fn links(first: &Path, count: usize) -> Result<Vec<PathBuf>, String> {
    let name = |k: usize| {
        let stem = first.file_stem().unwrap_or_default().to_string_lossy();
        let extension = first.extension().unwrap_or_default().to_string_lossy();
        first.with_file_name(format!("{stem}-{k}.{extension}"))
    };
    let mut paths = vec![first.to_owned()];
    for path in (1..count).map(name) {
        if path.exists() {
            std::fs::remove_file(&path).map_err(|e| e.to_string())?;
        }
        std::fs::hard_link(first, &path).map_err(|e| format!("{}: {e}", path.display()))?;
        paths.push(path);
    }
    Ok(paths)
}

/// Our binary writes its counts to files.
fn ours_from_reports(timed: &mut [Timed]) {
    for one in timed.iter_mut().filter(|t| t.contender.name.starts_with(names::OURS)) {
        let out = one.contender.argv.last().map(|path| Path::new(path).with_extension("report.json"));
        let text = out.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        let report: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        one.answer = report["selected"].as_u64();
    }
}

fn aims(timed: &[Timed]) -> Vec<Target> {
    let find = |name: &str| timed.iter().find(|t| t.contender.name == name && t.failed.is_none());
    let ours = &timed[0];
    let over = |name: &str| find(name).map_or(f64::NAN, |other| ours.ratio(other, cpu));
    let at_most = |what, bound, measured| Target { what, bound, at_most: true, measured };
    vec![
        at_most("CPU, of read(2)", 1.6, over(names::READ)),
        at_most("CPU, of CFITSIO", 0.20, over(names::CFITSIO)),
        at_most("CPU, of astropy", 0.06, over(names::ASTROPY)),
        at_most("CPU of another cut over the same columns, of the preset's", 1.3, {
            find(names::OTHER_CUT).map_or(f64::NAN, |other| other.ratio(ours, cpu))
        }),
        at_most("peak RSS, MB", 40.0, ours.median(rss) / 1e6),
        Target {
            what: "speed-up of two threads, by the clock",
            bound: 1.7,
            at_most: false,
            measured: find(names::TWO_THREADS).map_or(f64::NAN, |two| ours.ratio(two, wall)),
        },
    ]
}
