use crate::{Ran, names, run};
use std::path::Path;

pub fn injection(dir: &Path, args: &[&str]) -> Ran {
    run(env!("CARGO_BIN_EXE_injection-manifest"), args, dir)
}

const CONFIG: &str = "[inputs]\nparent = 'parent.csv'\nbricks_with_region = 'tables/bricks_with_region.parquet'\n\
                      region_selections = 'tables/region_selections.parquet'\n[tiers.debug]\ngrid = 'grid_small'\n\
                      [tiers.train]\nn_total_per_split = 20\ncontrol_frac = 0.5\n";

/// A survey of sixteen lonely bricks with galaxies of their own, its regions made by the binary itself.
pub fn survey(dir: &Path) {
    let mut bricks = "brickname,ra,dec,ra1,ra2,dec1,dec2,psfsize_r,psfdepth_r,ebv\n".to_owned();
    let mut counts = "brickname,lrg_count\n".to_owned();
    for i in 0..16 {
        let (name, ra) = (format!("{:04}p001", i * 100), f64::from(i) * 10.0 + 0.125);
        let (psf, depth) = (1.0 + 0.03 * f64::from(i % 7), 24.0 + 0.1 * f64::from(i % 5));
        bricks.push_str(&format!(
            "{name},{ra},0.125,{},{},0,0.25,{psf},{depth},0.02\n",
            ra - 0.125,
            ra + 0.125
        ));
        counts.push_str(&format!("{name},{}\n", 3 * i + 1));
    }
    std::fs::write(dir.join("bricks.csv"), bricks).unwrap();
    std::fs::write(dir.join("counts.csv"), counts).unwrap();
    let made = injection(
        dir,
        &["regions", "--bricks", "bricks.csv", "--counts", "counts.csv", "--out", "tables", "--json"],
    );
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert_eq!(made.report()["counts"]["regions"], 16);
    let table = std::fs::read_to_string(dir.join("tables/bricks_with_region.csv")).unwrap();
    let mut parent =
        "brickname,ra,dec,region_id,region_split,zmag,rmag,w1mag,rz,zw1,is_v3_color_relaxed\n".to_owned();
    for line in table.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let ra: f64 = cells[1].parse().unwrap();
        for k in 0..9 {
            let (ra, dec) = (ra + 0.01 * f64::from(k), 0.1);
            parent.push_str(&format!(
                "{},{ra},{dec},{},{},19.1,19.9,18,0.8,1.1,true\n",
                cells[0], cells[8], cells[10]
            ));
        }
    }
    std::fs::write(dir.join("parent.csv"), parent).unwrap();
    std::fs::write(dir.join("stage.toml"), CONFIG).unwrap();
}

#[test]
fn built_twice_is_the_same_and_another_seed_is_not() {
    let dir = tempfile::tempdir().unwrap();
    survey(dir.path());
    let build = |out: &str, threads: &str, config: &str| {
        injection(
            dir.path(),
            &["build", "--config", config, "--out", out, "--threads", threads, "--json", "--csv"],
        )
    };
    let one = build("one", "1", "stage.toml");
    assert_eq!(one.code, 0, "{}", one.stderr);
    let report = one.report();
    assert_eq!(report["status"], "complete");
    // 12 sets; the one region of val is one brick, thus one bin, of which the rule takes ceil(5 / 16) galaxies.
    assert_eq!(report["built"]["experiments"][0]["rows"], (5 + 5 + 1) * 48 * 12 * 2);
    assert!(one.stdout.contains("debug_stamp64_bandsgrz_gridgrid_small  12,672"), "{}", one.stdout);
    assert!(report["alerts"].as_array().unwrap().iter().any(|a| a.as_str().unwrap().starts_with("train: ")));
    assert_eq!(
        names(&dir.path().join("one")),
        ["_stage_config.json", "bricks_manifest.csv", "bricks_manifest.parquet", "manifests"]
    );
    assert_eq!(build("two", "2", "stage.toml").code, 0);
    for file in [
        "_stage_config.json",
        "bricks_manifest.parquet",
        "manifests/train_stamp64_bandsgrz_gridgrid_small/part-00000.parquet",
        "manifests/debug_stamp64_bandsgrz_gridgrid_small_csv/part-00000.csv",
    ] {
        let read = |out: &str| std::fs::read(dir.path().join(out).join(file)).unwrap();
        assert!(read("one") == read("two"), "{file}");
    }
    let same = injection(dir.path(), &["compare", "one", "two", "--json"]);
    assert_eq!((same.code, same.report()["counts"]["different"].as_u64()), (0, Some(0)), "{}", same.stdout);
    assert!(same.stdout.contains("  the same\n"));

    std::fs::write(dir.path().join("other.toml"), format!("{CONFIG}[seeds]\nsplit_seed = 14\n")).unwrap();
    assert_eq!(build("other", "2", "other.toml").code, 0);
    let different = injection(dir.path(), &["compare", "one", "other", "--json", "--report", "r"]);
    assert_eq!(different.code, 65, "{}", different.stderr);
    assert!(different.stdout.contains("  DIFFERENT\n"));
    assert!(different.report()["comparison"]["experiments"][0]["lost"].as_u64().unwrap() > 0);
    assert_eq!(names(&dir.path().join("r")), ["report.json"]);

    let config: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir.path().join("one/_stage_config.json")).unwrap()).unwrap();
    assert_eq!(config["seeds"]["split_seed"], 13);
    assert_eq!(config["grids"]["grid_small"]["theta_e_arcsec"], serde_json::json!([0.3, 0.6, 1.0]));
    assert_eq!(config["inputs"]["parent"]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(config["counts"]["tasks"]["debug_stamp64_bandsgrz_gridgrid_small"], 12_672);
}

#[test]
fn exit_codes_say_whose_mistake_it_is() {
    let dir = tempfile::tempdir().unwrap();
    survey(dir.path());
    let build = |config: &str, more: &[&str]| {
        let ran = injection(
            dir.path(),
            &[&["build", "--config", config, "--out", "out", "--json"][..], more].concat(),
        );
        assert!(!dir.path().join("out").exists(), "nothing partial");
        ran
    };
    let missing = build("absent.toml", &[]);
    assert_eq!((missing.code, missing.report()["exit_code"].as_u64()), (66, Some(66)));
    let limit = build("stage.toml", &["--max-total-tasks", "1000"]);
    assert_eq!(limit.code, 2, "{}", limit.stderr);
    assert!(limit.stderr.contains("more than the 1000 allowed"), "{}", limit.stderr);
    std::fs::write(dir.path().join("bad.toml"), CONFIG.replace("grid_small", "grid_tiny")).unwrap();
    let bad = build("bad.toml", &[]);
    assert_eq!(bad.code, 65);
    assert!(bad.stderr.contains("bad.toml: tiers.debug.grid: there is no grid grid_tiny"), "{}", bad.stderr);
    std::fs::write(dir.path().join("typo.toml"), CONFIG.replace("parent", "parents")).unwrap();
    let typo = build("typo.toml", &[]);
    assert_eq!(typo.code, 65);
    assert!(
        typo.stderr.contains("unknown field `parents`") && typo.stderr.contains("line 2"),
        "{}",
        typo.stderr
    );
    std::fs::remove_file(dir.path().join("parent.csv")).unwrap();
    assert_eq!(build("stage.toml", &[]).code, 66);
    std::fs::write(dir.path().join("parent.csv"), "brickname,ra\nx,1\n").unwrap();
    let lacks = build("stage.toml", &[]);
    assert_eq!(lacks.code, 65);
    assert!(
        lacks.stderr.contains("parent.csv: there is no column dec; there are: brickname, ra"),
        "{}",
        lacks.stderr
    );
    assert_eq!(injection(dir.path(), &["compare", "a", "b"]).code, 66);
    assert_eq!(injection(dir.path(), &["build"]).code, 2);
    let nothing = injection(
        dir.path(),
        &["regions", "--bricks", "bricks.csv", "--counts", "counts.csv", "--out", "no", "--ebv-max", "0"],
    );
    assert_eq!(nothing.code, 65);
}
