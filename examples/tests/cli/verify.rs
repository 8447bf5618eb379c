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

/// One damaged file for every kind of place in a file with sums: header, padding of the header, descriptors, heap,
/// padding of the data; and cuts everywhere.
#[test]
fn every_damaged_file_is_named_with_its_place() {
    let packed = std::fs::read(fixture("conformance/tables/arrays_p.fits.gz")).unwrap();
    let whole = coaddkit_testkit::gunzip(&packed).unwrap();
    let (header, data) = (damage::header_offset(&whole, 1), damage::data_offset(&whole, 1));
    let dir = tempfile::tempdir().unwrap();
    let mut wanted = Vec::new();
    for at in (0..whole.len()).step_by(61) {
        let hdu = i32::from(at >= header);
        wanted.push((format!("flip-{at:05}.fits"), hdu, damage::flipped(&whole, at)));
        if at != 0 && at != header {
            wanted.push((format!("cut-{at:05}.fits"), hdu, damage::truncated(&whole, at)));
        }
    }
    for (name, _, bytes) in &wanted {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    std::fs::write(dir.path().join("good.fits"), &whole).unwrap();
    let ran = verify(&["--json", "."], dir.path());
    assert_eq!(ran.code, 65, "{}", ran.stderr);
    let report = ran.report();
    let files = report["files"].as_array().unwrap();
    assert_eq!((files.len(), &report["counts"]["bad_data"]), (wanted.len() + 1, &wanted.len().into()));
    wanted.sort();
    for (file, (name, hdu, _)) in files.iter().zip(&wanted) {
        assert_eq!((&file["path"], &file["ok"]), (&format!("./{name}").into(), &false.into()));
        let placed = |f: &&Value| f["severity"] == "error" && f["hdu"] == *hdu && f["offset"].is_u64();
        assert!(file["findings"].as_array().unwrap().iter().any(|f| placed(&f)), "{file}");
        if let Some(cut) = name.strip_prefix("cut-") {
            let cut: u64 = cut.trim_end_matches(".fits").parse().unwrap();
            let offset = file["findings"][0]["offset"].as_u64().unwrap();
            assert!(if cut > data as u64 { offset == cut } else { offset <= cut }, "{file}");
        }
    }
    assert_eq!(
        (&files[wanted.len()]["path"], &files[wanted.len()]["ok"]),
        (&"./good.fits".into(), &true.into())
    );
}

/// What a folder may hold beside good files: nothing of it ends the run, and all of it is told.
#[cfg(unix)]
#[test]
fn odd_entries_of_a_folder_are_told() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::create_dir(at("sub")).unwrap();
    std::fs::write(at("sub/a.fits"), table()).unwrap();
    std::fs::write(at("empty.fits"), b"").unwrap();
    std::fs::write(at("page.fits.gz"), b"<html>").unwrap();
    std::fs::write(at("cut.fits.gz"), &gzip(&table())[..400]).unwrap();
    std::fs::write(at("Z.fits"), [0x1f, 0x9d, 0x90]).unwrap();
    symlink("..", at("sub/up")).unwrap();
    symlink("sub/a.fits", at("good-link.fits")).unwrap();
    symlink("nowhere.fits", at("dangling.fits")).unwrap();
    symlink("loop.fits", at("loop.fits")).unwrap();
    let pipe = std::process::Command::new("mkfifo").arg(at("pipe.fits")).status();
    assert!(pipe.is_ok_and(|s| s.success()));
    let ran = verify(&["--json", "."], dir.path());
    assert_eq!(ran.code, 65, "{}", ran.stderr);
    let report = ran.report();
    let of = |name: &str| {
        let files = report["files"].as_array().unwrap();
        let file = files
            .iter()
            .find(|f| f["path"] == format!("./{name}"))
            .unwrap_or_else(|| panic!("{name}: {report}"));
        (file["ok"].as_bool().unwrap(), file["findings"][0]["what"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!((of("sub/a.fits").0, of("good-link.fits").0), (true, true));
    for (name, says) in [
        ("empty.fits", "the file is empty"),
        ("page.fits.gz", "it is a web page"),
        ("cut.fits.gz", "it ends early"),
        ("Z.fits", "compress(1)"),
        ("dangling.fits", "No such file"),
        ("loop.fits", ""),
    ] {
        let (ok, what) = of(name);
        assert!(!ok && what.contains(says), "{name}: {what}");
    }
    assert_eq!(
        (&report["counts"]["missing"], &report["counts"]["bad_data"]),
        (&2.into(), &4.into()),
        "{report}"
    );
    assert_eq!(report["skipped"], serde_json::json!(["./pipe.fits", "./sub/up"]));
    // Asked for by name.
    for (name, code) in [("pipe.fits", 66), ("loop.fits", 66), ("empty.fits/x.fits", 66), ("sub/up", 65)] {
        assert_eq!(verify(&["--quiet", name], dir.path()).code, code, "{name}");
    }
}

/// Digests are those of the reference values, of every image and every column of all real files.
#[test]
fn digests_of_fits_info() {
    let Some(oracle) = coaddkit_testkit::shared("data/oracle.json") else { return };
    let read = |name: &str| -> Vec<Value> {
        serde_json::from_slice(&std::fs::read(oracle.with_file_name(name)).unwrap()).unwrap()
    };
    let (images, tables) = (read("oracle.json"), read("oracle_tables.json"));
    let listed =
        images.iter().filter(|f| f["hdus"].as_array().is_some_and(|h| h.iter().any(|h| h["kind"] != "HDR")));
    let names: Vec<&str> = listed.map(|f| f["file"].as_str().unwrap()).collect();
    let info = env!("CARGO_BIN_EXE_fits-info");
    let ran = crate::run(info, &[&["--json", "--digest"][..], &names].concat(), oracle.parent().unwrap());
    // One of them is refused.
    assert_eq!(ran.code, 65, "{}", ran.stderr);
    assert!(ran.stderr.lines().all(|line| line.contains("ap_verify.fits: HDU 0, byte 0: BITPIX is card 3")));
    let files: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(files.len(), names.len());
    let hdus = |name: &str| &files[names.iter().position(|n| *n == name).unwrap()]["hdus"];
    let close = |found: &Value, want: &Value| match (found.as_f64(), want.as_f64()) {
        (Some(a), Some(b)) => a == b || (a - b).abs() <= 1e-12 * a.abs().max(b.abs()),
        (found, want) => found == want,
    };
    let (mut pixels, mut columns) = (0, 0);
    for file in &images {
        let name = file["file"].as_str().unwrap();
        // Astropy mends one and scales the other in single precision.
        if !names.contains(&name) || ["ap_verify.fits", "ap_scale.fits"].iter().any(|n| name.ends_with(n)) {
            continue;
        }
        for (index, want) in file["hdus"].as_array().unwrap().iter().enumerate() {
            let (found, want) = (&hdus(name)[index], &want["data"]);
            let Some(sha256) = want["sha256_be"].as_str() else { continue };
            assert!(found["sha256"].as_str().unwrap().starts_with(sha256), "{name}[{index}]");
            assert_eq!(
                (&found["dtype"], &found["shape"]),
                (&want["dtype"], &want["shape"]),
                "{name}[{index}]"
            );
            for key in ["nan", "min", "max", "sum"].iter().filter(|key| !want[**key].is_null()) {
                assert!(
                    close(&found[key], &want[key]),
                    "{name}[{index}] {key}: {} {}",
                    found[key],
                    want[key]
                );
            }
            pixels += 1;
        }
    }
    for file in &tables {
        let name = file["file"].as_str().unwrap();
        for table in file["tables"].as_array().unwrap() {
            let hdu = &hdus(name)[table["hdu"].as_u64().unwrap() as usize];
            assert_eq!(hdu["rows"], table["rows"], "{name}");
            let (found, wanted) = (hdu["columns"].as_array().unwrap(), table["columns"].as_array().unwrap());
            assert_eq!(found.len(), wanted.len(), "{name}");
            for (found, want) in found.iter().zip(wanted) {
                for key in ["raw_sha256", "heap_sha256", "elements", "nan", "min", "max", "sum"] {
                    let Some(want) = want.get(key).filter(|want| !want.is_null()) else { continue };
                    assert!(
                        close(&found[key], want),
                        "{name} {} {key}: {} {want}",
                        found["name"],
                        found[key]
                    );
                }
                columns += 1;
            }
        }
    }
    assert!((pixels, columns) == (163, 2499), "{pixels} images, {columns} columns");
    assert_eq!(crate::run(info, &["--digest", "x.fits"], Path::new(".")).code, 2);
}
