//! Compressed images: decoding them whole and in small pieces, and the headers and sums of many small files.

use std::path::{Path, PathBuf};

use super::contenders::{self, names};
use super::machine::{self, version};
use super::record::{self, Page, Target, cpu, rss, wall};
use super::{Contender, Expected, Rounds, Timed, time};
use crate::{files, tools};

/// Pixels along a side of the images.
const SIDE: usize = 3600;

/// Every so many pixels enter the digest of a timed run, so that it costs nothing; a prime, so that it meets all columns.
const STEP: &str = "1009";

/// Images as a survey compresses them, by their file and in words.
const IMAGES: [(&str, &str); 9] = [
    ("image_ls", "RICE, dither 2"),
    ("mask_hc", "HCOMPRESS"),
    ("mask_gzip1", "GZIP_1"),
    ("mask_plio", "PLIO"),
    ("mask_gzip2", "GZIP_2"),
    ("mask_rice", "RICE, integers"),
    ("nan_ls", "RICE, dither 2, with NaN"),
    ("image_row", "RICE, dither 2, rows (fpack)"),
    ("invvar_ls", "RICE and GZIP of floats"),
];

/// As many of them in a quick run.
const QUICK: usize = 4;

const FUNPACK: &str = "funpack to /dev/null";
const VERIFY: &str = "coaddkit, verify";

pub fn run(quick: bool) -> Result<(), String> {
    let dir = files::target().join("peers");
    let (images, stamps) = match data(&dir.join("data")) {
        Ok(made) => made,
        Err(why) => {
            println!("images: skipped: {why}");
            return Ok(());
        }
    };
    let rounds = if quick { 3 } else { 5 };
    let stamps = &stamps[..stamps.len().min(if quick { 500 } else { 3500 })];
    let built = Built::new(&dir)?;
    let load = machine::load();
    let mut page = Pieces { rounds, dir: &dir, rows: String::new(), notes: Vec::new(), commands: Vec::new() };
    let compared = built.compare(&images, &page)?;
    page.notes.push(compared);

    let mut targets = Vec::new();
    for (file, words) in &IMAGES[..if quick { QUICK } else { IMAGES.len() }] {
        let timed = page.time(words, built.decoders(&images, file), "as the digest of the pixels")?;
        targets.extend(decode_targets(file, &timed));
    }
    let timed =
        page.time("2000 cutouts of 64 x 64", built.cutters(&images), "as the digest of the cutouts")?;
    targets.push(at_most("CPU of cutouts, of CFITSIO", 0.35, over(&timed, names::CFITSIO)));
    let what = format!("headers and sums of {} files", stamps.len());
    let timed = page.time(&what, built.summers(stamps), "HDUs whose sums are right")?;
    targets.push(at_most("CPU of headers and sums, of CFITSIO", 0.3, over(&timed, names::CFITSIO)));
    page.notes.extend(built.entropy(&images));

    let machine =
        [machine::describe(), vec![format!("- Load average before: {load}"), built.versions()]].concat();
    let intro = format!(
        "Tile-compressed images of {SIDE} x {SIDE} pixels of four bytes, in the page cache, tiles of 100 x 100 unless \
         said; whole processes, one thread unless said."
    );
    let Pieces { rows, notes, commands, .. } = page;
    let measured_on = "one process an image";
    Page { subject: "images", intro, machine, rows, notes, measured_on, targets, commands }
        .write(quick, rounds, &dir)
}

/// The images and the small files, which are made once, by scripts beside the reference data.
fn data(dir: &Path) -> Result<(PathBuf, Vec<PathBuf>), String> {
    let made = |name: &str, script: &str, more: &[&str]| {
        let out = dir.join(name);
        if !out.exists() {
            let script = files::shared().join("bench").join(script);
            let python = tools::python(&["numpy", "astropy", "fitsio"])?;
            if !script.is_file() || !tools::present("fpack") {
                return Err("their generator, or fpack, is not here".to_owned());
            }
            let part = dir.join(format!("{name}-part"));
            std::fs::create_dir_all(&part).map_err(|e| format!("{}: {e}", part.display()))?;
            tools::succeed(tools::command(python).arg(script).arg(&part).args(more))?;
            std::fs::rename(&part, &out).map_err(|e| format!("{}: {e}", out.display()))?;
        }
        Ok(out)
    };
    let images = made("images", "make_images.py", &[])?;
    let stamps = made("stamps", "make_fz_set.py", &["3500"])?;
    let stamps = files::below(&stamps).map_err(|e| format!("{}: {e}", stamps.display()))?;
    Ok((images, stamps))
}

/// What the record is made of.
struct Pieces<'a> {
    rounds: usize,
    dir: &'a Path,
    rows: String,
    notes: Vec<String>,
    commands: Vec<String>,
}

impl Pieces<'_> {
    fn time(
        &mut self,
        work: &str,
        list: Vec<Result<Contender, String>>,
        what: &str,
    ) -> Result<Vec<Timed>, String> {
        let mut contenders = Vec::new();
        for contender in list {
            match contender {
                Ok(contender) => contenders.push(contender),
                Err(why) if !self.notes.iter().any(|note| note.ends_with(&why)) => {
                    self.notes.push(format!("- skipped {why}"));
                }
                Err(_) => {}
            }
        }
        let data = self.dir.join("data");
        let commands = contenders.iter().map(|contender| record::command(contender, &data));
        self.commands.extend(commands);
        let rounds = Rounds { count: self.rounds, before: None, mark: "digest=", work: self.dir };
        let timed = time(contenders, &rounds)?;
        if let Some(why) = &timed[0].failed {
            return Err(format!("{work}: our own run failed: {why}"));
        }
        self.notes.push(format!("- {work}: {}", record::agreement(&timed, what)?.join(" ")));
        self.rows.push_str(&record::table(work, &timed));
        self.commands.sort();
        self.commands.dedup();
        Ok(timed)
    }
}

/// Programs, built and ready, or why they are not.
struct Built {
    ours: PathBuf,
    cfitsio: Result<PathBuf, String>,
    rust: Result<PathBuf, String>,
    prototype: Result<PathBuf, String>,
    python: Vec<(&'static str, String)>,
}

impl Built {
    fn new(dir: &Path) -> Result<Self, String> {
        let sources = files::root().join("benches/peers");
        let args = ["build", "--release", "-p", "coaddkit-benches", "--example", "images"];
        tools::succeed(tools::cargo().args(args))?;
        let cfitsio = tools::has_cfitsio().and_then(|()| {
            let program = dir.join("images");
            tools::compile(&sources.join("images.c"), &program, true)?;
            Ok(program)
        });
        let versions = contenders::python_versions();
        let python = ["fitsio", "astropy"].map(|m| (m, versions.get(m).cloned().unwrap_or_default()));
        Ok(Self {
            ours: files::target().join("release/examples/images"),
            cfitsio,
            rust: tools::has_cfitsio().and_then(|()| {
                contenders::cargo_build(&sources, &contenders::peers_target(dir), "coaddkit-image-peers")
            }),
            prototype: contenders::prototype(dir),
            python: python.into(),
        })
    }

    fn ours(&self, name: &str, args: &[&str]) -> Result<Contender, String> {
        contender(name, &machine::our_version(), &Ok(self.ours.clone()), args, Expected::Agreed)
    }

    fn cfitsio(&self, args: &[&str]) -> Result<Contender, String> {
        let version = version("pkg-config", &["--modversion", "cfitsio"]);
        contender(names::CFITSIO, &version, &self.cfitsio, args, Expected::Agreed)
    }

    fn rust(&self, reader: &str, args: &[&str], expected: Expected) -> Result<Contender, String> {
        let version = contenders::RUST_PEERS.iter().find(|(name, _)| *name == reader).map_or("", |(_, v)| v);
        let args = [&[reader], args].concat();
        contender(&format!("{reader} in Rust"), version, &self.rust, &args, expected)
    }

    fn python<'a>(&'a self, args: &'a [&str]) -> impl Iterator<Item = Result<Contender, String>> + 'a {
        let script = files::root().join("benches/peers/image_readers.py").display().to_string();
        self.python.iter().map(move |(module, version)| {
            let python = tools::python(&["numpy", module]);
            let args = [&[script.as_str(), module], args].concat();
            contender(&format!("{module} in Python"), version, &python, &args, Expected::Agreed)
        })
    }

    fn decoders(&self, images: &Path, file: &str) -> Vec<Result<Contender, String>> {
        let path = path(images, file);
        let args = ["decode", STEP, &path];
        let threads = |n| [&args[..], &[n]].concat();
        let mut list = vec![
            self.ours(names::OURS, &threads("1")),
            self.ours(names::TWO_THREADS, &threads("2")),
            self.cfitsio(&args),
            funpack(&path),
            self.rust("fits-well", &args, Expected::Agreed),
            self.rust("fitsio-pure", &args, Expected::Agreed),
            // It undoes neither the dither nor the order of the tiles.
            self.rust("fitsrs", &args, Expected::Another),
            // It passes no null value, and a NaN comes back as a number.
            self.rust(
                "fitsio",
                &args,
                if file.starts_with("nan") { Expected::Another } else { Expected::Agreed },
            ),
        ];
        list.extend(self.python(&args));
        if !file.starts_with("mask") {
            list.push(contender("prototype", "", &self.prototype, &["img", &path, "1"], Expected::Nothing));
        }
        list
    }

    fn cutters(&self, images: &Path) -> Vec<Result<Contender, String>> {
        let path = path(images, IMAGES[0].0);
        let args = ["cutouts", STEP, &path, "64", "2000"];
        let mut list = vec![
            self.ours(names::OURS, &args),
            self.ours("coaddkit, no tile kept", &[&["sections"], &args[1..]].concat()),
            self.cfitsio(&args),
            self.rust("fits-well", &args, Expected::Agreed),
            self.rust("fitsio", &args, Expected::Agreed),
        ];
        list.extend(self.python(&args));
        list.push(contender(
            "prototype",
            "",
            &self.prototype,
            &["cut", &path, "64", "2000"],
            Expected::Nothing,
        ));
        list
    }

    fn summers(&self, stamps: &[PathBuf]) -> Vec<Result<Contender, String>> {
        let paths: Vec<String> = stamps.iter().map(|path| path.display().to_string()).collect();
        let with = |words: &[&'static str]| {
            words.iter().copied().chain(paths.iter().map(String::as_str)).collect::<Vec<&str>>()
        };
        let (args, verify, prototype) = (with(&["sums"]), with(&["verify"]), with(&["hdr", "1"]));
        let mut list = vec![
            self.ours(names::OURS, &args),
            self.ours(VERIFY, &verify),
            self.cfitsio(&args),
            self.rust("fits-well", &args, Expected::Agreed),
            // These two know no sums and only read headers.
            self.rust("fitsio-pure", &args, Expected::Another),
            self.rust("fitsrs", &args, Expected::Another),
        ];
        list.extend(self.python(&args));
        list.push(contender("prototype", "", &self.prototype, &prototype, Expected::Nothing));
        list
    }

    /// Every pixel of every image, ours against CFITSIO and what funpack writes. All NaNs are one.
    fn compare(&self, images: &Path, page: &Pieces<'_>) -> Result<String, String> {
        let all = files::below(images).map_err(|e| format!("{}: {e}", images.display()))?;
        let all: Vec<_> =
            all.into_iter().filter(|path| path.extension().is_some_and(|e| e == "fz")).collect();
        let unpacked = page.dir.join("unpacked.fits").display().to_string();
        let script = r#"funpack -S "$1" > "$2" && exec "$3" decode 1 "$2" 1"#;
        for path in &all {
            let nulls = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("nan"));
            let path = path.display().to_string();
            let ours = self.ours.display().to_string();
            let shell = Ok(PathBuf::from("sh"));
            let args = ["-c", script, "sh", &path, &unpacked, &ours];
            let unpacked = contender("funpack", "", &shell, &args, Expected::Agreed);
            let contenders = [
                self.ours(names::OURS, &["decode", "1", &path, "1"]),
                self.cfitsio(&["decode", "1", &path]),
                // It loses nulls, and with them the place in the sequence of the dither.
                unpacked.and_then(|funpack| if nulls { Err("nulls".to_owned()) } else { Ok(funpack) }),
            ];
            let contenders = contenders.into_iter().flatten().collect();
            let rounds = Rounds { count: 0, before: None, mark: "digest=", work: page.dir };
            let once = time(contenders, &rounds)?;
            if let Some(why) = once.iter().find_map(|t| t.failed.as_ref()) {
                return Err(format!("{path}: {why}"));
            }
            record::agreement(&once, "").map_err(|why| format!("{path}: {why}"))?;
        }
        let others = if self.cfitsio.is_ok() { "CFITSIO and (without NaN) funpack" } else { "funpack" };
        Ok(format!("- Every pixel of {} images compared: the bits are those of {others}.", all.len()))
    }

    /// What the entropy decoder of the prototype reaches alone.
    fn entropy(&self, images: &Path) -> Option<String> {
        let prototype = self.prototype.as_ref().ok()?;
        let said =
            tools::output(tools::command(prototype).args(["rice", &path(images, IMAGES[0].0), "1", "1"]));
        let rate = said
            .ok()?
            .lines()
            .find_map(|l| l.strip_prefix("rice K=1 ")?.split(' ').next()?.parse::<f64>().ok())?;
        Some(format!("- The entropy decoder of the prototype alone, within the process: {rate:.0} Mpix/s."))
    }

    fn versions(&self) -> String {
        format!("- {}; {}", version("rustc", &["-V"]), version("cc", &["--version"]))
    }
}

fn path(images: &Path, file: &str) -> String {
    images.join(format!("{file}.fits.fz")).display().to_string()
}

fn funpack(path: &str) -> Result<Contender, String> {
    let program =
        if tools::present("funpack") { Ok(PathBuf::from("sh")) } else { Err("it is not here".to_owned()) };
    let args = ["-c", r#"exec funpack -S "$1" > /dev/null"#, "sh", path];
    contender(FUNPACK, "", &program, &args, Expected::Nothing)
}

fn contender(
    name: &str,
    version: &str,
    program: &Result<PathBuf, String>,
    args: &[&str],
    expected: Expected,
) -> Result<Contender, String> {
    let program = program.as_ref().map_err(|why| format!("{name}: {why}"))?.display().to_string();
    let argv = std::iter::once(program).chain(args.iter().map(|&arg| arg.to_owned())).collect();
    Ok(Contender { name: name.to_owned(), version: version.to_owned(), argv, expected })
}

fn at_most(what: &'static str, bound: f64, measured: f64) -> Target {
    Target { what, bound, at_most: true, measured }
}

/// CPU time of ours in that of another.
fn over(timed: &[Timed], name: &str) -> f64 {
    find(timed, name).map_or(f64::NAN, |other| timed[0].ratio(other, cpu))
}

fn find<'a>(timed: &'a [Timed], name: &str) -> Option<&'a Timed> {
    timed.iter().find(|t| t.contender.name == name && t.failed.is_none())
}

fn decode_targets(file: &str, timed: &[Timed]) -> Vec<Target> {
    let cfitsio = over(timed, names::CFITSIO);
    match file {
        "mask_hc" => vec![at_most("CPU of HCOMPRESS, of CFITSIO", 0.5, cfitsio)],
        "mask_gzip1" => vec![at_most("CPU of GZIP_1, of CFITSIO", 1.0, cfitsio)],
        "mask_gzip2" => vec![at_most("CPU of GZIP_2, of CFITSIO", 1.0, cfitsio)],
        "mask_plio" => vec![at_most("CPU of PLIO, of CFITSIO", 1.0, cfitsio)],
        "image_ls" => {
            let ours = &timed[0];
            let megapixels = (SIDE * SIDE) as f64 / 1e6;
            let at_least = |what, bound, measured| Target { what, bound, at_most: false, measured };
            vec![
                at_most("CPU of RICE with dither 2, of CFITSIO", 0.40, cfitsio),
                at_least("Mpix in a CPU second, RICE with dither 2", 320.0, megapixels / ours.median(cpu)),
                at_least("speed-up of two threads, by the clock", 1.7, {
                    find(timed, names::TWO_THREADS).map_or(f64::NAN, |two| ours.ratio(two, wall))
                }),
                at_most("peak RSS beside the pixels, MB", 16.0, ours.median(rss) / 1e6 - 4.0 * megapixels),
            ]
        }
        _ => Vec::new(),
    }
}
