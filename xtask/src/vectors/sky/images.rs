//! Reference values for world coordinates and cutouts, by astropy.

use std::path::Path;

use coaddkit_sky::{Cutout, CutoutMode, Error, KeywordValue, SkyCoord, Wcs};
use serde_json::Value;

use super::{Row, json_lines, rows};
use crate::vectors::Report;

pub fn check(name: &str, path: &Path) -> Option<Report> {
    match name {
        "wcs_headers.jsonl" => Some(json_lines(path, header)),
        "wcs_points.csv.gz" => Some(points(path)),
        "cutouts.jsonl" => Some(json_lines(path, cutout)),
        _ => None,
    }
}

fn wcs(header: &Value) -> Result<Wcs, String> {
    let keyword = |key: &str| {
        let value = &header[key];
        value.as_str().map(KeywordValue::from).or_else(|| value.as_f64().map(KeywordValue::from))
    };
    Wcs::from_keywords(keyword).map_err(|e| e.to_string())
}

/// The reference pixel lies on the reference position, and in the middle of the image.
fn header(header: &Value) -> Result<(), String> {
    let wcs = wcs(header)?;
    let number = |key: &str| header[key].as_f64().ok_or_else(|| format!("{key}: no number"));
    let expected = SkyCoord::from_degrees(number("CRVAL1")?, number("CRVAL2")?).map_err(|e| e.to_string())?;
    let found = wcs.pixel_to_sky(number("CRPIX1")?, number("CRPIX2")?);
    near(found.ok_or("no position at CRPIX")?, expected)?;
    for (axis, at) in ["NAXIS1", "NAXIS2"].into_iter().zip(wcs.crpix()) {
        let middle = (number(axis)? + 1.0) / 2.0;
        if at != middle {
            return Err(format!("CRPIX is {at}, the middle of {axis} {middle}"));
        }
    }
    Ok(())
}

fn near(found: SkyCoord, expected: SkyCoord) -> Result<(), String> {
    let half_sine = |degrees: f64| (degrees.to_radians() / 2.0).sin();
    let (ra, dec) =
        (half_sine(found.ra_deg() - expected.ra_deg()), half_sine(found.dec_deg() - expected.dec_deg()));
    let cosines = found.dec_deg().to_radians().cos() * expected.dec_deg().to_radians().cos();
    let off = 2.0 * (dec * dec + cosines * ra * ra).sqrt().asin().to_degrees();
    if off <= 1e-11 { Ok(()) } else { Err(format!("expected {expected}, found {found}")) }
}

fn points(path: &Path) -> Report {
    let headers = path.with_file_name("wcs_headers.jsonl");
    let read = || -> Result<Vec<Wcs>, String> {
        let text = std::fs::read_to_string(&headers).map_err(|e| e.to_string())?;
        let parsed = |(index, line): (usize, &str)| {
            let header: Value = serde_json::from_str(line).map_err(|e| e.to_string())?;
            // Rows name headers by number.
            if header["wcs"] != index {
                Err(format!("header {index} has another number"))
            } else {
                wcs(&header)
            }
        };
        text.lines().enumerate().map(parsed).collect()
    };
    match read() {
        Ok(list) => rows(path, |row| point(row, &list)),
        Err(e) => Report { rows: 0, failures: vec![format!("{}: {e}", headers.display())] },
    }
}

fn point(row: &Row<'_>, list: &[Wcs]) -> Result<(), String> {
    let wcs = list.get(row.parsed::<usize>("wcs")?).ok_or("no such header")?;
    let position = row.position("ra", "dec")?;
    let (x, y) = (row.number("x_fits1")?, row.number("y_fits1")?);
    match row.text("dir") {
        "p2w" => near(wcs.pixel_to_sky(x, y).ok_or("no position")?, position),
        "w2p" => {
            let [found_x, found_y] = wcs.sky_to_pixel(position).ok_or("no pixel")?;
            if (found_x - x).hypot(found_y - y) <= 1e-6 {
                Ok(())
            } else {
                Err(format!("found {found_x}, {found_y}"))
            }
        }
        "w2p_far" => match wcs.sky_to_pixel(position) {
            None if x.is_nan() && y.is_nan() => Ok(()),
            found => Err(format!("found {found:?}")),
        },
        other => Err(format!("dir {other:?} is unknown")),
    }
}

fn cutout(row: &Value) -> Result<(), String> {
    let pair = |key: &str| -> Result<[f64; 2], String> {
        let list = row[key].as_array().map(Vec::as_slice).unwrap_or_default();
        match list.iter().map(Value::as_f64).collect::<Option<Vec<f64>>>().as_deref() {
            Some(&[a, b]) => Ok([a, b]),
            _ => Err(format!("{key}: not two numbers")),
        }
    };
    let shape = |key: &str| pair(key).map(|pair| pair.map(|side| side as usize));
    let mode = match row["mode"].as_str() {
        Some("trim") => CutoutMode::Trim,
        Some("partial") => CutoutMode::Partial,
        Some("strict") => CutoutMode::Strict,
        other => return Err(format!("mode {other:?} is unknown")),
    };
    let (image_shape, [x, y]) = (shape("shape_yx")?, pair("pos_xy0")?);
    let cutout = match (Cutout::around(image_shape, x, y, shape("size_yx")?, mode), row["error"].as_str()) {
        (Ok(cutout), None) => cutout,
        (Err(Error::NoOverlap { .. }), Some("NoOverlapError"))
        | (Err(Error::PartialOverlap { .. }), Some("PartialOverlapError")) => return Ok(()),
        (found, expected) => return Err(format!("expected {expected:?}, found {found:?}")),
    };
    // The pixels of the reference image are their own numbers.
    let [rows, columns] = image_shape;
    let image: Vec<f64> = (0..rows * columns).map(|pixel| pixel as f64).collect();
    let pixels = cutout.copy(&image, -1.0).map_err(|e| e.to_string())?;
    let mut section = Vec::new();
    for y in cutout.y() {
        section.extend_from_slice(&image[y * columns..][cutout.x()]);
    }
    let mut placed = vec![0.0; pixels.len()];
    cutout.place(&section, -1.0, &mut placed).map_err(|e| e.to_string())?;
    if placed != pixels {
        return Err("place differs from copy".to_owned());
    }
    let center = SkyCoord::from_degrees(10.0, 20.0).map_err(|e| e.to_string())?;
    let wcs = Wcs::tangent(center, [25.5, 20.5], 1.0).map_err(|e| e.to_string())?;
    let inclusive = |range: std::ops::Range<usize>| serde_json::json!([range.start, range.end - 1]);
    let found = serde_json::json!({
        "out_shape": cutout.shape(),
        "bbox_original": [inclusive(cutout.y()), inclusive(cutout.x())],
        "origin_original": [cutout.x().start, cutout.y().start],
        "origin_cutout": cutout.offset(),
        "crpix": wcs.shifted(cutout.origin()).crpix(),
        "sum": pixels.iter().sum::<f64>(),
        "first": pixels.first(),
        "last": pixels.last(),
        "n_fill": cutout.fill_count(),
    });
    for (key, found) in found.as_object().into_iter().flatten() {
        if row[key] != *found {
            return Err(format!("{key}: expected {}, found {found}", row[key]));
        }
    }
    Ok(())
}
