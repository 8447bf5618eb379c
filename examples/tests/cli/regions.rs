use crate::{Ran, fixture, names};
use coaddkit_testkit::{Column, Csv, FitsTable, gzip};
use serde_json::Value;
use std::path::Path;

fn regions(args: &[&str], dir: &Path) -> Ran {
    crate::run(env!("CARGO_BIN_EXE_lrg-density"), &[&["regions"], args].concat(), dir)
}

/// A row of bricks along the equator from right ascension `from`, good but for those at `bad`.
fn bricks(from: f64, count: usize, bad: &[usize]) -> Vec<u8> {
    let mut table = FitsTable::new("BRICKS").column(Column::new("BRICKNAME", "8A"));
    for name in ["RA", "DEC", "RA1", "RA2", "DEC1", "DEC2"] {
        table = table.column(Column::new(name, "D"));
    }
    for name in ["EBV", "PSFSIZE_G", "PSFSIZE_R", "PSFSIZE_Z", "PSFDEPTH_G", "PSFDEPTH_R", "PSFDEPTH_Z"] {
        table = table.column(Column::new(name, "E"));
    }
    table
        .rows(count, |row, cells| {
            let ra = (from + 0.25 * row as f64).rem_euclid(360.0);
            cells
                .put(&*format!("{:04}p000", (ra * 10.0) as u32))
                .put(ra)
                .put(0.0)
                .put(ra - 0.125)
                .put(ra + 0.125);
            cells.put(-0.125).put(0.125).put(if bad.contains(&row) { 0.3_f32 } else { 0.05 });
            cells.put(1.4_f32).put(1.3_f32).put(1.2_f32).put(24.9_f32).put(24.4_f32).put(23.4_f32);
        })
        .to_bytes()
}

#[test]
fn joins_cuts_and_selects() {
    let dir = tempfile::tempdir().unwrap();
    // Two islands, of 3 and of 2 bricks, the first across right ascension 0.
    std::fs::write(dir.path().join("bricks.fits.gz"), gzip(&bricks(359.625, 6, &[3]))).unwrap();
    std::fs::write(
        dir.path().join("counts.csv"),
        "LRG_COUNT,BrickName\n5,3596p000\n7,0001p000\n100,0003p000\n20,0006p000\n9,1234p567\n",
    )
    .unwrap();
    let args = ["--counts", "counts.csv", "--bricks", "bricks.fits.gz", "--out", "out", "--json"];
    let ran = regions(&args, dir.path());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let out = dir.path().join("out");
    assert_eq!(
        names(&out),
        [
            "backup_region_bricks.csv",
            "bricks_all.csv",
            "bricks_quality.csv",
            "bricks_with_density.csv",
            "density_map.png",
            "phase1p5_region_selection.md",
            "primary_region_bricks.csv",
            "unmatched_counts.csv",
        ]
    );
    let column = |file: &str, name: &str| {
        let csv = Csv::read(&out.join(file)).unwrap();
        let index = csv.column(name);
        csv.rows.into_iter().map(|row| row[index].clone()).collect::<Vec<_>>()
    };
    assert_eq!(column("bricks_all.csv", "brickname").len(), 6);
    assert_eq!(column("bricks_quality.csv", "brickname").len(), 5);
    assert_eq!(column("primary_region_bricks.csv", "brickname"), ["0006p000", "0008p000"]);
    assert_eq!(column("primary_region_bricks.csv", "lrg_count"), ["20", "0"]);
    assert_eq!(column("backup_region_bricks.csv", "brickname"), ["3596p000", "3598p000", "0001p000"]);
    assert_eq!(column("unmatched_counts.csv", "brickname"), ["1234p567"]);
    let density: f64 = column("primary_region_bricks.csv", "lrg_density")[0].parse().unwrap();
    // 20 objects in 0.25° × 0.25° at the equator.
    assert!((density / (20.0 / 0.0625) - 1.0).abs() < 1e-5, "{density}");
    let counts = &ran.report()["counts"];
    assert_eq!(
        (&counts["done"], &counts["passing"], &counts["regions"], &counts["unmatched_bricks"]),
        (&6.into(), &5.into(), &2.into(), &1.into())
    );

    let alerts = ran.report()["alerts"].to_string();
    assert!(
        alerts.contains("no region has 100 to 400 deg²") && alerts.contains("9 objects in 1 bricks"),
        "{alerts}"
    );
    let ran = regions(&[&args[..], &["--ebv-max", "0"]].concat(), dir.path());
    assert!(ran.code == 0 && ran.report()["alerts"].to_string().contains("no brick passes"));
    let ran = regions(&[&args[..], &["--area-min", "0.1"]].concat(), dir.path());
    assert!(ran.code == 0 && !ran.report()["alerts"].to_string().contains("no region has"));

    let ran = regions(&[&args[..], &["--ebv-max", "none"]].concat(), dir.path());
    assert_eq!((ran.code, ran.report()["counts"]["regions"].clone()), (0, Value::from(1)));
    let ran = regions(&[&args[..], &["--ra-min", "359", "--ra-max", "0.2"]].concat(), dir.path());
    assert_eq!((ran.code, ran.report()["counts"]["in_footprint"].clone()), (0, Value::from(3)));
}

#[test]
fn equal_inputs_give_equal_bytes() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("counts.csv"), "brickname,lrg_count\n3591m010,3\n").unwrap();
    let bricks = fixture("survey-bricks-mini.fits.gz");
    for out in ["a", "b"] {
        let ran = regions(
            &["--counts", "counts.csv", "--bricks", bricks.to_str().unwrap(), "--out", out, "--quiet"],
            dir.path(),
        );
        assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    }
    for name in names(&dir.path().join("a")) {
        let read = |out: &str| std::fs::read(dir.path().join(out).join(&name)).unwrap();
        assert_eq!(read("a"), read("b"), "{name}");
    }
}

#[test]
fn bad_inputs_and_command_lines() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bricks.fits"), bricks(10.0, 3, &[])).unwrap();
    std::fs::write(dir.path().join("good.csv"), "brickname,lrg_count\n0100p000,1\n").unwrap();
    for (name, text) in [
        ("headless.csv", "0100p000,1\n"),
        ("empty.csv", ""),
        ("word.csv", "brickname,lrg_count\n0100p000,many\n"),
        ("negative.csv", "brickname,lrg_count\n0100p000,-1\n"),
        ("short.csv", "brickname,lrg_count\n0100p000\n"),
        ("twice.csv", "brickname,lrg_count\n0100p000,1\n0100p000,2\n"),
        ("elsewhere.csv", "brickname,lrg_count\n3100p000,1\n"),
    ] {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    std::fs::write(dir.path().join("noebv.fits"), {
        FitsTable::new("B").column(Column::new("BRICKNAME", "8A")).column(Column::new("RA", "D")).to_bytes()
    })
    .unwrap();
    for (counts, bricks, more, code, says) in [
        ("absent.csv", "bricks.fits", &[][..], 66, "absent.csv"),
        ("good.csv", "absent.fits", &[], 66, "absent.fits"),
        ("headless.csv", "bricks.fits", &[], 65, "line 1: no column brickname"),
        ("empty.csv", "bricks.fits", &[], 65, "the file is empty"),
        ("word.csv", "bricks.fits", &[], 65, "line 2: '0100p000,many'"),
        ("negative.csv", "bricks.fits", &[], 65, "line 2"),
        ("short.csv", "bricks.fits", &[], 65, "line 2"),
        ("twice.csv", "bricks.fits", &[], 65, "brick 0100p000 has two counts"),
        ("elsewhere.csv", "bricks.fits", &[], 65, "no brick of elsewhere.csv is in bricks.fits"),
        ("good.csv", "good.csv", &[], 65, "not a FITS file"),
        ("good.csv", "noebv.fits", &[], 65, "no column dec"),
        ("good.csv", "bricks.fits", &["--ebv-max", "nan"], 2, "ebv-max"),
        ("good.csv", "bricks.fits", &["--area-min", "500"], 2, "area-min"),
        ("good.csv", "bricks.fits", &["--adjacency", "-1"], 2, "adjacency"),
    ] {
        let args = [&["--counts", counts, "--bricks", bricks, "--out", "out"], more].concat();
        let ran = regions(&args, dir.path());
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
        assert!(!dir.path().join("out").exists(), "{args:?}");
    }
}
