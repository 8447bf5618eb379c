//! Positions to cells in plain doubles: a division, a polynomial, and a look at how near the edges are.

use super::exact::Lattice;
use crate::SkyCoord;

/// asin(2/3), where the belt meets the caps. Both formulas hold on either side within rounding.
const BELT_DEG: f64 = 41.810_314_895_778_6;

/// The number, in the nested scheme, of the cell of a valid position; `n = 2^order`.
///
/// Without branches but for belt or cap: which base cell it is, nobody can predict.
#[inline]
pub(super) fn nested(ra_deg: f64, dec_deg: f64, order: u8) -> u64 {
    let n = 1_u32 << order;
    let side = f64::from(n);
    // The roundings on the way to `up` and `down` sum up to less than 3e-15 of a base cell.
    let margin = 8e-15 * side;
    let turns = ra_deg * (1.0 / 90.0);
    if dec_deg.abs() <= BELT_DEG {
        let slope = 0.75 * small_sine(dec_deg);
        let ((p, p_clear), (m, m_clear)) =
            (split((turns + 0.5 - slope) * side, margin), split((turns + 0.5 + slope) * side, margin));
        if p_clear && m_clear {
            let (west, east) = (p >> order, m >> order);
            // North of the equatorial base cells `west` is the lower by 1, and names the quarter; south `east`.
            let row = 1 + west - east.min(west + 1);
            let face = west.min(east) & 3 | row << 2;
            return join(face, m & (n - 1), !p & (n - 1), order);
        }
    } else {
        let height = 6_f64.sqrt() * side * small_sine((90.0 - dec_deg.abs()) / 2.0);
        let quarter = turns as u32;
        let part = turns - f64::from(quarter);
        let ((p, p_clear), (m, m_clear)) =
            (split(part * height, margin), split((1.0 - part) * height, margin));
        if p_clear && m_clear && p < n && m < n {
            let north = dec_deg > 0.0;
            let (i, j) = if north { (m ^ (n - 1), p ^ (n - 1)) } else { (p, m) };
            return join(quarter | if north { 0 } else { 8 }, i, j, order);
        }
    }
    near_edge(ra_deg, dec_deg, n)
}

/// A number below 2^32 cut to a whole one, and whether it is farther than the margin from any whole number.
#[inline]
fn split(x: f64, margin: f64) -> (u32, bool) {
    /// Sums with it have no bits below 1, and their lowest 32 bits are those of the whole number.
    const MAGIC: f64 = 6_755_399_441_055_744.0;
    // Rounded to the nearest, whence the half; where that is a tie, `x` is too near a whole number anyway.
    let shifted = (x - 0.5) + MAGIC;
    let part = x - (shifted - MAGIC);
    (shifted.to_bits() as u32, part > margin && part < 1.0 - margin)
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
