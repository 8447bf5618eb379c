use crate::{Ran, fixture};
use coaddkit_testkit::{Column, FitsTable, damage, gzip};
use serde_json::Value;
use std::path::Path;

fn verify(args: &[&str], dir: &Path) -> Ran {
    crate::run(env!("CARGO_BIN_EXE_fits-verify"), args, dir)
}

fn table() -> Vec<u8> {
    FitsTable::new("T")
        .column(Column::new("N", "J"))
        .column(Column::new("V", "1PE"))
        .rows(20, |row, cells| {
            cells.put(row as i32).put(&[1.5_f32; 3][..]);
        })
        .to_bytes()
}

/// A folder with good files, damaged ones, and others.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let whole = table();
    let data = damage::data_offset(&whole, 1);
    let mut bent = whole.clone();
    bent[data + 4] = 0x7f;
    std::fs::create_dir(dir.path().join("deeper")).unwrap();
    for (name, bytes) in [
        ("a.fits", whole.clone()),
        ("b.FITS.gz", gzip(&whole)),
        ("deeper/bent.fit", bent),
        ("deeper/cut.fits.fz", damage::truncated(&whole, data + 50)),
        ("junk.fits", [&whole[..], b"more"].concat()),
        ("notes.txt", b"hello".to_vec()),
    ] {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    dir
}

#[test]
fn folders_are_walked_and_damage_is_placed() {
    let dir = folder();
    for threads in ["1", "3"] {
        let ran = verify(&["--json", "--threads", threads, "."], dir.path());
        assert_eq!(ran.code, 65, "{}", ran.stderr);
        let report = ran.report();
        assert_eq!(report["exit_code"], 65);
        let files: Vec<(&str, bool, usize)> = report["files"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| {
                (
                    f["path"].as_str().unwrap(),
                    f["ok"].as_bool().unwrap(),
                    f["findings"].as_array().unwrap().len(),
                )
            })
            .collect();
        let expected = [
            ("./a.fits", true, 0),
            ("./b.FITS.gz", true, 0),
            ("./deeper/bent.fit", false, 1),
            ("./deeper/cut.fits.fz", false, 1),
            ("./junk.fits", true, 1),
        ];
        assert_eq!(files, expected);
        let data = damage::data_offset(&table(), 1) as u64;
        let finding = |file: usize| report["files"][file]["findings"][0].clone();
        let [bent, cut, junk] = [2, 3, 4].map(finding);
        assert_eq!(
            (&bent["level"], &bent["hdu"], &bent["offset"]),
            (&"structure".into(), &1.into(), &(data + 4).into())
        );
        assert_eq!(
            (&cut["level"], &cut["hdu"], &cut["offset"]),
            (&"size".into(), &1.into(), &(data + 50).into())
        );
        assert_eq!((&junk["level"], &junk["severity"]), (&"size".into(), &"warning".into()));
        assert!(cut["what"].as_str().unwrap().contains("truncated: data"), "{cut}");
        assert_eq!(report["skipped"], serde_json::json!(["./notes.txt"]));
        assert_eq!((&report["counts"]["bad_data"], &report["counts"]["skipped"]), (&2.into(), &1.into()));
        assert_eq!(report["failures"].as_array().unwrap().len(), 2);
    }
    // At level size the descriptor is not looked at.
    let ran = verify(&["--json", "--level", "size", "deeper/bent.fit"], dir.path());
    assert_eq!((ran.code, &ran.report()["files"][0]["ok"]), (0, &Value::Bool(true)));
}

#[test]
fn exit_codes() {
    let dir = folder();
    for (args, code) in [
        (&["a.fits", "b.FITS.gz", "junk.fits"][..], 0),
        (&["a.fits", "absent.fits"], 66),
        (&["deeper/cut.fits.fz", "absent.fits"], 65),
        (&["notes.txt"], 65),
        (&[], 2),
        (&["--level", "deep", "a.fits"], 2),
    ] {
        let ran = verify(args, dir.path());
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
    }
    std::fs::create_dir(dir.path().join("empty")).unwrap();
    assert_eq!(verify(&["empty"], dir.path()).code, 66);
}

#[test]
fn people_get_lines_and_reports_go_where_they_are_sent() {
    let dir = folder();
    let ran = verify(&["--report", "out", "."], dir.path());
    for says in [
        "ok       ./a.fits",
        "FAILED   ./deeper/cut.fits.fz",
        "HDU 1, byte",
        "3 of 5 files are fine at level checksum",
        "1 skipped, not named",
    ] {
        assert!(ran.stdout.contains(says), "{says}: {}", ran.stdout);
    }
    let report: Value =
        serde_json::from_slice(&std::fs::read(dir.path().join("out/report.json")).unwrap()).unwrap();
    assert_eq!((&report["command"], &report["status"]), (&"fits-verify".into(), &"incomplete".into()));
    let quiet = verify(&["--quiet", "."], dir.path());
    assert_eq!((quiet.stdout.as_str(), quiet.code), ("", 65));
}

#[test]
fn the_miniature_survey_is_whole() {
    let files: Vec<_> = crate::names(&fixture("")).into_iter().filter(|n| n.contains(".fits")).collect();
    let files: Vec<_> = files.iter().map(String::as_str).collect();
    let ran = verify(&[&["--json", "--level", "pixels"][..], &files].concat(), &fixture(""));
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    assert!(ran.report()["files"].as_array().unwrap().len() >= 5);
}

/// Digests are those of the reference values.
#[test]
fn digests_of_fits_info() {
    let Some(oracle) = coaddkit_testkit::shared("data/oracle_tables.json") else { return };
    let oracle: Vec<Value> = serde_json::from_slice(&std::fs::read(&oracle).unwrap()).unwrap();
    let file = oracle.iter().find(|f| f["file"] == "fits-odd/ap_theap-gap.fits").unwrap();
    let path = coaddkit_testkit::shared("data/fits-odd/ap_theap-gap.fits").unwrap();
    let info = env!("CARGO_BIN_EXE_fits-info");
    let ran = crate::run(info, &["--json", "--digest", path.to_str().unwrap()], Path::new("."));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let (report, expected) = (ran.report(), &file["tables"][0]["columns"]);
    for column in 0..2 {
        let found = &report["hdus"][1]["columns"][column];
        for key in ["raw_sha256", "heap_sha256", "elements", "nan", "min", "max", "sum"] {
            assert_eq!(found.get(key), expected[column].get(key), "{column} {key}");
        }
    }
    let path = coaddkit_testkit::shared("data/fits-comp/ap_m13_rice.fits").unwrap();
    let ran = crate::run(info, &["--json", "--digest", path.to_str().unwrap()], Path::new("."));
    let oracle = coaddkit_testkit::shared("data/oracle.json").unwrap();
    let oracle: Vec<Value> = serde_json::from_slice(&std::fs::read(oracle).unwrap()).unwrap();
    let file = oracle.iter().find(|f| f["file"] == "fits-comp/ap_m13_rice.fits").unwrap();
    let (found, want) = (&ran.report()["hdus"][1], &file["hdus"][1]["data"]);
    assert!(found["sha256"].as_str().unwrap().starts_with(want["sha256_be"].as_str().unwrap()));
    assert_eq!((found["min"].as_f64(), found["max"].as_f64()), (want["min"].as_f64(), want["max"].as_f64()));
    assert_eq!(crate::run(info, &["--digest", "x.fits"], Path::new(".")).code, 2);
}
