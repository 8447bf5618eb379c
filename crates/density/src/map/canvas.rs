//! A picture in memory.

use std::io::{self, Write};

use super::colors::{Color, bytes};
use super::font;

/// Pixels, from the top left; coordinates are in pixels, and the first pixel spans 0 to 1.
#[derive(Debug)]
pub(crate) struct Canvas {
    pub(super) width: usize,
    pub(super) height: usize,
    pixels: Vec<Color>,
}

/// Where a text hangs on its point, and how it runs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    /// The point is the start of the baseline.
    Start,
    /// The point is the middle of the baseline.
    Middle,
    /// The point is the end of the baseline.
    End,
    /// The text runs upwards, and the point is the middle of the baseline.
    Upwards,
}

impl Canvas {
    pub(super) fn new(width: usize, height: usize, color: Color) -> Self {
        Self { width, height, pixels: vec![color; width * height] }
    }

    /// Mixes a colour into a pixel; outside of the picture nothing happens.
    pub(super) fn blend(&mut self, x: usize, y: usize, color: Color, opacity: f32) {
        if x < self.width && y < self.height {
            let pixel = &mut self.pixels[y * self.width + x];
            for (old, new) in pixel.iter_mut().zip(color) {
                *old += (new - *old) * opacity.clamp(0.0, 1.0);
            }
        }
    }

    /// Fills a rectangle, whose edges may cut pixels.
    pub(super) fn rectangle(&mut self, x: [f64; 2], y: [f64; 2], color: Color) {
        for (column, row, share) in pixels(x, y, self.width, self.height) {
            self.blend(column, row, color, share as f32);
        }
    }

    /// Draws the outline of a rectangle, `stroke` wide, centred on its edges.
    pub(super) fn frame(&mut self, x: [f64; 2], y: [f64; 2], stroke: f64, color: Color) {
        let half = stroke / 2.0;
        let whole_x = [x[0] - half, x[1] + half];
        for edge in y {
            self.rectangle(whole_x, [edge - half, edge + half], color);
        }
        for edge in x {
            self.rectangle([edge - half, edge + half], [y[0] + half, y[1] - half], color);
        }
    }

    /// Draws a line with round ends.
    pub(super) fn polyline(&mut self, points: &[(f32, f32)], stroke: f32, color: Color) {
        let half = stroke / 2.0;
        let reach = half + 1.0;
        // Coverage of the whole line first, so that joints are not darker.
        let (mut low, mut high) = ((f32::MAX, f32::MAX), (f32::MIN, f32::MIN));
        for &(x, y) in points {
            low = (low.0.min(x), low.1.min(y));
            high = (high.0.max(x), high.1.max(y));
        }
        let range = |low: f32, high: f32, size: usize| {
            (low - reach).max(0.0) as usize..((high + reach).max(0.0) as usize + 1).min(size)
        };
        for y in range(low.1, high.1, self.height) {
            for x in range(low.0, high.0, self.width) {
                let at = (x as f32 + 0.5, y as f32 + 0.5);
                let distance = points
                    .windows(2)
                    .map(|ends| distance(at, ends[0], ends[1]))
                    .fold(f32::INFINITY, f32::min);
                self.blend(x, y, color, half + 0.5 - distance);
            }
        }
    }

    /// Draws a circle.
    pub(super) fn circle(&mut self, center: (f32, f32), radius: f32, stroke: f32, color: Color) {
        let points: Vec<(f32, f32)> = (0..=72)
            .map(|k| {
                let (sine, cosine) = (k as f32 * 5.0).to_radians().sin_cos();
                (center.0 + radius * cosine, center.1 + radius * sine)
            })
            .collect();
        self.polyline(&points, stroke, color);
    }

    /// Writes a text; `size` is the height of capitals in pixels.
    pub(super) fn text(&mut self, text: &str, at: (f32, f32), anchor: Anchor, size: f32, color: Color) {
        let unit = size / 6.0;
        let start = match anchor {
            Anchor::Start => 0.0,
            Anchor::Middle | Anchor::Upwards => -font::width(text) / 2.0,
            Anchor::End => -font::width(text),
        };
        for line in font::polylines(text) {
            let place = |&(x, y): &(f32, f32)| {
                let (along, up) = ((x + start) * unit, y * unit);
                match anchor {
                    Anchor::Upwards => (at.0 - up, at.1 - along),
                    _ => (at.0 + along, at.1 - up),
                }
            };
            let points: Vec<(f32, f32)> = line.iter().map(place).collect();
            self.polyline(&points, 0.12 * size, color);
        }
    }

    /// Writes the picture as PNG, 8 bits a channel.
    pub(crate) fn write_png(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut encoder = png::Encoder::new(out, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
        let mut writer = encoder.write_header()?;
        let data: Vec<u8> = self.pixels.iter().flat_map(|&pixel| bytes(pixel)).collect();
        writer.write_image_data(&data)?;
        writer.finish()?;
        Ok(())
    }
}

/// The pixels that a rectangle touches, with the share of each that it covers.
pub(super) fn pixels(
    x: [f64; 2],
    y: [f64; 2],
    width: usize,
    height: usize,
) -> impl Iterator<Item = (usize, usize, f64)> {
    // Casts of negative and huge numbers saturate.
    let range = |[low, high]: [f64; 2], size: usize| {
        (low.max(0.0) as usize).min(size)..(high.ceil() as usize).min(size)
    };
    let share =
        |[low, high]: [f64; 2], index: usize| (high.min(index as f64 + 1.0) - low.max(index as f64)).max(0.0);
    range(y, height).flat_map(move |row| {
        range(x, width).map(move |column| (column, row, share(x, column) * share(y, row)))
    })
}

fn distance(at: (f32, f32), a: (f32, f32), b: (f32, f32)) -> f32 {
    let (along, to) = ((b.0 - a.0, b.1 - a.1), (at.0 - a.0, at.1 - a.1));
    let length2 = along.0 * along.0 + along.1 * along.1;
    let t = if length2 > 0.0 { ((to.0 * along.0 + to.1 * along.1) / length2).clamp(0.0, 1.0) } else { 0.0 };
    (to.0 - t * along.0).hypot(to.1 - t * along.1)
}
