//! Floats to integers (FITS 4.0, section 10.2), with the scale, zero point and integers that CFITSIO computes.

use super::noise::{self, Real};
use super::{DitherMethod, Quantize};
use crate::tile::quantize::{Sequence, ZERO};

/// The integer that stands for null.
pub(crate) const NULL: i32 = -2_147_483_647;

/// Integers at the lower end that stand for no level.
const RESERVED: i32 = 10;

/// The quantisation of one tile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Levels {
    pub(crate) scale: f64,
    pub(crate) zero: f64,
    pub(crate) nulls: bool,
}

/// Reused from tile to tile.
#[derive(Debug, Default)]
pub(crate) struct Workspace<T> {
    noise: noise::Workspace<T>,
    good: Vec<T>,
    ends: Vec<usize>,
}

/// Quantises tile number `tile`, whose rows have `columns` pixels; `None` if that is impossible, because it has no
/// noise, infinite pixels or too wide a range.
pub(crate) fn quantize<T: Float>(
    pixels: &[T],
    columns: usize,
    how: &Quantize,
    seed: u32,
    tile: u64,
    work: &mut Workspace<T>,
    out: &mut Vec<i32>,
) -> Option<Levels> {
    if pixels.len() <= 1 {
        return None;
    }
    let (least, largest, nulls) = T::range(pixels);
    if nulls == pixels.len() {
        out.clear();
        out.resize(pixels.len(), NULL);
        return Some(Levels { scale: 1.0, zero: 0.0, nulls: true });
    }
    let delta = if how.level < 0.0 {
        f64::from(-how.level)
    } else {
        let noise = work.noise(pixels, columns, nulls);
        noise / f64::from(if how.level == 0.0 { 4.0 } else { how.level })
    };
    let span = (largest - least).to_f64() / delta;
    // Not a number, or infinite, where there is no noise or a pixel is infinite.
    if span.is_nan() || span > 2.0 * 2_147_483_647.0 - f64::from(RESERVED) || delta == 0.0 {
        return None;
    }
    let low = least.to_f64();
    let zero = if nulls > 0 || how.dither == DitherMethod::Subtractive2 {
        // Next to the reserved integers.
        low - delta * f64::from(NULL + RESERVED)
    } else if span < 2_147_483_647.0 - f64::from(RESERVED) {
        // A multiple of the scale, so that quantising again changes nothing; unless that is more than 64 bits can
        // count, which CFITSIO does not notice.
        let multiple = low / delta + 0.5;
        if multiple.abs() < (1_u64 << 62) as f64 { multiple.trunc() * delta } else { low }
    } else {
        (least + largest).to_f64() / 2.0
    };
    if !zero.is_finite() {
        return None;
    }
    let levels = Levels { scale: delta, zero, nulls: nulls > 0 };
    out.clear();
    out.resize(pixels.len(), 0);
    if how.dither == DitherMethod::None {
        levels.convert(pixels, pixels, |level, _| level, false, out);
        return Some(levels);
    }
    let keep_zero = how.dither == DitherMethod::Subtractive2;
    let mut sequence = Sequence::new(seed.into(), tile);
    let mut done = 0;
    while done < pixels.len() {
        let random = sequence.take(pixels.len() - done);
        let end = done + random.len();
        let dithered = |level: f64, random: f32| level + f64::from(random) - 0.5;
        levels.convert(&pixels[done..end], random, dithered, keep_zero, &mut out[done..end]);
        done = end;
    }
    Some(levels)
}

impl Levels {
    /// The levels nearest to the pixels, after the dither of each; in this order of operations, or the last bit
    /// differs from CFITSIO.
    #[inline(always)]
    fn convert<T: Float, R: Copy>(
        self,
        pixels: &[T],
        random: &[R],
        dither: impl Fn(f64, R) -> f64,
        keep_zero: bool,
        out: &mut [i32],
    ) {
        let Self { scale, zero, nulls } = self;
        let all = out.iter_mut().zip(pixels.iter().zip(random));
        let level = |pixel: T, random: R| {
            let level = dither((pixel.to_f64() - zero) / scale, random);
            // Halves away from zero.
            (level + 0.5_f64.copysign(level)) as i32
        };
        if !keep_zero && !nulls {
            return all.for_each(|(out, (&pixel, &random))| *out = level(pixel, random));
        }
        all.for_each(|(out, (&pixel, &random))| {
            let level = level(pixel, random);
            let level = if keep_zero && pixel == T::default() { ZERO } else { level };
            *out = if pixel.is_null() { NULL } else { level };
        });
    }
}

impl<T: Float> Workspace<T> {
    fn noise(&mut self, pixels: &[T], columns: usize, nulls: usize) -> f64 {
        // Rows that are too short are taken for one.
        let columns = if columns < 9 { pixels.len() } else { columns };
        let Self { noise, good, ends } = self;
        if columns < 9 {
            return 0.0;
        }
        if nulls == 0 {
            return noise::noise(pixels.chunks_exact(columns), columns, noise);
        }
        good.clear();
        ends.clear();
        for row in pixels.chunks_exact(columns) {
            good.extend(row.iter().filter(|v| !v.is_null()));
            ends.push(good.len());
        }
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let rows = starts.zip(&*ends).map(|(start, &end)| &good[start..end]);
        noise::noise(rows, columns, noise)
    }
}

/// The floats that images have.
pub(crate) trait Float: Real {
    fn is_null(self) -> bool;
    /// Least and largest pixel, and the number of nulls.
    fn range(pixels: &[Self]) -> (Self, Self, usize);
}

macro_rules! float {
    ($($type:ident)+) => {$(
        impl Float for $type {
            #[inline(always)]
            fn is_null(self) -> bool {
                self.is_nan()
            }

            fn range(pixels: &[Self]) -> (Self, Self, usize) {
                const LANES: usize = 16;
                let (mut low, mut high, mut nulls) = ([$type::INFINITY; LANES], [$type::NEG_INFINITY; LANES], 0);
                let mut rows = pixels.chunks_exact(LANES);
                for row in rows.by_ref() {
                    for ((low, high), &v) in low.iter_mut().zip(&mut high).zip(row) {
                        // A comparison with NaN is false.
                        *low = if v < *low { v } else { *low };
                        *high = if v > *high { v } else { *high };
                    }
                    nulls += row.iter().map(|v| usize::from(v.is_nan())).sum::<usize>();
                }
                let (mut least, mut largest) = ($type::INFINITY, $type::NEG_INFINITY);
                for &v in low.iter().chain(rows.remainder()) {
                    least = if v < least { v } else { least };
                }
                for &v in high.iter().chain(rows.remainder()) {
                    largest = if v > largest { v } else { largest };
                }
                nulls += rows.remainder().iter().filter(|v| v.is_nan()).count();
                (least, largest, nulls)
            }
        }
    )+};
}

float! { f32 f64 }
