//! `cargo xtask peers`: the same work by us and by others, in interleaved rounds, into `benches/record/`.

use std::path::{Path, PathBuf};

use crate::{Done, Stop, files, tools};

/// What can be compared, and how.
const SUBJECTS: &[(&str, Run)] = &[
    ("tables", tables::run),
    ("images", images::run),
    ("sky", sky::run),
    ("transfer", transfer::run),
    ("manifest", manifest::run),
    ("batches", |quick| batches::run(quick).and_then(|()| raws::run(quick))),
    ("scale", scale::run),
];

/// Times a subject, with fewer rounds if quick, and writes its record.
type Run = fn(bool) -> Result<(), String>;

mod batches;
mod contenders;
mod images;
mod machine;
mod manifest;
mod raws;
mod record;
mod scale;
mod sky;
mod tables;
mod transfer;

pub fn run(args: &[&str]) -> Done {
    let quick = args.contains(&"--quick");
    let named: Vec<&str> = args.iter().copied().filter(|arg| *arg != "--quick").collect();
    let known = |name: &&str| *name == "--all" || SUBJECTS.iter().any(|(subject, _)| subject == name);
    if let Some(unknown) = named.iter().find(|name| !known(name)) {
        return Err(Stop::Usage(format!("peers does not know {unknown}")));
    }
    let all = named.contains(&"--all");
    let named = if named.is_empty() { vec!["tables"] } else { named };
    for (subject, run) in SUBJECTS.iter().filter(|(subject, _)| all || named.contains(subject)) {
        run(quick).map_err(|why| Stop::Failed(format!("{subject}: {why}")))?;
    }
    Ok(())
}

/// A program that does a piece of work.
struct Contender {
    name: String,
    version: String,
    argv: Vec<String>,
    /// What it must find; nothing for a floor that only reads.
    expected: Expected,
}

/// How the result of a contender is judged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// It prints no answer.
    Nothing,
    /// The answer that all must agree on.
    Agreed,
    /// The answer to within a hundredth, for the reason given in the record.
    Near(&'static str),
    /// An answer of its own, not zero.
    Another,
}

/// One contender's rounds.
struct Timed {
    contender: Contender,
    /// What it found: a count, or a digest of the pixels.
    answer: Option<u64>,
    rounds: Vec<Round>,
    /// A smaller resident set cannot be told apart from this one.
    least_rss: f64,
    /// Why it has no rounds.
    failed: Option<String>,
}

/// Seconds and bytes of one run.
#[derive(Clone, Copy)]
struct Round {
    cpu: f64,
    wall: f64,
    rss: f64,
}

/// How rounds are run.
struct Rounds<'a> {
    /// Counted rounds; one more warms up.
    count: usize,
    /// A command run before each program, and not timed, so that all start from the same caches.
    before: Option<Vec<String>>,
    /// What stands before the answer in the output of a program.
    mark: &'static str,
    work: &'a Path,
}

/// Runs the contenders in interleaved rounds.
fn time(contenders: Vec<Contender>, rounds: &Rounds<'_>) -> Result<Vec<Timed>, String> {
    let programs: Vec<_> =
        contenders.iter().map(|c| serde_json::json!({ "name": c.name, "argv": c.argv })).collect();
    let (plan, result) = (rounds.work.join("plan.json"), rounds.work.join("result.json"));
    let text = serde_json::json!({ "rounds": rounds.count, "before": rounds.before, "programs": programs });
    std::fs::write(&plan, text.to_string()).map_err(|e| format!("{}: {e}", plan.display()))?;
    let python = tools::python(&["json"])?;
    let runner = files::root().join("benches/peers/time_rounds.py");
    tools::succeed(tools::command(python).arg(runner).arg(&plan).arg(&result))?;
    let text = std::fs::read_to_string(&result).map_err(|e| format!("{}: {e}", result.display()))?;
    let json: serde_json::Value =
        serde_json::from_str(&text).map_err(|e| format!("{}: {e}", result.display()))?;

    let least_rss = json["least_rss"].as_f64().unwrap_or(0.0);
    let mut timed = Vec::new();
    for (index, contender) in contenders.into_iter().enumerate() {
        let program = &json["programs"][index];
        let number = |round: &serde_json::Value, key: &str| round[key].as_f64().unwrap_or(f64::NAN);
        let run = program["rounds"].as_array().map(Vec::as_slice).unwrap_or_default();
        let run = run
            .iter()
            .map(|r| Round { cpu: number(r, "cpu"), wall: number(r, "wall"), rss: number(r, "rss") })
            .collect();
        let answer = answer(program["output"].as_str().unwrap_or_default(), rounds.mark);
        let failed = program["failed"].as_str().map(str::to_owned);
        timed.push(Timed { contender, answer, rounds: run, least_rss, failed });
    }
    Ok(timed)
}

/// A binary as `cargo build --release` leaves it.
fn program(name: &str) -> PathBuf {
    files::target().join("release").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// The sum of the numbers that the mark stands before in the output of a program.
fn answer(output: &str, mark: &str) -> Option<u64> {
    let counts = output.split_whitespace().filter_map(|word| word.strip_prefix(mark));
    counts
        .map(|count| count.parse::<u64>().ok())
        .reduce(|sum, count| Some(sum?.wrapping_add(count?)))
        .flatten()
}

#[cfg(test)]
mod tests {
    #[test]
    fn counts_of_several_lines_add_up() {
        let lrg = |output| super::answer(output, "lrg=");
        assert_eq!(lrg("rows=5 lrg=3 bricks=1\nT=0.1\nrows=5 lrg=4"), Some(7));
        assert_eq!(lrg("bytes=7"), None);
        assert_eq!(lrg("lrg=3 lrg=many"), None);
    }
}
