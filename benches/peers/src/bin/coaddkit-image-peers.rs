//! The other FITS readers in Rust: digests of compressed images, and sums of small files.
//!
//! ```text
//! coaddkit-image-peers READER decode STEP FILE           every STEP-th pixel of the image in the second HDU
//! coaddkit-image-peers READER cutouts STEP FILE SIZE N   every STEP-th pixel of N squares at random places
//! coaddkit-image-peers READER sums FILE...               HDUs whose DATASUM and CHECKSUM are right
//! ```
//!
//! Each crate is used as its documentation suggests, from a memory map where it takes bytes. Those that know no
//! checksums count HDUs.

use std::io::{BufReader, Cursor};

type Failure = Box<dyn std::error::Error>;

/// Pixels as a crate hands them out.
enum Pixels {
    Floats(Vec<f32>),
    /// The same numbers as integers.
    Integers(Vec<i32>),
}

/// The sum of pixels, each times its place.
struct Digest {
    step: usize,
    sum: u64,
    place: usize,
}

impl Digest {
    fn add<T: Copy>(&mut self, pixels: &[T], bits: impl Fn(T) -> u32) {
        let first = (self.step - self.place % self.step) % self.step;
        for (at, &pixel) in pixels.iter().enumerate().skip(first).step_by(self.step) {
            let place = (self.place + at) as u64;
            self.sum = self.sum.wrapping_add(u64::from(bits(pixel)).wrapping_mul(2 * place + 1));
        }
        self.place += pixels.len();
    }

    fn floats(&mut self, pixels: &[f32]) {
        // All NaNs are one.
        self.add(pixels, |v| if v.is_nan() { 0x7fc0_0000 } else { v.to_bits() });
    }
}

/// A generator that is the same in every language.
struct Places(u64);

impl Places {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }
}

fn map(path: &str) -> Result<memmap2::Mmap, Failure> {
    let file = std::fs::File::open(path)?;
    // SAFETY: the benchmark does not change its files while it reads them.
    Ok(unsafe { memmap2::Mmap::map(&file)? })
}

fn image(reader: &str, path: &str) -> Result<Pixels, Failure> {
    Ok(match reader {
        "fitsio" => {
            let mut file = fitsio::FitsFile::open(path)?;
            let hdu = file.hdu(1)?;
            let fitsio::hdu::HduInfo::ImageInfo { image_type, .. } = hdu.info else {
                return Err("fitsio: no image".into());
            };
            use fitsio::images::ImageType::{Double, Float};
            if matches!(image_type, Float | Double) {
                Pixels::Floats(hdu.read_image(&mut file)?)
            } else {
                Pixels::Integers(hdu.read_image(&mut file)?)
            }
        }
        "fits-well" => {
            let bytes = map(path)?;
            let mut file = fits_well::FitsReader::from_bytes(&bytes)?;
            let index = file.images().next().ok_or("fits-well: no image")?.index;
            let mut pixels = Vec::new();
            file.image(index)?.physical_into(.., &mut pixels)?;
            Pixels::Floats(pixels)
        }
        "fitsio-pure" => {
            use fitsio_pure::image::ImageData;
            let bytes = map(path)?;
            let file = fitsio_pure::hdu::parse_fits(&bytes).map_err(|e| format!("{e:?}"))?;
            let hdu = file.get(1).ok_or("fitsio-pure: no second HDU")?;
            match fitsio_pure::tiled::read_tiled_image(&bytes, hdu).map_err(|e| format!("{e:?}"))? {
                ImageData::F32(pixels) => Pixels::Floats(pixels),
                ImageData::I32(pixels) => Pixels::Integers(pixels),
                _ => return Err("fitsio-pure: pixels of an unexpected type".into()),
            }
        }
        "fitsrs" => {
            use fitsrs::hdu::data::bintable::{
                data::BinaryTableData, tile_compressed::pixels::Pixels as Tiles,
            };
            let bytes = map(path)?;
            let mut file = fitsrs::Fits::from_reader(BufReader::new(Cursor::new(&bytes[..])));
            loop {
                let hdu = file.next().ok_or("fitsrs: no compressed image")??;
                let fitsrs::HDU::XBinaryTable(hdu) = hdu else { continue };
                break match file.get_data(&hdu) {
                    BinaryTableData::TileCompressed(Tiles::F32(pixels)) => Pixels::Floats(pixels.collect()),
                    BinaryTableData::TileCompressed(Tiles::I32(pixels)) => Pixels::Integers(pixels.collect()),
                    _ => return Err("fitsrs: not offered as an image".into()),
                };
            }
        }
        _ => return Err(USAGE.into()),
    })
}

fn cutouts(reader: &str, path: &str, size: usize, count: usize, digest: &mut Digest) -> Result<(), Failure> {
    let mut places = Places(12_345);
    match reader {
        "fitsio" => {
            let mut file = fitsio::FitsFile::open(path)?;
            let hdu = file.hdu(1)?;
            let fitsio::hdu::HduInfo::ImageInfo { shape, .. } = &hdu.info else {
                return Err("fitsio: no image".into());
            };
            let (rows, columns) = (shape[0], shape[1]);
            for _ in 0..count {
                let (x, y) = (places.next(columns - size), places.next(rows - size));
                // In the order of FITS, columns first.
                let pixels: Vec<f32> = hdu.read_region(&mut file, &[&(x..x + size), &(y..y + size)])?;
                digest.floats(&pixels);
            }
        }
        "fits-well" => {
            let bytes = map(path)?;
            let mut file = fits_well::FitsReader::from_bytes(&bytes)?;
            let index = file.images().next().ok_or("fits-well: no image")?.index;
            let mut image = file.image(index)?;
            let shape = image.metadata().shape.to_vec();
            let mut pixels: Vec<f32> = Vec::new();
            for _ in 0..count {
                let (x, y) = (places.next(shape[0] - size), places.next(shape[1] - size));
                pixels.clear();
                image.physical_into(&[x..x + size, y..y + size], &mut pixels)?;
                digest.floats(&pixels);
            }
        }
        _ => return Err(USAGE.into()),
    }
    Ok(())
}

fn sums(reader: &str, path: &str) -> Result<u64, Failure> {
    Ok(match reader {
        "fits-well" => {
            let mut file = fits_well::FitsReader::open(std::fs::File::open(path)?)?;
            let mut right = 0;
            for index in 0..file.hdus().len() {
                let found = format!("{:?}", file.verify_checksum(index)?);
                right += u64::from(!found.contains("Invalid") && !found.contains("Mismatch"));
            }
            right
        }
        "fitsio-pure" => {
            let bytes = map(path)?;
            fitsio_pure::hdu::parse_fits(&bytes).map_err(|e| format!("{e:?}"))?.len() as u64
        }
        "fitsrs" => {
            let mut file = fitsrs::Fits::from_reader(BufReader::new(std::fs::File::open(path)?));
            let mut hdus = 0;
            while let Some(hdu) = file.next() {
                hdu?;
                hdus += 1;
            }
            hdus
        }
        _ => return Err(USAGE.into()),
    })
}

const USAGE: &str = "coaddkit-image-peers fitsio|fits-well|fitsio-pure|fitsrs decode STEP FILE | cutouts STEP FILE SIZE N \
                     | sums FILE...";

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut digest = Digest { step: 1, sum: 0, place: 0 };
    match words.as_slice() {
        [reader, "decode", step, path] => {
            digest.step = step.parse()?;
            match image(reader, path)? {
                Pixels::Floats(pixels) if path.contains("mask") => digest.add(&pixels, |v| v as i32 as u32),
                Pixels::Floats(pixels) => digest.floats(&pixels),
                Pixels::Integers(pixels) => digest.add(&pixels, |v| v as u32),
            }
        }
        [reader, "cutouts", step, path, size, count] => {
            digest.step = step.parse()?;
            cutouts(reader, path, size.parse()?, count.parse()?, &mut digest)?;
        }
        [reader, "sums", paths @ ..] => {
            for path in paths {
                digest.sum += sums(reader, path)?;
            }
        }
        _ => return Err(USAGE.into()),
    }
    println!("digest={}", digest.sum);
    Ok(())
}
