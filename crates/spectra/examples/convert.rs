//! One pixel: `cargo run --release -p coaddkit-spectra --example convert -- COADD REDROCK OUT`

use std::path::PathBuf;
use std::time::Instant;

use coaddkit_spectra::{PixelId, Product, Spectra};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [coadd, redrock, out] = std::env::args_os()
        .skip(1)
        .map(PathBuf::from)
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| "three paths: coadd, redrock, folder")?;
    let start = Instant::now();
    let selected = Spectra::new().open(&coadd, &redrock)?;
    match selected.write(&out, &PixelId::new("main", "dark", 0)?)? {
        Product::Table { path, rows, bytes } => println!("{path}: {rows} spectra, {bytes} bytes"),
        Product::NoRows { path } => println!("{path}: no target is selected"),
        _ => {}
    }
    println!("{:.3} s", start.elapsed().as_secs_f64());
    Ok(())
}
