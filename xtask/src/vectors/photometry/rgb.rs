//! Reference values for colour images: astropy's `make_lupton_rgb` and legacypipe's `sdss_rgb`.

use std::path::Path;

use coaddkit_photometry::{LegacyCurve, Rgb};
use serde_json::Value;

use crate::vectors::Report;
use crate::vectors::sky::json_lines;

pub fn check(path: &Path) -> Report {
    json_lines(path, image)
}

fn image(row: &Value) -> Result<(), String> {
    let (height, width) = (row["h"].as_u64().unwrap_or(0), row["w"].as_u64().unwrap_or(0));
    if row["r"].as_array().is_none_or(|plane| plane.len() as u64 != height * width) {
        return Err(format!("{height} x {width} are not the pixels of a plane"));
    }
    let single = match row["dtype"].as_str() {
        None | Some("f8") => false,
        Some("f4") => true,
        Some("i1" | "i2" | "i4" | "i8" | "u1" | "u2" | "u4" | "u8") if row.get("error").is_some() => false,
        other => return Err(format!("dtype {other:?} is unknown")),
    };
    match row["fn"].as_str() {
        // The type system refuses what the reference refuses when it runs: there is no call to try.
        Some("lupton") if row.get("error").is_some() => match row["dtype"].as_str() {
            Some(kind) if !kind.starts_with('f') && row["error_f64"] == "UFuncTypeError" => Ok(()),
            kind => Err(format!("an error for pixels of {kind:?} was not expected")),
        },
        Some("lupton") => {
            let planes = [floats(row, "r")?, floats(row, "g")?, floats(row, "b")?];
            let way = lupton(&row["args"])?;
            let bytes = if single {
                let planes = planes.each_ref().map(|p| p.iter().map(|v| *v as f32).collect::<Vec<f32>>());
                way.render(&planes[0], &planes[1], &planes[2])
            } else {
                way.render(&planes[0], &planes[1], &planes[2])
            };
            let colors = colors(&way, &planes);
            same_floats(&colors, &floats(row, "rgb_f64")?, |found, expected| {
                // Where the reference has NaN, black.
                (expected.is_nan() && found == 0.0)
                    || (found - expected).abs() <= if single { 2e-7 } else { 1e-12 }
            })?;
            same_bytes(&bytes.map_err(|e| e.to_string())?, &floats(row, "rgb_u8")?, &colors)
        }
        Some("legacypipe_sdss_rgb") => {
            let planes = [floats(row, "z")?, floats(row, "r")?, floats(row, "g")?];
            let args = &row["args"];
            if row["out_dtype"] != "float32" {
                return Err(format!("out_dtype {} is not what sdss_rgb has", row["out_dtype"]));
            }
            let clip = args["clip"] != Value::Bool(false);
            let colors: Vec<f64> = colors(&legacy(args)?, &planes)
                .into_iter()
                .map(|value| if clip { value.clamp(0.0, 1.0) } else { value })
                .collect();
            // The reference keeps single precision: the same number.
            same_floats(&colors, &floats(row, "rgb_f64")?, |found, expected| found as f32 == expected as f32)
        }
        other => Err(format!("fn {other:?} is unknown")),
    }
}

fn lupton(args: &Value) -> Result<Rgb, String> {
    let number = |key: &str, default: f64| args.get(key).map_or(Some(default), Value::as_f64);
    let (Some(stretch), Some(q)) = (number("stretch", 5.0), number("Q", 8.0)) else {
        return Err("args: stretch and Q must be numbers".to_owned());
    };
    let minimum = match args.get("minimum") {
        None => [0.0; 3],
        Some(Value::Array(list)) => {
            let list: Vec<f64> = list.iter().filter_map(Value::as_f64).collect();
            list.try_into().map_err(|_| "args: minimum must be three numbers")?
        }
        Some(value) => [value.as_f64().ok_or("args: minimum is no number")?; 3],
    };
    Rgb::lupton(stretch, q).and_then(|way| way.with_minimum(minimum)).map_err(|e| e.to_string())
}

fn legacy(args: &Value) -> Result<Rgb, String> {
    let curve = match (args.get("mnmx"), args.get("Q")) {
        (Some(range), _) => match (range[0].as_f64(), range[1].as_f64()) {
            (Some(min), Some(max)) => LegacyCurve::Linear { min, max },
            _ => return Err("args: mnmx must be two numbers".to_owned()),
        },
        (None, Some(Value::Null)) => LegacyCurve::Intensity,
        (None, Some(q)) => LegacyCurve::Asinh { q: q.as_f64().ok_or("args: Q is no number")? },
        (None, None) if args.get("m").is_none() => return Ok(Rgb::legacy_surveys()),
        (None, None) => LegacyCurve::Asinh { q: 20.0 },
    };
    let offset = args.get("m").map_or(Some(0.03), Value::as_f64).ok_or("args: m is no number")?;
    Rgb::legacy([2.2, 3.4, 6.0], offset, curve).map_err(|e| e.to_string())
}

/// A list of numbers; null is NaN, and infinities are text.
fn floats(row: &Value, key: &str) -> Result<Vec<f64>, String> {
    let list = row[key].as_array().ok_or_else(|| format!("{key}: no list"))?;
    let float = |value: &Value| match value {
        Value::Null => Some(f64::NAN),
        Value::String(text) => text.parse().ok(),
        value => value.as_f64(),
    };
    list.iter().map(float).collect::<Option<_>>().ok_or_else(|| format!("{key}: not all are numbers"))
}

fn colors(way: &Rgb, planes: &[Vec<f64>; 3]) -> Vec<f64> {
    let [r, g, b] = planes;
    r.iter().zip(g).zip(b).flat_map(|((&r, &g), &b)| way.pixel([r, g, b])).collect()
}

fn same_floats(found: &[f64], expected: &[f64], same: impl Fn(f64, f64) -> bool) -> Result<(), String> {
    if found.len() != expected.len() {
        return Err(format!("{} colours, expected {}", found.len(), expected.len()));
    }
    match found.iter().zip(expected).position(|(&found, &expected)| !same(found, expected)) {
        None => Ok(()),
        Some(k) => Err(format!("colour {k}: expected {}, found {}", expected[k], found[k])),
    }
}

/// Exactly, except where the colour lies within rounding of a whole number.
fn same_bytes(found: &[u8], expected: &[f64], colors: &[f64]) -> Result<(), String> {
    if found.len() != expected.len() {
        return Err(format!("{} bytes, expected {}", found.len(), expected.len()));
    }
    for (k, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let level = colors[k] * 255.0;
        let allowed = if (level - level.round()).abs() <= 1e-9 { 1.0 } else { 0.0 };
        if (f64::from(found) - expected).abs() > allowed {
            return Err(format!("byte {k}: expected {expected}, found {found}"));
        }
    }
    Ok(())
}
