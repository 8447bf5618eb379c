//! `cargo xtask desi`: pixels of DESI spectra to convert, and the inventory of their files.

use std::path::Path;

use coaddkit_testkit::{DESI_INVENTORY, write_desi_survey};

use crate::{Done, Stop};

const SEED: u64 = 20_250_901;

/// As many as a first run should take.
const PIXELS: u64 = 40;

/// Most targets of a pixel; a real one has up to two thousand.
const TARGETS: u64 = 40;

pub fn run(args: &[&str]) -> Done {
    let (mut out, mut seed, mut pixels, mut targets) = (None, SEED, PIXELS, TARGETS);
    let mut args = args.iter();
    while let Some(&arg) = args.next() {
        let mut number = |most: u64| {
            let value = args.next().and_then(|text| text.parse::<u64>().ok()).filter(|n| *n <= most);
            value.ok_or_else(|| Stop::Usage(format!("{arg} wants a number, at most {most}")))
        };
        match arg {
            "--seed" => seed = number(u64::MAX)?,
            "--pixels" => pixels = number(100_000)?,
            "--targets" => targets = number(10_000)?,
            _ if arg.starts_with('-') || out.is_some() => {
                return Err(Stop::Usage(format!("desi does not know {arg}")));
            }
            _ => out = Some(Path::new(arg)),
        }
    }
    let out = out.ok_or_else(|| Stop::Usage("desi needs a folder to write to".to_owned()))?;
    std::fs::create_dir_all(out).map_err(Stop::at(out.display()))?;
    write_desi_survey(out, seed, pixels as usize, targets as usize).map_err(Stop::at(out.display()))?;
    println!("{pixels} pixels, listed in {}", out.join(DESI_INVENTORY).display());
    Ok(())
}
