//! Small plots as PNG files.

use std::convert::Infallible;
use std::io;
use std::path::Path;

use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::ascii::{FONT_6X10, FONT_9X15_BOLD};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{PrimitiveStyle, Rectangle};
use embedded_graphics::text::{Alignment, Text};

use crate::{Error, publish};

const INK: Rgb888 = Rgb888::new(30, 34, 42);
const PAPER: Rgb888 = Rgb888::new(250, 250, 247);
const GRID: Rgb888 = Rgb888::new(215, 216, 212);
const BAR: Rgb888 = Rgb888::new(45, 105, 160);

/// Margins: left, top, right, bottom.
const MARGIN: [u32; 4] = [70, 40, 20, 40];

/// An image to draw on.
pub(super) struct Canvas {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.width, self.height)
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(at, color) in pixels {
            let (x, y) = (at.x as usize, at.y as usize);
            if at.x >= 0 && at.y >= 0 && x < self.width as usize && y < self.height as usize {
                let start = 3 * (y * self.width as usize + x);
                self.pixels[start..start + 3].copy_from_slice(&[color.r(), color.g(), color.b()]);
            }
        }
        Ok(())
    }
}

impl Canvas {
    fn new(width: u32, height: u32, title: &str) -> Self {
        let pixels = [PAPER.r(), PAPER.g(), PAPER.b()].repeat(width as usize * height as usize);
        let mut canvas = Self { width, height, pixels };
        canvas.text(title, (width / 2) as i32, 22, Alignment::Center, true);
        canvas
    }

    fn text(&mut self, text: &str, x: i32, y: i32, alignment: Alignment, bold: bool) {
        let font = if bold { &FONT_9X15_BOLD } else { &FONT_6X10 };
        let style = MonoTextStyle::new(font, INK);
        // Drawing on a canvas does not fail.
        let _ = Text::with_alignment(text, Point::new(x, y), style, alignment).draw(self);
    }

    fn rectangle(&mut self, x: i32, y: i32, width: u32, height: u32, color: Rgb888) {
        let area = Rectangle::new(Point::new(x, y), Size::new(width, height));
        let _ = area.into_styled(PrimitiveStyle::with_fill(color)).draw(self);
    }

    /// The image as a PNG file.
    pub(super) fn write(&self, path: &Path) -> Result<(), Error> {
        publish(path, |out| {
            let mut encoder = png::Encoder::new(out, self.width, self.height);
            encoder.set_color(png::ColorType::Rgb);
            encoder.set_depth(png::BitDepth::Eight);
            let mut writer = encoder.write_header().map_err(io::Error::other)?;
            writer.write_image_data(&self.pixels).map_err(io::Error::other)
        })
    }
}

/// Writes a PNG file of bars over their labels, the picture that the reports of this crate have: a distribution of
/// numbers.
///
/// # Errors
///
/// The file cannot be written.
pub fn bar_chart(path: &Path, title: &str, values: &[(String, u64)]) -> Result<(), Error> {
    bars(title, values).write(path)
}

/// Bars over their labels, with their values where there is room.
pub(super) fn bars(title: &str, values: &[(String, u64)]) -> Canvas {
    let [left, top, right, bottom] = MARGIN;
    let (width, height) = (640, 360);
    let mut canvas = Canvas::new(width, height, title);
    let (inner, tall) = (width - left - right, height - top - bottom);
    let most = values.iter().map(|(_, n)| *n).max().unwrap_or(0).max(1);
    for step in 0..=4_u32 {
        let y = (height - bottom - tall * step / 4) as i32;
        canvas.rectangle(left as i32, y, inner, 1, if step == 0 { INK } else { GRID });
        let value = (u128::from(most) * u128::from(step) / 4) as u64;
        canvas.text(&short(value), left as i32 - 6, y + 3, Alignment::Right, false);
    }
    let count = values.len().max(1) as u32;
    // So that labels of six characters do not run into each other.
    let every = (count * 40).div_ceil(inner).max(1);
    for (i, (label, value)) in (0..).zip(values) {
        let x = left + inner * i / count;
        let wide = (inner * (i + 1) / count).saturating_sub(x + 1).max(1);
        let bar = (u128::from(*value) * u128::from(tall) / u128::from(most)) as u32;
        canvas.rectangle(x as i32, (height - bottom - bar) as i32, wide, bar, BAR);
        let middle = (x + wide / 2) as i32;
        if i % every == 0 {
            canvas.text(label, middle, (height - bottom + 14) as i32, Alignment::Center, false);
        }
        if wide >= 48 {
            let y = (height - bottom - bar) as i32 - 4;
            canvas.text(&short(*value), middle, y, Alignment::Center, false);
        }
    }
    canvas
}

/// A map of the sky, right ascension to the left, of numbers of points: (right ascension, declination, number).
pub(super) fn sky(title: &str, points: impl Iterator<Item = (f64, f64, u64)>) -> Canvas {
    let [left, top, right, bottom] = MARGIN;
    let (columns, lines) = (360_usize, 180_usize);
    let (width, height) = (left + right + 2 * columns as u32, top + bottom + 2 * lines as u32);
    let mut canvas = Canvas::new(width, height, title);
    let mut sums = vec![0_u64; columns * lines];
    for (ra, dec, n) in points {
        let x = ((360.0 - ra.rem_euclid(360.0)).floor() as usize).min(columns - 1);
        let y = ((90.0 - dec).floor() as usize).min(lines - 1);
        sums[y * columns + x] += n;
    }
    let most = sums.iter().copied().max().unwrap_or(0).max(1);
    canvas.rectangle(
        left as i32,
        top as i32,
        2 * columns as u32,
        2 * lines as u32,
        Rgb888::new(238, 239, 236),
    );
    for (at, &n) in sums.iter().enumerate().filter(|(_, n)| **n > 0) {
        // Square roots, in whole steps: the same picture on every machine.
        let level = ((n as f64 / most as f64).sqrt() * 255.0) as u8;
        let color = Rgb888::new(200 - (level / 4) * 3, 215 - level / 2, 235 - level / 4);
        let (x, y) = (left + 2 * (at % columns) as u32, top + 2 * (at / columns) as u32);
        canvas.rectangle(x as i32, y as i32, 2, 2, color);
    }
    for ra in (0..=360).step_by(60) {
        let x = (left + 2 * (360 - ra)) as i32;
        canvas.text(&ra.to_string(), x, (height - bottom + 14) as i32, Alignment::Center, false);
    }
    for dec in (-90..=90_i32).step_by(30) {
        let y = top as i32 + 2 * (90 - dec) + 3;
        canvas.text(&format!("{dec:+}"), left as i32 - 6, y, Alignment::Right, false);
    }
    canvas.text("right ascension (deg)", (width / 2) as i32, (height - 8) as i32, Alignment::Center, false);
    canvas
}

/// 1234567 as 1.23M.
fn short(value: u64) -> String {
    match value {
        0..10_000 => value.to_string(),
        10_000..1_000_000 => format!("{:.1}k", value as f64 / 1e3),
        _ => format!("{:.2}M", value as f64 / 1e6),
    }
}
