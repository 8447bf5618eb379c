//! Brick lookups and connected components.

use std::hint::black_box;

use coaddkit_sky::{Adjacency, BrickGrid, BrickId, BrickName, SkyCoord};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

/// Positions in columns, as a catalogue has them.
struct Columns {
    ra: Vec<f64>,
    dec: Vec<f64>,
}

impl Columns {
    fn positions(&self) -> Vec<SkyCoord> {
        let position = |(&ra, &dec)| SkyCoord::from_degrees(ra, dec).expect("a generated position");
        self.ra.iter().zip(&self.dec).map(position).collect()
    }
}

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

/// Evenly over the sphere, in no order: every lookup reads another row of the grid.
fn random(n: usize) -> Columns {
    let mut next = uniform();
    let ra = (0..n).map(|_| next() * 360.0).collect();
    let dec = (0..n).map(|_| (2.0 * next() - 1.0).asin().to_degrees()).collect();
    Columns { ra, dec }
}

/// As in a sweep file: brick after brick, objects in no order within each.
fn sweep(n: usize) -> Columns {
    let mut next = uniform();
    let bricks: Vec<_> = BrickGrid::legacy()
        .bricks()
        .filter(|brick| (150.0..155.0).contains(&brick.ra1_deg) && (0.0..5.0).contains(&brick.dec1_deg))
        .collect();
    let (mut ra, mut dec) = (Vec::with_capacity(n), Vec::with_capacity(n));
    for i in 0..n {
        let brick = &bricks[i * bricks.len() / n];
        ra.push(brick.ra1_deg + next() * (brick.ra2_deg - brick.ra1_deg));
        dec.push(brick.dec1_deg + next() * (brick.dec2_deg - brick.dec1_deg));
    }
    Columns { ra, dec }
}

fn brick_id(c: &mut Criterion) {
    let grid = BrickGrid::legacy();
    for n in [10_000, 1_000_000] {
        let mut group = c.benchmark_group(format!("sky/brick_id/{n}"));
        group.throughput(Throughput::Elements(n as u64));
        for (order, columns) in [("random", random(n)), ("sweep", sweep(n))] {
            let mut ids: Vec<Option<BrickId>> = vec![None; n];
            group.bench_function(format!("{order}, columns"), |b| {
                b.iter(|| grid.locate_all(black_box(&columns.ra), black_box(&columns.dec), &mut ids));
            });
            let positions = columns.positions();
            group.bench_function(format!("{order}, one by one"), |b| {
                b.iter(|| {
                    black_box(&positions).iter().map(|&at| u64::from(grid.locate(at).get())).sum::<u64>()
                });
            });
        }
        group.finish();
    }
}

fn brick_name(c: &mut Criterion) {
    let grid = BrickGrid::legacy();
    let n = 1_000_000;
    let mut group = c.benchmark_group(format!("sky/brick_name/{n}"));
    group.throughput(Throughput::Elements(n as u64));
    for (order, columns) in [("random", random(n)), ("sweep", sweep(n))] {
        let mut names: Vec<Option<BrickName>> = vec![None; n];
        group.bench_function(format!("{order}, columns"), |b| {
            b.iter(|| grid.name_all(black_box(&columns.ra), black_box(&columns.dec), &mut names));
        });
    }
    group.finish();
}

fn brick_of(c: &mut Criterion) {
    let grid = BrickGrid::legacy();
    let n = 10_000;
    let positions = random(n).positions();
    let names: Vec<_> = positions.iter().map(|&at| grid.brick_at(at).name).collect();
    let mut group = c.benchmark_group(format!("sky/brick/{n}"));
    group.throughput(Throughput::Elements(n as u64));
    group.bench_function("of position", |b| {
        b.iter(|| positions.iter().map(|&at| grid.brick_at(at).ra1_deg).sum::<f64>());
    });
    group.bench_function("of name", |b| {
        b.iter(|| {
            names.iter().filter_map(|&name| grid.brick_named(name)).map(|brick| brick.ra1_deg).sum::<f64>()
        });
    });
    group.finish();
}

fn components(c: &mut Criterion) {
    // About as many bricks as a southern survey has: all below declination +9, with a tenth of them missing.
    let mut next = uniform();
    let centers: Vec<SkyCoord> = BrickGrid::legacy()
        .bricks()
        .map(|brick| brick.center)
        .filter(|center| center.dec_deg() < 9.0 && next() > 0.1)
        .collect();
    assert!(centers.len() > 330_000, "{}", centers.len());
    let mut group = c.benchmark_group(format!("sky/components/{}", centers.len()));
    group.throughput(Throughput::Elements(centers.len() as u64)).sample_size(20);
    group.bench_function("in order", |b| {
        b.iter(|| Adjacency::default().components(black_box(&centers)).len());
    });
    let shuffled = || {
        let mut next = uniform();
        let mut centers = centers.clone();
        for i in (1..centers.len()).rev() {
            centers.swap(i, (next() * (i + 1) as f64) as usize);
        }
        centers
    };
    group.bench_function("shuffled", |b| {
        b.iter_batched(
            shuffled,
            |centers| Adjacency::default().components(&centers).len(),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, brick_id, brick_name, brick_of, components);
criterion_main!(benches);
