//! What a section reads of its file: the tiles it touches, and those that are kept only once.

use super::conformance::files;
use coaddkit_fits::{Fits, Image, ReadAt, Sections};
use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};

/// Bytes that remember which of them were read.
struct Recorder {
    bytes: Vec<u8>,
    reads: Mutex<Vec<Range<u64>>>,
}

impl Recorder {
    fn new(bytes: Vec<u8>) -> Arc<Self> {
        Arc::new(Self { bytes, reads: Mutex::default() })
    }

    /// The bytes read since the last call, by place.
    fn take(&self) -> BTreeSet<u64> {
        std::mem::take(&mut *self.reads.lock().unwrap()).into_iter().flatten().collect()
    }
}

impl ReadAt for Recorder {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let n = self.bytes.read_at(buf, offset)?;
        self.reads.lock().unwrap().push(offset..offset + n as u64);
        Ok(n)
    }

    fn size(&self) -> io::Result<Option<u64>> {
        self.bytes.size()
    }
}

fn open(source: &Arc<Recorder>, hdu: usize) -> Image {
    let image = Fits::from_source(Arc::clone(source)).unwrap().hdu(hdu).unwrap().image().unwrap();
    source.take();
    image
}

/// The tiles of an image, in the order of the table's rows.
fn tiles(image: &Image) -> Vec<Vec<Range<u64>>> {
    let mut all: Vec<Vec<Range<u64>>> = vec![Vec::new()];
    for (&n, &t) in image.shape().iter().zip(&image.hdu().compression().unwrap().tile) {
        let along = |i: u64| i * t..(i * t + t).min(n);
        all = all
            .iter()
            .flat_map(|tile| (0..n.div_ceil(t)).map(move |i| [&tile[..], &[along(i)]].concat()))
            .collect();
    }
    all
}

fn cut(image: &Image, ranges: &[Range<u64>]) -> String {
    use coaddkit_fits::PixelType::{I64, U64};
    let pixels = match image.pixel_type() {
        I64 => format!("{:?}", image.section::<i64>(ranges)),
        U64 => format!("{:?}", image.section::<u64>(ranges)),
        _ => format!("{:?}", image.section::<f64>(ranges)),
    };
    assert!(pixels.starts_with("Ok"), "{pixels}");
    pixels
}

/// No byte of another tile is read, and all of them may be damaged.
#[test]
fn a_section_reads_only_the_tiles_it_touches() {
    let mut checked = 0;
    for (name, bytes, hdu, _) in files() {
        let source = Recorder::new(bytes.clone());
        let image = open(&source, hdu);
        let data = image.hdu().data_offset() as usize;
        if image.hdu().compression().is_none() {
            continue;
        }
        let tiles = tiles(&image);
        if tiles.len() < 3 {
            continue;
        }
        let mut others = BTreeSet::new();
        for tile in tiles.iter().take(40) {
            // A corner of it.
            let ranges: Vec<_> = tile.iter().map(|r| r.start..r.start + (r.end - r.start).min(3)).collect();
            let pixels = cut(&image, &ranges);
            let read = source.take();
            assert!(!read.is_empty() && read.is_disjoint(&others), "{name}: {tile:?} reads of other tiles");
            let mut damaged = bytes.clone();
            for (at, byte) in damaged.iter_mut().enumerate().skip(data) {
                if !read.contains(&(at as u64)) {
                    *byte = !*byte;
                }
            }
            let damaged = Fits::from_source(damaged).unwrap().hdu(hdu).unwrap().image().unwrap();
            assert_eq!(cut(&damaged, &ranges), pixels, "{name}: {tile:?}");
            others.extend(read);
            checked += 1;
        }
    }
    assert!(checked > 500, "{checked}");
}

/// A stamp of a real coadd takes four of its 1296 tiles.
#[test]
fn a_stamp_of_a_real_coadd_reads_little() {
    for (product, share) in [("image-g", 0.01), ("invvar-g", 0.01), ("nexp-g", 0.01)] {
        let path = format!("data/coadds/legacysurvey-0959p805-{product}.fits.fz");
        let Some(path) = coaddkit_testkit::shared(&path) else { return };
        let source = Recorder::new(std::fs::read(path).unwrap());
        let image = open(&source, 1);
        let stamps = image.sections(1 << 20);
        let stamp: Vec<f32> = stamps.section(&[1768..1832, 2268..2332]).unwrap();
        assert_eq!((stamp.len(), stamps.tiles_decoded()), (64 * 64, 4));
        let read = source.take().len() as f64 / image.hdu().data_bytes() as f64;
        assert!(read < share, "{product}: {read}");
    }
}

fn stamp(sections: &Sections, y: u64, x: u64) -> Vec<f32> {
    sections.section(&[y..y + 6, x..x + 6]).unwrap()
}

#[test]
fn kept_tiles_are_not_read_again_and_stay_within_the_budget() {
    let (_, bytes, hdu, _) = files().into_iter().find(|f| f.0 == "rice_f4_d1.fits").unwrap();
    let source = Recorder::new(bytes);
    let image = open(&source, hdu); // 41 x 67 in tiles of 16 x 20, 1280 bytes each
    let positions = || (0..35).flat_map(|y| (0..61).map(move |x| (y, x)));
    let sections = image.sections(1 << 20);
    positions().for_each(|(y, x)| _ = stamp(&sections, y, x));
    assert_eq!(sections.tiles_decoded(), 12);
    let all = source.take();
    positions().for_each(|(y, x)| _ = stamp(&sections, y, x));
    assert_eq!((source.take().len(), sections.tiles_decoded()), (0, 12), "all tiles are kept");

    // With room for three, what is kept is not read, and what went is read again.
    let budget = 3 * 1280 + 100;
    let sections = image.sections(budget);
    let mut most = 0;
    for (y, x) in positions() {
        let (before, wanted) = (sections.tiles_decoded(), stamp(&sections, y, x));
        assert_eq!(source.take().is_empty(), sections.tiles_decoded() == before);
        assert_eq!(wanted, image.section::<f32>(&[y..y + 6, x..x + 6]).unwrap());
        source.take();
        most = most.max(sections.kept_bytes());
    }
    assert!(most <= budget && most > 2 * 1280, "{most} of {budget}");
    assert!(sections.tiles_decoded() > 12);
    assert!(all.len() as u64 <= image.hdu().data_bytes());
}
