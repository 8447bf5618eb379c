//! What shards cost: a process each, an account each, and one merge of all of them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use coaddkit_testkit::Store;

use super::machine::{self, our_version};
use super::record::{self, Page, Target, cpu, wall};
use super::tables::links;
use super::{Contender, Expected, Rounds, Timed, program, time};
use crate::{files, tools};

/// Sweeps of a whole release.
const SWEEPS: usize = 1436;

/// Shards whose accounts are merged.
const MERGED: [usize; 4] = [1, 10, 100, 1000];

pub fn run(quick: bool) -> Result<(), String> {
    let dir = files::target().join("peers");
    let data = dir.join("scale");
    std::fs::create_dir_all(&data).map_err(|e| format!("{}: {e}", data.display()))?;
    let mut cargo = tools::cargo();
    cargo.args(["build", "--release", "--quiet", "-p", "coaddkit-examples", "--bin", "lrg-density"]);
    tools::succeed(&mut cargo)?;
    let rounds = if quick { 2 } else { 5 };
    let before = machine::load();
    let mut rows = String::new();
    let mut notes = Vec::new();

    let large = large(&dir.join("data"), &data, if quick { 4 } else { 16 })?;
    let timed = measure(shards(&large, &data), rounds, &dir)?;
    rows.push_str(&record::table(&large.name, &timed));
    let [one, eight, two] = [0, 4, 5].map(|k| &timed[k]);
    let per_shard = (eight.median(cpu) - one.median(cpu)) / 8.0;
    notes.push(format!(
        "- {}: a shard costs {:.1} ms of CPU beside its work, merge included.",
        large.name,
        per_shard * 1e3
    ));
    let speed_up = one.ratio(two, wall);
    notes.push(format!(
        "- Two shards at once on two cores: {speed_up:.2} times as fast as one, by the clock."
    ));
    let mut commands = commands(&timed, &data);
    let overhead = eight.ratio(one, cpu);

    let many = many(&data)?;
    let mut merges = Vec::new();
    for shards in MERGED {
        let parts = prepared(&many, &data, shards, None)?;
        merges.push(merge(&parts, &format!("{shards} shards"), None));
    }
    let store = Store::seaweedfs().ok_or("there is no S3 server")?;
    prepared(&many, &data, 100, Some(&store))?;
    merges.push(merge(Path::new("s3://cache/parts-100"), "100 shards in S3", Some(&store)));
    let timed = measure(merges, rounds, &dir)?;
    rows.push_str(&record::table(&format!("merge of {SWEEPS} sweeps"), &timed));
    commands.extend(self::commands(&timed[..1], &data));
    let page = Page {
        subject: "scale",
        intro: format!(
            "`lrg-density count` in one process of one thread and in shards, one after the other unless said, each with \
             its merge; sweeps of a million rows in the page cache. Then the merge alone, of a release of {SWEEPS} small \
             sweeps that were counted in 1 to 1,000 shards. CPU time is of all processes. Every way gives the same bytes."
        ),
        machine: [machine::describe(), vec![format!("- Load average before: {before}")]].concat(),
        rows,
        notes,
        measured_on: "by the CPU time of one thread",
        targets: vec![
            Target {
                what: "CPU of 8 shards and their merge, of one process",
                bound: 1.1,
                at_most: true,
                measured: overhead,
            },
            Target {
                what: "merge of 1,000 shards, s by the clock",
                bound: 10.0,
                at_most: true,
                measured: timed[3].median(wall),
            },
        ],
        commands,
    };
    page.write(quick, rounds, &dir)
}

/// A list of sweeps.
struct Work {
    name: String,
    list: PathBuf,
}

fn list(data: &Path, name: String, file: &str, paths: &[PathBuf]) -> Result<Work, String> {
    let list = data.join(file);
    let text: String = paths.iter().fold(String::new(), |mut text, path| {
        let _ = writeln!(text, "{}", path.display());
        text
    });
    std::fs::write(&list, text).map_err(|e| format!("{}: {e}", list.display()))?;
    Ok(Work { name, list })
}

/// Sweeps of a million rows.
fn large(tables: &Path, data: &Path, count: usize) -> Result<Work, String> {
    std::fs::create_dir_all(tables).map_err(|e| e.to_string())?;
    let work = super::tables::work(tables, 1_000_000, 0, 505, count)?;
    list(data, work.name, "large.txt", &work.paths)
}

/// As many small ones as a release has files.
fn many(data: &Path) -> Result<Work, String> {
    let first = data.join("small.fits");
    std::fs::copy(files::root().join("fixtures/sweep-000m005-005p000.fits"), &first)
        .map_err(|e| e.to_string())?;
    list(data, "many".to_owned(), "many.txt", &links(&first, SWEEPS)?)
}

fn contender(name: &str, script: String, store: Option<&Store>) -> Contender {
    let mut argv = vec!["env".to_owned()];
    argv.extend(
        store.iter().flat_map(|store| store.environment()).map(|(key, value)| format!("{key}={value}")),
    );
    argv.extend(["sh".to_owned(), "-ec".to_owned(), script]);
    Contender { name: name.to_owned(), version: our_version(), argv, expected: Expected::Agreed }
}

/// One process, and shards of it.
fn shards(work: &Work, data: &Path) -> Vec<Contender> {
    let (ours, list, out) = (program("lrg-density"), work.list.display(), data.join("out"));
    let (ours, out) = (ours.display(), out.display());
    let count = format!("{ours} count --list {list} --deredden --threads 1 --quiet");
    let told = format!("echo bytes=$(cksum < {out}.csv | cut -d' ' -f1)");
    let mut all = vec![contender("one process", format!("{count} --out {out}.csv; {told}"), None)];
    for (n, at_once) in [(1, 1), (2, 1), (4, 1), (8, 1), (2, 2), (8, 2)] {
        let name =
            if at_once == 1 { format!("{n} shards") } else { format!("{n} shards, {at_once} at once") };
        let script = format!(
            "rm -rf {out}; seq 0 {} | xargs -P {at_once} -I @ {count} --shards {n} --shard @ --out {out}; \
             {ours} merge {out} --out {out}.csv --quiet; {told}",
            n - 1,
        );
        all.push(contender(&name, script, None));
    }
    all
}

/// A run that is merged later.
fn prepared(work: &Work, data: &Path, shards: usize, store: Option<&Store>) -> Result<PathBuf, String> {
    let parts = data.join(format!("parts-{shards}"));
    let out = store.map_or_else(|| parts.display().to_string(), |_| format!("s3://cache/parts-{shards}"));
    if store.is_none() {
        let _ = std::fs::remove_dir_all(&parts);
    }
    for shard in 0..shards {
        let mut count = tools::command(program("lrg-density"));
        count.args(["count", "--deredden", "--threads", "1", "--quiet", "--list"]).arg(&work.list);
        count.args(["--shards", &shards.to_string(), "--shard", &shard.to_string(), "--out", &out]);
        count.envs(store.iter().flat_map(|store| store.environment()));
        tools::succeed(&mut count)?;
    }
    Ok(parts)
}

fn merge(parts: &Path, name: &str, store: Option<&Store>) -> Contender {
    let (ours, out) = (program("lrg-density"), std::env::temp_dir().join("merged.csv"));
    let (ours, out, parts) = (ours.display(), out.display(), parts.display());
    let script =
        format!("{ours} merge {parts} --out {out} --quiet; echo bytes=$(cksum < {out} | cut -d' ' -f1)");
    contender(name, script, store)
}

fn measure(contenders: Vec<Contender>, rounds: usize, work: &Path) -> Result<Vec<Timed>, String> {
    let timed = time(contenders, &Rounds { count: rounds, before: None, mark: "bytes=", work })?;
    if let Some(why) = timed.iter().find_map(|one| one.failed.as_ref()) {
        return Err(why.clone());
    }
    record::agreement(&timed, "bytes")?;
    Ok(timed)
}

fn commands(timed: &[Timed], data: &Path) -> Vec<String> {
    timed.iter().map(|one| record::command(&one.contender, data)).collect()
}
