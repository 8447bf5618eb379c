//! Bricks against the values of the reference implementation, desiutil 4.0.1.

use coaddkit_sky::{Brick, BrickGrid, BrickId, BrickName, SkyCoord};
use coaddkit_testkit::{Csv, shared};

use crate::at;

/// FNV-1a over words, the fingerprint that the script beside the reference took of its tables.
#[derive(Clone, Copy)]
struct Fingerprint(u64);

impl Fingerprint {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn word(&mut self, word: u32) {
        self.0 = (self.0 ^ u64::from(word)).wrapping_mul(0x0100_0000_01b3);
    }

    fn brick(&mut self, brick: &Brick) {
        for half in brick.name.as_bytes().chunks(4) {
            self.word(u32::from_le_bytes(half.try_into().unwrap()));
        }
        for word in [brick.q.into(), brick.row, brick.col] {
            self.word(word);
        }
        let Brick { center, ra1_deg, ra2_deg, dec1_deg, dec2_deg, .. } = *brick;
        for value in [center.ra_deg(), center.dec_deg(), ra1_deg, ra2_deg, dec1_deg, dec2_deg] {
            self.word(value.to_bits() as u32);
            self.word((value.to_bits() >> 32) as u32);
        }
    }
}

/// Size, bricks, rows, fingerprint of the whole table (`Bricks(size).to_table()`: name, q, row, column, and the bits
/// of centre and edges), fingerprint of `brickid` at the positions of `walk`.
const TILINGS: [(f64, usize, usize, u64, u64); 11] = [
    (0.25, 662_174, 721, 0x7082_af1e_85a3_6db7, 0x402c_be6d_4cfd_3618),
    (0.3, 460_129, 601, 0x1d40_7762_b15c_1a23, 0xafbf_0c52_bcf6_97f3),
    (0.5, 166_054, 361, 0xb7b7_534b_37f4_e43b, 0xd874_624f_b8bf_36a4),
    (0.7, 84_963, 258, 0x85f9_a580_905b_9911, 0x789e_2e5a_843f_c095),
    (0.3333333333333333, 372_913, 541, 0xd037_80a3_6a05_e611, 0xe326_bdc8_8155_138d),
    (1.0, 41_782, 181, 0x753f_2a85_1f4d_10bf, 0xbe4f_90b8_4b2d_4bd1),
    (2.0, 10_578, 91, 0x2fbb_66b1_9899_f8ad, 0x5052_44bd_3b7a_a62e),
    (7.0, 914, 27, 0xdb06_419f_0bbf_fe6d, 0x8fad_2781_c774_cce2),
    (11.25, 370, 17, 0x2de8_b6db_592e_84a5, 0x52e1_ec0a_a78a_a8f4),
    (89.0, 11, 3, 0x93ee_d2d1_f0a6_f66e, 0xf940_c3b0_0ceb_350b),
    (90.0, 6, 3, 0x728a_d0e5_9977_7cc3, 0x08e0_76ab_52ff_c01a),
];

/// 20,000 positions on a millidegree grid, poles included.
fn walk() -> impl Iterator<Item = SkyCoord> {
    (0..20_000u32).map(|i| {
        let ra = f64::from((u64::from(i) * 7919 % 360_000) as u32) / 1000.0;
        let dec = f64::from((u64::from(i) * 104_729 % 180_001) as u32) / 1000.0 - 90.0;
        at(ra, dec)
    })
}

#[test]
fn whole_tilings_equal_the_reference_to_the_bit() {
    for (size, bricks, rows, table, ids) in TILINGS {
        let grid = BrickGrid::new(size).unwrap();
        assert_eq!((grid.len(), grid.row_count()), (bricks, rows), "size {size}");
        let mut found = Fingerprint::new();
        let mut count = 0;
        for brick in grid.bricks() {
            count += 1;
            assert_eq!(brick.id.get(), count);
            found.brick(&brick);
        }
        assert_eq!(count as usize, bricks, "size {size}");
        assert_eq!(found.0, table, "size {size}: {:#018x}", found.0);
        let mut found = Fingerprint::new();
        walk().for_each(|position| found.word(grid.locate(position).get()));
        assert_eq!(found.0, ids, "size {size}: {:#018x}", found.0);
    }
}

#[test]
fn areas_of_a_tiling_add_up_to_the_sky() {
    let sky = 4.0 * std::f64::consts::PI * (180.0 / std::f64::consts::PI).powi(2);
    for (size, ..) in TILINGS {
        let sum: f64 = BrickGrid::new(size).unwrap().bricks().map(|brick| brick.area_deg2()).sum();
        // A plain sum of half a million terms rounds in the twelfth digit.
        assert!((sum / sky - 1.0).abs() < 1e-11, "size {size}: {sum}");
    }
}

#[test]
fn every_lookup_leads_back_to_its_brick() {
    for size in [0.1, 0.25, 0.3, 0.7, 7.0, 90.0] {
        let grid = BrickGrid::new(size).unwrap();
        // All bricks of the coarse grids, every 17th of the fine ones.
        let step = if grid.len() > 10_000 { 17 } else { 1 };
        for brick in grid.bricks().step_by(step) {
            assert_eq!(grid.brick(brick.id), Some(brick), "size {size}");
            assert_eq!(grid.brick_named(brick.name), Some(brick), "size {size}");
            assert_eq!(grid.brick_at(brick.center), brick, "size {size}");
            assert_eq!(grid.locate(brick.center), brick.id, "size {size}");
            assert!(brick.footprint().contains(brick.center));
        }
    }
}

#[test]
fn positions_equal_the_vectors() {
    let Some(path) = shared("vectors/bricks.csv.gz") else { return };
    let table = Csv::read(&path).unwrap();
    let grid = BrickGrid::legacy();
    let columns =
        ["ra", "dec", "brickname", "brickid", "brickq", "row", "col"].map(|name| table.column(name));
    let (mut ra, mut dec, mut ids, mut names) = (vec![], vec![], vec![], vec![]);
    for row in &table.rows {
        let [r, d, name, id, q, brick_row, col] = columns.map(|column| row[column].as_str());
        let position = at(r.parse().unwrap(), d.parse().unwrap());
        let brick = grid.brick_at(position);
        let found = [
            brick.name.to_string(),
            brick.id.to_string(),
            brick.q.to_string(),
            brick.row.to_string(),
            brick.col.to_string(),
        ];
        assert_eq!(found, [name, id, q, brick_row, col], "{row:?}");
        assert_eq!(grid.locate(position), brick.id);
        ra.push(r.parse::<f64>().unwrap());
        dec.push(d.parse::<f64>().unwrap());
        ids.push(BrickId::new(id.parse().unwrap()));
        names.push(name.parse::<BrickName>().ok());
    }
    assert_eq!(table.rows.len(), 21_004);
    let mut located = vec![None; ra.len()];
    grid.locate_all(&ra, &dec, &mut located).unwrap();
    assert_eq!(located, ids);
    let mut named = vec![None; ra.len()];
    grid.name_all(&ra, &dec, &mut named).unwrap();
    assert_eq!(named, names);
}

#[test]
fn bounds_and_areas_equal_the_vectors() {
    let Some(path) = shared("vectors/brick_table.csv.gz") else { return };
    let table = Csv::read(&path).unwrap();
    for row in &table.rows {
        let number = |name| row[table.column(name)].parse::<f64>().unwrap();
        let id = BrickId::new(row[table.column("brickid")].parse().unwrap()).unwrap();
        let brick = BrickGrid::legacy().brick(id).unwrap();
        assert_eq!(brick.name.as_str(), row[table.column("brickname")]);
        assert_eq!(
            (
                brick.center.ra_deg(),
                brick.center.dec_deg(),
                brick.ra1_deg,
                brick.ra2_deg,
                brick.dec1_deg,
                brick.dec2_deg
            ),
            (number("ra"), number("dec"), number("ra1"), number("ra2"), number("dec1"), number("dec2")),
        );
        let area = number("area_deg2");
        assert!((brick.area_deg2() / area - 1.0).abs() <= 1e-12, "{row:?}: {}", brick.area_deg2());
    }
    assert_eq!(table.rows.len(), 1507);
}

/// The grid does not depend on the last bit of the platform's cosine: no row is near a change of its column count.
#[test]
fn column_counts_have_a_margin() {
    let grid = BrickGrid::legacy();
    for row in 1..grid.row_count() - 1 {
        let nearest = ((-90.0 + row as f64 * 0.25).abs() - 0.125).max(0.0);
        let pairs = 720.0 * nearest.to_radians().cos();
        let margin = (pairs - pairs.round()).abs();
        // At the equator the cosine is exactly 1.
        assert!(margin > 1e-9 || nearest == 0.0, "row {row}: {pairs}");
        assert_eq!(grid.columns(row), Some(pairs.ceil() as usize * 2));
    }
    assert_eq!((grid.columns(0), grid.columns(720), grid.columns(721)), (Some(1), Some(1), None));
}

/// The reference gives the first brick of the next row, or no name, for a right ascension that rounds to 360, and
/// bricks at the poles for declinations that are no angle.
#[test]
fn traps_of_the_reference() {
    let grid = BrickGrid::legacy();
    for ra in [-1e-14, -f64::MIN_POSITIVE, -5e-324, 360.0_f64.next_down()] {
        assert_eq!(grid.locate(at(ra, 0.0)).get(), 331_807, "{ra}");
    }
    for ra in [0.0, -0.0, 360.0, -360.0, 720.0, 5e-324] {
        assert_eq!(grid.locate(at(ra, 0.0)).get(), 330_368, "{ra}");
        assert!(at(ra, 0.0).ra_deg().is_sign_positive());
    }
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    let bad =
        [(0.0, nan), (nan, 0.0), (0.0, inf), (0.0, -inf), (inf, 0.0), (0.0, 91.0), (0.0, 90.0_f64.next_up())];
    for (ra, dec) in bad {
        assert!(SkyCoord::from_degrees(ra, dec).is_err(), "{ra} {dec}");
        let mut found = [BrickId::new(7)];
        grid.locate_all(&[ra], &[dec], &mut found).unwrap();
        assert_eq!(found, [None], "{ra} {dec}");
    }
}

/// Columns take a faster way than single positions, except where rounding decides: on edges and beside them.
#[test]
fn columns_give_what_positions_give_on_every_edge() {
    for size in [0.1, 0.25, 0.3, 7.0, 90.0] {
        let grid = BrickGrid::new(size).unwrap();
        let (mut ra, mut dec) =
            (vec![-1e-14, 360.0, 725.0, -0.0, 3.0], vec![0.0, 10.0, 90.0, -90.0, f64::NAN]);
        for brick in grid.bricks().step_by(1 + grid.len() / 5_000) {
            for (r, d) in [
                (brick.ra1_deg, brick.dec1_deg),
                (brick.ra2_deg, brick.dec2_deg),
                (brick.ra1_deg, brick.center.dec_deg()),
                (brick.center.ra_deg(), brick.dec2_deg),
            ] {
                for r in [r.next_down(), r, r.next_up(), r + 1e-12, r + 1e-9] {
                    for d in [d.next_down(), d, d.next_up(), d - 1e-12, d - 1e-9] {
                        ra.push(r);
                        dec.push(d.clamp(-90.0, 90.0));
                    }
                }
            }
        }
        let (mut ids, mut names) = (vec![None; ra.len()], vec![None; ra.len()]);
        grid.locate_all(&ra, &dec, &mut ids).unwrap();
        grid.name_all(&ra, &dec, &mut names).unwrap();
        for i in 0..ra.len() {
            let brick = SkyCoord::from_degrees(ra[i], dec[i]).ok().map(|position| grid.brick_at(position));
            let expected = (brick.map(|brick| brick.id), brick.map(|brick| brick.name));
            assert_eq!((ids[i], names[i]), expected, "{size} {} {}", ra[i], dec[i]);
        }
        assert!(grid.name_all(&ra[1..], &dec, &mut names).is_err());
    }
}

#[test]
fn what_a_grid_does_not_have() {
    let grid = BrickGrid::legacy();
    assert!(BrickId::new(0).is_none());
    assert_eq!(grid.brick(BrickId::new(662_174).unwrap()).unwrap().name.as_str(), "1800p900");
    assert!(grid.brick(BrickId::new(662_175).unwrap()).is_none());
    assert!(grid.brick(BrickId::new(u32::MAX).unwrap()).is_none());
    for name in ["0002p000", "0001p001", "0001m000", "3599p900", "0000p000", "1800m899"] {
        assert!(grid.brick_named(name.parse().unwrap()).is_none(), "{name}");
    }
    for size in [0.0, -0.25, 0.0999, 90.1, f64::NAN, f64::INFINITY] {
        assert!(BrickGrid::new(size).is_err(), "{size}");
    }
    assert!(grid.locate_all(&[0.0], &[0.0, 1.0], &mut [None]).is_err());
}

/// A brick differs in colour from all its neighbours, across the meridian too.
#[test]
fn neighbours_differ_in_colour() {
    let grid = BrickGrid::new(7.0).unwrap();
    let bricks: Vec<Brick> = grid.bricks().collect();
    for (i, a) in bricks.iter().enumerate() {
        for b in &bricks[..i] {
            if a.footprint().overlaps(&b.footprint()) {
                assert_ne!(a.q, b.q, "{} {}", a.name, b.name);
            }
        }
    }
}
