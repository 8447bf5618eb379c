//! Colours.

/// Red, green and blue in sRGB, 0 to 1.
pub(super) type Color = [f32; 3];

pub(super) const WHITE: Color = [1.0; 3];
pub(super) const PAPER: Color = [0.985, 0.985, 0.985];
pub(super) const INK: Color = [0.13, 0.13, 0.15];
pub(super) const GRID: Color = [0.87, 0.87, 0.88];
/// Bricks that fail a quality cut.
pub(super) const FAILED: Color = [0.76, 0.76, 0.77];
pub(super) const PRIMARY: Color = [0.86, 0.05, 0.25];
pub(super) const BACKUP: Color = [0.05, 0.05, 0.07];

/// A perceptually uniform scale from dark violet over blue and green to light yellow, for `t` from 0 to 1.
///
/// Computed, not copied: in OKLab the lightness rises and the hue turns at constant rates, and the chroma is a parabola
/// that stays within what sRGB can show.
///
/// # References
///
/// B. Ottosson, "A perceptual color space for image processing" (2020), <https://bottosson.github.io/posts/oklab>;
/// sRGB transfer function of IEC 61966-2-1.
pub(super) fn scale(t: f32) -> Color {
    linear_scale(t).map(|channel| {
        if channel <= 0.003_130_8 { 12.92 * channel } else { 1.055 * channel.powf(1.0 / 2.4) - 0.055 }
    })
}

fn linear_scale(t: f32) -> Color {
    let t = t.clamp(0.0, 1.0);
    let lightness = 0.27 + 0.66 * t;
    let chroma = 0.095 + 0.26 * (t - 0.42).powi(2);
    let hue = (300.0 - 196.0 * t).to_radians();
    linear_srgb(lightness, chroma * hue.cos(), chroma * hue.sin())
}

/// OKLab to linear sRGB.
fn linear_srgb(lightness: f32, a: f32, b: f32) -> Color {
    let l = (lightness + 0.396_337_78 * a + 0.215_803_76 * b).powi(3);
    let m = (lightness - 0.105_561_346 * a - 0.063_854_17 * b).powi(3);
    let s = (lightness - 0.089_484_18 * a - 1.291_485_5 * b).powi(3);
    [
        4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_93 * s,
        -1.268_438 * l + 2.609_757_4 * m - 0.341_319_38 * s,
        -0.004_196_086_3 * l - 0.703_418_6 * m + 1.707_614_7 * s,
    ]
}

/// As stored in a file.
pub(super) fn bytes(color: Color) -> [u8; 3] {
    color.map(|channel| (channel.clamp(0.0, 1.0) * 255.0).round() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Equal steps of the scale are equal steps of lightness as CIE 1976 defines it, within a few percent.
    #[test]
    fn lightness_rises_evenly() {
        let cie = |t: f32| {
            let linear =
                scale(t).map(|c| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) });
            let y = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
            116.0 * y.cbrt() - 16.0
        };
        let steps: Vec<f32> = (0..10).map(|k| cie((k + 1) as f32 / 10.0) - cie(k as f32 / 10.0)).collect();
        assert!(steps.iter().all(|step| (4.0..12.0).contains(step)), "{steps:?}");
        assert!(cie(0.0) < 20.0 && cie(1.0) > 85.0, "{} {}", cie(0.0), cie(1.0));
    }

    #[test]
    fn every_colour_can_be_shown() {
        for k in 0..=1000 {
            let color = linear_scale(k as f32 / 1000.0);
            assert!(color.iter().all(|channel| (0.0..=1.0).contains(channel)), "{k}: {color:?}");
        }
    }

    #[test]
    fn ends_are_violet_and_yellow() {
        let ([r0, g0, b0], [r1, g1, b1]) = (bytes(scale(0.0)), bytes(scale(1.0)));
        assert!(b0 > r0 && r0 > g0, "{:?}", scale(0.0));
        assert!(r1 > b1 && g1 > b1 && b1 < 200, "{:?}", scale(1.0));
        assert_eq!(scale(-1.0), scale(0.0));
        assert_eq!(scale(2.0), scale(1.0));
    }
}
