//! Sky maps: the vectors of the workspace hold what lsst.skymap says; here the edges and what must be refused.

use coaddkit_sky::{DataIdPacker, Error, SkyCoord, SkyMap, SkyMapConfig, SkyMapProjection};
use proptest::prelude::*;

use crate::at;

const CONFIG: SkyMapConfig = SkyMapConfig {
    pixel_scale_arcsec: 0.168,
    patch_inner: 4000,
    patch_border: 100,
    tract_overlap_deg: 1.0 / 60.0,
    projection: SkyMapProjection::Tan,
};

fn rings() -> SkyMap {
    SkyMap::rings(CONFIG, 120, 0.0).unwrap()
}

#[test]
fn well_known_fields_are_in_their_tracts() {
    let map = rings();
    assert_eq!(map.len(), 18_938);
    assert_eq!(map.find_tract(at(150.1, 2.2)).id(), 9813);
    assert_eq!(map.find_tract(at(53.16, -28.1)).id(), 5063);
}

#[test]
fn the_first_tract_of_a_ring_lies_on_both_sides_of_its_start() {
    let map = rings();
    let first = map.find_tract(at(0.0, 0.1));
    assert_eq!(map.find_tract(at(359.9, 0.1)).id(), first.id());
    assert_eq!(map.find_tract(at(-1e-14, 0.1)).id(), first.id());
    assert_eq!(first.ring().map(|[_, k]| k), Some(0));
    // Started elsewhere, the same ring is turned.
    let turned = SkyMap::rings(CONFIG, 120, 350.0).unwrap();
    assert_eq!(turned.find_tract(at(350.0, 0.1)).id(), first.id());
    assert_eq!(turned.tract(first.id()).unwrap().center().ra_deg(), 350.0);
    let negative = SkyMap::rings(CONFIG, 120, -10.0).unwrap();
    assert!((negative.tract(first.id()).unwrap().center().ra_deg() - 350.0).abs() < 1e-12);
}

#[test]
fn caps_and_the_edges_of_the_last_ring() {
    let map = rings();
    assert_eq!((map.find_tract(at(77.0, -90.0)).id(), map.find_tract(at(77.0, 90.0)).id()), (0, 18_937));
    for id in [18_938, u32::MAX] {
        assert_eq!(map.tract(id), Err(Error::NoSuchTract { id, tracts: 18_938 }));
    }
    assert_eq!((map.tract(0).unwrap().ring(), map.tract(18_937).unwrap().ring()), (None, None));
    // One ring between two caps, and its edges: 45 degrees to 1e-14.
    let one = SkyMap::rings(CONFIG, 1, 0.0).unwrap();
    assert_eq!(one.len(), 2 + 3);
    for (dec, tract) in [(-45.1, 0), (-44.9, 1), (44.9, 1), (45.1, 4)] {
        assert_eq!(one.find_tract(at(0.0, dec)).id(), tract, "{dec}");
    }
    for step in -20..20 {
        let dec = 45.0 + f64::from(step) * 1e-14;
        assert!([1, 4].contains(&one.find_tract(at(0.0, dec)).id()), "{dec}");
        assert!([0, 1].contains(&one.find_tract(at(0.0, -dec)).id()), "{dec}");
    }
}

#[test]
fn patches_by_position_by_index_and_by_number() {
    let tract = rings().tract(9813).unwrap();
    let center = tract.find_patch(tract.center()).unwrap();
    assert_eq!(center.index, [4, 4]);
    assert_eq!((center.inner.x.clone(), center.outer.y.clone()), (16_000..20_000, 15_900..20_100));
    let corner = tract.patch([0, 8]).unwrap();
    assert_eq!((corner.sequence, corner.outer.x, corner.outer.y), (72, 0..4100, 31_900..36_000));
    assert_eq!(tract.patch_numbered(72).unwrap().index, [0, 8]);
    for (missing, index) in
        [(tract.patch([9, 0]), [9, 0]), (tract.patch([0, 9]), [0, 9]), (tract.patch_numbered(81), [0, 9])]
    {
        assert_eq!(missing, Err(Error::NoSuchPatch { index, tract: 9813, counts: [9, 9] }));
    }
    assert_eq!(
        tract.patch([u32::MAX; 2]).unwrap_err().to_string(),
        "there is no patch [4294967295, 4294967295] in tract 9813: it has 9 x 9"
    );
    // Far away, and on the other side of the sky.
    assert_eq!(tract.find_patch(at(160.0, 2.2)), None);
    assert_eq!(tract.find_patch(at(330.1, -2.2)), None);
    // Pixels reach half of one beyond their centres.
    let position = |x: f64| tract.wcs().pixel_to_sky(x + 1.0, 18_001.0).unwrap();
    assert_eq!(tract.find_patch(position(-0.501)), None);
    assert_eq!(tract.find_patch(position(-0.499)).unwrap().index, [0, 4]);
    assert_eq!(tract.find_patch(position(35_999.499)).unwrap().index, [8, 4]);
    assert_eq!(tract.find_patch(position(35_999.501)), None);
    assert_eq!(tract.find_patch(position(3_999.499)).unwrap().index, [0, 4]);
    assert_eq!(tract.find_patch(position(3_999.501)).unwrap().index, [1, 4]);
}

#[test]
fn discrete_maps_give_the_nearest_tract_which_need_not_reach() {
    let tracts = [(at(10.0, 0.0), 0.5), (at(359.0, 0.0), 0.7), (at(10.0, 80.0), 0.5)];
    let map = SkyMap::discrete(SkyMapConfig { tract_overlap_deg: 0.0, ..CONFIG }, &tracts).unwrap();
    assert_eq!(map.len(), 3);
    for (position, id) in [(at(1.0, 0.0), 1), (at(6.0, 0.0), 0), (at(190.0, 85.0), 2)] {
        assert_eq!(map.find_tract(position).id(), id, "{position}");
        assert_eq!(map.find_tract(position).find_patch(position), None);
    }
    assert!(map.find_tract(at(359.3, 0.1)).find_patch(at(359.3, 0.1)).is_some());
    assert!(map.tract(3).is_err());
    // Larger tracts have more patches, and ids have room for those.
    let [small, large] = [0, 1].map(|id| map.tract(id).unwrap().patch_count());
    assert_eq!((small, large), (36, 64));
    assert_eq!(map.packer(1).unwrap().pack(1, 0, 0), Ok(64));
}

#[test]
fn ids_are_packed_as_far_as_they_go() {
    let packer = rings().packer(6).unwrap();
    assert_eq!(packer, DataIdPacker::new(18_938, 81, 6).unwrap());
    assert_eq!(packer.pack(18_937, 80, 5), Ok(81 * 18_938 * 6 - 1));
    for (found, name) in [
        (packer.pack(18_938, 0, 0), "tract"),
        (packer.pack(0, 81, 0), "patch"),
        (packer.pack(0, 0, 6), "band"),
    ] {
        assert!(found.unwrap_err().to_string().starts_with(name));
    }
    for id in [81 * 18_938 * 6, u64::MAX] {
        assert!(matches!(packer.unpack(id), Err(Error::OutOfRange { .. })));
    }
    for sizes in [(0, 1, 1), (1, 0, 1), (1, 1, 0), (u32::MAX, u32::MAX, 2)] {
        assert!(DataIdPacker::new(sizes.0, sizes.1, sizes.2).is_err(), "{sizes:?}");
    }
    let widest = DataIdPacker::new(u32::MAX, u32::MAX, 1).unwrap();
    let last = widest.pack(u32::MAX - 1, u32::MAX - 1, 0).unwrap();
    assert_eq!(widest.unpack(last), Ok((u32::MAX - 1, u32::MAX - 1, 0)));
}

#[test]
fn what_makes_no_map_is_refused() {
    let bad = |config: SkyMapConfig| {
        assert!(matches!(
            SkyMap::rings(config, 120, 0.0),
            Err(Error::OutOfRange { .. } | Error::NotFinite { .. })
        ));
        assert!(SkyMap::discrete(config, &[(at(0.0, 0.0), 1.0)]).is_err());
    };
    for value in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-9, 1e9] {
        bad(SkyMapConfig { pixel_scale_arcsec: value, ..CONFIG });
    }
    for value in [-0.1, 86.0, f64::NAN] {
        bad(SkyMapConfig { tract_overlap_deg: value, ..CONFIG });
    }
    bad(SkyMapConfig { patch_inner: 0, ..CONFIG });
    bad(SkyMapConfig { patch_inner: 1, pixel_scale_arcsec: 0.01, ..CONFIG });
    for (count, start) in [(0, 0.0), (u32::MAX, 0.0), (65_536, 0.0), (120, f64::NAN), (120, f64::INFINITY)] {
        assert!(SkyMap::rings(CONFIG, count, start).is_err(), "{count} {start}");
    }
    for radius in [0.0, -1.0, 86.0, f64::NAN] {
        assert!(SkyMap::discrete(CONFIG, &[(at(0.0, 0.0), radius)]).is_err(), "{radius}");
    }
    assert!(SkyMap::discrete(CONFIG, &[]).is_err());
}

proptest! {
    /// A tract holds all within its radius and overlap, with either projection, and patches hold what they are found
    /// for.
    #[test]
    fn tracts_reach_as_far_as_they_must(
        ra in 0.0..360.0,
        sine in -1.0..1.0_f64,
        count in 3_u32..200,
        start in -400.0..400.0,
        stereographic in any::<bool>(),
    ) {
        let projection = if stereographic { SkyMapProjection::Stg } else { SkyMapProjection::Tan };
        let config = SkyMapConfig { projection, pixel_scale_arcsec: 1.0, patch_inner: 500, ..CONFIG };
        let map = SkyMap::rings(config, count, start).unwrap();
        let position = SkyCoord::from_degrees(ra, sine.asin().to_degrees()).unwrap();
        let tract = map.find_tract(position);
        prop_assert_eq!(map.tract(tract.id()), Ok(tract.clone()));
        let reach = 90.0 / f64::from(count + 1) + config.tract_overlap_deg;
        if let Some(patch) = tract.find_patch(position) {
            let [x, y] = tract.pixel(position).unwrap();
            let inner = patch.inner;
            prop_assert!((inner.x.start as f64 - 0.5..inner.x.end as f64 - 0.5).contains(&x));
            prop_assert!((inner.y.start as f64 - 0.5..inner.y.end as f64 - 0.5).contains(&y));
        } else {
            // A corner of a cell of the ring may be farther away than that.
            let center = tract.center();
            let (sin, cos) = ((center.dec_deg().to_radians()).sin_cos(), (position.dec_deg().to_radians()).sin_cos());
            let cosine = sin.0 * cos.0 + sin.1 * cos.1 * (center.ra_deg() - ra).to_radians().cos();
            prop_assert!(cosine.acos().to_degrees() > reach, "{} in {}", position, tract.id());
        }
        // North and south of the centre, as far as the tract must reach.
        for dec in [tract.center().dec_deg() + reach, tract.center().dec_deg() - reach] {
            if let Ok(end) = SkyCoord::from_degrees(tract.center().ra_deg(), dec) {
                prop_assert!(tract.find_patch(end).is_some());
            }
        }
    }
}
