//! A dry run of forty pixels reports as the published one does, and all its tables are of one form.

use super::*;
use coaddkit_testkit::{DESI_INVENTORY, write_desi_survey};
use serde_json::Value;

#[test]
fn forty_pixels_report_as_the_published_dry_run_does() {
    let dir = tempfile::tempdir().unwrap();
    write_desi_survey(dir.path(), 9, 40, 12).unwrap();
    let run = ["run", "--inventory", DESI_INVENTORY, "--source", ".", "--out", "out", "--json"];
    let ran = desi(&[&run[..], &["--report", "report"]].concat(), dir.path());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(count(&ran, "done") + count(&ran, "no_rows"), 40);
    let (report, zero) = (ran.report(), count(&ran, "no_rows"));
    assert!((16..40).contains(&zero), "{zero}");
    let batches = report["batches"].as_array().unwrap();
    assert_eq!(batches.len(), 5);
    assert!(batches.iter().all(|batch| batch["pixels"] == 8 && batch["failed"] == 0));

    // Sizes are those of the files.
    let mib = |folder: &str, extension: &str| {
        let root = dir.path().join(folder);
        let files = below(&root).into_iter().filter(|name| name.ends_with(extension));
        files.map(|name| root.join(name).metadata().unwrap().len()).sum::<u64>() as f64 / 1024.0 / 1024.0
    };
    let total = |name: &str| report["totals"][name].as_f64().unwrap();
    let (fits, parquet) = (mib("dr1", ".fits"), mib("out/main", ".parquet"));
    assert!((total("fits_mib") - fits).abs() < 1e-6 && (total("parquet_mib") - parquet).abs() < 1e-6);
    assert!((total("reduction_percent") - 100.0 * (1.0 - parquet / fits)).abs() < 1e-9);
    let sum = |name: &str| batches.iter().map(|batch| batch[name].as_f64().unwrap()).sum::<f64>();
    assert!((sum("fits_mib") - fits).abs() < 1e-6 && sum("zero") as u64 == zero);

    // The sections of the published work log, and a table of pixels.
    let text = fs::read_to_string(dir.path().join("report/report.md")).unwrap();
    for title in
        ["Setting", "Success metrics", "Pixels by outcome", "Batch by batch", "Totals", "Pixels without rows"]
    {
        assert!(text.contains(&format!("\n## {title}\n")), "{title}: {text}");
    }
    assert!(text.contains("| batches without a failure | > 90 % | 100.00 % | met |"), "{text}");
    assert!(text.contains(&format!("| all | {zero}/40 |")), "{text}");
    let csv = fs::read_to_string(dir.path().join("report/pixels.csv")).unwrap();
    assert_eq!(csv.lines().count(), 41);
    let whole: Value =
        serde_json::from_slice(&fs::read(dir.path().join("report/report.json")).unwrap()).unwrap();
    assert_eq!(whole["totals"], report["totals"]);

    // Its own log has the form of the earlier runner's, and says the same.
    let log = below(&dir.path().join("out/logs"));
    assert_eq!(log.len(), 1, "{log:?}");
    let log = format!("out/logs/{}", log[0]);
    let summed = desi(&["log-summary", &log, "--json"], dir.path());
    assert_eq!(summed.code, 0, "{}", summed.stderr);
    assert_eq!((count(&summed, "tiles"), count(&summed, "batches")), (40, 5));
    let logged = summed.report();
    assert!(logged["alerts"].as_array().unwrap().is_empty(), "{logged}");
    assert!((logged["totals"]["fits_mib"].as_f64().unwrap() - fits).abs() < 0.05, "{logged}");

    let shown = desi(&["analyze", "out", "--json", "--png", "z.png"], dir.path());
    assert_eq!(shown.code, 0, "{}", shown.stdout);
    assert_eq!((count(&shown, "tables"), count(&shown, "pixels_without_rows")), (40 - zero, zero));
    let found = shown.report();
    assert_eq!(found["points"], serde_json::json!([7928, 7928]));
    assert_eq!(found["schemas"].as_object().unwrap().len(), 1);
    assert_eq!(found["z"]["number"], found["counts"]["rows"]);
    assert!(found["z"]["max"].as_f64().unwrap() < 4.0 && found["z"]["min"].as_f64().unwrap() > 0.0);
    assert!(fs::read(dir.path().join("z.png")).unwrap().starts_with(b"\x89PNG"));
    let rows: u64 =
        csv.lines().skip(1).map(|line| line.split(',').nth(4).unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(count(&shown, "rows"), rows);
}

#[test]
fn tables_of_two_forms_and_tables_that_cannot_be_read_are_told() {
    let dir = tempfile::tempdir().unwrap();
    survey(dir.path());
    let compat = [&RUN[..7], &["--json", "--compat"]].concat();
    assert_eq!(desi(&compat, dir.path()).code, 0);
    let old = desi(&["analyze", "out", "--json"], dir.path());
    assert_eq!(old.code, 0, "{}", old.stdout);
    let schema = old.report()["schemas"].as_object().unwrap().keys().next().unwrap().clone();
    assert_eq!(
        schema,
        "target_id: Int64, ra: Float64, dec: Float64, z: Float64, wavelength: list of Float64, \
         flux: list of Float64, ivar: list of Float64, mask_array: list of Int64"
    );
    let new = ["run", "--inventory", "inventory.csv", "--source", "in", "--out", "new"];
    assert_eq!(desi(&new, dir.path()).code, 0);
    fs::rename(dir.path().join("new"), dir.path().join("out/new")).unwrap();
    let both = desi(&["analyze", "out", "--json"], dir.path());
    assert_eq!((both.code, both.report()["schemas"].as_object().unwrap().len()), (65, 2), "{}", both.stdout);
    fs::remove_dir_all(dir.path().join("out/new")).unwrap();

    let path = table(dir.path(), "dark", 7);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let cut = desi(&["analyze", "out", "--json"], dir.path());
    assert_eq!((cut.code, count(&cut, "failed"), count(&cut, "tables")), (65, 1, 1), "{}", cut.stdout);
    assert_eq!(desi(&["analyze", "none"], dir.path()).code, 66);
}
