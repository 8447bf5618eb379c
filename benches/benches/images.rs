//! Decoding images: whole, for each codec, and cutouts. The files are those of the conformance set, so a tile is
//! small; what a codec reaches on large tiles is in the comparison with CFITSIO.

use coaddkit_fits::{Fits, Image};
use coaddkit_testkit::gunzip;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::path::Path;

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

fn open(name: &str) -> Image {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/conformance/files");
    let packed =
        std::fs::read(folder.join(format!("{name}.fits.gz"))).expect("a file of the conformance set");
    let fits = Fits::from_source(gunzip(&packed).expect("a gzip stream")).expect("a FITS file");
    fits.hdu(usize::from(!name.starts_with("plain"))).and_then(|h| h.image()).expect("an image")
}

fn images(criterion: &mut Criterion) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    for (label, name) in FILES {
        let image = open(name);
        let mut out = vec![0_f64; image.len() as usize];
        let mut group = criterion.benchmark_group("fits/image");
        group.throughput(Throughput::Elements(image.len())).sample_size(40);
        group.bench_function(BenchmarkId::new("decode", label), |b| {
            pool.install(|| b.iter(|| image.read_into(black_box(&mut out)).expect("pixels")));
        });
        group.finish();
    }
    let image = open("rice_f4_d2");
    let mut out = vec![0_f32; 16 * 16];
    let mut group = criterion.benchmark_group("fits/cutout");
    group.throughput(Throughput::Elements(out.len() as u64)).sample_size(40);
    let corners = || (0..16_u64).map(|i| (i * 7 % 25, i * 11 % 51));
    group.bench_function(BenchmarkId::new("section", "16x16 of 16x20 tiles"), |b| {
        b.iter(|| {
            corners()
                .for_each(|(y, x)| image.section_into(&[y..y + 16, x..x + 16], &mut out).expect("pixels"))
        });
    });
    let sections = image.sections(1 << 20);
    group.bench_function(BenchmarkId::new("sections", "16x16 of 16x20 tiles"), |b| {
        b.iter(|| {
            corners()
                .for_each(|(y, x)| sections.section_into(&[y..y + 16, x..x + 16], &mut out).expect("pixels"))
        });
    });
    group.finish();
}

criterion_group!(benches, images);
criterion_main!(benches);
