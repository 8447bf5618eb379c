//! Samples and hashes.

use std::hint::black_box;

use coaddkit_manifest::{BottomK, Key, SeededHash};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const ROWS: u64 = 1_000_000;

fn samples(c: &mut Criterion) {
    let mut group = c.benchmark_group("manifest/bottom_k");
    group.throughput(Throughput::Elements(ROWS));
    for k in [1_000, 25_000] {
        group.bench_function(format!("{k} of 1M"), |b| {
            let hash = SeededHash::new(42);
            b.iter(|| {
                let mut sample = BottomK::new(k);
                (0..ROWS as i64).for_each(|id| sample.offer(hash.int(id), || id));
                black_box(sample.into_unsorted().count())
            });
        });
    }
    group.finish();
}

fn hashes(c: &mut Criterion) {
    let mut group = c.benchmark_group("manifest/hash");
    group.throughput(Throughput::Elements(1));
    let hash = SeededHash::new(42);
    group.bench_function("integer", |b| b.iter(|| hash.int(black_box(17))));
    group.bench_function("galaxy_id", |b| b.iter(|| hash.text(black_box("0001m002_1234"))));
    let mut key = Key::new();
    group.bench_function("task seed", |b| {
        b.iter(|| {
            key.clear();
            key.push_text(black_box("0001m002"));
            key.push_f64(black_box(0.125));
            key.push_f64(black_box(-0.25));
            key.push_text(black_box("grid_small_0001_te0.3_dm1_rf0.08_e0_sh0"));
            key.push_int(black_box(1));
            hash.key(&key)
        });
    });
    group.finish();
}

criterion_group!(benches, samples, hashes);
criterion_main!(benches);
