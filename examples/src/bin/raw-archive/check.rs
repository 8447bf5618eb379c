//! `raw-archive check`: every HDU of every file opened and decoded, by as many at once as there are threads.

use crate::files::{Found, RawFile, find};
use crate::inspect::{Flaw, inspect};
use crate::instrument::Instrument;
use crate::list::Raw;
use crate::quarantine::{self, Quarantine, Taken};
use crate::runs::Runs;
use crate::{known, lock};
use clap::Args as ClapArgs;
use coaddkit_examples::{Bar, Common, Depth, Exit, Failed, Refused, Run, Stop, Table, print, say};
use coaddkit_fits::Level;
use coaddkit_tasks::{Done, Error, ErrorKind, Input, Job, Plan, Progress, Record, RunKey, Runner, Summary};
use serde::Serialize;
use serde_json::json;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

#[derive(ClapArgs)]
pub struct Args {
    /// The folder of the raw files; folders in it are looked into
    dir: PathBuf,
    /// Move corrupt files to DIR/corrupt_raws, DIR being the folder that is checked unless given here
    #[arg(long, value_name = "DIR", num_args = 0..=1)]
    quarantine: Option<Option<PathBuf>>,
    /// The camera: decam, none, or a description in TOML
    #[arg(long, value_name = "NAME|FILE", default_value = "decam")]
    instrument: String,
    /// How thoroughly to look; each level includes those before it
    #[arg(long, value_enum, default_value_t = Depth::Pixels, value_name = "LEVEL")]
    level: Depth,
    /// The list that the files were fetched by: those that are not there are told
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// Start nothing if a file of the list is not there
    #[arg(long, requires = "list")]
    strict: bool,
    /// Where the account of the check is, by which it goes on: DIR/_check unless given
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// Where the account of the checks of a folder is.
pub fn account(dir: &Path, out: Option<&Path>) -> PathBuf {
    out.map_or_else(|| dir.join("_check"), Path::to_owned)
}

/// What decides what is found, beside the instrument.
#[derive(Serialize)]
struct Config {
    level: &'static str,
}

/// What is found of each file.
struct Check<'a> {
    dir: &'a Path,
    level: Level,
    instrument: Option<&'a Instrument>,
    /// Units that an earlier check found whole.
    whole: HashSet<String>,
    /// By the name of the file, of this run.
    flaws: Mutex<BTreeMap<String, Vec<Flaw>>>,
    warnings: Mutex<BTreeMap<String, Vec<String>>>,
    /// Ends the check at a signal.
    stop: Arc<Stop>,
}

impl Job for Check<'_> {
    type Unit = RawFile;
    type Partial = ();

    fn inputs(&self, unit: &RawFile) -> Vec<Input> {
        vec![Input::new("raw", self.dir.join(&unit.name).display().to_string())]
    }

    fn run(&self, unit: &RawFile) -> Result<Done<()>, Error> {
        if self.whole.contains(&unit.to_string()) {
            return Ok(Done::new(()));
        }
        let path = self.dir.join(&unit.name);
        if unit.stamp.is_none() {
            return Err(Error::new(
                ErrorKind::Missing,
                path.display(),
                "it is on the list and not in the folder",
            ));
        }
        let found = inspect(&path, self.level, self.instrument).map_err(|e| match e.kind() {
            coaddkit_fits::ErrorKind::Io(io) => Error::io(&path, io),
            other => Error::new(ErrorKind::Data, path.display(), other),
        })?;
        let warnings = found.warnings.len();
        if warnings > 0 {
            lock(&self.warnings).insert(unit.name.clone(), found.warnings);
        }
        let Some(first) = found.flaws.first().cloned() else {
            return Ok(Done::new(()).metric("warnings", warnings as f64));
        };
        lock(&self.flaws).insert(unit.name.clone(), found.flaws);
        Err(Error::new(ErrorKind::Data, first.place(), first.what))
    }

    fn may_begin(&self, _: &RawFile) -> Result<(), Error> {
        self.stop.goes_on()
    }
}

/// The bar, as the ledger moves it.
struct Hears {
    bar: Bar,
    sizes: BTreeMap<String, u64>,
}

impl Progress for Hears {
    fn ended(&self, record: &Record) {
        let name = RawFile::name_of(&record.unit);
        let failed = record.reason.as_ref().map(|reason| format!("{name}: {reason}"));
        self.bar.file_done(self.sizes.get(name).copied().unwrap_or(0), failed.as_deref());
    }
}

pub fn run(args: &Args) -> Exit {
    let mut run = Run::start("raw-archive check");
    match go(args, &mut run) {
        Ok(exit) => run.end(&args.common, exit),
        Err((exit, reason)) => run.refuse(&args.common, exit, &reason),
    }
}

fn go(args: &Args, run: &mut Run) -> Result<Exit, Refused> {
    let instrument = Instrument::choose(&args.instrument)?;
    let listed = args.list.as_deref().map(crate::list::read).transpose()?;
    let found =
        find(&args.dir).map_err(|e| (Exit::of_reader(e.kind()), format!("{}: {e}", args.dir.display())))?;
    let root = account(&args.dir, args.out.as_deref());
    let kept = match &args.quarantine {
        Some(given) => quarantine_dir(&args.dir, given.as_deref()),
        None => Runs::quarantine(&root)?.unwrap_or_else(|| quarantine_dir(&args.dir, None)),
    };
    let (units, mut exit) = units(&args.dir, found, listed.as_deref(), &kept, run)?;
    let tasks = |e: Error| (Exit::of_code(e.kind().exit_code()), e.to_string());

    let config = Config { level: Level::from(args.level).name() };
    let camera = instrument.as_ref().map_or_else(|| "none".to_owned(), Instrument::identity);
    let key = RunKey::new().code(env!("CARGO_PKG_VERSION")).input("instrument", camera);
    let key = key.config(&config).map_err(tasks)?;
    let sizes: BTreeMap<String, u64> =
        units.iter().filter_map(|file| Some((file.name.clone(), file.stamp?.size))).collect();
    let plan = Plan::new(units, key.clone()).map_err(tasks)?;
    let remembered = args.quarantine.as_ref().map(|_| kept.as_path());
    let runs = Runs::enter(&root, &key, plan.key(), args.common.force, remembered)?;
    let stop = Arc::new(Stop::default());
    stop.listen(None);

    let threads = args.common.workers();
    // Tiles are decoded on the pool of the process; files by threads beside it, which wait for it.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    pool.map_err(|e| (Exit::Transient, e.to_string()))?;
    let check = Check {
        dir: &args.dir,
        level: args.level.into(),
        instrument: instrument.as_ref(),
        whole: runs.whole(),
        flaws: Mutex::default(),
        warnings: Mutex::default(),
        stop,
    };
    let bytes = sizes.values().sum();
    let hears = Hears { bar: Bar::new(plan.units().len() as u64, bytes, args.common.quiet), sizes };
    let runner = Runner::new(runs.folder()).threads(threads).strict(args.strict);
    let summary = runner.run(&check, &plan, &hears);
    hears.bar.finish();
    let summary = summary.map_err(tasks)?;
    run.bytes = summary.ended.iter().filter_map(|r| hears.sizes.get(RawFile::name_of(&r.unit))).sum();

    exit = exit.worse(Exit::of_code(summary.exit_code()));
    let flaws = check.flaws.into_inner().unwrap_or_else(PoisonError::into_inner);
    let warnings = check.warnings.into_inner().unwrap_or_else(PoisonError::into_inner);
    let moved = match &args.quarantine {
        Some(_) => set_apart(&args.dir, &kept, &corrupt(&summary, &flaws), listed.as_deref(), run)?,
        None => Taken::default(),
    };
    if !moved.failed.is_empty() {
        exit = exit.worse(Exit::Transient);
    }
    let carried = summary.ended.iter().filter(|r| check.whole.contains(&r.unit)).count();
    report(args, run, &kept, &summary, carried, &flaws, &moved);
    run.extra.insert("flaws".to_owned(), json!(flaws));
    run.extra.insert("warnings".to_owned(), json!(warnings));
    if let Some(stopped) = &summary.stopped {
        let what = if stopped.place() == "run" { stopped.what().to_owned() } else { stopped.to_string() };
        say!("raw-archive check: stopped: {what}");
        run.alerts.push(format!("the check ended early: {what}"));
    } else if summary.missing.is_empty() {
        runs.prune().map_err(|e| (Exit::Transient, format!("{}: {e}", runs.folder().display())))?;
    }
    Ok(exit)
}

/// The folder that corrupt files of `dir` go to.
pub fn quarantine_dir(dir: &Path, given: Option<&Path>) -> PathBuf {
    quarantine::folder(given.unwrap_or(dir))
}

/// The files that are there, and those that should be; what could not be looked at is told.
fn units(
    dir: &Path,
    found: Found,
    listed: Option<&[Raw]>,
    kept: &Path,
    run: &mut Run,
) -> Result<(Vec<RawFile>, Exit), Refused> {
    let mut exit = Exit::Complete;
    for (path, error) in &found.failed {
        exit = exit.worse(Exit::of_reader(error.kind()));
        run.failed(path, error.to_string());
        *run.counts.entry("unreadable").or_default() += 1;
    }
    let mut units = found.files;
    let there: HashSet<&str> = units.iter().map(|file| file.name.as_str()).collect();
    let mut missing = Vec::new();
    if let Some(listed) = listed {
        let apart: HashSet<String> = quarantine::entries(kept)?.into_iter().map(|e| e.name).collect();
        // A file under two names is there under the first.
        let first = known::first_names(listed);
        for raw in listed.iter().filter(|raw| !there.contains(raw.name.as_str())) {
            if first.get(&raw.name).is_some_and(|first| there.contains(first.as_str())) {
                *run.counts.entry("duplicate").or_default() += 1;
            } else if apart.contains(&raw.name) {
                exit = exit.worse(Exit::BadData);
                *run.counts.entry("quarantined").or_default() += 1;
                run.failed(&kept.join(&raw.name), "it is in quarantine and has not come again".to_owned());
            } else {
                missing.push(RawFile { name: raw.name.clone(), stamp: None });
            }
        }
    }
    units.extend(missing);
    if units.is_empty() && exit == Exit::Complete {
        return Err((Exit::Missing, format!("{}: no .fits.fz, .fits or .fits.gz here", dir.display())));
    }
    Ok((units, exit))
}

/// The corrupt files of a run, with the first flaw of each.
fn corrupt(summary: &Summary, flaws: &BTreeMap<String, Vec<Flaw>>) -> Vec<(String, Flaw)> {
    let bad = summary.failures().filter(|record| record.kind == Some(ErrorKind::Data));
    let flaw = |record: &Record| {
        let known = flaws.get(RawFile::name_of(&record.unit)).and_then(|flaws| flaws.first());
        known.cloned().unwrap_or_else(|| Flaw::parse(record.reason.as_deref().unwrap_or_default()))
    };
    bad.map(|record| (record.unit.clone(), flaw(record))).collect()
}

/// Moves the files of these units to quarantine, unless they have changed since, and lists them.
pub fn set_apart(
    dir: &Path,
    kept: &Path,
    corrupt: &[(String, Flaw)],
    listed: Option<&[Raw]>,
    run: &mut Run,
) -> Result<Taken, Refused> {
    let failed = |e: std::io::Error| (Exit::Transient, format!("{}: {e}", kept.display()));
    let files: Vec<_> = corrupt
        .iter()
        .filter_map(|(unit, flaw)| RawFile::same(dir, unit).map(|file| (file, flaw.clone())))
        .map(|(file, flaw)| (file.name.clone(), dir.join(&file.name), flaw))
        .collect();
    if files.is_empty() && !kept.exists() {
        return Ok(Taken::default());
    }
    let mut quarantine = Quarantine::open(kept.to_owned())?;
    let mut taken = quarantine.adopt().map_err(failed)?;
    let more = quarantine.take(&files).map_err(failed)?;
    taken.moved.extend(more.moved);
    taken.failed.extend(more.failed);
    for (name, error) in &taken.failed {
        run.failed(&dir.join(name), format!("could not be moved to quarantine: {error}"));
    }
    let known = match listed {
        Some(listed) => listed.to_vec(),
        None => known::read(dir)?,
    };
    if !known.is_empty() {
        let again = quarantine.refetch(dir, &known).map_err(failed)?;
        run.extra.insert("refetch".to_owned(), json!({"list": quarantine.refetch_path(), "files": again}));
    }
    Ok(taken)
}

fn report(
    args: &Args,
    run: &mut Run,
    kept: &Path,
    summary: &Summary,
    carried: usize,
    flaws: &BTreeMap<String, Vec<Flaw>>,
    moved: &Taken,
) {
    let mut table = Table::new(["file", "hdu", "byte", "what is wrong"]);
    let apart: HashSet<&str> = moved.moved.iter().map(|e| e.name.as_str()).collect();
    let number = |n: Option<u64>| n.map_or_else(String::new, |n| n.to_string());
    let mut rows = 0_u64;
    let mut row = |name: &str, flaw: &Flaw, more: usize| {
        let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
        table.row([
            name.to_owned(),
            number(flaw.hdu.map(|n| n as u64)),
            number(flaw.offset),
            format!("{}{more}", flaw.what),
        ]);
        rows += 1;
    };
    for missing in &summary.missing {
        let name = RawFile::name_of(&missing.unit);
        row(name, &Flaw::of_file("it is on the list and not in the folder"), 0);
        run.failures.push(Failed {
            item: name.to_owned(),
            path: missing.place.clone(),
            reason: "missing".to_owned(),
            attempts: 0,
        });
    }
    let mut counts = BTreeMap::from([("done", 0), ("corrupt", 0), ("missing_input", 0), ("failed", 0)]);
    for record in summary.failures() {
        let name = RawFile::name_of(&record.unit);
        let reason = record.reason.clone().unwrap_or_default();
        let all = flaws.get(name).map_or(&[][..], Vec::as_slice);
        match all.first() {
            Some(flaw) => row(name, flaw, all.len() - 1),
            None => row(name, &Flaw::of_file(reason.as_str()), 0),
        }
        let word = match record.kind {
            Some(ErrorKind::Data) => "corrupt",
            Some(ErrorKind::Missing) => "missing_input",
            _ => "failed",
        };
        *counts.entry(word).or_default() += 1;
        run.failures.push(Failed {
            item: name.to_owned(),
            path: args.dir.join(name).display().to_string(),
            reason,
            attempts: record.attempt,
        });
    }
    *counts.entry("missing_input").or_default() += summary.missing.len() as u64;
    let done = summary.counts.get("done").copied().unwrap_or(0);
    counts.insert("done", done);
    if args.quarantine.is_some() {
        counts.insert("moved", apart.len() as u64);
    }
    for (word, count) in counts {
        *run.counts.entry(word).or_default() += count;
    }
    if args.common.quiet {
        return;
    }
    let mut text = format!("{} of {} to do\n", summary.to_do - carried, summary.units);
    if rows > 0 {
        text.push_str(&format!("{table}\n"));
    }
    text.push_str(&format!(
        "  {} of {} files are whole\n",
        Table::number(done),
        Table::number(summary.units as u64)
    ));
    for (count, what) in [
        ("quarantined", "of the list are in quarantine and have not come again (refetch.csv names them)"),
        ("unreadable", "could not be looked at"),
    ] {
        if let Some(&n) = run.counts.get(count).filter(|n| **n > 0) {
            text.push_str(&format!("  {} {what}\n", Table::number(n)));
        }
    }
    if args.quarantine.is_some() {
        text.push_str(&format!("  {} moved to {}\n", Table::number(apart.len() as u64), kept.display()));
    }
    print(&text);
}
