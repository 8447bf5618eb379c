//! Quantised floats (FITS 4.0, section 10.2): integers to floats with scale, zero and dither of a tile.

use crate::machine::{self, Kernel};
use crate::sample::Sample;
use crate::structure::PixelType;
use std::sync::OnceLock;

/// Length of the sequence of random numbers (FITS 4.0, appendix I).
const RANDOMS: usize = 10_000;

/// The integer that stands for exactly zero with SUBTRACTIVE_DITHER_2.
pub(super) const ZERO: i32 = -2_147_483_646;

/// The sequence that all writers use: x → 16807 x mod (2³¹ − 1), from 1.
fn randoms() -> &'static [f32] {
    static TABLE: OnceLock<Box<[f32]>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let modulus = 0x7fff_ffff_u64;
        let step = |seed: &mut u64| {
            *seed = *seed * 16_807 % modulus;
            Some((*seed as f64 / modulus as f64) as f32)
        };
        std::iter::repeat_with(|| ()).take(RANDOMS).scan(1, |seed, ()| step(seed)).collect()
    })
}

/// How the writer dithered, from ZQUANTIZ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dither {
    No,
    /// With the seed of the first tile, ZDITHER0.
    Subtractive {
        seed: u64,
        keep_zero: bool,
    },
}

/// The position in the random sequence of one pixel of a tile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sequence {
    seed: usize,
    next: usize,
}

impl Sequence {
    pub(super) fn new(seed: u64, tile: u64) -> Self {
        // The seed is at least 1 and the first tile uses the entry before it.
        let seed =
            ((tile % RANDOMS as u64 + seed % RANDOMS as u64 + RANDOMS as u64 - 1) % RANDOMS as u64) as usize;
        Self { seed, next: start(seed) }
    }

    /// The next random numbers, at most `count` of them and at least one.
    #[inline]
    pub(super) fn take(&mut self, count: usize) -> &'static [f32] {
        let run = &randoms()[self.next..];
        let run = &run[..run.len().min(count)];
        self.next += run.len();
        if self.next == RANDOMS {
            self.seed = (self.seed + 1) % RANDOMS;
            self.next = start(self.seed);
        }
        run
    }
}

fn start(seed: usize) -> usize {
    (randoms()[seed] * 500.0) as usize
}

/// The quantisation of one tile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Levels {
    scale: f64,
    zero: f64,
    null: Option<i32>,
    keep_zero: bool,
    sequence: Option<Sequence>,
    /// The pixel that the sequence stands at.
    pixel: usize,
}

impl Levels {
    pub(crate) fn new(scale: f64, zero: f64, null: Option<i32>, dither: Dither, tile: u64) -> Self {
        let (sequence, keep_zero) = match dither {
            Dither::No => (None, false),
            Dither::Subtractive { seed, keep_zero } => (Some(Sequence::new(seed, tile)), keep_zero),
        };
        Self { scale, zero, null, keep_zero, sequence, pixel: 0 }
    }

    /// Floats of the pixels of a tile from `first` on; calls on one tile must come in order.
    pub(crate) fn floats<T: Sample>(
        &mut self,
        pixel: PixelType,
        first: usize,
        levels: &[i32],
        out: &mut [T],
    ) {
        let mut gap = first.saturating_sub(self.pixel);
        self.pixel = first + levels.len();
        let Self { scale, zero, null, keep_zero, .. } = *self;
        let marks = Marks { pixel, null: null.unwrap_or_default() };
        let Some(sequence) = &mut self.sequence else {
            let value = |v: i32, _| f64::from(v) * scale + zero;
            return match null {
                None => marks.convert::<_, _, false, false>(levels, levels, out, value),
                Some(_) => marks.convert::<_, _, false, true>(levels, levels, out, value),
            };
        };
        while gap > 0 {
            gap -= sequence.take(gap).len();
        }
        let mut done = 0;
        while done < levels.len() {
            let random = sequence.take(levels.len() - done);
            let end = done + random.len();
            let (levels, out) = (&levels[done..end], &mut out[done..end]);
            // In this order, in double precision and rounded once, or the last bit differs from CFITSIO.
            let value = |v: i32, r: f32| (f64::from(v) - f64::from(r) + 0.5) * scale + zero;
            match (keep_zero, null) {
                (false, None) => marks.convert::<_, _, false, false>(levels, random, out, value),
                (false, Some(_)) => marks.convert::<_, _, false, true>(levels, random, out, value),
                (true, None) => marks.convert::<_, _, true, false>(levels, random, out, value),
                (true, Some(_)) => marks.convert::<_, _, true, true>(levels, random, out, value),
            }
            done = end;
        }
    }
}

/// The type of the floats, and the level that stands for null.
#[derive(Clone, Copy)]
struct Marks {
    pixel: PixelType,
    null: i32,
}

impl Marks {
    /// With `KEPT` the level [`ZERO`] is exactly zero, with `NULLS` the level `null` is NaN.
    #[inline(always)]
    fn convert<R: Copy, T: Sample, const KEPT: bool, const NULLS: bool>(
        self,
        levels: &[i32],
        random: &[R],
        out: &mut [T],
        value: impl Fn(i32, R) -> f64,
    ) {
        machine::run(Convert::<_, _, _, KEPT, NULLS> { marks: self, levels, random, out, value });
    }
}

struct Convert<'a, R, T, F, const KEPT: bool, const NULLS: bool> {
    marks: Marks,
    levels: &'a [i32],
    random: &'a [R],
    out: &'a mut [T],
    value: F,
}

impl<R: Copy, T: Sample, F: Fn(i32, R) -> f64, const KEPT: bool, const NULLS: bool> Kernel
    for Convert<'_, R, T, F, KEPT, NULLS>
{
    type Output = ();

    /// Each case is a loop of its own without branches, and the choice is made in the width of the result, so that it
    /// vectorises.
    #[inline(always)]
    fn run(self) {
        let Self { marks, levels, random, out, value } = self;
        let each = out.iter_mut().zip(levels.iter().zip(random));
        let (kept, null) = (|v| KEPT && v == ZERO, |v| NULLS && v == marks.null);
        if marks.pixel == PixelType::F32 {
            each.for_each(|(out, (&v, &r))| {
                let float = value(v, r) as f32;
                let float = if kept(v) { 0.0 } else { float };
                *out = T::from_f32(if null(v) { f32::NAN } else { float });
            });
        } else {
            each.for_each(|(out, (&v, &r))| {
                let float = value(v, r);
                let float = if kept(v) { 0.0 } else { float };
                *out = T::from_f64(if null(v) { f64::NAN } else { float });
            });
        }
    }
}
