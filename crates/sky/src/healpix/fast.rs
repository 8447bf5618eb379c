//! Positions to cells in plain doubles: a division, a polynomial, and a look at how near the edges are.

use super::exact::Lattice;
use crate::SkyCoord;
use crate::coord::normalize_ra;
use crate::whole::split;

/// asin(2/3), where the belt meets the caps. Both formulas hold on either side within rounding.
const BELT_DEG: f64 = 41.810_314_895_778_6;

/// What an order does to the formulas.
#[derive(Clone, Copy)]
struct Scale {
    order: u8,
    /// Cells along a side of a base cell.
    n: u32,
    side: f64,
    height: f64,
    /// The roundings on the way to `up` and `down` sum up to less than 3e-15 of a base cell.
    margin: f64,
}

impl Scale {
    #[inline]
    fn new(order: u8) -> Self {
        let n = 1_u32 << order;
        let side = f64::from(n);
        Self { order, n, side, height: 6_f64.sqrt() * side, margin: 8e-15 * side }
    }

    /// The cell of a position in the belt, and whether it is that beyond doubt.
    #[inline(always)]
    fn belt(self, ra_deg: f64, dec_deg: f64) -> (u64, bool) {
        let Self { order, n, side, margin, .. } = self;
        let turns = ra_deg * (1.0 / 90.0);
        let slope = 0.75 * small_sine(dec_deg);
        let (p, p_clear) = split((turns + 0.5 - slope) * side, margin);
        let (m, m_clear) = split((turns + 0.5 + slope) * side, margin);
        let (west, east) = (p >> order, m >> order);
        // North of the equatorial base cells `west` is the lower by 1, and names the quarter; south `east`. Elsewhere,
        // where it is not clear, the difference may be anything.
        let row = (1 + west).wrapping_sub(east.min(west + 1));
        let face = west.min(east) & 3 | row << 2;
        (join(face, m & (n - 1), !p & (n - 1), order), p_clear & m_clear)
    }

    /// The same in a cap.
    #[inline(always)]
    fn cap(self, ra_deg: f64, dec_deg: f64) -> (u64, bool) {
        let Self { order, n, margin, .. } = self;
        let turns = ra_deg * (1.0 / 90.0);
        let height = self.height * small_sine((90.0 - dec_deg.abs()) / 2.0);
        let quarter = u32::from(turns >= 1.0) + u32::from(turns >= 2.0) + u32::from(turns >= 3.0);
        let part = turns - f64::from(quarter);
        let (p, p_clear) = split(part * height, margin);
        let (m, m_clear) = split((1.0 - part) * height, margin);
        let north = dec_deg > 0.0;
        let (i, j) = if north { (m ^ (n - 1), p ^ (n - 1)) } else { (p, m) };
        let face = quarter | if north { 0 } else { 8 };
        (join(face, i & (n - 1), j & (n - 1), order), p_clear & m_clear & (p < n) & (m < n))
    }
}

/// The number, in the nested scheme, of the cell of a valid position.
///
/// Without branches but for belt or cap: which base cell it is, nobody can predict.
#[inline]
pub(super) fn nested(ra_deg: f64, dec_deg: f64, order: u8) -> u64 {
    let scale = Scale::new(order);
    let (cell, clear) =
        if dec_deg.abs() <= BELT_DEG { scale.belt(ra_deg, dec_deg) } else { scale.cap(ra_deg, dec_deg) };
    if clear { cell } else { near_edge(ra_deg, dec_deg, scale.n) }
}

/// Positions that go through the same formula.
struct Lane {
    count: usize,
    ra_deg: [f64; BLOCK],
    dec_deg: [f64; BLOCK],
    /// Where in the block they came from.
    from: [u32; BLOCK],
    cells: [u64; BLOCK],
}

/// Few enough for the nearest cache.
const BLOCK: usize = 256;

impl Lane {
    const fn new() -> Self {
        Self { count: 0, ra_deg: [0.0; BLOCK], dec_deg: [0.0; BLOCK], from: [0; BLOCK], cells: [0; BLOCK] }
    }

    /// Takes a position, or lets the next one take its place.
    #[inline]
    fn push(&mut self, ra_deg: f64, dec_deg: f64, from: usize, take: bool) {
        // At most as many as a block has; the mask only says so to the compiler.
        let at = self.count % BLOCK;
        (self.ra_deg[at], self.dec_deg[at], self.from[at]) = (ra_deg, dec_deg, from as u32);
        self.count += usize::from(take);
    }

    #[inline]
    fn work(&mut self, scale: Scale, formula: impl Fn(f64, f64) -> (u64, bool)) {
        let count = self.count.min(BLOCK);
        let (ra, dec, cells) = (&self.ra_deg[..count], &self.dec_deg[..count], &mut self.cells[..count]);
        let mut clear = true;
        for ((cell, &ra), &dec) in cells.iter_mut().zip(ra).zip(dec) {
            let (found, sure) = formula(ra, dec);
            *cell = found;
            clear &= sure;
        }
        if !clear {
            for ((cell, &ra), &dec) in cells.iter_mut().zip(ra).zip(dec) {
                *cell = nested(ra, dec, scale.order);
            }
        }
    }
}

/// The numbers of the cells of many positions; none where a position is not valid. The slices have the same length.
///
/// Belt and caps apart, so that no branch depends on the positions: half of the time goes into wrong guesses otherwise.
pub(super) fn nested_all<T>(
    ra_deg: &[f64],
    dec_deg: &[f64],
    order: u8,
    out: &mut [Option<T>],
    make: impl Fn(u64) -> T,
) {
    let scale = Scale::new(order);
    let (mut belt, mut caps) = (Lane::new(), Lane::new());
    for ((out, ra), dec) in out.chunks_mut(BLOCK).zip(ra_deg.chunks(BLOCK)).zip(dec_deg.chunks(BLOCK)) {
        (belt.count, caps.count) = (0, 0);
        for (from, ((out, &ra), &dec)) in out.iter_mut().zip(ra).zip(dec).enumerate() {
            *out = None;
            let height = dec.abs();
            let valid = (height <= 90.0) & ra.is_finite();
            let ra = normalize_ra(ra);
            belt.push(ra, dec, from, valid & (height <= BELT_DEG));
            caps.push(ra, dec, from, valid & (height > BELT_DEG));
        }
        belt.work(scale, |ra, dec| scale.belt(ra, dec));
        caps.work(scale, |ra, dec| scale.cap(ra, dec));
        for lane in [&belt, &caps] {
            for (&from, &cell) in lane.from.iter().zip(&lane.cells).take(lane.count) {
                out[from as usize] = Some(make(cell));
            }
        }
    }
}

#[cold]
#[inline(never)]
fn near_edge(ra_deg: f64, dec_deg: f64, n: u32) -> u64 {
    Lattice::of(SkyCoord::from_valid(ra_deg, dec_deg), n).nested(n)
}

/// The sine of at most 45 degrees: the power series, of which the next term is below 2e-17.
#[inline]
fn small_sine(deg: f64) -> f64 {
    let x = deg.to_radians();
    let q = x * x;
    // 1/3!, 1/5!, and so on.
    const TERMS: [f64; 7] = [
        -1.0 / 6.0,
        1.0 / 120.0,
        -1.0 / 5_040.0,
        1.0 / 362_880.0,
        -1.0 / 39_916_800.0,
        1.0 / 6_227_020_800.0,
        -1.0 / 1_307_674_368_000.0,
    ];
    let [a, b, c, d, e, f, g] = TERMS;
    let (q2, q4) = (q * q, q * q * (q * q));
    let sum = (a + b * q) + (c + d * q) * q2 + ((e + f * q) + g * q2) * q4;
    x + x * (q * sum)
}

#[inline]
fn join(face: u32, i: u32, j: u32, order: u8) -> u64 {
    let place = if order <= 16 {
        // Both at once, each in its half.
        let z = u64::from(i) | u64::from(j) << 32;
        let z = (z | z << 8) & 0x00ff_00ff_00ff_00ff;
        let z = (z | z << 4) & 0x0f0f_0f0f_0f0f_0f0f;
        let z = (z | z << 2) & 0x3333_3333_3333_3333;
        let z = (z | z << 1) & 0x5555_5555_5555_5555;
        z & 0xffff_ffff | z >> 31
    } else {
        spread(i) | spread(j) << 1
    };
    u64::from(face) << (2 * order) | place
}

/// The bits of a number at every second place.
#[inline]
pub(super) fn spread(z: u32) -> u64 {
    let z = u64::from(z);
    let z = (z | z << 16) & 0x0000_ffff_0000_ffff;
    let z = (z | z << 8) & 0x00ff_00ff_00ff_00ff;
    let z = (z | z << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    let z = (z | z << 2) & 0x3333_3333_3333_3333;
    (z | z << 1) & 0x5555_5555_5555_5555
}
