//! `raw-archive miniature`: a small archive to try the others on, without a network.

use crate::list::{self, Raw};
use clap::Args as ClapArgs;
use coaddkit_examples::{Common, Exit, Refused, Run, SimulatedRaw, print};
use md5::{Digest, Md5};
use std::fs;
use std::path::PathBuf;

#[derive(ClapArgs)]
pub struct Args {
    /// Where the archive is to be
    dir: PathBuf,
    /// How many exposures it has
    #[arg(long, default_value_t = 6, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    exposures: u64,
    /// Columns and rows of a CCD; 2160,4146 is what the camera has
    #[arg(long, default_value = "48,32", value_name = "COLUMNS,ROWS", value_parser = size)]
    size: (u64, u64),
    #[command(flatten)]
    common: Common,
}

fn size(text: &str) -> Result<(u64, u64), String> {
    let number = |text: &str| text.trim().parse::<u64>().ok().filter(|n| (8..=8192).contains(n));
    text.split_once(',')
        .and_then(|(columns, rows)| number(columns).zip(number(rows)))
        .ok_or_else(|| "two numbers from 8 to 8192".to_owned())
}

pub fn run(args: &Args) -> Exit {
    let mut run = Run::start("raw-archive miniature");
    match make(args, &mut run) {
        Ok(()) => run.end(&args.common, Exit::Complete),
        Err((exit, reason)) => run.refuse(&args.common, exit, &reason),
    }
}

fn make(args: &Args, run: &mut Run) -> Result<(), Refused> {
    let failed = |what: &dyn std::fmt::Display| (Exit::Transient, format!("{}: {what}", args.dir.display()));
    let archive = args.dir.join("archive");
    fs::create_dir_all(&archive).map_err(|e| failed(&e))?;
    let archive = archive.canonicalize().map_err(|e| failed(&e))?;
    let mut raws = Vec::new();
    for seed in 1..=args.exposures {
        let name = format!("c4d_260101_{:06}_ori.fits.fz", 10_000 + seed);
        let path = archive.join(&name);
        let (columns, rows) = args.size;
        SimulatedRaw::new(seed).size(columns, rows).write(&path).map_err(|e| failed(&e))?;
        let bytes = fs::read(&path).map_err(|e| failed(&e))?;
        let md5 = Md5::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        let url = path.to_str().ok_or_else(|| failed(&"the path is not UTF-8"))?.to_owned();
        run.bytes += bytes.len() as u64;
        raws.push(Raw { name, url, md5: Some(md5), size: Some(bytes.len() as u64) });
    }
    let list = args.dir.join("raws.csv");
    list::write(&list, &raws.iter().collect::<Vec<_>>()).map_err(|e| failed(&e))?;
    run.counts.insert("done", raws.len() as u64);
    if !args.common.quiet {
        print(&format!("{} exposures in {}, listed in {}\n", raws.len(), archive.display(), list.display()));
    }
    Ok(())
}
