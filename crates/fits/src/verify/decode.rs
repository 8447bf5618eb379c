//! Every column and every pixel.

use super::tables::Stored;
use super::{Findings, Level, Severity};
use crate::error::Error;
use crate::file::Hdu;
use crate::sample::with_pixels;
use crate::structure::HduKind;

/// How often the bytes of a heap may be pointed to. Arrays may share bytes, but a damaged or hostile table could
/// ask for the same gigabyte in every row.
const SHARING: u64 = 64;

pub(super) fn check(hdu: &Hdu, findings: &mut Findings) -> Result<(), Error> {
    match hdu.kind() {
        HduKind::Table | HduKind::AsciiTable => table(hdu, findings),
        HduKind::Image if !hdu.shape().is_empty() => image(hdu, findings),
        HduKind::Image | HduKind::Groups | HduKind::Other => Ok(()),
    }
}

/// Pixels held at a time, or one layer of tiles where that has more.
const PIXELS: u64 = 4 << 20;

fn image(hdu: &Hdu, findings: &mut Findings) -> Result<(), Error> {
    let image = hdu.image()?;
    let shape = image.shape();
    // An image has so few pixels that their bytes can be counted.
    let bytes = image.len() * image.pixel_type().bytes() as u64;
    if image.is_empty() || !findings.afford(hdu, bytes) {
        return Ok(());
    }
    let tile = hdu.compression().and_then(|c| c.tile.first().copied()).unwrap_or(1).max(1);
    // An image that is not empty has an axis, and its pixels can be counted.
    let layer = (image.len() / shape[0]).max(1);
    let step = (PIXELS / layer / tile).max(1).saturating_mul(tile);
    let mut ranges: Vec<_> = shape.iter().map(|&n| 0..n).collect();
    let mut start = 0;
    while start < shape[0] {
        let end = start.saturating_add(step).min(shape[0]);
        ranges[0] = start..end;
        with_pixels!(image.pixel_type(), T => image.section::<T>(&ranges)?);
        start = end;
    }
    Ok(())
}

fn table(hdu: &Hdu, findings: &mut Findings) -> Result<(), Error> {
    if hdu.kind() == HduKind::Table {
        let stored = Stored::new(hdu).map_err(|kind| hdu.error(kind))?;
        let (wanted, held) = (stored.array_bytes()?, hdu.data_bytes().max(1 << 20));
        if wanted > held.saturating_mul(SHARING) {
            let what = format!("not checked: arrays of {wanted} bytes share a heap in {held} bytes of data");
            findings.push(hdu.finding(Level::Pixels, Severity::Warning, hdu.data_offset(), what));
            return Ok(());
        }
    }
    let table = hdu.table()?;
    if !findings.afford(hdu, table.rows().saturating_mul(table.row_bytes())) {
        return Ok(());
    }
    let mut scan = table.scan();
    for index in 0..table.columns().len() {
        match scan.clone().column_at(index) {
            Ok(wider) => scan = wider,
            Err(error) => {
                findings.error(Level::Pixels, &error)?;
            }
        }
    }
    scan.for_each(|_| Ok(()))
}
