//! The writer: what it writes is read back by the crate's own reader. Other readers are asked by `cargo xtask test`.

mod cards;
mod files;
mod images;
mod properties;
mod tables;
mod tiles;

use coaddkit_fits::{Error, Fits, Level, Writer};
use std::io::Cursor;

type Sink = Cursor<Vec<u8>>;

/// Writes a file in memory, finds nothing wrong with it, and opens it.
fn written(write: impl FnOnce(&mut Writer<Sink>) -> Result<(), Error>) -> Fits {
    let mut writer = Writer::new(Cursor::new(Vec::new()));
    write(&mut writer).unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    assert_eq!(bytes.len() % 2880, 0);
    let fits = Fits::from_source(bytes).unwrap();
    assert_eq!(fits.verify(Level::Pixels).unwrap(), []);
    for hdu in fits.hdus() {
        let sums = hdu.unwrap().checksums().unwrap();
        assert_eq!(sums.hdu, u32::MAX, "every HDU has its CHECKSUM");
    }
    fits
}

/// What went wrong in a write that must fail, and must leave nothing behind.
fn refused(write: impl FnOnce(&mut Writer<Sink>) -> Result<(), Error>) -> String {
    let mut writer = Writer::new(Cursor::new(Vec::new()));
    let error = write(&mut writer).unwrap_err();
    assert_eq!(error.class(), coaddkit_fits::ErrorClass::Caller, "{error}");
    error.to_string()
}
