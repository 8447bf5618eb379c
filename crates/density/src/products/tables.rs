//! The CSV products.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::regions::BrickDensity;

const HEADER: &str = "brickname,ra,dec,ra1,ra2,dec1,dec2,psfsize_g,psfsize_r,psfsize_z,\
psfdepth_g,psfdepth_r,psfdepth_z,ebv,area_deg2,lrg_count,lrg_density";

/// One line a brick. Numbers have the fewest digits that read back to the same double; those stored in single
/// precision are widened first, as the published tables have them.
pub(crate) fn bricks<'a>(
    out: &mut dyn Write,
    bricks: impl Iterator<Item = &'a BrickDensity>,
) -> io::Result<()> {
    writeln!(out, "{HEADER}")?;
    for BrickDensity { row, area_deg2, count, density, .. } in bricks {
        write!(out, "{}", field(&row.brickname))?;
        for value in [row.ra_deg, row.dec_deg, row.ra1_deg, row.ra2_deg, row.dec1_deg, row.dec2_deg] {
            number(out, value)?;
        }
        for &value in row.psfsize_arcsec.iter().chain(&row.psfdepth_mag).chain([&row.ebv_mag]) {
            number(out, value.into())?;
        }
        number(out, *area_deg2)?;
        write!(out, ",{count}")?;
        number(out, *density)?;
        writeln!(out)?;
    }
    Ok(())
}

/// One line a count.
pub(crate) fn counts(out: &mut dyn Write, counts: &[(String, u64)]) -> io::Result<()> {
    writeln!(out, "brickname,lrg_count")?;
    counts.iter().try_for_each(|(name, count)| writeln!(out, "{},{count}", field(name)))
}

/// Always with a point or an exponent, so that a column of whole numbers stays a column of floats; NaN is `nan`.
fn number(out: &mut dyn Write, value: f64) -> io::Result<()> {
    if value.is_nan() {
        return write!(out, ",nan");
    }
    let digits = format!("{value:?}");
    match half_way_below(value, &digits) {
        Some(even) => write!(out, ",{even}"),
        None => write!(out, ",{digits}"),
    }
}

/// Where two of the shortest spellings are equally near, Rust takes the one further from 0 and Python the even one,
/// as the published tables do. This is that other one if it is even.
///
/// Doubles with `k` bits after the point have `k` decimals, of which the last is 5: it is a tie when just that is cut
/// off.
fn half_way_below(value: f64, shortest: &str) -> Option<String> {
    let (_, decimals) = shortest.split_once('.').filter(|_| !shortest.contains('e'))?;
    let fraction = value.abs().to_bits();
    let mantissa = fraction & ((1 << 52) - 1) | 1 << 52;
    // Of a normal number, the exponent's bias and the bits of the mantissa that are there.
    let bits = 1075 - (fraction >> 52) as i64 - i64::from(mantissa.trailing_zeros());
    if bits != decimals.len() as i64 + 1 {
        return None;
    }
    let mut exact = format!("{value:.*}", decimals.len() + 1);
    exact.pop();
    (exact != shortest && exact.ends_with(['0', '2', '4', '6', '8']) && exact.parse() == Ok(value))
        .then_some(exact)
}

fn field(text: &str) -> Cow<'_, str> {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\"")).into()
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: f64) -> String {
        let mut out = Vec::new();
        number(&mut out, value).unwrap();
        String::from_utf8(out).unwrap().split_off(1)
    }

    /// As Python's `repr`, which wrote the published tables.
    #[test]
    fn ties_are_even() {
        for text in [
            "24.413528442382812",
            "24.409378051757812",
            "-24.409378051757812",
            "24.283388137817383",
            "0.062497570613748284",
            "5e-324",
            "1.7976931348623157e+308",
            "0.5",
            "0.0",
            "-0.0",
            "2.5",
            "inf",
            "9007199254740993.0",
        ] {
            let value: f64 = text.parse().unwrap();
            let same = text.replace("e+", "e").replace("9007199254740993.0", "9007199254740992.0");
            assert_eq!(written(value), same);
        }
        assert_eq!(written(f64::NAN), "nan");
    }

    #[test]
    fn every_spelling_reads_back() {
        let mut bits = 1_u64;
        for _ in 0..200_000 {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let value = f64::from(f32::from_bits((bits >> 32) as u32));
            if value.is_finite() {
                assert_eq!(written(value).parse(), Ok(value));
            }
        }
    }
}
