//! The inverse H-transform: from one mean to the whole image, each step doubling both sides.

use super::{Buffers, Head, Word};

/// Where the coefficients of one step lie, and how large the images before and after it are.
struct Step {
    rows: usize,
    columns: usize,
    upper: usize,
    left: usize,
    /// Distance between rows of the coefficients.
    stride: usize,
}

/// Rounding of one step. Coefficients of step `k` count in units of 2^k; what is below is not significant.
struct Rounding<T> {
    /// Log2 of the unit of the curvature; slopes count in twice that.
    step: u32,
    /// The unit.
    bit0: T,
    last: bool,
}

impl<T: Word> Rounding<T> {
    /// To a multiple of `unit`, halves away from zero; nothing to do for a unit of one.
    #[inline(always)]
    fn to(value: T, unit: T, one: bool) -> T {
        if one {
            return value;
        }
        let half = unit.right(1);
        value.plus(half).plus(value.sign()).and(T::default().minus(unit))
    }

    /// The four pixels that one mean and three details stand for: top left, top right, and those below.
    #[inline(always)]
    fn four(&self, mean: T, slope_x: T, slope_y: T, curvature: T) -> [T; 4] {
        let bit0 = self.bit0;
        let bit1 = bit0.left(1);
        let hc = Self::to(curvature, bit0, self.last);
        let hx = Self::to(slope_x, bit1, false);
        let hy = Self::to(slope_y, bit1, false);
        // The low bits are those of the sums before they were halved, and are the same in all of them.
        let low0 = hc.and(bit0);
        let away = |h: T| {
            let sign = h.sign();
            h.minus(low0.xor(sign).minus(sign))
        };
        let (hx, hy) = (away(hx), away(hy));
        let low1 = hc.xor(hx).xor(hy).and(bit1);
        // Down for means that are not negative; for negative ones up where bit 0 is clear.
        let clear = low0.left(T::BITS - 1 - self.step).sign().xor(T::of(-1));
        let up = mean.sign().and(clear);
        let h0 = mean.plus(low0).minus(low1.xor(up).minus(up));
        let shift = if self.last { 2 } else { 1 };
        [
            h0.minus(hx).minus(hy).plus(hc).right(shift),
            h0.minus(hx).plus(hy).minus(hc).right(shift),
            h0.plus(hx).minus(hy).minus(hc).right(shift),
            h0.plus(hx).plus(hy).plus(hc).right(shift),
        ]
    }

    /// The two pixels of a pair that has no partner across an odd edge.
    #[inline(always)]
    fn two(&self, mean: T, slope: T) -> [T; 2] {
        let bit1 = self.bit0.left(1);
        let h = Self::to(slope, bit1, false);
        let low1 = h.and(bit1);
        let sign = mean.sign();
        let h0 = mean.minus(low1.xor(sign).minus(sign));
        let shift = if self.last { 2 } else { 1 };
        [h0.minus(h).right(shift), h0.plus(h).right(shift)]
    }

    fn one(&self, mean: T) -> T {
        mean.right(if self.last { 2 } else { 1 })
    }
}

/// Leaves the image in `means`.
#[inline(always)]
pub(super) fn transform<T: Word>(head: &Head, smooth: bool, buffers: &mut Buffers<T>) {
    let levels = head.levels();
    let Buffers { coefficients, means, finer } = buffers;
    means.clear();
    if levels == 0 {
        means.push(coefficients[0]);
        return;
    }
    means.push(Rounding::to(coefficients[0], T::of(1_i64 << (levels + 1)), false));
    for k in (0..levels).rev() {
        let (rows, columns) = (head.rows.div_ceil(1 << k), head.columns.div_ceil(1 << k));
        let step =
            Step { rows, columns, upper: rows.div_ceil(2), left: columns.div_ceil(2), stride: head.columns };
        if smooth {
            step.smooth(means, coefficients, head.scale);
        }
        let rounding = Rounding { step: k, bit0: T::of(1_i64 << k), last: k == 0 };
        finer.resize(rows * columns, T::default());
        step.expand(&rounding, means, coefficients, finer);
        std::mem::swap(means, finer);
        means.truncate(rows * columns);
    }
}

impl Step {
    #[inline(always)]
    fn expand<T: Word>(&self, rounding: &Rounding<T>, means: &[T], coefficients: &[T], finer: &mut [T]) {
        let right = self.columns - self.left;
        for (i, rows) in finer[..self.rows * self.columns].chunks_mut(2 * self.columns).enumerate() {
            let mean = &means[i * self.left..(i + 1) * self.left];
            let slope_y = &coefficients[i * self.stride + self.left..][..right];
            if rows.len() < 2 * self.columns {
                let (pairs, odd) = rows.as_chunks_mut::<2>();
                for ((pair, &h0), &hy) in pairs.iter_mut().zip(mean).zip(slope_y) {
                    *pair = rounding.two(h0, hy);
                }
                if let ([odd], Some(&h0)) = (odd, mean.last()) {
                    *odd = rounding.one(h0);
                }
                continue;
            }
            let below = (self.upper + i) * self.stride;
            let slope_x = &coefficients[below..][..self.left];
            let curvature = &coefficients[below + self.left..][..right];
            let (top, bottom) = rows.split_at_mut(self.columns);
            let ((top, top_odd), (bottom, bottom_odd)) =
                (top.as_chunks_mut::<2>(), bottom.as_chunks_mut::<2>());
            let details = slope_y.iter().zip(curvature);
            let sums = mean.iter().zip(slope_x);
            for ((above, under), ((&h0, &hx), (&hy, &hc))) in
                top.iter_mut().zip(bottom.iter_mut()).zip(sums.zip(details))
            {
                let [a, b, c, d] = rounding.four(h0, hx, hy, hc);
                *above = [a, b];
                *under = [c, d];
            }
            if let ([above], [under], Some(&h0), Some(&hx)) =
                (top_odd, bottom_odd, mean.last(), slope_x.last())
            {
                [*above, *under] = rounding.two(h0, hx);
            }
        }
    }

    /// Moves details toward what the neighbouring means suggest, by at most half a quantisation step and
    /// never so far that a slope changes its sign. Details at the edge stay.
    #[inline(always)]
    fn smooth<T: Word>(&self, means: &[T], coefficients: &mut [T], scale: i32) {
        let most = T::of(i64::from(scale >> 1));
        if most <= T::default() {
            return;
        }
        let (zero, left) = (T::default(), self.left);
        let inner = |size: usize| 1..(size.saturating_sub(1) / 2).max(1);
        let change = |diff: T, value: T, by: u32| {
            let s = diff.minus(value.left(by));
            // Division by a power of two, toward zero.
            let s = s.plus(s.sign().and(T::of((1 << by) - 1))).right(by);
            s.min(most).max(zero.minus(most))
        };
        let slope = |hm: T, h0: T, hp: T, value: &mut T| {
            let (ahead, behind) = (hp.minus(h0), h0.minus(hm));
            let most = ahead.min(behind).max(zero).left(2);
            let least = ahead.max(behind).min(zero).left(2);
            if least < most {
                let diff = hp.minus(hm).min(most).max(least);
                *value = value.plus(change(diff, *value, 3));
            }
        };
        for i in inner(self.rows) {
            let row = &mut coefficients[(self.upper + i) * self.stride..][..left];
            for (j, value) in row.iter_mut().enumerate() {
                slope(means[(i - 1) * left + j], means[i * left + j], means[(i + 1) * left + j], value);
            }
        }
        for i in 0..self.upper {
            for j in inner(self.columns) {
                let at = i * left + j;
                let value = &mut coefficients[i * self.stride + left + j];
                slope(means[at - 1], means[at], means[at + 1], value);
            }
        }
        for i in inner(self.rows) {
            for j in inner(self.columns) {
                let mean = |row: usize, column: usize| means[row * left + column];
                let (hmm, hpm) = (mean(i - 1, j - 1), mean(i + 1, j - 1));
                let (hmp, hpp) = (mean(i - 1, j + 1), mean(i + 1, j + 1));
                let h0 = mean(i, j);
                let below = (self.upper + i) * self.stride;
                let hx2 = coefficients[below + j].left(1);
                let hy2 = coefficients[i * self.stride + left + j].left(1);
                // The four neighbours at the corners, each with the sign that it has in the curvature.
                let corners = [
                    (hpp.minus(h0), zero.minus(hx2).minus(hy2)),
                    (h0.minus(hpm), hx2.minus(hy2)),
                    (h0.minus(hmp), hy2.minus(hx2)),
                    (hmm.minus(h0), hx2.plus(hy2)),
                ];
                let bound = |limit: fn(T, T) -> T, pick: fn(T, T) -> T| {
                    let [a, b, c, d] = corners.map(|(step, slopes)| limit(step, T::default()).plus(slopes));
                    pick(pick(a, b), pick(c, d)).left(4)
                };
                let (most, least) = (bound(T::max, T::min), bound(T::min, T::max));
                if least < most {
                    let diff = hpp.plus(hmm).minus(hmp).minus(hpm).min(most).max(least);
                    let value = &mut coefficients[below + left + j];
                    *value = value.plus(change(diff, *value, 6));
                }
            }
        }
    }
}
