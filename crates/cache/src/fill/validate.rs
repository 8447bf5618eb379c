//! What is published is whole.

use crate::verify::flaws;
use coaddkit_fits::{Level, ReadAt};
use coaddkit_transfer::{Check, Content, Item, Validate};
use std::io;

/// Refuses what is no whole FITS file with pixels: structure to the last byte, checksums, bounds of tiles in the heap.
///
/// # Examples
///
/// ```
/// use coaddkit_cache::WholeFits;
/// use coaddkit_transfer::{Destination, Transfer};
///
/// let transfer = Transfer::new(Destination::folder("images")).validate(WholeFits);
/// # let _ = transfer;
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct WholeFits;

impl Validate for WholeFits {
    fn start(&self, _: &Item) -> Box<dyn Check> {
        Box::new(Self)
    }
}

impl Check for WholeFits {
    fn finish(self: Box<Self>, content: &Content<'_>) -> Result<(), String> {
        let content = content.share().map_err(|e| e.to_string())?;
        match flaws(Unpublished(content), Level::Checksum).into_iter().next() {
            None => Ok(()),
            Some(first) => Err(first.to_string()),
        }
    }
}

/// The bytes of a file that is not published yet, where they lie, as [`coaddkit_fits`] reads them.
#[derive(Debug)]
pub struct Unpublished(pub Content<'static>);

impl ReadAt for Unpublished {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buf, offset)
    }

    fn size(&self) -> io::Result<Option<u64>> {
        Ok(Some(self.0.len()))
    }
}
