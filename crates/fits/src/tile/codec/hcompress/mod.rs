//! HCOMPRESS_1 (FITS 4.0, section 10.4.4; R. White, "High-performance compression of astronomical images",
//! 1992): the H-transform of the tile, coded bit plane by bit plane as quadtrees.

mod inverse;
mod planes;

use super::Fault;
use crate::machine::{self, Kernel};
use std::ops::RangeInclusive;

/// Reusable working space.
#[derive(Default)]
pub(crate) struct Workspace {
    narrow: Buffers<i32>,
    wide: Buffers<i64>,
    nodes: planes::Nodes,
}

#[derive(Default)]
struct Buffers<T> {
    coefficients: Vec<T>,
    means: Vec<T>,
    finer: Vec<T>,
}

impl Workspace {
    /// Bytes held, roughly.
    pub(crate) fn bytes(&self) -> usize {
        4 * self.narrow.words() + 8 * self.wide.words() + self.nodes.bytes()
    }
}

impl<T> Buffers<T> {
    fn words(&self) -> usize {
        self.coefficients.capacity() + self.means.capacity() + self.finer.capacity()
    }
}

/// The signed integer that the transform works in.
///
/// Arithmetic wraps, so that a damaged stream gives wrong numbers rather than a panic; the caller picks a
/// type in which that cannot happen to a sound one.
trait Word: Copy + Default + PartialEq + Ord + 'static {
    const BITS: u32;
    fn of(value: i64) -> Self;
    fn wide(self) -> i64;
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    fn and(self, other: Self) -> Self;
    fn or(self, other: Self) -> Self;
    fn xor(self, other: Self) -> Self;
    fn left(self, by: u32) -> Self;
    fn right(self, by: u32) -> Self;
    /// −1 for negative numbers, 0 for others.
    #[inline(always)]
    fn sign(self) -> Self {
        self.right(Self::BITS - 1)
    }
}

macro_rules! word {
    ($type:ty) => {
        impl Word for $type {
            const BITS: u32 = <$type>::BITS;
            #[inline(always)]
            fn of(value: i64) -> Self {
                value as $type
            }
            #[inline(always)]
            fn wide(self) -> i64 {
                self.into()
            }
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }
            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }
            #[inline(always)]
            fn and(self, other: Self) -> Self {
                self & other
            }
            #[inline(always)]
            fn or(self, other: Self) -> Self {
                self | other
            }
            #[inline(always)]
            fn xor(self, other: Self) -> Self {
                self ^ other
            }
            #[inline(always)]
            fn left(self, by: u32) -> Self {
                self.wrapping_shl(by)
            }
            #[inline(always)]
            fn right(self, by: u32) -> Self {
                self.wrapping_shr(by)
            }
        }
    };
}

word!(i32);
word!(i64);

/// What stands before the bit planes.
struct Head {
    rows: usize,
    columns: usize,
    scale: i32,
    sum: i64,
    /// Bit planes of the means, of the two kinds of slopes, and of the curvature.
    planes: [u8; 3],
}

impl Head {
    const BYTES: usize = 25;

    fn read(stream: &[u8], pixels: usize) -> Result<Self, Fault> {
        let head = stream.first_chunk::<{ Self::BYTES }>().ok_or_else(|| Fault::ends_early(stream.len()))?;
        if head[..2] != [0xdd, 0x99] {
            return Err(Fault::new(0, "it does not start as HCOMPRESS does"));
        }
        let word = |at: usize| i32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (rows, columns) = (word(2), word(6));
        let size = usize::try_from(rows).ok().zip(usize::try_from(columns).ok());
        let Some((rows, columns)) = size.filter(|&(r, c)| r.checked_mul(c) == Some(pixels) && pixels > 0)
        else {
            let what = format!("it holds {rows} x {columns} pixels, the tile has {pixels}");
            return Err(Fault::new(2, what));
        };
        let sum = i64::from(word(14)) << 32 | i64::from(word(18) as u32);
        Ok(Self { rows, columns, scale: word(10), sum, planes: [head[22], head[23], head[24]] })
    }

    /// The number of times the image has to be halved to be one pixel.
    fn levels(&self) -> u32 {
        levels(self.rows, self.columns)
    }

    /// Whether no number of the transform can leave 32 bits.
    ///
    /// A mean becomes half the sum of itself and three details, so it never exceeds the larger of the first
    /// mean and three details, and a sum never exceeds four times that.
    fn narrow(&self) -> bool {
        let planes = self.planes.into_iter().max().unwrap_or(0);
        let largest = self.sum.unsigned_abs().max(1_u64.checked_shl(planes.into()).unwrap_or(u64::MAX));
        largest.saturating_mul(self.scale.max(1).unsigned_abs().into()) < 1 << 27 && self.levels() < 24
    }
}

fn levels(rows: usize, columns: usize) -> u32 {
    rows.max(columns).next_power_of_two().trailing_zeros()
}

/// Decodes a tile of `out.len()` pixels whose rows have `columns` pixels.
///
/// A lossy stream may come out beyond the range of the pixels that went in; it is cut to `range`.
pub(crate) fn decode(
    stream: &[u8],
    columns: usize,
    smooth: bool,
    range: RangeInclusive<i32>,
    work: &mut Workspace,
    out: &mut [i32],
) -> Result<(), Fault> {
    let head = Head::read(stream, out.len())?;
    if head.columns != columns {
        let what = format!("its rows have {} pixels, those of the tile {columns}", head.columns);
        return Err(Fault::new(2, what));
    }
    if let Some(&planes) = head.planes.iter().find(|&&p| p > 62) {
        return Err(Fault::new(22, format!("it claims {planes} bit planes")));
    }
    let Workspace { narrow, wide, nodes } = work;
    // Smoothing multiplies by up to 64 on its way.
    if head.narrow() && !smooth {
        machine::run(Whole { stream, head: &head, smooth, range, buffers: narrow, nodes, out })
    } else {
        machine::run(Whole { stream, head: &head, smooth, range, buffers: wide, nodes, out })
    }
}

/// A tile on its way from the stream to its pixels.
struct Whole<'a, T> {
    stream: &'a [u8],
    head: &'a Head,
    smooth: bool,
    range: RangeInclusive<i32>,
    buffers: &'a mut Buffers<T>,
    nodes: &'a mut planes::Nodes,
    out: &'a mut [i32],
}

impl<T: Word> Kernel for Whole<'_, T> {
    type Output = Result<(), Fault>;

    #[inline(always)]
    fn run(self) -> Self::Output {
        let Self { stream, head, smooth, range, buffers, nodes, out } = self;
        let coefficients = &mut buffers.coefficients;
        coefficients.clear();
        coefficients.resize(out.len(), T::default());
        planes::decode(stream, head, nodes, coefficients)?;
        coefficients[0] = T::of(head.sum);
        if head.scale > 1 {
            let scale = T::of(head.scale.into());
            coefficients.iter_mut().for_each(|c| *c = c.times(scale));
        }
        inverse::transform(head, smooth, buffers);
        let (low, high) = (T::of((*range.start()).into()), T::of((*range.end()).into()));
        for (pixel, value) in out.iter_mut().zip(&buffers.means) {
            *pixel = (*value).clamp(low, high).wide() as i32;
        }
        Ok(())
    }
}
