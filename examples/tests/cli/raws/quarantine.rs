//! Corrupt files set apart, listed, and fetched again.

use super::*;

#[test]
fn corrupt_files_are_moved_listed_and_fetched_again() {
    let dir = tempfile::tempdir().unwrap();
    let made = archive(&["miniature", "origin", "--exposures", "4", "--size", "16,8", "--quiet"], dir.path());
    assert_eq!(made.code, 0, "{}", made.stderr);
    let list = ["fetch", "--list", "origin/raws.csv", "--out", "raws", "--json"];
    let fetched = archive(&list, dir.path());
    assert_eq!((fetched.code, count(&fetched, "done")), (0, 4), "{}", fetched.stderr);
    let raws = dir.path().join("raws");
    let bad = raws.join("c4d_260101_010002_ori.fits.fz");
    let good = fs::read(&bad).unwrap();
    let at = coaddkit_testkit::damage::data_offset(&good, 12) + 70;
    let broken = coaddkit_testkit::damage::flipped(&good, at);
    fs::write(&bad, &broken).unwrap();

    // A look alone moves nothing.
    let look = check(dir.path(), &[]);
    assert_eq!((look.code, bad.exists(), raws.join("corrupt_raws").exists()), (65, true, false));
    let moved = archive(&["quarantine", "raws", "--json"], dir.path());
    assert_eq!((moved.code, count(&moved, "done"), bad.exists()), (0, 1, false), "{}", moved.stderr);
    assert_eq!(fs::read(raws.join("corrupt_raws/c4d_260101_010002_ori.fits.fz")).unwrap(), broken);
    let rows = corrupt(&raws);
    assert_eq!(rows.len(), 1);
    let offset = coaddkit_testkit::damage::data_offset(&good, 12).to_string();
    assert_eq!((&rows[0][0][..], &rows[0][2][..]), ("c4d_260101_010002_ori.fits.fz", "12"), "{rows:?}");
    assert_eq!(rows[0][3], offset, "{rows:?}");

    // Again: nothing to move, the same list.
    let text = fs::read(raws.join("corrupt_raws/corrupt_raws.csv")).unwrap();
    let again = archive(&["quarantine", "raws", "--json"], dir.path());
    assert_eq!((again.code, count(&again, "done")), (0, 0));
    assert_eq!(fs::read(raws.join("corrupt_raws/corrupt_raws.csv")).unwrap(), text);
    let status = archive(&["status", "raws", "--json"], dir.path());
    assert!(status.stdout.contains("in quarantine"), "{}", status.stdout);

    // What is to come again has its address, from the list of the fetch.
    let refetch = fs::read_to_string(raws.join("corrupt_raws/refetch.csv")).unwrap();
    assert!(
        refetch.lines().count() == 2 && refetch.contains("origin/archive/c4d_260101_010002"),
        "{refetch}"
    );
    let come =
        archive(&["fetch", "--list", "raws/corrupt_raws/refetch.csv", "--out", "raws", "--json"], dir.path());
    assert_eq!((come.code, come.report()["transfer"]["fetched"].as_u64()), (0, Some(1)), "{}", come.stderr);
    assert_eq!(fs::read(&bad).unwrap(), good);
    let whole = check(dir.path(), &["--list", "origin/raws.csv", "--quarantine"]);
    assert_eq!((whole.code, count(&whole, "done")), (0, 4), "{}", whole.stderr);
    assert_eq!(fs::read_to_string(raws.join("corrupt_raws/refetch.csv")).unwrap().lines().count(), 1);

    // Corrupt once more, otherwise: both stay.
    let other = coaddkit_testkit::damage::truncated(&good, 20_000);
    fs::write(&bad, &other).unwrap();
    assert_eq!(check(dir.path(), &["--quarantine"]).code, 65);
    assert_eq!(fs::read(raws.join("corrupt_raws/c4d_260101_010002_ori.fits.fz")).unwrap(), broken);
    assert_eq!(fs::read(raws.join("corrupt_raws/c4d_260101_010002_ori.fits.fz.2")).unwrap(), other);
    assert_eq!(corrupt(&raws).len(), 2);
}

#[test]
fn a_quarantine_elsewhere_is_on_another_disk() {
    let dir = tempfile::tempdir().unwrap();
    let raws = dir.path().join("raws");
    fs::create_dir(&raws).unwrap();
    fs::write(raws.join("a.fits.fz"), damaged(1)).unwrap();
    // Where there is a disk in memory, the move is a copy.
    let shm = Path::new("/dev/shm");
    let elsewhere = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() }.unwrap();
    let ran = check(dir.path(), &["--quarantine", elsewhere.path().to_str().unwrap()]);
    assert_eq!((ran.code, count(&ran, "moved")), (65, 1), "{}", ran.stderr);
    assert_eq!(fs::read(elsewhere.path().join("corrupt_raws/a.fits.fz")).unwrap(), damaged(1));
    assert!(!raws.join("a.fits.fz").exists() && !raws.join("corrupt_raws").exists());
    assert_eq!(corrupt(elsewhere.path())[0][0], "a.fits.fz");
    // It is known where: nobody has to say it again.
    let status = archive(&["status", "raws", "--json"], dir.path());
    assert_eq!((status.code, count(&status, "quarantined")), (65, 1), "{}", status.stdout);
    assert!(status.stdout.contains("in quarantine"), "{}", status.stdout);
    // A folder that is the quarantine itself is not nested.
    fs::write(raws.join("a.fits.fz"), damaged(2)).unwrap();
    let named = elsewhere.path().join("corrupt_raws");
    assert_eq!(check(dir.path(), &["--quarantine", named.to_str().unwrap()]).code, 65);
    assert_eq!(fs::read(named.join("a.fits.fz.2")).unwrap(), damaged(2));

    // A list that is damaged is not written over.
    fs::write(raws.join("a.fits.fz"), damaged(3)).unwrap();
    fs::write(named.join("corrupt_raws.csv"), "name,why\na,b\n").unwrap();
    let refused = check(dir.path(), &["--quarantine", named.to_str().unwrap()]);
    assert!(refused.code == 65 && refused.stderr.contains("the columns are not"), "{}", refused.stderr);
    assert!(raws.join("a.fits.fz").exists());
}
