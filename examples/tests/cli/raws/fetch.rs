//! Downloads that fail in every way that portals have, and come all the same.

use super::*;
use coaddkit_testkit::{Fault, FaultOrigin, Files, Nginx, Portal, RetryAfter};
use md5::{Digest, Md5};
use std::time::Duration;

const FETCH: [&str; 7] = ["fetch", "--list", "list.csv", "--out", "raws", "--json", "--round-pause"];

/// Exposures by name.
fn exposures(count: u64) -> Vec<(String, Vec<u8>)> {
    (1..=count).map(|seed| (format!("c4d_{seed}_ori.fits.fz"), bytes(&raw(seed)))).collect()
}

pub(super) fn hex(body: &[u8]) -> String {
    Md5::digest(body).iter().map(|b| format!("{b:02x}")).collect()
}

/// A list of what an origin has below `base`.
pub(super) fn list(dir: &Path, base: &str, files: &[(String, Vec<u8>)]) {
    let mut text = "name,url,md5sum,size\n".to_owned();
    for (name, body) in files {
        text += &format!("{name},{base}/{name},{},{}\n", hex(body), body.len());
    }
    fs::write(dir.join("list.csv"), text).unwrap();
}

fn fetch(dir: &Path, more: &[&str]) -> Ran {
    archive(&[&FETCH[..], &["0"], more].concat(), dir)
}

#[test]
fn present_verified_files_cost_no_request() {
    let dir = tempfile::tempdir().unwrap();
    let files = exposures(4);
    let origin = FaultOrigin::new(Files::memory(files.clone()));
    list(dir.path(), &origin.base(), &files);
    let ran = fetch(dir.path(), &[]);
    assert_eq!((ran.code, count(&ran, "done")), (0, 4), "{}", ran.stderr);
    for (name, body) in &files {
        assert!(fs::read(dir.path().join("raws").join(name)).unwrap() == *body, "{name}");
    }
    origin.forget();
    let again = fetch(dir.path(), &[]);
    assert_eq!((again.code, count(&again, "done"), origin.requests().len()), (0, 4, 0));
    assert_eq!(again.report()["transfer"]["verified_in_place"], 0);
    // Files that somebody else brought are read once, and then known.
    fs::remove_dir_all(dir.path().join("raws/_fetch")).unwrap();
    let read = fetch(dir.path(), &[]);
    assert_eq!((read.code, origin.requests().len()), (0, 0));
    assert_eq!(read.report()["transfer"]["verified_in_place"], 4);
    assert_eq!(fetch(dir.path(), &[]).report()["transfer"]["verified_in_place"], 0);
    // One that changed since, and kept its length, is seen.
    let path = dir.path().join("raws").join(&files[2].0);
    fs::write(&path, coaddkit_testkit::damage::flipped(&files[2].1, 9000)).unwrap();
    let healed = fetch(dir.path(), &[]);
    assert_eq!((healed.code, origin.requests().len()), (0, 1));
    assert!(fs::read(&path).unwrap() == files[2].1);
}

#[test]
fn stalls_refusals_and_bad_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let files = exposures(6);
    let origin = FaultOrigin::new(Files::memory(files[..5].to_vec()));
    list(dir.path(), &origin.base(), &files);
    let name = |k: usize| files[k].0.as_str();
    origin.fault(Fault::Trickle(500).on(name(0)).first(1));
    origin.fault(Fault::Busy(429, RetryAfter::Seconds(1)).on(name(1)).first(1));
    origin.fault(Fault::Stall { at: 30_000, pause: Duration::from_secs(60) }.on(name(2)).first(1));
    // The same wrong bytes each time.
    origin.fault(Fault::FlipBit { at: 12_345, bit: 3 }.on(name(3)));
    let ran = fetch(dir.path(), &["--min-rate", "20000", "--idle-timeout", "1"]);
    assert_eq!(ran.code, 65, "{}", ran.stderr);
    let counts = ["done", "quarantined", "not_found"].map(|word| count(&ran, word));
    assert_eq!(counts, [4, 1, 1], "{}", ran.stdout);
    assert_eq!(ran.report()["transfer"]["throttled"], 1);
    let raws = dir.path().join("raws");
    for k in [0, 1, 2, 4] {
        assert!(fs::read(raws.join(name(k))).unwrap() == files[k].1, "{k}");
    }
    // The wrong ones came twice, and are listed with the reason.
    assert_eq!(origin.count(name(3)), 2);
    assert!(!raws.join(name(3)).exists());
    let rows = corrupt(&raws);
    assert!(rows.len() == 1 && rows[0][0] == name(3) && rows[0][1].contains("md5"), "{rows:?}");
    assert!(raws.join("corrupt_raws").join(name(3)).exists());
    let again = || fs::read_to_string(raws.join("corrupt_raws/refetch.csv")).unwrap();
    assert!(again().lines().count() == 2 && again().contains(&origin.url(name(3))), "{}", again());
    // The portal is mended.
    origin.heal();
    origin.put(name(5), files[5].1.clone());
    let healed = fetch(dir.path(), &[]);
    assert_eq!((healed.code, count(&healed, "done")), (0, 6), "{}", healed.stderr);
    assert_eq!((corrupt(&raws).len(), again().lines().count()), (1, 1));
}

#[test]
fn files_that_failed_are_asked_for_again_while_that_helps() {
    let dir = tempfile::tempdir().unwrap();
    let files = exposures(4);
    let origin = FaultOrigin::new(Files::memory(files.clone()));
    list(dir.path(), &origin.base(), &files);
    origin.fault(Fault::Hangup.on(&files[1].0).first(1));
    origin.fault(Fault::Hangup.on(&files[2].0).first(2));
    let ran = fetch(dir.path(), &["--max-attempts", "1"]);
    assert_eq!((ran.code, count(&ran, "done")), (0, 4), "{}", ran.stderr);
    assert_eq!(ran.report()["transfer"]["rounds"], 3);

    fs::remove_dir_all(dir.path().join("raws")).unwrap();
    origin.heal();
    origin.fault(Fault::Hangup.on(&files[3].0));
    let ends = fetch(dir.path(), &["--max-attempts", "1"]);
    // The second round brought nothing, and is the last.
    assert_eq!((ends.code, count(&ends, "done"), count(&ends, "gave_up")), (75, 3, 1), "{}", ends.stderr);
    assert_eq!(ends.report()["transfer"]["rounds"], 2);
    assert_eq!(ends.report()["failures"][0]["attempts"], 2);
    fs::remove_dir_all(dir.path().join("raws")).unwrap();
    let once = fetch(dir.path(), &["--max-attempts", "1", "--rounds", "1"]);
    assert_eq!((once.code, once.report()["transfer"]["rounds"].as_u64()), (75, Some(1)));
}

#[test]
fn pages_and_files_that_are_no_fits_are_refused_without_a_digest() {
    let dir = tempfile::tempdir().unwrap();
    let whole = bytes(&raw(1));
    let files = [
        ("page.fits.fz".to_owned(), b"<!DOCTYPE html><html>Please log in</html>".to_vec()),
        ("cut.fits.fz".to_owned(), whole[..50_000].to_vec()),
        ("whole.fits.fz".to_owned(), whole),
    ];
    let origin = FaultOrigin::new(Files::memory(files.clone()));
    let mut text = "archive_filename,url\n".to_owned();
    for (name, _) in &files {
        text += &format!("/net/archive/{name},{}\n", origin.url(name));
    }
    fs::write(dir.path().join("list.csv"), text).unwrap();
    let ran = fetch(dir.path(), &[]);
    assert_eq!((ran.code, count(&ran, "done"), count(&ran, "quarantined")), (65, 1, 2), "{}", ran.stderr);
    let names: Vec<_> = corrupt(&dir.path().join("raws")).into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(names, ["cut.fits.fz", "page.fits.fz"]);
    let left = crate::names(&dir.path().join("raws/corrupt_raws"));
    assert_eq!(left, [".lock", "corrupt_raws.csv", "cut.fits.fz", "page.fits.fz", "refetch.csv"]);
}

#[test]
fn the_same_bytes_under_two_names_come_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = exposures(2);
    files.push(("again.fits.fz".to_owned(), files[0].1.clone()));
    let origin = FaultOrigin::new(Files::memory(files.clone()));
    list(dir.path(), &origin.base(), &files);
    let ran = fetch(dir.path(), &[]);
    assert_eq!((ran.code, count(&ran, "done"), count(&ran, "duplicate")), (0, 2, 1), "{}", ran.stderr);
    assert_eq!(origin.count("again.fits.fz"), 0);
    assert_eq!(ran.report()["duplicates"][0]["same_as"], files[0].0);
    assert!(!dir.path().join("raws/again.fits.fz").exists());
    for _ in 0..2 {
        let linked = fetch(dir.path(), &["--duplicates", "link"]);
        assert_eq!((linked.code, origin.count("again.fits.fz")), (0, 0), "{}", linked.stderr);
        assert!(fs::read(dir.path().join("raws/again.fits.fz")).unwrap() == files[0].1);
    }
}

#[test]
fn an_answer_of_the_archive_is_a_list() {
    let dir = tempfile::tempdir().unwrap();
    let files = exposures(1);
    let origin = FaultOrigin::new(Files::memory([("api/retrieve/1/".to_owned(), files[0].1.clone())]));
    let answer = serde_json::json!([
        {"META": {"endpoint": "adv_search/find"}, "PARAMETERS": {}},
        {"archive_filename": format!("/net/archive/mtn/20260101/ct4m/{}", files[0].0),
         "url": origin.url("api/retrieve/1/"), "md5sum": hex(&files[0].1), "filesize": files[0].1.len()},
    ]);
    fs::write(dir.path().join("answer.json"), answer.to_string()).unwrap();
    let ran = archive(&["fetch", "--query", "answer.json", "--out", "raws", "--json"], dir.path());
    assert_eq!((ran.code, count(&ran, "done")), (0, 1), "{}", ran.stderr);
    assert!(fs::read(dir.path().join("raws").join(&files[0].0)).unwrap() == files[0].1);

    assert_eq!(archive(&["fetch", "--out", "raws"], dir.path()).code, 2);
    assert_eq!(archive(&["fetch", "--list", "none.csv", "--out", "raws"], dir.path()).code, 66);
    fs::write(dir.path().join("bad.csv"), "name,url\n../x,http://a\n,http://b\n").unwrap();
    let bad = archive(&["fetch", "--list", "bad.csv", "--out", "raws"], dir.path());
    assert!(bad.code == 65 && bad.stderr.contains("bad.csv: line 3"), "{}", bad.stderr);
}

#[test]
fn a_portal_that_refuses_what_comes_too_fast() {
    let dir = tempfile::tempdir().unwrap();
    let files = exposures(24);
    let root = dir.path().join("origin");
    fs::create_dir(&root).unwrap();
    files.iter().for_each(|(name, body)| fs::write(root.join(name), body).unwrap());
    let Some(nginx) = Nginx::start(&root, &Portal { requests_per_second: 10, burst: 2, ..Portal::default() })
    else {
        return;
    };
    list(dir.path(), &nginx.polite(), &files);
    let ran = fetch(dir.path(), &[]);
    assert_eq!((ran.code, count(&ran, "done")), (0, 24), "{}", ran.stderr);
    assert!(nginx.count_status(429) > 0, "the portal refused nothing");
    for (name, body) in &files {
        assert!(fs::read(dir.path().join("raws").join(name)).unwrap() == *body, "{name}");
    }
}
