//! `cutout`: files and exit codes. Pixels are compared with another reader's by `cargo xtask test oracle-cache`.

use std::path::Path;

use coaddkit_testkit::{CoaddTree, Coverage, damage};

use crate::{Ran, names, run};

/// Two whole bricks that meet at RA 0, one without r and one that is damaged, put there as a fill would.
fn cache(dir: &Path) {
    let tree = CoaddTree::new(3).size(48, 20);
    let tree = tree.brick("3598p000", Coverage::Complete).brick("0001p000", Coverage::Complete);
    let tree = tree.brick("0003p000", Coverage::Bands("gz")).brick("0003m002", Coverage::Corrupt("image-g"));
    for (path, mut bytes) in tree.files() {
        if path.contains("0003m002-image-g") {
            let at = damage::data_offset(&bytes, 1);
            bytes.truncate(at + 100);
        }
        let path = dir.join("cache").join(&path[4..]);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

fn cut(dir: &Path, args: &[&str]) -> Ran {
    let program = env!("CARGO_BIN_EXE_cutout");
    run(program, &[&["--cache", "cache", "--size", "16"], args].concat(), dir)
}

#[test]
fn one_position() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    cache(dir);
    let here = ["--ra", "0.11", "--dec", "-0.02"];
    let ran = cut(dir, &[&here[..], &["--npz", "a.npz", "--fits", "a.fits", "--png", "a.png"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("16 × 16 pixels of brick 0001p000; all pixels are there"), "{}", ran.stdout);
    assert_eq!(names(dir), ["a.fits", "a.npz", "a.png", "cache"]);
    let verified = run(env!("CARGO_BIN_EXE_fits-verify"), &["a.fits"], dir);
    assert_eq!(verified.code, 0, "{}", verified.stdout);
    let report = cut(dir, &[&here[..], &["--json"]].concat()).report();
    assert_eq!((&report["status"], &report["counts"]["done"]), (&"complete".into(), &1.into()));
    // Across the edge, and beyond what is cached.
    let ran = cut(dir, &["--ra", "0.0003", "--dec", "0"]);
    assert!(ran.code == 0 && ran.stdout.contains("pixels come from brick 3598p000"), "{}", ran.stdout);
    let ran = cut(dir, &["--ra", "0.0003", "--dec", "0", "--one-brick"]);
    assert!(ran.code == 66 && ran.stdout.contains("it reaches beyond"), "{}", ran.stdout);
    assert_eq!(cut(dir, &["--ra", "0.1", "--dec", "0.13", "--png", "b.png"]).code, 66);
}

#[test]
fn what_cannot_be_cut() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    cache(dir);
    for (args, code, word) in [
        (&["--ra", "10", "--dec", "0"][..], 66, "0101p000"),
        (&["--ra", "0.4", "--dec", "0"], 66, "0003p000-image-r"),
        (&["--ra", "0.4", "--dec", "-0.25"], 65, "image-g"),
        (&["--ra", "0.1", "--dec", "91"], 2, "91"),
        (&["--ra", "0.1"], 2, "--dec"),
        (&[], 2, "--list"),
        (&["--ra", "0.1", "--dec", "0", "--bands", "g,Q"], 2, "Q"),
        (&["--ra", "0.1", "--dec", "0", "--stretch", "0"], 2, "stretch"),
        (&["--ra", "0.1", "--dec", "0", "--npz", "no/such/folder/a.npz"], 75, "no/such/folder"),
        (&["--list", "no.csv", "--out", "stamps"], 66, "no.csv"),
    ] {
        let ran = cut(dir, args);
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(word), "{args:?}: {}", ran.stderr);
    }
    assert_eq!(cut(dir, &["--ra", "0.4", "--dec", "0", "--bands", "g,z", "--png", "grey.png"]).code, 0);
}

#[test]
fn a_list_of_positions() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    cache(dir);
    let list = "id,RA,Dec,task_id,brickname\n1,0.11,0.0,first,\n2,10.0,0.0,nowhere,\n3,359.9,0.05,second,\n\
                4,0.4,-0.25,damaged,0003m002\n5,0.1,0.13,edge,0001p000\n6,359.8,0.0,third,3598p000\n";
    std::fs::write(dir.join("list.csv"), list).unwrap();
    let ran = cut(dir, &["--list", "list.csv", "--out", "stamps", "--formats", "npz,png", "--json"]);
    assert_eq!(ran.code, 65, "{}", ran.stderr);
    let report = ran.report();
    assert_eq!((&report["counts"]["done"], &report["counts"]["failed"]), (&3.into(), &2.into()), "{report}");
    assert_eq!(report["counts"]["incomplete"], 1);
    let mut expected: Vec<String> = ["first", "second", "third", "edge"]
        .iter()
        .flat_map(|n| [format!("{n}.npz"), format!("{n}.png")])
        .collect();
    expected.push("stamps.csv".into());
    expected.sort();
    assert_eq!(names(&dir.join("stamps")), expected);
    let index = std::fs::read_to_string(dir.join("stamps/stamps.csv")).unwrap();
    let lines: Vec<&str> = index.lines().collect();
    assert_eq!(lines.len(), 7, "{index}");
    assert_eq!(lines[0], "name,ra,dec,brickname,x0,y0,cutout_ok,error");
    assert!(lines[1].starts_with("first,0.11,0,0001p000,") && lines[1].ends_with(",1,"), "{index}");
    assert!(lines[2].starts_with("nowhere,10,0,0101p000,,,0,") && lines[2].contains("is not in the cache"));
    assert!(lines[5].ends_with(",0,reaches beyond what is cached"), "{index}");
    // The same bytes again.
    let before = std::fs::read(dir.join("stamps/first.npz")).unwrap();
    cut(dir, &["--list", "list.csv", "--out", "stamps", "--quiet"]);
    assert!(std::fs::read(dir.join("stamps/first.npz")).unwrap() == before);

    for (list, word) in [
        ("ra,dec\n1,x\n", "line 2: \"x\""),
        ("ra,dec\n1,100\n", "line 2"),
        ("ra\n1\n", "no column dec"),
        ("ra,dec\n", "no position"),
        ("ra,dec,name\n0.1,0,../a\n", "../a"),
        ("ra,dec,name\n0.1,0,a\n0.2,0,a\n", "line 3: the name a stands twice"),
        ("ra,dec,brickname\n0.1,0,here\n", "line 2"),
    ] {
        std::fs::write(dir.join("bad.csv"), list).unwrap();
        let ran = cut(dir, &["--list", "bad.csv", "--out", "more"]);
        assert!(ran.code == 65 && ran.stderr.contains(word), "{list}: {} {}", ran.code, ran.stderr);
    }
    let ran = cut(dir, &["--list", "list.csv", "--out", "stamps", "--formats", "jpeg"]);
    assert!(ran.code == 2 && ran.stderr.contains("jpeg"), "{}", ran.stderr);
}
