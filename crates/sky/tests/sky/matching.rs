//! Matching against all pairs, one by one, with distances by other formulas.

use coaddkit_sky::{Error, Exclusion, Healpix, Keep, Match, MatchRule, SkyCoord, crossmatch, find_leaks};
use coaddkit_testkit::Rng;

use crate::at;
use crate::healpix::anywhere;

/// The angle in arcseconds, by the vectors' cross and scalar products.
fn angle(a: SkyCoord, b: SkyCoord) -> f64 {
    let vector = |p: SkyCoord| {
        let ((s, c), (sd, cd)) = (p.ra_deg().to_radians().sin_cos(), p.dec_deg().to_radians().sin_cos());
        [cd * c, cd * s, sd]
    };
    let ([x, y, z], [u, v, w]) = (vector(a), vector(b));
    let cross = [y * w - z * v, z * u - x * w, x * v - y * u];
    let sine = cross.iter().map(|c| c * c).sum::<f64>().sqrt();
    sine.atan2(x * u + y * v + z * w).to_degrees() * 3600.0
}

/// Positions on and around hard places: poles, right ascension 0, one spot many times over, edges of bands.
fn crowd(rng: &mut Rng, n: usize, spread_deg: f64) -> Vec<SkyCoord> {
    let seeds = [
        at(0.0, 0.0),
        at(359.9999, 61.0),
        at(12.0, 90.0),
        at(200.0, -89.9995),
        at(0.0, -45.0),
        anywhere(rng),
    ];
    (0..n)
        .map(|i| {
            let seed = seeds[rng.below(6) as usize];
            if i % 10 == 0 {
                return seed;
            }
            if i % 10 == 1 {
                return anywhere(rng);
            }
            let dec = (seed.dec_deg() + spread_deg * rng.normal()).clamp(-90.0, 90.0);
            let widening = dec.to_radians().cos().max(1e-3);
            at(seed.ra_deg() + spread_deg * rng.normal() / widening, dec)
        })
        .collect()
}

fn brute(left: &[SkyCoord], right: &[SkyCoord], radius_arcsec: f64) -> Vec<(u32, u32, f64)> {
    let pairs =
        (0_u32..).zip(left).flat_map(|(i, &a)| (0_u32..).zip(right).map(move |(j, &b)| (i, j, angle(a, b))));
    pairs.filter(|pair| pair.2 <= radius_arcsec).collect()
}

#[test]
fn all_pairs_are_those_of_comparing_everything() {
    let mut rng = Rng::new(21);
    let mut pairs = 0;
    for radius_arcsec in [0.0, 0.1, 1.0, 11.0, 600.0, 7200.0, 90_000.0, 324_000.0] {
        for _ in 0..6 {
            let spread = f64::max(radius_arcsec / 3600.0, 1e-4);
            let (left, right) = (crowd(&mut rng, 250, spread), crowd(&mut rng, 300, spread));
            let found = crossmatch(&left, &right, &MatchRule { radius_arcsec, keep: Keep::All }).unwrap();
            // Where rounding may decide, either answer will do: 1e-8 relative of the radius, and 1e-9 arcseconds.
            let slack = 1e-9 + radius_arcsec * 1e-12;
            let (surely, maybe) =
                (brute(&left, &right, radius_arcsec - slack), brute(&left, &right, radius_arcsec + slack));
            let ids: Vec<(u32, u32)> = found.iter().map(|m| (m.left, m.right)).collect();
            assert!(ids.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]));
            for &(i, j, _) in &surely {
                assert!(
                    ids.binary_search(&(i, j)).is_ok(),
                    "{radius_arcsec}: {} {}",
                    left[i as usize],
                    right[j as usize]
                );
            }
            for m in &found {
                let k = maybe.binary_search_by(|p| (p.0, p.1).cmp(&(m.left, m.right)));
                let expected = maybe[k.expect("too far apart")].2;
                assert!(
                    (m.separation_arcsec - expected).abs() <= 1e-9 + expected * 1e-12,
                    "{m:?} {expected}"
                );
            }
            pairs += found.len();
        }
    }
    assert!(pairs > 100_000, "{pairs}");
}

#[test]
fn the_nearest_are_the_first_of_all_by_distance() {
    let mut rng = Rng::new(22);
    for count in [0, 1, 2, 7, usize::MAX] {
        let (left, right) = (crowd(&mut rng, 300, 0.01), crowd(&mut rng, 400, 0.01));
        let rule = |keep| MatchRule { radius_arcsec: 60.0, keep };
        let mut all = crossmatch(&left, &right, &rule(Keep::All)).unwrap();
        all.sort_by(|a, b| {
            (a.left.cmp(&b.left))
                .then(a.separation_arcsec.total_cmp(&b.separation_arcsec))
                .then(a.right.cmp(&b.right))
        });
        let expected: Vec<Match> =
            all.chunk_by(|a, b| a.left == b.left).flat_map(|near| near.iter().take(count).copied()).collect();
        assert_eq!(crossmatch(&left, &right, &rule(Keep::Nearest(count))).unwrap(), expected);
        assert!(count == 0 || !expected.is_empty());
    }
}

#[test]
fn exclusion_is_the_question_whether_there_is_a_pair() {
    let mut rng = Rng::new(23);
    for radius_arcsec in [0.0, 0.1, 11.0, 4000.0, 300_000.0] {
        let spread = f64::max(radius_arcsec / 3600.0, 1e-4);
        let (lenses, others) = (crowd(&mut rng, 60, spread), crowd(&mut rng, 2000, spread));
        let pairs =
            crossmatch(&others, &lenses, &MatchRule { radius_arcsec, keep: Keep::Nearest(1) }).unwrap();
        let near: Vec<u32> = pairs.iter().map(|pair| pair.left).collect();
        let around = Exclusion::new(&lenses, radius_arcsec).unwrap();
        let columns: (Vec<f64>, Vec<f64>) = others.iter().map(|p| (p.ra_deg() - 360.0, p.dec_deg())).unzip();
        let mut excluded = vec![None; others.len()];
        around.excludes_all(&columns.0, &columns.1, &mut excluded).unwrap();
        for (i, &other) in (0..).zip(&others) {
            assert_eq!(around.excludes(other), near.binary_search(&i).is_ok(), "{radius_arcsec} {other}");
            // Through -360 degrees right ascensions lose digits.
            if radius_arcsec > 0.05 {
                assert!(excluded[i as usize].is_some());
            }
        }
        assert!(near.len() > 10 && (near.len() < others.len() || radius_arcsec > 1e5));
    }
}

#[test]
fn limits_are_included_and_separations_hold_at_small_angles() {
    // A hundredth of a degree, on the equator: exact in both directions.
    for (a, b) in [(at(10.0, 0.0), at(10.0, 0.0625)), (at(359.96875, 0.0), at(0.03125, 0.0))] {
        let rule = |radius_arcsec| MatchRule { radius_arcsec, keep: Keep::All };
        assert_eq!(crossmatch(&[a], &[b], &rule(225.0)).unwrap().len(), 1);
        assert_eq!(crossmatch(&[a], &[b], &rule(224.99999999999)).unwrap().len(), 0);
        assert!((a.separation_deg(b) - 0.0625).abs() < 1e-17);
    }
    // A microarcsecond keeps its digits at the limit of the doubles: 1e-10 degrees at declination 60.
    let (a, b) = (at(0.0, 60.0), at(2e-10, 60.0));
    assert!((a.separation_deg(b) / 1e-10 - 1.0).abs() < 1e-14);
    assert!((at(0.0, 90.0).separation_deg(at(123.0, 89.999)) - 0.001).abs() < 1e-14);
    assert_eq!(at(10.0, 20.0).separation_deg(at(190.0, -20.0)), 180.0);
}

/// The index is laid out for the part of the sky that the right side covers; the left may be elsewhere.
#[test]
fn lists_in_different_parts_of_the_sky() {
    let mut rng = Rng::new(25);
    // Half widths of the box around (150, 2) on the right: a point, lines, a field; and around (0, 0).
    for (center, ra, dec) in
        [(150.0, 0.0, 0.0), (150.0, 0.0, 1.0), (150.0, 1.0, 0.0), (150.0, 0.02, 0.02), (0.0, 1e-4, 1e-4)]
    {
        let near = |rng: &mut Rng, wider: f64| {
            at(center + ra * wider * (2.0 * rng.unit() - 1.0), 2.0 + dec * wider * (2.0 * rng.unit() - 1.0))
        };
        let right: Vec<SkyCoord> = (0..300).map(|_| near(&mut rng, 1.0)).collect();
        let left: Vec<SkyCoord> =
            (0..200).map(|i| if i % 3 == 0 { anywhere(&mut rng) } else { near(&mut rng, 2.0) }).collect();
        for radius_arcsec in [0.0, 2.0, 40.0, 7200.0] {
            let rule = MatchRule { radius_arcsec, keep: Keep::All };
            let found = crossmatch(&left, &right, &rule).unwrap();
            let expected = brute(&left, &right, radius_arcsec);
            assert!(found.iter().map(|m| (m.left, m.right)).eq(expected.iter().map(|&(i, j, _)| (i, j))));
        }
    }
}

#[test]
fn crowds_in_one_place_cost_no_more_than_their_pairs() {
    // A million within a degree, and nothing else: an all-pairs search in one cell would take minutes.
    let mut rng = Rng::new(24);
    let list: Vec<SkyCoord> =
        (0..200_000).map(|_| at(150.0 + 0.3 * rng.unit(), 2.0 + 0.3 * rng.unit())).collect();
    let started = std::time::Instant::now();
    let found = crossmatch(&list, &list, &MatchRule { radius_arcsec: 0.5, keep: Keep::All }).unwrap();
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    assert!(found.len() >= list.len() && found.iter().filter(|m| m.left == m.right).count() == list.len());
    // Symmetric, as distances are.
    let mut swapped: Vec<(u32, u32)> = found.iter().map(|m| (m.right, m.left)).collect();
    swapped.sort_unstable();
    assert!(found.iter().map(|m| (m.left, m.right)).eq(swapped));
}

#[test]
fn bad_radii_and_lengths_are_refused_and_empty_lists_are_not() {
    for radius_arcsec in [f64::NAN, -1e-9, f64::INFINITY, 324_000.1] {
        assert!(Exclusion::new(&[], radius_arcsec).is_err());
        assert!(crossmatch(&[], &[], &MatchRule { radius_arcsec, keep: Keep::All }).is_err());
    }
    let none = Exclusion::new(&[], 11.0).unwrap();
    assert!(!none.excludes(at(0.0, 0.0)));
    let mut excluded = [Some(true); 3];
    none.excludes_all(&[f64::NAN, 0.0, -1e-14], &[0.0, -90.1, 90.0], &mut excluded).unwrap();
    assert_eq!(excluded, [None, None, Some(false)]);
    assert!(matches!(none.excludes_all(&[0.0], &[], &mut [None]), Err(Error::LengthMismatch { .. })));
    let grid = Healpix::new(7).unwrap();
    assert!(find_leaks(&[at(0.0, 0.0)], &[1, 2], grid, None).is_err());
    assert!(find_leaks(&[at(0.0, 0.0)], &[1], grid, Some(-1.0)).is_err());
}

#[test]
fn leaks_are_cells_and_pairs_with_two_labels() {
    let mut rng = Rng::new(25);
    let grid = Healpix::new(9).unwrap();
    let list = crowd(&mut rng, 600, 0.05);
    let labels: Vec<u32> = list.iter().map(|_| rng.below(2)).collect();
    let leaks = find_leaks(&list, &labels, grid, Some(30.0)).unwrap();
    let pairs: Vec<[u32; 2]> = brute(&list, &list, 30.0)
        .into_iter()
        .filter(|&(i, j, _)| i < j && labels[i as usize] != labels[j as usize])
        .map(|(i, j, _)| [i, j])
        .collect();
    assert_eq!(leaks.pairs, pairs);
    let mut cells: Vec<_> = list
        .iter()
        .enumerate()
        .filter(|&(i, &a)| {
            list.iter().enumerate().any(|(j, &b)| grid.locate(a) == grid.locate(b) && labels[i] != labels[j])
        })
        .map(|(_, &a)| grid.locate(a))
        .collect();
    cells.sort_unstable();
    cells.dedup();
    assert_eq!(leaks.cells, cells);
    assert!(pairs.len() > 100 && cells.len() > 10 && !leaks.is_empty());
    let one = find_leaks(&list, &vec![0; list.len()], grid, Some(30.0)).unwrap();
    assert!(one.is_empty());
}

/// The shares of the published configuration over all its cells, as counted by its code.
#[test]
fn all_cells_fall_into_their_shares() {
    use coaddkit_sky::{Split, SplitOrder, Subset};
    let grid = Healpix::from_nside(128).unwrap();
    let split = Split::new(grid, 42, [0.70, 0.15, 0.15], SplitOrder::default()).unwrap();
    let mut counts = [0; 3];
    for cell in grid.cells() {
        let subset = split.subset(cell).unwrap();
        counts[subset as usize] += 1;
        if cell.index() % 1000 == 0 {
            assert_eq!(split.subset_at(cell.center()), subset);
            assert_eq!(split.subset(cell.descendants(9).unwrap().last().unwrap()), Ok(subset));
        }
    }
    assert_eq!(counts, [137_671, 29_433, 29_504]);
    let hashes = [(0, 0x859b_5a68), (1, 0x5cf1_c8e0), (12_345, 0xeb1a_afab), (196_607, 0x7f7f_0418)];
    for (cell, hash) in hashes {
        assert_eq!(split.hash(grid.cell(cell).unwrap()), Ok(hash));
    }
    let old = Split::new(grid, 42, [0.70, 0.15, 0.15], SplitOrder::Alphabetical).unwrap();
    assert_eq!(old.subset(grid.cell(100_000).unwrap()), Ok(Subset::Test));
    assert!(split.hash(Healpix::new(6).unwrap().cell(0).unwrap()).is_err());
    for shares in [[0.7, 0.2, 0.2], [f64::NAN, 0.5, 0.5], [1.5, -0.5, 0.0]] {
        assert!(Split::new(grid, 42, shares, SplitOrder::default()).is_err());
    }
    let all = Split::new(grid, -1, [0.0, 0.0, 1.0], SplitOrder::default()).unwrap();
    assert_eq!(all.subset(grid.cell(77).unwrap()), Ok(Subset::Test));
}

/// The same matches, in the same order, on any number of threads.
#[cfg(feature = "rayon")]
#[test]
fn threads_change_nothing() {
    let mut rng = Rng::new(26);
    let (left, right) = (crowd(&mut rng, 50_000, 0.3), crowd(&mut rng, 1_000, 0.3));
    for keep in [Keep::All, Keep::Nearest(2)] {
        let rule = MatchRule { radius_arcsec: 30.0, keep };
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| crossmatch(&left, &right, &rule)).unwrap()
        };
        let one = on(1);
        assert!(one.len() > 10_000, "{}", one.len());
        for threads in [2, 3, 8] {
            assert_eq!(on(threads), one, "{threads}");
        }
    }
}
