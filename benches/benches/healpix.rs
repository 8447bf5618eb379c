//! Positions to HEALPix cells beside the crate underneath, and coverages.

use std::hint::black_box;

use coaddkit_sky::{Cone, Healpix, HealpixCell, SkyCoord};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Numbers in [0, 1), the same in every run (xorshift64).
fn uniform() -> impl FnMut() -> f64 {
    let mut state = 88_172_645_463_325_252_u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn locate(c: &mut Criterion) {
    let n = 10_000_000;
    let mut group = c.benchmark_group(format!("sky/healpix_nside_128/{n}"));
    let mut next = uniform();
    let ra: Vec<f64> = (0..n).map(|_| next() * 360.0).collect();
    let dec: Vec<f64> = (0..n).map(|_| (2.0 * next() - 1.0).asin().to_degrees()).collect();
    group.throughput(Throughput::Elements(n as u64)).sample_size(15);
    let mut hashes = vec![0_u64; n];
    let layer = cdshealpix::nested::get(7);
    group.bench_function("cdshealpix", |b| {
        b.iter(|| {
            for ((hash, ra), dec) in hashes.iter_mut().zip(black_box(&ra)).zip(black_box(&dec)) {
                *hash = layer.hash(ra.to_radians(), dec.to_radians());
            }
        });
    });
    let cells = Healpix::from_nside(128).expect("a power of 2");
    let mut found: Vec<Option<HealpixCell>> = vec![None; n];
    group.bench_function("locate_all", |b| {
        b.iter(|| cells.locate_all(black_box(&ra), black_box(&dec), &mut found));
    });
    assert!(found.iter().zip(&hashes).all(|(cell, &hash)| cell.is_some_and(|cell| cell.index() == hash)));
    group.finish();
}

fn cover(c: &mut Criterion) {
    let center = SkyCoord::from_degrees(10.0, 45.0).expect("a position");
    for (order, radius_deg) in [(7, 2.0), (13, 11.0 / 3600.0), (10, 10.0)] {
        let cells = Healpix::new(order).expect("an order");
        let cone = Cone::new(center, radius_deg).expect("a radius");
        let count =
            cells.cover(&cone).expect("a small cone").envelope.count_at(cells).expect("its own order");
        let mut group = c.benchmark_group(format!("sky/healpix_cone/{count}"));
        group.throughput(Throughput::Elements(count));
        group.bench_function(format!("order {order}, {radius_deg:.4} deg"), |b| {
            b.iter(|| cells.cover(black_box(&cone)).map(|found| found.envelope.ranges().len()));
        });
        group.finish();
    }
}

criterion_group!(benches, locate, cover);
criterion_main!(benches);
