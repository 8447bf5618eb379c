//! Many files from an HTTP origin to a folder and to an S3 store, and again when all are there.

use std::collections::HashMap;
use std::path::Path;

use coaddkit_testkit::{Nginx, Portal, Store};

use super::record::{self, Page, Target, cpu, rss, wall};
use super::{Rounds, Timed, machine, time};
use crate::coadds::MANIFEST;
use crate::{files, tools};

mod contenders;

use contenders::{BUDGET_MIB, OURS, Route};

/// A piece of work.
struct Work {
    name: &'static str,
    to_store: bool,
    /// Whether destinations are emptied before each program.
    cold: bool,
    streams: usize,
}

const COLD: usize = 0;
const STORE: usize = 1;
const RERUN: usize = 2;
const WIDE: usize = 4;

const WORKS: [Work; 5] = [
    Work { name: "to a folder", to_store: false, cold: true, streams: 16 },
    Work { name: "to S3", to_store: true, cold: true, streams: 16 },
    Work { name: "all in the folder", to_store: false, cold: false, streams: 16 },
    Work { name: "all in S3", to_store: true, cold: false, streams: 16 },
    Work { name: "160 streams to a folder", to_store: false, cold: true, streams: 160 },
];

pub fn run(quick: bool) -> Result<(), String> {
    let dir = files::target().join("peers");
    std::fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let (bricks, rounds) = if quick { (20, 2) } else { (200, 5) };
    let room = room(&dir, quick)?;
    let tree = room.path().join("tree");
    std::fs::create_dir_all(&tree).map_err(|e| format!("{}: {e}", tree.display()))?;
    let made = tools::output(tools::own()?.arg("coadds").arg(&tree).args(["--large", &bricks.to_string()]))?;
    let (count, bytes) = size(&tree)?;

    let portal = Portal { log: false, ..Portal::default() };
    let nginx = Nginx::start(&tree, &portal).ok_or("nginx is not installed")?;
    let store = Store::s3s_fs();
    let before = machine::load();
    let mut page = Page {
        subject: "transfer",
        intro: format!(
            "{} in {count} FITS files of 64 kB to 4 MB, from one nginx process on the loopback interface to a \
             folder in memory and to s3s-fs. Before each program that starts from nothing, and not timed, the \
             destination is emptied. Ours verifies the structure and the checksums of every file and takes its \
             SHA-256; the others take what comes.",
            made.trim()
        ),
        machine: [machine::describe(), vec![format!("- Load average before: {before}")]].concat(),
        rows: String::new(),
        notes: Vec::new(),
        measured_on: "by the medians above",
        targets: Vec::new(),
        commands: Vec::new(),
    };
    let mut all: Vec<Option<Vec<Timed>>> = Vec::new();
    for work in &WORKS {
        let store = if work.to_store { store.as_ref() } else { None };
        if work.to_store && store.is_none() {
            page.notes.push(format!("- skipped {}: s3s-fs is not installed", work.name));
            all.push(None);
            continue;
        }
        let place = store.and_then(Store::folder).unwrap_or_else(|| room.path().join("out"));
        let route = Route {
            origin: nginx.plain(),
            tree: &tree,
            place: &place,
            store,
            streams: work.streams,
            work: &dir,
        };
        let (timed, absent) = measure(work, &route, rounds)?;
        page.rows.push_str(&record::table(work.name, &timed));
        page.notes.extend(judge(work, &timed, count));
        if all.is_empty() {
            page.notes.extend(absent.iter().map(|who| format!("- absent {who}")));
        }
        if matches!(all.len(), COLD | STORE) {
            page.commands
                .extend(timed.iter().map(|t| anonymous(&record::command(&t.contender, &tree), &route)));
        }
        all.push(Some(timed));
    }
    page.targets = targets(&all, bytes as f64);
    page.write(quick, rounds, &dir)
}

/// Times everybody on one piece of work, and sets each one's answer to the files that it brought unharmed, in its
/// worst round.
fn measure(work: &Work, route: &Route<'_>, rounds: usize) -> Result<(Vec<Timed>, Vec<String>), String> {
    let (contenders, absent) = route.contenders()?;
    let python = tools::python(&["json"])?;
    let log = route.work.join("transfer-check.jsonl");
    std::fs::create_dir_all(route.place).map_err(|e| format!("{}: {e}", route.place.display()))?;
    std::fs::write(&log, "").map_err(|e| format!("{}: {e}", log.display()))?;
    let script = files::root().join("benches/peers/transfer.py");
    let paths = [&log, &route.tree.join(MANIFEST), &route.tree.to_owned(), &route.place.to_owned()];
    let mut clerk = vec![python.display().to_string(), script.display().to_string(), "check".to_owned()];
    clerk.extend(paths.map(|path| path.display().to_string()));
    clerk.push("--empty".to_owned());
    let clear = |clerk: &[String]| tools::output(tools::command(&clerk[0]).args(&clerk[1..]));
    clear(&clerk)?;
    std::fs::write(&log, "").map_err(|e| format!("{}: {e}", log.display()))?;

    // Whoever comes looks first at what the one before has left, and then empties the place. Where things are to
    // be there already, the round that warms up brings them.
    let before = work.cold.then(|| clerk.clone());
    let mut timed = time(contenders, &Rounds { count: rounds, before, mark: "\0", work: route.work })?;
    clear(&clerk)?;
    let text = std::fs::read_to_string(&log).map_err(|e| format!("{}: {e}", log.display()))?;
    let mut worst: HashMap<String, u64> = HashMap::new();
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).map_err(|e| format!("{line}: {e}"))?;
        let number = |key: &str| line[key].as_u64().unwrap_or(0);
        let good = number("found") - number("wrong").min(number("found"));
        let name = line["name"].as_str().unwrap_or_default().to_owned();
        worst.entry(name).and_modify(|w| *w = good.min(*w)).or_insert(good);
    }
    for one in &mut timed {
        one.answer = worst.get(&one.contender.name).copied();
    }
    Ok((timed, absent))
}

/// What each brought.
fn judge(work: &Work, timed: &[Timed], count: usize) -> Vec<String> {
    let ours = timed.iter().any(|t| t.contender.name == OURS);
    let mut notes = Vec::new();
    let short: Vec<String> = timed
        .iter()
        .filter(|t| t.failed.is_none() && t.answer != Some(count as u64))
        .map(|t| format!("{} has {} of {count}", t.contender.name, t.answer.unwrap_or(0)))
        .collect();
    let found = if short.is_empty() { "all bring every byte".to_owned() } else { short.join(", ") };
    notes.push(format!("- {}: {found}.", work.name));
    if !ours {
        notes.push(format!("- {}: without ours; ratios are to the first row.", work.name));
    }
    notes
}

fn targets(all: &[Option<Vec<Timed>>], bytes: f64) -> Vec<Target> {
    let ours = |work: usize| {
        let timed = all.get(work)?.as_ref()?;
        timed.iter().find(|t| t.contender.name == OURS && t.failed.is_none())
    };
    // Ours over the quickest of the others, by the clock.
    let against = |work: usize| {
        let others = all.get(work).and_then(Option::as_ref).into_iter().flatten();
        let others = others.filter(|t| t.contender.name != OURS && t.failed.is_none());
        let quickest = others.min_by(|a, b| a.median(wall).total_cmp(&b.median(wall)));
        ours(work).zip(quickest).map_or(f64::NAN, |(ours, quickest)| ours.ratio(quickest, wall))
    };
    let gigabytes = bytes / 1e9;
    let of = |work: usize, what: fn(&super::Round) -> f64| ours(work).map_or(f64::NAN, |t| t.median(what));
    vec![
        Target {
            what: "MB/s to a folder, of the quickest peer",
            bound: 1.0,
            at_most: false,
            measured: 1.0 / against(COLD),
        },
        Target {
            what: "CPU seconds a GB to S3",
            bound: 1.0,
            at_most: true,
            measured: of(STORE, cpu) / gigabytes,
        },
        Target {
            what: "time when all is there, of the quickest peer",
            bound: 0.5,
            at_most: true,
            measured: against(RERUN),
        },
        Target {
            what: "peak RSS at 160 streams, MB (the budget and 50)",
            bound: BUDGET_MIB as f64 * 1.048_576 + 50.0,
            at_most: true,
            measured: of(WIDE, rss) / 1e6,
        },
    ]
}

/// Files and bytes of a tree.
fn size(tree: &Path) -> Result<(usize, u64), String> {
    let path = tree.join(MANIFEST);
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let sizes: Vec<u64> = text.lines().filter_map(|line| line.split_once('\t')?.1.parse().ok()).collect();
    Ok((sizes.len(), sizes.iter().sum()))
}

/// A command without the names of this run's ports and folders.
fn anonymous(command: &str, route: &Route<'_>) -> String {
    let mut out = command.replace(&route.origin, "http://ORIGIN");
    if let Some(store) = route.store {
        out = out.replace(&store.endpoint(), "http://STORE");
    }
    out.replace(&route.place.display().to_string(), "OUT")
}

/// A place for the tree and the destinations: in memory if it has room.
fn room(dir: &Path, quick: bool) -> Result<tempfile::TempDir, String> {
    // The tree, a destination, and a margin.
    let need = if quick { 2 } else { 8 } * 1_000_000_000_u64;
    let df =
        tools::output(tools::command("df").args(["--output=avail", "-B1", "/dev/shm"])).unwrap_or_default();
    let free = df.split_whitespace().last().and_then(|n| n.parse().ok()).unwrap_or(0_u64);
    let mut builder = tempfile::Builder::new();
    builder.prefix("coaddkit-peers-");
    let made = if free > need { builder.tempdir_in("/dev/shm") } else { builder.tempdir_in(dir) };
    made.map_err(|e| format!("a place for the tree: {e}"))
}
