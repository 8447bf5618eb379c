//! Decoding images: whole, for each codec; cutouts; headers and sums. Criterion groups are `fits/<function>`.
//!
//! The files are those of the conformance set, whose images are small, so that what a codec needs for each tile
//! counts too; beside them, where `cargo xtask peers images` has made them, those of 3600 x 3600 pixels.

use coaddkit_fits::{Checksum, Fits, Image, Level, PixelType};
use coaddkit_testkit::gunzip;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::path::{Path, PathBuf};

/// A file of the conformance set and what it stands for.
const FILES: [(&str, &str); 10] = [
    ("plain", "plain_f4"),
    ("rice", "rice_i4"),
    ("rice-dither", "rice_f4_d2"),
    ("rice-dither-nan", "rice_f4_d2_nan"),
    ("gzip", "gzip_i4"),
    ("gzip-shuffled", "gzip_2_i4"),
    ("hcompress-noise", "hcompress_i4"),
    ("hcompress-mask", "hcompress_i4_mask"),
    ("hcompress-smooth", "hcompress_i4_smooth"),
    ("plio", "plio_i4"),
];

/// An image of the comparison with other readers and what it stands for.
const LARGE: [(&str, &str); 9] = [
    ("plain", "image.fits"),
    ("rice", "mask_rice.fits.fz"),
    ("rice-dither", "image_ls.fits.fz"),
    ("rice-dither-nan", "nan_ls.fits.fz"),
    ("gzip", "mask_gzip1.fits.fz"),
    ("gzip-shuffled", "mask_gzip2.fits.fz"),
    ("hcompress-mask", "mask_hc.fits.fz"),
    ("hcompress-rows", "mask_hcrow.fits.fz"),
    ("plio", "mask_plio.fits.fz"),
];

fn small(name: &str) -> Fits {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/conformance/files");
    let packed =
        std::fs::read(folder.join(format!("{name}.fits.gz"))).expect("a file of the conformance set");
    Fits::from_source(gunzip(&packed).expect("a gzip stream")).expect("a FITS file")
}

/// Where an image of the comparison lies, if it has been made.
fn large(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers/data/images").join(name);
    path.is_file().then_some(path)
}

fn image_of(fits: &Fits) -> Image {
    let found = fits.hdus().filter_map(Result::ok).find_map(|hdu| hdu.image().ok());
    found.expect("an image")
}

fn decode(criterion: &mut Criterion, pool: &rayon::ThreadPool, label: &str, image: &Image) {
    let side = image.shape().iter().map(u64::to_string).collect::<Vec<_>>().join("x");
    let mut group = criterion.benchmark_group(format!("fits/decode/{side}"));
    group.throughput(Throughput::Elements(image.len())).sample_size(20);
    group.bench_function(label, |b| match image.pixel_type() {
        PixelType::F32 => {
            let mut out = vec![0_f32; image.len() as usize];
            pool.install(|| b.iter(|| image.read_into(black_box(&mut out)).expect("pixels")));
        }
        PixelType::I32 => {
            let mut out = vec![0_i32; image.len() as usize];
            pool.install(|| b.iter(|| image.read_into(black_box(&mut out)).expect("pixels")));
        }
        _ => {
            let mut out = vec![0_f64; image.len() as usize];
            pool.install(|| b.iter(|| image.read_into(black_box(&mut out)).expect("pixels")));
        }
    });
    group.finish();
}

fn images(criterion: &mut Criterion) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    for (label, name) in FILES {
        let image = image_of(&small(name));
        decode(criterion, &pool, label, &image);
    }
    for (label, name) in LARGE {
        let Some(path) = large(name) else { continue };
        let image = image_of(&Fits::open(path).expect("a FITS file"));
        decode(criterion, &pool, label, &image);
    }
}

/// Squares at places that are the same each time, with tiles kept and without.
fn squares(criterion: &mut Criterion, size: u64, label: &str, image: &Image) {
    let &[rows, columns] = image.shape() else { return };
    let corners: Vec<(u64, u64)> =
        (0..16).map(|i| (i * 7919 % (rows - size + 1), i * 10_007 % (columns - size + 1))).collect();
    let mut out = vec![0_f32; (size * size) as usize];
    let mut group = criterion.benchmark_group(format!("fits/cutout/{size}x{size}"));
    group.throughput(Throughput::Elements(corners.len() as u64 * size * size)).sample_size(20);
    group.bench_function(BenchmarkId::new("section", label), |b| {
        b.iter(|| {
            for &(y, x) in &corners {
                image.section_into(&[y..y + size, x..x + size], &mut out).expect("pixels");
            }
        });
    });
    let sections = image.sections(64 << 20);
    group.bench_function(BenchmarkId::new("sections", label), |b| {
        b.iter(|| {
            for &(y, x) in &corners {
                sections.section_into(&[y..y + size, x..x + size], &mut out).expect("pixels");
            }
        });
    });
    group.finish();
}

fn cutouts(criterion: &mut Criterion) {
    squares(criterion, 16, "16x20 tiles", &image_of(&small("rice_f4_d2")));
    if let Some(path) = large("image_ls.fits.fz") {
        squares(criterion, 64, "100x100 tiles", &image_of(&Fits::open(path).expect("a FITS file")));
    }
}

fn sums(criterion: &mut Criterion) {
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let mut group = criterion.benchmark_group("fits/checksum");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("1MB", |b| {
        b.iter(|| {
            let mut sum = Checksum::new();
            sum.update(black_box(&bytes));
            sum.value()
        });
    });
    group.finish();

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("stamp.fits.fz");
    let stamp = stamp();
    std::fs::write(&path, &stamp).expect("a file");
    let mut group = criterion.benchmark_group("fits/small-file");
    group.throughput(Throughput::Bytes(stamp.len() as u64));
    group.bench_function("headers-and-sums", |b| {
        b.iter(|| {
            let fits = Fits::open(&path).expect("a FITS file");
            fits.hdus().map(|hdu| hdu.and_then(|h| h.checksums()).expect("sums").data).max()
        });
    });
    group.bench_function("verify", |b| {
        b.iter(|| coaddkit_fits::verify(&path, Level::Checksum).expect("findings").len());
    });
    group.finish();
}

/// Two HDUs with 60 cards and 20 kB of data, as an archive serves them by the million.
fn stamp() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut unit = |start: &[&str], data: usize| {
        let fill = (0..60).map(|i| format!("KEY{i:<5}=                 {i:4} / a value"));
        let cards = start.iter().map(|&card| card.to_owned()).chain(fill).chain(["END".to_owned()]);
        bytes.extend(cards.flat_map(|card| format!("{card:80}").into_bytes()));
        bytes.resize(bytes.len().next_multiple_of(2880), b' ');
        bytes.extend((0..data).map(|i| (i * 31 % 251) as u8));
        bytes.resize(bytes.len().next_multiple_of(2880), 0);
    };
    unit(
        &[
            "SIMPLE  =                    T",
            "BITPIX  =                    8",
            "NAXIS   =                    0",
        ],
        0,
    );
    let table = [
        "XTENSION= 'IMAGE   '",
        "BITPIX  =                    8",
        "NAXIS   =                    1",
        "NAXIS1  =                20000",
        "PCOUNT  =                    0",
        "GCOUNT  =                    1",
    ];
    unit(&table, 20_000);
    bytes
}

criterion_group!(benches, images, cutouts, sums);
criterion_main!(benches);
