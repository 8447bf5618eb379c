use super::*;

fn look(job: &str, bricks: &str, dir: &Path, more: &[&str]) -> Ran {
    let args = [job, "--bricks", bricks, "--cache", "cache", "--json"];
    run(COADD_CACHE, &[&args[..], more].concat(), dir)
}

fn path(dir: &Path, brick: &str, product: &str) -> PathBuf {
    dir.join("cache").join(brick).join(format!("legacysurvey-{brick}-{product}.fits.fz"))
}

fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let at = coaddkit_testkit::damage::data_offset(&bytes, 1) + 150;
    bytes[at] ^= 0x10;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn exit_codes_and_words() {
    let (tree, dir) = (whole(), tempfile::tempdir().unwrap());
    let (dir, origin, names) = (dir.path(), serve(&tree), names(&tree));
    assert_eq!(fill(&tree, &origin, dir, &[]).code, 0);
    for level in ["size", "structure", "checksum", "pixels"] {
        let ran = look("verify", &names, dir, &["--level", level]);
        let report = ran.report();
        assert_eq!((ran.code, &report["completeness"]["status"]), (0, &"PASS".into()), "{}", ran.stderr);
        assert_eq!((&report["level"], &report["completeness"]["extra_bricks"]), (&level.into(), &0.into()));
    }
    // Damaged: seen from the level of checksums on, which is the default.
    damage(&path(dir, "0001p000", "image-r"));
    assert_eq!(look("verify", &names, dir, &["--level", "structure"]).code, 0);
    let ran = look("verify", &names, dir, &[]);
    assert_eq!(ran.code, 65);
    let problems = ran.report()["problems"].as_array().unwrap().clone();
    assert!(problems.iter().any(|p| p["level"] == "checksum" && p["hdu"] == 1), "{problems:?}");
    assert!(problems.iter().all(|p| p["file"] == "legacysurvey-0001p000-image-r.fits.fz"));
    assert_eq!(ran.report()["failures"][0]["item"], "0001p000");
    // Missing as well: damage outranks it.
    std::fs::remove_file(path(dir, "3598p000", "maskbits")).unwrap();
    assert_eq!(look("verify", &names, dir, &[]).code, 65);
    assert_eq!(look("verify", &names, dir, &["--level", "size"]).code, 66);
    assert_eq!(look("report", &names, dir, &[]).code, 66);
    // The word follows the thresholds, the exit code does not.
    let ran = look("report", &names, dir, &["--pass", "60", "--warn", "10"]);
    let sums = ran.report()["completeness"].clone();
    assert_eq!((ran.code, &sums["status"]), (66, &"PASS".into()), "{sums}");
    assert_eq!((&sums["complete_bricks"], &sums["incomplete_bricks"]), (&2.into(), &1.into()));
    assert_eq!(sums["incomplete_details"][0]["missing"][0], "legacysurvey-3598p000-maskbits.fits.fz");
    let ran = look("report", &names, dir, &["--warn", "60"]);
    assert_eq!(ran.report()["completeness"]["status"], "WARN");
    assert_eq!(look("report", &names, dir, &["--pass", "101"]).code, 2);
    assert_eq!(look("report", &names, dir, &["--pass", "90", "--warn", "95"]).code, 2);
    // A brick that nobody has, and one that was not asked for.
    let ran = look("verify", "0001p000,1501p022", dir, &["--level", "size"]);
    assert_eq!((ran.code, &ran.report()["counts"]["absent"]), (66, &1.into()));
    assert_eq!(ran.report()["completeness"]["extra_bricks"], 2);
    // No cache at all is one without bricks.
    let args = ["verify", "--bricks", &names, "--cache", "nowhere", "--json"];
    assert_eq!(run(COADD_CACHE, &args, dir).code, 66);
}

#[test]
fn repair_brings_back_what_verify_misses() {
    let (tree, dir) = (whole(), tempfile::tempdir().unwrap());
    let (dir, origin, names) = (dir.path(), serve(&tree), names(&tree));
    assert_eq!(fill(&tree, &origin, dir, &[]).code, 0);
    damage(&path(dir, "0001p000", "image-r"));
    std::fs::remove_file(path(dir, "3598p000", "maskbits")).unwrap();
    std::fs::remove_dir_all(dir.join("cache/0003m002")).unwrap();
    origin.forget();
    let (source, report) = (origin.base(), ["--report", "report"]);
    let ran = look("repair", &names, dir, &[&["--source", &source][..], &report].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("damaged: legacysurvey-0001p000-image-r.fits.fz: "), "{}", ran.stderr);
    assert_eq!(origin.requests().len(), 1 + 1 + 7);
    assert_eq!(ran.report()["transfer"]["files"]["published"], 9);
    assert_eq!(crate::names(&dir.join("report")).len(), 5);
    for (path, bytes) in tree.files() {
        assert!(std::fs::read(dir.join("cache").join(&path[4..])).unwrap() == bytes, "{path}");
    }
    assert_eq!(look("verify", &names, dir, &["--level", "pixels"]).code, 0);
}

#[test]
fn the_report_says_where_bricks_are_missing() {
    let (tree, dir) = (miniature(), tempfile::tempdir().unwrap());
    let (dir, origin) = (dir.path(), serve(&tree));
    fill(&tree, &origin, dir, &[]);
    let rows: Vec<String> = tree
        .bricks()
        .enumerate()
        .map(|(i, (b, _))| format!("{},{}.5,1.{i:02},0.1", b.name, 20 + i))
        .collect();
    let table = format!("brickname,psfdepth_r,psfsize_r,ebv\n{}\n", rows.join("\n"));
    std::fs::write(dir.join("bricks.csv"), table).unwrap();
    let ran = look("verify", "bricks.csv", dir, &["--report", "report"]);
    // What lies in quarantine is missing; no file is damaged.
    assert_eq!(ran.code, 66, "{}", ran.stderr);
    let analysis = ran.report()["completeness"]["missingness_analysis"].clone();
    assert_eq!(analysis[0]["column"], "psfdepth_r");
    let incomplete: Vec<u64> =
        analysis[0]["bins"].as_array().unwrap().iter().map(|b| b["incomplete"].as_u64().unwrap()).collect();
    // Bricks 8, 10, 11 and 12 in the order of the list, which is that of the depths.
    assert_eq!(incomplete, [0, 0, 1, 3]);
    let markdown = std::fs::read_to_string(dir.join("report/report.md")).unwrap();
    assert!(markdown.starts_with("# Coadd cache: FAIL"), "{markdown}");
    assert!(markdown.contains("| psfdepth_r | 29.5000 | 31.5000 | 3 | 3 | 100.000 % |"), "{markdown}");
    let config = json(&dir.join("report/_stage_config.json"));
    assert_eq!((&config["level"], &config["pass_pct"]), (&"checksum".into(), &99.9.into()));
}

#[test]
fn statistics_of_a_brick() {
    let (tree, dir) = (whole().with_psfsize(), tempfile::tempdir().unwrap());
    let (dir, origin) = (dir.path(), serve(&tree));
    assert_eq!(fill(&tree, &origin, dir, &["--psfsize"]).code, 0);
    let stats = |args: &[&str]| run(COADD_CACHE, &[&["stats", "--cache", "cache"], args].concat(), dir);
    let ran = stats(&["--brick", "0001p000"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for word in ["image-g", "maskbits", "psfsize-z", "48 × 48", "0.12500 +0.00000", "depth"] {
        assert!(ran.stdout.contains(word), "{word}: {}", ran.stdout);
    }
    let ran = stats(&["--brick", "0001p000", "--json", "--bands", "r"]);
    let files = ran.report()["files"].as_array().unwrap().clone();
    let products: Vec<&str> = files.iter().map(|f| f["product"].as_str().unwrap()).collect();
    assert_eq!(products, ["image-r", "invvar-r", "maskbits", "psfsize-r"]);
    let ran = stats(&["--brick", "1501p022"]);
    assert!(ran.code == 66 && ran.stderr.contains("1501p022-image-g.fits.fz"), "{}", ran.stderr);
    std::fs::write(path(dir, "0001p000", "image-r"), "<html>").unwrap();
    let ran = stats(&["--brick", "0001p000"]);
    assert!(ran.code == 65 && ran.stderr.contains("image-r"), "{}", ran.stderr);
    assert_eq!(stats(&["--brick", "x"]).code, 2);
}
