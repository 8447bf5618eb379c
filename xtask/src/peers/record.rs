//! Medians, ratios and the Markdown of a record.

use std::fmt::Write as _;
use std::path::Path;

use super::{Contender, Expected, Round, Timed, machine};
use crate::files;

/// The median over the rounds of one quantity.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => 0.5 * (values[n / 2 - 1] + values[n / 2]),
    }
}

impl Timed {
    pub fn median(&self, of: fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(of))
    }

    /// The median of the ratios round by round: what disturbs the machine disturbs both sides of a ratio.
    pub fn ratio(&self, to: &Self, of: fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().zip(&to.rounds).map(|(a, b)| of(a) / of(b)))
    }
}

pub fn cpu(round: &Round) -> f64 {
    round.cpu
}

pub fn wall(round: &Round) -> f64 {
    round.wall
}

pub fn rss(round: &Round) -> f64 {
    round.rss
}

/// The rows of one piece of work; the first contender is ours.
pub fn table(work: &str, timed: &[Timed]) -> String {
    let mut out = String::new();
    let ours = &timed[0];
    for one in timed {
        let Contender { name, version, .. } = &one.contender;
        if let Some(why) = &one.failed {
            let why = why.replace(['\n', '|'], " ");
            let _ = writeln!(out, "| {work} | {name} | {version} | failed: {why} | | | |");
            continue;
        }
        let _ = writeln!(
            out,
            "| {work} | {name} | {version} | {:.3} | {:.2} | {:.3} | {}{:.1} |",
            one.median(cpu),
            one.ratio(ours, cpu),
            one.median(wall),
            if one.median(rss) <= one.least_rss { "<= " } else { "" },
            one.median(rss) / 1e6,
        );
    }
    out
}

/// What each contender found, and whether the run may stand. The first contender is ours.
pub fn agreement(timed: &[Timed], what: &str) -> Result<Vec<String>, String> {
    let agreed = timed[0].answer.ok_or("our own run has no answer")?;
    let mut notes = vec![format!("All find {agreed} {what}, except where said.")];
    for one in timed.iter().filter(|t| t.failed.is_none()) {
        let name = &one.contender.name;
        let count = one.answer;
        match (one.contender.expected, count) {
            (Expected::Nothing, _) => {}
            (Expected::Agreed, Some(count)) if count == agreed => {}
            (Expected::Another, Some(count)) if count > 0 => notes.push(format!("{name} finds {count}.")),
            (Expected::Near(why), Some(count)) if count.abs_diff(agreed) * 100 <= agreed => {
                notes.push(format!("{name} finds {count}: {why}."));
            }
            _ => return Err(format!("{name} finds {count:?}, we find {agreed}")),
        }
    }
    Ok(notes)
}

/// A target and what was measured: `met` or `not met`.
pub struct Target {
    pub what: &'static str,
    pub bound: f64,
    pub at_most: bool,
    pub measured: f64,
}

pub fn targets(targets: &[Target]) -> String {
    let mut out = String::from("| target | bound | measured | |\n|---|---|---|---|\n");
    for Target { what, bound, at_most, measured } in targets {
        let met = if *at_most { measured <= bound } else { measured >= bound };
        let (sign, word) = (if *at_most { "<=" } else { ">=" }, if met { "met" } else { "not met" });
        // What could not be measured here is not met, and not missed either.
        let word = if measured.is_nan() { "not measured" } else { word };
        let _ = writeln!(out, "| {what} | {sign} {bound} | {measured:.3} | {word} |");
    }
    out
}

/// The command line without what differs between machines: folders, and the names of the files in `data`.
pub fn command(contender: &Contender, data: &Path) -> String {
    let root = format!("{}/", files::root().display());
    let target = format!("{}/", files::target().display());
    let data = data.display().to_string();
    let mut words: Vec<String> = Vec::new();
    for (k, word) in contender.argv.iter().enumerate() {
        let is_data = word.starts_with(&data);
        let word = word.replace(&target, "target/").replace(&root, "");
        let word = if k == 0 && word.contains("python") { "python".to_owned() } else { word };
        let word = if is_data { "FILE...".to_owned() } else { word };
        let word = if word.contains([' ', '$']) { format!("'{word}'") } else { word };
        if words.last() != Some(&word) {
            words.push(word);
        }
    }
    let near = if matches!(contender.expected, Expected::Near(_)) { "   # another count" } else { "" };
    format!("{}{near}", words.join(" "))
}

/// The record of one subject.
pub struct Page {
    /// The name of the subject, in the title and in the name of the file.
    pub subject: &'static str,
    /// What was done, in a sentence or two.
    pub intro: String,
    /// Lines about the machine, taken before the rounds.
    pub machine: Vec<String>,
    /// Rows made by [`table`].
    pub rows: String,
    pub notes: Vec<String>,
    /// What the targets are measured on, after the word "Targets".
    pub measured_on: &'static str,
    pub targets: Vec<Target>,
    pub commands: Vec<String>,
}

impl Page {
    /// Writes the page to `benches/record`, or, after a quick run, to `work`.
    pub fn write(&self, quick: bool, rounds: usize, work: &Path) -> Result<(), String> {
        let date = machine::date()?;
        let mut title = self.subject.to_owned();
        title[..1].make_ascii_uppercase();
        let kind = if quick { " (quick)" } else { "" };
        let mut page = format!("# {title}, {date}{kind}\n\n{}\n", self.intro);
        page.push_str(&format!("Programs in turn, one round to warm up, medians of {rounds} rounds; "));
        page.push_str("a ratio is the median of the ratios round by round.\n\n");
        page.push_str(&format!("{}\n\n", self.machine.join("\n")));
        page.push_str("| work | tool | version | CPU s | CPU, ratio to ours | wall s | peak RSS MB |\n");
        page.push_str(&format!("|---|---|---|---|---|---|---|\n{}\n{}\n", self.rows, self.notes.join("\n")));
        page.push_str(&format!("\n## Targets, {}\n\n{}", self.measured_on, targets(&self.targets)));
        page.push_str(&format!("\n## Commands\n\n```text\n{}\n```\n", self.commands.join("\n")));
        let out = if quick {
            work.join(format!("quick-{}.md", self.subject))
        } else {
            files::root().join("benches/record").join(format!("{date}-{}.md", self.subject))
        };
        std::fs::create_dir_all(out.parent().unwrap_or(work)).map_err(|e| e.to_string())?;
        std::fs::write(&out, &page).map_err(|e| format!("{}: {e}", out.display()))?;
        println!("{page}\nwritten to {}", out.display());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timed(name: &str, expected: Expected, answer: Option<u64>, cpu: &[f64]) -> Timed {
        let contender = Contender { name: name.into(), version: String::new(), argv: vec![], expected };
        let rounds = cpu.iter().map(|&cpu| Round { cpu, wall: cpu, rss: 1e6 }).collect();
        Timed { contender, answer, rounds, least_rss: 0.0, failed: None }
    }

    #[test]
    fn ratios_are_paired_by_round() {
        // The second round was disturbed: every pair has the ratio 2, whatever the medians say.
        let ours = timed("ours", Expected::Agreed, Some(1), &[1.0, 9.0, 3.0]);
        let theirs = timed("theirs", Expected::Agreed, Some(1), &[2.0, 18.0, 6.0]);
        assert_eq!(theirs.ratio(&ours, cpu).to_bits(), 2.0_f64.to_bits());
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]).to_bits(), 2.5_f64.to_bits());
        assert!(median([]).is_nan());
    }

    #[test]
    fn counts_must_agree() {
        let ours = || timed("ours", Expected::Agreed, Some(1000), &[1.0]);
        let with =
            |expected, count| agreement(&[ours(), timed("other", expected, count, &[1.0])], "galaxies");
        assert!(with(Expected::Agreed, Some(1000)).is_ok());
        assert!(with(Expected::Agreed, Some(1001)).is_err());
        assert!(with(Expected::Agreed, None).is_err());
        assert!(with(Expected::Near("reason"), Some(1009)).is_ok_and(|notes| notes.len() == 2));
        assert!(with(Expected::Near("reason"), Some(1011)).is_err());
        assert!(with(Expected::Another, Some(0)).is_err());
        assert!(with(Expected::Nothing, None).is_ok());
    }

    #[test]
    fn targets_say_met_or_not() {
        let at = |bound, at_most, measured| targets(&[Target { what: "x", bound, at_most, measured }]);
        assert!(at(1.0, true, 0.9).contains("| met |"));
        assert!(at(1.0, true, 1.1).contains("| not met |"));
        assert!(at(1.7, false, 1.6).contains("| not met |"));
        assert!(at(1.0, true, f64::NAN).contains("| not measured |"));
    }
}
