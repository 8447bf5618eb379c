//! Scanning a sweep: the read alone, the projection of six columns, and the whole count with cuts of several kinds.

use coaddkit_density::Count;
use coaddkit_fits::{Chunk, Error, Fits, ReadAt};
use coaddkit_testkit::Sweep;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::fs::File;
use std::hint::black_box;

const ROWS: usize = 200_000;

const COLUMNS: [&str; 6] =
    ["flux_r", "flux_z", "flux_w1", "mw_transmission_r", "mw_transmission_z", "mw_transmission_w1"];

/// Cuts over the same six columns.
const CUTS: [(&str, &str); 4] = [
    (
        "v3",
        "demag(flux_z) < 20.4 & demag(flux_r) - demag(flux_z) > 0.4 & demag(flux_z) - demag(flux_w1) > 0.8",
    ),
    (
        "slanted",
        "demag(flux_z) < 21 & demag(flux_r) - demag(flux_z) > 0.5 * (demag(flux_z) - demag(flux_w1)) + 0.3",
    ),
    ("either", "demag(flux_z) < 19 | demag(flux_r) - demag(flux_w1) > 2.5 & demag(flux_w1) < 20"),
    (
        "fluxes",
        "flux_z / mw_transmission_z > 7 & flux_z * mw_transmission_r > 1.4 * flux_r * mw_transmission_z & flux_w1 / mw_transmission_w1 > 15",
    ),
];

fn benches(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    for (layout, epochs) in [("505", 0), ("897", 7)] {
        let path = dir.path().join(format!("sweep-{layout}.fits"));
        let mut sweep = Sweep::new(1, ROWS);
        sweep.light_curve_epochs = epochs;
        sweep.write(&path).expect("a sweep");
        let mut group = criterion.benchmark_group("fits/scan");
        group.throughput(Throughput::Elements(ROWS as u64)).sample_size(40);
        group.bench_function(BenchmarkId::new("read", layout), |b| {
            let file = File::open(&path).expect("the sweep");
            let mut buffer = vec![0; 256 << 10];
            b.iter(|| {
                let mut offset = 0;
                while let n @ 1.. = ReadAt::read_at(&file, &mut buffer, offset).expect("bytes") {
                    offset += n as u64;
                }
                offset
            });
        });
        group.bench_function(BenchmarkId::new("project-6", layout), |b| {
            let table = Fits::open(&path).and_then(|f| f.hdu(1)).and_then(|h| h.table()).expect("a table");
            let scan = table.scan().columns(COLUMNS).expect("columns");
            b.iter(|| {
                let step = |chunk: &Chunk<'_>| {
                    black_box(chunk.values(5));
                    Ok::<_, Error>(())
                };
                scan.for_each(step).expect("rows");
            });
        });
        group.finish();
        let mut group = criterion.benchmark_group("density/count");
        group.throughput(Throughput::Elements(ROWS as u64)).sample_size(40);
        for (name, cut) in CUTS {
            let count = Count::new(cut.parse().expect("a cut"));
            let files = [path.clone()];
            group.bench_function(BenchmarkId::new(name, layout), |b| {
                pool.install(|| b.iter(|| count.run(&files, &()).selected()));
            });
        }
        group.finish();
    }
}

criterion_group!(scan, benches);
criterion_main!(scan);
