//! Cuts over blocks of six f32 columns that lie in the cache, as a scan of sweep files hands them over.

use std::hint::black_box;

use coaddkit_photometry::lrg::{self, Photometry, Variant};
use coaddkit_photometry::{Cut, Values};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const COLUMNS: [&str; 6] =
    ["flux_r", "flux_z", "flux_w1", "mw_transmission_r", "mw_transmission_z", "mw_transmission_w1"];

/// Fluxes of a sweep in outline: most are faint, some are negative.
fn columns(rows: usize) -> Vec<Vec<f32>> {
    let mut state = 20_261_121_u64;
    let mut uniform = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32
    };
    let mut out = vec![Vec::new(); 6];
    for _ in 0..rows {
        let z = 10.0_f32.powf(-0.5 + 2.0 * uniform());
        let noise = [0.1, 0.1, 1.0].map(|sigma| sigma * (uniform() - 0.5));
        let r = z * 10.0_f32.powf(-0.7 * uniform()) + noise[0];
        let w1 = z * 10.0_f32.powf(0.8 * uniform() - 0.3) + noise[2];
        let dust = uniform() * 0.1;
        let row = [r, z + noise[1], w1, 1.0 - 2.0 * dust, 1.0 - 1.1 * dust, 1.0 - 0.2 * dust];
        out.iter_mut().zip(row).for_each(|(column, x)| column.push(x));
    }
    out
}

fn cuts(c: &mut Criterion) {
    let line = "mag(flux_r) - mag(flux_z) < -1.2 * (mag(flux_z) - mag(flux_w1)) + 1.6";
    let dereddened = "demag(flux_r) - demag(flux_z) < -1.2 * (demag(flux_z) - demag(flux_w1)) + 1.6";
    let text = |t: &str| t.parse::<Cut>().expect("a cut");
    let cases = [
        ("lrg_v3_dereddened", lrg::cut(Variant::V3, Photometry::Dereddened)),
        ("lrg_v3_observed", lrg::cut(Variant::V3, Photometry::Observed)),
        ("line", text(line)),
        ("line_dereddened", text(dereddened)),
        (
            "line_and_limits",
            text(&format!("demag(flux_z) < 21 and demag(flux_r) - demag(flux_z) > 0.3 and {dereddened}")),
        ),
        ("or", text(&format!("(demag(flux_z) < 20 or {dereddened}) and (flux_w1 > 1 or flux_z > 2)"))),
        (
            "fluxes",
            text(
                "flux_z / mw_transmission_z > 6.9 and flux_z * mw_transmission_r > 1.445 * flux_r * mw_transmission_z and flux_w1 > 2 * flux_z",
            ),
        ),
        (
            "mags_of_quotients",
            text(
                "mag(flux_z / mw_transmission_z) < 20.4 and mag(flux_r / mw_transmission_r) - mag(flux_z / mw_transmission_z) > 0.4 and mag(flux_z / mw_transmission_z) - mag(flux_w1 / mw_transmission_w1) > 0.8",
            ),
        ),
        ("absolute", text("abs(demag(flux_r) - demag(flux_z) - 0.7) < 0.2 and demag(flux_w1) < 20")),
        ("product", text("(demag(flux_r) - demag(flux_z)) * (demag(flux_z) - demag(flux_w1)) > 0.3")),
    ];
    let rows = 1000;
    let data = columns(rows);
    let mut group = c.benchmark_group("photometry/select");
    group.throughput(Throughput::Elements(rows as u64));
    for (name, cut) in cases {
        let of = |n: &String| COLUMNS.iter().position(|c| c == n).expect("one of the six");
        let block: Vec<Values<'_>> = cut.columns().iter().map(|n| Values::F32(&data[of(n)])).collect();
        let (mut evaluator, mut flow) = (cut.evaluator(), cut.flow());
        group.bench_function(format!("{name}/{rows}"), |b| {
            b.iter(|| evaluator.select(rows, black_box(&block), &mut flow).map(<[u32]>::len));
        });
    }
    group.finish();
}

criterion_group!(benches, cuts);
criterion_main!(benches);
