//! Stamps: their pixels are compared with another reader's by `cargo xtask test oracle-cache`.

use coaddkit_cache::{CacheError, Cutter, Product};
use coaddkit_sky::SkyCoord;
use coaddkit_testkit::{CoaddTree, Coverage};

use crate::help::*;

fn at(ra: f64, dec: f64) -> SkyCoord {
    SkyCoord::from_degrees(ra, dec).unwrap()
}

fn images() -> Vec<Product> {
    grz().products().iter().copied().filter(|product| matches!(product, Product::Image(_))).collect()
}

/// The pixels of a mask are stored without loss: a stamp has those that the image was made of.
#[test]
fn a_mask_is_cut_exactly() {
    let tree = small();
    for place in places() {
        place.run(&tree, &serve(&tree));
        let mut cutter = Cutter::new(&place.cache).across_bricks(false);
        let stamp = cutter.stamp(at(0.11, 0.02), 16, &[Product::MaskBits]).unwrap();
        let [x0, y0] = stamp.origin.map(|v| v as usize);
        let mask = tree.maskbits("0001p000");
        let expected: Vec<f32> = (0..16)
            .flat_map(|y| (0..16).map(move |x| (y, x)))
            .map(|(y, x)| mask[(y0 + y) * 48 + x0 + x] as f32)
            .collect();
        assert_eq!((stamp.brick, stamp.complete), (name("0001p000"), true));
        assert_eq!(stamp.planes, [(Product::MaskBits, expected)]);
        // The position lies at the pixel in the middle.
        let [x, y] = stamp.wcs.sky_to_pixel(at(0.11, 0.02)).unwrap();
        assert!((x - 9.0).abs() <= 0.5 && (y - 9.0).abs() <= 0.5, "{x} {y}");
    }
}

#[test]
fn a_brick_is_opened_once() {
    let tree = small();
    let place = store();
    place.run(&tree, &serve(&tree));
    let asked = place.asked.as_ref().unwrap();
    asked.take();
    let mut cutter = Cutter::new(&place.cache);
    for step in 0..50 {
        cutter.stamp(at(0.05 + 0.003 * f64::from(step), 0.01), 8, &images()).unwrap();
    }
    assert_eq!(asked.take(), [0, 3, 0, 0]);
}

#[test]
fn across_the_edge_of_a_brick() {
    let tree = small();
    let place = folder();
    place.run(&tree, &serve(&tree));
    let mut cutter = Cutter::new(&place.cache);
    // At RA 0 3598p000 and 0001p000 meet; the images overlap by a pixel or two.
    let stamp = cutter.stamp(at(359.9999, 0.0), 16, &images()).unwrap();
    assert_eq!((stamp.brick, stamp.complete), (name("3598p000"), true));
    assert_eq!(stamp.neighbors.keys().collect::<Vec<_>>(), [&name("0001p000")]);
    let taken = stamp.neighbors[&name("0001p000")];
    assert!(taken.is_multiple_of(16) && (64..=128).contains(&taken), "{taken}");
    let mut alone = Cutter::new(&place.cache).across_bricks(false);
    let cut = alone.stamp(at(359.9999, 0.0), 16, &images()).unwrap();
    assert!(!cut.complete && cut.neighbors.is_empty());
    assert_eq!(cut.planes[0].1.iter().filter(|v| **v == 0.0).count().min(taken), taken);
    // Where nothing is cached, pixels are 0 and the stamp says that they are not there.
    let edge = cutter.stamp(at(0.2499, 0.0), 16, &images()).unwrap();
    assert!(!edge.complete && edge.neighbors.is_empty());
}

#[test]
fn what_cannot_be_cut_says_why() {
    let tree = small().brick("0003p000", Coverage::Bands("gz"));
    let place = folder();
    place.run(&tree, &serve(&tree));
    let mut cutter = Cutter::new(&place.cache);
    let missing = cutter.stamp(at(10.0, 0.0), 16, &images()).unwrap_err();
    assert!(matches!(&missing, CacheError::Missing { place } if place.contains("/0101p000/")), "{missing}");
    let missing = cutter.stamp(at(0.4, 0.0), 16, &images()).unwrap_err();
    assert!(missing.to_string().contains("legacysurvey-0003p000-image-r.fits.fz"), "{missing}");
    assert!(matches!(cutter.stamp(at(0.1, 0.0), 16, &[]), Err(CacheError::NoProducts)));
    assert!(matches!(cutter.stamp(at(0.1, 0.0), 0, &images()), Err(CacheError::Sky(_))));
    let other = cutter.stamp_of(name("0001p000"), at(180.0, 0.0), 16, &images()).unwrap_err();
    assert!(matches!(other, CacheError::FarSide { .. }), "{other}");
    // Damaged, or of another size than the others of the brick.
    let path = format!("3598p000/{}", file_name("3598p000", "image-r"));
    place.put(&path, tree.file("3598p000", "image-r")[..8640].to_vec());
    let damaged = cutter.stamp(at(359.9, 0.0), 16, &images()).unwrap_err();
    assert!(matches!(damaged, CacheError::Fits(_)) && damaged.to_string().contains("image-r"), "{damaged}");
    let larger = CoaddTree::new(3).size(50, 20).brick("3598p000", Coverage::Complete);
    place.put(&path, larger.file("3598p000", "image-r"));
    let mut cutter = Cutter::new(&place.cache);
    let sizes = cutter.stamp(at(359.9, 0.0), 16, &images()).unwrap_err();
    assert!(matches!(sizes, CacheError::Shapes { .. }), "{sizes}");
}
