//! A picture of densities on the sky.

use crate::regions::{BrickState, RegionsFound, ra_span};

mod canvas;
mod colors;
mod font;
mod frame;
#[cfg(test)]
mod tests;

use canvas::{Anchor, Canvas, pixels};
use colors::{BACKUP, Color, FAILED, INK, PRIMARY, WHITE};
use frame::Frame;

const LEGEND: [&str; 4] = ["primary region", "backup region", "fails a quality cut", "No bricks"];

/// The map of the bricks in the footprint: density of the good ones as colour, the others grey, the two chosen
/// regions outlined.
pub(crate) fn draw(found: &RegionsFound) -> Canvas {
    let frame = window(found);
    let [width, height] = frame.picture();
    let mut canvas = Canvas::new(width, height, WHITE);
    frame.draw_paper(&mut canvas);
    let covers = covers(&canvas, &frame, found);
    let top = scale_end(&covers);
    let color = |density: f64| colors::scale((density / top) as f32);
    draw_bricks(&mut canvas, &covers, color);
    let chosen = found.selection.ranked.iter().map(|&region| &found.selection.regions[region].members);
    for (members, color) in chosen.zip([PRIMARY, BACKUP]) {
        draw_outline(&mut canvas, &frame, found, members, color);
    }
    frame.draw_axes(&mut canvas);
    if found.passing.bricks > 0 {
        let more = covers.iter().filter_map(Cover::mean).any(|density| density > top);
        frame::draw_bar(&mut canvas, &frame, top, more, |t| color(t * top));
    }
    draw_legend(&mut canvas, &frame, found);
    canvas
}

fn window(found: &RegionsFound) -> Frame {
    let rows = || found.in_footprint().map(|brick| &brick.row);
    let decs = || rows().flat_map(|row| [row.dec1_deg, row.dec2_deg]);
    let south = decs().fold(90.0, f64::min).max(-90.0);
    let north = decs().fold(-90.0, f64::max).min(90.0);
    Frame::around(ra_span(rows().map(|row| [row.ra1_deg, row.ra2_deg])), [south, north])
}

/// What bricks do to a pixel: shares of it, and the sum of densities times shares.
#[derive(Clone, Copy, Debug, Default)]
struct Cover {
    good: f64,
    failed: f64,
    density: f64,
}

impl Cover {
    /// The mean density of the good bricks.
    fn mean(&self) -> Option<f64> {
        (self.good > 0.0).then(|| self.density / self.good)
    }
}

/// Bricks can be smaller than pixels, so each pixel shows the mean over what it covers.
fn covers(canvas: &Canvas, frame: &Frame, found: &RegionsFound) -> Vec<Cover> {
    let mut covers = vec![Cover::default(); canvas.width * canvas.height];
    for brick in found.in_footprint() {
        let row = &brick.row;
        let (x, y) = frame.rectangle([row.ra1_deg, row.ra2_deg], [row.dec1_deg, row.dec2_deg]);
        for (column, line, share) in pixels(x, y, canvas.width, canvas.height) {
            let cover = &mut covers[line * canvas.width + column];
            if brick.state == BrickState::Passes {
                cover.good += share;
                cover.density += share * brick.density;
            } else {
                cover.failed += share;
            }
        }
    }
    covers
}

/// The density at the end of the colours: a round number that 98 of 100 pixels keep to.
fn scale_end(covers: &[Cover]) -> f64 {
    let mut densities: Vec<f64> = covers.iter().filter_map(Cover::mean).collect();
    densities.sort_by(f64::total_cmp);
    let high = densities.get(densities.len().saturating_sub(1) * 98 / 100).copied().unwrap_or(0.0);
    // Where most of the sky is empty that may be 0 although not all is.
    let high = if high > 0.0 { high } else { densities.last().copied().unwrap_or(0.0) };
    if high > 0.0 {
        let step = frame::decimal_step(high / 10.0);
        (high / step - 1e-9).ceil() * step
    } else {
        1.0
    }
}

fn draw_bricks(canvas: &mut Canvas, covers: &[Cover], color: impl Fn(f64) -> Color) {
    for (index, cover) in covers.iter().enumerate() {
        let &Cover { good, failed, .. } = cover;
        let covered = good + failed;
        if covered > 0.0 {
            let share = (good / covered) as f32;
            let good = cover.mean().map_or(FAILED, &color);
            let mixed = std::array::from_fn(|k| good[k] * share + FAILED[k] * (1.0 - share));
            // Neighbours share edges to rounding only: do not let the paper shine through.
            let opacity = if covered > 0.99 { 1.0 } else { covered as f32 };
            canvas.blend(index % canvas.width, index / canvas.width, mixed, opacity);
        }
    }
}

/// A line around a region, on a white one; a small region gets a ring as well, so that it can be found.
fn draw_outline(canvas: &mut Canvas, frame: &Frame, found: &RegionsFound, members: &[usize], color: Color) {
    const LINE: i32 = 2;
    const HALO: i32 = 3;
    const SMALL: f64 = 18.0;
    let (width, height) = (canvas.width, canvas.height);
    let mut cover = vec![0.0_f64; width * height];
    let (mut low, mut high) = ([f64::MAX; 2], [f64::MIN; 2]);
    for &member in members {
        let row = &found.bricks[member].row;
        let (x, y) = frame.rectangle([row.ra1_deg, row.ra2_deg], [row.dec1_deg, row.dec2_deg]);
        (low, high) = ([low[0].min(x[0]), low[1].min(y[0])], [high[0].max(x[1]), high[1].max(y[1])]);
        for (column, line, share) in pixels(x, y, width, height) {
            cover[line * width + column] += share;
        }
    }
    let threshold = 0.5 * cover.iter().copied().fold(0.0, f64::max).min(1.0);
    let inside = |x: i32, y: i32| {
        (0..width as i32).contains(&x)
            && (0..height as i32).contains(&y)
            && threshold > 0.0
            && cover[y as usize * width + x as usize] >= threshold
    };
    let mut edge = Vec::new();
    for y in 0..height as i32 {
        for x in 0..width as i32 {
            let open = |(dx, dy): (i32, i32)| !inside(x + dx, y + dy);
            if inside(x, y) && [(1, 0), (-1, 0), (0, 1), (0, -1)].into_iter().any(open) {
                edge.push((x, y));
            }
        }
    }
    let small = (high[0] - low[0]).max(high[1] - low[1]) < SMALL;
    let center = (((low[0] + high[0]) / 2.0) as f32, ((low[1] + high[1]) / 2.0) as f32);
    if small {
        canvas.circle(center, SMALL as f32 - 2.0, 6.0, WHITE);
    }
    for (reach, color) in [(HALO, WHITE), (LINE, color)] {
        for &(x, y) in &edge {
            for dy in -reach..=reach {
                for dx in -reach..=reach {
                    let near = dx * dx + dy * dy <= reach * reach;
                    if near && !inside(x + dx, y + dy) && x + dx >= 0 && y + dy >= 0 {
                        canvas.blend((x + dx) as usize, (y + dy) as usize, color, 1.0);
                    }
                }
            }
        }
    }
    if small {
        canvas.circle(center, SMALL as f32 - 2.0, 2.5, color);
    }
}

/// One line above the plot.
fn draw_legend(canvas: &mut Canvas, frame: &Frame, found: &RegionsFound) {
    const SIZE: f32 = 13.0;
    const BOX: f64 = 16.0;
    let [primary, backup, failed, none] = LEGEND;
    let base = frame.y[0] - 22.0;
    if found.in_footprint.bricks == 0 {
        let middle = (((frame.x[0] + frame.x[1]) / 2.0) as f32, ((frame.y[0] + frame.y[1]) / 2.0) as f32);
        return canvas.text(none, middle, Anchor::Middle, 20.0, INK);
    }
    let mut x = frame.x[0];
    let mut entry = |text: &str, outline: bool, color: Color| {
        let (across, up) = ([x, x + BOX], [base - 14.0, base - 14.0 + BOX]);
        if outline {
            canvas.frame([x + 1.0, x + BOX - 1.0], [up[0] + 1.0, up[1] - 1.0], 2.5, color);
        } else {
            canvas.rectangle(across, up, color);
        }
        canvas.text(text, ((x + BOX + 9.0) as f32, base as f32), Anchor::Start, SIZE, INK);
        x += BOX + 9.0 + f64::from(font::width(text) * SIZE / 6.0) + 34.0;
    };
    if found.selection.primary().is_some() {
        entry(primary, true, PRIMARY);
    }
    if found.selection.backup().is_some() {
        entry(backup, true, BACKUP);
    }
    if found.in_footprint.bricks > found.passing.bricks {
        entry(failed, false, FAILED);
    }
}
