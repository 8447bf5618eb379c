//! Exclusion and cross-match of a million positions.

use std::hint::black_box;

use coaddkit_sky::{Exclusion, Keep, MatchRule, SkyCoord, crossmatch};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const GALAXIES: usize = 1_000_000;
const LENSES: usize = 5_000;

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

fn anywhere(next: &mut impl FnMut() -> f64) -> SkyCoord {
    let (ra, dec) = (next() * 360.0, (2.0 * next() - 1.0).asin().to_degrees());
    SkyCoord::from_degrees(ra, dec).expect("a generated position")
}

/// A few arcseconds away, in declination alone.
fn near(position: SkyCoord, arcsec: f64) -> SkyCoord {
    let dec = (position.dec_deg() + arcsec / 3600.0).clamp(-90.0, 90.0);
    SkyCoord::from_degrees(position.ra_deg(), dec).expect("a generated position")
}

fn exclusion(c: &mut Criterion) {
    let mut next = uniform();
    let lenses: Vec<SkyCoord> = (0..LENSES).map(|_| anywhere(&mut next)).collect();
    let galaxies: Vec<SkyCoord> = (0..GALAXIES)
        .map(|i| if i < LENSES / 2 { near(lenses[i], 5.0) } else { anywhere(&mut next) })
        .collect();
    let (ra, dec): (Vec<f64>, Vec<f64>) = galaxies.iter().map(|at| (at.ra_deg(), at.dec_deg())).unzip();
    let mut excluded = vec![None; GALAXIES];
    let mut group = c.benchmark_group(format!("sky/exclusion/{GALAXIES}"));
    group.throughput(Throughput::Elements(GALAXIES as u64)).sample_size(20);
    group.bench_function("11 arcsec, 5000 lenses, with the index", |b| {
        b.iter(|| {
            let around = Exclusion::new(black_box(&lenses), 11.0).expect("a radius");
            around.excludes_all(&ra, &dec, &mut excluded)
        });
    });
    let count = excluded.iter().filter(|&&excluded| excluded == Some(true)).count();
    assert!((LENSES / 2..LENSES / 2 + 50).contains(&count), "{count}");
    group.finish();
}

/// Half of the second list near the first.
fn lists(mut place: impl FnMut() -> SkyCoord, mut next: impl FnMut() -> f64) -> [Vec<SkyCoord>; 2] {
    let left: Vec<SkyCoord> = (0..GALAXIES).map(|_| place()).collect();
    let right = left.iter().map(|&at| if next() < 0.5 { near(at, 1.2 * next()) } else { place() }).collect();
    [left, right]
}

fn pairs(c: &mut Criterion) {
    let mut next = uniform();
    let sky = lists(|| anywhere(&mut next), uniform());
    // As large as a sweep file, and as full.
    let mut next = uniform();
    let field = || SkyCoord::from_degrees(150.0 + 10.0 * next(), 5.0 * next()).expect("a generated position");
    let field = lists(field, uniform());
    let mut group = c.benchmark_group(format!("sky/crossmatch/{GALAXIES}"));
    group.throughput(Throughput::Elements(GALAXIES as u64)).sample_size(10);
    for (name, [left, right], keep, radius_arcsec) in [
        ("sky, 1 arcsec, all", &sky, Keep::All, 1.0),
        ("sky, 1 arcsec, nearest", &sky, Keep::Nearest(1), 1.0),
        ("field, 1 arcsec, all", &field, Keep::All, 1.0),
        ("field, 30 arcsec, all", &field, Keep::All, 30.0),
    ] {
        let rule = MatchRule { radius_arcsec, keep };
        group.bench_function(name, |b| {
            b.iter(|| crossmatch(black_box(left), black_box(right), &rule).map(|found| found.len()));
        });
    }
    group.finish();
}

criterion_group!(benches, exclusion, pairs);
criterion_main!(benches);
