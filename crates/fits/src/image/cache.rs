//! Many sections of one image, with the tiles kept.

use super::{Image, volume};
use crate::error::Error;
use crate::sample::{Pixels, Sample, with_pixels};
use crate::tile::{Place, shared_rows};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// Many sections of one image: tiles that were decoded are kept, those used longest ago go first.
///
/// From [`Image::sections`]. May be shared by threads. An image that is not compressed is read as
/// [`Image::section`] does, and nothing is kept.
///
/// # Examples
///
/// ```no_run
/// # fn main() -> Result<(), coaddkit_fits::Error> {
/// let stamps = coaddkit_fits::Fits::open("image.fits.fz")?.hdu(1)?.image()?.sections(64 << 20);
/// for (y, x) in [(100, 100), (110, 120), (3000, 200)] {
///     let stamp: Vec<f32> = stamps.section(&[y..y + 64, x..x + 64])?;
/// }
/// # Ok(())
/// # }
/// ```
pub struct Sections {
    image: Image,
    budget: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// Pixels of a tile and when it was last used.
    tiles: HashMap<u64, (Arc<Pixels>, u64)>,
    by_age: BTreeMap<u64, u64>,
    clock: u64,
    bytes: usize,
    decoded: u64,
}

impl Kept {
    fn get(&mut self, tile: u64) -> Option<Arc<Pixels>> {
        let (pixels, used) = self.tiles.get_mut(&tile)?;
        self.by_age.remove(used);
        self.clock += 1;
        *used = self.clock;
        self.by_age.insert(self.clock, tile);
        Some(Arc::clone(pixels))
    }

    fn put(&mut self, tile: u64, pixels: Arc<Pixels>, bytes: usize, pixel_bytes: usize, budget: usize) {
        self.decoded += 1;
        if bytes > budget || self.tiles.contains_key(&tile) {
            return;
        }
        while self.bytes + bytes > budget {
            let Some((_, oldest)) = self.by_age.pop_first() else { break };
            if let Some((gone, _)) = self.tiles.remove(&oldest) {
                self.bytes -= gone.len() * pixel_bytes;
            }
        }
        self.clock += 1;
        self.by_age.insert(self.clock, tile);
        self.tiles.insert(tile, (pixels, self.clock));
        self.bytes += bytes;
    }
}

impl Sections {
    pub(super) fn new(image: Image, budget: usize) -> Self {
        Self { image, budget, kept: Mutex::default() }
    }

    /// The image.
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// Number of tiles decoded so far.
    pub fn tiles_decoded(&self) -> u64 {
        self.lock().decoded
    }

    /// Bytes of the pixels that are kept, at most the budget.
    pub fn kept_bytes(&self) -> usize {
        self.lock().bytes
    }

    /// The pixels of a box, as [`Image::section`].
    ///
    /// # Errors
    ///
    /// As for [`Image::section`].
    pub fn section<T: Sample>(&self, ranges: &[Range<u64>]) -> Result<Vec<T>, Error> {
        if self.image.tiles().is_none() {
            return self.image.section(ranges);
        }
        self.image.check::<T>(ranges)?;
        self.image.charge::<T>(ranges)?;
        let mut out = vec![T::default(); volume(ranges) as usize];
        self.section_into(ranges, &mut out)?;
        Ok(out)
    }

    /// The pixels of a box, as [`Image::section_into`].
    ///
    /// # Errors
    ///
    /// As for [`Image::section_into`].
    pub fn section_into<T: Sample>(&self, ranges: &[Range<u64>], out: &mut [T]) -> Result<(), Error> {
        let Some(tiles) = self.image.tiles() else { return self.image.section_into(ranges, out) };
        self.image.check_room::<T>(ranges, out.len())?;
        for place in tiles.grid().touched(ranges) {
            let pixels = self.tile(&place)?;
            shared_rows(&place.region, ranges, |first, to, length| {
                pixels.copy(first as usize, &mut out[to as usize..(to + length) as usize]);
                Ok::<_, Error>(())
            })?;
        }
        Ok(())
    }

    fn tile(&self, place: &Place) -> Result<Arc<Pixels>, Error> {
        if let Some(pixels) = self.lock().get(place.index) {
            return Ok(pixels);
        }
        let own = self.image.pixel_type();
        let pixels = Arc::new(with_pixels!(own, T => self.image.section::<T>(&place.region)?));
        let each = own.bytes();
        self.lock().put(place.index, Arc::clone(&pixels), pixels.len() * each, each, self.budget);
        Ok(pixels)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Sections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sections")
            .field("image", &self.image)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}
