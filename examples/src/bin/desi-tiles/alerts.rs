//! Rules by which a run calls for attention, as lines that a webhook can take.

use coaddkit_examples::{Exit, Run, say};
use coaddkit_tasks::Record;
use serde_json::json;

/// More failures than this are not chance.
const MOST_FAILURES: f64 = 0.1;

/// A table is much smaller than the files it came from.
const LEAST_REDUCTION: f64 = 0.9;

/// Judges the pixels that were tried, those of an earlier runner aside. The failures of a run that was stopped are no
/// rate: what stopped it made them.
pub fn judge(records: &[Record], stopped: bool, (low, high): (f64, f64), run: &mut Run) -> Exit {
    let tried: Vec<&Record> = records.iter().filter(|record| record.word != "imported").collect();
    let sum = |name: &str| tried.iter().filter_map(|r| r.metrics.get(name)).sum::<f64>();
    let (fits, parquet) = (sum("fits_bytes"), sum("parquet_bytes"));
    let count = |good: &dyn Fn(&&&Record) -> bool| tried.iter().filter(good).count() as f64;
    let settled = count(&|r| r.state.is_settled());
    let failed = tried.len() as f64 - settled;
    let mut exit = Exit::Complete;
    if !stopped && failed > MOST_FAILURES * tried.len() as f64 {
        let rate = failed / tried.len() as f64;
        alert(run, "failure_rate", rate, &format!("at most {MOST_FAILURES}"));
        exit = Exit::BadData;
    }
    if fits > 0.0 && 1.0 - parquet / fits < LEAST_REDUCTION {
        alert(run, "reduction", 1.0 - parquet / fits, &format!("at least {LEAST_REDUCTION}"));
    }
    let zero = count(&|r| r.word == "no_rows") / settled.max(1.0);
    if settled > 0.0 && !(low..=high).contains(&zero) {
        alert(run, "zero_share", zero, &format!("{low} to {high}"));
    }
    exit
}

/// One line of JSON on stderr and in the report; `text` is what chats show of it.
pub fn alert(run: &mut Run, rule: &str, value: f64, expected: &str) {
    let text = format!("desi-tiles: {rule} is {value:.4}, expected {expected}");
    let line = json!({"alert": rule, "value": value, "expected": expected, "text": text}).to_string();
    say!("{line}");
    run.alerts.push(line);
}
