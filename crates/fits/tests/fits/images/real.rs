//! Real files, against what astropy reads from them.

use super::Summary;
use coaddkit_fits::{Fits, HduKind};
use serde_json::Value;

/// Where astropy is not to be followed: the file, what astropy gives and what C CFITSIO gives.
const EXCEPTIONS: [(&str, &str, &str); 1] = [
    // astropy multiplies in single precision, CFITSIO in double precision, rounding once.
    ("fits-odd/ap_scale.fits", "29b831f1c46dee5c", "ca28585bd0e5234c"),
];

/// Every image of 150 files: type, shape, every bit of every pixel.
#[test]
fn images_are_those_of_the_oracle() {
    let Some(path) = coaddkit_testkit::shared("data/oracle.json") else { return };
    let oracle: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    // Sums of one file differ with its bits.
    let tolerance = |name: &str| if EXCEPTIONS.iter().any(|e| e.0 == name) { 1e-8 } else { 1e-12 };
    let (mut images, mut compressed, mut wrong) = (0, 0, Vec::new());
    for file in oracle.as_array().unwrap() {
        let name = file["file"].as_str().unwrap();
        let Some(expected) = file["hdus"].as_array().filter(|h| !h.is_empty()) else { continue };
        let Ok(fits) = Fits::open(coaddkit_testkit::shared(&format!("data/{name}")).unwrap()) else {
            // Bare headers, a file that astropy mends, compress(1): named in the test of odd files.
            assert!([".hdr", ".wcs", "ap_verify.fits", ".Z"].iter().any(|e| name.ends_with(e)), "{name}");
            continue;
        };
        for (index, want) in expected.iter().enumerate() {
            let data = &want["data"];
            let Some(shape) = data["shape"].as_array() else { continue };
            let hdu = fits.hdu(index).unwrap();
            if hdu.kind() != HduKind::Image {
                continue;
            }
            let label = format!("{name}[{index}]");
            let found = Summary::of(&hdu.image().unwrap_or_else(|e| panic!("{e}")));
            let shape: Vec<u64> = shape.iter().map(|n| n.as_u64().unwrap()).collect();
            assert_eq!((found.dtype, &found.shape), (data["dtype"].as_str().unwrap(), &shape), "{label}");
            let number = |key: &str, found: f64| match data[key].as_f64() {
                Some(want) => (found - want).abs() <= tolerance(name) * want.abs(),
                None => true,
            };
            let mut sha256 = data["sha256_be"].as_str().unwrap();
            if let Some((_, astropy, cfitsio)) = EXCEPTIONS.iter().find(|(file, ..)| *file == name) {
                assert_eq!(sha256, *astropy);
                assert_eq!(found.sha256, *cfitsio);
                sha256 = cfitsio;
            }
            let same = found.sha256 == sha256
                && data["nan"].as_u64().is_none_or(|nan| nan == found.nan)
                && number("min", found.min)
                && number("max", found.max)
                && number("sum", found.sum);
            if !same {
                let Summary { sha256, nan, min, max, sum, .. } = found;
                wrong.push(format!("{label}: {sha256} {nan} {min} {max} {sum}, not {data}"));
            }
            images += 1;
            compressed += usize::from(hdu.compression().is_some());
        }
    }
    assert!(wrong.is_empty(), "{} of {images} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(images > 160 && compressed >= 18, "{images} images, {compressed} compressed");
}
