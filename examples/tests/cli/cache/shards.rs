//! Caches that several processes fill and verify: the reports of one.

use super::*;

/// Of a fill in so many shards, in groups of bricks, with a merge at the end.
fn in_shards(tree: &CoaddTree, origin: &FaultOrigin, dir: &Path, shards: &[&str], more: &[&str]) -> Vec<i32> {
    let count = shards.len().to_string();
    let shard = |index: &&str| {
        let split = ["--shards", &count, "--shard", index, "--out", "account", "--group", "3"];
        fill(tree, origin, dir, &[&split[..], more].concat()).code
    };
    shards.iter().map(shard).collect()
}

/// The parts of a report that do not differ from run to run.
fn lasting(report: &Value) -> [Value; 6] {
    ["status", "exit_code", "counts", "bytes", "completeness", "failures"].map(|key| report[key].clone())
}

#[test]
fn a_fill_is_that_of_one_process() {
    let (tree, one, split) = (miniature(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let origin = serve(&tree);
    let expected = fill(&tree, &origin, one.path(), &["--report", "report"]);
    assert_eq!(expected.code, 65);
    let dir = split.path();
    let early = run(COADD_CACHE, &["merge", "account"], dir);
    assert_eq!(early.code, 66, "{}", early.stderr);
    // What the origin lacks, or sends damaged, is for the merge to say.
    assert_eq!(in_shards(&tree, &origin, dir, &["2", "0", "1"], &[]), [0, 0, 0]);
    let merged =
        run(COADD_CACHE, &["merge", "account", "--report", "report", "--out", "all.csv", "--json"], dir);
    assert_eq!(merged.code, 65, "{}", merged.stderr);
    let (of_one, of_all) = (expected.report(), merged.report());
    // Failures are listed in the order of the list in both.
    assert_eq!(lasting(&of_all), lasting(&of_one));
    assert_eq!(of_all["transfer"]["files"], of_one["transfer"]["files"]);
    let read = |dir: &Path, name: &str| std::fs::read(dir.join("report").join(name)).unwrap();
    for name in ["assets_manifest.csv", "assets_manifest.parquet", "report.md", "_stage_config.json"] {
        assert!(read(dir, name) == read(one.path(), name), "{name}");
    }
    assert!(std::fs::read(dir.join("all.csv")).unwrap() == read(one.path(), "assets_manifest.csv"));
    assert_eq!(below(&dir.join("cache")), below(&one.path().join("cache")));

    // Bricks that were lacking are asked for again, and no others; another file set is another run.
    let again =
        fill(&tree, &origin, dir, &["--shards", "3", "--shard", "0", "--out", "account", "--group", "3"]);
    assert!(
        again.code == 0
            && again.report()["to_do"].as_u64().unwrap()
                < again.report()["counts"]["done"].as_u64().unwrap() + 1
    );
    let merged = run(COADD_CACHE, &["merge", "account", "--json"], dir);
    assert_eq!(lasting(&merged.report())[4], lasting(&of_one)[4], "{}", merged.stderr);
    let other = fill(
        &tree,
        &origin,
        dir,
        &["--shards", "3", "--shard", "0", "--out", "account", "--group", "3", "--psfsize"],
    );
    assert!(
        other.code == 2 && other.stderr.contains("config/psfsize was false, is true"),
        "{}",
        other.stderr
    );
}

#[test]
fn what_may_pass_is_done_again() {
    let (tree, dir) = (whole(), tempfile::tempdir().unwrap());
    let (origin, dir) = (serve(&tree), dir.path());
    origin.fault(
        coaddkit_testkit::Fault::Status(503)
            .on("359/3598p000/legacysurvey-3598p000-image-g.fits.fz")
            .first(1000),
    );
    let hasty = ["--max-attempts", "1", "--group", "1"];
    let shard = |index| {
        let args = ["--shards", "3", "--shard", index, "--out", "account"];
        fill(&tree, &origin, dir, &[&args[..], &hasty].concat())
    };
    let codes = ["0", "1", "2"].map(|index| shard(index).code);
    assert_eq!(codes.iter().filter(|code| **code == 75).count(), 1, "{codes:?}");
    let early = run(COADD_CACHE, &["merge", "account"], dir);
    assert!(early.code == 75 && early.stderr.contains("3598p000"), "{}: {}", early.code, early.stderr);
    origin.heal();
    let left = run(COADD_CACHE, &["status", "account", "--unfinished"], dir).stdout;
    assert_eq!(shard(left.trim()).code, 0);
    let merged = run(COADD_CACHE, &["merge", "account", "--json"], dir);
    assert_eq!((merged.code, &merged.report()["counts"]["complete"]), (0, &3.into()), "{}", merged.stderr);
}

#[test]
fn a_verification_is_that_of_one_process() {
    let (tree, dir) = (miniature(), tempfile::tempdir().unwrap());
    let (origin, dir) = (serve(&tree), dir.path());
    fill(&tree, &origin, dir, &[]);
    // A flipped bit, a file that is gone, and a brick that nobody asked for.
    let flipped = dir.join("cache/0001p000/legacysurvey-0001p000-image-g.fits.fz");
    let mut bytes = std::fs::read(&flipped).unwrap();
    let at = bytes.len() - 3000;
    bytes[at] ^= 8;
    std::fs::write(&flipped, bytes).unwrap();
    std::fs::create_dir(dir.join("cache/2000p100")).unwrap();
    std::fs::write(dir.join("cache/2000p100/_SUCCESS"), "").unwrap();
    let names = names(&tree);
    let look = ["verify", "--bricks", &names, "--cache", "cache", "--level", "checksum", "--json"];
    let one = run(COADD_CACHE, &[&look[..], &["--report", "one"]].concat(), dir);
    assert_eq!(one.code, 65, "{}", one.stderr);
    for index in ["1", "0"] {
        let split = ["--shards", "2", "--shard", index, "--out", "account", "--group", "5"];
        let ran = run(COADD_CACHE, &[&look[..], &split].concat(), dir);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    let merged = run(COADD_CACHE, &["merge", "account", "--report", "all", "--json"], dir);
    assert_eq!(merged.code, 65, "{}", merged.stderr);
    assert_eq!(lasting(&merged.report()), lasting(&one.report()));
    assert_eq!(merged.report()["problems"], one.report()["problems"]);
    assert_eq!(merged.report()["completeness"]["extra_bricks"], 1);
    for name in ["assets_manifest.csv", "report.md", "_stage_config.json"] {
        let read = |folder: &str| std::fs::read(dir.join(folder).join(name)).unwrap();
        assert!(read("all") == read("one"), "{name}");
    }
}

#[test]
fn lists_of_bricks_may_be_elsewhere() {
    let (tree, dir) = (whole(), tempfile::tempdir().unwrap());
    let origin = serve(&tree);
    origin.put("lists/bricks.csv", format!("brickname\n{}\n", names(&tree).replace(',', "\n")));
    let (list, none, source) = (origin.url("lists/bricks.csv"), origin.url("lists/none.csv"), origin.base());
    let fill = |bricks: &str| {
        let args = ["fill", "--bricks", bricks, "--source", &source, "--cache", "cache", "--json"];
        run(COADD_CACHE, &args, dir.path())
    };
    let ran = fill(&list);
    assert_eq!((ran.code, &ran.report()["counts"]["complete"]), (0, &3.into()), "{}", ran.stderr);
    assert_eq!(fill(&none).code, 66);
}

#[test]
fn what_is_half_said_is_refused() {
    let (tree, dir) = (whole(), tempfile::tempdir().unwrap());
    let origin = serve(&tree);
    let said = |more: &[&str]| fill(&tree, &origin, dir.path(), more);
    let no_account = said(&["--shards", "2", "--shard", "0"]);
    assert!(no_account.code == 2 && no_account.stderr.contains("--out DIR"), "{}", no_account.stderr);
    assert_eq!(said(&["--out", "account"]).code, 2);
    let (names, source) = (names(&tree), origin.base());
    let repair = [
        "repair", "--bricks", &names, "--source", &source, "--cache", "cache", "--shards", "2", "--shard",
        "0",
    ];
    assert_eq!(run(COADD_CACHE, &repair, dir.path()).code, 2);
    assert!(!dir.path().join("cache").exists());
    std::fs::create_dir_all(dir.path().join("other/parts")).unwrap();
    std::fs::write(dir.path().join("other/parts/plan.json"), "{}").unwrap();
    assert_eq!(run(COADD_CACHE, &["merge", "other"], dir.path()).code, 65);
}
