use std::collections::BTreeSet;

use coaddkit_manifest::ErrorClass;
use coaddkit_manifest::injection::RegionRules;

use crate::file;

#[test]
fn regions_wrap_and_neighbours_count() {
    let dir = tempfile::tempdir().unwrap();
    let mut bricks = "brickname,ra,dec,ra1,ra2,dec1,dec2,psfsize_r,psfdepth_r,ebv\n".to_owned();
    // A pair across right ascension 0; a chain of three, whose ends lie two cells of 0.25 deg apart; one that is alone;
    // one that fails each cut.
    for (name, ra, psf, depth, ebv) in [
        ("3599p000", "359.9", "1.3", "24", "0.05"),
        ("0001p000", "0.1", "1.2", "24.5", "0.06"),
        ("1000p000", "100.0", "1.25", "23.8", "0"),
        ("1003p000", "100.3", "1.25", "23.8", "0"),
        ("1006p000", "100.6", "1.25", "23.8", "0"),
        ("2000p000", "200", "1.6", "23.6", "0.12"),
        ("3000p000", "300", "1.61", "24", "0.05"),
        ("3100p000", "310", "1.3", "23.59", "0.05"),
        ("3200p000", "320", "1.3", "24", "0.121"),
        ("3300p000", "330", "", "24", "0.05"),
    ] {
        let ra: f64 = ra.parse().unwrap();
        bricks.push_str(&format!(
            "{name},{ra},0.1,{},{},0,0.25,{psf},{depth},{ebv}\n",
            ra - 0.125,
            ra + 0.125
        ));
    }
    let bricks = file(dir.path(), "bricks.csv", &bricks);
    let counts = file(
        dir.path(),
        "counts.csv",
        "brickname,lrg_count\n3599p000,10\n1000p000,3\n3000p000,4\nnowhere,1\n",
    );
    let out = dir.path().join("out");
    let built = RegionRules::default().run(&bricks, &counts, &out).unwrap();
    assert_eq!((built.bricks, built.passing, built.regions, built.uncounted), (10, 6, 3, 5));
    let table = std::fs::read_to_string(out.join("bricks_with_region.csv")).unwrap();
    let rows: Vec<Vec<&str>> = table.lines().skip(1).map(|l| l.split(',').collect()).collect();
    let get = |name: &str| {
        let row = rows.iter().find(|r| r[0] == name).unwrap();
        (row[8], row[9], row[4])
    };
    assert_eq!(get("0001p000"), ("0", "1", "0"));
    assert_eq!(get("3599p000"), ("0", "1", "10"));
    assert_eq!(get("1003p000"), ("1", "2", "0"));
    assert_eq!(get("1006p000"), ("1", "1", "0"));
    assert_eq!(get("2000p000"), ("2", "0", "0"));
    let metrics = std::fs::read_to_string(out.join("region_metrics.csv")).unwrap();
    let first: Vec<&str> = metrics.lines().nth(1).unwrap().split(',').collect();
    // The bricks overlap, so they are more than the box around them, which is half a degree wide and not 360.
    assert_eq!(first[14], "1.0");
    assert_eq!((first[2], first[3], first[5]), ("0001p000", "2", "10"));
    let selections = std::fs::read_to_string(out.join("region_selections.csv")).unwrap();
    let sets: BTreeSet<&str> = selections.lines().skip(1).map(|l| l.split(',').next().unwrap()).collect();
    assert_eq!(sets.len(), 12);
    assert!(sets.contains("topk_density_k50") && sets.contains("strat_balanced_psf_weighted_k50"));

    let none = RegionRules { max_ebv: -1.0, ..RegionRules::default() }
        .run(&bricks, &counts, &dir.path().join("none"))
        .unwrap_err();
    assert!(none.to_string().ends_with("no brick passes the cuts"), "{none}");
    assert!(!dir.path().join("none").exists());
    let share = RegionRules { test_frac: 0.9, val_frac: 0.2, ..RegionRules::default() }
        .run(&bricks, &counts, &out)
        .unwrap_err();
    assert_eq!(share.class(), ErrorClass::Usage);
}
