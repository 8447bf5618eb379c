//! `cargo xtask coadds`: coadds to serve from a local origin: a miniature, or files as large as the real ones.

use std::fmt::Write as _;
use std::path::Path;

use coaddkit_testkit::{
    Brick, BrickQuality, CoaddTree, Pixels, Rng, SkyBox, TiledImage, Tiling, bricks_table, with_checksums,
};

use crate::{Done, Stop};

const SEED: u64 = 20_261_121;
const BRICKS: &str = "survey-bricks.fits.gz";

/// Of a large tree: paths and sizes.
pub const MANIFEST: &str = "manifest.txt";

/// Of a large tree: a name a line.
pub const NAMES: &str = "bricks.txt";

/// Bricks of a large tree that have bytes of their own; all others are links to them.
const DISTINCT: usize = 20;

pub fn run(args: &[&str]) -> Done {
    let (mut out, mut seed, mut psfsize, mut large) = (None, SEED, false, None);
    let mut args = args.iter();
    while let Some(&arg) = args.next() {
        let mut number = || {
            let value = args.next().and_then(|text| text.parse::<u64>().ok());
            value.ok_or_else(|| Stop::Usage(format!("{arg} wants a number")))
        };
        match arg {
            "--psfsize" => psfsize = true,
            "--seed" => seed = number()?,
            "--large" => large = Some(number()? as usize),
            _ if arg.starts_with('-') || out.is_some() => {
                return Err(Stop::Usage(format!("coadds does not know {arg}")));
            }
            _ => out = Some(Path::new(arg)),
        }
    }
    let out = out.ok_or_else(|| Stop::Usage("coadds needs a folder to write to".to_owned()))?;
    if let Some(count) = large {
        return write_large(out, seed, count).map_err(Stop::at(out.display()));
    }
    let tree = CoaddTree::miniature(seed);
    let tree = if psfsize { tree.with_psfsize() } else { tree };
    tree.write(out).map_err(Stop::at(out.display()))?;
    let areas: Vec<SkyBox> = tree.bricks().map(|(brick, _)| inside(&brick.edges)).collect();
    let bricks = out.join(BRICKS);
    bricks_table(&areas, |brick| BrickQuality::of(brick, seed))
        .write_gz(&bricks)
        .map_err(Stop::at(bricks.display()))?;
    for (brick, coverage) in tree.bricks() {
        println!("{} {coverage:?}", brick.name);
    }
    Ok(())
}

/// A box that touches no neighbour.
fn inside(edges: &SkyBox) -> SkyBox {
    const MARGIN_DEG: f64 = 0.01;
    SkyBox {
        ra_min_deg: edges.ra_min_deg + MARGIN_DEG,
        ra_max_deg: edges.ra_max_deg - MARGIN_DEG,
        dec_min_deg: edges.dec_min_deg + MARGIN_DEG,
        dec_max_deg: edges.dec_max_deg - MARGIN_DEG,
    }
}

/// Seven files a brick of 64 kB to 4 MB with the noise of the sky, which does not compress any further.
fn write_large(out: &Path, seed: u64, count: usize) -> std::io::Result<()> {
    let area = SkyBox { ra_min_deg: 100.0, ra_max_deg: 200.0, dec_min_deg: 20.0, dec_max_deg: 22.0 };
    let bricks: Vec<Brick> = Tiling::default().overlapping(&area).into_iter().take(count).collect();
    let (mut manifest, mut names, mut bytes) = (String::new(), String::new(), 0);
    let mut rng = Rng::new(seed);
    let noise: Vec<f32> = (0..8_000_000).map(|_| rng.normal() as f32).collect();
    for (index, brick) in bricks.iter().enumerate() {
        for (product, low, high) in [("image", 1.5, 4.0), ("invvar", 1.0, 3.0), ("maskbits", 0.0625, 0.25)]
            .into_iter()
            .flat_map(bands)
        {
            let path = out.join(CoaddTree::path(&brick.name, &product));
            std::fs::create_dir_all(path.parent().unwrap_or(out))?;
            if index < DISTINCT {
                // Sixteen steps of noise take 0.85 bytes a pixel.
                let pixels = (low + (high - low) * rng.unit()) * f64::from(1 << 20) / 0.85;
                let side = pixels.sqrt() as usize;
                let start = rng.below((noise.len() - side * side) as u32) as usize;
                let values = &noise[start..start + side * side];
                let image = TiledImage::new("COMPRESSED_IMAGE", side, 100).text_card("BRICKNAM", &brick.name);
                std::fs::write(
                    &path,
                    with_checksums(&image.table(Pixels::Quantised(values, 1.0 / 16.0)).to_bytes()),
                )?;
            } else {
                let twin = CoaddTree::path(&bricks[index % DISTINCT].name, &product);
                std::fs::hard_link(out.join(twin), &path)?;
            }
            let size = std::fs::metadata(&path)?.len();
            bytes += size;
            let _ = writeln!(manifest, "{}\t{size}", CoaddTree::path(&brick.name, &product));
        }
        let _ = writeln!(names, "{}", brick.name);
    }
    std::fs::write(out.join(MANIFEST), manifest)?;
    std::fs::write(out.join(NAMES), names)?;
    println!("{} bricks, {} MB", bricks.len(), bytes / 1_000_000);
    Ok(())
}

fn bands((product, low, high): (&str, f64, f64)) -> Vec<(String, f64, f64)> {
    match product {
        "maskbits" => vec![(product.to_owned(), low, high)],
        _ => ["g", "r", "z"].map(|band| (format!("{product}-{band}"), low, high)).to_vec(),
    }
}
