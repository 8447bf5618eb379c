use super::*;

#[test]
fn a_fill_accounts_for_every_brick() {
    let (tree, dir) = (miniature(), tempfile::tempdir().unwrap());
    let origin = serve(&tree);
    let ran = fill(&tree, &origin, dir.path(), &["--report", "report"]);
    // Damaged data outrank what is missing.
    assert_eq!(ran.code, 65, "{}", ran.stderr);
    let report = ran.report();
    assert_eq!((&report["command"], &report["status"]), (&"coadd-cache fill".into(), &"incomplete".into()));
    assert_eq!(report["exit_code"], 65);
    for (state, number) in [("complete", 8), ("partial", 2), ("absent", 1), ("quarantined", 1)] {
        assert_eq!(report["counts"][state], number, "{state}: {}", report["counts"]);
    }
    let failures = report["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 4);
    let of = |brick: &str| failures.iter().find(|f| f["item"] == brick).unwrap()["reason"].as_str().unwrap();
    assert!(of("0001p002").contains("partial: the origin has no image-r, invvar-r"), "{}", of("0001p002"));
    assert!(of("1503p022").contains("DATASUM"), "{}", of("1503p022"));
    assert!(ran.stderr.contains("1503p022-image-r"), "{}", ran.stderr);

    let folder = dir.path().join("report");
    assert_eq!(
        crate::names(&folder),
        ["_stage_config.json", "assets_manifest.csv", "assets_manifest.parquet", "report.json", "report.md"]
    );
    assert_eq!(json(&folder.join("report.json")), report);
    let manifest = std::fs::read_to_string(folder.join("assets_manifest.csv")).unwrap();
    let lines: Vec<&str> = manifest.lines().collect();
    assert_eq!(
        lines[0],
        "brickname,state,ok,error,prefix,files_expected,files_present,files_absent,missing,bytes"
    );
    let bricks: Vec<&str> = lines[1..].iter().map(|line| &line[..8]).collect();
    assert_eq!(bricks.join(","), names(&tree));
    let files = ["image-r", "invvar-r"].map(|p| format!("legacysurvey-0001p002-{p}.fits.fz")).join(";");
    let bytes: usize = ["image-g", "image-z", "invvar-g", "invvar-z", "maskbits"]
        .iter()
        .map(|product| tree.file("0001p002", product).len())
        .sum();
    assert!(
        lines.contains(&&*format!("0001p002,partial,0,,cache/0001p002/,7,5,2,{files},{bytes}")),
        "{manifest}"
    );
    assert!(lines.iter().any(|line| line.starts_with("1501p022,absent,0,,cache/1501p022/,7,0,7,")));
    let markdown = std::fs::read_to_string(folder.join("report.md")).unwrap();
    assert!(markdown.contains("8 of 12 bricks are complete") && markdown.contains("1501p022"), "{markdown}");

    // The same rows and the same bytes in a second run.
    let again = fill(&tree, &origin, dir.path(), &["--report", "again"]);
    assert_eq!(again.code, 65);
    for name in ["assets_manifest.csv", "assets_manifest.parquet", "_stage_config.json"] {
        let of = |folder: &str| std::fs::read(dir.path().join(folder).join(name)).unwrap();
        assert!(of("report") == of("again"), "{name}");
    }
}

#[test]
fn the_configuration_has_every_parameter() {
    let (tree, dir) = (whole(), tempfile::tempdir().unwrap());
    let origin = serve(&tree);
    let more = ["--report", "report", "--psfsize", "--timestamp", "2026-01-24T05:41:21Z", "--rate", "500"];
    assert_eq!(fill(&tree, &origin, dir.path(), &more).code, 66);
    let config = json(&dir.path().join("report/_stage_config.json"));
    assert_eq!(config["timestamp_utc"], "2026-01-24T05:41:21Z");
    assert_eq!(config["coadd_base_url"], origin.base());
    assert_eq!(config["coadd_s3_cache_prefix"], "cache");
    assert_eq!((&config["include_psfsize"], &config["force"]), (&true.into(), &false.into()));
    assert_eq!(config["products"].as_array().unwrap().len(), 10);
    assert_eq!(config["transfer"]["connections"], 8);
    assert_eq!(config["transfer"]["rate"], 500.0);
    assert_eq!(config["transfer"]["idle_timeout"], 30);
    assert_eq!(config["transfer"]["max_attempts"], 8);
    // Every option of the command line is in it, under its own name or another, but for how the work was split.
    let help = run(COADD_CACHE, &["fill", "--help"], dir.path()).stdout;
    let options: Vec<&str> = help
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("--"))
        .map(|word| word.trim_matches(|c: char| !c.is_ascii_alphanumeric()))
        .filter(|word| !["threads", "report", "json", "quiet", "help", "version", ""].contains(word))
        .filter(|word| !["shards", "shard", "out", "group"].contains(word))
        .collect();
    let renamed = [
        ("psfsize", "include_psfsize"),
        ("source", "coadd_base_url"),
        ("cache", "coadd_s3_cache_prefix"),
        ("timestamp", "timestamp_utc"),
    ];
    for option in options {
        let key =
            renamed.iter().find(|(o, _)| *o == option).map_or(option.replace('-', "_"), |(_, k)| (*k).into());
        let alias = key == "concurrency";
        assert!(alias || config.get(&key).or(config["transfer"].get(&key)).is_some(), "{key}: {config}");
    }
}

#[test]
fn exit_codes() {
    let (tree, dir) = (whole(), tempfile::tempdir().unwrap());
    let origin = serve(&tree);
    let path = CoaddTree::path("0001p000", "image-r");
    // A portal that fails: run again.
    origin.fault(coaddkit_testkit::Fault::Status(500).on(&path));
    let ran = fill(&tree, &origin, dir.path(), &["--max-attempts", "2"]);
    assert_eq!((ran.code, &ran.report()["counts"]["failed"]), (75, &1.into()), "{}", ran.stderr);
    assert_eq!(origin.count(&path), 2);
    // And again.
    origin.heal();
    let ran = fill(&tree, &origin, dir.path(), &[]);
    assert_eq!((ran.code, &ran.report()["status"]), (0, &"complete".into()), "{}", ran.stderr);
    // Absent outranks failed.
    origin.remove(&path);
    origin.fault(coaddkit_testkit::Fault::Status(500).on(&CoaddTree::path("0003m002", "image-r")));
    let ran = fill(&tree, &origin, dir.path(), &["--force", "--max-attempts", "1"]);
    assert_eq!(ran.code, 66, "{}", ran.stderr);

    let source = origin.base();
    let code = |args: &[&str]| run(COADD_CACHE, &[&["fill"], args].concat(), dir.path());
    for (args, expected, word) in [
        (&["--bricks", "x.csv", "--source", &source, "--cache", "cache"][..], 66, "x.csv"),
        (&["--bricks", "0001p000", "--source", "ftp://x", "--cache", "cache"], 2, "ftp://x"),
        (&["--bricks", "0001p000", "--source", &source, "--cache", "gs://x"], 2, "gs://x"),
        (&["--bricks", "0001p000", "--source", &source, "--cache", "cache", "--bands", "g,W1"], 2, "W1"),
        (&["--bricks", "0001p000", "--source", &source, "--cache", "cache", "--bands", "g,g"], 2, "gg"),
        (&["--bricks", "0001p000", "--source", &source, "--cache", "cache", "--rate", "0"], 2, "--rate"),
        (&["--bricks", "0001p000", "--source", &source], 2, "--cache"),
        (&["--bricks", "0001p000", "--source", &source, "--cache", "cache", "--skip-absent", "no"], 66, "no"),
    ] {
        let ran = code(args);
        assert_eq!(ran.code, expected, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(word), "{args:?}: {}", ran.stderr);
    }
    // Not one file: an address that is wrong is more likely than a survey that is gone.
    let wrong = format!("{source}/dr11");
    let ran = code(&["--bricks", "0001p000", "--source", &wrong, "--cache", "other"]);
    assert!(ran.code == 66 && ran.stderr.contains("is that the folder above the bricks?"), "{}", ran.stderr);
    std::fs::write(dir.path().join("bad.csv"), "brickname\n0001p000\nsomewhere\n").unwrap();
    let ran = code(&["--bricks", "bad.csv", "--source", &source, "--cache", "cache"]);
    assert!(ran.code == 65 && ran.stderr.contains("bad.csv: line 3"), "{}", ran.stderr);
    let ran = code(&["--bricks", "0001p000", "--source", &source, "--cache", "bad.csv"]);
    assert!(ran.code == 2 && ran.stderr.contains("bad.csv is a file"), "{}", ran.stderr);
}

#[test]
fn an_earlier_manifest_spares_questions() {
    let (tree, dir) = (miniature(), tempfile::tempdir().unwrap());
    let origin = serve(&tree);
    fill(&tree, &origin, dir.path(), &["--report", "first"]);
    origin.forget();
    let more = ["--skip-absent", "first/assets_manifest.csv", "--report", "second"];
    let ran = fill(&tree, &origin, dir.path(), &more);
    assert_eq!(ran.code, 65, "{}", ran.stderr);
    assert_eq!(ran.report()["transfer"]["files"]["not_asked"], 11);
    // What the origin sends damaged may be whole another time.
    assert!(origin.requests().iter().all(|e| e.path == CoaddTree::path("1503p022", "image-r")));
    let of = |folder: &str| std::fs::read(dir.path().join(folder).join("assets_manifest.csv")).unwrap();
    assert_eq!(of("first"), of("second"));
}

/// What people see without `--json`: the states of bricks, what was moved, where it is; nothing with `--quiet`.
#[test]
fn on_the_screen() {
    let (tree, dir) = (whole(), tempfile::tempdir().unwrap());
    let origin = serve(&tree);
    let (names, source) = (names(&tree), origin.base());
    let args = ["fill", "--bricks", &names, "--source", &source, "--cache", "cache"];
    let ran = run(COADD_CACHE, &args, dir.path());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.contains("complete") && ran.stdout.contains("21 files fetched and verified"),
        "{}",
        ran.stdout
    );
    let ran = run(COADD_CACHE, &[&args[..], &["--quiet"]].concat(), dir.path());
    assert_eq!((ran.code, &*ran.stdout, &*ran.stderr), (0, "", ""));
}
