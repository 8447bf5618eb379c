//! The pixels of the miniature coadds: one sky, seen by all bricks that overlap it.

use crate::bricks::{Brick, Tiling};
use crate::numeric::cos_deg;
use crate::rng::Rng;

/// Sources in the area of a brick.
const SOURCES: u64 = 24;

/// Radii, in pixels, within which the brightest source of a brick saturates, and spoils what is around it.
const SATURATED: f64 = 2.5;
const BRIGHT: f64 = 9.0;

/// A column without exposures: image and inverse variance are exactly zero.
const DEAD_COLUMN: usize = 3;

/// Pixels at which a source has faded away.
const REACH: f64 = 24.0;

/// The seeing of g, r and z, in pixels of the miniature.
pub(super) const PSF_PIXELS: [f64; 3] = [2.6, 2.4, 2.2];

/// The noise of g, r and z per pixel, in nanomaggies.
pub(super) const NOISE: [f64; 3] = [0.006, 0.009, 0.02];

/// One brick's image plane: TAN, north up, east to the left.
pub(super) struct Plane<'a> {
    pub brick: &'a Brick,
    pub pixels: usize,
    pub scale_deg: f64,
    centre: Direction,
}

/// Sines and cosines of a declination.
#[derive(Clone, Copy)]
struct Direction {
    sin: f64,
    cos: f64,
}

struct Source {
    x: f64,
    y: f64,
    /// In g, r, z: nanomaggies in the brightest pixel.
    peak: [f64; 3],
    /// The brightest of its brick.
    star: bool,
}

impl<'a> Plane<'a> {
    pub fn new(brick: &'a Brick, pixels: usize, scale_deg: f64) -> Self {
        Self { brick, pixels, scale_deg, centre: direction(brick.dec_deg) }
    }

    /// CRPIX of both axes.
    pub fn reference(&self) -> f64 {
        (self.pixels + 1) as f64 / 2.0
    }

    /// The sky in one band (0 to 2) with noise, in nanomaggies a pixel.
    pub fn image(&self, tiling: &Tiling, seed: u64, band: usize) -> Vec<f32> {
        let mut rng = Rng::for_part(seed ^ (0x1A6E + band as u64), self.brick.id as u64);
        let sources = self.sources(tiling, seed);
        let width2 = 0.6 * PSF_PIXELS[band] * PSF_PIXELS[band];
        self.each(|x, y| {
            let here = sources.iter().filter(|s| (x - s.x).abs() < REACH && (y - s.y).abs() < REACH);
            let light = here.map(|s| {
                // Moffat's profile with beta 3.
                let r = 1.0 + (square(x - s.x) + square(y - s.y)) / width2;
                s.peak[band] / (r * r * r)
            });
            let light: f64 = light.sum();
            if x as usize == DEAD_COLUMN {
                return 0.0;
            }
            (light + NOISE[band] * rng.normal()) as f32
        })
    }

    /// Inverse variances; zero where a star saturates.
    pub fn invvar(&self, tiling: &Tiling, seed: u64, band: usize) -> Vec<f32> {
        let (stars, half) = (self.stars(tiling, seed), self.pixels as f64 / 2.0);
        let full = 1.0 / square(NOISE[band]);
        self.each(|x, y| {
            // More exposures in the middle.
            let edge = (square(x - half) + square(y - half)) / square(half);
            if x as usize == DEAD_COLUMN || near(&stars, x, y, SATURATED) {
                0.0
            } else {
                (full * (1.0 - 0.2 * edge)) as f32
            }
        })
    }

    /// MASKBITS: not primary, bright star, saturated in all bands and so masked in all bands.
    pub fn maskbits(&self, tiling: &Tiling, seed: u64) -> Vec<i32> {
        let stars = self.stars(tiling, seed);
        self.each(|x, y| {
            let outside = if self.is_primary(x, y) { 0 } else { 1 };
            let bright = if near(&stars, x, y, BRIGHT) { 2 } else { 0 };
            let saturated = if near(&stars, x, y, SATURATED) { 0b1111_1100 } else { 0 };
            outside | bright | saturated
        })
    }

    /// The full width at half maximum of the PSF, in arcseconds; it varies a little over the brick.
    pub fn psfsize(&self, band: usize) -> Vec<f32> {
        let arcsec = PSF_PIXELS[band] * self.scale_deg * 3600.0;
        self.each(|x, y| (arcsec * (1.0 + 0.02 * (x - y) / self.pixels as f64)) as f32)
    }

    /// A value for every pixel; the closure gets FITS coordinates, which count from 1.
    fn each<T>(&self, mut value: impl FnMut(f64, f64) -> T) -> Vec<T> {
        let mut out = Vec::with_capacity(self.pixels * self.pixels);
        for y in 1..=self.pixels {
            for x in 1..=self.pixels {
                out.push(value(x as f64, y as f64));
            }
        }
        out
    }

    /// Whether the centre of a pixel lies in the brick's own area.
    fn is_primary(&self, x: f64, y: f64) -> bool {
        let radians = self.scale_deg.to_radians();
        let (xi, eta) = ((self.reference() - x) * radians, (y - self.reference()) * radians);
        let edges = &self.brick.edges;
        // tan(RA - centre) is xi over this; both are monotonic, so their tangents compare as the angles do.
        let to_pole = self.centre.cos - eta * self.centre.sin;
        let half = 0.5 * (edges.ra_max_deg - edges.ra_min_deg);
        let limit = sin_deg(half) / cos_deg(half);
        let dec = (self.centre.sin + eta * self.centre.cos) / (1.0 + xi * xi + eta * eta).sqrt();
        let in_ra = xi / to_pole >= -limit && xi / to_pole < limit;
        in_ra && dec >= sin_deg(edges.dec_min_deg) && dec < sin_deg(edges.dec_max_deg)
    }

    /// The sources of this brick and of those around it, on this plane.
    fn sources(&self, tiling: &Tiling, seed: u64) -> Vec<Source> {
        let around = tiling.around(self.brick);
        let bricks = std::iter::once(self.brick).chain(&around);
        bricks
            .flat_map(|brick| {
                let mut rng = Rng::for_part(seed, brick.id as u64);
                let source = |_| {
                    let edges = &brick.edges;
                    let ra = edges.ra_min_deg + (edges.ra_max_deg - edges.ra_min_deg) * rng.unit();
                    let dec = edges.dec_min_deg + (edges.dec_max_deg - edges.dec_min_deg) * rng.unit();
                    // Counts fall with brightness, and most sources are red.
                    let bright = 0.05 / square(rng.unit().max(0.04));
                    let red = 1.0 + 2.0 * rng.unit();
                    let (x, y) = self.project(ra, dec);
                    Source { x, y, peak: [bright, bright * red, bright * red * red], star: false }
                };
                let mut sources: Vec<Source> = (0..SOURCES).map(source).collect();
                if let Some(star) = sources.iter_mut().max_by(|a, b| a.peak[2].total_cmp(&b.peak[2])) {
                    star.star = true;
                }
                sources
            })
            .collect()
    }

    fn stars(&self, tiling: &Tiling, seed: u64) -> Vec<Source> {
        self.sources(tiling, seed).into_iter().filter(|source| source.star).collect()
    }

    /// FITS pixel coordinates of a position not far away.
    fn project(&self, ra_deg: f64, dec_deg: f64) -> (f64, f64) {
        let mut away = ra_deg - self.brick.ra_deg;
        if away.abs() > 180.0 {
            away -= 360.0 * away.signum();
        }
        let (sin, cos, point) = (sin_deg(away), cos_deg(away.abs()), direction(dec_deg));
        let Direction { sin: sin0, cos: cos0 } = self.centre;
        let depth = sin0 * point.sin + cos0 * point.cos * cos;
        let xi = (point.cos * sin / depth).to_degrees();
        let eta = ((cos0 * point.sin - sin0 * point.cos * cos) / depth).to_degrees();
        (self.reference() - xi / self.scale_deg, self.reference() + eta / self.scale_deg)
    }
}

fn near(stars: &[Source], x: f64, y: f64, radius: f64) -> bool {
    stars.iter().any(|star| square(x - star.x) + square(y - star.y) < square(radius))
}

fn square(x: f64) -> f64 {
    x * x
}

fn direction(dec_deg: f64) -> Direction {
    Direction { sin: sin_deg(dec_deg), cos: cos_deg(dec_deg.abs()) }
}

/// The sine of an angle in degrees within -90..=90.
fn sin_deg(deg: f64) -> f64 {
    let size = cos_deg(90.0 - deg.abs());
    if deg < 0.0 { -size } else { size }
}
