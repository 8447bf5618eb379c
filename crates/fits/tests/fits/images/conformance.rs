//! The committed conformance set: small images in layouts that real files rarely have, with what astropy or
//! CFITSIO read from them.

use super::Summary;
use coaddkit_fits::Fits;
use coaddkit_testkit::gunzip;
use std::collections::BTreeSet;
use std::path::PathBuf;

pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/conformance")
}

/// Every file with what its ledger says of it: name, bytes, HDU and the other fields.
pub fn files() -> Vec<(String, Vec<u8>, usize, Vec<String>)> {
    let ledger = std::fs::read_to_string(folder().join("images.csv")).unwrap();
    let each = ledger.lines().skip(1).map(|line| {
        let fields: Vec<String> = line.split(',').map(str::to_owned).collect();
        let name = fields[0].clone();
        let packed = std::fs::read(folder().join(format!("files/{name}.gz"))).unwrap();
        let hdu = fields[1].parse().unwrap();
        (name, gunzip(&packed).unwrap(), hdu, fields[2..].to_vec())
    });
    each.collect()
}

#[test]
fn images_are_those_of_the_ledger() {
    let (mut wrong, mut seen) = (Vec::new(), BTreeSet::new());
    for (name, bytes, hdu, fields) in files() {
        let [shape, dtype, sha256, ..] = &fields[..] else { panic!("{name}: {fields:?}") };
        // In memory, and through the gzip stream around it, which is read in order.
        let plain = Fits::from_source(bytes).unwrap();
        let packed = Fits::open(folder().join(format!("files/{name}.gz"))).unwrap();
        for fits in [plain, packed] {
            let image = fits.hdu(hdu).unwrap().image().unwrap_or_else(|e| panic!("{name}: {e}"));
            let found = Summary::of(&image);
            let lengths: Vec<String> = found.shape.iter().map(u64::to_string).collect();
            if (lengths.join("x").as_str(), found.dtype) != (shape, dtype)
                || !sha256.starts_with(&found.sha256)
            {
                wrong.push(format!("{name}: {:?} {} {}", found.shape, found.dtype, found.sha256));
            }
            seen.extend(image.hdu().compression().map(|c| c.codec.clone()));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    let codecs = ["GZIP_1", "GZIP_2", "HCOMPRESS_1", "NOCOMPRESS", "PLIO_1", "RICE_1", "RICE_ONE"];
    assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), codecs);
}
