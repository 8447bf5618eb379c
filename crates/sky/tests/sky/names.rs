//! Brick names, against the 319,078 of a published survey table.

use coaddkit_sky::{BrickGrid, BrickName, Error};
use coaddkit_testkit::{Csv, shared};

#[test]
fn all_names_of_a_real_survey_are_bricks() {
    let Some(path) = shared("data/survey-runs/lrg_counts_per_brick_v2.csv.gz") else { return };
    let table = Csv::read(&path).unwrap();
    let column = table.column("brickname");
    let grid = BrickGrid::legacy();
    for row in &table.rows {
        let name: BrickName = row[column].parse().unwrap();
        assert_eq!(name.to_string(), row[column]);
        let brick = grid.brick_named(name).unwrap_or_else(|| panic!("{name} is no brick"));
        assert_eq!(brick.name, name);
        let (near, center) = (name.approximate_center(), brick.center);
        let offsets = [center.ra_deg() - near.ra_deg(), center.dec_deg().abs() - near.dec_deg().abs()];
        assert!(offsets.iter().all(|offset| (-1e-9..0.1).contains(offset)), "{name}: {offsets:?}");
    }
    assert_eq!(table.rows.len(), 319_078);
}

#[test]
fn malformed_names_are_refused_with_the_reason() {
    let cases = [
        ("", "8 characters"),
        ("1000m33", "8 characters"),
        ("1000m3377", "8 characters"),
        ("1000m33é", "8 characters"),
        (" 1000m33", "digits"),
        ("10a0m337", "first 4"),
        ("1000M337", "p or m"),
        ("1000-337", "p or m"),
        ("1000m3 7", "last 3"),
        ("+100m337", "first 4"),
        ("3600p000", "below 360"),
        ("1000p901", "at most 90"),
    ];
    for (text, reason) in cases {
        let error = text.parse::<BrickName>().unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
        assert!(matches!(error, Error::BrickName { .. }));
    }
    assert!(BrickName::from_bytes(&[0xff; 8]).is_err());
    assert!(BrickName::from_bytes(b"1000m337\0").is_err());
    // However long the text, the message stays short.
    assert!("x".repeat(1 << 20).parse::<BrickName>().unwrap_err().to_string().len() < 200);
}

#[test]
fn names_sort_as_text_and_pad() {
    let mut names = ["1000p001", "0999p900", "1000m337"].map(|name| name.parse::<BrickName>().unwrap());
    names.sort();
    assert_eq!(names.map(|name| name.to_string()), ["0999p900", "1000m337", "1000p001"]);
    assert_eq!(format!("{:>10}|{:?}", names[0], names[1]), "  0999p900|BrickName(1000m337)");
    assert_eq!(names[1].approximate_center().dec_deg(), -33.7);
    assert_eq!(names[1].as_bytes(), b"1000m337");
}
