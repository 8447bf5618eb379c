//! Batches of small units: DESI pixels converted, what the frame around a unit costs, and memory with large inputs.

use std::path::{Path, PathBuf};

use coaddkit_testkit::{DESI_INVENTORY, DesiPixel, Nginx, Portal};

use super::machine::{self, our_version};
use super::record::{self, Page, Target, cpu, rss};
use super::{Contender, Expected, Rounds, Timed, time};
use crate::{files, tools};

const OURS: &str = "coaddkit";
const ASTROPY: &str = "astropy and pyarrow";

/// Bytes of the largest pair of the release.
const LARGEST_MB: u64 = 882;

/// What one part of the record adds to it.
#[derive(Default)]
struct Section {
    rows: String,
    notes: Vec<String>,
    targets: Vec<Target>,
    commands: Vec<String>,
}

/// Where things are.
struct Place {
    dir: PathBuf,
    data: PathBuf,
    quick: bool,
    rounds: usize,
}

/// Makes a part of the record.
type Part = fn(&Place) -> Result<Section, String>;

/// The parts, in the order of the record.
const SECTIONS: [Part; 3] = [conversion, largest, overhead];

pub fn run(quick: bool) -> Result<(), String> {
    let dir = files::target().join("peers");
    let data = dir.join("batches");
    std::fs::create_dir_all(&data).map_err(|e| format!("{}: {e}", data.display()))?;
    let place = Place { data, quick, rounds: if quick { 2 } else { 5 }, dir };
    let before = machine::load();
    let mut page = Page {
        subject: "batches",
        intro: "DESI pixels, a coadd and a redrock file each, from a folder in the page cache to one Parquet table a \
                pixel: quasars without a warning, three arms joined, 3600 to 9800 Å. Generated pixels with the HDUs \
                and the sizes of real ones. All start from an empty output; `--threads 1`, and the libraries of the \
                peers are left to themselves. CPU time is of whole processes, interpreters and all."
            .to_owned(),
        machine: [machine::describe(), vec![format!("- Load average before: {before}")]].concat(),
        rows: String::new(),
        notes: Vec::new(),
        measured_on: "by the CPU time of one thread",
        targets: Vec::new(),
        commands: Vec::new(),
    };
    for section in SECTIONS {
        let part = section(&place)?;
        page.rows.push_str(&part.rows);
        page.notes.extend(part.notes);
        page.targets.extend(part.targets);
        page.commands.extend(part.commands);
    }
    page.write(quick, place.rounds, &place.dir)
}

impl Place {
    fn ours(&self) -> Result<PathBuf, String> {
        let mut cargo = tools::cargo();
        cargo.args(["build", "--release", "--quiet", "-p", "coaddkit-examples", "--bin", "desi-tiles"]);
        tools::succeed(&mut cargo)?;
        Ok(files::target().join("release/desi-tiles"))
    }

    /// Writes pixels, unless they are there.
    fn pixels(&self, name: &str, pixels: usize, targets: usize) -> Result<PathBuf, String> {
        let folder = self.data.join(name);
        let inventory = folder.join(DESI_INVENTORY);
        if !inventory.exists() {
            let numbers = [pixels, targets].map(|n| n.to_string());
            let mut generator = tools::own()?;
            generator.arg("desi").arg(&folder).args(["--pixels", &numbers[0], "--targets", &numbers[1]]);
            tools::succeed(&mut generator)?;
        }
        Ok(folder)
    }

    /// A folder for the tables of a contender.
    fn out(&self, name: &str) -> PathBuf {
        self.data.join("out").join(name)
    }

    /// `desi-tiles run` of an inventory.
    fn run(&self, inventory: &Path, source: &str, name: &str, more: &[&str]) -> Result<Contender, String> {
        let mut argv = vec![self.ours()?.display().to_string(), "run".to_owned()];
        let out = self.out(name);
        for (option, value) in [
            ("--inventory", inventory.display().to_string()),
            ("--source", source.to_owned()),
            ("--out", out.display().to_string()),
            ("--threads", "1".to_owned()),
        ] {
            argv.extend([option.to_owned(), value]);
        }
        argv.push("--quiet".to_owned());
        argv.extend(more.iter().map(|word| (*word).to_owned()));
        Ok(Contender { name: OURS.to_owned(), version: our_version(), argv, expected: Expected::Nothing })
    }

    /// A reader in Python.
    fn python(&self, reader: &str, module: &str, folder: &Path, more: &[&str]) -> Result<Contender, String> {
        let python = tools::python(&[module, "pyarrow", "numpy"])?;
        let script = files::root().join("benches/peers/batches.py");
        let said = tools::output(tools::command(&python).arg(&script).arg("versions"))?;
        let of = |name: &str| {
            said.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("").trim().to_owned()
        };
        let argv = [python.display().to_string(), script.display().to_string(), reader.to_owned()];
        let mut argv = argv.to_vec();
        argv.extend(more.iter().map(|word| (*word).to_owned()));
        for path in [&self.out(reader), &folder.join(DESI_INVENTORY), folder] {
            argv.push(path.display().to_string());
        }
        let name = if reader == "astropy" { ASTROPY.to_owned() } else { format!("{reader} and pyarrow") };
        let version = format!("{}, {}", of(module), of("pyarrow"));
        Ok(Contender { name, version, argv, expected: Expected::Another })
    }

    /// Times everybody, each from an empty output.
    fn time(&self, contenders: Vec<Contender>) -> Result<Vec<Timed>, String> {
        let out = self.data.join("out");
        let before = Some(vec!["rm".to_owned(), "-rf".to_owned(), out.display().to_string()]);
        let timed = time(contenders, &Rounds { count: self.rounds, before, mark: "rows=", work: &self.dir })?;
        match timed[0].failed.as_ref() {
            Some(why) => Err(format!("our own run failed: {why}")),
            None => Ok(timed),
        }
    }

    /// Runs two contenders once more and compares all that they wrote, value by value.
    fn compare(&self, contenders: &[&Timed], names: [&str; 2]) -> Result<String, String> {
        let _ = std::fs::remove_dir_all(self.data.join("out"));
        for timed in contenders {
            let argv = &timed.contender.argv;
            tools::output(tools::command(&argv[0]).args(&argv[1..]))?;
        }
        let python = tools::python(&["pyarrow", "numpy"])?;
        let script = files::root().join("benches/peers/batches.py");
        let mut command = tools::command(python);
        command.arg(script).arg("compare").args(names.map(|name| self.out(name)));
        tools::output(&mut command).map(|said| said.trim().to_owned())
    }
}

/// The same pixels by everybody.
fn conversion(place: &Place) -> Result<Section, String> {
    let (pixels, targets) = if place.quick { (5, 100) } else { (20, 400) };
    let folder = place.pixels(&format!("pixels-{pixels}-{targets}"), pixels, targets)?;
    let inventory = folder.join(DESI_INVENTORY);
    let source = folder.display().to_string();
    let mut section = Section::default();
    let bytes: u64 = files::below(&folder)
        .map_err(|e| e.to_string())?
        .iter()
        .filter_map(|path| path.metadata().ok())
        .map(|meta| meta.len())
        .sum();
    section.notes.push(format!("- {pixels} pixels, {:.0} MB of FITS.", bytes as f64 / 1e6));
    for (work, compat) in [("pixels to Parquet", false), ("the same, in the earlier types", true)] {
        let more: &[&str] = if compat { &["--compat"] } else { &[] };
        let mut contenders = vec![place.run(&inventory, &source, "ours", more)?];
        contenders.push(place.python("astropy", "astropy", &folder, more)?);
        match place.python("fitsio", "fitsio", &folder, more) {
            Ok(contender) => contenders.push(contender),
            Err(why) => section.notes.push(format!("- {work}: without fitsio: {why}")),
        }
        section.commands.extend(contenders.iter().map(|c| record::command(c, &folder)));
        let timed = place.time(contenders)?;
        section.rows.push_str(&record::table(work, &timed));
        let astropy = &timed[1];
        if let Some(why) = &astropy.failed {
            return Err(format!("{ASTROPY}: {why}"));
        }
        let equal = place.compare(&[&timed[0], astropy], ["ours", "astropy"])?;
        section.notes.push(format!("- {work}: all values of ours and of {ASTROPY} are equal: {equal}."));
        let what = if compat {
            "conversion in the earlier types: CPU of astropy and pyarrow over ours"
        } else {
            "conversion: CPU of astropy and pyarrow over ours"
        };
        let measured = astropy.ratio(&timed[0], cpu);
        section.targets.push(Target { what, bound: 5.0, at_most: false, measured });
    }
    Ok(section)
}

/// One pixel as large as the largest, in a folder and from an HTTP origin.
fn largest(place: &Place) -> Result<Section, String> {
    let folder = place.data.join("largest");
    let inventory = folder.join(DESI_INVENTORY);
    let failed = |e: std::io::Error| format!("{}: {e}", folder.display());
    if !inventory.exists() {
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let [coadd, redrock] = ["coadd", "redrock"].map(|kind| format!("{kind}-main-dark-10304.fits"));
        // 446 kB a target.
        let made = DesiPixel::new(1, LARGEST_MB as usize * 1_000_000 / 445_600).with_resolution();
        made.write(&folder.join(&coadd), &folder.join(&redrock)).map_err(failed)?;
        let rows = [("coadd", &coadd), ("redrock", &redrock)]
            .map(|(kind, name)| format!("main,dark,10304,{kind},{name},{name}\n"));
        let text = format!("survey,program,pixel,file_type,filename,s3_key\n{}", rows.concat());
        std::fs::write(&inventory, text).map_err(failed)?;
    }
    let size = folder.join("coadd-main-dark-10304.fits").metadata().map_err(failed)?.len();
    let mut section = Section::default();
    section.notes.push(format!("- The largest pixel: a coadd of {:.0} MB.", size as f64 / 1e6));
    let mut most = f64::NAN;
    let nginx = Nginx::start(&folder, &Portal { log: false, ..Portal::default() });
    let near = ("largest pixel, from a folder", Some(folder.display().to_string()));
    let far = ("largest pixel, fetched and verified", nginx.as_ref().map(Nginx::plain));
    for (work, source) in [near, far] {
        let Some(source) = source else {
            section.notes.push(format!("- skipped {work}: nginx is not installed"));
            continue;
        };
        let mut contenders = vec![place.run(&inventory, &source, "ours", &[])?];
        if source.starts_with('/') {
            contenders.push(place.python("astropy", "astropy", &folder, &[])?);
        }
        let timed = place.time(contenders)?;
        section.rows.push_str(&record::table(work, &timed));
        most = most.max(timed[0].median(rss));
    }
    section.targets.push(Target {
        what: "peak RSS with the largest pixel, MB",
        bound: 600.0,
        at_most: true,
        measured: most / 1e6,
    });
    Ok(section)
}

/// A hundred thousand units that do nothing.
fn overhead(place: &Place) -> Result<Section, String> {
    let mut cargo = tools::cargo();
    cargo.args(["build", "--release", "--quiet", "-p", "coaddkit-tasks", "--example", "overhead"]);
    tools::succeed(&mut cargo)?;
    let program = files::target().join("release/examples/overhead").display().to_string();
    let contender = Contender {
        name: "coaddkit-tasks".to_owned(),
        version: our_version(),
        argv: vec![program.clone()],
        expected: Expected::Nothing,
    };
    let timed = place.time(vec![contender])?;
    let said = tools::output(&mut tools::command(&program))?;
    let run =
        said.lines().find_map(|line| line.strip_prefix("run ")?.split_whitespace().next()?.parse().ok());
    let mut section =
        Section { rows: record::table("100,000 units that do nothing", &timed), ..Section::default() };
    section.notes.extend(said.lines().map(|line| format!("- The frame: {}", line.trim())));
    section.commands.push("cargo run --release -p coaddkit-tasks --example overhead".to_owned());
    section.targets.push(Target {
        what: "what the frame adds to a unit, by the clock, in µs",
        bound: 100.0,
        at_most: true,
        measured: run.unwrap_or(f64::NAN),
    });
    Ok(section)
}
