use crate::{Ran, fixture};
use coaddkit_testkit::{Column, FitsTable, damage, image_extension};
use serde_json::Value;
use std::path::Path;

fn info(args: &[&str], dir: &Path) -> Ran {
    crate::run(env!("CARGO_BIN_EXE_fits-info"), args, dir)
}

#[test]
fn json_has_the_pinned_keys() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = FitsTable::new("STARS")
        .column(Column::new("RA", "D").unit("deg"))
        .column(Column::new("NAME", "4A"))
        .rows(3, |_, cells| {
            cells.put(1.0_f64).put("ab");
        })
        .then(&image_extension("PIXELS", 16, &[4, 3], &[0; 24]))
        .to_bytes();
    std::fs::write(dir.path().join("a.fits"), bytes).unwrap();
    let ran = info(&["--json", "a.fits"], dir.path());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let v = ran.report();
    assert_eq!(v["path"], "a.fits");
    let hdus = v["hdus"].as_array().unwrap();
    let kinds: Vec<_> = hdus
        .iter()
        .map(|h| (h["index"].as_u64().unwrap(), h["name"].as_str().unwrap(), h["kind"].as_str().unwrap()))
        .collect();
    assert_eq!(kinds, [(0, "", "image"), (1, "STARS", "table"), (2, "PIXELS", "image")]);
    assert_eq!(hdus[1]["rows"], 3);
    assert_eq!(
        hdus[1]["columns"],
        serde_json::json!([
            { "index": 1, "name": "RA", "tform": "D", "unit": "deg" },
            { "index": 2, "name": "NAME", "tform": "4A", "unit": null },
        ])
    );
    assert_eq!(
        (&hdus[2]["shape"], &hdus[2]["bitpix"], &hdus[2]["dtype"]),
        (&serde_json::json!([3, 4]), &16.into(), &"i2".into())
    );
    assert_eq!(
        (&hdus[2]["compression"], &hdus[2]["quantize"], &hdus[2]["tile"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
}

#[test]
fn compressed_images_show_the_image() {
    let Some(path) = coaddkit_testkit::shared("data/coadds/legacysurvey-0959p805-image-g.fits.fz") else {
        return;
    };
    let path = path.to_str().unwrap();
    let ran = info(&["--json", path], Path::new("."));
    let hdu = &ran.report()["hdus"][1];
    assert_eq!(
        (&hdu["kind"], &hdu["shape"], &hdu["tile"]),
        (&"image".into(), &serde_json::json!([3600, 3600]), &serde_json::json!([100, 100]))
    );
    assert_eq!(
        (&hdu["compression"], &hdu["quantize"], &hdu["dtype"]),
        (&"RICE_ONE".into(), &"SUBTRACTIVE_DITHER_2".into(), &"f4".into())
    );
    let ran = info(&[path], Path::new("."));
    assert!(ran.stdout.contains("3600 × 3600") && ran.stdout.contains("tiles 100 × 100"), "{}", ran.stdout);
}

#[test]
fn what_can_be_seen_of_a_damaged_file_is_listed() {
    let dir = tempfile::tempdir().unwrap();
    let whole = std::fs::read(fixture("sweep-000m005-005p000.fits")).unwrap();
    std::fs::write(dir.path().join("cut.fits"), damage::truncated(&whole, whole.len() / 2)).unwrap();
    std::fs::write(dir.path().join("text.fits"), "hello").unwrap();
    let ran = info(&["--json", "cut.fits", "absent.fits", "text.fits"], dir.path());
    assert_eq!(ran.code, 65);
    let files: Vec<Value> = ran.stdout.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(files.len(), 3);
    assert_eq!(files[0]["hdus"][1]["columns"].as_array().unwrap().len(), 130);
    assert!(files[0]["error"].as_str().unwrap().contains("truncated: data"));
    assert!(files[1]["error"].is_string() && files[2]["error"].is_string());
    for says in ["cut.fits: HDU 1, byte", "absent.fits: ", "text.fits: HDU 0, byte 0: not a FITS file"] {
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
    }
    assert_eq!(info(&["absent.fits"], dir.path()).code, 66);
    assert_eq!(info(&[], dir.path()).code, 2);
}

#[test]
fn a_compressed_image_that_makes_no_sense_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let packed = std::fs::read(fixture("conformance/files/rice_i2.fits.gz")).unwrap();
    let whole = coaddkit_testkit::gunzip(&packed).unwrap();
    let next = image_extension("NEXT", 16, &[4, 3], &[0; 24]);
    let bytes = [damage::with_card(&whole, 1, "ZTILE1", "ZTILE1  = 0"), next].concat();
    std::fs::write(dir.path().join("a.fits"), bytes).unwrap();
    for args in [&["--json", "a.fits"][..], &["--json", "--digest", "a.fits"]] {
        let ran = info(args, dir.path());
        assert_eq!(ran.code, 65, "{}", ran.stderr);
        assert!(
            ran.stderr.contains("a.fits: HDU 1, byte 2880: ZTILE1 is 0, must be at least 1"),
            "{}",
            ran.stderr
        );
        let file = ran.report();
        assert!(file["hdus"][1]["error"].as_str().unwrap().contains("ZTILE1 is 0"), "{file}");
        assert_eq!(
            (&file["hdus"][2]["name"], &file["hdus"][2]["shape"]),
            (&"NEXT".into(), &serde_json::json!([3, 4]))
        );
    }
}

#[test]
fn columns_are_listed_for_people() {
    let ran = info(&[fixture("sweep-000m005-005p000.fits").to_str().unwrap()], Path::new("."));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.contains("× 130 columns") && ran.stdout.contains("MW_TRANSMISSION_W1"),
        "{}",
        ran.stdout
    );
    let brief = info(&["--brief", fixture("sweep-000m005-005p000.fits").to_str().unwrap()], Path::new("."));
    assert!(!brief.stdout.contains("MW_TRANSMISSION_W1"));
}
