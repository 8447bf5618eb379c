//! The noise of a tile, as CFITSIO estimates it: medians of second-, third- and fifth-order differences of every other
//! pixel (Stoehr et al. 2007, ST-ECF Newsletter 42).

use std::ops::{Add, Mul, Sub};

/// The arithmetic of differences, in the precision of the pixels.
pub(crate) trait Real:
    Copy + PartialOrd + Default + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self>
{
    fn small(value: i8) -> Self;
    fn abs(self) -> Self;
    fn to_f64(self) -> f64;
    /// A number of the same order, if this is positive.
    fn key(self) -> u64;
}

macro_rules! real {
    ($($type:ident $key:expr;)+) => {$(
        impl Real for $type {
            fn small(value: i8) -> Self {
                value.into()
            }
            fn abs(self) -> Self {
                self.abs()
            }
            fn to_f64(self) -> f64 {
                self as f64
            }
            fn key(self) -> u64 {
                $key(self)
            }
        }
    )+};
}

real! {
    f32 |v: f32| v.to_bits().into();
    f64 |v: f64| v.to_bits();
    i64 |v: i64| v as u64;
}

/// Reused from tile to tile.
#[derive(Debug, Default)]
pub(crate) struct Workspace<T> {
    second: Vec<T>,
    third: Vec<T>,
    fifth: Vec<T>,
    keys: Vec<u64>,
    medians: [Vec<f64>; 3],
}

/// The noise of the rows of a tile, without their null pixels; with those they would have `columns` pixels.
pub(crate) fn noise<'a, T: Real + 'a>(
    rows: impl Iterator<Item = &'a [T]> + Clone,
    columns: usize,
    work: &mut Workspace<T>,
) -> f64 {
    // Where a row has fewer second differences than others, CFITSIO takes a median over what earlier rows left
    // behind them. Only then does it matter how exactly that was sorted.
    let [second, third, fifth] = medians(rows.clone(), columns, false, work)
        .or_else(|| medians(rows, columns, true, work))
        .unwrap_or_default();
    let (second, third, fifth) = (1.0483579 * second, 0.6052697 * third, 0.1772048 * fifth);
    let mut least = third;
    for other in [second, fifth] {
        if other != 0.0 && other < least {
            least = other;
        }
    }
    least
}

/// The medians over all rows of the medians of each; `None` if they need `replay` and it is off.
fn medians<'a, T: Real + 'a>(
    rows: impl Iterator<Item = &'a [T]>,
    columns: usize,
    replay: bool,
    work: &mut Workspace<T>,
) -> Option<[f64; 3]> {
    let Workspace { second, third, fifth, keys, medians } = work;
    medians.iter_mut().for_each(Vec::clear);
    second.clear();
    second.resize(columns, T::default());
    let (two, four, six) = (T::small(2), T::small(4), T::small(6));
    for row in rows {
        third.clear();
        fifth.clear();
        let mut seconds = 0;
        for v in row.windows(9) {
            let [v1, _, v3, v4, v5, v6, v7, _, v9] = *v else { continue };
            // Flat regions say nothing of the noise.
            if !(v5 == v6 && v6 == v7) {
                second[seconds] = (v5 - v7).abs();
                seconds += 1;
            }
            if !(v3 == v4 && v4 == v5 && v5 == v6 && v6 == v7) {
                third.push((two * v5 - v3 - v7).abs());
                fifth.push((six * v5 - four * v3 - four * v7 + v1 + v9).abs());
            }
        }
        let count = third.len();
        if count == 0 {
            continue;
        }
        if !replay && seconds < count {
            return None;
        }
        if count == 1 {
            if seconds == 1 {
                medians[0].push(second[0].to_f64());
            }
        } else if seconds > 1 {
            let median =
                if replay { quick_select(&mut second[..count]) } else { select(&second[..count], keys) };
            medians[0].push(median.to_f64());
        }
        medians[1].push(select(third, keys).to_f64());
        medians[2].push(select(fifth, keys).to_f64());
    }
    Some(std::array::from_fn(|order| {
        let all = &mut medians[order];
        all.sort_unstable_by(f64::total_cmp);
        match all.len() {
            0 => 0.0,
            count => (all[(count - 1) / 2] + all[count / 2]) / 2.0,
        }
    }))
}

/// The lower median of positive numbers.
fn select<T: Real>(values: &[T], keys: &mut Vec<u64>) -> T {
    let middle = (values.len() - 1) / 2;
    keys.clear();
    keys.extend(values.iter().map(|v| v.key()));
    let key = *keys.select_nth_unstable(middle).1;
    values.iter().copied().find(|v| v.key() == key).unwrap_or(values[middle])
}

/// The lower median, by the algorithm that CFITSIO uses (Numerical Recipes in C, section 8.5), which leaves the values
/// in an order of its own.
fn quick_select<T: Real>(values: &mut [T]) -> T {
    let median = (values.len() - 1) / 2;
    let (mut low, mut high) = (0, values.len() - 1);
    while high > low {
        if high == low + 1 {
            if values[low] > values[high] {
                values.swap(low, high);
            }
            break;
        }
        let middle = (low + high) / 2;
        for (a, b) in [(middle, high), (low, high), (middle, low)] {
            if values[a] > values[b] {
                values.swap(a, b);
            }
        }
        values.swap(middle, low + 1);
        let (mut up, mut down) = (low + 1, high);
        loop {
            up += 1;
            while up < high && values[low] > values[up] {
                up += 1;
            }
            down -= 1;
            while down > low && values[down] > values[low] {
                down -= 1;
            }
            if down < up {
                break;
            }
            values.swap(up, down);
        }
        values.swap(low, down);
        if down <= median {
            low = up;
        }
        if down >= median {
            if down == 0 {
                break;
            }
            high = down - 1;
        }
    }
    values[median]
}
