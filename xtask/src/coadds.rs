//! `cargo xtask coadds`: a miniature of the survey's coadds, to serve from a local origin.

use std::path::Path;

use coaddkit_testkit::{BrickQuality, CoaddTree, SkyBox, bricks_table};

use crate::{Done, Stop};

const SEED: u64 = 20_261_121;
const BRICKS: &str = "survey-bricks.fits.gz";

pub fn run(args: &[&str]) -> Done {
    let (mut out, mut seed, mut psfsize) = (None, SEED, false);
    let mut args = args.iter();
    while let Some(&arg) = args.next() {
        match arg {
            "--psfsize" => psfsize = true,
            "--seed" => {
                let value = args.next().and_then(|text| text.parse().ok());
                seed = value.ok_or_else(|| Stop::Usage("--seed wants a number".to_owned()))?;
            }
            _ if arg.starts_with('-') || out.is_some() => {
                return Err(Stop::Usage(format!("coadds does not know {arg}")));
            }
            _ => out = Some(Path::new(arg)),
        }
    }
    let out = out.ok_or_else(|| Stop::Usage("coadds needs a folder to write to".to_owned()))?;
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
