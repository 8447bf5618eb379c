//! The command line.

use crate::split::{EmitArgs, GroupArgs, MergeArgs};
use clap::{Parser, Subcommand};
use coaddkit_cache::{Band, BrickList, BrickListError, CacheError, CoaddCache, FileSet, Thresholds};
pub use coaddkit_examples::Refused;
use coaddkit_examples::{
    Common, Depth, Exit, MoveArgs, StatusArgs, destination, exit_of_error, folder, is_remote, read_file,
};
use coaddkit_sky::BrickName;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// A cache of coadded images in the layout of the Legacy Surveys.
///
/// Exit code 0: every brick asked for is complete. 65: a file is damaged. 66: the origin, or the cache, lacks files.
/// 75: something failed that may work when run again.
#[derive(Parser)]
#[command(version)]
pub struct Args {
    #[command(subcommand)]
    pub job: Job,
}

#[derive(Subcommand)]
pub enum Job {
    /// Fetch what the cache lacks, verify it, and mark bricks that are complete
    Fill(FillArgs),
    /// Look at every file and say what is missing or damaged
    Verify(VerifyArgs),
    /// Fetch again what `verify` finds missing or damaged
    Repair(RepairArgs),
    /// Put the parts of all shards of a fill or a verification together
    Merge(MergeArgs),
    /// Say how a run in shards stands: done, failed, blocked, not started
    Status(StatusArgs),
    /// Write scripts by which Slurm, Spark, Parsl, AWS Batch or Kubernetes fill or verify in shards
    Emit(EmitArgs),
    /// How complete the cache is, from a list of its files
    Report(ReportArgs),
    /// Statistics of the images of a brick
    Stats(StatsArgs),
}

/// Which files of which bricks, and where.
#[derive(clap::Args, Clone, Debug, Serialize)]
pub struct WhatArgs {
    /// Brick names with commas between them, or a file, here or elsewhere: FITS or CSV with a column brickname, or a name a line
    #[arg(long, value_name = "FILE|NAME,…")]
    pub bricks: String,
    /// The cache: a folder, or s3://bucket/prefix
    #[arg(long, value_name = "DIR|URL")]
    pub cache: String,
    /// Bands with commas between them
    #[arg(long, default_value = "g,r,z", value_name = "BANDS")]
    pub bands: String,
    /// Ask for the sizes of the point-spread function too: ten files a brick instead of seven
    #[arg(long)]
    pub psfsize: bool,
}

#[derive(clap::Args, Clone, Debug)]
pub struct FillArgs {
    #[command(flatten)]
    pub what: WhatArgs,
    /// The origin, above the folders of three digits: http(s)://…, s3://… or a folder
    #[arg(long, value_name = "URL")]
    pub source: String,
    /// An earlier assets_manifest.csv: do not ask again for files that the origin did not have
    #[arg(long, value_name = "FILE")]
    pub skip_absent: Option<PathBuf>,
    /// Write empty markers, as other tools do
    #[arg(long)]
    pub empty_markers: bool,
    /// The time that the stage configuration carries; else SOURCE_DATE_EPOCH, else none
    #[arg(long, value_name = "TIME")]
    pub timestamp: Option<String>,
    #[command(flatten)]
    pub group: GroupArgs,
    #[command(flatten)]
    pub moves: MoveArgs,
    #[command(flatten)]
    pub common: Common,
}

#[derive(clap::Args, Clone, Debug)]
pub struct VerifyArgs {
    /// How thoroughly to look; each level includes those before it
    #[arg(long, value_enum, default_value_t = Depth::Checksum, value_name = "LEVEL")]
    pub level: Depth,
    #[command(flatten)]
    pub group: GroupArgs,
    #[command(flatten)]
    pub report: ReportArgs,
}

#[derive(clap::Args, Clone, Debug)]
pub struct RepairArgs {
    #[command(flatten)]
    pub fill: FillArgs,
    /// How thoroughly to look for damage
    #[arg(long, value_enum, default_value_t = Depth::Checksum, value_name = "LEVEL")]
    pub level: Depth,
}

#[derive(clap::Args, Clone, Debug)]
pub struct ReportArgs {
    #[command(flatten)]
    pub what: WhatArgs,
    #[command(flatten)]
    pub limits: LimitArgs,
    /// Do not sign requests to S3: public buckets
    #[arg(long)]
    pub no_sign_request: bool,
    #[command(flatten)]
    pub common: Common,
}

#[derive(clap::Args, Clone, Debug)]
pub struct StatsArgs {
    /// The cache: a folder, or s3://bucket/prefix
    #[arg(long, value_name = "DIR|URL")]
    pub cache: String,
    /// The brick
    #[arg(long, value_name = "NAME")]
    pub brick: BrickName,
    /// Bands with commas between them
    #[arg(long, default_value = "g,r,z", value_name = "BANDS")]
    pub bands: String,
    /// Do not sign requests to S3: public buckets
    #[arg(long)]
    pub no_sign_request: bool,
    #[command(flatten)]
    pub common: Common,
}

#[derive(clap::Args, Clone, Copy, Debug)]
pub struct LimitArgs {
    /// Complete bricks, in per cent, from which the report says PASS
    #[arg(long, default_value_t = 99.9, value_name = "PERCENT", value_parser = percent)]
    pub pass: f64,
    /// Complete bricks, in per cent, from which the report says WARN
    #[arg(long, default_value_t = 95.0, value_name = "PERCENT", value_parser = percent)]
    pub warn: f64,
}

fn percent(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=100.0).contains(&value) => Ok(value),
        _ => Err("it must be 0 to 100".to_owned()),
    }
}

impl LimitArgs {
    /// What passes cannot be worth a warning.
    pub fn check(self) -> Result<(), Refused> {
        if self.warn > self.pass {
            return Err((Exit::Usage, format!("--warn {} is above --pass {}", self.warn, self.pass)));
        }
        Ok(())
    }

    pub fn thresholds(self) -> Thresholds {
        Thresholds { pass_pct: self.pass, warn_pct: self.warn }
    }
}

impl WhatArgs {
    pub fn list(&self) -> Result<BrickList, Refused> {
        let path = Path::new(&self.bricks);
        let is_name = |name: &str| name.trim().parse::<BrickName>().is_ok();
        // What looks like no path is a name, be it a wrong one.
        let names = !path.exists()
            && (!self.bricks.contains(['/', '.', '\\']) || self.bricks.split(',').any(is_name));
        if names {
            return BrickList::named(&self.bricks).map_err(|e| (Exit::Usage, format!("--{e}")));
        }
        let read = |path: &Path| {
            BrickList::read(path).map_err(|e| {
                let exit =
                    if matches!(e, BrickListError::Read { .. }) { Exit::Missing } else { Exit::BadData };
                (exit, e.to_string())
            })
        };
        if !is_remote(path) {
            return read(path);
        }
        // Readers of tables go by the name of the file.
        let transient = |e: std::io::Error| (Exit::Transient, e.to_string());
        let (bytes, dir) = (read_file(path, false)?, tempfile::tempdir().map_err(transient)?);
        let file = dir.path().join(path.file_name().unwrap_or_default());
        std::fs::write(&file, bytes).map_err(transient)?;
        read(&file)
    }

    pub fn files(&self) -> Result<FileSet, Refused> {
        let files = files(&self.bands)?;
        Ok(if self.psfsize { files.with_psfsize() } else { files })
    }
}

/// The files in these bands.
pub fn files(bands: &str) -> Result<FileSet, Refused> {
    let bands: Result<Vec<Band>, _> = bands.split(',').map(|band| band.trim().parse()).collect();
    bands.and_then(FileSet::new).map_err(|e| (Exit::Usage, e.to_string()))
}

/// The cache at an address.
pub fn cache(address: &str, no_sign_request: bool) -> Result<CoaddCache, Refused> {
    let place = destination(address, no_sign_request).map_err(|e| (exit_of_error(&e), e.to_string()))?;
    if let Some(why) = place.as_folder().and_then(|path| folder(&path.to_string_lossy()).err()) {
        return Err((Exit::Usage, format!("--cache {address}: {why}")));
    }
    CoaddCache::new(place).map_err(refused)
}

/// A cache to read from, which has to be there.
pub fn filled_cache(address: &str, no_sign_request: bool) -> Result<CoaddCache, Refused> {
    let cache = cache(address, no_sign_request)?;
    if cache.place().as_folder().is_some_and(|folder| !folder.exists()) {
        return Err((Exit::Missing, format!("there is no cache {address}")));
    }
    Ok(cache)
}

/// A job that ends before it has said anything of a brick.
pub fn refused(error: CacheError) -> Refused {
    (exit_of_cache_error(&error), error.to_string())
}

/// How an error of the cache ends a run.
pub fn exit_of_cache_error(error: &CacheError) -> Exit {
    match error {
        CacheError::Store(e) => exit_of_error(e),
        CacheError::Missing { .. } => Exit::Missing,
        CacheError::Runtime(_) => Exit::Transient,
        _ => Exit::BadData,
    }
}
