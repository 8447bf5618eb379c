//! HCOMPRESS_1 without loss (FITS 4.0, 10.4.4; White, Postman & Lattanzi 1992). Bit planes are stored as they are,
//! which the format allows, instead of as Huffman codes.

use super::rice::Bits;

/// Compresses an image of rows of `width` pixels.
pub(super) fn encode(pixels: &[i32], width: usize) -> Vec<u8> {
    let (nx, ny) = (pixels.len() / width, width);
    let mut a: Vec<i64> = pixels.iter().map(|&p| i64::from(p)).collect();
    transform(&mut a, nx, ny);

    let mut out = vec![0xDD, 0x99];
    for number in [nx as u32, ny as u32, 0] {
        out.extend(number.to_be_bytes());
    }
    out.extend(std::mem::take(&mut a[0]).to_be_bytes());
    let mut signs = Bits::default();
    a.iter().filter(|v| **v != 0).for_each(|v| signs.put(u32::from(*v < 0), 1));
    a.iter_mut().for_each(|v| *v = v.abs());

    // Four quadrants: smooth; horizontal and vertical differences, which share a number of planes; both.
    let (half_x, half_y) = (nx.div_ceil(2), ny.div_ceil(2));
    let quadrants = [
        (0, 0, half_x, half_y, 0),
        (0, half_y, half_x, ny / 2, 1),
        (half_x, 0, nx / 2, half_y, 1),
        (half_x, half_y, nx / 2, ny / 2, 2),
    ];
    let mut planes = [0_u32; 3];
    for (x0, y0, rows, columns, kind) in quadrants {
        let largest = (x0..x0 + rows).flat_map(|x| &a[x * ny + y0..x * ny + y0 + columns]).max().copied();
        planes[kind] = planes[kind].max(64 - largest.unwrap_or(0).leading_zeros());
    }
    out.extend(planes.map(|n| n as u8));
    let mut bits = Bits::default();
    for (x0, y0, rows, columns, kind) in quadrants {
        let at = |x: usize, y: usize| if x < rows && y < columns { a[(x0 + x) * ny + y0 + y] } else { 0 };
        for plane in (0..planes[kind]).rev() {
            bits.put(0, 4);
            for x in (0..rows).step_by(2) {
                for y in (0..columns).step_by(2) {
                    let nybble = [(0, 0), (0, 1), (1, 0), (1, 1)];
                    nybble.iter().for_each(|(i, j)| bits.put((at(x + i, y + j) >> plane & 1) as u32, 1));
                }
            }
        }
    }
    bits.put(0, 4);
    out.extend(bits.finish());
    out.extend(signs.finish());
    out
}

/// The H-transform: sums and differences of 2x2 blocks, then of the sums, until one is left.
fn transform(a: &mut [i64], nx: usize, ny: usize) {
    let levels = nx.max(ny).next_power_of_two().ilog2();
    let (mut top_x, mut top_y) = (nx, ny);
    for level in 0..levels {
        // The first level is exact; later ones halve, and drop bits that the differences carry anyway.
        let shift = u32::from(level > 0);
        let unit = 1_i64 << level;
        let difference = |v: i64| (if v >= 0 { v + unit } else { v }) & -(2 * unit);
        let smooth = |v: i64| (if v >= 0 { v + 2 * unit } else { v + 2 * unit - 1 }) & -(4 * unit);
        for x in (0..top_x).step_by(2) {
            for y in (0..top_y).step_by(2) {
                let (below, right) = (x + 1 < top_x, y + 1 < top_y);
                let at = x * ny + y;
                match (below, right) {
                    (true, true) => {
                        let [a00, a01, a10, a11] = [a[at], a[at + 1], a[at + ny], a[at + ny + 1]];
                        a[at] = smooth((a11 + a10 + a01 + a00) >> shift);
                        a[at + ny] = difference((a11 + a10 - a01 - a00) >> shift);
                        a[at + 1] = difference((a11 - a10 + a01 - a00) >> shift);
                        a[at + ny + 1] = (a11 - a10 - a01 + a00) >> shift;
                    }
                    (true, false) => {
                        let [a00, a10] = [a[at], a[at + ny]];
                        a[at] = smooth((a10 + a00) << (1 - shift));
                        a[at + ny] = difference((a10 - a00) << (1 - shift));
                    }
                    (false, true) => {
                        let [a00, a01] = [a[at], a[at + 1]];
                        a[at] = smooth((a01 + a00) << (1 - shift));
                        a[at + 1] = difference((a01 - a00) << (1 - shift));
                    }
                    (false, false) => a[at] = smooth(a[at] << (2 - shift)),
                }
            }
        }
        for x in 0..top_x {
            shuffle(a, x * ny, 1, top_y);
        }
        for y in 0..top_y {
            shuffle(a, y, ny, top_x);
        }
        (top_x, top_y) = (top_x.div_ceil(2), top_y.div_ceil(2));
    }
}

/// Even elements first, then the odd ones.
fn shuffle(a: &mut [i64], start: usize, stride: usize, count: usize) {
    let line: Vec<i64> = (0..count).map(|k| a[start + k * stride]).collect();
    let order = (0..count).step_by(2).chain((1..count).step_by(2));
    order.enumerate().for_each(|(to, from)| a[start + to * stride] = line[from]);
}
