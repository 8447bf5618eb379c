use super::*;
use crate::regions::tests::brick;
use crate::{BrickRow, Quality, Regions};

/// A picture as a reader of the file sees it.
struct Picture {
    width: usize,
    bytes: Vec<u8>,
}

impl Picture {
    fn of(found: &RegionsFound) -> Self {
        let mut file = Vec::new();
        draw(found).write_png(&mut file).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
        bytes.truncate(info.buffer_size());
        Self { width: info.width as usize, bytes }
    }

    fn at(&self, x: f64, y: f64) -> [u8; 3] {
        let start = (y as usize * self.width + x as usize) * 3;
        self.bytes[start..start + 3].try_into().unwrap()
    }

    /// The middle of a brick.
    fn brick(&self, found: &RegionsFound, name: &str) -> [u8; 3] {
        let row = brick(name);
        let (x, y) = window(found).rectangle([row.ra1_deg, row.ra2_deg], [row.dec1_deg, row.dec2_deg]);
        self.at((x[0] + x[1]) / 2.0, (y[0] + y[1]) / 2.0)
    }
}

fn found(names: &[&str], counts: &[(&str, u64)], change: impl Fn(&mut BrickRow)) -> RegionsFound {
    let row = |name: &&str| {
        let mut row = brick(name);
        change(&mut row);
        row
    };
    Regions::default().run(names.iter().map(row).collect(), counts.iter().copied()).unwrap()
}

fn near(a: [u8; 3], b: [u8; 3]) -> bool {
    a.iter().zip(b).all(|(&a, b)| a.abs_diff(b) <= 3)
}

/// Bricks have the colour that the bar beside them gives to their density.
#[test]
fn bricks_have_the_colours_of_the_bar() {
    // One row of bricks at the equator, of 0.0625 square degrees each: 0, 80, 160 per square degree, and a bad one.
    let names = ["1501p000", "1503p000", "1506p000", "1508p000"];
    let counts = [("1503p000", 5), ("1506p000", 10), ("1508p000", 10)];
    let found = found(&names, &counts, |row| {
        if row.brickname == "1508p000" {
            row.ebv_mag = 1.0;
        }
    });
    let picture = Picture::of(&found);
    let frame = window(&found);
    let [empty, half, full, failed] = names.map(|name| picture.brick(&found, name));
    // The bar ends at 180, the next round number above 160.00013.
    let bar = |density: f64| {
        let bar = [
            frame.y[0].min((frame.y[0] + frame.y[1]) / 2.0 - 120.0),
            frame.y[1].max((frame.y[0] + frame.y[1]) / 2.0 + 120.0),
        ];
        picture.at(
            frame.x[1] + 41.0,
            (bar[1] - density / 180.0 * (bar[1] - bar[0])).clamp(bar[0] + 2.0, bar[1] - 2.0),
        )
    };
    assert!(near(empty, bar(0.0)), "{empty:?} {:?}", bar(0.0));
    assert!(near(half, bar(80.0)), "{half:?} {:?}", bar(80.0));
    assert!(near(full, bar(160.0)), "{full:?} {:?}", bar(160.0));
    // A few pixels inside its ends the bar has the ends' colours, nearly.
    for (density, t) in [(0.0, 0.0), (180.0, 1.0)] {
        let (found, end) = (bar(density), colors::bytes(colors::scale(t)));
        assert!(found.iter().zip(end).all(|(&a, b)| a.abs_diff(b) <= 8), "{found:?} {end:?}");
    }
    assert!(empty[2] > empty[1] && empty.iter().all(|&channel| channel < 110), "dark violet: {empty:?}");
    assert!(full[1] > full[2] && full[0] > 120, "yellow: {full:?}");
    assert!(failed[0].abs_diff(failed[2]) < 6 && (150..230).contains(&failed[0]), "grey: {failed:?}");
    let outside = picture.at(frame.x[0] + 5.0, frame.y[0] + 5.0);
    assert!(outside.iter().all(|&channel| channel > 245), "paper: {outside:?}");
}

#[test]
fn right_ascension_increases_to_the_left_through_0() {
    let found = found(&["0001p000", "0003p000", "3598p000"], &[("0003p000", 9)], |_| ());
    let (frame, picture) = (window(&found), Picture::of(&found));
    let middle = |name: &str| {
        let row = brick(name);
        let (x, _) = frame.rectangle([row.ra1_deg, row.ra2_deg], [row.dec1_deg, row.dec2_deg]);
        (x[0] + x[1]) / 2.0
    };
    assert!(middle("0003p000") < middle("0001p000") && middle("0001p000") < middle("3598p000"));
    // Three bricks side by side fill the plot, rather than a hair of a circle of 360 degrees.
    assert!(middle("3598p000") - middle("0003p000") > 0.5 * (frame.x[1] - frame.x[0]));
    let [dense, empty] = ["0003p000", "3598p000"].map(|name| picture.brick(&found, name));
    assert!(dense[1] > 200 && empty[1] < 110, "{dense:?} {empty:?}");
}

/// The outline of the primary region lies just outside its edge, that of the backup too, in their colours.
#[test]
fn regions_are_outlined() {
    let found = found(&["1501p000", "1511p000"], &[("1511p000", 9)], |_| ());
    let (frame, picture) = (window(&found), Picture::of(&found));
    for (name, color) in [("1511p000", PRIMARY), ("1501p000", BACKUP)] {
        let row = brick(name);
        let (x, y) = frame.rectangle([row.ra1_deg, row.ra2_deg], [row.dec1_deg, row.dec2_deg]);
        let middle = (x[0] + x[1]) / 2.0;
        let column: Vec<[u8; 3]> = (-6..3).map(|step| picture.at(middle, y[0] + f64::from(step))).collect();
        assert!(column.contains(&colors::bytes(color)), "{name}: {column:?}");
    }
}

/// Regions too small to see get a ring.
#[test]
fn small_regions_get_a_ring() {
    let all: Vec<String> = coaddkit_sky::BrickGrid::legacy()
        .bricks()
        .step_by(3001)
        .map(|brick| brick.name.to_string())
        .collect();
    let names: Vec<&str> = all.iter().map(String::as_str).collect();
    let found = found(&names, &[(names[100], 9)], |_| ());
    let picture = Picture::of(&found);
    let primary = colors::bytes(PRIMARY);
    let legend = 16 * 4 * 3;
    let count = picture.bytes.chunks(3).filter(|pixel| *pixel == primary).count();
    assert!(count > legend, "{count}");
}

#[test]
fn pictures_are_about_1200_by_800_at_most() {
    let thin: Vec<String> = coaddkit_sky::BrickGrid::legacy()
        .bricks()
        .filter(|brick| brick.row == 300 && (40.0..60.0).contains(&brick.ra1_deg))
        .map(|brick| brick.name.to_string())
        .collect();
    let thin: Vec<&str> = thin.iter().map(String::as_str).collect();
    for names in [&thin[..], &["1501p000"][..], &[][..]] {
        let canvas = draw(&found(names, &[], |_| ()));
        assert!((600..=1200).contains(&canvas.width) && (400..=800).contains(&canvas.height), "{names:?}");
    }
}

#[test]
fn a_map_without_good_bricks_has_no_bar() {
    let failing = Quality { max_ebv_mag: Some(-1.0), ..Quality::default() };
    let config = Regions { quality: failing, ..Regions::default() };
    let found = config.run(vec![brick("1501p000")], [("1501p000", 1)]).unwrap();
    let (frame, picture) = (window(&found), Picture::of(&found));
    assert_eq!(picture.at(frame.x[1] + 41.0, (frame.y[0] + frame.y[1]) / 2.0), [255; 3]);
}
