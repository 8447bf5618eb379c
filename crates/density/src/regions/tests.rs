use std::fs;

use coaddkit_sky::{BrickGrid, RegionBounds, SelectionRule};
use coaddkit_testkit::{Csv, shared};
use proptest::prelude::*;

use super::*;
use crate::products::{InputNames, report, tables};

/// A good brick of the Legacy Surveys' grid.
pub(crate) fn brick(name: &str) -> BrickRow {
    let brick = BrickGrid::legacy().brick_named(name.parse().unwrap()).unwrap();
    BrickRow {
        brickname: name.into(),
        ra_deg: brick.center.ra_deg(),
        dec_deg: brick.center.dec_deg(),
        ra1_deg: brick.ra1_deg,
        ra2_deg: brick.ra2_deg,
        dec1_deg: brick.dec1_deg,
        dec2_deg: brick.dec2_deg,
        psfsize_arcsec: [1.4, 1.3, 1.2],
        psfdepth_mag: [24.9, 24.4, 23.4],
        ebv_mag: 0.05,
    }
}

fn run(bricks: &[BrickRow], counts: &[(&str, u64)]) -> Result<RegionsFound, RegionsError> {
    Regions::default().run(bricks.to_vec(), counts.iter().copied())
}

fn states(found: &RegionsFound) -> Vec<BrickState> {
    found.bricks.iter().map(|brick| brick.state).collect()
}

/// The two tables that a published run wrote, from their own bricks and counts: to the byte.
#[test]
fn published_tables_are_reproduced_to_the_byte() {
    let (mut bricks, mut counts, mut texts) = (vec![], vec![], vec![]);
    for name in ["backup", "primary"] {
        let Some(path) = shared(&format!("data/survey-runs/{name}_region_bricks_phase1p6.csv")) else {
            return;
        };
        let table = Csv::read(&path).unwrap();
        for row in &table.rows {
            let number = |column: &str| row[table.column(column)].parse::<f64>().unwrap();
            let bands = |what: &str| ["g", "r", "z"].map(|band| number(&format!("{what}_{band}")) as f32);
            counts.push((row[0].clone(), row[table.column("lrg_count")].parse().unwrap()));
            bricks.push(BrickRow {
                brickname: row[0].clone(),
                ra_deg: number("ra"),
                dec_deg: number("dec"),
                ra1_deg: number("ra1"),
                ra2_deg: number("ra2"),
                dec1_deg: number("dec1"),
                dec2_deg: number("dec2"),
                psfsize_arcsec: bands("psfsize"),
                psfdepth_mag: bands("psfdepth"),
                ebv_mag: number("ebv") as f32,
            });
        }
        texts.push(fs::read_to_string(path).unwrap());
    }
    let found = Regions::default().run(bricks, counts).unwrap();
    assert_eq!(found.selection.rule, SelectionRule::LargestByArea);
    let dir = tempfile::tempdir().unwrap();
    found.write(dir.path(), InputNames::default()).unwrap();
    let written = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
    assert_eq!(written("backup_region_bricks.csv"), texts[0]);
    assert_eq!(written("primary_region_bricks.csv"), texts[1]);
    let report = written("phase1p5_region_selection.md");
    assert!(
        report.contains("**Primary region**: 44 bricks, 2.75 deg2, 391 objects, **142.2 per deg2**"),
        "{report}"
    );
    assert!(report.contains("**Backup region**: 61 bricks, 3.81 deg2, 452 objects"), "{report}");
}

#[test]
fn cuts_include_their_limits_and_refuse_nan() {
    let good = brick("1501p000");
    let with = |name: &str, change: fn(&mut BrickRow)| {
        let mut row = good.clone();
        row.brickname = name.into();
        change(&mut row);
        row
    };
    let bricks = [
        with("limits", |row| {
            // As stored: a little above 0.1 and a little below 23.3 as doubles.
            (row.psfsize_arcsec[1], row.psfdepth_mag[1], row.ebv_mag) = (1.5, 23.3, 0.1);
        }),
        with("blurred", |row| row.psfsize_arcsec[1] = 1.5_f32.next_up()),
        with("shallow", |row| row.psfdepth_mag[1] = 23.3_f32.next_down()),
        with("dusty", |row| row.ebv_mag = 0.1_f32.next_up()),
        with("nan size", |row| row.psfsize_arcsec[1] = f32::NAN),
        with("nan depth", |row| row.psfdepth_mag[1] = f32::NAN),
        with("nan dust", |row| row.ebv_mag = f32::NAN),
        // Only r counts.
        with("other bands", |row| (row.psfsize_arcsec[0], row.psfdepth_mag[2]) = (9.0, f32::NAN)),
    ];
    use BrickState::{FailsQuality, Passes};
    let found = run(&bricks, &[]).unwrap();
    let mut expected = vec![FailsQuality; 8];
    (expected[0], expected[7]) = (Passes, Passes);
    assert_eq!(states(&found), expected);
    let flow: Vec<_> =
        found.cuts.iter().map(|cut| (cut.cut.as_str(), cut.given, cut.lost, cut.lost_nan)).collect();
    assert_eq!(
        flow,
        [("psfsize_r <= 1.5", 8, 2, 1), ("psfdepth_r >= 23.3", 6, 2, 1), ("ebv <= 0.1", 4, 2, 1)]
    );
    assert_eq!((found.all.bricks, found.in_footprint.bricks, found.passing.bricks), (8, 8, 2));

    let only_depth = Quality { min_psfdepth_r_mag: Some(24.0), ..Quality::any() };
    let found =
        Regions { quality: only_depth, ..Regions::default() }.run(bricks.to_vec(), [("x", 0)]).unwrap();
    assert_eq!(found.cuts.len(), 1);
    assert_eq!(found.passing.bricks, 5);
    let found =
        Regions { quality: Quality::any(), ..Regions::default() }.run(bricks.to_vec(), [("x", 0)]).unwrap();
    assert_eq!((found.cuts.len(), found.passing.bricks), (0, 8));
}

#[test]
fn every_count_is_accounted_for() {
    let mut failing = brick("1503p000");
    failing.ebv_mag = 1.0;
    let bricks = [brick("1501p000"), failing, brick("0001p000"), brick("1506p000")];
    let counts = [("1501p000", 3), ("1503p000", 4), ("0001p000", 5), ("9999p999", 7), ("0004p000", 11)];
    let bounds = RegionBounds { ra_min_deg: Some(150.0), ra_max_deg: Some(160.0), ..Default::default() };
    let footprint = Region::from_bounds(bounds).unwrap();
    let found = Regions { footprint, ..Regions::default() }.run(bricks.to_vec(), counts).unwrap();
    let tally = |Tally { bricks, nonzero, objects }: Tally| (bricks, nonzero, objects);
    assert_eq!(tally(found.all), (4, 3, 12));
    assert_eq!(tally(found.in_footprint), (3, 2, 7));
    assert_eq!(tally(found.passing), (2, 1, 3));
    assert_eq!(found.unmatched, [("0004p000".to_owned(), 11), ("9999p999".to_owned(), 7)]);
    assert_eq!(found.unmatched_objects(), 18);
    use BrickState::{FailsQuality, OutsideFootprint, Passes};
    assert_eq!(states(&found), [Passes, FailsQuality, OutsideFootprint, Passes]);

    let dir = tempfile::tempdir().unwrap();
    let names = InputNames { bricks: "survey-bricks.fits.gz", counts: "counts.csv" };
    found.write(dir.path(), names).unwrap();
    let written = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
    assert_eq!(written("unmatched_counts.csv"), "brickname,lrg_count\n0004p000,11\n9999p999,7\n");
    let first_cells = |name: &str| -> Vec<String> {
        written(name).lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()).collect()
    };
    assert_eq!(first_cells("bricks_all.csv"), ["1501p000", "1503p000", "1506p000"]);
    assert_eq!(first_cells("bricks_quality.csv"), ["1501p000", "1506p000"]);
    assert_eq!(first_cells("bricks_with_density.csv"), ["1501p000", "1506p000"]);
    let report = written("phase1p5_region_selection.md");
    for line in [
        "- Bricks: `survey-bricks.fits.gz`, 4 bricks",
        "- Counts: `counts.csv`, 30 objects in 5 bricks",
        "| footprint | 4 | 1 | 0 | 3 |",
        "| ebv <= 0.1 | 3 | 1 | 0 | 2 |",
        "| good | 2 | 1 | 3 |",
        "2 counts, 18 objects in all,",
        "| 0004p000 | 11 |",
    ] {
        assert!(report.contains(line), "{line}\n{report}");
    }
}

#[test]
fn tables_have_the_published_columns_and_number_format() {
    let mut row = brick("0001p000");
    (row.psfsize_arcsec[0], row.psfdepth_mag[2]) = (f32::NAN, 23.0);
    let found = run(&[row], &[("0001p000", 2)]).unwrap();
    let mut out = Vec::new();
    tables::bricks(&mut out, found.passing()).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "brickname,ra,dec,ra1,ra2,dec1,dec2,psfsize_g,psfsize_r,psfsize_z,psfdepth_g,psfdepth_r,psfdepth_z,ebv,\
         area_deg2,lrg_count,lrg_density\n\
         0001p000,0.125,0.0,0.0,0.25,-0.125,0.125,nan,1.2999999523162842,1.2000000476837158,24.899999618530273,\
         24.399999618530273,23.0,0.05000000074505806,0.06249995042035363,2,32.00002538479908\n"
    );
    let mut out = Vec::new();
    tables::counts(&mut out, &[("a,\"b\"".into(), 1)]).unwrap();
    assert_eq!(out, b"brickname,lrg_count\n\"a,\"\"b\"\"\",1\n");
}

#[test]
fn names_given_twice_and_impossible_places_are_named() {
    let bricks = [brick("1501p000"), brick("1503p000"), brick("1501p000")];
    let error = run(&bricks, &[]).unwrap_err().to_string();
    assert_eq!(error, "brick 1501p000 is in the table of bricks twice, in rows 0 and 2");
    let error = run(&bricks[..1], &[("x", 1), ("y", 2), ("x", 3)]).unwrap_err().to_string();
    assert_eq!(error, "brick x has two counts, 1 and 3");
    let changes: [fn(&mut BrickRow); 4] = [
        |row| row.ra_deg = f64::NAN,
        |row| row.dec_deg = 91.0,
        |row| row.ra2_deg = f64::INFINITY,
        |row| row.dec1_deg = -91.0,
    ];
    for change in changes {
        let mut bricks = [brick("1501p000"), brick("1503p000")];
        change(&mut bricks[1]);
        let error = run(&bricks, &[]).unwrap_err();
        assert!(matches!(error, RegionsError::BadBrick { row: 1, .. }), "{error}");
        assert!(error.to_string().starts_with("row 1 of the table of bricks, 1503p000: "), "{error}");
    }
    let limits = RegionLimits { min_area_deg2: f64::NAN, ..RegionLimits::default() };
    let error = Regions { limits, ..Regions::default() }.run(bricks[..1].to_vec(), [("x", 1)]).unwrap_err();
    assert!(matches!(error, RegionsError::Limits(_)));
}

#[test]
fn a_region_around_right_ascension_0_is_one() {
    let names = ["0001p000", "3598p000", "0003p000", "3596p000", "1801p000"];
    let bricks: Vec<BrickRow> = names.iter().map(|name| brick(name)).collect();
    let found = run(&bricks, &[("0001p000", 1), ("3596p000", 2), ("1801p000", 9)]).unwrap();
    assert_eq!(found.selection.regions.len(), 2);
    assert_eq!(found.selection.primary().unwrap().members, [4]);
    let backup = found.selection.backup().unwrap();
    assert_eq!((&backup.members[..], backup.weight), (&[0, 1, 2, 3][..], 3.0));
    let mut report = Vec::new();
    report::write(&mut report, &found, InputNames::default()).unwrap();
    let report = String::from_utf8(report).unwrap();
    assert!(report.contains("RA 359.500 to 0.500, Dec -0.125 to +0.125"), "{report}");
}

/// Members are rows of the whole table, not of the good bricks; the window, its fallback and ties are as in the crate
/// that selects.
#[test]
fn rules_and_ties_reach_the_products() {
    let names = ["1001p000", "1101p000", "1201p000", "1301p000", "1401p000"];
    let mut bricks: Vec<BrickRow> = names.iter().map(|name| brick(name)).collect();
    bricks[0].ebv_mag = 1.0;
    // Areas of bricks of one row differ in the last bit; here they are to be equal.
    bricks.iter_mut().for_each(|row| (row.ra1_deg, row.ra2_deg) = (100.0, 100.25));
    let equal = [("1101p000", 5), ("1201p000", 5), ("1301p000", 5), ("1401p000", 50)];
    let found = run(&bricks, &equal).unwrap();
    assert_eq!(found.selection.rule, SelectionRule::LargestByArea);
    // Four regions of equal area: the first three are the candidates, though the last is densest.
    assert_eq!(found.selection.primary().unwrap().members, [1]);
    assert_eq!(found.selection.backup().unwrap().members, [2]);
    let limits = RegionLimits { min_area_deg2: 0.05, max_area_deg2: 0.07, ..RegionLimits::default() };
    let found = Regions { limits, ..Regions::default() }.run(bricks, equal).unwrap();
    assert_eq!(found.selection.rule, SelectionRule::AreaWindow);
    assert_eq!(found.selection.primary().unwrap().members, [4]);
    let dir = tempfile::tempdir().unwrap();
    found.write(dir.path(), InputNames::default()).unwrap();
    let report = fs::read_to_string(dir.path().join("phase1p5_region_selection.md")).unwrap();
    assert!(
        report
            .contains("**Rule: area window.** Candidates are the regions with an area of 0.05 to 0.07 deg2")
    );
    let primary = fs::read_to_string(dir.path().join("primary_region_bricks.csv")).unwrap();
    assert!(primary.lines().nth(1).unwrap().starts_with("1401p000,"));
}

/// Nothing, nothing good, nothing counted: all products are there all the same.
#[test]
fn empty_inputs_give_whole_products() {
    let failing = Quality { max_ebv_mag: Some(-1.0), ..Quality::default() };
    let two = || vec![brick("1501p000"), brick("1503p000")];
    let cases = [
        ("no bricks", Regions::default(), vec![], vec![("1501p000", 3)]),
        ("none good", Regions { quality: failing, ..Regions::default() }, two(), vec![("1501p000", 3)]),
        ("no counts", Regions::default(), two(), vec![]),
    ];
    for (case, config, bricks, counts) in cases {
        let found = config.run(bricks, counts).unwrap();
        let dir = tempfile::tempdir().unwrap();
        found.write(dir.path(), InputNames::default()).unwrap();
        let mut names: Vec<String> = fs::read_dir(dir.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(
            names,
            [
                "backup_region_bricks.csv",
                "bricks_all.csv",
                "bricks_quality.csv",
                "bricks_with_density.csv",
                "density_map.png",
                "phase1p5_region_selection.md",
                "primary_region_bricks.csv",
                "unmatched_counts.csv",
            ],
            "{case}"
        );
        let lines = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap().lines().count();
        let expected = match case {
            "no bricks" => [1, 1, 1, 1],
            "none good" => [3, 1, 1, 1],
            _ => [3, 3, 3, 1],
        };
        let tables = ["bricks_all", "bricks_quality", "primary_region_bricks", "backup_region_bricks"];
        assert_eq!(tables.map(|name| lines(&format!("{name}.csv"))), expected, "{case}");
        if case == "no counts" {
            assert_eq!(
                found.selection.primary().map(|region| (region.weight, region.density)),
                Some((0.0, 0.0))
            );
        } else {
            assert!(found.selection.primary().is_none());
        }
    }
}

#[test]
fn equal_inputs_give_equal_bytes() {
    let names: Vec<String> =
        BrickGrid::legacy().bricks().step_by(701).map(|brick| brick.name.to_string()).collect();
    let products = |reversed: bool| {
        let bricks = names.iter().map(|name| brick(name)).collect();
        let mut counts: Vec<_> =
            names.iter().zip(0..).map(|(name, count)| (name.clone(), count % 17)).collect();
        counts.extend((0..100).map(|k| (format!("absent{k}"), k)));
        if reversed {
            counts.reverse();
        }
        let dir = tempfile::tempdir().unwrap();
        Regions::default().run(bricks, counts).unwrap().write(dir.path(), InputNames::default()).unwrap();
        let mut files: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.file_name().unwrap().to_owned(), fs::read(&path).unwrap()))
            .collect();
        files.sort();
        files
    };
    assert!(products(false) == products(true));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever numbers a table holds, it is refused or all products are made.
    #[test]
    fn no_table_is_too_odd(
        rows in prop::collection::vec((awkward(), awkward(), awkward(), awkward(), awkward(), awkward(), any::<u32>(), any::<u64>()), 1..6),
    ) {
        let (mut bricks, mut counts) = (vec![], vec![]);
        for (k, (ra_deg, dec_deg, ra1_deg, ra2_deg, dec1_deg, dec2_deg, bits, count)) in rows.into_iter().enumerate() {
            let value = f32::from_bits(bits);
            let brickname = format!("b{k}");
            counts.push((brickname.clone(), count));
            bricks.push(BrickRow {
                brickname, ra_deg, dec_deg, ra1_deg, ra2_deg, dec1_deg, dec2_deg,
                psfsize_arcsec: [value; 3], psfdepth_mag: [value; 3], ebv_mag: value,
            });
        }
        let config = Regions { quality: Quality { max_ebv_mag: Some(0.1), ..Quality::any() }, ..Regions::default() };
        if let Ok(found) = config.run(bricks, counts) {
            let mut out = Vec::new();
            report::write(&mut out, &found, InputNames::default()).unwrap();
            crate::map::draw(&found).write_png(&mut out).unwrap();
        }
    }
}

/// Mostly angles, of which most are valid.
fn awkward() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => -90.0..90.0,
        2 => -720.0..720.0,
        3 => prop::sample::select(vec![0.0, -0.0, 90.0, -90.0, 360.0, 1e-300, 1e300, -1e300, f64::NAN, f64::INFINITY]),
    ]
}
