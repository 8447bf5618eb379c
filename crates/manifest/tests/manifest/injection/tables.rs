//! Tables that cannot be used, and regions of those that can.

use super::*;

#[test]
fn bad_tables_are_named_and_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    FULL.write(dir.path());
    let out = dir.path().join("out");
    let galaxies = FULL.galaxies();
    let failing = |change: &dyn Fn(&mut Vec<Galaxy>), says: &str| {
        let mut galaxies = galaxies.clone();
        change(&mut galaxies);
        write_parent(&dir.path().join("parent.parquet"), &galaxies);
        let error = build(dir.path(), "[tiers.debug]\n", &out).unwrap_err();
        assert_eq!(error.class(), ErrorClass::BadData);
        assert!(error.to_string().contains(says), "{error}");
        assert!(!out.join("manifests").exists() && !out.join("_stage_config.json").exists());
    };
    failing(&|g| g[3].ra = f64::NAN, "parent.parquet: row 3: (NaN, ");
    failing(&|g| g[203].dec = 90.5, "row 203: (");
    failing(
        &|g| g[5].split = "test",
        "row 5: region 0 is in split 'test' here and in train in the selections",
    );
    failing(
        &|g| {
            let twin = g[7].clone();
            g.push(twin)
        },
        "the same galaxy stands here twice: row 7 (0000p000, ",
    );
    failing(
        &|g| g.iter_mut().for_each(|g| g.flag = false),
        "no galaxy can be used: of 1152 rows 1152 do not have the flag",
    );
    failing(&|g| g.iter_mut().for_each(|g| g.region = 99), "1152 are in no selected region");
    write_parent(&dir.path().join("parent.parquet"), &galaxies);

    let missing =
        build(dir.path(), "[tiers.debug]\n[sampling]\nrequire_lrg_flag = 'is_v9'\n", &out).unwrap_err();
    assert!(missing.to_string().contains("there is no column is_v9; there are: brickname, "), "{missing}");
    let unknown =
        build(dir.path(), "[tiers.debug]\n[sampling]\nselection_set_ids = ['set_00', 'set_77']\n", &out)
            .unwrap_err();
    assert!(unknown.to_string().ends_with("there is no selection set set_77"), "{unknown}");
    file(dir.path(), "bricks.csv", "brickname,psfsize_r,psfdepth_r,ebv\na,1,24,0\na,1,24,0\n");
    assert!(
        build(dir.path(), TIERS, &out).unwrap_err().to_string().contains("row 1: brick a stands here twice")
    );
    file(
        dir.path(),
        "selections.csv",
        "selection_set_id,selection_strategy,ranking_mode,region_id,region_split\ns,a,b,1,train\ns,a,b,1,train\n",
    );
    assert!(
        build(dir.path(), TIERS, &out)
            .unwrap_err()
            .to_string()
            .contains("row 1: region 1 stands in selection set s twice")
    );
    assert!(!out.exists());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn how_the_parent_is_cut_changes_nothing(seed in any::<u64>(), parts in 1_usize..9, threads in 1_usize..5, split_seed in any::<i64>()) {
        let dir = tempfile::tempdir().unwrap();
        let survey = Survey { regions: 3, bricks: 6, galaxies: 5, sets: 2 };
        survey.write(dir.path());
        let tiers = format!("[tiers.debug]\ncontrol_frac = 0.5\n[tiers.train]\nn_total_per_split = 17\n[seeds]\nsplit_seed = {split_seed}\n");
        let whole = dir.path().join("whole");
        build(dir.path(), &tiers, &whole).unwrap();
        let mut galaxies = survey.galaxies();
        let mut rng = Rng::new(seed);
        for i in (1..galaxies.len()).rev() {
            galaxies.swap(i, rng.below(i as u32 + 1) as usize);
        }
        let folder = dir.path().join("parts");
        std::fs::create_dir(&folder).unwrap();
        for (i, part) in galaxies.chunks(galaxies.len().div_ceil(parts)).enumerate() {
            write_parent(&folder.join(format!("{i}.parquet")), part);
        }
        let mut config = config(dir.path(), &tiers);
        config.inputs.parent = folder;
        let cut = dir.path().join("cut");
        on_threads(threads, || Build::new(config).run(&cut, &())).unwrap();
        prop_assert!(compare(&whole, &cut, &()).unwrap().is_same());
    }
}

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
