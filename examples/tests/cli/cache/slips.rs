//! What goes wrong around a job, and what people are told.

use std::process::Stdio;
use std::time::Duration;

use coaddkit_testkit::Fault;

use super::*;

/// A job does not end because nobody reads its messages any more.
#[test]
fn nobody_listens() {
    let (tree, dir) = (miniature(), tempfile::tempdir().unwrap());
    let origin = serve(&tree);
    let (names, source) = (names(&tree), origin.base());
    let args = ["fill", "--bricks", &names, "--source", &source, "--cache", "cache", "--report", "report"];
    let mut child = command(&args, dir.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(65));
    let report = json(&dir.path().join("report/report.json"));
    assert_eq!((&report["counts"]["complete"], &report["counts"]["quarantined"]), (&8.into(), &1.into()));
}

#[cfg(unix)]
#[test]
fn an_interrupted_fill_says_how_to_go_on() {
    let (tree, dir) = (whole(), tempfile::tempdir().unwrap());
    let origin = serve(&tree);
    origin.fault(Fault::Trickle(20_000).everywhere());
    let (names, source) = (names(&tree), origin.base());
    let args = ["fill", "--bricks", &names, "--source", &source, "--cache", "cache", "--report", "report"];
    let child = command(&args, dir.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let asked = || origin.requests().len() >= 8;
    (0..200).find(|_| asked() || (std::thread::sleep(Duration::from_millis(50)), false).1).unwrap();
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(75), "{said}");
    assert!(said.contains("of 21 files were not fetched; the same command goes on from here"), "{said}");
    assert!(!said.contains("cancelled"), "files that were not tried are not listed: {said}");
    let report = json(&dir.path().join("report/report.json"));
    assert!(report["alerts"][0].as_str().unwrap().starts_with("interrupted: "), "{report}");
    origin.heal();
    assert_eq!(fill(&tree, &origin, dir.path(), &[]).code, 0);
}

#[test]
fn slips_of_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let source = ["--source", "tree"];
    for (args, code, word) in [
        (&["fill", "--bricks", "9999p000,0001p000", "--cache", "c"][..], 2, "9999p000"),
        (&["fill", "--bricks", "0001p00", "--cache", "c"], 2, "--bricks: \"0001p00\" is not a brick name"),
        (&["fill", "--bricks", "", "--cache", "c"], 2, "--bricks"),
        (&["fill", "--bricks", "0001p000,", "--cache", "file/c"], 2, "file is a file"),
        (&["fill", "--bricks", "./0001p00", "--cache", "c"], 66, "./0001p00: "),
        (&["fill", "--bricks", "0001p000", "--cache", "s3://"], 2, "bucket"),
        (&["fill", "--bricks", "0001p000", "--cache", "c", "--report", "file"], 2, "file is a file"),
        (&["fill", "--bricks", "0001p000", "--cache", "c", "--report", "file/r"], 2, "file is a file"),
        (&["verify", "--bricks", "0001p000", "--cache", "c"], 66, "there is no cache c"),
        (&["report", "--bricks", "0001p000", "--cache", "c"], 66, "there is no cache c"),
        (&["stats", "--brick", "0001p000", "--cache", "c"], 66, "there is no cache c"),
    ] {
        let more: &[&str] = if args[0] == "fill" { &source } else { &[] };
        let ran = run(COADD_CACHE, &[args, more].concat(), dir.path());
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(word), "{args:?}: {}", ran.stderr);
        assert!(!dir.path().join("c").exists(), "{args:?}");
    }
}

/// Something else in the place of a file is that file's failure, and is named.
#[test]
fn a_place_that_is_taken() {
    let (tree, dir) = (whole(), tempfile::tempdir().unwrap());
    let origin = serve(&tree);
    let taken = dir.path().join("cache/0001p000");
    std::fs::create_dir_all(taken.parent().unwrap()).unwrap();
    std::fs::write(&taken, "mine").unwrap();
    let ran = fill(&tree, &origin, dir.path(), &[]);
    assert_eq!(ran.code, 75, "{}", ran.stderr);
    assert_eq!(
        (&ran.report()["counts"]["complete"], &ran.report()["counts"]["failed"]),
        (&2.into(), &1.into())
    );
    assert!(ran.stderr.contains("cache/0001p000"), "{}", ran.stderr);
    assert_eq!(std::fs::read(&taken).unwrap(), b"mine");
}

/// Without `--report` people see which brick lacks what.
#[test]
fn what_is_missing_is_on_the_screen() {
    let (tree, dir) = (whole(), tempfile::tempdir().unwrap());
    let origin = serve(&tree);
    assert_eq!(fill(&tree, &origin, dir.path(), &[]).code, 0);
    let cache = dir.path().join("cache");
    std::fs::remove_file(cache.join("3598p000/legacysurvey-3598p000-maskbits.fits.fz")).unwrap();
    std::fs::remove_file(cache.join("0003m002/_SUCCESS")).unwrap();
    let marker = cache.join("0001p000/_SUCCESS");
    let text = std::fs::read_to_string(&marker).unwrap();
    std::fs::write(&marker, text.replace("image-g", "image-q")).unwrap();
    let args = ["verify", "--bricks", &names(&tree), "--cache", "cache"];
    let ran = run(COADD_CACHE, &args, dir.path());
    assert_eq!(ran.code, 66, "{}", ran.stderr);
    for line in [
        "partial  3598p000: not there: maskbits",
        "failed  0003m002: all files are there, but the marker is not",
        "failed  0001p000: the marker does not name legacysurvey-0001p000-image-g.fits.fz",
    ] {
        assert!(ran.stdout.contains(line), "{line}: {}", ran.stdout);
    }
}
