//! Reference values for `coaddkit-photometry`.

use std::path::Path;

use coaddkit_photometry::desi::{Imaging, PerBand, Source, north_shift};
use coaddkit_photometry::lrg::{self, Photometry, Variant};
use coaddkit_photometry::{Band, InverseVariance, MaskBits, Nanomaggies, Softening, Values};
use coaddkit_testkit::Csv;

use super::Report;

mod rgb;

/// Checks the file if it is one of this crate's.
pub fn check(name: &str, path: &Path) -> Option<Report> {
    let run = match name {
        "mags.csv.gz" => mags,
        "north_shift.csv.gz" => north_shifts,
        "selection.csv.gz" => selection,
        "rgb.jsonl.gz" => return Some(rgb::check(path)),
        _ => return None,
    };
    let mut report = Report::default();
    match Csv::read(path) {
        Ok(csv) => run(&Table { csv }, &mut report),
        Err(e) => report.failures.push(e.to_string()),
    }
    Some(report)
}

struct Table {
    csv: Csv,
}

impl Table {
    /// A column parsed; the panic of a value that is no number becomes a failure of the file.
    fn parsed<T: std::str::FromStr>(&self, name: &str) -> Vec<T> {
        let column = self.csv.column(name);
        let parse = |(row, fields): (usize, &Vec<String>)| {
            let text = &fields[column];
            text.parse().unwrap_or_else(|_| panic!("line {}, {name}: {text:?} is no number", row + 2))
        };
        self.csv.rows.iter().enumerate().map(parse).collect()
    }

    fn floats(&self, name: &str) -> Vec<f32> {
        self.parsed(name)
    }

    fn texts(&self, name: &str) -> Vec<&str> {
        let column = self.csv.column(name);
        self.csv.rows.iter().map(|r| r[column].as_str()).collect()
    }
}

/// Compares one column of results with the reference.
fn compare<T: std::fmt::Debug>(
    report: &mut Report,
    name: &str,
    pairs: impl IntoIterator<Item = (T, T)>,
    same: impl Fn(&T, &T) -> bool,
) {
    for (row, (got, want)) in pairs.into_iter().enumerate() {
        if !same(&got, &want) {
            report.failures.push(format!("line {}, {name}: {got:?}, the reference has {want:?}", row + 2));
        }
    }
}

/// Equal to 1e-13 relative; NaN equals NaN.
fn close(got: &f64, want: &f64) -> bool {
    got == want || (got.is_nan() && want.is_nan()) || (got - want).abs() <= 1e-13 * want.abs()
}

/// Equal to so many steps of f32; NaN equals NaN.
fn within_ulps(ulps: u64) -> impl Fn(&f32, &f32) -> bool {
    // The floats in order, as integers.
    let place = |x: f32| {
        let bits = i64::from(x.to_bits() & 0x7fff_ffff);
        if x.is_sign_negative() { -bits } else { bits }
    };
    move |a, b| {
        (a.is_nan() && b.is_nan()) || (!a.is_nan() && !b.is_nan() && place(*a).abs_diff(place(*b)) <= ulps)
    }
}

fn mags(table: &Table, report: &mut Report) {
    let inputs = ["flux_f32", "ivar_f32", "mw_f32"].map(|n| table.floats(n));
    report.rows = table.csv.rows.len();
    let rows: Vec<[f32; 3]> = (0..report.rows).map(|i| [inputs[0][i], inputs[1][i], inputs[2][i]]).collect();
    let wide = |row: &[f32; 3]| {
        let [flux, ivar, mw] = row.map(f64::from);
        (Nanomaggies(flux), InverseVariance(ivar), mw)
    };

    type Wide<'a> = &'a dyn Fn(Nanomaggies, InverseVariance, f64) -> f64;
    let soft = |band| Softening::sdss(band).expect("the SDSS has this band");
    let (g, r, z) = (soft(Band::G), soft(Band::R), soft(Band::Z));
    let columns: [(&str, Wide<'_>); 9] = [
        ("mag_f64", &|f, _, _| f.mag().0),
        ("magerr_f64", &|f, ivar, _| f.mag_error(ivar)),
        ("dered_mag_f64", &|f, _, mw| f.dereddened(mw).mag().0),
        ("asinh_mag_g", &|f, _, _| g.mag(f).0),
        ("asinh_err_g", &|f, ivar, _| g.mag_error(f, ivar)),
        ("asinh_mag_r", &|f, _, _| r.mag(f).0),
        ("asinh_err_r", &|f, ivar, _| r.mag_error(f, ivar)),
        ("asinh_mag_z", &|f, _, _| z.mag(f).0),
        ("asinh_err_z", &|f, ivar, _| z.mag_error(f, ivar)),
    ];
    for (name, of) in columns {
        let got = rows.iter().map(|row| {
            let (flux, ivar, mw) = wide(row);
            of(flux, ivar, mw)
        });
        compare(report, name, got.zip(table.parsed::<f64>(name)), close);
    }

    // The f32 columns of the DESI cuts, by the same arithmetic.
    type Single = fn(f32, f32, f32) -> f32;
    let single: [(&str, Single); 4] = [
        ("desitarget_snr_f32", |flux, ivar, _| coaddkit_photometry::desi::signal_to_noise(flux, ivar)),
        ("desitarget_dered_flux_f32", |flux, _, mw| flux / mw),
        ("desitarget_mag_clip1e-7_f32", |flux, _, mw| {
            coaddkit_photometry::desi::clipped_mag(flux / mw, 1e-7)
        }),
        ("desitarget_mag_clip1e-16_f32", |flux, _, mw| {
            coaddkit_photometry::desi::clipped_mag(flux / mw, 1e-16)
        }),
    ];
    for (name, of) in single {
        let got = rows.iter().map(|&[flux, ivar, mw]| of(flux, ivar, mw));
        compare(report, name, got.zip(table.floats(name)), within_ulps(1));
    }
}

fn north_shifts(table: &Table, report: &mut Report) {
    let [g, r, z] = ["g", "r", "z"].map(|n| table.floats(n));
    report.rows = g.len();
    let shifted: Vec<[f32; 3]> = (0..g.len()).map(|i| north_shift([g[i], r[i], z[i]])).collect();
    for (k, name) in ["g_shift", "r_shift", "z_shift"].into_iter().enumerate() {
        let got = shifted.iter().map(|s| s[k]);
        compare(report, name, got.zip(table.floats(name)), within_ulps(2));
    }
}

fn per_band(table: &Table, prefix: &str) -> Vec<PerBand> {
    let [g, r, z, w1, w2] = ["g", "r", "z", "w1", "w2"].map(|b| table.floats(&format!("{prefix}_{b}_f32")));
    (0..g.len()).map(|i| PerBand { g: g[i], r: r[i], z: z[i], w1: w1[i], w2: w2[i] }).collect()
}

fn sources(table: &Table) -> Vec<Source> {
    let [flux, flux_ivar, mw] = ["flux", "flux_ivar", "mw_transmission"].map(|p| per_band(table, p));
    let [fg, fr, fz] = ["g", "r", "z"].map(|b| table.floats(&format!("fiberflux_{b}_f32")));
    let [tr, tz] = ["r", "z"].map(|b| table.floats(&format!("fibertotflux_{b}_f32")));
    let nobs = ["nobs_g", "nobs_r", "nobs_z"].map(|n| table.parsed::<i16>(n));
    let maskbits = table.parsed::<u32>("maskbits");
    let gaia = table.floats("gaia_phot_g_mean_mag_f32");
    let (types, references) = (table.texts("type"), table.texts("ref_cat"));
    let source = |i: usize| Source {
        flux: flux[i],
        flux_ivar: flux_ivar[i],
        mw_transmission: mw[i],
        fiberflux_g: fg[i],
        fiberflux_r: fr[i],
        fiberflux_z: fz[i],
        fibertotflux_r: tr[i],
        fibertotflux_z: tz[i],
        nobs: [nobs[0][i], nobs[1][i], nobs[2][i]],
        maskbits: maskbits[i],
        gaia_phot_g_mean_mag: gaia[i],
        is_psf: types[i].trim_end() == "PSF",
        in_galaxy_atlas: references[i].starts_with('L'),
    };
    (0..flux.len()).map(source).collect()
}

fn selection(table: &Table, report: &mut Report) {
    let sources = sources(table);
    report.rows = sources.len();
    let flags = |name: &str| table.parsed::<u8>(name);

    type Target = fn(&Source, Imaging) -> bool;
    let targets: [(&str, Target); 6] = [
        ("LRG", |s, i| s.is_lrg(i)),
        ("ELG_VLO", |s, i| s.elg(i).vlo),
        ("ELG_LOP", |s, i| s.elg(i).lop),
        ("BGS_BRIGHT", |s, i| s.bgs(i).bright),
        ("BGS_FAINT", |s, i| s.bgs(i).faint),
        ("BGS_WISE", |s, i| s.bgs(i).wise),
    ];
    for (name, target) in targets {
        for (side, imaging) in [("S", Imaging::South), ("N", Imaging::North)] {
            let name = format!("{name}_{side}");
            let got = sources.iter().map(|s| u8::from(target(s, imaging)));
            compare(report, &name, got.zip(flags(&name)), PartialEq::eq);
        }
    }

    // Named for where the cut was read: "v3relaxed" is the limit of a description that gives v3 the 1.6 of v2.
    for (name, variant, photometry) in [
        ("SIMPLE_seed001_raw", Variant::V3, Photometry::Observed),
        ("SIMPLE_v3relaxed_raw", Variant::V2, Photometry::Observed),
        ("SIMPLE_seed001_dered", Variant::V3, Photometry::Dereddened),
        ("SIMPLE_v3relaxed_dered", Variant::V2, Photometry::Dereddened),
    ] {
        let cut = lrg::cut(variant, photometry);
        let columns: Vec<Vec<f32>> =
            cut.columns().iter().map(|n| table.floats(&format!("{n}_f32"))).collect();
        let block: Vec<Values<'_>> = columns.iter().map(|c| Values::F32(c)).collect();
        let mut got = vec![0; sources.len()];
        match cut.evaluator().select(sources.len(), &block, &mut cut.flow()) {
            Ok(rows) => rows.iter().for_each(|i| got[*i as usize] = 1),
            Err(e) => report.failures.push(format!("{name}: {e}")),
        }
        compare(report, name, got.into_iter().zip(flags(name)), PartialEq::eq);
    }

    let excluded = MaskBits::BRIGHT
        | MaskBits::ALLMASK_G
        | MaskBits::ALLMASK_R
        | MaskBits::ALLMASK_Z
        | MaskBits::MEDIUM
        | MaskBits::GALAXY
        | MaskBits::CLUSTER;
    let got = sources.iter().map(|s| u8::from(MaskBits::from_bits(s.maskbits).intersects(excluded)));
    compare(report, "seed_maskbits_excluded", got.zip(flags("seed_maskbits_excluded")), PartialEq::eq);
}
