//! The bit planes: each quadrant of the coefficients, plane by plane from the top, as a quadtree or as it is.

use super::super::Fault;
use super::super::bits::Bits;
use super::{Head, Word, levels};

/// Code and length by the next six bits.
const HUFFMAN: [(u8, u8); 64] = huffman();

const fn huffman() -> [(u8, u8); 64] {
    // The codes of 0 to 15 and their lengths.
    let codes: [u8; 16] =
        [0x3e, 0x00, 0x01, 0x08, 0x02, 0x09, 0x1a, 0x1b, 0x03, 0x1c, 0x0a, 0x1d, 0x0b, 0x1e, 0x3f, 0x0c];
    let lengths: [u8; 16] = [6, 3, 3, 4, 3, 4, 5, 5, 3, 5, 4, 5, 4, 5, 6, 4];
    let mut table = [(0, 0); 64];
    let mut value = 0;
    while value < 16 {
        let spare = 6 - lengths[value];
        let mut rest = 0;
        while rest < 1_usize << spare {
            table[((codes[value] as usize) << spare) | rest] = (value as u8, lengths[value]);
            rest += 1;
        }
        value += 1;
    }
    table
}

/// Nodes of a quadtree that are not empty, in the order in which they are read: from the last row to the
/// first, and in each row from right to left.
#[derive(Default)]
pub(crate) struct Nodes {
    level: Vec<Node>,
    next: Vec<Node>,
    nibbles: Vec<u8>,
}

impl Nodes {
    pub(super) fn bytes(&self) -> usize {
        (self.level.capacity() + self.next.capacity()) * size_of::<Node>() + self.nibbles.capacity()
    }
}

#[derive(Clone, Copy)]
struct Node {
    row: u32,
    column: u32,
    /// Which quarters hold something: 8 top left, 4 top right, 2 and 1 below.
    code: u8,
}

/// A rectangle of the coefficients, `stride` apart from row to row.
struct Quadrant {
    start: usize,
    rows: usize,
    columns: usize,
    stride: usize,
    planes: u8,
}

/// Reads all planes and signs into `coefficients`, which are zero.
#[inline(always)]
pub(super) fn decode<T: Word>(
    stream: &[u8],
    head: &Head,
    nodes: &mut Nodes,
    coefficients: &mut [T],
) -> Result<(), Fault> {
    let (rows, columns) = (head.rows, head.columns);
    let (upper, left) = (rows.div_ceil(2), columns.div_ceil(2));
    let (lower, right) = (rows - upper, columns - left);
    let mut bits = Bits::new(stream, Head::BYTES);
    let [means, slopes, curvature] = head.planes;
    for (start, rows, width, planes) in [
        (0, upper, left, means),
        (left, upper, right, slopes),
        (columns * upper, lower, left, slopes),
        (columns * upper + left, lower, right, curvature),
    ] {
        let quadrant = Quadrant { start, rows, columns: width, stride: columns, planes };
        quadrant.decode(&mut bits, nodes, coefficients)?;
    }
    bits.refill();
    let at = bits.position() / 8;
    if bits.take(4) != 0 {
        return Err(Fault::new(at, "the bit planes do not end where they should"));
    }
    // The signs start at a byte.
    let mut bits = Bits::new(stream, bits.position().div_ceil(8));
    signs(&mut bits, coefficients);
    bits.check()
}

/// One bit for each coefficient that is not zero; set for negative ones.
#[inline(always)]
fn signs<T: Word>(bits: &mut Bits<'_>, coefficients: &mut [T]) {
    for group in coefficients.chunks_mut(16) {
        if group.iter().fold(T::default(), |any, &c| any.or(c)) == T::default() {
            continue;
        }
        bits.refill();
        for value in group {
            let present = *value != T::default();
            let negative = T::of(-i64::from(present & ((bits.buffer as i64) < 0)));
            *value = value.xor(negative).minus(negative);
            bits.skip(present.into());
        }
    }
}

impl Quadrant {
    #[inline(always)]
    fn decode<T: Word>(&self, bits: &mut Bits<'_>, nodes: &mut Nodes, out: &mut [T]) -> Result<(), Fault> {
        for plane in (0..self.planes).rev() {
            bits.refill();
            let at = bits.position() / 8;
            let bit = T::of(1_i64 << plane);
            match bits.take(4) {
                _ if self.rows * self.columns == 0 => {
                    return Err(Fault::new(at, "it has bit planes for a quadrant without pixels"));
                }
                0 => self.direct(bits, &mut nodes.nibbles, bit, out),
                0xf => self.quadtree(bits, nodes, bit, out),
                code => return Err(Fault::new(at, format!("bit plane of unknown format {code}"))),
            }
            bits.check()?;
        }
        Ok(())
    }

    /// A plane written as it is, four bits for each square of four pixels.
    #[inline(always)]
    fn direct<T: Word>(&self, bits: &mut Bits<'_>, nibbles: &mut Vec<u8>, bit: T, out: &mut [T]) {
        let plane = bit.wide().trailing_zeros();
        nibbles.resize(self.columns.div_ceil(2), 0);
        for row in (0..self.rows).step_by(2) {
            for group in nibbles.chunks_mut(14) {
                bits.refill();
                for nibble in group {
                    *nibble = bits.take(4) as u8;
                }
            }
            for (row, shift) in [(row, 2), (row + 1, 0)] {
                if row == self.rows {
                    break;
                }
                let start = self.start + row * self.stride;
                let (pairs, last) = out[start..start + self.columns].as_chunks_mut::<2>();
                for (pair, &nibble) in pairs.iter_mut().zip(&*nibbles) {
                    let two = i64::from(nibble >> shift);
                    pair[0] = pair[0].or(T::of((two >> 1) & 1).left(plane));
                    pair[1] = pair[1].or(T::of(two & 1).left(plane));
                }
                if let ([last], Some(&nibble)) = (last, nibbles.last()) {
                    *last = last.or(T::of(i64::from(nibble >> (shift + 1)) & 1).left(plane));
                }
            }
        }
    }

    /// A plane as a quadtree: only the branches that hold a set bit are there.
    #[inline(always)]
    fn quadtree<T: Word>(&self, bits: &mut Bits<'_>, nodes: &mut Nodes, bit: T, out: &mut [T]) {
        let depth = levels(self.rows, self.columns);
        let Nodes { level, next, .. } = nodes;
        level.clear();
        level.push(Node { row: 0, column: 0, code: symbol(bits) });
        for k in 1..depth {
            // Nodes of this level; a node stands for a square of the pixels below it, cut at the edges.
            let (rows, columns) =
                (self.rows.div_ceil(1 << (depth - k)) as u32, self.columns.div_ceil(1 << (depth - k)) as u32);
            next.clear();
            let mut from = 0;
            while let Some(first) = level.get(from) {
                let row = first.row;
                let count = level[from..].iter().take_while(|n| n.row == row).count();
                let parents = &level[from..from + count];
                from += count;
                if 2 * row + 1 < rows {
                    children(bits, parents, 2 * row + 1, 0, columns, next);
                }
                children(bits, parents, 2 * row, 2, columns, next);
            }
            std::mem::swap(level, next);
        }
        for node in &*level {
            self.put(*node, bit, out);
        }
    }

    /// Sets the bit in up to four pixels.
    #[inline(always)]
    fn put<T: Word>(&self, node: Node, bit: T, out: &mut [T]) {
        let (row, column) = (node.row as usize * 2, node.column as usize * 2);
        let at = self.start + row * self.stride + column;
        let on = |set: u8| T::of(-i64::from(node.code & set != 0)).and(bit);
        let inside = column + 1 < self.columns;
        for (at, left, right) in [(at, 8, 4), (at + self.stride, 2, 1)] {
            if inside {
                if let Some([a, b]) = out.get_mut(at..at + 2) {
                    *a = a.or(on(left));
                    *b = b.or(on(right));
                }
            } else if let Some(a) = out.get_mut(at) {
                *a = a.or(on(left));
            }
            if row + 1 >= self.rows {
                break;
            }
        }
    }
}

/// Reads the children of a row of nodes that lie in one row below it; `shift` picks that row's bits.
#[inline(always)]
fn children(bits: &mut Bits<'_>, parents: &[Node], row: u32, shift: u8, columns: u32, next: &mut Vec<Node>) {
    for parent in parents {
        let code = parent.code >> shift;
        let column = 2 * parent.column;
        if code & 1 != 0 && column + 1 < columns {
            let code = symbol(bits);
            next.push(Node { row, column: column + 1, code });
        }
        if code & 2 != 0 {
            let code = symbol(bits);
            next.push(Node { row, column, code });
        }
    }
}

#[inline(always)]
fn symbol(bits: &mut Bits<'_>) -> u8 {
    bits.refill();
    let (value, length) = HUFFMAN[(bits.buffer >> 58) as usize];
    bits.skip(length.into());
    value
}
