//! The window on the sky, and the axes around it.

use super::canvas::{Anchor, Canvas};
use super::colors::{GRID, INK, PAPER};
use crate::regions::RaSpan;

/// The largest plot, in pixels.
const ROOM: [f64; 2] = [926.0, 646.0];
/// Around the plot: left, top, right, bottom.
const MARGINS: [f64; 4] = [114.0, 62.0, 160.0, 82.0];
/// The legend needs this width, the bar this height.
const SMALLEST: [f64; 2] = [560.0, 300.0];
/// Space around the bricks, as a share of the larger side.
const PADDING: f64 = 0.03;
/// Fields longer than this are drawn out of proportion rather than as a thread.
const LONGEST: f64 = 3.0;

const LABEL: f32 = 13.0;
const TITLE: f32 = 14.5;

/// A window on the sky and its place in the picture. Right ascension increases to the left.
#[derive(Debug)]
pub(super) struct Frame {
    ra: RaSpan,
    dec: [f64; 2],
    /// Left and right edge in pixels.
    pub(super) x: [f64; 2],
    /// Upper and lower edge in pixels.
    pub(super) y: [f64; 2],
}

impl Frame {
    /// A window a little larger than the sky given; the whole sky if there is none.
    pub(super) fn around(ra: Option<RaSpan>, dec: [f64; 2]) -> Self {
        let all = RaSpan { start_deg: 0.0, width_deg: 360.0 };
        let (ra, dec) = ra.map_or((all, [-90.0, 90.0]), |ra| {
            let middle = ((dec[0] + dec[1]) / 2.0).to_radians().cos().max(0.05);
            let pad = (PADDING * (dec[1] - dec[0]).max(ra.width_deg * middle)).max(0.02);
            let pad_ra = pad / middle;
            // A field that goes nearly around is drawn on the usual full circle.
            let ra = if ra.width_deg + 2.0 * pad_ra > 330.0 {
                all
            } else {
                RaSpan {
                    start_deg: (ra.start_deg - pad_ra).rem_euclid(360.0),
                    width_deg: ra.width_deg + 2.0 * pad_ra,
                }
            };
            (ra, [(dec[0] - pad).max(-90.0), (dec[1] + pad).min(90.0)])
        });
        // A degree is as long in both directions at the middle declination.
        let middle = ((dec[0] + dec[1]) / 2.0).to_radians().cos().max(0.05);
        let shape = (ra.width_deg * middle / (dec[1] - dec[0])).clamp(1.0 / LONGEST, LONGEST);
        let width = ROOM[0].min(ROOM[1] * shape).round();
        let height = (width / shape).min(ROOM[1]).round();
        // A plot smaller than what belongs to it stands in the middle.
        let [left, top] =
            [(SMALLEST[0] - width) / 2.0, (SMALLEST[1] - height) / 2.0].map(|slack| slack.max(0.0).round());
        let (left, top) = (MARGINS[0] + left, MARGINS[1] + top);
        Self { ra, dec, x: [left, left + width], y: [top, top + height] }
    }

    /// Width and height of the picture, at most 1200 by 790.
    pub(super) fn picture(&self) -> [usize; 2] {
        let [left, top, right, bottom] = MARGINS;
        let plot = [self.x[1] - left, self.y[1] - top];
        [plot[0].max(SMALLEST[0]) + left + right, plot[1].max(SMALLEST[1]) + top + bottom]
            .map(|size| size as usize)
    }

    fn x_of_offset(&self, offset: f64) -> f64 {
        self.x[1] - offset / self.ra.width_deg * (self.x[1] - self.x[0])
    }

    fn y_of(&self, dec: f64) -> f64 {
        self.y[1] - (dec - self.dec[0]) / (self.dec[1] - self.dec[0]) * (self.y[1] - self.y[0])
    }

    /// The pixels between two meridians and two parallels.
    pub(super) fn rectangle(&self, ra: [f64; 2], dec: [f64; 2]) -> ([f64; 2], [f64; 2]) {
        let width = if ra[1] - ra[0] >= 360.0 { 360.0 } else { (ra[1] - ra[0]).rem_euclid(360.0) };
        let east = self.ra.offset(ra[0]);
        let x = [self.x_of_offset((east + width).min(self.ra.width_deg)), self.x_of_offset(east)];
        (x, [self.y_of(dec[0].max(dec[1])), self.y_of(dec[0].min(dec[1]))])
    }

    /// Paper and grid, below the bricks.
    pub(super) fn draw_paper(&self, canvas: &mut Canvas) {
        canvas.rectangle(self.x, self.y, PAPER);
        for (x, _) in self.ra_ticks() {
            canvas.rectangle([x - 0.5, x + 0.5], self.y, GRID);
        }
        for (y, _) in self.dec_ticks() {
            canvas.rectangle(self.x, [y - 0.5, y + 0.5], GRID);
        }
    }

    /// Frame, ticks and labels, above the bricks.
    pub(super) fn draw_axes(&self, canvas: &mut Canvas) {
        const TICK: f64 = 7.0;
        let ([left, right], [_, bottom]) = (self.x, self.y);
        for (x, label) in self.ra_ticks() {
            canvas.rectangle([x - 0.75, x + 0.75], [bottom, bottom + TICK], INK);
            canvas.text(&label, (x as f32 + 1.0, bottom as f32 + 26.0), Anchor::Middle, LABEL, INK);
        }
        let mut widest = 0.0_f32;
        for (y, label) in self.dec_ticks() {
            widest = widest.max(super::font::width(&label) * LABEL / 6.0);
            canvas.rectangle([left - TICK, left], [y - 0.75, y + 0.75], INK);
            canvas.text(&label, (left as f32 - 12.0, y as f32 + LABEL / 2.0), Anchor::End, LABEL, INK);
        }
        canvas.frame(self.x, self.y, 1.5, INK);
        let middle = ((left + right) / 2.0) as f32;
        canvas.text("Right ascension (deg)", (middle, bottom as f32 + 56.0), Anchor::Middle, TITLE, INK);
        let middle = ((self.y[0] + self.y[1]) / 2.0) as f32;
        let at = (left as f32 - 12.0 - widest.max(34.0) - 18.0, middle);
        canvas.text("Declination (deg)", at, Anchor::Upwards, TITLE, INK);
    }

    /// Positions and labels of right ascensions, which may pass through 0.
    fn ra_ticks(&self) -> Vec<(f64, String)> {
        let width = self.ra.width_deg;
        // Labels are about 50 pixels wide.
        let step = angle_step(width / ((self.x[1] - self.x[0]) / 80.0).clamp(2.0, 12.0));
        let first = (self.ra.start_deg / step).ceil();
        let count = ((self.ra.start_deg + width) / step + 1e-9).floor() - first;
        (0..=count.max(0.0) as u32)
            .map(|k| (first + f64::from(k)) * step)
            .filter(|ra| ra - self.ra.start_deg <= width + 1e-9)
            .map(|ra| {
                let label = if ra >= 360.0 - 1e-9 && width < 360.0 { ra - 360.0 } else { ra };
                (self.x_of_offset(ra - self.ra.start_deg), number(label.max(0.0), step))
            })
            .collect()
    }

    fn dec_ticks(&self) -> Vec<(f64, String)> {
        let [south, north] = self.dec;
        let step = angle_step((north - south) / ((self.y[1] - self.y[0]) / 70.0).clamp(2.0, 9.0));
        let (first, last) = ((south / step - 1e-9).ceil(), (north / step + 1e-9).floor());
        (0..=(last - first).max(0.0) as u32)
            .map(|k| (first + f64::from(k)) * step)
            .map(|dec| {
                let sign = if dec.abs() < step / 2.0 {
                    ""
                } else if dec < 0.0 {
                    "\u{2212}"
                } else {
                    "+"
                };
                (self.y_of(dec), format!("{sign}{}", number(dec.abs(), step)))
            })
            .collect()
    }
}

/// The bar beside the plot that tells densities from colours.
pub(super) fn draw_bar(
    canvas: &mut Canvas,
    frame: &Frame,
    top: f64,
    more: bool,
    color: impl Fn(f64) -> [f32; 3],
) {
    let x = [frame.x[1] + 30.0, frame.x[1] + 52.0];
    let middle = (frame.y[0] + frame.y[1]) / 2.0;
    let half = ((frame.y[1] - frame.y[0]) / 2.0).max(120.0);
    // Room for the tip, which says that there are values above the bar's end.
    let y = [middle - half + if more { 20.0 } else { 0.0 }, middle + half];
    for row in y[0] as usize..y[1] as usize {
        let t = (y[1] - row as f64 - 0.5) / (y[1] - y[0]);
        canvas.rectangle(x, [row as f64, row as f64 + 1.0], color(t));
    }
    if more {
        for k in 0..18 {
            let inset = f64::from(k) / 18.0 * 11.0;
            let row = y[0] - f64::from(k);
            canvas.rectangle([x[0] + inset, x[1] - inset], [row - 1.0, row], color(1.0));
        }
        let [left, right, base] = [x[0], x[1], y[0]].map(|edge| edge as f32);
        canvas.polyline(&[(left, base), ((left + right) / 2.0, base - 18.5), (right, base)], 1.2, INK);
    }
    canvas.frame(x, y, 1.2, INK);
    let step = decimal_step(top / 6.0);
    let mut widest = 0.0_f32;
    for k in 0..=((top / step + 1e-9) as u32) {
        let value = f64::from(k) * step;
        let row = y[1] - value / top * (y[1] - y[0]);
        canvas.rectangle([x[1], x[1] + 6.0], [row - 0.75, row + 0.75], INK);
        // Long numbers would push the title out of the picture.
        let label = if top >= 1e5 && value > 0.0 { format!("{value:e}") } else { number(value, step) };
        widest = widest.max(super::font::width(&label) * LABEL / 6.0);
        canvas.text(&label, (x[1] as f32 + 11.0, row as f32 + LABEL / 2.0), Anchor::Start, LABEL, INK);
    }
    let at = (x[1] as f32 + 11.0 + widest + 28.0, middle as f32);
    canvas.text("LRG per deg\u{b2}", at, Anchor::Upwards, TITLE, INK);
}

/// The round step for angles that is at least `least`.
fn angle_step(least: f64) -> f64 {
    const ROUND: [f64; 8] = [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 45.0, 60.0];
    if least <= 0.5 {
        decimal_step(least)
    } else {
        ROUND.into_iter().find(|&step| step >= least).unwrap_or(90.0)
    }
}

/// The step of 1, 2 or 5 times a power of ten that is at least `least`.
pub(super) fn decimal_step(least: f64) -> f64 {
    let power = 10.0_f64.powf(least.max(1e-12).log10().floor());
    [1.0, 2.0, 5.0].map(|digit| digit * power).into_iter().find(|&step| step >= least).unwrap_or(10.0 * power)
}

/// With the decimals that multiples of `step` need.
fn number(value: f64, step: f64) -> String {
    let decimals = (-step.log10() - 1e-9).ceil().max(0.0) as usize;
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        let angles =
            [(0.03, 0.05), (0.5, 0.5), (0.6, 1.0), (3.0, 5.0), (11.0, 15.0), (40.0, 45.0), (80.0, 90.0)];
        for (least, step) in angles {
            assert!((angle_step(least) / step - 1.0).abs() < 1e-12, "{least}");
        }
        for (least, step) in [(16.7, 20.0), (20.0, 20.0), (0.12, 0.2), (700.0, 1000.0)] {
            assert!((decimal_step(least) / step - 1.0).abs() < 1e-12, "{least}");
        }
        assert_eq!([number(1.0, 0.05), number(0.5, 0.1), number(20.0, 20.0)], ["1.00", "0.5", "20"]);
    }

    #[test]
    fn right_ascension_increases_to_the_left_through_0() {
        let span = RaSpan { start_deg: 358.0, width_deg: 4.0 };
        let frame = Frame::around(Some(span), [-1.0, 1.0]);
        let x = |ra: f64| frame.rectangle([ra, ra + 0.5], [0.0, 0.5]).0;
        assert!(x(1.0)[1] < x(0.0)[1] && x(0.0)[1] < x(359.0)[1], "{:?}", [x(359.0), x(0.0), x(1.0)]);
        assert!(x(1.5)[0] > frame.x[0] && x(358.0)[1] < frame.x[1]);
        let labels: Vec<String> = frame.ra_ticks().into_iter().map(|(_, label)| label).collect();
        assert!(labels.contains(&"0.0".to_owned()) || labels.contains(&"0".to_owned()), "{labels:?}");
        assert!(labels.iter().all(|label| label.parse::<f64>().is_ok_and(|ra| !(2.5..357.5).contains(&ra))));
    }

    /// Every character that a label can hold is in the font.
    #[test]
    fn labels_can_be_written() {
        let texts =
            ["Right ascension (deg)", "Declination (deg)", "LRG per deg\u{b2}", "0123456789.+\u{2212}"];
        for c in texts.iter().chain(&super::super::LEGEND).flat_map(|text| text.chars()) {
            assert!(super::super::font::glyph(c).is_some(), "{c}");
        }
    }
}
