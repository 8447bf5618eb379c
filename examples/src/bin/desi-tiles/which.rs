//! Which files, and from where.

use crate::inventory::{Pixel, pixels};
use crate::job::{Slots, Tiles};
use crate::source::Source;
use clap::Args as ClapArgs;
use coaddkit_examples::{Common, Exit, Failed, MoveArgs, Refused, Run, Table, print, read_file, refused};
use coaddkit_spectra::Spectra;
use coaddkit_tasks::{Missing, check as check_inputs};
use sha2::{Digest, Sha256};
use std::path::PathBuf;

#[derive(ClapArgs)]
pub struct Which {
    /// CSV of files, here or elsewhere: survey, program, pixel, file_type (coadd|redrock), filename, s3_key
    #[arg(long, value_name = "CSV")]
    pub inventory: PathBuf,
    /// Where the keys lead to: a folder, http(s)://… or s3://…
    #[arg(long, value_name = "URL")]
    pub source: String,
    #[command(flatten)]
    pub moves: MoveArgs,
}

#[derive(ClapArgs)]
pub struct CheckArgs {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    common: Common,
}

impl Which {
    /// The pixels, and the SHA-256 of the inventory.
    pub fn read(&self) -> Result<(Vec<Pixel>, String), Refused> {
        let path = &self.inventory;
        let at = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
        let text = read_file(path, self.moves.no_sign_request)?;
        let digest = Sha256::digest(&text).iter().map(|b| format!("{b:02x}")).collect();
        let text = String::from_utf8(text).map_err(|e| (Exit::BadData, at(&e)))?;
        Ok((pixels(&text).map_err(|e| (Exit::BadData, at(&e)))?, digest))
    }

    pub fn source(&self, quiet: bool) -> Source {
        Source::new(&self.source, &self.moves, quiet)
    }
}

/// `desi-tiles check`
pub fn check(args: &CheckArgs) -> Exit {
    let mut run = Run::start("desi-tiles check");
    let found = args.which.read().and_then(|(pixels, _)| {
        let tiles = Tiles {
            source: args.which.source(args.common.quiet),
            out: PathBuf::new(),
            spectra: Spectra::new(),
            imported: Default::default(),
            converting: Slots::new(1),
        };
        let found = check_inputs(&tiles, &pixels, args.common.workers()).map_err(|e| refused(&e))?;
        Ok((pixels.len(), found))
    });
    match found {
        Err((exit, reason)) => run.refuse(&args.common, exit, &reason),
        Ok((pixels, found)) => {
            run.counts.insert("inputs", 2 * pixels as u64);
            run.counts.insert("missing", found.len() as u64);
            missing(&found, &mut run, args.common.quiet);
            if !args.common.quiet {
                print(&format!("{} of {} inputs are missing\n", found.len(), 2 * pixels));
            }
            run.end(&args.common, if found.is_empty() { Exit::Complete } else { Exit::Missing })
        }
    }
}

/// Lists inputs that are not there.
pub fn missing(found: &[Missing], run: &mut Run, quiet: bool) {
    let mut table = Table::new(["pixel", "missing", "where"]);
    for m in found {
        table.row([m.unit.clone(), m.kind.clone(), m.place.clone()]);
        run.failures.push(Failed {
            item: m.unit.clone(),
            path: m.place.clone(),
            reason: format!("{} is missing", m.kind),
            attempts: 0,
        });
    }
    if !found.is_empty() && !quiet {
        print(&table.to_string());
    }
}
