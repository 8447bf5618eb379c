//! Cuts stamps out of a cache of coadded images.

mod list;
mod write;

use clap::Parser;
use coaddkit_cache::{Band, CacheError, CoaddCache, Cutter, FileSet, Product, Stamp};
use coaddkit_examples::{Common, Exit, Run, Table, destination, exit_of_error, main as run_main, print};
use coaddkit_sky::SkyCoord;
use list::{Index, Target};
use std::path::PathBuf;
use std::process::ExitCode;
use write::{Colors, Formats};

/// Cut stamps about positions, as NumPy arrays, FITS images or a colour picture.
///
/// Exit code 0: every stamp is there with all its pixels. 65: a file or the list is damaged. 66: an image is not in the
/// cache, or a stamp reaches beyond what is cached.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// The cache: a folder, or s3://bucket/prefix
    #[arg(long, value_name = "DIR|URL")]
    cache: String,
    /// Right ascension in degrees
    #[arg(long, value_name = "DEG", allow_negative_numbers = true, requires = "dec")]
    ra: Option<f64>,
    /// Declination in degrees
    #[arg(long, value_name = "DEG", allow_negative_numbers = true, requires = "ra")]
    dec: Option<f64>,
    /// Many positions: a CSV file with columns ra, dec and, if you like, name and brickname
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ra", "dec", "png", "fits", "npz"], requires = "out")]
    list: Option<PathBuf>,
    /// Side of a stamp, in pixels of 0.262 arcseconds
    #[arg(long, default_value_t = 64, value_name = "PIXELS", value_parser = clap::value_parser!(u16).range(1..=3600))]
    size: u16,
    /// Bands with commas between them
    #[arg(long, default_value = "g,r,z", value_name = "BANDS")]
    bands: String,
    /// Cut the inverse variances and the mask too
    #[arg(long)]
    all_products: bool,
    /// A stamp that reaches beyond its brick gets zeros there instead of pixels of the neighbours
    #[arg(long)]
    one_brick: bool,
    /// Write a colour picture (Lupton et al. 2004) of the three bands; with other than three of the first
    #[arg(long, value_name = "FILE")]
    png: Option<PathBuf>,
    /// Write a FITS file with an image a product
    #[arg(long, value_name = "FILE")]
    fits: Option<PathBuf>,
    /// Write a NumPy archive with an array a product: image_g, image_r …
    #[arg(long, value_name = "FILE")]
    npz: Option<PathBuf>,
    /// The folder for the stamps of a list, NAME.npz and so on, and for stamps.csv, which says what became of each
    #[arg(long, value_name = "DIR", requires = "list")]
    out: Option<PathBuf>,
    /// What to write for each position of a list: npz, fits, png
    #[arg(long, default_value = "npz", value_name = "FORMATS", value_delimiter = ',', requires = "list")]
    formats: Vec<String>,
    /// Flux, in nanomaggies a pixel, at which the picture turns from linear to logarithmic
    #[arg(long, default_value_t = 0.05, value_name = "NMGY")]
    stretch: f64,
    /// How strongly the picture compresses what is brighter
    #[arg(long, default_value_t = 8.0, value_name = "Q")]
    softening: f64,
    /// Do not sign requests to S3: public buckets
    #[arg(long)]
    no_sign_request: bool,
    #[command(flatten)]
    common: Common,
}

type Refused = (Exit, String);

fn main() -> ExitCode {
    let args = Args::parse();
    run_main(move || cut(&args))
}

fn cut(args: &Args) -> Exit {
    let mut run = Run::start("cutout");
    let common = &args.common;
    let ready = match Ready::new(args) {
        Ok(ready) => ready,
        Err((exit, why)) => return run.refuse(common, exit, &why),
    };
    let mut cutter = Cutter::new(&ready.cache).across_bricks(!args.one_brick);
    let mut exit = Exit::Complete;
    let mut incomplete = 0;
    let mut index = Index::default();
    for target in &ready.targets {
        let cut = one(args, &ready, &mut cutter, target);
        index.add(target, &cut);
        match cut {
            Ok(stamp) => {
                let outcome = if stamp.complete { "done" } else { "incomplete" };
                *run.counts.entry(outcome).or_default() += 1;
                incomplete += u64::from(!stamp.complete);
                if ready.targets.len() == 1 && !common.quiet && !common.json {
                    print(&summary(&stamp));
                }
            }
            Err((one, why)) => {
                exit = exit.worse(one);
                *run.counts.entry("failed").or_default() += 1;
                run.failed_item(&target.name, &args.cache, why.clone());
                if !common.quiet && run.failures.len() <= 20 {
                    eprintln!("{}: {why}", target.name);
                }
            }
        }
    }
    if let Some(out) = &args.out {
        let path = out.join("stamps.csv");
        if let Err(e) = index.write(&path) {
            eprintln!("{}: {e}", path.display());
            exit = exit.worse(Exit::Transient);
        }
    }
    if incomplete > 0 {
        exit = exit.worse(Exit::Missing);
        run.alerts
            .push(format!("{incomplete} stamps reach beyond what is cached; the pixels they lack are 0"));
    }
    if ready.targets.len() > 1 && !common.quiet && !common.json {
        let [done, all, short] =
            [run.counts.get("done").copied().unwrap_or(0), ready.targets.len() as u64, incomplete];
        let [done, all, short] = [done, all, short].map(Table::number);
        print(&format!(
            "  {done} of {all} stamps have all their pixels, {short} reach beyond what is cached\n"
        ));
    }
    run.end(common, exit)
}

/// What the options mean, checked before any work.
struct Ready {
    cache: CoaddCache,
    products: Vec<Product>,
    targets: Vec<Target>,
    formats: Formats,
    colors: Colors,
}

impl Ready {
    fn new(args: &Args) -> Result<Self, Refused> {
        let usage = |e: String| (Exit::Usage, e);
        let bands: Result<Vec<Band>, _> = args.bands.split(',').map(|band| band.trim().parse()).collect();
        let files = bands.and_then(FileSet::new).map_err(|e| usage(e.to_string()))?;
        let images = files.products().iter().filter(|p| args.all_products || matches!(p, Product::Image(_)));
        let colors = Colors::new(args.stretch, args.softening, files.bands()).map_err(usage)?;
        let (targets, formats) = match (&args.list, args.ra.zip(args.dec)) {
            (Some(list), _) => (list::read(list)?, Formats::named(&args.formats).map_err(usage)?),
            (None, Some((ra, dec))) => {
                let position = SkyCoord::from_degrees(ra, dec).map_err(|e| usage(e.to_string()))?;
                let name = format!("{ra:.5}{dec:+.5}");
                (vec![Target { name, position, brick: None, row: 0 }], Formats::default())
            }
            (None, None) => return Err(usage("give --ra and --dec, or a --list of positions".to_owned())),
        };
        let place =
            destination(&args.cache, args.no_sign_request).map_err(|e| (exit_of_error(&e), e.to_string()))?;
        let cache = CoaddCache::new(place).map_err(|e| (Exit::Transient, e.to_string()))?;
        if let Some(out) = &args.out {
            std::fs::create_dir_all(out).map_err(|e| (Exit::Transient, format!("{}: {e}", out.display())))?;
        }
        Ok(Self { cache, products: images.copied().collect(), targets, formats, colors })
    }
}

fn one(args: &Args, ready: &Ready, cutter: &mut Cutter<'_>, target: &Target) -> Result<Stamp, Refused> {
    let size = args.size.into();
    let cut = match target.brick {
        Some(brick) => cutter.stamp_of(brick, target.position, size, &ready.products),
        None => cutter.stamp(target.position, size, &ready.products),
    };
    let stamp = cut.map_err(|e| (exit_of(&e), e.to_string()))?;
    let mut files = Vec::new();
    match &args.out {
        Some(out) => files.extend(ready.formats.paths(out, &target.name)),
        None => {
            let named = [
                (write::Format::Npz, &args.npz),
                (write::Format::Fits, &args.fits),
                (write::Format::Png, &args.png),
            ];
            files.extend(named.into_iter().filter_map(|(format, path)| Some((format, path.clone()?))));
        }
    }
    for (format, path) in files {
        write::write(format, &path, &ready.cache, &stamp, &ready.colors)
            .map_err(|e| (Exit::Transient, format!("{}: {e}", path.display())))?;
    }
    Ok(stamp)
}

fn exit_of(error: &CacheError) -> Exit {
    match error {
        CacheError::Missing { .. } => Exit::Missing,
        CacheError::Store(e) => exit_of_error(e),
        CacheError::Runtime(_) => Exit::Transient,
        CacheError::Sky(_) | CacheError::FarSide { .. } | CacheError::NoProducts => Exit::Usage,
        _ => Exit::BadData,
    }
}

fn summary(stamp: &Stamp) -> String {
    let mut table = Table::new(["product", "min", "max", "sum"]);
    for (product, pixels) in &stamp.planes {
        let fold = |best: fn(f32, f32) -> f32| pixels.iter().copied().reduce(best).unwrap_or(f32::NAN);
        let sum: f64 = pixels.iter().map(|&v| f64::from(v)).sum();
        let cells = [fold(f32::min), fold(f32::max)].map(|v| format!("{v:.4}"));
        let [min, max] = cells;
        table.row([product.to_string(), min, max, format!("{sum:.4}")]);
    }
    let whole = if stamp.complete { "all pixels are there" } else { "it reaches beyond what is cached" };
    let mut out = format!("{table}\n  {0} × {0} pixels of brick {1}; {whole}\n", stamp.size, stamp.brick);
    for (brick, pixels) in &stamp.neighbors {
        out.push_str(&format!("  {} pixels come from brick {brick}\n", Table::number(*pixels as u64)));
    }
    out
}
