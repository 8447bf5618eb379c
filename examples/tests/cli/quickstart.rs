use crate::names;
use coaddkit_testkit::Csv;

#[test]
fn ends_well_with_all_products() {
    let dir = tempfile::tempdir().unwrap();
    let ran = crate::run(env!("CARGO_BIN_EXE_quickstart"), &["--out", "products"], dir.path());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let out = dir.path().join("products");
    for name in [
        "counts.csv",
        "counts.report.json",
        "bricks_with_density.csv",
        "density_map.png",
        "phase1p5_region_selection.md",
    ] {
        assert!(names(&out).iter().any(|n| n == name), "{name} of {:?}", names(&out));
    }
    let counts = Csv::read(&out.join("counts.csv")).unwrap();
    assert!(counts.rows.len() > 50, "{} bricks", counts.rows.len());
    for says in ["demag(flux_z) < 20.4", "primary", "density_map.png", "lrg-density -- count"] {
        assert!(ran.stdout.contains(says), "{says}: {}", ran.stdout);
    }
}
