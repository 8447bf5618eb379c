//! The miniature coadds, as astropy reads them.

use std::process::Command;

use coaddkit_testkit::{CoaddTree, Coverage, damage, skip};

#[test]
fn what_exists_of_each_brick() {
    let tree = CoaddTree::miniature(1).with_psfsize();
    let files = tree.files();
    let of = |brick: &str| files.iter().filter(|(path, _)| path.contains(&format!("/{brick}/"))).count();
    assert_eq!(
        [of("0001p000"), of("0001p002"), of("1498p022"), of("1501p022"), of("1503p022")],
        [10, 7, 7, 0, 10]
    );
    let path = CoaddTree::path("1503p022", "image-r");
    assert_eq!(path, "150/1503p022/legacysurvey-1503p022-image-r.fits.fz");
    let (_, damaged) = files.iter().find(|(p, _)| *p == path).unwrap();
    let whole = tree.file("1503p022", "image-r");
    assert_eq!(damaged.iter().zip(&whole).filter(|(a, b)| a != b).count(), 1);
    let sizes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(files.iter().all(|(_, bytes)| bytes.len() % 2880 == 0) && sizes < 8_000_000, "{sizes} bytes");
}

#[test]
fn seeds_decide_and_only_seeds() {
    let file = |seed| CoaddTree::new(seed).brick("0001p000", Coverage::Complete).file("0001p000", "image-z");
    assert!(file(1) == file(1) && file(1) != file(2));
}

#[test]
fn neighbours_show_the_same_sky() {
    let tree = CoaddTree::miniature(3);
    // The brick to the east is to the left; both stand on the equator, 0.25 degrees apart.
    let (west, east) = (tree.floats("3598p000", "image-z"), tree.floats("0001p000", "image-z"));
    let apart = 0.25 / (0.262 / 128.0);
    let shift = f64::round(apart) as usize;
    let common = 128 - shift;
    assert!(common > 4, "{common} columns overlap");
    let pairs = (0..128).flat_map(|y| (0..common).map(move |x| (y * 128 + x, y * 128 + x + shift)));
    let bright: Vec<(f32, f32)> =
        pairs.map(|(w, e)| (west[w], east[e])).filter(|(w, e)| w.max(*e) > 0.3 && w * e != 0.0).collect();
    assert!(!bright.is_empty());
    for (w, e) in bright {
        assert!((0.5..2.0).contains(&(w / e)), "{w} and {e}");
    }
}

#[test]
fn astropy_sees_what_was_meant() {
    let python = std::env::var_os("COADDKIT_PYTHON").unwrap_or_else(|| "python3".into());
    let usable = Command::new(&python).args(["-c", "import astropy, numpy"]).output();
    if !usable.is_ok_and(|out| out.status.success()) {
        skip("a Python with astropy, $COADDKIT_PYTHON");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut trees = Vec::new();
    for (pixels, tile) in [(128, 100), (70, 64), (60, 17)] {
        let tree = CoaddTree::new(5).size(pixels, tile).with_psfsize();
        let tree = tree.brick("3598p000", Coverage::Complete).brick("0959p805", Coverage::Complete);
        let work = dir.path().join(format!("{pixels}"));
        tree.write(&work).unwrap();
        for (brick, _) in tree.bricks() {
            for product in tree.products() {
                let name = work.join(format!("{}-{product}.raw", brick.name));
                let bytes: Vec<u8> = match product.as_str() {
                    "maskbits" => tree.maskbits(&brick.name).iter().flat_map(|v| v.to_le_bytes()).collect(),
                    _ => tree.floats(&brick.name, &product).iter().flat_map(|v| v.to_le_bytes()).collect(),
                };
                std::fs::write(name, bytes).unwrap();
            }
        }
        trees.push(work);
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/testkit/coadds.py");
    let out = Command::new(&python).arg(script).args(trees).output().unwrap();
    let (said, complained) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{said}{complained}");
    assert_eq!(said.lines().last(), Some("60 files"), "{said}");
}

#[test]
fn checksums_stand_in_every_header() {
    let file = CoaddTree::new(1).brick("0001p000", Coverage::Complete).file("0001p000", "maskbits");
    for hdu in 0..4 {
        assert!(damage::card_offset(&file, hdu, "CHECKSUM") > damage::card_offset(&file, hdu, "DATASUM"));
    }
    assert_eq!(damage::end_offset(&file, 3), file.len());
}
