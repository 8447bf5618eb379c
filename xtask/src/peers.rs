//! `cargo xtask peers`: the same work by us and by others, in interleaved rounds, into `benches/record/`.

use std::path::Path;

use crate::{Done, Stop, files, tools};

mod contenders;
mod machine;
mod record;
mod tables;

pub fn run(args: &[&str]) -> Done {
    let mut quick = false;
    for arg in args {
        match *arg {
            "tables" | "--all" => {}
            "--quick" => quick = true,
            _ => return Err(Stop::Usage(format!("peers does not know {arg}"))),
        }
    }
    tables::run(quick).map_err(Stop::Failed)
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
    /// It prints no counts.
    Nothing,
    /// The count that all must agree on.
    Agreed,
    /// The count to within a hundredth, for the reason given in the record.
    Near(&'static str),
    /// A count of its own, not zero.
    Another,
}

/// One contender's rounds.
struct Timed {
    contender: Contender,
    selected: Option<u64>,
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

/// Runs the contenders in interleaved rounds.
fn time(contenders: Vec<Contender>, rounds: usize, work: &Path) -> Result<Vec<Timed>, String> {
    let programs: Vec<_> =
        contenders.iter().map(|c| serde_json::json!({ "name": c.name, "argv": c.argv })).collect();
    let (plan, result) = (work.join("plan.json"), work.join("result.json"));
    // Whatever ran before, each program finds the caches as a plain read of the files leaves them.
    let before = contenders.iter().find(|c| c.name == contenders::names::READ).map(|c| &c.argv);
    let text = serde_json::json!({ "rounds": rounds, "before": before, "programs": programs }).to_string();
    std::fs::write(&plan, text).map_err(|e| format!("{}: {e}", plan.display()))?;
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
        let rounds = program["rounds"].as_array().map(Vec::as_slice).unwrap_or_default();
        let rounds = rounds
            .iter()
            .map(|r| Round { cpu: number(r, "cpu"), wall: number(r, "wall"), rss: number(r, "rss") })
            .collect();
        let selected = selected(program["output"].as_str().unwrap_or_default());
        let failed = program["failed"].as_str().map(str::to_owned);
        timed.push(Timed { contender, selected, rounds, least_rss, failed });
    }
    Ok(timed)
}

/// The sum of what `lrg=` says in the output of a program.
fn selected(output: &str) -> Option<u64> {
    let counts = output.split_whitespace().filter_map(|word| word.strip_prefix("lrg="));
    counts.map(|count| count.parse::<u64>().ok()).reduce(|sum, count| Some(sum? + count?)).flatten()
}

#[cfg(test)]
mod tests {
    #[test]
    fn counts_of_several_lines_add_up() {
        assert_eq!(super::selected("rows=5 lrg=3 bricks=1\nT=0.1\nrows=5 lrg=4"), Some(7));
        assert_eq!(super::selected("bytes=7"), None);
        assert_eq!(super::selected("lrg=3 lrg=many"), None);
    }
}
