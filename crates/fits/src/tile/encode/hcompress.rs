//! HCOMPRESS_1 (FITS 4.0, section 10.4.4; R. White 1992): the H-transform, and its bit planes as quadtrees. The streams
//! are those of CFITSIO.

use std::ops::{Add, BitAnd, Neg, Shl, Shr, Sub};

/// The integer that the transform works in.
trait Word:
    Copy
    + Ord
    + Default
    + From<i32>
    + Into<i64>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Neg<Output = Self>
    + BitAnd<Output = Self>
    + Shl<u32, Output = Self>
    + Shr<u32, Output = Self>
{
    fn divided(self, by: i32) -> Self;
}

impl Word for i32 {
    fn divided(self, by: i32) -> Self {
        self / by
    }
}

impl Word for i64 {
    fn divided(self, by: i32) -> Self {
        self / Self::from(by)
    }
}

/// Reusable working space.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    narrow: Vec<i32>,
    wide: Vec<i64>,
    nibbles: Vec<u8>,
    codes: Vec<u8>,
}

/// Appends the stream of a tile whose rows have `columns` pixels; what is below `scale` is lost.
pub(crate) fn encode(pixels: &[i32], columns: usize, scale: i32, work: &mut Workspace, out: &mut Vec<u8>) {
    let rows = pixels.len() / columns.max(1);
    // A level doubles the numbers, the first one twice.
    let bits = rows.max(columns).next_power_of_two().trailing_zeros() + 2;
    let most = pixels.iter().map(|p| p.unsigned_abs()).max().unwrap_or(0);
    let Workspace { narrow, wide, nibbles, codes } = work;
    if u64::from(most) << bits < 1 << 30 {
        stream(pixels, rows, columns, scale, narrow, nibbles, codes, out);
    } else {
        stream(pixels, rows, columns, scale, wide, nibbles, codes, out);
    }
}

#[expect(clippy::too_many_arguments, reason = "the last four are the caller's working space")]
fn stream<T: Word>(
    pixels: &[i32],
    rows: usize,
    columns: usize,
    scale: i32,
    image: &mut Vec<T>,
    nibbles: &mut Vec<u8>,
    codes: &mut Vec<u8>,
    out: &mut Vec<u8>,
) {
    image.clear();
    image.extend(pixels.iter().map(|&p| T::from(p)));
    transform(image, rows, columns);
    if scale > 1 {
        let half = T::from((scale + 1) / 2 - 1);
        for c in image.iter_mut() {
            *c = (if *c > T::default() { *c + half } else { *c - half }).divided(scale);
        }
    }
    out.extend_from_slice(&[0xdd, 0x99]);
    for number in [rows as i32, columns as i32, scale] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out.extend_from_slice(&std::mem::take(&mut image[0]).into().to_be_bytes());
    let mut signs = Bits::default();
    for c in image.iter_mut().filter(|c| **c != T::default()) {
        signs.put(u32::from(*c < T::default()), 1);
        *c = (*c).max(-*c);
    }
    let (upper, left) = (rows.div_ceil(2), columns.div_ceil(2));
    let quadrants = [
        (0, upper, left, 0),
        (left, upper, columns - left, 1),
        (columns * upper, rows - upper, left, 1),
        (columns * upper + left, rows - upper, columns - left, 2),
    ];
    let mut planes = [0; 3];
    for (start, rows, width, kind) in quadrants {
        let rows = (0..rows).map(|row| &image[start + row * columns..][..width]);
        let most = rows.flatten().copied().max().unwrap_or_default().into();
        planes[kind] = (u64::BITS - (most as u64).leading_zeros()).max(planes[kind]);
    }
    out.extend(planes.map(|p| p as u8));
    let mut bits = Bits::default();
    for (start, rows, width, kind) in quadrants {
        let quadrant =
            Quadrant { image: image.get(start..).unwrap_or(&[]), rows, columns: width, stride: columns };
        for plane in (0..planes[kind]).rev() {
            quadrant.plane(plane, nibbles, codes, &mut bits);
        }
    }
    bits.put(0, 4);
    out.append(&mut bits.end());
    out.append(&mut signs.end());
}

/// The forward H-transform in place, each step halving both sides.
fn transform<T: Word>(image: &mut [T], rows: usize, columns: usize) {
    let steps = rows.max(columns).next_power_of_two().trailing_zeros();
    let (mut height, mut width, mut scratch) = (rows, columns, Vec::new());
    for step in 0..steps {
        let shift = u32::from(step > 0);
        // Bits below are not significant: of slopes, and of sums.
        let (one, two) = (T::from(1) << step, T::from(1) << (step + 1));
        let slope = |h: T| (if h >= T::default() { h + one } else { h }) & -two;
        let sum = |h: T| (if h >= T::default() { h + two } else { h + two - T::from(1) }) & -(two << 1);
        for row in (0..height).step_by(2) {
            let top = row * columns;
            let below = (row + 1 < height).then_some(top + columns);
            for column in (0..width).step_by(2) {
                let (a, right) = (top + column, column + 1 < width);
                match (below, right) {
                    (Some(below), true) => {
                        let c = below + column;
                        let [p, q, r, s] = [image[a], image[a + 1], image[c], image[c + 1]];
                        image[c + 1] = (s - r - q + p) >> shift;
                        image[c] = slope((s + r - q - p) >> shift);
                        image[a + 1] = slope((s - r + q - p) >> shift);
                        image[a] = sum((s + r + q + p) >> shift);
                    }
                    (Some(below), false) => {
                        let (p, r) = (image[a], image[below + column]);
                        image[below + column] = slope((r - p) << (1 - shift));
                        image[a] = sum((r + p) << (1 - shift));
                    }
                    (None, true) => {
                        let (p, q) = (image[a], image[a + 1]);
                        image[a + 1] = slope((q - p) << (1 - shift));
                        image[a] = sum((q + p) << (1 - shift));
                    }
                    (None, false) => image[a] = sum(image[a] << (2 - shift)),
                }
            }
        }
        // Sums first, then details, along both axes.
        for row in image.chunks_mut(columns).take(height) {
            scratch.clear();
            scratch.extend(row[..width].iter().skip(1).step_by(2).copied());
            for even in 0..width.div_ceil(2) {
                row[even] = row[2 * even];
            }
            row[width.div_ceil(2)..width].copy_from_slice(&scratch);
        }
        scratch.clear();
        for row in (1..height).step_by(2) {
            scratch.extend_from_slice(&image[row * columns..][..width]);
        }
        for even in 1..height.div_ceil(2) {
            image.copy_within(2 * even * columns..2 * even * columns + width, even * columns);
        }
        for (row, odd) in (height.div_ceil(2)..height).zip(scratch.chunks(width)) {
            image[row * columns..][..width].copy_from_slice(odd);
        }
        (height, width) = (height.div_ceil(2), width.div_ceil(2));
    }
}

/// Bits, the most significant first.
#[derive(Default)]
struct Bits {
    out: Vec<u8>,
    word: u32,
    have: u32,
}

impl Bits {
    /// Appends the `count` low bits of `value`, at most 16.
    fn put(&mut self, value: u32, count: u32) {
        self.word = self.word << count | value;
        self.have += count;
        while self.have >= 8 {
            self.have -= 8;
            self.out.push((self.word >> self.have) as u8);
        }
    }

    fn end(mut self) -> Vec<u8> {
        if self.have > 0 {
            self.put(0, 8 - self.have);
        }
        self.out
    }
}

/// Code and length of each pattern of four bits.
const CODES: [(u32, u32); 16] = [
    (0x3e, 6),
    (0x00, 3),
    (0x01, 3),
    (0x08, 4),
    (0x02, 3),
    (0x09, 4),
    (0x1a, 5),
    (0x1b, 5),
    (0x03, 3),
    (0x1c, 5),
    (0x0a, 4),
    (0x1d, 5),
    (0x0b, 4),
    (0x1e, 5),
    (0x3f, 6),
    (0x0c, 4),
];

/// A rectangle of the coefficients, `stride` apart from row to row.
struct Quadrant<'a, T> {
    image: &'a [T],
    rows: usize,
    columns: usize,
    stride: usize,
}

impl<T: Word> Quadrant<'_, T> {
    fn plane(&self, plane: u32, nibbles: &mut Vec<u8>, codes: &mut Vec<u8>, bits: &mut Bits) {
        self.squares(plane, nibbles);
        let (mut rows, mut columns) = (self.rows.div_ceil(2), self.columns.div_ceil(2));
        // More bytes than this are not worth it.
        let most = (rows * columns).div_ceil(2);
        let levels = self.rows.max(self.columns).next_power_of_two().trailing_zeros();
        // From the leaves up; readers start at the root, so the bytes are turned round.
        codes.clear();
        let (mut word, mut have) = (0_u32, 0);
        let mut fits = true;
        for level in 0..levels.max(1) {
            if level > 0 {
                reduce(nibbles, rows, columns);
                (rows, columns) = (rows.div_ceil(2), columns.div_ceil(2));
            }
            for &nibble in nibbles[..rows * columns].iter().filter(|&&n| n != 0) {
                let (code, length) = CODES[usize::from(nibble)];
                word |= code << have;
                have += length;
                if have >= 8 {
                    codes.push(word as u8);
                    if codes.len() >= most {
                        fits = false;
                        break;
                    }
                    (word, have) = (word >> 8, have - 8);
                }
            }
            if !fits {
                break;
            }
        }
        if fits {
            bits.put(0xf, 4);
            if codes.is_empty() && have == 0 {
                bits.put(CODES[0].0, CODES[0].1);
            }
            bits.put(word & ((1 << have) - 1), have);
            codes.iter().rev().for_each(|&byte| bits.put(byte.into(), 8));
        } else {
            bits.put(0, 4);
            self.squares(plane, nibbles);
            nibbles.iter().for_each(|&nibble| bits.put(nibble.into(), 4));
        }
    }

    /// One bit plane, four bits for each square of four pixels.
    fn squares(&self, plane: u32, nibbles: &mut Vec<u8>) {
        nibbles.clear();
        let bit = |value: T| ((value >> plane) & T::from(1)).into() as u8;
        for row in (0..self.rows).step_by(2) {
            let top = &self.image[row * self.stride..][..self.columns];
            let below: &[T] = if row + 1 < self.rows {
                &self.image[(row + 1) * self.stride..][..self.columns]
            } else {
                &[]
            };
            for column in (0..self.columns).step_by(2) {
                let at = |row: &[T], column: usize| row.get(column).map_or(0, |&v| bit(v));
                let above = at(top, column) << 3 | at(top, column + 1) << 2;
                nibbles.push(above | at(below, column) << 1 | at(below, column + 1));
            }
        }
    }
}

/// The next level: whether any of four nodes holds something.
fn reduce(nibbles: &mut [u8], rows: usize, columns: usize) {
    let mut to = 0;
    for row in (0..rows).step_by(2) {
        for column in (0..columns).step_by(2) {
            let at = row * columns + column;
            let (right, below) = (column + 1 < columns, row + 1 < rows);
            let any = |on: bool, at: usize| u8::from(on && nibbles[at] != 0);
            let node = any(true, at) << 3
                | any(right, at + 1) << 2
                | any(below, at + columns) << 1
                | any(right && below, at + columns + 1);
            nibbles[to] = node;
            to += 1;
        }
    }
}
