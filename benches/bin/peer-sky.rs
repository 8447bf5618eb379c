//! Our side of `cargo xtask peers sky`, and the crate that everybody would call for HEALPix.
//!
//! ```text
//! peer-sky generate DIR            columns of positions, little-endian doubles, the same in every run
//! peer-sky WORK DIR THREADS        do a piece of work over and over; see `WORKS`
//! peer-sky memory N                what a match of N positions with N others takes
//! ```
//!
//! A run prints `answer=`, the size of the result followed by nine digits of its checksum, and `kernel_cpu=` and
//! `kernel_wall=`, the seconds of the work alone: medians of as many repetitions as fit into a second, after one that is
//! not counted unless it takes a second itself.

use std::fs;
use std::path::Path;
use std::time::Instant;

use coaddkit_sky::{
    BrickGrid, BrickId, BrickName, Error, Exclusion, Healpix, HealpixCell, Keep, Match, MatchRule, SkyCoord,
    crossmatch,
};
use rayon::prelude::*;
use rustix::time::{ClockId, clock_gettime};

type Failure = Box<dyn std::error::Error>;

/// Positions in columns.
struct Columns {
    ra: Vec<f64>,
    dec: Vec<f64>,
}

/// Does a piece of work over the files of a folder.
type Work = fn(&Path) -> Result<Outcome, Failure>;

const WORKS: [(&str, Work); 7] = [
    ("cells", cells),
    ("cells-of-cdshealpix", cells_of_cdshealpix),
    ("brick-ids", brick_ids),
    ("brick-names", brick_names),
    ("exclusion", exclusion),
    ("pairs", pairs),
    ("nearest", nearest),
];

const ORDER: u8 = 7;

fn cells(dir: &Path) -> Result<Outcome, Failure> {
    let Columns { ra, dec } = Columns::read(dir, "points")?;
    let grid = Healpix::new(ORDER)?;
    let mut cells: Vec<Option<HealpixCell>> = vec![None; ra.len()];
    let seconds = timed(|| {
        in_chunks(&mut cells, |from, cells| {
            let part = from..from + cells.len();
            grid.locate_all(&ra[part.clone()], &dec[part], cells)
        })
    })?;
    let numbers = cells.iter().flatten().map(|cell| cell.index());
    Ok(Outcome { count: cells.len(), checksum: of_list(numbers), seconds })
}

fn cells_of_cdshealpix(dir: &Path) -> Result<Outcome, Failure> {
    let Columns { ra, dec } = Columns::read(dir, "points")?;
    let layer = cdshealpix::nested::get(ORDER);
    let mut cells = vec![0_u64; ra.len()];
    let seconds = timed(|| {
        in_chunks(&mut cells, |from, cells| {
            for ((cell, ra), dec) in cells.iter_mut().zip(&ra[from..]).zip(&dec[from..]) {
                *cell = layer.hash(ra.to_radians(), dec.to_radians());
            }
            Ok(())
        })
    })?;
    Ok(Outcome { count: cells.len(), checksum: of_list(cells.iter().copied()), seconds })
}

fn brick_ids(dir: &Path) -> Result<Outcome, Failure> {
    let Columns { ra, dec } = Columns::read(dir, "points")?;
    let grid = BrickGrid::legacy();
    let mut ids: Vec<Option<BrickId>> = vec![None; ra.len()];
    let seconds = timed(|| {
        in_chunks(&mut ids, |from, ids| {
            let part = from..from + ids.len();
            grid.locate_all(&ra[part.clone()], &dec[part], ids)
        })
    })?;
    let numbers = ids.iter().flatten().map(|id| id.get().into());
    Ok(Outcome { count: ids.len(), checksum: of_list(numbers), seconds })
}

fn brick_names(dir: &Path) -> Result<Outcome, Failure> {
    let Columns { ra, dec } = Columns::read(dir, "points")?;
    let grid = BrickGrid::legacy();
    let mut names: Vec<Option<BrickName>> = vec![None; ra.len()];
    let seconds = timed(|| {
        in_chunks(&mut names, |from, names| {
            let part = from..from + names.len();
            grid.name_all(&ra[part.clone()], &dec[part], names)
        })
    })?;
    let numbers = names.iter().flatten().map(|name| u64::from_le_bytes(*name.as_bytes()));
    Ok(Outcome { count: names.len(), checksum: of_list(numbers), seconds })
}

fn exclusion(dir: &Path) -> Result<Outcome, Failure> {
    let Columns { ra, dec } = Columns::read(dir, "galaxies")?;
    let lenses = Columns::read(dir, "lenses")?;
    let mut excluded: Vec<Option<bool>> = vec![None; ra.len()];
    let seconds = timed(|| {
        let around = Exclusion::new(&lenses.positions()?, 11.0)?;
        around.excludes_all(&ra, &dec, &mut excluded)
    })?;
    let hits = || (0_u64..).zip(&excluded).filter(|(_, excluded)| **excluded == Some(true)).map(|(i, _)| i);
    Ok(Outcome { count: hits().count(), checksum: of_list(hits()), seconds })
}

fn pairs(dir: &Path) -> Result<Outcome, Failure> {
    matched(dir, Keep::All)
}

fn nearest(dir: &Path) -> Result<Outcome, Failure> {
    matched(dir, Keep::Nearest(1))
}

fn matched(dir: &Path, keep: Keep) -> Result<Outcome, Failure> {
    let (left, right) = (Columns::read(dir, "left")?, Columns::read(dir, "right")?);
    let rule = MatchRule { radius_arcsec: 1.0, keep };
    let mut found: Vec<Match> = Vec::new();
    let seconds = timed(|| {
        found = Vec::new();
        found = crossmatch(&left.positions()?, &right.positions()?, &rule)?;
        Ok(())
    })?;
    // Of every set of pairs, in whatever order.
    let sum = found.iter().map(|pair| (u64::from(pair.left) + 1).wrapping_mul(u64::from(pair.right) + 1));
    Ok(Outcome { count: found.len(), checksum: sum.fold(0, u64::wrapping_add), seconds })
}

/// Says by how much a match enlarges the resident set at most; Linux only.
fn memory(count: usize) -> Result<(), Failure> {
    let kib = |field: &str| -> Result<f64, Failure> {
        let status = fs::read_to_string("/proc/self/status")?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)).ok_or("no such field")?;
        Ok(line.trim_start_matches(':').trim_end_matches("kB").trim().parse()?)
    };
    let (left, right) = pair_of_lists(count, &mut uniform());
    let (left, right) = (left.positions()?, right.positions()?);
    // Forgets the largest resident set so far.
    fs::write("/proc/self/clear_refs", "5")?;
    let before = kib("VmRSS")?;
    let found = crossmatch(&left, &right, &MatchRule { radius_arcsec: 1.0, keep: Keep::All })?;
    let bytes = (kib("VmHWM")? - before) * 1024.0;
    println!(
        "{count} x {count} positions, {} pairs: {:.0} MB beside the two lists, {:.0} bytes a row of either",
        found.len(),
        bytes / 1e6,
        bytes / (2 * count) as f64
    );
    Ok(())
}

/// Columns like those of a catalogue: points evenly over the sky; galaxies, of which some lie near one of the lenses;
/// two lists of which half the positions are a pair.
fn generate(dir: &Path) -> Result<(), Failure> {
    const MILLION: usize = 1_000_000;
    fs::create_dir_all(dir)?;
    let mut next = uniform();
    Columns::anywhere(10 * MILLION, &mut next).write(dir, "points")?;
    let lenses = Columns::anywhere(5_000, &mut next);
    let mut galaxies = Columns::anywhere(MILLION, &mut next);
    for lens in 0..2_500 {
        let at = (next() * MILLION as f64) as usize;
        galaxies.put_near(at, lenses.ra[lens], lenses.dec[lens], 20.0, &mut next);
    }
    let (left, right) = pair_of_lists(MILLION, &mut next);
    for (name, columns) in [("lenses", &lenses), ("galaxies", &galaxies), ("left", &left), ("right", &right)]
    {
        columns.write(dir, name)?;
    }
    Ok(())
}

/// Two lists; half of the second lie near one of the first.
fn pair_of_lists(count: usize, next: &mut impl FnMut() -> f64) -> (Columns, Columns) {
    let left = Columns::anywhere(count, next);
    let mut right = Columns::anywhere(count, next);
    for at in 0..count / 2 {
        let source = (next() * count as f64) as usize;
        right.put_near(at, left.ra[source], left.dec[source], 2.0, next);
    }
    (left, right)
}

impl Columns {
    fn anywhere(count: usize, next: &mut impl FnMut() -> f64) -> Self {
        let ra = (0..count).map(|_| next() * 360.0).collect();
        let dec = (0..count).map(|_| (2.0 * next() - 1.0).asin().to_degrees()).collect();
        Self { ra, dec }
    }

    /// Moves a position to within about `arcsec` of another.
    fn put_near(&mut self, at: usize, ra: f64, dec: f64, arcsec: f64, next: &mut impl FnMut() -> f64) {
        let mut off = || (2.0 * next() - 1.0) * arcsec / 3600.0 / 2.0_f64.sqrt();
        self.ra[at] = (ra + off() / dec.to_radians().cos()).rem_euclid(360.0);
        self.dec[at] = (dec + off()).clamp(-90.0, 90.0);
    }

    fn positions(&self) -> Result<Vec<SkyCoord>, Error> {
        self.ra.iter().zip(&self.dec).map(|(&ra, &dec)| SkyCoord::from_degrees(ra, dec)).collect()
    }

    fn read(dir: &Path, name: &str) -> Result<Self, Failure> {
        let column = |coordinate: &str| -> Result<Vec<f64>, Failure> {
            let bytes = fs::read(dir.join(format!("{name}.{coordinate}")))?;
            let words =
                bytes.chunks_exact(8).map(|word| f64::from_le_bytes(word.try_into().unwrap_or_default()));
            Ok(words.collect())
        };
        Ok(Self { ra: column("ra")?, dec: column("dec")? })
    }

    fn write(&self, dir: &Path, name: &str) -> Result<(), Failure> {
        for (coordinate, values) in [("ra", &self.ra), ("dec", &self.dec)] {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            fs::write(dir.join(format!("{name}.{coordinate}")), bytes)?;
        }
        Ok(())
    }
}

/// Numbers in [0, 1), the same in every run (xorshift64).
fn uniform() -> impl FnMut() -> f64 {
    let mut state = 88_172_645_463_325_252_u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Fills a list on all threads of the pool, if there are several.
fn in_chunks<T: Send>(
    list: &mut [T],
    fill: impl Fn(usize, &mut [T]) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    const CHUNK: usize = 1 << 16;
    if rayon::current_num_threads() == 1 {
        return fill(0, list);
    }
    list.par_chunks_mut(CHUNK).enumerate().try_for_each(|(k, part)| fill(k * CHUNK, part))
}

/// CPU and wall seconds.
struct Seconds {
    cpu: f64,
    wall: f64,
}

struct Outcome {
    count: usize,
    checksum: u64,
    seconds: Seconds,
}

/// A checksum in which the place of a number counts.
fn of_list(numbers: impl Iterator<Item = u64>) -> u64 {
    (1_u64..).zip(numbers).fold(0, |sum, (place, number)| sum.wrapping_add(place.wrapping_mul(number)))
}

fn timed(mut work: impl FnMut() -> Result<(), Error>) -> Result<Seconds, Error> {
    const SECOND: f64 = 1.0;
    let (mut cpu, mut wall) = (Vec::new(), Vec::new());
    let mut once = || -> Result<f64, Error> {
        let (before, begun) = (cpu_seconds(), Instant::now());
        work()?;
        cpu.push(cpu_seconds() - before);
        wall.push(begun.elapsed().as_secs_f64());
        Ok(wall[wall.len() - 1])
    };
    let first = once()?;
    if first < SECOND {
        let start = Instant::now();
        while start.elapsed().as_secs_f64() < SECOND {
            once()?;
        }
        // What only warmed up.
        cpu.remove(0);
        wall.remove(0);
    }
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Ok(Seconds { cpu: median(cpu), wall: median(wall) })
}

/// Of all threads of this process.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let usage = "peer-sky generate DIR | WORK DIR THREADS | memory N";
    match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["generate", dir] => generate(Path::new(dir)),
        ["memory", count] => memory(count.parse()?),
        [name, dir, threads] => {
            rayon::ThreadPoolBuilder::new().num_threads(threads.parse()?).build_global()?;
            let (_, work) = WORKS.iter().find(|(known, _)| known == name).ok_or(usage)?;
            let Outcome { count, checksum, seconds } = work(Path::new(dir))?;
            let Seconds { cpu, wall } = seconds;
            println!("answer={count}{:09} kernel_cpu={cpu} kernel_wall={wall}", checksum % 1_000_000_000);
            Ok(())
        }
        _ => Err(usage.into()),
    }
}
