//! What one object of a sweep is like.

use crate::Cells;
use crate::numeric::{log10, pow10};
use crate::rng::Rng;

/// A_b / E(B-V) of the survey's extinction law.
const EXTINCTION: [f64; 8] = [3.214, 2.165, 1.592, 1.211, 0.184, 0.113, 0.0241, 0.00910];
/// Noise of a flux in nanomaggies.
const NOISE_NMGY: [f64; 8] = [0.005, 0.008, 0.015, 0.02, 0.2, 0.6, 20.0, 200.0];
/// Number counts grow as 10^(0.35 m).
const COUNTS_SLOPE: f64 = 0.35;

/// Dust that varies over a degree, without trigonometry.
pub(super) fn reddening(ra: f64, dec: f64, rng: &mut Rng) -> f32 {
    let wave = |x: f64| {
        let t = (x - x.floor()) * 2.0 - 1.0;
        1.0 - t * t
    };
    let smooth = 0.02 + 0.03 * wave(ra / 3.0) + 0.02 * wave(dec / 2.0);
    (smooth + 0.001 * rng.normal()).max(0.001) as f32
}

/// A positive number with a long tail and the mean given.
pub(super) fn positive(mean: f64, rng: &mut Rng) -> f32 {
    (mean * -log10(rng.unit()) * std::f64::consts::LN_10) as f32
}

pub(super) fn floats(count: usize, cells: &mut Cells<'_>, mut draw: impl FnMut() -> f32) {
    for _ in 0..count {
        cells.put(draw());
    }
}

/// Morphological type of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Psf,
    Rex,
    Exp,
    Dev,
    Ser,
    /// A star of another catalogue on top of a galaxy: it has no flux of its own.
    Dup,
}

impl Kind {
    pub(super) fn draw(red: bool, rng: &mut Rng) -> Self {
        use Kind::{Dev, Dup, Exp, Psf, Rex, Ser};
        let steps = if red {
            [(0.02, Psf), (0.22, Rex), (0.34, Exp), (0.80, Dev), (1.0, Ser), (1.0, Dup)]
        } else {
            [(0.35, Psf), (0.70, Rex), (0.86, Exp), (0.95, Dev), (0.99, Ser), (1.0, Dup)]
        };
        let at = rng.unit();
        steps.into_iter().find(|(until, _)| at < *until).map_or(Psf, |(_, kind)| kind)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Psf => "PSF",
            Self::Rex => "REX",
            Self::Exp => "EXP",
            Self::Dev => "DEV",
            Self::Ser => "SER",
            Self::Dup => "DUP",
        }
    }

    fn is_point(self) -> bool {
        matches!(self, Self::Psf | Self::Dup)
    }

    pub(super) fn put_shape(self, cells: &mut Cells<'_>, rng: &mut Rng) {
        if self.is_point() {
            return floats(6, cells, || 0.0);
        }
        cells.put(positive(0.7, rng)).put(positive(300.0, rng));
        for _ in 0..2 {
            if self == Self::Rex {
                cells.put(0.0_f32).put(0.0_f32);
            } else {
                cells.put((0.25 * rng.normal()) as f32).put(positive(800.0, rng));
            }
        }
    }

    pub(super) fn put_sersic(self, cells: &mut Cells<'_>, rng: &mut Rng) {
        match self {
            Self::Psf | Self::Dup => cells.put(0.0_f32).put(0.0_f32),
            Self::Rex | Self::Exp => cells.put(1.0_f32).put(0.0_f32),
            Self::Dev => cells.put(4.0_f32).put(0.0_f32),
            Self::Ser => cells.put((0.5 + 5.5 * rng.unit()) as f32).put(positive(40.0, rng)),
        };
    }
}

/// Fluxes of one object in nanomaggies, in the order of the bands.
pub(super) struct Photometry {
    flux: [f32; 8],
    inverse_variance: [f32; 8],
    transmission: [f32; 8],
    observations: [i16; 8],
}

impl Photometry {
    pub(super) fn draw(red_limit: Option<f64>, kind: Kind, ebv: f32, rng: &mut Rng) -> Self {
        let z = red_limit.unwrap_or(24.0) + log10(rng.unit()) / COUNTS_SLOPE;
        let (r_z, z_w1) = if red_limit.is_some() {
            (1.0 + 0.3 * rng.normal(), 1.2 + 0.4 * rng.normal())
        } else {
            (0.35 + 0.35 * rng.normal(), 0.2 + 0.7 * rng.normal())
        };
        let (r, w1) = (z + r_z, z - z_w1);
        let mags = [r + 1.2 * r_z, r, z + 0.4 * r_z, z, w1, w1 + 0.3, w1 + 1.0, w1 + 1.0];
        let observations =
            std::array::from_fn(|_| if rng.chance(0.004) { 0 } else { 1 + rng.below(8) as i16 });
        let transmission = std::array::from_fn(|b| pow10(-0.4 * EXTINCTION[b] * f64::from(ebv)) as f32);
        let mut inverse_variance = [0.0; 8];
        let flux = std::array::from_fn(|b| {
            // The noise is drawn also where it is not used: one band never moves the numbers of another.
            let noise = NOISE_NMGY[b] * rng.normal();
            let weight = (0.7 + 0.6 * rng.unit()) / (NOISE_NMGY[b] * NOISE_NMGY[b]);
            if observations[b] == 0 || kind == Kind::Dup {
                return 0.0;
            }
            inverse_variance[b] = weight as f32;
            (pow10(0.4 * (22.5 - mags[b])) * f64::from(transmission[b]) + noise) as f32
        });
        Self { flux, inverse_variance, transmission, observations }
    }

    pub(super) fn put(&self, cells: &mut Cells<'_>) {
        for value in self.flux.into_iter().chain(self.inverse_variance).chain(self.transmission) {
            cells.put(value);
        }
        for value in self.observations {
            cells.put(value);
        }
    }
}

/// Most point sources brighter than the limit of Gaia are in it; everything else has zeros.
pub(super) fn gaia(kind: Kind, cells: &mut Cells<'_>, rng: &mut Rng) {
    if !(kind == Kind::Dup || kind == Kind::Psf && rng.chance(0.4)) {
        cells.put("").put(0_i64);
        floats(8, cells, || 0.0);
        cells.put(false).put(0.0_f32).put(0.0_f32).put(0_u8);
        return floats(6, cells, || 0.0);
    }
    cells.put("GE").put((rng.bits() >> 1) as i64).put(2016.0_f32);
    for _ in 0..3 {
        cells.put((20.7 + log10(rng.unit())) as f32).put(positive(200.0, rng));
    }
    cells.put(positive(0.3, rng)).put(rng.chance(0.01));
    cells.put((1.2 + 0.05 * rng.normal()) as f32).put(positive(0.5, rng)).put(95_u8);
    for _ in 0..3 {
        cells.put((3.0 * rng.normal()) as f32).put(positive(4.0, rng));
    }
}

/// Forced photometry of the two short infrared bands by epoch.
pub(super) fn light_curves(epochs: usize, sky: &Photometry, cells: &mut Cells<'_>, rng: &mut Rng) {
    if epochs == 0 {
        return;
    }
    let (w1, w2) = (sky.flux[4], sky.flux[5]);
    for flux in [w1, w2] {
        cells.put(&*(0..epochs).map(|_| flux * (1.0 + 0.05 * rng.normal()) as f32).collect::<Vec<_>>());
    }
    for mean in [4.0, 1.0] {
        cells.put(&*(0..epochs).map(|_| positive(mean, rng)).collect::<Vec<_>>());
    }
    for _ in 0..2 {
        cells.put(&*(0..epochs).map(|_| 8 + rng.below(9) as i16).collect::<Vec<_>>());
    }
    for _ in 0..2 {
        let day = |epoch| 55_200.0 + 182.6 * epoch as f64 + rng.unit();
        cells.put(&*(0..epochs).map(day).collect::<Vec<_>>());
    }
    for _ in 0..4 {
        cells.put(&*(0..epochs).map(|_| positive(1.0, rng)).collect::<Vec<_>>());
    }
    for _ in 0..2 {
        cells.put(&*(0..epochs as i16).collect::<Vec<_>>());
    }
}
