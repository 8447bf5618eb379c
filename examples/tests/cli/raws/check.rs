//! What `check` finds, where, and how it goes on.

use super::*;
use coaddkit_testkit::{damage, gzip};
use serde_json::Value;

/// The first flaw of a file: HDU, offset, what.
fn flaw(report: &Value, name: &str) -> (Option<u64>, Option<u64>, String) {
    let first = &report["flaws"][name][0];
    (first["hdu"].as_u64(), first["offset"].as_u64(), first["what"].as_str().unwrap_or_default().to_owned())
}

/// One damaged place a file: in the header, the descriptors and the heap of each of 71 HDUs.
#[test]
fn damage_of_every_hdu_is_found_at_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let raws = dir.path().join("raws");
    fs::create_dir(&raws).unwrap();
    let (whole, bare) = (bytes(&raw(1)), bytes(&raw(1).without_checksums()));
    fs::write(raws.join("whole.fits.fz"), &whole).unwrap();
    fs::write(raws.join("bare.fits.fz"), &bare).unwrap();
    let mut expected = Vec::new();
    let mut put = |name: String, body: Vec<u8>, hdu: usize, from: usize, to: usize| {
        fs::write(raws.join(&name), body).unwrap();
        expected.push((name, hdu as u64, from as u64..=to as u64));
    };
    for hdu in 0..71 {
        let [header, data, end] =
            [damage::header_offset, damage::data_offset, damage::end_offset].map(|of| of(&whole, hdu));
        let card = damage::card_offset(&whole, hdu, if hdu == 0 { "OBJECT" } else { "CCDNUM" });
        put(format!("header-{hdu}.fits.fz"), damage::flipped(&whole, card + 29), hdu, header, header);
        if hdu == 0 {
            continue;
        }
        let rows = if whole_name(&whole, hdu).starts_with('F') { 4 } else { 8 };
        put(format!("heap-{hdu}.fits.fz"), damage::flipped(&whole, data + 8 * rows + 3), hdu, data, end);
        put(format!("cut-{hdu}.fits.fz"), damage::truncated(&whole, data + 8), hdu, data, data + 8);
        // Without sums, a descriptor that points nowhere is seen by its geometry.
        let [data, end] = [damage::data_offset, damage::end_offset].map(|of| of(&bare, hdu));
        put(format!("descriptor-{hdu}.fits.fz"), damage::flipped(&bare, data + 4), hdu, data, end);
    }
    let ran = check(dir.path(), &[]);
    assert_eq!(ran.code, 65, "{}", ran.stderr);
    let report = ran.report();
    assert_eq!((count(&ran, "done"), count(&ran, "corrupt")), (2, expected.len() as u64));
    for (name, hdu, place) in expected {
        let (found, offset, what) = flaw(&report, &name);
        assert_eq!(found, Some(hdu), "{name}: {what}");
        assert!(
            offset.is_some_and(|at| place.contains(&at)),
            "{name}: {offset:?} is not in {place:?}: {what}"
        );
    }
}

fn whole_name(bytes: &[u8], hdu: usize) -> String {
    let card = damage::card_offset(bytes, hdu, "EXTNAME");
    String::from_utf8_lossy(&bytes[card + 11..card + 19]).into_owned()
}

#[test]
fn extensions_are_those_of_the_camera() {
    let dir = tempfile::tempdir().unwrap();
    let raws = dir.path().join("raws");
    fs::create_dir(&raws).unwrap();
    let names = raw(1).names().to_vec();
    let write = |name: &str, names: Vec<String>| raw(2).extensions(names).write(&raws.join(name)).unwrap();
    let without = |gone: &str| names.iter().filter(|n| *n != gone).cloned().collect::<Vec<_>>();
    let renamed = |from: &str, to: &str| {
        names.iter().map(|n| if n == from { to.to_owned() } else { n.clone() }).collect::<Vec<_>>()
    };
    write("missing.fits.fz", without("N30"));
    write("missing_focus.fits.fz", without("FS2"));
    write("renamed.fits.fz", renamed("S7", "X7"));
    write("doubled.fits.fz", renamed("N3", "N4"));
    write("more.fits.fz", names.iter().cloned().chain(["N32".to_owned()]).collect());
    // Another order is no flaw: it changed over the years.
    write("order.fits.fz", names.iter().rev().cloned().collect());
    let ran = check(dir.path(), &[]);
    assert_eq!((ran.code, count(&ran, "done"), count(&ran, "corrupt")), (65, 1, 5), "{}", ran.stderr);
    let report = ran.report();
    let all = |name: &str| -> Vec<String> {
        let flaws = report["flaws"][name].as_array().unwrap();
        flaws.iter().map(|flaw| format!("{} {}", flaw["hdu"], flaw["what"].as_str().unwrap())).collect()
    };
    assert_eq!(all("missing.fits.fz"), ["null 70 HDUs, DECam has 71", "null missing: N30 (science)"]);
    assert_eq!(all("missing_focus.fits.fz")[1], "null missing: FS2 (focus)");
    // S7 is the seventh of the file.
    assert_eq!(all("renamed.fits.fz"), ["7 DECam has no extension X7", "null missing: S7 (science)"]);
    // S1 to S31 come first, then N1: N3 is HDU 34.
    assert_eq!(
        all("doubled.fits.fz"),
        ["35 a second extension N4, after HDU 34", "null missing: N3 (science)"]
    );
    assert_eq!(all("more.fits.fz"), ["null 72 HDUs, DECam has 71", "71 DECam has no extension N32"]);

    let none = check(dir.path(), &["--instrument", "none", "--out", "other"]);
    assert_eq!((none.code, count(&none, "done")), (0, 6), "{}", none.stderr);
    fs::write(dir.path().join("camera.toml"), "name = 'Camera'\ncount = 71\n").unwrap();
    let counted = check(dir.path(), &["--instrument", "camera.toml", "--out", "third"]);
    assert_eq!((counted.code, count(&counted, "done")), (65, 1));
    assert!(counted.stdout.contains("71 HDUs, Camera has 72"), "{}", counted.stdout);
    // The primary HDU is not counted.
    fs::write(dir.path().join("camera.toml"), "name = 'Camera'\ncount = 70\n").unwrap();
    let counted = check(dir.path(), &["--instrument", "camera.toml", "--out", "fourth"]);
    assert_eq!((counted.code, count(&counted, "done")), (65, 3), "{}", counted.stdout);
    // Another camera on resume is told in one line that can be read.
    let other = check(dir.path(), &["--instrument", "camera.toml"]);
    assert_eq!(other.code, 2, "{}", other.stderr);
    assert!(other.stderr.contains("inputs/instrument was \"DECam ("), "{}", other.stderr);
    assert!(other.stderr.lines().count() == 1 && other.stderr.len() < 200, "{}", other.stderr);
    fs::write(dir.path().join("camera.toml"), "name = 'Camera'\nccds = 71\n").unwrap();
    let wrong = check(dir.path(), &["--instrument", "camera.toml"]);
    assert!(
        wrong.code == 65 && wrong.stderr.contains("camera.toml") && wrong.stderr.contains("ccds"),
        "{}",
        wrong.stderr
    );
    assert_eq!(check(dir.path(), &["--instrument", "absent.toml"]).code, 66);
}

#[test]
fn one_bad_file_never_stops_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let raws = dir.path().join("raws");
    fs::create_dir_all(raws.join("night 2")).unwrap();
    let whole = bytes(&raw(1));
    let write = |name: &str, body: &[u8]| fs::write(raws.join(name), body).unwrap();
    write("a.fits.fz", b"<html><body>503 Service Unavailable</body></html>");
    write("b.fits.fz", b"");
    write("c.fits.fz", &whole);
    write("d.fits.gz", &gzip(&whole));
    write("e.fits.gz", &gzip(&whole)[..4000]);
    write("f.fits", &whole[..whole.len() - 2880 * 9]);
    write("night 2/g.fits", &whole);
    write("h.fits.fz", &vec![0; 4 << 20]);
    let ran = check(dir.path(), &["--threads", "2"]);
    assert_eq!((ran.code, count(&ran, "done"), count(&ran, "corrupt")), (65, 3, 5), "{}", ran.stderr);
    let report = ran.report();
    assert!(flaw(&report, "a.fits.fz").2.contains("web page"), "{report}");
    assert!(flaw(&report, "e.fits.gz").2.contains("gzip"), "{report}");
    assert_eq!(report["status"], "incomplete");
    assert!(ran.stdout.contains("3 of 8 files are whole"), "{}", ran.stdout);

    assert_eq!(check(&raws, &[]).code, 66);
    fs::create_dir(dir.path().join("empty")).unwrap();
    let none = archive(&["status", "empty"], dir.path());
    assert!(none.code == 66 && none.stderr.contains("no check has run here"), "{}", none.stderr);
    let empty = archive(&["check", "empty"], dir.path());
    assert!(empty.code == 66 && empty.stderr.contains("no .fits.fz"), "{}", empty.stderr);
}

#[test]
fn a_check_goes_on_where_it_was_and_knows_files_that_changed() {
    let dir = tempfile::tempdir().unwrap();
    let raws = dir.path().join("raws");
    fs::create_dir(&raws).unwrap();
    for seed in 0..4 {
        raw(seed).write(&raws.join(format!("{seed}.fits.fz"))).unwrap();
    }
    fs::write(raws.join("3.fits.fz"), damaged(3)).unwrap();
    let begins =
        |ran: &Ran, text: &str| assert!(ran.stdout.starts_with(text), "{} {}", ran.stdout, ran.stderr);
    begins(&check(dir.path(), &[]), "4 of 4 to do\n");
    let status = archive(&["status", "raws", "--json"], dir.path());
    assert_eq!((status.code, count(&status, "done"), count(&status, "failed")), (65, 3, 1));
    assert!(status.stdout.contains("HDU 7, byte"), "{}", status.stdout);
    // What is corrupt is looked at again, since it may have been the disk.
    begins(&check(dir.path(), &[]), "1 of 4 to do\n");

    // One came, one was replaced by itself of another day, one went.
    raw(9).write(&raws.join("9.fits.fz")).unwrap();
    fs::write(raws.join("1.fits.fz"), damaged(1)).unwrap();
    fs::remove_file(raws.join("3.fits.fz")).unwrap();
    let again = check(dir.path(), &[]);
    begins(&again, "2 of 4 to do\n");
    assert_eq!((again.code, count(&again, "done"), count(&again, "corrupt")), (65, 3, 1));
    raw(1).write(&raws.join("1.fits.fz")).unwrap();
    let healed = check(dir.path(), &[]);
    begins(&healed, "1 of 4 to do\n");
    assert_eq!(healed.code, 0);
    begins(&check(dir.path(), &[]), "0 of 4 to do\n");
    // Earlier accounts are gone, since the last one knows all.
    assert_eq!(crate::names(&raws.join("_check")).len(), 3, "{:?}", crate::names(&raws.join("_check")));

    let other = check(dir.path(), &["--level", "size"]);
    assert_eq!(other.code, 2, "{}", other.stderr);
    assert!(other.stderr.contains("config/level was \"pixels\", is \"size\""), "{}", other.stderr);
    begins(&check(dir.path(), &["--level", "size", "--force"]), "4 of 4 to do\n");
    assert_eq!(archive(&["status", "raws", "--out", "nowhere"], dir.path()).code, 66);
}

#[test]
fn files_of_the_list_that_are_missing_are_told_all_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let raws = dir.path().join("raws");
    fs::create_dir(&raws).unwrap();
    raw(1).write(&raws.join("a.fits.fz")).unwrap();
    fs::write(raws.join("b.fits.fz"), damaged(2)).unwrap();
    let md5 = "d41d8cd98f00b204e9800998ecf8427e";
    let list = format!(
        "name,url,md5sum,size\na.fits.fz,http://x/a,{md5},1\nb.fits.fz,http://x/b,,\nc.fits.fz,http://x/c,,\n\
         d.fits.fz,http://x/d,,\nsame_as_a.fits.fz,http://x/e,{md5},1\n"
    );
    fs::write(dir.path().join("list.csv"), list).unwrap();
    let strict = check(dir.path(), &["--list", "list.csv", "--strict"]);
    assert_eq!((strict.code, count(&strict, "missing_input"), count(&strict, "corrupt")), (66, 2, 0));
    for name in ["c.fits.fz", "d.fits.fz"] {
        assert!(strict.stdout.contains(name), "{}", strict.stdout);
    }
    let ran = check(dir.path(), &["--list", "list.csv"]);
    // What is corrupt outranks what is missing.
    assert_eq!(ran.code, 65, "{}", ran.stderr);
    let counts = ["done", "corrupt", "missing_input", "duplicate"].map(|word| count(&ran, word));
    assert_eq!(counts, [1, 1, 2, 1], "{}", ran.stdout);
    // A file in quarantine is not missing without a trace.
    let apart = check(dir.path(), &["--list", "list.csv", "--quarantine"]);
    assert_eq!((apart.code, count(&apart, "moved")), (65, 1));
    let after = check(dir.path(), &["--list", "list.csv"]);
    assert_eq!((after.code, count(&after, "quarantined"), count(&after, "missing_input")), (65, 1, 2));
}
