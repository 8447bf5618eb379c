//! Writes every table of FITS files as a stream of Arrow IPC:
//!
//!     cargo run --release -p coaddkit-fits --features arrow --example to_arrow DIR FILE...
//!
//! Each table becomes `DIR/NUMBER.arrows`, and a line of what is printed: the number, the HDU and the file, between tabs.
//! A file that is not FITS, or a table that cannot be read, is named on stderr, and the exit code is 1.

use arrow_ipc::writer::StreamWriter;
use coaddkit_fits::{Fits, HduKind, Table};
use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((dir, files)) = args.split_first().filter(|(_, files)| !files.is_empty()) else {
        eprintln!("usage: to_arrow DIR FILE...");
        return ExitCode::from(2);
    };
    let (mut count, mut failed) = (0, false);
    for file in files {
        if let Err(error) = tables(Path::new(dir), file, &mut count) {
            eprintln!("{error}");
            failed = true;
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn tables(dir: &Path, file: &str, count: &mut usize) -> Result<(), Box<dyn Error>> {
    for hdu in Fits::open(file)?.hdus() {
        let hdu = hdu?;
        if matches!(hdu.kind(), HduKind::Table | HduKind::AsciiTable) {
            *count += 1;
            stream(&hdu.table()?, &dir.join(format!("{count}.arrows")))?;
            println!("{count}\t{}\t{file}", hdu.index());
        }
    }
    Ok(())
}

fn stream(table: &Table, path: &Path) -> Result<(), Box<dyn Error>> {
    let batches = table.scan().record_batches()?;
    let mut writer = StreamWriter::try_new(BufWriter::new(File::create(path)?), &batches.schema())?;
    for batch in batches {
        writer.write(&batch?)?;
    }
    Ok(writer.finish()?)
}
