//! Positions: cells, bricks, exclusion and pairs.

use std::path::Path;

use super::machine::{self, version};
use super::record::{self, Page, Target, cpu, median, wall};
use super::{Rounds, Timed, time};
use crate::{files, tools};

mod works;

use works::{STILTS, STILTS_START, Tools, WORKS, Work};

/// How many positions on either side memory is measured with.
const MEMORY: [usize; 3] = [1_000_000, 2_000_000, 4_000_000];

const INTRO: &str = "Positions evenly over the sky, from columns in memory to the result in memory. A program repeats \
                     the work for a second and tells the CPU and wall seconds of one repetition, its median: reading \
                     the columns and starting an interpreter are not in them. The seconds of STILTS are those of the \
                     process, with its JVM and FITS tables in and out; its start is a run over tables of one row. \
                     Resident sets are those of whole processes with what they start from, up to 160 MB of columns. \
                     An answer is the size of the result and nine digits of its checksum.";

pub fn run(quick: bool) -> Result<(), String> {
    let dir = files::target().join("peers");
    std::fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let data = dir.join("sky");
    let tools = Tools::new(&data)?;
    let rounds = if quick { 1 } else { 3 };
    let packages = ["python", "numpy"].map(|name| format!("; {name} {}", tools.version(name))).concat();
    let languages = format!("- {}{packages}", version("rustc", &["-V"]));
    let machine = [machine::describe(), vec![languages]].concat();

    let (mut rows, mut notes, mut targets, mut commands) = (String::new(), vec![], vec![], vec![]);
    for work in &WORKS {
        let (contenders, absent) = tools.contenders(work, quick);
        notes.extend(absent.iter().map(|what| format!("- {}: skipped {what}", work.title)));
        commands.extend(contenders.iter().map(|contender| record::command(contender, &data)));
        let timed = time(contenders, &Rounds { count: rounds, before: None, mark: "answer=", work: &dir })?;
        if let Some(why) = timed.iter().take(2).find_map(|t| t.failed.as_ref()) {
            return Err(format!("our own run failed: {why}"));
        }
        rows.push_str(&record::table(work.title, &timed));
        aims(work, &timed, &mut targets);
        let agreed = record::agreement(&timed, work.what)?;
        let faster = timed[0].ratio(&timed[1], wall);
        notes.push(format!("- {}: {} Two threads: {faster:.2} times as fast.", work.title, agreed.join(" ")));
    }
    notes.extend(memory(&tools.program)?);
    let measured_on = "one thread unless said";
    let intro = INTRO.to_owned();
    let page = Page { subject: "sky", intro, machine, rows, notes, measured_on, targets, commands };
    page.write(quick, rounds, &dir)
}

/// What was aimed at.
fn aims(work: &Work, timed: &[Timed], targets: &mut Vec<Target>) {
    let find = |name: &str| timed.iter().find(|t| t.contender.name == name && t.failed.is_none());
    let ours = &timed[0];
    for aim in work.targets {
        let measured = find(aim.peer).map_or(f64::NAN, |other| ours.ratio(other, cpu));
        targets.push(Target { what: aim.what, bound: aim.bound, at_most: true, measured });
    }
    if let (Some(whole), Some(start)) = (find(STILTS), find(STILTS_START)) {
        let rounds = ours.rounds.iter().zip(&whole.rounds).zip(&start.rounds);
        let measured = median(rounds.map(|((ours, whole), start)| ours.cpu / (whole.cpu - start.cpu)));
        let what = "all pairs: CPU, of STILTS without its start";
        targets.push(Target { what, bound: 0.25, at_most: true, measured });
    }
}

/// What a match takes, by the largest resident set.
fn memory(program: &Path) -> Result<Vec<String>, String> {
    let mut notes = Vec::new();
    for rows in MEMORY {
        let said = tools::output(tools::command(program).arg("memory").arg(rows.to_string()))?;
        notes.push(format!("- Memory: {}", said.trim()));
    }
    Ok(notes)
}
