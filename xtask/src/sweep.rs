//! `cargo xtask sweep`: a large sweep catalogue for benchmarks.

use std::path::Path;

use coaddkit_testkit::Sweep;

use crate::{Done, Stop};

pub fn run(args: &[&str]) -> Done {
    let (mut out, mut rows, mut epochs, mut seed) = (None, None, 0, 1);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut number = || {
            let value = args.next().ok_or_else(|| Stop::Usage(format!("{arg} needs a number")))?;
            value.parse::<u64>().map_err(|e| Stop::Usage(format!("{arg} {value}: {e}")))
        };
        match *arg {
            "--rows" => rows = Some(number()? as usize),
            "--lc" => epochs = number()? as usize,
            "--seed" => seed = number()?,
            path if !path.starts_with('-') && out.is_none() => out = Some(Path::new(path)),
            _ => return Err(Stop::Usage(format!("sweep does not know {arg}"))),
        }
    }
    let out = out.ok_or_else(|| Stop::Usage("sweep needs a file to write".to_owned()))?;
    let rows = rows.ok_or_else(|| Stop::Usage("sweep needs --rows N".to_owned()))?;
    let sweep = Sweep { light_curve_epochs: epochs, ..Sweep::new(seed, rows) };
    sweep.write(out).map_err(Stop::at(out.display()))?;
    println!("{}: {rows} rows of {} bytes", out.display(), sweep.layout().row_bytes());
    Ok(())
}
