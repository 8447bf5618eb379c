use crate::{Ran, fixture, names, run};
use coaddkit_testkit::{MINIATURE_SWEEPS, SkyBox, Sweep};
use std::path::Path;

pub fn negatives(dir: &Path, args: &[&str]) -> Ran {
    run(env!("CARGO_BIN_EXE_negative-sampling"), args, dir)
}

/// The shipped configuration, for few and faint galaxies that all go into one set.
pub fn configure(dir: &Path) {
    let shipped = std::fs::read_to_string(fixture("../examples/configs/negative_sampling_v1.yaml")).unwrap();
    let mut text = shipped.clone();
    for (from, to) in [
        ("z_mag_limit: 20.0", "z_mag_limit: 22.5"),
        ("neg_pos_ratio: 100", "neg_pos_ratio: 5"),
        ("train: 0.70", "train: 1.0"),
        ("val: 0.15", "val: 0.0"),
        ("test: 0.15", "test: 0.0"),
    ] {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    std::fs::write(dir.join("shipped.yaml"), shipped).unwrap();
    std::fs::write(dir.join("c.yaml"), text).unwrap();
}

#[test]
fn from_sweeps_to_a_sample_that_may_be_used() {
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path());
    let area = SkyBox { ra_min_deg: 150.0, ra_max_deg: 155.0, dec_min_deg: 0.0, dec_max_deg: 5.0 };
    Sweep { area, ..Sweep::new(9, 6000) }.write(&dir.path().join("sweep-150p000-155p005.fits")).unwrap();
    std::fs::write(dir.path().join("far.csv"), "ra,dec\n10,-80\n").unwrap();
    let pool = [
        "pool",
        "--sweeps",
        "sweep-150p000-155p005.fits",
        "--positives",
        "far.csv",
        "--config",
        "c.yaml",
        "--out",
        "pool",
        "--json",
    ];
    let made = negatives(dir.path(), &pool);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let report = made.report();
    let kept = report["counts"]["kept"].as_u64().unwrap();
    assert!(kept > 500 && report["pool"]["nan_z_mag"] == "drop", "{report}");
    assert!(
        made.stdout.contains("known lenses") && made.stdout.contains("note: edge_on_proxy names type EXP"),
        "{}",
        made.stdout
    );
    // Again: nothing is made twice.
    assert_eq!(negatives(dir.path(), &pool).report()["counts"]["skipped"], 1);

    // Two galaxies of the pool are lenses: the catalogue with their rows, and a pool without them.
    let rows = std::fs::read_to_string(dir.path().join("far.csv")).unwrap();
    std::fs::write(dir.path().join("lenses.csv"), format!("{rows}{}", lenses(dir.path()))).unwrap();
    let matched = negatives(
        dir.path(),
        &[
            "positives",
            "--sweeps",
            "sweep-150p000-155p005.fits",
            "--positives",
            "lenses.csv",
            "--config",
            "c.yaml",
            "--out",
            "matched.parquet",
            "--json",
        ],
    );
    assert_eq!(
        (matched.code, matched.report()["counts"]["matched"].as_u64()),
        (0, Some(2)),
        "{}",
        matched.stderr
    );
    let mut again = pool;
    again[4] = "lenses.csv";
    let without = negatives(dir.path(), &again);
    assert!(without.report()["counts"]["kept"].as_u64().unwrap() <= kept - 2);

    let sample_by = |config: &str, out: &str, more: &[&str]| {
        let given = ["sample", "--pool", "pool", "--positives", "matched.parquet", "--config", config];
        negatives(dir.path(), &[&given, &["--out", out, "--json"][..], more].concat())
    };
    let sample = |out: &str, more: &[&str]| sample_by("c.yaml", out, more);
    let one = sample("one.parquet", &["--threads", "1"]);
    assert_eq!(one.code, 0, "{}\n{}", one.stderr, one.stdout);
    assert_eq!(one.report()["counts"]["rows"], 10);
    assert_eq!(sample("two.parquet", &["--threads", "2"]).code, 0);
    let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
    assert!(read("one.parquet") == read("two.parquet"));
    assert_eq!(sample("three.parquet", &["--seed", "3"]).code, 0);
    assert!(read("one.parquet") != read("three.parquet"));
    assert_eq!(sample("spark.parquet", &["--ranking", "spark-murmur3"]).code, 0);
    assert!(names(&dir.path().join("one.validation")).contains(&"sky.png".to_owned()));

    // More than the pool has: nothing is written, and nothing is said to be.
    let text = std::fs::read_to_string(dir.path().join("c.yaml")).unwrap();
    std::fs::write(dir.path().join("many.yaml"), text.replace("neg_pos_ratio: 5", "neg_pos_ratio: 5000"))
        .unwrap();
    let many = sample_by("many.yaml", "many.parquet", &[]);
    assert_eq!(many.code, 65, "{}", many.stderr);
    assert!(many.stderr.contains("nothing is written to many.parquet"), "{}", many.stderr);
    assert!(!many.stdout.contains("sample  many") && many.stdout.contains("report  many.refused"));
    assert!(!dir.path().join("many.parquet").exists());

    let valid = negatives(
        dir.path(),
        &["validate", "one.parquet", "--config", "c.yaml", "--positives", "lenses.csv", "--json"],
    );
    assert_eq!(valid.code, 0, "{}", valid.stdout);
    assert!(valid.stdout.contains("known_lenses") && valid.report()["counts"]["rows"] == 10);
    // Under the shipped shares all of it is in the wrong sets.
    let wrong = negatives(dir.path(), &["validate", "one.parquet", "--config", "shipped.yaml", "--json"]);
    assert_eq!(wrong.code, 65);
    let failures = wrong.report()["failures"].to_string();
    assert!(failures.contains("gate splits") && failures.contains("gate split_shares_far_off"), "{failures}");
}

/// Positions of two rows that are in the pool: ends of it, so that they are far apart.
pub fn lenses(dir: &Path) -> String {
    use coaddkit_manifest::{Field, Kind, Source};
    let fields = [Field::new("ra", Kind::Float64, ""), Field::new("dec", Kind::Float64, "")];
    let rows = Source::open(dir.join("pool")).unwrap().read(&fields).unwrap();
    let file = dir.join("positions.csv");
    let schema = coaddkit_manifest::Schema::new("positions", 1, &fields);
    coaddkit_manifest::write_csv(&file, &schema, rows.into_iter().map(|rows| Ok(rows.batch))).unwrap();
    let text = std::fs::read_to_string(file).unwrap();
    let lines: Vec<&str> = text.lines().skip(1).collect();
    format!("{}\n{}\n", lines[0], lines[lines.len() - 1])
}

#[test]
fn the_miniature_survey_makes_a_pool() {
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path());
    std::fs::write(dir.path().join("far.csv"), "ra,dec\n10,-80\n").unwrap();
    let sweeps: Vec<String> =
        MINIATURE_SWEEPS.iter().map(|name| fixture(name).display().to_string()).collect();
    let sweeps: Vec<&str> = sweeps.iter().map(String::as_str).collect();
    let args = [
        &["pool", "--positives", "far.csv", "--config", "c.yaml", "--out", "pool", "--json", "--sweeps"],
        &sweeps[..],
    ]
    .concat();
    let made = negatives(dir.path(), &args);
    assert_eq!(
        (made.code, made.report()["counts"]["done"].as_u64()),
        (0, Some(sweeps.len() as u64)),
        "{}",
        made.stderr
    );
}

#[test]
fn exit_codes_say_whose_mistake_it_is() {
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path());
    std::fs::write(dir.path().join("far.csv"), "ra,dec\n10,-80\n").unwrap();
    let sweep = fixture(MINIATURE_SWEEPS[0]).display().to_string();
    let pool = |sweeps: &[&str], config: &str, positives: &str| {
        negatives(
            dir.path(),
            &[
                &["pool", "--config", config, "--positives", positives, "--out", "out", "--json", "--sweeps"]
                    [..],
                sweeps,
            ]
            .concat(),
        )
    };
    std::fs::write(dir.path().join("broken.fits"), &std::fs::read(&sweep).unwrap()[..9000]).unwrap();
    let broken = pool(&[&sweep, "broken.fits"], "c.yaml", "far.csv");
    assert_eq!((broken.code, broken.report()["status"].as_str()), (65, Some("incomplete")));
    assert_eq!(broken.report()["failures"][0]["item"], "broken.fits");
    let absent = pool(&[&sweep, "absent.fits"], "c.yaml", "far.csv");
    assert_eq!((absent.code, absent.report()["counts"]["failed"].as_u64()), (66, Some(1)));
    let sample = |out: &str| {
        negatives(
            dir.path(),
            &[
                "sample",
                "--pool",
                out,
                "--positives",
                "far.csv",
                "--config",
                "c.yaml",
                "--out",
                "s.parquet",
                "--json",
            ],
        )
    };
    assert_eq!(sample("out").code, 66, "an incomplete pool");
    assert_eq!(sample("nowhere").code, 66);
    assert_eq!(pool(&[&sweep, &sweep], "c.yaml", "far.csv").code, 2);
    assert_eq!(pool(&[&sweep], "no.yaml", "far.csv").code, 66);
    assert_eq!(pool(&[&sweep], "c.yaml", "no.csv").code, 66);
    std::fs::write(dir.path().join("bad.yaml"), "version: [").unwrap();
    let bad = pool(&[&sweep], "bad.yaml", "far.csv");
    assert!(bad.code == 65 && bad.stderr.contains("bad.yaml: "), "{}", bad.stderr);
    let text = std::fs::read_to_string(dir.path().join("c.yaml")).unwrap();
    std::fs::write(dir.path().join("typo.yaml"), text.replace("nobs_min", "nobs_least")).unwrap();
    let typo = pool(&[&sweep], "typo.yaml", "far.csv");
    assert!(typo.code == 65 && typo.stderr.contains("nobs_least"), "{}", typo.stderr);
    let day = negatives(
        dir.path(),
        &[
            "pool",
            "--compat",
            "2026-02-08",
            "--sweeps",
            &sweep,
            "--positives",
            "far.csv",
            "--config",
            "c.yaml",
            "--out",
            "x",
        ],
    );
    assert!(day.code == 2 && day.stderr.contains("2026-02-07 and 2026-02-09"), "{}", day.stderr);
    // Whole now: but the catalogue has no strata.
    assert_eq!(pool(&[&sweep], "c.yaml", "far.csv").code, 0);
    let strata = sample("out");
    assert!(
        strata.code == 65
            && strata.stderr.contains("has neither type_bin and nobs_z_bin nor type and nobs_z"),
        "{}",
        strata.stderr
    );
    assert!(!dir.path().join("s.parquet").exists());
}
