//! Our side of the comparison of image readers: prints a digest of what it read.
//!
//! ```text
//! images decode STEP FILE THREADS     every STEP-th pixel of the first image
//! images cutouts STEP FILE SIZE N     every STEP-th pixel of N squares at random places
//! images sums FILE...                 HDUs whose DATASUM and CHECKSUM are right
//! images verify FILE...               the same, by `verify`
//! images raw STEP FILE                a file of little-endian pixels of four bytes
//! ```

use coaddkit_fits::{Error, Fits, Hdu, HduKind, Image, Level, PixelType, Sample, verify};
use std::path::Path;

type Failure = Box<dyn std::error::Error>;

/// A sum of pixels, each times its place: pixels that change places change it.
#[derive(Default)]
struct Digest {
    sum: u64,
    pixels: u64,
}

impl Digest {
    fn add<T: Sample>(&mut self, pixels: &[T], step: usize, bits: impl Fn(T) -> u32) {
        let first = (step - self.pixels as usize % step) % step;
        for (at, &pixel) in (self.pixels + first as u64..)
            .step_by(step)
            .zip(pixels[first.min(pixels.len())..].iter().step_by(step))
        {
            self.sum = self.sum.wrapping_add(u64::from(bits(pixel)).wrapping_mul(2 * at + 1));
        }
        self.pixels += pixels.len() as u64;
    }
}

/// All NaNs are one.
fn float_bits(value: f32) -> u32 {
    if value.is_nan() { f32::NAN.to_bits() } else { value.to_bits() }
}

fn int_bits(value: i32) -> u32 {
    value as u32
}

fn first_image(path: &str) -> Result<Image, Error> {
    let fits = Fits::open(path)?;
    let with_data = |hdu: &Hdu| hdu.kind() == HduKind::Image && !hdu.shape().is_empty();
    let found = fits.hdus().find(|hdu| hdu.as_ref().map_or(true, with_data));
    found.unwrap_or_else(|| fits.hdu(0))?.image()
}

fn decode(step: usize, path: &str, threads: usize) -> Result<u64, Failure> {
    let image = first_image(path)?;
    let mut digest = Digest::default();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    if image.pixel_type() == PixelType::F32 {
        digest.add(&pool.install(|| image.read::<f32>())?, step, float_bits);
    } else {
        digest.add(&pool.install(|| image.read::<i32>())?, step, int_bits);
    }
    Ok(digest.sum)
}

/// A generator that is the same in every language.
struct Places(u64);

impl Places {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

fn cutouts(step: usize, path: &str, size: u64, count: usize, kept: Option<usize>) -> Result<u64, Failure> {
    let image = first_image(path)?;
    let &[rows, columns] = image.shape() else { return Err("the image has not two axes".into()) };
    let sections = kept.map(|bytes| image.sections(bytes));
    let mut places = Places(12_345);
    let mut out = vec![0_f32; (size * size) as usize];
    let mut digest = Digest::default();
    for _ in 0..count {
        let (x, y) = (places.next(columns - size), places.next(rows - size));
        let region = [y..y + size, x..x + size];
        match &sections {
            Some(sections) => sections.section_into(&region, &mut out)?,
            None => image.section_into(&region, &mut out)?,
        }
        digest.add(&out, step, float_bits);
    }
    Ok(digest.sum)
}

fn sums(paths: &[String]) -> Result<u64, Failure> {
    let mut right = 0;
    let mut cards = 0;
    for path in paths {
        for hdu in Fits::open(path)?.hdus() {
            let hdu = hdu?;
            cards += hdu.header().cards().filter(|card| card.bytes()[8] == b'=').count();
            let declared = hdu.header().text("DATASUM").and_then(|sum| sum.parse::<u32>().ok());
            let found = hdu.checksums()?;
            right += u64::from(declared == Some(found.data) && found.hdu == u32::MAX);
        }
    }
    println!("cards={cards}");
    Ok(right)
}

fn verified(paths: &[String]) -> Result<u64, Failure> {
    let mut right = 0;
    for path in paths {
        let clean = verify(Path::new(path), Level::Checksum)?.is_empty();
        right += if clean { Fits::open(path)?.hdus().count() as u64 } else { 0 };
    }
    Ok(right)
}

fn raw(step: usize, path: &str) -> Result<u64, Failure> {
    let bytes = std::fs::read(path)?;
    let pixels: Vec<f32> = bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
    let mut digest = Digest::default();
    digest.add(&pixels, step, float_bits);
    Ok(digest.sum)
}

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let answer = match words.as_slice() {
        ["decode", step, path, threads] => decode(step.parse()?, path, threads.parse()?),
        ["cutouts", step, path, size, count] => {
            cutouts(step.parse()?, path, size.parse()?, count.parse()?, Some(64 << 20))
        }
        ["sections", step, path, size, count] => {
            cutouts(step.parse()?, path, size.parse()?, count.parse()?, None)
        }
        ["sums", ..] => sums(&args[1..]),
        ["verify", ..] => verified(&args[1..]),
        ["raw", step, path] => raw(step.parse()?, path),
        _ => Err("images decode|cutouts|sections|sums|verify|raw ...".into()),
    }?;
    println!("digest={answer}");
    Ok(())
}
